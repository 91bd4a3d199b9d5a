// SPDX-License-Identifier: MIT
// What BIND's ht.c needs of BIND's libraries, in place of all their headers.
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct isc_mem isc_mem_t;
typedef enum { ISC_R_SUCCESS, ISC_R_NOTFOUND, ISC_R_EXISTS, ISC_R_NOMORE } isc_result_t;

#define REQUIRE(condition) assert(condition)
#define INSIST(condition) assert(condition)
#define ISC_MAGIC(a, b, c, d) (((a) << 24) | ((b) << 16) | ((c) << 8) | (d))
#define ISC_MAGIC_VALID(of, wanted) ((of)->magic == (wanted))
#define isc_mem_get(context, size) ((void)(context), malloc(size))
#define isc_mem_put(context, what, size) ((void)(context), (void)(size), free(what))
#define isc_mem_attach(context, to) (*(to) = (context))
#define isc_mem_putanddetach(context, what, size) (*(context) = NULL, (void)(size), free(what))

// not BIND's, which is SipHash with a seed of the process: any will do
static inline uint32_t isc_hash32(const void *key, size_t size, bool case_sensitive) {
  const unsigned char *bytes = key;
  uint32_t hash = case_sensitive ? 17 : 19;
  for (size_t i = 0; i < size; i++)
    hash = hash * 31 + bytes[i];
  return hash;
}

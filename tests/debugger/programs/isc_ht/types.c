/* SPDX-License-Identifier: MIT */
/* The structs of BIND's isc_ht (9.18 and 9.20), for a program whose library has no debug
   information. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct isc_ht_node {
  void *value;
  struct isc_ht_node *next;
  uint32_t hashval;
  size_t keysize;
  unsigned char key[];
};

struct isc_ht {
  unsigned int magic;
  void *mctx;
  size_t count;
  bool case_sensitive;
  size_t size[2];
  uint8_t hashbits[2];
  struct isc_ht_node **table[2];
  uint8_t hindex;
  uint32_t hiter;
};

/* so that the compiler describes them */
struct isc_ht a_table;
struct isc_ht_node *a_node;

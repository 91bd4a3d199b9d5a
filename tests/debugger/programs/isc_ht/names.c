// SPDX-License-Identifier: MIT
//
// Fills a hash table of BIND's: names KEYS, of which it prints what it holds, and goes on.
#include <isc/ht.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

isc_ht_t *names;

__attribute__((noinline)) void checkpoint(void) { __asm__ volatile("" ::: "memory"); }

static void add(int number) {
  char key[32];
  int size = snprintf(key, sizeof key, "name %d", number);
  isc_ht_add(names, (unsigned char *)key, (uint32_t)size, (void *)(size_t)(0x1000 + number));
}

int main(int argc, char **argv) {
  int keys = argc > 1 ? atoi(argv[1]) : 100;
  static char context;
  isc_ht_init(&names, (void *)&context, 2, ISC_HT_CASE_SENSITIVE);
  for (int i = 0; i < keys; i++)
    add(i);
  for (int i = 0; i < keys; i += 10) {
    char key[32];
    int size = snprintf(key, sizeof key, "name %d", i);
    isc_ht_delete(names, (unsigned char *)key, (uint32_t)size);
  }
  FILE *truth = argc > 2 ? fopen(argv[2], "w") : NULL;
  if (truth) {
    // by the library's own iterator, which knows both tables
    isc_ht_iter_t *it = NULL;
    isc_ht_iter_create(names, &it);
    const char *comma = "";
    fprintf(truth, "{\"names\": {");
    for (isc_result_t r = isc_ht_iter_first(it); r == ISC_R_SUCCESS; r = isc_ht_iter_next(it)) {
      unsigned char *key = NULL;
      size_t size = 0;
      void *value = NULL;
      isc_ht_iter_currentkey(it, &key, &size);
      isc_ht_iter_current(it, &value);
      fprintf(truth, "%s\"%.*s\": \"%p\"", comma, (int)size, (char *)key, value);
      comma = ", ";
    }
    fprintf(truth, "}}\n");
    isc_ht_iter_destroy(&it);
    fclose(truth);
  }
  checkpoint();
  for (int i = 0; i < 4 * keys; i++)
    add(keys + i);
  checkpoint();
  isc_ht_destroy(&names);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* Loads libraries that Go is in one after the other, and stops between: each counts to 40 when it
   has come, then each to 120 when all have. */
#include <dlfcn.h>
#include <stdio.h>

__attribute__((noinline)) static void loaded(int libraries) { printf("%d loaded\n", libraries); }
__attribute__((noinline)) static void counted(int libraries) { printf("%d counted\n", libraries); }

int main(int count, char **names) {
  int (*count_to[8])(int);
  for (int n = 1; n < count && n <= 8; n++) {
    void *library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL);
    count_to[n - 1] = library ? (int (*)(int))dlsym(library, "CountTo") : 0;
    if (!count_to[n - 1])
      return 1;
    count_to[n - 1](40);
    loaded(n);
  }
  for (int n = 1; n < count && n <= 8; n++) {
    count_to[n - 1](120);
    counted(n);
  }
  return 0;
}

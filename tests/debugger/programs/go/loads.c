/* SPDX-License-Identifier: MIT */
/* Loads libraries that Go is in, and lets the n-th count to 50 + n. */
#include <dlfcn.h>
#include <stdio.h>

__attribute__((noinline)) static void all_counted(int libraries) { printf("%d\n", libraries); }

int main(int count, char **names) {
  for (int n = 1; n < count; n++) {
    void *library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL);
    int (*count_to)(int) = library ? (int (*)(int))dlsym(library, "CountTo") : 0;
    if (!count_to)
      return 1;
    count_to(50 + n);
  }
  all_counted(count - 1);
  return 0;
}

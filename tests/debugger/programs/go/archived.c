/* SPDX-License-Identifier: MIT */
/* A C program that Go is linked into, which counts to 20 and then to 120. */
#include <stdio.h>

#include "libcounted.h"

__attribute__((noinline)) static void counted(int number) { printf("%d\n", number); }

int main(void) {
  counted(CountTo(20));
  counted(CountTo(120));
  return 0;
}

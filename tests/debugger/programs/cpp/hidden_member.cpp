// SPDX-License-Identifier: MIT
//
// A member hides a global variable of its name at an instruction, `here`, at which nothing tells
// any more where the object is.
#include <cstdio>
#include <unordered_map>

using numbers = std::unordered_map<int, int>;

numbers shelf{{1, 2}};
numbers other{{3, 4}};

struct shop {
  numbers shelf;

  [[gnu::noinline]] int put(int number) {
    shelf[number] = number;
    asm volatile(".globl here\nhere: nop" : : "r"(number));
    return number;
  }
};

int main() {
  auto *open = new shop;
  asm volatile("" : "+r"(open));
  std::printf("%d\n", open->put(7));
  delete open;
  return static_cast<int>(shelf.size() + other.size()) - 2;
}

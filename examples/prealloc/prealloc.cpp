// SPDX-License-Identifier: MIT
//
// prealloc, in C++: a vector that grows while it is filled, and one that has room from the start.
//
// The first one is moved thirteen times on its way to 2,500 numbers (1, 2, 4, ... 4,096), the second
// one has the array that reserve gave it.
#include <cstdio>
#include <vector>

namespace {

constexpr int numbers = 2500;
std::vector<int> grown;
std::vector<int> reserved;

// Puts numbers in, and counts how often that moves the vector.
[[gnu::noinline]] int fill(std::vector<int> &v) {
  int moves = 0;
  for (int i = 0; i < numbers; ++i) {
    const auto before = v.capacity();
    v.push_back(i);
    moves += v.capacity() != before ? 1 : 0;
  }
  return moves;
}

} // namespace

// Where a debugger stops: `break checkpoint`.
[[gnu::noinline]] void checkpoint(const std::vector<int> &v) {
  asm volatile("" : : "r"(&v) : "memory");
}

int main() {
  checkpoint(grown);
  const int first = fill(grown);
  reserved.reserve(numbers);
  const int second = fill(reserved);
  checkpoint(grown);
  std::printf("%d moves, %d with room for all\n", first, second);
}

// SPDX-License-Identifier: MIT
//
// N assignments to one map while a debugger waits for assignments to another.
//
//   assignments N
//
// Prints nanoseconds for each, by the program's own clock.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include <mapscope/map.hpp>

using map_type = mapscope::map<uint64_t, uint64_t>;

// Where debuggers set what they compare with: the other map is `map`.
[[gnu::noinline]] void ready(map_type &map) { asm volatile("" : : "r"(&map) : "memory"); }

// What they stop at; mapassign itself is inlined.
[[gnu::noinline]] void assign(map_type &map, uint64_t key, uint64_t value) { map[key] = value; }

int main(int argc, char **argv) {
  const uint64_t n = argc > 1 ? std::stoull(argv[1]) : 1'000'000;
  map_type written;
  map_type other;
  other[1] = 1;
  for (uint64_t i = 0; i < 1'000; i++) {
    written[i] = i;
  }
  ready(other);
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < n; i++) {
    assign(written, i * 7 % 1'000, i);
  }
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  std::cout << "ns " << time.count() / static_cast<double>(n) << std::endl;
}

// SPDX-License-Identifier: MIT
//
// stuck_migration: a map that is no longer written to keeps two arrays for ever.
//
// Entries move to the new array with later writes. Here the write that makes the
// map double is nearly the last: half of the old buckets are evacuated, and then
// the map is only read. Its old array stays, and each lookup looks whether the
// key's old bucket was evacuated.
//
// Stops at `checkpoint` twice: when the map has been read a million times, and
// again after writes have moved the rest.
#include <cstdint>
#include <iostream>

#include <mapscope/map.hpp>

namespace {

using table = mapscope::map<std::uint64_t, std::uint64_t>;

constexpr std::uint64_t full = 106'496; // 6.5 for each of 16,384 buckets
constexpr std::uint64_t more = 4'300;   // writes, each of which moves two at most

} // namespace

// Where a debugger stops: `break checkpoint`. The empty statement keeps the
// compiler from dropping the call or its argument.
[[gnu::noinline]] void checkpoint(const table &m) { asm volatile("" : : "r"(&m) : "memory"); }

int main() {
  mapscope::set_seed(1); // the same buckets in every run
  table m;
  for (std::uint64_t i = 0; i < full + more; ++i) {
    m[i] = i * i;
  }
  // From here on it is a lookup table.
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    sum += m.at(i % m.size());
  }
  checkpoint(m);

  // Overwriting what is there is writing too.
  for (std::uint64_t i = 0; i < full; ++i) {
    m[i] = i * i;
  }
  checkpoint(m);
  std::cout << m.size() << " entries, " << sum << '\n';
}

// SPDX-License-Identifier: MIT
//
// A map large enough that a user may want to interrupt what looks into it.
#include <mapscope/map.hpp>

#include <cstdint>
#include <cstdio>

mapscope::map<std::uint64_t, std::uint64_t> large;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main() {
  mapscope::set_seed(1);
  for (std::uint64_t i = 0; i < 2'000'000; ++i)
    large.insert_or_assign(i, i);
  checkpoint();
  std::printf("%zu\n", large.size());
  return 0;
}

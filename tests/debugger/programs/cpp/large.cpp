// SPDX-License-Identifier: MIT
//
// Maps large enough that a user may want to interrupt what looks into them, or as large as is said.
//
//   large [COUNT]
#include <mapscope/map.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

mapscope::map<std::uint64_t, std::uint64_t> large;
mapscope::map<std::string, int> texts;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main(int argc, char **argv) {
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000'000;
  mapscope::set_seed(1);
  for (std::uint64_t i = 0; i < count; ++i)
    large.insert_or_assign(i, i);
  for (std::uint64_t i = 0; argc > 1 && i < count; ++i)
    texts.insert_or_assign(std::string(i % 70, 'x') + std::to_string(i), 1);
  checkpoint();
  std::printf("%zu\n", large.size());
  return 0;
}

// SPDX-License-Identifier: MIT
//
// Two large maps, both in the middle of a doubling, for bench/inspect: a growth
// starts when the load passes 6.5 entries a bucket, and each later insert moves
// two old buckets.
//
//   inspect_big [NUMBERS [TEXTS]]
#include <mapscope/map.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using number_map = mapscope::map<std::uint64_t, std::uint64_t>;
using text_map = mapscope::map<std::string, std::uint64_t>;

number_map numbers;
text_map texts;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main(int argc, char **argv) {
  const long number_count = argc > 1 ? std::atol(argv[1]) : 14'000'000;
  const long text_count = argc > 2 ? std::atol(argv[2]) : 3'500'000;
  mapscope::set_seed(1);
  for (long i = 0; i < number_count; ++i) {
    const auto key = static_cast<std::uint64_t>(i);
    numbers.insert_or_assign(key * 0x9e3779b97f4a7c15U, key);
  }
  for (long i = 0; i < text_count; ++i) {
    char key[32]; // too long for what std::string keeps inside itself
    std::snprintf(key, sizeof key, "customer-%011ld", i);
    texts.insert_or_assign(key, static_cast<std::uint64_t>(i));
  }
  checkpoint();
  std::printf("%zu %zu\n", numbers.size(), texts.size());
  return 0;
}

// SPDX-License-Identifier: MIT
//
// Many small maps, two in each of some objects that a vector refers to, for bench/inspect.
//
//   inspect_many [MAPS]
#include <mapscope/map.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

struct stock {
  mapscope::map<std::uint64_t, std::uint64_t> amounts;
  mapscope::map<std::string, std::string> names;
};

std::vector<std::unique_ptr<stock>> stocks;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main(int argc, char **argv) {
  const long maps = argc > 1 ? std::atol(argv[1]) : 20'000;
  for (long i = 0; i < maps / 2; ++i) {
    auto &made = *stocks.emplace_back(std::make_unique<stock>());
    // an insertion makes each known; some of them are larger
    for (long item = 0; item <= i % 20; ++item) {
      const auto number = static_cast<std::uint64_t>(item);
      made.amounts.insert_or_assign(number, number);
      made.names.insert_or_assign("item " + std::to_string(item), "shelf");
    }
  }
  checkpoint();
  return 0;
}

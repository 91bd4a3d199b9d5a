// SPDX-License-Identifier: MIT
//
// Maps that only parameters, locals and the object that a function works on lead to, at a call of
// checkpoint() in the middle.
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "mapscope/map.hpp"

// That a local hides a global is what is looked at.
#pragma GCC diagnostic ignored "-Wshadow"

using numbers = mapscope::map<int, int>;

numbers both{};

[[gnu::noinline]] void checkpoint() { asm volatile("" : : : "memory"); }

struct counter {
  mapscope::map<std::string, int> stock;

  [[gnu::noinline]] unsigned long sell(const std::string &what, numbers &referred, numbers *pointed,
                                       int times) {
    std::unordered_map<std::string, int> counts;
    counts[what] = times;
    static numbers kept;
    kept[5] = times;
    unsigned long sum = 0;
    {
      mapscope::map<int, long> inner;
      inner[7] = 8;
      numbers both;
      both[1] = 2;
      checkpoint();
      sum = inner.size() + both.size();
    }
    return sum + counts.size() + kept.size() + referred.size() + pointed->size() + stock.size();
  }
};

int main() {
  counter shop;
  shop.stock["pear"] = 4;
  both[10] = 11;
  numbers mine;
  mine[20] = 21;
  const auto owned = std::make_unique<numbers>();
  (*owned)[30] = 31;
  std::printf("%lu\n", shop.sell("apple", mine, owned.get(), 3));
  return static_cast<int>(both.size() + mine.size()) - 2;
}

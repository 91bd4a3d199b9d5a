// SPDX-License-Identifier: MIT
//
// bloat: a map that keeps the memory of its best days.
//
// A cache of sessions is filled to 50,000 at noon, and expires down to 2,000 at
// night; in between, sessions come and go. A map never gives its buckets back, and
// the overflow buckets that came with the churn stay until a growth to the same
// size packs them anew. rebuild() makes a fresh, tight array for what is left.
//
// Stops at `checkpoint` three times: full, in the night, and rebuilt.
#include <cstdint>
#include <iostream>
#include <random>
#include <vector>

#include <mapscope/map.hpp>

namespace {

using sessions = mapscope::map<std::uint64_t, std::uint64_t>;

constexpr std::size_t at_noon = 50'000;
constexpr std::size_t at_night = 2'000;

// The cache, and the keys of what is in it.
struct cache {
  sessions m;
  std::vector<std::uint64_t> keys;
  std::uint64_t next = 0;
  std::mt19937_64 random{1};

  void open() {
    m[next] = next;
    keys.push_back(next++);
  }
  void expire() {
    std::uint64_t &victim = keys[random() % keys.size()];
    m.erase(victim);
    victim = keys.back();
    keys.pop_back();
  }
};

} // namespace

// Where a debugger stops: `break checkpoint`. The empty statement keeps the
// compiler from dropping the call or its argument.
[[gnu::noinline]] void checkpoint(const sessions &m) { asm volatile("" : : "r"(&m) : "memory"); }

int main() {
  mapscope::set_seed(1); // the same buckets in every run
  cache c;
  while (c.keys.size() < at_noon) {
    c.open();
  }
  for (int i = 0; i < 1'000'000; ++i) { // they come and go
    c.expire();
    c.open();
  }
  checkpoint(c.m);

  while (c.keys.size() > at_night) {
    c.expire();
  }
  checkpoint(c.m);

  c.m.rebuild();
  checkpoint(c.m);
  std::cout << c.m.size() << " sessions\n";
}

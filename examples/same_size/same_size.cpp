// SPDX-License-Identifier: MIT
//
// same_size stops in the middle of a growth that adds no bucket.
//
// The map holds 800 entries in 128 buckets. Deleting one entry and inserting
// another, again and again, never makes it larger, but whenever nine entries
// meet in a bucket it gets an overflow bucket, and keeps it when they are
// gone. Once there are as many overflow buckets as buckets, the next insert
// starts a growth to the same size, which packs the entries anew. The program
// stops when about half of the old buckets are evacuated.
//
//   same_size [--truth FILE]
//
// FILE receives what the map must hold, one JSON object per line, sorted by
// key; it is written from the program's own record, never read from the map.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <mapscope/layout.h>
#include <mapscope/map.hpp>

namespace {

using map = mapscope::map<std::uint64_t, std::string>;

constexpr std::size_t entries = 800;
// Replacements (a delete and an insert, so two writes) after the one that
// starts the growth. A write moves two old buckets as long as its own one
// still waits: 37 writes move about 64 of 128.
constexpr int replacements_in_growth = 18;

// Is m in a growth? Programs have no business to ask; this one does, to stop
// in time. A map's one pointer is that to its header.
bool growing(const map &m) {
  const auto *h = *reinterpret_cast<const mapscope::hmap *const *>(&m);
  return h != nullptr && h->oldbuckets != nullptr;
}

std::string value(std::uint64_t key) { return "order " + std::to_string(key); }

// A map and the program's own record of what it must hold.
struct churn {
  map m;
  std::vector<std::uint64_t> live;
  std::uint64_t next = 0;
  std::mt19937_64 random{1};

  void insert() {
    m[next] = value(next);
    live.push_back(next++);
  }

  // Deletes an entry chosen at random and inserts a new one.
  void replace() {
    std::uint64_t &victim = live[random() % live.size()];
    m.erase(victim);
    victim = live.back();
    live.pop_back();
    insert();
  }

  bool write_truth(const char *path) const {
    std::vector<std::uint64_t> sorted = live;
    std::sort(sorted.begin(), sorted.end());
    std::ofstream out(path);
    for (const std::uint64_t key : sorted) {
      out << R"({"key": )" << key << R"(, "value": ")" << value(key) << "\"}\n";
    }
    out.close();
    return !out.fail();
  }
};

} // namespace

// Where a debugger stops: `break checkpoint`. The empty statement keeps the
// compiler from dropping the call or its argument.
[[gnu::noinline]] void checkpoint(const map &m) { asm volatile("" : : "r"(&m) : "memory"); }

int main(int argc, char **argv) {
  const bool truth = argc == 3 && std::string_view(argv[1]) == "--truth";
  if (!truth && argc != 1) {
    std::cerr << "usage: same_size [--truth FILE]\n";
    return 2;
  }

  mapscope::set_seed(1); // the same buckets in every run
  churn c;
  c.m.reserve(entries);
  while (c.live.size() < entries) {
    c.insert();
  }
  while (!growing(c.m)) {
    c.replace();
  }
  for (int n = 0; n < replacements_in_growth; ++n) {
    c.replace();
  }

  if (truth && !c.write_truth(argv[2])) {
    std::cerr << "same_size: cannot write " << argv[2] << '\n';
    return 1;
  }
  checkpoint(c.m);
  std::cout << c.m.size() << " entries\n";
}

// SPDX-License-Identifier: MIT
//
// absl_tables holds Abseil's hash tables in several ways and states, and stops at
// checkpoint.
//
//   absl_tables [--truth FILE] [--big ENTRIES] [--damage yes]
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>
#include <absl/container/node_hash_set.h>

#include "library_tables.hpp"

#include <memory>

using namespace library;

namespace {

struct everything {
  absl::flat_hash_map<int, int> empty;
  absl::flat_hash_map<int, int> one;
  absl::flat_hash_map<int, int> eight;
  absl::flat_hash_map<int, int> thousand;
  absl::flat_hash_map<long, long> erased;
  absl::flat_hash_map<int, int> cleared;
  absl::flat_hash_map<int, int> moved_from;
  absl::flat_hash_map<int, int> moved_to;
  absl::flat_hash_map<int, int> reserved;
  absl::flat_hash_map<std::string, int> text;
  absl::flat_hash_map<std::string, std::string> both;
  absl::flat_hash_map<unsigned char, bool> bytes;
  absl::flat_hash_map<color, double> colors;
  absl::flat_hash_map<point, point, stateful_hash> points;
  absl::flat_hash_map<int, big> bigs;
  absl::flat_hash_map<int, aligned> aligneds;
  absl::flat_hash_set<int> set;
  absl::flat_hash_set<std::string> text_set;
  absl::node_hash_map<int, std::string> nodes;
  absl::node_hash_map<std::string, int> text_nodes;
  absl::node_hash_set<std::string> node_set;
  absl::flat_hash_map<std::string, absl::flat_hash_map<int, int>> nested;
  std::unique_ptr<absl::flat_hash_map<int, int>> owned;
  std::vector<absl::flat_hash_set<int>> row;
};

everything tables;
absl::flat_hash_map<std::uint64_t, std::uint64_t> big_numbers;
absl::flat_hash_map<std::string, std::uint64_t> big_text;
absl::node_hash_map<std::string, std::uint64_t> big_nodes;

struct damaged_tables {
  absl::flat_hash_map<int, int> whole;
  absl::flat_hash_map<int, int> count;
  absl::flat_hash_map<int, int> control;
  absl::flat_hash_map<int, int> twice;
  absl::node_hash_map<int, int> node;
  absl::flat_hash_map<int, int> header;
} damaged;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

void fill() {
  everything &t = tables;
  t.one[5] = 50;
  for (int i = 0; i < 8; ++i)
    t.eight[i * 3] = i;
  for (int i = 0; i < 1000; ++i) {
    t.thousand[i * 7919] = i;
    t.text["key " + std::to_string(i)] = i;
    t.both["a longer key, number " + std::to_string(i)] =
        std::string(static_cast<std::size_t>(i % 40), 'x');
    t.erased[i] = i;
    t.cleared[i] = i;
    t.moved_from[i] = i;
    t.text_set.insert("element " + std::to_string(i));
    t.nodes[i] = std::to_string(i);
    t.text_nodes["node " + std::to_string(i)] = i;
    t.node_set.insert(std::to_string(i));
  }
  for (long i = 0; i < 1000; ++i)
    if (i % 3 != 0)
      t.erased.erase(i);
  t.cleared.clear();
  t.moved_to = std::move(t.moved_from);
  t.reserved.reserve(10'000);
  t.reserved[1] = 2;
  for (int i = 0; i < 256; ++i)
    t.bytes[static_cast<unsigned char>(i)] = i % 2 == 0;
  t.colors = {{color::red, 0.5}, {color::green, -1.0}, {color::blue, 1e300}};
  for (int i = 0; i < 20; ++i) {
    t.points[{i, -i}] = {i * 2, i * 3};
    t.bigs[i].bytes[i] = static_cast<unsigned char>(i);
    t.aligneds[i].id = i;
    t.set.insert(i * i);
    t.nested["outer " + std::to_string(i)][i] = i;
  }
  t.owned = std::make_unique<absl::flat_hash_map<int, int>>();
  (*t.owned)[1] = 2;
  t.row.resize(2);
  t.row[1] = {7, 8};
}

void tell() {
  NOTE(tables.empty);
  NOTE(tables.one);
  NOTE(tables.eight);
  NOTE(tables.thousand);
  NOTE(tables.erased);
  NOTE(tables.cleared);
  NOTE(tables.moved_from);
  NOTE(tables.moved_to);
  NOTE(tables.reserved);
  NOTE(tables.text);
  NOTE(tables.both);
  NOTE(tables.bytes);
  NOTE(tables.colors);
  NOTE(tables.points);
  NOTE(tables.bigs);
  NOTE(tables.aligneds);
  NOTE(tables.set);
  NOTE(tables.text_set);
  NOTE(tables.nodes);
  NOTE(tables.text_nodes);
  NOTE(tables.node_set);
  NOTE(tables.nested);
  library::note("tables.owned", *tables.owned);
  NOTE(tables.row[1]);
  NOTE(big_numbers);
  NOTE(big_text);
  NOTE(big_nodes);
}

// The words of a table: control bytes, slots, entries, capacity.
template <class Table> std::uintptr_t *words(Table &table) {
  return reinterpret_cast<std::uintptr_t *>(&table);
}

void damage() {
  damaged_tables &d = damaged;
  for (auto *table : {&d.whole, &d.count, &d.control, &d.twice, &d.header})
    for (int i = 0; i < 100; ++i)
      (*table)[i] = i;
  for (int i = 0; i < 100; ++i)
    d.node[i] = i;
  words(d.count)[2] += 1;
  auto *control = reinterpret_cast<unsigned char *>(words(d.control)[0]);
  std::size_t slot = 0;
  while (control[slot] != 0x80)
    ++slot;
  control[slot] = 0x90;
  const_cast<int &>(d.twice.begin()->first) = std::next(d.twice.begin())->first;
  auto *slots = reinterpret_cast<std::uintptr_t *>(words(d.node)[1]);
  control = reinterpret_cast<unsigned char *>(words(d.node)[0]);
  for (slot = 0; control[slot] >= 0x80;)
    ++slot;
  slots[slot] = 16;
  words(d.header)[3] = 1000;
}

} // namespace

int main(int argc, char **argv) {
  const arguments told(argc, argv);
  fill();
  for (int i = 0; i < told.big; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    big_numbers[number * 0x9e3779b97f4a7c15U] = number;
    big_text["a key of some length " + std::to_string(i)] = number;
    big_nodes[std::to_string(i * 17L)] = number;
  }
  if (told.truth != nullptr) {
    tell();
    truth::write(told.truth, lines);
  }
  if (told.damage)
    damage();
  checkpoint();
  if (told.damage)
    std::_Exit(0);
  for (int i = 0; i < 100'000; ++i)
    tables.one[i] = i;
  std::printf("done %zu\n", tables.one.size());
  return 0;
}

// SPDX-License-Identifier: MIT
//
// std_tables holds the standard library's hash tables in many ways and states, and
// stops at checkpoint.
//
//   std_tables [--truth FILE] [--big ENTRIES] [--damage yes]
#include "library_tables.hpp"

#include <array>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

using namespace library;

namespace {

template <class K, class V, class H = std::hash<K>, class E = std::equal_to<K>>
using tagged = std::unordered_map<K, V, H, E, tagged_allocator<7, std::pair<const K, V>>>;

struct derived : std::unordered_map<int, std::string> {
  int more = 1;
};

struct everything {
  std::unordered_map<int, int> empty;
  std::unordered_map<int, int> one;
  std::unordered_map<int, int> eight;
  std::unordered_map<int, int> thousand;
  std::unordered_map<int, int> negative;
  std::unordered_map<long, long> erased;
  std::unordered_map<int, int> cleared;
  std::unordered_map<int, int> moved_from;
  std::unordered_map<int, int> moved_to;
  std::unordered_map<int, int> reserved;
  std::unordered_map<int, int> loaded;
  std::unordered_map<std::string, int> text;
  std::unordered_map<std::string_view, std::string> views;
  std::unordered_map<std::string, std::string> same_size;
  std::unordered_map<std::string, int, same_hash> one_chain;
  std::unordered_map<unsigned char, bool> bytes;
  std::unordered_map<bool, signed char> flags;
  std::unordered_map<color, weekday> colors;
  std::unordered_map<weekday, color> weekdays;
  std::unordered_map<double, float> doubles;
  std::unordered_map<const int *, int> pointers;
  std::unordered_map<point, point, stateful_hash> points;
  std::unordered_map<int, int, final_hash> finals;
  std::unordered_map<int, big> bigs;
  std::unordered_map<int, aligned> aligneds;
  tagged<int, std::string> tags;
  tagged<std::string, int> tagged_text;
  std::unordered_set<int> set;
  std::unordered_set<std::string> text_set;
  std::unordered_set<point, stateful_hash> point_set;
  std::unordered_multimap<int, std::string> multi;
  std::unordered_multimap<std::string, int> text_multi;
  std::unordered_multiset<std::string> multi_set;
  std::unordered_map<std::string, std::unordered_map<int, int>> nested;
  std::unordered_map<int, std::unordered_set<int>> nested_sets;
  derived child;
  std::unique_ptr<std::unordered_map<int, int>> owned;
  std::unordered_map<int, int> *pointer = nullptr;
  std::vector<std::unordered_map<int, int>> row;
  std::array<std::unordered_set<int>, 2> pair;
};

everything tables;
std::unordered_map<std::uint64_t, std::uint64_t> big_numbers;
std::unordered_map<std::string, std::uint64_t> big_text;
std::unordered_set<std::string> big_set;
int numbers[8];

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

void fill() {
  everything &t = tables;
  t.one[5] = 50;
  for (int i = 0; i < 8; ++i)
    t.eight[i * 3] = i;
  for (int i = 0; i < 1000; ++i) {
    t.thousand[i * 7919] = i;
    t.negative[-i] = i;
    t.text["key " + std::to_string(i)] = i;
    t.same_size["k" + std::to_string(i)] = std::string(static_cast<std::size_t>(i % 40), 'x');
    t.erased[i] = i;
    t.cleared[i] = i;
    t.moved_from[i] = i;
    t.text_set.insert("a longer element, number " + std::to_string(i));
    t.multi.emplace(i % 100, std::to_string(i));
    t.text_multi.emplace("key " + std::to_string(i % 7), i);
    t.multi_set.insert("m" + std::to_string(i % 30));
  }
  for (long i = 0; i < 1000; ++i)
    if (i % 3 != 0)
      t.erased.erase(i);
  t.cleared.clear();
  t.moved_to = std::move(t.moved_from);
  t.reserved.reserve(100'000);
  t.reserved[1] = 2;
  t.loaded.max_load_factor(8);
  for (int i = 0; i < 500; ++i)
    t.loaded[i] = i;
  static const char *words[] = {"",
                                "a",
                                "some",
                                "seven..",
                                "eight...",
                                "nine.....",
                                "caf\xc3\xa9",
                                "not utf-8: \xff",
                                "\"quoted\"\n\x1b[31m"};
  for (const char *word : words)
    t.views[word] = word;
  for (int i = 0; i < 50; ++i)
    t.one_chain["crowded " + std::to_string(i)] = i;
  for (int i = 0; i < 256; ++i)
    t.bytes[static_cast<unsigned char>(i)] = i % 2 == 0;
  t.flags[false] = -1;
  t.flags[true] = 1;
  t.colors = {{color::red, sunday}, {color::green, monday}, {color::blue, sunday}};
  t.weekdays = {{sunday, color::blue}, {monday, color::red}};
  t.doubles = {{0.0, 1.5F}, {-0.25, 2.5F}, {1e300, -1.0F}};
  t.pointers = {{nullptr, 0}, {&numbers[1], 1}, {&numbers[2], 2}};
  for (int i = 0; i < 20; ++i) {
    t.points[{i, -i}] = {i * 2, i * 3};
    t.point_set.insert({i, i});
    t.finals[i] = -i;
    t.bigs[i].bytes[i] = static_cast<unsigned char>(i);
    t.aligneds[i].id = i;
    t.tags[i] = "tag " + std::to_string(i);
    t.tagged_text["tag " + std::to_string(i)] = i;
    t.set.insert(i * i);
    t.nested["outer " + std::to_string(i)][i] = i;
    t.nested_sets[i] = {i, i + 1};
    t.child[i] = std::to_string(i);
  }
  t.owned = std::make_unique<std::unordered_map<int, int>>();
  (*t.owned)[1] = 2;
  t.pointer = &t.thousand;
  t.row.resize(3);
  t.row[1][7] = 8;
  t.pair[1] = {1, 2, 3};
}

void tell() {
  NOTE(tables.empty);
  NOTE(tables.one);
  NOTE(tables.eight);
  NOTE(tables.thousand);
  NOTE(tables.negative);
  NOTE(tables.erased);
  NOTE(tables.cleared);
  NOTE(tables.moved_from);
  NOTE(tables.moved_to);
  NOTE(tables.reserved);
  NOTE(tables.loaded);
  NOTE(tables.text);
  NOTE(tables.views);
  NOTE(tables.same_size);
  NOTE(tables.one_chain);
  NOTE(tables.bytes);
  NOTE(tables.flags);
  NOTE(tables.colors);
  NOTE(tables.weekdays);
  NOTE(tables.doubles);
  NOTE(tables.pointers);
  NOTE(tables.points);
  NOTE(tables.finals);
  NOTE(tables.bigs);
  NOTE(tables.aligneds);
  NOTE(tables.tags);
  NOTE(tables.tagged_text);
  NOTE(tables.set);
  NOTE(tables.text_set);
  NOTE(tables.point_set);
  NOTE(tables.multi);
  NOTE(tables.text_multi);
  NOTE(tables.multi_set);
  NOTE(tables.nested);
  NOTE(tables.nested_sets);
  NOTE(tables.child);
#ifndef _LIBCPP_VERSION // whose other containers are not known
  library::note("tables.owned", *tables.owned);
  library::note("*tables.owned", *tables.owned);
  NOTE(tables.row[1]);
  NOTE(tables.pair[1]);
#endif
  library::note("tables.pointer", *tables.pointer);
  library::note("&tables.text", tables.text);
  NOTE(big_numbers);
  NOTE(big_text);
  NOTE(big_set);
}

// Tables that something has written into.
struct damaged_tables {
  std::unordered_map<int, int> whole;
  std::unordered_map<int, int> count;
  std::unordered_map<int, int> loop;
  std::unordered_map<int, int> astray;
  std::unordered_map<int, int> key;
  std::unordered_map<int, int> twice;
  std::unordered_map<int, int> pointer;
  std::unordered_map<std::string, int> hash;
  std::unordered_map<std::string, int> text;
  std::unordered_map<int, int> header;
} damaged;

// The words of a table: buckets, their number, the first node, entries.
template <class Table> std::uintptr_t *words(Table &table) {
  return reinterpret_cast<std::uintptr_t *>(&table);
}

std::uintptr_t *node(std::uintptr_t address) { return reinterpret_cast<std::uintptr_t *>(address); }

void damage() {
  damaged_tables &d = damaged;
  for (auto *table :
       {&d.whole, &d.count, &d.loop, &d.astray, &d.key, &d.twice, &d.pointer, &d.header})
    for (int i = 0; i < 100; ++i)
      (*table)[i] = i;
  for (int i = 0; i < 100; ++i)
    d.hash["key " + std::to_string(i)] = d.text["key " + std::to_string(i)] = i;
  words(d.count)[3] += 1;
  node(*node(words(d.loop)[2]))[0] = words(d.loop)[2];
  node(*node(words(d.astray)[2]))[0] = 16;
  reinterpret_cast<int *>(node(words(d.key)[2]))[2] += 1000;
  reinterpret_cast<int *>(node(words(d.twice)[2]))[2] -= 1; // that of the next node
  node(words(d.pointer)[0])[7] = words(d.whole)[2];
  node(words(d.hash)[2])[6] ^= 1; // behind the pointer, a string and an int
  const_cast<std::string &>(d.text.begin()->first)[4] = '?';
  words(d.header)[1] = std::uintptr_t{1} << 60;
}

} // namespace

int main(int argc, char **argv) {
  const arguments told(argc, argv);
  fill();
  for (int i = 0; i < told.big; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    big_numbers[number * 0x9e3779b97f4a7c15U] = number;
    big_text["a key of some length " + std::to_string(i)] = number;
    big_set.insert(std::to_string(i * 17L));
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

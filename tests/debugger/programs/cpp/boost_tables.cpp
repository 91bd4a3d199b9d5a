// SPDX-License-Identifier: MIT
//
// boost_tables holds Boost's hash tables of linked nodes, and stops at checkpoint.
//
//   boost_tables [--truth FILE] [--big ENTRIES]
#include "library_tables.hpp"

#include <boost/unordered_map.hpp>
#include <boost/unordered_set.hpp>

using namespace library;

namespace {

struct everything {
  boost::unordered_map<int, int> empty;
  boost::unordered_map<int, int> one;
  boost::unordered_map<int, int> thousand;
  boost::unordered_map<long, long> erased;
  boost::unordered_map<int, int> cleared;
  boost::unordered_map<std::string, int> text;
  boost::unordered_map<int, std::string> values;
  boost::unordered_map<point, point, stateful_hash> points;
  boost::unordered_map<int, aligned> aligneds;
  boost::unordered_set<int> set;
  boost::unordered_set<std::string> text_set;
  boost::unordered_multimap<int, std::string> multi;
  boost::unordered_multiset<std::string> multi_set;
  boost::unordered_map<int, boost::unordered_map<int, int>> nested;
};

everything tables;
boost::unordered_map<std::string, std::uint64_t> big_text;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

void fill() {
  everything &t = tables;
  t.one[5] = 50;
  for (int i = 0; i < 1000; ++i) {
    t.thousand[i * 7919] = i;
    t.text["key " + std::to_string(i)] = i;
    t.values[i] = std::to_string(i);
    t.erased[i] = i;
    t.cleared[i] = i;
    t.text_set.insert("a longer element, number " + std::to_string(i));
    t.multi.emplace(i % 100, std::to_string(i));
    t.multi_set.insert("m" + std::to_string(i % 30));
  }
  for (long i = 0; i < 1000; ++i)
    if (i % 3 != 0)
      t.erased.erase(i);
  t.cleared.clear();
  for (int i = 0; i < 20; ++i) {
    t.points[{i, -i}] = {i * 2, i * 3};
    t.aligneds[i].id = i;
    t.set.insert(i * i);
    t.nested[i][i] = i;
  }
}

void tell() {
  NOTE(tables.empty);
  NOTE(tables.one);
  NOTE(tables.thousand);
  NOTE(tables.erased);
  NOTE(tables.cleared);
  NOTE(tables.text);
  NOTE(tables.values);
  NOTE(tables.points);
  NOTE(tables.aligneds);
  NOTE(tables.set);
  NOTE(tables.text_set);
  NOTE(tables.multi);
  NOTE(tables.multi_set);
  NOTE(tables.nested);
  NOTE(big_text);
}

} // namespace

int main(int argc, char **argv) {
  const arguments told(argc, argv);
  fill();
  for (int i = 0; i < told.big; ++i)
    big_text["a key of some length " + std::to_string(i)] = static_cast<std::uint64_t>(i);
  if (told.truth != nullptr) {
    tell();
    truth::write(told.truth, lines);
  }
  checkpoint();
  for (int i = 0; i < 1000; ++i)
    tables.one[i] = i;
  std::printf("done %zu\n", tables.one.size());
  return 0;
}

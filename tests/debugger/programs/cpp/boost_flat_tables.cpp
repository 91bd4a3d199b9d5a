// SPDX-License-Identifier: MIT
//
// boost_flat_tables holds Boost's flat and node tables (Boost 1.81 and later), and stops at
// checkpoint.
//
//   boost_flat_tables [--truth FILE] [--big ENTRIES]
#include "library_tables.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <boost/version.hpp>
#if BOOST_VERSION >= 108200
#include <boost/unordered/unordered_node_map.hpp>
#include <boost/unordered/unordered_node_set.hpp>
#endif

using namespace library;

namespace {

struct everything {
  boost::unordered_flat_map<int, int> empty;
  boost::unordered_flat_map<int, int> one;
  boost::unordered_flat_map<int, int> thousand;
  boost::unordered_flat_map<long, long> erased;
  boost::unordered_flat_map<int, int> cleared;
  boost::unordered_flat_map<std::string, int> text;
  boost::unordered_flat_map<unsigned char, bool> bytes;
  boost::unordered_flat_map<point, point, stateful_hash> points;
  boost::unordered_flat_map<int, big> bigs;
  boost::unordered_flat_set<int> set;
  boost::unordered_flat_set<std::string> text_set;
#if BOOST_VERSION >= 108200
  boost::unordered_node_map<int, std::string> nodes;
  boost::unordered_node_set<std::string> node_set;
#endif
};

everything tables;
boost::unordered_flat_map<std::string, std::uint64_t> big_text;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

void fill() {
  everything &t = tables;
  t.one[5] = 50;
  for (int i = 0; i < 1000; ++i) {
    t.thousand[i * 7919] = i;
    t.text["key " + std::to_string(i)] = i;
    t.erased[i] = i;
    t.cleared[i] = i;
    t.text_set.insert("a longer element, number " + std::to_string(i));
#if BOOST_VERSION >= 108200
    t.nodes[i] = std::to_string(i);
    t.node_set.insert(std::to_string(i));
#endif
  }
  for (long i = 0; i < 1000; ++i)
    if (i % 3 != 0)
      t.erased.erase(i);
  t.cleared.clear();
  for (int i = 0; i < 256; ++i)
    t.bytes[static_cast<unsigned char>(i)] = i % 2 == 0;
  for (int i = 0; i < 20; ++i) {
    t.points[{i, -i}] = {i * 2, i * 3};
    t.bigs[i].bytes[i] = static_cast<unsigned char>(i);
    t.set.insert(i * i);
  }
}

void tell() {
  NOTE(tables.empty);
  NOTE(tables.one);
  NOTE(tables.thousand);
  NOTE(tables.erased);
  NOTE(tables.cleared);
  NOTE(tables.text);
  NOTE(tables.bytes);
  NOTE(tables.points);
  NOTE(tables.bigs);
  NOTE(tables.set);
  NOTE(tables.text_set);
#if BOOST_VERSION >= 108200
  NOTE(tables.nodes);
  NOTE(tables.node_set);
#endif
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

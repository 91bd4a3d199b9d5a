// SPDX-License-Identifier: MIT
//
// tbb_tables holds oneTBB's concurrent_hash_maps in several ways and states of their
// rehashing, and stops at checkpoint; then it writes to one of them, in step().
//
//   tbb_tables [--truth FILE] [--big ENTRIES] [--damage yes]
//
// Compiled with OTHER_MUTEX, its tables have locks of another kind.
#ifdef OTHER_MUTEX
#define TBB_PREVIEW_CONCURRENT_HASH_MAP_EXTENSIONS 1
#endif
#include <oneapi/tbb/concurrent_hash_map.h>
#ifdef OTHER_MUTEX
#include <oneapi/tbb/rw_mutex.h>
#endif

#include "library_tables.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace own {

struct point_compare {
  long factor = 31;
  std::size_t hash(const library::point &key) const {
    return static_cast<std::size_t>(key.x * factor + key.y);
  }
  bool equal(const library::point &a, const library::point &b) const { return a == b; }
};

struct same_hash {
  std::size_t hash(int) const { return 42; }
  bool equal(int a, int b) const { return a == b; }
};

} // namespace own

namespace {

#ifdef OTHER_MUTEX
template <class Key, class Value, class Compare = tbb::tbb_hash_compare<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
using map = tbb::concurrent_hash_map<Key, Value, Compare, Allocator, tbb::rw_mutex>;
#else
template <class Key, class Value, class Compare = tbb::tbb_hash_compare<Key>,
          class Allocator = tbb::tbb_allocator<std::pair<const Key, Value>>>
using map = tbb::concurrent_hash_map<Key, Value, Compare, Allocator>;
#endif

struct derived : map<int, int> {};

struct everything {
  map<int, int> empty;
  map<int, int> one;
  map<int, int> few;      // of 256 buckets, of which few were looked in
  map<int, int> thousand; // grown twice since, as it went
  map<int, int> waiting;  // just grown: most of its newest buckets wait
  map<long, long> erased;
  map<int, int> cleared;
  map<int, int> moved_from;
  map<int, int> moved_to;
  map<int, int> reserved;
  map<int, int> rehashed;
  map<std::string, int> text;
  map<std::string, std::string> both;
  map<unsigned char, bool> bytes;
  map<library::color, double> colors;
  map<library::point, library::point, own::point_compare> points;
  map<int, int, own::same_hash> same;
  map<int, library::big> bigs;
  map<int, library::aligned> aligneds;
  map<int, int, tbb::tbb_hash_compare<int>, std::allocator<std::pair<const int, int>>> allocated;
  derived heir;
  std::unique_ptr<map<int, int>> owned;
};

everything tables;
map<std::uint64_t, std::uint64_t> big_numbers;
map<std::string, std::uint64_t> big_text;
map<int, int> stepped;

struct damaged_tables {
  map<int, int> whole;
  map<int, int> count;
  map<int, int> loop;
  map<int, int> pointer;
  map<int, int> misplaced;
  map<int, int> twice;
  map<int, int> locked;
  map<int, int> header;
} damaged;

std::atomic<int> held;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

template <class Table, class Key, class Value> void put(Table &table, const Key &key, Value value) {
  typename Table::accessor entry;
  table.insert(entry, key);
  entry->second = std::move(value);
}

void fill() {
  everything &t = tables;
  put(t.one, 5, 50);
  for (int i = 0; i < 3; ++i)
    put(t.few, i * 1000 + 7, i);
  for (int i = 0; i < 1000; ++i) {
    put(t.thousand, i * 7919, i);
    put(t.text, "key " + std::to_string(i), i);
    put(t.both, "a longer key, number " + std::to_string(i),
        std::string(static_cast<std::size_t>(i % 40), 'x'));
    put(t.erased, static_cast<long>(i), static_cast<long>(i));
    put(t.cleared, i, i);
    put(t.moved_from, i, i);
    put(t.rehashed, i, i);
    put(t.allocated, i, -i);
  }
  for (int i = 0; i < 511; ++i)
    put(t.waiting, i, i * i);
  for (int i = 0; i < 300; ++i)
    put(t.heir, i, i);
  for (long i = 0; i < 1000; ++i)
    if (i % 3 != 0)
      t.erased.erase(i);
  t.cleared.clear();
  t.moved_to = std::move(t.moved_from);
  t.reserved.rehash(10'000);
  put(t.reserved, 1, 2);
  t.rehashed.rehash();
  for (int i = 0; i < 256; ++i)
    put(t.bytes, static_cast<unsigned char>(i), i % 2 == 0);
  put(t.colors, library::color::red, 0.5);
  put(t.colors, library::color::green, -1.0);
  put(t.colors, library::color::blue, 1e300);
  for (int i = 0; i < 20; ++i) {
    put(t.points, library::point{i, -i}, library::point{i * 2, i * 3});
    put(t.same, i, i);
    library::big big{};
    big.bytes[i] = static_cast<unsigned char>(i);
    put(t.bigs, i, big);
    put(t.aligneds, i, library::aligned{i});
  }
  t.owned = std::make_unique<map<int, int>>();
  put(*t.owned, 1, 2);
}

void tell() {
  NOTE(tables.empty);
  NOTE(tables.one);
  NOTE(tables.few);
  NOTE(tables.thousand);
  NOTE(tables.waiting);
  NOTE(tables.erased);
  NOTE(tables.cleared);
  NOTE(tables.moved_from);
  NOTE(tables.moved_to);
  NOTE(tables.reserved);
  NOTE(tables.rehashed);
  NOTE(tables.text);
  NOTE(tables.both);
  NOTE(tables.bytes);
  NOTE(tables.colors);
  NOTE(tables.points);
  NOTE(tables.same);
  NOTE(tables.bigs);
  NOTE(tables.aligneds);
  NOTE(tables.allocated);
  NOTE(tables.heir);
  library::note("tables.owned", *tables.owned);
  NOTE(big_numbers);
  NOTE(big_text);
}

// The words of a table: mask, entries, the embedded buckets (lock, nodes), segments.
template <class Table> std::uintptr_t *words(Table &table) {
  return reinterpret_cast<std::uintptr_t *>(&table);
}

// The bucket of that number, below 256.
template <class Table> std::uintptr_t *bucket(Table &table, unsigned number) {
  unsigned segment = 0;
  while (number >> (segment + 1) != 0)
    ++segment;
  auto *first = reinterpret_cast<std::uintptr_t *>(words(table)[7 + segment]);
  return first + 2 * (segment == 0 ? number : number - (1U << segment));
}

void damage() {
  damaged_tables &d = damaged;
  for (auto *table :
       {&d.whole, &d.count, &d.loop, &d.pointer, &d.misplaced, &d.twice, &d.locked, &d.header})
    for (int i = 0; i < 100; ++i)
      put(*table, i, i);
  words(d.count)[2] += 1;
  // Of buckets 10 and 11 there are the entries 10 and 11.
  auto *ten = reinterpret_cast<std::uintptr_t *>(bucket(d.loop, 10)[1]);
  ten[0] = bucket(d.loop, 10)[1];
  bucket(d.pointer, 10)[1] = 0x7ff000000000;
  std::swap(bucket(d.misplaced, 10)[1], bucket(d.misplaced, 11)[1]);
  *reinterpret_cast<int *>(bucket(d.twice, 10)[1] + 16) = 11;
  bucket(d.locked, 10)[0] = 1;
  words(d.header)[1] = 12345;
}

// What is stepped through: growth, rehashing of buckets whose parents wait themselves, an
// erasure, a rehash of all that is left; then all buckets are filled one by one.
[[gnu::noinline]] void step(int round) {
  switch (round) {
  case 0: // the buckets of this key and of its parents were never looked in
    stepped.count(0xc0);
    break;
  case 1:
    put(stepped, 1000, 1);
    break;
  case 2:
    stepped.erase(17);
    break;
  case 3:
    for (int i = 2000; stepped.bucket_count() == 256; ++i)
      put(stepped, i, i);
    break;
  case 4: // entries move there from bucket 0
    stepped.count(256);
    break;
  case 5:
    stepped.rehash();
    break;
  case 6:
    stepped.clear();
    break;
  case 7: // all buckets but the last one are filled as it goes, then that one
    for (int i = 0; i < 254; ++i)
      put(stepped, i, i);
    stepped.count(254);
    stepped.count(255);
    break;
  default:
    break;
  }
  asm volatile("" ::: "memory");
}

} // namespace

int main(int argc, char **argv) {
  const library::arguments told(argc, argv);
  fill();
  for (int i = 0; i < told.big; ++i) {
    put(big_numbers, static_cast<std::uint64_t>(i) * 977, static_cast<std::uint64_t>(i));
    put(big_text, "a key of some length " + std::to_string(i), static_cast<std::uint64_t>(i));
  }
  // Everything lies in buckets 0 and 1 as long as nobody looks in another one.
  for (int i = 0; i < 60; ++i)
    put(stepped, i % 3 == 0 ? 64 * i : i, i);
  if (told.truth != nullptr) {
    tell();
    truth::write(told.truth, library::lines);
  }
  if (told.damage)
    damage();
  // A thread that holds an entry for writing, and another one that has to wait for it.
  map<int, int>::accessor entry;
  tables.few.find(entry, 7);
  std::thread reader([] {
    map<int, int>::const_accessor other;
    tables.few.find(other, 1007);
    held = 1;
    while (held != 2)
      std::this_thread::yield();
  });
  while (held != 1)
    std::this_thread::yield();
  checkpoint();
  held = 2;
  reader.join();
  entry.release();
  for (int round = 0; round < 8; ++round)
    step(round);
  std::printf("done %zu\n", stepped.size());
  std::fflush(stdout);
  std::_Exit(0);
}

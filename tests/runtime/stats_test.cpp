// SPDX-License-Identifier: MIT
//
// What maps cost: by the library's count, and by the allocator's.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <mapscope/debug.hpp>
#include <mapscope/stats.hpp>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(stats)

namespace {

using int_map = mapscope::map<uint64_t, uint64_t>;

struct large {
  char bytes[200];
};

// What mapstats() says of the maps made in a scope.
class difference {
public:
  [[nodiscard]] mapscope::map_stats now() const {
    mapscope::map_stats all = mapscope::mapstats();
    all.maps -= before_.maps;
    all.growing -= before_.growing;
    all.entries -= before_.entries;
    all.buckets -= before_.buckets;
    all.overflow_buckets -= before_.overflow_buckets;
    all.bytes -= before_.bytes;
    all.old_bytes -= before_.old_bytes;
    all.retired_bytes -= before_.retired_bytes;
    all.created -= before_.created;
    all.growths -= before_.growths;
    all.same_size_growths -= before_.same_size_growths;
    all.shrinks -= before_.shrinks;
    all.rebuilds -= before_.rebuilds;
    all.buckets_evacuated -= before_.buckets_evacuated;
    return all;
  }
  // Bytes that the allocator has handed out since.
  [[nodiscard]] int64_t allocated() const { return support::allocations::bytes() - allocated_; }

private:
  mapscope::map_stats before_ = mapscope::mapstats();
  int64_t allocated_ = support::allocations::bytes();
};

// mapstats and the allocator agree to within 2 %, if a map is not tiny.
void check_bytes(const difference &since) {
#if MAPSCOPE_TESTS_SANITIZED
  static_cast<void>(since); // mappings are not counted there
#else
  const auto counted = static_cast<double>(since.now().bytes);
  const auto allocated = static_cast<double>(since.allocated());
  BOOST_TEST(counted <= allocated);
  BOOST_TEST(counted >= 0.98 * allocated);
#endif
}

// Inserts and erases at random; ends with about `entries`.
template <class Map, class Make>
void churn(Map &map, uint64_t entries, uint64_t rounds, Make make) {
  support::random random(3);
  for (uint64_t i = 0; i < rounds; i++) {
    map[make(support::below(random, 2 * entries))];
    map.erase(make(support::below(random, 2 * entries)));
  }
}

uint64_t number(uint64_t n) { return n; }
std::string text(uint64_t n) { return std::to_string(n % 100000); } // short: no memory of its own

} // namespace

BOOST_AUTO_TEST_CASE(counts) {
  const difference since;
  {
    int_map map;
    BOOST_TEST(since.now().maps == 0U); // nothing is allocated for it yet
    for (uint64_t i = 0; i < 27; i++) {
      map[i] = i;
    }
    const mapscope::map_stats now = since.now();
    BOOST_TEST(now.maps == 1U);
    BOOST_TEST(now.growing == 1U);
    BOOST_TEST(now.entries == 27U);
    BOOST_TEST(now.buckets == 8U);
    BOOST_TEST(now.created == 1U);
    BOOST_TEST(now.growths == 3U);
    BOOST_TEST(now.old_bytes >= 4U * support::header(map)->extra->type->bucketsize);
    BOOST_TEST(now.load_factor() > 0.0);
    int_map other;
    other.reserve(100);
    BOOST_TEST(since.now().maps == 2U);
    BOOST_TEST(since.now().buckets == 8U + 16U);
  }
  // What they have done outlives them.
  BOOST_TEST(since.now().maps == 0U);
  BOOST_TEST(since.now().entries == 0U);
  BOOST_TEST(since.now().bytes == 0U);
  BOOST_TEST(since.now().created == 2U);
  BOOST_TEST(since.now().growths == 3U);
  BOOST_TEST(since.now().buckets_evacuated >= 1U + 2U);
}

BOOST_AUTO_TEST_CASE(bytes_of_a_map_that_grows) {
  const difference since;
  int_map map;
  for (uint64_t i = 0; i < 700000; i++) {
    map[i] = i;
    if (i % 30011 == 30010) {
      check_bytes(since);
    }
  }
  check_bytes(since);
}

BOOST_AUTO_TEST_CASE(bytes_after_churn) {
  const difference since;
  int_map numbers;
  churn(numbers, 20000, support::rounds(400000), number);
  check_bytes(since);
  mapscope::map<std::string, uint64_t> strings;
  churn(strings, 5000, support::rounds(100000), text);
  check_bytes(since);
  mapscope::map<uint64_t, large> indirect; // each value in memory of its own
  churn(indirect, 3000, support::rounds(30000), number);
  const auto blocks = static_cast<double>(8 * indirect.size()); // malloc's rounding
  BOOST_TEST(static_cast<double>(since.now().bytes) + blocks >=
             0.98 * static_cast<double>(since.allocated()));
  BOOST_TEST(since.now().overflow_buckets > 100U);
  numbers.rebuild();
  strings.rebuild(20000);
  BOOST_TEST(since.now().retired_bytes <= 1000000U);
  BOOST_TEST(since.now().rebuilds == 2U);
  indirect = {};
  check_bytes(since);
}

BOOST_AUTO_TEST_CASE(bytes_of_a_map_that_shrinks) {
  mapscope::set_mapdebug("shrinktrigger=1");
  const difference since;
  int_map map;
  for (uint64_t i = 0; i < 300000; i++) {
    map[i] = i;
  }
  const uint64_t largest = since.now().bytes;
  for (uint64_t i = 0; i < 299000; i++) {
    map.erase(i);
    if (i % 9973 == 0) {
      check_bytes(since);
    }
  }
  check_bytes(since);
  BOOST_TEST(since.now().shrinks == 1U);
  BOOST_TEST(since.now().old_bytes > largest / 2); // not half of it is evacuated yet
  for (uint64_t i = 0; i < 100000; i++) {          // writes move it on, and start the next
    map[i % 2] = i;
    map.erase(i % 2);
    if (i % 9973 == 0) {
      check_bytes(since);
    }
  }
  BOOST_TEST(since.now().shrinks >= 4U);
  BOOST_TEST(since.now().bytes < largest / 8);
  BOOST_TEST(map.size() == 1000U);
  for (uint64_t i = 299000; i < 300000; i++) {
    map.erase(i);
  }
  BOOST_TEST(map.bucket_count() == 16U); // nothing was left to move
  map.rebuild();
  BOOST_TEST(map.bucket_count() == 0U);
  BOOST_TEST(since.now().bytes < 1000U);
  mapscope::set_mapdebug("");
}

BOOST_AUTO_TEST_CASE(rebuild_is_tight) {
  int_map map;
  churn(map, 20000, 200000, number);
  while (map.size() > 5000) {
    map.erase(map.begin());
  }
  const size_t before = map.bucket_count();
  auto it = map.begin();
  ++it;
  const uint64_t key = it->first;
  map.rebuild();
  BOOST_TEST(map.bucket_count() == 1024U); // 6.5 * 512 is too few
  BOOST_TEST(map.bucket_count() < before);
  BOOST_TEST(support::header(map)->oldbuckets == nullptr);
  BOOST_TEST(it->first == key); // iterators go on
  uint64_t needed = 0;
  std::vector<uint64_t> cells(map.bucket_count());
  for (const decoder::entry &e : support::decode(map).entries) {
    cells[e.bucket]++;
  }
  for (const uint64_t n : cells) {
    needed += n > 8 ? (n - 1) / 8 : 0;
  }
  BOOST_TEST(support::header(map)->extra->overflow_buckets == needed);
  map.rebuild(100000);
  BOOST_TEST(map.bucket_count() == 16384U);
  BOOST_TEST(map.size() == 5000U);
  map.clear();
  map.rebuild(50);
  BOOST_TEST(map.bucket_count() == 8U);
  map.rebuild();
  BOOST_TEST(map.bucket_count() == 0U);
  map[1] = 2;
  BOOST_TEST(map.at(1) == 2U);
  int_map nil;
  nil.rebuild();
  BOOST_TEST(nil.bucket_count() == 0U);
  BOOST_CHECK_THROW(map.rebuild(map.max_size() + 1), std::length_error);
}

BOOST_AUTO_TEST_CASE(rebuild_that_fails) {
  int_map map;
  for (uint64_t i = 0; i < 3000; i++) {
    map[i] = i;
  }
  for (uint64_t i = 200; i < 3000; i++) {
    map.erase(i);
  }
  for (uint64_t n = 0; n < 6; n++) {
    support::allocations::fail_after(n);
    try {
      map.rebuild();
    } catch (const std::bad_alloc &) {
    }
    support::allocations::succeed();
    BOOST_REQUIRE(map.size() == 200U);
    for (uint64_t i = 0; i < 200; i++) {
      BOOST_REQUIRE(map.at(i) == i);
    }
  }
  map.rebuild();
  BOOST_TEST(map.bucket_count() == 32U);
}

BOOST_AUTO_TEST_CASE(shrinking_that_fails_is_put_off) {
  mapscope::set_mapdebug("shrinktrigger=1");
  int_map map;
  for (uint64_t i = 0; i < 1000; i++) {
    map[i] = i;
  }
  while (support::header(map)->oldbuckets != nullptr) {
    map.erase(~uint64_t{0});
  }
  const size_t before = map.bucket_count();
  for (uint64_t i = 0; i < 945; i++) {
    support::allocations::fail_after(0);
    BOOST_REQUIRE(map.erase(i) == 1U);
    support::allocations::succeed();
  }
  BOOST_TEST(map.bucket_count() == before);
  BOOST_TEST(map.erase(950) == 1U);
  BOOST_TEST(map.bucket_count() == before / 2);
  BOOST_TEST(mapscope::shrinking(support::header(map)));
  mapscope::set_mapdebug("");
}

BOOST_AUTO_TEST_CASE(while_others_write) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3; i++) {
    threads.emplace_back([&stop] {
      while (!stop.load(std::memory_order_relaxed)) {
        int_map map;
        for (uint64_t n = 0; n < 2000; n++) {
          map[n] = n;
        }
        map.clear();
        map[1] = 1;
        map.rebuild();
      }
    });
  }
  for (uint64_t i = 0; i < support::rounds(2000); i++) {
    const mapscope::map_stats now = mapscope::mapstats();
    BOOST_REQUIRE(now.maps <= 100U);
    BOOST_REQUIRE(now.entries <= 1000000U);
    BOOST_REQUIRE(now.bytes <= uint64_t{100} << 20);
  }
  stop = true;
  for (std::thread &thread : threads) {
    thread.join();
  }
}

BOOST_AUTO_TEST_SUITE_END()

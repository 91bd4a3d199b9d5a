// SPDX-License-Identifier: MIT
//
// Growth: when it starts, how fast it goes, when it ends. The numbers are those
// at which Go 1.19's maps grow.
#include <deque>
#include <unordered_map>

#include "checks.hpp"
#include "support.hpp"

using support::header;

BOOST_AUTO_TEST_SUITE(growth)

namespace {

bool growing(const mapscope::hmap *h) { return h != nullptr && h->oldbuckets != nullptr; }

uint64_t old_buckets(const mapscope::hmap *h) {
  const bool same_size = (h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
  return uint64_t{1} << (h->B - (same_size ? 0 : 1));
}

// Old buckets whose head is marked, read from the array.
uint64_t evacuated(const mapscope::hmap *h) {
  uint64_t n = 0;
  for (uint64_t i = 0; i < old_buckets(h); i++) {
    const auto *bucket =
        static_cast<const uint8_t *>(h->oldbuckets) + i * h->extra->type->bucketsize;
    n += bucket[0] >= MAPSCOPE_EVACUATED_X && bucket[0] <= MAPSCOPE_EVACUATED_EMPTY ? 1 : 0;
  }
  return n;
}

} // namespace

BOOST_AUTO_TEST_CASE(doubling_starts_on_the_inserts_that_go_doubles_on) {
  const std::vector<uint64_t> expected{9,     14,    27,     53,     105,    209,
                                       417,   833,   1665,   3329,   6657,   13313,
                                       26625, 53249, 106497, 212993, 425985, 851969};
  std::vector<uint64_t> seen;
  mapscope::map<uint64_t, uint64_t> map;
  uint8_t B = 0;
  for (uint64_t i = 1; i <= 1000000; i++) {
    map[i * 0x9e3779b97f4a7c15] = i;
    if (header(map)->B != B) {
      BOOST_REQUIRE(header(map)->B == B + 1);
      B = header(map)->B;
      seen.push_back(i);
    }
  }
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
  BOOST_TEST(map.size() == 1000000U);
}

BOOST_AUTO_TEST_CASE(a_hint_picks_b_and_saves_the_growths) {
  for (const uint64_t hint : {0U, 8U, 9U, 13U, 14U, 26U, 27U, 1000U, 100000U}) {
    mapscope::map<uint64_t, uint64_t> map(hint);
    for (uint64_t i = 0; i < hint; i++) {
      map[i] = i;
      BOOST_REQUIRE(!growing(header(map)));
    }
    BOOST_TEST(map.load_factor() <= std::max(8.0, map.max_load_factor()));
  }
}

BOOST_AUTO_TEST_CASE(a_write_moves_at_most_two_old_buckets) {
  const support::fixed_seed seed(7);
  support::random random(1);
  mapscope::map<uint64_t, uint64_t> map;
  uint64_t before = 0;
  uint64_t most = 0;
  bool was_growing = false;
  uint64_t finished_by_one_write = 0;
  for (int i = 0; i < 20000; i++) {
    const uint64_t key = support::below(random, 6000);
    const uint64_t kind = support::below(random, 8);
    const uint64_t oldcount = was_growing ? old_buckets(header(map)) : 0;
    if (kind == 0) {
      map.erase(key);
    } else if (kind == 1 && !map.empty()) {
      map.erase(map.begin());
    } else if (kind == 2) {
      map.insert_or_assign(key, key);
    } else {
      map[key] = 2;
    }
    const uint64_t now = growing(header(map)) ? evacuated(header(map)) : 0;
    if (was_growing && growing(header(map)) && now >= before) {
      most = std::max(most, now - before);
    } else if (was_growing && !growing(header(map))) {
      finished_by_one_write = std::max(finished_by_one_write, oldcount - before);
    }
    before = now;
    was_growing = growing(header(map));
  }
  BOOST_TEST(most == 2U);
  BOOST_TEST(finished_by_one_write <= 2U);
  BOOST_TEST(finished_by_one_write >= 1U);
}

BOOST_AUTO_TEST_CASE(reads_and_iteration_move_nothing) {
  mapscope::map<uint64_t, uint64_t> map;
  for (uint64_t i = 0; !growing(header(map)) || i < 1000; i++) {
    map[i] = i;
  }
  const auto &constant = map;
  const uint64_t before = evacuated(header(map));
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 2000; i++) {
    sum += constant.contains(i) ? 1 : 0;
    sum += map.find(i) != map.end() ? 1 : 0;
  }
  for (const auto &[key, value] : map) {
    sum += value - key;
  }
  BOOST_TEST(sum == 2 * map.size());
  BOOST_TEST(evacuated(header(map)) == before);
}

BOOST_AUTO_TEST_CASE(every_write_moves_a_growth_on) {
  const auto fill = [] {
    mapscope::map<uint64_t, uint64_t> map;
    for (uint64_t i = 0; !growing(header(map)) || i < 3000; i++) {
      map[i] = i;
    }
    return map;
  };
  auto map = fill();
  uint64_t writes = 0;
  for (; growing(header(map)); writes++) {
    map[5] = writes; // overwrites only
  }
  BOOST_TEST(writes >= 255U);
  BOOST_TEST(map.size() > 3000U - 1);
  map = fill();
  for (writes = 0; growing(header(map)); writes++) {
    map.erase(1000000 + writes); // keys that are not there
  }
  BOOST_TEST(writes >= 100U);
}

BOOST_AUTO_TEST_CASE(same_size_growth_under_churn) {
  const support::fixed_seed seed(3);
  mapscope::map<uint64_t, uint64_t> map;
  std::deque<uint64_t> live;
  uint64_t next = 0;
  uint64_t same_size_growths = 0;
  uint64_t doublings = 0;
  bool was_growing = false;
  for (int i = 0; i < 400000; i++) {
    const uint16_t noverflow = header(map) != nullptr ? header(map)->noverflow : 0;
    const uint8_t B = header(map) != nullptr ? header(map)->B : 0;
    const uint64_t count = map.size();
    map[next] = next * 3;
    live.push_back(next++);
    const mapscope::hmap *const h = header(map);
    const bool starts = growing(h) && !was_growing;
    if (starts && (h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0) {
      same_size_growths++;
      BOOST_REQUIRE(h->B == B);
      BOOST_REQUIRE(noverflow >= uint32_t{1} << B);
      BOOST_REQUIRE(!mapscope::overLoadFactor(count + 1, B));
    } else if (h->B != B) {
      doublings++;
    } else if (!was_growing && B > 0) {
      // Not started: neither reason held.
      BOOST_REQUIRE(noverflow < uint32_t{1} << B);
    }
    was_growing = growing(h);
    if (live.size() > 820) {
      BOOST_REQUIRE(map.erase(live.front()) == 1U);
      live.pop_front();
      was_growing = growing(h);
    }
  }
  BOOST_TEST(doublings == 7U);
  BOOST_TEST(same_size_growths >= 1U);
  BOOST_TEST(map.size() == live.size());
  for (const uint64_t key : live) {
    BOOST_REQUIRE(map.at(key) == key * 3);
  }
}

BOOST_AUTO_TEST_CASE(noverflow_is_exact_in_small_maps) {
  const support::fixed_seed seed(3);
  support::random random(9);
  mapscope::map<uint32_t, uint32_t> map{{1, 1}};
  for (int i = 0; i < 30000; i++) {
    const auto key = static_cast<uint32_t>(support::below(random, 4000));
    if (support::below(random, 3) == 0) {
      map.erase(key);
    } else {
      map[key] = key;
    }
    if (i % 97 != 96) {
      continue;
    }
    const mapscope::hmap *const h = header(map);
    const uint64_t size = h->extra->type->bucketsize;
    uint64_t overflow_buckets = 0;
    for (uint64_t b = 0; b >> h->B == 0; b++) {
      const char *bucket = static_cast<const char *>(h->buckets) + b * size;
      for (;;) {
        std::memcpy(&bucket, bucket + size - 8, 8);
        if (bucket == nullptr) {
          break;
        }
        overflow_buckets++;
      }
    }
    BOOST_REQUIRE(h->noverflow == overflow_buckets);
  }
}

BOOST_AUTO_TEST_CASE(clear_keeps_the_array_and_ends_the_growth) {
  mapscope::map<uint64_t, std::string> map;
  for (uint64_t i = 0; !growing(header(map)) || i < 1000; i++) {
    map[i] = std::to_string(i);
  }
  const mapscope::hmap *const h = header(map);
  const void *const buckets = h->buckets;
  const uint8_t B = h->B;
  map.clear();
  BOOST_TEST(map.empty());
  BOOST_TEST(h->buckets == buckets);
  BOOST_TEST(h->B == B);
  BOOST_TEST(h->oldbuckets == nullptr);
  BOOST_TEST(h->noverflow == 0);
  BOOST_TEST(support::decode(map).entries.empty());
  BOOST_TEST((map.begin() == map.end()));
  for (uint64_t i = 0; i < 1000; i++) {
    map[i] = "again";
  }
  BOOST_TEST(map.size() == 1000U);
  BOOST_TEST(h->B == B);
}

BOOST_AUTO_TEST_CASE(reserve_on_a_map_with_entries_grows_at_once) {
  mapscope::map<uint64_t, std::string> map;
  for (uint64_t i = 0; !growing(header(map)) || i < 1000; i++) {
    map[i] = std::to_string(i);
  }
  const uint64_t n = map.size();
  auto it = map.begin();
  const uint64_t first = it->first;
  map.reserve(50000);
  BOOST_TEST(!growing(header(map)));
  BOOST_TEST(header(map)->B == 13);
  BOOST_TEST(map.size() == n);
  BOOST_TEST(it->first == first);
  uint64_t visited = 0;
  for (; it != map.end(); ++it) {
    BOOST_REQUIRE(it->second == std::to_string(it->first));
    visited++;
  }
  BOOST_TEST(visited == n);
  for (uint64_t i = n; i < 50000; i++) {
    map[i] = "";
    BOOST_REQUIRE(!growing(header(map)));
  }
  map.clear();
  map.reserve(200000);
  BOOST_TEST(header(map)->B == 15);
  map[1] = "one";
  BOOST_TEST(map.at(1) == "one");
  BOOST_CHECK_THROW(map.reserve(~size_t{0}), std::length_error);
}

BOOST_AUTO_TEST_SUITE_END()

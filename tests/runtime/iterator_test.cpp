// SPDX-License-Identifier: MIT
//
// Iterators where the random tests (model_test.cpp) do not look closely.
#include <algorithm>
#include <set>
#include <string>

#include "checks.hpp"
#include "support.hpp"

using support::header;

BOOST_AUTO_TEST_SUITE(iterator)

namespace {
using numbers = mapscope::map<uint64_t, uint64_t>;

numbers filled(uint64_t n) {
  numbers map;
  for (uint64_t i = 0; i < n; i++) {
    map[i] = i;
  }
  return map;
}
} // namespace

BOOST_AUTO_TEST_CASE(they_are_forward_iterators) {
  static_assert(std::forward_iterator<numbers::iterator>);
  static_assert(std::forward_iterator<numbers::const_iterator>);
  static_assert(std::is_convertible_v<numbers::iterator, numbers::const_iterator>);
  static_assert(!std::is_convertible_v<numbers::const_iterator, numbers::iterator>);
  auto map = filled(20);
  numbers::const_iterator constant = map.begin();
  BOOST_TEST((constant != map.end()));
  const auto before = constant++;
  BOOST_TEST((before != constant));
  BOOST_TEST(before->first == before->second);
  BOOST_TEST((numbers::iterator() == map.end()));
  const std::vector<std::pair<uint64_t, uint64_t>> all(map.begin(), map.end());
  BOOST_TEST(all.size() == 20U);
  BOOST_TEST(std::count_if(map.begin(), map.end(), [](auto e) { return e.first < 5; }) == 5);
}

BOOST_AUTO_TEST_CASE(the_start_is_random) {
  const auto map = filled(200);
  std::set<uint64_t> first;
  for (int i = 0; i < 100; i++) {
    first.insert(map.begin()->first);
  }
  BOOST_TEST(first.size() > 5U);
}

BOOST_AUTO_TEST_CASE(values_can_be_changed) {
  auto map = filled(100);
  for (auto [key, value] : map) {
    value += 1000;
  }
  for (auto it = map.begin(); it != map.end(); ++it) {
    it->second += 1;
  }
  BOOST_TEST(map.at(7) == 1008U);
}

BOOST_AUTO_TEST_CASE(iteration_sets_the_flags_that_growth_passes_on) {
  auto map = filled(52);
  BOOST_TEST((header(map)->flags & (MAPSCOPE_ITERATOR | MAPSCOPE_OLD_ITERATOR)) == 0);
  auto it = map.begin();
  BOOST_TEST((header(map)->flags & MAPSCOPE_ITERATOR) != 0);
  BOOST_TEST((header(map)->flags & MAPSCOPE_OLD_ITERATOR) != 0);
  map[52] = 52; // grows
  BOOST_TEST((header(map)->flags & MAPSCOPE_ITERATOR) == 0);
  BOOST_TEST((header(map)->flags & MAPSCOPE_OLD_ITERATOR) != 0);
}

BOOST_AUTO_TEST_CASE(a_map_knows_its_iterators) {
  auto map = filled(100);
  BOOST_TEST(header(map)->extra->iterators == nullptr);
  {
    auto first = map.begin();
    auto second = first;
    auto third = std::move(first);
    BOOST_TEST(header(map)->extra->iterators != nullptr);
    second = third;
    third = map.end();
    BOOST_TEST(header(map)->extra->iterators != nullptr);
  }
  BOOST_TEST(header(map)->extra->iterators == nullptr);
  {
    auto found = map.find(5); // costs no registration
    BOOST_TEST(header(map)->extra->iterators == nullptr);
    ++found;
    BOOST_TEST(header(map)->extra->iterators != nullptr);
  }
  BOOST_TEST(header(map)->extra->iterators == nullptr);
  for (const auto &[key, value] : map) {
    static_cast<void>(key);
    static_cast<void>(value);
    break;
  }
  BOOST_TEST(header(map)->extra->iterators == nullptr);
}

BOOST_AUTO_TEST_CASE(an_iterator_may_outlive_its_map) {
  numbers::iterator late;
  numbers::iterator copy;
  {
    auto map = filled(1000);
    late = map.begin();
    ++late;
    copy = late;
  }
  BOOST_TEST((late == numbers::iterator()));
  ++late;
  BOOST_TEST((late == numbers::iterator()));
  BOOST_TEST((copy == late));
  copy = late;
}

BOOST_AUTO_TEST_CASE(an_iterator_goes_where_its_map_goes) {
  auto map = filled(500);
  auto it = map.begin();
  numbers other = filled(3);
  other.swap(map);
  numbers third(std::move(other));
  std::set<uint64_t> seen;
  for (; it != third.end(); ++it) {
    seen.insert(it->first);
    third[10000 + it->first] = 0;
  }
  for (uint64_t i = 0; i < 500; i++) {
    BOOST_REQUIRE(seen.count(i) == 1U);
  }
  auto old = third.begin();
  third = filled(5); // the old contents go
  BOOST_TEST((old == third.end()));
}

BOOST_AUTO_TEST_CASE(through_several_growths) {
  // One step of the iterator for every few hundred inserts: the map it began on
  // has 8 buckets, the one it ends on more than 2000.
  for (uint32_t seed = 0; seed < support::seeds(20); seed++) {
    const support::fixed_seed fixed(seed);
    auto map = filled(50);
    std::multiset<uint64_t> seen;
    uint64_t next = 1000;
    for (auto it = map.begin(); it != map.end(); ++it) {
      if (it->first < 50) {
        seen.insert(it->first);
      }
      for (uint64_t i = 0; i < 300 && next < 16000; i++) {
        map[next++] = 0;
      }
    }
    BOOST_TEST(seen.size() == 50U);
    BOOST_TEST(std::set<uint64_t>(seen.begin(), seen.end()).size() == 50U);
  }
}

BOOST_AUTO_TEST_CASE(through_same_size_growths) {
  // Batches of keys with one hash each make long chains, and leave them behind
  // when they are erased, until there are as many overflow buckets as buckets.
  auto batch_hash = [](uint64_t key) { return key < 400 ? key : 400 + key / 400; };
  for (uint32_t seed = 0; seed < support::seeds(10); seed++) {
    const support::fixed_seed fixed(seed);
    mapscope::map<uint64_t, uint64_t, decltype(batch_hash)> map;
    for (uint64_t i = 0; i < 400; i++) {
      map[i] = i;
    }
    uint64_t same_size = 0;
    bool was_growing = false;
    std::multiset<uint64_t> seen;
    uint64_t next = 400;
    for (auto it = map.begin(); it != map.end(); ++it) {
      if (it->first < 400) {
        seen.insert(it->first);
      }
      for (uint64_t i = 0; i < 50; i++, next++) {
        map[next] = 0;
        if (next % 400 == 399) {
          for (uint64_t key = next - 399; key <= next; key++) {
            map.erase(key);
          }
        }
        const auto *h = header(map);
        const bool now = h->oldbuckets != nullptr && (h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
        same_size += now && !was_growing ? 1 : 0;
        was_growing = now;
      }
    }
    BOOST_TEST(same_size >= 3U);
    BOOST_TEST(seen.size() == 400U);
    BOOST_TEST(std::set<uint64_t>(seen.begin(), seen.end()).size() == 400U);
  }
}

BOOST_AUTO_TEST_CASE(erasing_all_by_iterator) {
  for (const uint64_t n : {1U, 8U, 9U, 100U, 5000U}) {
    auto map = filled(n);
    uint64_t erased = 0;
    for (auto it = map.begin(); it != map.end(); erased++) {
      it = map.erase(it);
    }
    BOOST_TEST(erased == n);
    BOOST_TEST(map.empty());
  }
  auto map = filled(3000);
  BOOST_TEST(erase_if(map, [](auto entry) { return entry.first % 3 == 0; }) == 1000U);
  BOOST_TEST(map.size() == 2000U);
  BOOST_TEST(!map.contains(3));
}

BOOST_AUTO_TEST_CASE(clear_ends_iterations) {
  mapscope::map<std::string, std::string> map;
  for (int i = 0; i < 1000; i++) {
    map[std::to_string(i)] = "x";
  }
  int steps = 0;
  for (auto it = map.begin(); it != map.end(); ++it) {
    if (++steps == 10) {
      map.clear();
      map["new"] = "entry";
    }
  }
  BOOST_TEST(steps == 10);
}

BOOST_AUTO_TEST_SUITE_END()

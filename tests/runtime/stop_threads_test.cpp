// SPDX-License-Identifier: MIT
//
// The stop filter of a process whose threads write maps: clean under ThreadSanitizer.
#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "armed.hpp"
#include "checks.hpp"
#include "support.hpp"

using support::header;
using tracer::armed_here;
using tracer::on;

BOOST_AUTO_TEST_SUITE(stop_threads)

namespace {
using int_map = mapscope::map<uint64_t, uint64_t>;
} // namespace

// Many threads write maps of their own while the filter counts for all: clean
// under ThreadSanitizer, and no match is lost.
BOOST_AUTO_TEST_CASE(threads_count_together) {
  constexpr uint64_t threads = 6;
  static const uint64_t writes = support::rounds(20000);
  const armed_here armed(on(MAPSCOPE_EVENT_ASSIGN), true);
  std::vector<std::thread> all;
  for (uint64_t i = 0; i < threads; i++) {
    all.emplace_back([] {
      int_map map;
      for (uint64_t n = 0; n < writes; n++) {
        map[n % 500] = n;
      }
    });
  }
  for (std::thread &thread : all) {
    thread.join();
  }
  BOOST_TEST(armed_here::hits() == threads * writes);
}

BOOST_AUTO_TEST_CASE(threads_create_together) {
  constexpr uint64_t threads = 6;
  static const uint64_t maps = support::rounds(2000);
  const armed_here armed(on(MAPSCOPE_EVENT_CREATE | MAPSCOPE_EVENT_EVACUATED), true);
  std::atomic<uint64_t> evacuated = 0;
  std::vector<std::thread> all;
  for (uint64_t i = 0; i < threads; i++) {
    all.emplace_back([&] {
      for (uint64_t n = 0; n < maps; n++) {
        int_map map;
        for (uint64_t key = 0; key < 20; key++) { // 1 and 2 old buckets
          map[key] = n;
        }
        evacuated += 3;
      }
    });
  }
  for (std::thread &thread : all) {
    thread.join();
  }
  BOOST_TEST(armed_here::hits() == threads * maps + evacuated);
}

BOOST_AUTO_TEST_CASE(a_map_that_is_gone_disarms_under_threads) {
  std::vector<std::thread> all;
  int_map map{{1, 1}};
  const armed_here armed(on(MAPSCOPE_EVENT_ASSIGN, header(map)), true);
  std::atomic<bool> over = false;
  for (int i = 0; i < 4; i++) {
    all.emplace_back([&over] {
      while (!over.load(std::memory_order_relaxed)) {
        int_map other{{1, 1}};
        other[2] = 2;
      }
    });
  }
  for (uint64_t i = 0; i < 100; i++) {
    map[i] = i;
  }
  { const int_map gone = std::move(map); }
  over = true;
  for (std::thread &thread : all) {
    thread.join();
  }
  BOOST_TEST(mapscope_stop_filter.armed == 0U);
  BOOST_TEST(mapscope_stop_filter.slots[0].events == 0U);
  BOOST_TEST(armed_here::hits() == 100U);
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: MIT
//
// Threads: what the library allows to happen at once (clean under
// ThreadSanitizer), and the registry of live maps as a debugger walks it.
#include <atomic>
#include <barrier>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checks.hpp"
#include "support.hpp"

using support::header;

BOOST_AUTO_TEST_SUITE(thread)

namespace {

constexpr int thread_count = 8;

template <class Work> void in_threads(Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; i++) {
    threads.emplace_back([&work, i] { work(i); });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
}

// The hmaps in the registry, found as a debugger finds them.
std::multiset<uint64_t> registered(const decoder::reader &read) {
  std::multiset<uint64_t> maps;
  using abi_table::offset;
  const auto &shards = abi_table::place("registry");
  for (uint32_t i = 0; i < shards.count; i++) {
    uint64_t h;
    read(abi_table::address("registry") + uint64_t{i} * shards.width +
             offset<"registry_shard.head">(),
         &h, sizeof h);
    while (h != 0) {
      maps.insert(h);
      if (maps.size() > 1000000) {
        throw std::runtime_error("the registry has no end");
      }
      uint64_t extra;
      read(h + offset<"hmap.extra">(), &extra, sizeof extra);
      read(extra + offset<"mapextra.next">(), &h, sizeof h);
    }
  }
  return maps;
}

} // namespace

BOOST_AUTO_TEST_CASE(many_may_read_and_iterate_at_once) {
  mapscope::map<uint64_t, std::string> map;
  for (uint64_t i = 0; i < 3000; i++) { // stops in the middle of a growth
    map[i] = std::to_string(i);
    if (i > 1700 && header(map)->oldbuckets != nullptr && header(map)->nevacuate > 20) {
      break;
    }
  }
  BOOST_REQUIRE(header(map)->oldbuckets != nullptr);
  const auto &shared = map;
  const uint64_t n = shared.size();
  std::atomic<uint64_t> visited = 0;
  std::atomic<uint64_t> found = 0;
  in_threads([&](int thread) {
    for (int round = 0; round < 20; round++) {
      for (auto it = shared.begin(); it != shared.end(); ++it) {
        visited += it->second == std::to_string(it->first) ? 1 : 0;
        auto copy = it;
        if (it->first % 64 == 0 && thread % 2 == 0) {
          ++copy;
        }
      }
      for (uint64_t i = 0; i < n; i++) {
        found += shared.contains(i) ? 1 : 0;
      }
    }
  });
  BOOST_TEST(visited == thread_count * 20 * n);
  BOOST_TEST(found == thread_count * 20 * n);
  BOOST_TEST(header(map)->extra->iterators == nullptr);
}

BOOST_AUTO_TEST_CASE(writers_may_take_turns) {
  mapscope::map<uint64_t, uint64_t> map;
  std::atomic<bool> locked = false;
  in_threads([&](int thread) {
    for (uint64_t i = 0; i < support::rounds(4000); i++) {
      while (locked.exchange(true, std::memory_order_acquire)) {
        std::this_thread::yield();
      }
      map[i * thread_count + static_cast<uint64_t>(thread)] = i;
      locked.store(false, std::memory_order_release);
    }
  });
  BOOST_TEST(map.size() == thread_count * support::rounds(4000));
}

BOOST_AUTO_TEST_CASE(the_registry_holds_each_live_map_once) {
  const size_t before = registered(decoder::read_own).size();
  std::vector<std::vector<mapscope::map<int, int>>> maps(thread_count);
  std::barrier barrier(thread_count);
  std::atomic<bool> right = true;
  in_threads([&](int thread) {
    auto &own = maps[static_cast<size_t>(thread)];
    for (int i = 0; i < 200; i++) {
      own.emplace_back();
      own.back()[i] = i;
      if (i % 3 == 0) { // from the middle, too
        own.erase(own.begin() + i % static_cast<int>(own.size()));
      }
    }
    barrier.arrive_and_wait();
    if (thread == 0) {
      const auto found = registered(decoder::read_own);
      size_t expected = before;
      for (const auto &some : maps) {
        for (const auto &map : some) {
          right = right && (header(map) == nullptr ||
                            found.count(reinterpret_cast<uint64_t>(header(map))) == 1);
          expected += header(map) != nullptr ? 1 : 0;
        }
      }
      right = right && found.size() == expected;
    }
    barrier.arrive_and_wait();
    own.clear();
  });
  BOOST_TEST(right);
  BOOST_TEST(registered(decoder::read_own).size() == before);
}

BOOST_AUTO_TEST_CASE(a_map_may_die_in_another_thread) {
  std::vector<mapscope::map<int, int>> maps(100);
  for (auto &map : maps) {
    map[1] = 1;
  }
  std::atomic<size_t> next = 0;
  in_threads([&](int) {
    for (size_t i = next++; i < maps.size(); i = next++) {
      mapscope::map<int, int> gone(std::move(maps[i]));
      gone[2] = 2;
    }
  });
  for (const auto &map : maps) {
    BOOST_TEST(header(map) == nullptr);
  }
}

#if !MAPSCOPE_TESTS_SANITIZED
BOOST_AUTO_TEST_CASE(the_registry_can_be_walked_when_stopped_anywhere) {
  // A child creates and destroys maps in threads, over maps that stay. It is
  // stopped at random moments; those that stay must always be found.
  constexpr size_t kept = 50;
  auto *const shared = static_cast<uint64_t *>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    std::vector<mapscope::map<int, int>> lasting(kept);
    std::atomic<size_t> ready = 0;
    in_threads([&](int thread) {
      for (size_t i = static_cast<size_t>(thread); i < kept; i += thread_count) {
        lasting[i][1] = 1;
        shared[1 + i] = reinterpret_cast<uint64_t>(header(lasting[i]));
        if (++ready == kept) {
          std::atomic_ref(shared[0]).store(1);
        }
      }
      for (;;) {
        mapscope::map<int, int> brief;
        brief[1] = 1;
        mapscope::map<int, int> another{{1, 2}};
        brief = std::move(another);
      }
    });
  }
  while (std::atomic_ref(shared[0]).load() == 0) {
    usleep(100);
  }
  const decoder::reader read = decoder::read_process(child);
  bool complete = true;
  try {
    for (int i = 0; i < (support::is_long() ? 300 : 120); i++) {
      usleep(static_cast<useconds_t>(i % 37));
      kill(child, SIGSTOP);
      int status = 0;
      waitpid(child, &status, WUNTRACED);
      const auto maps = registered(read);
      for (size_t k = 0; k < kept; k++) {
        complete = complete && maps.count(shared[1 + k]) == 1;
      }
      complete = complete && maps.size() <= kept + 3 * thread_count;
      kill(child, SIGCONT);
    }
  } catch (const std::runtime_error &error) {
    BOOST_ERROR(error.what());
  }
  BOOST_TEST(complete);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  munmap(shared, 4096);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

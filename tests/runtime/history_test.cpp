// SPDX-License-Identifier: MIT
//
// The history that debuggers read: what it holds, in which order, and that no
// record is torn, also when many threads are stopped anywhere.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mapscope/debug.hpp>
#include <mapscope/history.h>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(history)

namespace {

using int_map = mapscope::map<uint64_t, uint64_t>;
using record = mapscope::history_record;

uint32_t event_of(const record &r) { return uint32_t{1} << r.event; }

uint64_t address(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// The whole records of a ring, oldest first. Checks that each lies where its
// sequence says.
std::vector<record> whole_records(const decoder::reader &read, uint64_t ring_address,
                                  uint64_t *unfinished = nullptr) {
  mapscope::history_ring ring;
  read(ring_address, &ring, sizeof ring);
  std::vector<record> all(ring.capacity);
  read(address(ring.records), all.data(), ring.capacity * sizeof(record));
  std::vector<record> whole;
  for (uint64_t n = ring.begun - std::min(ring.begun, ring.capacity); n < ring.begun; n++) {
    const record &r = all[n % ring.capacity];
    if (r.sequence == n + 1) {
      whole.push_back(r);
    } else if (unfinished != nullptr) {
      (*unfinished)++;
    } else {
      BOOST_REQUIRE_MESSAGE(false, "record " << n + 1 << " has the sequence " << r.sequence);
    }
  }
  return whole;
}

std::vector<record> life() {
  return mapscope_history.life == nullptr
             ? std::vector<record>()
             : whole_records(decoder::read_own, address(mapscope_history.life));
}

std::vector<record> evacuations() {
  std::vector<record> all;
  for (const auto *ring = mapscope_history.rings; ring != nullptr; ring = ring->next) {
    const auto some = whole_records(decoder::read_own, address(ring));
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end(),
            [](const record &a, const record &b) { return a.clock < b.clock; });
  return all;
}

// Of one map, since it was created last.
std::vector<record> life_of(const mapscope::hmap *h) {
  std::vector<record> all;
  for (const record &r : life()) {
    if (r.map == h) {
      if (event_of(r) == MAPSCOPE_EVENT_CREATE) {
        all.clear();
      }
      all.push_back(r);
    }
  }
  return all;
}

std::vector<uint32_t> events_of(const std::vector<record> &records) {
  std::vector<uint32_t> events;
  for (const record &r : records) {
    events.push_back(event_of(r));
  }
  return events;
}

// What a map's life must look like: no growth in a growth, nothing after its end.
class life_checker {
public:
  void check(const record &r) {
    state &s = maps_[r.map];
    BOOST_REQUIRE(r.clock >= s.clock);
    s.clock = r.clock;
    switch (event_of(r)) {
    case MAPSCOPE_EVENT_CREATE:
      s = {true, true, false, r.clock, r.B};
      break;
    case MAPSCOPE_EVENT_GROW:
      BOOST_REQUIRE((!s.known || (s.alive && !s.growing)));
      BOOST_REQUIRE((!s.known || r.old_B == s.B));
      s = {true, true, true, r.clock, r.B};
      break;
    case MAPSCOPE_EVENT_DONE:
      BOOST_REQUIRE((!s.known || s.growing));
      BOOST_REQUIRE((!s.known || r.B == s.B));
      s = {true, true, false, r.clock, r.B};
      break;
    case MAPSCOPE_EVENT_DESTROY:
      BOOST_REQUIRE((!s.known || (s.alive && !s.growing)));
      s = {true, false, false, r.clock, 0};
      break;
    default:
      BOOST_REQUIRE(event_of(r) == MAPSCOPE_EVENT_CLEAR);
    }
  }

private:
  struct state {
    bool known = false; // its beginning was not overwritten
    bool alive = false;
    bool growing = false;
    uint64_t clock = 0;
    uint8_t B = 0;
  };
  std::map<const mapscope::hmap *, state> maps_;
};

// An evacuation's record makes sense by itself: a torn one would not.
void check_evacuation(const record &r) {
  BOOST_REQUIRE(event_of(r) == MAPSCOPE_EVENT_EVACUATE);
  BOOST_REQUIRE(r.B == r.old_B + 1);
  BOOST_REQUIRE(r.what.buckets.bucket >> r.old_B == 0);
  const bool second = (r.flags & MAPSCOPE_RECORD_SECOND) != 0;
  // The second bucket's number is stored before the flag that makes it count.
  BOOST_REQUIRE((!second || r.what.buckets.second >> r.old_B == 0));
  BOOST_REQUIRE((!second || r.what.buckets.second != r.what.buckets.bucket));
  BOOST_REQUIRE((second || (r.moved[2] == 0 && r.moved[3] == 0)));
  BOOST_REQUIRE(r.moved[0] + r.moved[1] + r.moved[2] + r.moved[3] <= 100);
}

// Fills small maps, one after another, and lets them go.
void make_maps(const std::atomic<bool> *stop, uint64_t maps) {
  for (uint64_t n = 0; n < maps && (stop == nullptr || !stop->load()); n++) {
    int_map map;
    for (uint64_t i = 0; i < 500; i++) {
      map[i] = n;
    }
    if (n % 4 == 0) {
      map.clear();
    }
    while (!map.empty() && support::header(map)->oldbuckets != nullptr) {
      map.erase(~uint64_t{0});
    }
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_map_from_its_making_to_its_end) {
  const mapscope::hmap *h = nullptr;
  {
    int_map map(5);
    h = support::header(map);
    for (uint64_t i = 0; i < 14; i++) {
      map[i] = i;
    }
    map.rebuild(100);
    map.clear();
  }
  const auto records = life_of(h);
  int_map another;
  another[1] = 1;
  constexpr uint32_t grow = MAPSCOPE_EVENT_GROW;
  constexpr uint32_t done = MAPSCOPE_EVENT_DONE;
  const std::vector<uint32_t> expected{MAPSCOPE_EVENT_CREATE,
                                       grow,
                                       done,
                                       grow,
                                       done,
                                       MAPSCOPE_EVENT_REBUILD,
                                       grow,
                                       done,
                                       grow,
                                       done,
                                       MAPSCOPE_EVENT_CLEAR,
                                       MAPSCOPE_EVENT_DESTROY};
  const auto events = events_of(records);
  BOOST_TEST(events == expected, boost::test_tools::per_element());
  BOOST_TEST(records.front().what.detail == 5U);
  BOOST_TEST(records[1].count == 8U);
  BOOST_TEST(records[1].B == 1);
  BOOST_TEST(records[1].old_B == 0);
  BOOST_TEST(records[5].what.detail == 100U);
  BOOST_TEST(records[10].count == 14U);
  BOOST_TEST(records.back().count == 0U);
  for (const record &r : records) {
    BOOST_TEST(r.thread == static_cast<uint32_t>(syscall(SYS_gettid)));
    BOOST_TEST(r.type == support::header(another)->extra->type);
  }
}

BOOST_AUTO_TEST_CASE(every_old_bucket_once) {
  int_map map;
  for (uint64_t i = 0; i < 27; i++) { // the last insert doubles to 8 buckets
    map[i] = i;
  }
  while (support::header(map)->oldbuckets != nullptr) {
    map.erase(~uint64_t{0});
  }
  std::multiset<uint32_t> buckets;
  uint64_t moved = 0;
  for (const record &r : evacuations()) {
    if (r.map == support::header(map) && r.B == 3 && r.clock >= life_of(r.map).front().clock) {
      check_evacuation(r);
      BOOST_TEST((r.flags & MAPSCOPE_RECORD_EVACUATED) != 0);
      buckets.insert(r.what.buckets.bucket);
      if ((r.flags & MAPSCOPE_RECORD_SECOND) != 0) {
        BOOST_TEST((r.flags & MAPSCOPE_RECORD_SECOND_EVACUATED) != 0);
        buckets.insert(r.what.buckets.second);
      }
      moved += uint64_t{r.moved[0]} + r.moved[1] + r.moved[2] + r.moved[3];
    }
  }
  const std::multiset<uint32_t> expected{0, 1, 2, 3};
  BOOST_TEST(buckets == expected, boost::test_tools::per_element());
  BOOST_TEST(moved == 26U);
}

BOOST_AUTO_TEST_CASE(a_million_evacuations_leave_the_life) {
  const mapscope::hmap *h = nullptr;
  int_map map;
  map[1] = 1;
  h = support::header(map);
  const size_t before = life_of(h).size();
  BOOST_TEST(before == 1U);
  map.reserve(uint64_t{13} << (support::rounds(4) > 2 ? 19 : 15)); // to a million buckets
  const uint64_t evacuated = h->extra->evacuated + h->extra->evacuated_before;
  BOOST_TEST(evacuated == map.bucket_count() - 1);
  const auto records = life_of(h);
  BOOST_REQUIRE(!records.empty());
  BOOST_TEST(event_of(records.front()) == uint32_t{MAPSCOPE_EVENT_CREATE});
  BOOST_TEST(records.size() == 1U + 2U * h->B);
}

BOOST_AUTO_TEST_CASE(eight_threads) {
  const uint64_t begun = mapscope_history.life != nullptr ? mapscope_history.life->begun : 0;
  const uint64_t maps = support::rounds(support::is_long() ? 12000 : 5000);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 8; i++) {
    threads.emplace_back([maps] { make_maps(nullptr, maps); });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  const mapscope::history_ring &ring = *mapscope_history.life;
  // Each map: created, 7 growths that start and end, cleared now and then, destroyed.
  BOOST_TEST(ring.begun - begun >= 8 * maps * 16);
  // A thread that was held in its slot for a whole lap has left it to an older record: the
  // others went on to the next slot, so that no event is missing.
  uint64_t passed_over = 0;
  const auto records = whole_records(decoder::read_own, address(&ring), &passed_over);
  BOOST_TEST(passed_over < 8U);
  BOOST_TEST(records.size() + passed_over == ring.capacity);
  life_checker lives;
  for (const record &r : records) {
    lives.check(r);
  }
  uint64_t rings = 0;
  for (const auto *of_thread = mapscope_history.rings; of_thread != nullptr;
       of_thread = of_thread->next) {
    rings++;
    uint64_t clock = 0;
    for (const record &r : whole_records(decoder::read_own, address(of_thread))) {
      BOOST_REQUIRE(r.clock >= clock);
      clock = r.clock;
      if (r.B == r.old_B + 1) {
        check_evacuation(r);
      }
    }
  }
  BOOST_TEST(rings >= 8U);
}

BOOST_AUTO_TEST_CASE(stopped_anywhere) {
  int ready[2];
  BOOST_REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Rings of its own, small enough that all are overwritten all the time.
    mapscope_history.life = nullptr;
    mapscope_history.rings = nullptr;
    mapscope::set_mapdebug("history=64");
    static std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 8; i++) {
      threads.emplace_back([] { make_maps(&stop, ~uint64_t{0}); });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    [[maybe_unused]] const auto written = write(ready[1], "r", 1);
    for (std::thread &thread : threads) {
      thread.join();
    }
    _exit(0);
  }
  char byte = 0;
  BOOST_REQUIRE(read(ready[0], &byte, 1) == 1);
  const decoder::reader reader = decoder::read_process(child);
  const unsigned stops = support::is_long() ? 200 : 80;
  uint64_t whole = 0;
  uint64_t unfinished = 0;
  try {
    for (unsigned i = 0; i < stops; i++) {
      BOOST_REQUIRE(kill(child, SIGSTOP) == 0);
      int status = 0;
      BOOST_REQUIRE(waitpid(child, &status, WUNTRACED) == child);
      BOOST_REQUIRE(WIFSTOPPED(status));
      mapscope::history all;
      reader(address(&mapscope_history), &all, sizeof all);
      const auto records = whole_records(reader, address(all.life), &unfinished);
      for (const record &r : records) {
        if (r.clock != 0) {
          BOOST_REQUIRE(r.B <= 7);
          BOOST_REQUIRE((r.old_B <= 7 || r.old_B == MAPSCOPE_NO_OLD_B));
          BOOST_REQUIRE(r.count <= 500);
        }
      }
      whole += records.size();
      BOOST_REQUIRE(records.size() + 8 >= 64U);
      for (const auto *ring = all.rings; ring != nullptr;) {
        for (const record &r : whole_records(reader, address(ring), &unfinished)) {
          check_evacuation(r);
          whole++;
        }
        mapscope::history_ring copy;
        reader(address(ring), &copy, sizeof copy);
        ring = copy.next;
      }
      BOOST_REQUIRE(kill(child, SIGCONT) == 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  } catch (...) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    throw;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  BOOST_TEST_MESSAGE(whole << " whole records, " << unfinished << " being written");
  BOOST_TEST(whole > 50U * stops);
  BOOST_TEST(unfinished < whole / 10);
}

BOOST_AUTO_TEST_CASE(threads_that_end_give_their_ring_back) {
  const auto rings = [] {
    size_t n = 0;
    for (const auto *ring = mapscope_history.rings; ring != nullptr; ring = ring->next) {
      n++;
    }
    return n;
  };
  std::thread([] { make_maps(nullptr, 1); }).join();
  const size_t before = rings();
  for (unsigned i = 0; i < 50; i++) {
    std::thread([] { make_maps(nullptr, 1); }).join();
  }
  BOOST_TEST(rings() == before);
}

BOOST_AUTO_TEST_CASE(switched_off) {
  BOOST_TEST(mapscope::set_mapdebug("history=0"));
  const uint64_t begun = mapscope_history.life != nullptr ? mapscope_history.life->begun : 0;
  std::thread([] { make_maps(nullptr, 3); }).join();
  BOOST_TEST((mapscope_history.life != nullptr ? mapscope_history.life->begun : 0) == begun);
  BOOST_TEST(mapscope::set_mapdebug(""));
  make_maps(nullptr, 1);
  BOOST_TEST(mapscope_history.life->begun > begun);
}

BOOST_AUTO_TEST_CASE(the_clock_has_a_rate) {
  const mapscope::history &all = mapscope_history;
  make_maps(nullptr, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  make_maps(nullptr, 1);
  if (all.clock == MAPSCOPE_CLOCK_TSC) {
    BOOST_REQUIRE(all.pairs >= 2U);
    const uint32_t newest = 1 + (all.pairs - 1) % 2;
    const auto ticks = static_cast<double>(all.ticks[newest] - all.ticks[0]);
    const auto time = static_cast<double>(all.nanoseconds[newest] - all.nanoseconds[0]);
    BOOST_TEST(ticks / time > 0.1);
    BOOST_TEST(ticks / time < 20.0);
  } else {
    BOOST_TEST(all.clock == uint32_t{MAPSCOPE_CLOCK_NANOSECONDS});
  }
}

BOOST_AUTO_TEST_SUITE_END()

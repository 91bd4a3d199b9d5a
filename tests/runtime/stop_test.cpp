// SPDX-License-Identifier: MIT
//
// The stop filter: that each event stops at its place and nowhere else, that
// conditions and counts hold, and that the program computes the same with it
// as without. Children are stopped by ptrace, as by a debugger.
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/syscall.h>
#include <unistd.h>

#include "armed.hpp"
#include "checks.hpp"
#include "support.hpp"
#include "tracer.hpp"

using namespace std::string_literals;
using mapscope::event;
using support::header;
using tracer::armed_here;
using tracer::on;

BOOST_AUTO_TEST_SUITE(stop)

namespace {

using int_map = mapscope::map<uint64_t, uint64_t>;

constexpr uint32_t all_growth =
    MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_EVACUATE | MAPSCOPE_EVENT_PROGRESS | MAPSCOPE_EVENT_DONE;

// What the children tell.
struct note {
  const mapscope::hmap *map;
  uint64_t grows;
  uint64_t evacuations;
  uint64_t ends;
  uint64_t number;
  uint64_t thread;
  bool flag;
};

uint64_t old_buckets(const mapscope::hmap *h) {
  if (h->oldbuckets == nullptr) {
    return 0;
  }
  return uint64_t{1} << (h->B - ((h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0 ? 0 : 1));
}

bool marked(uint8_t tophash) {
  return tophash >= MAPSCOPE_EVACUATED_X && tophash <= MAPSCOPE_EVACUATED_EMPTY;
}

// Reads the head of an old bucket, here or in a stopped child.
template <class Read> bool is_marked(Read read, const mapscope::hmap &h, uint64_t bucket) {
  const auto type = read.template operator()<mapscope::maptype>(reinterpret_cast<uintptr_t>(
      read.template operator()<mapscope::mapextra>(reinterpret_cast<uintptr_t>(h.extra)).type));
  return marked(read.template operator()<uint8_t>(reinterpret_cast<uintptr_t>(h.oldbuckets) +
                                                  bucket * type.bucketsize));
}

struct own_memory {
  template <class T> T operator()(uint64_t address) const { return support::at<T>(address); }
};
struct child_memory {
  const tracer::process *child;
  template <class T> T operator()(uint64_t address) const { return child->read<T>(address); }
};

// A program's own count of growths: looks at the map after each of its writes. A
// small map's growth may begin and end within one.
class growth_counter {
public:
  explicit growth_counter(const mapscope::hmap *h) : h_(h), buckets_(h->buckets), B_(h->B) {}

  // After one write.
  void look(note &to) {
    if (h_->buckets != buckets_) { // a growth has begun
      end(to);
      to.grows++;
      old_ = uint64_t{1} << B_;
    }
    if (h_->oldbuckets == nullptr) {
      end(to);
    }
    buckets_ = h_->buckets;
    B_ = h_->B;
  }
  // At last: the buckets of a growth that is not done.
  void finish(note &to) const {
    for (uint64_t i = 0; i < old_; i++) {
      to.evacuations += is_marked(own_memory(), *h_, i) ? 1 : 0;
    }
  }

private:
  void end(note &to) {
    to.ends += old_ != 0 ? 1 : 0;
    to.evacuations += std::exchange(old_, 0);
  }

  const mapscope::hmap *h_;
  const void *buckets_;
  uint8_t B_;
  uint64_t old_ = 0; // buckets of the array being evacuated
};

uint64_t key_of(uint64_t i) { return i * 0x9e3779b97f4a7c15; }

// A map with one entry, told to the parent, which may arm the filter then.
template <class Map> void tell(const Map &map, note &to) {
  to.map = header(map);
  tracer::checkpoint();
}

int_map filled(uint64_t n) {
  int_map map;
  for (uint64_t i = 0; i < n; i++) {
    map[key_of(i)] = i;
  }
  return map;
}

// A map that has just begun to double, from so many buckets.
int_map growing(uint64_t buckets) {
  int_map map;
  for (uint64_t i = 0; map.bucket_count() != 2 * buckets; i++) {
    map[key_of(i)] = i;
  }
  return map;
}

bool traced_now() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("TracerPid:")) {
      return line.find_first_of("123456789") != std::string::npos;
    }
  }
  return false;
}

} // namespace

// Every growth of a map filled to 10,000 entries, while another map grows too:
// as many events as the program itself counts, each at its place.
BOOST_AUTO_TEST_CASE(every_growth_event_of_one_map_and_no_other) {
  tracer::shared<note> told;
  tracer::process child([&] {
    int_map map{{1, 1}};
    int_map other{{1, 1}};
    tell(map, *told);
    growth_counter counter(header(map));
    for (uint64_t i = 0; map.size() < 10000; i++) {
      map[key_of(i)] = i;
      counter.look(*told);
      other[key_of(i) + 1] = i;
    }
    counter.finish(*told);
  });
  child.at_checkpoint = [&] { child.arm(3, on(all_growth, told->map)); };

  uint64_t grows = 0;
  uint64_t ends = 0;
  uint64_t evacuations = 0;
  uint64_t progress = 0;
  std::set<uint64_t> evacuated; // of the current growth
  uint64_t stops = 0;
  child.at_stop = [&](const event &e) {
    stops++;
    BOOST_REQUIRE(e.slot == 3);
    BOOST_REQUIRE(e.slots == 8);
    BOOST_REQUIRE(e.map == told->map);
    BOOST_REQUIRE(e.thread == static_cast<uint32_t>(child.pid()));
    BOOST_REQUIRE(e.kind == MAPSCOPE_GROWTH_DOUBLE);
    BOOST_REQUIRE(e.message == nullptr);
    BOOST_REQUIRE(e.key == nullptr);
    const auto h = child.read<mapscope::hmap>(reinterpret_cast<uintptr_t>(e.map));
    BOOST_REQUIRE(h.count == e.count);
    BOOST_REQUIRE(child.hits(3) == stops);
    const child_memory memory{&child};
    switch (e.event) {
    case MAPSCOPE_EVENT_GROW:
      grows++;
      BOOST_REQUIRE(h.oldbuckets == nullptr);
      BOOST_REQUIRE(e.old_buckets == uint64_t{1} << h.B);
      BOOST_REQUIRE(e.buckets == 2 * e.old_buckets);
      BOOST_REQUIRE(e.bucket == MAPSCOPE_NO_BUCKET);
      BOOST_REQUIRE(e.flags == 0);
      BOOST_REQUIRE(mapscope::overLoadFactor(h.count + 1, h.B));
      break;
    case MAPSCOPE_EVENT_EVACUATE:
      evacuations++;
      BOOST_REQUIRE(e.flags == MAPSCOPE_FLAG_MIGRATING);
      BOOST_REQUIRE(e.buckets == uint64_t{1} << h.B);
      BOOST_REQUIRE(e.old_buckets == old_buckets(&h));
      BOOST_REQUIRE(e.evacuated == evacuated.size());
      BOOST_REQUIRE(e.bucket < e.old_buckets);
      BOOST_REQUIRE(!is_marked(memory, h, e.bucket)); // before the first mark
      BOOST_REQUIRE(evacuated.insert(e.bucket).second);
      break;
    case MAPSCOPE_EVENT_PROGRESS: // of one bucket or more: once in each growth
      progress++;
      BOOST_REQUIRE(e.evacuated == 1);
      BOOST_REQUIRE(evacuated.contains(e.bucket));
      BOOST_REQUIRE(is_marked(memory, h, e.bucket));
      break;
    case MAPSCOPE_EVENT_DONE:
      ends++;
      BOOST_REQUIRE(h.oldbuckets == nullptr);
      BOOST_REQUIRE((h.flags & MAPSCOPE_SAME_SIZE_GROW) == 0);
      BOOST_REQUIRE(e.flags == 0);
      BOOST_REQUIRE(e.buckets == uint64_t{1} << h.B);
      BOOST_REQUIRE(e.old_buckets == e.buckets / 2);
      BOOST_REQUIRE(e.evacuated == e.old_buckets);
      BOOST_REQUIRE(evacuated.size() == e.old_buckets);
      evacuated.clear();
      break;
    default:
      BOOST_FAIL("not asked for: event " << e.event);
    }
  };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(grows == 11U); // on inserts 9, 14, 27 ... 6657
  BOOST_TEST(grows == told->grows);
  BOOST_TEST(progress == grows);
  BOOST_TEST(ends == told->ends);
  BOOST_TEST(evacuations == told->evacuations);
}

BOOST_AUTO_TEST_CASE(without_a_map_every_map) {
  tracer::shared<note> told;
  tracer::process child([&] {
    tracer::checkpoint();
    std::array<int_map, 5> maps;
    for (uint64_t i = 0; i < 400; i++) {
      for (int_map &map : maps) {
        map[i] = i;
      }
    }
  });
  child.at_checkpoint = [&] { child.arm(15, on(MAPSCOPE_EVENT_GROW)); };
  std::map<const void *, int> grows;
  child.at_stop = [&](const event &e) {
    BOOST_REQUIRE(e.slots == 0x8000);
    grows[e.map]++;
  };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(grows.size() == 5U);
  for (const auto &[map, n] : grows) {
    BOOST_TEST(n == 6); // inserts 9, 14, 27, 53, 105, 209
  }
}

// Inserts, overwrites, deletions of all forms: where each stops, with what.
BOOST_AUTO_TEST_CASE(assign_and_delete) {
  tracer::shared<note> told;
  tracer::process child([&] {
    mapscope::map<std::string, int> map{{"first", 1}};
    told->map = header(map);
    tracer::checkpoint();
    map["new"] = 2;                                   // 1: assign, new
    map["new"] = 3;                                   // 2: assign
    map[std::string("new")] = 4;                      // 3: assign
    map.insert_or_assign("other", 5);                 // 4: assign, new
    map.insert_or_assign("other", 6);                 // 5: assign
    map.try_emplace("third", 7);                      // 6: assign, new
    map.try_emplace("third", 8);                      // writes nothing
    map.insert({"third", 9});                         // writes nothing
    map.erase("absent");                              // deletes nothing
    map.erase("other");                               // 7: delete
    map.erase(map.find("third"));                     // 8: delete
    static_cast<void>(map.find("new"));               // writes nothing
    map.erase("first");                               // 9: delete
    erase_if(map, [](const auto &) { return true; }); // 10: delete
    told->number = map.size();
  });
  child.at_checkpoint = [&] {
    child.arm(0, on(MAPSCOPE_EVENT_ASSIGN | MAPSCOPE_EVENT_DELETE, told->map));
  };
  struct seen {
    uint32_t event;
    bool fresh;
    std::string key;
    uint64_t count;
    bool operator==(const seen &) const = default;
  };
  std::vector<seen> events;
  uint64_t tells_hash = 0;
  child.at_stop = [&](const event &e) {
    std::string key = "?";
    if (e.key != nullptr) {
      const auto address = reinterpret_cast<uintptr_t>(e.key);
      key.resize(child.read<uint64_t>(address + 8));
      child.read(child.read<uint64_t>(address), key.data(), key.size());
    }
    const auto h = child.read<mapscope::hmap>(reinterpret_cast<uintptr_t>(e.map));
    if ((e.flags & MAPSCOPE_FLAG_KEY_HASH) != 0 && key != "?") {
      BOOST_TEST(e.key_hash == mapscope::hash<std::string>()(key, h.hash0));
      BOOST_TEST(e.bucket == (e.key_hash & mapscope::bucketMask(h.B)));
      tells_hash++;
    }
    // Nothing is stored yet: h.count is what it was before.
    BOOST_TEST(h.count == e.count);
    BOOST_TEST((h.flags & MAPSCOPE_HASH_WRITING) != 0);
    events.push_back({e.event, (e.flags & MAPSCOPE_FLAG_NEW_KEY) != 0, key, h.count});
  };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(told->number == 0U);
  constexpr auto assign = MAPSCOPE_EVENT_ASSIGN;
  constexpr auto erase = MAPSCOPE_EVENT_DELETE;
  const std::vector<seen> expected{
      {assign, true, "?", 1}, // "new" is a const char[4], no std::string
      {assign, false, "new", 2},   {assign, false, "new", 2},  {assign, true, "?", 2},
      {assign, false, "other", 3}, {assign, true, "?", 3},     {erase, false, "other", 4},
      {erase, false, "third", 3},  {erase, false, "first", 2}, {erase, false, "new", 1},
  };
  BOOST_TEST(events.size() == expected.size());
  for (size_t i = 0; i < std::min(events.size(), expected.size()); i++) {
    BOOST_TEST((events[i] == expected[i]), "event " << i + 1 << ": " << events[i].event << " "
                                                    << events[i].key << " " << events[i].count);
  }
  BOOST_TEST(tells_hash == 7U);
}

namespace {

// Runs the child; at each of its checkpoints calls arm(child, number of the
// checkpoint). Returns the events it stopped at.
template <class Arm>
std::vector<event> stops_of(const std::function<void()> &work, const Arm &arm) {
  tracer::process child(work);
  unsigned checkpoints = 0;
  child.at_checkpoint = [&] { arm(child, checkpoints++); };
  std::vector<event> events;
  child.at_stop = [&](const event &e) { events.push_back(e); };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(checkpoints > 0U);
  return events;
}

std::vector<uint32_t> kinds_of(const std::vector<event> &events) {
  std::vector<uint32_t> kinds;
  for (const event &e : events) {
    kinds.push_back(e.event);
  }
  return kinds;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_key_by_its_hash) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        mapscope::set_seed(11);
        int_map map{{1, 1}};
        tell(map, *told);
        for (uint64_t i = 0; i < 3000; i++) {
          map[i % 1000] = i;
        }
        map.erase(78);
        map.erase(map.find(77)); // has no hash at hand
        map[77] = 1;
        map.erase(77);
        map.erase(77);
      },
      [&](tracer::process &child, unsigned) {
        auto wanted =
            on(MAPSCOPE_EVENT_ASSIGN | MAPSCOPE_EVENT_DELETE, told->map, MAPSCOPE_IF_KEY_HASH);
        wanted.key_hash = mapscope::hash<uint64_t>()(77, 11);
        child.arm(1, wanted);
      });
  const std::vector<uint32_t> expected{MAPSCOPE_EVENT_ASSIGN, MAPSCOPE_EVENT_ASSIGN,
                                       MAPSCOPE_EVENT_ASSIGN, MAPSCOPE_EVENT_DELETE,
                                       MAPSCOPE_EVENT_ASSIGN, MAPSCOPE_EVENT_DELETE};
  BOOST_TEST(kinds_of(events) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_bucket_of_each_growth) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map map{{1, 1}};
        tell(map, *told);
        for (uint64_t i = 0; i < 2000; i++) { // old arrays of 1, 2, 4 ... 256
          map[i] = i;
        }
      },
      [&](tracer::process &child, unsigned) {
        auto wanted = on(MAPSCOPE_EVENT_EVACUATE, told->map, MAPSCOPE_IF_BUCKET);
        wanted.bucket = 5;
        child.arm(0, wanted);
      });
  BOOST_TEST(events.size() >= 5U); // the arrays of 8, 16, 32, 64, 128, ...
  BOOST_TEST(events.size() <= 6U); // ... 256 if it has come that far
  for (size_t i = 0; i < events.size(); i++) {
    BOOST_TEST(events[i].bucket == 5U);
    BOOST_TEST(events[i].old_buckets == uint64_t{8} << i);
  }
}

BOOST_AUTO_TEST_CASE(only_while_migrating) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map map{{1, 1}};
        tell(map, *told);
        for (uint64_t i = 0; i < 3000; i++) {
          map[i] = i;
          // The write that ends a migration evacuates first, and is not in it.
          told->number += header(map)->oldbuckets != nullptr ? 1 : 0;
        }
      },
      [&](tracer::process &child, unsigned) {
        child.arm(0, on(MAPSCOPE_EVENT_ASSIGN, told->map, MAPSCOPE_IF_MIGRATING));
      });
  BOOST_TEST(events.size() == told->number);
  BOOST_TEST(told->number > 100U);
  BOOST_TEST(told->number < 2900U);
  for (const event &e : events) {
    BOOST_REQUIRE((e.flags & MAPSCOPE_FLAG_MIGRATING) != 0);
    BOOST_REQUIRE(e.evacuated < e.old_buckets);
  }
}

// Churn that leads to doublings and to growths of the same size.
BOOST_AUTO_TEST_CASE(kinds_of_growth) {
  for (const uint32_t kind : std::initializer_list<uint32_t>{
           MAPSCOPE_IF_DOUBLE, MAPSCOPE_IF_SAME_SIZE, MAPSCOPE_IF_DOUBLE | MAPSCOPE_IF_SAME_SIZE,
           MAPSCOPE_IF_SHRINK}) {
    tracer::shared<note> told;
    const auto events = stops_of(
        [&] {
          mapscope::set_seed(3);
          int_map map{{~uint64_t{0}, 1}};
          tell(map, *told);
          growth_counter counter(header(map));
          for (uint64_t i = 0; i < 60000; i++) {
            map[i] = i;
            counter.look(*told);
            if (i >= 820) {
              map.erase(i - 820);
              counter.look(*told);
            }
            told->number += header(map)->oldbuckets != nullptr &&
                                    (header(map)->flags & MAPSCOPE_SAME_SIZE_GROW) != 0
                                ? 1
                                : 0;
          }
        },
        [&](tracer::process &child, unsigned) {
          child.arm(0, on(MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_DONE, told->map, kind));
        });
    BOOST_TEST(told->number > 0U); // there were growths of the same size
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> seen;
    for (const event &e : events) {
      seen[{e.event, e.kind}]++;
      BOOST_TEST(e.old_buckets == (e.kind == MAPSCOPE_GROWTH_DOUBLE ? e.buckets / 2 : e.buckets));
    }
    const bool both = kind == (MAPSCOPE_IF_DOUBLE | MAPSCOPE_IF_SAME_SIZE);
    const uint64_t doublings = seen[{MAPSCOPE_EVENT_GROW, MAPSCOPE_GROWTH_DOUBLE}];
    const uint64_t same = seen[{MAPSCOPE_EVENT_GROW, MAPSCOPE_GROWTH_SAME_SIZE}];
    BOOST_TEST(doublings == ((kind & MAPSCOPE_IF_DOUBLE) != 0 ? 7U : 0U));
    BOOST_TEST((same > 0) == ((kind & MAPSCOPE_IF_SAME_SIZE) != 0));
    if (both) {
      BOOST_TEST(doublings + same == told->grows);
      const uint64_t ends = seen[{MAPSCOPE_EVENT_DONE, MAPSCOPE_GROWTH_DOUBLE}] +
                            seen[{MAPSCOPE_EVENT_DONE, MAPSCOPE_GROWTH_SAME_SIZE}];
      BOOST_TEST(ends == told->ends);
    } else if (kind == MAPSCOPE_IF_SHRINK) {
      BOOST_TEST(events.empty());
    }
  }
}

namespace {

// How many cells of an old bucket's chain have each tophash, in a stopped child.
std::array<uint64_t, 256> tophashes(const tracer::process &child, const mapscope::hmap &h,
                                    uint64_t bucket) {
  const auto extra = child.read<mapscope::mapextra>(reinterpret_cast<uintptr_t>(h.extra));
  const auto type = child.read<mapscope::maptype>(reinterpret_cast<uintptr_t>(extra.type));
  std::array<uint64_t, 256> cells{};
  for (uint64_t b = reinterpret_cast<uintptr_t>(h.oldbuckets) + bucket * type.bucketsize; b != 0;
       b = child.read<uint64_t>(b + type.overflow_offset)) {
    for (const uint8_t top : child.read<mapscope::bmap>(b).tophash) {
      cells[top]++;
    }
  }
  return cells;
}

uint64_t live(const std::array<uint64_t, 256> &cells) {
  return std::accumulate(cells.begin() + MAPSCOPE_MIN_TOP_HASH, cells.end(), uint64_t{0});
}

struct moves {
  uint64_t doublings = 0;
  uint64_t same_size = 0; // growths
  uint64_t ends = 0;
  uint64_t buckets = 0;
  uint64_t x = 0; // entries
  uint64_t y = 0;
  uint64_t longest = 0; // entries of one old bucket
};

// Runs `work`, which tells its map. What each evacuation says that it moved is
// held against the old chain, before it and, by its marks, after it; and each
// growth that ends against the entries there were when it began: what is
// inserted meanwhile never was in the old array, and what is erased was moved
// before.
moves checked_moves(const std::function<void(note &)> &work, note &told) {
  tracer::process child([&] { work(told); });
  child.at_checkpoint = [&] { child.arm(0, on(all_growth | MAPSCOPE_EVENT_EVACUATED, told.map)); };
  moves all;
  event before{};
  uint64_t waiting = 0; // entries in the old bucket that is next
  uint64_t entries = 0; // to be moved by this growth
  uint64_t buckets = 0; // evacuated
  child.at_stop = [&](const event &e) {
    const auto h = child.read<mapscope::hmap>(reinterpret_cast<uintptr_t>(e.map));
    if (e.event != MAPSCOPE_EVENT_EVACUATED) {
      BOOST_REQUIRE(e.moved_x == 0);
      BOOST_REQUIRE(e.moved_y == 0);
    }
    // Nothing comes between an evacuation's beginning and its end.
    BOOST_REQUIRE((before.event == MAPSCOPE_EVENT_EVACUATE) ==
                  (e.event == MAPSCOPE_EVENT_EVACUATED));
    switch (e.event) {
    case MAPSCOPE_EVENT_GROW:
      (e.kind == MAPSCOPE_GROWTH_DOUBLE ? all.doublings : all.same_size)++;
      entries = e.count;
      buckets = 0;
      break;
    case MAPSCOPE_EVENT_EVACUATE:
      waiting = live(tophashes(child, h, e.bucket));
      break;
    case MAPSCOPE_EVENT_EVACUATED: {
      const auto cells = tophashes(child, h, e.bucket);
      BOOST_REQUIRE(e.bucket == before.bucket);
      BOOST_REQUIRE(e.old_buckets == before.old_buckets);
      BOOST_REQUIRE(e.kind == before.kind);
      BOOST_REQUIRE(e.flags == MAPSCOPE_FLAG_MIGRATING);
      BOOST_REQUIRE(e.evacuated == ++buckets);
      BOOST_REQUIRE(e.moved_x == cells[MAPSCOPE_EVACUATED_X]);
      BOOST_REQUIRE(e.moved_y == cells[MAPSCOPE_EVACUATED_Y]);
      BOOST_REQUIRE(e.moved_x + e.moved_y == waiting);
      BOOST_REQUIRE(live(cells) == 0);
      BOOST_REQUIRE(
          child.read<mapscope::mapextra>(reinterpret_cast<uintptr_t>(h.extra)).evacuating == 0);
      BOOST_REQUIRE(entries >= waiting);
      entries -= waiting;
      all.buckets++;
      all.x += e.moved_x;
      all.y += e.moved_y;
      all.longest = std::max(all.longest, waiting);
      break;
    }
    case MAPSCOPE_EVENT_PROGRESS: // of one bucket or more, right after it
      BOOST_REQUIRE(before.event == MAPSCOPE_EVENT_EVACUATED);
      BOOST_REQUIRE(e.bucket == before.bucket);
      BOOST_REQUIRE(e.evacuated == before.evacuated);
      break;
    case MAPSCOPE_EVENT_DONE:
      all.ends++;
      BOOST_REQUIRE(e.flags == 0);
      BOOST_REQUIRE(buckets == e.old_buckets);
      BOOST_REQUIRE(entries == 0);
      break;
    default:
      BOOST_FAIL("not asked for: event " << e.event);
    }
    before = e;
  };
  BOOST_TEST(child.run() == 0);
  return all;
}

// Long chains: four of the hashes there are.
struct crowding_hash {
  size_t operator()(uint64_t key) const { return key % 4; }
};

} // namespace

BOOST_AUTO_TEST_CASE(an_evacuation_tells_what_it_moved) {
  tracer::shared<note> told;
  const moves all = checked_moves(
      [](note &to) {
        int_map map{{1, 1}};
        tell(map, to);
        growth_counter counter(header(map));
        for (uint64_t i = 0; map.size() < 10000; i++) {
          map[key_of(i)] = i;
          counter.look(to);
          if (i % 3 == 0) {
            map.erase(key_of(i / 2));
            counter.look(to);
          }
        }
        counter.finish(to);
      },
      *told);
  BOOST_TEST(all.doublings + all.same_size == told->grows);
  BOOST_TEST(all.doublings == 11U);
  BOOST_TEST(all.ends == told->ends);
  BOOST_TEST(all.buckets == told->evacuations);
  // About half of the entries go to Y.
  BOOST_TEST(all.x > 5000U);
  BOOST_TEST(all.y > 5000U);
}

BOOST_AUTO_TEST_CASE(a_growth_of_the_same_size_moves_nothing_to_y) {
  tracer::shared<note> told;
  const moves all = checked_moves(
      [](note &to) {
        mapscope::set_seed(3);
        int_map map{{~uint64_t{0}, 1}};
        map.reserve(820);
        tell(map, to);
        growth_counter counter(header(map));
        for (uint64_t i = 0; i < 60000; i++) {
          map[i] = i;
          counter.look(to);
          if (i >= 800) {
            map.erase(i - 800);
            counter.look(to);
          }
        }
        counter.finish(to);
      },
      *told);
  BOOST_TEST(all.doublings == 0U);
  BOOST_TEST(all.same_size > 0U);
  BOOST_TEST(all.same_size == told->grows);
  BOOST_TEST(all.buckets == told->evacuations);
  BOOST_TEST(all.x > 800U);
  BOOST_TEST(all.y == 0U);
}

BOOST_AUTO_TEST_CASE(an_evacuation_of_a_long_chain_tells_all) {
  tracer::shared<note> told;
  const moves all = checked_moves(
      [](note &to) {
        mapscope::map<uint64_t, uint64_t, crowding_hash> map{{1, 1}};
        tell(map, to);
        growth_counter counter(header(map));
        for (uint64_t i = 0; i < 1000; i++) {
          map[i] = i;
          counter.look(to);
        }
        counter.finish(to);
      },
      *told);
  BOOST_TEST(all.doublings == 8U); // on inserts 9, 14, 27 ... 833
  BOOST_TEST(all.buckets == told->evacuations);
  BOOST_TEST(all.longest > 16U * MAPSCOPE_BUCKET_CNT);
}

// NaNs have no hash to go by, and an iterator's lists are made beside the move.
BOOST_AUTO_TEST_CASE(an_evacuation_under_an_iterator_tells_all) {
  tracer::shared<note> told;
  const moves all = checked_moves(
      [](note &to) {
        mapscope::map<double, uint64_t> map{{1.0, 1}};
        tell(map, to);
        growth_counter counter(header(map));
        auto it = map.begin();
        for (uint64_t i = 0; i < 3000; i++) {
          map.emplace(std::numeric_limits<double>::quiet_NaN(), i);
          counter.look(to);
          if (it == map.end() || ++it == map.end()) {
            it = map.begin();
          }
        }
        counter.finish(to);
      },
      *told);
  BOOST_TEST(all.doublings == 9U); // on inserts 9, 14, 27 ... 1665
  BOOST_TEST(all.buckets == told->evacuations);
  BOOST_TEST(all.y > 100U);
}

namespace {

// Whether a stopped child's registry has the map, found by mapscope_abi.
bool registered(const tracer::process &child, const mapscope::hmap *map) {
  using abi_table::offset;
  const auto &shards = abi_table::place("registry");
  for (uint64_t i = 0; i < shards.count; i++) {
    auto at = child.read<uint64_t>(abi_table::address("registry") + i * shards.width +
                                   offset<"registry_shard.head">());
    while (at != 0) {
      if (at == reinterpret_cast<uintptr_t>(map)) {
        return true;
      }
      const auto extra = child.read<uint64_t>(at + offset<"hmap.extra">());
      at = child.read<uint64_t>(extra + offset<"mapextra.next">());
    }
  }
  return false;
}

// The maps that a child has made, as it knows them.
struct made {
  const mapscope::hmap *maps[16];
  const mapscope::maptype *types[16];
  unsigned n;

  template <class Map> void add(const Map &map) {
    maps[n] = header(map);
    types[n++] = header(map)->extra->type;
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(maps_that_are_created) {
  tracer::shared<made> told;
  std::vector<event> events;
  tracer::process child([&] {
    const int_map earlier = filled(20);
    tracer::checkpoint();
    const int_map never; // has no hmap, so nothing is created
    const int_map empty(0);
    int_map written;
    written[1] = 1; // created by its first write
    told->add(written);
    const int_map hinted(1000);
    told->add(hinted);
    mapscope::map<std::string, int> strings;
    strings.reserve(27);
    strings.reserve(1000); // is there already
    told->add(strings);
    int_map copy = earlier;
    told->add(copy);
    int_map moved = std::move(copy);
    moved.clear();
    moved[1] = 1;
    std::swap(moved, written);
    const int_map copy_of_nothing = never;
    copy[1] = 1; // anew: what it had has moved away
    told->add(copy);
  });
  child.at_checkpoint = [&] { child.arm(4, on(MAPSCOPE_EVENT_CREATE)); };
  child.at_stop = [&](const event &e) {
    events.push_back(e);
    const auto h = child.read<mapscope::hmap>(reinterpret_cast<uintptr_t>(e.map));
    BOOST_TEST(e.event == uint32_t{MAPSCOPE_EVENT_CREATE});
    BOOST_TEST(e.slots == 0x10U);
    BOOST_TEST(e.thread == static_cast<uint32_t>(child.pid()));
    BOOST_TEST(e.bucket == MAPSCOPE_NO_BUCKET);
    BOOST_TEST(e.buckets == uint64_t{1} << h.B);
    BOOST_TEST(e.old_buckets == 0U);
    BOOST_TEST(e.kind == uint32_t{MAPSCOPE_GROWTH_NONE});
    BOOST_TEST(e.flags == 0U);
    BOOST_TEST(e.count == 0U);
    BOOST_TEST(h.count == 0U);
    BOOST_TEST(child.read<mapscope::mapextra>(reinterpret_cast<uintptr_t>(h.extra)).type == e.type);
    BOOST_TEST(registered(child, e.map));
  };
  BOOST_TEST(child.run() == 0);
  // Hint and buckets: 6.5 entries for each, or up to 8 in one.
  const std::vector<std::pair<uint64_t, uint64_t>> expected{
      {0, 1}, {1000, 256}, {27, 8}, {20, 4}, {0, 1}};
  BOOST_REQUIRE(events.size() == expected.size());
  BOOST_REQUIRE(told->n == expected.size());
  for (size_t i = 0; i < events.size(); i++) {
    BOOST_TEST(events[i].map == told->maps[i]);
    BOOST_TEST(events[i].type == told->types[i]);
    BOOST_TEST(events[i].hint == expected[i].first);
    BOOST_TEST(events[i].buckets == expected[i].second);
  }
}

BOOST_AUTO_TEST_CASE(progress_in_buckets_and_in_parts) {
  struct wanted {
    uint64_t progress;
    uint32_t conditions;
    uint64_t evacuated; // of 256 when it stops
  };
  for (const wanted &w : {wanted{50, 0, 50}, wanted{0, 0, 1}, wanted{256, 0, 256},
                          wanted{257, 0, 0}, wanted{500000, MAPSCOPE_PROGRESS_MILLIONTHS, 128},
                          wanted{1000000, MAPSCOPE_PROGRESS_MILLIONTHS, 256},
                          wanted{24000, MAPSCOPE_PROGRESS_MILLIONTHS, 7}, // 6.144 buckets
                          wanted{1, MAPSCOPE_PROGRESS_MILLIONTHS, 1}}) {
    for (const bool one_map : {true, false}) {
      tracer::shared<note> told;
      const auto events = stops_of(
          [&] {
            int_map map = growing(256);
            tell(map, *told);
            while (header(map)->oldbuckets != nullptr) {
              map.erase(~uint64_t{0});
            }
          },
          [&](tracer::process &child, unsigned) {
            auto stop = on(MAPSCOPE_EVENT_PROGRESS, one_map ? told->map : nullptr, w.conditions);
            stop.progress = w.progress;
            child.arm(0, stop);
          });
      // growing() returns when two of the buckets are moved.
      const uint64_t first = one_map && w.evacuated != 0 ? 3 : w.evacuated;
      if (w.evacuated == 0 || (!one_map && w.evacuated <= 2)) {
        BOOST_TEST(events.empty());
      } else {
        BOOST_REQUIRE(events.size() == 1U);
        BOOST_TEST(events[0].evacuated == std::max(first, w.evacuated));
        BOOST_TEST(events[0].old_buckets == 256U);
      }
    }
  }
}

// Armed when the number is passed already, and again later in the same
// migration; and then once in each of the next.
BOOST_AUTO_TEST_CASE(progress_once_in_each_migration) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map map = growing(64);
        while (header(map)->nevacuate < 40) {
          map.erase(~uint64_t{0});
        }
        tell(map, *told);
        map.erase(~uint64_t{0});
        map.erase(~uint64_t{0});
        tracer::checkpoint();
        for (uint64_t i = 0; map.bucket_count() != 512; i++) {
          map[i] = i;
        }
      },
      [&](tracer::process &child, unsigned) {
        auto stop = on(MAPSCOPE_EVENT_PROGRESS, told->map);
        stop.progress = 10;
        child.arm(0, stop);
      });
  BOOST_REQUIRE(events.size() == 3U);
  BOOST_TEST(events[0].old_buckets == 64U);
  BOOST_TEST(events[1].old_buckets == 64U);
  BOOST_TEST(events[1].evacuated > events[0].evacuated);
  BOOST_TEST(events[2].old_buckets == 128U);
  BOOST_TEST(events[2].evacuated == 10U);
}

BOOST_AUTO_TEST_CASE(ignore_and_once) {
  tracer::shared<note> told;
  tracer::process child([&] {
    int_map map{{1, 1}};
    tell(map, *told);
    for (uint64_t i = 0; i < 100; i++) {
      map[i] = i;
    }
    tracer::checkpoint();
  });
  unsigned checkpoint = 0;
  child.at_checkpoint = [&] {
    if (checkpoint++ == 0) {
      auto stop = on(MAPSCOPE_EVENT_ASSIGN, told->map);
      stop.ignore = 90;
      child.arm(0, stop);
      stop.conditions |= MAPSCOPE_STOP_ONCE;
      stop.ignore = 5;
      child.arm(7, stop);
      BOOST_TEST(child.armed_slots() == 0x81U);
      return;
    }
    BOOST_TEST(child.hits(0) == 100U);
    BOOST_TEST(child.ignore(0) == 0U);
    BOOST_TEST(child.hits(7) == 6U);
    BOOST_TEST(child.events(7) == 0U);
    BOOST_TEST(child.events(0) == uint32_t{MAPSCOPE_EVENT_ASSIGN});
    BOOST_TEST(child.armed() == uint32_t{MAPSCOPE_EVENT_ASSIGN});
    BOOST_TEST(child.armed_slots() == 1U);
  };
  std::vector<uint64_t> keys;
  std::vector<uint32_t> slots;
  child.at_stop = [&](const event &e) {
    keys.push_back(child.read<uint64_t>(reinterpret_cast<uintptr_t>(e.key)));
    slots.push_back(e.slots);
    if (e.slots == 0x80) {
      BOOST_TEST(child.events(7) == 0U); // already when it stops
      BOOST_TEST(e.slot == 7U);
    }
  };
  BOOST_TEST(child.run() == 0);
  std::vector<uint64_t> expected{5};
  std::vector<uint32_t> expected_slots{0x80};
  for (uint64_t i = 90; i < 100; i++) {
    expected.push_back(i);
    expected_slots.push_back(1);
  }
  BOOST_TEST(keys == expected, boost::test_tools::per_element());
  BOOST_TEST(slots == expected_slots, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(slots_that_match_together_stop_once) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map map{{1, 1}};
        tell(map, *told);
        map[2] = 2;
      },
      [&](tracer::process &child, unsigned) {
        child.arm(2, on(MAPSCOPE_EVENT_ASSIGN, told->map));
        child.arm(5, on(MAPSCOPE_EVENT_ASSIGN | MAPSCOPE_EVENT_GROW));
        child.arm(9, on(MAPSCOPE_EVENT_GROW, told->map));
      });
  BOOST_REQUIRE(events.size() == 1U);
  BOOST_TEST(events[0].slots == 0x24U);
  BOOST_TEST(events[0].slot == 2U);
}

BOOST_AUTO_TEST_CASE(one_thread) {
  tracer::shared<note> told;
  std::vector<event> events;
  tracer::process child([&] {
    std::array<int_map, 2> maps;
    std::atomic<bool> armed = false;
    std::thread second([&] {
      told->thread = static_cast<uint64_t>(syscall(SYS_gettid));
      tracer::checkpoint();
      armed = true;
      for (uint64_t i = 0; i < 50; i++) {
        maps[1][i] = i;
      }
    });
    while (!armed) {
      std::this_thread::yield();
    }
    for (uint64_t i = 0; i < 50; i++) {
      maps[0][i] = i;
    }
    second.join();
    told->map = header(maps[1]);
  });
  child.at_checkpoint = [&] {
    auto stop = on(MAPSCOPE_EVENT_ASSIGN);
    stop.thread = static_cast<uint32_t>(told->thread);
    BOOST_TEST(child.thread() == static_cast<pid_t>(told->thread));
    child.arm(0, stop);
  };
  child.at_stop = [&](const event &e) { events.push_back(e); };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(events.size() == 50U);
  BOOST_TEST(told->thread != static_cast<uint64_t>(child.pid()));
  for (const event &e : events) {
    BOOST_REQUIRE(e.map == told->map);
    BOOST_REQUIRE(e.thread == told->thread);
  }
}

BOOST_AUTO_TEST_CASE(clear_and_destroy_abandon_a_migration) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map other{{1, 1}};
        int_map map = growing(64);
        tell(map, *told);
        map.clear();
        map.clear(); // of nothing: no event
        for (uint64_t i = 0; map.bucket_count() != 256; i++) {
          map[i] = i;
        }
        { const int_map gone = std::move(map); }
        tracer::checkpoint();
        other.clear();
      },
      [&](tracer::process &child, unsigned checkpoint) {
        if (checkpoint == 0) {
          child.arm(0,
                    on(MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_DONE | MAPSCOPE_EVENT_CLEAR |
                           MAPSCOPE_EVENT_DESTROY | MAPSCOPE_EVENT_RESEED | MAPSCOPE_EVENT_DELETE,
                       told->map));
          return;
        }
        // Disarmed, and it says why.
        BOOST_TEST(child.armed() == 0U);
        BOOST_TEST(child.events(0) == 0U);
        BOOST_TEST((child.conditions(0) & MAPSCOPE_MAP_GONE) != 0);
      });
  const std::vector<uint32_t> expected{MAPSCOPE_EVENT_CLEAR, MAPSCOPE_EVENT_RESEED,
                                       MAPSCOPE_EVENT_DONE,  MAPSCOPE_EVENT_GROW,
                                       MAPSCOPE_EVENT_DONE,  MAPSCOPE_EVENT_DESTROY};
  BOOST_REQUIRE(kinds_of(events) == expected);
  BOOST_TEST(events[0].count > 0U);
  BOOST_TEST(events[0].flags == uint32_t{MAPSCOPE_FLAG_MIGRATING});
  BOOST_TEST(events[2].flags == uint32_t{MAPSCOPE_FLAG_BY_CLEAR});
  BOOST_TEST(events[2].count == 0U);
  BOOST_TEST(events[2].old_buckets == 64U);
  BOOST_TEST(events[2].evacuated < 64U);
  BOOST_TEST(events[3].old_buckets == 128U);
  BOOST_TEST(events[4].flags == uint32_t{MAPSCOPE_FLAG_BY_DESTROY | MAPSCOPE_FLAG_MIGRATING});
  BOOST_TEST(events[4].old_buckets == 128U);
}

// The other end that a migration may have without being done: the map was
// emptied entry by entry, and reserve() takes a new array.
BOOST_AUTO_TEST_CASE(reserve_abandons_a_migration_of_nothing) {
  struct same_number {
    uint64_t operator()(uint64_t key, uint32_t) const { return key; } // seeded: not mixed
  };
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        mapscope::map<uint64_t, int, same_number> map(104);
        map[0] = 0;
        tell(map, *told);
        // An overflow bucket for each of the 16 buckets, then nothing in it.
        for (uint64_t bucket = 0; bucket < 16; bucket++) {
          for (uint64_t i = 0; i < 9; i++) {
            map[16 * i + bucket] = 1;
          }
          for (uint64_t i = 0; i < 9; i++) {
            map.erase(16 * i + bucket);
          }
        }
        map[1] = 1;
        map.erase(1);
        told->flag = header(map)->oldbuckets != nullptr && map.empty();
        map.clear(); // of nothing
        told->flag = told->flag && header(map)->oldbuckets != nullptr;
        map.reserve(1000);
        told->number = map.bucket_count();
      },
      [&](tracer::process &child, unsigned) {
        child.arm(0,
                  on(MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_DONE | MAPSCOPE_EVENT_CLEAR, told->map));
      });
  BOOST_TEST(told->flag);
  BOOST_TEST(told->number == 256U);
  const std::vector<uint32_t> expected{MAPSCOPE_EVENT_GROW, MAPSCOPE_EVENT_DONE};
  BOOST_REQUIRE(kinds_of(events) == expected);
  BOOST_TEST(events[0].kind == uint32_t{MAPSCOPE_GROWTH_SAME_SIZE});
  BOOST_TEST(events[1].kind == uint32_t{MAPSCOPE_GROWTH_SAME_SIZE});
  BOOST_TEST(events[1].flags == uint32_t{MAPSCOPE_FLAG_BY_CLEAR});
  BOOST_TEST(events[1].old_buckets == 16U);
  BOOST_TEST(events[1].evacuated < 16U);
}

// Emptied by erasing: a new seed, so that a debugger computes the hash anew.
BOOST_AUTO_TEST_CASE(a_new_seed_is_told) {
  tracer::shared<note> told;
  uint32_t seed = 0;
  tracer::process child([&] {
    int_map map{{1, 1}};
    tell(map, *told);
    map.erase(1);
    told->number = header(map)->hash0;
  });
  child.at_checkpoint = [&] { child.arm(0, on(MAPSCOPE_EVENT_RESEED, told->map)); };
  child.at_stop = [&](const event &e) {
    seed = child.read<mapscope::hmap>(reinterpret_cast<uintptr_t>(e.map)).hash0;
  };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(seed == told->number);
}

BOOST_AUTO_TEST_CASE(reserve_grows_and_clears_nothing) {
  tracer::shared<note> told;
  const auto events = stops_of(
      [&] {
        int_map map = filled(100);
        tell(map, *told);
        map.reserve(1000); // two growths, 16 to 64 buckets, at once ...
        told->number = map.bucket_count();
        while (!map.empty()) {
          map.erase(map.begin()->first);
        }
        map.reserve(100000); // ... and a new array: no growth
      },
      [&](tracer::process &child, unsigned) {
        child.arm(0,
                  on(MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_DONE | MAPSCOPE_EVENT_CLEAR, told->map));
      });
  uint64_t grows = 0;
  for (const event &e : events) {
    BOOST_TEST(e.event != uint32_t{MAPSCOPE_EVENT_CLEAR});
    grows += e.event == MAPSCOPE_EVENT_GROW ? 1 : 0;
  }
  BOOST_TEST(events.size() == 2 * grows);
  BOOST_TEST((uint64_t{16} << grows) == told->number);
}

// Two threads write one map: told before the handler runs, and of that map only.
BOOST_AUTO_TEST_CASE(a_race_is_told_before_the_handler) {
  tracer::shared<note> told;
  static note *handler_note;
  handler_note = &*told;
  tracer::process child([&] {
    int_map innocent{{1, 1}};
    int_map map{{1, 1}};
    mapscope::set_fatal_handler([](const char *) {
      handler_note->flag = true;
      _exit(7);
    });
    tell(map, *told);
    innocent[1] = 2;
    header(map)->flags |= MAPSCOPE_HASH_WRITING; // as if another thread wrote
    innocent[1] = 3;
    map[1] = 2;
  });
  child.at_checkpoint = [&] { child.arm(0, on(MAPSCOPE_EVENT_RACE)); };
  unsigned races = 0;
  child.at_stop = [&](const event &e) {
    races++;
    BOOST_TEST(e.event == uint32_t{MAPSCOPE_EVENT_RACE});
    BOOST_TEST(e.map == told->map);
    BOOST_TEST(!told->flag);
    std::string message(22, '\0');
    child.read(reinterpret_cast<uintptr_t>(e.message), message.data(), message.size());
    BOOST_TEST(message == "concurrent map writes\0"s);
  };
  const int status = child.run();
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  BOOST_TEST(races == 1U);
  BOOST_TEST(told->flag);
}

BOOST_AUTO_TEST_CASE(reads_and_iterations_in_a_race_are_told_too) {
  for (const bool iterate : {false, true}) {
    tracer::shared<note> told;
    tracer::process child([&] {
      int_map map{{1, 1}};
      mapscope::set_fatal_handler([](const char *) { _exit(7); });
      tell(map, *told);
      header(map)->flags |= MAPSCOPE_HASH_WRITING;
      if (iterate) {
        told->flag = map.begin() != map.end();
      } else {
        told->flag = map.contains(1);
      }
    });
    child.at_checkpoint = [&] { child.arm(0, on(MAPSCOPE_EVENT_RACE, told->map)); };
    std::string message;
    child.at_stop = [&](const event &e) {
      char text[64] = {};
      child.read(reinterpret_cast<uintptr_t>(e.message), text, 42);
      message = text;
    };
    const int status = child.run();
    BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 7));
    BOOST_TEST(message.starts_with(iterate ? "concurrent map iteration and map write"
                                           : "concurrent map read and map write"));
  }
}

// A debugger that goes without disarming leaves a program that runs on, at full
// speed from its first match.
BOOST_AUTO_TEST_CASE(a_debugger_that_is_gone) {
  tracer::shared<note> told;
  tracer::process child([&] {
    int_map map{{1, 1}};
    tell(map, *told);
    for (uint64_t i = 0; i < 10000; i++) {
      map[i] = i;
    }
    told->number = map.size();
    told->flag = mapscope_stop_filter.armed == 0 && mapscope_stop_filter.armed_slots == 0 &&
                 mapscope_stop_filter.slots[0].events == 0 &&
                 mapscope_stop_filter.slots[15].events == 0;
  });
  child.at_checkpoint = [&] {
    child.arm(0, on(MAPSCOPE_EVENT_EVACUATE, told->map));
    child.arm(15, on(MAPSCOPE_EVENT_ASSIGN));
  };
  unsigned stops = 0;
  child.at_stop = [&](const event &) {
    if (++stops == 100) {
      child.let_go();
    }
  };
  BOOST_TEST(child.run() == 0);
  BOOST_TEST(stops == 100U);
  BOOST_TEST(told->number == 10000U);
  BOOST_TEST(told->flag);
}

// In this process, which nobody traces (unless somebody debugs the tests).
BOOST_AUTO_TEST_CASE(nobody_traces) {
  int_map map{{1, 1}};
  {
    const armed_here armed(on(MAPSCOPE_EVENT_ASSIGN, header(map)), true);
    errno = 55;
    map[1] = 2;
    BOOST_TEST(armed_here::hits() == 1U);
    BOOST_TEST(mapscope_stop_filter.armed == uint32_t{MAPSCOPE_EVENT_ASSIGN});
    BOOST_TEST(errno == 55);
  }
  if (traced_now()) {
    return;
  }
  const armed_here armed(on(MAPSCOPE_EVENT_ASSIGN, header(map)), false);
  int_map other{{1, 1}};
  other[1] = 2; // no match: nobody looks
  BOOST_TEST(mapscope_stop_filter.armed == uint32_t{MAPSCOPE_EVENT_ASSIGN});
  errno = 55;
  map[1] = 2;
  BOOST_TEST(errno == 55);
  BOOST_TEST(map.at(1) == 2U);
  BOOST_TEST(mapscope_stop_filter.armed == 0U);
  BOOST_TEST(mapscope_stop_filter.armed_slots == 0U);
  BOOST_TEST(mapscope_stop_filter.slots[0].events == 0U);
}

// A stop changes nothing of what the program computes: the same map to the byte,
// and the same exceptions.
BOOST_AUTO_TEST_CASE(nothing_changes) {
  const auto run = [] {
    const support::fixed_seed seed(5);
    support::random random(6);
    std::string all;
    mapscope::map<uint64_t, std::string> map;
    for (int i = 0; i < 20000; i++) {
      const uint64_t key = support::below(random, 3000);
      switch (support::below(random, 5)) {
      case 0:
        map.erase(key);
        break;
      case 1:
        if (auto it = map.find(key); it != map.end()) {
          map.erase(it);
        }
        break;
      case 2:
        if (support::below(random, 2000) == 0) {
          map.clear();
        }
        break;
      default:
        map[key] = std::to_string(i);
      }
    }
    all = std::to_string(header(map)->B) + " " + std::to_string(header(map)->noverflow) + " " +
          std::to_string(header(map)->nevacuate);
    for (const auto &[key, value] : map) { // in the order of the buckets
      all += " " + std::to_string(key) + "=" + value;
    }
    return all;
  };
  const std::string free = run();
  const armed_here armed(on(~0U), true);
  BOOST_TEST(run() == free);
  BOOST_TEST(armed_here::hits() > 10000U);
}

namespace {
struct failing_hash {
  size_t operator()(uint64_t key) const {
    support::countdown::tick();
    return key * 0x9e3779b97f4a7c15;
  }
};
} // namespace

// erase(iterator) does not hash; that a debugger asks for it must not throw.
BOOST_AUTO_TEST_CASE(a_throwing_hash_is_not_the_debuggers) {
  mapscope::map<uint64_t, int, failing_hash> map{{1, 1}, {2, 2}};
  auto wanted = on(MAPSCOPE_EVENT_DELETE, header(map), MAPSCOPE_IF_KEY_HASH);
  const armed_here armed(wanted, true);
  const auto it = map.find(1);
  support::countdown::left = 0;
  map.erase(it);
  support::countdown::off();
  BOOST_TEST(map.size() == 1U);
  BOOST_TEST(armed_here::hits() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

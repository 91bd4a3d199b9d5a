// SPDX-License-Identifier: MIT
//
// A program that debugs itself: a child fills two maps, its parent stops it at
// the events of one of them through the stop filter. stop_builds.sh builds it
// in every way that a library may be built. Exits with 0 if all events came.
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <mapscope/map.hpp>

#include "tracer.hpp"

namespace {

struct note {
  const mapscope::hmap *map;
};

void fill(note &told) {
  mapscope::map<unsigned, unsigned> map;
  mapscope::map<unsigned, unsigned> other;
  map.reserve(1);
  std::memcpy(&told.map, static_cast<const void *>(&map), sizeof told.map);
  tracer::checkpoint();
  for (unsigned i = 0; i < 100; i++) {
    map[i] = i;
    other[i] = i;
  }
  map.erase(5);
}

} // namespace

// One more empty function: a linker that merges equal ones must not merge the
// hook with it.
[[gnu::noinline]] void empty(const mapscope::event *event) {
  asm volatile("" : : "r"(event) : "memory");
}

int main() {
  if (abi_table::address("stop_filter") == 0 || abi_table::address("stop_hook") == 0) {
    std::puts("no stop filter");
    return 3;
  }
  tracer::shared<note> told;
  tracer::process child([&] {
    empty(nullptr);
    fill(*told);
  });
  child.at_checkpoint = [&] {
    tracer::stop wanted;
    wanted.events = MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_EVACUATE | MAPSCOPE_EVENT_DONE |
                    MAPSCOPE_EVENT_EVACUATED | MAPSCOPE_EVENT_ASSIGN | MAPSCOPE_EVENT_DELETE;
    wanted.conditions = MAPSCOPE_IF_MAP;
    wanted.map = reinterpret_cast<uintptr_t>(told->map);
    child.arm(0, wanted);
    tracer::stop created;
    created.events = MAPSCOPE_EVENT_CREATE;
    child.arm(1, created);
  };
  unsigned seen[32] = {};
  unsigned wrong = 0;
  uint64_t moved = 0;
  child.at_stop = [&](const mapscope::event &e) {
    seen[std::countr_zero(e.event)]++;
    // Only `other` is created while somebody waits for that.
    wrong += (e.map == told->map) == (e.event != MAPSCOPE_EVENT_CREATE) ? 0 : 1;
    moved += e.moved_x + e.moved_y;
  };
  const int status = child.run();
  std::printf("status %d, wrong %u, create %u, grow %u, evacuate %u, evacuated %u (%llu moved), "
              "done %u, assign %u, delete %u\n",
              status, wrong, seen[11], seen[0], seen[1], seen[10],
              static_cast<unsigned long long>(moved), seen[3], seen[4], seen[5]);
  // Doublings on inserts 9, 14, 27 and 53, of 1, 2, 4 and 8 buckets, which hold
  // 8, 13, 26 and 52 entries then.
  const bool right = status == 0 && wrong == 0 && seen[11] == 1 && seen[0] == 4 && seen[1] == 15 &&
                     seen[10] == 15 && moved == 99 && seen[3] == 4 && seen[4] == 100 &&
                     seen[5] == 1;
  return right ? 0 : 1;
}

// SPDX-License-Identifier: MIT
//
// Fills four maps side by side, to 1,000,000 entries each: what a stop at one
// of them costs the whole program.
//
//   stops_four_maps
//
// prints "took WALL CPU ARMING": nanoseconds. WALL, of the clock on the wall,
// and CPU, of this process, are of all assignments; ARMING, of the clock on the
// wall, is what a debugger took at checkpoint.
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include <mapscope/map.hpp>

using int_map = mapscope::map<uint64_t, uint64_t>;

int_map first;
int_map second;
int_map third;
int_map fourth;

constexpr uint64_t entries = 1'000'000;

// Where a debugger looks the maps up (--at), and where it looks once more at
// the end.
[[gnu::noinline]] void checkpoint() { asm volatile("" : : : "memory"); }
[[gnu::noinline]] void finished() { asm volatile("" : : : "memory"); }

int64_t cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t wall_nanoseconds() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int main() {
  int_map *const maps[] = {&first, &second, &third, &fourth};
  for (int_map *m : maps) {
    (*m)[0] = 0;
  }
  const int64_t before = wall_nanoseconds();
  checkpoint();
  const int64_t wall = wall_nanoseconds();
  const int64_t cpu = cpu_nanoseconds();
  for (uint64_t i = 1; i < entries; i++) {
    for (int_map *m : maps) {
      (*m)[i * 0x9e3779b97f4a7c15] = i;
    }
  }
  const int64_t cpu_taken = cpu_nanoseconds() - cpu;
  const int64_t wall_taken = wall_nanoseconds() - wall;
  finished();
  std::printf("took %" PRId64 " %" PRId64 " %" PRId64 "\n", wall_taken, cpu_taken, wall - before);
  return first.size() == entries && fourth.size() == entries ? 0 : 1;
}

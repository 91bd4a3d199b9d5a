// SPDX-License-Identifier: MIT
//
// One assignment after another to a map that no debugger waits for, and then a
// single one to the map that it does wait for: what a stop costs where it does
// not stop, and whether it stops where it should.
//
//   stops_assign COUNT
//
// prints "took WALL CPU": nanoseconds, of the clock on the wall and of this
// process, for all of the COUNT assignments together.
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <mapscope/map.hpp>

using int_map = mapscope::map<uint64_t, uint64_t>;

int_map watched;
int_map other;

constexpr uint64_t entries = 1024; // a power of 2: the loop divides by nothing

// mapassign is inlined into what calls operator[]. This is a function of its
// own, so that a debugger can put a breakpoint on every assignment.
[[gnu::noinline]] void assign_to_map(int_map &m, uint64_t key, uint64_t value) { m[key] = value; }

// Where a debugger sets its stops: both maps are there and do not grow any more.
[[gnu::noinline]] void checkpoint() { asm volatile("" : : : "memory"); }

int64_t cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t wall_nanoseconds() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int main(int argc, char **argv) {
  const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  for (uint64_t key = 0; key < entries; key++) {
    watched[key] = key;
    other[key] = key;
  }
  checkpoint();
  const int64_t wall = wall_nanoseconds();
  const int64_t cpu = cpu_nanoseconds();
  for (uint64_t i = 0; i < count; i++) {
    assign_to_map(other, i % entries, i);
  }
  const int64_t cpu_taken = cpu_nanoseconds() - cpu;
  const int64_t wall_taken = wall_nanoseconds() - wall;
  assign_to_map(watched, 0, 1);
  std::printf("took %" PRId64 " %" PRId64 "\n", wall_taken, cpu_taken);
  return 0;
}

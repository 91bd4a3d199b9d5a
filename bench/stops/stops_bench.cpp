// SPDX-License-Identifier: MIT
//
// What the stop filter costs a program, for each assignment. Built twice: as
// stops_bench, and as stops_bench_no_debug with the library and the templates
// compiled without debug support. Every benchmark is named
// operation/filter/entries, and one iteration of it is so many assignments:
//
//   insert      into an empty map, with all its growths
//   overwrite   of entries that are there, in random order
//
//   off         nothing armed
//   other       one slot armed for assignments to another map
//   growth      one slot armed for all events of another map's growths
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <mapscope/map.hpp>

namespace {

using int_map = mapscope::map<uint64_t, uint64_t>;

// A bijection of the 64-bit integers: keys all different, in random order.
uint64_t splitmix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

std::vector<uint64_t> keys(uint64_t n) {
  std::vector<uint64_t> all(n);
  for (uint64_t i = 0; i < n; i++) {
    all[i] = splitmix(i);
  }
  return all;
}

// What a debugger does, done here: the filter armed for a map that is never
// written to again.
class filter_for_another_map {
public:
  explicit filter_for_another_map(uint32_t events) {
    other_[1] = 1;
    if (events == 0) {
      return;
    }
    mapscope::stop_slot &slot = mapscope_stop_filter.slots[0];
    slot.conditions = MAPSCOPE_IF_MAP;
    slot.map = reinterpret_cast<uintptr_t>(*reinterpret_cast<mapscope::hmap **>(&other_));
    slot.events = events;
    mapscope_stop_filter.only_map = slot.map;
    mapscope_stop_filter.armed_slots = 1;
    mapscope_stop_filter.armed = events;
  }
  filter_for_another_map(const filter_for_another_map &) = delete;
  filter_for_another_map &operator=(const filter_for_another_map &) = delete;
  ~filter_for_another_map() {
    mapscope_stop_filter.armed = 0;
    mapscope_stop_filter.armed_slots = 0;
    mapscope_stop_filter.only_map = 0;
    mapscope_stop_filter.slots[0] = {};
  }

private:
  int_map other_;
};

void insert(benchmark::State &state, uint32_t events) {
  const auto all = keys(static_cast<uint64_t>(state.range(0)));
  const filter_for_another_map filter(events);
  for (auto _ : state) {
    int_map map;
    uint64_t i = 0;
    for (const uint64_t key : all) {
      map[key] = i++;
    }
    benchmark::DoNotOptimize(map.size());
    state.PauseTiming();
    { const int_map gone = std::move(map); }
    state.ResumeTiming();
  }
}

void overwrite(benchmark::State &state, uint32_t events) {
  auto all = keys(static_cast<uint64_t>(state.range(0)));
  int_map map;
  for (const uint64_t key : all) {
    map[key] = key;
  }
  std::shuffle(all.begin(), all.end(),
               std::mt19937_64(1)); // NOLINT(bugprone-random-generator-seed)
  const filter_for_another_map filter(events);
  for (auto _ : state) {
    uint64_t i = 0;
    for (const uint64_t key : all) {
      map[key] = i++;
    }
    benchmark::DoNotOptimize(map.size());
  }
}

void add(const std::string &operation, void (*function)(benchmark::State &, uint32_t)) {
  struct setting {
    const char *name;
    uint32_t events;
  };
  for (const setting &s : {setting{"off", 0}, setting{"other", MAPSCOPE_EVENT_ASSIGN},
                           setting{"growth", MAPSCOPE_EVENT_GROW | MAPSCOPE_EVENT_EVACUATE |
                                                 MAPSCOPE_EVENT_PROGRESS | MAPSCOPE_EVENT_DONE}}) {
    benchmark::RegisterBenchmark(
        (operation + "/" + s.name).c_str(),
        [function, events = s.events](benchmark::State &state) { function(state, events); })
        ->Arg(1000)
        ->Arg(100000)
        ->Arg(1000000)
        ->Unit(benchmark::kNanosecond);
  }
}

} // namespace

int main(int argc, char **argv) {
  add("insert", insert);
  add("overwrite", overwrite);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

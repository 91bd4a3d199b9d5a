// SPDX-License-Identifier: MIT
//
// How fast a map is, beside std::unordered_map; run.py puts Go's map beside
// both. Every benchmark is named operation/key/map/entries, and one iteration
// of it handles all entries.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <benchmark/benchmark.h>

#include <mapscope/debug.hpp>
#include <mapscope/map.hpp>

namespace {

// A bijection of the 64-bit integers: keys that are all different and in random
// order, the same as in go/map_test.go.
uint64_t splitmix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

template <class K> K make_key(uint64_t x);
template <> uint64_t make_key(uint64_t x) { return x; }
// 20 or 21 characters: too long for the buffer inside a std::string.
template <> std::string make_key(uint64_t x) { return std::to_string(x | uint64_t{1} << 63) + "k"; }

template <class K> std::vector<K> keys(uint64_t n, uint64_t first) {
  std::vector<K> all;
  all.reserve(n);
  for (uint64_t i = 0; i < n; i++) {
    all.push_back(make_key<K>(splitmix(first + i)));
  }
  return all;
}

template <class K> std::vector<K> shuffled_keys(uint64_t n, uint64_t first) {
  std::vector<K> all = keys<K>(n, first);
  std::shuffle(all.begin(), all.end(),
               std::mt19937_64(1)); // NOLINT(bugprone-random-generator-seed)
  return all;
}

constexpr uint64_t absent = uint64_t{1} << 40;

template <class Map> using key_of = typename Map::key_type;

template <class Map> void fill(Map &map, const std::vector<key_of<Map>> &all) {
  uint64_t i = 0;
  for (const auto &key : all) {
    map[key] = i++;
  }
}

uint64_t entries(const benchmark::State &state) { return static_cast<uint64_t>(state.range(0)); }

template <class Map> void insert(benchmark::State &state) {
  const auto all = keys<key_of<Map>>(entries(state), 0);
  for (auto _ : state) {
    Map map;
    fill(map, all);
    benchmark::DoNotOptimize(map.size());
    state.PauseTiming();
    { const Map gone = std::move(map); }
    state.ResumeTiming();
  }
}

template <class Map> void overwrite(benchmark::State &state) {
  Map map;
  fill(map, keys<key_of<Map>>(entries(state), 0));
  const auto some = shuffled_keys<key_of<Map>>(entries(state), 0);
  for (auto _ : state) {
    uint64_t i = 0;
    for (const auto &key : some) {
      map[key] = i++;
    }
  }
}

template <class Map> void look_up(benchmark::State &state, uint64_t first) {
  Map map;
  fill(map, keys<key_of<Map>>(entries(state), 0));
  const auto some = shuffled_keys<key_of<Map>>(entries(state), first);
  for (auto _ : state) {
    uint64_t sum = 0;
    for (const auto &key : some) {
      if (const auto it = map.find(key); it != map.end()) {
        sum += it->second;
      }
    }
    benchmark::DoNotOptimize(sum);
  }
}

template <class Map> void hit(benchmark::State &state) { look_up<Map>(state, 0); }
template <class Map> void miss(benchmark::State &state) { look_up<Map>(state, absent); }

template <class Map> void erase(benchmark::State &state) {
  const auto all = keys<key_of<Map>>(entries(state), 0);
  const auto some = shuffled_keys<key_of<Map>>(entries(state), 0);
  for (auto _ : state) {
    state.PauseTiming();
    {
      Map map;
      fill(map, all);
      state.ResumeTiming();
      for (const auto &key : some) {
        map.erase(key);
      }
      state.PauseTiming();
    }
    state.ResumeTiming();
  }
}

template <class Map> void iterate(benchmark::State &state) {
  Map map;
  fill(map, keys<key_of<Map>>(entries(state), 0));
  for (auto _ : state) {
    uint64_t sum = 0;
    for (const auto &[key, value] : map) {
      sum += value;
    }
    benchmark::DoNotOptimize(sum);
  }
}

// Maps made and destroyed, in each of the threads.
template <class Map> void create(benchmark::State &state) {
  for (auto _ : state) {
    Map map;
    for (uint64_t i = 0; i < entries(state); i++) {
      map[i] = 1;
    }
    benchmark::DoNotOptimize(map.size());
  }
}

// What the calling thread has spent: other work on the machine does not count.
struct thread_clock {
  using duration = std::chrono::nanoseconds;
  static duration now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + duration(time.tv_nsec);
  }
};

// The longest single insert on the way to so many entries, as the time.
template <class Map> void longest(benchmark::State &state) {
  for (auto _ : state) {
    Map map;
    thread_clock::duration most{};
    for (uint64_t i = 0; i < entries(state); i++) {
      const uint64_t key = splitmix(i);
      const auto start = thread_clock::now();
      map[key] = i;
      most = std::max(most, thread_clock::now() - start);
    }
    state.SetIterationTime(std::chrono::duration<double>(most).count());
  }
}

// The longest single erase on the way from so many entries to none; mapscope's
// map gives memory back meanwhile.
template <class Map> void longest_erase(benchmark::State &state) {
  const auto all = shuffled_keys<uint64_t>(entries(state), 0);
  for (auto _ : state) {
    mapscope::set_mapdebug("shrinktrigger=1");
    Map map;
    fill(map, all);
    thread_clock::duration most{};
    for (const uint64_t key : all) {
      const auto start = thread_clock::now();
      map.erase(key);
      most = std::max(most, thread_clock::now() - start);
    }
    mapscope::set_mapdebug("");
    state.SetIterationTime(std::chrono::duration<double>(most).count());
  }
}

// What std::unordered_map needs for the same: erasing gives no bucket back.
void clear_and_rehash(benchmark::State &state) {
  for (auto _ : state) {
    std::unordered_map<uint64_t, uint64_t> map;
    fill(map, keys<uint64_t>(entries(state), 0));
    const auto start = thread_clock::now();
    map.clear();
    map.rehash(0);
    state.SetIterationTime(std::chrono::duration<double>(thread_clock::now() - start).count());
  }
}

template <class Map> void add(const std::string &key, const std::string &name) {
  const auto benchmark_of = [&](const char *operation, void (*function)(benchmark::State &)) {
    const std::string full = std::string(operation) + "/" + key + "/" + name;
    for (const int64_t n : {1000, 100000, 10000000}) {
      benchmark::RegisterBenchmark(full.c_str(), function)->Arg(n)->Unit(benchmark::kNanosecond);
    }
  };
  benchmark_of("insert", insert<Map>);
  benchmark_of("overwrite", overwrite<Map>);
  benchmark_of("hit", hit<Map>);
  benchmark_of("miss", miss<Map>);
  benchmark_of("erase", erase<Map>);
  benchmark_of("iterate", iterate<Map>);
}

template <class Map> void add_special(const std::string &name) {
  benchmark::RegisterBenchmark(("create/uint64/" + name).c_str(), create<Map>)
      ->Arg(1)
      ->Arg(100)
      ->Threads(8)
      ->UseRealTime();
  benchmark::RegisterBenchmark(("longest/uint64/" + name).c_str(), longest<Map>)
      ->Arg(10000000)
      ->UseManualTime()
      ->Iterations(1);
  benchmark::RegisterBenchmark(("longest_erase/uint64/" + name).c_str(), longest_erase<Map>)
      ->Arg(10000000)
      ->UseManualTime()
      ->Iterations(1);
}

} // namespace

int main(int argc, char **argv) {
  add<mapscope::map<uint64_t, uint64_t>>("uint64", "mapscope");
  add<std::unordered_map<uint64_t, uint64_t>>("uint64", "std");
  add<mapscope::map<std::string, uint64_t>>("string", "mapscope");
  add<std::unordered_map<std::string, uint64_t>>("string", "std");
  add_special<mapscope::map<uint64_t, uint64_t>>("mapscope");
  add_special<std::unordered_map<uint64_t, uint64_t>>("std");
  benchmark::RegisterBenchmark("clear_and_rehash/uint64/std", clear_and_rehash)
      ->Arg(10000000)
      ->UseManualTime()
      ->Iterations(1);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

// SPDX-License-Identifier: MIT
//
// Prints mapstats() twice: as a line of JSON, and as Prometheus text. For
// prometheus.py, which compares them.
#include <cinttypes>
#include <cstdio>
#include <string>

#include <mapscope/debug.hpp>
#include <mapscope/map.hpp>
#include <mapscope/stats.hpp>

int main() {
  mapscope::set_mapdebug("shrinktrigger=1");
  mapscope::map<uint64_t, uint64_t> numbers;
  for (uint64_t i = 0; i < 30000; i++) {
    numbers[i] = i;
  }
  for (uint64_t i = 0; i < 29000; i++) {
    numbers.erase(i);
  }
  mapscope::map<std::string, std::string> strings;
  for (unsigned i = 0; i < 1000; i++) {
    strings[std::to_string(i)] = "text";
  }
  strings.rebuild();
  for (unsigned i = 1000; i < 1700; i++) {
    strings[std::to_string(i)] = "text";
  }
  const mapscope::map_stats all = mapscope::mapstats();
  std::printf("{\"maps\": %" PRIu64 ", \"maps_growing\": %" PRIu64 ", \"entries\": %" PRIu64
              ", \"buckets\": %" PRIu64 ", \"overflow_buckets\": %" PRIu64
              ", \"load_factor\": %.6f, \"overflow_ratio\": %.6f, \"bytes\": %" PRIu64
              ", \"growths\": [%" PRIu64 ", %" PRIu64 ", %" PRIu64 "], \"rebuilds\": %" PRIu64
              ", \"evacuated\": %" PRIu64 ", \"created\": %" PRIu64 "}\n",
              all.maps, all.growing, all.entries, all.buckets, all.overflow_buckets,
              all.load_factor(), all.overflow_ratio(), all.bytes, all.growths,
              all.same_size_growths, all.shrinks, all.rebuilds, all.buckets_evacuated, all.created);
  std::fputs(all.prometheus().c_str(), stdout);
  return 0;
}

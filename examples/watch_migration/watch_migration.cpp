// SPDX-License-Identifier: MIT
//
// watch_migration lets a debugger watch one doubling from its start to its end.
//
// A map of 4,096 buckets is as full as it may be, 26,624 entries, when
// checkpoint() is reached: there is the place to say what to wait for. The next
// insert starts the doubling to 8,192 buckets; the 5,000 inserts that follow
// evacuate all old buckets. Another map grows and migrates beside it all the
// time, several times over: whoever waits for the first one is not to notice.
//
//   watch_migration
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>

#include <mapscope/map.hpp>

namespace {

constexpr int full = 26'624; // 6.5 for each of 4,096 buckets
constexpr int more = 5'000;

std::string key(int i) {
  char text[sizeof "session-00000"];
  std::snprintf(text, sizeof text, "session-%05d", i);
  return text;
}

} // namespace

// Where a debugger stops: `break checkpoint`. The empty statement keeps the
// compiler from dropping the call or its argument.
[[gnu::noinline]] void checkpoint(const mapscope::map<std::string, int> &m) {
  asm volatile("" : : "r"(&m) : "memory");
}

int main() {
  mapscope::set_seed(1); // the same buckets in every run
  mapscope::map<std::string, int> sessions;
  mapscope::map<uint64_t, int> visits;
  for (int i = 0; i < full; ++i) {
    sessions[key(i)] = i;
  }
  checkpoint(sessions);
  for (int i = full; i < full + more; ++i) {
    // A variable, so that the write is this line's alone also in optimised code.
    const std::string session = key(i);
    sessions[session] = i;
    for (uint64_t visit = 0; visit < 10; ++visit) {
      visits[uint64_t(i) * 10 + visit] = i;
    }
  }
  std::cout << sessions.size() << " sessions, " << visits.size() << " visits\n";
}

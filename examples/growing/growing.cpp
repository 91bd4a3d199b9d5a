// SPDX-License-Identifier: MIT
//
// growing stops in the middle of a doubling.
//
// A map of 4,096 buckets takes 26,624 entries (6.5 for each bucket). The
// 26,625th insert gives it 8,192 buckets, but moves nothing yet: from then on
// every write moves the old bucket that its own key belongs to, and the next
// one in order. At 27,000 entries, 376 writes have done so, and about 17 % of
// the old buckets are evacuated: five of six entries still live in the old
// array, the others in the new one, and the evacuated old buckets still hold
// bytes that look like entries.
//
//   growing [--truth FILE]
//
// FILE receives what the map must hold, one JSON object per line, sorted by
// key; it is written from what was inserted, never read from the map.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include <mapscope/map.hpp>

namespace {

constexpr int entries = 27'000;

// The i-th key; keys sort in the order of i.
std::string key(int i) {
  char text[sizeof "session-00000"];
  std::snprintf(text, sizeof text, "session-%05d", i);
  return text;
}

bool write_truth(const char *path) {
  std::ofstream out(path);
  for (int i = 0; i < entries; ++i) {
    out << R"({"key": ")" << key(i) << R"(", "value": )" << i << "}\n";
  }
  out.close();
  return !out.fail();
}

} // namespace

// Where a debugger stops: `break checkpoint`. The empty statement keeps the
// compiler from dropping the call or its argument.
[[gnu::noinline]] void checkpoint(const mapscope::map<std::string, int> &m) {
  asm volatile("" : : "r"(&m) : "memory");
}

int main(int argc, char **argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--truth") {
    if (!write_truth(argv[2])) {
      std::cerr << "growing: cannot write " << argv[2] << '\n';
      return 1;
    }
  } else if (argc != 1) {
    std::cerr << "usage: growing [--truth FILE]\n";
    return 2;
  }

  mapscope::set_seed(1); // the same buckets in every run
  mapscope::map<std::string, int> m;
  for (int i = 0; i < entries; ++i) {
    m[key(i)] = i;
  }
  checkpoint(m);
  std::cout << m.size() << " entries\n";
}

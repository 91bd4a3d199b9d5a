// SPDX-License-Identifier: MIT
//
// The library of late.cpp. Its map has 20 entries before dlopen is back.
#include <cstdint>

#include <mapscope/map.hpp>

namespace {

mapscope::map<int64_t, char> &numbers() {
  static mapscope::map<int64_t, char> map;
  return map;
}

} // namespace

extern "C" [[gnu::visibility("default")]] void late_fill(int n) {
  for (int i = 0; i < n; i++) {
    numbers()[i] = 'x';
  }
}

namespace {

const bool filled = (late_fill(20), true);

} // namespace

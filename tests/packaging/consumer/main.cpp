// SPDX-License-Identifier: MIT
//
// Uses a map from outside the project, and asks the library for its layout.
#include <cstring>
#include <iostream>
#include <string>

#include <mapscope/abi.h>
#include <mapscope/map.hpp>

int main() {
  mapscope::map<std::string, int> m;
  for (int i = 0; i < 1000; ++i) {
    m[std::to_string(i)] = i;
  }
  for (int i = 0; i < 1000; ++i) {
    if (m.at(std::to_string(i)) != i) {
      return 1;
    }
  }
  if (std::memcmp(mapscope_abi.magic, MAPSCOPE_MAGIC, sizeof mapscope_abi.magic) != 0) {
    return 1;
  }
  std::cout << "consumer: " << m.size() << " entries\n" << std::flush; // while the map is there
}

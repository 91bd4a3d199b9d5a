// SPDX-License-Identifier: MIT
// Maps whose types debug information only declares (built with -femit-struct-debug-baseonly): a
// local, a member reached through a pointer, a global of a type that is never defined.
#include <cstdio>
#include <mapscope/map.hpp>
#include <string>

struct unknown;
mapscope::map<int, unknown *> undefined;

namespace depot {
struct crate {
  int weight;
  std::string label;
};
} // namespace depot

[[gnu::noinline]] static void stop(const mapscope::map<std::string, depot::crate> &crates) {
  asm volatile("" ::"r"(&crates) : "memory");
  std::puts("stop");
}

int main() {
  mapscope::map<std::string, depot::crate> crates;
  crates["first"] = {7, "of tea"};
  undefined[3] = nullptr;
  stop(crates);
}

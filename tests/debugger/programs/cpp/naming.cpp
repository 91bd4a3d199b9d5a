// SPDX-License-Identifier: MIT
//
// A map that is reached in an unusual way: as a base class.
#include <mapscope/map.hpp>

namespace {

struct derived : mapscope::map<int, int> {
  int more = 3;
};

// On lines of its own: LLDB would stop before the parameter is stored.
[[gnu::noinline]] void checkpoint(const derived &d) {
  const derived *at = &d;
  asm volatile("" : : "r"(at) : "memory");
}

} // namespace

int main() {
  derived d;
  d[4] = 44;
  checkpoint(d);
}

// SPDX-License-Identifier: MIT
//
// A map that is reached in an unusual way: as a base class.
#include <mapscope/map.hpp>

namespace {

struct derived : mapscope::map<int, int> {
  int more = 3;
};

[[gnu::noinline]] void checkpoint(const derived &d) { asm volatile("" : : "r"(&d) : "memory"); }

} // namespace

int main() {
  derived d;
  d[4] = 44;
  checkpoint(d);
}

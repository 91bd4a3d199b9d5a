// SPDX-License-Identifier: MIT
//
// Maps of types whose names compilers, demanglers and debuggers write in many ways. `where` and
// `u01` have names that other files of the process use, too.
#include <array>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "mapscope/map.hpp"

namespace paint {
enum class colour : unsigned char { red, blue };
template <colour C> struct pot { int litres; };
template <typename T, unsigned long N = 2, char C = 'x'> struct box { std::array<T, N> held; };
struct brush {
  int width;
};
} // namespace paint

mapscope::map<int, const char *const *> constants;
mapscope::map<int, void (*)(int, const char *)> calls;
mapscope::map<int, int (*)[3]> rows;
mapscope::map<int, int paint::brush::*> members;
mapscope::map<int, volatile int *> ports;
mapscope::map<unsigned long, long long> numbers;
mapscope::map<int, std::function<unsigned long(const std::string &)>> functions;
mapscope::map<int, paint::pot<paint::colour::blue>> pots;
mapscope::map<int, paint::box<std::string>> boxes;
mapscope::map<int, std::list<std::wstring>> lists;
std::unordered_map<const char *, std::multimap<int, std::vector<std::string>>> u01;

void checkpoint() { asm volatile("" ::: "memory"); }

int main() {
  constants[1];
  calls[1];
  rows[1];
  members[1];
  ports[1];
  numbers[1];
  functions[1];
  pots[1];
  boxes[1];
  lists[1];
  u01["one"];
  checkpoint();
  return static_cast<int>(constants.size() + u01.size()) - 2;
}

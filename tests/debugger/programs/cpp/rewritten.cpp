// SPDX-License-Identifier: MIT
//
// A map that grows and grows while one of its entries is written now and then: 0, 1, ..., 12. Then
// that entry is erased, and made again.
#include <cstdio>
#include <string>

#include <mapscope/map.hpp>

// Where a debugger stops, with the entry just made.
template <class M, class T> [[gnu::noinline]] void checkpoint(const M &m, const T &texts) {
  asm volatile("" : : "r"(&m), "r"(&texts) : "memory");
}

int main() {
  mapscope::map<std::string, int> m;
  mapscope::map<int, std::string> texts;
  m["kept"] = 0;
  texts[1] = "one";
  checkpoint(m, texts);
  int writes = 0;
  for (int i = 1; i <= 600; i++) {
    m[std::to_string(i)] = i;
    if (i % 50 == 0) {
      m["kept"] = ++writes;
    }
  }
  m.erase("kept");
  m["kept"] = 77;
  std::printf("%d writes, %zu entries\n", writes, m.size() + texts.size());
  return 0;
}

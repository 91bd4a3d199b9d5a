// SPDX-License-Identifier: MIT
//
// Locals as an IDE shows them: maps behind pointers of every kind, iterators, keys that are letters
// and texts, and a variable called as the parts of an entry are.
#include <memory>
#include <string>

#include <mapscope/map.hpp>

template <class... Values> [[gnu::noinline]] void checkpoint(const Values &...values) {
  (..., [&] { asm volatile("" : : "r"(&values) : "memory"); }());
}

static void locals() {
  mapscope::map<int, int> m;
  for (int i = 3; i < 6; i++) {
    m[i] = i * i;
  }
  auto *pointer = &m;
  mapscope::map<int, int> *null = nullptr;
  auto unique = std::make_unique<mapscope::map<int, int>>(m);
  auto shared = std::make_shared<mapscope::map<int, int>>(m);
  mapscope::map<char, int> letters;
  letters['a'] = 1;
  mapscope::map<const char *, int> texts;
  texts["two words"] = 2;
  mapscope::map<std::string, mapscope::map<int, std::string>> nested;
  nested["outer"][7] = "inner";
  auto it = m.find(4);
  auto end = m.end();
  auto erased = m.find(5);
  m.erase(5);
  int second = 4711;
  checkpoint(m, pointer, null, unique, shared, letters, texts, nested, it, end, erased, second);
}

int main() {
  locals();
  return 0;
}

// SPDX-License-Identifier: MIT
//
// lifecycle: a map from its making to its end, to be read from the history.
//
// It grows, grows to the same size, is cleared in the middle of a growth, shrinks
// (MAPDEBUG=shrinktrigger=1), is rebuilt, and goes. The program stops at
// `checkpoint` when it is gone: what happened to it is still there.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>

#include <mapscope/debug.hpp>
#include <mapscope/map.hpp>

namespace {

using table = mapscope::map<std::uint64_t, std::uint64_t>;

// Writes that change nothing, until no old bucket is left.
void finish_migration(table &m) {
  for (int i = 0; i < 200; ++i) {
    m.erase(~std::uint64_t{0});
  }
}

void live(table &m) {
  m.reserve(20); // created with a hint
  for (std::uint64_t i = 0; i < 60; ++i) {
    m[i] = i;
  }
  finish_migration(m);
  for (std::uint64_t i = 60; i < 12'000; ++i) { // one comes, one goes
    m[i] = i;
    m.erase(i - 60);
  }
  for (std::uint64_t i = 0; i < 46; ++i) { // doubles, and is cleared before that is over
    m[i] = i;
  }
  m.clear();
  for (std::uint64_t i = 0; i < 105; ++i) {
    m[i] = i;
  }
  for (std::uint64_t i = 0; i < 100; ++i) { // halves
    m.erase(i);
  }
  finish_migration(m);
  m.rebuild();
}

} // namespace

// Where a debugger stops: `break checkpoint`. `gone` is where the map was.
[[gnu::noinline]] void checkpoint(const void *gone) { asm volatile("" : : "r"(gone) : "memory"); }

int main() {
  mapscope::set_seed(1);                    // the same buckets in every run
  if (std::getenv("MAPDEBUG") == nullptr) { // NOLINT(concurrency-mt-unsafe): one thread
    mapscope::set_mapdebug("shrinktrigger=1");
  }
  std::optional<table> m(std::in_place);
  live(*m);
  const void *const gone = *reinterpret_cast<const void *const *>(&*m); // its hmap
  m.reset();
  checkpoint(gone);
  std::cout << "gone\n";
}

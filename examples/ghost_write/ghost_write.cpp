// SPDX-License-Identifier: MIT
//
// ghost_write: two threads write one map without a lock, and it dies of it in
// every run.
//
// Such a race mostly goes unnoticed: a write takes 50 ns. Here the runtime is
// told to wait where it hurts (MAPDEBUG=inject=..., see docs/debug.md):
// between the mark of an old bucket's cell and the copy of its entry, or
// between the decision to grow and the growth. Both threads write the same keys
// in the same order, so that they are after the same old buckets: the first to
// write waits there, and the second finds it inside. The wait is long because a
// debugger stops one thread a while before the others; without a debugger the
// program is dead long before it ends.
//
//   ghost_write [evacuate|grow]
//
// The second map, `guarded`, is written by both threads too, under a mutex:
// nothing is wrong with it.
#include <chrono>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <mapscope/debug.hpp>
#include <mapscope/map.hpp>

namespace {

using users = mapscope::map<std::string, int>;

constexpr int full = 416; // 6.5 for each of 64 buckets: the next insert doubles
constexpr int more = 1'000;
constexpr std::string_view delay = "5s";

users shared;
users guarded;
std::mutex mutex;

std::string key(int i) { return "user-" + std::to_string(i); }

void write(int id, std::chrono::milliseconds pause) {
  std::this_thread::sleep_for(pause);
  for (int i = full; i < full + more; ++i) {
    {
      const std::lock_guard lock(mutex);
      guarded[key(i)] = id;
    }
    shared[key(i)] = id; // no lock: the bug
  }
}

} // namespace

int main(int argc, char **argv) {
  const std::string_view where = argc > 1 ? argv[1] : "evacuate";
  if (argc > 2 || (where != "evacuate" && where != "grow")) {
    std::cerr << "usage: ghost_write [evacuate|grow]\n";
    return 2;
  }
  mapscope::set_seed(1);
  for (int i = 0; i < full; ++i) {
    shared[key(i)] = 0;
  }
  mapscope::set_mapdebug("inject=" + std::string(where) + ':' + std::string(delay));
  // The one comes when the other waits inside its write already, also on a slow machine.
  std::jthread first([] { write(1, std::chrono::milliseconds(300)); });
  std::jthread second([] { write(2, std::chrono::milliseconds(0)); });
  first.join();
  second.join();
  std::cout << "nobody noticed: " << shared.size() << " users\n";
}

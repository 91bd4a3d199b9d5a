// SPDX-License-Identifier: MIT
//
// raced stops at checkpoint with a map that two threads have really damaged: they wrote to it
// without a lock, and went on after the runtime had noticed. Nothing else has touched it. The
// map `guarded` was written in the same way, under a mutex.
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <mapscope/map.hpp>

using numbers = mapscope::map<uint64_t, uint64_t>;

numbers raced;
numbers guarded;

// Where a debugger stops.
[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

namespace {

constexpr uint64_t keys = 100; // few enough that nothing grows: a race in evacuate may crash
constexpr int writes = 20'000;
std::mutex mutex;

void write(uint64_t id, std::barrier<> &start) {
  start.arrive_and_wait();
  for (uint64_t i = 0; i < writes; ++i) {
    const uint64_t key = i * 7 % keys;
    {
      const std::lock_guard lock(mutex);
      guarded[key] = id;
    }
    try {
      if (i / keys % 2 == id) {
        raced[key] = id; // no lock: the bug
      } else {
        raced.erase(key);
      }
    } catch (const std::runtime_error &) {
      // noticed, and passed over: the second bug
    }
  }
}

// Whether as many entries are seen as size() says.
bool seems_whole() {
  uint64_t seen = 0;
  try {
    for (auto it = raced.begin(); it != raced.end() && seen <= 2 * keys; ++it) {
      ++seen;
    }
  } catch (const std::runtime_error &) {
    return false;
  }
  return seen == raced.size();
}

} // namespace

int main() {
  mapscope::set_fatal_handler([](const char *message) { throw std::runtime_error(message); });
  int rounds = 0;
  while (rounds < 5000 && seems_whole()) {
    ++rounds;
    numbers fresh;
    fresh.reserve(2 * keys);
    raced = std::move(fresh);
    std::barrier start(2);
    std::jthread first([&] { write(0, start); });
    std::jthread second([&] { write(1, start); });
  }
  checkpoint();
  std::printf("%d rounds\n", rounds);
}

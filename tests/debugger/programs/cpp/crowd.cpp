// SPDX-License-Identifier: MIT
//
// A crowd: four threads that fill maps, delete from them and begin anew, all the
// time, and others that come, fill one and go. Runs until it is killed, or for
// the twenty minutes after which a forgotten one ends.
//
//   crowd
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <mapscope/map.hpp>

namespace {

[[gnu::noinline]] void crowding() { asm volatile("" ::: "memory"); }

[[gnu::noinline]] void fill(uint64_t seed) {
  mapscope::map<uint64_t, uint64_t> numbers;
  mapscope::map<std::string, int> texts;
  for (uint64_t i = 0; i < 600; i++) {
    numbers[i * seed] = i;
    texts["key " + std::to_string(i ^ seed)] = static_cast<int>(i);
    if (i % 5 == 0) {
      numbers.erase(i / 2 * seed);
    }
  }
}

} // namespace

int main() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(20);
  crowding();
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    threads.emplace_back([=] {
      while (std::chrono::steady_clock::now() < end) {
        fill(seed);
      }
    });
  }
  while (std::chrono::steady_clock::now() < end) {
    std::thread(fill, 77).join();
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
}

// SPDX-License-Identifier: MIT
//
// Random numbers, and the reporting of misuse.
#include "internal.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <unistd.h>

namespace mapscope {
namespace {

// Below 2^32: the fixed seed. Bits 32 and up count the calls of set_seed and
// set_random_seed, so that each thread's generator notices them.
struct seed_setting {
  std::atomic<uint64_t> generation_and_seed{0};
  std::atomic<bool> fixed{false};
};
constinit seed_setting setting;

// One thread's generator: a counter in steps of the golden ratio, hashed.
struct generator {
  uint64_t state = 0;
  uint64_t setting_seen = ~uint64_t{0};
};
constinit thread_local generator generator_of_thread;

uint64_t entropy() noexcept {
  uint64_t bytes = 0;
  if (getentropy(&bytes, sizeof bytes) != 0) { // an old kernel, or a sandbox
    bytes = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
            reinterpret_cast<uintptr_t>(&generator_of_thread);
  }
  return bytes;
}

constinit std::atomic<fatal_handler> handler_of_process = nullptr;

} // namespace

uint64_t fastrand64() noexcept {
  generator &g = generator_of_thread;
  const uint64_t now = setting.generation_and_seed.load(std::memory_order_acquire);
  if (g.setting_seen != now) {
    g.setting_seen = now;
    g.state = setting.fixed.load(std::memory_order_relaxed) ? now & UINT32_MAX : entropy();
  }
  g.state += detail::hash_k0;
  return detail::fold(g.state, detail::hash_k1 ^ (g.state >> 32));
}

uint32_t new_hash0() noexcept {
  if (setting.fixed.load(std::memory_order_acquire)) {
    return static_cast<uint32_t>(setting.generation_and_seed.load(std::memory_order_relaxed));
  }
  return static_cast<uint32_t>(fastrand64() >> 16);
}

void set_seed(uint32_t seed) noexcept {
  const uint64_t generation = (setting.generation_and_seed.load() >> 32) + 1;
  setting.fixed.store(true);
  setting.generation_and_seed.store(generation << 32 | seed);
}

void set_random_seed() noexcept {
  const uint64_t generation = (setting.generation_and_seed.load() >> 32) + 1;
  setting.fixed.store(false);
  setting.generation_and_seed.store(generation << 32);
}

fatal_handler set_fatal_handler(fatal_handler handler) noexcept {
  return handler_of_process.exchange(handler);
}

void fatal(const char *message) {
  if (const fatal_handler handler = handler_of_process.load()) {
    handler(message);
  } else {
    std::fprintf(stderr, "fatal error: %s\n", message);
  }
  std::abort(); // leaves a core
}

} // namespace mapscope

// SPDX-License-Identifier: MIT
//
// What the library's tests share.
#ifndef MAPSCOPE_TESTS_SUPPORT_HPP
#define MAPSCOPE_TESTS_SUPPORT_HPP

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include <mapscope/map.hpp>

#include "decoder.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAPSCOPE_TESTS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MAPSCOPE_TESTS_SANITIZED 1
#endif
#endif
#ifndef MAPSCOPE_TESTS_SANITIZED
#define MAPSCOPE_TESTS_SANITIZED 0
#endif

namespace support {

inline bool is_long() {
  static const bool many = std::getenv("MAPSCOPE_LONG") != nullptr;
  return many;
}

// A third of the rounds is enough from day to day, and in the builds that repeat the same tests in
// another way, and take longer for a round, an even smaller number (scripts/test --long: all, and not
// as small).
inline uint64_t rounds(uint64_t n) {
#if MAPSCOPE_TESTS_SANITIZED
  return n / (is_long() ? 4 : 24) + 1;
#else
  return is_long() ? n : n / 3 + 1;
#endif
}

// The same of random numbers to begin with, where each of them is a test of its own.
inline uint32_t seeds(uint32_t n) {
#if MAPSCOPE_TESTS_SANITIZED
  return n / (is_long() ? 2 : 5);
#else
  return is_long() ? n : n / 2;
#endif
}

// The hmap of a map, as a debugger finds it: the map object's first 8 bytes.
template <class Map> mapscope::hmap *header(const Map &map) {
  mapscope::hmap *h;
  std::memcpy(&h, static_cast<const void *>(&map), sizeof h);
  return h;
}

template <class Map> decoder::decoded decode(const Map &map) {
  return decoder::map_decoder(decoder::read_own, reinterpret_cast<uint64_t>(header(map))).decode();
}

template <class T> const T &at(uint64_t address) { return *reinterpret_cast<const T *>(address); }

// Fixed seeds: a failure repeats. All a test draws comes from one of these.
using random = std::mt19937_64;

inline uint64_t below(random &r, uint64_t n) { return r() % n; }

// Makes all that is random in the library repeat, for a scope.
class fixed_seed {
public:
  explicit fixed_seed(uint32_t seed) { mapscope::set_seed(seed); }
  ~fixed_seed() { mapscope::set_random_seed(); }
  fixed_seed(const fixed_seed &) = delete;
  fixed_seed &operator=(const fixed_seed &) = delete;
};

// A failure that a test injects.
struct injected : std::runtime_error {
  injected() : std::runtime_error("injected") {}
};

// Counts down; throws when it reaches 0. Off unless set.
struct countdown {
  static inline uint64_t left = std::numeric_limits<uint64_t>::max();
  static void tick() {
    if (left != std::numeric_limits<uint64_t>::max() && left-- == 0) {
      left = std::numeric_limits<uint64_t>::max();
      throw injected();
    }
  }
  static void off() { left = std::numeric_limits<uint64_t>::max(); }
};

// How many allocations may still succeed; see allocation.cpp.
struct allocations {
  static void fail_after(uint64_t n);
  static void succeed();
  static int64_t live();  // blocks from operator new not yet given back
  static int64_t bytes(); // of those, and (without a sanitizer) of anonymous mappings
};

} // namespace support

#endif

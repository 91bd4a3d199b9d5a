// SPDX-License-Identifier: MIT
//
// verdicts holds maps whose hash functions are good and bad, and maps whose keys were chosen, and
// stops at checkpoint.
#include <mapscope/map.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace {

// A bad function: many keys have the same length.
struct by_length {
  std::size_t operator()(const std::string &key) const { return key.size(); }
};

// All bits of a pointer, the lowest of which are always 0, as they are: the map's seed is left out.
struct as_it_is {
  std::uint64_t operator()(std::uint64_t key, std::uint32_t) const { return key; }
};

// Multiples of 64.
struct shifted {
  std::size_t operator()(std::uint64_t key) const { return key * 64; }
};

// A function of 32 bits for which people know keys with the same hash: the sum of the characters,
// each times another power of 33.
struct times_33 {
  std::size_t operator()(const std::string &key) const {
    std::uint32_t number = 5381;
    for (char letter : key)
      number = number * 33 + static_cast<unsigned char>(letter);
    return number * 0x9e3779b1U;
  }
};

struct same {
  std::size_t operator()(int) const { return 7; }
};

mapscope::map<std::string, int> good;
mapscope::map<std::string, int, by_length> lengths;
mapscope::map<std::uint64_t, int, as_it_is> aligned;
std::unordered_map<std::string, int> good_std;
std::unordered_map<std::uint64_t, int, shifted> harmless;
std::unordered_map<std::string, int, times_33> attacked;
std::unordered_map<std::uint64_t, int> pattern;
std::unordered_map<int, int, same> constant;
std::unordered_multimap<int, int> repeated;
std::unordered_map<int, int> few;
std::unordered_map<int, int> none;

// Keys of different lengths.
std::string session(int number) {
  return "session-" + std::string(static_cast<std::size_t>(number % 20), 'x') +
         std::to_string(number);
}

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

} // namespace

int main() {
  mapscope::set_seed(1);
  for (int i = 0; i < 27000; ++i)
    good[session(i)] = i;
  for (int i = 0; i < 2000; ++i) {
    lengths[session(i)] = i;
    aligned[static_cast<std::uint64_t>(i) * 64 + 0x7f0000000000U] = i;
    good_std[session(i)] = i;
    harmless[static_cast<std::uint64_t>(i)] = i;
    attacked[session(i)] = i;
    repeated.emplace(i % 100, i);
  }
  // 33 * 'b' + 'B' is 33 * 'a' + 'c': two letters for each of eight bits
  for (int i = 0; i < 256; ++i) {
    std::string key;
    for (int bit = 0; bit < 8; ++bit)
      key += i >> bit & 1 ? "bB" : "ac";
    attacked[key] = i;
  }
  pattern.reserve(2000);
  const std::uint64_t buckets = pattern.bucket_count();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    pattern[i * 0x9e3779b97f4a7c15U] = static_cast<int>(i);
    if (i < 300)
      pattern[i * buckets] = static_cast<int>(i);
  }
  for (int i = 0; i < 50; ++i)
    constant[i] = i;
  few = {{1, 3}, {2, 3}};
  none.clear();
  checkpoint();
  return static_cast<int>(good.size() + none.size()) == 0;
}

// SPDX-License-Identifier: MIT
//
// The built-in hashes: that they are what hash.hpp's comment says, which is all
// that a debugger has, and that they spread keys.
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(hash)

namespace {

// Chi-square of how n hashes fall into buckets by their low bits, and of their
// tophash bytes, as a number of standard deviations above what is expected.
double excess(const std::vector<uint64_t> &counts, double n) {
  const double expected = n / static_cast<double>(counts.size());
  double chi = 0;
  for (const uint64_t count : counts) {
    const double d = static_cast<double>(count) - expected;
    chi += d * d / expected;
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (chi - freedom) / std::sqrt(2 * freedom);
}

template <class Hash> void check_spread([[maybe_unused]] const std::string &name, Hash hash) {
  constexpr uint64_t n = 16384;
  double worst = 0;
  for (const uint32_t seed : {0U, 1U, 0x12345678U, 0xffffffffU}) {
    std::vector<uint64_t> low(2048);
    std::vector<uint64_t> top(256);
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t h = hash(i, seed);
      low[h % low.size()]++;
      top[h >> 56]++;
    }
    worst = std::max({worst, excess(low, n), excess(top, n)});
  }
  // Random hashes stay below 5 nearly always. A pattern may do a little worse
  // and still give short chains.
  BOOST_TEST(worst < 12, name << ": " << worst);
}

} // namespace

// Computed from hash.hpp's comment by an independent program, in Python.
BOOST_AUTO_TEST_CASE(known_values) {
  using mapscope::hash_bytes, mapscope::hash_integer;
  BOOST_TEST(hash_integer(0x0, 0x0) == 0x7e2358a78107bb63U);
  BOOST_TEST(hash_integer(0x1, 0x0) == 0xc0c4d792bcb185e2U);
  BOOST_TEST(hash_integer(0x2a, 0x7) == 0x5eda7441206676e1U);
  BOOST_TEST(hash_integer(0xffffffffffffffff, 0xffffffff) == 0x96afebb562ab792cU);
  BOOST_TEST(hash_integer(0x123456789abcdef, 0xdeadbeef) == 0xbd32b10a1815a576U);
  BOOST_TEST(hash_bytes("", 0, 0x0) == 0x732d2e5f2cbc8f9cU);
  BOOST_TEST(hash_bytes("", 0, 0xdeadbeef) == 0x2a6209348b1b5875U);
  BOOST_TEST(hash_bytes("a", 1, 0x0) == 0x6b5783ce2322ce20U);
  BOOST_TEST(hash_bytes("a", 1, 0xdeadbeef) == 0xd73ff84b511d6357U);
  BOOST_TEST(hash_bytes("ab", 2, 0x0) == 0xa55bad18c78c6556U);
  BOOST_TEST(hash_bytes("ab", 2, 0xdeadbeef) == 0xb86519b74703f756U);
  BOOST_TEST(hash_bytes("abc", 3, 0x0) == 0xcafbaf9d9a1b1c78U);
  BOOST_TEST(hash_bytes("abc", 3, 0xdeadbeef) == 0xf1fc05fa1336cf0bU);
  BOOST_TEST(hash_bytes("abcd", 4, 0x0) == 0xfb68e7af92bb7e26U);
  BOOST_TEST(hash_bytes("abcd", 4, 0xdeadbeef) == 0xfd79e5f49264e051U);
  BOOST_TEST(hash_bytes("abcdefg", 7, 0x0) == 0x43ba4560262df034U);
  BOOST_TEST(hash_bytes("abcdefg", 7, 0xdeadbeef) == 0xe1dc01980c883014U);
  BOOST_TEST(hash_bytes("abcdefgh", 8, 0x0) == 0x6114490168a1fe32U);
  BOOST_TEST(hash_bytes("abcdefgh", 8, 0xdeadbeef) == 0x940d28170961528dU);
  BOOST_TEST(hash_bytes("abcdefghijklmnop", 16, 0x0) == 0x19286fa10aeb3631U);
  BOOST_TEST(hash_bytes("abcdefghijklmnop", 16, 0xdeadbeef) == 0x81e75ab8eb4b12d1U);
  BOOST_TEST(hash_bytes("abcdefghijklmnopq", 17, 0x0) == 0x119be13c19b787a0U);
  BOOST_TEST(hash_bytes("abcdefghijklmnopq", 17, 0xdeadbeef) == 0xcc0ff4007b2a5614U);
  BOOST_TEST(hash_bytes("the quick brown fox jumps over the lazy dog", 43, 0x0) ==
             0x7c46d0fd2eb9214fU);
  BOOST_TEST(hash_bytes("the quick brown fox jumps over the lazy dog", 43, 0xdeadbeef) ==
             0xcfc98b28c233d60cU);
  BOOST_TEST(mapscope::hash<int>()(-5, 7) == hash_integer(~uint64_t{4}, 7));
  BOOST_TEST(mapscope::hash<uint8_t>()(200, 7) == hash_integer(200, 7));
  BOOST_TEST(mapscope::hash<bool>()(true, 7) == hash_integer(1, 7));
  BOOST_TEST(mapscope::hash<double>()(1.5, 7) == hash_integer(std::bit_cast<uint64_t>(1.5), 7));
  BOOST_TEST(mapscope::hash<float>()(1.5F, 7) == mapscope::hash<double>()(1.5, 7));
  BOOST_TEST(mapscope::hash<double>()(-0.0, 7) == hash_integer(0, 7));
  const int x = 0;
  BOOST_TEST(mapscope::hash<const int *>()(&x, 7) ==
             hash_integer(reinterpret_cast<uintptr_t>(&x), 7));
  BOOST_TEST(mapscope::hash<std::string>()("abc", 7) == hash_bytes("abc", 3, 7));
  BOOST_TEST(mapscope::hash<double>()(std::nan(""), 7) !=
             mapscope::hash<double>()(std::nan(""), 7));
}

BOOST_AUTO_TEST_CASE(integers_spread) {
  using mapscope::hash_integer;
  for (const unsigned shift : {0U, 1U, 3U, 6U, 8U, 12U, 16U, 20U, 24U, 32U, 40U, 48U}) {
    check_spread("multiples of 2^" + std::to_string(shift),
                 [shift](uint64_t i, uint32_t seed) { return hash_integer(i << shift, seed); });
  }
  for (const uint64_t factor : {10U, 100U, 1000U, 1000000U}) {
    check_spread("multiples of " + std::to_string(factor),
                 [factor](uint64_t i, uint32_t seed) { return hash_integer(i * factor, seed); });
  }
  check_spread("negative numbers",
               [](uint64_t i, uint32_t seed) { return hash_integer(~i, seed); });
  check_spread("whole doubles", [](uint64_t i, uint32_t seed) {
    return mapscope::hash_double(static_cast<double>(i), seed);
  });
}

BOOST_AUTO_TEST_CASE(strings_spread) {
  for (const size_t padding : {0U, 1U, 4U, 8U, 13U, 20U, 40U, 100U}) {
    const std::string text(padding, 'p');
    check_spread("digits behind " + std::to_string(padding), [&](uint64_t i, uint32_t seed) {
      const std::string s = text + std::to_string(i);
      return mapscope::hash_bytes(s.data(), s.size(), seed);
    });
    check_spread("digits before " + std::to_string(padding), [&](uint64_t i, uint32_t seed) {
      const std::string s = std::to_string(i) + text;
      return mapscope::hash_bytes(s.data(), s.size(), seed);
    });
  }
}

BOOST_AUTO_TEST_CASE(chains_stay_short_behind_a_bad_hash) {
  auto identity = [](uint64_t x) { return x; };
  mapscope::map<uint64_t, int, decltype(identity)> map;
  for (uint64_t i = 0; i < 100000; i++) {
    map[i << 20] = 1;
  }
  const mapscope::hmap *const h = support::header(map);
  BOOST_TEST(h->noverflow < (uint32_t{1} << h->B) / 4);
}

BOOST_AUTO_TEST_CASE(maps_have_seeds_of_their_own) {
  mapscope::map<int, int> a;
  mapscope::map<int, int> b;
  a[1] = b[1] = 1;
  BOOST_TEST(support::header(a)->hash0 != support::header(b)->hash0);
  const uint32_t before = support::header(a)->hash0;
  a.clear();
  BOOST_TEST(support::header(a)->hash0 != before);
  const uint32_t emptied = support::header(b)->hash0;
  b.erase(1);
  BOOST_TEST(support::header(b)->hash0 != emptied);

  const support::fixed_seed seed(42);
  mapscope::map<int, int> c;
  c[1] = 1;
  BOOST_TEST(support::header(c)->hash0 == 42U);
  c.clear();
  BOOST_TEST(support::header(c)->hash0 == 42U);
  mapscope::set_seed(42);
  const uint64_t again = mapscope::fastrand64();
  mapscope::set_seed(42);
  BOOST_TEST(mapscope::fastrand64() == again);
}

BOOST_AUTO_TEST_SUITE_END()

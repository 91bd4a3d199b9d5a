// SPDX-License-Identifier: MIT
//
// The built-in hashes. What this header knows: how a key and a map's seed
// (hmap.hash0) become 64 bits. What it must not know: what a map does with
// them (the low B bits pick the bucket, the top byte becomes the tophash).
//
// They are short so that a debugger can compute them from a key's bytes alone;
// maptype.hash_kind says which one a map uses. All arithmetic is on unsigned
// 64-bit integers and wraps; bytes are read little-endian.
//
//   fold(a, b)  the 128-bit product a * b, its low half xor its high half.
//   K0 = 9e3779b97f4a7c15 (golden ratio), K1 = 243f6a8885a308d3 (pi),
//   K2 = 13198a2e03707345 (pi, further on; its last bit set)
//
//   MAPSCOPE_HASH_INTEGER (bool, integers, characters, enums, pointers)
//       x = the value, extended to 64 bits by its sign if it is signed
//       fold(fold(x ^ K0 ^ seed, K1 ^ (seed << 32)), K0)
//       Once is not enough: the low bits of fold(x * 2^8, ...) hardly vary.
//
//   MAPSCOPE_HASH_FLOAT (float, double)
//       the value as a double, -0 replaced by +0; its 64 bits hashed as an
//       integer. A NaN hashes to a random number: it is never found again.
//
//   MAPSCOPE_HASH_STRING (std::string, std::string_view), n bytes at p
//       s = K0 ^ seed
//       n > 16:       for q = p, p + 16, ... while more than 16 bytes are left:
//                     s = fold(r8(q) ^ K1, r8(q + 8) ^ s);
//                     then a = r8(p + n - 16), b = r8(p + n - 8)
//       8 <= n <= 16: a = r8(p), b = r8(p + n - 8)
//       4 <= n <= 7:  a = r4(p), b = r4(p + n - 4)
//       1 <= n <= 3:  a = p[0] | p[n / 2] << 8 | p[n - 1] << 16, b = 0
//       n == 0:       a = b = 0
//       fold(fold(a ^ K1, b ^ s) ^ n, K2 ^ (seed << 32))
//
//   MAPSCOPE_HASH_CUSTOM (a Hash of the program's own, or std::hash)
//       its result hashed as an integer: std::hash of an integer is the integer
//       itself, whose top byte would make every tophash equal.
//
// Folded multiplication, and reading the ends of a short string with
// overlapping loads, are ideas of Wang Yi's wyhash (public domain).
#ifndef MAPSCOPE_HASH_HPP
#define MAPSCOPE_HASH_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include <mapscope/layout.h>

namespace mapscope {

// 64 random bits from the calling thread's generator; see set_seed.
uint64_t fastrand64() noexcept;

namespace detail {

inline constexpr uint64_t hash_k0 = 0x9e3779b97f4a7c15;
inline constexpr uint64_t hash_k1 = 0x243f6a8885a308d3;
inline constexpr uint64_t hash_k2 = 0x13198a2e03707345;

inline uint64_t fold(uint64_t a, uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
  __extension__ using uint128 = unsigned __int128;
  const uint128 product = static_cast<uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#else
  const uint64_t al = a & 0xffffffff, ah = a >> 32, bl = b & 0xffffffff, bh = b >> 32;
  const uint64_t low = al * bl, mid1 = ah * bl + (low >> 32), mid2 = al * bh + (mid1 & 0xffffffff);
  const uint64_t high = ah * bh + (mid1 >> 32) + (mid2 >> 32);
  return ((mid2 << 32) | (low & 0xffffffff)) ^ high;
#endif
}

inline uint64_t read8(const char *p) noexcept {
  uint64_t x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

inline uint64_t read4(const char *p) noexcept {
  uint32_t x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

} // namespace detail

// What hashes of integers need of a seed, worked out once for all keys of a map.
struct integer_seed {
  uint64_t added;
  uint64_t factor;
};

inline integer_seed seed_for_integers(uint32_t seed) noexcept {
  return {detail::hash_k0 ^ seed, detail::hash_k1 ^ (static_cast<uint64_t>(seed) << 32)};
}

// Hash of an integer already extended to 64 bits.
inline uint64_t hash_integer(uint64_t x, const integer_seed &seed) noexcept {
  return detail::fold(detail::fold(x ^ seed.added, seed.factor), detail::hash_k0);
}
inline uint64_t hash_integer(uint64_t x, uint32_t seed) noexcept {
  return hash_integer(x, seed_for_integers(seed));
}

// Hash of a float or double; random for a NaN, which equals nothing.
inline uint64_t hash_double(double x, uint32_t seed) noexcept {
  if (x != x) {
    return fastrand64();
  }
  x += 0.0; // -0 + 0 is +0
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return hash_integer(bits, seed);
}

// Hash of n bytes at data (which may be nil if n is 0).
inline uint64_t hash_bytes(const char *data, size_t n, uint32_t seed) noexcept {
  using detail::fold, detail::read4, detail::read8;
  uint64_t s = detail::hash_k0 ^ seed;
  uint64_t a = 0;
  uint64_t b = 0;
  if (n > 16) {
    const char *q = data;
    for (size_t left = n; left > 16; left -= 16, q += 16) {
      s = fold(read8(q) ^ detail::hash_k1, read8(q + 8) ^ s);
    }
    a = read8(data + n - 16);
    b = read8(data + n - 8);
  } else if (n >= 8) {
    a = read8(data);
    b = read8(data + n - 8);
  } else if (n >= 4) {
    a = read4(data);
    b = read4(data + n - 4);
  } else if (n > 0) {
    const auto byte = [data](size_t i) {
      return static_cast<uint64_t>(static_cast<unsigned char>(data[i]));
    };
    a = byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
  }
  return fold(fold(a ^ detail::hash_k1, b ^ s) ^ n,
              detail::hash_k2 ^ (static_cast<uint64_t>(seed) << 32));
}

namespace detail {

template <class T>
inline constexpr bool is_plain_string =
    std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

// The MAPSCOPE_HASH_... that hash<K> uses for K.
template <class K> consteval uint32_t builtin_hash_kind() {
  if constexpr (std::is_pointer_v<K> || std::is_enum_v<K>) {
    return MAPSCOPE_HASH_INTEGER;
  } else if constexpr (std::is_integral_v<K> && sizeof(K) <= 8) {
    return MAPSCOPE_HASH_INTEGER;
  } else if constexpr (std::is_same_v<K, float> || std::is_same_v<K, double>) {
    return MAPSCOPE_HASH_FLOAT;
  } else if constexpr (is_plain_string<K>) {
    return MAPSCOPE_HASH_STRING;
  } else {
    return MAPSCOPE_HASH_CUSTOM;
  }
}

} // namespace detail

// The default Hash of a map. For the types above a seeded hash; for any other
// what std::hash says.
template <class K> struct hash : std::hash<K> {};

template <class K>
requires(detail::builtin_hash_kind<K>() == MAPSCOPE_HASH_INTEGER) struct hash<K> {
  uint64_t operator()(const K &key, uint32_t seed) const noexcept {
    return (*this)(key, seed_for_integers(seed));
  }
  uint64_t operator()(const K &key, const integer_seed &seed) const noexcept {
    if constexpr (std::is_pointer_v<K>) {
      return hash_integer(reinterpret_cast<uintptr_t>(key), seed);
    } else {
      return hash_integer(static_cast<uint64_t>(key), seed);
    }
  }
};

template <class K>
requires(detail::builtin_hash_kind<K>() == MAPSCOPE_HASH_FLOAT) struct hash<K> {
  uint64_t operator()(K key, uint32_t seed) const noexcept {
    return hash_double(static_cast<double>(key), seed);
  }
};

template <class K>
requires(detail::builtin_hash_kind<K>() == MAPSCOPE_HASH_STRING) struct hash<K> {
  using is_transparent = void;
  uint64_t operator()(std::string_view key, uint32_t seed) const noexcept {
    return hash_bytes(key.data(), key.size(), seed);
  }
};

// The default KeyEqual of a map: ==, and for strings also == with whatever
// converts to std::string_view, so that a lookup need not build a string.
template <class K> struct equal_to {
  bool operator()(const K &a, const K &b) const noexcept(noexcept(a == b)) { return a == b; }
};

template <class K>
requires detail::is_plain_string<K>
struct equal_to<K> {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

} // namespace mapscope

#endif

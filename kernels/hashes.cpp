// SPDX-License-Identifier: MIT
//
// Hash functions over many words or texts: of AES rounds and of multiplications. What they are, and
// whose, says core, which has each in Python (go/memhash.py, flavours/cpp/cpp_hash.py).
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MAPSCOPE_AES __attribute__((target("aes,sse4.1")))
#endif

namespace mapscope::kernels {
namespace {

/// Which function; core's numbers.
enum kind : uint64_t { aes = 0, mixed = 1, folded = 2 };

/// What texts are hashed with, and where they lie.
struct texts {
  const uint8_t *data;
  uint64_t size;
  uint64_t base;
  const uint64_t *starts;
  const uint64_t *lengths;
  const uint64_t *seeds;

  /// A text's bytes; null: they are not in the buffer.
  [[nodiscard]] const uint8_t *at(uint64_t index) const {
    const uint64_t offset = starts[index] - base;
    if (lengths[index] == 0)
      return data;
    return offset <= size && size - offset >= lengths[index] ? data + offset : nullptr;
  }
};

__extension__ using wide = unsigned __int128;

uint64_t fold(uint64_t a, uint64_t b) {
  const wide product = wide{a} * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load4(const uint8_t *at) {
  uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The first, the middle and the last of up to three bytes.
uint64_t few(const uint8_t *text, uint64_t size) {
  return text[0] | uint64_t{text[size / 2]} << 8 | uint64_t{text[size - 1]} << 16;
}

/// hash_bytes of the C++ runtime; keys: k0, k1, k2.
uint64_t folded_text(const uint8_t *text, uint64_t size, uint64_t seed, const uint64_t *keys) {
  uint64_t s = keys[0] ^ seed;
  uint64_t a = 0;
  uint64_t b = 0;
  if (size >= 8) {
    if (size > 16) {
      for (uint64_t at = 0; at < (size - 1) / 16; ++at) {
        s = fold(load(text + 16 * at) ^ keys[1], load(text + 16 * at + 8) ^ s);
      }
      text += size - 16;
      a = load(text);
      b = load(text + 8);
    } else {
      a = load(text);
      b = load(text + size - 8);
    }
  } else if (size >= 4) {
    a = load4(text);
    b = load4(text + size - 4);
  } else if (size > 0) {
    a = few(text, size);
  }
  return fold(fold(a ^ keys[1], b ^ s) ^ size, keys[2] ^ seed << 32);
}

/// memhash of Go without AES; keys: k0 to k3, m5.
uint64_t mixed_text(const uint8_t *text, uint64_t size, uint64_t seed, const uint64_t *keys) {
  seed ^= keys[0];
  if (size == 0)
    return seed;
  uint64_t a = 0;
  uint64_t b = 0;
  if (size <= 3) {
    a = few(text, size);
  } else if (size < 8) {
    a = load4(text);
    b = load4(text + size - 4);
  } else if (size == 8) {
    a = load(text);
    b = a;
  } else {
    uint64_t left = size;
    const uint8_t *from = text;
    if (left > 48) {
      uint64_t second = seed;
      uint64_t third = seed;
      for (; left > 48; left -= 48, from += 48) {
        seed = fold(load(from) ^ keys[1], load(from + 8) ^ seed);
        second = fold(load(from + 16) ^ keys[2], load(from + 24) ^ second);
        third = fold(load(from + 32) ^ keys[3], load(from + 40) ^ third);
      }
      seed ^= second ^ third;
    }
    for (; left > 16; left -= 16, from += 16) {
      seed = fold(load(from) ^ keys[1], load(from + 8) ^ seed);
    }
    // of 9 to 16 bytes both overlap
    a = size > 16 ? load(text + size - 16) : load(text);
    b = load(text + size - 8);
  }
  return fold(fold(a ^ keys[1], b ^ seed), keys[4] ^ size);
}

#if defined(__x86_64__)

MAPSCOPE_AES __m128i block(const uint8_t *at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i *>(at));
}

/// The seed and four times 16 bits of the length, with a lane's part of the schedule, one round.
MAPSCOPE_AES __m128i scrambled(uint64_t size, uint64_t seed, const uint8_t *schedule) {
  const uint64_t lengths = (size & 0xFFFFU) * 0x0001000100010001U;
  __m128i state = _mm_set_epi64x(static_cast<long long>(lengths), static_cast<long long>(seed));
  state = _mm_xor_si128(state, block(schedule));
  return _mm_aesenc_si128(state, state);
}

template <uint64_t lanes> MAPSCOPE_AES uint64_t finished(__m128i *states) {
  __m128i all = _mm_setzero_si128();
  for (uint64_t lane = 0; lane < lanes; ++lane) {
    __m128i state = states[lane];
    for (int round = 0; round < 3; ++round)
      state = _mm_aesenc_si128(state, state);
    all = _mm_xor_si128(all, state);
  }
  return static_cast<uint64_t>(_mm_cvtsi128_si64(all));
}

/// Of up to 128 bytes: half of the lanes begin at the first byte, half end at the last.
template <uint64_t lanes>
MAPSCOPE_AES uint64_t ends(const uint8_t *text, uint64_t size, uint64_t seed,
                           const uint8_t *schedule) {
  constexpr uint64_t half = lanes / 2;
  __m128i states[lanes];
  for (uint64_t lane = 0; lane < lanes; ++lane) {
    const uint64_t at = lane < half ? 16 * lane : size - 16 * half + 16 * (lane - half);
    states[lane] = _mm_xor_si128(block(text + at), scrambled(size, seed, schedule + 16 * lane));
  }
  return finished<lanes>(states);
}

MAPSCOPE_AES uint64_t aes_text(const uint8_t *text, uint64_t size, uint64_t seed,
                               const uint8_t *schedule) {
  if (size == 0) {
    const __m128i state = scrambled(0, seed, schedule);
    return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_aesenc_si128(state, state)));
  }
  if (size <= 16) {
    uint8_t padded[16] = {};
    std::memcpy(padded, text, size);
    __m128i state = _mm_xor_si128(block(padded), scrambled(size, seed, schedule));
    return finished<1>(&state);
  }
  if (size <= 32)
    return ends<2>(text, size, seed, schedule);
  if (size <= 64)
    return ends<4>(text, size, seed, schedule);
  if (size <= 128)
    return ends<8>(text, size, seed, schedule);
  __m128i states[8];
  for (uint64_t lane = 0; lane < 8; ++lane) {
    states[lane] = _mm_xor_si128(block(text + size - 128 + 16 * lane),
                                 scrambled(size, seed, schedule + 16 * lane));
  }
  for (uint64_t start = 0; start + 128 < size; start += 128) {
    for (uint64_t lane = 0; lane < 8; ++lane) {
      const __m128i state = _mm_aesenc_si128(states[lane], states[lane]);
      states[lane] = _mm_aesenc_si128(state, block(text + start + 16 * lane));
    }
  }
  return finished<8>(states);
}

MAPSCOPE_AES uint64_t aes_word(uint64_t word, uint64_t seed, const uint8_t *schedule) {
  __m128i state = _mm_set_epi64x(static_cast<long long>(word), static_cast<long long>(seed));
  for (uint64_t round = 0; round < 3; ++round) {
    state = _mm_aesenc_si128(state, block(schedule + 16 * round));
  }
  return static_cast<uint64_t>(_mm_cvtsi128_si64(state));
}

MAPSCOPE_AES uint64_t aes_texts(const texts &all, uint64_t number, const uint8_t *schedule,
                                uint64_t *hashes) {
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *text = all.at(index);
    if (text == nullptr)
      return outside;
    hashes[index] = aes_text(text, all.lengths[index], all.seeds[index], schedule);
  }
  return 0;
}

MAPSCOPE_AES void aes_words(const uint8_t *data, uint64_t width, uint64_t number,
                            const uint64_t *seeds, const uint8_t *schedule, uint64_t *hashes) {
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *at = data + width * index;
    hashes[index] = aes_word(width == 4 ? load4(at) : load(at), seeds[index], schedule);
  }
}

#endif

} // namespace
} // namespace mapscope::kernels

using namespace mapscope::kernels;

/// Whether hashes of AES rounds can be computed here.
MAPSCOPE_KERNEL uint64_t mapscope_has_aes() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1") ? 1 : 0;
#else
  return 0;
#endif
}

/// The hashes of texts.
///
/// @param function one of `kind`
/// @param keys aes: 128 bytes; mixed: 5 words; folded: 3
/// @param base the address of the buffer's first byte
/// @param starts, lengths, seeds of each: an address, bytes, what the hash begins with
/// @param hashes `number`
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_hash_texts(uint64_t function, const uint8_t *keys,
                                             const uint8_t *data, uint64_t size, uint64_t base,
                                             const uint64_t *starts, const uint64_t *lengths,
                                             const uint64_t *seeds, uint64_t number,
                                             uint64_t *hashes) {
  const texts all{data, size, base, starts, lengths, seeds};
#if defined(__x86_64__)
  if (function == aes)
    return aes_texts(all, number, keys, hashes);
#endif
  uint64_t words[5];
  std::memcpy(words, keys, function == mixed ? sizeof words : 3 * sizeof *words);
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *text = all.at(index);
    if (text == nullptr)
      return outside;
    const uint64_t length = lengths[index];
    hashes[index] = function == mixed ? mixed_text(text, length, seeds[index], words)
                                      : folded_text(text, length, seeds[index], words);
  }
  return 0;
}

/// The hashes of words that lie one behind the other.
///
/// @param function one of `kind`
/// @param keys as for texts
/// @param width of each: 4 or 8; folded: 8
/// @param seeds, hashes `number`
MAPSCOPE_KERNEL uint64_t mapscope_hash_words(uint64_t function, const uint8_t *keys,
                                             const uint8_t *data, uint64_t width, uint64_t number,
                                             const uint64_t *seeds, uint64_t *hashes) {
#if defined(__x86_64__)
  if (function == aes) {
    aes_words(data, width, number, seeds, keys, hashes);
    return 0;
  }
#endif
  uint64_t k[5];
  std::memcpy(k, keys, function == mixed ? sizeof k : 3 * sizeof *k);
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *at = data + width * index;
    const uint64_t word = width == 4 ? load4(at) : load(at);
    const uint64_t seed = seeds[index];
    hashes[index] = function == mixed ? fold(fold(word ^ k[1], word ^ seed ^ k[0]), k[4] ^ width)
                                      : fold(fold(word ^ k[0] ^ seed, k[1] ^ seed << 32), k[0]);
  }
  return 0;
}

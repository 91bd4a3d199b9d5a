// SPDX-License-Identifier: MIT
//
// Rows of bytes: taken from all over a buffer, and texts in them hashed.
#include "kernels.h"

namespace mapscope::kernels {
namespace {

/// How many places ahead memory is asked for: rows lie where no cache has them.
constexpr uint64_t ahead = 24;

/// A buffer of a program's memory, whose first byte has the address `base`, in parts of which some
/// could not be read.
class patchy {
public:
  patchy(const uint8_t *data, uint64_t size, uint64_t base, const uint8_t *gone, uint64_t part)
      : m_data(data), m_size(size), m_base(base), m_gone(gone), m_part(part) {}

  void expect(uint64_t place) const {
    const uint64_t offset = place - m_base;
    if (offset < m_size)
      __builtin_prefetch(m_data + offset);
  }

  /// `width` bytes, at least one; null: some are outside of the buffer, or in a part that is gone.
  [[nodiscard]] const uint8_t *at(uint64_t place, uint64_t width) const {
    const uint64_t offset = place - m_base;
    if (offset >= m_size || m_size - offset < width)
      return nullptr;
    if (m_gone != nullptr) {
      const uint64_t last = (offset + width - 1) >> m_part;
      for (uint64_t part = offset >> m_part; part <= last; ++part) {
        if (m_gone[part] != 0)
          return nullptr;
      }
    }
    return m_data + offset;
  }

private:
  const uint8_t *m_data;
  uint64_t m_size;
  uint64_t m_base;
  const uint8_t *m_gone;
  uint64_t m_part;
};

/// SipHash of any numbers of rounds, with its 64-bit result.
class siphash {
public:
  siphash(uint64_t k0, uint64_t k1)
      : m_v0(k0 ^ 0x736f6d6570736575), m_v1(k1 ^ 0x646f72616e646f6d), m_v2(k0 ^ 0x6c7967656e657261),
        m_v3(k1 ^ 0x7465646279746573) {}

  void add(uint64_t word, uint64_t rounds) {
    m_v3 ^= word;
    mix(rounds);
    m_v0 ^= word;
  }

  uint64_t end(uint64_t rounds) {
    m_v2 ^= 0xff;
    mix(rounds);
    return m_v0 ^ m_v1 ^ m_v2 ^ m_v3;
  }

private:
  static uint64_t left(uint64_t word, unsigned bits) { return word << bits | word >> (64 - bits); }

  void mix(uint64_t rounds) {
    for (uint64_t round = 0; round < rounds; ++round) {
      m_v0 += m_v1;
      m_v1 = left(m_v1, 13) ^ m_v0;
      m_v0 = left(m_v0, 32);
      m_v2 += m_v3;
      m_v3 = left(m_v3, 16) ^ m_v2;
      m_v0 += m_v3;
      m_v3 = left(m_v3, 21) ^ m_v0;
      m_v2 += m_v1;
      m_v1 = left(m_v1, 17) ^ m_v2;
      m_v2 = left(m_v2, 32);
    }
  }

  uint64_t m_v0;
  uint64_t m_v1;
  uint64_t m_v2;
  uint64_t m_v3;
};

} // namespace
} // namespace mapscope::kernels

using namespace mapscope::kernels;

/// Copies `width` bytes, at least one, from each of `number` places.
///
/// @param gone a byte for each part of 1 << part bytes of the buffer, the last one too: other than 0
///   where it could not be read; null: all could
/// @param rows number * width bytes; zeros for a row that is not to be had
/// @param missing indices of those, `number` at most
/// @return how many those are
MAPSCOPE_KERNEL uint64_t mapscope_rows(const uint8_t *data, uint64_t size, uint64_t base,
                                       const uint8_t *gone, uint64_t part, const uint64_t *places,
                                       uint64_t number, uint64_t width, uint8_t *rows,
                                       uint32_t *missing) {
  const patchy all(data, size, base, gone, part);
  uint64_t without = 0;
  for (uint64_t index = 0; index < number; ++index) {
    if (index + ahead < number)
      all.expect(places[index + ahead]);
    const uint8_t *row = all.at(places[index], width);
    if (row != nullptr) {
      std::memcpy(rows + index * width, row, width);
    } else {
      std::memset(rows + index * width, 0, width);
      missing[without++] = static_cast<uint32_t>(index);
    }
  }
  return without;
}

/// Hashes, by SipHash, a text in each of `number` rows of `stride` bytes.
///
/// @param start where in its row each text begins, stride at most
/// @param lengths of the texts, a byte each
/// @param each, last rounds for each word, and at the end
/// @param hashes `number` words
/// @return 0, or `outside` where a text is longer than its row
MAPSCOPE_KERNEL uint64_t mapscope_siphash(const uint8_t *rows, uint64_t stride, uint64_t start,
                                          const uint8_t *lengths, uint64_t number, uint64_t k0,
                                          uint64_t k1, uint64_t each, uint64_t last,
                                          uint64_t *hashes) {
  for (uint64_t index = 0; index < number; ++index) {
    const uint64_t length = lengths[index];
    if (start + length > stride)
      return outside;
    const uint8_t *text = rows + index * stride + start;
    siphash state(k0, k1);
    uint64_t done = 0;
    for (; done + 8 <= length; done += 8)
      state.add(load(text + done), each);
    uint64_t word = length << 56;
    for (unsigned shift = 0; done < length; ++done, shift += 8)
      word |= uint64_t{text[done]} << shift;
    state.add(word, each);
    hashes[index] = state.end(last);
  }
  return 0;
}

// SPDX-License-Identifier: MIT
//
// Records of the same shape, such as buckets of a map: bytes counted in each, and words picked out.
#include "kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mapscope::kernels {
namespace {

/// How many of the first `width` bytes of a word are in low..low+span.
class in_range {
public:
  in_range(uint64_t low, uint64_t high, uint64_t width)
      : m_low(static_cast<uint8_t>(low)), m_span(static_cast<uint8_t>(high - low)),
        m_mask(width >= 8 ? 0xFFU : (1U << width) - 1U) {}

  [[nodiscard]] unsigned count(uint64_t word) const {
#if defined(__SSE2__)
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(word));
    const __m128i from_low = _mm_sub_epi8(bytes, _mm_set1_epi8(static_cast<char>(m_low)));
    const __m128i limited = _mm_min_epu8(from_low, _mm_set1_epi8(static_cast<char>(m_span)));
    const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(limited, from_low));
    return set_bits(static_cast<unsigned>(equal) & m_mask);
#else
    unsigned found = 0;
    for (unsigned at = 0; at < 8; ++at) {
      const auto byte = static_cast<uint8_t>(word >> (8 * at));
      found += static_cast<uint8_t>(byte - m_low) <= m_span && (m_mask >> at & 1U) != 0;
    }
    return found;
#endif
  }

private:
  /// Bits of eight, without an instruction that older processors lack.
  static unsigned set_bits(unsigned bits) {
    bits -= bits >> 1 & 0x55U;
    bits = (bits & 0x33U) + (bits >> 2 & 0x33U);
    return (bits + (bits >> 4)) & 0x0FU;
  }

  uint8_t m_low;
  uint8_t m_span;
  unsigned m_mask;
};

} // namespace
} // namespace mapscope::kernels

using namespace mapscope::kernels;

/// Counts, in each of `number` records, those of `width` (1 to 8) bytes at `offset` that are in
/// low..high.
///
/// @param stride at least offset + 8
/// @param places addresses of the records, of which the buffer begins at `base`; null: the records
///   lie one behind the other
/// @param counts one byte for each record
/// @param histogram 9 numbers: of records with so many such bytes, added to what is there
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_count_bytes(const uint8_t *data, uint64_t size, uint64_t stride,
                                              const uint64_t *places, uint64_t base,
                                              uint64_t number, uint64_t offset, uint64_t width,
                                              uint64_t low, uint64_t high, uint8_t *counts,
                                              uint64_t *histogram) {
  const records all(data, size, stride, places, base);
  const in_range range(low, high, width);
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *record = all.at(index);
    if (record == nullptr)
      return outside;
    const unsigned found = range.count(load(record + offset));
    counts[index] = static_cast<uint8_t>(found);
    ++histogram[found];
  }
  return 0;
}

/// Picks the words at `offset` of the records that are not 0.
///
/// @param but marks of the records, of which those with any are left out; null: none is
/// @param indices of the records that have one, `number` at most
/// @param words as many words
/// @param together one word: the bits that any of them has, added to what is there
/// @return how many there are, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_links(const uint8_t *data, uint64_t size, uint64_t stride,
                                        const uint64_t *places, uint64_t base, uint64_t number,
                                        uint64_t offset, const uint8_t *but, uint32_t *indices,
                                        uint64_t *words, uint64_t *together) {
  const records all(data, size, stride, places, base);
  uint64_t found = 0;
  uint64_t bits = 0;
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *record = all.at(index);
    if (record == nullptr)
      return outside;
    const uint64_t word = load(record + offset);
    if (word == 0 || (but != nullptr && but[index] != 0))
      continue;
    indices[found] = static_cast<uint32_t>(index);
    words[found] = word;
    ++found;
    bits |= word;
  }
  *together |= bits;
  return found;
}

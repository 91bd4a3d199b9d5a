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

/// Whether any byte of a word, of at least `least`, is in another: each byte at each of its places.
///
/// @param itself whether both are one word, whose bytes are not compared with themselves
bool has_equal([[maybe_unused]] uint64_t word, [[maybe_unused]] uint64_t other,
               [[maybe_unused]] uint8_t least, [[maybe_unused]] bool itself) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(word));
  const __m128i floor = _mm_set1_epi8(static_cast<char>(least));
  const __m128i live = _mm_cmpeq_epi8(_mm_max_epu8(bytes, floor), bytes);
  __m128i equal = _mm_setzero_si128();
  for (unsigned turn = itself ? 1 : 0; turn < (itself ? 5U : 8U); ++turn) {
    const uint64_t turned = turn == 0 ? other : other >> 8 * turn | other << (64 - 8 * turn);
    const __m128i compared = _mm_cvtsi64_si128(static_cast<long long>(turned));
    equal = _mm_or_si128(equal, _mm_cmpeq_epi8(bytes, compared));
  }
  return (_mm_movemask_epi8(_mm_and_si128(equal, live)) & 0xFF) != 0;
#else
  return true; // it is looked at byte by byte anyway
#endif
}

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

/// Counts and picks in one go, of records that lie one behind the other: bytes of the first 8 in
/// low..high, marks (a first byte in mark_low..mark_high), and the words at `link` that are not 0.
///
/// @param ahead_from the first record whose mark is also counted apart
/// @param skip 1: words of records with a mark are left out; 0: they are not
/// @param totals 12 numbers, added to: records with 0, 1, ... 8 such bytes; marks; those from
///   `ahead_from` on; the bits that any word has
/// @param words `number` at most
/// @param counts as many: how many such bytes the record of each word has
/// @return how many words there are
MAPSCOPE_KERNEL uint64_t mapscope_survey(const uint8_t *data, uint64_t stride, uint64_t number,
                                         uint64_t low, uint64_t high, uint64_t mark_low,
                                         uint64_t mark_high, uint64_t ahead_from, uint64_t link,
                                         uint64_t skip, uint64_t *totals, uint64_t *words,
                                         uint32_t *counts) {
  const in_range range(low, high, 8);
  const in_range marks(mark_low, mark_high, 1);
  uint64_t found = 0;
  uint64_t marked = 0;
  uint64_t ahead = 0;
  uint64_t bits = 0;
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *record = data + index * stride;
    const uint64_t first = load(record);
    const unsigned many = range.count(first);
    ++totals[many];
    const unsigned mark = marks.count(first);
    marked += mark;
    ahead += index >= ahead_from ? mark : 0U;
    const uint64_t word = load(record + link);
    if (word == 0 || (mark & skip) != 0)
      continue;
    words[found] = word;
    counts[found] = many;
    ++found;
    bits |= word;
  }
  totals[9] += marked;
  totals[10] += ahead;
  totals[11] |= bits;
  return found;
}

/// Lists the bytes among the first 8 of each record that are in low..high, with what belongs to each:
/// the `width` bytes at slots + step * (its index among the 8).
///
/// @param stride at least 8, and slots + 7 * step + width
/// @param positions 8 * record + index of each; 8 * number at most
/// @param marks the bytes themselves, as many
/// @param values `width` bytes for each
/// @return how many there are
MAPSCOPE_KERNEL uint64_t mapscope_cells(const uint8_t *data, uint64_t stride, uint64_t number,
                                        uint64_t low, uint64_t high, uint64_t slots, uint64_t step,
                                        uint64_t width, uint32_t *positions, uint8_t *marks,
                                        uint8_t *values) {
  const auto span = static_cast<uint8_t>(high - low);
  uint64_t found = 0;
  for (uint64_t index = 0; index < number; ++index) {
    const uint8_t *record = data + index * stride;
    for (uint64_t cell = 0; cell < 8; ++cell) {
      if (static_cast<uint8_t>(record[cell] - low) > span)
        continue;
      positions[found] = static_cast<uint32_t>(8 * index + cell);
      marks[found] = record[cell];
      const uint8_t *const value = record + slots + cell * step;
      if (width == 8) {
        std::memcpy(values + 8 * found, value, 8);
      } else {
        std::memcpy(values + width * found, value, width);
      }
      ++found;
    }
  }
  return found;
}

/// Whether numbers say where their records are: the highest byte, by a table, is a record's mark, and
/// the bits of a mask are its owner.
///
/// @param table 256 bytes
/// @param positions 8 * record + index of each
/// @param owners of the records, `limit` of them; null: first, first + 1, ...
/// @return the index of the first one that does not, or `number`
MAPSCOPE_KERNEL uint64_t mapscope_fits(const uint64_t *numbers, uint64_t number,
                                       const uint8_t *table, const uint8_t *marks, uint64_t mask,
                                       const uint32_t *positions, const uint64_t *owners,
                                       uint64_t first, uint64_t limit) {
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t record = positions[at] / 8;
    if (record >= limit)
      return at;
    const uint64_t owner = owners != nullptr ? owners[record] : first + record;
    if (table[numbers[at] >> 56] != marks[at] || (numbers[at] & mask) != owner)
      return at;
  }
  return number;
}

/// The word at `offset` of each record.
///
/// @param stride at least offset + 8
MAPSCOPE_KERNEL uint64_t mapscope_words(const uint8_t *data, uint64_t stride, uint64_t number,
                                        uint64_t offset, uint8_t *words) {
  for (uint64_t index = 0; index < number; ++index) {
    std::memcpy(words + 8 * index, data + index * stride + offset, 8);
  }
  return 0;
}

/// Finds equal bytes, of at least `least`, in groups of 8, pairs of the first two bytes of all groups
/// first.
///
/// @param others as many groups, whose bytes are the second ones; null: the same groups
/// @param some `number`, for the groups that have any
/// @param groups, pairs `limit` at most: the group, 8 * index + index of the second
/// @return how many there are, also where that is more
MAPSCOPE_KERNEL uint64_t mapscope_equal_bytes(const uint8_t *data, const uint8_t *others,
                                              uint64_t number, uint64_t least, uint32_t *some,
                                              uint32_t *groups, uint8_t *pairs, uint64_t limit) {
  const uint8_t *const second = others != nullptr ? others : data;
  uint64_t having = 0;
  for (uint64_t group = 0; group < number; ++group) {
    some[having] = static_cast<uint32_t>(group);
    having += has_equal(load(data + 8 * group), load(second + 8 * group),
                        static_cast<uint8_t>(least), others == nullptr)
                  ? 1U
                  : 0U;
  }
  uint64_t found = 0;
  for (uint64_t a = 0; a < 8; ++a) {
    for (uint64_t b = others != nullptr ? 0 : a + 1; b < 8; ++b) {
      for (uint64_t at = 0; at < having; ++at) {
        const uint64_t group = some[at];
        const uint8_t byte = data[8 * group + a];
        if (byte != second[8 * group + b] || byte < least)
          continue;
        if (found < limit) {
          groups[found] = static_cast<uint32_t>(group);
          pairs[found] = static_cast<uint8_t>(8 * a + b);
        }
        ++found;
      }
    }
  }
  return found;
}

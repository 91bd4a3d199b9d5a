// SPDX-License-Identifier: MIT
//
// Looking at the eight tophash bytes of a bucket at once. What this header
// knows: the cell states of layout.h. What it must not know: keys.
#ifndef MAPSCOPE_TOPHASH_HPP
#define MAPSCOPE_TOPHASH_HPP

#include <bit>
#include <cstdint>
#include <cstring>

#include <mapscope/layout.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace mapscope {

// Number of the lowest cell in a set of cells (bit i: cell i) that is not empty.
inline unsigned first_cell(unsigned cells) noexcept {
  return static_cast<unsigned>(std::countr_zero(cells));
}

// The tophash bytes of a bucket, as they were when it was made. Every function
// returns a set of cells: bit i stands for cell i.
class tophash_group {
public:
#ifdef __SSE2__
  explicit tophash_group(const bmap *b) noexcept
      : bytes_(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(b->tophash))) {}
  // Cells whose tophash is `top`.
  unsigned match(uint8_t top) const noexcept {
    // _mm_set1_epi8 may go through memory, one byte in and four out, which no
    // processor forwards. All sixteen bytes are set: of bytes_ the upper half is 0,
    // which no tophash of a key is.
    __m128i all = _mm_cvtsi32_si128(top);
    all = _mm_unpacklo_epi8(all, all);
    all = _mm_shuffle_epi32(_mm_shufflelo_epi16(all, 0), 0);
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes_, all)));
  }
  // Cells that hold nothing: emptyRest or emptyOne.
  unsigned empty() const noexcept {
    return mask(_mm_cmpeq_epi8(_mm_min_epu8(bytes_, _mm_set1_epi8(MAPSCOPE_EMPTY_ONE)), bytes_));
  }
  // Cells that are emptyRest.
  unsigned rest() const noexcept { return mask(_mm_cmpeq_epi8(bytes_, _mm_setzero_si128())); }
  // Cells that hold an entry.
  unsigned live() const noexcept {
    return mask(_mm_cmpeq_epi8(_mm_max_epu8(bytes_, _mm_set1_epi8(MAPSCOPE_MIN_TOP_HASH)), bytes_));
  }

private:
  static unsigned mask(__m128i equal) noexcept {
    return static_cast<unsigned>(_mm_movemask_epi8(equal)) & 0xff;
  }
  __m128i bytes_;
#else
  explicit tophash_group(const bmap *b) noexcept { std::memcpy(bytes_, b->tophash, 8); }
  unsigned match(uint8_t top) const noexcept {
    return mask([top](uint8_t byte) { return byte == top; });
  }
  unsigned empty() const noexcept {
    return mask([](uint8_t byte) { return byte <= MAPSCOPE_EMPTY_ONE; });
  }
  unsigned rest() const noexcept {
    return mask([](uint8_t byte) { return byte == MAPSCOPE_EMPTY_REST; });
  }
  unsigned live() const noexcept {
    return mask([](uint8_t byte) { return byte >= MAPSCOPE_MIN_TOP_HASH; });
  }

private:
  template <class F> unsigned mask(F holds) const noexcept {
    unsigned cells = 0;
    for (unsigned i = 0; i < 8; i++) {
      cells |= holds(bytes_[i]) ? 1U << i : 0U;
    }
    return cells;
  }
  uint8_t bytes_[8];
#endif
};

} // namespace mapscope

#endif

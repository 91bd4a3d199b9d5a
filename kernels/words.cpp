// SPDX-License-Identifier: MIT
//
// Columns of words: sorted, added, counted.
#include "kernels.h"

using namespace mapscope::kernels;

namespace {

constexpr unsigned digit_bits = 8;
constexpr unsigned digits = 64 / digit_bits;
constexpr uint64_t values = 1U << digit_bits;

/// One pass of a radix sort, by one digit.
void pass(const uint64_t *words, const uint32_t *more, uint64_t number, unsigned shift,
          const uint64_t *counted, uint64_t *words_out, uint32_t *more_out) {
  uint64_t starts[values];
  uint64_t sum = 0;
  for (uint64_t value = 0; value < values; ++value) {
    starts[value] = sum;
    sum += counted[value];
  }
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t to = starts[words[at] >> shift & (values - 1)]++;
    words_out[to] = words[at];
    more_out[to] = more[at];
  }
}

} // namespace

/// Sorts words, each with a number of its own beside it; those that are equal stay in their order.
///
/// @param words, more `number` of each; sorted in place
/// @param spare_words, spare_more as many, for what stands between
/// @return 1 if two words are equal, else 0
MAPSCOPE_KERNEL uint64_t mapscope_sort(uint64_t *words, uint32_t *more, uint64_t number,
                                       uint64_t *spare_words, uint32_t *spare_more) {
  uint64_t *const words_in = words;
  uint32_t *const more_in = more;
  for (unsigned digit = 0; digit < digits; ++digit) {
    const unsigned shift = digit * digit_bits;
    uint64_t counted[values] = {};
    for (uint64_t at = 0; at < number; ++at)
      ++counted[words[at] >> shift & (values - 1)];
    // Mostly all have the same upper bytes, and the same lowest bits.
    if (number == 0 || counted[words[0] >> shift & (values - 1)] == number)
      continue;
    pass(words, more, number, shift, counted, spare_words, spare_more);
    uint64_t *const sorted_words = spare_words;
    uint32_t *const sorted_more = spare_more;
    spare_words = words;
    spare_more = more;
    words = sorted_words;
    more = sorted_more;
  }
  if (words != words_in) {
    std::memcpy(words_in, words, number * sizeof *words);
    std::memcpy(more_in, more, number * sizeof *more);
  }
  for (uint64_t at = 1; at < number; ++at) {
    if (words_in[at - 1] == words_in[at])
      return 1;
  }
  return 0;
}

/// Adds up what belongs to some records: before[i] + counts[i] for each index i.
///
/// @param before of the records; null: all 0
/// @param limit how many records there are
/// @param sums one for each index
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_sums(const uint32_t *before, const uint8_t *counts,
                                       uint64_t limit, const uint32_t *indices, uint64_t number,
                                       uint32_t *sums) {
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t index = indices[at];
    if (index >= limit)
      return outside;
    sums[at] = (before != nullptr ? before[index] : 0U) + counts[index];
  }
  return 0;
}

/// Moves each record in a histogram from `before` to before + counts.
///
/// @param histogram `limit` numbers
/// @return 0, or `outside`, where nothing was moved
MAPSCOPE_KERNEL uint64_t mapscope_move(const uint32_t *before, const uint8_t *counts,
                                       uint64_t number, int64_t *histogram, uint64_t limit) {
  for (uint64_t at = 0; at < number; ++at) {
    if (uint64_t{before[at]} + counts[at] >= limit)
      return outside;
  }
  for (uint64_t at = 0; at < number; ++at) {
    --histogram[before[at]];
    ++histogram[before[at] + counts[at]];
  }
  return 0;
}

/// Gets texts ready to be gone through in the order of their addresses: those that are empty, which
/// may have any, get the lowest of the others.
///
/// @param starts, lengths `number` of each; starts are changed
/// @param order filled with 0, 1, 2, ...
/// @return the longest one's length
MAPSCOPE_KERNEL uint64_t mapscope_anchor(uint64_t *starts, const uint64_t *lengths, uint64_t number,
                                         uint32_t *order) {
  uint64_t lowest = ~uint64_t{0};
  uint64_t longest = 0;
  bool empty = false;
  for (uint64_t at = 0; at < number; ++at) {
    order[at] = static_cast<uint32_t>(at);
    longest = lengths[at] > longest ? lengths[at] : longest;
    if (lengths[at] == 0) {
      empty = true;
    } else {
      lowest = starts[at] < lowest ? starts[at] : lowest;
    }
  }
  for (uint64_t at = 0; empty && at < number; ++at) {
    if (lengths[at] == 0)
      starts[at] = longest != 0 ? lowest : 0;
  }
  return longest;
}

/// The words at some indices.
///
/// @param limit how many words there are
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_take(const uint64_t *words, uint64_t limit,
                                       const uint32_t *indices, uint64_t number, uint64_t *taken) {
  for (uint64_t at = 0; at < number; ++at) {
    if (indices[at] >= limit)
      return outside;
    taken[at] = words[indices[at]];
  }
  return 0;
}

/// Puts words to some indices of `limit`.
///
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_put(const uint64_t *words, const uint32_t *indices,
                                      uint64_t number, uint64_t *all, uint64_t limit) {
  for (uint64_t at = 0; at < number; ++at) {
    if (indices[at] >= limit)
      return outside;
    all[indices[at]] = words[at];
  }
  return 0;
}

/// Where the last of some texts ends.
MAPSCOPE_KERNEL uint64_t mapscope_reach(const uint64_t *starts, const uint64_t *lengths,
                                        uint64_t number) {
  uint64_t end = 0;
  for (uint64_t at = 0; at < number; ++at) {
    end = starts[at] + lengths[at] > end ? starts[at] + lengths[at] : end;
  }
  return end;
}

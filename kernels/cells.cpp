// SPDX-License-Identifier: MIT
//
// Cells of records, such as those of buckets: numbers out of them, and the bytes that some of those
// are the addresses of.
#include "kernels.h"

using namespace mapscope::kernels;

/// The numbers of the marks that are not 0.
///
/// @param found `number` of them at most
/// @return how many there are
MAPSCOPE_KERNEL uint64_t mapscope_marked(const uint8_t *marks, uint64_t number, uint32_t *found) {
  uint64_t count = 0;
  for (uint64_t at = 0; at < number; ++at) {
    found[count] = static_cast<uint32_t>(at);
    count += static_cast<uint64_t>(marks[at] != 0);
  }
  return count;
}

/// Picks a value of `width` (1, 2, 4 or 8) bytes out of each of some cells, 8 of which are in each
/// record.
///
/// @param cells 8 * record + cell
/// @param offset of cell 0's in a record
/// @param step from it to that of the next cell
/// @param found `number` values
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_pick(const uint8_t *data, uint64_t size, uint64_t stride,
                                       uint64_t offset, uint64_t step, uint64_t width,
                                       const uint32_t *cells, uint64_t number, uint8_t *found) {
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t place = (cells[at] >> 3) * stride + offset + (cells[at] & 7U) * step;
    if (place > size || size - place < width)
      return outside;
    switch (width) {
    case 8:
      std::memcpy(found + 8 * at, data + place, 8);
      break;
    case 4:
      std::memcpy(found + 4 * at, data + place, 4);
      break;
    default:
      std::memcpy(found + width * at, data + place, width);
    }
  }
  return 0;
}

/// What belongs to the records of some cells: owners[cell / 8].
///
/// @param owners of `limit` records; null: each record's is its number and `first`
/// @param found `number` of them
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_owners(const uint64_t *owners, uint64_t first, uint64_t limit,
                                         const uint32_t *cells, uint64_t number, uint64_t *found) {
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t record = cells[at] >> 3;
    if (record >= limit)
      return outside;
    found[at] = owners != nullptr ? owners[record] : first + record;
  }
  return 0;
}

/// Sums of the numbers in front of each, and of all.
///
/// @param sums one more than there are numbers
/// @return the sum of all
MAPSCOPE_KERNEL uint64_t mapscope_offsets(const uint64_t *numbers, uint64_t number,
                                          uint64_t *sums) {
  uint64_t sum = 0;
  for (uint64_t at = 0; at < number; ++at) {
    sums[at] = sum;
    sum += numbers[at];
  }
  sums[number] = sum;
  return sum;
}

/// Copies pieces of memory to where each belongs.
///
/// @param base address of the first byte of data
/// @param addresses, which of `number` pieces: where each begins, and its number
/// @param offsets of all pieces in the copy, and the end of the last one: so long is each
/// @param limit how many pieces there are in all
/// @param room bytes of the copy
/// @return how many were copied in front of the first that is not in the data whole, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_cut(const uint8_t *data, uint64_t size, uint64_t base,
                                      const uint64_t *addresses, const uint32_t *which,
                                      uint64_t number, const uint64_t *offsets, uint64_t limit,
                                      uint8_t *copy, uint64_t room) {
  for (uint64_t at = 0; at < number; ++at) {
    const uint64_t piece = which[at];
    if (piece >= limit)
      return outside;
    const uint64_t to = offsets[piece];
    const uint64_t length = offsets[piece + 1] - to;
    if (to > room || room - to < length)
      return outside;
    const uint64_t from = addresses[at] - base;
    if (from > size || size - from < length)
      return at;
    std::memcpy(copy + to, data + from, length);
  }
  return number;
}

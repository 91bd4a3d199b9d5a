// SPDX-License-Identifier: MIT
//
// The kernels: what core/mapscope/kernels calls by ctypes. They know bytes, strides and ranges, and
// nothing of maps. Every argument is 64 bits wide and so is every result; buffers are the caller's,
// and large enough (each says for how many). What is read of a program may be anything: no kernel
// reads outside of the buffers whatever stands in them.
//
// For each there is the same in Python, which is used where this library was not built, and which
// tests compare it with. Whoever changes what a kernel takes or gives, changes ABI in abi.cpp and in
// native.py.
#ifndef MAPSCOPE_KERNELS_H
#define MAPSCOPE_KERNELS_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#define MAPSCOPE_KERNEL extern "C" [[gnu::visibility("default")]]

namespace mapscope::kernels {

using std::int64_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

/// What a kernel gives that was asked for what is not in its buffers.
inline constexpr uint64_t outside = ~uint64_t{0};

/// A little-endian word, wherever it lies.
inline uint64_t load(const uint8_t *at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Records of `stride` bytes in a buffer of `size`: one behind the other, or those at given
/// addresses, of which the buffer's first byte has `base`.
class records {
public:
  records(const uint8_t *data, uint64_t size, uint64_t stride, const uint64_t *places,
          uint64_t base)
      : m_data(data), m_size(size), m_stride(stride), m_places(places), m_base(base) {}

  /// Where a record begins; null: it is not in the buffer.
  [[nodiscard]] const uint8_t *at(uint64_t index) const {
    const uint64_t offset = m_places != nullptr ? m_places[index] - m_base : index * m_stride;
    return offset <= m_size && m_size - offset >= m_stride ? m_data + offset : nullptr;
  }

private:
  const uint8_t *m_data;
  uint64_t m_size;
  uint64_t m_stride;
  const uint64_t *m_places;
  uint64_t m_base;
};

} // namespace mapscope::kernels

#endif

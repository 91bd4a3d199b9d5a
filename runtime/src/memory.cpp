// SPDX-License-Identifier: MIT
//
// Memory for buckets. Allocating, clearing and giving back a large array at
// once would stall the write that does it, for longer the larger the map.
// Large arrays are therefore mapped, so that the kernel hands out zeroed pages
// as they are first touched, and unmapped in slices, one with each later write.
#include "internal.hpp"

#include <cstring>
#include <new>

#include <sys/mman.h>

namespace mapscope {

// The beginning of memory that waits to be given back.
struct retired_block {
  retired_block *next;
  size_t bytes;
  size_t align;
};

namespace {

constexpr size_t page = 4096;
constexpr size_t huge_page = size_t{2} << 20;
// From here on memory is mapped.
constexpr size_t map_threshold = size_t{1} << 20;
// Unmapped at once: a whole huge page, since part of one would be split first.
constexpr size_t slice = huge_page;

constexpr size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

void *map_pages(size_t bytes) {
  bytes = round_up(bytes, page);
  // Aligned for huge pages: map more, then unmap both ends.
  const size_t extra = bytes >= huge_page ? huge_page - page : 0;
  void *memory =
      mmap(nullptr, bytes + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  if (extra != 0) {
    char *const begin = static_cast<char *>(memory);
    const size_t before = (huge_page - reinterpret_cast<uintptr_t>(memory) % huge_page) % huge_page;
    if (before != 0) {
      munmap(begin, before);
    }
    if (before != extra) {
      munmap(begin + before + bytes, extra - before);
    }
    memory = begin + before;
    // Random lookups in a large map miss the TLB otherwise. A failure costs
    // speed only.
    madvise(memory, bytes, MADV_HUGEPAGE);
  }
  return memory;
}

} // namespace

void *allocate(size_t bytes, size_t align) {
  if (bytes >= map_threshold) {
    return map_pages(bytes);
  }
  void *const memory = ::operator new (bytes, std::align_val_t{align});
  std::memset(memory, 0, bytes);
  return memory;
}

void release(void *memory, size_t bytes, size_t align) noexcept {
  if (bytes >= map_threshold) {
    munmap(memory, round_up(bytes, page));
  } else {
    ::operator delete (memory, std::align_val_t{align});
  }
}

void retire(hmap *h, void *memory, size_t bytes, size_t align) noexcept {
  if (bytes < sizeof(retired_block)) { // a bucket of nothing much
    release(memory, bytes, align);
    return;
  }
  mapstate *x = state_of(h);
  x->retired = new (memory) retired_block{x->retired, bytes, align};
}

void release_retired(hmap *h) noexcept {
  mapstate *x = state_of(h);
  retired_block *block = x->retired;
  if (block->bytes >= map_threshold) {
    const size_t rest = round_up(block->bytes, page);
    // From the end: the beginning says what is left.
    const size_t keep = rest > slice ? (rest - 1) / slice * slice : 0;
    if (keep != 0) {
      munmap(reinterpret_cast<char *>(block) + keep, rest - keep);
      // Not below the threshold, or the rest would not look mapped.
      block->bytes = keep;
      static_assert(slice >= map_threshold);
      return;
    }
  }
  x->retired = block->next;
  release(block, block->bytes, block->align);
}

void release_all_retired(hmap *h) noexcept {
  mapstate *x = state_of(h);
  while (x->retired != nullptr) {
    retired_block *block = x->retired;
    x->retired = block->next;
    release(block, block->bytes, block->align);
  }
}

} // namespace mapscope

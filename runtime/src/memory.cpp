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
// From here on memory is mapped.
constexpr size_t map_threshold = size_t{1} << 20;
// Unmapped at once.
constexpr size_t slice = size_t{256} << 10;

constexpr size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Ordinary pages, not huge ones (MADV_HUGEPAGE): those make random lookups in a
// large map faster, but each first touch zeroes 2 MiB, and a write in a growth
// touches several. Measured in a virtual machine: 11 ms for each.
void *map_pages(size_t bytes) {
  void *const memory = mmap(nullptr, round_up(bytes, page), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  return memory;
}

} // namespace

void *allocate(size_t bytes, size_t align) {
  if (bytes >= map_threshold) {
    return map_pages(bytes);
  }
  // Memory with a stricter alignment than usual takes malloc much longer.
  void *const memory = align <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                           ? ::operator new(bytes)
                           : ::operator new (bytes, std::align_val_t{align});
  std::memset(memory, 0, bytes);
  return memory;
}

void release(void *memory, size_t bytes, size_t align) noexcept {
  if (bytes >= map_threshold) {
    munmap(memory, round_up(bytes, page));
  } else if (align <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(memory);
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
  publish(x->retired_bytes, x->retired_bytes + bytes);
  store_flags(h, load_flags(h) | unsigned{MAPSCOPE_RETIRED});
}

void release_retired(hmap *h) noexcept {
  mapstate *x = state_of(h);
  retired_block *block = x->retired;
  // From the end: the beginning says what is left. What is left must not fall
  // below the threshold, or it would not look mapped.
  const size_t rest = round_up(block->bytes, page);
  if (rest >= map_threshold + slice) {
    munmap(reinterpret_cast<char *>(block) + rest - slice, slice);
    publish(x->retired_bytes, x->retired_bytes - block->bytes + (rest - slice));
    block->bytes = rest - slice;
    return;
  }
  x->retired = block->next;
  publish(x->retired_bytes, x->retired_bytes - block->bytes);
  if (x->retired == nullptr) {
    store_flags(h, load_flags(h) & ~unsigned{MAPSCOPE_RETIRED});
  }
  release(block, block->bytes, block->align);
}

void release_all_retired(hmap *h) noexcept {
  mapstate *x = state_of(h);
  while (x->retired != nullptr) {
    retired_block *block = x->retired;
    x->retired = block->next;
    release(block, block->bytes, block->align);
  }
  publish(x->retired_bytes, 0);
  store_flags(h, load_flags(h) & ~unsigned{MAPSCOPE_RETIRED});
}

} // namespace mapscope

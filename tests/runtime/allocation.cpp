// SPDX-License-Identifier: MIT
//
// operator new and delete for the tests: fail when asked to, and count.
#include <cstdlib>
#include <new>

#include "support.hpp"

namespace {

constexpr uint64_t never = std::numeric_limits<uint64_t>::max();
constinit thread_local uint64_t allocations_left = never;
constinit std::atomic<int64_t> live_blocks = 0;

void *allocate(size_t bytes, size_t align) {
  if (allocations_left != never && allocations_left-- == 0) {
    allocations_left = never;
    throw std::bad_alloc();
  }
  const size_t rounded = bytes == 0 ? align : (bytes + align - 1) / align * align;
  void *memory = align <= alignof(std::max_align_t) ? std::malloc(rounded)
                                                    : std::aligned_alloc(align, rounded);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  live_blocks++;
  return memory;
}

void release(void *memory) noexcept {
  if (memory != nullptr) {
    live_blocks--;
    std::free(memory);
  }
}

} // namespace

namespace support {
void allocations::fail_after(uint64_t n) { allocations_left = n; }
void allocations::succeed() { allocations_left = never; }
int64_t allocations::live() { return live_blocks; }
} // namespace support

void *operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void *operator new[](size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void *operator new(size_t bytes, std::align_val_t align) {
  return allocate(bytes, static_cast<size_t>(align));
}
void *operator new[](size_t bytes, std::align_val_t align) {
  return allocate(bytes, static_cast<size_t>(align));
}
void operator delete(void *memory) noexcept { release(memory); }
void operator delete[](void *memory) noexcept { release(memory); }
void operator delete(void *memory, size_t) noexcept { release(memory); }
void operator delete[](void *memory, size_t) noexcept { release(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void *memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void *memory, size_t, std::align_val_t) noexcept { release(memory); }

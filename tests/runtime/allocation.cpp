// SPDX-License-Identifier: MIT
//
// operator new and delete for the tests: fail when asked to, and count. So do
// mmap and munmap where no sanitizer has its own.
#include <cstdlib>
#include <new>

#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.hpp"

namespace {

constexpr uint64_t never = std::numeric_limits<uint64_t>::max();
constinit thread_local uint64_t allocations_left = never;
constinit std::atomic<int64_t> live_blocks = 0;
constinit std::atomic<int64_t> live_bytes = 0; // as the allocator counts them

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
  live_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}

void release(void *memory) noexcept {
  if (memory != nullptr) {
    live_blocks--;
    live_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
    std::free(memory);
  }
}

} // namespace

namespace support {
void allocations::fail_after(uint64_t n) { allocations_left = n; }
void allocations::succeed() { allocations_left = never; }
int64_t allocations::live() { return live_blocks; }
int64_t allocations::bytes() { return live_bytes; }
} // namespace support

#if !MAPSCOPE_TESTS_SANITIZED
extern "C" {
// The library's large arrays. In whole pages, as the kernel counts.
void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  const long result = syscall(SYS_mmap, at, bytes, protection, flags, file, offset);
  void *const memory = reinterpret_cast<void *>(result); // NOLINT(performance-no-int-to-ptr)
  if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) != 0) {
    live_bytes += static_cast<int64_t>((bytes + 4095) / 4096 * 4096);
  }
  return memory;
}
int munmap(void *memory, size_t bytes) noexcept {
  live_bytes -= static_cast<int64_t>((bytes + 4095) / 4096 * 4096);
  return static_cast<int>(syscall(SYS_munmap, memory, bytes));
}
}
#endif

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

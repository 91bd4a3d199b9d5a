// SPDX-License-Identifier: MIT
//
// The memory of another process. The kernel copies it once here, and twice where /proc/PID/mem is
// read.
#include "kernels.h"

#include <sys/uio.h>

using namespace mapscope::kernels;

/// Copies memory of a process that the caller may trace.
///
/// @param copy `size` bytes
/// @return how many were copied: fewer where not all of it can be read, or it may not be
MAPSCOPE_KERNEL uint64_t mapscope_read_process(uint64_t pid, uint64_t address, uint64_t size,
                                               uint8_t *copy) {
  const iovec to = {copy, size};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address of another process
  const iovec from = {reinterpret_cast<void *>(address), size};
  const ssize_t done = process_vm_readv(static_cast<pid_t>(pid), &to, 1, &from, 1, 0);
  return done < 0 ? 0 : static_cast<uint64_t>(done);
}

// SPDX-License-Identifier: MIT
//
// The stop filter of debug.h: what a debugger fills in, and the one function
// that it puts a breakpoint on.
#include "internal.hpp"

#include <mapscope/debug.h>

extern "C" {

// `used` and `retain`: see mapscope_abi.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
[[gnu::used, gnu::retain, gnu::visibility("default")]] alignas(64) //
    constinit mapscope::stop_filter mapscope_stop_filter = {};

// Not inlined nor specialised (its argument must be where the ABI says), and
// never merged with another empty function: no other names the filter.
#if !defined(__clang__)
[[gnu::noipa]]
#endif
[[gnu::used, gnu::retain, gnu::noinline, gnu::visibility("default")]] void
mapscope_debug_stop(const mapscope::event *event) {
  asm volatile("" : : "r"(event), "r"(&mapscope_stop_filter) : "memory");
}
#pragma GCC diagnostic pop

} // extern "C"

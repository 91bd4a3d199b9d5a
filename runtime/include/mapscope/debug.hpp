// SPDX-License-Identifier: MIT
//
// The debug interface. For programs: set_mapdebug. For debuggers: what debug.h
// has. The rest of this file is for map.hpp, which asks here at each write
// whether a debugger waits for it.
//
// Compiled with MAPSCOPE_NO_DEBUG, both the library and the programs that use
// it, nothing of this runs: mapscope_abi says so, and no debugger can set stops.
#ifndef MAPSCOPE_DEBUG_HPP
#define MAPSCOPE_DEBUG_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>

#include <mapscope/debug.h>
#include <mapscope/runtime.hpp>

namespace mapscope {

// What the environment variable MAPDEBUG says at the program's start, set while it
// runs: settings with commas between them, in place of all that were set
// before; none is as good as an empty text.
//
//   shrinktrigger=1       a map with more than 16 buckets halves when erasing
//                         leaves fewer entries than a quarter of its buckets
//   maptrace=1            prints a line for each event in the life of each map, and
//                         for each bucket evacuated, on standard error
//   history=N             keeps the last N events in the life of maps, and N
//                         evacuations of each thread, instead of 4096 and 1024
//                         (history.h); 0: none. A ring that exists keeps its size
//   inject=grow:TIME      waits between the decision to grow and hashGrow's
//                         first store
//   inject=evacuate:TIME  waits in each evacuation of an old bucket, between
//                         the mark and the copy of its first entry
//
// TIME is a whole number and ns, us, ms or s, an hour at most: 100us. A write that
// waits there makes a race with another thread happen every time.
//
// A setting that is not understood is said on standard error and ignored.
// Returns whether all were understood. A library built with MAPSCOPE_NO_DEBUG
// has shrinktrigger only.
bool set_mapdebug(std::string_view text) noexcept;

namespace detail {

// Whether shrinktrigger=1 is set.
extern std::atomic<bool> shrink_trigger;

// Whether a debugger waits for one of these events (MAPSCOPE_EVENT_...) on any
// map.
inline bool stop_armed([[maybe_unused]] uint32_t events) noexcept {
#ifdef MAPSCOPE_NO_DEBUG
  return false;
#else
  return (__atomic_load_n(&mapscope_stop_filter.armed, __ATOMIC_RELAXED) & events) != 0;
#endif
}

// The same for assignments to and deletions from one map: quicker to say no,
// without a call, where another map is waited for.
inline bool stop_armed(uint32_t events, [[maybe_unused]] const hmap *h) noexcept {
#ifdef MAPSCOPE_NO_DEBUG
  static_cast<void>(events);
  return false;
#else
  if (!stop_armed(events)) [[likely]] {
    return false;
  }
  const uint64_t only = __atomic_load_n(&mapscope_stop_filter.only_map, __ATOMIC_RELAXED);
  return only == 0 || only == reinterpret_cast<uintptr_t>(h);
#endif
}

// Stops if a debugger waits for this assignment or deletion. `key` and `flags`:
// as in event; `bucket`: the key's in h->buckets.
MAPSCOPE_NOINLINE void stop_at_entry(uint32_t event, const hmap *h, uint64_t bucket,
                                     const void *key, uint64_t key_hash, uint32_t flags) noexcept;

// The key for event.key: nil if it is not of the map's key type.
template <class K, class Q> const void *event_key([[maybe_unused]] const Q &key) noexcept {
  if constexpr (std::is_same_v<K, Q>) {
    return std::addressof(key);
  } else {
    return nullptr;
  }
}

} // namespace detail
} // namespace mapscope

#endif

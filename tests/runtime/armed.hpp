// SPDX-License-Identifier: MIT
//
// What the tests ask the stop filter for, and the filter of this process.
#ifndef MAPSCOPE_TESTS_ARMED_HPP
#define MAPSCOPE_TESTS_ARMED_HPP

#include <atomic>
#include <cstdint>

#include <mapscope/debug.h>

#include "tracer.hpp"

namespace tracer {

inline stop on(uint32_t events, const void *map = nullptr, uint32_t conditions = 0) {
  stop wanted;
  wanted.events = events;
  wanted.conditions = conditions | (map != nullptr ? MAPSCOPE_IF_MAP : 0U);
  wanted.map = reinterpret_cast<uintptr_t>(map);
  return wanted;
}

// For tests of this process: one slot, armed and disarmed again.
class armed_here {
public:
  armed_here(const stop &wanted, bool assume_traced) {
    auto &filter = mapscope_stop_filter;
    filter.assume_traced = assume_traced ? 1 : 0;
    auto &slot = filter.slots[0];
    slot = {};
    slot.conditions = wanted.conditions;
    slot.map = wanted.map;
    slot.thread = wanted.thread;
    slot.key_hash = wanted.key_hash;
    std::atomic_ref(slot.events).store(wanted.events);
    std::atomic_ref(filter.armed_slots).store(1);
    std::atomic_ref(filter.armed).store(wanted.events);
  }
  armed_here(const armed_here &) = delete;
  armed_here &operator=(const armed_here &) = delete;
  ~armed_here() {
    auto &filter = mapscope_stop_filter;
    std::atomic_ref(filter.armed).store(0);
    std::atomic_ref(filter.armed_slots).store(0);
    filter.slots[0] = {};
    filter.assume_traced = 0;
  }
  static uint64_t hits() { return std::atomic_ref(mapscope_stop_filter.slots[0].hits).load(); }
};

} // namespace tracer

#endif

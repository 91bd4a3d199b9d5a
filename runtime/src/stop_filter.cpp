// SPDX-License-Identifier: MIT
//
// The stop filter of debug.h: compares events with what a debugger asked for,
// and calls the one function that it puts a breakpoint on.
//
// A debugger writes to the filter while all threads are stopped, between any
// two instructions of what follows; other threads count and disarm at the same
// time. All of it is therefore read and written atomically. An event that is
// being compared while a debugger changes a slot is compared with the old or
// the new contents.
#include "internal.hpp"

#include <bit>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mapscope {
namespace {

template <class T> T load(const T &field) noexcept {
  return std::atomic_ref(const_cast<T &>(field)).load(std::memory_order_relaxed);
}

// Calls f(slot, its bit) for each slot armed for one of the events.
template <class F> void for_each_armed(uint32_t events, F f) noexcept {
  for (uint32_t bits = load(mapscope_stop_filter.armed_slots); bits != 0; bits &= bits - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(bits)) % MAPSCOPE_STOP_SLOTS;
    stop_slot &slot = mapscope_stop_filter.slots[i];
    if ((load(slot.events) & events) != 0) {
      f(slot, uint32_t{1} << i);
    }
  }
}

// Makes `armed` and `armed_slots` agree with the slots, after some were
// disarmed. If a debugger or another thread changes a slot meanwhile, it is
// done over: whoever stores last has compared after that.
void update_armed() noexcept {
  const auto summary = [] {
    uint32_t events = 0;
    uint32_t slots = 0;
    for (unsigned i = 0; i < MAPSCOPE_STOP_SLOTS; i++) {
      const uint32_t of_slot = std::atomic_ref(mapscope_stop_filter.slots[i].events).load();
      events |= of_slot;
      slots |= (of_slot != 0 ? uint32_t{1} : 0) << i;
    }
    return std::pair(events, slots);
  };
  for (auto now = summary();;) {
    std::atomic_ref(mapscope_stop_filter.armed_slots).store(now.second);
    std::atomic_ref(mapscope_stop_filter.armed).store(now.first);
    const auto then = std::exchange(now, summary());
    if (then == now) {
      return;
    }
  }
}

void disarm_all() noexcept {
  for (stop_slot &slot : mapscope_stop_filter.slots) {
    std::atomic_ref(slot.events).store(0);
  }
  update_armed();
  std::atomic_ref(mapscope_stop_filter.only_map).store(0);
}

// Whether a debugger is there to stop at mapscope_debug_stop. If that cannot be
// told: yes, since calling an empty function does no harm.
bool traced() noexcept {
  if (load(mapscope_stop_filter.assume_traced) != 0) {
    return true;
  }
  const int error = errno;
  char text[4096];
  size_t length = 0;
  // Of this thread: the process's own file would tell of its first thread.
  if (const int file = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC); file >= 0) {
    ssize_t n = 0;
    do {
      n = read(file, text + length, sizeof text - 1 - length);
      length += n > 0 ? static_cast<size_t>(n) : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    close(file);
  }
  text[length] = '\0';
  errno = error;
  static constexpr char label[] = "\nTracerPid:\t";
  const char *const found = std::strstr(text, label);
  return found == nullptr || found[sizeof label - 1] != '0';
}

// The number of the map's current migration.
uint32_t migration_of(const hmap *h) noexcept {
  static constinit std::atomic<uint32_t> last = 0;
  uint32_t &number = state_of(h)->migration;
  while (number == 0) {
    number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return number;
}

// Whether the progress that the slot waits for is reached by this event. For a
// slot with a map that is so once in each migration, also if the slot was armed
// late; otherwise at the one bucket that makes the number full.
bool reaches(const event &e, const stop_slot &slot, uint32_t conditions) noexcept {
  uint64_t wanted = load(slot.progress);
  if ((conditions & MAPSCOPE_PROGRESS_MILLIONTHS) != 0) {
    // old_buckets * wanted would overflow.
    constexpr uint64_t whole = 1000000;
    wanted = e.old_buckets / whole * wanted + (e.old_buckets % whole * wanted + whole - 1) / whole;
  }
  wanted = wanted != 0 ? wanted : 1;
  if ((conditions & MAPSCOPE_IF_MAP) == 0) {
    return e.evacuated == wanted;
  }
  return e.evacuated >= wanted && load(slot.reported) != migration_of(e.map);
}

bool matches(event &e, const stop_slot &slot) noexcept {
  const uint32_t conditions = load(slot.conditions);
  if ((conditions & MAPSCOPE_IF_MAP) != 0 && load(slot.map) != reinterpret_cast<uintptr_t>(e.map)) {
    return false;
  }
  if ((conditions & MAPSCOPE_IF_BUCKET) != 0 && load(slot.bucket) != e.bucket) {
    return false;
  }
  if ((conditions & MAPSCOPE_IF_KEY_HASH) != 0 &&
      ((e.flags & MAPSCOPE_FLAG_KEY_HASH) == 0 || load(slot.key_hash) != e.key_hash)) {
    return false;
  }
  if ((conditions & MAPSCOPE_IF_MIGRATING) != 0 && (e.flags & MAPSCOPE_FLAG_MIGRATING) == 0) {
    return false;
  }
  constexpr uint32_t kinds = MAPSCOPE_IF_DOUBLE | MAPSCOPE_IF_SAME_SIZE | MAPSCOPE_IF_SHRINK;
  static_assert(MAPSCOPE_IF_DOUBLE == 8 << MAPSCOPE_GROWTH_DOUBLE &&
                MAPSCOPE_IF_SAME_SIZE == 8 << MAPSCOPE_GROWTH_SAME_SIZE &&
                MAPSCOPE_IF_SHRINK == 8 << MAPSCOPE_GROWTH_SHRINK);
  if ((conditions & kinds) != 0 && (conditions & kinds & uint32_t{8} << e.kind) == 0) {
    return false;
  }
  if (const uint32_t thread = load(slot.thread); thread != 0) {
    e.thread = e.thread != 0 ? e.thread : thread_id();
    if (thread != e.thread) {
      return false;
    }
  }
  return e.event != MAPSCOPE_EVENT_PROGRESS || reaches(e, slot, conditions);
}

// Counts a match. Returns whether it is to stop.
bool count(const event &e, stop_slot &slot) noexcept {
  if (e.event == MAPSCOPE_EVENT_PROGRESS) {
    std::atomic_ref(slot.reported).store(state_of(e.map)->migration, std::memory_order_relaxed);
  }
  std::atomic_ref(slot.hits).fetch_add(1, std::memory_order_relaxed);
  std::atomic_ref ignore(slot.ignore);
  uint64_t left = ignore.load(std::memory_order_relaxed);
  while (left != 0) {
    if (ignore.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
      return false;
    }
  }
  if ((load(slot.conditions) & MAPSCOPE_STOP_ONCE) != 0) {
    const bool first = std::atomic_ref(slot.events).exchange(0) != 0;
    update_armed();
    return first;
  }
  return true;
}

uint32_t kind_of_growth(const hmap *h) noexcept {
  if (h->oldbuckets == nullptr) {
    return MAPSCOPE_GROWTH_NONE;
  }
  const unsigned flags = load_flags(h);
  if ((flags & MAPSCOPE_SHRINKING) != 0) {
    return MAPSCOPE_GROWTH_SHRINK;
  }
  return (flags & MAPSCOPE_SAME_SIZE_GROW) != 0 ? MAPSCOPE_GROWTH_SAME_SIZE
                                                : MAPSCOPE_GROWTH_DOUBLE;
}

} // namespace

event event_now(uint32_t what, const hmap *h) noexcept {
  event e{};
  e.event = what;
  e.map = h;
  e.type = h->extra->type;
  e.bucket = MAPSCOPE_NO_BUCKET;
  e.buckets = uint64_t{1} << h->B;
  e.count = h->count;
  e.kind = kind_of_growth(h);
  if (e.kind != MAPSCOPE_GROWTH_NONE) {
    e.flags = MAPSCOPE_FLAG_MIGRATING;
    e.old_buckets = uint64_t{1} << old_B(h);
    e.evacuated = state_of(h)->evacuated;
  }
  return e;
}

bool slot_wants(uint32_t event, const hmap *h) noexcept {
  bool wants = false;
  for_each_armed(event, [&](const stop_slot &slot, uint32_t) {
    const bool other = (load(slot.conditions) & MAPSCOPE_IF_MAP) != 0 &&
                       load(slot.map) != reinterpret_cast<uintptr_t>(h);
    wants = wants || !other;
  });
  return wants;
}

void report(event &e) noexcept {
  uint32_t slots = 0;
  bool looked = false;
  for_each_armed(e.event, [&](stop_slot &slot, uint32_t bit) {
    if (!matches(e, slot)) {
      return;
    }
    if (!looked && !traced()) {
      disarm_all();
      return;
    }
    looked = true;
    slots |= count(e, slot) ? bit : 0;
  });
  if (slots == 0) {
    return;
  }
  e.slots = slots;
  e.slot = static_cast<uint32_t>(std::countr_zero(slots));
  e.thread = e.thread != 0 ? e.thread : thread_id();
  store_order();
  mapscope_debug_stop(&e);
  store_order();
}

void detail::stop_at_entry(uint32_t event, const hmap *h, uint64_t bucket, const void *key,
                           uint64_t key_hash, uint32_t flags) noexcept {
  if (!slot_wants(event, h)) [[likely]] {
    return;
  }
  mapscope::event e = event_now(event, h);
  e.bucket = bucket;
  e.key = key;
  e.key_hash = key_hash;
  e.flags |= flags;
  report(e);
}

void disarm_map(const hmap *h) noexcept {
  bool any = false;
  for_each_armed(~0U, [&](stop_slot &slot, uint32_t) {
    const uint32_t conditions = load(slot.conditions);
    if ((conditions & MAPSCOPE_IF_MAP) != 0 && load(slot.map) == reinterpret_cast<uintptr_t>(h)) {
      std::atomic_ref(slot.conditions).store(conditions | MAPSCOPE_MAP_GONE);
      std::atomic_ref(slot.events).store(0);
      any = true;
    }
  });
  if (any) {
    update_armed();
  }
}

ending_migration::ending_migration(const hmap *h, uint32_t flags) noexcept {
  if (h->oldbuckets == nullptr) {
    return;
  }
  map_ = h;
  flags_ = flags;
  old_B_ = old_B(h);
  if (wanted(MAPSCOPE_EVENT_DONE, h)) [[unlikely]] {
    event_ = event_now(MAPSCOPE_EVENT_DONE, h);
    event_.flags |= flags;
  }
}

void ending_migration::report() noexcept {
  if (map_ == nullptr) {
    return;
  }
  remember(MAPSCOPE_EVENT_DONE, map_, {.B = map_->B, .old_B = old_B_, .flags = flags_});
  if (event_.event == 0) [[likely]] {
    return;
  }
  event_.count = map_->count;
  if (map_->oldbuckets == nullptr) {
    event_.flags &= ~uint32_t{MAPSCOPE_FLAG_MIGRATING};
  }
  tell(event_);
}

void fatal(const hmap *h, const char *message) {
  // A debugger finds the map here, also in a core dump, where optimised code has lost h.
  const hmap *volatile const map = h;
  static_cast<void>(map);
  remember(MAPSCOPE_EVENT_RACE, h,
           {.B = h->B, .old_B = old_B_if_any(h), .detail = reinterpret_cast<uintptr_t>(message)});
  if (wanted(MAPSCOPE_EVENT_RACE, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_RACE, h);
    e.message = message;
    tell(e);
  }
  fatal(message);
}

} // namespace mapscope

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

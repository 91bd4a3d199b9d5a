// SPDX-License-Identifier: MIT
//
// What the runtime's own source files share. Not installed.
#ifndef MAPSCOPE_SRC_INTERNAL_HPP
#define MAPSCOPE_SRC_INTERNAL_HPP

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <mapscope/debug.hpp>
#include <mapscope/hash.hpp>
#include <mapscope/history.h>
#include <mapscope/runtime.hpp>

namespace mapscope {

// A lock of four bytes for short, rarely contended sections: nothing is
// allocated, called back or thrown under it but where said.
class spin_lock {
public:
  explicit spin_lock(std::atomic<uint32_t> &word) noexcept;
  ~spin_lock() { word_.store(0, std::memory_order_release); }
  spin_lock(const spin_lock &) = delete;
  spin_lock &operator=(const spin_lock &) = delete;

private:
  std::atomic<uint32_t> &word_;
};

// The seed for a new map or one just emptied.
uint32_t new_hash0() noexcept;

// Fields that mapstats reads while the thread that owns the map writes to them.
// Plain loads and stores to the processor.
template <class T> void publish(T &field, std::type_identity_t<T> value) noexcept {
  std::atomic_ref(field).store(value, std::memory_order_relaxed);
}
template <class T> T glance(const T &field) noexcept {
  return std::atomic_ref(const_cast<T &>(field)).load(std::memory_order_relaxed);
}

// registry.cpp
inline constexpr uint32_t registry_shard_count = 64;
struct alignas(64) registry_shard {
  std::atomic<uint32_t> lock;
  hmap *head;
  mapscope::departed departed; // written under the lock
};
extern registry_shard registry[registry_shard_count];
// Adds a map to, and takes it from, the list of live maps.
void register_map(hmap *h) noexcept;
void unregister_map(hmap *h) noexcept;

// memory.cpp
// Zeroed memory, aligned. Throws std::bad_alloc.
void *allocate(size_t bytes, size_t align);
void release(void *memory, size_t bytes, size_t align) noexcept;
// Gives memory back at once if it is small, else little by little: see
// release_retired. The bytes are lost at once.
void retire(hmap *h, void *memory, size_t bytes, size_t align) noexcept;
void release_all_retired(hmap *h) noexcept;

// Overflow buckets outside the array, several in one piece of memory. The
// pieces of an array are chained, so that giving them back walks no buckets;
// the first one has the free buckets.
struct overflow_chunk {
  overflow_chunk *next;
  uint32_t used;
  uint32_t capacity;
};

// iterators.cpp
// Before the chain `oldbucket` is evacuated: iterators that would miss or
// repeat some of it afterwards note its cells. Returns what evacuation::moved
// needs, or nil. Throws std::bad_alloc before anything changed.
iterator_fixups *list_cells(const maptype_functions *t, hmap *h, uint64_t oldbucket);
void drop_fixups(iterator_fixups *fixups) noexcept;
// A map that shrank has no old array any more: iterators that counted by its
// buckets have noted all that they have still to visit.
void end_old_buckets(hmap *h) noexcept;
// The map loses all its entries, or itself: its iterators are at the end.
void exhaust_iterators(hmap *h) noexcept;
void detach_iterators(hmap *h) noexcept;

// stop_filter.cpp
// An event as the map is now. Without event::slot and so on, which report fills in.
event event_now(uint32_t what, const hmap *h) noexcept;
// Stops if a debugger waits for this event.
void report(event &e) noexcept;
// Whether some slot is armed for this event of this map, its other conditions
// aside: to be asked first, since other maps' writes must not take longer.
bool slot_wants(uint32_t event, const hmap *h) noexcept;
inline bool stop_wanted(uint32_t event, const hmap *h) noexcept {
  return detail::stop_armed(event) && slot_wants(event, h);
}
// Disarms the slots that wait for this map only.
void disarm_map(const hmap *h) noexcept;

// The end of a migration: what is known of it while it lasts, to be reported
// once it is over.
class ending_migration {
public:
  // `flags`: how it ends, as in event.flags.
  ending_migration(const hmap *h, uint32_t flags) noexcept;
  void report() noexcept;

private:
  event event_{};             // event_.event is 0 if nobody waits for it
  const hmap *map_ = nullptr; // nil: it was in no migration
  uint32_t flags_ = 0;
  uint8_t old_B_ = 0;
};

// mapdebug.cpp
// What set_mapdebug has set.
struct mapdebug_settings {
  std::atomic<uint64_t> grow_delay; // nanoseconds
  std::atomic<uint64_t> evacuate_delay;
  std::atomic<uint64_t> history_life; // records; 0: none are kept
  std::atomic<uint64_t> history_evacuations;
  std::atomic<bool> trace;
};
extern mapdebug_settings mapdebug;
// Waits; errno stays.
void wait_nanoseconds(uint64_t nanoseconds) noexcept;
// Prints an event's line (maptrace=1) on standard error.
void print_event(const event &e) noexcept;

// Whether maptrace=1 is set.
inline bool tracing() noexcept {
#ifdef MAPSCOPE_NO_DEBUG
  return false;
#else
  return mapdebug.trace.load(std::memory_order_relaxed);
#endif
}
// Whether somebody wants to be told of an event of this map: an armed slot, its
// conditions but for the map aside, or the trace.
inline bool wanted(uint32_t event, const hmap *h) noexcept {
  return tracing() || stop_wanted(event, h);
}
// Tells them.
inline void tell(event &e) noexcept {
  if (tracing()) {
    print_event(e);
  }
  report(e);
}

// history.cpp
// The calling thread's id to the kernel.
uint32_t thread_id() noexcept;
// What a record of the life ring holds besides the map's own state.
struct life_event {
  uint8_t B;
  uint8_t old_B = MAPSCOPE_NO_OLD_B;
  uint32_t flags = 0;  // as in event.flags
  uint64_t detail = 0; // see history_record
};
// As records have it.
inline uint8_t old_B_if_any(const hmap *h) noexcept {
  return h->oldbuckets != nullptr ? old_B(h) : uint8_t{MAPSCOPE_NO_OLD_B};
}

#ifdef MAPSCOPE_NO_DEBUG
inline void remember(uint32_t, const hmap *, const life_event &) noexcept {}
struct kept_evacuation {
  kept_evacuation(const hmap *, uint64_t, uint8_t) noexcept {}
  void end(uint64_t, uint64_t) noexcept {}
};
inline void begin_write() noexcept {}
#else
// Adds a record to the life ring.
void remember(uint32_t event, const hmap *h, const life_event &what) noexcept;

// The calling thread's ring of evacuations; nil until it has one.
extern constinit thread_local history_ring *thread_ring [[gnu::tls_model("initial-exec")]];
// Gets one; nil if none are kept.
history_ring *take_ring() noexcept;

// The clock of the records.
uint64_t monotonic_clock() noexcept;
MAPSCOPE_ALWAYS_INLINE uint64_t ticks() noexcept {
#if defined(__x86_64__)
  if (mapscope_history.clock == MAPSCOPE_CLOCK_TSC) [[likely]] {
    return __builtin_ia32_rdtsc();
  }
#endif
  return monotonic_clock();
}
// Ticks from which on it is to be compared once more with the kernel's.
extern constinit std::atomic<uint64_t> next_pair;
MAPSCOPE_NOINLINE void take_pair() noexcept;

inline uint32_t narrow_bucket(uint64_t bucket) noexcept {
  return bucket < MAPSCOPE_RECORD_MANY ? static_cast<uint32_t>(bucket) : MAPSCOPE_RECORD_MANY;
}

// The record of an evacuation: made before the first mark, completed at its end.
class kept_evacuation {
public:
  kept_evacuation(const hmap *h, uint64_t oldbucket, uint8_t old_B) noexcept {
    history_ring *ring = thread_ring;
    if (ring == nullptr) [[unlikely]] {
      ring = take_ring();
      if (ring == nullptr) {
        return;
      }
    }
    if (ring->open_map == h) { // the second one of a write
      record_ = ring->open;
      ring->open_map = nullptr;
      record_->what.buckets.second = narrow_bucket(oldbucket);
      store_order(); // the number is there before the flag says so
      record_->flags |= MAPSCOPE_RECORD_SECOND;
      first_ = false;
    } else {
      begin(ring, h, oldbucket, old_B);
    }
    sequence_ = record_->sequence;
  }
  // With the numbers of entries that went to X and to Y.
  void end(uint64_t x, uint64_t y) noexcept {
    if (record_ == nullptr || record_->sequence != sequence_) { // overwritten meanwhile
      return;
    }
    constexpr uint64_t most = UINT16_MAX;
    record_->moved[first_ ? 0 : 2] = static_cast<uint16_t>(x < most ? x : most);
    record_->moved[first_ ? 1 : 3] = static_cast<uint16_t>(y < most ? y : most);
    store_order();
    record_->flags |= first_ ? MAPSCOPE_RECORD_EVACUATED : MAPSCOPE_RECORD_SECOND_EVACUATED;
  }

private:
  MAPSCOPE_ALWAYS_INLINE void begin(history_ring *ring, const hmap *h, uint64_t oldbucket,
                                    uint8_t old_B) noexcept {
    const uint64_t n = ring->begun++;
    history_record *const record = ring->records + (n & (ring->capacity - 1));
    store_order();
    record->sequence = 0;
    store_order();
    const uint64_t now = ticks();
    *record = {.sequence = 0,
               .clock = now,
               .map = h,
               .type = h->extra->type,
               .count = h->count,
               .what = {.buckets = {narrow_bucket(oldbucket), 0}},
               .moved = {},
               .event = std::countr_zero(uint32_t{MAPSCOPE_EVENT_EVACUATE}),
               .flags = 0,
               .B = h->B,
               .old_B = old_B,
               .thread = ring->thread};
    store_order();
    record->sequence = n + 1;
    if (now >= next_pair.load(std::memory_order_relaxed)) [[unlikely]] {
      take_pair();
    }
    ring->open = record;
    ring->open_map = h;
    record_ = record;
  }
  history_record *record_ = nullptr;
  uint64_t sequence_ = 0;
  bool first_ = true;
};

// A write begins: its evacuations are recorded together, and not with an earlier
// write's.
inline void begin_write() noexcept {
  if (history_ring *const ring = thread_ring) {
    ring->open_map = nullptr;
  }
}
#endif

} // namespace mapscope

#endif

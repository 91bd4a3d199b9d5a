// SPDX-License-Identifier: MIT
//
// What the runtime's own source files share. Not installed.
#ifndef MAPSCOPE_SRC_INTERNAL_HPP
#define MAPSCOPE_SRC_INTERNAL_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <mapscope/debug.hpp>
#include <mapscope/hash.hpp>
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

// registry.cpp
inline constexpr uint32_t registry_shard_count = 64;
struct alignas(64) registry_shard {
  std::atomic<uint32_t> lock;
  hmap *head;
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
// Before the chain `oldbucket` is evacuated: iterators in its logical bucket
// take their lists. Returns what evacuation::moved needs, or nil. Throws
// std::bad_alloc before anything changed.
iterator_fixups *list_cells(const maptype_functions *t, hmap *h, uint64_t oldbucket);
void drop_fixups(iterator_fixups *fixups) noexcept;
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
  event event_{}; // event_.event is 0 if nobody waits for it
};

// mapdebug.cpp
// Nanoseconds to wait; see set_mapdebug.
struct injected_delays {
  std::atomic<uint64_t> grow;
  std::atomic<uint64_t> evacuate;
};
extern injected_delays injected;
// Waits; errno stays.
void wait_nanoseconds(uint64_t nanoseconds) noexcept;

} // namespace mapscope

#endif

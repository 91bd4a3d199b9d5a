// SPDX-License-Identifier: MIT
//
// Keeps the history of history.h. Reads and ordinary writes come here not at
// all; an evacuation writes one cache line into a ring of its own thread, and
// the events in the life of a map go to a ring that all threads share.
#include "internal.hpp"
#include "probes.hpp"

#include <bit>
#include <cerrno>
#include <ctime>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern "C" {
// `used` and `retain`: see mapscope_abi.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
[[gnu::used, gnu::retain,
  gnu::visibility("default")]] constinit mapscope::history mapscope_history = {};
#pragma GCC diagnostic pop
}

namespace mapscope {

namespace {

constinit thread_local uint32_t cached_thread = 0;

} // namespace

uint32_t thread_id() noexcept {
  if (cached_thread == 0) [[unlikely]] {
    cached_thread = static_cast<uint32_t>(syscall(SYS_gettid));
  }
  return cached_thread;
}

#ifndef MAPSCOPE_NO_DEBUG

constinit thread_local history_ring *thread_ring = nullptr;
constinit std::atomic<uint64_t> next_pair = 0;

namespace {

// The gap, in ticks, after which the clock is compared for the second time.
constexpr uint64_t first_gap = uint64_t{1} << 14;

constinit std::atomic<uint32_t> pair_lock = 0;

uint64_t nanoseconds(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

// Whether the time stamp counter runs at one rate on all processors.
bool has_steady_counter() noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
#else
  return false;
#endif
}

// A process that was forked has one thread, with another id.
void forget_thread() noexcept {
  cached_thread = 0;
  thread_ring = nullptr;
}

// Memory for a ring, never given back; nil if there is none. Not from malloc:
// that may be what a program that is being looked at has damaged.
history_ring *make_ring(uint64_t capacity) noexcept {
  const size_t head = 64;
  const size_t bytes = head + capacity * sizeof(history_record);
  const int error = errno;
  void *const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = error;
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  auto *const ring = new (memory) history_ring{};
  ring->records = reinterpret_cast<history_record *>(static_cast<char *>(memory) + head);
  ring->capacity = capacity;
  return ring;
}

// The ring of life events, made at the first event; nil if there is no memory.
history_ring *life_ring() noexcept {
  std::atomic_ref life(mapscope_history.life);
  history_ring *ring = life.load(std::memory_order_acquire);
  if (ring != nullptr) [[likely]] {
    return ring;
  }
  static constinit std::atomic<uint32_t> lock = 0;
  const spin_lock locked(lock);
  ring = life.load(std::memory_order_acquire);
  if (ring != nullptr) {
    return ring;
  }
  const uint64_t capacity = mapdebug.history_life.load(std::memory_order_relaxed);
  ring = capacity != 0 ? make_ring(capacity) : nullptr;
  if (ring == nullptr) {
    return nullptr;
  }
  pthread_atfork(nullptr, nullptr, forget_thread);
  history &all = mapscope_history;
  if (all.clock == MAPSCOPE_CLOCK_NONE) {
    all.clock = has_steady_counter() ? MAPSCOPE_CLOCK_TSC : MAPSCOPE_CLOCK_NANOSECONDS;
    all.ticks[0] = ticks();
    all.nanoseconds[0] = nanoseconds(CLOCK_MONOTONIC);
    all.wall = nanoseconds(CLOCK_REALTIME);
    all.pairs = 1;
    next_pair.store(all.ticks[0] + first_gap, std::memory_order_relaxed);
  }
  life.store(ring, std::memory_order_release);
  return ring;
}

// The slot for the next record of the life ring, which is the caller's alone
// until its sequence is stored; nil if there is none.
history_record *claim(history_ring *ring, uint64_t &sequence) noexcept {
  constexpr unsigned tries = 16;
  for (unsigned i = 0; i < tries; i++) {
    const uint64_t n = std::atomic_ref(ring->begun).fetch_add(1, std::memory_order_relaxed);
    history_record *const record = ring->records + (n & (ring->capacity - 1));
    std::atomic_ref slot(record->sequence);
    uint64_t found = slot.load(std::memory_order_relaxed);
    // Another thread was stopped here for a whole lap, or this one was: leave the
    // slot to whom it belongs.
    if ((found & MAPSCOPE_RECORD_BUSY) != 0 || found > n) {
      continue;
    }
    sequence = n + 1;
    if (slot.compare_exchange_strong(found, sequence | MAPSCOPE_RECORD_BUSY,
                                     std::memory_order_acquire, std::memory_order_relaxed)) {
      return record;
    }
  }
  return nullptr;
}

// The thread's own objects are being destroyed: nobody would give a ring back.
constinit thread_local bool ending = false;

// Gives a thread's ring back when the thread ends.
struct ring_owner {
  bool active = false;
  ~ring_owner() {
    ending = true;
    if (history_ring *const ring = std::exchange(thread_ring, nullptr)) {
      std::atomic_ref(ring->owned).store(0, std::memory_order_release);
    }
  }
};

} // namespace

uint64_t monotonic_clock() noexcept { return nanoseconds(CLOCK_MONOTONIC); }

// Compares the clocks once more. Each time the time since the start has doubled,
// so that few comparisons give a rate that is ever more exact.
void take_pair() noexcept {
  uint32_t free = 0;
  if (!pair_lock.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
    return;
  }
  history &all = mapscope_history;
  const uint64_t now = ticks();
  if (now != all.ticks[0]) {
    const uint32_t at = 1 + all.pairs % 2;
    all.ticks[at] = now;
    all.nanoseconds[at] = nanoseconds(CLOCK_MONOTONIC);
    std::atomic_ref(all.pairs).store(all.pairs + 1, std::memory_order_release);
    next_pair.store(now + (now - all.ticks[0]), std::memory_order_relaxed);
  }
  pair_lock.store(0, std::memory_order_release);
}

namespace {

// The probe of an event in the life of a map.
void fire_probe(uint32_t event, [[maybe_unused]] const hmap *h,
                [[maybe_unused]] const life_event &what) noexcept {
  [[maybe_unused]] const char *const type = h->extra->type->name;
  [[maybe_unused]] const uint64_t count = h->count;
  [[maybe_unused]] const uint64_t buckets = uint64_t{1} << what.B;
  [[maybe_unused]] const uint64_t old =
      what.old_B != MAPSCOPE_NO_OLD_B ? uint64_t{1} << what.old_B : 0;
  switch (event) {
  case MAPSCOPE_EVENT_CREATE:
    MAPSCOPE_PROBE4(create, h, type, what.detail, buckets);
    break;
  case MAPSCOPE_EVENT_GROW:
    if (what.B < what.old_B) {
      MAPSCOPE_PROBE5(shrink, h, type, count, old, buckets);
    } else {
      MAPSCOPE_PROBE5(grow, h, type, count, old, buckets);
    }
    break;
  case MAPSCOPE_EVENT_DONE:
    MAPSCOPE_PROBE6(done, h, type, count, old, buckets, what.flags);
    break;
  case MAPSCOPE_EVENT_CLEAR:
    MAPSCOPE_PROBE4(clear, h, type, count, buckets);
    break;
  case MAPSCOPE_EVENT_DESTROY:
    MAPSCOPE_PROBE4(destroy, h, type, count, buckets);
    break;
  default:
    break; // of no interest but to a debugger, which has other ways
  }
}

} // namespace

void remember(uint32_t event, const hmap *h, const life_event &what) noexcept {
  fire_probe(event, h, what);
  if (mapdebug.history_life.load(std::memory_order_relaxed) == 0) {
    return;
  }
  history_ring *const ring = life_ring();
  uint64_t sequence = 0;
  history_record *const record = ring != nullptr ? claim(ring, sequence) : nullptr;
  if (record == nullptr) {
    return;
  }
  const uint64_t now = ticks();
  record->clock = now;
  record->map = h;
  record->type = h->extra->type;
  record->count = h->count;
  record->what.detail = what.detail;
  record->event = static_cast<uint8_t>(std::countr_zero(event));
  record->flags = static_cast<uint8_t>(what.flags);
  record->B = what.B;
  record->old_B = what.old_B;
  record->thread = thread_id();
  std::atomic_ref(record->sequence).store(sequence, std::memory_order_release);
  if (now >= next_pair.load(std::memory_order_relaxed) || event == MAPSCOPE_EVENT_RACE)
      [[unlikely]] {
    take_pair();
  }
}

history_ring *take_ring() noexcept {
  const uint64_t capacity = mapdebug.history_evacuations.load(std::memory_order_relaxed);
  if (capacity == 0 || life_ring() == nullptr) { // that one starts the clock
    return nullptr;
  }
  if (ending && thread_id() != static_cast<uint32_t>(getpid())) {
    return nullptr;
  }
  thread_local ring_owner owner;
  const auto free_ring = []() noexcept -> history_ring * {
    history_ring *ring = std::atomic_ref(mapscope_history.rings).load(std::memory_order_acquire);
    for (; ring != nullptr; ring = ring->next) {
      uint32_t free = 0;
      if (std::atomic_ref(ring->owned)
              .compare_exchange_strong(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return ring;
      }
    }
    return nullptr;
  };
  history_ring *ring = free_ring();
  if (ring == nullptr) {
    ring = make_ring(capacity);
    if (ring == nullptr) {
      return nullptr;
    }
    ring->owned = 1;
    std::atomic_ref rings(mapscope_history.rings);
    ring->next = rings.load(std::memory_order_relaxed);
    while (!rings.compare_exchange_weak(ring->next, ring, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
  }
  ring->open = nullptr;
  ring->open_map = nullptr;
  ring->thread = thread_id();
  if (!ending) {
    owner.active = true; // constructs it, and so has it destroyed with the thread
  }
  thread_ring = ring;
  return ring;
}

#endif

} // namespace mapscope

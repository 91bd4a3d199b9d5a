// SPDX-License-Identifier: MIT
//
// The life of a map: making it, growing it, evacuating, clearing and
// destroying it. The algorithms are those of Go 1.19's runtime/map.go; what
// differs, for want of a garbage collector and because C++ code can throw, says
// so. The order of stores is layout.h's.
#include "internal.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

namespace mapscope {
namespace {

// Largest overflow chunk, in bytes.
constexpr size_t max_chunk_bytes = size_t{64} << 10;

uint64_t spare_count(uint8_t B) noexcept { return B >= 4 ? uint64_t{1} << (B - 4) : 0; }

uint64_t array_buckets(uint8_t B) noexcept { return (uint64_t{1} << B) + spare_count(B); }

size_t array_bytes(const maptype *t, uint8_t B) noexcept {
  return array_buckets(B) * t->bucketsize;
}

struct bucket_array {
  bmap *buckets;
  bmap *nextOverflow;
};

void set_end_mark(const maptype *t, bmap *buckets, uint8_t B) noexcept {
  if (spare_count(B) != 0) {
    bmap *last = bucket_at(buckets, array_buckets(B) - 1, t->bucketsize);
    *overflow_slot(last, t->overflow_offset) = buckets;
  }
}

bucket_array makeBucketArray(const maptype *t, uint8_t B) {
  // Half the address space is more than any array can have.
  if (B > 58 || array_buckets(B) > uint64_t{PTRDIFF_MAX} / t->bucketsize) {
    throw std::length_error("mapscope::map is too large");
  }
  auto *buckets = static_cast<bmap *>(allocate(array_bytes(t, B), t->bucketalign));
  set_end_mark(t, buckets, B);
  return {buckets,
          spare_count(B) != 0 ? bucket_at(buckets, uint64_t{1} << B, t->bucketsize) : nullptr};
}

// Overflow chunks: a head, then the buckets at their alignment.
size_t chunk_align(const maptype *t) noexcept {
  return t->bucketalign > alignof(overflow_chunk) ? t->bucketalign : alignof(overflow_chunk);
}

size_t chunk_first(const maptype *t) noexcept {
  return (sizeof(overflow_chunk) + t->bucketalign - 1) / t->bucketalign * t->bucketalign;
}

size_t chunk_bytes(const maptype *t, uint32_t capacity) noexcept {
  return chunk_first(t) + size_t{capacity} * t->bucketsize;
}

bmap *chunk_bucket(const maptype *t, overflow_chunk *chunk, uint32_t index) noexcept {
  return bucket_at(reinterpret_cast<char *>(chunk) + chunk_first(t), index, t->bucketsize);
}

overflow_chunk *free_chunk(const hmap *h) noexcept {
  return static_cast<overflow_chunk *>(h->extra->overflow);
}

// Calls f(chunk, bytes) for each chunk of a list, which f may free.
template <class F> void for_each_chunk(const maptype *t, void *list, F f) {
  auto *chunk = static_cast<overflow_chunk *>(list);
  while (chunk != nullptr) {
    overflow_chunk *const next = chunk->next;
    f(chunk, chunk_bytes(t, chunk->capacity));
    chunk = next;
  }
}

void release_chunks(const maptype *t, void *list) noexcept {
  for_each_chunk(
      t, list, [t](overflow_chunk *chunk, size_t bytes) { release(chunk, bytes, chunk_align(t)); });
}

void retire_chunks(hmap *h, const maptype *t, void *list) noexcept {
  for_each_chunk(t, list, [h, t](overflow_chunk *chunk, size_t bytes) {
    retire(h, chunk, bytes, chunk_align(t));
  });
}

// Spare buckets behind the array that are not used yet.
uint64_t spares_left(const maptype *t, const hmap *h) noexcept {
  if (h->extra->nextOverflow == nullptr) {
    return 0;
  }
  const char *end =
      reinterpret_cast<char *>(bucket_at(h->buckets, array_buckets(h->B), t->bucketsize));
  return static_cast<uint64_t>(end - static_cast<char *>(h->extra->nextOverflow)) / t->bucketsize;
}

// After this the next n calls of newoverflow succeed.
void reserve_overflow(const maptype *t, hmap *h, uint64_t n) {
  const uint64_t spares = spares_left(t, h);
  overflow_chunk *const chunk = free_chunk(h);
  const uint64_t free = chunk != nullptr ? chunk->capacity - chunk->used : 0;
  if (spares + free >= n) {
    return;
  }
  uint64_t capacity = chunk != nullptr ? uint64_t{chunk->capacity} * 2 : 1;
  capacity = std::min<uint64_t>(capacity, std::max<uint64_t>(1, max_chunk_bytes / t->bucketsize));
  capacity = std::max(capacity, n - spares);
  if (capacity > std::numeric_limits<uint32_t>::max()) {
    throw std::bad_alloc();
  }
  auto *const fresh = static_cast<overflow_chunk *>(
      allocate(chunk_bytes(t, static_cast<uint32_t>(capacity)), chunk_align(t)));
  fresh->next = chunk;
  fresh->capacity = static_cast<uint32_t>(capacity);
  store_order();
  h->extra->overflow = fresh;
}

void incrnoverflow(hmap *h) noexcept {
  if (h->B < 16) {
    h->noverflow++;
    return;
  }
  // The counter is small: count one in 2^(B-15), so that at the limit there
  // are about as many overflow buckets as buckets.
  const uint64_t mask = (uint64_t{1} << (h->B - 15)) - 1;
  if ((fastrand64() & mask) == 0) {
    h->noverflow++;
  }
}

template <class F> void for_each_bucket_in_chain(const maptype *t, bmap *b, F f) {
  for (; b != nullptr; b = *overflow_slot(b, t->overflow_offset)) {
    f(b);
  }
}

template <class F> void for_each_chained_bucket(const maptype *t, void *array, uint8_t B, F f) {
  for (uint64_t i = 0; i >> B == 0; i++) {
    for_each_bucket_in_chain(t, bucket_at(array, i, t->bucketsize), f);
  }
}

// Evacuates everything that is left.
void finish_growth(const maptype_functions *t, hmap *h) {
  while (h->oldbuckets != nullptr) {
    evacuate(t, h, h->nevacuate);
  }
}

} // namespace

hmap *makemap(const maptype_functions *t, uint64_t hint, const void *functors) {
  uint8_t B = 0;
  while (B < 60 && overLoadFactor(hint, B)) {
    B++;
  }
  bucket_array array{};
  if (B != 0) {
    array = makeBucketArray(t, B);
  }
  void *memory = nullptr;
  try {
    memory = allocate(t->header_size, t->header_align);
    if (t->copy_functors != nullptr) {
      t->copy_functors(memory, functors);
    }
  } catch (...) {
    if (memory != nullptr) {
      release(memory, t->header_size, t->header_align);
    }
    if (array.buckets != nullptr) {
      release(array.buckets, array_bytes(t, B), t->bucketalign);
    }
    throw;
  }
  auto *const h = new (memory) hmap{};
  auto *const x = new (static_cast<char *>(memory) + header_state) mapstate{};
  x->type = t;
  x->nextOverflow = array.nextOverflow;
  h->extra = x;
  h->B = B;
  h->hash0 = new_hash0();
  h->buckets = array.buckets;
  register_map(h);
  if (detail::stop_armed(MAPSCOPE_EVENT_CREATE)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_CREATE, h);
    e.hint = hint;
    report(e);
  }
  return h;
}

void destroymap(const maptype_functions *t, hmap *h) noexcept {
  if (detail::stop_armed(~0U)) [[unlikely]] {
    if (h->oldbuckets != nullptr) {
      ending_migration(h, MAPSCOPE_FLAG_BY_DESTROY).report();
    }
    event e = event_now(MAPSCOPE_EVENT_DESTROY, h);
    report(e);
    disarm_map(h);
  }
  detach_iterators(h);
  unregister_map(h);
  store_order();
  h->count = 0;
  store_order();
  if (h->oldbuckets != nullptr) {
    const uint8_t B = old_B(h);
    if (t->destroy_bucket != nullptr) {
      for_each_chained_bucket(t, h->oldbuckets, B, t->destroy_bucket);
    }
    release_chunks(t, h->extra->oldoverflow);
    release(h->oldbuckets, array_bytes(t, B), t->bucketalign);
  }
  if (h->buckets != nullptr) {
    if (t->destroy_bucket != nullptr) {
      for_each_chained_bucket(t, h->buckets, h->B, t->destroy_bucket);
    }
    release_chunks(t, h->extra->overflow);
    release(h->buckets, array_bytes(t, h->B), t->bucketalign);
  }
  release_all_retired(h);
  if (t->destroy_functors != nullptr) {
    t->destroy_functors(h);
  }
  state_of(h)->~mapstate();
  release(h, t->header_size, t->header_align);
}

void newbuckets(const maptype_functions *t, hmap *h) {
  const bucket_array array = makeBucketArray(t, h->B);
  h->extra->nextOverflow = array.nextOverflow;
  store_order();
  h->buckets = array.buckets;
}

void reseed(hmap *h) noexcept {
  h->hash0 = new_hash0();
  if (stop_wanted(MAPSCOPE_EVENT_RESEED, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_RESEED, h);
    report(e);
  }
}

void hashGrow(const maptype_functions *t, hmap *h, bool bigger) {
#ifndef MAPSCOPE_NO_DEBUG
  if (const uint64_t delay = injected.grow.load(std::memory_order_relaxed)) [[unlikely]] {
    wait_nanoseconds(delay);
  }
#endif
  const uint8_t B = static_cast<uint8_t>(h->B + (bigger ? 1 : 0));
  const bucket_array array = makeBucketArray(t, B);
  if (stop_wanted(MAPSCOPE_EVENT_GROW, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_GROW, h);
    e.old_buckets = e.buckets;
    e.buckets = uint64_t{1} << B;
    e.evacuated = 0;
    e.kind = bigger ? MAPSCOPE_GROWTH_DOUBLE : MAPSCOPE_GROWTH_SAME_SIZE;
    report(e);
  }

  unsigned flags = load_flags(h) & ~unsigned{MAPSCOPE_ITERATOR | MAPSCOPE_OLD_ITERATOR};
  if ((load_flags(h) & MAPSCOPE_ITERATOR) != 0) {
    flags |= MAPSCOPE_OLD_ITERATOR;
  }
  if (!bigger) {
    flags |= MAPSCOPE_SAME_SIZE_GROW;
  }
  // See "hashGrow" in layout.h: until nevacuate is 0, it tells the old B.
  h->nevacuate = ~uint64_t{h->B};
  state_of(h)->evacuated = 0;
  state_of(h)->migration = 0;
  store_order();
  h->oldbuckets = h->buckets;
  store_order();
  h->buckets = array.buckets;
  store_order();
  h->B = B;
  store_flags(h, flags);
  h->noverflow = 0;
  h->extra->oldoverflow = h->extra->overflow;
  h->extra->overflow = nullptr;
  h->extra->nextOverflow = array.nextOverflow;
  store_order();
  h->nevacuate = 0;
  store_order();
  // The entries are moved by growWork and evacuate, with later writes.
}

void growWork(const maptype_functions *t, hmap *h, uint64_t bucket) {
  // The old bucket that we are about to use.
  evacuate(t, h, bucket & bucketMask(old_B(h)));
  // One more, so that growing comes to an end.
  if (h->oldbuckets != nullptr) {
    evacuate(t, h, h->nevacuate);
  }
}

void evacuation::wait() noexcept { wait_nanoseconds(std::exchange(delay, 0)); }

void evacuation::extend(cell &to) {
  to.b = newoverflow(t, h, to.b);
  to.i = 0;
}

namespace {

// The plans for the buckets of one chain, made before any of it is touched.
class chain_plan {
public:
  chain_plan(const maptype_functions *t, const hmap *h, bmap *head, uint64_t newbit) {
    const bool same_size = (load_flags(h) & MAPSCOPE_SAME_SIZE_GROW) != 0;
    for_each_bucket_in_chain(t, head, [&](const bmap *b) {
      bucket_plan plan{0, 0};
      if (!same_size) {
        plan = t->plan_bucket(h, b, newbit);
      }
      for (unsigned i = 0; i < MAPSCOPE_BUCKET_CNT; i++) {
        if (b->tophash[i] >= MAPSCOPE_MIN_TOP_HASH) {
          entries_[plan.y >> i & 1]++;
        }
      }
      if (buckets_ < in_place) {
        first_[buckets_] = plan;
      } else {
        more_.push_back(plan);
      }
      buckets_++;
    });
  }
  bucket_plan operator[](size_t i) const { return i < in_place ? first_[i] : more_[i - in_place]; }
  // Overflow buckets that the entries will need behind the two new heads.
  uint64_t overflow_buckets() const {
    uint64_t n = 0;
    for (const uint64_t entries : entries_) {
      n += entries > MAPSCOPE_BUCKET_CNT ? (entries - 1) / MAPSCOPE_BUCKET_CNT : 0;
    }
    return n;
  }

private:
  static constexpr size_t in_place = 16;
  bucket_plan first_[in_place];
  std::vector<bucket_plan> more_; // chains this long come from bad hashes
  size_t buckets_ = 0;
  uint64_t entries_[2] = {0, 0};
};

// Live cells of a chain.
uint64_t live_cells(const maptype_functions *t, bmap *head) noexcept {
  uint64_t live = 0;
  for_each_bucket_in_chain(t, head, [&](const bmap *b) {
    live += static_cast<uint64_t>(std::ranges::count_if(
        b->tophash, [](uint8_t top) { return top >= MAPSCOPE_MIN_TOP_HASH; }));
  });
  return live;
}

// What a debugger waits for at an evacuation is told out of line, and the rest of
// it stays inline: a write evacuates every few assignments.
MAPSCOPE_NOINLINE void report_evacuate(const hmap *h, uint64_t oldbucket) noexcept {
  if (slot_wants(MAPSCOPE_EVENT_EVACUATE, h)) {
    event e = event_now(MAPSCOPE_EVENT_EVACUATE, h);
    e.bucket = oldbucket;
    report(e);
  }
}

MAPSCOPE_NOINLINE void report_evacuated(const maptype_functions *t, const hmap *h,
                                        uint64_t oldbucket) noexcept {
  if (slot_wants(MAPSCOPE_EVENT_EVACUATED, h)) {
    event e = event_now(MAPSCOPE_EVENT_EVACUATED, h);
    e.bucket = oldbucket;
    // The new chains hold what was just moved, and nothing else yet: lookups and
    // writes go there only once their old bucket is evacuated.
    e.moved_x = live_cells(t, bucket_at(h->buckets, oldbucket, t->bucketsize));
    if (e.kind == MAPSCOPE_GROWTH_DOUBLE) {
      e.moved_y = live_cells(t, bucket_at(h->buckets, oldbucket + e.old_buckets, t->bucketsize));
    }
    report(e);
  }
  if (slot_wants(MAPSCOPE_EVENT_PROGRESS, h)) {
    event e = event_now(MAPSCOPE_EVENT_PROGRESS, h);
    e.bucket = oldbucket;
    report(e);
  }
}

MAPSCOPE_ALWAYS_INLINE evacuation begin_evacuation(const maptype_functions *t, hmap *h,
                                                   uint64_t oldbucket, uint64_t newbit) noexcept {
  if (detail::stop_armed(MAPSCOPE_EVENT_EVACUATE)) [[unlikely]] {
    report_evacuate(h, oldbucket);
  }
  const uint64_t y = oldbucket + newbit; // not used by a same-size growth
  const evacuation move{t,
                        h,
                        {{{bucket_at(h->buckets, oldbucket, t->bucketsize), oldbucket, 0, h->B}},
                         {{bucket_at(h->buckets, y, t->bucketsize), y, 0, h->B}}},
                        nullptr,
#ifndef MAPSCOPE_NO_DEBUG
                        injected.evacuate.load(std::memory_order_relaxed)
#else
                        0
#endif
  };
  h->extra->evacuating = oldbucket + 1;
  store_order();
  return move;
}

MAPSCOPE_ALWAYS_INLINE void end_evacuation(const maptype_functions *t, hmap *h,
                                           uint64_t oldbucket) noexcept {
  store_order();
  h->extra->evacuating = 0;
  state_of(h)->evacuated++;
  if (detail::stop_armed(MAPSCOPE_EVENT_EVACUATED | MAPSCOPE_EVENT_PROGRESS)) [[unlikely]] {
    report_evacuated(t, h, oldbucket);
  }
}

void evacuate_chain(const maptype_functions *t, hmap *h, uint64_t oldbucket, bmap *head,
                    uint64_t newbit) {
  if (*overflow_slot(head, t->overflow_offset) == nullptr && h->extra->iterators == nullptr) {
    // Nearly always: one bucket, whose entries fit into two.
    const bool same_size = (load_flags(h) & MAPSCOPE_SAME_SIZE_GROW) != 0;
    const bucket_plan plan = same_size ? bucket_plan{0, 0} : t->plan_bucket(h, head, newbit);
    evacuation move = begin_evacuation(t, h, oldbucket, newbit);
    t->move_bucket(move, head, plan);
    end_evacuation(t, h, oldbucket);
    return;
  }
  // What can fail comes first: hashes, iterators' lists, overflow buckets.
  const chain_plan plan(t, h, head, newbit);
  if (const uint64_t n = plan.overflow_buckets(); n != 0) {
    reserve_overflow(t, h, n);
  }
  iterator_fixups *const fixups =
      h->extra->iterators != nullptr ? list_cells(t, h, oldbucket) : nullptr;
  evacuation move = begin_evacuation(t, h, oldbucket, newbit);
  move.fixups = fixups;
  size_t i = 0;
  for_each_bucket_in_chain(t, head, [&](bmap *b) { t->move_bucket(move, b, plan[i++]); });
  if (move.fixups != nullptr) {
    drop_fixups(move.fixups);
  }
  end_evacuation(t, h, oldbucket);
}

} // namespace

void evacuate(const maptype_functions *t, hmap *h, uint64_t oldbucket) {
  bmap *const head = bucket_at(h->oldbuckets, oldbucket, t->bucketsize);
  const uint64_t newbit = uint64_t{1} << old_B(h);
  if (!evacuated(head)) {
    evacuate_chain(t, h, oldbucket, head, newbit);
  }
  if (oldbucket == h->nevacuate) {
    advanceEvacuationMark(h, t, newbit);
  }
}

void advanceEvacuationMark(hmap *h, const maptype_functions *t, uint64_t newbit) {
  uint64_t nevacuate = h->nevacuate + 1;
  // Go: at most 1024 at a time, to keep this O(1).
  const uint64_t stop = std::min(nevacuate + 1024, newbit);
  while (nevacuate < stop && evacuated(bucket_at(h->oldbuckets, nevacuate, t->bucketsize))) {
    nevacuate++;
  }
  h->nevacuate = nevacuate;
  if (nevacuate != newbit) {
    return;
  }
  ending_migration end(h, 0);
  store_order();
  void *const array = h->oldbuckets;
  void *const chunks = h->extra->oldoverflow;
  const size_t bytes = array_bytes(t, old_B(h));
  h->oldbuckets = nullptr;
  store_order();
  h->extra->oldoverflow = nullptr;
  const unsigned flags = load_flags(h) & ~unsigned{MAPSCOPE_SAME_SIZE_GROW};
  store_flags(h, flags);
  store_order();
  retire(h, array, bytes, t->bucketalign);
  retire_chunks(h, t, chunks);
  end.report();
}

bmap *peekoverflow(const maptype_functions *t, hmap *h) {
  if (h->extra->nextOverflow != nullptr) {
    return static_cast<bmap *>(h->extra->nextOverflow);
  }
  reserve_overflow(t, h, 1);
  overflow_chunk *const chunk = free_chunk(h);
  return chunk_bucket(t, chunk, chunk->used);
}

bmap *newoverflow(const maptype_functions *t, hmap *h, bmap *b) noexcept {
  bmap *fresh = nullptr;
  mapextra *const x = h->extra;
  if (x->nextOverflow != nullptr) {
    fresh = static_cast<bmap *>(x->nextOverflow);
    bmap **const overflow = overflow_slot(fresh, t->overflow_offset);
    // The last spare bucket holds the end mark.
    x->nextOverflow = *overflow == nullptr ? bucket_at(fresh, 1, t->bucketsize) : nullptr;
    store_order();
    *overflow = nullptr;
  } else {
    overflow_chunk *const chunk = free_chunk(h);
    fresh = chunk_bucket(t, chunk, chunk->used++);
  }
  store_order();
  *overflow_slot(b, t->overflow_offset) = fresh;
  store_order();
  incrnoverflow(h);
  return fresh;
}

namespace {

// Removes all entries, keeps B and the array. Inlined, so that mapclear is
// always a frame of its own.
MAPSCOPE_ALWAYS_INLINE void empty_map(const maptype_functions *t, hmap *h) noexcept {
  exhaust_iterators(h);
  if (h->oldbuckets != nullptr) {
    for_each_chained_bucket(t, h->oldbuckets, old_B(h), [&](bmap *b) { t->empty_bucket(h, b); });
  }
  if (h->buckets != nullptr) {
    for_each_chained_bucket(t, h->buckets, h->B, [&](bmap *b) { t->empty_bucket(h, b); });
  }
  ending_migration end(h, MAPSCOPE_FLAG_BY_CLEAR);
  if (h->oldbuckets != nullptr) {
    void *const array = h->oldbuckets;
    const size_t bytes = array_bytes(t, old_B(h));
    h->oldbuckets = nullptr;
    store_order();
    retire(h, array, bytes, t->bucketalign);
    retire_chunks(h, t, h->extra->oldoverflow);
    h->extra->oldoverflow = nullptr;
    h->nevacuate = 0;
  }
  if (h->buckets != nullptr) {
    // Spare buckets too: they are empty again.
    for (uint64_t i = 0, n = array_buckets(h->B); i < n; i++) {
      bmap *const b = bucket_at(h->buckets, i, t->bucketsize);
      *overflow_slot(b, t->overflow_offset) = nullptr;
      store_order();
      *reinterpret_cast<uint64_t *>(b->tophash) = 0;
    }
    retire_chunks(h, t, h->extra->overflow);
    h->extra->overflow = nullptr;
    set_end_mark(t, static_cast<bmap *>(h->buckets), h->B);
    h->extra->nextOverflow = spare_count(h->B) != 0
                                 ? bucket_at(h->buckets, uint64_t{1} << h->B, t->bucketsize)
                                 : nullptr;
  }
  store_order();
  h->noverflow = 0;
  const unsigned flags = load_flags(h) & ~unsigned{MAPSCOPE_SAME_SIZE_GROW};
  store_flags(h, flags);
  reseed(h);
  end.report();
}

} // namespace

void mapclear(const maptype_functions *t, hmap *h) noexcept {
  if (stop_wanted(MAPSCOPE_EVENT_CLEAR, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_CLEAR, h);
    report(e);
  }
  empty_map(t, h);
}

void reserve(const maptype_functions *t, hmap *h, uint64_t hint) {
  uint8_t B = 0;
  while (B < 60 && overLoadFactor(hint, B)) {
    B++;
  }
  if (h->buckets != nullptr && B <= h->B) {
    return;
  }
  if (h->count == 0) {
    const bucket_array array = makeBucketArray(t, B);
    if (h->buckets != nullptr) {
      empty_map(t, h); // drops the old array and the iterators' places
      retire_chunks(h, t, h->extra->overflow);
      retire(h, h->buckets, array_bytes(t, h->B), t->bucketalign);
    }
    h->buckets = nullptr;
    store_order();
    h->B = B;
    h->extra->overflow = nullptr;
    h->extra->nextOverflow = array.nextOverflow;
    store_order();
    h->buckets = array.buckets;
    return;
  }
  // Growths double; go through as many as it takes.
  finish_growth(t, h);
  while (h->B < B) {
    hashGrow(t, h, true);
    finish_growth(t, h);
  }
}

void mark_empty_rest(bmap *head, bmap *b, unsigned i, uint64_t overflow_offset) noexcept {
  // Is this the last cell that was not emptyRest?
  if (i == MAPSCOPE_BUCKET_CNT - 1) {
    const bmap *next = *overflow_slot(b, overflow_offset);
    if (next != nullptr && next->tophash[0] != MAPSCOPE_EMPTY_REST) {
      return;
    }
  } else if (b->tophash[i + 1] != MAPSCOPE_EMPTY_REST) {
    return;
  }
  for (;;) {
    b->tophash[i] = MAPSCOPE_EMPTY_REST;
    store_order();
    if (i == 0) {
      if (b == head) {
        return;
      }
      bmap *before = head;
      while (*overflow_slot(before, overflow_offset) != b) {
        before = *overflow_slot(before, overflow_offset);
      }
      b = before;
      i = MAPSCOPE_BUCKET_CNT - 1;
    } else {
      i--;
    }
    if (b->tophash[i] != MAPSCOPE_EMPTY_ONE) {
      return;
    }
  }
}

} // namespace mapscope

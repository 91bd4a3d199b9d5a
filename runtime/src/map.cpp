// SPDX-License-Identifier: MIT
//
// The life of a map: making it, growing it, evacuating, clearing and
// destroying it. The algorithms are those of Go 1.19's runtime/map.go; what
// differs, for want of a garbage collector and because C++ code can throw, says
// so. The order of stores is layout.h's.
#include "internal.hpp"
#include "probes.hpp"

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

// The smallest B with room for so many entries.
uint8_t B_for(uint64_t entries) noexcept {
  uint8_t B = 0;
  while (B < 60 && overLoadFactor(entries, B)) {
    B++;
  }
  return B;
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

// Works out what most lookups and writes need, after the header has changed.
void prepare(hmap *h) noexcept {
  const uint64_t most =
      MAPSCOPE_LOAD_FACTOR_NUM * ((uint64_t{1} << h->B) / MAPSCOPE_LOAD_FACTOR_DEN);
  state_of(h)->shortcut = {
      .buckets = h->oldbuckets == nullptr ? h->buckets : nullptr,
      .mask = bucketMask(h->B),
      .seed = seed_for_integers(h->hash0),
      .room = tooManyOverflowBuckets(h->noverflow, h->B)
                  ? 0
                  : std::max<uint64_t>(most, MAPSCOPE_BUCKET_CNT),
  };
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
  const size_t bytes = chunk_bytes(t, static_cast<uint32_t>(capacity));
  auto *const fresh = static_cast<overflow_chunk *>(allocate(bytes, chunk_align(t)));
  fresh->next = chunk;
  fresh->capacity = static_cast<uint32_t>(capacity);
  store_order();
  h->extra->overflow = fresh;
  publish(h->extra->overflow_bytes, h->extra->overflow_bytes + bytes);
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
  begin_write();
  while (h->oldbuckets != nullptr) {
    evacuate(t, h, h->nevacuate);
  }
}

} // namespace

hmap *makemap(const maptype_functions *t, uint64_t hint, const void *functors) {
  const uint8_t B = B_for(hint);
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
  x->array_bytes = array.buckets != nullptr ? array_bytes(t, B) : 0;
  h->B = B;
  h->hash0 = new_hash0();
  h->buckets = array.buckets;
  prepare(h);
  register_map(h);
  remember(MAPSCOPE_EVENT_CREATE, h, {.B = B, .detail = hint});
  if (wanted(MAPSCOPE_EVENT_CREATE, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_CREATE, h);
    e.hint = hint;
    tell(e);
  }
  return h;
}

void destroymap(const maptype_functions *t, hmap *h) noexcept {
  ending_migration(h, MAPSCOPE_FLAG_BY_DESTROY).report();
  remember(MAPSCOPE_EVENT_DESTROY, h, {.B = h->B});
  if (wanted(MAPSCOPE_EVENT_DESTROY, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_DESTROY, h);
    tell(e);
  }
  if (detail::stop_armed(~0U)) [[unlikely]] {
    disarm_map(h);
  }
  detach_iterators(h);
  unregister_map(h);
  store_order();
  set_count(h, 0);
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
  publish(h->extra->array_bytes, array_bytes(t, h->B));
  store_order();
  publish(h->buckets, array.buckets);
  prepare(h);
}

void reseed(hmap *h) noexcept {
  h->hash0 = new_hash0();
  prepare(h);
  if (stop_wanted(MAPSCOPE_EVENT_RESEED, h)) [[unlikely]] { // of no interest but to a debugger
    event e = event_now(MAPSCOPE_EVENT_RESEED, h);
    report(e);
  }
}

namespace {

void count_growth(mapextra *x, uint32_t kind) noexcept {
  uint32_t &counter = kind == MAPSCOPE_GROWTH_SHRINK      ? x->shrinks
                      : kind == MAPSCOPE_GROWTH_SAME_SIZE ? x->same_size_growths
                                                          : x->growths;
  publish(counter, counter + 1);
}

// A growth of this kind is decided: its array is there, nothing is stored.
void announce_growth(const hmap *h, uint8_t B, uint32_t kind) noexcept {
  remember(MAPSCOPE_EVENT_GROW, h, {.B = B, .old_B = h->B, .detail = h->extra->overflow_buckets});
  if (wanted(MAPSCOPE_EVENT_GROW, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_GROW, h);
    e.old_buckets = e.buckets;
    e.buckets = uint64_t{1} << B;
    e.evacuated = 0;
    e.kind = kind;
    tell(e);
  }
}

// Makes `array`, of 2^B buckets, the map's, and evacuates nothing yet.
MAPSCOPE_ALWAYS_INLINE void install(const maptype_functions *t, hmap *h, const bucket_array &array,
                                    uint8_t B, uint32_t kind) noexcept {
  announce_growth(h, B, kind);
  unsigned flags = load_flags(h) & ~unsigned{MAPSCOPE_ITERATOR | MAPSCOPE_OLD_ITERATOR};
  if ((load_flags(h) & MAPSCOPE_ITERATOR) != 0) {
    flags |= MAPSCOPE_OLD_ITERATOR;
  }
  if (kind == MAPSCOPE_GROWTH_SAME_SIZE) {
    flags |= MAPSCOPE_SAME_SIZE_GROW;
  } else if (kind == MAPSCOPE_GROWTH_SHRINK) {
    flags |= MAPSCOPE_SHRINKING;
  }
  mapstate *const x = state_of(h);
  count_growth(x, kind);
  publish(x->evacuated_before, x->evacuated_before + x->evacuated);
  publish(x->evacuated, 0);
  publish(x->old_bytes, x->array_bytes + x->overflow_bytes);
  publish(x->overflow_bytes, 0);
  publish(x->array_bytes, array_bytes(t, B));
  publish(x->overflow_buckets, 0);
  x->migration = 0;
  x->evacuating_base = 0;
  // See "hashGrow" in layout.h: until nevacuate is 0, it tells the old B.
  h->nevacuate = ~uint64_t{h->B};
  store_order();
  publish(h->oldbuckets, h->buckets);
  store_order();
  publish(h->buckets, array.buckets);
  store_order();
  publish(h->B, B);
  store_flags(h, flags);
  h->noverflow = 0;
  x->oldoverflow = x->overflow;
  x->overflow = nullptr;
  x->nextOverflow = array.nextOverflow;
  store_order();
  h->nevacuate = 0;
  store_order();
  prepare(h);
  // The entries are moved by growWork and evacuate, with later writes.
}

} // namespace

void hashGrow(const maptype_functions *t, hmap *h, bool bigger) {
#ifndef MAPSCOPE_NO_DEBUG
  if (const uint64_t delay = mapdebug.grow_delay.load(std::memory_order_relaxed)) [[unlikely]] {
    wait_nanoseconds(delay);
  }
#endif
  const uint8_t B = static_cast<uint8_t>(h->B + (bigger ? 1 : 0));
  install(t, h, makeBucketArray(t, B), B,
          bigger ? MAPSCOPE_GROWTH_DOUBLE : MAPSCOPE_GROWTH_SAME_SIZE);
}

void hashShrink(const maptype_functions *t, hmap *h) {
  const uint8_t B = static_cast<uint8_t>(h->B - 1);
  install(t, h, makeBucketArray(t, B), B, MAPSCOPE_GROWTH_SHRINK);
}

void growWork(const maptype_functions *t, hmap *h, uint64_t hash) {
  begin_write();
  // The old bucket that we are about to use.
  evacuate(t, h, hash & bucketMask(old_B(h)));
  // One more, so that growing comes to an end.
  if (h->oldbuckets != nullptr) {
    evacuate(t, h, h->nevacuate);
  }
}

void evacuation::wait() noexcept { wait_nanoseconds(std::exchange(delay, 0)); }

void evacuation::extend(cell &to) {
  // A map that shrinks fills up chains that may have more buckets already.
  bmap *const next = *overflow_slot(to.b, t->overflow_offset);
  to.b = next != nullptr ? next : newoverflow(t, h, to.b);
  to.i = 0;
}

namespace {

// The plans for the buckets of one chain, made before any of it is touched.
class chain_plan {
public:
  chain_plan(const maptype_functions *t, const hmap *h, bmap *head, uint64_t newbit) {
    const bool splits = (load_flags(h) & (MAPSCOPE_SAME_SIZE_GROW | MAPSCOPE_SHRINKING)) == 0;
    for_each_bucket_in_chain(t, head, [&](const bmap *b) {
      bucket_plan plan{0, 0};
      if (splits) {
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
  // Overflow buckets that the entries will need: behind two new heads, the first
  // of which has room for so many.
  uint64_t overflow_buckets(uint64_t room) const {
    const auto needed = [](uint64_t entries, uint64_t free) {
      return entries > free ? (entries - free - 1) / MAPSCOPE_BUCKET_CNT + 1 : 0;
    };
    return needed(entries_[0], room) + needed(entries_[1], MAPSCOPE_BUCKET_CNT);
  }
  // Entries that go to X (y = 0) or Y (y = 1).
  uint64_t entries(unsigned y) const { return entries_[y]; }

private:
  static constexpr size_t in_place = 16;
  bucket_plan first_[in_place];
  std::vector<bucket_plan> more_; // chains this long come from bad hashes
  size_t buckets_ = 0;
  uint64_t entries_[2] = {0, 0};
};

// Where a chain has its first cell that is empty with all that follow.
struct chain_end {
  cell at;
  uint64_t before; // cells of the chain before it
  uint64_t room;   // cells from there on
};

chain_end end_of_chain(const maptype_functions *t, const hmap *h, uint64_t chain) noexcept {
  bmap *b = bucket_at(h->buckets, chain, t->bucketsize);
  chain_end end{{b, chain, 0, h->B}, 0, 0};
  for (;; b = *overflow_slot(b, t->overflow_offset)) {
    const auto *const rest =
        std::find(b->tophash, b->tophash + MAPSCOPE_BUCKET_CNT, uint8_t{MAPSCOPE_EMPTY_REST});
    const auto used = static_cast<uint8_t>(rest - b->tophash);
    if (end.room == 0) {
      end.at.b = b;
      end.at.i = used;
      end.before += used;
    }
    end.room += static_cast<uint64_t>(MAPSCOPE_BUCKET_CNT - used);
    if (*overflow_slot(b, t->overflow_offset) == nullptr) {
      return end;
    }
  }
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

MAPSCOPE_NOINLINE void report_evacuated(const hmap *h, uint64_t oldbucket, uint64_t x,
                                        uint64_t y) noexcept {
  if (wanted(MAPSCOPE_EVENT_EVACUATED, h)) {
    event e = event_now(MAPSCOPE_EVENT_EVACUATED, h);
    e.bucket = oldbucket;
    e.moved_x = x;
    e.moved_y = y;
    tell(e);
  }
  if (slot_wants(MAPSCOPE_EVENT_PROGRESS, h)) {
    event e = event_now(MAPSCOPE_EVENT_PROGRESS, h);
    e.bucket = oldbucket;
    report(e);
  }
}

// One old chain's evacuation, from before its first mark to after its last.
class chain_evacuation {
public:
  MAPSCOPE_ALWAYS_INLINE
  chain_evacuation(const maptype_functions *t, hmap *h, uint64_t oldbucket, uint64_t newbit,
                   const cell &x) noexcept
      : oldbucket_(oldbucket), kept_(told(h, oldbucket)) {
    const uint64_t y = oldbucket + newbit; // only used where a doubling splits
    move = {t,
            h,
            {{x}, {{bucket_at(h->buckets, y, t->bucketsize), y, 0, h->B}}},
            nullptr,
#ifndef MAPSCOPE_NO_DEBUG
            mapdebug.evacuate_delay.load(std::memory_order_relaxed)
#else
            0
#endif
    };
    h->extra->evacuating = oldbucket + 1;
    store_order();
  }
  // With the numbers of entries that went to X and to Y.
  MAPSCOPE_ALWAYS_INLINE void end(uint64_t x, uint64_t y) noexcept {
    hmap *const h = move.h;
    store_order();
    h->extra->evacuating = 0;
    publish(h->extra->evacuated, h->extra->evacuated + 1);
    kept_.end(x, y);
    if (detail::stop_armed(MAPSCOPE_EVENT_EVACUATED | MAPSCOPE_EVENT_PROGRESS) || tracing())
        [[unlikely]] {
      report_evacuated(h, oldbucket_, x, y);
    }
  }
  evacuation move;

private:
  static kept_evacuation told(const hmap *h, uint64_t oldbucket) noexcept {
    if (detail::stop_armed(MAPSCOPE_EVENT_EVACUATE)) [[unlikely]] {
      report_evacuate(h, oldbucket);
    }
    return {h, oldbucket, old_B(h)};
  }
  uint64_t oldbucket_;
  kept_evacuation kept_;
};

void evacuate_chain(const maptype_functions *t, hmap *h, uint64_t oldbucket, bmap *head,
                    uint64_t newbit) {
  const unsigned flags = load_flags(h);
  const cell x{bucket_at(h->buckets, oldbucket, t->bucketsize), oldbucket, 0, h->B};
  if (*overflow_slot(head, t->overflow_offset) == nullptr && h->extra->iterators == nullptr &&
      (flags & MAPSCOPE_SHRINKING) == 0) {
    // Nearly always: one bucket, whose entries fit into two.
    const bool same_size = (flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
    const bucket_plan plan = same_size ? bucket_plan{0, 0} : t->plan_bucket(h, head, newbit);
    chain_evacuation evacuating(t, h, oldbucket, newbit, x);
    t->move_bucket(evacuating.move, head, plan);
    evacuating.end(evacuating.move.xy[0].at.i, evacuating.move.xy[1].at.i);
    return;
  }
  // What can fail comes first: hashes, iterators' notes, overflow buckets.
  const chain_plan plan(t, h, head, newbit);
  chain_end to{x, 0, MAPSCOPE_BUCKET_CNT};
  if ((flags & MAPSCOPE_SHRINKING) != 0) {
    to = end_of_chain(t, h, oldbucket & bucketMask(h->B));
  }
  if (const uint64_t n = plan.overflow_buckets(to.room); n != 0) {
    reserve_overflow(t, h, n);
  }
  iterator_fixups *const fixups =
      h->extra->iterators != nullptr ? list_cells(t, h, oldbucket) : nullptr;
  h->extra->evacuating_base = to.before;
  store_order();
  chain_evacuation evacuating(t, h, oldbucket, newbit, to.at);
  evacuating.move.fixups = fixups;
  size_t i = 0;
  for_each_bucket_in_chain(t, head,
                           [&](bmap *b) { t->move_bucket(evacuating.move, b, plan[i++]); });
  if (fixups != nullptr) {
    drop_fixups(fixups);
  }
  evacuating.end(plan.entries(0), plan.entries(1));
}

// The old array goes: everything is evacuated, or there is nothing left to be. Its
// memory is given back with later writes.
void drop_old_array(const maptype_functions *t, hmap *h) noexcept {
  if (shrinking(h)) {
    end_old_buckets(h);
  }
  store_order();
  mapextra *const x = h->extra;
  void *const array = h->oldbuckets;
  void *const chunks = x->oldoverflow;
  const size_t bytes = array_bytes(t, old_B(h));
  publish(h->oldbuckets, nullptr);
  store_order();
  x->oldoverflow = nullptr;
  publish(x->old_bytes, 0);
  const unsigned flags = load_flags(h) & ~unsigned{MAPSCOPE_SAME_SIZE_GROW | MAPSCOPE_SHRINKING};
  store_flags(h, flags);
  store_order();
  prepare(h);
  retire(h, array, bytes, t->bucketalign);
  retire_chunks(h, t, chunks);
}

} // namespace

void evacuate(const maptype_functions *t, hmap *h, uint64_t oldbucket) {
  bmap *const head = bucket_at(h->oldbuckets, oldbucket, t->bucketsize);
  const uint64_t newbit = uint64_t{1} << old_B(h);
  if (!evacuated(head)) {
    MAPSCOPE_PROBE3(evacuate, h, oldbucket, newbit);
    evacuate_chain(t, h, oldbucket, head, newbit);
    MAPSCOPE_PROBE2(evacuated, h, oldbucket);
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
  if (nevacuate == newbit) {
    ending_migration end(h, 0);
    drop_old_array(t, h);
    end.report();
  }
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
  prepare(h);
  publish(x->overflow_buckets, x->overflow_buckets + 1);
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
    drop_old_array(t, h);
    h->nevacuate = 0;
  }
  mapextra *const x = h->extra;
  if (h->buckets != nullptr) {
    // Spare buckets too: they are empty again.
    for (uint64_t i = 0, n = array_buckets(h->B); i < n; i++) {
      bmap *const b = bucket_at(h->buckets, i, t->bucketsize);
      *overflow_slot(b, t->overflow_offset) = nullptr;
      store_order();
      *reinterpret_cast<uint64_t *>(b->tophash) = 0;
    }
    retire_chunks(h, t, x->overflow);
    x->overflow = nullptr;
    publish(x->overflow_bytes, 0);
    publish(x->overflow_buckets, 0);
    set_end_mark(t, static_cast<bmap *>(h->buckets), h->B);
    x->nextOverflow = spare_count(h->B) != 0
                          ? bucket_at(h->buckets, uint64_t{1} << h->B, t->bucketsize)
                          : nullptr;
  }
  store_order();
  h->noverflow = 0;
  reseed(h);
  end.report();
}

// Gives a map without entries an array of 2^B buckets, or none yet. A migration
// ends by that: `flags` says how, as in event.flags.
void replace_empty(const maptype_functions *t, hmap *h, uint8_t B, const bucket_array &array,
                   uint32_t flags) noexcept {
  exhaust_iterators(h);
  ending_migration end(h, flags);
  if (h->oldbuckets != nullptr) {
    drop_old_array(t, h);
    h->nevacuate = 0;
  }
  void *const before = h->buckets;
  const size_t bytes = array_bytes(t, h->B);
  mapextra *const x = h->extra;
  void *const chunks = x->overflow;
  publish(h->buckets, nullptr);
  store_order();
  publish(h->B, B);
  h->noverflow = 0;
  publish(x->array_bytes, array.buckets != nullptr ? array_bytes(t, B) : 0);
  publish(x->overflow_bytes, 0);
  publish(x->overflow_buckets, 0);
  x->overflow = nullptr;
  x->nextOverflow = array.nextOverflow;
  store_order();
  publish(h->buckets, array.buckets);
  store_order();
  prepare(h);
  if (before != nullptr) {
    retire(h, before, bytes, t->bucketalign);
    retire_chunks(h, t, chunks);
  }
  end.report();
}

// The end of a migration that had nothing to move.
void announce_end(const hmap *h, uint8_t old_B) noexcept {
  remember(MAPSCOPE_EVENT_DONE, h, {.B = h->B, .old_B = old_B});
  if (wanted(MAPSCOPE_EVENT_DONE, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_DONE, h);
    e.kind = MAPSCOPE_GROWTH_SHRINK;
    e.old_buckets = uint64_t{1} << old_B;
    tell(e);
  }
}

} // namespace

void mapclear(const maptype_functions *t, hmap *h) noexcept {
  remember(MAPSCOPE_EVENT_CLEAR, h, {.B = h->B, .old_B = old_B_if_any(h)});
  if (wanted(MAPSCOPE_EVENT_CLEAR, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_CLEAR, h);
    tell(e);
  }
  empty_map(t, h);
}

void reserve(const maptype_functions *t, hmap *h, uint64_t hint) {
  const uint8_t B = B_for(hint);
  if (h->buckets != nullptr && B <= h->B) {
    return;
  }
  if (h->count == 0) {
    replace_empty(t, h, B, makeBucketArray(t, B), MAPSCOPE_FLAG_BY_CLEAR);
    return;
  }
  // Growths double; go through as many as it takes.
  finish_growth(t, h);
  while (h->B < B) {
    hashGrow(t, h, true);
    finish_growth(t, h);
  }
}

void rebuild(const maptype_functions *t, hmap *h, uint64_t hint) {
  const uint8_t B = B_for(std::max(hint, h->count));
  remember(MAPSCOPE_EVENT_REBUILD, h, {.B = B, .old_B = h->B, .detail = hint});
  if (wanted(MAPSCOPE_EVENT_REBUILD, h)) [[unlikely]] {
    event e = event_now(MAPSCOPE_EVENT_REBUILD, h);
    e.hint = hint;
    tell(e);
  }
  publish(h->extra->rebuilds, h->extra->rebuilds + 1);
  if (h->count == 0) {
    replace_empty(t, h, B, B != 0 ? makeBucketArray(t, B) : bucket_array{}, MAPSCOPE_FLAG_BY_CLEAR);
  } else {
    // Through migrations, at once: at any moment the map is one that debuggers,
    // iterators and exceptions know how to deal with.
    finish_growth(t, h);
    if (h->B == B) {
      hashGrow(t, h, false);
    }
    for (;;) {
      finish_growth(t, h);
      release_all_retired(h);
      if (h->B == B) {
        break;
      }
      if (h->B > B) {
        hashShrink(t, h);
      } else {
        hashGrow(t, h, true);
      }
    }
  }
  release_all_retired(h);
}

void shrink_after_delete(const maptype_functions *t, hmap *h) noexcept {
  constexpr uint8_t smallest = 4;
  if (h->B <= smallest || h->count >= (uint64_t{1} << h->B) / 4) {
    return;
  }
  try {
    if (h->count == 0) {
      // Nothing is left to be moved: all the way down, at once.
      const bucket_array array = makeBucketArray(t, smallest);
      if (h->oldbuckets != nullptr) {
        exhaust_iterators(h);
        ending_migration end(h, 0);
        drop_old_array(t, h);
        h->nevacuate = 0;
        end.report();
      }
      announce_growth(h, smallest, MAPSCOPE_GROWTH_SHRINK);
      count_growth(h->extra, MAPSCOPE_GROWTH_SHRINK);
      const uint8_t before = h->B;
      replace_empty(t, h, smallest, array, 0);
      announce_end(h, before);
    } else if (h->oldbuckets == nullptr) {
      hashShrink(t, h);
    }
  } catch (const std::bad_alloc &) {
    // The map is as it was; a later delete tries again.
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

// SPDX-License-Identifier: MIT
//
// The type-erased half of the runtime, which mapscope::map<K, V> is built on.
// What this header knows: the functions behind a map's rare events and what
// they need to know of a type. What it must not know: K and V.
//
// Functions and structs have the names of Go 1.19's runtime/map.go where Go
// has the thing. They are never inlined, so that a breakpoint on
// mapscope::hashGrow or mapscope::evacuate stops where its name says.
// Everything here but set_fatal_handler, set_seed and set_random_seed is for
// map.hpp and for debuggers; programs use map.hpp.
#ifndef MAPSCOPE_RUNTIME_HPP
#define MAPSCOPE_RUNTIME_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <mapscope/hash.hpp>
#include <mapscope/layout.h>

#if defined(__SANITIZE_THREAD__)
#define MAPSCOPE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAPSCOPE_THREAD_SANITIZER 1
#endif
#endif

#define MAPSCOPE_NOINLINE [[gnu::noinline]]
// For what is slow if its result goes through memory.
#define MAPSCOPE_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace mapscope {

// Called with Go's message when a program misuses a map from several threads
// ("concurrent map writes" and so on). If it returns, the program aborts. It
// may throw, and then the operation that noticed does; but not out of clear,
// which is noexcept.
using fatal_handler = void (*)(const char *message);

// Sets the handler for the whole process, nil for the default, which prints
// "fatal error: " and the message on standard error. Returns the previous one.
fatal_handler set_fatal_handler(fatal_handler handler) noexcept;

// From now on every map gets hash0 = seed, and the order of iteration and all
// else that is random repeats from run to run. For tests and examples: with
// known seeds, keys that collide can be chosen.
void set_seed(uint32_t seed) noexcept;

// Back to random numbers, as at the program's start.
void set_random_seed() noexcept;

// Reports misuse; see fatal_handler. Returns to nobody, though a handler may
// throw.
[[noreturn]] void fatal(const char *message);
// Reports the misuse of one map: first to a debugger that waits for it.
[[noreturn]] void fatal(const hmap *h, const char *message);

// Keeps the compiler from moving stores across it, so that memory always
// passes through the states that layout.h promises. No instruction: a stopped
// process shows each thread's stores in program order.
inline void store_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

struct maptype_functions;
struct hiter;
struct evacuation;
struct retired_block;

// What most lookups and writes need of a map, worked out beforehand from its header
// whenever that changes; debuggers read the header. It is one cache line, and each field
// saves every lookup a few instructions.
struct shortcut {
  void *buckets;     // hmap.buckets; nil while the map migrates
  uint64_t mask;     // of a bucket's number, 2^B - 1
  integer_seed seed; // hash0's
  uint64_t room;     // a map with fewer entries than this takes one more without growing
};

// What stands in hmap.extra: mapextra, then the runtime's own fields.
struct mapstate : mapextra {
  mapscope::shortcut shortcut;
  retired_block *retired;      // memory to be given back little by little
  std::atomic<uint32_t> guard; // over `iterators` and the iterators' links
  uint32_t shard;              // of the registry
  // The number of the current migration in the process, 0 until a debugger asks
  // for its progress.
  uint32_t migration;
};

inline mapstate *state_of(const hmap *h) noexcept { return static_cast<mapstate *>(h->extra); }

// hmap and mapstate are one allocation; the map's own hash and equality
// objects, if they have state, follow.
inline constexpr size_t header_state = sizeof(hmap);
inline constexpr size_t header_functors = sizeof(hmap) + sizeof(mapstate);

// Of a map that is not nil. Where it lies is known without reading hmap.extra.
inline const shortcut &shortcut_of(const hmap *h) noexcept {
  return reinterpret_cast<const mapstate *>(reinterpret_cast<const char *>(h) + header_state)
      ->shortcut;
}

// Where one entry lies: cell i of bucket b, in the chain with this index of an
// array of 2^level buckets.
struct cell {
  bmap *b;
  uint64_t chain;
  uint8_t i;
  uint8_t level;
};

// An iterator (Go: hiter). It visits the logical buckets 0 ... 2^L - 1,
// beginning at startBucket and wrapping, where L is the B of the map's old
// array, or of its only one, when the iteration starts. Logical bucket n is
// every chain of the present arrays whose index ends in the L bits of n: one
// old chain until that is evacuated, and then those its entries went to.
//
// scanning: entries are read where they lie, the chains of one logical bucket
// in the order that a binary tree of their index bits gives; that order stays
// when chains split, so the place (chain, level, i) keeps its meaning when a
// growth starts or ends.
// skipping: before any old chain of the logical bucket it is in is evacuated,
// the iterator notes the cells there that it has not visited yet; evacuate keeps
// those notes right, and they are visited at the end. It scans again from the next
// logical bucket on.
// draining: only what was noted is left.
//
// A map that shrinks may have fewer buckets than the iterator counts. The old
// chains are its logical buckets then, and each one that is evacuated before the
// iterator comes there is noted whole.
enum class hiter_mode : uint8_t {
  unregistered, // only points at an entry (find), or at nothing (end)
  scanning,
  skipping,
  draining,
  exhausted, // the map was cleared or destroyed: nothing will follow
};

struct noted_cells;

struct hiter {
  hmap *h = nullptr; // nil at the end
  cell at{};         // at.b is nil at the end
  hiter_mode mode = hiter_mode::unregistered;
  // Cells after at.i that held an entry when the iterator came to bucket at.b: a loop is
  // faster over these than over the tophash bytes. An entry may have been erased since.
  // None but while scanning, so that a loop need not look at the mode.
  unsigned ahead = 0;
  // What follows has a value only in an iterator that was registered: one from find is
  // made too often to fill it in.
  uint8_t L;
  uint64_t startBucket;
  uint64_t bucket;
  noted_cells *noted;
  hiter *next; // of the same map; guarded by mapstate::guard
  hiter *prev;
};

// What evacuate needs to know of the live cells of one bucket before it moves
// them: bit i is about cell i.
struct bucket_plan {
  uint8_t y;      // goes to Y
  uint8_t rehash; // gets a random tophash: its key is not equal to itself
};

// The functions of a map type. bmap pointers are buckets of that type.
struct maptype_functions : maptype {
  // Fills in the plan for the live cells. May throw what the hash or the
  // equality throws.
  bucket_plan (*plan_bucket)(const hmap *h, const bmap *b, uint64_t newbit);
  // Moves each live cell as planned, and marks every cell.
  void (*move_bucket)(evacuation &move, bmap *b, bucket_plan plan);
  // Empties each live cell, one after the other. h->count falls with them.
  void (*empty_bucket)(hmap *h, bmap *b) noexcept;
  // Destroys the entries of live cells. Nil if there is nothing to destroy.
  void (*destroy_bucket)(bmap *b) noexcept;
  // Copies the hash and equality objects into a new header; destroys those of a
  // header. Nil if they have no state.
  void (*copy_functors)(void *header, const void *from);
  void (*destroy_functors)(void *header) noexcept;
  uint32_t header_size; // bytes of hmap, mapstate and functors
  uint32_t header_align;
};

inline const maptype_functions *type_of(const hmap *h) noexcept {
  return static_cast<const maptype_functions *>(h->extra->type);
}

inline bmap *bucket_at(void *array, uint64_t index, uint64_t bucketsize) noexcept {
  return reinterpret_cast<bmap *>(static_cast<char *>(array) + index * bucketsize);
}

inline bmap **overflow_slot(bmap *b, uint64_t overflow_offset) noexcept {
  return reinterpret_cast<bmap **>(reinterpret_cast<char *>(b) + overflow_offset);
}

inline bool evacuated(const bmap *b) noexcept {
  const uint8_t top = b->tophash[0];
  return top > MAPSCOPE_EMPTY_ONE && top < MAPSCOPE_MIN_TOP_HASH;
}

inline uint8_t tophash(uint64_t hash) noexcept {
  const auto top = static_cast<uint8_t>(hash >> 56);
  // Five in 256. A jump, if compilers are told how rare: it is foreseen, and one
  // instruction in place of four that all lookups would wait for.
  if (__builtin_expect_with_probability(top < MAPSCOPE_MIN_TOP_HASH, 0, 0.99)) {
    return static_cast<uint8_t>(top + MAPSCOPE_MIN_TOP_HASH);
  }
  return top;
}

inline uint64_t bucketMask(uint8_t B) noexcept { return (uint64_t{1} << (B & 63)) - 1; }

// hmap.flags: threads that begin to iterate set bits in it while others read.
inline uint8_t load_flags(const hmap *h) noexcept {
  return std::atomic_ref(const_cast<hmap *>(h)->flags).load(std::memory_order_relaxed);
}
// The same for a loop. Compilers take an atomic load for one after which all of memory
// may be another, and would keep nothing of the iterator in registers. To the processor
// both are one load of a byte; ThreadSanitizer has to know that it is meant.
inline uint8_t glance_at_flags(const hmap *h) noexcept {
#ifdef MAPSCOPE_THREAD_SANITIZER
  return load_flags(h);
#else
  return *const_cast<const volatile uint8_t *>(&h->flags);
#endif
}
// Only the thread that writes to the map.
inline void store_flags(hmap *h, unsigned flags) noexcept {
  std::atomic_ref(h->flags).store(static_cast<uint8_t>(flags), std::memory_order_relaxed);
}

inline bool shrinking(const hmap *h) noexcept { return (load_flags(h) & MAPSCOPE_SHRINKING) != 0; }

// B of the array being evacuated. Only while migrating.
inline uint8_t old_B(const hmap *h) noexcept {
  const unsigned flags = load_flags(h);
  const int more = (flags & MAPSCOPE_SAME_SIZE_GROW) != 0 ? 0
                   : (flags & MAPSCOPE_SHRINKING) != 0    ? 1
                                                          : -1;
  return static_cast<uint8_t>(h->B + more);
}

// Entries came or went. Only the thread that writes to the map; mapstats reads.
inline void set_count(hmap *h, uint64_t count) noexcept {
  std::atomic_ref(h->count).store(count, std::memory_order_relaxed);
}

inline bool overLoadFactor(uint64_t count, uint8_t B) noexcept {
  return count > MAPSCOPE_BUCKET_CNT &&
         count > MAPSCOPE_LOAD_FACTOR_NUM * ((uint64_t{1} << (B & 63)) / MAPSCOPE_LOAD_FACTOR_DEN);
}

inline bool tooManyOverflowBuckets(uint16_t noverflow, uint8_t B) noexcept {
  return noverflow >= uint32_t{1} << (B > 15 ? 15 : B);
}

// One of the two chains (X, Y) that an old chain is evacuated to.
struct evacuation_target {
  cell at; // the next free cell; at.i is 8 if the bucket is full
};

// An evacuation of one old chain under way.
struct evacuation {
  const maptype_functions *t;
  hmap *h;
  evacuation_target xy[2];
  struct iterator_fixups *fixups; // nil if no iterator lists a cell of the chain
  uint64_t delay;                 // nanoseconds to wait at the first entry; see set_mapdebug

  // The cell that the next entry going to X (y = 0) or Y (y = 1) will fill.
  cell &target(unsigned y) {
    cell &to = xy[y].at;
    if (to.i == MAPSCOPE_BUCKET_CNT) {
      extend(to);
    }
    return to;
  }
  void extend(cell &to);
  // To be called with each cell moved, after its new cell became live.
  void moved(const bmap *b, unsigned i, const cell &to) noexcept {
    if (fixups != nullptr) {
      fix_iterators(b, i, to);
    }
  }
  void fix_iterators(const bmap *b, unsigned i, const cell &to) noexcept;
  // To be called between the mark and the copy of each entry.
  void marked() noexcept {
#ifndef MAPSCOPE_NO_DEBUG
    if (delay != 0) [[unlikely]] {
      wait();
    }
#endif
  }
  void wait() noexcept;
};

// A new map with room for `hint` entries, in the registry. Throws
// std::bad_alloc, std::length_error, and what copying the functors throws.
MAPSCOPE_NOINLINE hmap *makemap(const maptype_functions *t, uint64_t hint, const void *functors);
// Destroys a map and all in it. Iterators that are still on it are at the end.
MAPSCOPE_NOINLINE void destroymap(const maptype_functions *t, hmap *h) noexcept;
// Allocates the first bucket of a map made for few entries.
MAPSCOPE_NOINLINE void newbuckets(const maptype_functions *t, hmap *h);
// Starts a growth: doubling if `bigger`, else same-size. Throws before anything
// changed. Its callers decide (Go's hashGrow does so itself), because reserve
// doubles before the map is over the load factor.
MAPSCOPE_NOINLINE void hashGrow(const maptype_functions *t, hmap *h, bool bigger);
// Starts to halve. Throws std::bad_alloc before anything changed.
MAPSCOPE_NOINLINE void hashShrink(const maptype_functions *t, hmap *h);
// An entry was erased and shrinktrigger=1 is set: starts to halve if the map has
// become small enough for that.
MAPSCOPE_NOINLINE void shrink_after_delete(const maptype_functions *t, hmap *h) noexcept;
// Evacuates the old bucket that belongs to a hash, of which the bits of a bucket
// number are enough, and one more.
MAPSCOPE_NOINLINE void growWork(const maptype_functions *t, hmap *h, uint64_t hash);
// Evacuates one old bucket, if it is not evacuated yet. Throws before anything
// changed.
MAPSCOPE_NOINLINE void evacuate(const maptype_functions *t, hmap *h, uint64_t oldbucket);
// Moves nevacuate on, and ends the growth when all is evacuated.
MAPSCOPE_NOINLINE void advanceEvacuationMark(hmap *h, const maptype_functions *t, uint64_t newbit);
// The bucket that newoverflow will return next: empty, not linked anywhere.
MAPSCOPE_NOINLINE bmap *peekoverflow(const maptype_functions *t, hmap *h);
// Takes that bucket and links it behind b.
MAPSCOPE_NOINLINE bmap *newoverflow(const maptype_functions *t, hmap *h, bmap *b) noexcept;
// Makes room for `hint` entries at once. Throws bad_alloc, length_error and
// what hashes throw; the entries stay.
MAPSCOPE_NOINLINE void reserve(const maptype_functions *t, hmap *h, uint64_t hint);
// Gives the map the smallest array that has room for `hint` entries and for those
// it has, with no more overflow buckets than they need, and gives back all other
// memory. Throws bad_alloc, length_error and what hashes throw; the entries stay.
MAPSCOPE_NOINLINE void rebuild(const maptype_functions *t, hmap *h, uint64_t hint);
// Removes all entries, keeps B and the array.
MAPSCOPE_NOINLINE void mapclear(const maptype_functions *t, hmap *h) noexcept;
// Gives back some memory of a finished growth. Only if there is
// some (MAPSCOPE_RETIRED).
MAPSCOPE_NOINLINE void release_retired(hmap *h) noexcept;
// After cell i of b, in the chain that begins at `head`, became emptyOne:
// turns it, and emptyOne cells before it, into emptyRest if nothing follows.
MAPSCOPE_NOINLINE void mark_empty_rest(bmap *head, bmap *b, unsigned i,
                                       uint64_t overflow_offset) noexcept;
// A new seed for a map that has no entries.
MAPSCOPE_NOINLINE void reseed(hmap *h) noexcept;

// Starts an iteration at the first entry, or at the end of an empty map.
MAPSCOPE_NOINLINE void mapiterinit(const maptype_functions *t, hmap *h, hiter *it);
// Goes on to the next entry, or to the end.
MAPSCOPE_NOINLINE void mapiternext(hiter *it);
// Makes an iterator that points at an entry follow it from now on.
MAPSCOPE_NOINLINE void mapiterregister(hiter *it);
// Ends an iteration early. Nothing to do for one that is unregistered.
MAPSCOPE_NOINLINE void mapiterfree(hiter *it) noexcept;
// Makes `to`, which must be unregistered, a second iterator at the same place.
MAPSCOPE_NOINLINE void mapitercopy(hiter *to, const hiter *from);
// Makes `to`, which must be unregistered, take the place of `from`.
MAPSCOPE_NOINLINE void mapitermove(hiter *to, hiter *from) noexcept;
// The head of the chain that a cell of the map lies in.
MAPSCOPE_NOINLINE bmap *chain_head(const maptype_functions *t, const hmap *h,
                                   const cell &at) noexcept;
// Takes an erased cell from what the map's iterators have noted.
MAPSCOPE_NOINLINE void forget_cell(hmap *h, const bmap *b, unsigned i) noexcept;

} // namespace mapscope

#endif

// SPDX-License-Identifier: MIT
//
// Iterators, and what keeps them right while the map changes under them. See
// hiter in runtime.hpp for the idea. Go's iterator looks every key of an
// evacuated chain up again; here a moved entry's old bytes may be gone, so
// evacuation tells the iterators where each entry went instead.
#include "internal.hpp"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include <mapscope/tophash.hpp>

namespace mapscope {

namespace {

// A cell's place alone tells it from others.
struct place_hash {
  size_t operator()(const cell &at) const noexcept {
    return static_cast<size_t>(hash_integer(reinterpret_cast<uintptr_t>(at.b) + uint64_t{at.i}, 0));
  }
};
struct same_place {
  bool operator()(const cell &a, const cell &b) const noexcept { return a.b == b.b && a.i == b.i; }
};

} // namespace

// Cells that an iterator will not come to by scanning, and has still to visit.
struct noted_cells {
  std::unordered_set<cell, place_hash, same_place> cells;
};

// Of one evacuation: which iterators point at or have noted a cell of the chain,
// sorted by cell.
struct iterator_fixups {
  struct fixup {
    const bmap *b;
    unsigned i;
    hiter *holder;
    bool noted;
    bool operator<(const fixup &other) const {
      return b != other.b ? std::less<>()(b, other.b) : i < other.i;
    }
  };
  std::vector<fixup> all;
};

namespace {

bool growing(const hmap *h) noexcept { return h->oldbuckets != nullptr; }

// The chain that the tree node (chain, level) stands for now, or the first of
// those that it has split into; a nil bucket if its entries are all elsewhere.
//
// In a growth the new chains are the children of the old. In a shrink the old
// ones are the children of the new, and come after it in the order of the tree.
cell first_chain(const maptype *t, const hmap *h, uint64_t chain, uint8_t level) noexcept {
  if (growing(h) && (shrinking(h) ? level == old_B(h) : level <= old_B(h))) {
    bmap *const old = bucket_at(h->oldbuckets, chain, t->bucketsize);
    if (!evacuated(old)) {
      return {old, chain, 0, old_B(h)};
    }
    if (shrinking(h)) {
      return {nullptr, chain, 0, level};
    }
  }
  return {bucket_at(h->buckets, chain, t->bucketsize), chain, 0, h->B};
}

// Goes to the next chain of the logical bucket that `at` lies in at level L.
// The bits of the index above L count up with the highest bit as the lowest
// digit: the leaves of the tree from left to right.
bool next_chain(const maptype *t, const hmap *h, cell &at, uint8_t L) noexcept {
  uint64_t chain = at.chain;
  unsigned level = at.level;
  if (growing(h) && shrinking(h)) {
    const uint8_t old = old_B(h);
    if (L == old) {
      return false; // one old chain is the whole logical bucket
    }
    if (level == h->B) {
      at = first_chain(t, h, chain, old);
      if (at.b != nullptr) {
        return true;
      }
    }
    const uint64_t half = uint64_t{1} << h->B;
    if ((at.chain & half) == 0) {
      at = first_chain(t, h, at.chain | half, old);
      if (at.b != nullptr) {
        return true;
      }
    }
    chain &= ~half;
    level = h->B;
  }
  for (unsigned bit = level; bit-- > L;) {
    const uint64_t digit = uint64_t{1} << bit;
    if ((chain & digit) == 0) {
      at = first_chain(t, h, chain | digit, static_cast<uint8_t>(bit + 1));
      return true;
    }
    chain &= ~digit;
  }
  return false;
}

// Goes to the first live cell of the logical bucket at or after cell `from` of
// bucket at.b.
bool scan(const maptype *t, const hmap *h, cell &at, uint8_t L, unsigned from) noexcept {
  do {
    while (at.b != nullptr) {
      if (const unsigned live = tophash_group(at.b).live() >> from; live != 0) {
        at.i = static_cast<uint8_t>(from + first_cell(live));
        return true;
      }
      at.b = *overflow_slot(at.b, t->overflow_offset);
      from = 0;
    }
  } while (next_chain(t, h, at, L));
  return false;
}

// The coarser of the two arrays.
uint8_t level_now(const hmap *h) noexcept { return growing(h) && !shrinking(h) ? old_B(h) : h->B; }

hiter *first_iterator(const hmap *h) noexcept { return static_cast<hiter *>(h->extra->iterators); }

void link(hiter *it) noexcept {
  mapstate *const x = state_of(it->h);
  const spin_lock lock(x->guard);
  it->prev = nullptr;
  it->next = first_iterator(it->h);
  if (it->next != nullptr) {
    it->next->prev = it;
  }
  store_order();
  x->iterators = it;
}

void unlink(hiter *it) noexcept {
  mapstate *const x = state_of(it->h);
  const spin_lock lock(x->guard);
  if (it->prev != nullptr) {
    it->prev->next = it->next;
  } else {
    x->iterators = it->next;
  }
  store_order();
  if (it->next != nullptr) {
    it->next->prev = it->prev;
  }
}

void drop_notes(hiter *it) noexcept {
  delete it->noted;
  it->noted = nullptr;
}

void finish(hiter *it) noexcept {
  mapiterfree(it);
  it->h = nullptr;
  it->at = {};
}

void note(hiter *it, const cell &at) {
  if (it->noted == nullptr) {
    it->noted = new noted_cells;
  }
  it->noted->cells.insert(at);
}

// Notes the iterator's further cells in its logical bucket.
void note_rest(const maptype *t, const hmap *h, hiter *it) {
  cell at = it->at;
  for (unsigned from = at.i + 1U; scan(t, h, at, it->L, from); from = at.i + 1U) {
    note(it, at);
  }
  it->mode = hiter_mode::skipping;
  it->ahead = 0;
}

// Calls f with each live cell of the chain that begins at `head`.
template <class F> void for_each_live_cell(const maptype *t, const cell &head, F f) {
  for (cell at = head; at.b != nullptr; at.b = *overflow_slot(at.b, t->overflow_offset)) {
    for (unsigned live = tophash_group(at.b).live(); live != 0; live &= live - 1) {
      at.i = static_cast<uint8_t>(first_cell(live));
      f(at);
    }
  }
}

// Goes to one of the noted cells; false if none is left.
bool next_noted(hiter *it) noexcept {
  if (it->noted == nullptr || it->noted->cells.empty()) {
    return false;
  }
  const auto first = it->noted->cells.begin();
  it->at = *first;
  it->noted->cells.erase(first);
  return true;
}

// The iterator has come to a cell: which cells to look at next.
void look_ahead(hiter *it) noexcept {
  it->ahead = tophash_group(it->at.b).live() & (~1U << it->at.i);
}

// Goes on with what was noted.
void drain(hiter *it) noexcept {
  if (!next_noted(it)) {
    finish(it);
  }
}

// Goes on with the logical buckets after the present one.
void next_bucket(const maptype *t, hiter *it) noexcept {
  const hmap *const h = it->h;
  const uint64_t mask = bucketMask(it->L);
  for (;;) {
    it->bucket = (it->bucket + 1) & mask;
    if (it->bucket == it->startBucket) {
      it->mode = hiter_mode::draining;
      drain(it);
      return;
    }
    it->at = first_chain(t, h, it->bucket, it->L);
    if (scan(t, h, it->at, it->L, 0)) {
      look_ahead(it);
      return;
    }
  }
}

void check_not_writing(const hmap *h) {
  if ((load_flags(h) & MAPSCOPE_HASH_WRITING) != 0) {
    fatal(h, "concurrent map iteration and map write");
  }
}

// Starts following: the iterator points at an entry or at its first bucket.
void begin_following(hiter *it, uint64_t bucket) noexcept {
  it->L = level_now(it->h);
  it->startBucket = it->bucket = bucket & bucketMask(it->L);
  it->ahead = 0;
  it->noted = nullptr;
  it->mode = hiter_mode::scanning;
  // Several threads may begin at once.
  std::atomic_ref(it->h->flags)
      .fetch_or(MAPSCOPE_ITERATOR | MAPSCOPE_OLD_ITERATOR, std::memory_order_relaxed);
  link(it);
}

} // namespace

void mapiterinit(const maptype_functions *t, hmap *h, hiter *it) {
  *it = hiter{};
  if (h == nullptr || h->count == 0) {
    return;
  }
  check_not_writing(h);
  it->h = h;
  // A random start, as in Go, so that programs don't come to rely on an order.
  begin_following(it, fastrand64());
  it->at = first_chain(t, h, it->bucket, it->L);
  if (scan(t, h, it->at, it->L, 0)) {
    look_ahead(it);
  } else {
    next_bucket(t, it);
  }
}

void mapiternext(hiter *it) {
  if (it->at.b == nullptr) { // at the end, or the map was cleared
    finish(it);
    return;
  }
  check_not_writing(it->h);
  mapiterregister(it);
  const maptype *const t = it->h->extra->type;
  if (it->mode == hiter_mode::draining) {
    drain(it);
    return;
  }
  if (it->mode == hiter_mode::scanning && scan(t, it->h, it->at, it->L, it->at.i + 1U)) {
    look_ahead(it);
    return;
  }
  it->mode = hiter_mode::scanning;
  next_bucket(t, it);
}

void mapiterregister(hiter *it) {
  if (it->mode == hiter_mode::unregistered && it->at.b != nullptr) {
    begin_following(it, it->at.chain);
  }
}

void mapiterfree(hiter *it) noexcept {
  if (it->mode == hiter_mode::unregistered) {
    return;
  }
  unlink(it);
  drop_notes(it);
  it->mode = hiter_mode::unregistered;
  it->ahead = 0;
}

void mapitercopy(hiter *to, const hiter *from) {
  to->noted = from->noted != nullptr ? new noted_cells(*from->noted) : nullptr;
  to->h = from->h;
  to->at = from->at;
  to->mode = from->mode;
  to->L = from->L;
  to->ahead = from->ahead;
  to->startBucket = from->startBucket;
  to->bucket = from->bucket;
  // Not the links: other iterators' threads change those.
  if (to->mode != hiter_mode::unregistered) {
    link(to);
  }
}

void mapitermove(hiter *to, hiter *from) noexcept {
  mapstate *const x = state_of(from->h);
  const spin_lock lock(x->guard);
  *to = *from;
  if (to->prev != nullptr) {
    to->prev->next = to;
  } else {
    x->iterators = to;
  }
  if (to->next != nullptr) {
    to->next->prev = to;
  }
  *from = hiter{};
}

bmap *chain_head(const maptype_functions *t, const hmap *h, const cell &at) noexcept {
  if (growing(h) && at.level == old_B(h)) {
    bmap *const old = bucket_at(h->oldbuckets, at.chain, t->bucketsize);
    if (!evacuated(old)) {
      return old;
    }
  }
  return bucket_at(h->buckets, at.chain, t->bucketsize);
}

void forget_cell(hmap *h, const bmap *b, unsigned i) noexcept {
  const cell place{const_cast<bmap *>(b), 0, static_cast<uint8_t>(i), 0};
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    if (it->noted != nullptr) {
      it->noted->cells.erase(place);
    }
  }
}

namespace {

// Whether the iterator counts by the old array's chains, of which a shrinking map
// has more than it will have, and has not come to this one yet.
bool comes_later(const hmap *h, const hiter *it, uint64_t oldbucket) noexcept {
  if (!shrinking(h) || it->L != old_B(h) ||
      (it->mode != hiter_mode::scanning && it->mode != hiter_mode::skipping)) {
    return false;
  }
  const uint64_t mask = bucketMask(it->L);
  return ((oldbucket - it->startBucket) & mask) > ((it->bucket - it->startBucket) & mask);
}

} // namespace

iterator_fixups *list_cells(const maptype_functions *t, hmap *h, uint64_t oldbucket) {
  const uint8_t level = old_B(h);
  const cell head{bucket_at(h->oldbuckets, oldbucket, t->bucketsize), oldbucket, 0, level};
  auto fixups = std::make_unique<iterator_fixups>();
  // Allocates under the guard; other iterators may wait for that long.
  const spin_lock lock(state_of(h)->guard);
  try {
    for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
      if (it->mode == hiter_mode::exhausted) {
        continue;
      }
      if (comes_later(h, it, oldbucket)) {
        for_each_live_cell(t, head, [it](const cell &at) { note(it, at); });
      } else if (it->mode == hiter_mode::scanning &&
                 (oldbucket & bucketMask(it->L)) == it->bucket) {
        note_rest(t, h, it);
      }
      if (it->at.b != nullptr && it->at.chain == oldbucket && it->at.level == level) {
        fixups->all.push_back({it->at.b, it->at.i, it, false});
      }
      if (it->noted != nullptr) {
        for_each_live_cell(t, head, [&](const cell &at) {
          if (it->noted->cells.count(at) != 0) {
            fixups->all.push_back({at.b, at.i, it, true});
          }
        });
      }
    }
  } catch (...) {
    // The chain stays, and those iterators will come to it.
    for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
      if (it->noted != nullptr && comes_later(h, it, oldbucket)) {
        for_each_live_cell(t, head, [it](const cell &at) { it->noted->cells.erase(at); });
      }
    }
    throw;
  }
  if (fixups->all.empty()) {
    return nullptr;
  }
  std::sort(fixups->all.begin(), fixups->all.end());
  return fixups.release();
}

void evacuation::fix_iterators(const bmap *b, unsigned i, const cell &to) noexcept {
  const iterator_fixups::fixup key{b, i, nullptr, false};
  const auto range = std::equal_range(fixups->all.begin(), fixups->all.end(), key);
  for (auto it = range.first; it != range.second; ++it) {
    if (!it->noted) {
      it->holder->at = to;
      continue;
    }
    // Takes the node out and puts it in again, which allocates nothing.
    auto &cells = it->holder->noted->cells;
    auto node = cells.extract(cell{const_cast<bmap *>(b), 0, static_cast<uint8_t>(i), 0});
    node.value() = to;
    cells.insert(std::move(node));
  }
}

void end_old_buckets(hmap *h) noexcept {
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    if (it->L == old_B(h) &&
        (it->mode == hiter_mode::scanning || it->mode == hiter_mode::skipping)) {
      it->mode = hiter_mode::draining;
      it->ahead = 0;
    }
  }
}

void drop_fixups(iterator_fixups *fixups) noexcept { delete fixups; }

void exhaust_iterators(hmap *h) noexcept {
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    drop_notes(it);
    it->at = {};
    it->mode = hiter_mode::exhausted;
    it->ahead = 0;
  }
}

void detach_iterators(hmap *h) noexcept {
  const spin_lock lock(state_of(h)->guard);
  hiter *next = nullptr;
  for (hiter *it = first_iterator(h); it != nullptr; it = next) {
    next = it->next;
    drop_notes(it);
    *it = hiter{};
  }
  h->extra->iterators = nullptr;
}

} // namespace mapscope

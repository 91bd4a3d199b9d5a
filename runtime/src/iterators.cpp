// SPDX-License-Identifier: MIT
//
// Iterators, and what keeps them right while the map changes under them. See
// hiter in runtime.hpp for the idea. Go's iterator looks every key of an
// evacuated chain up again; here a moved entry's old bytes may be gone, so
// evacuation tells the iterators where each entry went instead.
#include "internal.hpp"

#include <algorithm>
#include <memory>

#include <mapscope/tophash.hpp>

namespace mapscope {

// Cells that an iterator has still to visit; a nil bucket stands for an entry
// that was erased meanwhile.
struct cell_list {
  std::vector<cell> cells;
  size_t next = 0;
};

// Of one evacuation: which iterators hold a cell of the chain, sorted by cell.
struct iterator_fixups {
  struct fixup {
    const bmap *b;
    unsigned i;
    cell *holder;
    bool operator<(const fixup &other) const {
      return b != other.b ? std::less<>()(b, other.b) : i < other.i;
    }
  };
  std::vector<fixup> all;
};

namespace {

bool growing(const hmap *h) noexcept { return h->oldbuckets != nullptr; }

// The chain that the tree node (chain, level) stands for now, or the first of
// those that it has split into.
cell first_chain(const maptype *t, const hmap *h, uint64_t chain, uint8_t level) noexcept {
  if (growing(h) && level <= old_B(h)) {
    bmap *const old = bucket_at(h->oldbuckets, chain, t->bucketsize);
    if (!evacuated(old)) {
      return {old, chain, 0, old_B(h)};
    }
  }
  return {bucket_at(h->buckets, chain, t->bucketsize), chain, 0, h->B};
}

// Goes to the next chain of the logical bucket that `at` lies in at level L.
// The bits of the index above L count up with the highest bit as the lowest
// digit: the leaves of the tree from left to right.
bool next_chain(const maptype *t, const hmap *h, cell &at, uint8_t L) noexcept {
  uint64_t chain = at.chain;
  for (unsigned bit = at.level; bit-- > L;) {
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

uint8_t level_now(const hmap *h) noexcept { return growing(h) ? old_B(h) : h->B; }

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

void drop_list(hiter *it) noexcept {
  delete it->list;
  it->list = nullptr;
}

void finish(hiter *it) noexcept {
  mapiterfree(it);
  it->h = nullptr;
  it->at = {};
}

// The iterator's further cells in its logical bucket, as a list.
void take_list(const maptype *t, const hmap *h, hiter *it) {
  auto list = std::make_unique<cell_list>();
  cell at = it->at;
  for (unsigned from = at.i + 1U; scan(t, h, at, it->L, from); from = at.i + 1U) {
    list->cells.push_back(at);
  }
  it->list = list.release();
  it->mode = hiter_mode::listed;
}

// Goes to the next listed cell; false if none is left.
bool next_listed(hiter *it) noexcept {
  cell_list &list = *it->list;
  while (list.next < list.cells.size()) {
    const cell &at = list.cells[list.next++];
    if (at.b != nullptr) {
      it->at = at;
      return true;
    }
  }
  return false;
}

// The iterator has come to a cell: which cells to look at next.
void look_ahead(hiter *it) noexcept {
  it->ahead = static_cast<uint8_t>(tophash_group(it->at.b).live() & (~1U << it->at.i));
}

// Goes on with the logical buckets after the present one.
void next_bucket(const maptype *t, hiter *it) noexcept {
  const hmap *const h = it->h;
  const uint64_t mask = bucketMask(it->L);
  for (;;) {
    it->bucket = (it->bucket + 1) & mask;
    if (it->bucket == it->startBucket) {
      finish(it);
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
  it->list = nullptr;
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
  if (it->mode == hiter_mode::listed) {
    if (next_listed(it)) {
      return;
    }
    drop_list(it);
    it->mode = hiter_mode::scanning;
  } else if (scan(t, it->h, it->at, it->L, it->at.i + 1U)) {
    look_ahead(it);
    return;
  }
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
  drop_list(it);
  it->mode = hiter_mode::unregistered;
}

void mapitercopy(hiter *to, const hiter *from) {
  to->list = from->list != nullptr ? new cell_list(*from->list) : nullptr;
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
  return first_chain(t, h, at.chain, at.level).b;
}

void forget_cell(hmap *h, const bmap *b, unsigned i) noexcept {
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    if (it->mode != hiter_mode::listed) {
      continue;
    }
    for (size_t n = it->list->next; n < it->list->cells.size(); n++) {
      cell &at = it->list->cells[n];
      if (at.b == b && at.i == i) {
        at.b = nullptr;
      }
    }
  }
}

iterator_fixups *list_cells(const maptype_functions *t, hmap *h, uint64_t oldbucket) {
  const uint8_t level = old_B(h);
  auto fixups = std::make_unique<iterator_fixups>();
  const auto note = [&](cell &at) {
    if (at.b != nullptr && at.chain == oldbucket && at.level == level) {
      fixups->all.push_back({at.b, at.i, &at});
    }
  };
  // Allocates under the guard; other iterators may wait for that long.
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    const bool inside = (oldbucket & bucketMask(it->L)) == it->bucket;
    if (!inside || it->mode == hiter_mode::exhausted) {
      continue;
    }
    if (it->mode == hiter_mode::scanning) {
      take_list(t, h, it);
    }
    note(it->at);
    for (size_t n = it->list->next; n < it->list->cells.size(); n++) {
      note(it->list->cells[n]);
    }
  }
  if (fixups->all.empty()) {
    return nullptr;
  }
  std::sort(fixups->all.begin(), fixups->all.end());
  return fixups.release();
}

void evacuation::fix_iterators(const bmap *b, unsigned i, const cell &to) noexcept {
  const iterator_fixups::fixup key{b, i, nullptr};
  const auto range = std::equal_range(fixups->all.begin(), fixups->all.end(), key);
  for (auto it = range.first; it != range.second; ++it) {
    *it->holder = to;
  }
}

void drop_fixups(iterator_fixups *fixups) noexcept { delete fixups; }

void exhaust_iterators(hmap *h) noexcept {
  const spin_lock lock(state_of(h)->guard);
  for (hiter *it = first_iterator(h); it != nullptr; it = it->next) {
    drop_list(it);
    it->at = {};
    it->mode = hiter_mode::exhausted;
  }
}

void detach_iterators(hmap *h) noexcept {
  const spin_lock lock(state_of(h)->guard);
  hiter *next = nullptr;
  for (hiter *it = first_iterator(h); it != nullptr; it = next) {
    next = it->next;
    drop_list(it);
    *it = hiter{};
  }
  h->extra->iterators = nullptr;
}

} // namespace mapscope

// SPDX-License-Identifier: MIT
//
// mapscope::map<K, V>: Go's classic hash map as a C++ container. What this
// header knows: K and V, and the paths that ought to be fast: lookup, insert,
// erase, iteration, and the inner loops of evacuation. The rest is in the
// runtime library (runtime.hpp), without types.
//
// How it works, in short (layout.h has the pictures). An entry lies in one of
// the 8 cells of bucket number hash & (2^B - 1), or of the overflow buckets
// chained to it; the bucket's 8 tophash bytes are compared first, all at once,
// so that a lookup compares a wrong key once in about 40 probes. When there are
// more than 6.5 entries a bucket, the number of buckets doubles: the new array
// starts out empty, and every later insert, overwrite or erase moves at most
// two old buckets to it. No single write rehashes the whole map. Until its old
// bucket is moved, an entry is looked for there.
//
// Differs from std::unordered_map: entries move when the map grows, and
// references and pointers to them are good until the next insert or erase;
// iterators stay good. docs/runtime.md has the whole list.
#ifndef MAPSCOPE_MAP_HPP
#define MAPSCOPE_MAP_HPP

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include <mapscope/debug.hpp>
#include <mapscope/hash.hpp>
#include <mapscope/layout.h>
#include <mapscope/relocate.hpp>
#include <mapscope/runtime.hpp>
#include <mapscope/tophash.hpp>
#include <mapscope/typeinfo.hpp>

// Beside this header where it is installed; not that of another installation.
#if __has_include("mapscope_gdb_script.h")
#include "mapscope_gdb_script.h"
#endif

namespace mapscope {

namespace detail {

// Whether Hash takes the map's seed itself, as hash<K> does for built-in types.
template <class Hash, class Q>
concept seeded_hash = requires(const Hash &hash, const Q &key, uint32_t seed) {
  { hash(key, seed) } -> std::same_as<uint64_t>;
};

template <class Hash, class Q>
inline constexpr bool nothrow_hash = [] {
  if constexpr (seeded_hash<Hash, Q>) {
    return std::is_nothrow_invocable_v<const Hash &, const Q &, uint32_t>;
  } else {
    return std::is_nothrow_invocable_v<const Hash &, const Q &>;
  }
}();

// The hash of a key in a map: seeded, and mixed if Hash may not be.
template <class Hash, class Q>
inline uint64_t hash_key(const Hash &hash, const Q &key,
                         const hmap *h) noexcept(nothrow_hash<Hash, Q>) {
  if constexpr (requires { hash(key, shortcut_of(h).seed); }) {
    return hash(key, shortcut_of(h).seed);
  } else if constexpr (seeded_hash<Hash, Q>) {
    return hash(key, h->hash0);
  } else {
    return hash_integer(static_cast<uint64_t>(hash(key)), shortcut_of(h).seed);
  }
}

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Hash and equality of a map that is not nil: behind the header if they have
// state, and otherwise nowhere, since one object is as good as another.
template <class Hash, class KeyEqual> struct functors {
  [[no_unique_address]] Hash hash;
  [[no_unique_address]] KeyEqual equal;
};

template <class Hash, class KeyEqual>
inline constexpr bool is_stateless = std::is_empty_v<Hash> &&std::is_empty_v<KeyEqual>;

// Whether keys may be looked up by a Q, which is not K.
template <class K, class Q, class Hash, class KeyEqual>
concept transparent_key = requires {
  typename Hash::is_transparent;
  typename KeyEqual::is_transparent;
}
&&!std::is_same_v<K, Q> && std::is_invocable_v<const KeyEqual &, const K &, const Q &> &&
    (seeded_hash<Hash, K> ? seeded_hash<Hash, Q> : std::is_invocable_v<const Hash &, const Q &>);

// What the runtime and debuggers know of one map type.
template <class K, class V, class Hash, class KeyEqual> struct type_of_map {
  using key_slot = slot<K>;
  using elem_slot = slot<V>;
  using functors_type = functors<Hash, KeyEqual>;

  static constexpr bool stateless = is_stateless<Hash, KeyEqual>;
  static constexpr size_t keys_offset = round_up(sizeof(bmap), key_slot::align);
  static constexpr size_t elems_offset =
      round_up(keys_offset + MAPSCOPE_BUCKET_CNT * key_slot::size, elem_slot::align);
  static constexpr size_t bucketalign =
      std::max({alignof(void *), key_slot::align, elem_slot::align});
  static constexpr size_t bucketsize =
      round_up(elems_offset + MAPSCOPE_BUCKET_CNT * elem_slot::size + sizeof(void *), bucketalign);
  static constexpr size_t overflow_offset = bucketsize - sizeof(void *);

  // k == k for every key, as far as one can know.
  static constexpr bool reflexive =
      (std::is_same_v<KeyEqual, equal_to<K>> || std::is_same_v<KeyEqual, std::equal_to<K>>)&&(
          builtin_hash_kind<K>() == MAPSCOPE_HASH_INTEGER ||
          builtin_hash_kind<K>() == MAPSCOPE_HASH_STRING);
  static constexpr bool nothrow =
      nothrow_hash<Hash, K> && std::is_nothrow_invocable_v<const KeyEqual &, const K &, const K &>;
  static constexpr uint32_t flags = (key_slot::indirect ? MAPSCOPE_INDIRECT_KEY : 0U) |
                                    (elem_slot::indirect ? MAPSCOPE_INDIRECT_ELEM : 0U) |
                                    (reflexive ? MAPSCOPE_REFLEXIVE_KEY : 0U) |
                                    (nothrow ? 0U : MAPSCOPE_HASH_MIGHT_PANIC);
  static constexpr uint32_t hash_kind =
      std::is_same_v<Hash, hash<K>> ? builtin_hash_kind<K>() : uint32_t{MAPSCOPE_HASH_CUSTOM};

  static void *key_place(const bmap *b, size_t i) noexcept {
    return reinterpret_cast<char *>(const_cast<bmap *>(b)) + keys_offset + i * key_slot::size;
  }
  static void *elem_place(const bmap *b, size_t i) noexcept {
    return reinterpret_cast<char *>(const_cast<bmap *>(b)) + elems_offset + i * elem_slot::size;
  }
  static const K &key(const bmap *b, size_t i) noexcept { return *key_slot::get(key_place(b, i)); }
  static V &elem(const bmap *b, size_t i) noexcept { return *elem_slot::get(elem_place(b, i)); }
  static bmap *overflow(const bmap *b) noexcept {
    return *overflow_slot(const_cast<bmap *>(b), overflow_offset);
  }

  static constexpr size_t functors_offset = round_up(header_functors, alignof(functors_type));
  static const functors_type &functors_of(const hmap *h) noexcept {
    if constexpr (stateless) {
      // Empty: reads nothing of what it points at.
      return *reinterpret_cast<const functors_type *>(h);
    } else {
      return *std::launder(reinterpret_cast<const functors_type *>(
          reinterpret_cast<const char *>(h) + functors_offset));
    }
  }

  static bucket_plan plan_bucket(const hmap *h, const bmap *b, uint64_t newbit) {
    const functors_type &f = functors_of(h);
    bucket_plan plan{0, 0};
    for (unsigned live = tophash_group(b).live(); live != 0; live &= live - 1) {
      const unsigned i = first_cell(live);
      const uint64_t hash = hash_key(f.hash, key(b, i), h);
      bool y = (hash & newbit) != 0;
      if constexpr (!reflexive) {
        // A key like NaN has a new hash each time. While an iteration goes on
        // it goes where its tophash says, since Go's iterator does so; then it
        // needs another tophash, or it would go the same way for ever.
        if ((load_flags(h) & MAPSCOPE_ITERATOR) != 0 && !f.equal(key(b, i), key(b, i))) {
          y = (b->tophash[i] & 1) != 0;
          plan.rehash = static_cast<uint8_t>(plan.rehash | 1U << i);
        }
      }
      plan.y = static_cast<uint8_t>(plan.y | (y ? 1U : 0U) << i);
    }
    return plan;
  }

  static void move_bucket(evacuation &move, bmap *b, bucket_plan plan) {
    for (unsigned i = 0; i < MAPSCOPE_BUCKET_CNT; i++) {
      uint8_t top = b->tophash[i];
      if (top <= MAPSCOPE_EMPTY_ONE) {
        b->tophash[i] = MAPSCOPE_EVACUATED_EMPTY;
        continue;
      }
      if (top < MAPSCOPE_MIN_TOP_HASH) {
        fatal(move.h, "bad map state");
      }
      if constexpr (!reflexive) {
        if ((plan.rehash >> i & 1) != 0) {
          top = tophash(fastrand64());
        }
      }
      const unsigned y = plan.y >> i & 1;
      cell &to = move.target(y);
      b->tophash[i] = static_cast<uint8_t>(MAPSCOPE_EVACUATED_X + y);
      store_order();
      move.marked();
      key_slot::relocate(key_place(to.b, to.i), key_place(b, i));
      store_order();
      elem_slot::relocate(elem_place(to.b, to.i), elem_place(b, i));
      store_order();
      to.b->tophash[to.i] = top;
      store_order();
      move.moved(b, i, to);
      to.i++;
    }
  }

  static void destroy_cell(const bmap *b, unsigned i) noexcept {
    key_slot::destroy(key_place(b, i));
    elem_slot::destroy(elem_place(b, i));
  }

  static void empty_bucket(hmap *h, bmap *b) noexcept {
    for (unsigned live = tophash_group(b).live(); live != 0; live &= live - 1) {
      const unsigned i = first_cell(live);
      b->tophash[i] = MAPSCOPE_EMPTY_ONE;
      store_order();
      destroy_cell(b, i);
      store_order();
      set_count(h, h->count - 1);
    }
  }

  static void destroy_bucket(bmap *b) noexcept {
    for (unsigned live = tophash_group(b).live(); live != 0; live &= live - 1) {
      destroy_cell(b, first_cell(live));
    }
  }

  static void copy_functors(void *header, const void *from) {
    ::new (static_cast<char *>(header) + functors_offset)
        functors_type(*static_cast<const functors_type *>(from));
  }
  static void destroy_functors(void *header) noexcept {
    std::launder(reinterpret_cast<functors_type *>(static_cast<char *>(header) + functors_offset))
        ->~functors_type();
  }

  static constexpr bool trivial =
      key_slot::trivially_destructible && elem_slot::trivially_destructible;

  static constinit const inline maptype_functions type = {
      {&mapscope_abi, map_name_text<K, V>.data(), flags, hash_kind, bucketsize, bucketalign,
       key_slot::size, elem_slot::size, keys_offset, elems_offset, overflow_offset, 0,
       typeinfo_of<K>(), typeinfo_of<V>()},
      plan_bucket,
      move_bucket,
      empty_bucket,
      trivial ? nullptr : destroy_bucket,
      stateless ? nullptr : copy_functors,
      stateless ? nullptr : destroy_functors,
      stateless ? header_functors : functors_offset + sizeof(functors_type),
      std::max<uint32_t>(alignof(hmap), alignof(functors_type)),
  };
};

// Marks a map as being written to, as long as it lives. Go checks the same, at
// the same places; it finds most races without costing anything, not all.
//
// All of it is inlined, the destructor where something throws as well: an object
// whose address is passed on lies in memory, and each write would wait until the
// flags of the one before had gone through there.
class write_guard {
public:
  MAPSCOPE_ALWAYS_INLINE explicit write_guard(hmap *h) : h_(h), flags_(load_flags(h)) {
    if ((flags_ & MAPSCOPE_HASH_WRITING) != 0) [[unlikely]] {
      h_ = nullptr;
      fatal(h, "concurrent map writes");
    }
    mark();
  }
  // Of a map that has these flags, none of them MAPSCOPE_HASH_WRITING.
  MAPSCOPE_ALWAYS_INLINE write_guard(hmap *h, uint8_t flags) noexcept : h_(h), flags_(flags) {
    mark();
  }
  write_guard(const write_guard &) = delete;
  write_guard &operator=(const write_guard &) = delete;
  MAPSCOPE_ALWAYS_INLINE ~write_guard() {
    if (h_ != nullptr) { // something threw, or the write is to be begun anew
      store_flags(h_, load_flags(h_) & ~unsigned{MAPSCOPE_HASH_WRITING});
    }
  }
  // The write is done. Finds out if another thread began one meanwhile.
  MAPSCOPE_ALWAYS_INLINE void done() {
    if ((flags_ & MAPSCOPE_RETIRED) != 0) [[unlikely]] {
      if ((load_flags(h_) & MAPSCOPE_RETIRED) != 0) {
        release_retired(h_);
      }
      flags_ = static_cast<uint8_t>(load_flags(h_) & ~unsigned{MAPSCOPE_HASH_WRITING});
    }
    done_without_release();
  }
  // The same where no memory was to be given back when the write began: calls nothing
  // that returns, for which a caller would have to save registers.
  MAPSCOPE_ALWAYS_INLINE void done_without_release() {
    store_order();
    hmap *const h = std::exchange(h_, nullptr);
    const uint8_t flags = load_flags(h);
    if (flags == (flags_ | MAPSCOPE_HASH_WRITING)) [[likely]] {
      // As it was. Stores what is in a register, so that the next write need not
      // wait until this load has seen the store before it.
      store_flags(h, flags_);
      return;
    }
    if ((flags & MAPSCOPE_HASH_WRITING) == 0) [[unlikely]] {
      fatal(h, "concurrent map writes");
    }
    store_flags(h, flags & ~unsigned{MAPSCOPE_HASH_WRITING});
  }

private:
  MAPSCOPE_ALWAYS_INLINE void mark() noexcept {
    store_flags(h_, flags_ | unsigned{MAPSCOPE_HASH_WRITING});
    store_order();
  }
  hmap *h_;
  uint8_t flags_;
};

// An iterator's -> needs something to point at.
template <class Reference> class arrow {
public:
  explicit arrow(Reference reference) : reference_(reference) {}
  Reference *operator->() noexcept { return std::addressof(reference_); }

private:
  Reference reference_;
};

} // namespace detail

// A hash map that grows little by little. K and V are any object types that can
// be destroyed without throwing. Hash is called with a key, or with a key and
// the map's seed (uint32_t) if it returns uint64_t for that.
//
// A throwing hash, equality, constructor or allocation leaves the entries as
// they were. Exceptions of its own: std::bad_alloc, std::length_error,
// std::out_of_range (at).
//
// Threads may read and iterate one map at once; a write needs the map for
// itself. What breaks that rule is reported, where noticed: set_fatal_handler.
template <class K, class V, class Hash = hash<K>, class KeyEqual = equal_to<K>> class map {
  // Only named inside functions, so that a map may be a member of its own V.
  using T = detail::type_of_map<K, V, Hash, KeyEqual>;
  using functors_type = detail::functors<Hash, KeyEqual>;

  template <class Q>
  static constexpr bool transparent = detail::transparent_key<K, Q, Hash, KeyEqual>;

  template <bool Const> class basic_iterator;

public:
  using key_type = K;
  using mapped_type = V;
  using value_type = std::pair<const K, V>;
  using size_type = size_t;
  using difference_type = ptrdiff_t;
  using hasher = Hash;
  using key_equal = KeyEqual;
  // An entry is not stored as a pair; dereferencing an iterator makes one.
  using reference = std::pair<const K &, V &>;
  using const_reference = std::pair<const K &, const V &>;
  using iterator = basic_iterator<false>;
  using const_iterator = basic_iterator<true>;

  // A nil map: allocates nothing until the first write.
  map() = default;
  // A map with room for n entries before it grows.
  explicit map(size_type n, const Hash &hash = Hash(), const KeyEqual &equal = KeyEqual())
      : functors_{hash, equal} {
    reserve(n);
  }
  explicit map(const Hash &hash, const KeyEqual &equal = KeyEqual()) : functors_{hash, equal} {}
  template <std::input_iterator It>
  map(It first, It last, size_type n = 0, const Hash &hash = Hash(),
      const KeyEqual &equal = KeyEqual())
      : functors_{hash, equal} {
    construct([&] {
      reserve(n);
      insert(first, last);
    });
  }
  map(std::initializer_list<value_type> entries, size_type n = 0, const Hash &hash = Hash(),
      const KeyEqual &equal = KeyEqual())
      : map(entries.begin(), entries.end(), n, hash, equal) {}
  map(const map &other) : functors_(other.functors_) {
    construct([&] {
      reserve(other.size());
      for (const auto &[key, value] : other) {
        insert_absent(key, value);
      }
    });
  }
  map(map &&other) noexcept(std::is_nothrow_copy_constructible_v<functors_type>)
      : h_(std::exchange(other.h_, nullptr)), functors_(other.functors_) {}
  ~map() { destroy(); }

  map &operator=(const map &other) {
    if (this != std::addressof(other)) {
      map copy(other);
      swap(copy);
    }
    return *this;
  }
  map &operator=(map &&other) noexcept(noexcept(std::declval<map &>().swap(other)) &&
                                       std::is_nothrow_move_constructible_v<map>) {
    if (this != std::addressof(other)) {
      map moved(std::move(other));
      swap(moved);
    }
    return *this;
  }
  map &operator=(std::initializer_list<value_type> entries) {
    map fresh(entries, 0, functors_.hash, functors_.equal);
    swap(fresh);
    return *this;
  }

  // Iterators of either map go on with the entries they were at.
  void swap(map &other) noexcept(
      std::is_nothrow_swappable_v<Hash> &&std::is_nothrow_swappable_v<KeyEqual>) {
    if constexpr (!detail::is_stateless<Hash, KeyEqual>) {
      using std::swap;
      swap(functors_.hash, other.functors_.hash);
      swap(functors_.equal, other.functors_.equal);
    }
    std::swap(h_, other.h_);
  }
  friend void swap(map &a, map &b) noexcept(noexcept(a.swap(b))) { a.swap(b); }

  [[nodiscard]] size_type size() const noexcept { return h_ == nullptr ? 0 : h_->count; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] size_type max_size() const noexcept {
    return static_cast<size_type>(std::numeric_limits<ptrdiff_t>::max()) / T::bucketsize *
           MAPSCOPE_LOAD_FACTOR_NUM / MAPSCOPE_LOAD_FACTOR_DEN;
  }
  // Buckets of the present array, 2^B; overflow buckets not counted.
  [[nodiscard]] size_type bucket_count() const noexcept {
    return h_ == nullptr || h_->buckets == nullptr ? 0 : size_type{1} << h_->B;
  }
  // Entries for each bucket; the map doubles when it would exceed 6.5.
  [[nodiscard]] double load_factor() const noexcept {
    const size_type buckets = bucket_count();
    return buckets == 0 ? 0.0 : static_cast<double>(size()) / static_cast<double>(buckets);
  }
  [[nodiscard]] static constexpr double max_load_factor() noexcept {
    return double{MAPSCOPE_LOAD_FACTOR_NUM} / MAPSCOPE_LOAD_FACTOR_DEN;
  }
  [[nodiscard]] hasher hash_function() const { return functors_.hash; }
  [[nodiscard]] key_equal key_eq() const { return functors_.equal; }

  // Makes room for n entries in all. On an empty map as cheap as making it so
  // large; on one with entries it does whole growths at once.
  void reserve(size_type n) {
    if (n > max_size()) {
      throw std::length_error("mapscope::map::reserve");
    }
    if (h_ == nullptr) {
      if (n != 0) {
        h_ = makemap(&T::type, n, &functors_);
      }
      return;
    }
    detail::write_guard writing(h_);
    mapscope::reserve(&T::type, h_, n);
    writing.done();
  }

  // Puts the entries into the smallest array with room for them, and for n in all,
  // at once, and gives back the memory that is not needed for that: for a map
  // that has lost most of its entries, or has long overflow chains from
  // insertions and deletions. Iterators stay good. Takes time for all entries
  // and buckets, and meanwhile memory for both arrays.
  void rebuild() { rebuild(0); }
  void rebuild(size_type n) {
    if (n > max_size()) {
      throw std::length_error("mapscope::map::rebuild");
    }
    if (h_ == nullptr) {
      reserve(n);
      return;
    }
    detail::write_guard writing(h_);
    mapscope::rebuild(&T::type, h_, n);
    writing.done();
  }

  // Removes all entries; keeps the buckets.
  void clear() noexcept {
    if (h_ == nullptr || h_->count == 0) {
      return;
    }
    detail::write_guard writing(h_);
    mapclear(&T::type, h_);
    writing.done();
  }

  iterator begin() { return iterator(h_, start_tag()); }
  const_iterator begin() const { return const_iterator(h_, start_tag()); }
  const_iterator cbegin() const { return begin(); }
  iterator end() noexcept { return {}; }
  const_iterator end() const noexcept { return {}; }
  const_iterator cend() const noexcept { return {}; }

  MAPSCOPE_ALWAYS_INLINE iterator find(const K &key) { return iterator(h_, access(key)); }
  MAPSCOPE_ALWAYS_INLINE const_iterator find(const K &key) const {
    return const_iterator(h_, access(key));
  }
  template <class Q>
  requires transparent<Q> iterator find(const Q &key) { return iterator(h_, access(key)); }
  template <class Q>
  requires transparent<Q> const_iterator find(const Q &key)
  const { return const_iterator(h_, access(key)); }

  MAPSCOPE_ALWAYS_INLINE bool contains(const K &key) const { return access(key).b != nullptr; }
  template <class Q>
  requires transparent<Q>
  bool contains(const Q &key) const { return access(key).b != nullptr; }
  size_type count(const K &key) const { return contains(key) ? 1 : 0; }
  template <class Q>
  requires transparent<Q> size_type count(const Q &key)
  const { return contains(key) ? 1 : 0; }

  MAPSCOPE_ALWAYS_INLINE V &at(const K &key) { return mapaccess1(key); }
  MAPSCOPE_ALWAYS_INLINE const V &at(const K &key) const { return mapaccess1(key); }
  template <class Q>
  requires transparent<Q> V &at(const Q &key) { return mapaccess1(key); }
  template <class Q>
  requires transparent<Q>
  const V &at(const Q &key) const { return mapaccess1(key); }

  V &operator[](const K &key) { return assign_default(key); }
  V &operator[](K &&key) { return assign_default(std::move(key)); }
  template <class Q>
  requires(transparent<Q> &&std::is_constructible_v<K, const Q &>) V &operator[](const Q &key) {
    return assign_default(key);
  }

  // Inserts {key, V(args...)} if the key is absent; otherwise touches neither.
  template <class... Args> std::pair<iterator, bool> try_emplace(const K &key, Args &&...args) {
    return emplace_key(key, std::forward<Args>(args)...);
  }
  template <class... Args> std::pair<iterator, bool> try_emplace(K &&key, Args &&...args) {
    return emplace_key(std::move(key), std::forward<Args>(args)...);
  }
  template <class Q, class... Args>
  requires(transparent<Q> &&std::is_constructible_v<K, const Q &>)
      std::pair<iterator, bool> try_emplace(const Q &key, Args &&...args) {
    return emplace_key(key, std::forward<Args>(args)...);
  }

  template <class M> std::pair<iterator, bool> insert_or_assign(const K &key, M &&value) {
    return assign_key(key, std::forward<M>(value));
  }
  template <class M> std::pair<iterator, bool> insert_or_assign(K &&key, M &&value) {
    return assign_key(std::move(key), std::forward<M>(value));
  }
  template <class Q, class M>
  requires(transparent<Q> &&std::is_constructible_v<K, const Q &>)
      std::pair<iterator, bool> insert_or_assign(const Q &key, M &&value) {
    return assign_key(key, std::forward<M>(value));
  }

  // Inserts std::pair<K, V>(args...) if its key is absent.
  template <class... Args> std::pair<iterator, bool> emplace(Args &&...args) {
    if constexpr (sizeof...(Args) == 2) {
      using first = std::remove_cvref_t<std::tuple_element_t<0, std::tuple<Args...>>>;
      if constexpr (std::is_same_v<first, K>) {
        return emplace_key(std::forward<Args>(args)...);
      } else {
        return emplace_pair(std::pair<K, V>(std::forward<Args>(args)...));
      }
    } else {
      return emplace_pair(std::pair<K, V>(std::forward<Args>(args)...));
    }
  }
  std::pair<iterator, bool> insert(const value_type &entry) {
    return emplace_key(entry.first, entry.second);
  }
  template <class P>
  requires std::is_constructible_v<std::pair<K, V>, P &&> std::pair<iterator, bool>
  insert(P &&entry) {
    return emplace(std::forward<P>(entry));
  }
  template <std::input_iterator It> void insert(It first, It last) {
    for (; first != last; ++first) {
      auto &&entry = *first;
      emplace_key(std::forward<decltype(entry)>(entry).first,
                  std::forward<decltype(entry)>(entry).second);
    }
  }
  void insert(std::initializer_list<value_type> entries) { insert(entries.begin(), entries.end()); }

  // Number of entries removed, 0 or 1.
  size_type erase(const K &key) { return mapdelete(key); }
  template <class Q>
  requires(transparent<Q> && !std::is_convertible_v<const Q &, const_iterator>) size_type
      erase(const Q &key) {
    return mapdelete(key);
  }
  // Removes the entry at `position`; returns an iterator at the next one. Needs
  // no hash, so it throws only what a growth in progress makes it throw.
  iterator erase(const_iterator position) {
    detail::write_guard writing(h_);
    position.follow();
    if (h_->oldbuckets != nullptr) {
      growWork(&T::type, h_, position.it_.at.chain); // `position` follows the entry
    }
    const cell at = position.it_.at;
    iterator next = to_mutable(std::move(position));
    if (detail::stop_armed(MAPSCOPE_EVENT_DELETE, h_)) [[unlikely]] {
      stop_at_delete(at);
    }
    remove(chain_head(&T::type, h_, at), at.b, at.i);
    if (detail::shrink_trigger.load(std::memory_order_relaxed)) [[unlikely]] {
      shrink_after_delete(&T::type, h_);
    }
    writing.done();
    ++next;
    return next;
  }
  iterator erase(iterator position) { return erase(const_iterator(std::move(position))); }

  // Removes the entries for which predicate(entry) holds; returns how many.
  template <class Predicate> friend size_type erase_if(map &m, Predicate predicate) {
    const size_type before = m.size();
    for (auto it = m.begin(); it != m.end();) {
      if (predicate(*it)) {
        it = m.erase(std::move(it));
      } else {
        ++it;
      }
    }
    return before - m.size();
  }

  // Equal if each entry of one has an equal one in the other.
  friend bool operator==(const map &a, const map &b) requires std::equality_comparable<V> {
    if (a.size() != b.size()) {
      return false;
    }
    for (const auto &[key, value] : a) {
      const cell at = b.access(key);
      if (at.b == nullptr || !(T::elem(at.b, at.i) == value)) {
        return false;
      }
    }
    return true;
  }

private:
  struct start_tag {};

  static V &elem(const std::pair<cell, bool> &at) noexcept {
    return T::elem(at.first.b, at.first.i);
  }

  // The hash of a key in this map, which is not nil.
  template <class Q> uint64_t hash_of(const Q &key) const {
    return detail::hash_key(functors_.hash, key, h_);
  }

  template <class Q> bool equal(const K &stored, const Q &key) const {
    return functors_.equal(stored, key);
  }

  bmap *bucket(void *array, uint64_t index) const noexcept {
    return bucket_at(array, index, T::bucketsize);
  }

  // Where the key is; a nil bucket if it is absent (Go: mapaccess2).
  //
  // Here is what most lookups do, in the first bucket of a chain of a map that does not
  // migrate. All else is in the function below: few need it, and each lookup is a few
  // instructions in the function that asks for it.
  template <class Q> MAPSCOPE_ALWAYS_INLINE cell access(const Q &key) const {
    const hmap *const h = h_;
    if (h == nullptr) {
      return {};
    }
    if ((load_flags(h) & MAPSCOPE_HASH_WRITING) != 0) [[unlikely]] {
      fatal(h, "concurrent map read and map write");
    }
    const shortcut &known = shortcut_of(h);
    if (known.buckets == nullptr) [[unlikely]] {
      return mapaccess(key);
    }
    const uint64_t hash = hash_of(key);
    const uint64_t chain = hash & known.mask;
    bmap *const b = bucket(known.buckets, chain);
    const tophash_group group(b);
    for (unsigned same = group.match(tophash(hash)); same != 0; same &= same - 1) {
      if (const size_t i = first_cell(same); equal(T::key(b, i), key)) [[likely]] {
        return {b, chain, static_cast<uint8_t>(i), h->B};
      }
    }
    if (group.rest() != 0) [[likely]] {
      return {};
    }
    return mapaccess(key);
  }

  // The same in every map that is not nil.
  template <class Q> MAPSCOPE_NOINLINE cell mapaccess(const Q &key) const {
    const hmap *const h = h_;
    if (h->count == 0) {
      return {};
    }
    const uint64_t hash = hash_of(key);
    cell at;
    at.level = h->B;
    at.chain = hash & bucketMask(at.level);
    at.b = bucket(h->buckets, at.chain);
    if (h->oldbuckets != nullptr) {
      const uint8_t level = old_B(h);
      const uint64_t chain = hash & bucketMask(level);
      bmap *const old = bucket(h->oldbuckets, chain);
      if (!evacuated(old)) {
        at = {old, chain, 0, level};
      }
    }
    const uint8_t top = tophash(hash);
    for (;;) {
      const tophash_group group(at.b);
      for (unsigned same = group.match(top); same != 0; same &= same - 1) {
        const unsigned i = first_cell(same);
        if (equal(T::key(at.b, i), key)) [[likely]] {
          at.i = static_cast<uint8_t>(i);
          return at;
        }
      }
      if (group.rest() != 0) {
        return {};
      }
      at.b = T::overflow(at.b);
      if (at.b == nullptr) {
        return {};
      }
    }
  }

  template <class Q> MAPSCOPE_ALWAYS_INLINE V &mapaccess1(const Q &key) const {
    const cell at = access(key);
    if (at.b == nullptr) {
      throw std::out_of_range("mapscope::map::at");
    }
    return T::elem(at.b, at.i);
  }

  // What becomes of an entry whose key is assigned to and is there already.
  enum class present { overwritten, kept, impossible };

  // Finds or makes the cell of a key. If the key is there, calls found(elem);
  // else calls build(key place, elem place), which constructs both or throws
  // with neither constructed. Returns the cell and whether it was built.
  template <present Present, class Q, class Build, class Found>
  MAPSCOPE_ALWAYS_INLINE std::pair<cell, bool> assign_entry(const Q &key, Build build,
                                                            Found found) {
    if constexpr (Present != present::impossible) {
      if (const simple_cell at = assign_simply(key, build, found); at.b != nullptr) [[likely]] {
        return {cell{at.b, at.chain, static_cast<uint8_t>(at.i), h_->B}, at.built};
      }
    }
    return mapassign<Present>(key, build, found);
  }

  // A cell of h_->buckets. (Its fields fill registers, which compilers keep apart.)
  struct simple_cell {
    bmap *b;
    uint64_t chain;
    size_t i;
    bool built;
  };

  // What most writes do, in the first bucket of a chain of a map that neither migrates
  // nor has to: it needs few registers, and saves none. Where it is not that simple,
  // does nothing, and returns no bucket: the function below does it all.
  template <class Q, class Build, class Found>
  MAPSCOPE_ALWAYS_INLINE simple_cell assign_simply(const Q &key, Build &build, Found &found) {
    constexpr simple_cell none{nullptr, 0, 0, false};
    hmap *const h = h_;
    if (h == nullptr) [[unlikely]] {
      return none;
    }
    const shortcut &known = shortcut_of(h);
    const uint8_t flags = load_flags(h);
    if (known.buckets == nullptr || (flags & (MAPSCOPE_HASH_WRITING | MAPSCOPE_RETIRED)) != 0 ||
        detail::stop_armed(MAPSCOPE_EVENT_ASSIGN, h)) [[unlikely]] {
      return none;
    }
    const uint64_t hash = detail::hash_key(functors_.hash, key, h);
    detail::write_guard writing(h, flags);
    const uint64_t chain = hash & known.mask;
    bmap *const b = bucket(known.buckets, chain);
    const tophash_group group(b);
    const uint8_t top = tophash(hash);
    for (unsigned same = group.match(top); same != 0; same &= same - 1) {
      if (const size_t i = first_cell(same); equal(T::key(b, i), key)) [[likely]] {
        found(T::elem(b, i));
        writing.done_without_release();
        return {b, chain, i, false};
      }
    }
    if (group.rest() != 0 && h->count < known.room) [[likely]] {
      const size_t i = first_cell(group.empty());
      build(T::key_place(b, i), T::elem_place(b, i));
      store_order();
      b->tophash[i] = top;
      store_order();
      set_count(h, h->count + 1);
      writing.done_without_release();
      return {b, chain, i, true};
    }
    return none;
  }

  // The same for every key and map.
  template <present Present, class Q, class Build, class Found>
  MAPSCOPE_NOINLINE std::pair<cell, bool> mapassign(const Q &key, Build build, Found found) {
    if (h_ == nullptr) [[unlikely]] {
      h_ = makemap(&T::type, 0, &functors_);
    }
    const uint64_t hash = hash_of(key);
    hmap *const h = h_;
    const uint8_t top = tophash(hash);
    detail::write_guard writing(h);
    if (h->buckets == nullptr) [[unlikely]] {
      newbuckets(&T::type, h);
    }
    for (;;) {
      const uint8_t B = h->B;
      const uint64_t chain = hash & bucketMask(B);
      if (h->oldbuckets != nullptr) [[unlikely]] {
        growWork(&T::type, h, hash);
      }
      bmap *b = bucket(h->buckets, chain);
      bmap *free = nullptr;
      unsigned free_cell = 0;
      for (;;) {
        const tophash_group group(b);
        if constexpr (Present != present::impossible) {
          for (unsigned same = group.match(top); same != 0; same &= same - 1) {
            const unsigned i = first_cell(same);
            if (equal(T::key(b, i), key)) [[likely]] {
              if (Present == present::overwritten && detail::stop_armed(MAPSCOPE_EVENT_ASSIGN, h))
                  [[unlikely]] {
                detail::stop_at_entry(MAPSCOPE_EVENT_ASSIGN, h, chain, std::addressof(T::key(b, i)),
                                      hash, MAPSCOPE_FLAG_KEY_HASH);
              }
              found(T::elem(b, i));
              writing.done();
              return {cell{b, chain, static_cast<uint8_t>(i), B}, false};
            }
          }
        }
        if (const unsigned empty = group.empty(); empty != 0 && free == nullptr) {
          free = b;
          free_cell = first_cell(empty);
        }
        if (group.rest() != 0) {
          break;
        }
        bmap *const next = T::overflow(b);
        if (next == nullptr) {
          break;
        }
        b = next;
      }
      if (h->oldbuckets == nullptr) {
        const bool bigger = overLoadFactor(h->count + 1, B);
        if (bigger || tooManyOverflowBuckets(h->noverflow, B)) [[unlikely]] {
          hashGrow(&T::type, h, bigger);
          continue;
        }
      }
      if (detail::stop_armed(MAPSCOPE_EVENT_ASSIGN, h)) [[unlikely]] {
        detail::stop_at_entry(MAPSCOPE_EVENT_ASSIGN, h, chain, detail::event_key<K>(key), hash,
                              MAPSCOPE_FLAG_KEY_HASH | MAPSCOPE_FLAG_NEW_KEY);
      }
      if (free == nullptr) [[unlikely]] {
        // All buckets of the chain are full, and b is the last. The entry goes
        // into a new one before that becomes part of the map.
        free = peekoverflow(&T::type, h);
        build(T::key_place(free, 0), T::elem_place(free, 0));
        store_order();
        free->tophash[0] = top;
        store_order();
        newoverflow(&T::type, h, b);
      } else {
        build(T::key_place(free, free_cell), T::elem_place(free, free_cell));
        store_order();
        free->tophash[free_cell] = top;
      }
      store_order();
      set_count(h, h->count + 1);
      writing.done();
      return {cell{free, chain, static_cast<uint8_t>(free_cell), B}, true};
    }
  }

  // Constructs an entry; if the value throws, the key goes too.
  template <class Q, class... Args>
  static void build_entry(void *key_place, void *elem_place, Q &&key, Args &&...args) {
    T::key_slot::construct(key_place, std::forward<Q>(key));
    if constexpr (!T::elem_slot::indirect && std::is_nothrow_constructible_v<V, Args &&...>) {
      T::elem_slot::construct(elem_place, std::forward<Args>(args)...);
    } else {
      try {
        T::elem_slot::construct(elem_place, std::forward<Args>(args)...);
      } catch (...) {
        T::key_slot::destroy(key_place);
        throw;
      }
    }
  }

  template <class Q> MAPSCOPE_ALWAYS_INLINE V &assign_default(Q &&key) {
    const auto build = [&](void *k, void *e) { build_entry(k, e, std::forward<Q>(key)); };
    const auto found = [](V &) {};
    if (const simple_cell at = assign_simply(key, build, found); at.b != nullptr) [[likely]] {
      return T::elem(at.b, at.i);
    }
    return assign_default_by_mapassign(std::forward<Q>(key));
  }
  // Called last by the function above, which has no frame of its own for that.
  template <class Q> MAPSCOPE_NOINLINE V &assign_default_by_mapassign(Q &&key) {
    return elem(mapassign<present::overwritten>(
        key, [&](void *k, void *e) { build_entry(k, e, std::forward<Q>(key)); }, [](V &) {}));
  }

  template <class Q, class... Args> std::pair<iterator, bool> emplace_key(Q &&key, Args &&...args) {
    const auto [at, inserted] = assign_entry<present::kept>(
        key,
        [&](void *k, void *e) {
          build_entry(k, e, std::forward<Q>(key), std::forward<Args>(args)...);
        },
        [](V &) {});
    return {iterator(h_, at), inserted};
  }

  std::pair<iterator, bool> emplace_pair(std::pair<K, V> entry) {
    return emplace_key(std::move(entry.first), std::move(entry.second));
  }

  template <class Q, class M> std::pair<iterator, bool> assign_key(Q &&key, M &&value) {
    const auto [at, inserted] = assign_entry<present::overwritten>(
        key,
        [&](void *k, void *e) { build_entry(k, e, std::forward<Q>(key), std::forward<M>(value)); },
        [&](V &elem) { elem = std::forward<M>(value); });
    return {iterator(h_, at), inserted};
  }

  // Inserts an entry whose key is known to be absent.
  void insert_absent(const K &key, const V &value) {
    assign_entry<present::impossible>(
        key, [&](void *k, void *e) { build_entry(k, e, key, value); }, [](V &) {});
  }

  template <class Q> size_type mapdelete(const Q &key) {
    hmap *const h = h_;
    if (h == nullptr || h->count == 0) {
      return 0;
    }
    const uint64_t hash = hash_of(key);
    const uint8_t top = tophash(hash);
    detail::write_guard writing(h);
    const uint64_t chain = hash & bucketMask(h->B);
    if (h->oldbuckets != nullptr) [[unlikely]] {
      growWork(&T::type, h, hash);
    }
    bmap *const head = bucket(h->buckets, chain);
    for (bmap *b = head; b != nullptr; b = T::overflow(b)) {
      const tophash_group group(b);
      for (unsigned same = group.match(top); same != 0; same &= same - 1) {
        const unsigned i = first_cell(same);
        if (equal(T::key(b, i), key)) [[likely]] {
          if (detail::stop_armed(MAPSCOPE_EVENT_DELETE, h)) [[unlikely]] {
            detail::stop_at_entry(MAPSCOPE_EVENT_DELETE, h, chain, std::addressof(T::key(b, i)),
                                  hash, MAPSCOPE_FLAG_KEY_HASH);
          }
          remove(head, b, i);
          if (detail::shrink_trigger.load(std::memory_order_relaxed)) [[unlikely]] {
            shrink_after_delete(&T::type, h);
          }
          writing.done();
          return 1;
        }
      }
      if (group.rest() != 0) {
        break;
      }
    }
    writing.done();
    return 0;
  }

  // For an erase that needs no hash: a debugger may wait for that key's.
  MAPSCOPE_NOINLINE void stop_at_delete(const cell &at) const {
    const K &key = T::key(at.b, at.i);
    uint64_t hash = 0;
    bool known = true;
    try {
      hash = hash_of(key);
    } catch (...) { // erase does not throw for that
      known = false;
    }
    detail::stop_at_entry(MAPSCOPE_EVENT_DELETE, h_, at.chain, std::addressof(key), hash,
                          known ? MAPSCOPE_FLAG_KEY_HASH : 0U);
  }

  // Empties a live cell, in the order that layout.h gives for "erase".
  void remove(bmap *head, bmap *b, unsigned i) {
    hmap *const h = h_;
    if (h->extra->iterators != nullptr) [[unlikely]] {
      forget_cell(h, b, i);
    }
    b->tophash[i] = MAPSCOPE_EMPTY_ONE;
    store_order();
    T::destroy_cell(b, i);
    store_order();
    set_count(h, h->count - 1);
    store_order();
    if (i == MAPSCOPE_BUCKET_CNT - 1 || b->tophash[i + 1] == MAPSCOPE_EMPTY_REST) {
      mark_empty_rest(head, b, i, T::overflow_offset);
    }
    if (h->count == 0) {
      reseed(h); // makes it harder to provoke collisions, says Go
    }
  }

  // The same place as `it`, which must be an iterator of this map.
  static iterator to_mutable(const_iterator &&it) noexcept {
    iterator mutable_it;
    mutable_it.take(it.it_);
    return mutable_it;
  }

  void destroy() noexcept {
    if (h_ != nullptr) {
      destroymap(&T::type, std::exchange(h_, nullptr));
    }
  }

  // Runs a constructor's work; leaves nothing behind if that throws.
  template <class Work> void construct(Work work) {
    try {
      work();
    } catch (...) {
      destroy();
      throw;
    }
  }

  hmap *h_ = nullptr; // first: debuggers find the hmap here
  [[no_unique_address]] functors_type functors_;
};

// An iterator visits every entry that is present from its begin to its end
// exactly once, whatever is inserted and erased meanwhile; of entries inserted
// meanwhile it may visit some. It starts at a random place.
//
// Each iterator that begin() made, and each that has been advanced, is known
// to its map and stays good until that is destroyed, or cleared: then it
// equals end(). An iterator that came from find or an insertion and has not been
// advanced is cheaper, and good until the next write.
template <class K, class V, class Hash, class KeyEqual>
template <bool Const>
class map<K, V, Hash, KeyEqual>::basic_iterator {
public:
  using reference = std::pair<const K &, std::conditional_t<Const, const V &, V &>>;
  using value_type = reference;
  using pointer = detail::arrow<reference>;
  using difference_type = ptrdiff_t;
  // A forward iterator but for the reference being a pair by value.
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::forward_iterator_tag;

  basic_iterator() = default;
  basic_iterator(const basic_iterator &other) { copy(other.it_); }
  basic_iterator(basic_iterator &&other) noexcept { take(other.it_); }
  basic_iterator(const basic_iterator<false> &other) requires Const { copy(other.it_); }
  ~basic_iterator() { free(); }
  basic_iterator &operator=(const basic_iterator &other) {
    if (this != &other) {
      basic_iterator(other).swap(*this);
    }
    return *this;
  }
  basic_iterator &operator=(basic_iterator &&other) noexcept {
    if (this != &other) {
      free();
      it_ = {};
      take(other.it_);
    }
    return *this;
  }

  reference operator*() const noexcept {
    return {T::key(it_.at.b, it_.at.i), T::elem(it_.at.b, it_.at.i)};
  }
  pointer operator->() const noexcept { return pointer(**this); }

  basic_iterator &operator++() {
    for (unsigned ahead = it_.ahead; ahead != 0;) {
      const size_t i = first_cell(ahead);
      ahead &= ahead - 1;
      if (it_.at.b->tophash[i] >= MAPSCOPE_MIN_TOP_HASH) [[likely]] {
        check_not_writing();
        it_.ahead = ahead;
        it_.at.i = static_cast<uint8_t>(i);
        return *this;
      }
    }
    it_.ahead = 0;
    if (it_.mode != hiter_mode::scanning || !next_bucket()) {
      mapiternext(&it_);
    }
    return *this;
  }
  basic_iterator operator++(int) {
    basic_iterator before(*this);
    ++*this;
    return before;
  }

  friend bool operator==(const basic_iterator &a, const basic_iterator &b) noexcept {
    // A loop knows without looking at memory that this one is not at the end.
    if (a.it_.ahead != 0 && b.it_.at.b == nullptr) {
      return false;
    }
    return a.it_.at.b == b.it_.at.b && a.it_.at.i == b.it_.at.i;
  }

private:
  friend class map;
  template <bool> friend class basic_iterator;

  basic_iterator(hmap *h, const cell &at) noexcept { point(at.b != nullptr ? h : nullptr, at); }
  basic_iterator(hmap *h, start_tag) { mapiterinit(&T::type, h, &it_); }

  void check_not_writing() const {
    if ((glance_at_flags(it_.h) & MAPSCOPE_HASH_WRITING) != 0) [[unlikely]] {
      fatal(it_.h, "concurrent map iteration and map write");
    }
  }
  // Goes to the first entry of the next bucket, where that is simple: mapiternext knows
  // the rest.
  bool next_bucket() {
    check_not_writing();
    const hmap *const h = it_.h;
    const shortcut &known = shortcut_of(h);
    if (known.buckets == nullptr || h->B != it_.L) {
      return false;
    }
    bmap *b = it_.at.b;
    uint64_t chain = it_.bucket;
    for (unsigned live = 0; live == 0;) {
      b = T::overflow(b);
      if (b == nullptr) [[likely]] {
        chain = (chain + 1) & known.mask;
        if (chain == it_.startBucket) {
          return false;
        }
        b = bucket_at(known.buckets, chain, T::bucketsize);
      }
      if (live = tophash_group(b).live(); live != 0) [[likely]] {
        it_.at.b = b;
        it_.at.chain = it_.bucket = chain;
        it_.at.i = static_cast<uint8_t>(first_cell(live));
        it_.ahead = live & (live - 1);
      }
    }
    return true;
  }
  void follow() { mapiterregister(&it_); }
  void free() noexcept {
    if (it_.mode != hiter_mode::unregistered) {
      mapiterfree(&it_);
    }
  }
  void copy(const hiter &from) {
    if (from.mode == hiter_mode::unregistered) {
      point(from.h, from.at);
    } else {
      mapitercopy(&it_, &from);
    }
  }
  // Points at an entry; it_ must not be registered.
  void point(hmap *h, const cell &at) noexcept {
    it_.h = h;
    // One by one: a copy of the whole would wait for the bytes just stored in `at`.
    it_.at.b = at.b;
    it_.at.chain = at.chain;
    it_.at.i = at.i;
    it_.at.level = at.level;
    it_.mode = hiter_mode::unregistered;
    it_.ahead = 0;
  }
  // Takes over another iterator's place; it_ must not be registered.
  void take(hiter &from) noexcept {
    if (from.mode == hiter_mode::unregistered) {
      point(from.h, from.at);
    } else {
      mapitermove(&it_, &from);
    }
  }
  void swap(basic_iterator &other) noexcept {
    basic_iterator old(std::move(*this));
    take(other.it_);
    other.it_ = {};
    other.take(old.it_);
  }

  hiter it_;
};

// A map is one pointer (and its hash and equality, if those have state), which
// nothing points back to.
template <class K, class V, class Hash, class KeyEqual>
struct is_bytewise_relocatable<map<K, V, Hash, KeyEqual>>
    : std::bool_constant<detail::is_stateless<Hash, KeyEqual>> {};

} // namespace mapscope

#endif

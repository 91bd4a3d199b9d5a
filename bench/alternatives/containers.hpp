// SPDX-License-Identifier: MIT
//
// The maps that are compared, under one interface: put, get, erase, reserve, and
// rebuild, which is what gives memory back. What this header must not know: what
// is done with them, and what is measured.
#ifndef ALTERNATIVES_CONTAINERS_HPP
#define ALTERNATIVES_CONTAINERS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include <mapscope/map.hpp>

#ifdef ALTERNATIVES_ABSL
#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#endif
#ifdef ALTERNATIVES_TBB
#include <tbb/concurrent_hash_map.h>
#endif

namespace alternatives {

// A bijection of the 64-bit integers.
inline uint64_t splitmix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// A hash that has 256 values: what happens when a program hashes the wrong field.
struct poor_hash {
  size_t operator()(uint64_t key) const noexcept { return splitmix(key) & 0xff; }
};

// Any map with operator[], find and erase. Rebuild: what its documentation says
// gives memory back, and if nothing does, a new map.
template <class Map> class plain {
public:
  void put(uint64_t key, uint64_t value) { map_[key] = value; }
  uint64_t get(uint64_t key) const {
    const auto it = map_.find(key);
    return it == map_.end() ? 0 : it->second;
  }
  void erase(uint64_t key) { map_.erase(key); }
  void reserve(size_t n) {
    if constexpr (requires { map_.reserve(n); }) {
      map_.reserve(n);
    }
  }
  static constexpr bool has_reserve = requires(Map m) { m.reserve(1); };
  void rebuild() {
    if constexpr (requires { map_.rebuild(); }) {
      map_.rebuild();
    } else if constexpr (requires { map_.rehash(0); }) {
      map_.rehash(0);
    } else {
      Map fresh(map_.begin(), map_.end());
      map_.swap(fresh);
    }
  }
  size_t size() const { return map_.size(); }

private:
  Map map_;
};

using std_map = std::unordered_map<uint64_t, uint64_t>;
using own_map = mapscope::map<uint64_t, uint64_t>;

// std::unordered_map with its nodes in an arena. Memory goes back when the arena does.
template <class Resource> class in_arena {
public:
  static constexpr bool has_reserve = true;
  void put(uint64_t key, uint64_t value) { (*map_)[key] = value; }
  uint64_t get(uint64_t key) const {
    const auto it = map_->find(key);
    return it == map_->end() ? 0 : it->second;
  }
  void erase(uint64_t key) { map_->erase(key); }
  void reserve(size_t n) { map_->reserve(n); }
  void rebuild() {
    auto fresh_arena = std::make_unique<Resource>();
    auto fresh = std::make_unique<map>(map_->begin(), map_->end(), 0, map::hasher(),
                                       map::key_equal(), fresh_arena.get());
    map_ = std::move(fresh);
    arena_ = std::move(fresh_arena);
  }
  size_t size() const { return map_->size(); }

private:
  using map = std::pmr::unordered_map<uint64_t, uint64_t>;
  std::unique_ptr<Resource> arena_ = std::make_unique<Resource>(); // outlives the map
  std::unique_ptr<map> map_ = std::make_unique<map>(arena_.get());
};

// One map behind one lock, which readers share if Lock can be shared.
template <class Store, class Lock> class locked {
public:
  static constexpr bool has_reserve = true;
  void put(uint64_t key, uint64_t value) {
    const std::unique_lock hold(lock_);
    store_.put(key, value);
  }
  uint64_t get(uint64_t key) const {
    if constexpr (requires(Lock lock) { lock.lock_shared(); }) {
      const std::shared_lock hold(lock_);
      return store_.get(key);
    } else {
      const std::unique_lock hold(lock_);
      return store_.get(key);
    }
  }
  void erase(uint64_t key) {
    const std::unique_lock hold(lock_);
    store_.erase(key);
  }
  void reserve(size_t n) { store_.reserve(n); }
  void rebuild() {
    const std::unique_lock hold(lock_);
    store_.rebuild();
  }
  size_t size() const { return store_.size(); }

private:
  mutable Lock lock_;
  Store store_;
};

// Sixteen maps, each with its lock in a cache line of its own.
template <class Store> class sharded {
public:
  static constexpr bool has_reserve = true;
  void put(uint64_t key, uint64_t value) { of(key).put(key, value); }
  uint64_t get(uint64_t key) const { return const_cast<sharded *>(this)->of(key).get(key); }
  void erase(uint64_t key) { of(key).erase(key); }
  void reserve(size_t n) {
    for (auto &shard : shards_) {
      shard.one.reserve(n / shards_.size() + n / 64);
    }
  }
  void rebuild() {
    for (auto &shard : shards_) {
      shard.one.rebuild();
    }
  }
  size_t size() const {
    size_t sum = 0;
    for (const auto &shard : shards_) {
      sum += shard.one.size();
    }
    return sum;
  }

private:
  struct alignas(64) padded {
    locked<Store, std::mutex> one;
  };
  // By other bits than those that the maps choose their buckets by.
  locked<Store, std::mutex> &of(uint64_t key) {
    return shards_[(key * 0x9e3779b97f4a7c15) >> 60].one;
  }
  std::array<padded, 16> shards_;
};

#ifdef ALTERNATIVES_TBB
class concurrent {
public:
  static constexpr bool has_reserve = true;
  void put(uint64_t key, uint64_t value) {
    map::accessor at;
    map_->insert(at, key);
    at->second = value;
  }
  uint64_t get(uint64_t key) const {
    map::const_accessor at;
    return map_->find(at, key) ? at->second : 0;
  }
  void erase(uint64_t key) { map_->erase(key); }
  void reserve(size_t n) { map_->rehash(n); }
  // Its rehash never makes it smaller.
  void rebuild() { map_ = std::make_unique<map>(map_->begin(), map_->end()); }
  size_t size() const { return map_->size(); }

private:
  // By malloc, as the others: its own allocator keeps what it has for later.
  using map = tbb::concurrent_hash_map<uint64_t, uint64_t, tbb::tbb_hash_compare<uint64_t>,
                                       std::allocator<std::pair<const uint64_t, uint64_t>>>;
  std::unique_ptr<map> map_ = std::make_unique<map>();
};
#endif

} // namespace alternatives

#endif

// SPDX-License-Identifier: MIT
//
// The registry of live maps: doubly linked lists of hmaps, in shards so that
// threads that create maps do not wait for each other. A debugger walks
// head, then mapextra.next, in a process stopped at any instruction: the
// forward links are whole after every single store.
#include "internal.hpp"

#include <sched.h>

namespace mapscope {

constinit registry_shard registry[registry_shard_count] = {};

namespace {

// The shard for maps that the calling thread makes.
uint32_t shard_of_thread() noexcept {
  static constinit std::atomic<uint32_t> threads = 0;
  thread_local const uint32_t shard =
      threads.fetch_add(1, std::memory_order_relaxed) % registry_shard_count;
  return shard;
}

} // namespace

spin_lock::spin_lock(std::atomic<uint32_t> &word) noexcept : word_(word) {
  for (unsigned tries = 1; word_.exchange(1, std::memory_order_acquire) != 0; tries++) {
    while (word_.load(std::memory_order_relaxed) != 0) {
      if (++tries % 64 == 0) {
        sched_yield(); // its owner may not be running
      }
    }
  }
}

void register_map(hmap *h) noexcept {
  mapstate *x = state_of(h);
  x->shard = shard_of_thread();
  registry_shard &shard = registry[x->shard];
  const spin_lock lock(shard.lock);
  x->prev = nullptr;
  x->next = shard.head;
  if (x->next != nullptr) {
    x->next->extra->prev = h;
  }
  store_order();
  shard.head = h;
}

void unregister_map(hmap *h) noexcept {
  mapstate *x = state_of(h);
  registry_shard &shard = registry[x->shard];
  const spin_lock lock(shard.lock);
  shard.departed.maps++;
  shard.departed.growths += x->growths;
  shard.departed.same_size_growths += x->same_size_growths;
  shard.departed.shrinks += x->shrinks;
  shard.departed.rebuilds += x->rebuilds;
  shard.departed.evacuated += x->evacuated_before + x->evacuated;
  (x->prev != nullptr ? x->prev->extra->next : shard.head) = x->next;
  store_order();
  if (x->next != nullptr) {
    x->next->extra->prev = x->prev;
  }
}

} // namespace mapscope

// SPDX-License-Identifier: MIT
//
// What all maps of the process cost and have done.
#ifndef MAPSCOPE_STATS_HPP
#define MAPSCOPE_STATS_HPP

#include <cstdint>
#include <string>

namespace mapscope {

// Totals over the maps of this copy of the runtime. A map that was never written
// to allocates nothing and is not counted.
struct map_stats {
  uint64_t maps = 0;    // live now
  uint64_t growing = 0; // of those, in a migration of any kind
  uint64_t entries = 0;
  uint64_t buckets = 0;          // of the present arrays, overflow buckets not counted
  uint64_t overflow_buckets = 0; // in use by those
  // Memory that the maps hold, in bytes: the sum of what follows. What keys and
  // values hold themselves is not in it.
  uint64_t bytes = 0;
  uint64_t header_bytes = 0;
  uint64_t array_bytes = 0;    // present arrays, with their spare buckets
  uint64_t overflow_bytes = 0; // overflow buckets outside of them
  uint64_t old_bytes = 0;      // arrays that are being evacuated, with their overflow buckets
  uint64_t retired_bytes = 0;  // of ended migrations, given back with later writes
  uint64_t indirect_bytes = 0; // keys and values too large for a bucket
  // Since the start of the process, of live maps and of those gone.
  uint64_t created = 0;
  uint64_t growths = 0; // doublings begun
  uint64_t same_size_growths = 0;
  uint64_t shrinks = 0;
  uint64_t rebuilds = 0;          // calls of rebuild
  uint64_t buckets_evacuated = 0; // old buckets

  // Entries for each bucket, over all maps; 0 if there are no buckets.
  [[nodiscard]] double load_factor() const noexcept;
  // Overflow buckets in use for each bucket; 0 if there are no buckets.
  [[nodiscard]] double overflow_ratio() const noexcept;
  // The same as text in Prometheus' exposition format (version 0.0.4), names
  // beginning with mapscope_. Throws std::bad_alloc.
  [[nodiscard]] std::string prometheus() const;
};

// Visits every map, which takes about a cache miss for each; threads that make
// or destroy maps meanwhile may wait for part of that. May be called while other
// threads write to maps: a map's figures are then those of one moment or of the
// next.
[[nodiscard]] map_stats mapstats() noexcept;

} // namespace mapscope

#endif

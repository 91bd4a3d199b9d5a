// SPDX-License-Identifier: MIT
//
// Reads a map from its bytes alone, as a debugger does: from mapscope_abi and
// the maptype, by the rules of layout.h, in this process or in another one that
// is stopped anywhere. What it must not know: the library's own code.
#ifndef MAPSCOPE_TESTS_DECODER_HPP
#define MAPSCOPE_TESTS_DECODER_HPP

#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>
#include <sys/uio.h>

#include <mapscope/layout.h>

#include "abi_table.hpp"

namespace decoder {

using abi_table::offset;

// Copies bytes from an address of the process looked at.
using reader = std::function<void(uint64_t address, void *to, size_t bytes)>;

inline void read_own(uint64_t address, void *to, size_t bytes) {
  std::memcpy(to, reinterpret_cast<const void *>(address), bytes);
}

// Reads from another process, which must be stopped.
inline reader read_process(pid_t pid) {
  return [pid](uint64_t address, void *to, size_t bytes) {
    const iovec local{to, bytes};
    const iovec remote{reinterpret_cast<void *>(address), bytes};
    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(bytes)) {
      throw std::runtime_error("memory not readable");
    }
  };
}

// One live entry.
struct entry {
  uint64_t key;  // address of the key itself, also if stored indirectly
  uint64_t elem; // address of the element
  bool in_flight;
  bool old;
  uint64_t bucket;
  unsigned cell; // counted along the chain
};

struct decoded {
  bool nil = true;
  uint64_t count = 0;
  uint8_t B = 0;
  bool growing = false; // in a migration, also to a smaller array
  bool shrinking = false;
  uint64_t old_buckets = 0;
  uint64_t evacuated = 0; // old buckets
  std::vector<entry> entries;
  std::string raw; // all the bytes it was decoded from
};

class map_decoder {
public:
  map_decoder(reader read, uint64_t hmap_address) : read_(std::move(read)), at_(hmap_address) {}

  decoded decode() {
    decoded result;
    if (at_ == 0) {
      return result;
    }
    result.nil = false;
    const uint64_t extra = get<uint64_t>(at_ + offset<"hmap.extra">());
    if (extra == 0) {
      throw std::runtime_error("extra is nil");
    }
    read_type(get<uint64_t>(extra + offset<"mapextra.type">()));
    result.count = get<uint64_t>(at_ + offset<"hmap.count">());
    result.B = get<uint8_t>(at_ + offset<"hmap.B">());
    const uint8_t flags = get<uint8_t>(at_ + offset<"hmap.flags">());
    const uint64_t buckets = get<uint64_t>(at_ + offset<"hmap.buckets">());
    const uint64_t oldbuckets = get<uint64_t>(at_ + offset<"hmap.oldbuckets">());
    const uint64_t nevacuate = get<uint64_t>(at_ + offset<"hmap.nevacuate">());
    const uint64_t evacuating = get<uint64_t>(extra + offset<"mapextra.evacuating">());
    if (oldbuckets == 0) {
      if (buckets != 0) {
        walk_array(result, buckets, result.B, false);
      }
      return result;
    }
    if (nevacuate >> 63 != 0) { // a growth that is not installed yet
      result.B = static_cast<uint8_t>(~nevacuate);
      walk_array(result, oldbuckets, result.B, false);
      return result;
    }
    const bool same_size = (flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
    result.shrinking = (flags & MAPSCOPE_SHRINKING) != 0;
    const auto old_B =
        static_cast<uint8_t>(result.shrinking ? result.B + 1 : result.B - (same_size ? 0 : 1));
    result.growing = true;
    result.old_buckets = uint64_t{1} << old_B;
    walk_array(result, oldbuckets, old_B, true);
    walk_array(result, buckets, result.B, false);
    if (evacuating != 0) {
      find_in_flight(result, oldbuckets, buckets, old_B, evacuating - 1,
                     get<uint64_t>(extra + offset<"mapextra.evacuating_base">()));
    }
    return result;
  }

private:
  template <class T> T get(uint64_t address) {
    T value;
    read_(address, &value, sizeof value);
    return value;
  }
  void read_type(uint64_t type) {
    flags_ = get<uint32_t>(type + offset<"maptype.flags">());
    bucketsize_ = get<uint32_t>(type + offset<"maptype.bucketsize">());
    keysize_ = get<uint32_t>(type + offset<"maptype.keysize">());
    elemsize_ = get<uint32_t>(type + offset<"maptype.elemsize">());
    keys_offset_ = get<uint32_t>(type + offset<"maptype.keys_offset">());
    elems_offset_ = get<uint32_t>(type + offset<"maptype.elems_offset">());
    overflow_offset_ = get<uint32_t>(type + offset<"maptype.overflow_offset">());
  }

  // A whole bucket, by address.
  std::string bucket(uint64_t address) {
    std::string bytes(bucketsize_, '\0');
    read_(address, bytes.data(), bytes.size());
    return bytes;
  }
  static uint8_t top(const std::string &bucket, unsigned i) {
    return static_cast<uint8_t>(bucket[i]);
  }
  uint64_t overflow(const std::string &bucket) const {
    uint64_t next;
    std::memcpy(&next, bucket.data() + overflow_offset_, 8);
    return next;
  }

  // The buckets of a chain, with their addresses.
  std::vector<std::pair<uint64_t, std::string>> chain(uint64_t head, const std::string &first) {
    std::vector<std::pair<uint64_t, std::string>> buckets{{head, first}};
    for (uint64_t next = overflow(first); next != 0; next = overflow(buckets.back().second)) {
      buckets.emplace_back(next, bucket(next));
      if (buckets.size() > 100000) {
        throw std::runtime_error("a chain without an end");
      }
    }
    return buckets;
  }

  entry make_entry(uint64_t address, uint64_t index, unsigned i, unsigned cell, bool old) {
    entry e{};
    e.key = address + keys_offset_ + i * keysize_;
    e.elem = address + elems_offset_ + i * elemsize_;
    if ((flags_ & MAPSCOPE_INDIRECT_KEY) != 0) {
      e.key = get<uint64_t>(e.key);
    }
    if ((flags_ & MAPSCOPE_INDIRECT_ELEM) != 0) {
      e.elem = get<uint64_t>(e.elem);
    }
    e.bucket = index;
    e.cell = cell;
    e.old = old;
    return e;
  }

  void walk_array(decoded &result, uint64_t array, uint8_t B, bool old) {
    if (B > 40) {
      throw std::runtime_error("impossible B");
    }
    std::string bytes((size_t{1} << B) * bucketsize_, '\0');
    read_(array, bytes.data(), bytes.size());
    for (uint64_t index = 0; index >> B == 0; index++) {
      const uint64_t head = array + index * bucketsize_;
      const auto buckets = chain(head, bytes.substr(index * bucketsize_, bucketsize_));
      const uint8_t first = top(buckets[0].second, 0);
      if (old && first >= MAPSCOPE_EVACUATED_X && first < MAPSCOPE_MIN_TOP_HASH) {
        result.evacuated++;
      }
      unsigned cell = 0;
      bool rest = false;
      for (const auto &[address, bucket] : buckets) {
        if (address != head) {
          result.raw += bucket;
        }
        for (unsigned i = 0; i < MAPSCOPE_BUCKET_CNT; i++, cell++) {
          const uint8_t t = top(bucket, i);
          if (!old && t >= MAPSCOPE_EVACUATED_X && t < MAPSCOPE_MIN_TOP_HASH) {
            throw std::runtime_error("an evacuated mark in the present array");
          }
          if (rest && t >= MAPSCOPE_MIN_TOP_HASH) {
            throw std::runtime_error("a live cell after emptyRest");
          }
          rest = rest || t == MAPSCOPE_EMPTY_REST;
          if (t >= MAPSCOPE_MIN_TOP_HASH) {
            result.entries.push_back(make_entry(address, index, i, cell, old));
          }
        }
      }
    }
    result.raw += bytes;
  }

  // In the one chain being evacuated: an entry marked as moved whose new cell,
  // the one with its mark's rank in the X or Y chain, from `base` on, is still empty.
  void find_in_flight(decoded &result, uint64_t oldbuckets, uint64_t buckets, uint8_t old_B,
                      uint64_t oldbucket, uint64_t base) {
    const uint64_t head = oldbuckets + oldbucket * bucketsize_;
    uint64_t marks[2] = {base, 0};
    unsigned cell = 0;
    for (const auto &[address, bytes] : chain(head, bucket(head))) {
      for (unsigned i = 0; i < MAPSCOPE_BUCKET_CNT; i++, cell++) {
        const uint8_t t = top(bytes, i);
        if (t != MAPSCOPE_EVACUATED_X && t != MAPSCOPE_EVACUATED_Y) {
          continue;
        }
        const unsigned y = t - MAPSCOPE_EVACUATED_X;
        const uint64_t rank = marks[y]++;
        const uint64_t index =
            (oldbucket + (uint64_t{y} << old_B)) & ((uint64_t{1} << result.B) - 1);
        uint64_t to = buckets + index * bucketsize_;
        for (uint64_t skip = rank / MAPSCOPE_BUCKET_CNT; skip != 0 && to != 0; skip--) {
          to = overflow(bucket(to));
        }
        if (to == 0 || top(bucket(to), rank % MAPSCOPE_BUCKET_CNT) < MAPSCOPE_MIN_TOP_HASH) {
          result.entries.push_back(make_entry(address, oldbucket, i, cell, true));
          result.entries.back().in_flight = true;
        }
      }
    }
  }

  reader read_;
  uint64_t at_;
  uint32_t flags_ = 0;
  uint32_t bucketsize_ = 0;
  uint32_t keysize_ = 0;
  uint32_t elemsize_ = 0;
  uint32_t keys_offset_ = 0;
  uint32_t elems_offset_ = 0;
  uint32_t overflow_offset_ = 0;
};

} // namespace decoder

#endif

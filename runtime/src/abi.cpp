// SPDX-License-Identifier: MIT
//
// `mapscope_abi`: the layout as data in the program, for debuggers.
#include "internal.hpp"

#include <mapscope/debug.h>
#include <mapscope/history.h>

namespace mapscope {
namespace {

constexpr uint16_t narrow(size_t offset) {
  return offset <= UINT16_MAX ? static_cast<uint16_t>(offset) : throw "offset too large";
}

consteval abi make_abi() {
  abi a{};
  constexpr char magic[] = MAPSCOPE_MAGIC;
  static_assert(sizeof magic - 1 == sizeof a.magic);
  for (size_t i = 0; i < sizeof a.magic; i++) {
    a.magic[i] = magic[i];
  }
  a.version = MAPSCOPE_ABI_VERSION;
  a.size = sizeof(abi);
  a.hmap_size = sizeof(hmap);
  a.hmap_count = narrow(offsetof(hmap, count));
  a.hmap_flags = narrow(offsetof(hmap, flags));
  a.hmap_B = narrow(offsetof(hmap, B));
  a.hmap_noverflow = narrow(offsetof(hmap, noverflow));
  a.hmap_hash0 = narrow(offsetof(hmap, hash0));
  a.hmap_buckets = narrow(offsetof(hmap, buckets));
  a.hmap_oldbuckets = narrow(offsetof(hmap, oldbuckets));
  a.hmap_nevacuate = narrow(offsetof(hmap, nevacuate));
  a.hmap_extra = narrow(offsetof(hmap, extra));
  a.mapextra_overflow = narrow(offsetof(mapextra, overflow));
  a.mapextra_oldoverflow = narrow(offsetof(mapextra, oldoverflow));
  a.mapextra_nextOverflow = narrow(offsetof(mapextra, nextOverflow));
  a.mapextra_type = narrow(offsetof(mapextra, type));
  a.mapextra_next = narrow(offsetof(mapextra, next));
  a.mapextra_evacuating = narrow(offsetof(mapextra, evacuating));
  a.maptype_size = sizeof(maptype);
  a.maptype_abi = narrow(offsetof(maptype, abi));
  a.maptype_name = narrow(offsetof(maptype, name));
  a.maptype_flags = narrow(offsetof(maptype, flags));
  a.maptype_hash_kind = narrow(offsetof(maptype, hash_kind));
  a.maptype_bucketsize = narrow(offsetof(maptype, bucketsize));
  a.maptype_keysize = narrow(offsetof(maptype, keysize));
  a.maptype_elemsize = narrow(offsetof(maptype, elemsize));
  a.maptype_keys_offset = narrow(offsetof(maptype, keys_offset));
  a.maptype_elems_offset = narrow(offsetof(maptype, elems_offset));
  a.maptype_overflow_offset = narrow(offsetof(maptype, overflow_offset));
  a.maptype_key = narrow(offsetof(maptype, key));
  a.maptype_elem = narrow(offsetof(maptype, elem));
  a.typeinfo_size = sizeof(typeinfo);
  a.typeinfo_kind = narrow(offsetof(typeinfo, kind));
  a.typeinfo_bytes = narrow(offsetof(typeinfo, size));
  a.typeinfo_data_offset = narrow(offsetof(typeinfo, data_offset));
  a.typeinfo_len_offset = narrow(offsetof(typeinfo, len_offset));
  a.typeinfo_name = narrow(offsetof(typeinfo, name));
  a.registry_head = narrow(offsetof(registry_shard, head));
  a.registry_shards = registry_shard_count;
  a.registry_stride = sizeof(registry_shard);
  a.registry = registry;
#ifndef MAPSCOPE_NO_DEBUG
  a.stop_filter = &mapscope_stop_filter;
  a.stop_hook = mapscope_debug_stop;
#endif
  a.stop_filter_armed = narrow(offsetof(stop_filter, armed));
  a.stop_filter_armed_slots = narrow(offsetof(stop_filter, armed_slots));
  a.stop_filter_assume_traced = narrow(offsetof(stop_filter, assume_traced));
  a.stop_filter_only_map = narrow(offsetof(stop_filter, only_map));
  a.stop_filter_slots = narrow(offsetof(stop_filter, slots));
  a.stop_slot_count = MAPSCOPE_STOP_SLOTS;
  a.stop_slot_size = sizeof(stop_slot);
  a.stop_slot_events = narrow(offsetof(stop_slot, events));
  a.stop_slot_conditions = narrow(offsetof(stop_slot, conditions));
  a.stop_slot_map = narrow(offsetof(stop_slot, map));
  a.stop_slot_bucket = narrow(offsetof(stop_slot, bucket));
  a.stop_slot_progress = narrow(offsetof(stop_slot, progress));
  a.stop_slot_key_hash = narrow(offsetof(stop_slot, key_hash));
  a.stop_slot_ignore = narrow(offsetof(stop_slot, ignore));
  a.stop_slot_hits = narrow(offsetof(stop_slot, hits));
  a.stop_slot_thread = narrow(offsetof(stop_slot, thread));
  a.stop_slot_reported = narrow(offsetof(stop_slot, reported));
  a.event_size = sizeof(event);
  a.event_event = narrow(offsetof(event, event));
  a.event_slot = narrow(offsetof(event, slot));
  a.event_slots = narrow(offsetof(event, slots));
  a.event_thread = narrow(offsetof(event, thread));
  a.event_map = narrow(offsetof(event, map));
  a.event_type = narrow(offsetof(event, type));
  a.event_bucket = narrow(offsetof(event, bucket));
  a.event_old_buckets = narrow(offsetof(event, old_buckets));
  a.event_buckets = narrow(offsetof(event, buckets));
  a.event_evacuated = narrow(offsetof(event, evacuated));
  a.event_count = narrow(offsetof(event, count));
  a.event_key = narrow(offsetof(event, key));
  a.event_key_hash = narrow(offsetof(event, key_hash));
  a.event_message = narrow(offsetof(event, message));
  a.event_kind = narrow(offsetof(event, kind));
  a.event_flags = narrow(offsetof(event, flags));
  a.event_moved_x = narrow(offsetof(event, moved_x));
  a.event_moved_y = narrow(offsetof(event, moved_y));
  a.event_hint = narrow(offsetof(event, hint));
  a.mapextra_evacuating_base = narrow(offsetof(mapextra, evacuating_base));
  a.mapextra_array_bytes = narrow(offsetof(mapextra, array_bytes));
  a.mapextra_overflow_bytes = narrow(offsetof(mapextra, overflow_bytes));
  a.mapextra_old_bytes = narrow(offsetof(mapextra, old_bytes));
  a.mapextra_retired_bytes = narrow(offsetof(mapextra, retired_bytes));
  a.mapextra_overflow_buckets = narrow(offsetof(mapextra, overflow_buckets));
  a.mapextra_evacuated = narrow(offsetof(mapextra, evacuated));
  a.mapextra_evacuated_before = narrow(offsetof(mapextra, evacuated_before));
  a.mapextra_growths = narrow(offsetof(mapextra, growths));
  a.mapextra_same_size_growths = narrow(offsetof(mapextra, same_size_growths));
  a.mapextra_shrinks = narrow(offsetof(mapextra, shrinks));
  a.mapextra_rebuilds = narrow(offsetof(mapextra, rebuilds));
  a.header_size = narrow(header_functors);
  a.registry_departed = narrow(offsetof(registry_shard, departed));
#ifndef MAPSCOPE_NO_DEBUG
  a.history = &mapscope_history;
#endif
  a.history_clock = narrow(offsetof(history, clock));
  a.history_life = narrow(offsetof(history, life));
  a.history_rings = narrow(offsetof(history, rings));
  a.history_ticks = narrow(offsetof(history, ticks));
  a.history_nanoseconds = narrow(offsetof(history, nanoseconds));
  a.history_pairs = narrow(offsetof(history, pairs));
  a.history_wall = narrow(offsetof(history, wall));
  a.history_ring_next = narrow(offsetof(history_ring, next));
  a.history_ring_records = narrow(offsetof(history_ring, records));
  a.history_ring_capacity = narrow(offsetof(history_ring, capacity));
  a.history_ring_begun = narrow(offsetof(history_ring, begun));
  a.history_record_size = sizeof(history_record);
  a.history_record_sequence = narrow(offsetof(history_record, sequence));
  a.history_record_clock = narrow(offsetof(history_record, clock));
  a.history_record_map = narrow(offsetof(history_record, map));
  a.history_record_type = narrow(offsetof(history_record, type));
  a.history_record_count = narrow(offsetof(history_record, count));
  a.history_record_detail = narrow(offsetof(history_record, what.detail));
  a.history_record_bucket = narrow(offsetof(history_record, what.buckets.bucket));
  a.history_record_second = narrow(offsetof(history_record, what.buckets.second));
  a.history_record_moved = narrow(offsetof(history_record, moved));
  a.history_record_event = narrow(offsetof(history_record, event));
  a.history_record_flags = narrow(offsetof(history_record, flags));
  a.history_record_B = narrow(offsetof(history_record, B));
  a.history_record_old_B = narrow(offsetof(history_record, old_B));
  a.history_record_thread = narrow(offsetof(history_record, thread));
  return a;
}

} // namespace
} // namespace mapscope

// `used` keeps the compiler, and `retain` (SHF_GNU_RETAIN) the linker's section
// garbage collection, from dropping it; strip keeps allocated sections.
// Compilers that don't know `retain` (GCC without linker support) ignore it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
extern "C" {
[[gnu::used, gnu::retain, gnu::section(".mapscope"), gnu::visibility("default")]] alignas(
    16) constinit const mapscope::abi mapscope_abi = mapscope::make_abi();
}
#pragma GCC diagnostic pop

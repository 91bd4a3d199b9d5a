// SPDX-License-Identifier: MIT
//
// `mapscope_abi`: the layout as data in the program, for debuggers.
#include "internal.hpp"

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

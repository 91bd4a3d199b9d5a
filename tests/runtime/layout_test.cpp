// SPDX-License-Identifier: MIT
//
// The layout: that a map's bytes are what layout.h and the maptype say.
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include <mapscope/debug.h>
#include <mapscope/history.h>

#include "abi_table.hpp"
#include "checks.hpp"
#include "support.hpp"

using support::header;

BOOST_AUTO_TEST_SUITE(layout)

namespace {
enum class colour : uint16_t { red };
struct alignas(64) wide {
  std::array<char, 64> bytes;
};
struct moves_only_loudly { // its move may throw, so it is stored indirectly
  int x = 0;
  moves_only_loudly() = default;
  moves_only_loudly(const moves_only_loudly &) noexcept(false) = default;
};
template <class Map> const mapscope::maptype &type(Map &map) {
  map.reserve(1);
  return *header(map)->extra->type;
}
} // namespace

BOOST_AUTO_TEST_CASE(a_map_is_one_pointer_nil_until_written) {
  static_assert(sizeof(mapscope::map<int, int>) == 8);
  const auto before = support::allocations::live();
  mapscope::map<int, int> map;
  BOOST_TEST(header(map) == nullptr);
  BOOST_TEST(!map.contains(1));
  BOOST_TEST(map.erase(1) == 0U);
  map.clear();
  BOOST_TEST(header(map) == nullptr);
  BOOST_TEST(support::allocations::live() == before);
  map[1] = 2;
  const mapscope::hmap *const h = header(map);
  BOOST_REQUIRE(h != nullptr);
  BOOST_TEST(h->count == 1U);
  BOOST_TEST(static_cast<const void *>(h->extra) ==
             static_cast<const void *>(reinterpret_cast<const char *>(h) + 48));
  mapscope::map<int, int> taken(std::move(map));
  BOOST_TEST(header(map) == nullptr);
  BOOST_TEST(header(taken) == h);
}

BOOST_AUTO_TEST_CASE(the_abi_begins_as_its_diagram_says) {
  const auto &abi = mapscope_abi;
  BOOST_TEST(std::string(abi.magic, 16) == std::string(MAPSCOPE_MAGIC, 16));
  BOOST_TEST(abi.version == MAPSCOPE_ABI_VERSION);
  BOOST_TEST(abi.size == sizeof abi);
  BOOST_TEST(abi.places_at == 40U);
  BOOST_TEST(abi.place_size == 40);
  BOOST_TEST(abi.fields_at == 40U + abi.place_count * 40U);
  BOOST_TEST(abi.field_size == 48);
  BOOST_TEST(abi.size == abi.fields_at + abi.field_count * 48U);
  BOOST_TEST(reinterpret_cast<uintptr_t>(&abi) % 16 == 0U);
}

BOOST_AUTO_TEST_CASE(the_abi_says_where_everything_is) {
  struct known {
    const char *name;
    uint32_t offset;
    unsigned width;
    unsigned count;
  };
  for (const known &expected : {
           known{"hmap", 0, 48, 1},
           {"hmap.B", 9, 1, 1},
           {"hmap.noverflow", 10, 2, 1},
           {"hmap.nevacuate", 32, 8, 1},
           {"hmap.extra", 40, 8, 1},
           {"mapextra.type", 24, 8, 1},
           {"mapextra.evacuating", 56, 8, 1},
           {"mapextra.rebuilds", 140, 4, 1},
           {"maptype", 0, 104, 1},
           {"maptype.abi", 0, 8, 1},
           {"maptype.elem", 80, 24, 1},
           {"typeinfo", 0, 24, 1},
           {"typeinfo.len_offset", 14, 2, 1},
           {"departed.evacuated", 40, 8, 1},
           {"stop_filter.only_map", 16, 8, 1},
           {"stop_filter.slots", 64, 64, MAPSCOPE_STOP_SLOTS},
           {"stop_slot", 0, 64, 1},
           {"stop_slot.thread", 56, 4, 1},
           {"event", 0, 128, 1},
           {"event.flags", 100, 4, 1},
           {"event.hint", 120, 8, 1},
           {"history.ticks", 16, 8, 3},
           {"history_record.what.buckets.second", 44, 4, 1},
           {"history_record.moved", 48, 2, 4},
           {"history_record.thread", 60, 4, 1},
       }) {
    BOOST_TEST_CONTEXT(expected.name) {
      const mapscope::abi_field &row = abi_table::field(expected.name);
      BOOST_TEST(row.offset == expected.offset);
      BOOST_TEST(row.width == expected.width);
      BOOST_TEST(row.count == expected.count);
    }
  }
  BOOST_CHECK_THROW(abi_table::field("hmap.colour"), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(each_row_of_the_abi_is_in_a_struct_and_stands_once) {
  std::map<std::string, const mapscope::abi_field *> rows;
  for (const mapscope::abi_field &row : mapscope_abi.fields) {
    BOOST_TEST(rows.emplace(row.name, &row).second);
  }
  BOOST_TEST(rows.size() > 100U);
  for (const auto &[name, row] : rows) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(row->width > 0);
      BOOST_TEST(row->count > 0);
      const auto whole = rows.find(name.substr(0, name.find('.')));
      BOOST_REQUIRE((whole != rows.end()));
      BOOST_TEST(row->offset + row->width * row->count <= whole->second->width);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_abi_says_what_there_is_once) {
  std::set<std::string> names;
  for (const mapscope::abi_place &place : mapscope_abi.places) {
    BOOST_TEST(names.insert(place.name).second);
    BOOST_TEST(place.count > 0U);
  }
  BOOST_TEST((names == std::set<std::string>{"history", "registry", "stop_filter", "stop_hook"}));
  const mapscope::abi_place &registry = abi_table::place("registry");
  BOOST_TEST(registry.address.data != nullptr);
  BOOST_TEST(registry.width == abi_table::field("registry_shard").width);
  const mapscope::abi_place &filter = abi_table::place("stop_filter");
  const mapscope::abi_place &hook = abi_table::place("stop_hook");
  const mapscope::abi_place &history = abi_table::place("history");
#ifdef MAPSCOPE_NO_DEBUG
  BOOST_TEST(filter.address.data == nullptr);
  BOOST_TEST((hook.address.hook == nullptr));
  BOOST_TEST(history.address.data == nullptr);
#else
  BOOST_TEST(filter.address.data == &mapscope_stop_filter);
  BOOST_TEST((hook.address.hook == mapscope_debug_stop));
  BOOST_TEST(history.address.data == &mapscope_history);
#endif
  BOOST_TEST(filter.width == sizeof(mapscope::stop_filter));
  BOOST_TEST(hook.width == 0U);
  BOOST_TEST(history.width == sizeof(mapscope::history));
}

BOOST_AUTO_TEST_CASE(the_maptype_describes_scalars) {
  mapscope::map<int64_t, uint16_t> map;
  const mapscope::maptype &t = type(map);
  BOOST_TEST(t.abi == &mapscope_abi);
  BOOST_TEST((std::string(t.name) == "mapscope::map<long int, short unsigned int>" ||
              std::string(t.name) == "mapscope::map<long, unsigned short>"));
  BOOST_TEST(t.flags == uint32_t{MAPSCOPE_REFLEXIVE_KEY});
  BOOST_TEST(t.hash_kind == MAPSCOPE_HASH_INTEGER);
  BOOST_TEST(t.keysize == 8U);
  BOOST_TEST(t.elemsize == 2U);
  BOOST_TEST(t.keys_offset == 8U);
  BOOST_TEST(t.elems_offset == 72U);
  BOOST_TEST(t.bucketsize == 96U);
  BOOST_TEST(t.overflow_offset == 88U);
  BOOST_TEST(t.bucketalign == 8U);
  BOOST_TEST(t.key.kind == MAPSCOPE_KIND_INT64);
  BOOST_TEST(t.elem.kind == MAPSCOPE_KIND_UINT16);
  BOOST_TEST(t.elem.size == 2U);
}

BOOST_AUTO_TEST_CASE(kinds) {
  const auto kind_of_key = []<class K>(K *) {
    mapscope::map<K, char> map;
    return type(map).key.kind;
  };
  BOOST_TEST(kind_of_key(static_cast<bool *>(nullptr)) == MAPSCOPE_KIND_BOOL);
  BOOST_TEST(kind_of_key(static_cast<char *>(nullptr)) == MAPSCOPE_KIND_INT8);
  BOOST_TEST(kind_of_key(static_cast<unsigned char *>(nullptr)) == MAPSCOPE_KIND_UINT8);
  BOOST_TEST(kind_of_key(static_cast<int *>(nullptr)) == MAPSCOPE_KIND_INT32);
  BOOST_TEST(kind_of_key(static_cast<colour *>(nullptr)) == MAPSCOPE_KIND_UINT16);
  BOOST_TEST(kind_of_key(static_cast<float *>(nullptr)) == MAPSCOPE_KIND_FLOAT32);
  BOOST_TEST(kind_of_key(static_cast<double *>(nullptr)) == MAPSCOPE_KIND_FLOAT64);
  BOOST_TEST(kind_of_key(static_cast<void **>(nullptr)) == MAPSCOPE_KIND_POINTER);
  BOOST_TEST(kind_of_key(static_cast<std::string *>(nullptr)) == MAPSCOPE_KIND_STRING);
  BOOST_TEST(kind_of_key(static_cast<std::string_view *>(nullptr)) == MAPSCOPE_KIND_STRING);
  BOOST_TEST(kind_of_key(static_cast<std::optional<int> *>(nullptr)) == MAPSCOPE_KIND_OPAQUE);
}

BOOST_AUTO_TEST_CASE(strings_decode_from_their_bytes) {
  mapscope::map<std::string, std::string_view> map;
  const std::string text(100, 'x');
  map["short"] = text;
  map[text] = "view";
  const mapscope::maptype &t = type(map);
  BOOST_TEST(std::string(t.name) == "mapscope::map<std::string, std::string_view>");
  BOOST_TEST(t.hash_kind == MAPSCOPE_HASH_STRING);
  const auto read = [](uint64_t address, const mapscope::typeinfo &info) {
    return std::string(support::at<const char *>(address + info.data_offset),
                       support::at<uint64_t>(address + info.len_offset));
  };
  const auto decoded = support::decode(map);
  BOOST_REQUIRE(decoded.entries.size() == 2U);
  for (const decoder::entry &e : decoded.entries) {
    const std::string key = read(e.key, t.key);
    BOOST_TEST(read(e.elem, t.elem) == (key == "short" ? text : "view"));
  }
}

BOOST_AUTO_TEST_CASE(alignment_and_indirection) {
  mapscope::map<char, wide> aligned;
  aligned['a'];
  const mapscope::maptype &t = type(aligned);
  BOOST_TEST(t.elems_offset % 64 == 0U);
  BOOST_TEST(t.bucketsize % 64 == 0U);
  BOOST_TEST(t.bucketalign == 64U);
  BOOST_TEST(reinterpret_cast<uintptr_t>(&aligned['a']) % 64 == 0U);

  mapscope::map<char, std::array<char, 128>> inside;
  BOOST_TEST((type(inside).flags & MAPSCOPE_INDIRECT_ELEM) == 0U);
  mapscope::map<char, std::array<char, 129>> outside;
  BOOST_TEST((type(outside).flags & MAPSCOPE_INDIRECT_ELEM) != 0U);
  BOOST_TEST(type(outside).elemsize == 8U);
  BOOST_TEST(type(outside).elem.size == 129U);
  mapscope::map<char, moves_only_loudly> throwing;
  BOOST_TEST((type(throwing).flags & MAPSCOPE_INDIRECT_ELEM) == 0U); // trivially copyable
  mapscope::map<double, char> floats;
  BOOST_TEST((type(floats).flags & MAPSCOPE_REFLEXIVE_KEY) == 0U);
}

BOOST_AUTO_TEST_CASE(spare_buckets_end_with_a_mark) {
  for (const size_t hint : {8U, 14U, 52U, 53U, 104U, 105U, 5000U}) {
    mapscope::map<uint32_t, uint32_t> map(hint);
    map[1] = 1;
    const mapscope::hmap *const h = header(map);
    BOOST_TEST(h->B == (hint <= 8     ? 0
                        : hint <= 13  ? 1
                        : hint <= 26  ? 2
                        : hint <= 52  ? 3
                        : hint <= 104 ? 4
                        : hint <= 208 ? 5
                                      : 10));
    const uint64_t size = h->extra->type->bucketsize;
    const char *const array = static_cast<const char *>(h->buckets);
    if (h->B < 4) {
      BOOST_TEST(h->extra->nextOverflow == nullptr);
      continue;
    }
    const uint64_t buckets = uint64_t{1} << h->B;
    const uint64_t spares = buckets >> 4;
    BOOST_TEST(h->extra->nextOverflow == array + buckets * size);
    for (uint64_t i = 0; i < buckets + spares; i++) {
      const void *overflow;
      std::memcpy(&overflow, array + (i + 1) * size - 8, 8);
      const bool last = i + 1 == buckets + spares;
      BOOST_TEST(overflow == (last ? h->buckets : nullptr));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_map_may_be_a_member_of_its_own_value) {
  struct node {
    mapscope::map<std::string, node> children;
    int depth = 0;
  };
  node root;
  root.children["a"].children["b"].depth = 2;
  BOOST_TEST(root.children.at("a").children.at("b").depth == 2);
}

BOOST_AUTO_TEST_SUITE_END()

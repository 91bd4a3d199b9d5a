// SPDX-License-Identifier: MIT
//
// `mapscope_abi`: the layout as a table in the program, for debuggers.
#include "internal.hpp"

#include <mapscope/abi.h>

#include <type_traits>
#include <utility>

namespace mapscope {
namespace {

template <class Number> consteval Number narrow(size_t number) {
  return std::in_range<Number>(number) ? static_cast<Number>(number) : throw "number too large";
}

template <size_t Room, size_t Size>
consteval void spell(char (&name)[Room], const char (&text)[Size]) {
  static_assert(Size <= Room, "a name of mapscope_abi that is too long");
  for (size_t i = 0; i < Size; i++) {
    name[i] = text[i];
  }
}

template <class Type, size_t Size>
consteval abi_field row(const char (&name)[Size], size_t offset) {
  abi_field result{};
  spell(result.name, name);
  result.offset = narrow<uint32_t>(offset);
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a field that is a pointer, the pointer's
  result.width = narrow<uint16_t>(sizeof(std::remove_extent_t<Type>));
  result.count = narrow<uint16_t>(std::is_array_v<Type> ? std::extent_v<Type> : 1);
  return result;
}

template <size_t Size>
consteval abi_place place(const char (&name)[Size], size_t width, size_t count) {
  abi_place result{};
  spell(result.name, name);
  result.width = narrow<uint32_t>(width);
  result.count = narrow<uint32_t>(count);
  return result;
}

consteval abi make_abi() {
// NOLINTBEGIN(bugprone-macro-parentheses): a member's name
#define MAPSCOPE_WHOLE(type) row<type>(#type, 0),
#define MAPSCOPE_FIELD(type, field)                                                                \
  row<decltype(std::declval<type &>().field)>(#type "." #field, offsetof(type, field)),
  // NOLINTEND(bugprone-macro-parentheses)
  abi a{.magic = {},
        .version = MAPSCOPE_ABI_VERSION,
        .size = sizeof(abi),
        .fields_at = offsetof(abi, fields),
        .field_size = sizeof(abi_field),
        .field_count = MAPSCOPE_ABI_FIELDS,
        .places_at = offsetof(abi, places),
        .place_size = sizeof(abi_place),
        .place_count = MAPSCOPE_ABI_PLACES,
        .places = {place("registry", sizeof(registry_shard), registry_shard_count),
                   place("stop_filter", sizeof(stop_filter), 1), place("stop_hook", 0, 1),
                   place("history", sizeof(history), 1)},
        .fields = {MAPSCOPE_ABI_ROWS(MAPSCOPE_WHOLE, MAPSCOPE_FIELD)}};
#undef MAPSCOPE_FIELD
#undef MAPSCOPE_WHOLE
  constexpr char magic[] = MAPSCOPE_MAGIC;
  static_assert(sizeof magic - 1 == sizeof a.magic);
  for (size_t i = 0; i < sizeof a.magic; i++) {
    a.magic[i] = magic[i];
  }
  a.places[0].address.data = registry;
#ifndef MAPSCOPE_NO_DEBUG
  a.places[1].address.data = &mapscope_stop_filter;
  a.places[2].address.hook = mapscope_debug_stop;
  a.places[3].address.data = &mapscope_history;
#endif
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

// SPDX-License-Identifier: MIT
//
// mapscope_abi read by name, as debuggers read it. What it must not know: where
// anything lies.
#ifndef MAPSCOPE_TESTS_ABI_TABLE_HPP
#define MAPSCOPE_TESTS_ABI_TABLE_HPP

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include <mapscope/abi.h>

namespace abi_table {

// The row of that name, among rows of which each has as many bytes as `step` says.
template <class Row> const Row &find(uint32_t at, uint16_t step, uint16_t count, const char *name) {
  const char *const table = reinterpret_cast<const char *>(&mapscope_abi) + at;
  for (unsigned i = 0; i < count; i++) {
    const auto *const row = reinterpret_cast<const Row *>(table + size_t{i} * step);
    if (std::strncmp(row->name, name, sizeof row->name) == 0) {
      return *row;
    }
  }
  throw std::runtime_error(std::string("mapscope_abi does not name ") + name);
}

// A struct or a field of one.
inline const mapscope::abi_field &field(const char *name) {
  const auto &abi = mapscope_abi;
  return find<mapscope::abi_field>(abi.fields_at, abi.field_size, abi.field_count, name);
}

inline const mapscope::abi_place &place(const char *name) {
  const auto &abi = mapscope_abi;
  return find<mapscope::abi_place>(abi.places_at, abi.place_size, abi.place_count, name);
}

inline uint64_t address(const char *name) {
  return reinterpret_cast<uintptr_t>(place(name).address.data);
}

template <size_t Size> struct literal {
  // NOLINTNEXTLINE(google-explicit-constructor): offset<"hmap.count">()
  consteval literal(const char (&name)[Size]) {
    for (size_t i = 0; i < Size; i++) {
      text[i] = name[i];
    }
  }
  char text[Size]{};
};

// Where a field lies; looked up once.
template <literal Name> uint32_t offset() {
  static const uint32_t value = field(Name.text).offset;
  return value;
}

} // namespace abi_table

#endif

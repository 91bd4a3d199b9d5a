// SPDX-License-Identifier: MIT
//
// What a maptype says about a key or element type: kind, size, name, computed
// at compile time. What this header must not know: buckets and slots.
#ifndef MAPSCOPE_TYPEINFO_HPP
#define MAPSCOPE_TYPEINFO_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <mapscope/layout.h>
#include <mapscope/relocate.hpp>

namespace mapscope::detail {

// The compiler's name of T, cut out of its name of this function:
// GCC    "... raw_type_name() [with T = int; std::string_view = ...]"
// Clang  "... raw_type_name() [T = int]"
template <class T> consteval std::string_view raw_type_name() {
  constexpr std::string_view function = __PRETTY_FUNCTION__;
  constexpr std::string_view before = "T = ";
  constexpr size_t begin = function.find(before) + before.size();
  // GCC lists what std::string_view stands for behind a ';', which no type's
  // name contains; Clang lists nothing else.
  constexpr size_t semicolon = function.find(';', begin);
  constexpr size_t end = semicolon == std::string_view::npos ? function.rfind(']') : semicolon;
  return function.substr(begin, end - begin);
}

template <class T> consteval std::string_view type_name() {
  if constexpr (std::is_same_v<T, std::string>) {
    return "std::string"; // what people write, not basic_string<char, ...>
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return "std::string_view";
  } else {
    return raw_type_name<T>();
  }
}

// The pieces one after the other, with a closing NUL, as an array.
template <size_t N, class... Pieces> consteval std::array<char, N> join(Pieces... pieces) {
  std::array<char, N> text{};
  size_t at = 0;
  const auto append = [&](std::string_view piece) {
    for (const char c : piece) {
      text[at++] = c;
    }
  };
  (append(pieces), ...);
  return text;
}

template <class T>
inline constexpr auto type_name_text = join<type_name<T>().size() + 1>(type_name<T>());

template <class K, class V>
inline constexpr auto map_name_text =
    join<sizeof "mapscope::map<, >" + type_name<K>().size() + type_name<V>().size()>(
        std::string_view("mapscope::map<"), type_name<K>(), std::string_view(", "), type_name<V>(),
        std::string_view(">"));

template <class T> consteval uint32_t kind_of() {
  if constexpr (std::is_same_v<T, bool>) {
    return MAPSCOPE_KIND_BOOL;
  } else if constexpr (std::is_enum_v<T>) {
    return kind_of<std::underlying_type_t<T>>();
  } else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8) {
    constexpr uint32_t first = std::is_signed_v<T> ? MAPSCOPE_KIND_INT8 : MAPSCOPE_KIND_UINT8;
    return first + (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3);
  } else if constexpr (std::is_same_v<T, float>) {
    return MAPSCOPE_KIND_FLOAT32;
  } else if constexpr (std::is_same_v<T, double>) {
    return MAPSCOPE_KIND_FLOAT64;
  } else if constexpr (std::is_pointer_v<T>) {
    return MAPSCOPE_KIND_POINTER;
  } else if constexpr (is_fixed_up_string<T>) {
    return MAPSCOPE_KIND_STRING;
#ifdef __GLIBCXX__
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return MAPSCOPE_KIND_STRING;
#endif
  } else {
    return MAPSCOPE_KIND_OPAQUE;
  }
}

template <class T> consteval typeinfo typeinfo_of() {
  typeinfo info{};
  info.kind = kind_of<T>();
  info.size = sizeof(T);
  info.align = alignof(T);
  if constexpr (kind_of<T>() == MAPSCOPE_KIND_STRING) {
    // libstdc++: std::string is {data, length, ...} (bits/basic_string.h),
    // std::string_view is {length, data} (std/string_view).
    constexpr bool view = std::is_same_v<T, std::string_view>;
    info.data_offset = view ? sizeof(size_t) : 0;
    info.len_offset = view ? 0 : sizeof(char *);
  }
  info.name = type_name_text<T>.data();
  return info;
}

} // namespace mapscope::detail

#endif

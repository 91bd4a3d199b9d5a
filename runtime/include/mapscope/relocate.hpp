// SPDX-License-Identifier: MIT
//
// How a key or an element moves from one bucket to another. What this header
// knows: which types may be copied byte by byte, which are moved, and which
// stay where they are behind a pointer. What it must not know: buckets.
//
// Relocation must not fail half-way through a bucket, and should leave the
// bytes it moved from readable, since a debugger may stop in the middle:
//
//   trivially copyable, or is_bytewise_relocatable   the bytes are copied
//   std::string of libstdc++                         likewise, then its pointer
//                                                    to its own buffer is set
//   neither, but moved and destroyed without throwing   move, then destroy
//   any other, and all over MAPSCOPE_MAX_INLINE_SIZE    the slot holds a
//                                                    pointer, which is copied
#ifndef MAPSCOPE_RELOCATE_HPP
#define MAPSCOPE_RELOCATE_HPP

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <mapscope/layout.h>

// The layout of std::string is libstdc++'s since GCC 5: data pointer, length,
// then a union of the capacity and a 16-byte buffer (bits/basic_string.h).
#if defined(__GLIBCXX__) && defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
#define MAPSCOPE_LIBSTDCXX_STRING 1
#else
#define MAPSCOPE_LIBSTDCXX_STRING 0
#endif

namespace mapscope {

// True if an object of type T may be moved by copying its bytes and forgetting
// the original. Programs may specialise it for their own types; a type that
// holds its own address, or whose address others keep, must not.
template <class T>
struct is_bytewise_relocatable : std::bool_constant<std::is_trivially_copyable_v<T>> {};

template <class T>
struct is_bytewise_relocatable<std::unique_ptr<T, std::default_delete<T>>> : std::true_type {};
#ifdef __GLIBCXX__
template <class T> struct is_bytewise_relocatable<std::shared_ptr<T>> : std::true_type {};
template <class T> struct is_bytewise_relocatable<std::weak_ptr<T>> : std::true_type {};
template <class T>
struct is_bytewise_relocatable<std::vector<T, std::allocator<T>>> : std::true_type {};
#endif

template <class T>
inline constexpr bool is_bytewise_relocatable_v = is_bytewise_relocatable<T>::value;

namespace detail {

template <class T>
inline constexpr bool is_fixed_up_string =
    MAPSCOPE_LIBSTDCXX_STRING != 0 && std::is_same_v<T, std::string>;

// A slot: the place of one key or one element in a bucket.
template <class T> struct slot {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>,
                "keys and values are plain object types");
  static_assert(std::is_nothrow_destructible_v<T>, "destructors must not throw");

  static constexpr bool by_bytes = is_bytewise_relocatable_v<T> || is_fixed_up_string<T>;
  static constexpr bool indirect = sizeof(T) > MAPSCOPE_MAX_INLINE_SIZE ||
                                   !(by_bytes || std::is_nothrow_move_constructible_v<T>);
  static constexpr size_t size = indirect ? sizeof(T *) : sizeof(T);
  static constexpr size_t align = indirect ? alignof(T *) : alignof(T);
  // True if an entry may be forgotten without destroying anything.
  static constexpr bool trivially_destructible = !indirect && std::is_trivially_destructible_v<T>;

  static T *get(void *place) noexcept {
    if constexpr (indirect) {
      T *object;
      std::memcpy(&object, place, sizeof(T *));
      return object;
    } else {
      return std::launder(static_cast<T *>(place));
    }
  }

  template <class... Args> static void construct(void *place, Args &&...args) {
    if constexpr (indirect) {
      T *object = ::new T(std::forward<Args>(args)...);
      std::memcpy(place, &object, sizeof(T *));
    } else {
      ::new (place) T(std::forward<Args>(args)...);
    }
  }

  static void destroy(void *place) noexcept {
    if constexpr (indirect) {
      delete get(place);
    } else if constexpr (!std::is_trivially_destructible_v<T>) {
      get(place)->~T();
    }
  }

  // Moves the object at `from` to `to`; only `to` holds an object afterwards.
  static void relocate(void *to, void *from) noexcept {
    if constexpr (indirect || is_bytewise_relocatable_v<T>) {
      std::memcpy(to, from, size);
    } else if constexpr (is_fixed_up_string<T>) {
      static_assert(sizeof(std::string) == 32 || !is_fixed_up_string<T>);
      constexpr size_t buffer = 2 * sizeof(void *);
      std::memcpy(to, from, size);
      char *data;
      std::memcpy(&data, from, sizeof data);
      if (data == static_cast<char *>(from) + buffer) {
        data = static_cast<char *>(to) + buffer;
        std::memcpy(to, &data, sizeof data);
      }
    } else {
      T *object = get(from);
      ::new (to) T(std::move(*object));
      object->~T();
    }
  }
};

} // namespace detail
} // namespace mapscope

#endif

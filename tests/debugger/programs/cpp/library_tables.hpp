// SPDX-License-Identifier: MIT
//
// What hash tables of libraries hold, written down as truth.hpp does it for maps
// of our own: by the table's own iteration.
#ifndef MAPSCOPE_TESTS_LIBRARY_TABLES_HPP
#define MAPSCOPE_TESTS_LIBRARY_TABLES_HPP

#define MAPSCOPE_TESTS_NO_MAPS
#include "truth.hpp"

#include <cstdio>
#include <cstring>
#include <string>

namespace library {

inline std::string lines; // of the record

struct point {
  int x;
  int y;
  bool operator==(const point &) const = default;
};

enum class color : std::uint8_t { red, green = 7, blue = 200 };
enum weekday : int { sunday = -1, monday = 0 };

struct big {
  unsigned char bytes[200];
};

struct alignas(32) aligned {
  long id;
};

// Hash functions of the program's own: with a state, and the same for all keys.
struct stateful_hash {
  long factor = 31;
  std::size_t operator()(const point &p) const {
    return static_cast<std::size_t>(p.x * factor + p.y);
  }
};

struct final_hash final {
  std::size_t operator()(int key) const { return static_cast<std::size_t>(key) * 2654435761U; }
};

struct same_hash {
  std::size_t operator()(const std::string &) const { return 42; }
};

// An allocator whose first argument is not what it allocates.
template <int Tag, class T> struct tagged_allocator {
  using value_type = T;
  template <class U> struct rebind { using other = tagged_allocator<Tag, U>; };
  int state = Tag;
  tagged_allocator() = default;
  template <class U>
  explicit tagged_allocator(const tagged_allocator<Tag, U> &other) : state(other.state) {}
  T *allocate(std::size_t count) { return static_cast<T *>(::operator new(count * sizeof(T))); }
  void deallocate(T *pointer, std::size_t) { ::operator delete(pointer); }
  template <class U> bool operator==(const tagged_allocator<Tag, U> &) const { return true; }
};

using truth::json;

inline std::string json(const point &value) {
  return "{\"x\":" + json(value.x) + ",\"y\":" + json(value.y) + "}";
}
inline std::string json(color value) { return json(static_cast<unsigned>(value)); }
inline std::string json(weekday value) { return json(static_cast<int>(value)); }
inline std::string json(const aligned &value) { return "{\"id\":" + json(value.id) + "}"; }
inline std::string json(const big &value) {
  std::string text = "{\"bytes\":[";
  for (std::size_t i = 0; i < sizeof value.bytes; ++i)
    text += (i == 0 ? "" : ",") + json(static_cast<unsigned>(value.bytes[i]));
  return text + "]}";
}

// A table inside a table.
template <class Table>
requires requires(const Table &table) {
  table.bucket_count();
  typename Table::hasher;
}
std::string json(const Table &table) {
  return "{\"map\":\"*\",\"address\":" + truth::address(&table) +
         ",\"count\":" + std::to_string(table.size()) + "}";
}

template <class Table>
concept has_values = requires {
  typename Table::mapped_type;
};

// Notes a table under the expression that names it in the debugger.
template <class Table> void note(const char *name, const Table &table) {
  lines += "{\"name\":" + truth::quote(name) + ",\"address\":" + truth::address(&table) +
           ",\"count\":" + std::to_string(table.size()) + ",\"entries\":[";
  const char *separator = "";
  for (const auto &entry : table) {
    lines += separator;
    if constexpr (has_values<Table>)
      lines += "{\"key\":" + json(entry.first) + ",\"value\":" + json(entry.second) + "}";
    else
      lines += "{\"key\":" + json(entry) + "}";
    separator = ",";
  }
  lines += "]}\n";
}

// [--truth FILE] [--big ENTRIES] [--damage yes]
struct arguments {
  const char *truth = nullptr;
  int big = 0;
  bool damage = false;

  arguments(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; ++i) {
      if (std::strcmp(argv[i], "--truth") == 0)
        truth = argv[++i];
      else if (std::strcmp(argv[i], "--big") == 0)
        big = std::atoi(argv[++i]);
      else if (std::strcmp(argv[i], "--damage") == 0)
        damage = ++i > 0;
    }
  }
};

} // namespace library

#define NOTE(table) library::note(#table, table)

#endif

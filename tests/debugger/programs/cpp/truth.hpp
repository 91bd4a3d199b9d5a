// SPDX-License-Identifier: MIT
//
// What a test program puts into its maps, written down in the JSON form that
// `map entries --json` uses, so that a debugger's view of a map can be compared
// with what the program knows to be in it.
//
// The record is kept beside the map and never read back from it: it must not
// depend on the code under test, and an iterator would change the map's flags.
#ifndef MAPSCOPE_TESTS_TRUTH_HPP
#define MAPSCOPE_TESTS_TRUTH_HPP

// Programs that have no maps of ours define MAPSCOPE_TESTS_NO_MAPS.
#ifndef MAPSCOPE_TESTS_NO_MAPS
#include <mapscope/layout.h>
#include <mapscope/map.hpp>
#endif

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace truth {

#ifndef MAPSCOPE_TESTS_NO_MAPS
// The header of a map object, nil while nothing was written: a map object
// begins with the pointer to it.
template <class Map> const mapscope::hmap *header(const Map &map) {
  const mapscope::hmap *found = nullptr;
  std::memcpy(&found, static_cast<const void *>(&map), sizeof found);
  return found;
}

template <class Map> bool migrating(const Map &map) {
  const mapscope::hmap *h = header(map);
  return h != nullptr && h->oldbuckets != nullptr;
}
#endif

inline std::string address(const void *pointer) {
  if (pointer == nullptr)
    return "null";
  char text[32];
  std::snprintf(text, sizeof text, "\"0x%llx\"",
                static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(pointer)));
  return text;
}

// Bytes of the UTF-8 sequence that text begins with; 0 if it is none (Unicode
// 15.0, table 3-7).
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first <= 0xdf && tail(1))
    return 2;
  if ((first & 0xf0U) == 0xe0U && tail(1) && tail(2) && (first != 0xe0 || byte(1) >= 0xa0) &&
      (first != 0xed || byte(1) < 0xa0))
    return 3;
  if (first >= 0xf0 && first <= 0xf4 && tail(1) && tail(2) && tail(3) &&
      (first != 0xf0 || byte(1) >= 0x90) && (first != 0xf4 || byte(1) < 0x90))
    return 4;
  return 0;
}

inline std::string quote(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) { // not UTF-8: the whole string as its bytes
      std::string bytes = "{\"bytes\":\"";
      for (const char c : text) {
        bytes += digits[static_cast<unsigned char>(c) >> 4];
        bytes += digits[static_cast<unsigned char>(c) & 15];
      }
      return bytes + "\"}";
    }
    const char c = rest.front();
    if (length == 1 && (c == '"' || c == '\\')) {
      quoted += '\\';
      quoted += c;
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      quoted += "\\u00";
      quoted += digits[static_cast<unsigned char>(c) >> 4];
      quoted += digits[static_cast<unsigned char>(c) & 15];
    } else {
      quoted += rest.substr(0, length);
    }
    rest.remove_prefix(length);
  }
  return quoted + "\"";
}

// json(value) is a value as `map entries --json` shows one. Programs add
// overloads for their own types beside them.
template <class T>
requires(std::is_integral_v<T>) std::string json(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else if constexpr (std::is_signed_v<T>)
    return std::to_string(static_cast<long long>(value));
  else
    return std::to_string(static_cast<unsigned long long>(value));
}

template <class T>
requires(std::is_floating_point_v<T>) std::string json(T value) {
  if (std::isnan(value))
    return "\"NaN\"";
  if (std::isinf(value))
    return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<double>(value)).ptr;
  std::string number(text, end);
  if (number.find_first_of(".e") == std::string::npos)
    number += ".0";
  return number;
}

inline std::string json(std::string_view value) { return quote(value); }
inline std::string json(const std::string &value) { return quote(value); }

template <class T> std::string json(T *value) {
  return address(reinterpret_cast<const void *>(value));
}

// A class of `size` bytes: shown as `form`, or, by who knows no types but those
// of the maptype, as its bytes. Marked as such for compare.py.
inline std::string a_class(const std::string &form, std::size_t size) {
  return "{\"class\":" + form + ",\"size\":" + std::to_string(size) + "}";
}

// What only the debugger's own printers know (of libstdc++): the text that each prints.
inline std::string printed(const std::string &gdb, const std::string &lldb, std::size_t size) {
  return a_class("{\"gdb\":" + quote(gdb) + ",\"lldb\":" + quote(lldb) + "}", size);
}

inline std::string json(const std::vector<int> &value) {
  const std::string size = std::to_string(value.size());
  std::string gdb =
      "std::vector of length " + size + ", capacity " + std::to_string(value.capacity());
  std::string lldb = "size=" + size;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string element = std::to_string(value[i]);
    gdb += (i == 0 ? " = {" : ", ") + element;
    lldb += (i == 0 ? " {[" : ", [") + std::to_string(i) + "] = " + element;
  }
  return value.empty() ? printed(gdb, lldb, sizeof value)
                       : printed(gdb + "}", lldb + "}", sizeof value);
}

inline std::string json(const std::unique_ptr<int> &value) {
  std::string target = address(value.get());
  target = value ? target.substr(1, target.size() - 2) : "0x0";
  const std::string digits = target.substr(2);
  return printed("std::unique_ptr<int> = {get() = " + target + "}",
                 (value ? target : "nullptr") + " {pointer = 0x" +
                     std::string(16 - digits.size(), '0') + digits + "}",
                 sizeof value);
}

inline std::string optional(const std::string &type, const std::string *contained,
                            std::size_t size) {
  if (contained == nullptr)
    return printed("std::optional<" + type + "> [no contained value]", "Has Value=false", size);
  return printed("std::optional<" + type + "> = {[contained value] = " + *contained + "}",
                 "Has Value=true {Value = " + *contained + "}", size);
}

inline std::string json(const std::optional<int> &value) {
  const std::string contained = std::to_string(value.value_or(0));
  return optional("int", value ? &contained : nullptr, sizeof value);
}

inline std::string json(const std::optional<std::string> &value) {
  const std::string contained = '"' + value.value_or("") + '"';
  return optional("std::string", value ? &contained : nullptr, sizeof value);
}

inline std::string json(const std::array<int, 3> &value) {
  return a_class("[" + std::to_string(value[0]) + "," + std::to_string(value[1]) + "," +
                     std::to_string(value[2]) + "]",
                 sizeof value);
}

template <class A, class B> std::string json(const std::pair<A, B> &value) {
  return a_class("{\"first\":" + json(value.first) + ",\"second\":" + json(value.second) + "}",
                 sizeof value);
}

#ifndef MAPSCOPE_TESTS_NO_MAPS
// A map inside a map. Its type is left to the debugger: "*" is any name.
template <class K, class V, class... Rest>
std::string json(const mapscope::map<K, V, Rest...> &value) {
  return a_class(header(value) == nullptr ? "null"
                                          : "{\"map\":\"*\",\"address\":" + address(header(value)) +
                                                ",\"count\":" + std::to_string(value.size()) + "}",
                 sizeof value);
}

// The record of one map.
class record {
public:
  record(std::string name, std::function<const mapscope::hmap *()> map_header)
      : name_(std::move(name)), header_(std::move(map_header)) {}

  // Notes an entry. unequal: the key is not equal to itself, so it overwrites
  // no other.
  void note(const std::string &key, std::string value, bool unequal = false) {
    if (!unequal) {
      const auto [found, added] = index_.try_emplace(key, entries_.size());
      if (!added) {
        entries_[found->second].second = std::move(value);
        return;
      }
    }
    entries_.emplace_back(key, std::move(value));
  }

  void forget(const std::string &key) {
    const auto found = index_.find(key);
    if (found == index_.end())
      return;
    const std::size_t place = found->second;
    index_.erase(found);
    if (place + 1 != entries_.size()) {
      entries_[place] = std::move(entries_.back());
      index_[entries_[place].first] = place;
    }
    entries_.pop_back();
  }

  void clear() {
    entries_.clear();
    index_.clear();
  }

  std::size_t size() const { return entries_.size(); }

  // One line of JSON: name, address (of the hmap), count, migrating, entries.
  std::string line() const { return line_as(name_); }

  std::string line_as(const std::string &name) const {
    const mapscope::hmap *h = header_();
    std::string text = "{\"name\":" + quote(name) + ",\"address\":" + address(h) +
                       ",\"count\":" + std::to_string(entries_.size()) + ",\"migrating\":" +
                       (h != nullptr && h->oldbuckets != nullptr ? "true" : "false") +
                       ",\"entries\":[";
    const char *separator = "";
    for (const auto &[key, value] : entries_) {
      text += separator;
      text += "{\"key\":" + key + ",\"value\":" + value + "}";
      separator = ",";
    }
    return text + "]}\n";
  }

private:
  std::string name_;
  std::function<const mapscope::hmap *()> header_;
  std::vector<std::pair<std::string, std::string>> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

// A map together with its record.
template <class Map> class tracked : public record {
public:
  using key_type = typename Map::key_type;
  using mapped_type = typename Map::mapped_type;

  tracked(std::string name, Map &map)
      : record(std::move(name), [&map] { return header(map); }), map_(map) {}

  tracked &put(key_type key, mapped_type value) {
    const bool unequal = !(key == key);
    note(json(key), json(value), unequal);
    map_.insert_or_assign(std::move(key), std::move(value));
    return *this;
  }

  void erase(const key_type &key) {
    map_.erase(key);
    forget(json(key));
  }

private:
  Map &map_;
};
#endif

// Writes text to the file at path, whole or not at all: who waits for the file
// to appear never sees a part of it.
inline void write(const std::string &path, const std::string &text) {
  const std::string part = path + ".part";
  std::FILE *file = std::fopen(part.c_str(), "wb");
  if (file == nullptr || std::fwrite(text.data(), 1, text.size(), file) != text.size() ||
      std::fclose(file) != 0 || std::rename(part.c_str(), path.c_str()) != 0) {
    std::perror(part.c_str());
    std::exit(1);
  }
}

} // namespace truth

#endif

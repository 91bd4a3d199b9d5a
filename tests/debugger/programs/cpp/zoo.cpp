// SPDX-License-Identifier: MIT
//
// zoo holds mapscope maps of every sort and stops at checkpoint.
//
//   zoo [--truth FILE] [--trap] [--wait SECONDS]
//
// --truth writes what is in the maps, one line of JSON for each (truth.hpp).
// --trap stops by a breakpoint instruction of the program's own, for builds
// that have no symbols. --wait sleeps at the checkpoint, for debuggers that
// attach.
#include "truth.hpp"

#include <array>
#include <climits>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <unistd.h>

namespace {

enum class color : std::uint8_t { red, green = 7, blue = 200 };
enum weekday : int { sunday = -1, monday = 0 };

struct point {
  std::int32_t x;
  std::int32_t y;
  bool operator==(const point &) const = default;
};

struct padded {
  std::int8_t a;
  std::int64_t b;
  std::int16_t c;
  bool operator==(const padded &) const = default;
};

struct nested {
  std::string name;
  point where;
  std::int16_t tags[2];
  padded deep;
  bool operator==(const nested &) const = default;
};

struct big {
  std::uint8_t bytes[200];
  bool operator==(const big &) const = default;
};

struct alignas(32) aligned32 {
  std::int64_t id;
  bool operator==(const aligned32 &) const = default;
};

struct alignas(64) aligned64 {
  std::int8_t id;
  bool operator==(const aligned64 &) const = default;
};

struct nothing {
  bool operator==(const nothing &) const = default;
};

struct bits {
  unsigned low : 3;
  signed high : 5;
  bool operator==(const bits &) const = default;
};

// A key whose every hash is the same, so that one chain holds all of them.
struct crowded {
  int id;
  bool operator==(const crowded &) const = default;
};

// May throw when it is moved, so that the map stores it indirectly.
struct slow_move {
  int id;
  explicit slow_move(int i) : id(i) {}
  slow_move(slow_move &&other) noexcept(false) : id(other.id) {}
  slow_move(const slow_move &other) noexcept(false) : id(other.id) {}
  slow_move &operator=(const slow_move &) = default;
  ~slow_move() = default;
  bool operator==(const slow_move &) const = default;
};

struct zoo_hash {
  std::size_t operator()(const point &k) const {
    return std::hash<long long>{}((static_cast<long long>(k.x) << 32) ^ k.y);
  }
  std::size_t operator()(const padded &k) const { return std::hash<long long>{}(k.b ^ k.a ^ k.c); }
  std::size_t operator()(const nested &k) const {
    return std::hash<std::string>{}(k.name) ^ (*this)(k.where);
  }
  std::size_t operator()(const big &k) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char *>(k.bytes), sizeof k.bytes});
  }
  std::size_t operator()(const aligned32 &k) const { return std::hash<std::int64_t>{}(k.id); }
  std::size_t operator()(const aligned64 &k) const { return std::hash<std::int8_t>{}(k.id); }
  std::size_t operator()(const nothing &) const { return 1; }
  std::size_t operator()(const bits &k) const {
    return std::hash<int>{}(static_cast<int>(k.low) * 64 + k.high);
  }
  std::size_t operator()(const crowded &) const { return 42; }
  std::size_t operator()(const slow_move &k) const { return std::hash<int>{}(k.id); }
  std::size_t operator()(const std::array<int, 3> &k) const { return std::hash<int>{}(k[0]); }
  std::size_t operator()(const std::pair<int, std::string> &k) const {
    return std::hash<std::string>{}(k.second);
  }
  std::size_t operator()(const std::optional<int> &k) const {
    return std::hash<std::optional<int>>{}(k);
  }
};

template <class K, class V> using hashed = mapscope::map<K, V, zoo_hash>;

struct holder {
  int before = 1;
  mapscope::map<std::string, int> table;
  int after = 2;
};

struct everything {
  mapscope::map<std::string, int> never_written;
  mapscope::map<int, int> reserved;
  mapscope::map<std::string, int> one;
  mapscope::map<int, int> eight;
  mapscope::map<std::uint64_t, std::uint64_t> chains;
  hashed<crowded, int> one_chain;
  mapscope::map<std::string, int> doubling;
  mapscope::map<std::int64_t, std::int64_t> doubling_plain;
  mapscope::map<std::string, int> same_size;
  mapscope::map<std::uint32_t, std::uint32_t> same_size_plain;
  mapscope::map<int, std::string> deleted;
  mapscope::map<std::string, std::string> deleted_text;
  mapscope::map<int, int> emptied;
  mapscope::map<int, int> cleared;
  mapscope::map<std::string, int> cleared_growing;
  mapscope::map<int, int> moved_from;
  mapscope::map<int, int> moved_to;
  mapscope::map<int, int> iterated;

  mapscope::map<std::int8_t, std::int8_t> int8;
  mapscope::map<std::int16_t, std::int16_t> int16;
  mapscope::map<std::int32_t, std::int32_t> int32;
  mapscope::map<std::int64_t, std::int64_t> int64;
  mapscope::map<long long, long> longs;
  mapscope::map<std::uint8_t, std::uint8_t> uint8;
  mapscope::map<std::uint16_t, std::uint16_t> uint16;
  mapscope::map<std::uint32_t, std::uint32_t> uint32;
  mapscope::map<std::uint64_t, std::uint64_t> uint64;
  mapscope::map<bool, bool> flags;
  mapscope::map<char, char> chars;
  mapscope::map<char32_t, char32_t> runes;
  mapscope::map<float, float> floats;
  mapscope::map<double, double> doubles;
  mapscope::map<color, weekday> enums;
  mapscope::map<weekday, color> weekdays;
  mapscope::map<std::string, std::string> text;
  mapscope::map<std::string_view, std::string_view> views;
  mapscope::map<int *, const char *> pointers;
  hashed<point, point> points;
  hashed<padded, padded> paddeds;
  hashed<nested, nested> nesteds;
  hashed<big, int> big_keys;
  mapscope::map<int, big> big_values;
  hashed<big, big> big_both;
  hashed<aligned32, aligned32> aligned32s;
  hashed<aligned64, std::string> aligned64s;
  mapscope::map<std::string, aligned64> aligned_values;
  hashed<nothing, int> nothing_keys;
  mapscope::map<std::string, nothing> set;
  hashed<bits, bits> bit_fields;
  hashed<slow_move, slow_move> slow_moves;
  mapscope::map<int, std::vector<int>> vectors;
  mapscope::map<int, std::unique_ptr<int>> owners;
  hashed<std::array<int, 3>, std::array<int, 3>> arrays;
  hashed<std::pair<int, std::string>, std::pair<std::string, int>> pairs;
  hashed<std::optional<int>, std::optional<std::string>> optionals;
  mapscope::map<std::string, mapscope::map<int, std::string>> maps;
  mapscope::map<int, int (*)(int)> functions;

  holder held;
  holder *held_pointer = nullptr;
  mapscope::map<std::string, int> *map_pointer = nullptr;
  mapscope::map<int, int> map_array[2];
};

int numbers[3];

// json of the types above (truth.hpp).
std::string json(color value) { return truth::json(static_cast<std::uint8_t>(value)); }
std::string json(weekday value) { return truth::json(static_cast<int>(value)); }
std::string json(const point &value) {
  return truth::a_class("{\"x\":" + truth::json(value.x) + ",\"y\":" + truth::json(value.y) + "}",
                        sizeof value);
}
std::string json(const padded &value) {
  return truth::a_class("{\"a\":" + truth::json(value.a) + ",\"b\":" + truth::json(value.b) +
                            ",\"c\":" + truth::json(value.c) + "}",
                        sizeof value);
}
std::string json(const nested &value) {
  return truth::a_class("{\"name\":" + truth::json(value.name) + ",\"where\":" + json(value.where) +
                            ",\"tags\":[" + truth::json(value.tags[0]) + "," +
                            truth::json(value.tags[1]) + "],\"deep\":" + json(value.deep) + "}",
                        sizeof value);
}
std::string json(const big &value) {
  std::string list;
  for (const std::uint8_t byte : value.bytes)
    list += (list.empty() ? "" : ",") + truth::json(byte);
  return truth::a_class("{\"bytes\":[" + list + "]}", sizeof value);
}
std::string json(const aligned32 &value) {
  return truth::a_class("{\"id\":" + truth::json(value.id) + "}", sizeof value);
}
std::string json(const aligned64 &value) {
  return truth::a_class("{\"id\":" + truth::json(value.id) + "}", sizeof value);
}
std::string json(const nothing &value) { return truth::a_class("{}", sizeof value); }
// The debugger alone knows where the bits lie.
std::string json(const bits &value) {
  return truth::a_class(truth::quote("{low = " + std::to_string(value.low) +
                                     ", high = " + std::to_string(value.high) + "}"),
                        sizeof value);
}
std::string json(const crowded &value) {
  return truth::a_class("{\"id\":" + truth::json(value.id) + "}", sizeof value);
}
std::string json(const slow_move &value) {
  return truth::a_class("{\"id\":" + truth::json(value.id) + "}", sizeof value);
}

} // namespace

// Outside the anonymous namespace, so that gdb's user types `zoo.one`.
everything zoo;

namespace {

std::vector<std::unique_ptr<truth::record>> records;

template <class Map> truth::tracked<Map> &track(const char *name, Map &map) {
  auto added = std::make_unique<truth::tracked<Map>>(name, map);
  truth::tracked<Map> &result = *added;
  records.push_back(std::move(added));
  return result;
}

std::string label(int i) { return "key " + std::to_string(i); }

// Fills the map until a doubling from 2^b buckets is under way and a third of
// the old buckets have been evacuated.
template <class Map, class Key, class Value>
void grow(truth::tracked<Map> &tracked, const Map &map, unsigned b, Key key, Value value) {
  for (int i = 0; i < 1 << 20; ++i) {
    tracked.put(key(i), value(i));
    const mapscope::hmap *h = truth::header(map);
    if (h->oldbuckets != nullptr && h->B == b + 1 && h->nevacuate >= (1U << b) / 3)
      return;
  }
}

// Deletes and inserts until a growth of the same size is under way and half of
// the old buckets have been evacuated.
template <class Map, class Key, class Value>
void churn(truth::tracked<Map> &tracked, const Map &map, int size, Key key, Value value) {
  int next = 0;
  for (; next < size; ++next)
    tracked.put(key(next), value(next));
  for (int oldest = 0; next < 1 << 20; ++oldest, ++next) {
    tracked.erase(key(oldest));
    tracked.put(key(next), value(next));
    const mapscope::hmap *h = truth::header(map);
    if (h->oldbuckets != nullptr && (h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0 &&
        h->nevacuate >= (1U << h->B) / 2)
      return;
  }
}

void states() {
  const auto number = [](int i) { return i; };
  track("zoo.never_written", zoo.never_written);
  track("zoo.reserved", zoo.reserved);
  zoo.reserved.reserve(100);
  track("zoo.one", zoo.one).put("only", 1);
  auto &eight = track("zoo.eight", zoo.eight);
  for (int i = 0; i < 8; ++i)
    eight.put(i, i * i);
  auto &chains = track("zoo.chains", zoo.chains);
  for (std::uint64_t i = 0; i < 416; ++i) // the most that 64 buckets take
    chains.put(i * i * i, ~i);
  auto &one_chain = track("zoo.one_chain", zoo.one_chain);
  for (int i = 0; i < 50; ++i)
    one_chain.put(crowded{i}, i);
  grow(track("zoo.doubling", zoo.doubling), zoo.doubling, 5, label, [](int i) { return -i; });
  grow(
      track("zoo.doubling_plain", zoo.doubling_plain), zoo.doubling_plain, 6,
      [](int i) { return -static_cast<std::int64_t>(i) * (std::int64_t{1} << 33); }, number);
  churn(track("zoo.same_size", zoo.same_size), zoo.same_size, 800, label, number);
  churn(
      track("zoo.same_size_plain", zoo.same_size_plain), zoo.same_size_plain, 400,
      [](int i) { return static_cast<std::uint32_t>(i) * 2654435761U; },
      [](int i) { return static_cast<std::uint32_t>(i); });

  auto &deleted = track("zoo.deleted", zoo.deleted);
  auto &deleted_text = track("zoo.deleted_text", zoo.deleted_text);
  auto &emptied = track("zoo.emptied", zoo.emptied);
  auto &cleared = track("zoo.cleared", zoo.cleared);
  for (int i = 0; i < 100; ++i) {
    deleted.put(i, label(i));
    deleted_text.put(label(i), "a text too long for the small string of std::string " + label(i));
    emptied.put(i, i);
    cleared.put(i, i);
  }
  for (int i = 0; i < 100; ++i) {
    if (i % 3 != 0) {
      deleted.erase(i);
      deleted_text.erase(label(i));
    }
    emptied.erase(i);
  }
  zoo.cleared.clear();
  cleared.clear();
  auto &cleared_growing = track("zoo.cleared_growing", zoo.cleared_growing);
  grow(cleared_growing, zoo.cleared_growing, 5, label, number);
  zoo.cleared_growing.clear();
  cleared_growing.clear();
  cleared_growing.put("after", 1);

  track("zoo.moved_from", zoo.moved_from);
  auto &moved_to = track("zoo.moved_to", zoo.moved_to);
  for (int i = 0; i < 10; ++i) {
    zoo.moved_from.insert_or_assign(i, i);
    moved_to.note(truth::json(i), truth::json(i));
  }
  zoo.moved_to = std::move(zoo.moved_from);
  grow(track("zoo.iterated", zoo.iterated), zoo.iterated, 3, number, number);
}

const std::string texts[] = {
    "",
    "plain",
    std::string("a\0b", 3),
    std::string("\0", 1),
    "\xff\xfe",
    "caf\xe9",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "two\nlines\r\n",
    "tab\t",
    "\"quoted\"",
    "'single'",
    "back\\slash",
    "na\xc3\xafve caf\xc3\xa9",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xf0\x9f\x99\x82",
    "\xe2\x80\xaeright to left",
    "\xc2\x85\xc2\x9b"
    "31m",
    "\x7f",
    "<b>&amp;</b>",
    "%s%n$(id)`id`",
    "exactly fifteen",
    "sixteen letters.",
    "\xed\xa0\x80",
};

template <class Number> void limits(const char *name, mapscope::map<Number, Number> &map) {
  using of = std::numeric_limits<Number>;
  track(name, map)
      .put(of::lowest(), of::max())
      .put(of::max(), of::lowest())
      .put(Number{}, static_cast<Number>(-1));
}

int twice(int i) { return 2 * i; }

void kinds() {
  limits("zoo.int8", zoo.int8);
  limits("zoo.int16", zoo.int16);
  limits("zoo.int32", zoo.int32);
  limits("zoo.int64", zoo.int64);
  track("zoo.longs", zoo.longs).put(LLONG_MIN, LONG_MAX).put(-1, 0);
  track("zoo.uint8", zoo.uint8).put(0, 255).put(255, 0);
  track("zoo.uint16", zoo.uint16).put(0, 65535).put(65535, 0);
  track("zoo.uint32", zoo.uint32).put(0, UINT_MAX).put(UINT_MAX, 0);
  track("zoo.uint64", zoo.uint64).put(0, UINT64_MAX).put(1ULL << 63, UINT64_MAX - 1);
  track("zoo.flags", zoo.flags).put(false, true).put(true, false);
  track("zoo.chars", zoo.chars).put('a', '\0').put('\x1b', '"').put('\xff', '\n');
  track("zoo.runes", zoo.runes).put(U'\u65e5', U'a').put(0, 0x10ffff);
  const auto infinity = std::numeric_limits<double>::infinity();
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  track("zoo.floats", zoo.floats)
      .put(0.1F, -0.1F)
      .put(-0.0F, static_cast<float>(-infinity))
      .put(static_cast<float>(infinity), static_cast<float>(nan))
      .put(static_cast<float>(nan), std::numeric_limits<float>::max())
      .put(std::numeric_limits<float>::denorm_min(), 16777216.0F);
  track("zoo.doubles", zoo.doubles)
      .put(0.1, -0.1)
      .put(-0.0, -0.0)
      .put(infinity, -infinity)
      .put(nan, 1)
      .put(nan, 2)
      .put(std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min())
      .put(1e100, 123456789);
  track("zoo.enums", zoo.enums).put(color::red, sunday).put(color::blue, monday);
  track("zoo.weekdays", zoo.weekdays).put(sunday, color::green).put(monday, static_cast<color>(9));
  auto &strings = track("zoo.text", zoo.text);
  auto &views = track("zoo.views", zoo.views);
  const std::size_t many = std::size(texts);
  for (std::size_t i = 0; i < many; ++i) {
    strings.put(texts[i], texts[many - 1 - i]);
    views.put(texts[i], texts[many - 1 - i]);
  }
  std::string long_key;
  for (int i = 0; i < 20000; ++i)
    long_key += "long ";
  strings.put(long_key, std::string(100000, '\0'));
  track("zoo.pointers", zoo.pointers)
      .put(&numbers[0], "constant")
      .put(nullptr, nullptr)
      .put(&numbers[2], "\x1b[31m");
  track("zoo.points", zoo.points).put({1, -2}, {3, 4}).put({0, 0}, {-1, -1});
  track("zoo.paddeds", zoo.paddeds)
      .put({1, 2, 3}, {-1, -2, -3})
      .put({0, 0, 0}, {127, std::numeric_limits<std::int64_t>::max(), -32768});
  const nested full{std::string("n\0\x1b[1m", 6), {-1, 2}, {3, -4}, {1, 2, 3}};
  const nested zero{};
  track("zoo.nesteds", zoo.nesteds).put(full, zero).put(zero, full);
  big first{};
  first.bytes[0] = 1;
  big last{};
  last.bytes[199] = 255;
  track("zoo.big_keys", zoo.big_keys).put(first, 1).put(last, 2).put(big{}, 0);
  track("zoo.big_values", zoo.big_values).put(1, first).put(2, last);
  track("zoo.big_both", zoo.big_both).put(first, last).put(last, first);
  auto &aligned32s = track("zoo.aligned32s", zoo.aligned32s);
  auto &aligned64s = track("zoo.aligned64s", zoo.aligned64s);
  auto &aligned_values = track("zoo.aligned_values", zoo.aligned_values);
  for (std::int8_t i = 0; i < 30; ++i) {
    aligned32s.put({-i}, {i});
    aligned64s.put({i}, label(i));
    aligned_values.put(label(i), {i});
  }
  track("zoo.nothing_keys", zoo.nothing_keys).put({}, 42);
  track("zoo.set", zoo.set).put("a", {}).put("", {});
  track("zoo.bit_fields", zoo.bit_fields).put({7, -16}, {1, 15}).put({0, 0}, {5, -1});
  auto &slow_moves = track("zoo.slow_moves", zoo.slow_moves);
  for (int i = 0; i < 20; ++i)
    slow_moves.put(slow_move(i), slow_move(-i));
  track("zoo.vectors", zoo.vectors).put(0, {}).put(3, {1, -2, 3});
  auto &owners = track("zoo.owners", zoo.owners);
  owners.put(0, nullptr).put(1, std::make_unique<int>(1));
  track("zoo.arrays", zoo.arrays).put({1, 2, 3}, {-1, -2, -3});
  track("zoo.pairs", zoo.pairs).put({1, "one"}, {"two", 2});
  track("zoo.optionals", zoo.optionals).put(1, "one").put(std::nullopt, std::nullopt);
  auto &maps = track("zoo.maps", zoo.maps);
  maps.put("empty", {});
  zoo.maps["two"].insert_or_assign(1, "one");
  zoo.maps["two"].insert_or_assign(2, "two");
  maps.note(truth::json(std::string_view("two")), truth::json(zoo.maps["two"]));
  track("zoo.functions", zoo.functions).put(0, nullptr).put(2, twice);
}

std::string aliases;

void places() {
  static holder target;
  zoo.held_pointer = &target;
  zoo.map_pointer = &target.table;
  track("zoo.held.table", zoo.held.table).put("in a struct", 1);
  auto &through = track("zoo.held_pointer->table", target.table);
  through.put("through a pointer", 2);
  track("zoo.map_array[1]", zoo.map_array[1]).put(1, 10);
  for (const char *name : {"zoo.map_pointer", "*zoo.map_pointer", "&zoo.held_pointer->table"})
    aliases += through.line_as(name);
}

} // namespace

// Where the tests stop.
[[gnu::noinline]] void checkpoint(bool trap, unsigned wait) {
  if (trap)
    asm volatile("int3");
  if (wait > 0)
    sleep(wait);
  asm volatile("" ::: "memory"); // keeps the call in optimised builds
}

namespace {

// Stops with maps in local variables and arguments, while it ranges over one.
[[gnu::noinline]] int locals(const mapscope::map<std::string, int> &reference,
                             mapscope::map<std::string, int> *pointer, bool trap, unsigned wait) {
  mapscope::map<int, int> none;
  mapscope::map<int, int> small{{1, 10}, {2, 20}};
  int sum = 0;
  for (const auto &[key, value] : zoo.iterated) {
    checkpoint(trap, wait);
    sum += key + value;
    break;
  }
  return sum + static_cast<int>(none.size() + small.size() + reference.size() + pointer->size());
}

} // namespace

int main(int argc, char **argv) {
  std::string path;
  bool trap = false;
  unsigned wait = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--truth" && i + 1 < argc) {
      path = argv[++i];
    } else if (argument == "--trap") {
      trap = true;
    } else if (argument == "--wait" && i + 1 < argc) {
      wait = static_cast<unsigned>(std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: zoo [--truth FILE] [--trap] [--wait SECONDS]\n");
      return 2;
    }
  }
  mapscope::set_seed(1); // the same in every run
  states();
  kinds();
  places();
  if (!path.empty()) {
    std::string lines;
    for (const auto &record : records)
      lines += record->line();
    truth::write(path, lines + aliases);
  }
  locals(zoo.one, zoo.map_pointer, trap, wait);
  std::puts("done");
  return 0;
}

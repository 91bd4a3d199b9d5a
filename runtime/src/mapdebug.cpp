// SPDX-License-Identifier: MIT
//
// MAPDEBUG: settings for looking at a program, in the manner of Go's GODEBUG.
#include "internal.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>

namespace mapscope {

constinit mapdebug_settings mapdebug = {0, 0, MAPSCOPE_HISTORY_LIFE, MAPSCOPE_HISTORY_EVACUATIONS,
                                        false};
constinit std::atomic<bool> detail::shrink_trigger = false;

namespace {

[[maybe_unused]] constexpr uint64_t longest_delay = uint64_t{3600} * 1000000000; // an hour
[[maybe_unused]] constexpr uint64_t longest_history = uint64_t{1} << 24;         // records: 1 GiB

struct settings {
  uint64_t grow_delay = 0;
  uint64_t evacuate_delay = 0;
  uint64_t history_life = MAPSCOPE_HISTORY_LIFE;
  uint64_t history_evacuations = MAPSCOPE_HISTORY_EVACUATIONS;
  bool trace = false;
  bool shrink = false;
};

std::optional<uint64_t> parse_number(std::string_view text) noexcept {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

// "0" or "1".
std::optional<bool> parse_switch(std::string_view text) noexcept {
  const auto number = parse_number(text);
  return number && *number <= 1 ? std::optional(*number == 1) : std::nullopt;
}

// "100us" as nanoseconds.
[[maybe_unused]] std::optional<uint64_t> parse_time(std::string_view text) noexcept {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  uint64_t unit = 0;
  if (text == "ns") {
    unit = 1;
  } else if (text == "us") {
    unit = 1000;
  } else if (text == "ms") {
    unit = 1000000;
  } else if (text == "s") {
    unit = 1000000000;
  }
  if (unit == 0 || number > longest_delay / unit) {
    return std::nullopt;
  }
  return number * unit;
}

// What follows `name` in a setting; none if it is another one.
std::optional<std::string_view> value_of(std::string_view setting, std::string_view name) noexcept {
  return setting.starts_with(name) ? std::optional(setting.substr(name.size())) : std::nullopt;
}

// Puts a value into a setting; false if there is none.
template <class To, class From> bool set(To &to, const std::optional<From> &value) noexcept {
  if (value) {
    to = *value;
  }
  return value.has_value();
}

// One setting into `all`; false if it is none.
bool parse_setting(std::string_view text, settings &all) noexcept {
  if (const auto value = value_of(text, "shrinktrigger=")) {
    return set(all.shrink, parse_switch(*value));
  }
#ifndef MAPSCOPE_NO_DEBUG
  if (const auto value = value_of(text, "maptrace=")) {
    return set(all.trace, parse_switch(*value));
  }
  if (const auto value = value_of(text, "history=")) {
    const auto records = parse_number(*value);
    if (!records || *records > longest_history) {
      return false;
    }
    all.history_life = *records != 0 ? std::bit_ceil(std::max<uint64_t>(*records, 16)) : 0;
    all.history_evacuations = all.history_life;
    return true;
  }
  if (const auto value = value_of(text, "inject=grow:")) {
    return set(all.grow_delay, parse_time(*value));
  }
  if (const auto value = value_of(text, "inject=evacuate:")) {
    return set(all.evacuate_delay, parse_time(*value));
  }
#endif
  return false;
}

#ifdef MAPSCOPE_NO_DEBUG
constexpr char known[] = "shrinktrigger=1; built without debug support";
#else
constexpr char known[] = "shrinktrigger=1, maptrace=1, history=N (records, at most 16777216), "
                         "inject=grow:TIME, inject=evacuate:TIME (such as 100us; ns, us, ms or s, "
                         "at most an hour)";
#endif

// Before the constructors of static objects, which may be maps.
[[gnu::constructor(101)]] void read_environment() noexcept {
  if (const char *const text = secure_getenv("MAPDEBUG")) {
    set_mapdebug(text);
  }
}

} // namespace

bool set_mapdebug(std::string_view text) noexcept {
  settings all;
  bool understood = true;
  while (!text.empty()) {
    const std::string_view setting = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), setting.size() + 1));
    if (setting.empty() || parse_setting(setting, all)) {
      continue;
    }
    understood = false;
    const auto length = static_cast<int>(std::min<size_t>(setting.size(), 200));
    std::fprintf(stderr, "mapscope: MAPDEBUG: \"%.*s\" ignored; known: %s\n", length,
                 setting.data(), known);
  }
  mapdebug.grow_delay.store(all.grow_delay, std::memory_order_relaxed);
  mapdebug.evacuate_delay.store(all.evacuate_delay, std::memory_order_relaxed);
  mapdebug.history_life.store(all.history_life, std::memory_order_relaxed);
  mapdebug.history_evacuations.store(all.history_evacuations, std::memory_order_relaxed);
  mapdebug.trace.store(all.trace, std::memory_order_relaxed);
  detail::shrink_trigger.store(all.shrink, std::memory_order_relaxed);
  return understood;
}

void wait_nanoseconds(uint64_t nanoseconds) noexcept {
  using std::chrono::steady_clock;
  // A sleep takes the kernel's timer slack longer, 50 us unless set otherwise.
  constexpr uint64_t shortest_sleep = 200000;
  if (nanoseconds < shortest_sleep) {
    const auto end = steady_clock::now() + std::chrono::nanoseconds(nanoseconds);
    while (steady_clock::now() < end) {
    }
    return;
  }
  const int error = errno;
  timespec left{static_cast<time_t>(nanoseconds / 1000000000),
                static_cast<long>(nanoseconds % 1000000000)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  errno = error;
}

} // namespace mapscope

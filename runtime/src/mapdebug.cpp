// SPDX-License-Identifier: MIT
//
// MAPDEBUG: settings for looking at a program, in the manner of Go's GODEBUG.
#include "internal.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>

namespace mapscope {

constinit injected_delays injected = {};

namespace {

constexpr uint64_t longest_delay = uint64_t{3600} * 1000000000; // an hour

struct settings {
  uint64_t grow_delay = 0;
  uint64_t evacuate_delay = 0;
};

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

// One setting into `all`; false if it is none.
bool parse_setting([[maybe_unused]] std::string_view text,
                   [[maybe_unused]] settings &all) noexcept {
#ifndef MAPSCOPE_NO_DEBUG
  const auto value_of = [text](std::string_view name) noexcept {
    return text.starts_with(name) ? parse_time(text.substr(name.size())) : std::nullopt;
  };
  if (const auto delay = value_of("inject=grow:")) {
    all.grow_delay = *delay;
    return true;
  }
  if (const auto delay = value_of("inject=evacuate:")) {
    all.evacuate_delay = *delay;
    return true;
  }
#endif
  return false;
}

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
#ifdef MAPSCOPE_NO_DEBUG
    std::fprintf(stderr, "mapscope: MAPDEBUG: \"%.*s\" ignored: built without debug support\n",
                 length, setting.data());
#else
    std::fprintf(stderr,
                 "mapscope: MAPDEBUG: \"%.*s\" ignored; known: inject=grow:TIME, "
                 "inject=evacuate:TIME (such as 100us; ns, us, ms or s, at most an hour)\n",
                 length, setting.data());
#endif
  }
  injected.grow.store(all.grow_delay, std::memory_order_relaxed);
  injected.evacuate.store(all.evacuate_delay, std::memory_order_relaxed);
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

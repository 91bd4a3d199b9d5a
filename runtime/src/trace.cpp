// SPDX-License-Identifier: MIT
//
// MAPDEBUG=maptrace=1: a line for each event, the same that the debuggers'
// `map trace` prints.
#include "internal.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include <unistd.h>

namespace mapscope {
namespace {

// Prints a line whole, also where several threads do.
[[gnu::format(printf, 1, 2)]] void print_line(const char *format, ...) noexcept {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length <= 0) {
    return;
  }
  auto left =
      static_cast<size_t>(length) < sizeof line ? static_cast<size_t>(length) : sizeof line - 1;
  const int error = errno;
  for (const char *from = line; left != 0;) {
    const ssize_t n = write(STDERR_FILENO, from, left);
    if (n < 0 && errno != EINTR) {
      break;
    }
    if (n > 0) {
      from += n;
      left -= static_cast<size_t>(n);
    }
  }
  errno = error;
}

// A load factor in hundredths, halves rounded up.
uint64_t hundredths(uint64_t entries, uint64_t buckets) noexcept {
  return (200 * entries + buckets) / (2 * (buckets != 0 ? buckets : 1));
}

void print_growth(const event &e) noexcept {
  const auto *const map = static_cast<const void *>(e.map);
  if (e.kind == MAPSCOPE_GROWTH_SAME_SIZE) {
    print_line("map[%p] grows same-size at %" PRIu64 " buckets (overflow: %u)\n", map,
               e.old_buckets, unsigned{e.map->noverflow});
    return;
  }
  const bool shrinks = e.kind == MAPSCOPE_GROWTH_SHRINK;
  const uint64_t entries = e.count + (shrinks ? 0 : 1);
  const uint64_t before = hundredths(entries, e.old_buckets);
  const uint64_t after = hundredths(entries, e.buckets);
  print_line("map[%p] %s from %" PRIu64 " to %" PRIu64 " buckets (entries: %" PRIu64
             "%s, load factor: %" PRIu64 ".%02" PRIu64 " -> %" PRIu64 ".%02" PRIu64 ")\n",
             map, shrinks ? "shrinks" : "grows", e.old_buckets, e.buckets, entries,
             shrinks ? "" : " with the new one", before / 100, before % 100, after / 100,
             after % 100);
}

void print_migration(const event &e) noexcept {
  const auto *const map = static_cast<const void *>(e.map);
  if (e.kind != MAPSCOPE_GROWTH_DOUBLE) {
    print_line("map[%p] bucket migration: bkt#%" PRIu64 " -> bkt#%" PRIu64 " (%" PRIu64
               " keys moved)\n",
               map, e.bucket, e.bucket & (e.buckets - 1), e.moved_x);
    return;
  }
  print_line("map[%p] bucket migration: bkt#%" PRIu64 " -> bkt#%" PRIu64 ", bkt#%" PRIu64
             " (%" PRIu64 " + %" PRIu64 " keys moved)\n",
             map, e.bucket, e.bucket, e.bucket + e.old_buckets, e.moved_x, e.moved_y);
}

} // namespace

void print_event(const event &e) noexcept {
  const auto *const map = static_cast<const void *>(e.map);
  switch (e.event) {
  case MAPSCOPE_EVENT_CREATE:
    print_line("map[%p] created with hint %" PRIu64 " (buckets: %" PRIu64 ")\n", map, e.hint,
               e.buckets);
    break;
  case MAPSCOPE_EVENT_GROW:
    print_growth(e);
    break;
  case MAPSCOPE_EVENT_EVACUATED:
    print_migration(e);
    break;
  case MAPSCOPE_EVENT_DONE:
    print_line("map[%p] growth %s: %" PRIu64 " buckets\n", map,
               (e.flags & MAPSCOPE_FLAG_BY_CLEAR) != 0     ? "abandoned by clear"
               : (e.flags & MAPSCOPE_FLAG_BY_DESTROY) != 0 ? "abandoned by the end of the map"
                                                           : "done",
               e.buckets);
    break;
  case MAPSCOPE_EVENT_CLEAR:
    print_line("map[%p] cleared (entries: %" PRIu64 ")\n", map, e.count);
    break;
  case MAPSCOPE_EVENT_DESTROY:
    print_line("map[%p] destroyed (entries: %" PRIu64 ")\n", map, e.count);
    break;
  case MAPSCOPE_EVENT_REBUILD:
    print_line("map[%p] rebuild with hint %" PRIu64 " (entries: %" PRIu64 ", buckets: %" PRIu64
               ")\n",
               map, e.hint, e.count, e.buckets);
    break;
  case MAPSCOPE_EVENT_RACE:
    print_line("map[%p] race: %s\n", map, e.message);
    break;
  default: // the others are for debuggers
    break;
  }
}

} // namespace mapscope

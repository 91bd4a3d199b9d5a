// SPDX-License-Identifier: MIT
//
// mapstats: sums over the registry.
#include "internal.hpp"

#include <cinttypes>
#include <cstdio>

#include <mapscope/stats.hpp>

namespace mapscope {
namespace {

void add(map_stats &all, const hmap *h) noexcept {
  const mapextra *const x = h->extra;
  const maptype_functions *const t = type_of(h);
  const uint64_t entries = glance(h->count);
  all.maps++;
  all.growing += glance(h->oldbuckets) != nullptr ? 1 : 0;
  all.entries += entries;
  all.buckets += glance(h->buckets) != nullptr ? uint64_t{1} << (glance(h->B) & 63) : 0;
  all.overflow_buckets += glance(x->overflow_buckets);
  all.header_bytes += t->header_size;
  all.array_bytes += glance(x->array_bytes);
  all.overflow_bytes += glance(x->overflow_bytes);
  all.old_bytes += glance(x->old_bytes);
  all.retired_bytes += glance(x->retired_bytes);
  all.indirect_bytes += entries * (((t->flags & MAPSCOPE_INDIRECT_KEY) != 0 ? t->key.size : 0) +
                                   ((t->flags & MAPSCOPE_INDIRECT_ELEM) != 0 ? t->elem.size : 0));
  all.growths += glance(x->growths);
  all.same_size_growths += glance(x->same_size_growths);
  all.shrinks += glance(x->shrinks);
  all.rebuilds += glance(x->rebuilds);
  all.buckets_evacuated += glance(x->evacuated_before) + glance(x->evacuated);
}

double ratio(uint64_t a, uint64_t b) noexcept {
  return b != 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
}

// The text of a metric, line by line.
class exposition {
public:
  void metric(const char *name, const char *type, const char *help) {
    text_.append("# HELP mapscope_").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE mapscope_").append(name).append(" ").append(type).append("\n");
  }
  void sample(const char *name, const char *labels, uint64_t value) {
    char number[32];
    std::snprintf(number, sizeof number, "%" PRIu64, value);
    line(name, labels, number);
  }
  void sample(const char *name, const char *labels, double value) {
    char number[32];
    std::snprintf(number, sizeof number, "%.6f", value);
    for (char &c : number) {
      c = c == ',' ? '.' : c; // whatever the locale
    }
    line(name, labels, number);
  }
  template <class T> void one(const char *name, const char *type, const char *help, T value) {
    metric(name, type, help);
    sample(name, "", value);
  }
  std::string text() && { return std::move(text_); }

private:
  void line(const char *name, const char *labels, const char *value) {
    text_.append("mapscope_").append(name).append(labels).append(" ").append(value).append("\n");
  }
  std::string text_;
};

} // namespace

double map_stats::load_factor() const noexcept { return ratio(entries, buckets); }
double map_stats::overflow_ratio() const noexcept { return ratio(overflow_buckets, buckets); }

map_stats mapstats() noexcept {
  map_stats all;
  for (registry_shard &shard : registry) {
    const spin_lock lock(shard.lock);
    for (const hmap *h = shard.head; h != nullptr; h = h->extra->next) {
      add(all, h);
    }
    all.created += shard.departed.maps;
    all.growths += shard.departed.growths;
    all.same_size_growths += shard.departed.same_size_growths;
    all.shrinks += shard.departed.shrinks;
    all.rebuilds += shard.departed.rebuilds;
    all.buckets_evacuated += shard.departed.evacuated;
  }
  all.created += all.maps;
  all.bytes = all.header_bytes + all.array_bytes + all.overflow_bytes + all.old_bytes +
              all.retired_bytes + all.indirect_bytes;
  return all;
}

std::string map_stats::prometheus() const {
  exposition text;
  text.one("maps", "gauge", "Live maps.", maps);
  text.one("maps_growing", "gauge", "Live maps that are migrating to another array.", growing);
  text.one("entries", "gauge", "Entries of live maps.", entries);
  text.one("buckets", "gauge", "Buckets of the present arrays.", buckets);
  text.one("overflow_buckets", "gauge", "Overflow buckets in use.", overflow_buckets);
  text.one("load_factor", "gauge", "Entries for each bucket, over all maps.", load_factor());
  text.one("overflow_ratio", "gauge", "Overflow buckets in use for each bucket.", overflow_ratio());
  text.metric("bytes", "gauge", "Memory that the maps hold, by what for.");
  text.sample("bytes", "{part=\"headers\"}", header_bytes);
  text.sample("bytes", "{part=\"arrays\"}", array_bytes);
  text.sample("bytes", "{part=\"overflow\"}", overflow_bytes);
  text.sample("bytes", "{part=\"old\"}", old_bytes);
  text.sample("bytes", "{part=\"retired\"}", retired_bytes);
  text.sample("bytes", "{part=\"indirect\"}", indirect_bytes);
  text.one("maps_created_total", "counter", "Maps created.", created);
  text.metric("growths_total", "counter", "Migrations begun, by kind.");
  text.sample("growths_total", "{kind=\"double\"}", growths);
  text.sample("growths_total", "{kind=\"same-size\"}", same_size_growths);
  text.sample("growths_total", "{kind=\"shrink\"}", shrinks);
  text.one("rebuilds_total", "counter", "Maps rebuilt.", rebuilds);
  text.one("buckets_evacuated_total", "counter", "Old buckets evacuated.", buckets_evacuated);
  return std::move(text).text();
}

} // namespace mapscope

// SPDX-License-Identifier: MIT
//
// Programs to stop in: maps that grow, migrate, are churned and cleared, and the
// program's own word on how often.
//
//   stops [--entries N [--few]]
//                            several maps, one after the other and two at a
//                            time; then a line of JSON for each: how often it
//                            grew, how many old buckets were evacuated, ... and
//                            a checksum of all that it holds; with --few, the
//                            last two, whose sizes are their own, hold an eighth
//   stops --threads          four threads fill a map of their own each
//   stops --operations N     N writes to one map, then "finished" and a checksum
//                            of all that it holds
//
// The counts come from each map's header, looked at after every operation.
#include <array>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <mapscope/map.hpp>

namespace {

using mapscope::hmap;

struct big {
  uint64_t first;
  std::array<uint64_t, 24> rest; // over 128 bytes: stored indirectly
};
struct point {
  int32_t x, y;
  bool operator==(const point &) const = default;
};

uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// A number for each key and value, for checksums.
uint64_t digest(uint64_t x) { return mix(x); }
uint64_t digest(int x) { return mix(static_cast<uint64_t>(x)); }
uint64_t digest(const point &p) { return mix(digest(p.x) + static_cast<uint64_t>(p.y)); }
uint64_t digest(const big &b) { return mix(digest(b.first) + b.rest.back()); }
uint64_t digest(const std::string &text) {
  uint64_t sum = text.size();
  for (const char c : text) {
    sum = mix(sum ^ static_cast<unsigned char>(c));
  }
  return sum;
}

struct point_hash {
  size_t operator()(const point &p) const {
    return mix(static_cast<uint32_t>(p.x) + (uint64_t{static_cast<uint32_t>(p.y)} << 32));
  }
};

} // namespace

// Where a debugger stops, with the map about to be filled.
template <class Map> [[gnu::noinline]] void filling(const Map &map) {
  asm volatile("" : : "r"(&map) : "memory");
}
[[gnu::noinline]] void finish() { asm volatile("" ::: "memory"); }

namespace {

// A map and what its header showed.
template <class K, class V, class H = mapscope::hash<K>> class observed {
public:
  explicit observed(const char *name) : name_(name) {}

  void insert(const K &key, const V &value) {
    map_.insert_or_assign(key, value);
    look();
  }
  void erase(const K &key) {
    map_.erase(key);
    look();
  }
  void clear() {
    const hmap *h = header();
    if (h->oldbuckets != nullptr) {
      evacuated_ += heads(h);
      abandoned_++;
    }
    clears_++;
    map_.clear();
    old_ = nullptr;
    B_ = h->B;
  }
  size_t size() const { return map_.size(); }
  const hmap *header() const {
    hmap *h = nullptr;
    std::memcpy(&h, static_cast<const void *>(&map_), sizeof h);
    return h;
  }
  const auto &map() const { return map_; }

  void report() {
    const hmap *h = header();
    if (h->oldbuckets != nullptr) {
      evacuated_ += heads(h);
    }
    uint64_t sum = 0;
    for (const auto &[key, value] : map_) {
      sum += mix(digest(key) ^ digest(value) << 1);
    }
    std::cout << R"({"name": ")" << name_ << R"(", "address": ")" << static_cast<const void *>(h)
              << R"(", "count": )" << h->count << R"(, "double": )" << doublings_
              << R"(, "same_size": )" << same_size_ << R"(, "evacuate": )" << evacuated_
              << R"(, "done": )" << done_ << R"(, "abandoned": )" << abandoned_ << R"(, "clear": )"
              << clears_ << R"(, "migrating": )" << (h->oldbuckets != nullptr ? "true" : "false")
              << R"(, "checksum": )" << sum << "}\n";
  }

private:
  // The old buckets of the growth in progress that are evacuated.
  uint64_t heads(const hmap *h) const {
    const bool same_size = (h->flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
    const uint64_t count = uint64_t{1} << (h->B - (same_size ? 0 : 1));
    uint64_t n = 0;
    for (uint64_t i = 0; i < count; i++) {
      const uint8_t top =
          *(reinterpret_cast<const uint8_t *>(h->oldbuckets) + i * h->extra->type->bucketsize);
      n += top >= 2 && top < 5 ? 1 : 0;
    }
    return n;
  }
  void look() {
    const hmap *h = header();
    if (old_ != nullptr && h->oldbuckets != old_) {
      done_++;
      evacuated_ += uint64_t{1} << old_B_;
    }
    const bool started = h->oldbuckets != nullptr && h->oldbuckets != old_;
    if (h->B != B_) {
      doublings_++;
      if (!started) { // begun and ended in one operation
        done_++;
        evacuated_ += uint64_t{1} << B_;
      }
    } else if (started) {
      same_size_++;
    }
    if (started) {
      old_B_ = B_;
    }
    old_ = h->oldbuckets;
    B_ = h->B;
  }

  const char *name_;
  mapscope::map<K, V, H> map_;
  const void *old_ = nullptr;
  uint8_t B_ = 0, old_B_ = 0;
  uint64_t doublings_ = 0, same_size_ = 0, evacuated_ = 0, done_ = 0, abandoned_ = 0, clears_ = 0;
};

std::string text(uint64_t i) { return "key-" + std::to_string(i); }

// Entries come and go at a load that is nearly too high: overflow buckets pile
// up until the map grows at the same size.
template <class Map, class Key> void churn(Map &map, uint64_t from, uint64_t n, Key key) {
  for (uint64_t i = from; i < from + n; i++) {
    map.erase(key(i - map.size()));
    map.insert(key(i), {});
  }
}

void counts(uint64_t entries, uint64_t kept, uint64_t emptied) {
  const auto number = [](uint64_t i) { return i; };
  const auto place = [](uint64_t i) { return point{static_cast<int32_t>(i), -1}; };
  observed<uint64_t, uint64_t> numbers("numbers");
  filling(numbers.map());
  for (uint64_t i = 0; i < entries; i++) {
    numbers.insert(i, i);
  }
  observed<std::string, int> texts("texts");
  observed<point, int, point_hash> points("points");
  filling(texts.map());
  filling(points.map());
  for (uint64_t i = 0; i < entries; i++) { // two at a time
    texts.insert(text(i), 1);
    points.insert(place(i), 2);
  }
  observed<uint64_t, big> bigs("bigs");
  filling(bigs.map());
  for (uint64_t i = 0; i < entries; i++) {
    big value{i, {}};
    value.rest.back() = ~i;
    bigs.insert(i, value);
  }
  observed<uint64_t, uint64_t> churned("churned");
  filling(churned.map());
  for (uint64_t i = 0; i < kept; i++) {
    churned.insert(i, i);
  }
  churn(churned, kept, entries, number);
  observed<std::string, int> cleared("cleared");
  filling(cleared.map());
  for (uint64_t round = 0; round < 3; round++) {
    for (uint64_t i = 0; i < emptied << round; i++) {
      cleared.insert(text(i), 1);
    }
    cleared.clear(); // in the middle of a doubling
  }
  finish();
  numbers.report();
  texts.report();
  points.report();
  bigs.report();
  churned.report();
  cleared.report();
}

void threads() {
  std::vector<std::jthread> all;
  for (int t = 0; t < 4; t++) {
    all.emplace_back([] {
      mapscope::map<uint64_t, uint64_t> own;
      filling(own);
      for (uint64_t i = 0; i < 20'000; i++) {
        own[i] = i;
      }
    });
  }
  all.clear();
  finish();
}

void operations(uint64_t n) {
  mapscope::map<uint64_t, uint64_t> map;
  map[0] = 0;
  filling(map);
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t key = mix(i) % 50'000;
    if (i % 5 == 4) {
      map.erase(key);
    } else {
      map[key] += i;
    }
    if (i % 200'000 == 149'999) {
      if (i % 400'000 < 200'000) {
        map.clear();
      } else {
        map = {};
      }
    }
  }
  uint64_t sum = 0;
  for (const auto &[key, value] : map) {
    sum += mix(key ^ mix(value));
  }
  finish();
  std::cout << "finished " << sum << '\n';
}

} // namespace

int main(int argc, char **argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "--entries";
  const uint64_t n = argc > 2 ? std::stoull(argv[2]) : 10'000;
  if (mode == "--entries") {
    const bool few = argc > 3 && argv[3] == std::string_view("--few");
    counts(n, few ? 100 : 800, few ? 54 : 450);
  } else if (mode == "--threads") {
    threads();
  } else if (mode == "--operations") {
    operations(n);
  } else {
    std::cerr << "usage: stops [--entries N [--few] | --threads | --operations N]\n";
    return 2;
  }
}

// SPDX-License-Identifier: MIT
//
// Random operations, with std::unordered_map as the model of what a map ought
// to hold, for keys and values of many sizes, alignments and ways to be
// stored; with and without live iterators; with hashes that collide.
#include <algorithm>
#include <array>
#include <cmath>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <boost/mpl/vector.hpp>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(model)

namespace {

// A type of Size bytes that holds a number, in its first bytes, and a pattern
// made from it in the rest.
template <size_t Size, size_t Align = 1> struct alignas(Align) blob {
  std::array<unsigned char, Size> bytes{};
  blob() = default;
  explicit blob(uint64_t n) {
    for (size_t i = 0; i < Size; i++) {
      bytes[i] = static_cast<unsigned char>(i < 8 ? n >> (8 * i) : n + i);
    }
  }
  friend bool operator==(const blob &, const blob &) = default;
};

// Counts its objects: one destroyed twice or never is noticed.
struct counted {
  static inline int64_t live = 0;
  uint64_t n = 0;
  counted() { live++; }
  explicit counted(uint64_t x) : n(x) { live++; }
  counted(const counted &other) : n(other.n) { live++; }
  counted(counted &&other) noexcept : n(std::exchange(other.n, ~uint64_t{0})) { live++; }
  counted &operator=(const counted &) = default;
  counted &operator=(counted &&other) noexcept {
    n = std::exchange(other.n, ~uint64_t{0});
    return *this;
  }
  ~counted() { live--; }
  friend bool operator==(const counted &a, const counted &b) { return a.n == b.n; }
};

// May throw when moved, as far as the compiler knows: stored indirectly.
struct immovable {
  uint64_t n = 0;
  std::string text;
  immovable() = default;
  explicit immovable(uint64_t x) : n(x), text(std::to_string(x)) {}
  immovable(const immovable &other) noexcept(false) = default;
  immovable &operator=(const immovable &) = default;
  friend bool operator==(const immovable &, const immovable &) = default;
};
static_assert(mapscope::detail::slot<immovable>::indirect);
static_assert(!mapscope::detail::slot<counted>::indirect);

template <class T> T make(uint64_t n) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::string(n % 40, 'k') + std::to_string(n);
  } else if constexpr (std::is_same_v<T, std::unique_ptr<uint64_t>>) {
    return std::make_unique<uint64_t>(n);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(n);
  } else {
    return T(n);
  }
}

template <class T> bool same(const T &value, uint64_t n) {
  if constexpr (std::is_same_v<T, std::unique_ptr<uint64_t>>) {
    return value != nullptr && *value == n;
  } else {
    return value == make<T>(n);
  }
}

// A hash of the bytes; divided, so that many keys collide, if Spread is small.
template <class K, uint64_t Spread = 0> struct hash_of {
  size_t operator()(const K &key) const {
    uint64_t hash = 0;
    if constexpr (std::is_same_v<K, counted> || std::is_same_v<K, immovable>) {
      hash = key.n;
    } else if constexpr (std::is_arithmetic_v<K> || std::is_same_v<K, std::string>) {
      hash = std::hash<K>()(key);
    } else {
      std::memcpy(&hash, &key, std::min(sizeof key, sizeof hash));
    }
    return Spread == 0 ? hash : hash % Spread;
  }
};

template <class K, class V, class Hash, bool Iterators> class driver {
public:
  using map_type = mapscope::map<K, V, Hash>;

  driver(uint64_t seed, uint64_t keys) : random_(seed), keys_(std::min(keys, distinct())) {}

  // Migrations to a smaller array that were seen in progress.
  [[nodiscard]] uint64_t shrinks() const { return shrinks_; }

  void run(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++) {
      step();
      if (i % 499 == 0) {
        check();
      }
    }
    check();
  }

private:
  struct walk {
    typename map_type::iterator it;
    std::unordered_set<uint64_t> owed; // there since the beginning, not seen yet
    std::unordered_set<uint64_t> seen; // and there ever since
    bool on_entry = false;             // what `it` points at was not erased
    uint64_t current = 0;              // the number of that entry
  };

  static uint64_t distinct() {
    return sizeof(K) == 1 ? 256 : sizeof(K) == 2 ? 65536 : ~uint64_t{0};
  }
  // The number that a key was made from.
  static uint64_t read(const K &key) {
    if constexpr (std::is_same_v<K, std::string>) {
      return std::stoull(key.substr(key.find_first_not_of('k')));
    } else if constexpr (std::is_same_v<K, counted> || std::is_same_v<K, immovable>) {
      return key.n;
    } else if constexpr (std::is_arithmetic_v<K>) {
      return static_cast<uint64_t>(key);
    } else {
      uint64_t n = 0;
      std::memcpy(&n, &key, std::min(sizeof key, sizeof n));
      return n;
    }
  }

  void forget(uint64_t n) {
    for (walk &w : walks_) {
      w.owed.erase(n);
      w.seen.erase(n);
      w.on_entry = w.on_entry && w.current != n;
    }
  }

  void step() {
    const uint64_t n = support::below(random_, keys_);
    const uint64_t value = support::below(random_, 1000);
    // Swings between growing and shrinking, to none now and then.
    const uint64_t phase = phase_++ / (4 * keys_ + 100) % 6;
    const bool filling = phase % 3 != 2;
    if (phase == 5 && !model_.empty() && support::below(random_, 4) != 0) {
      const uint64_t present = model_.begin()->first;
      BOOST_REQUIRE(map_.erase(make<K>(present)) == model_.erase(present));
      forget(present);
      note_shrinking();
      return;
    }
    switch (support::below(random_, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (!filling) {
        BOOST_REQUIRE(map_.erase(make<K>(n)) == model_.erase(n));
        forget(n);
        break;
      }
      [[fallthrough]];
    case 4:
    case 5:
    case 6: {
      const bool fresh = model_.try_emplace(n, value).second;
      const auto [it, inserted] = map_.try_emplace(make<K>(n), make<V>(value));
      BOOST_REQUIRE(inserted == fresh);
      BOOST_REQUIRE(same(it->second, model_[n]));
      break;
    }
    case 7:
      model_[n] = value;
      map_.insert_or_assign(make<K>(n), make<V>(value));
      break;
    case 8:
      model_[n] = value;
      map_[make<K>(n)] = make<V>(value);
      break;
    case 9:
    case 10: {
      const auto it = map_.find(make<K>(n));
      const auto expected = model_.find(n);
      BOOST_REQUIRE((it == map_.end()) == (expected == model_.end()));
      if (expected != model_.end()) {
        BOOST_REQUIRE(same(it->second, expected->second));
        if (value % 4 == 0) {
          map_.erase(it);
          model_.erase(n);
          forget(n);
        }
      }
      break;
    }
    case 11:
      BOOST_REQUIRE(map_.contains(make<K>(n)) == (model_.count(n) == 1));
      break;
    case 12:
      if (value < 3 && support::below(random_, 20) == 0) {
        map_.clear();
        model_.clear();
        for (walk &w : walks_) {
          BOOST_REQUIRE((w.it == map_.end()));
          BOOST_REQUIRE((++w.it == map_.end()));
        }
        walks_.clear();
      } else if (value < 5 && support::below(random_, 10) == 0) {
        map_.reserve(model_.size() * 3);
      } else if (value < 7 && support::below(random_, 10) == 0) {
        map_.rebuild(value == 5 ? 0 : model_.size() * 2);
      }
      break;
    default:
      if constexpr (Iterators) {
        iterate();
      }
    }
    BOOST_REQUIRE(map_.size() == model_.size());
    note_shrinking();
    check_shortcut();
  }

  // What lookups and writes take for known is what the header says now.
  void check_shortcut() {
    const mapscope::hmap *const h = support::header(map_);
    if (h == nullptr) {
      return;
    }
    const mapscope::shortcut &known = mapscope::shortcut_of(h);
    BOOST_REQUIRE(&known == &mapscope::state_of(h)->shortcut);
    BOOST_REQUIRE(known.buckets == (h->oldbuckets == nullptr ? h->buckets : nullptr));
    BOOST_REQUIRE(known.mask == mapscope::bucketMask(h->B));
    BOOST_REQUIRE(mapscope::hash_integer(12345, known.seed) ==
                  mapscope::hash_integer(12345, h->hash0));
    const bool too_many = mapscope::tooManyOverflowBuckets(h->noverflow, h->B);
    for (const uint64_t count : {known.room, known.room - 1}) {
      const bool room = !too_many && !mapscope::overLoadFactor(count + 1, h->B);
      BOOST_REQUIRE((count < known.room) == room);
    }
  }

  void note_shrinking() {
    if (const mapscope::hmap *const h = support::header(map_); h != nullptr) {
      shrinks_ += mapscope::shrinking(h) ? 1 : 0;
    }
  }

  void iterate() {
    if (walks_.size() < 4 && support::below(random_, 8) == 0) {
      walk &w = walks_.emplace_back();
      for (const auto &[n, value] : model_) {
        w.owed.insert(n);
      }
      w.it = map_.begin();
      arrive(w);
    }
    for (auto w = walks_.begin(); w != walks_.end();) {
      for (uint64_t steps = support::below(random_, 6); steps != 0; steps--) {
        if (w->it == map_.end()) {
          break;
        }
        leave(*w);
        arrive(*w);
        if (support::below(random_, 16) == 0) { // a copy goes on from there
          auto copy = w->it;
          w->it = std::move(copy);
        }
      }
      if (w->it == map_.end()) {
        BOOST_REQUIRE_MESSAGE(w->owed.empty(), w->owed.size() << " entries not visited");
        w = walks_.erase(w);
      } else {
        ++w;
      }
    }
  }

  // The iterator has come to an entry, or to the end.
  void arrive(walk &w) {
    w.on_entry = w.it != map_.end();
    if (w.on_entry) {
      w.current = read(w.it->first);
      BOOST_REQUIRE_MESSAGE(w.seen.insert(w.current).second, w.current << " visited twice");
      w.owed.erase(w.current);
      look(w);
    }
  }

  // What the iterator points at is still the same entry, wherever it is now.
  void look(const walk &w) {
    BOOST_REQUIRE(read(w.it->first) == w.current);
    const auto expected = model_.find(w.current);
    BOOST_REQUIRE(expected != model_.end());
    BOOST_REQUIRE(same(w.it->second, expected->second));
  }

  // Advances, sometimes by erasing.
  void leave(walk &w) {
    if (!w.on_entry) {
      ++w.it;
      return;
    }
    look(w);
    if (support::below(random_, 10) == 0) {
      const uint64_t n = w.current;
      w.it = map_.erase(std::move(w.it));
      model_.erase(n);
      forget(n);
    } else {
      ++w.it;
    }
  }

  void check() {
    std::unordered_set<uint64_t> seen;
    for (const auto &[key, value] : map_) {
      const uint64_t n = read(key);
      BOOST_REQUIRE(key == make<K>(n));
      const auto expected = model_.find(n);
      BOOST_REQUIRE(expected != model_.end());
      BOOST_REQUIRE(same(value, expected->second));
      BOOST_REQUIRE(seen.insert(n).second);
    }
    BOOST_REQUIRE(seen.size() == model_.size());
    // And as a debugger reads it.
    const decoder::decoded decoded = support::decode(map_);
    BOOST_REQUIRE(decoded.count == model_.size() || decoded.nil);
    seen.clear();
    for (const decoder::entry &e : decoded.entries) {
      BOOST_REQUIRE(!e.in_flight);
      const uint64_t n = read(support::at<K>(e.key));
      const auto expected = model_.find(n);
      BOOST_REQUIRE(expected != model_.end());
      BOOST_REQUIRE(same(support::at<V>(e.elem), expected->second));
      BOOST_REQUIRE(seen.insert(n).second);
    }
    BOOST_REQUIRE(seen.size() == model_.size());
  }

  support::random random_;
  uint64_t keys_;
  uint64_t phase_ = 0;
  map_type map_;
  std::unordered_map<uint64_t, uint64_t> model_;
  std::list<walk> walks_;
  uint64_t shrinks_ = 0;
};

// shrinktrigger=1 for a scope.
class shrinking_on {
public:
  shrinking_on() { mapscope::set_mapdebug("shrinktrigger=1"); }
  shrinking_on(const shrinking_on &) = delete;
  shrinking_on &operator=(const shrinking_on &) = delete;
  ~shrinking_on() { mapscope::set_mapdebug(""); }
};

template <class K, class V, class Hash = hash_of<K>, bool Iterators = true>
void run(uint64_t rounds, uint64_t keys) {
  const int64_t before = counted::live;
  const int64_t blocks = support::allocations::live();
  for (uint32_t seed = 1; seed <= (support::is_long() ? 3 : 2); seed++) {
    const support::fixed_seed fixed(seed);
    driver<K, V, Hash, Iterators>(seed, keys).run(support::rounds(rounds));
    const shrinking_on on;
    driver<K, V, Hash, Iterators>(seed + 10, keys).run(support::rounds(rounds));
  }
  BOOST_TEST(counted::live == before);
  BOOST_TEST(support::allocations::live() == blocks);
}

} // namespace

BOOST_AUTO_TEST_CASE(numbers) {
  run<uint64_t, uint64_t, mapscope::hash<uint64_t>>(60000, 3000);
  run<uint64_t, uint64_t, mapscope::hash<uint64_t>, false>(60000, 3000);
  run<uint32_t, uint16_t, mapscope::hash<uint32_t>>(30000, 400);
  run<int8_t, int64_t, mapscope::hash<int8_t>>(10000, 100);
}

BOOST_AUTO_TEST_CASE(shrinking) {
  const support::fixed_seed fixed(5);
  const shrinking_on on;
  driver<uint64_t, uint64_t, mapscope::hash<uint64_t>, true> numbers(5, 1500);
  // A map has shrunk by then, in the builds with few rounds as well.
  const uint64_t rounds = support::rounds(support::is_long() ? 400000 : 300000);
  numbers.run(std::max<uint64_t>(rounds, 75001));
  BOOST_TEST_MESSAGE(numbers.shrinks() << " operations in shrinking maps");
  BOOST_TEST(numbers.shrinks() > rounds / 400);
  driver<std::string, counted, hash_of<std::string, 97>, true> colliding(6, 300);
  colliding.run(std::max<uint64_t>(support::rounds(100000), 8400));
  BOOST_TEST_MESSAGE(colliding.shrinks() << " operations in shrinking maps");
  BOOST_TEST(colliding.shrinks() > support::rounds(60));
}

BOOST_AUTO_TEST_CASE(strings) {
  run<std::string, std::string, mapscope::hash<std::string>>(40000, 2000);
  run<std::string, uint64_t, mapscope::hash<std::string>, false>(40000, 2000);
}

BOOST_AUTO_TEST_CASE(objects_with_a_life) {
  run<counted, counted>(40000, 1000);
  run<counted, counted, hash_of<counted>, false>(40000, 1000);
  run<uint64_t, std::unique_ptr<uint64_t>>(20000, 500);
  run<immovable, counted>(20000, 500);
  run<counted, immovable>(20000, 500);
}

BOOST_AUTO_TEST_CASE(colliding_hashes) {
  run<uint64_t, uint64_t, hash_of<uint64_t, 1>>(6000, 120);
  run<uint64_t, uint64_t, hash_of<uint64_t, 7>>(20000, 300);
  run<std::string, counted, hash_of<std::string, 3>>(6000, 120);
  run<counted, counted, hash_of<counted, 1>>(6000, 120);
  run<uint64_t, uint64_t, hash_of<uint64_t, 5>, false>(10000, 200);
}

// Those of another build than the first are a few of them, from day to day: most of what there is
// to compile.
#if MAPSCOPE_TESTS_SANITIZED && !defined(MAPSCOPE_TESTS_LONG)
using sizes = boost::mpl::vector<std::pair<blob<1>, blob<200>>, std::pair<blob<16>, blob<129>>,
                                 std::pair<blob<8, 8>, blob<64, 32>>>;
#else
using sizes =
    boost::mpl::vector<std::pair<blob<1>, blob<200>>, std::pair<blob<2>, blob<1>>,
                       std::pair<blob<3>, blob<7>>, std::pair<blob<5>, blob<127>>,
                       std::pair<blob<12>, blob<128>>, std::pair<blob<16>, blob<129>>,
                       std::pair<blob<31>, blob<17>>, std::pair<blob<64, 64>, blob<3>>,
                       std::pair<blob<8, 8>, blob<64, 32>>, std::pair<blob<127>, blob<64, 64>>,
                       std::pair<blob<128, 16>, blob<9>>, std::pair<blob<129>, blob<8, 4>>,
                       std::pair<blob<200>, blob<200>>>;
#endif

BOOST_AUTO_TEST_CASE_TEMPLATE(sizes_and_alignments, Pair, sizes) {
  run<typename Pair::first_type, typename Pair::second_type>(8000, 300);
}

BOOST_AUTO_TEST_CASE(nan_keys) {
  // A NaN equals nothing: each insertion makes an entry, which only iteration
  // finds. Negative and positive zero are one key.
  for (uint32_t seed = 1; seed <= 5; seed++) {
    const support::fixed_seed fixed(seed);
    mapscope::map<double, uint64_t> map;
    std::set<uint64_t> nans;
    support::random random(seed);
    for (uint64_t i = 0; i < 2000; i++) {
      if (support::below(random, 3) == 0) {
        map[std::nan("")] = i;
        nans.insert(i);
      } else {
        map[static_cast<double>(i)] = i;
      }
      if (i % 100 != 99) {
        continue;
      }
      std::set<uint64_t> seen;
      uint64_t inserted = 0;
      for (auto it = map.begin(); it != map.end();) {
        const auto [key, value] = *it;
        BOOST_REQUIRE(seen.insert(value).second);
        if (std::isnan(key) && value % 16 == 0) {
          nans.erase(value);
          it = map.erase(it);
        } else {
          ++it;
        }
        if (inserted < 40) { // makes it grow meanwhile
          const uint64_t n = i * 50 + inserted++;
          map[-1000.5 - static_cast<double>(n)] = 1000000 + n;
        }
      }
      for (const uint64_t n : nans) {
        BOOST_REQUIRE(seen.count(n) == 1);
      }
    }
    BOOST_TEST(!map.contains(std::nan("")));
    BOOST_TEST(map.erase(std::nan("")) == 0U);
    BOOST_TEST(!nans.empty());
    map[0.0] = 5;
    BOOST_TEST(map.at(-0.0) == 5U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

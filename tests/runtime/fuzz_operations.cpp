// SPDX-License-Identifier: MIT
//
// libFuzzer's target: a byte string as operations on two maps, each compared with
// a std::unordered_map, and decoded from its bytes as a debugger does, after every
// operation. The first byte chooses the types: numbers, numbers whose hashes
// collide, texts, large values, and objects that are counted and may throw.
//
//   build/clang/tests/runtime/fuzz_operations CORPUS -max_len=2048 -jobs=2
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <mapscope/debug.hpp>
#include <mapscope/map.hpp>

#include "support.hpp"

namespace {

using support::countdown;
using support::injected;

void require(bool holds, const char *what) {
  if (!holds) {
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
  }
}

// The input; zeros when it has ended.
class bytes {
public:
  bytes(const uint8_t *data, size_t size) : at_(data), left_(size) {}
  [[nodiscard]] bool empty() const { return left_ == 0; }
  uint8_t next() {
    if (left_ == 0) {
      return 0;
    }
    left_--;
    return *at_++;
  }

private:
  const uint8_t *at_;
  size_t left_;
};

// Larger than a cell's 128 bytes, or small.
template <size_t Size> struct block {
  std::array<unsigned char, Size> data{};
  block() = default;
  explicit block(uint64_t n) { data.fill(static_cast<unsigned char>(n)); }
  friend bool operator==(const block &, const block &) = default;
};

// Counted; copies may throw, and moves too if Indirect, which has it stored outside.
template <bool Indirect> struct fragile {
  static inline int64_t live = 0;
  uint64_t n = 0;
  fragile() : fragile(0) {}
  explicit fragile(uint64_t x) : n(x) {
    countdown::tick();
    live++;
  }
  fragile(const fragile &other) : n(other.n) {
    countdown::tick();
    live++;
  }
  fragile(fragile &&other) noexcept(!Indirect) : n(other.n) {
    if constexpr (Indirect) {
      countdown::tick();
    }
    live++;
  }
  fragile &operator=(const fragile &other) {
    countdown::tick();
    n = other.n;
    return *this;
  }
  ~fragile() { live--; }
  friend bool operator==(const fragile &a, const fragile &b) {
    countdown::tick();
    return a.n == b.n;
  }
};

template <class T> T make(uint64_t n) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::string(n % 40, 'k') + std::to_string(n);
  } else {
    return T(n);
  }
}

template <class T> uint64_t number(const T &value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::stoull(value.substr(value.find_first_not_of('k')));
  } else if constexpr (std::is_integral_v<T>) {
    return value;
  } else if constexpr (requires { value.data; }) {
    return value.data.back();
  } else {
    return value.n;
  }
}

// Many keys have one hash, and tophashes are few.
struct colliding {
  size_t operator()(uint64_t n) const { return n % 5; }
};
struct throwing {
  template <bool Indirect> size_t operator()(const fragile<Indirect> &key) const {
    countdown::tick();
    return key.n / 3;
  }
};

template <class K, class V, class Hash> class driver {
  using map_type = mapscope::map<K, V, Hash>;
  using model_type = std::unordered_map<uint64_t, uint64_t>;

  struct walk {
    typename map_type::iterator it;
    size_t map;
    std::unordered_set<uint64_t> owed; // there since it began, not seen yet
    std::unordered_set<uint64_t> seen; // and there ever since
    bool on_entry = false;
    uint64_t current = 0;
  };

public:
  void run(bytes &input) {
    while (!input.empty()) {
      const size_t m = step(input);
      countdown::off();
      check(m);
      require(maps_[1 - m].size() == models_[1 - m].size(), "the other map's size");
      if (std::exchange(both_, false)) {
        check(1 - m);
      }
    }
    check(0);
    check(1);
  }

private:
  // The map that it was for.
  size_t step(bytes &input) {
    const uint8_t what = input.next();
    const size_t m = what >> 7;
    const uint64_t n = input.next();
    map_type &map = maps_[m];
    model_type &model = models_[m];
    switch (what % 24) {
    case 0:
    case 1:
    case 2:
      attempt([&] { map.try_emplace(make<K>(n), make<V>(n + 1)); },
              [&] { model.try_emplace(n, (n + 1) & 0xFF); });
      break;
    case 3:
      attempt([&] { map.insert_or_assign(make<K>(n), make<V>(n + 2)); },
              [&] { model[n] = (n + 2) & 0xFF; });
      break;
    case 4:
      attempt([&] { static_cast<void>(map[make<K>(n)]); },
              [&] { model.try_emplace(n, number(V()) & 0xFF); }, defaulted());
      break;
    case 5: // a run of insertions, as growth needs them
    case 6:
      for (uint64_t i = 0, more = input.next() % 64U; i < more; i++) {
        const uint64_t key = (n + i * 7) & 0xFF;
        map.try_emplace(make<K>(key), make<V>(key));
        model.try_emplace(key, key);
      }
      break;
    case 7:
      for (uint64_t i = 0, more = input.next() % 64U; i < more; i++) {
        const uint64_t key = (n + i * 3) & 0xFF;
        require(map.erase(make<K>(key)) == model.erase(key), "erase says whether it erased");
        forget(m, key);
      }
      break;
    case 8:
    case 9:
      attempt([&] { map.erase(make<K>(n)); },
              [&] {
                model.erase(n);
                forget(m, n);
              });
      break;
    case 10: {
      const auto it = map.find(make<K>(n));
      require((it != map.end()) == model.contains(n), "find finds what is there");
      if (it != map.end()) {
        require((number(it->second) & 0xFF) == model[n], "find gives its value");
      }
      break;
    }
    case 11:
      for (walk &w : walks_) { // erased while iterators of the same map are there
        if (w.map == m && w.on_entry) {
          look(w);
          const uint64_t key = w.current;
          w.it = map.erase(std::move(w.it));
          model.erase(key);
          forget(m, key);
          arrive(w);
          break;
        }
      }
      break;
    case 12:
      map.clear();
      for (walk &w : walks_) {
        if (w.map == m) {
          // without an entry to remove, one whose entry was erased is only at its end after this
          require(!model.empty() ? w.it == map.end() : ++w.it == map.end(),
                  "clear ends iterations");
          w.on_entry = false;
          w.owed.clear();
          w.seen.clear();
        }
      }
      model.clear();
      break;
    case 13:
      attempt([&] { map.reserve(n * 4); }, [] {});
      break;
    case 14:
      attempt([&] { map.rebuild(n); }, [] {});
      break;
    case 15:
    case 16:
      if (walks_.size() < 6) {
        walk &w = walks_.emplace_back();
        w.map = m;
        for (const auto &[key, value] : model) {
          w.owed.insert(key);
        }
        w.it = map.begin();
        arrive(w);
      }
      break;
    case 17:
    case 18:
      if (!walks_.empty()) {
        go_on(n % walks_.size(), input.next() % 16U);
      }
      break;
    case 19: { // a copy of the map, with what it throws; of an iterator
      attempt([&] { require(map_type(map).size() == map.size(), "a copy has all"); }, [] {});
      if (!walks_.empty()) {
        auto copy = walks_[n % walks_.size()].it;
        walks_[n % walks_.size()].it = std::move(copy);
      }
      break;
    }
    case 20:
      drop(1 - m); // their map goes
      attempt([&] { maps_[1 - m] = map; }, [&] { models_[1 - m] = model; });
      both_ = true;
      break;
    case 21:
      swap(maps_[0], maps_[1]);
      std::swap(models_[0], models_[1]);
      for (walk &w : walks_) {
        w.map = 1 - w.map;
      }
      both_ = true;
      break;
    case 22:
      if (n % 2 == 0) {
        map_type moved(std::move(map));
        require(map.empty(), "nothing is left of what was moved from"); // NOLINT(*-use-after-move)
        map = std::move(moved);
      } else { // iterators that outlive their map
        map = map_type();
        model.clear();
        drop(m);
      }
      break;
    default:
      if (n % 2 == 0) {
        mapscope::set_mapdebug(n % 4 == 0 ? "shrinktrigger=1" : "");
      } else {
        fail_at_ = n / 2 % 32; // the next operation that may throw
      }
    }
    return m;
  }

  // Whether V() is something else than V of a number.
  static constexpr bool defaulted() { return std::is_same_v<V, std::string>; }

  // An operation that may be made to throw: then it has done nothing.
  template <class Operation, class Model>
  void attempt(Operation operation, Model model, bool skip = false) {
    if (skip) {
      return;
    }
    if (fail_at_ != none) {
      countdown::left = std::exchange(fail_at_, none);
    }
    try {
      operation();
    } catch (const injected &) {
      countdown::off();
      return;
    }
    countdown::off();
    model();
  }

  void drop(size_t m) {
    std::erase_if(walks_, [m](const walk &w) { return w.map == m; });
  }

  void forget(size_t m, uint64_t key) {
    for (walk &w : walks_) {
      if (w.map == m) {
        w.owed.erase(key);
        w.seen.erase(key);
        w.on_entry = w.on_entry && w.current != key;
      }
    }
  }

  void arrive(walk &w) {
    w.on_entry = w.it != maps_[w.map].end();
    if (w.on_entry) {
      w.current = number(w.it->first);
      require(w.seen.insert(w.current).second, "no entry is visited twice");
      w.owed.erase(w.current);
      look(w);
    }
  }

  void look(const walk &w) {
    require(number(w.it->first) == w.current, "an iterator stays at its entry");
    const auto expected = models_[w.map].find(w.current);
    require(expected != models_[w.map].end(), "an iterator's entry is in the map");
    require((number(w.it->second) & 0xFF) == expected->second, "it has its value");
  }

  void go_on(size_t which, uint64_t steps) {
    walk &w = walks_[which];
    for (; steps != 0 && w.it != maps_[w.map].end(); steps--) {
      if (w.on_entry) {
        look(w);
      }
      ++w.it;
      arrive(w);
    }
    if (w.it == maps_[w.map].end()) {
      require(w.owed.empty(), "every entry is visited");
      walks_.erase(walks_.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }

  // What the map says, and what its bytes say.
  void check(size_t m) {
    const map_type &map = maps_[m];
    const model_type &model = models_[m];
    require(map.size() == model.size(), "size");
    const decoder::decoded decoded = support::decode(map);
    require(decoded.nil ? model.empty() : decoded.count == model.size(), "count");
    require(decoded.entries.size() == model.size(), "as many live cells as entries");
    std::unordered_set<uint64_t> seen;
    for (const decoder::entry &e : decoded.entries) {
      require(!e.in_flight, "no entry is in flight between operations");
      const uint64_t key = number(support::at<K>(e.key));
      const auto expected = model.find(key);
      require(expected != model.end(), "a live cell is an entry");
      require((number(support::at<V>(e.elem)) & 0xFF) == expected->second, "a cell's value");
      require(seen.insert(key).second, "an entry is in one cell");
    }
  }

  static constexpr uint64_t none = ~uint64_t{0};
  std::deque<walk> walks_; // destroyed after the maps: iterators may outlive them
  std::array<map_type, 2> maps_;
  std::array<model_type, 2> models_;
  uint64_t fail_at_ = none;
  bool both_ = false; // the step was for both maps
};

template <class K, class V, class Hash = mapscope::hash<K>> void run(bytes &input) {
  driver<K, V, Hash>().run(input);
}

template <bool Indirect> void run_fragile(bytes &input) {
  run<fragile<Indirect>, fragile<Indirect>, throwing>(input);
  require(fragile<Indirect>::live == 0, "every object is destroyed once");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes input(data, size);
  mapscope::set_mapdebug("");
  mapscope::set_seed(1);
  switch (input.next() % 7) {
  case 0:
    run<uint64_t, uint64_t>(input);
    break;
  case 1:
    run<uint64_t, uint64_t, colliding>(input);
    break;
  case 2:
    run<std::string, std::string>(input);
    break;
  case 3:
    run<uint16_t, block<200>>(input);
    break;
  case 4:
    run<uint8_t, uint8_t>(input);
    break;
  case 5:
    run_fragile<false>(input);
    break;
  default:
    run_fragile<true>(input);
  }
  return 0;
}

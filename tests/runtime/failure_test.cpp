// SPDX-License-Identifier: MIT
//
// What throws leaves the entries as they were; and misuse is reported. Each
// operation is made to fail at its first chance, then at its second, and so on
// until it succeeds.
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <unordered_map>

#include <sys/wait.h>
#include <unistd.h>

#include <boost/mpl/list.hpp>

#include "checks.hpp"
#include "support.hpp"

using support::countdown;
using support::header;
using support::injected;

BOOST_AUTO_TEST_SUITE(failure)

namespace {

// A number that may throw when copied or assigned; and when moved, if Indirect.
template <bool Indirect> struct fragile {
  static inline int64_t live = 0;
  uint64_t n;
  explicit fragile(uint64_t x) : n(x) {
    countdown::tick();
    live++;
  }
  fragile() : fragile(0) {}
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
};

struct fragile_hash {
  template <class K> size_t operator()(const K &key) const {
    countdown::tick();
    return key.n / 3; // some collide
  }
};
struct fragile_equal {
  template <class K> bool operator()(const K &a, const K &b) const {
    countdown::tick();
    return a.n == b.n;
  }
};

template <bool Indirect> class driver {
  using object = fragile<Indirect>;
  using map_type = mapscope::map<object, object, fragile_hash, fragile_equal>;

public:
  void run(uint64_t rounds) {
    support::random random(5);
    for (uint64_t i = 0; i < rounds; i++) {
      const uint64_t n = support::below(random, 150);
      const object key(n);
      const object value(i);
      switch (support::below(random, 12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        attempt([&] { map_.try_emplace(key, value); }, [&] { model_.try_emplace(n, i); });
        break;
      case 4:
      case 5:
        attempt([&] { map_.insert_or_assign(key, value); }, [&] { model_[n] = i; });
        break;
      case 6:
        attempt([&] { map_[key]; }, [&] { model_.try_emplace(n, 0); });
        break;
      case 7:
        attempt([&] { map_.erase(key); }, [&] { model_.erase(n); });
        break;
      case 8:
        attempt(
            [&] {
              if (auto it = map_.find(key); it != map_.end()) {
                map_.erase(it);
              }
            },
            [&] { model_.erase(n); });
        break;
      case 9:
        attempt([&] { map_type(map_).contains(key); }, [] {});
        break;
      case 10: // growth with an iterator about
        it_ = map_.begin();
        break;
      default:
        if (support::below(random, 30) == 0) {
          attempt([&] { map_.reserve(model_.size() * 2); }, [] {});
        } else if (support::below(random, 60) == 0) {
          attempt([&] { map_.clear(); }, [&] { model_.clear(); });
        }
      }
    }
    it_ = {};
    map_ = map_type();
    BOOST_TEST(object::live == 0);
    BOOST_TEST(failures_ > rounds);
  }

private:
  template <class Operation, class Model> void attempt(Operation operation, Model model) {
    const int64_t others = object::live - static_cast<int64_t>(2 * map_.size());
    for (const bool by_allocation : {false, true}) {
      for (uint64_t chance = 0;; chance++) {
        bool failed = true;
        const auto before = map_.size();
        try {
          if (by_allocation) {
            support::allocations::fail_after(chance);
          } else {
            countdown::left = chance;
          }
          operation();
          failed = false;
        } catch (const injected &) {
        } catch (const std::bad_alloc &) {
        }
        support::allocations::succeed();
        countdown::off();
        if (!failed) {
          model();
        } else {
          failures_++;
          BOOST_REQUIRE(map_.size() == before);
        }
        check();
        BOOST_REQUIRE(object::live == others + static_cast<int64_t>(2 * map_.size()));
        if (!failed) {
          break;
        }
      }
    }
  }

  void check() {
    if (header(map_) != nullptr) {
      BOOST_REQUIRE((header(map_)->flags & MAPSCOPE_HASH_WRITING) == 0);
      BOOST_REQUIRE(header(map_)->extra->evacuating == 0U);
    }
    const auto decoded = support::decode(map_);
    BOOST_REQUIRE(decoded.entries.size() == model_.size());
    BOOST_REQUIRE(decoded.count == model_.size());
    for (const decoder::entry &e : decoded.entries) {
      const auto expected = model_.find(support::at<object>(e.key).n);
      BOOST_REQUIRE(expected != model_.end());
      BOOST_REQUIRE(expected->second == support::at<object>(e.elem).n);
    }
  }

  map_type map_;
  typename map_type::iterator it_;
  std::unordered_map<uint64_t, uint64_t> model_;
  uint64_t failures_ = 0;
};

using places = boost::mpl::list<std::false_type, std::true_type>;

std::string last_message;
struct misuse {};
void remember(const char *message) {
  last_message = message;
  throw misuse();
}

// What the operation reports while another thread seems to be writing.
template <class Operation> std::string report(Operation operation) {
  mapscope::map<int, int> map{{1, 1}, {2, 2}, {3, 3}};
  auto it = map.begin();
  const auto position = map.find(1);
  last_message.clear();
  mapscope::hmap *const h = header(map);
  const mapscope::fatal_handler before = mapscope::set_fatal_handler(remember);
  h->flags |= MAPSCOPE_HASH_WRITING;
  BOOST_CHECK_THROW(operation(map, it, position), misuse);
  h->flags &= static_cast<uint8_t>(~MAPSCOPE_HASH_WRITING);
  mapscope::set_fatal_handler(before);
  return last_message;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(everything_that_can_throw, Place, places) {
  const support::fixed_seed seed(1);
  driver<Place::value>().run(support::rounds(2500));
}

BOOST_AUTO_TEST_CASE(a_constructor_that_throws_leaks_nothing) {
  using object = fragile<false>;
  using map_type = mapscope::map<object, object, fragile_hash, fragile_equal>;
  std::vector<std::pair<object, object>> entries;
  for (uint64_t i = 0; i < 40; i++) {
    entries.emplace_back(i, i);
  }
  const auto blocks = support::allocations::live();
  const auto objects = object::live;
  bool done = false;
  for (uint64_t chance = 0; !done; chance++) {
    try {
      countdown::left = chance;
      const map_type map(entries.begin(), entries.end(), chance % 2 * 40);
      done = true;
    } catch (const injected &) {
    }
    countdown::off();
    BOOST_REQUIRE(support::allocations::live() == blocks);
    BOOST_REQUIRE(object::live == objects);
  }
}

BOOST_AUTO_TEST_CASE(misuse_is_reported) {
  const std::string writes = "concurrent map writes";
  const std::string read = "concurrent map read and map write";
  const std::string iteration = "concurrent map iteration and map write";
  using map_type = mapscope::map<int, int>;
  using it_type = map_type::iterator;
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m[1] = 1; }) == writes);
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m.erase(1); }) == writes);
  BOOST_TEST(report([](map_type &m, it_type &, it_type p) { m.erase(p); }) == writes);
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m.reserve(100); }) == writes);
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m.find(1); }) == read);
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m.at(1); }) == read);
  BOOST_TEST(report([](map_type &m, it_type &, it_type) { m.begin(); }) == iteration);
  BOOST_TEST(report([](map_type &, it_type &it, it_type) { ++it; }) == iteration);
}

BOOST_AUTO_TEST_CASE(a_write_that_another_write_ended_is_reported) {
  // The other thread's write ends within this one's: its flag is gone.
  struct unflagging {
    mapscope::hmap **h;
    size_t operator()(int key) const { return static_cast<size_t>(key); }
  };
  struct equal {
    mapscope::hmap **h;
    bool operator()(int a, int b) const {
      if (*h != nullptr) {
        (*h)->flags &= static_cast<uint8_t>(~MAPSCOPE_HASH_WRITING);
      }
      return a == b;
    }
  };
  mapscope::hmap *h = nullptr;
  mapscope::map<int, int, unflagging, equal> map(0, unflagging{&h}, equal{&h});
  map[1] = 1;
  h = header(map);
  const mapscope::fatal_handler before = mapscope::set_fatal_handler(remember);
  last_message.clear();
  BOOST_CHECK_THROW(map[1] = 2, misuse);
  BOOST_TEST(last_message == "concurrent map writes");
  last_message.clear();
  BOOST_CHECK_THROW(map.erase(1), misuse);
  BOOST_TEST(last_message == "concurrent map writes");
  mapscope::set_fatal_handler(before);
}

BOOST_AUTO_TEST_CASE(by_default_misuse_prints_and_aborts) {
  int ends[2];
  BOOST_REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    mapscope::map<int, int> map{{1, 1}};
    header(map)->flags |= MAPSCOPE_HASH_WRITING;
    map[1] = 2;
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGABRT);
  BOOST_TEST(text.find("fatal error: concurrent map writes\n") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

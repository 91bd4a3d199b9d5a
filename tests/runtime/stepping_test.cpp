// SPDX-License-Identifier: MIT
//
// Every instruction: a child process works on a map, its parent stops it after
// each single instruction of the library and reads the map from the child's memory. At every
// stop, each entry must be found exactly once, but for the one that the child is
// just writing.
#include <algorithm>
#include <climits>
#include <csignal>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(stepping)

#if !MAPSCOPE_TESTS_SANITIZED

namespace {

enum operation : uint64_t { none, insert, erase, clear, iterate, rebuild };

// What the child is about to do; the parent reads it from the child's memory.
struct shared_note {
  volatile uint64_t number = 0;
  volatile uint64_t what = none;
  volatile uint64_t key = 0;
  volatile uint64_t value = 0;
  void *volatile map = nullptr;    // the map object
  volatile uint64_t prefilled = 0; // it held the keys 0, 1 ..., each with the value 1
};
shared_note note;

void tell(operation what, uint64_t key = 0, uint64_t value = 0) {
  note.what = none;
  note.key = key;
  note.value = value;
  note.number = note.number + 1;
  note.what = what;
  // The parent takes over: it steps until `what` is none.
  if (what != none) {
    raise(SIGTRAP);
  }
}

// How a type of key or element is made, and read from the child's memory.
template <class T> struct codec;
template <> struct codec<uint64_t> {
  static constexpr bool readable_in_flight = true;
  static uint64_t make(uint64_t n) { return n; }
  static uint64_t read(const decoder::reader &read, uint64_t address) {
    uint64_t n;
    read(address, &n, sizeof n);
    return n;
  }
};
template <> struct codec<std::string> { // short ones and long ones
  static constexpr bool readable_in_flight = true;
  static std::string make(uint64_t n) {
    return std::string(n % 2 == 0 ? 3 : 30, 's') + std::to_string(n);
  }
  static uint64_t read(const decoder::reader &read, uint64_t address) {
    uint64_t fields[2];
    read(address, fields, sizeof fields);
    BOOST_REQUIRE(fields[1] < 100);
    std::string text(fields[1], '\0');
    read(fields[0], text.data(), text.size());
    const size_t digits = text.find_first_not_of('s');
    BOOST_REQUIRE(digits != std::string::npos);
    return std::stoull(text.substr(digits));
  }
};
struct moved { // not relocatable by its bytes
  uint64_t n;
  explicit moved(uint64_t x) : n(x) {}
  moved() : n(0) {}
  moved(const moved &) = default;
  moved(moved &&other) noexcept : n(std::exchange(other.n, ~uint64_t{0})) {}
  moved &operator=(const moved &) = default;
  moved &operator=(moved &&) = default;
  ~moved() { n = ~uint64_t{0}; }
  friend bool operator==(const moved &, const moved &) = default;
};
template <> struct codec<moved> {
  static constexpr bool readable_in_flight = false;
  static moved make(uint64_t n) { return moved(n); }
  static uint64_t read(const decoder::reader &read, uint64_t address) {
    return codec<uint64_t>::read(read, address);
  }
};
struct large { // stored indirectly
  uint64_t n;
  char more[150];
};
template <> struct codec<large> {
  static constexpr bool readable_in_flight = true;
  static large make(uint64_t n) { return {n, {}}; }
  static uint64_t read(const decoder::reader &read, uint64_t address) {
    return codec<uint64_t>::read(read, address);
  }
};

struct few_hashes { // long chains: three hashes in all
  template <class K> size_t operator()(const K &key) const {
    if constexpr (std::is_same_v<K, moved>) {
      return key.n % 3;
    } else {
      return mapscope::hash<K>()(key, 1) % 3;
    }
  }
};

// The child's side, before it is stepped through.
template <class Map> void begin_work(Map &map) {
  note.map = &map;
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  raise(SIGSTOP);
}

template <class Map> void do_insert(Map &map, uint64_t key, uint64_t value) {
  auto k = codec<typename Map::key_type>::make(key);
  auto v = codec<typename Map::mapped_type>::make(value);
  tell(insert, key, value);
  map.insert_or_assign(std::move(k), std::move(v));
  tell(none);
}

template <class Map> void do_erase(Map &map, uint64_t key) {
  const auto k = codec<typename Map::key_type>::make(key);
  tell(erase, key);
  map.erase(k);
  tell(none);
}

template <class Map> void do_iterate(Map &map, typename Map::iterator &it) {
  tell(iterate);
  if (it == map.end()) {
    it = map.begin();
  } else {
    ++it;
  }
  tell(none);
}

// A map that grows, and that is nearly emptied, and grows again.
template <class Map> void growing(uint64_t rounds) {
  support::random random(8);
  Map map;
  auto it = map.begin();
  begin_work(map);
  for (uint64_t i = 1; i <= rounds; i++) {
    const bool filling = i * 3 / rounds != 1;
    const uint64_t key = support::below(random, 110);
    if (i * 16 / rounds == 14 && !map.empty()) {
      tell(clear);
      map.clear();
      tell(none);
    } else if (support::below(random, 8) == 0) {
      do_iterate(map, it);
    } else if (support::below(random, 4) != 0 ? filling : !filling) {
      do_insert(map, key, i);
    } else {
      do_erase(map, key);
    }
  }
  note.map = nullptr; // destroying it is not looked at
}

// A map that halves on the way to nothing, and is rebuilt as it halves again.
template <class Map> void shrinking(uint64_t entries) {
  mapscope::set_mapdebug("shrinktrigger=1");
  Map map;
  auto it = map.begin();
  for (uint64_t i = 0; i < entries; i++) {
    map.insert_or_assign(codec<typename Map::key_type>::make(i),
                         codec<typename Map::mapped_type>::make(1));
  }
  note.prefilled = entries;
  begin_work(map);
  const uint64_t quarter = map.bucket_count() / 4;
  for (uint64_t i = 0; i < entries; i++) {
    if (i % 8 == 0) {
      do_iterate(map, it);
    }
    if (i + quarter + 2 > entries && i % 2 == 0) { // inserts into a map that is shrinking
      do_insert(map, entries + i, i);
    }
    do_erase(map, i);
  }
  tell(rebuild);
  map.rebuild(entries);
  tell(none);
  do_insert(map, 1, 2);
  tell(rebuild);
  map.rebuild();
  tell(none);
  note.map = nullptr;
}

// The child's memory, and whether any of what was read of it has changed: one system call tells
// that after an instruction, where to read a map anew takes dozens.
class watched_memory {
public:
  explicit watched_memory(pid_t child) : child_(child), read_(decoder::read_process(child)) {}

  void read(uint64_t address, void *to, size_t bytes) {
    read_(address, to, bytes);
    places_.emplace_back(address, address + bytes);
  }

  void forget() {
    places_.clear();
    spans_.clear();
  }

  // What was read since it was told to forget is what changes are looked for in, from now on;
  // what lies between, too: the fewer the spans, the faster.
  void remember() {
    std::sort(places_.begin(), places_.end());
    uint64_t end = 0;
    size_t bytes = 0;
    for (const auto &[from, to] : places_) {
      if (!spans_.empty() && from / page <= (end - 1) / page) {
        end = std::max(end, to);
      } else {
        spans_.push_back({reinterpret_cast<void *>(from), 0});
        end = to;
      }
      iovec &span = spans_.back();
      bytes -= span.iov_len;
      span.iov_len = end - reinterpret_cast<uint64_t>(span.iov_base);
      bytes += span.iov_len;
    }
    now_.resize(bytes);
    if (spans_.size() > IOV_MAX || !get()) {
      spans_.clear();
    }
    seen_ = now_;
  }

  // False if it cannot say.
  bool unchanged() { return !spans_.empty() && get() && now_ == seen_; }

private:
  static constexpr uint64_t page = 4096;

  bool get() {
    const iovec local{now_.data(), now_.size()};
    const ssize_t got = process_vm_readv(child_, &local, 1, spans_.data(), spans_.size(), 0);
    return got == static_cast<ssize_t>(now_.size());
  }

  pid_t child_;
  decoder::reader read_;
  std::vector<std::pair<uint64_t, uint64_t>> places_; // from, to
  std::vector<iovec> spans_;
  std::string seen_; // what they held, one after the other
  std::string now_;
};

// The parent's side.
template <class Map> class observer {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;

public:
  observer(pid_t child, bool shrinks)
      : child_(child), memory_(child), read_([this](uint64_t address, void *to, size_t bytes) {
          memory_.read(address, to, bytes);
        }),
        shrinks_(shrinks) {}
  observer(const observer &) = delete;
  observer &operator=(const observer &) = delete;

  void run() {
    int status = 0;
    waitpid(child_, &status, 0);
    BOOST_REQUIRE(WIFSTOPPED(status));
    read_(reinterpret_cast<uint64_t>(&note), &now_, sizeof now_);
    for (uint64_t i = 0; i < now_.prefilled; i++) {
      model_[i] = 1;
    }
    for (;;) {
      if ((now_.what == none || steps_ % stride_ == 0) && !memory_.unchanged()) {
        memory_.forget();
        look();
        memory_.remember();
      }
      const auto how = now_.what == none ? PTRACE_CONT : PTRACE_SINGLESTEP;
      BOOST_REQUIRE(ptrace(how, child_, nullptr, nullptr) == 0);
      waitpid(child_, &status, 0);
      if (!WIFSTOPPED(status)) {
        break;
      }
      BOOST_REQUIRE(WSTOPSIG(status) == SIGTRAP);
      steps_++;
    }
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 0);
    BOOST_TEST_MESSAGE(steps_ << " steps, " << states_ << " states, " << growing_ << " growing, "
                              << in_flight_ << " with an entry in flight");
    BOOST_TEST_MESSAGE(shrinking_ << " shrinking, " << in_flight_down_ << " of them in flight");
    BOOST_TEST(growing_ > 100U);
    BOOST_TEST((shrinks_ ? in_flight_down_ > 20U : in_flight_ > 50U));
    BOOST_TEST((!shrinks_ || shrinking_ > 100U));
  }

private:
  // Everything that matters here is in few words: nothing to look at if they,
  // and the bytes of the buckets, are as they were.
  void look() {
    read_(reinterpret_cast<uint64_t>(&note), &now_, sizeof now_);
    if (now_.map == nullptr) {
      return;
    }
    if (now_.number != number_) {
      settle();
      number_ = now_.number;
      what_ = static_cast<operation>(now_.what);
      key_ = now_.key;
      value_ = now_.value;
      last_raw_.clear();
    }
    uint64_t h;
    read_(reinterpret_cast<uint64_t>(now_.map), &h, sizeof h);
    if (h == 0) {
      BOOST_REQUIRE(model_.empty());
      return;
    }
    char head[112];
    read_(h, head, sizeof head);
    const decoder::decoded decoded = decoder::map_decoder(read_, h).decode();
    std::string raw = decoded.raw;
    raw.append(head, sizeof head);
    if (raw == last_raw_) {
      return;
    }
    last_raw_ = std::move(raw);
    states_++;
    growing_ += decoded.growing ? 1 : 0;
    shrinking_ += decoded.shrinking ? 1 : 0;
    check(decoded);
  }

  // The operation that the child was at is over.
  void settle() {
    if (what_ == insert) {
      model_[key_] = value_;
    } else if (what_ == erase) {
      model_.erase(key_);
    } else if (what_ == clear) {
      model_.clear();
    }
    what_ = none;
  }

  void check(const decoder::decoded &decoded) {
    std::map<uint64_t, uint64_t> seen;
    unsigned in_flight = 0;
    bool unreadable = false;
    for (const decoder::entry &e : decoded.entries) {
      if (e.in_flight) {
        in_flight++;
        if (!codec<K>::readable_in_flight || !codec<V>::readable_in_flight) {
          unreadable = true; // half of it may be at either place
          continue;
        }
      }
      const uint64_t key = codec<K>::read(read_, e.key);
      // An overwrite in progress may have left any value.
      const uint64_t value =
          what_ == insert && key == key_ ? value_or_zero(key) : codec<V>::read(read_, e.elem);
      BOOST_REQUIRE_MESSAGE(seen.emplace(key, value).second, "entry " << key << " is there twice");
    }
    in_flight_ += in_flight;
    in_flight_down_ += decoded.shrinking ? in_flight : 0;
    BOOST_REQUIRE(in_flight <= 1);
    uint64_t missing = 0;
    for (const auto &[key, value] : model_) {
      const auto found = seen.find(key);
      if (found == seen.end()) {
        missing++;
        const bool may_be = (what_ == erase && key == key_) || what_ == clear || unreadable;
        BOOST_REQUIRE_MESSAGE(may_be, "entry " << key << " is not there");
      } else {
        BOOST_REQUIRE((what_ == insert && key == key_) || found->second == value);
        seen.erase(found);
      }
    }
    BOOST_REQUIRE(missing <= 1 || what_ == clear);
    // What is left over can only be the entry being inserted.
    BOOST_REQUIRE(seen.empty() || (seen.size() == 1 && what_ == insert && seen.count(key_) == 1));
    const uint64_t entries = decoded.entries.size();
    BOOST_REQUIRE(decoded.count <= entries + 1);
    BOOST_REQUIRE(entries <= decoded.count + 1);
  }

  uint64_t value_or_zero(uint64_t key) const {
    const auto found = model_.find(key);
    return found == model_.end() ? 0 : found->second;
  }

  pid_t child_;
  watched_memory memory_;
  decoder::reader read_;
  shared_note now_;
  uint64_t number_ = 0;
  operation what_ = none;
  uint64_t key_ = 0;
  uint64_t value_ = 0;
  std::map<uint64_t, uint64_t> model_;
  std::string last_raw_;
  uint64_t steps_ = 0;
  uint64_t states_ = 0;
  uint64_t growing_ = 0;
  uint64_t in_flight_ = 0;
  bool shrinks_;
  // From day to day, after one in three instructions.
  const uint64_t stride_ = support::is_long() ? 1 : 3;
  uint64_t shrinking_ = 0;
  uint64_t in_flight_down_ = 0;
};

template <class Map> void run(void (*work)(uint64_t), uint64_t rounds, bool shrinks = false) {
  note.number = 0;
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    mapscope::set_seed(4);
    work(rounds);
    _exit(0);
  }
  try {
    observer<Map>(child, shrinks).run();
  } catch (...) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    throw;
  }
}

// A part of the rounds, from day to day: each is a few thousand instructions.
template <class Map> void run_growing(uint64_t rounds) {
  run<Map>(growing<Map>, support::is_long() ? rounds : rounds * 2 / 5);
}
template <class Map> void run_shrinking(uint64_t entries) {
  run<Map>(shrinking<Map>, entries, true);
}

} // namespace

BOOST_AUTO_TEST_CASE(numbers) { run_growing<mapscope::map<uint64_t, uint64_t>>(400); }
BOOST_AUTO_TEST_CASE(long_chains) {
  run_growing<mapscope::map<uint64_t, uint64_t, few_hashes>>(300);
}
BOOST_AUTO_TEST_CASE(strings) { run_growing<mapscope::map<std::string, std::string>>(200); }
BOOST_AUTO_TEST_CASE(objects_that_are_moved) {
  run_growing<mapscope::map<moved, moved, few_hashes>>(250);
}
BOOST_AUTO_TEST_CASE(objects_behind_pointers) { run_growing<mapscope::map<uint64_t, large>>(200); }

BOOST_AUTO_TEST_CASE(shrinking_numbers) { run_shrinking<mapscope::map<uint64_t, uint64_t>>(110); }
BOOST_AUTO_TEST_CASE(shrinking_long_chains) {
  run_shrinking<mapscope::map<moved, moved, few_hashes>>(110);
}
BOOST_AUTO_TEST_CASE(shrinking_strings) {
  run_shrinking<mapscope::map<std::string, std::string>>(106);
}

#else

BOOST_AUTO_TEST_CASE(not_under_a_sanitizer) {
  BOOST_TEST_MESSAGE("a sanitizer's own instructions would be stepped through too");
  BOOST_TEST(MAPSCOPE_TESTS_SANITIZED == 1);
}

#endif

BOOST_AUTO_TEST_SUITE_END()

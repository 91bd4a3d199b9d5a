// SPDX-License-Identifier: MIT
//
// steps prepares one map for each operation below, writes down what each map
// holds before and after, and then does the operations one by one, for a
// debugger that steps through them by instructions.
//
//   steps --truth FILE
//
// The record has, for each operation, one line for before and one for after
// (truth.hpp), named NAME:before and NAME:after.
#include "truth.hpp"

#include <deque>

// Too large for a bucket: stored indirectly. Not in the namespace below: a debugger
// that is given an address finds the type by the name that the maptype has.
struct wide {
  std::int64_t id;
  std::int64_t rest[24];
  explicit wide(std::int64_t i = 0) : id(i), rest{} { rest[23] = ~i; }
  bool operator==(const wide &other) const { return id == other.id; }
};

static std::string json(const wide &value) {
  std::string rest;
  for (const std::int64_t i : value.rest)
    rest += (rest.empty() ? "" : ",") + truth::json(i);
  return "{\"id\":" + truth::json(value.id) + ",\"rest\":[" + rest + "]}";
}

// Around each operation; not static, so that a debugger finds them by name.
[[gnu::noinline]] void begin(int number) { asm volatile("" : : "r"(number) : "memory"); }
[[gnu::noinline]] void end(int number) { asm volatile("" : : "r"(number) : "memory"); }

namespace {

struct wide_hash {
  std::size_t operator()(const wide &key) const { return std::hash<std::int64_t>{}(key.id); }
};

struct operation {
  std::string name;
  truth::record *record;
  std::function<void()> run;
};

std::deque<operation> operations;
std::string lines;

// When a map is ready for its operation.
using ready = bool (*)(const mapscope::hmap &);

// A new key will not make the map grow for its load.
bool quiet(const mapscope::hmap &h) {
  return h.oldbuckets == nullptr && (h.count < 8 || h.count + 1 <= 13 * ((1ULL << h.B) / 2));
}
bool few(const mapscope::hmap &h) { return h.count == 5; }
bool full(const mapscope::hmap &h) { return h.count == 8 && h.B == 0; }
bool growing(const mapscope::hmap &h) {
  return h.oldbuckets != nullptr && h.B >= 4 && h.nevacuate >= 2;
}
// The last old bucket alone is left. A growth can end without passing there;
// then the next one gets its chance.
bool nearly_done(const mapscope::hmap &h) {
  return h.oldbuckets != nullptr && h.B >= 4 && h.nevacuate == (1ULL << (h.B - 1)) - 1;
}
bool too_many_overflow_buckets(const mapscope::hmap &h) {
  return quiet(h) && h.noverflow >= 1ULL << h.B;
}
// One entry less, and the map is too large for those that are left.
bool nearly_too_large(const mapscope::hmap &h) { return h.B == 5 && h.count == 8; }
bool shrinking(const mapscope::hmap &h) {
  return h.oldbuckets != nullptr && (h.flags & MAPSCOPE_SHRINKING) != 0 && h.nevacuate >= 2;
}
bool growing_same_size(const mapscope::hmap &h) {
  return h.oldbuckets != nullptr && (h.flags & MAPSCOPE_SAME_SIZE_GROW) != 0;
}

// One map with its record, filled with key(0), key(1), ... for one operation.
template <class Map> class subject {
public:
  using key_type = typename Map::key_type;
  using mapped_type = typename Map::mapped_type;
  using key_maker = key_type (*)(int);
  using value_maker = mapped_type (*)(int);

  subject(std::string name, key_maker key, value_maker value)
      : name_(std::move(name)), key_(key), value_(value), tracked_(name_, map_) {}

  // Puts entries until the map is ready.
  subject &fill(ready is_ready) {
    while (truth::header(map_) == nullptr || !is_ready(*truth::header(map_)))
      put();
    return *this;
  }

  // Fills to `size` entries, then erases the oldest and puts a new one in its
  // place until the map is ready after an erase.
  subject &churn(int size, ready is_ready) {
    while (next_ < size)
      put();
    for (;;) {
      tracked_.erase(key_(next_ - size));
      if (is_ready(*truth::header(map_)))
        return *this;
      put();
    }
  }

  // Fills to `size` entries, then erases until the map is ready.
  subject &thin(int size, ready is_ready) {
    while (next_ < size)
      put();
    while (!is_ready(*truth::header(map_)))
      tracked_.erase(key_(--next_));
    return *this;
  }

  void insert() {
    add();
    tracked_.note(truth_json(key_(next_)), truth_json(value_(next_)));
    after([this] { map_.insert_or_assign(key_(next_), value_(next_)); });
  }

  void overwrite() {
    add();
    tracked_.note(truth_json(key_(next_ - 1)), truth_json(value_(next_)));
    after([this] { map_.insert_or_assign(key_(next_ - 1), value_(next_)); });
  }

  void erase() {
    add();
    tracked_.forget(truth_json(key_(next_ - 1)));
    after([this] { map_.erase(key_(next_ - 1)); });
  }

  void clear() {
    add();
    tracked_.clear();
    after([this] { map_.clear(); });
  }

private:
  template <class T> static std::string truth_json(const T &value) {
    using truth::json;
    return json(value);
  }

  void put() {
    tracked_.put(key_(next_), value_(next_));
    ++next_;
  }

  void add() { lines += tracked_.line_as(name_ + ":before"); }

  void after(std::function<void()> run) {
    lines += tracked_.line_as(name_ + ":after");
    operations.push_back({name_, &tracked_, std::move(run)});
  }

  std::string name_;
  key_maker key_;
  value_maker value_;
  Map map_;
  truth::tracked<Map> tracked_;
  int next_ = 0;
};

// The operations on maps of one type. Subjects live until the program ends.
template <class Map>
void prepare(const std::string &type, typename subject<Map>::key_maker key,
             typename subject<Map>::value_maker value) {
  static std::deque<subject<Map>> subjects;
  const auto on = [&](const char *name) -> subject<Map> & {
    return subjects.emplace_back(type + ": " + name, key, value);
  };
  on("insert").fill(few).insert();
  on("insert starts a doubling").fill(full).insert();
  on("insert evacuates").fill(growing).insert();
  on("insert ends a doubling").fill(nearly_done).insert();
  on("insert starts a same-size growth").churn(50, too_many_overflow_buckets).insert();
  on("insert evacuates at the same size").churn(50, growing_same_size).insert();
  on("overwrite").fill(few).overwrite();
  on("overwrite evacuates").fill(growing).overwrite();
  on("erase").fill(few).erase();
  on("erase evacuates").fill(growing).erase();
  on("clear").fill(few).clear();
  on("clear while growing").fill(growing).clear();
  on("erase starts a shrink").thin(110, nearly_too_large).erase();
  on("erase evacuates in a shrink").thin(110, shrinking).erase();
  on("insert evacuates in a shrink").thin(110, shrinking).insert();
  on("overwrite evacuates in a shrink").thin(110, shrinking).overwrite();
  on("clear while shrinking").thin(110, shrinking).clear();
}

std::uint64_t number(int i) { return static_cast<std::uint64_t>(i + 1) * 0x9e3779b97f4a7c15U; }
std::string label(int i) { return "key " + std::to_string(i); }
// std::string keeps up to 15 bytes inside itself; odd ones do not fit.
std::string mixed(int i) {
  return label(i) + (i % 2 != 0 ? " with a tail that is kept on the heap" : "");
}
wide indirect(int i) { return wide(i); }

} // namespace

int main(int argc, char **argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--truth") {
    std::fprintf(stderr, "usage: steps --truth FILE\n");
    return 2;
  }
  mapscope::set_seed(1); // the same in every run
  mapscope::set_mapdebug("shrinktrigger=1");
  prepare<mapscope::map<std::uint64_t, std::uint64_t>>("numbers", number, number);
  prepare<mapscope::map<std::string, std::uint64_t>>("text", mixed, number);
  prepare<mapscope::map<wide, std::string, wide_hash>>("indirect", indirect, label);
  truth::write(argv[2], lines);
  int done = 0;
  for (const operation &o : operations) {
    begin(done);
    o.run();
    end(done);
    ++done;
  }
  std::printf("done %d\n", done);
  return 0;
}

// SPDX-License-Identifier: MIT
//
// Maps that are reached by every kind of C++ expression. Each has one entry, whose value is its
// own number: what is printed tells whether it is the map that was named.
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <latch>
#include <mapscope/map.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using ids = mapscope::map<int, int>;
using named = mapscope::map<std::string, ids>;

ids *global_pointer = nullptr;

namespace depot {

ids stock;

namespace {
ids hidden;
} // namespace

enum class colour : std::uint8_t { red, green };

struct place {
  int row;
  int column;
  bool operator==(const place &) const = default;
};

struct place_hash {
  std::size_t operator()(const place &p) const {
    return std::size_t(p.row) * 31 + std::size_t(p.column);
  }
};

struct holder {
  static ids shared;
  static thread_local ids own;
};
ids holder::shared;
thread_local ids holder::own;

struct tagged {
  long tag = 5;
  virtual ~tagged() = default;
};
struct second_base : tagged, ids {};
struct two_levels : second_base {};
struct left : virtual ids {};
struct right : virtual ids {};
struct diamond : left, right {};
struct twice : ids, named {};

struct shelf {
  named goods;
  std::unique_ptr<ids> extra = std::make_unique<ids>();
  union {
    ids *in_union;
    long number;
  };
  struct {
    ids nested;
  } box;
};

class keeper : public tagged {
public:
  ids kept;
  [[gnu::noinline]] void stand(int here);
};

// On lines of its own: LLDB would stop before the parameters are stored.
void keeper::stand(int here) {
  const keeper *at = this;
  asm volatile("" : : "r"(at), "r"(here) : "memory");
}

} // namespace depot

namespace {

void one(ids &map, int number) { map[number] = number; }

[[gnu::noinline]] void checkpoint(const ids &by_reference, ids *by_pointer) {
  const ids *at = &by_reference;
  asm volatile("" : : "r"(at), "r"(by_pointer) : "memory");
}

// Also a program that never calls this can be asked to.
[[gnu::used]] ids &made() {
  static ids map;
  one(map, 999);
  return map;
}

} // namespace

int main() {
  ids plain, row[2];
  one(plain, 1);
  one(row[1], 2);
  ids &reference = plain;
  ids *pointer = &plain, *null = nullptr, **twofold = &pointer;
  global_pointer = &plain;
  one(depot::stock, 3);
  one(depot::hidden, 4);
  one(depot::holder::shared, 5);
  one(depot::holder::own, 6);
  std::latch ready(1), done(1);
  std::thread second([&] {
    one(depot::holder::own, 7);
    ready.count_down();
    done.wait();
  });
  ready.wait();

  auto unique = std::make_unique<ids>();
  one(*unique, 10);
  auto shared = std::make_shared<ids>();
  one(*shared, 11);
  std::weak_ptr<ids> weak = shared, expired;
  {
    auto gone = std::make_shared<ids>();
    expired = gone;
  }
  std::unique_ptr<ids> nothing;
  auto several = std::make_unique<ids[]>(3);
  one(several[2], 12);
  std::optional<ids> maybe = ids(), never;
  one(*maybe, 13);
  std::variant<int, std::string, ids> either = ids(), other = 7;
  one(std::get<2>(either), 14);
  std::reference_wrapper<ids> wrapped = plain;

  std::array<ids, 2> fixed;
  one(fixed[1], 20);
  std::vector<ids> list(3);
  one(list[2], 21);
  std::deque<ids> queue(100);
  one(queue[77], 22);
  std::vector<depot::shelf> shelves(2);
  one(shelves[1].goods["apples"], 23);
  one(*shelves[1].extra, 24);
  one(shelves[1].box.nested, 25);
  shelves[1].in_union = &plain;
  std::tuple<int, ids, std::string> triple;
  one(std::get<1>(triple), 26);
  std::pair<int, ids> couple;
  one(couple.second, 27);

  depot::second_base derived;
  one(derived, 30);
  depot::two_levels deeper;
  one(deeper, 31);
  depot::left virtual_base;
  one(virtual_base, 32);
  depot::diamond diamond;
  one(diamond, 33);
  depot::twice ambiguous;
  one(ambiguous, 34);

  named by_name;
  one(by_name["region 2"], 40);
  one(by_name["a]b\"c\\"], 41);
  one(by_name[""], 42);
  std::string word = "region 2";
  const char *letters = "region 2";
  std::string_view view = word;
  mapscope::map<int, named> nested;
  one(nested[-3]["k"], 43);
  mapscope::map<char, ids> by_char;
  one(by_char['x'], 44);
  one(by_char['\n'], 45);
  mapscope::map<depot::colour, ids> by_colour;
  one(by_colour[depot::colour::green], 46);
  mapscope::map<depot::place, ids, depot::place_hash> by_place;
  one(by_place[{1, -2}], 47);
  depot::place where{1, -2};
  mapscope::map<double, ids> by_number;
  one(by_number[2.5], 48);
  mapscope::map<bool, ids *> by_truth;
  by_truth[true] = &plain;
  mapscope::map<const char *, ids> by_text;
  one(by_text[letters], 49);
  mapscope::map<std::uint64_t, std::shared_ptr<ids>> by_big;
  by_big[~std::uint64_t(0)] = shared;
  int index = 1, count = 1;

  depot::keeper keeper;
  one(keeper.kept, 50);
  checkpoint(reference, pointer);
  keeper.stand(count);
  asm volatile("" : : "r"(null), "r"(twofold), "r"(&index), "r"(&view), "r"(&where) : "memory");
  asm volatile("" : : "r"(&wrapped) : "memory");
  done.count_down();
  second.join();
}

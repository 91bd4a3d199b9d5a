// SPDX-License-Identifier: MIT
//
// Maps that variables refer to in every way. The program writes down itself where each is, what
// is in it, and who owns it: as people write that, indices and keys left out and with them.
#include <mapscope/map.hpp>

#include "truth.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using ints = mapscope::map<int, int>;
using texts = mapscope::map<std::string, int>;

std::string account;

template <class Map>
void tell(const Map &map, const char *type, const std::string &owner, const std::string &exact) {
  account += "{\"address\":" + truth::address(truth::header(map)) + ",\"type\":\"" + type +
             "\",\"count\":" + std::to_string(map.size()) + ",\"owner\":" + truth::quote(owner) +
             ",\"path\":" + truth::quote(exact) + "}\n";
}

// A map with so many entries, which is told of.
ints &fill(ints &map, int entries, const std::string &owner, const std::string &exact) {
  for (int i = 0; i < entries; ++i)
    map[i] = i;
  tell(map, "mapscope::map<int, int>", owner, exact);
  return map;
}
ints &fill(ints &map, int entries, const std::string &path) {
  return fill(map, entries, path, path);
}

void fill(texts &map, int entries, const std::string &owner, const std::string &exact) {
  for (int i = 0; i < entries; ++i)
    map[std::to_string(i)] = i;
  tell(map, "mapscope::map<std::string, int>", owner, exact);
}

} // namespace

namespace shop {

struct shard {
  long number = 0;
  texts prices_;
};

struct base {
  ints inherited;
};

struct holder : base {
  int first = 1;
  ints second;
};

// Known to be one only at run time.
struct stage {
  virtual ~stage() = default;
  int step = 0;
};
struct counting_stage : stage {
  ints counts;
};

// One of several base classes, and a virtual one: both lie somewhere in the object.
struct other_stage {
  virtual ~other_stage() = default;
  long more = 0;
};
struct second_stage : other_stage, stage {
  ints behind;
};
struct common {
  virtual ~common() = default;
  ints shared_by_all;
};
struct one_side : virtual common {
  ints its_own;
};

struct node {
  int value = 0;
  node *next = nullptr;
  ints names;
};

class inventory {
public:
  static inline ints all;
  std::vector<shard> shards;
  std::array<ints, 3> row;
  shard plain[2];
  struct {
    int before = 0;
    ints inside;
  } unnamed;
};

inventory inv;
std::unique_ptr<inventory> unique;
std::shared_ptr<shard> shared;
std::optional<shard> maybe;
std::optional<shard> never;
std::variant<int, shard, ints> either;
std::deque<shard> queue;
std::list<shard> chain;
std::map<std::string, shard> sorted;
std::unordered_map<int, std::unique_ptr<shard>> hashed;
mapscope::map<std::string, shard> nested;
mapscope::map<int, std::unique_ptr<shard>> far;
std::tuple<int, ints> tuple;
std::pair<int, ints> pair;
std::vector<std::unique_ptr<stage>> stages;
stage *second_base;
common *virtual_base;
ints *pointer;
ints &reference = *new ints;
holder derived;
node *circle;
extern ints *elsewhere;
ints *twice;
ints *again;
thread_local ints own;
static ints hidden;

ints &of_function() {
  static ints kept;
  return kept;
}

} // namespace shop

namespace {

std::atomic<int> waiting{0};
std::atomic<bool> over{false};

[[gnu::noinline]] void work() {
  ints local;
  fill(local, 41, "(anonymous namespace)::work (thread) local");
  fill(shop::own, 42, "shop::own (thread)");
  ++waiting;
  while (!over)
    std::this_thread::yield();
}

[[gnu::noinline]] void checkpoint() { asm volatile("" : : : "memory"); }

void make() {
  using namespace shop;
  const auto many = [](const char *path, int i, const char *rest) {
    return std::string(path) + "[" + std::to_string(i) + "]" + rest;
  };
  inv.shards.resize(20);
  for (int i = 0; i < 20; ++i)
    fill(inv.shards[static_cast<std::size_t>(i)].prices_, i + 1, "shop::inv.shards[].prices_",
         many("shop::inv.shards", i, ".prices_"));
  for (int i = 0; i < 3; ++i)
    fill(inv.row[static_cast<std::size_t>(i)], 3, "shop::inv.row[]", many("shop::inv.row", i, ""));
  fill(inv.plain[1].prices_, 5, "shop::inv.plain[].prices_", "shop::inv.plain[1].prices_");
  fill(inv.unnamed.inside, 6, "shop::inv.unnamed.inside");
  fill(inventory::all, 7, "shop::inventory::all");
  unique = std::make_unique<inventory>();
  unique->shards.resize(2);
  fill(unique->shards[1].prices_, 8, "shop::unique->shards[].prices_",
       "shop::unique->shards[1].prices_");
  shared = std::make_shared<shard>();
  fill(shared->prices_, 9, "shop::shared->prices_", "shop::shared->prices_");
  maybe.emplace();
  fill(maybe->prices_, 10, "shop::maybe->prices_", "shop::maybe->prices_");
  either.emplace<1>();
  fill(std::get<1>(either).prices_, 11, "shop::either.get<1>().prices_",
       "shop::either.get<1>().prices_");
  for (int i = 0; i < 70; ++i)
    fill(queue.emplace_back().prices_, 1, "shop::queue[].prices_",
         many("shop::queue", i, ".prices_"));
  for (int i = 0; i < 3; ++i)
    fill(chain.emplace_back().prices_, 2, "shop::chain[].prices_",
         many("shop::chain", i, ".prices_"));
  fill(sorted["a"].prices_, 3, "shop::sorted[].prices_", "shop::sorted[\"a\"].prices_");
  fill(sorted["b"].prices_, 4, "shop::sorted[].prices_", "shop::sorted[\"b\"].prices_");
  hashed[7] = std::make_unique<shard>();
  fill(hashed[7]->prices_, 5, "shop::hashed[]->prices_", "shop::hashed[7]->prices_");
  fill(nested["x"].prices_, 6, "shop::nested[].prices_", "shop::nested[\"x\"].prices_");
  tell(nested, "mapscope::map<std::string, shop::shard>", "shop::nested", "shop::nested");
  far[8] = std::make_unique<shard>();
  fill(far[8]->prices_, 7, "shop::far[]->prices_", "shop::far[8]->prices_");
  tell(far, "mapscope::map<int, std::unique_ptr<shop::shard>>", "shop::far", "shop::far");
  fill(std::get<1>(tuple), 8, "shop::tuple.get<1>()");
  fill(pair.second, 9, "shop::pair.second");
  auto counting = std::make_unique<counting_stage>();
  fill(counting->counts, 10, "shop::stages[]->counts", "shop::stages[1]->counts");
  stages.push_back(std::make_unique<stage>());
  stages.push_back(std::move(counting));
  auto *second = new second_stage;
  second_base = second;
  fill(second->behind, 22, "shop::second_base->behind");
  auto *side = new one_side;
  virtual_base = side;
  fill(side->shared_by_all, 23, "shop::virtual_base->shared_by_all");
  fill(side->its_own, 24, "shop::virtual_base->its_own");
  pointer = new ints;
  fill(*pointer, 11, "shop::pointer");
  elsewhere = new ints;
  fill(*elsewhere, 30, "shop::elsewhere");
  twice = again = new ints;
  fill(*again, 11, "shop::again");
  fill(reference, 12, "shop::reference");
  fill(derived.inherited, 13, "shop::derived.inherited");
  fill(derived.second, 14, "shop::derived.second");
  circle = new node;
  circle->next = new node;
  circle->next->next = circle;
  fill(circle->names, 15, "shop::circle->names");
  fill(circle->next->names, 16, "shop::circle->next->names");
  fill(own, 17, "shop::own (thread)", "shop::own (thread)");
  fill(hidden, 18, "shop::hidden");
  fill(of_function(), 19, "shop::of_function()::kept");
}

} // namespace

int main(int argc, char **argv) {
  make();
  ints *lost = new ints;
  fill(*lost, 50, "");
  lost = nullptr;
  std::thread other(work);
  while (!waiting)
    std::this_thread::yield();
  ints local;
  fill(local, 20, "main (thread) local");
  auto held = std::make_shared<shop::shard>();
  fill(held->prices_, 21, "main (thread) held->prices_", "main (thread) held->prices_");
  if (argc > 1)
    truth::write(argv[1], account);
  checkpoint();
  over = true;
  other.join();
}

// SPDX-License-Identifier: MIT
//
// mapscope::map as a container: each member function once, at its edges.
#include <memory>
#include <string>
#include <vector>

#include "checks.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(api)

namespace {

struct length_hash { // an object with state
  size_t modulus;
  size_t operator()(const std::string &s) const { return s.size() % modulus; }
};
struct case_equal {
  bool ignore_case;
  bool operator()(const std::string &a, const std::string &b) const {
    if (!ignore_case || a.size() != b.size()) {
      return a == b;
    }
    for (size_t i = 0; i < a.size(); i++) {
      if ((a[i] | 32) != (b[i] | 32)) {
        return false;
      }
    }
    return true;
  }
};
using odd_map = mapscope::map<std::string, int, length_hash, case_equal>;

struct from_string { // counts what is made of a looked-up key
  static inline int made = 0;
  std::string text;
  from_string(std::string_view s) : text(s) { made++; }
  friend bool operator==(const from_string &, const from_string &) = default;
};
struct from_string_hash {
  using is_transparent = void;
  size_t operator()(const from_string &s) const { return std::hash<std::string_view>()(s.text); }
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};
struct from_string_equal {
  using is_transparent = void;
  bool operator()(const from_string &a, const from_string &b) const { return a == b; }
  bool operator()(const from_string &a, std::string_view b) const { return a.text == b; }
};

} // namespace

BOOST_AUTO_TEST_CASE(lookup) {
  mapscope::map<std::string, int> map{{"one", 1}, {"two", 2}, {"one", 3}};
  const auto &constant = map;
  BOOST_TEST(map.size() == 2U);
  BOOST_TEST(map["one"] == 1); // the first of two wins
  BOOST_TEST(constant.at("two") == 2);
  BOOST_CHECK_THROW(map.at("three"), std::out_of_range);
  BOOST_CHECK_THROW(constant.at(std::string("three")), std::out_of_range);
  BOOST_TEST(map.count("one") == 1U);
  BOOST_TEST(constant.count("none") == 0U);
  BOOST_TEST((constant.find("none") == constant.end()));
  BOOST_TEST(constant.find("one")->second == 1);
  BOOST_TEST(map["new"] == 0);
  BOOST_TEST(map.size() == 3U);
  BOOST_TEST(map.erase("new") == 1U);
  BOOST_TEST(map.erase("new") == 0U);
}

BOOST_AUTO_TEST_CASE(insertion) {
  mapscope::map<int, std::string> map;
  BOOST_TEST(map.insert({1, "a"}).second);
  BOOST_TEST(!map.insert({1, "b"}).second);
  BOOST_TEST(map.insert(std::make_pair(2, "c")).second);
  BOOST_TEST(map.emplace(3, "d").second);
  BOOST_TEST(map.emplace(short{4}, "e").second);
  BOOST_TEST(
      map.emplace(std::piecewise_construct, std::forward_as_tuple(5), std::forward_as_tuple(3, 'f'))
          .second);
  BOOST_TEST(!map.try_emplace(5, "g").second);
  BOOST_TEST(map.try_emplace(6).second);
  BOOST_TEST(map.insert_or_assign(6, "h").first->second == "h");
  BOOST_TEST(!map.insert_or_assign(6, "i").second);
  const std::vector<std::pair<int, std::string>> more{{6, "x"}, {7, "j"}};
  map.insert(more.begin(), more.end());
  map.insert({{8, "k"}, {8, "l"}});
  const mapscope::map<int, std::string> expected{{1, "a"},   {2, "c"}, {3, "d"}, {4, "e"},
                                                 {5, "fff"}, {6, "i"}, {7, "j"}, {8, "k"}};
  BOOST_TEST((map == expected));
  map[8] = "m";
  BOOST_TEST((map != expected));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_there_is_not_moved_from) {
  mapscope::map<std::string, std::unique_ptr<int>> map;
  std::string key(50, 'k');
  auto value = std::make_unique<int>(1);
  BOOST_TEST(map.try_emplace(key, std::move(value)).second);
  value = std::make_unique<int>(2);
  BOOST_TEST(!map.try_emplace(std::move(key), std::move(value)).second);
  BOOST_TEST(key.size() == 50U);
  BOOST_TEST(*value == 2);
  BOOST_TEST(*map.at(key) == 1);
  BOOST_TEST(!map.insert_or_assign(key, std::move(value)).second);
  BOOST_TEST(*map.at(key) == 2);
}

BOOST_AUTO_TEST_CASE(copy_move_swap) {
  mapscope::map<int, std::string> map;
  for (int i = 0; i < 500; i++) {
    map[i] = std::to_string(i);
  }
  auto copy = map;
  BOOST_TEST((copy == map));
  copy[1] = "changed";
  BOOST_TEST(map[1] == "1");
  auto moved = std::move(copy);
  BOOST_TEST(copy.empty());
  copy[5] = "usable again";
  BOOST_TEST(copy.size() == 1U);
  BOOST_TEST(moved[1] == "changed");
  swap(moved, map);
  BOOST_TEST(moved[1] == "1");
  map = moved;
  BOOST_TEST((map == moved));
  auto &same = map;
  map = same;
  map = std::move(same);
  BOOST_TEST(map.size() == 500U);
  map = {{1, "x"}};
  BOOST_TEST(map.size() == 1U);
  map = mapscope::map<int, std::string>();
  BOOST_TEST(map.empty());
  mapscope::map<int, std::string> none;
  mapscope::map<int, std::string> copy_of_none(none);
  BOOST_TEST((none == copy_of_none));
}

BOOST_AUTO_TEST_CASE(strings_are_looked_up_without_building_one) {
  mapscope::map<std::string, int> map;
  const std::string text(100, 'x');
  map[text] = 1;
  const std::string_view view = text;
  const auto before = support::allocations::live();
  support::allocations::fail_after(0);
  const bool found = map.contains(view) && map.find(view) != map.end() && map.at(view) == 1 &&
                     !map.contains("a literal that no small string could hold") && map[view] == 1 &&
                     map.insert_or_assign(view, 2).first->second == 2 &&
                     map.erase("another literal that no small string could hold") == 0;
  support::allocations::succeed();
  BOOST_TEST(found);
  BOOST_TEST(support::allocations::live() == before);
  BOOST_TEST(map.erase(view) == 1U);

  mapscope::map<std::string_view, int> views{{"a", 1}};
  BOOST_TEST(views.at(std::string("a")) == 1);
  BOOST_TEST(views.contains("a"));
}

BOOST_AUTO_TEST_CASE(other_types_can_be_looked_up_too) {
  mapscope::map<from_string, int, from_string_hash, from_string_equal> map;
  map["a"] = 1;
  map.try_emplace("a", 2);
  map[std::string_view("a")] = 3;
  BOOST_TEST(map.at("a") == 3);
  BOOST_TEST(map.contains("a"));
  BOOST_TEST(from_string::made == 1);
}

BOOST_AUTO_TEST_CASE(hash_and_equality_with_state) {
  odd_map map(0, length_hash{3}, case_equal{true});
  for (int i = 0; i < 200; i++) {
    map["key " + std::to_string(i)] = i;
  }
  map["KEY 7"] = 70;
  BOOST_TEST(map.size() == 200U);
  BOOST_TEST(map.at("Key 7") == 70);
  BOOST_TEST(map.hash_function().modulus == 3U);
  odd_map sensitive(10, length_hash{5}, case_equal{false});
  sensitive["a"] = 1;
  sensitive["A"] = 2;
  BOOST_TEST(sensitive.size() == 2U);
  swap(map, sensitive);
  BOOST_TEST(sensitive.contains("KEY 150"));
  BOOST_TEST(!map.contains("b"));
  map["a"] = 3;
  BOOST_TEST(map.size() == 2U);
  odd_map copy(sensitive);
  BOOST_TEST((copy == sensitive));
  BOOST_TEST(copy.contains("kEy 3"));
  for (int i = 200; i < 2000; i++) {
    copy["key " + std::to_string(i)] = i; // grows with the copied functors
  }
  BOOST_TEST(copy.contains("KEY 1999"));
  odd_map taken(std::move(copy));
  BOOST_TEST(taken.erase("KEY 1999") == 1U);
  copy = taken;
  BOOST_TEST(copy.size() == 1999U);

  auto by_last_digit = [](uint64_t x) { return x % 10; };
  mapscope::map<uint64_t, int, decltype(by_last_digit)> lambda(0, by_last_digit);
  for (uint64_t i = 0; i < 100; i++) {
    lambda[i] = 1;
  }
  BOOST_TEST(lambda.size() == 100U);
}

BOOST_AUTO_TEST_CASE(sizes) {
  mapscope::map<int, int> map;
  BOOST_TEST(map.load_factor() == 0.0);
  BOOST_TEST(map.bucket_count() == 0U);
  BOOST_TEST(map.max_size() > size_t{1} << 40);
  for (int i = 0; i < 52; i++) {
    map[i] = i;
  }
  BOOST_TEST(map.bucket_count() == 8U);
  BOOST_TEST(map.load_factor() == 6.5);
  BOOST_TEST(map.max_load_factor() == 6.5);
  BOOST_CHECK_THROW((mapscope::map<int, int>(map.max_size() + 1)), std::length_error);
}

BOOST_AUTO_TEST_CASE(maps_of_maps) {
  using inner = mapscope::map<int, std::string>;
  static_assert(mapscope::is_bytewise_relocatable_v<inner>);
  mapscope::map<int, inner> map;
  for (int i = 0; i < 300; i++) {
    map[i % 40][i] = std::to_string(i);
  }
  BOOST_TEST(map.size() == 40U);
  BOOST_TEST(map[7].size() == 8U);
  BOOST_TEST(map[7].at(47) == "47");
}

BOOST_AUTO_TEST_SUITE_END()

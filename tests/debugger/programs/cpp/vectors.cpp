// SPDX-License-Identifier: MIT
//
// vectors has std::vectors of several kinds, sound and damaged, and moves one of them while another
// one is swapped and assigned to. At its end it prints how often the first has moved.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct point {
  int x, y;
};

struct shelf {
  std::string name;
  std::vector<point> points;
};

struct derived : std::vector<int> {
  int more = 0;
};

std::vector<int> none;
std::vector<int> numbers{1, -2, 3};
std::vector<std::string> texts{"one", "", "a text that is too long for its own inside"};
std::vector<std::vector<int>> nested{{1}, {}, {2, 3}};
std::vector<bool> bits{true, false};
std::unique_ptr<shelf> held = std::make_unique<shelf>();
derived heir;
std::vector<point> grown;
point *kept;
alignas(std::vector<int>) unsigned char damaged[sizeof(std::vector<int>)];
int row[3];

[[gnu::noinline]] void checkpoint(const std::vector<int> &v) {
  asm volatile("" : : "r"(&v) : "memory");
}

[[gnu::noinline]] int local_one() {
  std::vector<int> own;
  checkpoint(own);
  int moves = 0;
  for (int i = 0; i < 10; ++i) {
    const auto before = own.capacity();
    own.push_back(i);
    moves += own.capacity() != before ? 1 : 0;
  }
  return moves;
}

int main() {
  held->points = {{1, 2}, {3, 4}};
  heir.push_back(7);
  const std::uintptr_t words[3] = {0x7000, 0x6000, 0x8000};
  std::memcpy(damaged, words, sizeof words);
  grown.push_back({0, 0});
  kept = &grown[0];
  auto here = grown.begin();
  const point &first = grown.front();
  checkpoint(numbers);

  int moves = 0;
  for (int i = 1; i < 20; ++i) {
    const auto before = grown.capacity();
    grown.push_back({i, i});
    moves += grown.capacity() != before ? 1 : 0;
  }
  grown.reserve(100);
  ++moves;
  std::vector<point> other(500);
  other.swap(grown);
  grown.swap(other);
  std::vector<point> third(700);
  grown = std::move(third);
  checkpoint(numbers);
  std::printf("moves: %d\n", moves);
  std::printf("own moves: %d\n", local_one());
  asm volatile("" : : "r"(&here), "r"(&first) : "memory");
}

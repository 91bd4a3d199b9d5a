// SPDX-License-Identifier: MIT
//
// stale_pointer, in C++: a pointer and an iterator into a vector that has moved.
//
// The bank keeps its accounts in a vector, and a pointer to the account that was opened first. The
// vector has room for two. The third account is put in: push_back moves all accounts to a larger
// array and gives the old one back. The pointer and the iterator still lead there. (The program
// does not use them any more: that would be undefined behaviour, and often seems to work.)
#include <cstdio>
#include <string>
#include <vector>

namespace {

struct account {
  std::string name;
  int cents;
};

struct bank {
  std::vector<account> accounts;
  account *first = nullptr;
};

bank the_bank;

} // namespace

// Where a debugger stops: `break checkpoint`.
[[gnu::noinline]] void checkpoint(const bank &b) { asm volatile("" : : "r"(&b) : "memory"); }

int main() {
  the_bank.accounts.reserve(2);
  the_bank.accounts.push_back({"ada", 100});
  the_bank.accounts.push_back({"bob", 200});
  the_bank.first = &the_bank.accounts[0];
  auto second = the_bank.accounts.begin() + 1;
  checkpoint(the_bank);

  the_bank.accounts.push_back({"cleo", 300});
  checkpoint(the_bank);

  const bool moved = the_bank.first != &the_bank.accounts[0];
  // that they differ is all that may be said of them
  std::printf("the first account %s\n", moved ? "has moved" : "is where it was");
  asm volatile("" : : "r"(&second) : "memory");
}

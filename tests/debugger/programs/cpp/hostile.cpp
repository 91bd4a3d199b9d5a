// SPDX-License-Identifier: MIT
//
// Text that a terminal would act on: in keys and values, in the name of a thread
// that is inside a write, and of a type.
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include <sys/prctl.h>

#include <mapscope/map.hpp>

namespace {

std::atomic<bool> inside = false;
std::atomic<bool> go_on = false;

// NOLINTNEXTLINE(readability-identifier-naming)
struct Größe {
  std::string name;
  int number = 0;
};

// The key 7 takes its time.
struct slow_hash {
  size_t operator()(uint64_t key) const {
    if (key == 7) {
      inside = true;
      while (!go_on) {
        std::this_thread::yield();
      }
    }
    return key;
  }
};

mapscope::map<std::string, std::string> texts;
mapscope::map<uint64_t, Größe> sizes;
mapscope::map<uint64_t, uint64_t, slow_hash> slow;

[[gnu::noinline]] void checkpoint() { asm volatile("" : : : "memory"); }

} // namespace

int main() {
  for (const char *text : {"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "one\ntwo\r",
                           "\xc2\x9b"
                           "2J",
                           "safe\xe2\x80\xae"
                           "exe.txt",
                           "a\xff\xfe", "\xed\xa0\x80"}) {
    texts[text] = text;
  }
  texts[std::string("nul\0nul", 7)] = std::string(1000, '\x1b');
  sizes[1] = Größe{"\x1b[31mred", 1};
  slow[1] = 1;
  std::thread writer([] {
    prctl(PR_SET_NAME, "\x1b[31mr\n\xe2\x80\xae");
    slow[7] = 7;
  });
  while (!inside) {
    std::this_thread::yield();
  }
  checkpoint();
  texts["\x1b[31mnew"] = "\x1b[31mnew";
  go_on = true;
  writer.join();
}

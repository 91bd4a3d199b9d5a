// SPDX-License-Identifier: MIT
//
// MAPDEBUG: what is understood, and that the injected delays lie where they
// make a race repeat.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mapscope/debug.hpp>

#include "checks.hpp"
#include "support.hpp"

using support::header;

BOOST_AUTO_TEST_SUITE(mapdebug)

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using int_map = mapscope::map<uint64_t, uint64_t>;

// Settings for a scope.
class settings {
public:
  explicit settings(std::string_view text) { BOOST_TEST(mapscope::set_mapdebug(text)); }
  settings(const settings &) = delete;
  settings &operator=(const settings &) = delete;
  ~settings() { mapscope::set_mapdebug(""); }
};

template <class Work> milliseconds time_of(Work work) {
  const auto start = steady_clock::now();
  work();
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
}

// Fills a map through `growths` doublings, to the last one's end.
void grow(int_map &map, unsigned growths) {
  for (uint64_t i = 0; map.bucket_count() < uint64_t{1} << growths; i++) {
    map[i] = i;
  }
  while (header(map)->oldbuckets != nullptr) {
    map.erase(~uint64_t{0});
  }
}

// What a child process writes to standard error; `status`: how it ends.
template <class Work> std::string standard_error_of(Work work, int &status) {
  int ends[2];
  BOOST_REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    work();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char piece[4096];
  for (ssize_t n = 0; (n = read(ends[0], piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<size_t>(n));
  }
  close(ends[0]);
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  return text;
}

size_t lines(const std::string &text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

BOOST_AUTO_TEST_CASE(a_delay_at_each_growth) {
  int_map map;
  const settings set("inject=grow:20ms");
  errno = 44;
  const auto time = time_of([&] { grow(map, 6); });
  BOOST_TEST(errno == 44);
  BOOST_TEST(time.count() >= 6 * 20);
  BOOST_TEST(map.size() == 209U); // the 209th made it 64 buckets
}

BOOST_AUTO_TEST_CASE(a_delay_in_each_evacuation_that_moves_something) {
  const support::fixed_seed seed(1); // with this one no old bucket is empty
  int_map map;
  const settings set("inject=evacuate:5ms");
  const auto time = time_of([&] { grow(map, 5); }); // 1 + 2 + 4 + 8 + 16 old buckets
  BOOST_TEST(time.count() >= 31 * 5);
}

// Off again, and short ones: no exact time can be asked for on a busy machine.
BOOST_AUTO_TEST_CASE(off_and_short) {
  const settings set("");
  int_map map;
  BOOST_TEST(mapscope::set_mapdebug("inject=grow:1s"));
  BOOST_TEST(mapscope::set_mapdebug("")); // replaces it
  BOOST_TEST(time_of([&] { grow(map, 5); }).count() < 1000);
  BOOST_TEST(mapscope::set_mapdebug("inject=grow:50us,inject=evacuate:100ns,"));
  int_map other;
  const auto start = steady_clock::now();
  grow(other, 5);
  BOOST_TEST((steady_clock::now() - start >= std::chrono::microseconds(5 * 50)));
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_said_once_and_ignored) {
  for (const char *text :
       {"inject", "inject=", "inject=grow", "inject=grow:", "inject=grow:100", "inject=grow:us",
        "inject=grow:-1us", "inject=grow:1.5us", "inject=grow:100 us", "inject=grow:100us ",
        "inject=grow:3601s", "inject=grow:99999999999999999999us", "inject=shrink:1us", "bogus=1",
        "bogus", "INJECT=grow:1us", "inject=grow:1US"}) {
    int status = 0;
    bool understood = true;
    const std::string error = standard_error_of(
        [&] {
          understood = mapscope::set_mapdebug(text);
          _exit(understood ? 1 : 0);
        },
        status);
    BOOST_TEST(status == 0, text);
    BOOST_TEST(error.find("\"" + std::string(text) + "\"") != std::string::npos, text);
    BOOST_TEST(lines(error) == 1U);
  }
  // The others hold all the same.
  int status = 0;
  const std::string error = standard_error_of(
      [] {
        const bool understood = mapscope::set_mapdebug("one,inject=grow:30ms,two");
        int_map map;
        const auto time = time_of([&] { grow(map, 2); });
        _exit(!understood && time.count() >= 60 ? 0 : 1);
      },
      status);
  BOOST_TEST(status == 0);
  BOOST_TEST(lines(error) == 2U);
}

// Read from the environment before main: in a process of its own.
BOOST_AUTO_TEST_CASE(environment) {
  static constexpr char value[] = "inject=grow:30ms,what=ever";
  if (const char *const set = std::getenv("MAPDEBUG");
      set != nullptr && set == std::string(value)) {
    int_map map;
    BOOST_TEST(time_of([&] { grow(map, 3); }).count() >= 90);
    return;
  }
  int status = 0;
  const std::string error = standard_error_of(
      [] {
        setenv("MAPDEBUG", value, 1);
        execl("/proc/self/exe", "runtime_tests", "--run_test=mapdebug/environment", nullptr);
        _exit(3);
      },
      status);
  BOOST_TEST(status == 0);
  BOOST_TEST(error.find("\"what=ever\"") != std::string::npos, error);
}

// Two threads write one map: with a delay in the middle of a growth, the second
// finds the first one writing, each time.
BOOST_AUTO_TEST_CASE(a_race_repeats) {
  for (const char *text : {"inject=grow:300ms", "inject=evacuate:300ms"}) {
    for (int round = 0; round < 3; round++) {
      int status = 0;
      const std::string error = standard_error_of(
          [&] {
            mapscope::set_fatal_handler([](const char *message) {
              _exit(message == std::string("concurrent map writes") ? 7 : 8);
            });
            mapscope::set_mapdebug(text);
            int_map map;
            for (uint64_t i = 0; i < 8; i++) {
              map[i] = i;
            }
            std::atomic<bool> writing = false;
            std::thread first([&] {
              writing = true;
              map[8] = 8; // grows
            });
            while (!writing) {
              std::this_thread::yield();
            }
            std::this_thread::sleep_for(milliseconds(100));
            map[9] = 9;
            first.join();
          },
          status);
      BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 7), text << " " << status << error);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: MIT
//
// What is to be done about a map that is the suspect: one workload on one map with so many
// entries, in a process of its own, so that memory is that map's alone. Prints one JSON object;
// run.py runs them all, and makes tables of them.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mapscope/stats.hpp>

#include "containers.hpp"

using namespace alternatives;

namespace {
size_t mapped; // bytes that libraries have from mmap themselves; malloc's own do not come here
}

// The runtime library's arrays are no part of malloc's account: these count them.
extern "C" void *mmap(void *at, size_t size, int protection, int flags, int file, off_t from) {
  const auto got = syscall(SYS_mmap, at, size, protection, flags, file, from);
  if (got != -1) {
    mapped += size;
  }
  return reinterpret_cast<void *>(got);
}
extern "C" int munmap(void *at, size_t size) {
  mapped -= size;
  return static_cast<int>(syscall(SYS_munmap, at, size));
}

namespace {

// Bytes that are not free to be used for anything else, with malloc's own.
size_t held() {
  const auto all = mallinfo2();
  return all.uordblks + all.hblkhd + mapped;
}

// What the calling thread has spent: other work on the machine does not count.
double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

using figures = std::map<std::string, double>;
constexpr uint64_t operations = 1000000; // at least so many are timed

template <class Work> double longest_of(uint64_t steps, Work step) {
  double most = 0;
  for (uint64_t i = 0; i < steps; i++) {
    const double start = now_ns();
    step(i);
    most = std::max(most, now_ns() - start);
  }
  return most;
}

// Work that is done again until enough operations were timed: nanoseconds for each.
template <class Work> double each_of(uint64_t steps, Work once) {
  double spent = 0;
  uint64_t done = 0;
  do {
    spent += once();
    done += steps;
  } while (done < operations);
  return spent / static_cast<double>(done);
}

template <class Store> void fill(Store &store, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    store.put(splitmix(i), i);
  }
}

// From nothing to n entries.
template <class Store> figures grow(uint64_t n, bool hint) {
  figures found;
  found["ns"] = each_of(n, [&] {
    auto store = std::make_unique<Store>();
    const double start = now_ns();
    if (hint) {
      store->reserve(n);
    }
    fill(*store, n);
    return now_ns() - start;
  });
  const size_t before = held();
  const auto store = std::make_unique<Store>();
  double most = 0;
  if (hint) {
    most = longest_of(1, [&](uint64_t) { store->reserve(n); });
    found["hint_ns"] = most;
  }
  found["longest_ns"] = longest_of(n, [&](uint64_t i) { store->put(splitmix(i), i); });
  found["bytes"] = static_cast<double>(held() - before);
  found["get_ns"] = each_of(n, [&] {
    uint64_t sum = 0;
    const double start = now_ns();
    for (uint64_t i = 0; i < n; i++) {
      sum += store->get(splitmix(i * 0x9e3779b1 % n));
    }
    const double spent = now_ns() - start;
    found["sum"] += static_cast<double>(sum & 1); // so that it is computed
    return spent;
  });
  return found;
}

// The oldest entry goes for each new one, four times over: the size stays.
template <class Store> figures churn(uint64_t n, bool hint) {
  figures found;
  const auto same_before = mapscope::mapstats().same_size_growths;
  const size_t before = held();
  const auto store = std::make_unique<Store>();
  if (hint) {
    store->reserve(n + 1); // room for one more than it ever has
  }
  fill(*store, n);
  found["bytes_filled"] = static_cast<double>(held() - before);
  uint64_t next = n;
  const auto step = [&](uint64_t) {
    store->erase(splitmix(next - n));
    store->put(splitmix(next), next);
    next++;
  };
  found["ns"] = each_of(2 * n, [&] {
    const double start = now_ns();
    for (uint64_t i = 0; i < 2 * n; i++) {
      step(i);
    }
    return now_ns() - start;
  });
  found["longest_ns"] = longest_of(2 * n, step);
  found["bytes"] = static_cast<double>(held() - before);
  found["same_size_growths"] =
      static_cast<double>(mapscope::mapstats().same_size_growths - same_before);
  return found;
}

// 99 of 100 entries go; then what is to be done about it.
template <class Store> figures empty(uint64_t n, bool) {
  figures found;
  const size_t before = held();
  const auto store = std::make_unique<Store>();
  fill(*store, n);
  found["bytes_filled"] = static_cast<double>(held() - before);
  const double start = now_ns();
  for (uint64_t i = 0; i < n; i++) {
    if (i % 100 != 0) {
      store->erase(splitmix(i));
    }
  }
  found["ns"] = (now_ns() - start) / static_cast<double>(n);
  found["bytes_emptied"] = static_cast<double>(held() - before);
  found["rebuild_ns"] = longest_of(1, [&](uint64_t) { store->rebuild(); });
  found["bytes"] = static_cast<double>(held() - before);
  found["entries"] = static_cast<double>(store->size());
  return found;
}

// A great many maps of four entries each, n entries in all.
template <class Store> figures small(uint64_t n, bool) {
  figures found;
  const size_t maps = n / 4;
  std::vector<std::unique_ptr<Store>> all;
  all.reserve(maps);
  const size_t before = held();
  const double start = now_ns();
  for (size_t i = 0; i < maps; i++) {
    all.push_back(std::make_unique<Store>());
    for (uint64_t k = 0; k < 4; k++) {
      all.back()->put(splitmix(i * 4 + k), k);
    }
  }
  found["ns"] = (now_ns() - start) / static_cast<double>(n);
  found["bytes"] = static_cast<double>(held() - before) / static_cast<double>(maps);
  return found;
}

// Threads that look up nine times and write once, for wall time: waiting counts.
template <class Store> figures threads(uint64_t n, bool) {
  figures found;
  Store store;
  store.reserve(n);
  fill(store, n);
  for (const unsigned number : {1U, 4U}) {
    std::vector<std::thread> all;
    std::vector<uint64_t> sums(number * 16); // each sum in a line of its own
    const uint64_t steps = operations / number;
    const auto start = std::chrono::steady_clock::now();
    for (unsigned t = 0; t < number; t++) {
      all.emplace_back([&store, &sums, n, steps, t] {
        uint64_t random = t;
        uint64_t sum = 0;
        for (uint64_t i = 0; i < steps; i++) {
          random = splitmix(random);
          const uint64_t key = splitmix(random % n);
          if (i % 10 == 0) {
            store.put(key, i);
          } else {
            sum += store.get(key);
          }
        }
        sums[t * 16] = sum;
      });
    }
    for (auto &thread : all) {
      thread.join();
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    found["per_second_" + std::to_string(number)] =
        static_cast<double>(steps * number) / wall.count();
  }
  return found;
}

// What a library sets aside once, for all maps, is no part of any.
template <class Store> void warm_up() {
  const auto store = std::make_unique<Store>();
  fill(*store, 100);
}

struct choice {
  const char *name;
  void (*warm_up)();
  figures (*grow)(uint64_t, bool);
  figures (*churn)(uint64_t, bool);
  figures (*empty)(uint64_t, bool);
  figures (*small)(uint64_t, bool);
  figures (*threads)(uint64_t, bool);
  bool hint;
};

template <class Store> choice single(const char *name, bool hint = false) {
  return {name,         warm_up<Store>, grow<Store>, churn<Store>,
          empty<Store>, small<Store>,   nullptr,     hint};
}
template <class Store> choice shared(const char *name) {
  return {name,         warm_up<Store>, grow<Store>,    churn<Store>,
          empty<Store>, nullptr,        threads<Store>, false};
}
template <class Store> choice poor(const char *name) {
  return {name, warm_up<Store>, grow<Store>, nullptr, nullptr, nullptr, nullptr, false};
}

const std::vector<choice> choices = {
    single<plain<std_map>>("std"),
    single<plain<std_map>>("std+reserve", true),
    single<plain<own_map>>("mapscope"),
    single<plain<own_map>>("mapscope+reserve", true),
#ifdef ALTERNATIVES_ABSL
    single<plain<absl::btree_map<uint64_t, uint64_t>>>("btree"),
    single<plain<absl::flat_hash_map<uint64_t, uint64_t>>>("flat"),
    single<plain<absl::flat_hash_map<uint64_t, uint64_t>>>("flat+reserve", true),
#endif
    single<in_arena<std::pmr::monotonic_buffer_resource>>("pmr-monotonic"),
    single<in_arena<std::pmr::unsynchronized_pool_resource>>("pmr-pool"),
    shared<locked<plain<std_map>, std::mutex>>("std+mutex"),
    shared<locked<plain<std_map>, std::shared_mutex>>("std+shared_mutex"),
    shared<locked<plain<own_map>, std::mutex>>("mapscope+mutex"),
    shared<sharded<plain<std_map>>>("std/16"),
    shared<sharded<plain<own_map>>>("mapscope/16"),
#ifdef ALTERNATIVES_TBB
    shared<concurrent>("tbb"),
#endif
    poor<plain<std::unordered_map<uint64_t, uint64_t, poor_hash>>>("std+poor-hash"),
    poor<plain<mapscope::map<uint64_t, uint64_t, poor_hash>>>("mapscope+poor-hash"),
};

figures (*workload(const choice &one, const std::string &name))(uint64_t, bool) {
  return name == "grow"      ? one.grow
         : name == "churn"   ? one.churn
         : name == "empty"   ? one.empty
         : name == "small"   ? one.small
         : name == "threads" ? one.threads
                             : nullptr;
}

int list() {
  for (const choice &one : choices) {
    std::printf("%s:", one.name);
    for (const char *name : {"grow", "churn", "empty", "small", "threads"}) {
      if (workload(one, name) != nullptr) {
        std::printf(" %s", name);
      }
    }
    std::puts("");
  }
#ifndef ALTERNATIVES_ABSL
  std::puts("left out: btree, flat: built without Abseil (Debian: libabsl-dev)");
#endif
#ifndef ALTERNATIVES_TBB
  std::puts("left out: tbb: built without oneTBB (Debian: libtbb-dev)");
#endif
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    return list();
  }
  if (argc == 4) {
    const uint64_t n = std::strtoull(argv[3], nullptr, 10);
    for (const choice &one : choices) {
      if (const auto work = workload(one, argv[1]);
          std::strcmp(one.name, argv[2]) == 0 && work != nullptr && n != 0) {
        one.warm_up();
        const char *between = "{";
        for (const auto &[name, value] : work(n, one.hint)) {
          std::printf("%s\"%s\": %.17g", between, name.c_str(), value);
          between = ", ";
        }
        std::puts("}");
        return 0;
      }
    }
  }
  std::fputs("usage: alternatives_bench --list | WORKLOAD MAP ENTRIES, as --list has them\n",
             stderr);
  return 2;
}

// SPDX-License-Identifier: MIT
//
// Loads a library that has a copy of the runtime of its own, whose initialiser
// fills a map already.
//
//   late LIBRARY
#include <cstdio>

#include <dlfcn.h>

#include <mapscope/map.hpp>

int main(int, char **argv) {
  mapscope::map<int, int> own;
  for (int i = 0; i < 20; i++) {
    own[i] = i;
  }
  void *const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::puts(dlerror());
    return 1;
  }
  reinterpret_cast<void (*)(int)>(dlsym(library, "late_fill"))(60);
  std::printf("finished with %zu\n", own.size());
}

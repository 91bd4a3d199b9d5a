// SPDX-License-Identifier: MIT
//
// A program with a map in a layout of the future: its mapscope_abi has a
// version that no script knows, and hmap's fields lie elsewhere. It does not
// link the runtime.
#include <mapscope/abi.h>

#include <cstdio>
#include <cstring>

namespace {

constexpr mapscope::abi future() {
  mapscope::abi abi{};
  constexpr char magic[] = MAPSCOPE_MAGIC;
  for (unsigned i = 0; i < sizeof abi.magic; ++i)
    abi.magic[i] = magic[i];
  abi.version = MAPSCOPE_ABI_VERSION + 98;
  abi.size = sizeof abi;
  abi.fields[0] = {"hmap", 0, 64, 1};
  abi.fields[1] = {"hmap.count", 56, 8, 1};
  return abi;
}

} // namespace

extern "C" {
[[gnu::section(".mapscope")]] alignas(16) const mapscope::abi mapscope_abi = future();
}

namespace {

const mapscope::maptype future_type = [] {
  mapscope::maptype type{};
  type.abi = &mapscope_abi;
  type.name = "mapscope::map<int, int>";
  return type;
}();

struct {
  mapscope::hmap h;
  mapscope::mapextra extra;
} header;

} // namespace

namespace mapscope {
// As the library's own, to a debugger.
template <class K, class V> class map {
public:
  hmap *header_;
};
} // namespace mapscope

mapscope::map<int, int> m;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

int main() {
  header.h.extra = &header.extra;
  header.extra.type = &future_type;
  m.header_ = &header.h;
  checkpoint();
  std::puts("done");
  return 0;
}

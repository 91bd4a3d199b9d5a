// SPDX-License-Identifier: MIT
//
// garbage stops at checkpoint with maps whose headers, buckets or types were
// damaged, one kind of damage for each member of `bad`, and at `uninitialised`
// with a map that is not constructed yet. The maps are copies of sound ones:
// the runtime itself never sees them.
#include <mapscope/layout.h>
#include <mapscope/map.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using numbers = mapscope::map<std::uint32_t, std::uint32_t>;
using labels = mapscope::map<std::string, int>;

constexpr std::size_t bucket_count = 64;

// A copy of a map of `bucket_count` buckets, in memory that may be damaged.
template <class Map> class damaged {
public:
  explicit damaged(const Map &sound) {
    const mapscope::hmap *header = nullptr;
    std::memcpy(&header, static_cast<const void *>(&sound), sizeof header);
    if (header->B != 6 || header->oldbuckets != nullptr) {
      std::fprintf(stderr, "garbage: the sound map has B %d\n", header->B);
      std::exit(1);
    }
    type = *header->extra->type;
    // The array with its spare buckets.
    bytes = std::size_t{type.bucketsize} * (bucket_count + bucket_count / 16);
    buckets = static_cast<unsigned char *>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    std::memcpy(buckets, header->buckets, bytes);
    h = *header;
    extra = *header->extra;
    h.buckets = buckets;
    h.extra = &extra;
    extra.type = &type;
    // What stays outside the copy.
    extra.next = nullptr;
    extra.prev = nullptr;
    extra.iterators = nullptr;
  }

  unsigned char *bucket(std::size_t i) { return buckets + i * type.bucketsize; }

  void link(std::size_t i, void *overflow) {
    std::memcpy(bucket(i) + type.overflow_offset, &overflow, sizeof overflow);
  }

  // The map object that a debugger sees.
  const Map *map() {
    object = &h;
    return reinterpret_cast<const Map *>(&object);
  }

  mapscope::hmap h;
  mapscope::mapextra extra; // directly behind h, as in a sound map
  mapscope::maptype type;
  unsigned char *buckets;
  std::size_t bytes;
  void *object;
};

void *nowhere(std::uintptr_t address) { return reinterpret_cast<void *>(address); }

} // namespace

struct damages {
  const numbers *sound;
  const numbers *b_of_200;
  const numbers *b_of_40;
  const numbers *count_of_2_60;
  const numbers *buckets_nowhere;
  const numbers *buckets_nil;
  const numbers *oldbuckets_nowhere;
  const numbers *nevacuate_beyond;
  const numbers *chain_loops;
  const numbers *chain_long_loop;
  const numbers *chain_shared;
  const numbers *chain_nowhere;
  const numbers *chain_unaligned;
  const numbers *tophash_impossible;
  const numbers *extra_nowhere;
  const numbers *type_nowhere;
  const numbers *type_bucketsize_0;
  const numbers *type_keysize_huge;
  const numbers *type_offsets_wild;
  const numbers *header_nowhere;
  const numbers *header_unaligned;
  const numbers *header_text;
  const labels *key_nowhere;
  const labels *key_of_2_60_bytes;
};
damages bad;

[[gnu::noinline]] void checkpoint() { asm volatile("" ::: "memory"); }

// Leaves bytes of every kind on the stack, for the next function to find.
[[gnu::noinline]] void scribble(unsigned char byte) {
  volatile unsigned char stack[4096];
  for (volatile unsigned char &b : stack)
    b = byte;
}

[[gnu::noinline]] int uninitialised(int seed) {
  numbers late{{static_cast<std::uint32_t>(seed), 2U}};
  labels later{{"three", seed}};
  return static_cast<int>(late.size() + later.size());
}

int main() {
  mapscope::set_seed(1); // the same in every run
  numbers sound;
  labels text;
  for (std::uint32_t i = 0; i < 300; ++i) {
    sound.insert_or_assign(i, i * i);
    text.insert_or_assign("key " + std::to_string(i), static_cast<int>(i));
  }
  const auto copy = [&sound] { return new damaged<numbers>(sound); };
  damaged<numbers> *d = copy();
  bad.sound = d->map();
  (d = copy())->h.B = 200;
  bad.b_of_200 = d->map();
  (d = copy())->h.B = 40;
  bad.b_of_40 = d->map();
  (d = copy())->h.count = 1ULL << 60;
  bad.count_of_2_60 = d->map();
  (d = copy())->h.buckets = nowhere(0x5ead00000000);
  bad.buckets_nowhere = d->map();
  (d = copy())->h.buckets = nullptr;
  bad.buckets_nil = d->map();
  (d = copy())->h.oldbuckets = nowhere(0x5ead00000000);
  d->h.nevacuate = 3;
  bad.oldbuckets_nowhere = d->map();
  d = copy();
  d->h.oldbuckets = d->buckets;
  d->h.nevacuate = 1ULL << 40;
  bad.nevacuate_beyond = d->map();
  d = copy();
  d->link(5, d->bucket(5));
  bad.chain_loops = d->map();
  d = copy(); // 5 -> spare 64 -> spare 65 -> spare 64
  d->link(5, d->bucket(64));
  d->link(64, d->bucket(65));
  d->link(65, d->bucket(64));
  bad.chain_long_loop = d->map();
  d = copy();
  d->link(5, d->bucket(64));
  d->link(6, d->bucket(64));
  d->link(64, nullptr);
  bad.chain_shared = d->map();
  d = copy();
  d->link(5, nowhere(0x5ead00000000));
  bad.chain_nowhere = d->map();
  d = copy();
  d->link(5, d->bucket(64) + 3);
  bad.chain_unaligned = d->map();
  d = copy(); // evacuated marks in a map that does not grow; live after emptyRest
  std::memcpy(d->bucket(7), "\x02\x03\x04\x00\x99\x00\x01\x00", 8);
  bad.tophash_impossible = d->map();
  (d = copy())->h.extra = static_cast<mapscope::mapextra *>(nowhere(0x1234));
  bad.extra_nowhere = d->map();
  (d = copy())->extra.type = static_cast<const mapscope::maptype *>(nowhere(0x5ead00000008));
  bad.type_nowhere = d->map();
  (d = copy())->type.bucketsize = 0;
  bad.type_bucketsize_0 = d->map();
  (d = copy())->type.keysize = 0xffffffff;
  bad.type_keysize_huge = d->map();
  d = copy();
  d->type.keys_offset = 0xfffffff0;
  d->type.overflow_offset = 0x80000000;
  bad.type_offsets_wild = d->map();
  d = copy();
  d->map();
  d->object = nowhere(0x10);
  bad.header_nowhere = reinterpret_cast<const numbers *>(&d->object);
  d = copy();
  d->map();
  d->object = reinterpret_cast<unsigned char *>(&d->h) + 1;
  bad.header_unaligned = reinterpret_cast<const numbers *>(&d->object);
  static char letters[] =
      "ABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGHABCDEFGH";
  d = copy();
  d->map();
  d->object = letters;
  bad.header_text = reinterpret_cast<const numbers *>(&d->object);

  auto *t = new damaged<labels>(text);
  std::size_t cell = 0; // of the first bucket, where its first live entry is
  while (t->bucket(0)[cell] < MAPSCOPE_MIN_TOP_HASH)
    ++cell;
  unsigned char *key = t->bucket(0) + t->type.keys_offset + cell * t->type.keysize;
  const std::uint64_t wild = 0x5ead00000000;
  std::memcpy(key + t->type.key.data_offset, &wild, sizeof wild);
  bad.key_nowhere = t->map();
  t = new damaged<labels>(text);
  key = t->bucket(0) + t->type.keys_offset + cell * t->type.keysize;
  const std::uint64_t huge = 1ULL << 60;
  std::memcpy(key + t->type.key.len_offset, &huge, sizeof huge);
  bad.key_of_2_60_bytes = t->map();

  checkpoint();
  int sum = 0;
  constexpr unsigned char bytes[] = {0xcc, 0x00, 0xff, 0x41, 0x08};
  for (const unsigned char byte : bytes) {
    scribble(byte);
    sum += uninitialised(byte);
  }
  std::printf("done %d\n", sum);
  return 0;
}

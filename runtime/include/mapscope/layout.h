/* SPDX-License-Identifier: MIT
 *
 * The memory layout of a mapscope map, as C and as C++.
 *
 * What this header knows: where every byte of a map lies and in which order a
 * write stores them. What it must not know: how maps are used (map.hpp) and
 * how the algorithms work (runtime/src). Debuggers read maps by this layout;
 * they take every number in it from `mapscope_abi` (abi.h) in the process, never
 * from a copy of this file.
 *
 * hmap, bmap and mapextra have the fields and offsets of Go 1.19
 * (runtime/map.go there), so one picture serves both.
 *
 *                 mapscope::map<K, V>            (one pointer, nil until written)
 *                        |
 *                        v
 *   hmap  +--------------------------------------------------------------+
 *      0  | count                                                    u64 |
 *      8  | flags u8 | B u8 | noverflow u16 | hash0                  u32 |
 *     16  | buckets     -> array of 2^B buckets (+ spare ones)           |
 *     24  | oldbuckets  -> the array being evacuated, or nil             |
 *     32  | nevacuate: old buckets below it are evacuated            u64 |
 *     40  | extra       -> always hmap + 48                              |
 *         +--------------------------------------------------------------+
 *     48  mapextra, in the same allocation: overflow lists, type, registry
 *
 *   bmap  +-----------------+---------------+----------------+-----------+
 *   (one  | tophash[8]      | keys[8]       | elems[8]       | overflow  |
 *  bucket)+-----------------+---------------+----------------+-----------+
 *         0                 keys_offset     elems_offset     bucketsize-8
 *
 * keys_offset is 8 rounded up to the alignment of a key slot; elems_offset is
 * the end of the keys rounded up to the alignment of an element slot;
 * bucketsize is a multiple of the strictest alignment in the bucket. A key or
 * element larger than 128 bytes, or that cannot be relocated without throwing,
 * is stored as a pointer to it (indirectKey, indirectElem).
 *
 * A tophash byte is 0..4 (a state, MAPSCOPE_EMPTY_REST and so on) or the top
 * byte of the key's hash, 5 added when that byte is below 5.
 *
 * A bucket lies in the array at index hash & (2^B - 1). For B >= 4, 2^(B-4)
 * spare overflow buckets lie behind the 2^B buckets; a spare not yet used has
 * a nil overflow pointer, except the last, whose overflow pointer holds
 * `buckets` as an end mark.
 *
 * THE ORDER OF STORES
 *
 * Every write stores in an order from which a reader that stops the program
 * between any two instructions decodes each entry exactly once, from memory
 * alone. Compiler fences in runtime/src keep the order in optimised builds
 * (x86-64 and a stopped process need no more). hashWriting is set first and
 * cleared last in each of these.
 *
 *   insert     key slot, element slot, then tophash, then count + 1.
 *              A cell is live exactly when its tophash is >= 5.
 *   insert into a new overflow bucket
 *              as above in a bucket that nothing points at yet; then the
 *              chain's overflow pointer, noverflow + 1, count + 1.
 *   erase      tophash = emptyOne; then the key and the element are
 *              destroyed; count - 1; then emptyOne turns into emptyRest
 *              backwards from the chain's end.
 *   clear      oldbuckets, then buckets: each live cell as in erase. Then
 *              oldbuckets = nil, the overflow pointers, noverflow = 0,
 *              sameSizeGrow off, hash0 new.
 *   hashGrow, hashShrink
 *              nevacuate = ~B                    (1)
 *              oldbuckets = buckets              (2)
 *              buckets = the new array           (3)
 *              B, flags, noverflow, the overflow lists (4)
 *              nevacuate = 0                     (5) commits the growth
 *              After (2) and before (5), nevacuate has its top bit set: the
 *              growth is not installed, all entries are in `oldbuckets`, whose
 *              B is ~nevacuate. Before (2), oldbuckets is nil and nevacuate
 *              has no meaning.
 *   evacuate   mapextra.evacuating = 1 + the old bucket's index. Then for each
 *              cell of the old chain in order: an empty cell's mark becomes
 *              evacuatedEmpty. A live cell: mark evacuatedX or
 *              evacuatedY in the old cell; the key slot, then the element
 *              slot are relocated; then the new cell's tophash. An old cell
 *              with tophash >= 5 is live; a marked one whose new cell is
 *              still empty is in flight, its entry still readable in the
 *              old cell if its type relocates by a copy of bytes. The new cell
 *              of the n-th X mark in a chain is the n-th cell filled
 *              in the X chain (a new chain is filled by evacuation alone
 *              until its old bucket is evacuated), and so for Y. A new
 *              overflow bucket is linked before its first cell is filled. Last,
 *              mapextra.evacuating = 0. Only in the chain that `evacuating`
 *              names can an entry be in flight.
 *              When the map shrinks, an old bucket's entries go to the bucket
 *              of its index modulo the new size, behind the cells that the
 *              other old bucket of that index may have filled: the n-th mark
 *              (all are X) is the cell n + mapextra.evacuating_base of the new
 *              chain, counted from its head; evacuating_base is stored before
 *              `evacuating`, and is 0 in a growth.
 *   end        (nevacuate reaches the number of old buckets) oldbuckets =
 *              nil; then sameSizeGrow and shrinking off; then the old array is
 *              given back. A map that shrinks and loses its last entry ends so
 *              at once.
 *   destroy    the map leaves the registry; count = 0; then entries and
 *              arrays go.
 *
 * Old buckets keep their bytes after evacuation until the whole old array is
 * given back: they are stale and must not be read as entries.
 */
#ifndef MAPSCOPE_LAYOUT_H
#define MAPSCOPE_LAYOUT_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define MAPSCOPE_STATIC_ASSERT(condition, text) static_assert(condition, text)
/* Structs are mapscope::hmap in C++ and struct mapscope_hmap in C. */
#define MAPSCOPE_STRUCT(name) name
#else
#include <stddef.h>
#include <stdint.h>
#define MAPSCOPE_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#define MAPSCOPE_STRUCT(name) mapscope_##name
#endif

/* Cells in a bucket (Go: bucketCnt). */
#define MAPSCOPE_BUCKET_CNT 8
/* Largest key or element kept inside a bucket, in bytes (Go: maxKeySize). */
#define MAPSCOPE_MAX_INLINE_SIZE 128
/* Growth when count > 8 and count > 13 * (2^B / 2) (Go: loadFactorNum/Den). */
#define MAPSCOPE_LOAD_FACTOR_NUM 13
#define MAPSCOPE_LOAD_FACTOR_DEN 2

/* States of a cell, in its tophash byte. */
#define MAPSCOPE_EMPTY_REST 0      /* empty, and so is all after it in the chain */
#define MAPSCOPE_EMPTY_ONE 1       /* empty */
#define MAPSCOPE_EVACUATED_X 2     /* moved to the same index of the new array */
#define MAPSCOPE_EVACUATED_Y 3     /* moved to index + number of old buckets */
#define MAPSCOPE_EVACUATED_EMPTY 4 /* was empty when its bucket was evacuated */
#define MAPSCOPE_MIN_TOP_HASH 5    /* this and above: live */

/* hmap.flags */
#define MAPSCOPE_ITERATOR 1       /* an iterator may be using buckets */
#define MAPSCOPE_OLD_ITERATOR 2   /* an iterator may be using oldbuckets */
#define MAPSCOPE_HASH_WRITING 4   /* a thread is writing to the map */
#define MAPSCOPE_SAME_SIZE_GROW 8 /* the current growth keeps B */
#define MAPSCOPE_SHRINKING 16     /* the current growth halves; not in Go */
#define MAPSCOPE_RETIRED 32       /* memory waits to be given back by later writes; not in Go */

/* maptype.flags, the bits of Go 1.19 */
#define MAPSCOPE_INDIRECT_KEY 1
#define MAPSCOPE_INDIRECT_ELEM 2
#define MAPSCOPE_REFLEXIVE_KEY 4     /* k == k for all keys (not so for floats) */
#define MAPSCOPE_NEED_KEY_UPDATE 8   /* an overwrite stores the key too */
#define MAPSCOPE_HASH_MIGHT_PANIC 16 /* the hash or the equality may throw */

/* typeinfo.kind: Go's kind numbers where Go has the kind. */
#define MAPSCOPE_KIND_OPAQUE 0 /* only the program knows how to read it */
#define MAPSCOPE_KIND_BOOL 1
#define MAPSCOPE_KIND_INT8 3
#define MAPSCOPE_KIND_INT16 4
#define MAPSCOPE_KIND_INT32 5
#define MAPSCOPE_KIND_INT64 6
#define MAPSCOPE_KIND_UINT8 8
#define MAPSCOPE_KIND_UINT16 9
#define MAPSCOPE_KIND_UINT32 10
#define MAPSCOPE_KIND_UINT64 11
#define MAPSCOPE_KIND_FLOAT32 13
#define MAPSCOPE_KIND_FLOAT64 14
#define MAPSCOPE_KIND_POINTER 22
#define MAPSCOPE_KIND_STRING 24 /* bytes at *data_offset, their number at len_offset */

/* maptype.hash_kind: which hash a debugger would have to compute. */
#define MAPSCOPE_HASH_CUSTOM 0  /* the program's own; not computable outside */
#define MAPSCOPE_HASH_INTEGER 1 /* bool, integers, enums, pointers */
#define MAPSCOPE_HASH_FLOAT 2   /* float, double */
#define MAPSCOPE_HASH_STRING 3  /* std::string, std::string_view, const bytes */

#ifdef __cplusplus
namespace mapscope {
#endif

struct MAPSCOPE_STRUCT(mapextra);
struct MAPSCOPE_STRUCT(abi); /* abi.h */

/* One bucket. What follows tophash has the sizes that the maptype says. */
struct MAPSCOPE_STRUCT(bmap) {
  uint8_t tophash[MAPSCOPE_BUCKET_CNT];
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(bmap)) == 8, "bmap is its tophash bytes");

/* A map's header. */
struct MAPSCOPE_STRUCT(hmap) {
  uint64_t count;     /*  0: live entries */
  uint8_t flags;      /*  8: MAPSCOPE_ITERATOR ... */
  uint8_t B;          /*  9: log2 of the number of buckets */
  uint16_t noverflow; /* 10: overflow buckets; exact below B = 16, else an estimate */
  uint32_t hash0;     /* 12: seed of the hash */
  void *buckets;      /* 16: array of 2^B bmap; nil while nothing was stored */
  void *oldbuckets;   /* 24: the previous array while it is evacuated, else nil */
  uint64_t nevacuate; /* 32: progress of the evacuation; see hashGrow above */
  struct MAPSCOPE_STRUCT(mapextra) *extra; /* 40: this + 48 */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(hmap)) == 48, "hmap as in Go 1.19");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), flags) == 8, "hmap.flags");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), B) == 9, "hmap.B");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), noverflow) == 10, "hmap.noverflow");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), hash0) == 12, "hmap.hash0");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), buckets) == 16, "hmap.buckets");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), oldbuckets) == 24, "hmap.oldbuckets");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), nevacuate) == 32, "hmap.nevacuate");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(hmap), extra) == 40, "hmap.extra");

/* What stands in `mapscope_abi` (abi.h) of the structs here and in debug.h and history.h, each list
 * behind its struct: WHOLE(struct) says how large it is, FIELD(struct, field) where a field lies,
 * how wide it is and, of an array, how many there are. A new field that debuggers are to read
 * needs its line here, and no other. */
#define MAPSCOPE_HMAP_ROWS(WHOLE, FIELD)                                                           \
  WHOLE(hmap)                                                                                      \
  FIELD(hmap, count)                                                                               \
  FIELD(hmap, flags)                                                                               \
  FIELD(hmap, B)                                                                                   \
  FIELD(hmap, noverflow)                                                                           \
  FIELD(hmap, hash0)                                                                               \
  FIELD(hmap, buckets)                                                                             \
  FIELD(hmap, oldbuckets)                                                                          \
  FIELD(hmap, nevacuate)                                                                           \
  FIELD(hmap, extra)

/* How to read a key or an element. */
struct MAPSCOPE_STRUCT(typeinfo) {
  uint32_t kind;        /*  0: MAPSCOPE_KIND_... */
  uint32_t size;        /*  4: bytes of the type itself, also when stored indirectly */
  uint32_t align;       /*  8: bytes */
  uint16_t data_offset; /* 12: of a string, where its data pointer is */
  uint16_t len_offset;  /* 14: of a string, where its length (u64) is */
  const char *name;     /* 16: the compiler's name of the type */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(typeinfo)) == 24, "typeinfo");

#define MAPSCOPE_TYPEINFO_ROWS(WHOLE, FIELD)                                                       \
  WHOLE(typeinfo)                                                                                  \
  FIELD(typeinfo, kind)                                                                            \
  FIELD(typeinfo, size)                                                                            \
  FIELD(typeinfo, data_offset)                                                                     \
  FIELD(typeinfo, len_offset)                                                                      \
  FIELD(typeinfo, name)

/* Describes one map type; shared by all maps of the type in one program or
 * shared library. The functions are the runtime's own business. */
struct MAPSCOPE_STRUCT(maptype) {
  const struct MAPSCOPE_STRUCT(abi) *abi; /*  0: the layout that this follows */
  const char *name;                       /*  8: as in "mapscope::map<int, std::string>" */
  uint32_t flags;                         /* 16: MAPSCOPE_INDIRECT_KEY ... */
  uint32_t hash_kind;                     /* 20: MAPSCOPE_HASH_... */
  uint32_t bucketsize;                    /* 24: bytes of one bucket */
  uint32_t bucketalign;                   /* 28: bytes */
  uint32_t keysize;                       /* 32: bytes of a key slot (8 if indirect) */
  uint32_t elemsize;                      /* 36: bytes of an element slot (8 if indirect) */
  uint32_t keys_offset;                   /* 40: of the first key slot in a bucket */
  uint32_t elems_offset;                  /* 44: of the first element slot */
  uint32_t overflow_offset;               /* 48: of the overflow pointer: bucketsize - 8 */
  uint32_t reserved;                      /* 52: 0 */
  struct MAPSCOPE_STRUCT(typeinfo) key;   /* 56 */
  struct MAPSCOPE_STRUCT(typeinfo) elem;  /* 80 */
  /* 104: function pointers follow (runtime.hpp) */
};
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(maptype), key) == 56, "maptype.key");
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(maptype)) == 104, "maptype");

#define MAPSCOPE_MAPTYPE_ROWS(WHOLE, FIELD)                                                        \
  WHOLE(maptype)                                                                                   \
  FIELD(maptype, abi)                                                                              \
  FIELD(maptype, name)                                                                             \
  FIELD(maptype, flags)                                                                            \
  FIELD(maptype, hash_kind)                                                                        \
  FIELD(maptype, bucketsize)                                                                       \
  FIELD(maptype, keysize)                                                                          \
  FIELD(maptype, elemsize)                                                                         \
  FIELD(maptype, keys_offset)                                                                      \
  FIELD(maptype, elems_offset)                                                                     \
  FIELD(maptype, overflow_offset)                                                                  \
  FIELD(maptype, key)                                                                              \
  FIELD(maptype, elem)

/* The rest of a map's header. The first three fields are Go's; the runtime
 * keeps more behind what stands here. */
struct MAPSCOPE_STRUCT(mapextra) {
  void *overflow;     /*  0: overflow buckets of `buckets` outside the array */
  void *oldoverflow;  /*  8: overflow buckets of `oldbuckets` outside the array */
  void *nextOverflow; /* 16: the next free spare bucket of `buckets`, or nil */
  const struct MAPSCOPE_STRUCT(maptype) *type; /* 24 */
  struct MAPSCOPE_STRUCT(hmap) *next;          /* 32: next map of the same registry shard, or nil */
  struct MAPSCOPE_STRUCT(hmap) *prev;          /* 40: previous one, or nil */
  void *iterators;                             /* 48: live iterators, or nil */
  uint64_t evacuating;      /* 56: 1 + the old bucket that evacuate is moving now, else 0 */
  uint64_t evacuating_base; /* 64: cells before its first one in the X chain; see evacuate */
  /* Bytes of memory that the map holds, besides its header (hmap and mapstate) and
   * what keys and elements hold themselves. */
  uint64_t array_bytes;      /* 72: `buckets`, with the spare buckets behind it */
  uint64_t overflow_bytes;   /* 80: overflow buckets outside the array, with those not yet used */
  uint64_t old_bytes;        /* 88: `oldbuckets` and its overflow buckets */
  uint64_t retired_bytes;    /* 96: of ended migrations, given back with later writes */
  uint64_t overflow_buckets; /* 104: in use by `buckets`, spare ones included */
  /* Counts of the map's life. */
  uint64_t evacuated;         /* 112: old buckets wholly evacuated, of this migration or the last */
  uint64_t evacuated_before;  /* 120: the same of all migrations before that */
  uint32_t growths;           /* 128: doublings begun */
  uint32_t same_size_growths; /* 132 */
  uint32_t shrinks;           /* 136 */
  uint32_t rebuilds;          /* 140: calls of rebuild */
};
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(mapextra), nextOverflow) == 16,
                       "mapextra.nextOverflow");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(mapextra), type) == 24, "mapextra.type");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(mapextra), next) == 32, "mapextra.next");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(mapextra), array_bytes) == 72,
                       "mapextra.array_bytes");
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(mapextra)) == 144, "mapextra");

#define MAPSCOPE_MAPEXTRA_ROWS(WHOLE, FIELD)                                                       \
  WHOLE(mapextra)                                                                                  \
  FIELD(mapextra, overflow)                                                                        \
  FIELD(mapextra, oldoverflow)                                                                     \
  FIELD(mapextra, nextOverflow)                                                                    \
  FIELD(mapextra, type)                                                                            \
  FIELD(mapextra, next)                                                                            \
  FIELD(mapextra, evacuating)                                                                      \
  FIELD(mapextra, evacuating_base)                                                                 \
  FIELD(mapextra, array_bytes)                                                                     \
  FIELD(mapextra, overflow_bytes)                                                                  \
  FIELD(mapextra, old_bytes)                                                                       \
  FIELD(mapextra, retired_bytes)                                                                   \
  FIELD(mapextra, overflow_buckets)                                                                \
  FIELD(mapextra, evacuated)                                                                       \
  FIELD(mapextra, evacuated_before)                                                                \
  FIELD(mapextra, growths)                                                                         \
  FIELD(mapextra, same_size_growths)                                                               \
  FIELD(mapextra, shrinks)                                                                         \
  FIELD(mapextra, rebuilds)

/* What the maps that are gone have done, in each shard of the registry. */
struct MAPSCOPE_STRUCT(departed) {
  uint64_t maps;              /*  0: destroyed */
  uint64_t growths;           /*  8 */
  uint64_t same_size_growths; /* 16 */
  uint64_t shrinks;           /* 24 */
  uint64_t rebuilds;          /* 32 */
  uint64_t evacuated;         /* 40: old buckets */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(departed)) == 48, "departed");

#define MAPSCOPE_DEPARTED_ROWS(WHOLE, FIELD)                                                       \
  WHOLE(departed)                                                                                  \
  FIELD(departed, maps)                                                                            \
  FIELD(departed, growths)                                                                         \
  FIELD(departed, same_size_growths)                                                               \
  FIELD(departed, shrinks)                                                                         \
  FIELD(departed, rebuilds)                                                                        \
  FIELD(departed, evacuated)

/* Of structs that are the runtime's own: a shard of the registry, and mapextra with what the
 * runtime keeps behind it, which ends the allocation of a header. */
#define MAPSCOPE_RUNTIME_ROWS(WHOLE, FIELD)                                                        \
  WHOLE(registry_shard)                                                                            \
  FIELD(registry_shard, head)                                                                      \
  FIELD(registry_shard, departed)                                                                  \
  WHOLE(mapstate)

#ifdef __cplusplus
} // namespace mapscope
extern "C" const mapscope::abi mapscope_abi;
#else
extern const struct mapscope_abi mapscope_abi;
#endif

#endif

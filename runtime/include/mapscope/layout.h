/* SPDX-License-Identifier: MIT
 *
 * The memory layout of a mapscope map, as C and as C++.
 *
 * What this header knows: where every byte of a map lies and in which order a
 * write stores them. What it must not know: how maps are used (map.hpp) and
 * how the algorithms work (runtime/src). Debuggers read maps by this layout;
 * they take every number in it from `mapscope_abi` in the process, never from
 * a copy of this file.
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
struct MAPSCOPE_STRUCT(abi);
struct MAPSCOPE_STRUCT(event);

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
  /* Bytes of memory that the map holds, besides its header (abi.header_size) and
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

/* What a debugger needs to know to read all of the above, the one constant
 * `mapscope_abi`. It lies in the section .mapscope, is 16-byte aligned, and is
 * found by symbol, by section, or by a scan for the magic. */
#define MAPSCOPE_MAGIC "\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"
#define MAPSCOPE_ABI_VERSION 4
struct MAPSCOPE_STRUCT(abi) {
  char magic[16];   /*   0: MAPSCOPE_MAGIC, without a closing NUL */
  uint32_t version; /*  16: MAPSCOPE_ABI_VERSION */
  uint32_t size;    /*  20: bytes of this struct */
  /* hmap: size, then offsets */
  uint16_t hmap_size;       /*  24 */
  uint16_t hmap_count;      /*  26 */
  uint16_t hmap_flags;      /*  28 */
  uint16_t hmap_B;          /*  30 */
  uint16_t hmap_noverflow;  /*  32 */
  uint16_t hmap_hash0;      /*  34 */
  uint16_t hmap_buckets;    /*  36 */
  uint16_t hmap_oldbuckets; /*  38 */
  uint16_t hmap_nevacuate;  /*  40 */
  uint16_t hmap_extra;      /*  42 */
  /* mapextra: offsets */
  uint16_t mapextra_overflow;     /*  44 */
  uint16_t mapextra_oldoverflow;  /*  46 */
  uint16_t mapextra_nextOverflow; /*  48 */
  uint16_t mapextra_type;         /*  50 */
  uint16_t mapextra_next;         /*  52 */
  uint16_t mapextra_evacuating;   /*  54 */
  /* maptype: bytes up to the function pointers, then offsets */
  uint16_t maptype_size;            /*  56 */
  uint16_t maptype_abi;             /*  58 */
  uint16_t maptype_name;            /*  60 */
  uint16_t maptype_flags;           /*  62 */
  uint16_t maptype_hash_kind;       /*  64 */
  uint16_t maptype_bucketsize;      /*  66 */
  uint16_t maptype_keysize;         /*  68 */
  uint16_t maptype_elemsize;        /*  70 */
  uint16_t maptype_keys_offset;     /*  72 */
  uint16_t maptype_elems_offset;    /*  74 */
  uint16_t maptype_overflow_offset; /*  76 */
  uint16_t maptype_key;             /*  78 */
  uint16_t maptype_elem;            /*  80 */
  /* typeinfo: size, then offsets */
  uint16_t typeinfo_size;        /*  82 */
  uint16_t typeinfo_kind;        /*  84 */
  uint16_t typeinfo_bytes;       /*  86: offset of typeinfo.size */
  uint16_t typeinfo_data_offset; /*  88 */
  uint16_t typeinfo_len_offset;  /*  90 */
  uint16_t typeinfo_name;        /*  92 */
  /* the registry of live maps: `registry` points at registry_shards heads */
  uint16_t registry_head;   /*  94: offset of the head pointer in a shard */
  uint32_t registry_shards; /*  96 */
  uint32_t registry_stride; /* 100: bytes from one shard to the next */
  const void *registry;     /* 104 */
  const void *stop_filter;  /* 112: mapscope_stop_filter; nil: this runtime has none */
  /* 120: mapscope_debug_stop; nil: this runtime has none */
  void (*stop_hook)(const struct MAPSCOPE_STRUCT(event) *);
  const void *history; /* 128: mapscope_history; nil: this runtime has none */
  /* the stop filter (debug.h): offsets, the number of slots and their size */
  uint16_t stop_filter_armed;       /* 136 */
  uint16_t stop_filter_armed_slots; /* 138 */
  uint16_t stop_filter_slots;       /* 140 */
  uint16_t stop_slot_count;         /* 142 */
  uint16_t stop_slot_size;          /* 144 */
  /* stop_slot: offsets */
  uint16_t stop_slot_events;     /* 146 */
  uint16_t stop_slot_conditions; /* 148 */
  uint16_t stop_slot_map;        /* 150 */
  uint16_t stop_slot_bucket;     /* 152 */
  uint16_t stop_slot_progress;   /* 154 */
  uint16_t stop_slot_key_hash;   /* 156 */
  uint16_t stop_slot_ignore;     /* 158 */
  uint16_t stop_slot_hits;       /* 160 */
  uint16_t stop_slot_thread;     /* 162 */
  uint16_t stop_slot_reported;   /* 164 */
  /* event: size, then offsets */
  uint16_t event_size;        /* 166 */
  uint16_t event_event;       /* 168 */
  uint16_t event_slot;        /* 170 */
  uint16_t event_slots;       /* 172 */
  uint16_t event_thread;      /* 174 */
  uint16_t event_map;         /* 176 */
  uint16_t event_type;        /* 178 */
  uint16_t event_bucket;      /* 180 */
  uint16_t event_old_buckets; /* 182 */
  uint16_t event_buckets;     /* 184 */
  uint16_t event_evacuated;   /* 186 */
  uint16_t event_count;       /* 188 */
  uint16_t event_key;         /* 190 */
  uint16_t event_key_hash;    /* 192 */
  uint16_t event_message;     /* 194 */
  uint16_t event_kind;        /* 196 */
  uint16_t event_flags;       /* 198 */
  /* stop_filter, again */
  uint16_t stop_filter_assume_traced; /* 200 */
  uint16_t stop_filter_only_map;      /* 202 */
  /* event, again */
  uint16_t event_moved_x; /* 204 */
  uint16_t event_moved_y; /* 206 */
  uint16_t event_hint;    /* 208 */
  /* mapextra, again */
  uint16_t mapextra_evacuating_base;   /* 210 */
  uint16_t mapextra_array_bytes;       /* 212 */
  uint16_t mapextra_overflow_bytes;    /* 214 */
  uint16_t mapextra_old_bytes;         /* 216 */
  uint16_t mapextra_retired_bytes;     /* 218 */
  uint16_t mapextra_overflow_buckets;  /* 220 */
  uint16_t mapextra_evacuated;         /* 222 */
  uint16_t mapextra_evacuated_before;  /* 224 */
  uint16_t mapextra_growths;           /* 226 */
  uint16_t mapextra_same_size_growths; /* 228 */
  uint16_t mapextra_shrinks;           /* 230 */
  uint16_t mapextra_rebuilds;          /* 232 */
  /* bytes of a header as it is allocated, but for stateful hashes and equalities */
  uint16_t header_size; /* 234 */
  /* registry: offset in a shard of what the maps that are gone have done (departed) */
  uint16_t registry_departed; /* 236 */
  /* history (history.h): offsets */
  uint16_t history_clock;       /* 238 */
  uint16_t history_life;        /* 240 */
  uint16_t history_rings;       /* 242 */
  uint16_t history_ticks;       /* 244 */
  uint16_t history_nanoseconds; /* 246 */
  uint16_t history_pairs;       /* 248 */
  uint16_t history_wall;        /* 250 */
  /* history_ring: offsets */
  uint16_t history_ring_next;     /* 252 */
  uint16_t history_ring_records;  /* 254 */
  uint16_t history_ring_capacity; /* 256 */
  uint16_t history_ring_begun;    /* 258 */
  /* history_record: size, then offsets */
  uint16_t history_record_size;     /* 260 */
  uint16_t history_record_sequence; /* 262 */
  uint16_t history_record_clock;    /* 264 */
  uint16_t history_record_map;      /* 266 */
  uint16_t history_record_type;     /* 268 */
  uint16_t history_record_count;    /* 270 */
  uint16_t history_record_detail;   /* 272 */
  uint16_t history_record_bucket;   /* 274 */
  uint16_t history_record_second;   /* 276 */
  uint16_t history_record_moved;    /* 278 */
  uint16_t history_record_event;    /* 280 */
  uint16_t history_record_flags;    /* 282 */
  uint16_t history_record_B;        /* 284 */
  uint16_t history_record_old_B;    /* 286 */
  uint16_t history_record_thread;   /* 288 */
  uint16_t reserved[3];             /* 290: 0 */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(abi)) == 296, "abi");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), maptype_size) == 56,
                       "abi.maptype_size");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), registry) == 104, "abi.registry");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), stop_filter_armed) == 136,
                       "abi.stop_filter_armed");

#ifdef __cplusplus
} // namespace mapscope
extern "C" const mapscope::abi mapscope_abi;
#else
extern const struct mapscope_abi mapscope_abi;
#endif

#endif

/* SPDX-License-Identifier: MIT
 *
 * The history of maps, as C and as C++: the last events of each map's life and
 * the last evacuations, kept in the process's own memory, where a debugger reads
 * them while the program is stopped, or from its core dump.
 *
 * What this header knows: how the records lie in memory. What it must not
 * know: any debugger. The offsets below are also in `mapscope_abi` (abi.h),
 * where debuggers take them from. docs/debug.md describes the use.
 *
 *   mapscope_history
 *      life  -> the one ring of events in the life of maps: created, growths
 *               and migrations that start and end, clear, rebuild, destroyed,
 *               races. All threads write to it.
 *      rings -> rings of evacuations, one for each thread that evacuates, in a
 *               list through history_ring.next. A long migration does not wash
 *               out what led to it, and threads don't wait for each other.
 *
 * A ring's record number n (from 0) lies at n modulo its capacity, and has the
 * sequence n + 1 when it is whole; while it is being written, its sequence has
 * the top bit set (life) or is 0 (evacuations). `begun` records were begun.
 *
 * A thread takes a ring at its first evacuation and gives it back when it
 * ends; the records stay until another thread's overwrite them. Rings are never
 * unmapped.
 *
 *   history_record (64 bytes)
 *       0 | sequence                                                 u64 |
 *       8 | clock: in the units of mapscope_history.clock            u64 |
 *      16 | map: address of the hmap                                 u64 |
 *      24 | type: address of its maptype                             u64 |
 *      32 | count: entries, at the beginning of the event            u64 |
 *      40 | detail                                                   u64 |
 *         |   of evacuations: bucket u32           | second u32          |
 *      48 | moved u16[4]: entries of `bucket` to X, to Y; of `second` ...  |
 *      56 | event u8 | flags u8 | B u8 | old_B u8 | thread u32             |
 *
 * A write evacuates at most two old buckets, the key's and the one at
 * nevacuate; one record tells of both. It is written before the first mark,
 * and completed as each bucket is done: what was under way at a crash can be
 * told from what was over.
 */
#ifndef MAPSCOPE_HISTORY_H
#define MAPSCOPE_HISTORY_H

#include <mapscope/debug.h>
#include <mapscope/layout.h>

/* Records of the life ring, and of each thread's ring of evacuations, unless
 * MAPDEBUG=history=N says otherwise. Powers of two. */
#define MAPSCOPE_HISTORY_LIFE 4096
#define MAPSCOPE_HISTORY_EVACUATIONS 1024

/* mapscope_history.clock */
#define MAPSCOPE_CLOCK_NONE 0        /* nothing was recorded yet */
#define MAPSCOPE_CLOCK_NANOSECONDS 1 /* CLOCK_MONOTONIC */
#define MAPSCOPE_CLOCK_TSC 2         /* the processor's time stamp counter; see pairs */

/* history_record.flags, besides MAPSCOPE_FLAG_BY_CLEAR and _BY_DESTROY of a
 * migration's end (debug.h) */
#define MAPSCOPE_RECORD_EVACUATED 0x10        /* `bucket` is evacuated wholly */
#define MAPSCOPE_RECORD_SECOND 0x20           /* there is a second bucket */
#define MAPSCOPE_RECORD_SECOND_EVACUATED 0x40 /* and it is evacuated wholly */

/* history_record.sequence of the life ring: being written */
#define MAPSCOPE_RECORD_BUSY (UINT64_C(1) << 63)

/* history_record.old_B where there is no migration. */
#define MAPSCOPE_NO_OLD_B 0xff

/* history_record.bucket and .second: this, or more than this. moved: UINT16_MAX
 * stands for that or more. */
#define MAPSCOPE_RECORD_MANY UINT32_MAX

#ifdef __cplusplus
namespace mapscope {
#endif

struct MAPSCOPE_STRUCT(history_record) {
  uint64_t sequence;
  uint64_t clock;
  const struct MAPSCOPE_STRUCT(hmap) *map;
  const struct MAPSCOPE_STRUCT(maptype) *type;
  uint64_t count;
  /* created: the hint; grow: overflow buckets in use; race: address of the
   * message; rebuild: the room asked for; evacuations: see bucket and second */
  union {
    uint64_t detail;
    struct {
      uint32_t bucket; /* of evacuations: the old bucket */
      uint32_t second; /* with MAPSCOPE_RECORD_SECOND: another one, of the same write */
    } buckets;
  } what;
  uint16_t moved[4];
  uint8_t event;   /* log2 of MAPSCOPE_EVENT_... */
  uint8_t flags;   /* MAPSCOPE_RECORD_... */
  uint8_t B;       /* of the array that entries go to, or (grow) will go to */
  uint8_t old_B;   /* of the array that is evacuated, or MAPSCOPE_NO_OLD_B */
  uint32_t thread; /* the kernel's id */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(history_record)) == 64, "history_record");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(history_record), moved) == 48,
                       "history_record.moved");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(history_record), thread) == 60,
                       "history_record.thread");

#define MAPSCOPE_HISTORY_RECORD_ROWS(WHOLE, FIELD)                                                 \
  WHOLE(history_record)                                                                            \
  FIELD(history_record, sequence)                                                                  \
  FIELD(history_record, clock)                                                                     \
  FIELD(history_record, map)                                                                       \
  FIELD(history_record, type)                                                                      \
  FIELD(history_record, count)                                                                     \
  FIELD(history_record, what.detail)                                                               \
  FIELD(history_record, what.buckets.bucket)                                                       \
  FIELD(history_record, what.buckets.second)                                                       \
  FIELD(history_record, moved)                                                                     \
  FIELD(history_record, event)                                                                     \
  FIELD(history_record, flags)                                                                     \
  FIELD(history_record, B)                                                                         \
  FIELD(history_record, old_B)                                                                     \
  FIELD(history_record, thread)

struct MAPSCOPE_STRUCT(history_ring) {
  struct MAPSCOPE_STRUCT(history_ring) *next;      /*  0: of the list, or nil */
  struct MAPSCOPE_STRUCT(history_record) *records; /*  8 */
  uint64_t capacity;                               /* 16: records; a power of two */
  uint64_t begun;                                  /* 24: records begun so far */
  /* The runtime's own: the record that a second evacuation of the same write
   * goes into, and its map. */
  struct MAPSCOPE_STRUCT(history_record) *open; /* 32 */
  const struct MAPSCOPE_STRUCT(hmap) *open_map; /* 40 */
  uint32_t owned;                               /* 48: by a thread */
  uint32_t thread;                              /* 52: which */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(history_ring)) == 56, "history_ring");

#define MAPSCOPE_HISTORY_RING_ROWS(WHOLE, FIELD)                                                   \
  WHOLE(history_ring)                                                                              \
  FIELD(history_ring, next)                                                                        \
  FIELD(history_ring, records)                                                                     \
  FIELD(history_ring, capacity)                                                                    \
  FIELD(history_ring, begun)

/* The clock at three moments, from which a debugger computes the time of a
 * record. ticks: as in records; nanoseconds: CLOCK_MONOTONIC. The first was taken
 * with the first record; newer ones, the later the rarer, fill the other two in
 * turn, and `pairs` says how many were taken. */
struct MAPSCOPE_STRUCT(history) {
  struct MAPSCOPE_STRUCT(history_ring) *life;  /*  0: nil: nothing recorded yet */
  struct MAPSCOPE_STRUCT(history_ring) *rings; /*  8: of evacuations; nil: none */
  uint64_t ticks[3];                           /* 16 */
  uint64_t nanoseconds[3];                     /* 40 */
  uint64_t wall;                               /* 64: CLOCK_REALTIME at the first, nanoseconds */
  uint32_t pairs;                              /* 72 */
  uint32_t clock;                              /* 76: MAPSCOPE_CLOCK_... */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(history)) == 80, "history");

#define MAPSCOPE_HISTORY_ROWS(WHOLE, FIELD)                                                        \
  WHOLE(history)                                                                                   \
  FIELD(history, life)                                                                             \
  FIELD(history, rings)                                                                            \
  FIELD(history, ticks)                                                                            \
  FIELD(history, nanoseconds)                                                                      \
  FIELD(history, wall)                                                                             \
  FIELD(history, pairs)                                                                            \
  FIELD(history, clock)

#ifdef __cplusplus
} // namespace mapscope
extern "C" mapscope::history mapscope_history;
#else
extern struct mapscope_history mapscope_history;
#endif

#endif

/* SPDX-License-Identifier: MIT
 *
 * The stop filter, as C and as C++: how a debugger stops a program at one event
 * of one map while all other maps run at full speed.
 *
 * What this header knows: the table that a debugger fills in, and what the
 * program tells it at a stop. What it must not know: any debugger. The sizes
 * and offsets below are also in `mapscope_abi` (abi.h), where debuggers take
 * them from. docs/debug.md describes the use.
 *
 *   mapscope_stop_filter
 *       0 +-------------------------------+-----------------------------+
 *         | armed: OR of all slots'   u32 | armed_slots: bit i is   u32 |
 *         | events                        | set if slot i has events    |
 *         +-------------------------------+-----------------------------+
 *       8 | assume_traced             u32 | reserved: 0             u32 |
 *      16 | only_map: 0, or the one map whose writes are compared   u64 |
 *      24 | reserved: 0                                                 |
 *         +-------------------------------------------------------------+
 *      64 | slot 0 (64 bytes)                                           |
 *     128 | slot 1 ...                                                  |
 *         +-------------------------------------------------------------+
 *    1088
 *
 *   stop_slot
 *       0 | events                    u32 | conditions              u32 |
 *       8 | map: address of the hmap                                u64 |
 *      16 | bucket                                                  u64 |
 *      24 | progress: old buckets, or millionths of them            u64 |
 *      32 | key_hash                                                u64 |
 *      40 | ignore: matches still to be passed over                 u64 |
 *      48 | hits: matches so far, those passed over included        u64 |
 *      56 | thread: the kernel's id   u32 | reported                u32 |
 *      64
 *
 * A debugger writes while the process is stopped. To arm a slot it fills in the
 * slot, its `events` last; to disarm it, it sets `events` to 0. After either it
 * writes what sums up all slots: `only_map` (0 is always right; if every slot
 * that has MAPSCOPE_EVENT_ASSIGN or MAPSCOPE_EVENT_DELETE has the same map,
 * that map makes the writes to others as fast as with nothing armed), then
 * `armed_slots`, then `armed`.
 *
 * The program itself counts ignore down and hits up, keeps `reported`, and
 * disarms: a slot with MAPSCOPE_STOP_ONCE when it stops, a slot whose map is
 * destroyed, and all of them if at a match nobody traces the process (TracerPid
 * in /proc/thread-self/status is 0): a debugger that was killed leaves a
 * program that runs on. A debugger that the process cannot see, since it is in
 * another pid namespace (outside of a container) or no ptrace is involved (an
 * emulator), sets `assume_traced`.
 *
 * At a match the program calls mapscope_debug_stop once, however many slots
 * match, with an event that says which. That function is empty: it is the one
 * place for a breakpoint, at its very first instruction, where the event's
 * address is in the first argument register (rdi).
 */
#ifndef MAPSCOPE_DEBUG_H
#define MAPSCOPE_DEBUG_H

#include <mapscope/layout.h>

#define MAPSCOPE_STOP_SLOTS 16

/* Events: stop_slot.events is a mask of them, event.event is one. */

/* A growth starts: it is decided and its array allocated, nothing stored. */
#define MAPSCOPE_EVENT_GROW 0x1
/* An old bucket is about to be evacuated, before its first mark. Once for each
 * old bucket of a growth. */
#define MAPSCOPE_EVENT_EVACUATE 0x2
/* An old bucket has been evacuated, and the number of those reached what
 * stop_slot.progress says; once for each slot and migration. */
#define MAPSCOPE_EVENT_PROGRESS 0x4
/* A migration has ended: all is evacuated, or MAPSCOPE_FLAG_BY_CLEAR,
 * or (before the map goes) MAPSCOPE_FLAG_BY_DESTROY. */
#define MAPSCOPE_EVENT_DONE 0x8
/* An entry is about to be inserted or overwritten: all is decided, growth and
 * evacuation of this write done, nothing of the entry stored. operator[] counts, since
 * it cannot tell what the caller does with the reference. */
#define MAPSCOPE_EVENT_ASSIGN 0x10
/* An entry was found and is about to be erased. */
#define MAPSCOPE_EVENT_DELETE 0x20
/* The map is about to be cleared by clear(). */
#define MAPSCOPE_EVENT_CLEAR 0x40
/* A concurrent access was noticed, before the fatal handler runs. */
#define MAPSCOPE_EVENT_RACE 0x80
/* The map is about to be destroyed. */
#define MAPSCOPE_EVENT_DESTROY 0x100
/* hmap.hash0 has changed, as it does when a map becomes empty: a debugger
 * that waits for a key hash computes it again. */
#define MAPSCOPE_EVENT_RESEED 0x200
/* An old bucket has been evacuated: all its entries are in the new array, and
 * event.evacuated counts it. event.moved_x and moved_y tell how many entries
 * that were. Before the PROGRESS of the same bucket. */
#define MAPSCOPE_EVENT_EVACUATED 0x400
/* A map has been created: its hmap is whole, empty and in the registry; the
 * mapscope::map object points at it only after the event. event.hint is the
 * number of entries that it was asked to have room for. */
#define MAPSCOPE_EVENT_CREATE 0x800
/* rebuild() begins, with the room that event.hint says. What it does follows, as
 * growths of the kinds that it takes. */
#define MAPSCOPE_EVENT_REBUILD 0x1000

/* stop_slot.conditions: all that are set must hold. */
#define MAPSCOPE_IF_MAP 0x1       /* event.map == map */
#define MAPSCOPE_IF_BUCKET 0x2    /* event.bucket == bucket */
#define MAPSCOPE_IF_KEY_HASH 0x4  /* event.key_hash is known and == key_hash */
#define MAPSCOPE_IF_MIGRATING 0x8 /* the map is migrating at the event */
/* The growth that the event belongs to is of one of the kinds set. */
#define MAPSCOPE_IF_DOUBLE 0x10
#define MAPSCOPE_IF_SAME_SIZE 0x20
#define MAPSCOPE_IF_SHRINK 0x40
/* No condition: how to count, and what became of the slot. */
#define MAPSCOPE_STOP_ONCE 0x80 /* disarms itself when it stops */
#define MAPSCOPE_PROGRESS_MILLIONTHS                                                               \
  0x100                         /* progress is in millionths of old_buckets, rounded up */
#define MAPSCOPE_MAP_GONE 0x200 /* set by the program: disarmed, its map was destroyed */

/* event.kind: of the growth that the event belongs to. */
#define MAPSCOPE_GROWTH_NONE 0
#define MAPSCOPE_GROWTH_DOUBLE 1
#define MAPSCOPE_GROWTH_SAME_SIZE 2
#define MAPSCOPE_GROWTH_SHRINK 3

/* event.flags */
#define MAPSCOPE_FLAG_MIGRATING 0x1  /* hmap.oldbuckets is not nil */
#define MAPSCOPE_FLAG_KEY_HASH 0x2   /* key_hash is known */
#define MAPSCOPE_FLAG_BY_CLEAR 0x4   /* done: the migration was abandoned by clear or reserve */
#define MAPSCOPE_FLAG_BY_DESTROY 0x8 /* done: ... by the end of the map */
#define MAPSCOPE_FLAG_NEW_KEY 0x10   /* assign: an insertion, not an overwrite */

/* event.bucket where there is none. */
#define MAPSCOPE_NO_BUCKET UINT64_MAX

#ifdef __cplusplus
namespace mapscope {
#endif

/* One stop that a debugger asks for. */
struct MAPSCOPE_STRUCT(stop_slot) {
  uint32_t events;     /*  0: MAPSCOPE_EVENT_...; 0: the slot is free */
  uint32_t conditions; /*  4: MAPSCOPE_IF_... */
  uint64_t map;        /*  8: with MAPSCOPE_IF_MAP */
  uint64_t bucket;     /* 16: with MAPSCOPE_IF_BUCKET */
  uint64_t progress;   /* 24: for MAPSCOPE_EVENT_PROGRESS */
  uint64_t key_hash;   /* 32: with MAPSCOPE_IF_KEY_HASH: the whole hash, by the map's hash0 */
  uint64_t ignore;     /* 40: matches still to be passed over; the program counts down */
  uint64_t hits;       /* 48: matches so far; the program counts up */
  uint32_t thread;     /* 56: only this thread, by the kernel's id; 0: any */
  uint32_t reported;   /* 60: 0 when armed; then the program's: the migration whose
                              progress this slot has reported */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(stop_slot)) == 64, "stop_slot");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(stop_slot), conditions) == 4,
                       "stop_slot.conditions");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(stop_slot), map) == 8, "stop_slot.map");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(stop_slot), ignore) == 40,
                       "stop_slot.ignore");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(stop_slot), thread) == 56,
                       "stop_slot.thread");

#define MAPSCOPE_STOP_SLOT_ROWS(WHOLE, FIELD)                                                      \
  WHOLE(stop_slot)                                                                                 \
  FIELD(stop_slot, events)                                                                         \
  FIELD(stop_slot, conditions)                                                                     \
  FIELD(stop_slot, map)                                                                            \
  FIELD(stop_slot, bucket)                                                                         \
  FIELD(stop_slot, progress)                                                                       \
  FIELD(stop_slot, key_hash)                                                                       \
  FIELD(stop_slot, ignore)                                                                         \
  FIELD(stop_slot, hits)                                                                           \
  FIELD(stop_slot, thread)                                                                         \
  FIELD(stop_slot, reported)

/* All of them. */
struct MAPSCOPE_STRUCT(stop_filter) {
  uint32_t armed;          /*  0: OR of the slots' events; the one word that a write looks at */
  uint32_t armed_slots;    /*  4: bit i: slots[i].events is not 0 */
  uint32_t assume_traced;  /*  8: not 0: never look who traces the process */
  uint32_t reserved_12;    /* 12: 0 */
  uint64_t only_map;       /* 16: 0: look at the slots; else all slots for MAPSCOPE_EVENT_ASSIGN and
                            _DELETE have this map: others' writes need not */
  uint8_t reserved_24[40]; /* 24: 0 */
  struct MAPSCOPE_STRUCT(stop_slot) slots[MAPSCOPE_STOP_SLOTS]; /* 64 */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(stop_filter)) == 1088, "stop_filter");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(stop_filter), slots) == 64,
                       "stop_filter.slots");

#define MAPSCOPE_STOP_FILTER_ROWS(WHOLE, FIELD)                                                    \
  WHOLE(stop_filter)                                                                               \
  FIELD(stop_filter, armed)                                                                        \
  FIELD(stop_filter, armed_slots)                                                                  \
  FIELD(stop_filter, assume_traced)                                                                \
  FIELD(stop_filter, only_map)                                                                     \
  FIELD(stop_filter, slots)

/* What mapscope_debug_stop is called with.
 *
 * bucket: of evacuate, evacuated and progress the old bucket; of assign and
 * delete the key's bucket, in the array that it is in; of all others
 * MAPSCOPE_NO_BUCKET.
 *
 * moved_x, moved_y: of evacuated, the entries moved to the new bucket of the
 * same index (modulo the new size if the map shrinks), and to that index +
 * old_buckets, which only a doubling does. Else 0. */
struct MAPSCOPE_STRUCT(event) {
  uint32_t event;                              /*   0: MAPSCOPE_EVENT_..., one */
  uint32_t slot;                               /*   4: the first slot that matched */
  uint32_t slots;                              /*   8: all of them: bit i is slot i */
  uint32_t thread;                             /*  12: the kernel's id of the calling thread */
  const struct MAPSCOPE_STRUCT(hmap) *map;     /*  16 */
  const struct MAPSCOPE_STRUCT(maptype) *type; /*  24 */
  uint64_t bucket;                             /*  32: or MAPSCOPE_NO_BUCKET */
  uint64_t old_buckets; /*  40: of the growth that the event belongs to; 0 if none */
  uint64_t buckets;     /*  48: of the array that entries go to, or (grow) will go to */
  uint64_t evacuated;   /*  56: old buckets evacuated, wholly */
  uint64_t count;       /*  64: hmap.count */
  const void *key;      /*  72: assign, delete: the key as the map's key type has it, or nil */
  uint64_t key_hash;    /*  80: assign, delete; see MAPSCOPE_FLAG_KEY_HASH */
  const char *message;  /*  88: race: what was noticed, else nil */
  uint32_t kind;        /*  96: MAPSCOPE_GROWTH_... */
  uint32_t flags;       /* 100: MAPSCOPE_FLAG_... */
  uint64_t moved_x;     /* 104 */
  uint64_t moved_y;     /* 112 */
  uint64_t hint;        /* 120: create, rebuild: entries to have room for, else 0 */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(event)) == 128, "event");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), map) == 16, "event.map");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), bucket) == 32, "event.bucket");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), key) == 72, "event.key");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), kind) == 96, "event.kind");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), moved_x) == 104, "event.moved_x");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(event), hint) == 120, "event.hint");

#define MAPSCOPE_EVENT_ROWS(WHOLE, FIELD)                                                          \
  WHOLE(event)                                                                                     \
  FIELD(event, event)                                                                              \
  FIELD(event, slot)                                                                               \
  FIELD(event, slots)                                                                              \
  FIELD(event, thread)                                                                             \
  FIELD(event, map)                                                                                \
  FIELD(event, type)                                                                               \
  FIELD(event, bucket)                                                                             \
  FIELD(event, old_buckets)                                                                        \
  FIELD(event, buckets)                                                                            \
  FIELD(event, evacuated)                                                                          \
  FIELD(event, count)                                                                              \
  FIELD(event, key)                                                                                \
  FIELD(event, key_hash)                                                                           \
  FIELD(event, message)                                                                            \
  FIELD(event, kind)                                                                               \
  FIELD(event, flags)                                                                              \
  FIELD(event, moved_x)                                                                            \
  FIELD(event, moved_y)                                                                            \
  FIELD(event, hint)

#ifdef __cplusplus
} // namespace mapscope
extern "C" mapscope::stop_filter mapscope_stop_filter;
extern "C" void mapscope_debug_stop(const mapscope::event *event);
#else
extern struct mapscope_stop_filter mapscope_stop_filter;
void mapscope_debug_stop(const struct mapscope_event *event);
#endif

#endif

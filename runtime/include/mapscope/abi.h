/* SPDX-License-Identifier: MIT
 *
 * `mapscope_abi`, as C and as C++: the layout as a table in the program, from
 * which debuggers read where every field of the runtime's structs lies.
 *
 * What this header knows: the form of the table. What it must not know: what
 * stands in it. That is written once, in the lists behind the structs
 * (layout.h, debug.h, history.h), and read by name.
 *
 *   mapscope_abi
 *       0 | magic: MAPSCOPE_MAGIC, 16 bytes without a closing NUL             |
 *      16 | version: MAPSCOPE_ABI_VERSION u32 | size: bytes of all this   u32 |
 *      24 | fields_at u32 | field_size    u16 | field_count               u16 |
 *      32 | places_at u32 | place_size    u16 | place_count               u16 |
 *         +-------------------------------------------------------------------+
 *      40 | places: place_count of place_size bytes, at offset places_at      |
 *         |     0 | name[24] | address ptr | width u32 | count u32 |       40 |
 *         +-------------------------------------------------------------------+
 *         | fields: field_count of field_size bytes, at offset fields_at      |
 *         |     0 | name[40] | offset  u32 | width u16 | count u16 |       48 |
 *         +-------------------------------------------------------------------+
 *
 * A place is something that there is once in each copy of the library: where
 * it is, and of how many pieces of which size it consists.
 *
 *   registry     registry_shard, as many as `count` says
 *   stop_filter  stop_filter; nil: this runtime has none
 *   stop_hook    the function mapscope_debug_stop; nil: this runtime has none
 *   history      history; nil: this runtime has none
 *
 * A row of the fields is a struct, "hmap", whose `width` is its size, or a
 * field of one, "hmap.count", at an offset, so many bytes wide; an array has
 * `count` of them. Names end with a NUL, and none stands twice.
 *
 * WHAT THE VERSION MEANS
 *
 * The version is that of this form and of what the names mean. It goes up when
 * a name goes away or means something else, or the order of stores (layout.h)
 * or the meaning of a constant changes. It stays when a field moves, or
 * changes its width, and when names are added: who reads the table ignores
 * names that it does not know, and refuses a table that lacks one that it
 * needs. New rows may stand anywhere; a row may become longer at its end
 * (field_size, place_size), as may what stands before them (places_at).
 *
 * Three offsets never change, since they lead from a map to the table:
 * hmap.extra is at 40, mapextra.type at 24, maptype.abi at 0.
 */
#ifndef MAPSCOPE_ABI_H
#define MAPSCOPE_ABI_H

#include <mapscope/debug.h>
#include <mapscope/history.h>
#include <mapscope/layout.h>

#define MAPSCOPE_MAGIC "\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"
#define MAPSCOPE_ABI_VERSION 5

/* All lists of rows. */
#define MAPSCOPE_ABI_ROWS(WHOLE, FIELD)                                                            \
  MAPSCOPE_HMAP_ROWS(WHOLE, FIELD)                                                                 \
  MAPSCOPE_MAPEXTRA_ROWS(WHOLE, FIELD)                                                             \
  MAPSCOPE_MAPTYPE_ROWS(WHOLE, FIELD)                                                              \
  MAPSCOPE_TYPEINFO_ROWS(WHOLE, FIELD)                                                             \
  MAPSCOPE_DEPARTED_ROWS(WHOLE, FIELD)                                                             \
  MAPSCOPE_RUNTIME_ROWS(WHOLE, FIELD)                                                              \
  MAPSCOPE_STOP_FILTER_ROWS(WHOLE, FIELD)                                                          \
  MAPSCOPE_STOP_SLOT_ROWS(WHOLE, FIELD)                                                            \
  MAPSCOPE_EVENT_ROWS(WHOLE, FIELD)                                                                \
  MAPSCOPE_HISTORY_ROWS(WHOLE, FIELD)                                                              \
  MAPSCOPE_HISTORY_RING_ROWS(WHOLE, FIELD)                                                         \
  MAPSCOPE_HISTORY_RECORD_ROWS(WHOLE, FIELD)

/* How many there are. */
/* NOLINTBEGIN(bugprone-macro-parentheses): terms of a sum */
#define MAPSCOPE_ABI_ONE_WHOLE(type) +1
#define MAPSCOPE_ABI_ONE_FIELD(type, name) +1
/* NOLINTEND(bugprone-macro-parentheses) */
#define MAPSCOPE_ABI_FIELDS (0 MAPSCOPE_ABI_ROWS(MAPSCOPE_ABI_ONE_WHOLE, MAPSCOPE_ABI_ONE_FIELD))
#define MAPSCOPE_ABI_PLACES 4

#ifdef __cplusplus
namespace mapscope {
#endif

/* Something that there is once. */
struct MAPSCOPE_STRUCT(abi_place) {
  char name[24]; /*  0: ends with a NUL */
  union {
    const void *data;
    void (*hook)(const struct MAPSCOPE_STRUCT(event) *);
  } address;      /* 24 */
  uint32_t width; /* 32: bytes of one; 0: code */
  uint32_t count; /* 36: that lie behind each other */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(abi_place)) == 40, "abi_place");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi_place), address) == 24,
                       "abi_place.address");

/* A struct, or a field of one. */
struct MAPSCOPE_STRUCT(abi_field) {
  char name[40];   /*  0: ends with a NUL */
  uint32_t offset; /* 40: bytes from the beginning of its struct */
  uint16_t width;  /* 44: bytes of one */
  uint16_t count;  /* 46: that lie behind each other */
};
MAPSCOPE_STATIC_ASSERT(sizeof(struct MAPSCOPE_STRUCT(abi_field)) == 48, "abi_field");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi_field), offset) == 40,
                       "abi_field.offset");

/* What a debugger needs to know. It lies in the section .mapscope, is 16-byte
 * aligned, and is found by symbol, by section, or by a scan for the magic. */
struct MAPSCOPE_STRUCT(abi) {
  char magic[16];       /*  0: MAPSCOPE_MAGIC, without a closing NUL */
  uint32_t version;     /* 16: MAPSCOPE_ABI_VERSION */
  uint32_t size;        /* 20: bytes of this struct */
  uint32_t fields_at;   /* 24: offset of `fields` */
  uint16_t field_size;  /* 28: bytes of one */
  uint16_t field_count; /* 30 */
  uint32_t places_at;   /* 32: offset of `places` */
  uint16_t place_size;  /* 36: bytes of one */
  uint16_t place_count; /* 38 */
  struct MAPSCOPE_STRUCT(abi_place) places[MAPSCOPE_ABI_PLACES]; /* 40 */
  struct MAPSCOPE_STRUCT(abi_field) fields[MAPSCOPE_ABI_FIELDS];
};
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), version) == 16, "abi.version");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), fields_at) == 24, "abi.fields_at");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), places_at) == 32, "abi.places_at");
MAPSCOPE_STATIC_ASSERT(offsetof(struct MAPSCOPE_STRUCT(abi), places) == 40, "abi.places");

#ifdef __cplusplus
} // namespace mapscope
#endif

#endif

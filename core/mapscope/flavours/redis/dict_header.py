# SPDX-License-Identifier: MIT
"""The layouts of a dict, recognised by what is there (src/dict.h).

6.2: dict{type 0, privdata 8, dictht{table, size, sizemask, used} 16 and 48, rehashidx 80,
pauserehash (int16) 88}.
7.0 to 8.0: dict{type 0, ht_table[2] 8, ht_used[2] 24, rehashidx 40, pauserehash 48,
ht_size_exp[2] 50}; since 7.4 pauseAutoResize 52; in 8.0 the top bit of pauserehash is another
flag. What follows at 56 is metadata.
"""

import struct
from typing import Optional

from ...chained.two_tables import Tables
from ...errors import MemoryUnreadable, NotAMap
from ...program.memory import ADDRESS_LIMIT, Memory
from ...records import dataclass

#: log2 of the most buckets that a table can have
MAX_EXP = 40
SIZES = {"6.2": 96, "7.0": 56}


class Busy(NotAMap):
    """A map whose header cannot be understood between two of its stores."""


@dataclass(frozen=True)
class DictHeader:
    """The header of a dict, whose parts fit each other.

    :ivar layout: "6.2" or "7.0"
    :ivar type: address of its dictType
    """

    layout: str
    type: int
    tables: Tables

    @property
    def size(self) -> int:
        """Its bytes."""
        return SIZES[self.layout]


def read_dict(memory: Memory, address: int) -> DictHeader:
    """The dict at an address.

    :raises NotAMap: if there is none, with what does not fit
    """
    if address % 8:
        raise NotAMap(f"no dict at {address:#x}: no multiple of 8")
    try:
        raw = memory.read(address, SIZES["7.0"])
    except MemoryUnreadable as error:
        raise NotAMap(f"no dict at {address:#x}: {error}") from None
    busy: Optional[Busy] = None
    try:
        return _of_seven(memory, raw)
    except Busy as error:
        busy, reason = error, ""
    except NotAMap as error:
        reason = str(error)
    try:
        return _of_six(memory, memory.read(address, SIZES["6.2"]))
    except Busy:
        raise
    except (NotAMap, MemoryUnreadable):
        if busy is not None:
            raise busy from None
        raise NotAMap(
            f"no dict of Redis 6.2 to 8.0 at {address:#x}: {reason}; name a dict, as db0.keys "
            "(map list)"
        ) from None


def _of_seven(memory: Memory, raw: bytes) -> DictHeader:
    type, *words = struct.unpack_from("<5Q", raw)
    index = struct.unpack_from("<q", raw, 40)[0]
    paused = struct.unpack_from("<H", raw, 48)[0]
    exps = struct.unpack_from("<bb", raw, 50)
    if paused & 0x8000:
        paused &= 0x7FFF  # 8.0: useStoredKeyApi
    for table, exp in zip(words[:2], exps):
        if exp < -1 or exp > MAX_EXP:
            raise NotAMap(f"2^{exp} buckets")
    sizes = [0 if exp < 0 else 1 << exp for exp in exps]
    return _checked(memory, "7.0", type, words[:2], sizes, words[2:4], index, paused)


def _of_six(memory: Memory, raw: bytes) -> DictHeader:
    words = struct.unpack_from("<10Q", raw)
    index = struct.unpack_from("<q", raw, 80)[0]
    paused = struct.unpack_from("<H", raw, 88)[0]
    halves = (words[2:6], words[6:10])
    for table, size, mask, _ in halves:
        if size & (size - 1) or mask & (mask + 1) or size > 1 << MAX_EXP:
            raise NotAMap(f"{size} buckets with mask {mask:#x}")
    # one of which another is just being copied over has the parts of two
    whole = [h if h[2] == h[1] - 1 else (h[0], 0, 0, h[3]) for h in halves]
    arrays, sizes, used = ([half[at] for half in whole] for at in (0, 1, 3))
    return _checked(memory, "6.2", words[0], arrays, sizes, used, index, paused)


def _checked(
    memory: Memory,
    layout: str,
    type: int,
    arrays: "list[int]",
    sizes: "list[int]",
    used: "list[int]",
    index: int,
    paused: int,
) -> DictHeader:
    # A table is put in its place, and taken away, in several stores.
    here = [bool(table and size) for table, size in zip(arrays, sizes)]
    if index == -1 and not arrays[1] and (used[1] or sizes[1]):
        # compilers clear the second table before they put what it was into the first
        raise Busy(
            "a migration of this dict is just starting or ending, and which table it has is in a "
            "register: go a few instructions on (stepi, finish)"
        )
    ends = index == -1 and used[1] > 0  # the order of its stores is the compiler's
    if here[1] and (ends or arrays[0] == arrays[1] or (layout == "6.2" and not here[0])):
        # the end of a migration: the second table was copied over the first
        here[0], arrays, sizes, used = True, arrays[1:] * 2, sizes[1:] * 2, used[1:] * 2
        here[1] = False
    for table, size in zip(arrays, sizes):
        if table % 8 or table + 8 * size > ADDRESS_LIMIT or (table and table < 4096):
            raise NotAMap(f"a table at {table:#x}")
    migrating = index >= 0 and here[1]
    if index < -1 or index >> MAX_EXP > 0 or (migrating and index > sizes[0]):
        raise NotAMap(f"rehashidx is {index}, with {sizes[0]} old buckets")
    if index >= 0 and not here[0]:
        raise NotAMap(f"rehashidx is {index}, and there is no table")
    if here[0] is False and (used[0] or (arrays[0] and sizes[0])):
        raise NotAMap(f"{used[0]} entries, and no table")
    if paused > 0x7FFF:
        raise NotAMap(f"pauserehash is {paused}")
    for count, size in zip(used, sizes):
        if count >> 48:
            raise NotAMap(f"{count} entries in {size} buckets")
    if not memory.readable(type, 64):
        raise NotAMap(f"its dictType at {type:#x} cannot be read")
    tables = Tables(
        (arrays[0] if here[0] else 0, arrays[1] if migrating else 0),
        (sizes[0] if here[0] else 0, sizes[1] if migrating else 0),
        (used[0], used[1] if migrating else 0),
        index if migrating else -1,
        paused,
    )
    return DictHeader(layout, type, tables)

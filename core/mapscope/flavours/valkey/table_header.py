# SPDX-License-Identifier: MIT
"""A hashtable's header (src/hashtable.c, 8.1 and 9.1).

hashtable{type 0, ssize_t rehash_idx 8, bucket *tables[2] 16, size_t used[2] 32, int8_t
bucket_exp[2] 48, int16_t pause_rehash 50, pause_auto_shrink 52, size_t child_buckets[2] 56}; in 9.1
a list of iterators follows at 72.
"""

import struct
from typing import Tuple

from ...chained.two_tables import Tables
from ...errors import MemoryUnreadable, NotAMap
from ...program.memory import ADDRESS_LIMIT, Memory
from ...records import dataclass
from ..redis.dict_header import Busy

#: bytes of the header that are read, and of a bucket
SIZE, BUCKET = 72, 64
_MAX_EXP = 40


@dataclass(frozen=True)
class TableHeader:
    """The header of a hashtable, whose parts fit each other.

    :ivar type: address of its hashtableType
    :ivar children: child buckets of both tables
    """

    type: int
    tables: Tables
    children: Tuple[int, int]


def read_table(memory: Memory, address: int) -> TableHeader:
    """The hashtable at an address.

    :raises NotAMap: if there is none, with what does not fit
    """

    def no(reason: object) -> NotAMap:
        return NotAMap(
            f"no hashtable of Valkey 8.1 to 9.1 at {address:#x}: {reason}; name one, as db0.keys "
            "(map list)"
        )

    if address % 8:
        raise no("no multiple of 8")
    try:
        raw = memory.read(address, SIZE)
    except MemoryUnreadable as error:
        raise no(error) from None
    type, index, first, second, used0, used1 = struct.unpack_from("<QqQQQQ", raw)
    exps = struct.unpack_from("<bb", raw, 48)
    paused = struct.unpack_from("<h", raw, 50)[0]
    children = struct.unpack_from("<2Q", raw, 56)
    if any(exp < -1 or exp > _MAX_EXP for exp in exps):
        raise no(f"2^{max(exps)} buckets")
    sizes = [0 if exp < 0 else 1 << exp for exp in exps]
    arrays, used = [first, second], [used0, used1]
    for table, size in zip(arrays, sizes):
        if table % 8 or table + BUCKET * size > ADDRESS_LIMIT or 0 < table < 4096:
            raise no(f"a table at {table:#x}")
    here = [bool(table and size) for table, size in zip(arrays, sizes)]
    migrating = index >= 0 and here[1]
    if index == -1 and not arrays[1] and (used[1] or sizes[1]):
        # compilers clear the second table before they put what it was into the first
        raise Busy(
            "a migration of this hashtable is just starting or ending, and which table it has is "
            "in a register: go a few instructions on (stepi, finish)"
        )
    ends = (index == -1 and used[1] > 0) or (index > sizes[0] and not used[0])
    if here[1] and (arrays[0] == arrays[1] or ends):
        # the end of a migration: the second table was copied over the first
        sizes[0], used[0], here[0], migrating = sizes[1], used[1], True, False
    if index < -1 or index >> _MAX_EXP > 0 or (migrating and index > sizes[0]):
        raise no(f"rehash_idx is {index}, with {sizes[0]} old buckets")
    if not here[0] and (used[0] or index >= 0 or (arrays[0] and sizes[0])):
        raise no(f"{used[0]} entries, and no table")
    if max(used) >> 48 or max(children) >> 48 or not -1 < paused:
        raise no(f"{max(used)} entries, {max(children)} child buckets, pause_rehash {paused}")
    if not memory.readable(type, 64):
        raise no(f"its hashtableType at {type:#x} cannot be read")
    tables = Tables(
        (arrays[0] if here[0] else 0, arrays[1] if migrating else 0),
        (sizes[0] if here[0] else 0, sizes[1] if migrating else 0),
        (used[0], used[1] if migrating else 0),
        index if migrating else -1,
        paused,
    )
    return TableHeader(type, tables, (children[0], children[1]))

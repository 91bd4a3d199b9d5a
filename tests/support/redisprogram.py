# SPDX-License-Identifier: MIT
"""A model of a Redis server's dicts in memory made up: each store of dict.c, in its order.

What this knows: dict.h and dict.c of 6.2, 7.0, 7.2 and 8.0, and of Valkey 8.0 ("valkey"), sds.c,
SipHash by its definition. What it must not know: how mapscope reads them.
"""

import struct
from typing import Dict as Mapping
from typing import Iterator, List, Optional

from image import FakeFrame, FakeTarget, Image
from mapscope.program.target import Frame, Thread

MASK = (1 << 64) - 1
SEED = bytes(range(3, 19))

#: offsets in a dict: of tables, sizes, counts, rehashidx, pauserehash
LAYOUTS = {
    "6.2": ((16, 48), (24, 56), (40, 72), 80, 88, 96),
    "7.0": ((8, 16), (50, 51), (24, 32), 40, 48, 56),
}
#: names of functions, at made-up places
CODE = 0x555500000000
FUNCTIONS = (
    *("dictRehash", "dictAddRaw", "dictSdsHash", "dictSdsKeyCompare", "dictSdsDestructor"),
    *("dictObjectDestructor", "dictExpandAllowed", "dictGetHashFunctionSeed", "dictPtrHash"),
    "dictSetResizeEnabled",
)


def siphash(text: bytes, seed: bytes = SEED) -> int:
    """SipHash-1-2 of one text, step by step."""
    k0, k1 = struct.unpack("<2Q", seed)
    v: List[int] = [0x736F6D6570736575 ^ k0, 0x646F72616E646F6D ^ k1]
    v += [0x6C7967656E657261 ^ k0, 0x7465646279746573 ^ k1]

    def turn(at: int, by: int) -> None:
        v[at] = (v[at] << by | v[at] >> (64 - by)) & MASK

    def rounds(number: int) -> None:
        for _ in range(number):
            for a, b, by, last in ((0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32)):
                v[a] = (v[a] + v[b]) & MASK
                turn(b, by)
                v[b] ^= v[a]
                turn(a, last) if last else None

    whole = len(text) // 8 * 8
    for at in range(0, whole, 8):
        m = int.from_bytes(text[at : at + 8], "little")
        v[3] ^= m
        rounds(1)
        v[0] ^= m
    b = int.from_bytes(text[whole:], "little") | (len(text) & 255) << 56
    v[3] ^= b
    rounds(1)
    v[0] ^= b
    v[2] ^= 0xFF
    rounds(2)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class OneThread(Thread):
    """The server's thread: what a step of it holds in registers."""

    number = kernel_id = 1

    def __init__(self) -> None:
        self.held: Mapping[str, int] = {}
        self.stack: List[FakeFrame] = []

    def frames(self) -> Iterator[Frame]:
        return iter(self.stack)

    def registers(self) -> Mapping[str, int]:
        return self.held


class Program:
    """A server process without databases."""

    def __init__(self, version: str = "7.0") -> None:
        self.image = Image()
        self.version = version
        self.layout = LAYOUTS["6.2" if version == "6.2" else "7.0"]
        self.target = FakeTarget(self.image)
        self.thread = OneThread()
        self.target.thread_list = [self.thread]
        self.image.map_region(CODE, bytes(4096))
        for number, name in enumerate(FUNCTIONS):
            self._name(name, CODE + 64 * number)
        seed = self.image.place(SEED)
        getter = self.address("dictGetHashFunctionSeed")
        self.image.write(getter, b"\xf3\x0f\x1e\xfa\x48\x8d\x05")
        # its displacement has 32 bits: the seed is copied to where it reaches
        near = CODE + 2048
        self.image.write(near, self.image.read(seed, 16))
        self.image.write(getter + 7, struct.pack("<i", near - getter - 11) + b"\xc3")
        self.policy = near + 16
        setter = self.address("dictSetResizeEnabled")
        self.image.write(
            setter, b"\x89\x3d" + struct.pack("<i", self.policy - setter - 6) + b"\xc3"
        )
        if version in ("8.0", "valkey"):
            self._name("_dictResize", CODE + 1024)
        self.types: Mapping[str, int] = {}
        functions = ("dictSdsHash", "dictSdsKeyCompare", "dictSdsDestructor")
        hash, compare, end = map(self.address, functions)
        expand = self.address("dictExpandAllowed")
        self._type("dbDictType", hash, compare, end, self.address("dictObjectDestructor"), expand)
        self._type("dbExpiresDictType", hash, compare, 0, 0, expand)
        self._type("hashDictType", hash, compare, end, end, 0)
        self._type("setDictType", hash, compare, end, 0, 0)

    def _name(self, name: str, address: int) -> None:
        self.target.symbol_table[name] = [address]
        self.target.symbols_at[address] = name

    def _type(self, name: str, hash: int, compare: int, *rest: int) -> None:
        end, end_value, expand = rest
        words = (hash, 0, 0, compare, end, end_value, expand, 0, 0, 0, 0, 0)
        self.types[name] = self.image.place(struct.pack("<12Q", *words))
        self._name(name, self.types[name])

    def address(self, name: str) -> int:
        """Of a function or variable."""
        return int(self.target.symbol_table[name][0])

    def sds(self, text: bytes, odd: bool = True) -> int:
        """A new sds string; its pointer is odd, but in 8.0 not always."""
        if odd and len(text) < 32:
            return self.image.place(bytes([len(text) << 3]) + text + b"\0") + 1
        if not odd:  # as if the allocation were odd: 8.0 knows even keys
            front = bytes(13) + bytes([len(text), len(text), 1])
            return self.image.place(front + text + b"\0") + 16
        header = struct.pack("<HHB", len(text), len(text), 2)
        return self.image.place(header + text + b"\0") + 5

    def object(self, type: int, encoding: int, value: int) -> int:
        """A new robj."""
        return self.image.place(struct.pack("<BxxxiQ", type | encoding << 4, 1, value))

    def has_databases(self, number: int, size: int = 88) -> "List[List[Dict]]":
        """Give the server so many databases; [keys, expires] of each."""
        at = self.image.place(bytes(size * number))
        server = self.image.place(bytes(4096))
        self._name("server", server)
        self.image.write_word(server + 72, at)
        found = []
        for index in range(number):
            pair = [Dict(self, "dbDictType"), Dict(self, "dbExpiresDictType")]
            for offset, one in zip((0, 8), pair):
                self.image.write_word(at + size * index + offset, one.address)
            self.image.write_word(at + size * index + 40, index, 4)
            found.append(pair)
        return found


class Dict:
    """A dict, and what it holds.

    :ivar held: keys and values
    """

    def __init__(self, program: Program, type: str, buckets: int = 4) -> None:
        self.program, self.image = program, program.image
        self.tables, self.sizes, self.used, self.index_at, self.paused_at, size = program.layout
        self.address = self.image.place(bytes(size))
        self.no_value = type == "setDictType" and program.version in ("7.2", "8.0", "valkey")
        self.embeds = program.version == "valkey" and not self.no_value
        self.held: "dict[bytes, Optional[bytes]]" = {}
        self.image.write_word(self.address, program.types[type])
        self.image.write_word(self.address + self.index_at, MASK)
        self._size(0, 0)
        self._size(1, 0)
        self._install(0, buckets)

    # --- the header ---

    def _get(self, offset: int) -> int:
        return self.image.word(self.address + offset)

    def _put(self, offset: int, value: int) -> None:
        self.image.store_word(self.address + offset, value & MASK)

    def _size(self, table: int, size: int) -> None:
        at = self.address + self.sizes[table]
        if self.program.version == "6.2":
            self.image.store_word(at, size)
            self.image.store_word(at + 8, size - 1 if size else 0)
        else:
            self.image.store_word(at, (size.bit_length() - 1) & 0xFF, 1)

    def size(self, table: int) -> int:
        """Buckets of a table."""
        if self.program.version == "6.2":
            return self._get(self.sizes[table])
        exp = self.image.word(self.address + self.sizes[table], 1)
        return 0 if exp == 0xFF else 1 << exp

    def _install(self, table: int, buckets: int) -> None:
        array = self.image.place(bytes(8 * buckets))
        self._size(table, buckets)
        self._put(self.used[table], 0)
        self._put(self.tables[table], array)

    @property
    def rehashing(self) -> bool:
        """Whether a migration is in progress."""
        return self._get(self.index_at) != MASK

    def _slot(self, table: int, bucket: int) -> int:
        return self._get(self.tables[table]) + 8 * bucket

    # --- what writes to it ---

    def add(self, key: bytes, value: Optional[bytes] = None, odd: bool = True) -> None:
        """A new entry, whose value is an sds; of a set none."""
        self.held[key] = value
        table = 1 if self.rehashing else 0
        slot = self._slot(table, siphash(key) & (self.size(table) - 1))
        at = 0 if self.embeds else self.program.sds(key, odd)
        head = self.image.word(slot)
        if self.embeds:
            word = 0 if value is None else self.program.sds(value)
            header = bytes([1, len(key) << 3]) if odd else bytes([3, len(key), len(key), 1])
            link = self.image.place(struct.pack("<2Q", word, head) + header + key + b"\0") | 4
        elif self.no_value and not head and (at & 1 or self.program.version == "8.0"):
            link = at if at & 1 else at | 2
        elif self.no_value:
            node = self.image.place(struct.pack("<2Q", at, head))
            link = node | (4 if self.program.version == "8.0" else 2)
        else:
            word = 0 if value is None else self.program.sds(value)
            link = self.image.place(struct.pack("<3Q", at, word, head))
        self.image.store_word(slot, link)
        self._put(self.used[table], self._get(self.used[table]) + 1)

    def grow(self, buckets: int) -> None:
        """The start of a migration, as _dictExpand has it."""
        self._install(1, buckets)
        self._put(self.index_at, 0)

    def step(self, bucket: Optional[int] = None) -> None:
        """One bucket of a migration, each store of dictRehash; since 7.4 any bucket."""
        index = self._get(self.index_at)
        while bucket is None and not self.image.word(self._slot(0, index)):
            index += 1
            self._put(self.index_at, index)
        moved = index if bucket is None else bucket
        held, slot = self.program.thread.held, self._slot(0, moved)
        de = self.image.word(slot)
        while de:
            held["rbx"] = de
            key, following = self._node(de)
            held["rbp"], held["r12"] = following, key
            self.image.pause()
            text = self._text(key)
            target = self._slot(1, siphash(text) & (self.size(1) - 1))
            head = self.image.word(target)
            de = self._relink(de, key, head)
            held["rbx"] = de
            self.image.store_word(target, de)
            self._put(self.used[0], self._get(self.used[0]) - 1)
            self._put(self.used[1], self._get(self.used[1]) + 1)
            de = following
            held["rbx"] = de
        held.clear()
        self.image.store_word(slot, 0)
        if bucket is None:
            self._put(self.index_at, moved + 1)

    def _node(self, link: int) -> "tuple[int, int]":
        """(key, next)"""
        if link & 1 or (link & 7 == 2 and self.program.version == "8.0"):
            return (link if link & 1 else link & ~7), 0
        at = link & ~7
        if self.embeds:
            return at + 17 + self.image.word(at + 16, 1), self.image.word(at + 8)
        return self.image.word(at), self.image.word(at + (8 if self.no_value else 16))

    def _relink(self, de: int, key: int, head: int) -> int:
        """The entry as it is linked before the one that was first there."""
        if not self.no_value:
            self.image.store_word((de & ~7) + (8 if self.embeds else 16), head)
            return de
        is_key = bool(de & 1 or (de & 7 == 2 and self.program.version == "8.0"))
        direct = key & 1 or self.program.version == "8.0"
        if not head and direct:
            if not is_key:  # its node is given back, and soon something else
                self.image.store(de & ~7, b"\xa5" * 16)
            return key if key & 1 else key | 2
        if is_key:
            node = self.image.place(struct.pack("<2Q", key, head))
            return node | (4 if self.program.version == "8.0" else 2)
        self.image.store_word((de & ~7) + 8, head)
        return de

    def _text(self, pointer: int) -> bytes:
        flags = self.image.word(pointer - 1, 1)
        length = {0: flags >> 3, 1: self.image.word(pointer - 3, 1)}.get(
            flags & 7, self.image.word(pointer - 5, 2)
        )
        return self.image.read(pointer, length)

    def finish_as_compiled(self) -> None:
        """The end of a migration in the order of stores that gcc makes of it (7.0 and later)."""
        while self._get(self.used[0]):
            self.step()
        self.image.store(self._get(self.tables[0]), b"\xa5" * (8 * self.size(0)))
        array, used, size = self._get(self.tables[1]), self._get(self.used[1]), self.size(1)
        self._put(self.index_at, MASK)
        self._put(self.tables[1], 0)
        self._put(self.tables[0], array)
        self._put(self.used[1], 0)
        self._put(self.used[0], used)
        self._size(1, 0)
        self._size(0, size)

    def finish(self) -> None:
        """The end of a migration, store by store; the old table is something else then."""
        while self._get(self.used[0]):
            self.step()
        old, size = self._get(self.tables[0]), self.size(0)
        self.image.store(old, b"\xa5" * (8 * size))
        self._put(self.tables[0], self._get(self.tables[1]))
        self._put(self.used[0], self._get(self.used[1]))
        self._size(0, self.size(1))
        self._put(self.tables[1], 0)
        self._size(1, 0)
        self._put(self.used[1], 0)
        self._put(self.index_at, MASK)

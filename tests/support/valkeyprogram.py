# SPDX-License-Identifier: MIT
"""A model of a Valkey server's hashtables in memory made up: each store of a step of 8.1 and 9.1.

What this knows: hashtable.c, object.c, t_hash.c and entry.c of 8.1.1 and 9.1.2. What it must not
know: how mapscope reads them.
"""

import struct
from typing import Dict, List, Optional, Tuple

from image import FakeTarget, Image
from redisprogram import CODE, MASK, SEED, OneThread, siphash

#: offsets in a hashtable
TYPE, INDEX, TABLES, USED, EXPS, PAUSE, CHILDREN = 0, 8, 16, 32, 48, 50, 56
BUCKET, POSITIONS = 64, 7


class Program:
    """A server process without databases."""

    def __init__(self, version: str) -> None:
        self.image = Image()
        self.version = version
        self.target = FakeTarget(self.image)
        self.thread = OneThread()
        self.target.thread_list = [self.thread]
        self.image.map_region(CODE, bytes(4096))
        names = ["hashtableFind", "hashtableGetHashFunctionSeed"]
        if version == "9.1":
            names += ["objectGetVal", "zslGetNodeElement", "entryGetValue"]
        for number, name in enumerate(names):
            self._name(name, CODE + 64 * number)
        near = CODE + 2048
        self.image.write(near, SEED)
        getter = self.target.symbol_table["hashtableGetHashFunctionSeed"][0]
        code = b"\x48\x8d\x05" + struct.pack("<i", near - getter - 7) + b"\xc3"
        self.image.write(getter, code)
        self.types: Dict[str, int] = {}
        for name in ("kvstoreKeys", "kvstoreExpires", "set", "zset", "hash"):
            self.types[name] = self.image.allocate(128)
            self._name(f"{name}HashtableType", self.types[name])

    def _name(self, name: str, address: int) -> None:
        self.target.symbol_table[name] = [address]
        self.target.symbols_at[address] = name

    # --- entries ---

    def sds(self, text: bytes) -> int:
        """A new sds string with a header of 3 bytes."""
        return self.image.place(bytes([len(text), len(text), 1]) + text + b"\0") + 3

    def field(self, text: bytes, value: bytes, outside: bool) -> int:
        """A new entry of a hash: its value behind it, or elsewhere."""
        if not outside:
            header = bytes([len(text) << 3])
            behind = bytes([len(value), len(value), 1]) + value + b"\0"
            return self.image.place(header + text + b"\0" + behind) + 1
        bit = 1 if self.version == "9.1" else 0
        header = bytes([len(text), len(text), 1 | 1 << (3 + bit)])
        pointer = struct.pack("<Q", self.sds(value))
        return self.image.place(pointer + header + text + b"\0") + 8 + 3

    def element(self, text: bytes, score: float) -> int:
        """A new node of a skip list."""
        if self.version != "9.1":
            return self.image.place(struct.pack("<Qd", self.sds(text), score) + bytes(16))
        node = struct.pack("<dQ", score, 0) + struct.pack("<QQ", 0, 2) + bytes(16)
        return self.image.place(node + bytes([1, len(text) << 3]) + text + b"\0")

    def object(self, key: bytes, value: bytes, expire: Optional[int]) -> int:
        """A new string object with its key in it; in 9.1 its value, too."""
        inside = self.version == "9.1"
        flags = (expire is not None) | 2 | (4 if inside else 0) | 1 << (3 if inside else 2)
        head = struct.pack("<II", 8 << 4, flags)
        if not inside:
            head += struct.pack("<Q", self.sds(value))
        parts = struct.pack("<q", expire) if expire is not None else b""
        parts += bytes([1, len(key) << 3]) + key + b"\0"
        if inside:
            parts += bytes([len(value), len(value), 1]) + value + b"\0"
        return self.image.place(head + parts)


class Table:
    """A hashtable, and what it holds."""

    def __init__(self, program: Program, kind: str, buckets: int) -> None:
        self.program, self.image, self.kind = program, program.image, kind
        self.address = self.image.allocate(96)
        self.held: Dict[bytes, object] = {}
        self._hashes: Dict[int, int] = {}
        self.image.write_word(self.address, program.types[kind])
        self.image.write_word(self.address + INDEX, MASK)
        self.image.write(self.address + EXPS, b"\xff\xff")
        self._install(0, buckets)

    def _install(self, table: int, buckets: int) -> None:
        array = self.image.allocate(BUCKET * buckets, 64)
        self.image.store_word(self.address + EXPS + table, buckets.bit_length() - 1, 1)
        self.image.store_word(self.address + TABLES + 8 * table, array)

    def _count(self, offset: int, table: int, change: int) -> None:
        at = self.address + offset + 8 * table
        self.image.store_word(at, self.image.word(at) + change)

    def size(self, table: int) -> int:
        """Buckets of a table."""
        exp = self.image.word(self.address + EXPS + table, 1)
        return 0 if exp == 0xFF else 1 << exp

    def _bucket(self, table: int, index: int) -> int:
        return self.image.word(self.address + TABLES + 8 * table) + BUCKET * index

    @property
    def index(self) -> int:
        """Of the migration."""
        return self.image.word(self.address + INDEX)

    def add(self, key: bytes, value: object, entry: int) -> None:
        """A new entry."""
        self.held[key] = value
        self._hashes[entry] = siphash(key)
        table = 1 if self.index != MASK else 0
        self._insert(table, entry)
        self._count(USED, table, 1)

    def _insert(self, table: int, entry: int) -> None:
        """findBucketForInsert, and the three stores behind it."""
        key_hash = self._hashes[entry]
        at = self._bucket(table, key_hash & (self.size(table) - 1))
        while True:
            bits = self.image.word(at, 1)
            free = [p for p in range(POSITIONS - (bits & 1)) if not bits >> 1 >> p & 1]
            if free:
                break
            if not bits & 1:
                self._convert(table, at)
            at = self.image.word(at + 8 + 8 * (POSITIONS - 1))
        self.image.store_word(at + 8 + 8 * free[0], entry)
        self.image.store_word(at + 1 + free[0], key_hash >> 56, 1)
        self.image.store_word(at, self.image.word(at, 1) | 2 << free[0], 1)

    def _convert(self, table: int, at: int) -> None:
        """Give a full bucket a child, which takes its last entry; between two steps only."""
        child, last = self.image.allocate(BUCKET, 64), POSITIONS - 1
        moved = self.image.word(at + 8 + 8 * last)
        self.image.write_word(child + 8, moved)
        self.image.write_word(child + 1, self.image.word(at + 1 + last, 1), 1)
        self.image.write_word(child, 2, 1)
        self.image.write_word(at + 8 + 8 * last, child)
        self.image.write_word(at, (self.image.word(at, 1) & ~(2 << last)) | 1, 1)
        where = self.address + CHILDREN + 8 * table
        self.image.write_word(where, self.image.word(where) + 1)

    def grow(self, buckets: int) -> None:
        """The start of a migration, as resize() has it."""
        self._install(1, buckets)
        self.image.store_word(self.address + USED + 8, 0)
        self.image.store_word(self.address + INDEX, 0)

    def _entries(self, at: int) -> List[int]:
        bits = self.image.word(at, 1)
        positions = [p for p in range(POSITIONS - (bits & 1)) if bits >> 1 >> p & 1]
        return [self.image.word(at + 8 + 8 * position) for position in positions]

    def _move(self, entry: int) -> None:
        self._insert(1, entry)
        self._count(USED, 0, -1)
        self._count(USED, 1, 1)

    def _child(self, at: int) -> int:
        chained = self.image.word(at, 1) & 1
        return self.image.word(at + 8 + 8 * (POSITIONS - 1)) if chained else 0

    def step(self) -> None:
        """One bucket of a migration."""
        first = self._bucket(0, self.index)
        held = self.program.thread.held
        if self.program.version == "8.1":
            following = self._child(first)
            self._move_all(first)
            if following:
                held["rbx"] = following
                self.image.store_word(first, self.image.word(first, 1) & ~1, 1)
            while following:
                held["rbx"] = at = following
                self._move_all(at)
                following = self._child(at)
                held["rbp"] = following
                self.image.store(at, b"\xa5" * BUCKET)  # it is given back
                self._count(CHILDREN, 0, -1)
        else:
            chain = [first]
            while self._child(chain[-1]):
                chain.append(self._child(chain[-1]))
            for at in chain:
                for entry in self._entries(at):
                    self._move(entry)
            for at in chain[1:]:
                self._count(CHILDREN, 0, -1)
            self.image.store_word(first, 0, 1)
        held.clear()
        self.image.store_word(self.address + INDEX, self.index + 1)

    def _move_all(self, at: int) -> None:
        for entry in self._entries(at):
            self._move(entry)
        self.image.store_word(at, self.image.word(at, 1) & 1, 1)

    def finish(self) -> None:
        """All other steps, and the end of the migration."""
        while self.index < self.size(0):
            self.step()
        address, image = self.address, self.image
        for offset, size in ((EXPS, 1), (TABLES, 8), (USED, 8), (CHILDREN, 8)):
            image.store_word(address + offset, image.word(address + offset + size, size), size)
        image.store_word(address + TABLES + 8, 0)
        image.store_word(address + EXPS + 1, 0xFF, 1)
        image.store_word(address + USED + 8, 0)
        image.store_word(address + CHILDREN + 8, 0)
        image.store_word(address + INDEX, MASK)


def filled(version: str, kind: str, number: int, buckets: int) -> Table:
    """A hashtable with so many entries of a kind."""
    program = Program(version)
    table = Table(program, kind, buckets)
    for at in range(number):
        key, value = b"key %d" % at, b"value %d" % at
        made: Tuple[object, int]
        if kind == "set":
            made = None, program.sds(key)
        elif kind == "hash":
            made = value.decode(), program.field(key, value, at % 3 == 0)
        elif kind == "zset":
            made = at * 0.5, program.element(key, at * 0.5)
        elif kind == "kvstoreKeys":
            expire = 1000 + at if at % 2 else None
            made = value.decode(), program.object(key, value, expire)
        else:
            made = 1000 + at, program.object(key, value, 1000 + at)
        table.add(key, *made)
    return table

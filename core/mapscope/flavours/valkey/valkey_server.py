# SPDX-License-Identifier: MIT
"""What a Valkey process tells by the names that it exports. Offsets are found by what is there
and checked, never guessed."""

import struct
from typing import List, Optional, Tuple
from weakref import WeakKeyDictionary

from ...errors import MapscopeError, MemoryUnreadable, NotAMap
from ...session import Session
from ..redis.redis_server import EXPIRES, KEYS, Database, RedisProgram
from .table_header import TableHeader, read_table
from .valkey_entries import TYPES, Version

_LOOKED = 4096
#: bytes that a serverDb can have; databases that one can have
_DB_SIZES, _MOST_DBS = range(24, 512, 8), 1 << 14
_MOST_TABLES = 1 << 16
_PARTS = ((KEYS, "kvstoreKeysHashtableType"), (EXPIRES, "kvstoreExpiresHashtableType"))


class ValkeyProgram(RedisProgram):
    """What is known of one server process, looked up when it is asked for."""

    seed_names = ("hash_function_seed", "hashtableGetHashFunctionSeed")

    @property
    def present(self) -> bool:
        return (
            self.symbol("hashtableFind") is not None
            and self.symbol("kvstoreKeysHashtableType") is not None
        )

    def version(self) -> Version:
        """What differs between versions."""
        return Version(
            self.symbol("objectGetVal") is not None,
            self.symbol("zslGetNodeElement") is not None,
            0 if self.symbol("entryGetValue") is None else 1,
        )

    @property
    def is_first(self) -> bool:
        """Whether this is the hashtable of 8.1, which unlinks child buckets before it moves their
        entries, and keeps memory of buckets that are moved."""
        return self.symbol("objectGetVal") is None

    def table_at(self, address: int) -> Tuple[TableHeader, str, str]:
        """(header, hashtableType, what its entries are) of the hashtable at an address.

        :raises NotAMap: if there is none, or entries of that type are not known
        """
        header = read_table(self._memory, address)
        name = self.name_at(header.type)
        if name is None:
            raise NotAMap(f"no hashtable at {address:#x}: no hashtableType at {header.type:#x}")
        if name not in TYPES:
            raise NotAMap(
                f"the hashtable at {address:#x} is a {name}, whose entries are not known: there "
                f"are {', '.join(TYPES)}"
            )
        return header, name, TYPES[name]

    # --- databases ---

    def _find_databases(self) -> Tuple[List[Database], List[Tuple[str, str]]]:
        server = self.symbol("server")
        if server is None:
            raise NotAMap("the program exports no `server`: name a hashtable by its address")
        raw = self._memory.read(server, _LOOKED)
        for (word,) in struct.iter_unpack("<Q", raw):
            if word % 8:
                continue
            if self._is_serverdb(word):
                return self._array(word)
            try:
                first = self._memory.read_word(word)
            except MemoryUnreadable:
                continue
            if first % 8 == 0 and self._is_serverdb(first):
                return self._pointers(word)
        raise NotAMap(
            "no databases of Valkey 8.1 to 9.1 were found in `server` (it has not started yet, or "
            "its layout is another): name a hashtable by its address"
        )

    def _is_serverdb(self, at: int) -> bool:
        try:
            pair = struct.unpack("<2Q", self._memory.read(at, 16))
            return all(
                self._stores(pointer, self.symbol(type)) is not None
                for pointer, (_, type) in zip(pair, _PARTS)
            )
        except MapscopeError:
            return False

    def _stores(self, at: int, type: Optional[int]) -> Optional[List[Tuple[int, int]]]:
        """(slot, hashtable) of a kvstore; None: there is none.

        _kvstore{int flags 0, hashtableType *dtype 8, hashtable **hashtables 16, int
        num_hashtables 24, num_hashtables_bits 28, ...}
        """
        if at % 8 or not type:
            return None
        _, dtype, array, count, bits = struct.unpack("<QQQii", self._memory.read(at, 32))
        if dtype != type or not 0 <= bits <= 16 or count != 1 << bits or count > _MOST_TABLES:
            return None
        pointers = struct.unpack(f"<{count}Q", self._memory.read(array, 8 * count))
        found = [(slot, pointer) for slot, pointer in enumerate(pointers) if pointer]
        if any(read_table(self._memory, pointer).type != type for _, pointer in found):
            return None
        return found

    def _array(self, first: int) -> Tuple[List[Database], List[Tuple[str, str]]]:
        """8.1: server.db is the array."""
        found = self._parts_of(first, 0)
        stride = next((s for s in _DB_SIZES if self._is_serverdb(first + s)), None)
        if stride is None:
            return found, []
        id_at = self._id_offset(first, stride)
        if id_at is None:
            return found, [("databases from db1 on", "their numbers were not found")]
        for number in range(1, _MOST_DBS):
            at = first + number * stride
            if not self._is_serverdb(at) or self._number(at + id_at) != number:
                break
            found += self._parts_of(at, number)
        return found, []

    def _pointers(self, array: int) -> Tuple[List[Database], List[Tuple[str, str]]]:
        """9.1: server.db is an array of pointers; a database is made when it is first used."""
        found: List[Database] = []
        unread: List[Tuple[str, str]] = []
        offsets: "set[int]" = set()
        for number in range(_MOST_DBS):
            try:
                at = self._memory.read_word(array + 8 * number)
            except MemoryUnreadable:
                break
            if not at:
                continue
            if at % 8 or not self._is_serverdb(at):
                break
            raw = self._memory.read(at, 96)
            here = {o for o in range(16, 96, 4) if raw[o : o + 4] == number.to_bytes(4, "little")}
            offsets = here if not number else offsets & here
            if not offsets:
                break
            found += self._parts_of(at, number)
        return found, unread

    def _number(self, at: int) -> Optional[int]:
        try:
            return int.from_bytes(self._memory.read(at, 4), "little")
        except MemoryUnreadable:
            return None

    def _parts_of(self, at: int, number: int) -> List[Database]:
        found: List[Database] = []
        pair = struct.unpack("<2Q", self._memory.read(at, 16))
        for pointer, (part, type) in zip(pair, _PARTS):
            tables = self._stores(pointer, self.symbol(type)) or []
            many = len(tables) > 1 or any(slot for slot, _ in tables)
            found += [Database(number, part, one, slot if many else None) for slot, one in tables]
        return found


_programs: "WeakKeyDictionary[Session, ValkeyProgram]" = WeakKeyDictionary()


def valkey_of(session: Session) -> ValkeyProgram:
    """What is known of the program that a session looks at."""
    found = _programs.get(session)
    if found is None:
        found = _programs[session] = ValkeyProgram(session)
    return found

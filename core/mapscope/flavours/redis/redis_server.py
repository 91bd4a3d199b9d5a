# SPDX-License-Identifier: MIT
"""What a server process tells by the names that it exports: its databases, the seed of its hash,
its policy of resizing. Offsets are found by what is there and checked, never guessed."""

import struct
from typing import Dict, List, Optional, Tuple
from weakref import WeakKeyDictionary

from ...errors import MapscopeError, MemoryUnreadable, NotAMap
from ...records import dataclass
from ...session import Session
from .dict_header import DictHeader, read_dict
from .dict_types import ENDS, HASHES, POINTER, WORD, Holds, by_name

#: bytes of `server` in which its databases are looked for; they stand among the first
_LOOKED = 4096
#: bytes that a redisDb can have
_DB_SIZES = range(24, 512, 8)
_MOST_DBS = 1 << 20
#: words of a dictType that are the same in a copy of it: its functions
_FUNCTIONS = 6
#: where a kvstore can have its dicts, as its dictType is part of it: 7.4 and later
_KVSTORE = range(64, 320, 8)
#: most dicts of a kvstore: one for each slot of a cluster
_MOST_DICTS = 1 << 16

KEYS, EXPIRES = "keys", "expires"
#: of a dictType: hashFunction, and what ends a value; that of Valkey, which has no valDup
_HASH, _END, _VALKEY_END = 0, 5, 4
#: dictTypes of a database's parts: Redis's, and Valkey's
_PARTS = {
    KEYS: ("dbDictType", "kvstoreKeysDictType"),
    EXPIRES: ("dbExpiresDictType", "kvstoreExpiresDictType"),
}
#: a kvstore of Valkey's has a pointer to its dictType, and then its dicts
_VALKEY_DICTS = 16

#: of functions that are one instruction and ret: endbr64; lea SEED(%rip),%rax; mov
#: %edi,POLICY(%rip)
_LANDING, _LEA, _MOV = b"\xf3\x0f\x1e\xfa", b"\x48\x8d\x05", b"\x89\x3d"
#: hasActiveChildProcess: xor %eax,%eax; cmpl $-1,CHILD(%rip) or lea SERVER(%rip),%rax; cmpl
#: $-1,OFFSET(%rax)
_CLEAR, _COMPARE, _COMPARE_AT, _MINUS_1 = b"\x31\xc0", b"\x83\x3d", b"\x83\xb8", b"\xff"
#: whether tables may be resized; while a child process saves they had better not
ALLOW, AVOID, FORBID = range(3)


@dataclass(frozen=True)
class Database:
    """One table of a database; of a cluster, one for each slot.

    :ivar number: of the database
    :ivar part: "keys" or "expires"
    :ivar dict: address of the dict
    :ivar slot: of a kvstore of several dicts, which one; None: it is the only one
    """

    number: int
    part: str
    dict: int
    slot: Optional[int] = None

    @property
    def name(self) -> str:
        """As a user names it."""
        which = "" if self.slot is None else f"[{self.slot}]"
        return f"db{self.number}.{self.part}{which}"


class RedisProgram:
    """What is known of one server process, looked up when it is asked for.

    :ivar seed_names: of the variable that has the seed, and of the function that returns its
        address
    :ivar policy_names: of the variable that says whether tables may be resized, and of the
        function that sets it
    """

    policy_names = ("dict_can_resize", "dictSetResizeEnabled")
    seed_names = ("dict_hash_function_seed", "dictGetHashFunctionSeed")

    def __init__(self, session: Session) -> None:
        self._target = session.target
        self._memory = session.memory
        self._symbols: Dict[str, Optional[int]] = {}
        self._names: Dict[int, Optional[str]] = {}
        self._databases: Optional[Tuple[List[Database], List[Tuple[str, str]]]] = None
        self._seed: Optional[Tuple[Optional[bytes], str]] = None
        self._kinds: Dict[int, Holds] = {}

    def symbol(self, name: str) -> Optional[int]:
        """The address of an exported name; None: there is none, or there are several."""
        if name not in self._symbols:
            found = self._target.symbols(name)
            self._symbols[name] = found[0] if len(found) == 1 else None
        return self._symbols[name]

    def name_at(self, address: int) -> Optional[str]:
        """The exported name of what is at an address."""
        if address not in self._names:
            self._names[address] = self._target.symbol_at(address) if address else None
        return self._names[address]

    @property
    def present(self) -> bool:
        """Whether the program has dicts."""
        return self.symbol("dictRehash") is not None and self.symbol("dictAddRaw") is not None

    @property
    def has_databases(self) -> bool:
        """Whether the keyspace lies in dicts; Valkey's does not since 8.1."""
        return self.symbol("hashtableFind") is None

    @property
    def in_order(self) -> bool:
        """Whether buckets are never moved before those in front of them: since 7.4 a lookup
        moves the bucket that it visits (dict.c, _dictBucketRehash)."""
        return self.symbol("_dictResize") is None and self.symbol("kvstoreCreate") is None

    def part_type(self, part: str) -> int:
        """The dictType of a part of a database; 0: the program has none."""
        return next(filter(None, map(self.symbol, _PARTS[part])), 0)

    # --- the hash's seed, and the policy ---

    def seed(self) -> Tuple[Optional[bytes], str]:
        """(the 16 bytes, "") or (None, why they are not known)."""
        if self._seed is None:
            self._seed = self._find_seed()
        return self._seed

    def _find_seed(self) -> Tuple[Optional[bytes], str]:
        variable, function = self.seed_names
        at = self.symbol(variable) or self._returned(function)
        if at is None:
            return None, "where the process keeps the seed of its hash is not known"
        try:
            return self._memory.read(at, 16), ""
        except MemoryUnreadable as error:
            return None, f"the seed of its hash: {error}"

    def _returned(self, function: str) -> Optional[int]:
        """The address that a function returns which does nothing else."""
        return self._operand(function, _LEA)

    def _operand(self, function: str, code: bytes) -> Optional[int]:
        """The address that the only instruction of a function has, relative to the next one."""
        start = self.symbol(function)
        if start is None:
            return None
        try:
            found = self._memory.read(start, 16)
        except MemoryUnreadable:
            return None
        skipped = len(_LANDING) if found.startswith(_LANDING) else 0
        size = len(code) + 4
        found = found[skipped:]
        if not found.startswith(code) or found[size : size + 1] != b"\xc3":
            return None
        return start + skipped + size + int(struct.unpack_from("<i", found, len(code))[0])

    def policy(self) -> Optional[int]:
        """Whether tables may be resized: ALLOW, AVOID or FORBID; None: not known."""
        variable, function = self.policy_names
        at = self.symbol(variable) or self._stored(function)
        try:
            value = None if at is None else self._memory.read(at, 4)[0]
        except MemoryUnreadable:
            return None
        return value if value in (ALLOW, AVOID, FORBID) else None

    def child(self) -> Optional[int]:
        """The process id of the child that saves, or does other such work; 0: there is none;
        None: that is not known. (server.child_pid, which hasActiveChildProcess compares)"""
        start = self.symbol("hasActiveChildProcess")
        try:
            code = b"" if start is None else self._memory.read(start, 32)
            at = _compared(start or 0, code)
            raw = b"" if at is None else self._memory.read(at, 4)
        except MapscopeError:
            return None
        pid = int.from_bytes(raw, "little", signed=True)
        if not raw or pid < -1 or pid == 0 or pid > 1 << 22:
            return None
        return 0 if pid == -1 else pid

    def _stored(self, function: str) -> Optional[int]:
        """The address that a function stores its argument at, and does nothing else."""
        return self._operand(function, _MOV)

    # --- what dicts hold ---

    def holds(self, type: int) -> Holds:
        """What a dict with this dictType holds.

        :raises NotAMap: if it is no dictType
        """
        if type not in self._kinds:
            self._kinds[type] = self._find_holds(type)
        return self._kinds[type]

    def _find_holds(self, type: int) -> Holds:
        name = self.name_at(type)
        known = by_name(name)
        if known is not None:
            return known
        words = self._functions(type)
        if words is None:
            raise NotAMap(f"no dictType at {type:#x}")
        for name_of_like in ("dbDictType", "dbExpiresDictType"):
            like = self.symbol(name_of_like)
            # the whole of it up to resizeAllowed: a copy in a kvstore
            if like and like != type and self._functions(like, 7) == self._functions(type, 7):
                copied = by_name(name_of_like)
                assert copied is not None
                return copied
        key = HASHES.get(self.name_at(words[_HASH]) or "", POINTER)
        end = _END if self.symbol(_PARTS[KEYS][1]) is None else _VALKEY_END
        value = ENDS.get(self.name_at(words[end]) or "", WORD)
        return Holds(name or f"{key}, {value}", key, value)

    def _functions(self, type: int, count: int = _FUNCTIONS) -> Optional[Tuple[int, ...]]:
        """The functions of a dictType; None: it has none, or what is there is no code."""
        try:
            words = struct.unpack(f"<{count}Q", self._memory.read(type, 8 * count))
        except MemoryUnreadable:
            return None
        if self.name_at(words[_HASH]) is None:
            return None
        return words

    def dict_at(self, address: int) -> Tuple[DictHeader, Holds]:
        """The dict at an address.

        :raises NotAMap: if there is none
        """
        header = read_dict(self._memory, address)
        try:
            return header, self.holds(header.type)
        except NotAMap as error:
            raise NotAMap(f"no dict at {address:#x}: {error}") from None

    # --- databases ---

    def databases(self) -> Tuple[List[Database], List[Tuple[str, str]]]:
        """(all tables of all databases, what could not be read and why).

        :raises NotAMap: if there are no databases where such servers have them
        """
        if self._databases is None:
            self._databases = self._find_databases()
        return self._databases

    def _find_databases(self) -> Tuple[List[Database], List[Tuple[str, str]]]:
        server = self.symbol("server")
        if server is None:
            raise NotAMap("the program exports no `server`: name a dict by its address")
        raw = self._memory.read(server, _LOOKED)
        for (word,) in struct.iter_unpack("<Q", raw):
            if self._is_database(word, 0):
                return self._all(word)
        raise NotAMap(
            "no databases of Redis 6.2 to 8.0 or Valkey 8.0 were found in `server` (it has not "
            "started yet, or its layout is another): name a dict by its address"
        )

    def _is_database(self, at: int, number: int) -> bool:
        """Whether there is a redisDb of this number."""
        try:
            keys, expires = struct.unpack("<2Q", self._memory.read(at, 16))
        except MemoryUnreadable:
            return False
        return self._is_part(keys, KEYS) and self._is_part(expires, EXPIRES)

    def _is_part(self, at: int, part: str) -> bool:
        wanted = self.part_type(part)
        if not wanted or at % 8:
            return False
        try:
            if self._memory.read_word(at) == wanted:
                read_dict(self._memory, at)
                return True
            return self._kvstore(at, wanted) is not None
        except MapscopeError:
            return False

    def _kvstore(self, at: int, type: int) -> Optional[List[Tuple[int, int]]]:
        """(slot, dict) of a kvstore whose dictType is this one, or a copy; None: there is none.

        _kvstore{int flags 0, dictType dtype 8, dict **dicts, long long num_dicts,
        num_dicts_bits, ...}; Valkey 8.0: dictType *dtype 8
        """
        places, theirs = _KVSTORE, at + 8
        if self._memory.read_word(at + 8) == type:
            places, theirs = range(_VALKEY_DICTS, _VALKEY_DICTS + 1), type
        elif self._functions(at + 8, 7) != self._functions(type, 7):
            return None
        for offset in places:
            array, count, bits = struct.unpack("<QqQ", self._memory.read(at + offset, 24))
            if not 0 < count <= _MOST_DICTS or bits > 16 or count != 1 << bits:
                continue
            if array % 8 or not self._memory.readable(array, 8 * count):
                continue
            dicts = struct.unpack(f"<{count}Q", self._memory.read(array, 8 * count))
            found = [(slot, dict) for slot, dict in enumerate(dicts) if dict]
            if all(self._is_of(dict, theirs) for _, dict in found):
                return found
        return None

    def _is_of(self, dict: int, type: int) -> bool:
        try:
            return read_dict(self._memory, dict).type == type
        except NotAMap:
            return False

    def _all(self, first: int) -> Tuple[List[Database], List[Tuple[str, str]]]:
        """All databases from the first on. They are known to belong together by their numbers:
        redisDb.id, whose offset is where all of them have theirs."""
        found = self._parts(first, 0)
        unread: List[Tuple[str, str]] = []
        stride = next((s for s in _DB_SIZES if self._is_database(first + s, 1)), None)
        if stride is None:
            return found, unread
        id_at = self._id_offset(first, stride)
        if id_at is None:
            unread.append(("databases from db1 on", "their numbers were not found"))
            return found, unread
        for number in range(1, _MOST_DBS):
            at = first + number * stride
            try:
                if int.from_bytes(self._memory.read(at + id_at, 4), "little") != number:
                    break
            except MemoryUnreadable:
                break
            if not self._is_database(at, number):
                break
            found += self._parts(at, number)
        return found, unread

    def _id_offset(self, first: int, stride: int) -> Optional[int]:
        """Where a redisDb has its number: 0 in the first, 1 in the second."""
        try:
            one, two = (self._memory.read(first + s, stride) for s in (0, stride))
        except MemoryUnreadable:
            return None
        for at in range(16, stride - 3, 4):
            numbers = [int.from_bytes(raw[at : at + 4], "little") for raw in (one, two)]
            if numbers == [0, 1]:
                return at
        return None

    def _parts(self, at: int, number: int) -> List[Database]:
        found: List[Database] = []
        pointers = struct.unpack("<2Q", self._memory.read(at, 16))
        for pointer, part in zip(pointers, (KEYS, EXPIRES)):
            type = self.part_type(part)
            if self._memory.read_word(pointer) == type:
                found.append(Database(number, part, pointer))
                continue
            try:
                dicts = self._kvstore(pointer, type) or []
            except MemoryUnreadable:
                dicts = []
            many = len(dicts) > 1 or any(slot for slot, _ in dicts)
            found += [Database(number, part, d, slot if many else None) for slot, d in dicts]
        return found


def _compared(start: int, code: bytes) -> Optional[int]:
    """The address of what a function compares with -1 first; None: it does something else."""
    end = start + len(code)
    code = code[len(_LANDING) :] if code.startswith(_LANDING) else code
    for first, second in ((_CLEAR, _COMPARE), (_LEA, _COMPARE_AT)):
        if not code.startswith(first):
            continue
        base, rest = 0, code[len(first) :]
        if first == _LEA:
            base, rest = int(struct.unpack_from("<i", rest)[0]) + end - len(rest) + 4, rest[4:]
        size = len(second) + 4 + len(_MINUS_1)
        if not rest.startswith(second) or rest[size - 1 : size] != _MINUS_1:
            continue
        offset = int(struct.unpack_from("<i", rest, len(second))[0])
        return base + offset if base else end - len(rest) + size + offset
    return None


_programs: "WeakKeyDictionary[Session, RedisProgram]" = WeakKeyDictionary()


def program_of(session: Session) -> RedisProgram:
    """What is known of the program that a session looks at."""
    found = _programs.get(session)
    if found is None:
        found = _programs[session] = RedisProgram(session)
    return found

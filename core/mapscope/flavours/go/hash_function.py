# SPDX-License-Identifier: MIT
"""Which hash function a map of a Go program has, and the process's random keys.

A map's type names its hash function: maptype.Hasher points at a funcval, whose first word is the
function's code. What that function has to be follows from the key's type; a map with another
one is not hashed here. (cmd/compile/internal/reflectdata/alg.go, genhash, of Go 1.17 to 1.27.)

The keys are variables of the runtime. In a program without symbols they are found in the machine
code of the functions that use them.
"""

import re
import struct
from typing import Iterator, List, Optional, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.key_hash import (
    Algorithms,
    CannotHash,
    Dynamic,
    GoKeyHash,
    Steps,
    compiled_steps,
    runtime_steps,
    signature,
    signature_text,
)
from ...go.memhash import HASHKEY_SIZE, SCHEDULE_SIZE, AesHash, FallbackHash, MemoryHash
from ...program.hashing import KeyHash
from ...program.types import Type
from ...program.values import escape
from ...session import Session
from .map_types import MapType, map_type

#: bytes of a function that are looked at for its operands
_CODE = 256


def key_hash(
    session: Session,
    maptype: Optional[MapType],
    seed: int,
    hashes: Optional[MemoryHash] = None,
) -> Tuple[Optional[KeyHash], str]:
    """The hash function of a map.

    :param seed: hmap.hash0 or Map.seed
    :param hashes: what memory_hash gave before, for those that ask often
    :return: (the function, "") or (None, why it cannot be computed)
    """
    if maptype is None:
        return None, "the map's type is not known"
    try:
        name, steps = _function(session, maptype)
        return _made(session, name, steps, maptype.key, seed, hashes or memory_hash(session)), ""
    except MapscopeError as error:
        return None, str(error)


def key_hash_of(
    session: Session, key: Type, closure: int, seed: int
) -> Tuple[Optional[KeyHash], str]:
    """The hash function of what hashes keys as maps do, and has the function itself.

    :param closure: address of the function's value
    :return: as of key_hash
    """
    try:
        name, steps = _checked(session, key, closure)
        return _made(session, name, steps, key, seed, memory_hash(session)), ""
    except MapscopeError as error:
        return None, str(error)


def _made(
    session: Session, name: str, steps: Steps, key: Type, seed: int, hashes: MemoryHash
) -> KeyHash:
    known = _DynamicTypes(session)
    return GoKeyHash(
        f"{name} with {hashes.name}",
        session.memory,
        hashes,
        known.find,
        steps,
        key.size,
        seed,
    )


# --- the function ---

_SIMPLE = {
    "text": "strhash",
    "interface": "interhash",
    "empty interface": "nilinterhash",
}
_SIZES = {0: "memhash0", 1: "memhash8", 2: "memhash16", 4: "memhash32", 8: "memhash64"}
_SIZES[16] = "memhash128"
#: the functions that the compiler writes: "type..hash.T" until Go 1.19
_WRITTEN = re.compile(r"type[.:]\.hash\.")


def _function(session: Session, maptype: MapType) -> Tuple[str, Steps]:
    """(name, steps) of the hash function of a map type.

    :raises MapscopeError: if it is none that is known
    """
    minor = session.go.minor
    descriptor = maptype.address or _descriptor(session, maptype)
    if not descriptor:
        steps = compiled_steps(maptype.key, minor)
        return _expected(maptype.key, minor) or "a function of the key's type", steps
    layout = layouts.swiss_map_type if session.go.has_swiss_maps else layouts.classic_map_type
    fields = layout(minor).fields
    place = fields["Hasher"] if "Hasher" in fields else fields["hasher"]
    try:
        closure = session.memory.read_word(descriptor + place)
    except MemoryUnreadable as error:
        raise CannotHash(f"the map type's hash function cannot be read: {error}") from None
    return _checked(session, maptype.key, closure)


def _checked(session: Session, key: Type, closure: int) -> Tuple[str, Steps]:
    """(name, steps) of the hash function of a key type.

    :param closure: address of the function's value
    :raises MapscopeError: if it is none that is known
    """
    minor = session.go.minor
    steps = compiled_steps(key, minor)
    expected = _expected(key, minor)
    memory = session.memory
    try:
        code = memory.read_word(closure)
        name = _name_of(session, code)
        size = memory.read_word(closure + 8) if name == "runtime.memhash_varlen" else key.size
    except MemoryUnreadable as error:
        raise CannotHash(f"the map type's hash function cannot be read: {error}") from None
    if name is None:
        raise CannotHash(f"the map type's hash function at {code:#x} is none that has a name")
    if expected is not None:
        if name != f"runtime.{expected}" or size != key.size:
            raise CannotHash(
                f"the map type's hash function is {escape(name)} of {size} bytes, "
                f"runtime.{expected} of {key.size} expected"
            )
        return expected, steps
    written = _WRITTEN.match(name)
    if written is None:
        raise CannotHash(
            f"the map type's hash function is {escape(name)}, "
            f"one that the compiler wrote for {escape(key.name)} expected"
        )
    if minor >= 27 and name[written.end() :] != signature_text(signature(key)):
        raise CannotHash(
            f"the map type's hash function is {escape(name)}, "
            f"type:.hash.{signature_text(signature(key))} expected"
        )
    return name, steps


def _expected(key: Type, minor: int) -> Optional[str]:
    """The function of the runtime that a key type is hashed with; None: one that the compiler
    writes.

    :raises CannotHash: if it has none
    """
    if minor >= 27:
        text = signature_text(signature(key))
        whole = re.fullmatch(r"(?:M(\d+))?", text)
        if whole:
            size = int(whole.group(1) or 0)
            return _SIZES.get(size, "memhash_varlen")
        return {
            "S": "strhash",
            "I": "interhash",
            "E": "nilinterhash",
            "F": "f32hash",
            "G": "f64hash",
            "FF": "c64hash",
            "GG": "c128hash",
        }.get(text)
    algorithm = Algorithms().of(key)
    if algorithm == "memory":
        return _SIZES.get(key.size, "memhash_varlen")
    if algorithm == "float":
        return f"f{8 * key.size}hash"
    if algorithm == "complex":
        return f"c{8 * key.size}hash"
    return _SIMPLE.get(algorithm)


def _descriptor(session: Session, maptype: MapType) -> int:
    """The type descriptor of a map type that comes from debug information; 0: not found."""
    name = re.sub(r"[\w.~-]+/", "", maptype.name)  # debug information has whole paths
    try:
        address = session.go.find(name)
        found = map_type(session.go, address)
    except MapscopeError:
        return 0
    return address if found.layout == maptype.layout else 0


def _name_of(session: Session, code: int) -> Optional[str]:
    """The name of the function that begins at an address."""
    table = session.functions
    if table is not None:
        function = table.at(code)
        if function is not None and function.start == code and function.name:
            return function.name
    name = session.target.symbol_at(code)
    return None if name is None else re.sub(r"\.abi(0|internal)\Z", "", name)


class _RegularMemory:
    """Whether a type is plain memory, by its descriptor."""

    def __init__(self, session: Session) -> None:
        self._memory = session.memory
        self._tflag = _field(session, "tflag", "TFlag")

    def __call__(self, type: Type) -> bool:
        flags = self._memory.read(type.go_type + self._tflag, 1)[0]
        return bool(flags & layouts.REGULAR_MEMORY)


class _DynamicTypes:
    """The types that interfaces hold values of."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._regular = _RegularMemory(session)

    def find(self, address: int) -> Dynamic:
        """:raises MapscopeError: if there is no type that can be hashed"""
        session = self._session
        type = session.go.type_at(address)
        steps = runtime_steps(type, self._regular)
        return Dynamic(type, steps, bool(type.direct))


def _field(session: Session, old: str, new: str) -> int:
    fields = layouts.rtype(session.go.minor).fields
    return fields[new] if new in fields else fields[old]


# --- the process's keys ---


def memory_hash(session: Session) -> MemoryHash:
    """The memory hashes of the process.

    :raises MapscopeError: if its keys cannot be found
    """
    use, schedule, keys = _places(session)
    memory = session.memory
    chosen = memory.read(use, 1)[0]
    if chosen > 1:
        raise CannotHash(f"useAeshash at {use:#x} is {chosen}, 0 or 1 expected")
    if chosen:
        if not schedule:
            raise CannotHash("runtime.aeskeysched was not found")
        return AesHash(memory.read(schedule, SCHEDULE_SIZE))
    if not keys:
        raise CannotHash("runtime.hashkey was not found")
    words = struct.unpack("<4Q", memory.read(keys, HASHKEY_SIZE))
    return FallbackHash(words, session.go.minor)


def _places(session: Session) -> Tuple[int, int, int]:
    """Addresses of useAeshash, aeskeysched and hashkey; 0: not found.

    :raises CannotHash: if the first is not found
    """
    symbols = session.go.symbols
    for package, chosen in layouts.HASH_VARIABLES:
        found = [
            next(iter(symbols(f"{package}.{name}")), 0)
            for name in (chosen, "aeskeysched", "hashkey")
        ]
        if found[0]:
            return found[0], found[1], found[2]
    places = _from_code(session)
    if not places[0]:
        raise CannotHash("the program's hash keys were not found")
    return places


_CMPB = re.compile(rb"\x80\x3d(....)\x00", re.DOTALL)
_AESENC = re.compile(rb"\x66\x0f\x38\xdc\x05(....)", re.DOTALL)
#: movq, xorq and addq of a register and a word at an offset from the next instruction
_WORD = re.compile(rb"[\x48\x4c](?:\x8b|\x33)[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....)", re.DOTALL)


def _from_code(session: Session) -> Tuple[int, int, int]:
    """The same from memhash64 and memhash64Fallback, by what they are known to do:

    `cmpb $0, useAeshash`, then `aesenc` with the first three sixteenths of aeskeysched; hashkey[0]
    in an exclusive or, since Go 1.23 hashkey[1] too.
    """
    use = [place for code in _codes(session, layouts.MEMHASH64) for place in _of(_CMPB, *code)]
    schedules: List[int] = []
    for code in _codes(session, layouts.MEMHASH64_AES):
        places = _of(_AESENC, *code)
        if len(places) == 3 and places[1] == places[0] + 16 and places[2] == places[0] + 32:
            schedules.append(places[0])
    keys: List[int] = []
    for code in _codes(session, layouts.MEMHASH64_FALLBACK):
        places = sorted(set(_of(_WORD, *code)))
        if session.go.minor < 23 and len(places) == 1:
            keys.append(places[0])
        elif session.go.minor >= 23 and len(places) == 2 and places[1] == places[0] + 8:
            keys.append(places[0])
    return _one(use), _one(schedules), _one(keys)


def _one(places: List[int]) -> int:
    """The place that all are; 0: there is none, or several."""
    return places[0] if len(set(places)) == 1 else 0


def _codes(session: Session, names: Tuple[str, ...]) -> Iterator[Tuple[int, bytes]]:
    """(address, machine code) of those functions of these names that the program has."""
    table = session.functions
    for name in names:
        start = None if table is None else table.address_of(name)
        if not start or table is None:
            continue
        try:
            code = bytes(session.memory.read(start, _CODE))
        except MemoryUnreadable:
            continue
        end = next(
            (
                at
                for at in range(16, _CODE, 16)
                if (found := table.at(start + at)) is None or found.start != start
            ),
            _CODE,
        )
        yield start, code[:end]


def _of(pattern: "re.Pattern[bytes]", start: int, code: bytes) -> List[int]:
    """The memory that instructions name by its distance from the next one."""
    return [
        start + found.end() + int.from_bytes(found.group(1), "little", signed=True)
        for found in pattern.finditer(code)
    ]

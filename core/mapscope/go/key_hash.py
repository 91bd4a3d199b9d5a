# SPDX-License-Identifier: MIT
"""The hash of a key of a Go map, as the program itself computes it.

What a hash is made of follows from the key's type. The compiler writes a function for each key
type (cmd/compile/internal/reflectdata/alg.go, cmd/compile/internal/compare/compare.go); what an
interface holds is hashed by runtime.typehash (runtime/alg.go), which goes through a struct
field by field where the compiler's functions take neighbouring fields together. Both are a
row of steps, each of which takes the hash so far as its seed.

What this must not know: where in a program the map's type and the process's keys are.
"""

from array import array
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import MapscopeError
from ..kernels.scanning import Records
from ..program.hashing import KeyHash
from ..program.memory import Memory
from ..program.scattered import hash_texts
from ..program.types import Kind, Type
from ..program.values import MAX_DEPTH, escape
from ..records import dataclass
from .memhash import MemoryHash

_MASK = (1 << 64) - 1
#: constants of the hashes of zero and of interfaces (c0 and c1 in runtime/alg.go, 64 bits)
C0, C1 = 33054211828000289, 23344194077549503

#: steps of one key type, at most
MOST_STEPS = 4096
#: keys that are hashed together (the more, the more of their strings lie close together), and
#: bytes of their strings
_TOGETHER, _TOGETHER_BYTES = 1 << 17, 16 << 20
#: longest string, and largest value in an interface, that is hashed, in bytes
MAX_TEXT = 1 << 20

_MEMORY_KINDS = (Kind.BOOL, Kind.INT, Kind.UINT, Kind.ENUM, Kind.POINTER, Kind.CHAN)

# What a step hashes. MEMORY is memhash; WORD memhash32 or memhash64.
MEMORY, WORD, FLOAT, TEXT, INTERFACE, EMPTY_INTERFACE = range(6)


class CannotHash(MapscopeError):
    """A type whose hash cannot be computed."""


@dataclass(frozen=True)
class Step:
    """A part of a key, and how it is hashed.

    :ivar kind: MEMORY, WORD, FLOAT, TEXT, INTERFACE or EMPTY_INTERFACE
    :ivar offset: of the part in the key, in bytes
    :ivar size: of the part, in bytes
    """

    kind: int
    offset: int
    size: int


Steps = Tuple[Step, ...]


# --- the compiler's functions ---


class Algorithms:
    """How the compiler hashes types (AlgType in cmd/compile/internal/types/alg.go)."""

    def __init__(self) -> None:
        self._known: Dict[int, Tuple[Type, str]] = {}

    def of(self, type: Type) -> str:
        """ "memory", "float", "complex", "text", "interface", "empty interface", "special".

        :raises CannotHash: if values of the type have no hash
        """
        known = self._known.get(id(type))
        if known is None:
            known = type, self._find(type)
            self._known[id(type)] = known
        return known[1]

    def _find(self, type: Type) -> str:
        if type.kind in _MEMORY_KINDS:
            return "memory"
        simple = _ALGORITHMS.get(type.kind)
        if simple is not None:
            return simple
        if type.kind is Kind.ARRAY:
            found = self.of(type.target())
            if found == "memory" or type.length == 0:
                return "memory"
            return found if type.length == 1 else "special"
        if type.kind is Kind.STRUCT:
            if len(type.fields) == 1 and type.fields[0].name != "_":
                return self.of(type.fields[0].type)
            plain = True
            for at, field in enumerate(type.fields):
                plain &= self.of(field.type) == "memory"
                plain &= field.name != "_" and not _padded(type, at)
            return "memory" if plain else "special"
        raise CannotHash(f"values of kind {type.kind.value} have no hash")


_ALGORITHMS = {
    Kind.FLOAT: "float",
    Kind.COMPLEX: "complex",
    Kind.STRING: "text",
    Kind.INTERFACE: "interface",
    Kind.EMPTY_INTERFACE: "empty interface",
}
_SIMPLE = {
    Kind.STRING: TEXT,
    Kind.INTERFACE: INTERFACE,
    Kind.EMPTY_INTERFACE: EMPTY_INTERFACE,
}

_SIMPLE_SIZES = {
    Kind.FLOAT: (4, 8),
    Kind.COMPLEX: (8, 16),
    Kind.STRING: (16,),
    Kind.INTERFACE: (16,),
    Kind.EMPTY_INTERFACE: (16,),
}


def _padded(type: Type, at: int) -> bool:
    """Whether padding follows a field of a struct (IsPaddedField)."""
    field = type.fields[at]
    end = type.fields[at + 1].offset if at + 1 < len(type.fields) else type.size
    return field.offset + field.type.size != end


def compiled_steps(type: Type, minor: int) -> Steps:
    """What the function that the compiler writes for a key type does.

    :param minor: the N of go1.N
    :raises CannotHash: if the type has no hash, or a very long one
    """
    if minor >= 27:
        return _bounded(_steps_of(signature(type), 0), type)
    algorithms = Algorithms()
    if algorithms.of(type) == "memory":
        return _bounded(_whole(0, type.size), type)
    return _bounded(_compiled(type, 0, algorithms), type)


def runtime_steps(type: Type, regular: Callable[[Type], bool]) -> Steps:
    """What runtime.typehash does, which hashes what is in interfaces.

    :param regular: whether a type is plain memory (TFlagRegularMemory of its descriptor)
    :raises CannotHash: if the type has no hash, or a very long one
    """
    return _bounded(_by_typehash(type, 0, regular), type)


def _bounded(steps: Iterator[Optional[Step]], type: Type) -> Steps:
    """:param steps: of a type; None for a part that is passed over"""
    found: List[Step] = []
    for number, step in enumerate(steps):
        if number == MOST_STEPS:
            raise CannotHash(f"a hash of more than {MOST_STEPS} steps")
        if step is None:
            continue
        if step.offset + step.size > type.size:
            raise CannotHash(f"a part of type {escape(type.name)} lies beyond its end")
        found.append(step)
    return tuple(found)


def _whole(offset: int, size: int) -> Iterator[Step]:
    """Of a key that is plain memory (genhash); nothing for one of no bytes."""
    if size:
        yield Step(WORD if size in (4, 8) else MEMORY, offset, size)


def _simple(type: Type, offset: int) -> Iterator[Step]:
    """Of floats, complex numbers, strings and interfaces."""
    if type.size not in _SIMPLE_SIZES[type.kind]:
        raise CannotHash(f"values of kind {type.kind.value} and {type.size} bytes have no hash")
    if type.kind is Kind.COMPLEX:
        half = type.size // 2
        yield Step(FLOAT, offset, half)
        yield Step(FLOAT, offset + half, half)
    elif type.kind is Kind.FLOAT:
        yield Step(FLOAT, offset, type.size)
    else:
        yield Step(_SIMPLE[type.kind], offset, type.size)


def _compiled(type: Type, offset: int, algorithms: Algorithms) -> Iterator[Optional[Step]]:
    """Of a type that is not plain memory, until Go 1.26 (genhash, hashfor): in a struct, runs of
    fields that are plain memory go to memhash as one, without padding and blank fields."""
    if type.kind is Kind.ARRAY:
        element = type.target()
        for index in range(type.length):
            yield from _compiled(element, offset + index * element.size, algorithms)
        return
    if type.kind is not Kind.STRUCT:
        yield from _simple(type, offset)
        return
    at, fields = 0, type.fields
    while at < len(fields):
        field = fields[at]
        if field.name == "_":
            yield None
            at += 1
        elif algorithms.of(field.type) != "memory":
            yield from _compiled(field.type, offset + field.offset, algorithms)
            at += 1
        elif len(fields) == 1:
            yield from _whole(offset + field.offset, field.type.size)
            at += 1
        else:
            last = at
            while (
                last + 1 < len(fields)
                and not _padded(type, last)
                and fields[last + 1].name != "_"
                and algorithms.of(fields[last + 1].type) == "memory"
            ):
                last += 1
            end = fields[last].offset + fields[last].type.size
            yield Step(MEMORY, offset + field.offset, end - field.offset)
            at = last + 1


# --- since Go 1.27: a function for each signature ---

#: a signature: (its letter, a number), as (M, 8); an array: ([, iterations, signature)
Signature = List[Tuple[str, int, Any]]


class _SignatureBuilder:
    """eqSigBuilder in cmd/compile/internal/reflectdata/alg.go of Go 1.27: memory that is
    compared, and memory that is not, is joined across fields and structs."""

    def __init__(self, algorithms: Algorithms, built: List[int]) -> None:
        """:param built: how many parts of a type were looked at"""
        self.parts: Signature = []
        self._algorithms = algorithms
        self._built = built
        self._regular = self._skipped = 0

    def flush(self, at_end: bool = False) -> None:
        if self._regular:
            self._add("M", self._regular)
        if self._skipped and not at_end:
            self._add("K", self._skipped)
        self._regular = self._skipped = 0

    def _add(self, letter: str, number: int, inner: Optional[Signature] = None) -> None:
        self.parts.append((letter, number, inner or []))

    def _memory(self, size: int) -> None:
        if not self._regular:
            self.flush()
        self._regular += size

    def _skip(self, size: int) -> None:
        if not self._skipped:
            self.flush()
        self._skipped += size

    def build(self, type: Type) -> None:
        self._built[0] += 1
        if self._built[0] > MOST_STEPS:
            raise CannotHash(f"a hash of more than {MOST_STEPS} steps")
        if type.kind in _MEMORY_KINDS:
            self._memory(type.size)
        elif type.kind is Kind.STRUCT:
            offset = 0
            for field in type.fields:
                if field.name == "_":
                    self._built[0] += 1
                    continue
                if offset < field.offset:
                    self._skip(field.offset - offset)
                self.build(field.type)
                offset = field.offset + field.type.size
            if offset < type.size:
                self._skip(type.size - offset)
        elif type.kind is Kind.ARRAY:
            self._array(type)
        else:
            self.flush()
            for step in _simple(type, 0):
                self._add(_LETTERS[step.kind, step.size], 0)

    def _array(self, type: Type) -> None:
        if self._algorithms.of(type) == "memory":
            self._memory(type.size)
            return
        element, left = type.target(), type.length
        if not element.size:
            return
        unroll = max(1, 32 // element.size)
        if left == 1:
            unroll = 1
        while left % unroll:
            self.build(element)
            left -= 1
        if left <= unroll:
            for _ in range(left):
                self.build(element)
            return
        self.flush()
        inner = _SignatureBuilder(self._algorithms, self._built)
        for _ in range(unroll):
            inner.build(element)
        inner.flush()
        self._add("[", left // unroll, inner.parts)


_LETTERS = {
    (FLOAT, 4): "F",
    (FLOAT, 8): "G",
    (TEXT, 16): "S",
    (INTERFACE, 16): "I",
    (EMPTY_INTERFACE, 16): "E",
}
_LETTER_STEPS = {letter: place for place, letter in _LETTERS.items()}


def signature(type: Type) -> Signature:
    """What Go 1.27 names the hash function of a type after (eqSignature).

    :raises CannotHash: if the type has no hash
    """
    algorithms = Algorithms()
    algorithms.of(type)
    builder = _SignatureBuilder(algorithms, [0])
    builder.build(type)
    builder.flush(at_end=True)
    return builder.parts


def signature_text(parts: Signature) -> str:
    """As it stands in the function's name: "M8S"."""
    text = ""
    for letter, number, inner in parts:
        text += letter + (str(number) if letter in "MK[" else "")
        text += f"{signature_text(inner)}]" if letter == "[" else ""
    return text


def _steps_of(parts: Signature, offset: int) -> Iterator[Optional[Step]]:
    for letter, number, inner in parts:
        if letter == "[":
            size = _size_of(inner)
            for _ in range(number):
                yield None
                yield from _steps_of(inner, offset)
                offset += size
        elif letter in "MK":
            if letter == "M":
                yield from _whole(offset, number)
            offset += number
        else:
            kind, size = _LETTER_STEPS[letter]
            yield Step(kind, offset, size)
            offset += size


def _size_of(parts: Signature) -> int:
    size = 0
    for letter, number, inner in parts:
        if letter == "[":
            size += number * _size_of(inner)
        else:
            size += number if letter in "MK" else _LETTER_STEPS[letter][1]
    return size


# --- runtime.typehash ---


def _by_typehash(
    type: Type, offset: int, regular: Callable[[Type], bool]
) -> Iterator[Optional[Step]]:
    yield None
    if regular(type):
        yield Step(WORD if type.size in (4, 8) else MEMORY, offset, type.size)
    elif type.kind is Kind.ARRAY:
        element = type.target()
        for index in range(type.length):
            yield from _by_typehash(element, offset + index * element.size, regular)
    elif type.kind is Kind.STRUCT:
        for field in type.fields:
            if field.name != "_":
                yield from _by_typehash(field.type, offset + field.offset, regular)
    elif type.kind in _ALGORITHMS:
        yield from _simple(type, offset)
    else:
        raise CannotHash(f"values of kind {type.kind.value} have no hash")


# --- computing ---


@dataclass(frozen=True)
class Dynamic:
    """A type that an interface holds a value of.

    :ivar direct: whether the interface's data word is the value
    """

    type: Type
    steps: Steps
    direct: bool


#: what is known of the type with its descriptor at an address; raises MapscopeError
DynamicTypes = Callable[[int], Dynamic]


class GoKeyHash(KeyHash):
    """The hash function of one Go map.

    :param size: of a key, in bytes
    :param seed: the map's (hmap.hash0, Map.seed)
    """

    def __init__(
        self,
        name: str,
        memory: Memory,
        hashes: MemoryHash,
        dynamic: DynamicTypes,
        steps: Steps,
        size: int,
        seed: int,
    ) -> None:
        self.name = name
        self._memory = memory
        self._hashes = hashes
        self._dynamic = dynamic
        self._steps = steps
        self._size = size
        self._seed = seed
        self._known: Dict[int, Optional[Dynamic]] = {}

    def many(
        self, keys: Sequence[bytes], seeds: Optional[Sequence[int]] = None
    ) -> List[Optional[int]]:
        """:param seeds: of each key's map; None: all are of this one"""
        result: List[Optional[int]] = []
        most = max(1, min(_TOGETHER, _TOGETHER_BYTES // (self._size + 1)))
        for start in range(0, len(keys), most):
            some = keys[start : start + most]
            good = list(map(self._size.__eq__, map(len, some)))
            if not all(good):
                some = [key if fits else bytes(self._size) for key, fits in zip(some, good)]
            of_each = (
                [self._seed] * len(some) if seeds is None else list(seeds[start:][: len(some)])
            )
            hashes, valid = self._run(self._steps, some, of_each, 0)
            if not all(good) or not all(valid):
                result.extend(
                    [h if v and fits else None for h, v, fits in zip(hashes, valid, good)]
                )
            else:
                result.extend(hashes)
        return result

    def packed(self, keys: bytes, size: int) -> Optional["array[int]"]:
        step = self._steps[0] if len(self._steps) == 1 else None
        if step is None or step.offset or not step.size == size == self._size:
            return None
        function, number = self._hashes.function, len(keys) // size
        if step.kind == WORD:
            return function.words(keys, size, array("Q", [self._seed]) * number)
        if step.kind == TEXT:
            words = Records(memoryview(keys), size)
            starts, lengths = (array("Q", words.words(place)) for place in (0, 8))
            return hash_texts(self._memory, function, starts, lengths, self._seed)
        return None

    def of_text(self, text: bytes) -> Optional[int]:
        if self._steps != (Step(TEXT, 0, 16),) or len(text) > MAX_TEXT:
            return None
        return self._hashes.memory([text], [self._seed])[0]

    def _run(
        self, steps: Steps, values: Sequence[bytes], seeds: List[int], depth: int
    ) -> Tuple[List[int], bytearray]:
        """(hashes, 1 for each that is right)"""
        valid = bytearray(b"\1") * len(values)
        for step in steps:
            end = step.offset + step.size
            parts: Sequence[bytes] = values
            if step.offset or any(len(value) != end for value in values[:1]):
                parts = [value[step.offset : end] for value in values]
            if step.kind == WORD:
                seeds = self._hashes.words(b"".join(parts), step.size, seeds)
            elif step.kind == MEMORY:
                seeds = self._hashes.memory(parts, seeds)
            elif step.kind == FLOAT:
                seeds = self._floats(step.size, parts, seeds, valid)
            elif step.kind == TEXT:
                seeds = self._texts(parts, seeds, valid)
            else:
                seeds = self._interfaces(step.kind, parts, seeds, valid, depth)
        return seeds, valid

    def _floats(
        self, size: int, parts: Sequence[bytes], seeds: List[int], valid: bytearray
    ) -> List[int]:
        """f32hash and f64hash: both zeros have one hash, and a NaN a random one."""
        hashes = self._hashes.memory(parts, seeds)
        numbers = array("f" if size == 4 else "d", b"".join(parts))
        for at, number in enumerate(numbers):
            if number == 0:
                hashes[at] = C1 * (C0 ^ seeds[at]) & _MASK
            elif number != number:
                valid[at] = 0
        return hashes

    def _texts(self, parts: Sequence[bytes], seeds: List[int], valid: bytearray) -> List[int]:
        """strhash: memhash of the text."""
        words = memoryview(b"".join(parts)).cast("Q").tolist()
        starts, lengths = words[::2], words[1::2]
        if max(lengths) > MAX_TEXT:
            for at, length in enumerate(lengths):
                if length > MAX_TEXT:
                    starts[at] = lengths[at] = valid[at] = 0
        if 0 in lengths:
            starts = [start if length else 0 for start, length in zip(starts, lengths)]
        if sum(lengths) <= _TOGETHER_BYTES:
            return self._hashed(starts, lengths, seeds, valid, 0, len(lengths))
        result: List[int] = []
        first = total = 0
        for at, length in enumerate(lengths):
            if total + length > _TOGETHER_BYTES:
                result += self._hashed(starts, lengths, seeds, valid, first, at)
                first, total = at, 0
            total += length
        return result + self._hashed(starts, lengths, seeds, valid, first, len(lengths))

    def _hashed(
        self,
        starts: List[int],
        lengths: List[int],
        seeds: List[int],
        valid: bytearray,
        first: int,
        end: int,
    ) -> List[int]:
        """memhash of the memory at some of the places."""
        pieces = self._read(starts[first:end], lengths[first:end])
        known = [piece for piece in pieces if piece is not None]
        if len(known) < len(pieces):
            for at, piece in enumerate(pieces, first):
                if piece is None:
                    valid[at] = 0
            known = [piece or b"" for piece in pieces]
        return self._hashes.memory(known, seeds[first:end])

    def _read(self, starts: List[int], lengths: List[int]) -> List[Optional[bytes]]:
        """Memory at many places; nothing is read of no bytes."""
        if 0 not in lengths:
            return self._memory.gather_ranges(starts, lengths)
        some = [at for at, length in enumerate(lengths) if length]
        result: List[Optional[bytes]] = [b""] * len(starts)
        pieces = self._memory.gather_ranges(
            [starts[at] for at in some], [lengths[at] for at in some]
        )
        for at, piece in zip(some, pieces):
            result[at] = piece
        return result

    def _interfaces(
        self, kind: int, parts: Sequence[bytes], seeds: List[int], valid: bytearray, depth: int
    ) -> List[int]:
        """interhash and nilinterhash: those of each type together."""
        words = memoryview(b"".join(parts)).cast("Q").tolist()
        types, data = words[::2], words[1::2]
        if kind == INTERFACE:
            types = self._types_of_tables(types)
        result = list(seeds)
        members: Dict[int, List[int]] = {}
        for at, address in enumerate(types):
            if address:  # nil hashes to its seed
                members.setdefault(address, []).append(at)
        for address, places in members.items():
            found = self._type(address) if depth < MAX_DEPTH else None
            if found is None:
                hashes: List[int] = [0] * len(places)
                good = bytearray(len(places))
            else:
                their = [seeds[at] ^ C0 for at in places]
                hashes, good = self._held(found, [data[at] for at in places], their, depth)
            for at, number, fine in zip(places, hashes, good):
                result[at] = C1 * number & _MASK
                valid[at] &= fine
        return result

    def _types_of_tables(self, tables: List[int]) -> List[int]:
        """The types of interfaces with methods; 1, which is none, where it cannot be read."""
        places = sorted({table for table in tables if table})
        # itab: the interface's type 0, the value's 8 (runtime2.go, internal/abi/iface.go)
        words = self._memory.gather([place + 8 for place in places], 8)
        known = {0: 0}
        for place, word in zip(places, words):
            known[place] = int.from_bytes(word, "little") if word and any(word) else 1
        return [known[table] for table in tables]

    def _type(self, address: int) -> Optional[Dynamic]:
        if address not in self._known:
            try:
                self._known[address] = self._dynamic(address)
            except (MapscopeError, RecursionError):
                self._known[address] = None
        return self._known[address]

    def _held(
        self, found: Dynamic, data: List[int], seeds: List[int], depth: int
    ) -> Tuple[List[int], bytearray]:
        """The hashes of values of one type that interfaces hold."""
        size = found.type.size
        if found.direct:
            words = [word.to_bytes(8, "little") for word in data]
            return self._run(found.steps, words, seeds, depth + 1)
        hashes: List[int] = []
        valid = bytearray()
        if size > MAX_TEXT:
            return [0] * len(data), bytearray(len(data))
        most = max(1, _TOGETHER_BYTES // (size + 1))
        for start in range(0, len(data), most):
            some = data[start : start + most]
            values = self._read(some, [size] * len(some))
            numbers, good = self._run(
                found.steps,
                [bytes(size) if value is None else value for value in values],
                seeds[start : start + most],
                depth + 1,
            )
            hashes += numbers
            valid += bytes([fine if value is not None else 0 for value, fine in zip(values, good)])
        return hashes, valid

# SPDX-License-Identifier: MIT
"""The one walk over an array of classic buckets, in bulk.

What this knows: a bucket's layout, and how to read an array of them with the
overflow chains behind it in pieces of about a mebibyte. What it must not know:
headers, growth, what keys mean.

An array is given out in chunks; a chunk is a list of Levels, the buckets
themselves first, then all their first overflow buckets, and so on. Byte i of
every bucket of a level is `data[i::size]`, which is how consumers count
millions of cells without a loop over them.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import or_
from typing import Iterator, List, Optional, Sequence, Set, Tuple

from ..errors import Corrupt, MemoryUnreadable
from ..maps.view import Problem, Progress, no_progress
from ..program.memory import ADDRESS_LIMIT, CHUNK, Memory

#: cells of a bucket (runtime/map.go, bucketCnt)
CELLS = 8

# Cell states (runtime/map.go, Go 1.17 to 1.23).
EMPTY_REST, EMPTY_ONE, EVACUATED_X, EVACUATED_Y, EVACUATED_EMPTY, MIN_TOP_HASH = range(6)
STATES = ("emptyRest", "emptyOne", "evacuatedX", "evacuatedY", "evacuatedEmpty")

#: for bytes.translate: 1 for a live cell's tophash, else 0
LIVE = bytes(MIN_TOP_HASH) + b"\1" * (256 - MIN_TOP_HASH)
#: for bytes.translate: 1 for an evacuated mark, else 0
EVACUATED = bytes(1 if EVACUATED_X <= i <= EVACUATED_EMPTY else 0 for i in range(256))

#: for bytes.translate: what is to be left out so that live cells remain
NOT_LIVE = bytes(range(MIN_TOP_HASH))
#: the tophash of a hash's top byte (tophash in runtime/map.go)
TOP_HASHES = bytes(top if top >= MIN_TOP_HASH else top + MIN_TOP_HASH for top in range(256))
#: bytes of overflow pointers that are looked at together
_GROUP = 512
_NIL = bytes(_GROUP)

#: longest chain followed, in buckets
MAX_CHAIN = 1 << 20
#: bytes of one chain that are read to show it
MAX_CHAIN_BYTES = 256 << 20
#: overflow buckets for each bucket of an array, and beyond that, that a map can have: with one
#: for each bucket it grows to the same size
MOST_OVERFLOW, MORE_OVERFLOW = 8, 1024
#: buckets of the first chunk of a walk; each later one has twice as many, up to memory.CHUNK
FIRST_CHUNK = 64
#: problems noted for one map before the walk gives up on details
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class BucketLayout:
    """Where the parts of a bucket are, in bytes."""

    size: int
    keys: int
    elems: int
    overflow: int
    keysize: int  # of a key slot
    elemsize: int  # of an element slot
    indirect_key: bool = False
    indirect_elem: bool = False

    def key_offset(self, cell: int) -> int:
        """Of a key slot in its bucket."""
        return self.keys + cell * self.keysize

    def elem_offset(self, cell: int) -> int:
        """Of an element slot in its bucket."""
        return self.elems + cell * self.elemsize

    def validate(self) -> None:
        """:raises Corrupt: if no bucket can look like that"""
        keys_end = self.keys + CELLS * self.keysize
        elems_end = self.elems + CELLS * self.elemsize
        if not (
            CELLS <= self.keys
            and keys_end <= self.elems
            and elems_end <= self.overflow
            and self.overflow + 8 <= self.size <= 1 << 20
            and self.size % 8 == 0
            and self.overflow % 8 == 0
        ):
            raise Corrupt(f"impossible bucket layout ({self.size} bytes a bucket)")


@dataclass(frozen=True)
class BucketArray:
    """`count` buckets at `address`; name is "new" or "old"."""

    name: str
    address: int
    count: int


@dataclass(frozen=True)
class Level:
    """Buckets at the same position of their chains.

    :ivar chain: 0 for the buckets themselves, n for n-th overflow buckets
    :ivar owners: for each bucket, the index of the chain's head in the array
    :ivar addresses: of each bucket
    :ivar data: the buckets, one behind the other
    """

    array: BucketArray
    chain: int
    owners: Sequence[int]
    addresses: Sequence[int]
    data: memoryview

    def tophashes(self, layout: BucketLayout) -> bytes:
        """The tophash bytes of all buckets, 8 for each, in order."""
        return _words(self.data, 0, layout.size)

    def live(self, layout: BucketLayout) -> int:
        """How many cells are live."""
        return len(self.tophashes(layout).translate(None, NOT_LIVE))

    def live_counts(self, layout: BucketLayout) -> bytes:
        """Live cells of each bucket, one byte each."""
        live = self.tophashes(layout).translate(LIVE)
        # eight vectors of 0/1 bytes, added as long integers: no byte exceeds 8
        total = sum(int.from_bytes(live[cell::CELLS], "little") for cell in range(CELLS))
        return total.to_bytes(len(self.owners), "little")

    def evacuated(self, layout: BucketLayout) -> bytes:
        """1 for each bucket whose tophash[0] is an evacuated mark, else 0."""
        return self.data[0 :: layout.size].tobytes().translate(EVACUATED)

    def overflows(self, layout: BucketLayout) -> Tuple[List[int], List[int]]:
        """(indices of buckets with an overflow bucket, its address)."""
        raw = _words(self.data, layout.overflow, layout.size)
        number = len(self.owners)
        indices: List[int] = []
        pointers: List[int] = []
        # Mostly nil: look into the groups of buckets that hold any pointer.
        filled = [at for at in range(0, len(raw), _GROUP) if raw[at : at + _GROUP] != _NIL]
        if 4 * len(filled) < len(raw) // _GROUP:
            words = memoryview(raw).cast("Q")
            for at in filled:
                first = at // 8
                for index, pointer in enumerate(words[first : first + _GROUP // 8], first):
                    if pointer:
                        indices.append(index)
                        pointers.append(pointer)
            return indices, pointers
        # Mostly not: one byte for each pointer that is 0 only if all its bytes are.
        marks = 0
        for byte in range(8):
            marks |= int.from_bytes(raw[byte::8], "little")
        flags = marks.to_bytes(number, "little")
        indices = list(compress(range(number), flags))
        pointers = list(compress(memoryview(raw).cast("Q").tolist(), flags))
        return indices, pointers


def _words(data: memoryview, offset: int, size: int) -> bytes:
    """The 64-bit word at `offset` of each `size` bytes of data."""
    return data.cast("Q")[offset // 8 :: size // 8].tobytes()


class Walker:
    """Walks arrays of one map.

    :param problems: what is found impossible or unreadable is added here; the
        walk then goes on with what is left
    """

    def __init__(self, memory: Memory, layout: BucketLayout, problems: List[str]) -> None:
        layout.validate()
        self.memory = memory
        self.layout = layout
        self.problems = problems

    def walk(
        self,
        array: BucketArray,
        into_evacuated: bool = True,
        progress: Progress = no_progress,
        visited: Optional[Set[int]] = None,
    ) -> Iterator[List[Level]]:
        """The array's chunks.

        :param into_evacuated: also follow the overflow chains of evacuated
            buckets (they hold entries only while their evacuation runs)
        :param visited: overflow buckets of all walks so far, if chains that join one of an
            earlier chunk are to be noticed, too; those found are added
        """
        left = MOST_OVERFLOW * array.count + MORE_OVERFLOW
        for head in self.heads(array):
            progress(head.owners[0], array.count)
            levels = [head]
            seen: Set[int] = set() if visited is None else visited
            while left > 0:
                following = self._next_level(levels[-1], seen, into_evacuated)
                if following is None:
                    break
                levels.append(following)
                left -= len(following.owners)
                if left <= 0:
                    text = f"{array.name} buckets have more overflow buckets than maps have"
                    self.problem(Problem(text, "overflow-loop", array.address, array.name))
            yield levels

    def heads(self, array: BucketArray) -> Iterator[Level]:
        """The array's chunks without their overflow buckets.

        The first chunks are small, for those who want only the first entries.
        """
        most = max(1, CHUNK // self.layout.size)
        wanted = min(most, FIRST_CHUNK)
        first = 0
        while first < array.count:
            head, number = self._head(array, first, min(wanted, array.count - first))
            if head is None:
                return
            yield head
            first += number
            wanted = min(most, 2 * wanted)

    def chain(self, array: BucketArray, index: int) -> List[Tuple[int, bytes]]:
        """One chain: (address, bytes) of each bucket; stops at what is wrong."""
        result: List[Tuple[int, bytes]] = []
        address = array.address + index * self.layout.size
        seen = set()
        most = min(MAX_CHAIN, MAX_CHAIN_BYTES // self.layout.size)
        while address and len(result) < most:
            if address in seen:
                self.problem(
                    Problem(
                        f"overflow chain of {array.name} bucket {index} loops at {address:#x}",
                        "overflow-loop",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            seen.add(address)
            if address & 7:
                self.problem(
                    Problem(
                        f"overflow pointer {address:#x} of {array.name} bucket {index}: "
                        "no bucket can be there",
                        "overflow-pointer",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            try:
                data = self.memory.read(address, self.layout.size)
            except MemoryUnreadable as error:
                self.problem(
                    Problem(
                        f"{array.name} bucket {index}: {error}",
                        "unreadable",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            result.append((address, data))
            overflow = data[self.layout.overflow : self.layout.overflow + 8]
            address = int.from_bytes(overflow, "little")
        return result

    def problem(self, found: Problem) -> None:
        """Note what is wrong, within bounds."""
        if found in self.problems:
            return
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(found)

    def _head(self, array: BucketArray, first: int, number: int) -> Tuple[Optional[Level], int]:
        """Buckets first.. of the array, as many of `number` as can be read."""
        size = self.layout.size
        start = array.address + first * size
        while True:
            try:
                data = self.memory.read_chunk(start, number * size)
                break
            except MemoryUnreadable:
                if number == 1:
                    self.problem(
                        Problem(
                            f"{array.name} buckets from {first} of {array.count} on: "
                            f"cannot read {size} bytes at {start:#x}",
                            "unreadable",
                            start,
                            array.name,
                            first,
                        )
                    )
                    return None, 0
                number //= 2
        level = Level(
            array,
            0,
            range(first, first + number),
            range(start, start + number * size, size),
            data,
        )
        return level, number

    def _next_level(self, level: Level, seen: Set[int], into_evacuated: bool) -> Optional[Level]:
        """The overflow buckets of a level's buckets.

        :param seen: overflow buckets of this chunk so far; those found are added
        """
        layout, name = self.layout, level.array.name
        indices, pointers = level.overflows(layout)
        if pointers and level.chain == 0 and not into_evacuated:
            evacuated = level.evacuated(layout)
            kept = [at for at, index in enumerate(indices) if not evacuated[index]]
            indices = [indices[at] for at in kept]
            pointers = [pointers[at] for at in kept]
        if not pointers:
            return None
        if level.chain >= MAX_CHAIN:
            self.problem(
                Problem(
                    f"overflow chain longer than {MAX_CHAIN} buckets",
                    "overflow-loop",
                    level.addresses[0],
                    level.array.name,
                    level.owners[0],
                )
            )
            return None
        fresh = set(pointers)
        first = level.array.address
        end = first + level.array.count * layout.size
        if (
            any([first <= pointer < end for pointer in pointers])
            or len(fresh) < len(pointers)
            or not seen.isdisjoint(fresh)
            or min(pointers) < 4096
            or max(pointers) >= ADDRESS_LIMIT
            or reduce(or_, pointers) & 7
        ):
            kept = self._sound(level, indices, pointers, seen)
            indices = [indices[at] for at in kept]
            pointers = [pointers[at] for at in kept]
        seen |= fresh
        pieces = self.memory.gather(pointers, layout.size)
        if None in pieces:
            for index, pointer, piece in zip(indices, pointers, pieces):
                if piece is None:
                    self.problem(
                        Problem(
                            f"overflow chain of {name} bucket {level.owners[index]}: "
                            f"cannot read {layout.size} bytes at {pointer:#x}",
                            "unreadable",
                            pointer,
                            name,
                            level.owners[index],
                        )
                    )
            good = [at for at, piece in enumerate(pieces) if piece is not None]
            indices = [indices[at] for at in good]
            pointers = [pointers[at] for at in good]
        if not pointers:
            return None
        owners = level.owners
        return Level(
            level.array,
            level.chain + 1,
            [owners[index] for index in indices],
            pointers,
            memoryview(b"".join(filter(None, pieces))),
        )

    def _sound(
        self, level: Level, indices: List[int], pointers: List[int], seen: Set[int]
    ) -> List[int]:
        """Positions of the overflow pointers that can be followed; says what is wrong
        with the others."""
        kept: List[int] = []
        here: Set[int] = set()
        first = level.array.address
        end = first + level.array.count * self.layout.size
        for at, (index, pointer) in enumerate(zip(indices, pointers)):
            owner = level.owners[index]
            name = level.array.name
            what = f"{name} bucket {owner}"
            if pointer & 7 or not 4096 <= pointer < ADDRESS_LIMIT:
                text = f"overflow pointer {pointer:#x} of {what}: no bucket can be there"
                self.problem(Problem(text, "overflow-pointer", pointer, name, owner))
            elif pointer in seen or pointer in here or first <= pointer < end:
                text = f"overflow chain of {what} loops or joins another at {pointer:#x}"
                self.problem(Problem(text, "overflow-shared", pointer, name, owner))
            else:
                here.add(pointer)
                kept.append(at)
        return kept

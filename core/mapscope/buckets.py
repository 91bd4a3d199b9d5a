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

from collections import Counter
from dataclasses import dataclass, field
from functools import reduce
from itertools import compress
from operator import or_
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from .errors import Corrupt, MemoryUnreadable
from .memory import ADDRESS_LIMIT, CHUNK, Memory
from .view import Progress, no_progress

#: cells of a bucket (runtime/map.go, bucketCnt)
CELLS = 8

# Cell states (runtime/map.go, Go 1.17 to 1.23).
EMPTY_REST, EMPTY_ONE, EVACUATED_X, EVACUATED_Y, EVACUATED_EMPTY, MIN_TOP_HASH = range(6)
STATES = ("emptyRest", "emptyOne", "evacuatedX", "evacuatedY", "evacuatedEmpty")

#: for bytes.translate: 1 for a live cell's tophash, else 0
LIVE = bytes(MIN_TOP_HASH) + b"\1" * (256 - MIN_TOP_HASH)
#: for bytes.translate: 1 for an evacuated mark, else 0
EVACUATED = bytes(1 if EVACUATED_X <= i <= EVACUATED_EMPTY else 0 for i in range(256))

_NOT_LIVE = bytes(range(MIN_TOP_HASH))
#: bytes of overflow pointers that are looked at together
_GROUP = 512
_NIL = bytes(_GROUP)

#: longest chain followed, in buckets
MAX_CHAIN = 1 << 20
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
        return len(self.tophashes(layout).translate(None, _NOT_LIVE))

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


@dataclass
class Tally:
    """An array's cells and chains, counted.

    :ivar live: live cells
    :ivar cells: live cells of a chain: number of such chains; None: not counted, which
        takes a third of the time
    :ivar buckets: buckets at each position of the chains; the first are the array's own
    :ivar evacuated: buckets whose tophash[0] is an evacuated mark
    :ivar ahead: those of them at or after nevacuate
    """

    live: int = 0
    cells: Optional[Dict[int, int]] = None
    buckets: List[int] = field(default_factory=list)
    evacuated: int = 0
    ahead: int = 0

    @property
    def overflow(self) -> int:
        """Overflow buckets in use."""
        return sum(self.buckets[1:])

    @property
    def chains(self) -> Dict[int, int]:
        """Chain length in buckets: number of chains."""
        sizes = self.buckets + [0]
        return {
            at + 1: sizes[at] - sizes[at + 1]
            for at in range(len(self.buckets))
            if sizes[at] > sizes[at + 1]
        }

    def add_chains(self, level: Level, layout: BucketLayout) -> bytes:
        """Count a chunk's own buckets; gives the live cells of each if they are counted."""
        self.add_buckets(0, len(level.owners))
        if self.cells is None:
            self.live += level.live(layout)
            return bytes(len(level.owners))
        counts = level.live_counts(layout)
        for number in range(CELLS + 1):
            chains = counts.count(number)
            if chains:
                self.cells[number] = self.cells.get(number, 0) + chains
                self.live += number * chains
        return counts

    def add_overflow(self, level: Level, layout: BucketLayout, before: Sequence[int]) -> bytes:
        """Count overflow buckets of chains that have had so many live cells before them."""
        self.add_buckets(level.chain, len(level.owners))
        if self.cells is None:
            self.live += level.live(layout)
            return bytes(len(level.owners))
        counts = level.live_counts(layout)
        for (cells, more), chains in Counter(zip(before, counts)).items():
            self.live += more * chains
            if more:
                self.cells[cells] -= chains
                self.cells[cells + more] = self.cells.get(cells + more, 0) + chains
        return counts

    def add_buckets(self, position: int, number: int) -> None:
        """`number` more buckets at this position of their chains."""
        while len(self.buckets) <= position:
            self.buckets.append(0)
        self.buckets[position] += number


#: overflow buckets by address // memory.CHUNK: (addresses, live cells of their chains so far)
_Windows = Dict[int, Tuple[List[int], List[int]]]
#: buckets in a chain from which on loops are looked for
_LONG_CHAIN = 64
#: a window is read whole if at least one in so many of its buckets is wanted
_SPARSE = 64


class _Odd(Exception):
    """Overflow pointers that only the careful walk can explain."""


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
    ) -> Iterator[List[Level]]:
        """The array's chunks.

        :param into_evacuated: also follow the overflow chains of evacuated
            buckets (they hold entries only while their evacuation runs)
        """
        for head in self.heads(array):
            progress(head.owners[0], array.count)
            levels = [head]
            seen: Set[int] = set()
            while True:
                following = self._next_level(levels[-1], seen, into_evacuated)
                if following is None:
                    break
                levels.append(following)
            yield levels

    def tally(
        self,
        array: BucketArray,
        nevacuate: int = 0,
        into_evacuated: bool = True,
        cells: bool = True,
        progress: Progress = no_progress,
    ) -> Tally:
        """Counts an array's cells and chains.

        Takes overflow buckets in the order of their addresses rather than of their chains:
        following 300,000 pointers through 43 MB costs three times as much.

        :param nevacuate: of an old array, where `ahead` begins
        :param cells: also count how many chains have how many live cells
        """
        try:
            tally = Tally(cells={} if cells else None)
            self._tally_in_bulk(tally, array, nevacuate, into_evacuated, progress)
        except (_Odd, MemoryUnreadable):
            tally = Tally(cells={} if cells else None)
            self._tally_chains(tally, array, nevacuate, into_evacuated)
        return tally

    def _tally_heads(
        self, tally: Tally, head: Level, nevacuate: int
    ) -> Tuple[bytes, Optional[bytes]]:
        """Count a chunk's own buckets: (live cells of each, evacuated marks)."""
        counts = tally.add_chains(head, self.layout)
        if head.array.name != "old":
            return counts, None
        marks = head.evacuated(self.layout)
        tally.evacuated += marks.count(1)
        tally.ahead += marks.count(1, max(0, nevacuate - head.owners[0]))
        return counts, marks

    def _tally_in_bulk(
        self,
        tally: Tally,
        array: BucketArray,
        nevacuate: int,
        into_evacuated: bool,
        progress: Progress,
    ) -> None:
        found: _Windows = {}
        for head in self.heads(array):
            progress(head.owners[0], array.count)
            counts, marks = self._tally_heads(tally, head, nevacuate)
            indices, pointers = head.overflows(self.layout)
            if marks is not None and not into_evacuated:
                kept = [at for at, index in enumerate(indices) if not marks[index]]
                indices = [indices[at] for at in kept]
                pointers = [pointers[at] for at in kept]
            self._collect(found, pointers, [counts[index] for index in indices])
        position = 1
        seen: Set[int] = set()
        while found:
            if position > _LONG_CHAIN:  # only then is a loop worth looking for
                here = {address for addresses, _ in found.values() for address in addresses}
                if not seen.isdisjoint(here):
                    raise _Odd
                seen |= here
            found = self._tally_level(tally, position, found, array)
            position += 1

    def _collect(self, found: _Windows, pointers: List[int], cells: List[int]) -> None:
        """Add overflow buckets of chains that have this many live cells so far."""
        if not pointers:
            return
        if min(pointers) < 4096 or max(pointers) >= ADDRESS_LIMIT or reduce(or_, pointers) & 7:
            raise _Odd
        get = found.get
        for pointer, number in zip(pointers, cells):
            window = get(pointer // CHUNK)
            if window is None:
                window = found[pointer // CHUNK] = ([], [])
            window[0].append(pointer)
            window[1].append(number)

    def _tally_level(
        self, tally: Tally, position: int, found: _Windows, array: BucketArray
    ) -> _Windows:
        """Count the overflow buckets at one position of all chains; gives the next ones."""
        if position >= MAX_CHAIN:
            raise _Odd
        size = self.layout.size
        first, end = array.address, array.address + array.count * size
        following: _Windows = {}
        for addresses, before in found.values():
            low, high = min(addresses), max(addresses) + size
            if len(set(addresses)) < len(addresses):
                raise _Odd
            if low < end and high > first and any(first <= at < end for at in addresses):
                raise _Odd
            if high - low <= _SPARSE * size * len(addresses):
                raw = bytes(self.memory.read_chunk(low, high - low))
                data = b"".join([raw[at - low : at - low + size] for at in addresses])
            else:
                pieces = self.memory.gather(addresses, size)
                if None in pieces:
                    raise _Odd
                data = b"".join(filter(None, pieces))
            level = Level(array, position, addresses, addresses, memoryview(data))
            counts = tally.add_overflow(level, self.layout, before)
            indices, pointers = level.overflows(self.layout)
            self._collect(following, pointers, [before[i] + counts[i] for i in indices])
        return following

    def _tally_chains(
        self, tally: Tally, array: BucketArray, nevacuate: int, into_evacuated: bool
    ) -> None:
        """The same by the careful walk, which notes what is wrong."""
        for levels in self.walk(array, into_evacuated):
            counts, _ = self._tally_heads(tally, levels[0], nevacuate)
            first = levels[0].owners[0]
            so_far = {first + index: number for index, number in enumerate(counts)}
            for level in levels[1:]:
                before = [so_far[owner] for owner in level.owners]
                more = tally.add_overflow(level, self.layout, before)
                sums = [cells + number for cells, number in zip(before, more)]
                so_far.update(zip(level.owners, sums))

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
        while address and len(result) < MAX_CHAIN:
            if address in seen:
                self.problem(f"overflow chain of {array.name} bucket {index} loops at {address:#x}")
                break
            seen.add(address)
            if address & 7:
                self.problem(
                    f"overflow pointer {address:#x} of {array.name} bucket {index}: "
                    "no bucket can be there"
                )
                break
            try:
                data = self.memory.read(address, self.layout.size)
            except MemoryUnreadable as error:
                self.problem(f"{array.name} bucket {index}: {error}")
                break
            result.append((address, data))
            overflow = data[self.layout.overflow : self.layout.overflow + 8]
            address = int.from_bytes(overflow, "little")
        return result

    def problem(self, text: str) -> None:
        """Note what is wrong, within bounds."""
        if text in self.problems:
            return
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

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
                        f"{array.name} buckets from {first} of {array.count} on: "
                        f"cannot read {size} bytes at {start:#x}"
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
            self.problem(f"overflow chain longer than {MAX_CHAIN} buckets")
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
                        f"overflow chain of {name} bucket {level.owners[index]}: "
                        f"cannot read {layout.size} bytes at {pointer:#x}"
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
            what = f"{level.array.name} bucket {level.owners[index]}"
            if pointer & 7 or not 4096 <= pointer < ADDRESS_LIMIT:
                self.problem(f"overflow pointer {pointer:#x} of {what}: no bucket can be there")
            elif pointer in seen or pointer in here or first <= pointer < end:
                self.problem(f"overflow chain of {what} loops or joins another at {pointer:#x}")
            else:
                here.add(pointer)
                kept.append(at)
        return kept

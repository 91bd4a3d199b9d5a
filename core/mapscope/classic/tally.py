# SPDX-License-Identifier: MIT
"""Counts an array of buckets: cells, chains, evacuated marks.

What this knows: how to count millions of cells without a loop over them. What
it must not know: what the numbers mean to a map.
"""

from collections import Counter
from dataclasses import field
from functools import reduce
from operator import or_
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, Level
from ..cells.marks import CELLS
from ..errors import MemoryUnreadable
from ..maps.problems import Problem
from ..maps.progress import Progress, no_progress
from ..program.memory import ADDRESS_LIMIT, CHUNK
from ..records import dataclass
from .walker import MAX_CHAIN, MORE_OVERFLOW, MOST_OVERFLOW, Walker


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


def tally_array(
    walker: Walker,
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
        _tally_in_bulk(walker, tally, array, nevacuate, into_evacuated, progress)
    except (_Odd, MemoryUnreadable):
        tally = Tally(cells={} if cells else None)
        try:
            _tally_chains(walker, tally, array, nevacuate, into_evacuated)
        except KeyboardInterrupt:
            note_interrupt(walker)
    except KeyboardInterrupt:
        note_interrupt(walker)
    return tally


def note_interrupt(walker: Walker) -> None:
    """Not all was looked at, for Ctrl-C was pressed."""
    walker.problem(Problem("interrupted: not all of the map was looked at", "interrupted"))


def _tally_heads(
    walker: Walker, tally: Tally, head: Level, nevacuate: int
) -> Tuple[bytes, Optional[bytes]]:
    """Count a chunk's own buckets: (live cells of each, evacuated marks)."""
    counts = tally.add_chains(head, walker.layout)
    if head.array.name != "old":
        return counts, None
    marks = head.evacuated(walker.layout)
    tally.evacuated += marks.count(1)
    tally.ahead += marks.count(1, max(0, nevacuate - head.owners[0]))
    return counts, marks


def _tally_in_bulk(
    walker: Walker,
    tally: Tally,
    array: BucketArray,
    nevacuate: int,
    into_evacuated: bool,
    progress: Progress,
) -> None:
    found: _Windows = {}
    for head in walker.heads(array):
        progress(head.owners[0], array.count)
        counts, marks = _tally_heads(walker, tally, head, nevacuate)
        indices, pointers = head.overflows(walker.layout)
        if marks is not None and not into_evacuated:
            kept = [at for at, index in enumerate(indices) if not marks[index]]
            indices = [indices[at] for at in kept]
            pointers = [pointers[at] for at in kept]
        _collect(found, pointers, [counts[index] for index in indices])
    position = 1
    seen: Set[int] = set()
    left = MOST_OVERFLOW * array.count + MORE_OVERFLOW
    while found:
        left -= sum(len(addresses) for addresses, _ in found.values())
        if left < 0:
            raise _Odd
        if position > _LONG_CHAIN:  # only then is a loop worth looking for
            here = {address for addresses, _ in found.values() for address in addresses}
            if not seen.isdisjoint(here):
                raise _Odd
            seen |= here
        found = _tally_level(walker, tally, position, found, array)
        position += 1


def _collect(found: _Windows, pointers: List[int], cells: List[int]) -> None:
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
    walker: Walker, tally: Tally, position: int, found: _Windows, array: BucketArray
) -> _Windows:
    """Count the overflow buckets at one position of all chains; gives the next ones."""
    if position >= MAX_CHAIN:
        raise _Odd
    size = walker.layout.size
    first, end = array.address, array.address + array.count * size
    following: _Windows = {}
    for addresses, before in found.values():
        low, high = min(addresses), max(addresses) + size
        if len(set(addresses)) < len(addresses):
            raise _Odd
        if low < end and high > first and any(first <= at < end for at in addresses):
            raise _Odd
        if high - low <= _SPARSE * size * len(addresses):
            raw = bytes(walker.memory.read_chunk(low, high - low))
            data = b"".join([raw[at - low : at - low + size] for at in addresses])
        else:
            pieces = walker.memory.gather(addresses, size)
            if None in pieces:
                raise _Odd
            data = b"".join(filter(None, pieces))
        level = Level(array, position, addresses, addresses, memoryview(data))
        counts = tally.add_overflow(level, walker.layout, before)
        indices, pointers = level.overflows(walker.layout)
        _collect(following, pointers, [before[i] + counts[i] for i in indices])
    return following


def _tally_chains(
    walker: Walker, tally: Tally, array: BucketArray, nevacuate: int, into_evacuated: bool
) -> None:
    """The same by the careful walk, which notes what is wrong."""
    for levels in walker.walk(array, into_evacuated):
        counts, _ = _tally_heads(walker, tally, levels[0], nevacuate)
        first = levels[0].owners[0]
        so_far = {first + index: number for index, number in enumerate(counts)}
        for level in levels[1:]:
            before = [so_far[owner] for owner in level.owners]
            more = tally.add_overflow(level, walker.layout, before)
            sums = [cells + number for cells, number in zip(before, more)]
            so_far.update(zip(level.owners, sums))

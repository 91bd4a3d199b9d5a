# SPDX-License-Identifier: MIT
"""Counts an array of buckets: cells, chains, evacuated marks.

What this knows: how to count millions of cells without a loop over them. What
it must not know: what the numbers mean to a map.
"""

from array import array as numbers
from bisect import bisect_left, bisect_right
from dataclasses import field
from typing import Dict, List, Optional, Set, Tuple

from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, live_cells
from ..cells.marks import CELLS, EVACUATED_EMPTY, EVACUATED_X, MIN_TOP_HASH
from ..errors import MemoryUnreadable
from ..kernels.scanning import Histogram, Looked, Records, Survey, sort, sums, total_of
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
    cells: Optional[Histogram] = None
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

    def add_survey(self, survey: Survey, is_old: bool) -> None:
        """Count an array's own buckets."""
        histogram = survey.histogram
        self.add_buckets(0, sum(histogram))
        self.live += total_of(histogram)
        if self.cells is not None:
            self.cells.add(histogram)
        if is_old:
            self.evacuated += survey.marked
            self.ahead += survey.ahead

    def add_chains(self, buckets: Records) -> bytes:
        """Count a chunk's own buckets; gives the live cells of each if they are counted."""
        self.add_buckets(0, len(buckets))
        if self.cells is None:
            return self._add_live(buckets)
        counts, histogram = live_cells(buckets)
        self.cells.add(histogram)
        self.live += total_of(histogram)
        return counts

    def add_overflow(self, position: int, buckets: Records, before: "numbers[int]") -> bytes:
        """Count overflow buckets of chains that have had so many live cells before them."""
        self.add_buckets(position, len(buckets))
        if self.cells is None:
            return self._add_live(buckets)
        counts, histogram = live_cells(buckets)
        self.cells.move(before, counts)
        self.live += total_of(histogram)
        return counts

    def _add_live(self, buckets: Records) -> bytes:
        self.live += buckets.total(0, CELLS, MIN_TOP_HASH, 255)
        return bytes(len(buckets))

    def add_buckets(self, position: int, number: int) -> None:
        """`number` more buckets at this position of their chains."""
        while len(self.buckets) <= position:
            self.buckets.append(0)
        self.buckets[position] += number


#: overflow buckets: addresses, and live cells of their chains so far
_Overflow = Tuple["numbers[int]", "numbers[int]"]
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
        tally = Tally(cells=Histogram() if cells else None)
        _tally_in_bulk(walker, tally, array, nevacuate, into_evacuated, progress)
    except (_Odd, MemoryUnreadable):
        tally = Tally(cells=Histogram() if cells else None)
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


def _tally_in_bulk(
    walker: Walker,
    tally: Tally,
    array: BucketArray,
    nevacuate: int,
    into_evacuated: bool,
    progress: Progress,
) -> None:
    is_old = array.name == "old"
    evacuated = (EVACUATED_X, EVACUATED_EMPTY)
    skip = is_old and not into_evacuated
    survey = Survey(Looked((MIN_TOP_HASH, 255), evacuated, walker.layout.overflow, skip))
    try:
        for head in walker.heads(array):
            progress(head.owners[0], array.count)
            survey.add(head.records(walker.layout), max(0, nevacuate - head.owners[0]))
            del head  # so that the next one is read to the same place
    finally:  # also if Ctrl-C has ended it
        tally.add_survey(survey, is_old)
    if _is_odd(survey.together):
        raise _Odd
    found = survey.links()
    position = 1
    seen: Set[int] = set()
    left = MOST_OVERFLOW * array.count + MORE_OVERFLOW
    while found[0]:
        left -= len(found[0])
        if left < 0:
            raise _Odd
        if position > _LONG_CHAIN:  # only then is a loop worth looking for
            if not seen.isdisjoint(found[0]):
                raise _Odd
            seen.update(found[0])
        found = _tally_level(walker, tally, position, found, array)
        position += 1


def _is_odd(together: int) -> bool:
    """Whether there is an address among some that no bucket can have, by the bits of all."""
    return bool(together & 7) or together >= ADDRESS_LIMIT


def _none_found() -> _Overflow:
    return numbers("Q"), numbers("I")


def _collect(
    found: _Overflow,
    buckets: Records,
    layout: BucketLayout,
    before: "numbers[int]",
    counts: bytes,
) -> None:
    """Add the overflow buckets behind these.

    :param before: live cells of their chains before them
    """
    links = buckets.links(layout.overflow)
    if _is_odd(links.together):
        raise _Odd
    addresses, cells = found
    addresses.extend(links.words)
    cells.extend(sums(before, counts, links.indices))


def _tally_level(
    walker: Walker, tally: Tally, position: int, found: _Overflow, array: BucketArray
) -> _Overflow:
    """Count the overflow buckets at one position of all chains; gives the next ones."""
    if position >= MAX_CHAIN:
        raise _Odd
    layout, size = walker.layout, walker.layout.size
    addresses, before = found
    twice = sort(addresses, before)
    end = array.address + array.count * size
    if twice or addresses[0] < 4096:
        raise _Odd
    if bisect_left(addresses, array.address) < bisect_left(addresses, end):
        raise _Odd
    following, first = _none_found(), 0
    while first < len(addresses):
        low = addresses[first]
        last = max(first + 1, bisect_right(addresses, low + CHUNK - size, first))
        theirs, cells = addresses[first:last], before[first:last]
        buckets = _read_overflow(walker, theirs)
        counts = tally.add_overflow(position, buckets, cells)
        _collect(following, buckets, layout, cells, counts)
        first = last
    return following


def _read_overflow(walker: Walker, addresses: "numbers[int]") -> Records:
    """Overflow buckets, of which the addresses are sorted and not far from each other."""
    size = walker.layout.size
    low = addresses[0] & ~0xFFF  # whole pages are copied faster
    length = addresses[-1] + size - low
    if length <= _SPARSE * size * len(addresses):
        return Records(walker.memory.read_chunk(low, length), size, addresses, low)
    pieces = walker.memory.gather(addresses, size)
    if None in pieces:
        raise _Odd
    return Records(memoryview(b"".join(filter(None, pieces))), size)


def _tally_chains(
    walker: Walker, tally: Tally, array: BucketArray, nevacuate: int, into_evacuated: bool
) -> None:
    """The same by the careful walk, which notes what is wrong."""
    for levels in walker.walk(array, into_evacuated):
        head, first = levels[0], levels[0].owners[0]
        counts = tally.add_chains(head.records(walker.layout))
        if array.name == "old":
            marks = head.evacuated(walker.layout)
            tally.evacuated += marks.count(1)
            tally.ahead += marks.count(1, max(0, nevacuate - first))
        so_far = {first + index: number for index, number in enumerate(counts)}
        for level in levels[1:]:
            before = numbers("I", [so_far[owner] for owner in level.owners])
            more = tally.add_overflow(level.chain, level.records(walker.layout), before)
            ends = [cells + number for cells, number in zip(before, more)]
            so_far.update(zip(level.owners, ends))

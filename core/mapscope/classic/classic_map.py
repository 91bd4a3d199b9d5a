# SPDX-License-Identifier: MIT
"""A classic map: what commands ask of it."""

import math
from array import array as numbers
from functools import lru_cache
from operator import or_
from typing import Dict, List, Optional, Tuple

from ..cells.level import BucketArray
from ..cells.marks import CELLS, EVACUATED_X, EVACUATED_Y, MIN_TOP_HASH, STATES
from ..errors import UsageError
from ..maps.batches import Where
from ..maps.facts import Bucket, Cell, Chain, Coverage, Distribution, Summary
from ..maps.found import Found, KeyTest
from ..maps.occupancy import Occupancy
from ..maps.problems import is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.report import Report
from .chain_check import check_classic
from .chain_lookup import Lookup
from .classic_reader import ClassicReader
from .moving import slots, target_bucket
from .tally import Tally, note_interrupt, tally_array


class ClassicMap(ClassicReader):
    """A classic map, with what commands ask of it."""

    def _tallies(self, cells: bool, progress: Progress) -> Tuple[Tally, Tally]:
        """Counts of the new and of the old array."""
        arrays = self.arrays()
        total = sum(array.count for array in arrays if array)
        tallies: List[Tally] = []
        done = 0
        for array in arrays:
            if array is None or any(
                getattr(problem, "code", "") == "interrupted" for problem in self.problems
            ):
                tallies.append(Tally())
                continue
            base = done

            def step(part: int, _: int, base: int = base) -> None:
                progress(base + part, total)

            nevacuate = self.header.nevacuate if self.header else 0
            into_evacuated = array.name == "new" or self.is_writing()
            tallies.append(
                tally_array(self.walker(), array, nevacuate, into_evacuated, cells, step)
            )
            done += array.count
        return tallies[0], tallies[1]

    def _coverage(self, *tallies: Tally) -> Optional[Coverage]:
        """The buckets that were counted, and all of them, if not all could be looked at; those
        of overflow chains are not in either."""
        if not is_cut_short(self.problems):
            return None
        arrays = [array for array in self.arrays() if array]
        read = sum(tally.buckets[0] for tally in tallies if tally.buckets)
        return read, sum(array.count for array in arrays)

    def summary(self, progress: Progress = no_progress) -> Summary:
        result = Summary(growth=self.growth())
        if self.layout is None:
            return result
        _, old = self.arrays()
        in_new, in_old = self._tallies(False, progress)
        moving = sum(1 for m in self.moving() if m.target is None)
        result.chains = dict(sorted(in_new.chains.items()))
        result.read = self._coverage(in_new, in_old)
        if result.read is not None:
            result.held = self._held_with(None, None)
            result.spare = self._spare() if self._spare else 0
            return result
        self._compare_count(in_new.live + in_old.live + moving)
        result.overflow_in_use = in_new.overflow + in_old.overflow
        result.held = self._held_with(in_new.overflow, in_old.overflow)
        result.spare = self._spare() if self._spare else 0
        if result.growth is not None and old is not None:
            result.growth.evacuated = in_old.evacuated
            result.growth.ahead = in_old.ahead
            result.growth.entries_moved = in_new.live + moving
            result.growth.entries_waiting = in_old.live
        return result

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        layout = self.walker().layout
        new, old = self.arrays()
        in_new, in_old = self._tallies(True, progress)
        histograms = [
            in_new.cells.form() if in_new.cells else {},
            dict(sorted(in_new.chains.items())),
            in_old.cells.form() if in_old.cells else {},
            dict(sorted(in_old.chains.items())),
        ]
        if new and old:
            # Evacuated old buckets and the new buckets that nothing was moved to yet
            # are empty by design: they say nothing about the hash.
            idle = self._idle_new(new, old, in_old.evacuated)
            for histogram, value, number in zip(
                histograms, (0, 1, 0, 1), (idle, idle, in_old.evacuated, in_old.evacuated)
            ):
                left = histogram.get(value, 0) - number
                histogram.pop(value, None)
                if left > 0:
                    histogram[value] = left
            histograms = [dict(sorted(histogram.items())) for histogram in histograms]
        cells, chains, old_cells, old_chains = histograms
        read = self._coverage(in_new, in_old)
        if read is not None:
            held = self._held_with(None, None)
            return Distribution(
                cells, chains, old_cells, old_chains, None, None, held, None, None, read=read
            )
        entries = in_new.live + in_old.live + sum(1 for m in self.moving() if m.target is None)
        self._compare_count(entries)
        keys = self.key.size if self.key else layout.keysize
        elems = self.elem.size if self.elem else layout.elemsize
        slots = (8 + keys if layout.indirect_key else keys) + (
            8 + elems if layout.indirect_elem else elems
        )
        larger = max((cells, old_cells), key=lambda histogram: sum(histogram.values()))
        held = self._held_with(in_new.overflow, in_old.overflow)
        return Distribution(
            cells=cells,
            chains=chains,
            old_cells=old_cells,
            old_chains=old_chains,
            entries=entries,
            uniformity=_dispersion(larger),
            held=held,
            bytes_used=entries * slots,
            bytes_rebuilt=self._bytes_rebuilt(entries) + held.header + held.indirect,
        )

    def rebuilt(self) -> int:
        """Bytes that a fresh map with as many entries as the header says would hold, about."""
        held = self.held()
        return self._bytes_rebuilt(self.count) + held.header + held.indirect

    def _bytes_rebuilt(self, entries: int) -> int:
        """Bytes of a fresh array with these entries and its overflow buckets, about."""
        if self.layout is None or not entries:
            return 0
        B = 0
        while entries > self._load_limit(B):
            B += 1
        spare = 1 << B >> 4
        overflow = (1 << B) * overflow_buckets(entries / (1 << B))
        return int(self.layout.size * ((1 << B) + max(spare, overflow)))

    def _idle_new(self, new: BucketArray, old: BucketArray, evacuated: int) -> int:
        """New buckets that nothing was moved to yet."""
        if new.count >= old.count:
            return (old.count - evacuated) * (new.count // old.count)
        marks = b"".join(
            [bytes(h.evacuated(self.walker().layout)) for h in self.walker().heads(old)]
        )
        # a bucket of a map that shrinks has two old ones
        return bytes(map(or_, marks[: new.count], marks[new.count :])).count(0)

    def occupancy(self, progress: Progress = no_progress) -> Optional[List[Occupancy]]:
        if self.layout is None:
            return None
        return [self._held_by_each(array, progress) for array in self.arrays() if array]

    def _held_by_each(self, array: BucketArray, progress: Progress) -> Occupancy:
        """Entries of each bucket of an array, with those of its overflow buckets."""
        walker = self.walker()
        layout, is_old = walker.layout, array.name == "old"
        held, marks = numbers("I"), bytearray()
        try:
            for levels in walker.walk(array, not is_old or self.is_writing(), progress):
                held.extend(levels[0].live_counts(layout))
                if is_old:
                    marks += levels[0].evacuated(layout)
                for level in levels[1:]:
                    for owner, more in zip(level.owners, level.live_counts(layout)):
                        held[owner] += more
        except KeyboardInterrupt:
            note_interrupt(walker)
        marks_if_old = marks if is_old else None
        return Occupancy(array.name, self.unit, array.count, len(held), held, marks_if_old)

    # --- one bucket, one key ---

    def chain(self, index: int, old: bool) -> Chain:
        new_array, old_array = self.arrays()
        array = old_array if old else new_array
        if array is None:
            if old:
                raise UsageError("the map is not growing: it has no old buckets")
            raise UsageError("the map has no buckets: nothing was written to it yet")
        if not 0 <= index < array.count:
            raise UsageError(
                f"no {array.name} bucket {index}: the map has {array.count}, "
                f"0 to {array.count - 1}"
            )
        walker = self.walker()
        layout = walker.layout
        ranks = {EVACUATED_X: 0, EVACUATED_Y: 0}
        unfinished = {m.place for m in self.moving() if m.target is None}
        buckets: List[Bucket] = []
        for position, (address, data) in enumerate(walker.chain(array, index)):
            cells: List[Cell] = []
            for cell in range(CELLS):
                top = data[cell]
                live = top >= MIN_TOP_HASH
                shown = Cell(
                    cell,
                    address + cell,
                    layout.key_offset(cell),
                    layout.elem_offset(cell),
                    top,
                    "live" if live else STATES[top],
                    live=live,
                )
                if live and self.key and self.elem:
                    key, elem = slots(layout, data, cell)
                    shown.key = self.slot_value(
                        self.key, key, address + shown.key_offset, layout.indirect_key
                    )
                    shown.value = self.slot_value(
                        self.elem, elem, address + shown.elem_offset, layout.indirect_elem
                    )
                    shown.in_flight = (address, cell) in self.writing.pending
                elif top in ranks and old and new_array and old_array:
                    at, place = divmod(ranks[top], CELLS)
                    target = target_bucket(new_array, old_array, index, top)
                    shown.moved_to = Where("new", target, at, place)
                    if new_array.count < old_array.count:  # shared with another old bucket
                        shown.moved_to = Where("new", target, None, None)
                    shown.in_flight = (address, cell) in unfinished
                    ranks[top] += 1
                cells.append(shown)
            overflow = int.from_bytes(data[layout.overflow : layout.overflow + 8], "little")
            buckets.append(Bucket(address, position, overflow, layout.overflow, cells))
        first = (buckets[0].cells[0].tophash or 0) if buckets else 0
        evacuated = EVACUATED_X <= first < MIN_TOP_HASH
        return Chain(array.name, index, evacuated, buckets)

    def find(self, test: KeyTest) -> Found:
        return Lookup(self).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_classic(self, report, progress)


@lru_cache(maxsize=1 << 12)
def overflow_buckets(load: float) -> float:
    """Overflow buckets for each bucket of a map with a uniform hash, on average.

    The entries of a bucket are then distributed as Poisson has it.

    :param load: entries for each bucket
    """
    expected, probability = 0.0, math.exp(-load)
    for entries in range(1, int(load + 12 * math.sqrt(load)) + 24):
        probability *= load / entries
        expected += probability * ((entries - 1) // CELLS)
    return expected


def _dispersion(cells: Dict[int, int]) -> Optional[float]:
    """Variance / mean of entries per bucket: about 1 where the hash is uniform."""
    buckets = sum(cells.values())
    entries = sum(n * number for n, number in cells.items())
    if not buckets or not entries:
        return None
    mean = entries / buckets
    variance = sum(number * (n - mean) ** 2 for n, number in cells.items()) / buckets
    return variance / mean

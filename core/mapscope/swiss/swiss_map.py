# SPDX-License-Identifier: MIT
"""A Swiss map: what commands ask of it."""

from array import array
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..cells.layout import BucketLayout
from ..cells.level import Level
from ..cells.marks import CELLS
from ..errors import UsageError
from ..maps.facts import Bucket, Cell, Chain, Coverage, Distribution, Summary
from ..maps.found import Found, KeyTest
from ..maps.occupancy import Occupancy
from ..maps.problems import is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.report import Report
from .group_check import check_swiss
from .group_lookup import SwissLookup
from .probing import FULL, FULL_GROUP, probes
from .swiss_reader import (
    DELETED,
    EMPTY,
    HEADER_SIZE,
    TABLE_SIZE,
    _MAX_CAPACITY,
    _NOT_DELETED,
    _NOT_FULL,
    SwissReader,
    Table,
)


class SwissMap(SwissReader):
    """A Swiss map, with what commands ask of it."""

    # --- commands ---

    def summary(self, progress: Progress = no_progress) -> Summary:
        if self.layout is None:
            return Summary()
        deleted = live = read = 0
        for table, level in self._until_interrupted(progress):
            read += table.count
            ctrl = level.tophashes(self.layout)
            deleted += len(ctrl.translate(None, _NOT_DELETED))
            if not table.replaced:
                live += len(ctrl.translate(None, _NOT_FULL))
        coverage = self._coverage(read)
        if coverage is not None:
            return Summary(held=self.held(), read=coverage)
        if not any(table.replaced for table in self.tables()):
            self._compare_count(live)
        return Summary(held=self.held(), tombstones=deleted)

    def _until_interrupted(self, progress: Progress) -> Iterator[Tuple[Table, Level]]:
        """All groups, or those up to a Ctrl-C."""
        try:
            yield from self.levels(progress)
        except KeyboardInterrupt:
            self._note("interrupted: not all of the map was looked at", "interrupted", None)

    def _coverage(self, read: int) -> Optional[Coverage]:
        """The groups that were counted, and all that are known of, if not all could be."""
        if not is_cut_short(self.problems):
            return None
        if self.tables_unread():
            return read, None
        return read, sum(table.count for table in self.tables())

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        layout = self._need_layout()
        counts: Dict[int, int] = {}
        probes: Dict[int, int] = {}
        live = deleted = left = read = 0
        for table, level in self._until_interrupted(progress):
            read += table.count
            if table.replaced:
                continue
            ctrl = level.tophashes(layout)
            full = ctrl.translate(FULL)
            deleted += ctrl.count(DELETED)
            left += table.growth_left
            ends = [ctrl.find(EMPTY, at, at + CELLS) >= 0 for at in range(0, len(ctrl), CELLS)]
            for length in _probe_lengths(ends):
                probes[length] = probes.get(length, 0) + 1
            for group in range(table.count):
                used = full.count(1, CELLS * group, CELLS * group + CELLS)
                counts[used] = counts.get(used, 0) + 1
                live += used
        key, elem = self.widths()
        held = self.held()
        coverage = self._coverage(read)
        if coverage is not None or held is None:
            return Distribution(
                cells=dict(sorted(counts.items())),
                chains={},
                old_cells={},
                old_chains={},
                entries=None,
                uniformity=None,
                held=held,
                bytes_used=None,
                bytes_rebuilt=None,
                unit=self.unit,
                probes=dict(sorted(probes.items())),
                read=coverage,
            )
        return Distribution(
            cells=dict(sorted(counts.items())),
            chains={},
            old_cells={},
            old_chains={},
            entries=live,
            uniformity=None,
            held=held,
            bytes_used=live * (key + elem) + held.indirect,
            bytes_rebuilt=min(self._bytes_rebuilt(live) + held.indirect, held.total),
            unit=self.unit,
            probes=dict(sorted(probes.items())),
            tombstones=deleted,
            growth_left=left,
        )

    def occupancy(self, progress: Progress = no_progress) -> Optional[List[Occupancy]]:
        layout = self._need_layout()
        held = array("I")
        for table, level in self._until_interrupted(progress):
            if not table.replaced:
                full = level.tophashes(layout).translate(FULL)
                # eight vectors of 0/1 bytes, added as long integers: no byte exceeds 8
                total = sum(int.from_bytes(full[slot::CELLS], "little") for slot in range(CELLS))
                held.extend(total.to_bytes(table.count, "little"))
        if self.tables_unread():
            return None
        places = sum(table.count for table in self.tables() if not table.replaced)
        if is_cut_short(self.problems) and len(held) != places:
            return None  # which groups are missing is not known
        return [Occupancy("new", self.unit, places, places, held)]

    def _bytes_rebuilt(self, entries: int) -> int:
        """What make(map[K]V, entries) sets aside (NewMap in map.go, newTable in table.go)."""
        size = self._need_layout().size
        if entries <= CELLS:
            return HEADER_SIZE + (self._allocated(size) if entries else 0)
        slots = entries * CELLS // FULL_GROUP
        tables = 1 << (-(-slots // _MAX_CAPACITY) - 1).bit_length()
        capacity = 1 << (max(slots // tables, CELLS) - 1).bit_length()
        each = self._allocated(size * (capacity // CELLS)) + self._allocated(TABLE_SIZE)
        return HEADER_SIZE + self._allocated(8 * tables) + tables * each

    def chain(self, index: int, old: bool) -> Chain:
        if old:
            raise UsageError("a Swiss map has no old buckets: it grows within one write")
        if self.header is None or not self.header.dirPtr:
            raise UsageError("the map has no groups: nothing was written to it yet")
        layout = self._need_layout()
        first = 0
        for table, level in self.levels(no_progress):
            if index < first + table.count:
                return self._group(layout, table, level, index, index - first)
            first += table.count
        raise UsageError(f"no group {index}: the map has {first}, 0 to {first - 1}")

    def _group(
        self, layout: BucketLayout, table: Table, level: Level, index: int, group: int
    ) -> Chain:
        data = bytes(level.data[group * layout.size : (group + 1) * layout.size])
        address = level.addresses[group]
        key_width, elem_width = self.widths()
        cells: List[Cell] = []
        for slot in range(CELLS):
            ctrl = data[slot]
            full = ctrl < EMPTY
            state = "full" if full else {EMPTY: "empty", DELETED: "deleted"}.get(ctrl, "invalid")
            key_at, elem_at = layout.key_offset(slot), layout.elem_offset(slot)
            cell = Cell(slot, address + slot, key_at, elem_at, ctrl, state, live=full)
            if full and self.key and self.elem:
                cell.key = self.slot_value(
                    self.key,
                    data[key_at : key_at + key_width],
                    address + key_at,
                    layout.indirect_key,
                )
                cell.value = self.slot_value(
                    self.elem,
                    data[elem_at : elem_at + elem_width],
                    address + elem_at,
                    layout.indirect_elem,
                )
            cells.append(cell)
        name = f"table {table.number}"
        bucket = Bucket(address, 0, 0, None, cells)
        return Chain(name, index, False, [bucket], self.unit, self.mark)

    def find(self, test: KeyTest) -> Found:
        if self.header is None or not self.header.dirPtr:
            return Found(None, None, "hash", "the map has no groups", [], 0, 0)
        return SwissLookup(self).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_swiss(self, report, progress)


def _probe_lengths(ends: Sequence[bool]) -> Iterator[int]:
    """For each group that a lookup may begin with, how many it looks at if it finds nothing: up
    to one with an empty slot.

    :param ends: for each group of a table, whether it has such a slot
    """
    for start, end in enumerate(ends):
        length = 1
        for length, at in enumerate(() if end else probes(start, len(ends)), 1):
            if ends[at]:
                break
        yield length

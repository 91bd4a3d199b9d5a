# SPDX-License-Identifier: MIT
"""A table of slots: what commands ask of it."""

from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Sequence

from ..cells.columns import column_of
from ..errors import UsageError
from ..maps.batches import EntryBatch, Where, some_of
from ..maps.facts import Bucket, Cell, Chain, Distribution, Summary
from ..maps.found import Found, KeyTest
from ..maps.hash_use import HashUse
from ..maps.problems import Problem
from ..maps.progress import Progress, no_progress
from ..maps.report import Report
from ..program.values import Unreadable
from .slot_check import check_slots
from .probe_lengths import probe_lengths, ways_on
from .slot_lookup import SlotFinder
from .slot_reader import TOGETHER, SlotReader


class SlotMap(SlotReader):
    """A table of slots, with what commands ask of it."""

    def summary(self, progress: Progress = no_progress) -> Summary:
        try:
            marks = self.marks(progress)
        except KeyboardInterrupt:
            self._interrupted()
            marks = b""
        deleted = self.control.deleted
        read = self.coverage()
        gone = None if read is not None or deleted is None else marks.count(deleted)
        return Summary(held=self.held(), tombstones=gone, read=read)

    def _interrupted(self) -> None:
        text = "interrupted: not all of the table was looked at"
        self.problems.append(Problem(text, "interrupted"))

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        try:
            marks = self.marks(progress)
        except KeyboardInterrupt:
            self._interrupted()
            marks = b""
        live, group = marks.translate(self.control.live), self.control.group
        cells: Dict[int, int] = {}
        for start in range(0, len(live), group):
            used = live.count(1, start, start + group)
            cells[used] = cells.get(used, 0) + 1
        read, held = self.coverage(), self.held()
        whole = read is None and held is not None
        entries = live.count(1)
        key, elem = self.types()
        deleted = self.control.deleted
        return Distribution(
            cells=dict(sorted(cells.items())),
            chains={},
            old_cells={},
            old_chains={},
            entries=entries if whole else None,
            uniformity=None,
            held=held,
            bytes_used=entries * (key.size + elem.size) if whole else None,
            bytes_rebuilt=self._rebuilt(entries) if whole else None,
            unit=self.unit,
            probes=self._probes(marks) if whole else None,
            tombstones=None if deleted is None or not whole else marks.count(deleted),
            growth_left=self.header.growth_left,
            read=read,
        )

    def _probes(self, marks: bytes) -> Optional[Dict[int, int]]:
        """How far lookups go that find nothing."""
        control = self.control
        if control.group != control.group_bytes:
            return ways_on(self.last_bytes, control.ways)
        blank = next((byte for byte, name in control.names.items() if name == "empty"), None)
        empty = marks.translate(bytes(byte == blank for byte in range(256)))
        # Abseil's have one slot less, and a byte there that is never empty
        return probe_lengths(empty + bytes(bool(marks) and len(marks) & 1), control.group)

    def _rebuilt(self, entries: int) -> int:
        """What a fresh copy would hold, about: tables double, and grow at seven eighths."""
        held = self.held()
        assert held is not None
        if not self.header.slots:
            return held.total
        slots = self.header.slots
        while slots > 32 and entries <= slots // 2 * 7 // 8:
            slots //= 2
        less = (self.header.slots - slots) * (abs(self.layout.stride) + 1)
        return max(held.total - less, 0)

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        for slots, places, rows in self.batches(progress):
            yield self._batch(slots, places, rows)

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        live = self.live_slots(progress)
        live = [live[at] for at in some_of(len(live), most)]
        for first in range(0, len(live), TOGETHER):
            progress(first, len(live))
            slots = live[first : first + TOGETHER]
            yield self._batch(slots, *self.entries_at(slots))

    def _batch(
        self, slots: Sequence[int], places: Sequence[int], rows: Sequence[Optional[bytes]]
    ) -> EntryBatch:
        """Entries as commands show them."""
        key, elem = self.types()
        layout, size = self.layout, self.row_size
        return EntryBatch(
            column_of(key, rows, size, layout.key, _at(places, layout.key)),
            column_of(elem, rows, size, layout.elem, _at(places, layout.elem)),
            range(len(slots)),
            partial(self._where_of, slots),
            marks=partial(self._mark_of, slots),
        )

    def hash_use(self) -> Optional[HashUse]:
        control, slots = self.control, self.header.slots
        if not slots:
            return None
        places = 1 << (slots - 1).bit_length()  # Abseil's have one slot less
        shift, bits = control.place_shift, control.hash_bits
        kept = (bits & -bits).bit_length() - 1

        def place(number: int) -> int:
            return number >> shift & places - 1

        def seen(where: Where, mark: Optional[int]) -> Optional[int]:
            return None if mark is None else mark << kept & bits

        def fits(where: Where, mark: Optional[int], number: int) -> bool:
            if control.mark is not None:
                return mark == control.mark(number)
            return mark == (number & bits) >> kept

        chosen = places - 1 << shift
        if control.ways:  # the upper bits choose a group
            places = -(-slots // control.group)
            bits_below = 65 - places.bit_length()
            chosen = places - 1 << bits_below

            def top(number: int) -> int:
                return number >> bits_below

            return HashUse(places, top, chosen, bits, seen, bits, fits, "home group", self.mark)
        return HashUse(places, place, chosen, bits, seen, bits, fits, "home slot", self.mark)

    def _mark_of(self, slots: Sequence[int], index: int) -> int:
        return self.marks()[slots[index]]

    def _where_of(self, slots: Sequence[int], index: int) -> Where:
        return self.where(slots[index])

    def chain(self, index: int, old: bool) -> Chain:
        if old:
            raise UsageError("this table has no old groups: it grows within one call")
        header, control, layout = self.header, self.control, self.layout
        groups = -(-header.slots // control.group)
        if index >= groups:
            has = f"it has {groups}, 0 to {groups - 1}" if groups else "it has none yet"
            raise UsageError(f"no group {index}: {has}")
        marks = self.marks()
        first = index * control.group
        slots = range(first, min(first + control.group, header.slots, len(marks)))
        live = [slot for slot in slots if control.live[marks[slot]]]
        known = dict(zip(live, zip(*self.entries_at(live))))
        cells: List[Cell] = []
        key, elem = self.types()
        for slot in slots:
            mark = marks[slot]
            place, row = known.get(slot, (self.slot_address(slot), None))
            state = "full" if slot in known else control.names.get(mark, "invalid")
            cell = Cell(
                slot - first, place, layout.key, layout.elem, mark, state, live=slot in known
            )
            if cell.live and row is None:
                cell.key = cell.value = Unreadable(f"cannot read the entry at {place:#x}")
            elif row is not None:
                cell.key = self.decoder.decode(
                    key, row[layout.key : layout.key + key.size], place + layout.key
                )
                cell.value = self.decoder.decode(
                    elem, row[layout.elem : layout.elem + elem.size], place + layout.elem
                )
            cells.append(cell)
        where = header.control + index * control.group_bytes
        bucket = Bucket(where, 0, 0, None, cells)
        return Chain("", index, False, [bucket], self.unit, self.mark)

    def find(self, test: KeyTest) -> Found:
        if not self.header.count:
            return Found(None, None, "hash", "the table is empty", [], 0, 0)
        return SlotFinder(self).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_slots(self, report, progress)


def _at(places: Sequence[int], offset: int) -> Callable[[int], int]:
    """The address of a part of each entry."""
    return lambda index: places[index] + offset

# SPDX-License-Identifier: MIT
"""Is a Swiss map whole? Its directory, tables, control bytes, counts and keys.

The rules are those of internal/runtime/maps (map.go, table.go, group.go of Go 1.24 to 1.27).
"""

from collections import defaultdict
from itertools import compress
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..cells.layout import BucketLayout
from ..cells.level import Level
from ..cells.marks import CELLS
from ..go.layouts import CTRL_DELETED, CTRL_EMPTY
from ..maps.compare_keys import Hashed, Keys
from ..maps.progress import Progress
from ..maps.report import Report
from ..program.types import Kind
from ..records import dataclass
from .probing import FULL, FULL_GROUP, probes
from .swiss_reader import SwissHeader, SwissReader, Table


#: for bytes.translate: 1 for a byte that no slot has
_INVALID = bytes(byte >= 128 and byte not in (CTRL_EMPTY, CTRL_DELETED) for byte in range(256))
#: slots with one control byte that are compared with each other where no hash is known
_FEW = 64


def check_swiss(view: SwissReader, report: Report, progress: Progress) -> None:
    """Reports what is wrong with a Swiss map."""
    if view.header is not None:
        _Check(view, view.header, report, progress).run()
    report.problems(view.problems)


@dataclass(frozen=True)
class _Keys:
    """The entries of a table: positions of full slots, and their key slots."""

    table: Table
    level: Level
    ctrl: bytes
    live: List[int]
    slots: List[bytes]


class _Check:
    """One check of one map."""

    def __init__(
        self, view: SwissReader, header: SwissHeader, report: Report, progress: Progress
    ) -> None:
        self._view = view
        self._header = header
        self._report = report
        self._progress = progress
        self._hash: Optional[Hashed] = None
        self._changing = False  # tables are being replaced just now
        self._waiting: List[_Keys] = []  # to be hashed and compared

    def run(self) -> None:
        """Look at everything."""
        view, header, report = self._view, self._header, self._report
        operations = self._operations()
        if header.writing:
            report.writers("writing", view.address)
        if "clear" in operations:
            text = "the map is being cleared: its slots were not checked"
            report.add("note", "in-flight", text, view.address)
            report.left_out = "its slots"
            return
        tables = view.tables()
        self._changing = bool(operations) and any(table.replaced for table in tables)
        if not self._changing:
            self._look_at_directory(tables)
        if view.layout is None:
            text = "the map's type is not known: only its directory was checked"
            report.add("note", "type-needed", text, view.address)
            report.left_out = "its groups"
            return
        try:
            self._walk(view.layout)
        finally:  # also if Ctrl-C has ended it
            if self._hash is not None:
                self._hash.settle("wrong-hash", "wrong-bucket", "behind-empty")
            report.settle(len(operations))

    def _operations(self) -> Tuple[str, ...]:
        """What threads and goroutines are doing to the map just now."""
        return self._report.operations() if self._header.writing else ()

    def _wrong(self, code: str, text: str, address: Optional[int] = None) -> None:
        self._report.add("error", code, text, address or self._view.address)

    # --- the directory ---

    def _look_at_directory(self, tables: Sequence[Table]) -> None:
        header = self._header
        _, entries = self._view.directory()
        if not entries:
            return
        writers = len(self._operations())
        if not writers and entries != 1 << header.globalDepth:
            self._wrong(
                "directory",
                f"globalDepth is {header.globalDepth}, but the directory has {entries} entries",
            )
        if not writers and (header.globalShift & 63) != (64 - header.globalDepth) & 63:
            self._wrong(
                "directory",
                f"globalShift is {header.globalShift}, {64 - header.globalDepth} expected for "
                f"globalDepth {header.globalDepth}",
            )
        for table in tables:
            what = f"table {table.number} at {table.address:#x}"
            if table.local_depth > header.globalDepth:
                self._wrong(
                    "directory",
                    f"{what} has localDepth {table.local_depth}, more than globalDepth "
                    f"{header.globalDepth}",
                    table.address,
                )
                continue
            expected = entries >> table.local_depth
            if table.slots != expected or table.first % expected:
                self._wrong(
                    "directory",
                    f"{what} has localDepth {table.local_depth}, but the directory has it "
                    f"{table.slots} times from {table.first} on, {expected} times expected",
                    table.address,
                )
            elif table.index != table.first:
                self._wrong(
                    "directory",
                    f"{what} has index {table.index}, but the directory has it at {table.first}",
                    table.address,
                )

    # --- groups ---

    def _walk(self, layout: BucketLayout) -> None:
        view, report = self._view, self._report
        keys = None if view.key is None else Keys(view, view.key, layout.indirect_key)
        if keys is not None and not self._changing:
            self._hash = Hashed(view, report, report.hashes)
        writers, full_slots = len(self._operations()), 0
        for table, level in view.levels(self._progress):
            ctrl = level.tophashes(layout)
            if self._is_just_made(table, ctrl):
                text = "the first group is put in place just now, and not yet marked as empty"
                report.add("note", "in-flight", text, view.address)
                report.buckets += 1
                return
            full = ctrl.translate(FULL)
            used = full.count(1)
            full_slots += used
            report.buckets += table.count
            report.cells += len(ctrl)
            self._look_at_bytes(table, level, ctrl)
            if self._changing:
                continue
            if table.address:
                self._look_at_numbers(table, ctrl, used, writers)
            if keys is not None:
                self._look_at_keys(table, level, layout, ctrl, full, keys)
        if keys is not None and self._waiting:
            self._compare_keys(keys)
        live = self._header.used
        unread = report.has("unreadable") or bool(view.problems)
        if not self._changing and not unread and abs(full_slots - live) > writers:
            self._wrong("count", f"used is {live}, but {full_slots} full slots were found")

    def _is_just_made(self, table: Table, ctrl: bytes) -> bool:
        """Whether a small map's group is as it was allocated: growToSmall stores where it is
        before it marks its slots."""
        header = self._header
        return bool(not table.address and header.writing and not header.used and not any(ctrl))

    def _look_at_bytes(self, table: Table, level: Level, ctrl: bytes) -> None:
        invalid = ctrl.translate(_INVALID)
        for position in compress(range(len(ctrl)), invalid) if any(invalid) else ():
            text = f"control byte {ctrl[position]:#04x}: no slot has that"
            self._slot("control-byte", table, level, position, text)
        if not table.address and CTRL_DELETED in ctrl:
            text = "deleted, but a small map has no tombstones"
            self._slot("tombstones", table, level, ctrl.index(CTRL_DELETED), text)

    def _look_at_numbers(self, table: Table, ctrl: bytes, used: int, writers: int) -> None:
        what = f"table {table.number} at {table.address:#x}"
        deleted = ctrl.count(CTRL_DELETED)
        if abs(used - table.used) > writers:
            text = f"{what}: used is {table.used}, but {used} full slots were found"
            self._wrong("count", text, table.address)
        # maxGrowthLeft in table.go
        most = table.capacity - 1 if table.capacity <= CELLS else table.capacity * FULL_GROUP // 8
        expected = most - used - deleted
        if abs(expected - table.growth_left) > 2 * writers:
            self._wrong(
                "growth-left",
                f"{what}: growthLeft is {table.growth_left}, but {expected} is left with {used} "
                f"full and {deleted} deleted of {table.capacity} slots",
                table.address,
            )
        if CTRL_EMPTY not in ctrl:
            text = f"{what} has no empty slot: a lookup that finds nothing does not end"
            self._wrong("no-empty-slot", text, table.address)

    # --- keys ---

    def _look_at_keys(
        self,
        table: Table,
        level: Level,
        layout: BucketLayout,
        ctrl: bytes,
        full: bytes,
        keys: Keys,
    ) -> None:
        """Keys that lie all over memory wait until there are many of them: the more are read at
        once, the more of them lie close together."""
        live = list(compress(range(len(full)), full))
        width, _ = self._view.widths()
        raw, size = bytes(level.data), layout.size
        places = [(at >> 3) * size + layout.keys + (at & 7) * layout.keysize for at in live]
        slots = [raw[place : place + width] for place in places]
        self._waiting.append(_Keys(table, level, ctrl, live, slots))
        if keys.together <= sum(len(some.live) for some in self._waiting):
            self._compare_keys(keys)

    def _compare_keys(self, keys: Keys) -> None:
        waiting, self._waiting = self._waiting, []
        values: List[Optional[bytes]] = []
        hashes: List[Optional[int]] = []
        if self._hash is not None and self._hash.hash is not None:
            values = keys.values([slot for some in waiting for slot in some.slots])
            hashes = self._hash.many(values)
        first = fitting = unfitting = 0
        for some in waiting:
            end = first + len(some.live)
            if hashes:
                for number, position in enumerate(some.live, first):
                    if values[number] is None or (hashes[number] is None and keys.always_hash):
                        self._doubt("key-unreadable", some, position, "its key cannot be read")
                fit, unfit = self._look_at_hashes(some, hashes[first:end], keys)
                fitting, unfitting = fitting + fit, unfitting + unfit
                found = list(_same_hashes(hashes[first:end]))
            else:
                found = list(_same_keys(some, keys))
            first, slots = end, some.slots
            same = keys.same([slots[a] for a, _ in found], [slots[b] for _, b in found])
            for a, b in compress(found, same):
                text = f"the key {keys.text(slots[a])} is in {_name(some.table, some.live[a])}, too"
                self._doubt("duplicate-key", some, some.live[b], text)
        if self._hash is not None:
            self._hash.count(fitting, unfitting)

    def _look_at_hashes(
        self, some: "_Keys", hashes: Sequence[Optional[int]], keys: Keys
    ) -> Tuple[int, int]:
        """Every key's control byte, table and group are those of its hash.

        :return: of how many they are, and are not
        """
        table, ctrl = some.table, some.ctrl
        mask = table.count - 1
        _, entries = self._view.directory()
        shift = self._header.globalShift & 63 if entries > 1 else 64
        end = table.first + table.slots
        fitting = unfitting = 0
        for number, (position, key_hash) in enumerate(zip(some.live, hashes)):
            if key_hash is None:
                continue
            group, place = key_hash >> 7 & mask, key_hash >> shift
            if key_hash & 0x7F != ctrl[position]:
                code = "wrong-hash"
                what = f"control byte {ctrl[position]:#04x}, but the hash of its key "
                rest = f" has {key_hash & 0x7F:#04x}"
            elif not table.first <= place < end:
                code = "wrong-bucket"
                what = "the hash of its key "
                rest = f" puts it at {place} of the directory, which leads to another table"
            else:
                before = None
                if group != position >> 3:
                    before = _empty_before(ctrl, group, position >> 3, table.count)
                if before is None:
                    fitting += 1
                    continue
                code = "behind-empty"
                what = "lookups of its key "
                rest = f" begin at group {group} and end at the empty slot of group {before}"
            unfitting += 1
            self._doubt(code, some, position, what + keys.text(some.slots[number]) + rest)
        return fitting, unfitting

    def _doubt(self, code: str, some: "_Keys", position: int, what: str) -> None:
        """A finding of a slot that a half-done write may explain."""
        group, slot = divmod(position, CELLS)
        text = f"{_name(some.table, position)}: {what}"
        self._report.doubt(code, text, some.level.addresses[group] + slot, group, slot)

    def _slot(self, code: str, table: Table, level: Level, position: int, what: str) -> None:
        """A finding of a slot."""
        group, slot = divmod(position, CELLS)
        text = f"{_name(table, position)}: {what}"
        self._report.add("error", code, text, level.addresses[group] + slot, group, slot)


def _name(table: Table, position: int) -> str:
    """A slot, for a reader."""
    return f"table {table.number}, group {position // CELLS}, slot {position % CELLS}"


def _empty_before(ctrl: bytes, start: int, wanted: int, count: int) -> Optional[int]:
    """The group that ends the search which begins at `start` before it comes to `wanted`; None:
    it gets there."""
    for at in probes(start, count):
        if at == wanted:
            return None
        if CTRL_EMPTY in ctrl[CELLS * at : CELLS * at + CELLS]:
            return at
    return start  # round all of it


def _same_hashes(hashes: Sequence[Optional[int]]) -> Iterator[Tuple[int, int]]:
    """Numbers of entries of a table that have the same hash."""
    known = [key_hash for key_hash in hashes if key_hash is not None]
    if len(set(known)) == len(known):
        return
    first: Dict[int, int] = {}
    for number, key_hash in enumerate(hashes):
        if key_hash is not None:
            if key_hash in first:
                yield first[key_hash], number
            first.setdefault(key_hash, number)


def _same_keys(some: _Keys, keys: Keys) -> Iterator[Tuple[int, int]]:
    """Numbers of entries of a table that may have the same key, where no hash is known."""
    slots = some.slots
    if keys.plain:
        first: Dict[bytes, int] = {}
        for number, slot in enumerate(slots if len(set(slots)) < len(slots) else ()):
            if slot in first:
                yield first[slot], number
            first.setdefault(slot, number)
        return
    alike: Dict[Tuple[int, bytes], List[int]] = defaultdict(list)
    for number, (position, slot) in enumerate(zip(some.live, slots)):
        # a string's length tells most of them apart
        same = alike[some.ctrl[position], slot[8:] if keys.kind is Kind.STRING else b""]
        for other in same:
            yield other, number
        if len(same) < _FEW:
            same.append(number)

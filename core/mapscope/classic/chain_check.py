# SPDX-License-Identifier: MIT
"""Is a classic map whole? Its header, marks, chains, counts and keys.

The rules are those of runtime/map.go, Go 1.17 to 1.23, and of the runtime's layout.h. Every rule
is looked at for all cells of a chunk at once, by long integers with a byte for each cell; only
what breaks one is then looked at alone. What a half-done write explains is no error.
"""

import struct
from array import array as numbers
from bisect import bisect_left
from collections import deque
from dataclasses import replace
from typing import Deque, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ..cells.columns import Place
from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, Level
from ..cells.marks import (
    CELLS,
    EMPTY_REST,
    EVACUATED,
    EVACUATED_X,
    EVACUATED_Y,
    MIN_TOP_HASH,
    NOT_LIVE,
    STATES,
    TOP_HASHES,
)
from ..cells.tophashes import equal_tophashes
from ..go.layouts import SAME_SIZE_GROW
from ..kernels.scanning import Cells
from ..maps.compare_keys import Hashed, Keys
from ..maps.problems import Problem
from ..maps.progress import Progress
from ..maps.report import Report
from .classic_reader import ClassicReader
from .header import Header
from .walker import Walker


# for bytes.translate: 1 for zero, which is emptyRest; for anything else; for anything but an
# evacuated mark; for evacuatedY
_IS_ZERO = b"\1" + bytes(255)
_NOT_ZERO = b"\0" + b"\1" * 255
_NOT_MARK = bytes(1 - mark for mark in EVACUATED)
_IS_Y = bytes(byte == EVACUATED_Y for byte in range(256))
#: chains up to so many overflow buckets are compared by tophashes, pair by pair
_LONG = 6
#: cells of the same tophash that one of a longer chain is compared with
_FEW = 8
#: half-evacuated chains that are told of
_MOST_HALF = 1024
#: chains that join another or themselves which are followed once more to tell which
_JOINED = 10

#: two cells: a level and 8 * bucket + cell in it, twice
_Pair = Tuple[Level, int, Level, int]


def check_classic(view: ClassicReader, report: Report, progress: Progress) -> None:
    """Reports what is wrong with a classic map."""
    report.problems(view.problems)
    if view.header is not None:
        _Check(view, view.header, report, progress).run()


class _Check:
    """One check of one map."""

    def __init__(
        self, view: ClassicReader, header: Header, report: Report, progress: Progress
    ) -> None:
        self._view = view
        self._header = header
        self._report = report
        self._progress = progress
        self._new, self._old = view.arrays()
        self._live = 0
        self._overflow = 0  # overflow buckets of the new array
        self._half: Dict[int, Tuple[int, int]] = {}  # old bucket: (address, cell) not marked
        self._marks = b""  # of every old bucket: 1 if it is evacuated
        self._in_flight: Set[Place] = set(view.writing.pending)
        self._hash: Optional[Hashed] = None
        #: cells whose keys are still to be compared, and their key slots
        self._pairs: List[Tuple[_Pair, Tuple[bytes, bytes]]] = []
        #: cells whose hashes are still to be compared, of each level, and how many
        self._waiting: List[Tuple[Level, Cells]] = []
        self._held = 0
        #: of these, those that may have the same key
        self._unsettled: List[_Pair] = []

    def run(self) -> None:
        """Look at everything."""
        view, report = self._view, self._report
        self._look_at_header()
        if view.layout is None:
            text = "the map's type is not known: only its header was checked"
            report.add("note", "type-needed", text, view.address)
            report.left_out = "its buckets"
        elif view.writing.cleared or "clear" in self._operations():
            text = "the map is being cleared: its cells were not checked"
            report.add("note", "in-flight", text, view.address)
            report.left_out = "its cells"
        elif self._new is not None:
            try:
                walker = self._walk(view.layout, self._new)
                self._look_at_half()
                if not walker.broken:
                    self._look_at_counts()
            finally:  # also if Ctrl-C has ended it
                if self._hash is not None:
                    self._hash.settle("wrong-hash", "wrong-bucket")
                report.settle(len(self._operations()))

    # --- the header ---

    def _operations(self) -> Tuple[str, ...]:
        """What threads and goroutines are doing to the map just now."""
        return self._report.operations() if self._view.is_writing() else ()

    def _look_at_header(self) -> None:
        header = self._header
        known = sum(bit for bit, _ in header.flag_names)
        unknown = header.flags & ~known
        if unknown:
            self._wrong("flags", f"flags is {header.flags:#x}: no map has a flag {unknown:#x}")
        if self._view.is_writing():
            self._report.writers("hashWriting", self._view.address)
        elif header.flags & SAME_SIZE_GROW and not header.oldbuckets and not header.installing:
            self._wrong("flags", "sameSizeGrow is set, but there is no old array")
        if self._operations():
            return
        if header.installing:
            self._wrong("stuck", "a growth was begun and not installed, and nobody is inside it")
        elif header.oldbuckets and header.nevacuate == 1 << header.old_B:
            self._wrong(
                "stuck",
                f"nevacuate is {header.nevacuate}, all of the old buckets, but the old array is "
                "still there: the next write goes beyond it",
            )

    def _wrong(self, code: str, text: str, severity: str = "error") -> None:
        self._report.add(severity, code, text, self._view.address)

    # --- the walk ---

    def _walk(self, layout: BucketLayout, new: BucketArray) -> "_Reporting":
        view, report = self._view, self._report
        walker = _Reporting(view, layout, report)
        for move in view.moving():
            self._in_flight.add(move.place)
            if move.target is not None:
                self._in_flight.add(move.target)
        keys: Optional[Keys] = None
        if view.key is not None:
            keys = Keys(view, view.key, layout.indirect_key)
        self._hash = hashed = Hashed(view, report, report.hashes)
        arrays = [array for array in (self._old, new) if array is not None]
        total, done = sum(array.count for array in arrays), 0
        visited: Set[int] = set()
        for array in arrays:
            base = done

            def step(part: int, _: int, base: int = base) -> None:
                self._progress(base + part, total)

            for levels in walker.walk(array, True, step, visited):
                tops = [level.tophashes(layout) for level in levels]
                for level, theirs in zip(levels, tops):
                    report.buckets += len(level.owners)
                    report.cells += CELLS * len(level.owners)
                    self._live += len(theirs.translate(None, NOT_LIVE))
                if array is new:
                    self._overflow += sum(len(level.owners) for level in levels[1:])
                    self._look_at_new(levels, tops, layout, new)
                else:
                    self._look_at_old(levels, tops, layout)
                self._look_at_order(levels, tops)
                if keys is not None:
                    self._look_at_keys(levels, tops, layout, keys, hashed)
            done += array.count
        if keys is not None:
            self._compare_hashes(layout, keys, hashed)
            self._compare_pairs(keys)
        walker.tell_joined(arrays)
        self._look_for_stuck(walker)
        return walker

    def _cell(
        self, code: str, level: Level, position: int, what: str, severity: str = "error"
    ) -> None:
        """A finding of a cell."""
        index, cell = divmod(position, CELLS)
        owner, address = level.owners[index], level.addresses[index] + cell
        text = f"{_name(level, position)}: {what}"
        self._report.add(severity, code, text, address, owner, cell)

    def _doubt(self, code: str, level: Level, position: int, what: str) -> None:
        """A finding of a cell that a half-done write may explain."""
        index, cell = divmod(position, CELLS)
        owner, address = level.owners[index], level.addresses[index]
        if (address, cell) not in self._in_flight:
            text = f"{_name(level, position)}: {what}"
            self._report.doubt(code, text, address + cell, owner, cell)

    # --- marks ---

    def _look_at_old(
        self, levels: List[Level], all_tops: List[bytes], layout: BucketLayout
    ) -> None:
        """All of a chain's cells are marked, or none; and all chains below nevacuate are."""
        head = levels[0]
        first = head.owners[0]
        marks = head.evacuated(layout)
        self._marks += marks
        nevacuate = 0 if self._report.has("nevacuate") else self._header.nevacuate
        for at in _zeros(marks[: max(0, nevacuate - first)]):
            text = f"old bucket {first + at} is not evacuated, but nevacuate is {nevacuate}"
            self._report.add("error", "not-evacuated", text, head.addresses[at], first + at)
        for level, tops in zip(levels, all_tops):
            of_head = marks
            if level.chain:
                of_head = bytes([marks[owner - first] for owner in level.owners])
            unmarked = int.from_bytes(tops.translate(_NOT_MARK), "little")
            evacuated = int.from_bytes(_for_cells(of_head), "little")
            for position in _ones(unmarked & evacuated, len(tops)):
                index, cell = divmod(position, CELLS)
                if len(self._half) < _MOST_HALF:
                    place = (level.addresses[index] + cell, cell)
                    self._half.setdefault(level.owners[index], place)
            everywhere = int.from_bytes(b"\1" * len(tops), "little")
            for position in _ones((unmarked | evacuated) ^ everywhere, len(tops)):
                mark = STATES[tops[position]]
                what = f"{mark}, but the bucket is not evacuated"
                self._cell("mark-place", level, position, what)
            if self._header.kind != "double":
                y_marks = int.from_bytes(tops.translate(_IS_Y), "little")
                for position in _ones(y_marks, len(tops)):
                    what = "evacuatedY, but only doubling has a Y half"
                    self._cell("mark-place", level, position, what)

    def _look_at_half(self) -> None:
        """Half-evacuated chains are the work of somebody inside evacuate."""
        at_work = len(self._operations())
        allowed = set(self._view.writing.evacuating) if at_work else set()
        left = max(0, at_work - len(allowed))
        for bucket, (address, cell) in self._half.items():
            if bucket in allowed:
                continue
            left -= 1
            if left < 0:
                self._report.add(
                    "error",
                    "half-evacuated",
                    f"old bucket {bucket} is evacuated, but cell {cell} at {address:#x} is not "
                    "marked, and nobody is inside its evacuation",
                    address,
                    bucket,
                    cell,
                )

    def _look_at_new(
        self,
        levels: List[Level],
        all_tops: List[bytes],
        layout: BucketLayout,
        new: BucketArray,
    ) -> None:
        """No marks in new buckets; nothing in those whose old bucket is still to be moved."""
        for level, tops in zip(levels, all_tops):
            marked = int.from_bytes(tops.translate(EVACUATED), "little")
            for position in _ones(marked, len(tops)):
                what = f"{STATES[tops[position]]} in a new bucket"
                self._cell("mark-place", level, position, what)
            if self._old is not None and len(self._marks) == self._old.count:
                self._look_for_early(level, tops, layout, new, self._old)

    def _look_for_early(
        self, level: Level, tops: bytes, layout: BucketLayout, new: BucketArray, old: BucketArray
    ) -> None:
        marks = self._marks
        if new.count < old.count:  # two old buckets for each
            halves = [int.from_bytes(part, "little") for part in _halves(marks)]
            marks = (halves[0] | halves[1]).to_bytes(new.count, "little")
        mask = len(marks) - 1
        if level.chain == 0 and len(level.owners) <= len(marks):
            first = level.owners[0] & mask
            moved = (marks[first:] + marks)[: len(level.owners)]
        else:
            moved = bytes([marks[owner & mask] for owner in level.owners])
        used = level.live_counts(layout).translate(_NOT_ZERO)
        waiting = int.from_bytes(moved.translate(_IS_ZERO), "little")
        for index in _ones(int.from_bytes(used, "little") & waiting, len(used)):
            at = CELLS * index
            cell = next(c for c in range(CELLS) if tops[at + c] >= MIN_TOP_HASH)
            home = level.owners[index] & (old.count - 1)
            what = f"a live cell, but old bucket {home} is not evacuated: lookups go there"
            self._cell("early-entry", level, at + cell, what)

    def _look_at_order(self, levels: List[Level], all_tops: List[bytes]) -> None:
        """Nothing follows an emptyRest in its chain."""
        ended: Set[int] = set()  # chains that have come to one and go on
        for at, (level, tops) in enumerate(zip(levels, all_tops)):
            rest = int.from_bytes(tops.translate(_IS_ZERO), "little")
            used = int.from_bytes(tops.translate(_NOT_ZERO), "little")
            for position in _ones((rest << 8) & used & _not_first(len(tops)), len(tops)):
                self._note_behind(level, position, tops)
            for index, owner in enumerate(level.owners) if ended and level.chain else ():
                if owner in ended and tops[CELLS * index] != EMPTY_REST:
                    self._note_behind(level, CELLS * index, tops)
            if at + 1 < len(levels):
                going = levels[at + 1].owners
                ended.update(
                    [
                        owner
                        for owner, index in zip(going, _indices(level, going))
                        if EMPTY_REST in tops[CELLS * index : CELLS * (index + 1)]
                    ]
                )

    def _note_behind(self, level: Level, position: int, tops: bytes) -> None:
        top = tops[position]
        if top >= MIN_TOP_HASH:
            what = "a live cell behind an emptyRest: no lookup gets there"
            self._cell("empty-rest", level, position, what)
        else:
            severity = "error" if top >= EVACUATED_X else "warning"
            self._cell(
                "empty-rest", level, position, f"{STATES[top]} behind an emptyRest", severity
            )

    # --- numbers ---

    def _look_at_counts(self) -> None:
        header, operations = self._header, self._operations()
        writers = len(operations)
        between = sum(1 for move in self._view.moving() if move.target is None)
        live = self._live + between
        if abs(live - header.count) > writers and not self._report.has("count", "header"):
            self._wrong("count", f"count is {header.count}, but {live} live cells were found")
        if header.installing or "grow" in operations or "?" in operations:
            return  # hashGrow sets noverflow last
        if header.B < 16:
            if abs(self._overflow - header.noverflow) > writers:
                self._wrong(
                    "noverflow",
                    f"noverflow is {header.noverflow}, but {self._overflow} overflow buckets are "
                    "in use",
                )
            return
        # counted at random, one in 2^(B-15) (incrnoverflow in runtime/map.go)
        expected = self._overflow / (1 << (header.B - 15))
        if abs(header.noverflow - expected) > 8 * expected**0.5 + 8:
            self._wrong(
                "noverflow",
                f"noverflow is {header.noverflow}, but about {expected:.0f} was expected for "
                f"{self._overflow} overflow buckets",
                "warning",
            )

    def _look_for_stuck(self, walker: "_Reporting") -> None:
        """Old buckets that no evacuation can get through."""
        for name, bucket in walker.broken:
            if (
                name == "old"
                and bucket is not None
                and not self._marks[bucket : bucket + 1] == b"\1"
            ):
                what = "its chain is damaged" if bucket < len(self._marks) else "it cannot be read"
                text = f"old bucket {bucket} cannot be evacuated: {what}"
                self._report.add("error", "stuck", text, None, bucket)

    # --- keys ---

    def _look_at_keys(
        self,
        levels: List[Level],
        tops: List[bytes],
        layout: BucketLayout,
        keys: Keys,
        hashed: Hashed,
    ) -> None:
        """No key is there twice, and every key's tophash and bucket are those of its hash.

        Keys that lie all over memory wait until there are many of them: the more are read at
        once, the more of them lie close together.
        """
        pairs = _pairs_in(levels, tops)
        if hashed.hash is None:
            if pairs:
                light = {id(level): _light(level) for level in levels}
                self._pairs += [
                    (
                        (light[id(one)], position, light[id(other)], place),
                        (_slot(layout, one, position), _slot(layout, other, place)),
                    )
                    for one, position, other, place in pairs
                ]
            if len(self._pairs) >= keys.together >> 4:
                self._compare_pairs(keys)
            return
        width = layout.keysize
        light = {id(level): _light(level) for level in levels}
        for level in levels:
            records = level.records(layout)
            cells = records.cells(MIN_TOP_HASH, 255, layout.keys, width, width)
            self._waiting.append((light[id(level)], cells))
            self._held += len(cells.positions)
        self._unsettled += [
            (light[id(one)], position, light[id(other)], place)
            for one, position, other, place in pairs
        ]
        if keys.together <= self._held:
            self._compare_hashes(layout, keys, hashed)

    def _compare_pairs(self, keys: Keys) -> None:
        pairs, self._pairs = self._pairs, []
        first = [slots[0] for _, slots in pairs]
        second = [slots[1] for _, slots in pairs]
        for at, same in enumerate(keys.same(first, second)):
            one, position, other, place = pairs[at][0]
            if same and _place(one, position) not in self._in_flight:
                what = f"the key {keys.text(first[at])} is in {_name(one, position)}, too"
                self._doubt("duplicate-key", other, place, what)

    def _compare_hashes(self, layout: BucketLayout, keys: Keys, hashed: Hashed) -> None:
        waiting, self._waiting, self._held = self._waiting, [], 0
        packed = b"".join([cells.values for _, cells in waiting])
        found = hashed.packed(packed, layout.keysize) if keys.in_slots else None
        hashes: Sequence[Optional[int]] = found or ()
        values: Optional[List[Optional[bytes]]] = None
        if found is None:
            number = sum(len(cells.positions) for _, cells in waiting)
            values = keys.values(_slots(packed, layout.keysize, number))
            hashes = hashed.many(values)
        self._settle(waiting, layout.keysize, hashes)
        if len(self._pairs) >= keys.together >> 4:
            self._compare_pairs(keys)
        first = fitting = unfitting = 0
        for level, cells in waiting if hashes else ():
            number = len(cells.positions)
            theirs = hashes[first : first + number]
            if not _all_fit(level, cells, theirs):
                slots = _slots(cells.values, layout.keysize, number)
                end = first + number
                theirs_too = keys.values(slots) if values is None else values[first:end]
                for at, position, key_hash in _unfit(level, cells, theirs):
                    number -= 1
                    if theirs_too[at] is None or (key_hash is None and keys.always_hash):
                        self._doubt("key-unreadable", level, position, "its key cannot be read")
                    elif key_hash is not None:
                        unfitting += 1
                        key = keys.text(slots[at])
                        self._note_hash(level, position, cells.marks[at], key_hash, key)
            fitting += number
            first += len(cells.positions)
        hashed.count(fitting, unfitting)

    def _settle(
        self,
        waiting: List[Tuple[Level, Cells]],
        width: int,
        hashes: Sequence[Optional[int]],
    ) -> None:
        """Of cells with one tophash, those whose keys have different hashes have different keys:
        keep the others."""
        pairs, self._unsettled = self._unsettled, []
        places: Dict[int, Tuple[Cells, int]] = {}
        first = 0
        for level, cells in waiting if pairs else ():
            places[id(level)] = cells, first
            first += len(cells.positions)
        for pair in pairs:
            one, start = places[id(pair[0])]
            other, second = places[id(pair[2])]
            a = bisect_left(one.positions, pair[1])
            b = bisect_left(other.positions, pair[3])
            key_hash = hashes[start + a] if hashes else None
            if key_hash is None or key_hash == hashes[second + b]:
                slots = [
                    bytes(cells.values[width * at : width * (at + 1)])
                    for cells, at in ((one, a), (other, b))
                ]
                self._pairs.append((pair, (slots[0], slots[1])))

    def _note_hash(self, level: Level, position: int, top: int, key_hash: int, key: str) -> None:
        array, right = level.array, TOP_HASHES[key_hash >> 56]
        index = key_hash & (array.count - 1)
        if right != top:
            what = f"tophash {top:#04x}, but the hash of its key {key} has {right:#04x}"
            if index != level.owners[position // CELLS]:
                what += f", and bucket {index}"
            self._doubt("wrong-hash", level, position, what)
        else:
            what = f"the hash of its key {key} puts it into {array.name} bucket {index}"
            self._doubt("wrong-bucket", level, position, what)


class _Reporting(Walker):
    """A walk whose problems are findings.

    :ivar broken: (array, bucket) of chains that could not be followed to their end
    """

    def __init__(self, view: ClassicReader, layout: BucketLayout, report: Report) -> None:
        super().__init__(view.memory, layout, [])
        self._report = report
        self._joined: List[Problem] = []
        self.broken: List[Tuple[str, Optional[int]]] = []

    def problem(self, found: Problem) -> None:
        if len(self.broken) < _MOST_HALF:
            self.broken.append((found.array, found.bucket))
        if found.code == "overflow-shared" and len(self._joined) < _MOST_HALF:
            self._joined.append(found)
        else:
            self._report.add("error", found.code, found, found.address, found.bucket)

    def tell_joined(self, arrays: Sequence[BucketArray]) -> None:
        """Report chains that join another, or themselves, and say which."""
        wanted = {problem.address for problem in self._joined if problem.address is not None}
        owners = self._owners(arrays, wanted) if wanted else {}
        by_name = {array.name: array for array in arrays}
        for number, problem in enumerate(self._joined):
            bucket, address = problem.bucket or 0, problem.address or 0
            what = f"overflow chain of {problem.array} bucket {bucket}"
            if number < _JOINED and self._loops(by_name[problem.array], bucket):
                text, code = f"{what} loops: it comes back to {address:#x}", "overflow-loop"
            else:
                code = "overflow-shared"
                text = f"{what} joins another at {address:#x}"
                if address in owners:
                    name, owner = owners[address]
                    text = f"{what} joins that of {name} bucket {owner} at {address:#x}"
            self._report.add("error", code, text, address, bucket)

    def _owners(
        self, arrays: Sequence[BucketArray], wanted: Set[int]
    ) -> Dict[int, Tuple[str, int]]:
        """(array, bucket) whose chain has the overflow bucket at each of these addresses first."""
        owners: Dict[int, Tuple[str, int]] = {}
        visited: Set[int] = set()
        quiet = Walker(self.memory, self.layout, [])
        for array in arrays:
            for levels in quiet.walk(array, True, visited=visited):
                for level in levels:
                    for owner, address in zip(level.owners, level.addresses):
                        if address in wanted:
                            owners.setdefault(address, (array.name, owner))
        return owners

    def _loops(self, array: BucketArray, bucket: int) -> bool:
        problems: List[str] = []
        Walker(self.memory, self.layout, problems).chain(array, bucket)
        return any(getattr(problem, "code", "") == "overflow-loop" for problem in problems)


def _all_fit(level: Level, cells: Cells, hashes: Sequence[Optional[int]]) -> bool:
    """Whether the live cells' tophashes and buckets are those of their keys' hashes."""
    if not isinstance(hashes, numbers):
        known = [key_hash for key_hash in hashes if key_hash is not None]
        if len(known) < len(hashes):
            return False
        hashes = numbers("Q", known)
    return cells.fit(hashes, TOP_HASHES, level.array.count - 1, level.owners)


def _unfit(
    level: Level, cells: Cells, hashes: Sequence[Optional[int]]
) -> List[Tuple[int, int, Optional[int]]]:
    """(number, cell, hash) of those that are not, or have none."""
    mask, owners = level.array.count - 1, level.owners
    return [
        (number, position, key_hash)
        for number, (position, top, key_hash) in enumerate(
            zip(cells.positions, cells.marks, hashes)
        )
        if key_hash is None
        or TOP_HASHES[key_hash >> 56] != top
        or key_hash & mask != owners[position >> 3]
    ]


def _slots(packed: bytes, size: int, number: int) -> List[bytes]:
    """So many slots that lie one behind the other, each for itself."""
    return [packed[size * at : size * (at + 1)] for at in range(number)]


def _pairs_in(levels: List[Level], tops: List[bytes]) -> List[_Pair]:
    """Cells of one chain that have the same tophash."""
    pairs: List[_Pair] = []
    for at, level in enumerate(levels):
        for index, a, b in equal_tophashes(tops[at]):
            pairs.append((level, CELLS * index + a, level, CELLS * index + b))
        for before in range(at if at <= _LONG else 0):
            pairs += _pairs_between(levels[before], tops[before], level, tops[at])
    if len(levels) > _LONG + 1:
        pairs += _pairs_of_long(levels, tops)
    return pairs


def _pairs_between(first: Level, tops: bytes, second: Level, others: bytes) -> Iterator[_Pair]:
    """Equal tophashes of overflow buckets and of those before them in their chains."""
    at = _indices(first, second.owners)
    words = memoryview(tops).cast("Q")
    gathered = struct.pack(f"<{len(at)}Q", *[words[index] for index in at])
    for index, a, b in equal_tophashes(gathered, others):
        yield first, CELLS * at[index] + a, second, CELLS * index + b


def _indices(level: Level, owners: Sequence[int]) -> List[int]:
    """Where buckets of these chains are in a level that has one of each."""
    if level.chain == 0:
        first = level.owners[0]
        return [owner - first for owner in owners]
    places = {owner: index for index, owner in enumerate(level.owners)}
    return [places[owner] for owner in owners]


def _pairs_of_long(levels: List[Level], tops: List[bytes]) -> Iterator[_Pair]:
    """Of chains beyond _LONG: each cell there with the few last before it that have its tophash."""
    last: Dict[Tuple[int, int], Deque[Tuple[Level, int]]] = {}
    for level, cells in zip(levels, tops):
        for position, top in enumerate(cells):
            if top < MIN_TOP_HASH:
                continue
            before = last.setdefault((level.owners[position // CELLS], top), deque(maxlen=_FEW))
            for pair in before if level.chain > _LONG else ():
                yield (*pair, level, position)
            before.append((level, position))


def _name(level: Level, position: int) -> str:
    """A cell, for a reader."""
    index, cell = divmod(position, CELLS)
    chain = f", overflow bucket {level.chain}" if level.chain else ""
    return f"{level.array.name} bucket {level.owners[index]}{chain}, cell {cell}"


def _place(level: Level, position: int) -> Place:
    return level.addresses[position // CELLS], position % CELLS


def _light(level: Level) -> Level:
    """A level to be kept, without its buckets."""
    return replace(level, data=memoryview(b""))


def _slot(layout: BucketLayout, level: Level, position: int) -> bytes:
    """The key slot of a cell."""
    index, cell = divmod(position, CELLS)
    start = index * layout.size + layout.key_offset(cell)
    return bytes(level.data[start : start + layout.keysize])


def _halves(data: bytes) -> Tuple[bytes, bytes]:
    middle = len(data) // 2
    return data[:middle], data[middle:]


def _for_cells(of_buckets: bytes) -> bytes:
    """A byte of each bucket, for each of its cells."""
    result = bytearray(CELLS * len(of_buckets))
    for cell in range(CELLS):
        result[cell::CELLS] = of_buckets
    return bytes(result)


def _not_first(cells: int) -> int:
    """A byte of ones for each cell but the first of each bucket."""
    return int.from_bytes((b"\0" + b"\xff" * (CELLS - 1)) * (cells // CELLS), "little")


def _ones(flags: int, number: int) -> Iterator[int]:
    """Positions of the bytes that are 1."""
    if flags:
        data = (flags & ((1 << 8 * number) - 1)).to_bytes(number, "little")
        at = data.find(1)
        while at >= 0:
            yield at
            at = data.find(1, at + 1)


def _zeros(data: bytes) -> Iterator[int]:
    at = data.find(0)
    while at >= 0:
        yield at
        at = data.find(0, at + 1)

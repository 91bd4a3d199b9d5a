# SPDX-License-Identifier: MIT
"""A map of 8-cell buckets that grows incrementally: Go's classic map and ours.

What this knows: how arrays, marks and counts fit together (runtime/map.go, Go
1.17 to 1.23), given a header that a flavour has read. What it must not know:
where the header's fields lie and where types come from.
"""

import struct
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .buckets import (
    CELLS,
    EVACUATED_X,
    EVACUATED_Y,
    MIN_TOP_HASH,
    STATES,
    BucketArray,
    BucketLayout,
    Level,
    Tally,
    Walker,
)
from .columns import LiveCells, Place
from .errors import Corrupt, TypeNeeded, UsageError
from .memory import ADDRESS_LIMIT, Memory
from .types import Kind, Type
from .values import Decoded, Unreadable
from .view import (
    Bucket,
    Candidate,
    Cell,
    Chain,
    Column,
    Distribution,
    EntryBatch,
    Found,
    Growth,
    KeyTest,
    MapView,
    Progress,
    Summary,
    Where,
    no_progress,
)

FLAG_NAMES = ((1, "iterator"), (2, "oldIterator"), (4, "hashWriting"), (8, "sameSizeGrow"))
HASH_WRITING = 4

#: 2^B buckets of at least 24 bytes end below ADDRESS_LIMIT
MAX_B = 43

#: the right bytes of key and element slots, where they are known and memory may be wrong
_Patches = Dict[Place, Tuple[Optional[bytes], Optional[bytes]]]


@dataclass
class Header:
    """An hmap with every state between two stores resolved.

    :ivar oldbuckets: 0 unless a growth is installed
    :ivar kind: of the growth; None when there is none
    :ivar old_B: log2 of the old array's buckets
    """

    count: int
    flags: int
    B: int
    noverflow: int
    hash0: int
    buckets: int
    oldbuckets: int = 0
    nevacuate: int = 0
    kind: Optional[str] = None
    old_B: int = 0
    flag_names: Tuple[Tuple[int, str], ...] = FLAG_NAMES

    def validate(self, where: int) -> None:
        """:raises Corrupt: if no map can look like that"""
        if self.B > MAX_B or self.old_B > MAX_B:
            raise Corrupt(
                f"no map at {where:#x}: B is {self.B} (2^{self.B} buckets), "
                f"at most {MAX_B} expected"
            )
        for name, pointer in (("buckets", self.buckets), ("oldbuckets", self.oldbuckets)):
            if pointer and (pointer % 8 or not 4096 <= pointer < ADDRESS_LIMIT):
                raise Corrupt(
                    f"no map at {where:#x}: {name} is {pointer:#x}, no array can be there"
                )
        if self.oldbuckets and not self.buckets:
            raise Corrupt(f"no map at {where:#x}: oldbuckets is set but buckets is nil")


@dataclass
class Writing:
    """What is known of a write that is stopped half-way.

    :ivar evacuating: old buckets that may be half moved
    :ivar copies_late: a new cell's tophash is set before its key and element
        are copied (Go), not after (the runtime)
    :ivar pending: cells whose tophash is set but whose key may not be; with
        the key's bytes where they are known
    :ivar cleared: the map is being cleared; what is left in it does not count
    """

    evacuating: List[int] = field(default_factory=list)
    copies_late: bool = False
    pending: Dict[Place, Optional[bytes]] = field(default_factory=dict)
    cleared: bool = False


@dataclass
class _Moving:
    """The entry that is between its mark and the end of its copy."""

    where: Where
    place: Place
    target: Optional[Place]  # its new cell, if that is live already
    key: bytes
    elem: bytes


class ClassicMap(MapView):
    """A classic map.

    :ivar header: None for a nil map
    :ivar layout: None where the type is not known (then: header only)
    :param hasher: the hash of a key's bytes, where it can be computed: given
        (bytes of the key, or of a string's text), or None
    """

    def __init__(
        self,
        memory: Memory,
        address: Optional[int],
        type_name: str,
        key: Optional[Type],
        elem: Optional[Type],
        header: Optional[Header],
        layout: Optional[BucketLayout],
        load_limit: Callable[[int], int],
        writing: Optional[Writing] = None,
        spare: Optional[Callable[[], Optional[int]]] = None,
        hasher: Optional[Callable[[KeyTest], Optional[int]]] = None,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self.writing = writing or Writing()
        self._load_limit = load_limit
        self._spare = spare
        self._hasher = hasher
        self._moving_cache: Optional[List[_Moving]] = None
        if header is not None and address is not None:
            header.validate(address)
            cells = CELLS << header.B
            if header.count > 1 << 47 or (header.count >> 24 and header.count > 64 * cells):
                self.problems.append(
                    f"count is {header.count}, impossible for {1 << header.B} buckets"
                )
            if header.count and not header.buckets:
                self.problems.append(f"count is {header.count}, but there are no buckets")
            if header.oldbuckets and header.nevacuate > 1 << header.old_B:
                self.problems.append(
                    f"nevacuate is {header.nevacuate}, beyond the {1 << header.old_B} old buckets"
                )

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.count if self.header else 0

    def load_factor(self) -> float:
        return self.count / (1 << self.header.B) if self.header else 0.0

    def header_form(self) -> Dict[str, object]:
        header = self.header
        if header is None:
            return {
                "flags": [],
                "hash0": 0,
                "B": 0,
                "buckets": 0,
                "bucket_bytes": self.layout.size if self.layout else None,
                "load_factor": 0.0,
                "grows_above": self._load_limit(0),
                "noverflow": 0,
            }
        known = sum(bit for bit, _ in header.flag_names)
        names = [name for bit, name in header.flag_names if header.flags & bit]
        names += [f"unknown bit {1 << i}" for i in range(8) if header.flags & ~known & 1 << i]
        return {
            "flags": names,
            "hash0": header.hash0,
            "B": header.B,
            "buckets": 1 << header.B,
            "bucket_bytes": self.layout.size if self.layout else None,
            "load_factor": self.load_factor(),
            "grows_above": self._load_limit(header.B),
            "noverflow": header.noverflow,
        }

    def growth(self) -> Optional[Growth]:
        header = self.header
        if header is None or header.kind is None:
            return None
        return Growth(header.kind, 1 << header.old_B, header.nevacuate)

    # --- arrays ---

    def _arrays(self) -> Tuple[Optional[BucketArray], Optional[BucketArray]]:
        """(new, old)"""
        header = self.header
        if header is None or not header.buckets or self.writing.cleared:
            return None, None
        new = BucketArray("new", header.buckets, 1 << header.B)
        if not header.oldbuckets:
            return new, None
        return new, BucketArray("old", header.oldbuckets, 1 << header.old_B)

    def _walker(self) -> Walker:
        if self.layout is None:
            raise TypeNeeded(f"map at {self.address or 0:#x}")
        return Walker(self.memory, self.layout, self.problems)

    def _is_writing(self) -> bool:
        return self.header is not None and bool(self.header.flags & HASH_WRITING)

    def _chunks(self, progress: Progress) -> Iterator[List[Level]]:
        """All chunks of both arrays, those of the new one first."""
        arrays = [array for array in self._arrays() if array]
        if not arrays:
            return
        walker = self._walker()
        total = sum(array.count for array in arrays)
        done = 0
        for array in arrays:
            base = done

            def step(part: int, _: int, base: int = base) -> None:
                progress(base + part, total)

            into_evacuated = array.name == "new" or self._is_writing()
            yield from walker.walk(array, into_evacuated, step)
            done += array.count

    # --- inspect, stats ---

    def progress(self) -> Optional[float]:
        growth = self.growth()
        _, old = self._arrays()
        if growth is None or old is None:
            return None
        if self.layout is None:
            return growth.nevacuate / growth.old_buckets
        evacuated = sum(head.evacuated(self.layout).count(1) for head in self._walker().heads(old))
        return evacuated / growth.old_buckets

    def _tallies(self, cells: bool, progress: Progress) -> Tuple[Tally, Tally]:
        """Counts of the new and of the old array."""
        arrays = self._arrays()
        total = sum(array.count for array in arrays if array)
        tallies: List[Tally] = []
        done = 0
        for array in arrays:
            if array is None:
                tallies.append(Tally())
                continue
            base = done

            def step(part: int, _: int, base: int = base) -> None:
                progress(base + part, total)

            nevacuate = self.header.nevacuate if self.header else 0
            into_evacuated = array.name == "new" or self._is_writing()
            tallies.append(self._walker().tally(array, nevacuate, into_evacuated, cells, step))
            done += array.count
        return tallies[0], tallies[1]

    def summary(self, progress: Progress = no_progress) -> Summary:
        result = Summary(growth=self.growth())
        if self.layout is None:
            return result
        layout = self.layout
        new, old = self._arrays()
        in_new, in_old = self._tallies(False, progress)
        moving = sum(1 for m in self._moving() if m.target is None)
        result.chains = dict(sorted(in_new.chains.items()))
        self._compare_count(in_new.live + in_old.live + moving)
        result.overflow_in_use = in_new.overflow + in_old.overflow
        result.bytes_overflow = result.overflow_in_use * layout.size
        result.bytes_buckets = new.count * layout.size if new else 0
        result.bytes_old = old.count * layout.size if old else 0
        result.spare = self._spare() if self._spare else 0
        if result.growth is not None and old is not None:
            result.growth.evacuated = in_old.evacuated
            result.growth.ahead = in_old.ahead
            result.growth.entries_moved = in_new.live + moving
            result.growth.entries_waiting = in_old.live
        return result

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        layout = self._walker().layout
        new, old = self._arrays()
        in_new, in_old = self._tallies(True, progress)
        histograms = [
            dict(sorted((counted or {}).items()))
            for counted in (in_new.cells, in_new.chains, in_old.cells, in_old.chains)
        ]
        if new and old:
            # Evacuated old buckets and the new buckets that nothing was moved to yet
            # are empty by design: they say nothing about the hash.
            idle = self._idle_new(in_old.evacuated)
            for histogram, value, number in zip(
                histograms, (0, 1, 0, 1), (idle, idle, in_old.evacuated, in_old.evacuated)
            ):
                left = histogram.get(value, 0) - number
                histogram.pop(value, None)
                if left > 0:
                    histogram[value] = left
            histograms = [dict(sorted(histogram.items())) for histogram in histograms]
        cells, chains, old_cells, old_chains = histograms
        entries = in_new.live + in_old.live
        overflow = in_new.overflow + in_old.overflow
        total = layout.size * ((new.count if new else 0) + (old.count if old else 0) + overflow)
        keys = self.key.size if self.key else layout.keysize
        elems = self.elem.size if self.elem else layout.elemsize
        slots = (8 + keys if layout.indirect_key else keys) + (
            8 + elems if layout.indirect_elem else elems
        )
        outside = (keys if layout.indirect_key else 0) + (elems if layout.indirect_elem else 0)
        larger = max((cells, old_cells), key=lambda histogram: sum(histogram.values()))
        return Distribution(
            cells=cells,
            chains=chains,
            old_cells=old_cells,
            old_chains=old_chains,
            entries=entries,
            uniformity=_dispersion(larger),
            bytes_total=total + entries * outside,
            bytes_used=entries * slots,
            bytes_retained_old=layout.size * ((old.count if old else 0) + in_old.overflow),
            bytes_overflow=layout.size * overflow,
        )

    def _idle_new(self, evacuated: int) -> int:
        """New buckets whose old bucket is not evacuated."""
        assert self.header is not None
        remaining = (1 << self.header.old_B) - evacuated
        if self.header.B >= self.header.old_B:
            return remaining << (self.header.B - self.header.old_B)
        return 0

    # --- entries ---

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        if self.header is None:
            return
        self.types()
        self._walker()
        moving = self._moving()
        patches: _Patches = {place: (key, None) for place, key in self.writing.pending.items()}
        for move in moving:
            if move.target is not None:
                patches[move.target] = (move.key, move.elem)
        live = 0
        for levels in self._chunks(progress):
            batch = self._batch(levels, patches)
            if batch is not None:
                live += len(batch.order)
                yield batch
        for move in moving:
            if move.target is None:
                live += 1
                yield self._moving_batch(move)
        self._compare_count(live)

    def _compare_count(self, live: int) -> None:
        """Note when count and cells disagree, except while a write is half done."""
        if live != self.count and not self._is_writing() and not self.problems:
            self.problems.append(f"count is {self.count}, but {live} live cells were found")

    def _batch(self, levels: List[Level], patches: _Patches) -> Optional[EntryBatch]:
        layout = self.layout
        assert layout is not None
        cells = LiveCells(levels, layout)
        if not len(cells):
            return None
        key_type, elem_type = self.types()
        batch = EntryBatch(
            cells.column(self.memory, key_type, layout.keys, layout.keysize, layout.indirect_key),
            cells.column(
                self.memory, elem_type, layout.elems, layout.elemsize, layout.indirect_elem
            ),
            cells.order(),
            cells.where,
        )
        for place, (key, elem) in patches.items():
            number = cells.number_of(place)
            if number is not None:
                changed = self._patch(batch.keys, number, key, layout.indirect_key)
                changed |= self._patch(batch.elems, number, elem, layout.indirect_elem)
                # a pending cell is being written whatever its key holds
                if changed or place in self.writing.pending:
                    batch.in_flight[number] = True
        return batch

    def _patch(self, column: Column, number: int, slot: Optional[bytes], indirect: bool) -> bool:
        """Put what is really meant where a stopped write has half done it.

        :param slot: the slot's right bytes, if they are known
        :return: whether the column held something else
        """
        if slot is None:
            return False
        found: Optional[bytes] = slot
        if indirect:
            pointer = int.from_bytes(slot, "little")
            found = self.memory.gather([pointer], column.type.size)[0]
        if found == column.data(number):
            return False
        column.put(number, found)
        return True

    def _moving_batch(self, move: _Moving) -> EntryBatch:
        """The entry in flight, read where it still is."""
        layout = self.layout
        assert layout is not None
        address, cell = move.place
        key_type, elem_type = self.types()
        columns = []
        for type, data, offset, indirect in (
            (key_type, move.key, layout.key_offset(cell), layout.indirect_key),
            (elem_type, move.elem, layout.elem_offset(cell), layout.indirect_elem),
        ):
            place = address + offset
            found: Optional[bytes] = data
            if indirect:
                place = int.from_bytes(data, "little")
                found = self.memory.gather([place], type.size)[0]
            columns.append(Column(type, None, [found], [place].__getitem__))
        return EntryBatch(columns[0], columns[1], [0], lambda _: move.where, {0: True})

    # --- the entry that a stopped evacuation is moving ---

    def _moving(self) -> List[_Moving]:
        if self._moving_cache is None:
            self._moving_cache = []
            new, old = self._arrays()
            if new and old and self.layout is not None:
                for bucket in sorted(set(self.writing.evacuating)):
                    if bucket < old.count:
                        move = self._moving_in(new, old, bucket)
                        if move is not None:
                            self._moving_cache.append(move)
        return self._moving_cache

    def _moving_in(self, new: BucketArray, old: BucketArray, bucket: int) -> Optional[_Moving]:
        """The last marked cell of an old chain, if its copy is not complete.

        The new cell of the n-th X mark is the n-th cell of the X chain, since
        evacuation alone fills that chain while it runs (evacuate in
        runtime/map.go); so for Y.
        """
        layout = self.layout
        assert layout is not None
        walker = self._walker()
        ranks = {EVACUATED_X: 0, EVACUATED_Y: 0}
        last: Optional[Tuple[int, int, bytes, int, int, int]] = None
        for chain, (address, data) in enumerate(walker.chain(old, bucket)):
            for cell in range(CELLS):
                mark = data[cell]
                if mark in ranks:
                    last = (address, cell, data, chain, mark, ranks[mark])
                    ranks[mark] += 1
        if last is None:
            return None
        address, cell, data, chain, mark, rank = last
        key, elem = self._slots(data, cell)
        target = self._target_cell(new, old, bucket, mark, rank)
        where = Where("old", bucket, chain, cell)
        if target is None:
            return _Moving(where, (address, cell), None, key, elem)
        if not self.writing.copies_late:
            return None
        # New cells are zero before they are written and old ones are zero when they
        # were cleared: where the two differ, the byte that is not zero is right.
        new_key, new_elem = self._slots(target[1], target[2])
        return _Moving(
            where, (address, cell), (target[0], target[2]), _or(key, new_key), _or(elem, new_elem)
        )

    def _target_cell(
        self, new: BucketArray, old: BucketArray, bucket: int, mark: int, rank: int
    ) -> Optional[Tuple[int, bytes, int]]:
        """(bucket address, its bytes, cell) of a moved cell, if it is live yet."""
        index = self._target_bucket(new, old, bucket, mark)
        chain = self._walker().chain(new, index)
        at, cell = divmod(rank, CELLS)
        if at >= len(chain) or chain[at][1][cell] < MIN_TOP_HASH:
            return None
        return chain[at][0], chain[at][1], cell

    @staticmethod
    def _target_bucket(new: BucketArray, old: BucketArray, bucket: int, mark: int) -> int:
        if mark == EVACUATED_Y:
            bucket += old.count
        return bucket & (new.count - 1)

    def _slots(self, data: bytes, cell: int) -> Tuple[bytes, bytes]:
        layout = self.layout
        assert layout is not None
        key, elem = layout.key_offset(cell), layout.elem_offset(cell)
        return data[key : key + layout.keysize], data[elem : elem + layout.elemsize]

    # --- one bucket ---

    def chain(self, index: int, old: bool) -> Chain:
        new_array, old_array = self._arrays()
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
        walker = self._walker()
        layout = walker.layout
        ranks = {EVACUATED_X: 0, EVACUATED_Y: 0}
        unfinished = {m.place for m in self._moving() if m.target is None}
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
                    key, elem = self._slots(data, cell)
                    shown.key = self._slot_value(
                        self.key, key, address + shown.key_offset, layout.indirect_key
                    )
                    shown.value = self._slot_value(
                        self.elem, elem, address + shown.elem_offset, layout.indirect_elem
                    )
                    shown.in_flight = (address, cell) in self.writing.pending
                elif top in ranks and old and new_array and old_array:
                    at, place = divmod(ranks[top], CELLS)
                    target = self._target_bucket(new_array, old_array, index, top)
                    shown.moved_to = Where("new", target, at, place)
                    shown.in_flight = (address, cell) in unfinished
                    ranks[top] += 1
                cells.append(shown)
            overflow = int.from_bytes(data[layout.overflow : layout.overflow + 8], "little")
            buckets.append(Bucket(address, position, overflow, layout.overflow, cells))
        evacuated = bool(buckets) and EVACUATED_X <= buckets[0].cells[0].tophash < MIN_TOP_HASH
        return Chain(array.name, index, evacuated, buckets)

    def _slot_value(self, type: Type, slot: bytes, address: int, indirect: bool) -> Decoded:
        if not indirect:
            return self.decoder.decode(type, slot, address)
        pointer = int.from_bytes(slot, "little")
        data = self.memory.gather([pointer], type.size)[0]
        if data is None:
            return Unreadable(f"cannot read {type.size} bytes at {pointer:#x}")
        return self.decoder.decode(type, data, pointer)

    # --- find ---

    def find(self, test: KeyTest) -> Found:
        if self.header is None or not self.header.buckets:
            return Found(None, None, "hash", "the map has no buckets", [], 0, 0)
        key_hash = self._hasher(test) if self._hasher else None
        if key_hash is None:
            return self._find_by_scan(test)
        top = key_hash >> 56
        if top < MIN_TOP_HASH:
            top += MIN_TOP_HASH
        new, old = self._arrays()
        if new is None:
            return Found(key_hash, top, "hash", "the map is being cleared", [], 0, 0)
        candidates, array, index = self._candidates(key_hash, new, old)
        result = Found(key_hash, top, "hash", "", candidates, 0, 0)
        for where, key, elem, address in self._live_cells(array, index, result, top):
            if test.matches(key):
                result.key, result.value = key, elem
                result.elem_address, result.where = address, where
                return result
        # An entry in flight is in neither chain's live cells.
        for move in self._moving():
            if old and move.target is None and move.where.bucket == key_hash & (old.count - 1):
                batch = self._moving_batch(move)
                if test.matches(batch.keys.value(0, self.decoder)):
                    _take(result, batch, 0, self.decoder)
        if result.where is None and not self._hashes_agree():
            result = self._find_by_scan(test)
            result.note = (
                "the program hashes keys in another way than these scripts compute: "
                "all entries were looked at"
            )
        return result

    def _hashes_agree(self) -> bool:
        """Whether the computed hash of some key in the map fits its tophash."""
        assert self._hasher is not None
        for batch in self.entries():
            for index in batch.order:
                data = batch.keys.data(index)
                key = batch.keys.value(index, self.decoder)
                if isinstance(key, str):
                    text: Optional[bytes] = key.encode("utf-8")
                else:
                    text = key if isinstance(key, bytes) else None
                where = batch.where(index)
                new, old = self._arrays()
                array = new if where.array == "new" else old
                known = self._hasher(KeyTest(lambda _: False, data, text))
                if known is None or array is None or index in batch.in_flight:
                    continue
                cells = self._walker().chain(array, where.bucket)[where.chain][1]
                top = known >> 56
                return cells[where.cell] == (top if top >= MIN_TOP_HASH else top + MIN_TOP_HASH)
        return True

    def _candidates(
        self, key_hash: int, new: BucketArray, old: Optional[BucketArray]
    ) -> Tuple[List[Candidate], BucketArray, int]:
        """Where the key could be, and the one chain where it is looked for."""
        index = key_hash & (new.count - 1)
        if old is None:
            reason = "the map is not growing"
            return [Candidate("new", index, True, reason)], new, index
        old_index = key_hash & (old.count - 1)
        chain = self._walker().chain(old, old_index)
        head = chain[0][1][0] if chain else 0
        if EVACUATED_X <= head < MIN_TOP_HASH:
            reason = f"old bucket {old_index} is evacuated"
            both = [
                Candidate("old", old_index, False, reason),
                Candidate("new", index, True, reason),
            ]
            if not any(top >= MIN_TOP_HASH for _, data in chain for top in data[:CELLS]):
                return both, new, index
            # stopped inside evacuate: what is not marked yet is still here
            reason = f"old bucket {old_index} is being evacuated: both hold entries"
            both = [
                Candidate("old", old_index, True, reason),
                Candidate("new", index, True, reason),
            ]
            return both, old, old_index
        reason = f"old bucket {old_index} is not evacuated"
        return (
            [
                Candidate("old", old_index, True, reason),
                Candidate("new", index, False, reason),
            ],
            old,
            old_index,
        )

    def _live_cells(
        self, array: BucketArray, index: int, result: Found, top: int
    ) -> Iterator[Tuple[Where, Decoded, Decoded, int]]:
        """Cells with this tophash in the authoritative chains, counted as they go."""
        layout = self.layout
        assert layout is not None
        key_type, elem_type = self.types()
        places = [(array, index)]
        for candidate in result.candidates:
            if candidate.authoritative and candidate.array != array.name:
                new, _ = self._arrays()
                assert new is not None
                places.append((new, candidate.bucket))
        for place, bucket in places:
            for chain, (address, data) in enumerate(self._walker().chain(place, bucket)):
                result.chain_hops += 1 if chain else 0
                for cell in range(CELLS):
                    if data[cell] == 0:
                        break  # emptyRest ends the search
                    if data[cell] != top:
                        continue
                    result.cells_compared += 1
                    key, elem = self._slots(data, cell)
                    key_at = address + layout.key_offset(cell)
                    elem_at = address + layout.elem_offset(cell)
                    elem_address = (
                        int.from_bytes(elem, "little") if layout.indirect_elem else elem_at
                    )
                    yield (
                        Where(place.name, bucket, chain, cell),
                        self._slot_value(key_type, key, key_at, layout.indirect_key),
                        self._slot_value(elem_type, elem, elem_at, layout.indirect_elem),
                        elem_address,
                    )

    def _find_by_scan(self, test: KeyTest) -> Found:
        result = Found(
            None,
            None,
            "scan",
            "the hash of this key type cannot be computed outside the program: "
            "all entries were looked at",
            [],
            0,
            0,
        )
        for batch in self.entries():
            index = _find_in(batch, test, self.decoder, result)
            if index is None:
                continue
            _take(result, batch, index, self.decoder)
            where = result.where
            assert where is not None
            new, old = self._arrays()
            result.chain_hops = where.chain
            if where.array == "old" or old is None:
                reason = (
                    "the map is not growing"
                    if old is None
                    else f"old bucket {where.bucket} is not evacuated"
                )
                result.candidates = [Candidate(where.array, where.bucket, True, reason)]
            else:
                home = where.bucket & (old.count - 1)
                reason = f"old bucket {home} is evacuated"
                result.candidates = [
                    Candidate("old", home, False, reason),
                    Candidate("new", where.bucket, True, reason),
                ]
            break
        return result


def _take(result: Found, batch: EntryBatch, index: int, decoder: Any) -> None:
    result.key = batch.keys.value(index, decoder)
    result.value = batch.elems.value(index, decoder)
    result.elem_address = batch.elems.address(index)
    result.where = batch.where(index)
    result.in_flight = index in batch.in_flight


def _find_in(batch: EntryBatch, test: KeyTest, decoder: Any, result: Found) -> Optional[int]:
    """The index of the entry whose key passes the test."""
    type = batch.keys.type
    scalars = batch.keys.scalars()
    if scalars is not None and test.data is not None and type.kind is not Kind.FLOAT:
        wanted = struct.unpack("<" + (type.scalar_format or "B"), test.data)[0]
        result.cells_compared += len(scalars)
        try:
            return scalars.index(wanted)
        except ValueError:
            return None
    length = None if test.text is None else len(test.text).to_bytes(8, "little")
    for index in batch.order:
        result.cells_compared += 1
        if length is not None and type.kind is Kind.STRING:
            raw = batch.keys.data(index)
            if raw is None or raw[type.len_offset : type.len_offset + 8] != length:
                continue
        if test.matches(batch.keys.value(index, decoder)):
            return index
    return None


def _or(first: bytes, second: bytes) -> bytes:
    return bytes(a | b for a, b in zip(first, second))


def _dispersion(cells: Dict[int, int]) -> Optional[float]:
    """Variance / mean of entries per bucket: about 1 where the hash is uniform."""
    buckets = sum(cells.values())
    entries = sum(n * number for n, number in cells.items())
    if not buckets or not entries:
        return None
    mean = entries / buckets
    variance = sum(number * (n - mean) ** 2 for n, number in cells.items()) / buckets
    return variance / mean

# SPDX-License-Identifier: MIT
"""A map of 8-cell buckets that grows incrementally, read: Go's classic map and ours.

What this knows: how arrays, marks and counts fit together (runtime/map.go, Go
1.17 to 1.23), given a header that a flavour has read. What it must not know:
where the header's fields lie and where types come from; how keys are looked up and maps checked.
"""

from dataclasses import replace
from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..cells.columns import LiveCells, Place
from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, Level
from ..cells.marks import CELLS, TOP_HASHES
from ..errors import TypeNeeded
from ..kernels.native import LEAST, kernels_for
from ..maps.batches import Column, EntryBatch, Where, pieces_of
from ..maps.facts import Growth, Held
from ..maps.hash_use import HashUse
from ..maps.problems import Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.view import Hashing, MapView
from ..program.hashing import KeyHash
from ..program.memory import Memory
from ..program.types import Kind, Type
from .bucket_facts import BucketFacts
from .header import HASH_WRITING, Header, Writing
from .moving import Moving, find_moving
from .walker import Walker

#: chunks whose scattered keys and elements are read together: in Python each of those takes 200
#: bytes meanwhile, a kernel needs 60
_GROUP, _KERNELS_GROUP = 12, 32

#: the right bytes of key and element slots, where they are known and memory may be wrong
_Patches = Dict[Place, Tuple[Optional[bytes], Optional[bytes]]]


class ClassicReader(MapView):
    """A classic map, as lookups and checks read it.

    :ivar header: None for a nil map
    :ivar layout: None where the type is not known (then: header only)
    :ivar fast: of Go: "_fast64" or the like where the program's lookups may be of that variant
    :param held: the memory that it holds, given the overflow buckets in use of the new
        and of the old array where they were counted
    :param overflow: overflow buckets in use of the new array, as far as the header tells
    :param hashing: gives the map's hash function; called once, when it is needed
    """

    fast: str = ""
    samples_pieces = True

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
        hashing: Optional[Hashing] = None,
        held: Optional[Callable[[Optional[int], Optional[int]], Held]] = None,
        overflow: Optional[Callable[[], Optional[int]]] = None,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self.writing = writing or Writing()
        self._load_limit = load_limit
        self._spare = spare
        self._held = held
        self._overflow = overflow
        self._hashing = hashing
        self._hash: Optional[Tuple[Optional[KeyHash], str]] = None
        self._moving_cache: Optional[List[Moving]] = None
        if header is not None and address is not None:
            header.validate(address)
            cells = CELLS << header.B
            impossible = partial(Problem, code="header", address=address)
            if header.count > 1 << 47 or (header.count >> 24 and header.count > 64 * cells):
                self.problems.append(
                    impossible(f"count is {header.count}, impossible for {1 << header.B} buckets")
                )
            if header.count and not header.buckets:
                self.problems.append(
                    impossible(f"count is {header.count}, but there are no buckets")
                )
            if header.oldbuckets and header.nevacuate > 1 << header.old_B:
                text = (
                    f"nevacuate is {header.nevacuate}, beyond the {1 << header.old_B} old buckets"
                )
                self.problems.append(Problem(text, "nevacuate", address))

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.count if self.header else 0

    def load_factor(self) -> float:
        return self.count / (1 << self.header.B) if self.header else 0.0

    def facts(self) -> BucketFacts:
        header, size = self.header, self.layout.size if self.layout else None
        if header is None:
            return BucketFacts((), 0, 0, size, 0.0, self._load_limit(0), 0, 0)
        return BucketFacts(
            header.flags_set() if header.flags else (),
            header.hash0,
            1 << header.B,
            size,
            self.load_factor(),
            self._load_limit(header.B),
            header.B,
            header.noverflow,
        )

    def growth(self) -> Optional[Growth]:
        header = self.header
        if header is None or header.kind is None or self.writing.cleared:
            return None
        return Growth(header.kind, 1 << header.old_B, header.nevacuate)

    def overflow_in_use(self) -> Optional[int]:
        return self._overflow() if self._overflow else None

    def held(self) -> Held:
        return self._held_with(None, None)

    def _held_with(self, overflow: Optional[int], old_overflow: Optional[int]) -> Held:
        held = self._held(overflow, old_overflow) if self._held else Held()
        layout = self.layout
        if layout is None or not (layout.indirect_key or layout.indirect_elem):
            return held
        keys = self.key.size if self.key and layout.indirect_key else 0
        elems = self.elem.size if self.elem and layout.indirect_elem else 0
        return replace(held, indirect=self.count * (keys + elems))

    # --- arrays ---

    def arrays(self) -> Tuple[Optional[BucketArray], Optional[BucketArray]]:
        """(new, old)"""
        header = self.header
        if header is None or not header.buckets or self.writing.cleared:
            return None, None
        new = BucketArray("new", header.buckets, 1 << header.B)
        if not header.oldbuckets:
            return new, None
        return new, BucketArray("old", header.oldbuckets, 1 << header.old_B)

    def walker(self) -> Walker:
        """Walks this map's arrays."""
        if self.layout is None:
            raise TypeNeeded(f"map at {self.address or 0:#x}")
        return Walker(self.memory, self.layout, self.problems)

    def is_writing(self) -> bool:
        """Whether a write is under way, or was when the program died."""
        return self.header is not None and bool(self.header.flags & HASH_WRITING)

    def _chunks(self, progress: Progress) -> Iterator[List[Level]]:
        """All chunks of both arrays, those of the new one first."""
        arrays = [array for array in self.arrays() if array]
        if not arrays:
            return
        walker = self.walker()
        total = sum(array.count for array in arrays)
        done = 0
        for array in arrays:
            base = done

            def step(part: int, _: int, base: int = base) -> None:
                progress(base + part, total)

            into_evacuated = array.name == "new" or self.is_writing()
            yield from walker.walk(array, into_evacuated, step)
            done += array.count

    # --- inspect, stats ---

    def progress(self) -> Optional[float]:
        growth = self.growth()
        _, old = self.arrays()
        if growth is None or old is None:
            return None
        if self.layout is None:
            return growth.nevacuate / growth.old_buckets
        evacuated = sum(head.evacuated(self.layout).count(1) for head in self.walker().heads(old))
        return None if is_cut_short(self.problems) else evacuated / growth.old_buckets

    # --- entries ---

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        if self.header is None:
            return
        self.types()
        self.walker()
        moving = self.moving()
        patches = self.patches()
        live = 0
        for levels in self._groups(progress):
            batch = self._batch(levels, patches)
            if batch is not None:
                live += len(batch.order)
                yield batch
            del batch, levels  # before the next ones are read
        for move in moving:
            if move.target is None:
                live += 1
                yield self.moving_batch(move)
        self._compare_count(live)

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        if self.count <= most:
            yield from self.entries(progress)
            return
        walker, patches = self.walker(), self.patches()
        for array in self.arrays():
            if array is None:
                continue
            into_evacuated = array.name == "new" or self.is_writing()
            for first, number in pieces_of(array.count, most / self.count):
                progress(first, array.count)
                levels = walker.piece(array, first, number, into_evacuated)
                batch = self._batch(levels, patches) if levels else None
                if batch is not None:
                    yield batch

    def hash_use(self) -> Optional[HashUse]:
        new, old = self.arrays()
        if new is None:
            return None
        sizes = {array.name: array.count for array in (new, old) if array}
        common = min(sizes.values()) - 1

        def seen(where: Where, top: Optional[int]) -> Optional[int]:
            return None if top is None else where.bucket & common | top << 56

        def fits(where: Where, top: Optional[int], number: int) -> bool:
            bucket = number & (sizes[where.array] - 1)
            return where.bucket == bucket and top == TOP_HASHES[number >> 56]

        mask, tops = new.count - 1, 0xFF << 56
        return HashUse(
            new.count, mask.__and__, mask, tops, seen, common | tops, fits, "bucket", "tophash"
        )

    def patches(self) -> _Patches:
        """Slots that are really meant in cells that a stopped write has half done."""
        patches: _Patches = {place: (key, None) for place, key in self.writing.pending.items()}
        for move in self.moving():
            if move.target is not None:
                patches[move.target] = (move.key, move.elem)
        return patches

    def _groups(self, progress: Progress) -> Iterator[List[Level]]:
        """Chunks; several at once where keys or elements lie all over memory.

        The more of those are asked for at once, the more of them lie close together.
        """
        layout = self.layout
        assert layout is not None
        scattered = layout.indirect_key or layout.indirect_elem
        scattered |= any(type.kind is Kind.STRING for type in self.types())
        group: List[Level] = []
        chunks, wanted = 0, 1
        most = _GROUP if kernels_for(LEAST) is None else _KERNELS_GROUP
        for levels in self._chunks(progress):
            if group and group[0].array is not levels[0].array:
                yield group
                group, chunks = [], 0
            group.extend(levels)
            chunks += 1
            if not scattered or chunks >= wanted:
                yield group
                group, chunks, wanted = [], 0, min(most, 2 * wanted)
        if group:
            yield group

    def _compare_count(self, live: int) -> None:
        """Note when count and cells disagree, except while a write is half done."""
        if live != self.count and not self.is_writing() and not self.problems:
            text = f"count is {self.count}, but {live} live cells were found"
            self.problems.append(Problem(text, "count", self.address))

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
            marks=cells.mark,
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

    def moving_batch(self, move: Moving) -> EntryBatch:
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

    # --- one bucket ---

    def moving(self) -> List[Moving]:
        """Entries that a stopped evacuation is moving."""
        if self._moving_cache is None:
            new, old = self.arrays()
            self._moving_cache = []
            if new and old and self.layout is not None:
                self._moving_cache = find_moving(self.walker(), new, old, self.writing)
        return self._moving_cache

    def has_buckets(self) -> bool:
        """Whether anything was ever written to it."""
        return self.header is not None and bool(self.header.buckets)

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        if self._hash is None:
            self._hash = self._hashing() if self._hashing else super().hashing()
        return self._hash

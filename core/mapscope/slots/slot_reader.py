# SPDX-License-Identifier: MIT
"""A table of slots: its header, its control bytes, its entries."""

from functools import lru_cache
from itertools import compress
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import MemoryUnreadable
from ..maps.batches import Where
from ..maps.facts import Coverage, Growth, Held
from ..maps.problems import Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.view import Hashing, MapView
from ..program.hashing import KeyHash
from ..program.memory import CHUNK, Memory
from ..program.types import Type
from .slot_facts import SlotFacts
from .slot_layout import Control, SlotHeader, SlotLayout

#: entries that are taken apart together, and bytes of them
TOGETHER, _TOGETHER_BYTES = 1 << 13, 16 << 20


class PlaceWhere(Where):
    """The place of an entry: its group, and its slot there."""

    def json_form(self) -> Dict[str, object]:
        return {"group": self.bucket, "slot": self.cell}

    def text(self) -> str:
        return f"group {self.bucket}, slot {self.cell}"


class SlotReader(MapView):
    """One table.

    :param elem: VOID of a set
    :param hash_name: of the program's hash function
    :param hashing: gives it, or why it cannot be computed
    """

    unit = "group"
    cells = "slots"
    mark = "control byte"
    has_overflow = False

    def __init__(
        self,
        memory: Memory,
        address: int,
        type_name: str,
        key: Type,
        elem: Type,
        header: SlotHeader,
        layout: SlotLayout,
        control: Control,
        hash_name: str,
        hashing: Hashing,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self.control = control
        self._hash_name = hash_name
        self._hashing = lru_cache(maxsize=None)(hashing)  # it may look at hundreds of entries
        self._marks: Optional[bytes] = None
        self.last_bytes = b""  # of groups whose last byte is their own

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.count

    def facts(self) -> SlotFacts:
        header, control = self.header, self.control
        left = header.growth_left
        return SlotFacts(
            flags=(),
            hash0=0,
            buckets=-(-header.slots // control.group),
            bucket_bytes=None,
            load_factor=self.load_factor(),
            grows_above=None if left is None else header.count + left,
            hash=self._hash_name,
            hash_stored=False,
            max_load_factor=None,
            slots=header.slots,
            slot_bytes=abs(self.layout.stride),
            growth_left=left,
        )

    def growth(self) -> Optional[Growth]:
        return None

    def progress(self) -> Optional[float]:
        return None

    def overflow_in_use(self) -> Optional[int]:
        return None

    def held(self) -> Optional[Held]:
        header, layout = self.header, self.layout
        nodes = header.count * layout.size if layout.indirect else None
        return Held(buckets=header.array_bytes, header=header.size, nodes=nodes)

    def load_factor(self) -> Optional[float]:
        return self.header.count / self.header.slots if self.header.slots else 0.0

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        return self._hashing()

    # --- all of it ---

    def marks(self, progress: Progress = no_progress) -> bytes:
        """The control byte of each slot, of as many as can be read; what cannot be is noted."""
        if self._marks is None:
            header, control = self.header, self.control
            groups = -(-header.slots // control.group)
            size = header.slots
            if control.group_bytes != control.group:
                size = groups * control.group_bytes
            found = header.marks
            if found is None:
                found = self._bytes(header.control, size, progress)
            if control.group_bytes != control.group:
                kept = bytearray(found)
                self.last_bytes = bytes(found[control.group_bytes - 1 :: control.group_bytes])
                for extra in range(control.group, control.group_bytes):
                    # from the last one on, so that the others stay where they are
                    del kept[control.group :: control.group_bytes - (extra - control.group)]
                found = bytes(kept)[: header.slots]
            self._marks = found
            live = len(found.translate(control.live).replace(b"\0", b""))
            if not is_cut_short(self.problems) and live != header.count:
                text = (
                    f"the table counts {header.count} entries, and {live} slots have one "
                    "(it is being changed, or damaged)"
                )
                self.problems.append(Problem(text, "count", self.address))
        return self._marks

    def _bytes(self, address: int, size: int, progress: Progress) -> bytes:
        """What of so many bytes can be read."""
        pieces: List[bytes] = []
        place, left = address, size
        while left:
            step = min(left, CHUNK)
            try:
                pieces.append(bytes(self.memory.read_chunk(place, step)))
            except MemoryUnreadable as error:
                done = self._some(pieces, place, step)
                if done < step:
                    text = f"control bytes end after {size - left + done} of {size}: {error}"
                    self.problems.append(Problem(text, "unreadable", error.address))
                    break
            place, left = place + step, left - step
            progress(size - left, size)
        return b"".join(pieces)

    def _some(self, pieces: List[bytes], place: int, size: int) -> int:
        """Takes what can be read of a piece, page by page; how much that was."""
        done = 0
        while done < size:
            step = min(4096 - (place + done) % 4096, size - done)
            try:
                pieces.append(bytes(self.memory.read_chunk(place + done, step)))
            except MemoryUnreadable:
                break
            done += step
        return done

    def live_slots(self, progress: Progress = no_progress) -> List[int]:
        """The slots that have an entry."""
        marks = self.marks(progress)
        return list(compress(range(len(marks)), marks.translate(self.control.live)))

    def slot_address(self, slot: int) -> int:
        """Of a slot."""
        return self.header.first + slot * self.layout.stride

    def entries_at(self, slots: Sequence[int]) -> Tuple[List[int], List[Optional[bytes]]]:
        """The addresses of the entries in slots, and their bytes, padded to whole words."""
        first, stride, layout = self.header.first, self.layout.stride, self.layout
        places = [first + slot * stride for slot in slots]
        if layout.indirect:
            pointers = self.memory.gather(places, 8)
            places = [int.from_bytes(pointer or b"", "little") for pointer in pointers]
        rows = self.memory.gather(places, layout.size)
        if layout.size % 8:
            padding = bytes(-layout.size % 8)
            rows = [None if row is None else row + padding for row in rows]
        return places, rows

    def batches(
        self, progress: Progress = no_progress
    ) -> Iterator[Tuple[Sequence[int], List[int], List[Optional[bytes]]]]:
        """(slots, addresses of their entries, bytes of those), of all entries."""
        slots = self.live_slots(progress)
        self.memory.keep_more()
        most = max(1, min(TOGETHER, _TOGETHER_BYTES // self.layout.size))
        for first in range(0, len(slots), most):
            some = slots[first : first + most]
            progress(first, len(slots))
            yield (some, *self.entries_at(some))

    def where(self, slot: int) -> Where:
        """The place of a slot."""
        group, index = divmod(slot, self.control.group)
        return PlaceWhere("", group, None, index)

    def coverage(self) -> Optional[Coverage]:
        """The groups that were looked at, and all, if not all could be."""
        if not is_cut_short(self.problems):
            return None
        group = self.control.group
        return -(-len(self._marks or b"") // group), -(-self.header.slots // group)

    @property
    def row_size(self) -> int:
        """Bytes of what entries_at() gives for each."""
        return self.layout.size + -self.layout.size % 8

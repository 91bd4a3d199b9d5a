# SPDX-License-Identifier: MIT
"""Entries that lie in the slots of an array; a lookup goes on from the slot of the hash to the
next ones, up to one that is empty."""

from typing import Dict, Iterator, List, Tuple

from ...chained.two_tables import Piece
from ...errors import MapscopeError, MemoryUnreadable
from ...maps.batches import NodeWhere, Where
from ...maps.problems import MAX_PROBLEMS
from .entry_columns import DescribedEntries

#: slots that are read one by one where a piece of the array cannot be read
_FEW = 512
#: bytes of slots that are read at once
_CHUNK = 1 << 20


class SlotWhere(NodeWhere):
    """The place of an entry: the array "old" or "new", and the slot."""

    def json_form(self) -> Dict[str, object]:
        return {"array": self.array, "slot": self.bucket}

    def text(self) -> str:
        return f"{self.array} slot {self.bucket}"


class SlotArray(DescribedEntries):
    """The slots of one table."""

    probes = True

    def walk(self, table: int, first: int, end: int) -> Iterator[Piece]:
        step = max(_CHUNK // self.shape.stride, 1)
        for start in range(first, end, step):
            yield from self._some(table, start, min(start + step, end))

    def _some(self, table: int, first: int, end: int) -> Iterator[Piece]:
        if self.gave_up:
            return
        stride, live = self.shape.stride, self.shape.live
        base = self.bucket_address(table, first)
        try:
            raw = bytes(self.memory.read_chunk(base, stride * (end - first)))
        except MemoryUnreadable as error:
            if end - first > _FEW:
                middle = (first + end) // 2
                yield from self._some(table, first, middle)
                yield from self._some(table, middle, end)
                return
            text = f"{self.tables.array(table)} slots {first} to {end - 1}: {error}"
            self.note(text, "unreadable", error.address, table, first)
            self.gave_up = len(self.problems) >= MAX_PROBLEMS
            return
        slots: List[int] = []
        assert live is not None
        for at in range(end - first):
            row = raw[at * stride : (at + 1) * stride]
            try:
                if live.value(self.env(base + at * stride, row)):
                    slots.append(first + at)
            except MapscopeError as error:
                text = f"{self.tables.array(table)} slot {first + at}: {error}"
                self.note(text, "unreadable", base + at * stride, table, first + at)
                self.gave_up = len(self.problems) >= MAX_PROBLEMS
                if self.gave_up:
                    break
        if slots:
            links = [self.bucket_address(table, slot) for slot in slots]
            zeros = [0] * len(slots)
            piece = Piece(table, slots, zeros, zeros, links, links, links, links, links)
            if self.tables.migrating:
                # an entry is copied before its old slot is emptied: its key tells it
                keys = self.keys(piece)
                raws = [keys.data(at) for at in range(len(slots))]
                piece.ids = [
                    link if raw is None else -1 - int.from_bytes(raw, "little")
                    for link, raw in zip(links, raws)
                ]
            yield piece

    def where(self, piece: Piece, index: int, array: str) -> Where:
        return SlotWhere(array, piece.buckets[index], 0, 0)

    def run(self, table: int, home: int, size: int) -> Iterator[Tuple[int, Piece]]:
        """(slot, its entry) from a slot on, cyclically, up to one that is empty; slots whose
        entries were deleted have none."""
        for step in range(size):
            slot = (home + step) % size
            piece = next(self.walk(table, slot, slot + 1), None)
            if piece is None and not self._is_deleted(table, slot):
                return
            yield slot, piece or Piece(table)

    def empty(self, table: int, first: int, end: int) -> List[int]:
        """Slots that neither have an entry nor had one."""
        live = {slot for piece in self.walk(table, first, end) for slot in piece.buckets}
        return [
            slot
            for slot in range(first, end)
            if slot not in live and not self._is_deleted(table, slot)
        ]

    def _is_deleted(self, table: int, slot: int) -> bool:
        deleted = self.shape.deleted
        if deleted is None:
            return False
        try:
            return deleted.truth(self.env(self.bucket_address(table, slot)))
        except MapscopeError:
            return False

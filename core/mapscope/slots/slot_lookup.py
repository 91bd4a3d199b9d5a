# SPDX-License-Identifier: MIT
"""A lookup in a table of slots: the table's own where its hashes are known, else among all
entries."""

from typing import Dict, List

from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder
from ..program.values import Decoded, Unreadable
from .slot_reader import SlotReader
from .windows import fits, windows


class GroupCandidate(Candidate):
    """A group that has the key."""

    def place(self) -> Dict[str, object]:
        return {"group": self.bucket}

    def text(self) -> str:
        return f"group {self.bucket}"


class SlotsCandidate(Candidate):
    """The slots from one on that a lookup looks at together; the bucket is the first of them."""

    def place(self) -> Dict[str, object]:
        return {"slot": self.bucket}

    def text(self) -> str:
        return f"slots from {self.bucket} on"


class SlotFinder(Finder):
    """Finds keys in one table that is not empty."""

    def __init__(self, map: SlotReader) -> None:
        super().__init__(map)
        self._map = map

    def find(self, test: KeyTest) -> Found:
        result = super().find(test)
        where = result.where
        if where is not None and where.cell is not None:
            slot = where.bucket * self._map.control.group + where.cell
            result.tophash = self._map.marks()[slot]
        return result

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        map = self._map
        mark, marks = self._mark(key_hash), map.marks()
        result = Found(key_hash, mark, "hash", "", [], 0, 0)
        by_groups = bool(map.control.ways)
        for place, window, ends in windows(map, key_hash):
            if result.candidates:
                result.chain_hops += 1
            slots = [slot for slot in window if marks[slot] == mark]
            places, rows = map.entries_at(slots)
            at, size = map.layout.key, map.types()[0].size
            reason = f"no control byte is {mark:#04x}"
            for slot, where, row in zip(slots, places, rows):
                result.cells_compared += 1
                reason = "no key there is the wanted one"
                raw = None if row is None else row[at : at + size]
                key = Unreadable("") if raw is None else self._decoded(raw, where + at)
                result.unread += isinstance(key, Unreadable)
                if row is not None and test.matches(key):
                    reason = "its control byte and key are the wanted ones"
                    result.candidates.append(self._looked_in(place, reason))
                    self._take(result, slot, where, row, key)
                    return result
            if by_groups:
                reason += "; it says that no" if ends else "; it says that a"
                reason += " key of this class lies further on"
            else:
                reason += "; it has an empty slot" if ends else "; no slot is empty"
            reason += ": the search ends" if ends else ""
            result.candidates.append(self._looked_in(place, reason))
        return result

    def _looked_in(self, place: int, reason: str) -> Candidate:
        if self._map.control.ways:
            return GroupCandidate("", place // self._map.control.group, True, reason)
        return SlotsCandidate("", place, True, reason)

    def _decoded(self, raw: bytes, address: int) -> Decoded:
        return self._map.decoder.decode(self._map.types()[0], raw, address)

    def _take(self, result: Found, slot: int, where: int, row: bytes, key: Decoded) -> None:
        elem, at = self._map.types()[1], self._map.layout.elem
        result.key = key
        result.value = self._map.decoder.decode(elem, row[at : at + elem.size], where + at)
        result.elem_address = where + at
        result.where = self._map.where(slot)

    def _mark(self, key_hash: int) -> int:
        mark = self._map.control.mark
        assert mark is not None, "the hash is known"
        return mark(key_hash)

    def fits(self, where: Where, key_hash: int) -> bool:
        slot = where.bucket * self._map.control.group + (where.cell or 0)
        return fits(self._map, slot, key_hash)

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        slot = where.bucket * self._map.control.group + (where.cell or 0)
        if self._map.marks()[slot] != self._mark(key_hash):
            return (
                f"the control byte of its hash is {self._mark(key_hash):#04x}, and it has another"
            )
        if self._map.control.ways:
            return "a lookup comes to a group before that says that it needs not go on"
        return "a lookup comes to an empty slot before"

    def candidates(self, where: Where) -> List[Candidate]:
        return [GroupCandidate("", where.bucket, True, "it was found there")]

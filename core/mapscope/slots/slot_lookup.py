# SPDX-License-Identifier: MIT
"""A lookup in a table of slots: the table's own where its hashes are known, else among all
entries."""

from typing import Dict, List

from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder
from ..program.values import Decoded, Unreadable
from .slot_reader import SlotReader


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
        mark, marks, count = self._mark(key_hash), map.marks(), map.header.slots
        result = Found(key_hash, mark, "hash", "", [], 0, 0)
        empty = self._empty()
        place, step, group = key_hash % count, 0, map.control.group
        while step < count + group:
            window = [(place + at) % count for at in range(min(group, count))]
            slots = [slot for slot in window if slot < len(marks) and marks[slot] == mark]
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
                    result.candidates.append(SlotsCandidate("", place, True, reason))
                    self._take(result, slot, where, row, key)
                    return result
            ends = count < group or any(s < len(marks) and marks[s] == empty for s in window)
            reason += "; it has an empty slot: the search ends" if ends else "; no slot is empty"
            result.candidates.append(SlotsCandidate("", place, True, reason))
            if ends:
                break
            step += group
            place = (place + step) % count
            result.chain_hops += 1
        return result

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

    def _empty(self) -> int:
        return next(byte for byte, name in self._map.control.names.items() if name == "empty")

    def fits(self, where: Where, key_hash: int) -> bool:
        slot = where.bucket * self._map.control.group + (where.cell or 0)
        return self._map.marks()[slot] == self._mark(key_hash)

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        if not self.fits(where, key_hash):
            return (
                f"the control byte of its hash is {self._mark(key_hash):#04x}, and it has another"
            )
        return "a lookup comes to an empty slot before"

    def candidates(self, where: Where) -> List[Candidate]:
        return [GroupCandidate("", where.bucket, True, "it was found there")]

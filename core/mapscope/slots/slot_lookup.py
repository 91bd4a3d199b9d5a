# SPDX-License-Identifier: MIT
"""A lookup in a table of slots: among all entries, as libraries mix hashes with what only the
process knows."""

from typing import Dict, List

from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder
from .slot_reader import SlotReader


class GroupCandidate(Candidate):
    """A group that has the key."""

    def place(self) -> Dict[str, object]:
        return {"group": self.bucket}

    def text(self) -> str:
        return f"group {self.bucket}"


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
        raise NotImplementedError

    def fits(self, where: Where, key_hash: int) -> bool:
        return False

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        return ""

    def candidates(self, where: Where) -> List[Candidate]:
        return [GroupCandidate("", where.bucket, True, "it was found there")]

# SPDX-License-Identifier: MIT
"""Child buckets that a step of 8.1's migration holds in registers.

rehashStep (src/hashtable.c, 8.1) moves a bucket's own entries, marks it as without children, and
then moves and frees one child after the other: they hang on `b` and `next` alone. So words in
registers and on the stacks of threads are tried: a child bucket is one whose entries all have
hashes that belong to the old bucket that is being moved, and the stored bytes of those hashes.
"""

from typing import Dict, Iterator, List, Set, Tuple

from ...chained.two_tables import Lost, Piece
from ...errors import MapscopeError, MemoryUnreadable
from ...maps.problems import Problem
from ...maps.view import Hashing
from ...program.memory import ADDRESS_LIMIT
from ...session import Session
from .table_header import BUCKET
from .table_nodes import TableNodes

_WORDS, _THREADS, _LONGEST = 512, 64, 1 << 12


class FindChildren:
    """Finds the lost entries of one hashtable.

    :param hashing: gives its hash function
    """

    def __init__(self, session: Session, hashing: Hashing) -> None:
        self._session = session
        self._hashing = hashing

    def __call__(self, nodes: TableNodes, moved: Set[int], found: Tuple[int, int]) -> Lost:
        """:param moved: old buckets that have entries which were seen in both tables"""
        missing = nodes.tables.count - sum(found)
        if not missing and found[1] == nodes.tables.used[1]:
            return Lost()
        known, why = self._hashing()
        words = list(dict.fromkeys(self._words()))
        if known is None or not words:
            return Lost(None, _problem(missing, why or "no thread's registers can be read"))
        reached = self._reached(nodes)
        lost: Dict[int, Piece] = {}
        for word in words:
            for piece in self._chain(nodes, word):
                for at, id in enumerate(piece.ids):
                    if id not in reached:
                        lost[id] = piece.only([at])
        if lost and abs(missing - len(lost)) <= 1:
            return Lost(_joined(list(lost.values())))
        if lost or missing > 0 or missing < -1:
            return Lost(None, _problem(missing, "threads' registers and stacks do not show them"))
        return Lost()

    def _words(self) -> Iterator[int]:
        memory = self._session.memory
        for _, thread in zip(range(_THREADS), self._session.target.threads()):
            registers = thread.registers()
            yield from registers.values()
            sp = registers.get("rsp", 0)
            for count in (_WORDS, 32):
                try:
                    yield from memoryview(memory.read(sp & ~7, 8 * count)).cast("Q").tolist()
                    break
                except MemoryUnreadable:
                    continue

    def _reached(self, nodes: TableNodes) -> "set[int]":
        """Entries of the old bucket that is being moved, in both tables."""
        tables, ids = nodes.tables, set()
        places = [(0, tables.index)] if tables.index < tables.sizes[0] else []
        places += [(1, to) for to in tables.destinations(tables.index)]
        for table, at in places:
            for piece in nodes.walk(table, at, at + 1):
                ids.update(piece.ids)
        return ids

    def _chain(self, nodes: TableNodes, word: int) -> Iterator[Piece]:
        """Child buckets from an address on, as long as they are some of the moved bucket's."""
        known, _ = self._hashing()
        assert known is not None
        mask, index = nodes.tables.sizes[0] - 1, nodes.tables.index
        for _ in range(_LONGEST):
            if word % 8 or not 4096 <= word < ADDRESS_LIMIT:
                return
            try:
                raw = self._session.memory.read(word, BUCKET)
                piece, children = nodes.take(0, [index], [word], raw, 1)
                keys = nodes.keys(piece)
                slots = [keys.data(at) or b"" for at in range(len(piece))]
                hashes = known.many(slots)
            except MapscopeError:
                return
            for at, key_hash in enumerate(hashes):
                if key_hash is None or key_hash & mask != index:
                    return
                if key_hash >> 56 != raw[1 + piece.cells[at]]:
                    return
            if piece:
                yield piece
            if not children:
                return
            word = children[0][1]


def _joined(pieces: List[Piece]) -> Piece:
    joined = Piece(0)
    for piece in pieces:
        for name in ("buckets", "nodes", "cells", "links", "slots"):
            getattr(joined, name).extend(getattr(piece, name))
    joined.ids = joined.keys = joined.values = joined.links
    return joined


def _problem(missing: int, why: str) -> Problem:
    what = f"{missing} entries are" if missing > 1 else "some entries may be"
    return Problem(
        f"cannot tell: {what} on the way from the old table to the new, in neither: {why}", "lost"
    )

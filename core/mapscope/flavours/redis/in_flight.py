# SPDX-License-Identifier: MIT
"""Entries that a step of the migration holds in registers.

dictRehash moves a chain entry by entry: `de->next = table1[h]; table1[h] = de; used[0]--;
used[1]++; de = nextde`, and empties the old bucket at last (src/dict.c). In between the rest of
the chain hangs on `de` and `nextde` alone. So words in registers and on the stacks of threads are
tried: an entry is one of the lost ones if its key's hash belongs to an old bucket that is not
empty, no table leads to it, and all that were found so make the count that the header has.
"""

from typing import Dict, Iterator, List, Optional, Set

from ...chained.two_tables import Lost, Piece
from ...errors import MapscopeError, MemoryUnreadable
from ...maps.problems import Problem
from ...maps.view import Hashing
from ...program.memory import ADDRESS_LIMIT
from ...session import Session
from .dict_nodes import DictNodes
from .dict_types import NONE

#: words of each thread's stack that are tried, and threads
_WORDS, _THREADS = 512, 64
#: nodes of a chain that are followed
_LONGEST = 1 << 16


class FindLost:
    """Finds the lost entries of one dict.

    :param hashing: gives its hash function
    """

    def __init__(self, session: Session, hashing: Hashing) -> None:
        self._session = session
        self._hashing = hashing

    def __call__(self, nodes: DictNodes, moved: int, found: int) -> Lost:
        """:param moved: entries that were seen in both tables"""
        tables = nodes.tables
        missing = tables.count - found
        known, why = self._hashing()
        if known is None:
            return Lost(None, _problem(missing, why)) if missing or moved else Lost()
        words = list(self._words())
        if not words:
            return Lost(None, _problem(missing, "no thread's registers can be read"))
        chains: Dict[int, Piece] = {}
        reachable: Dict[int, Set[int]] = {}
        for word in dict.fromkeys(words):
            for link in self._links(nodes, word):
                self._try(nodes, link, chains, reachable)
        lost = _joined(chains)
        if abs(missing - len(lost)) <= 1 and lost:
            return Lost(lost)
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
                    raw = memory.read(sp & ~7, 8 * count)
                except MemoryUnreadable:
                    continue
                yield from memoryview(raw).cast("Q").tolist()
                break

    @staticmethod
    def _links(nodes: DictNodes, word: int) -> Iterator[int]:
        """What may be a pointer to an entry, or to a key that is one without its mark."""
        if 4096 <= word < ADDRESS_LIMIT:
            yield word
            if nodes.holds.value == NONE and not word & 7:
                yield word | 2

    def _try(
        self,
        nodes: DictNodes,
        link: int,
        chains: Dict[int, Piece],
        reachable: Dict[int, Set[int]],
    ) -> None:
        """Follow a chain that no table leads to, as far as that is so."""
        known, _ = self._hashing()
        assert known is not None
        tables, before = nodes.tables, len(nodes.problems)
        try:
            for _ in range(_LONGEST):
                piece, following = nodes.read(0, [0], [link])
                del nodes.problems[before:]  # whatever a register holds is no problem
                if not piece or piece.ids[0] in chains:
                    return
                key = nodes.keys(piece).data(0)
                key_hash = None if key is None else known.many([key])[0]
                if key_hash is None:
                    return
                bucket = key_hash & (tables.sizes[0] - 1)
                if tables.in_order and bucket != tables.index:
                    return
                if not self._session.memory.read_word(nodes.bucket_address(0, bucket)):
                    return  # the step has emptied it
                if piece.ids[0] in self._reached(nodes, bucket, reachable):
                    return
                piece.buckets[0] = bucket
                chains[piece.ids[0]] = piece
                if not following[0]:
                    return
                link = following[0]
        except MapscopeError:
            return
        finally:
            del nodes.problems[before:]

    def _reached(self, nodes: DictNodes, bucket: int, known: Dict[int, Set[int]]) -> Set[int]:
        """What tables lead to, of the entries that belong to an old bucket."""
        if bucket not in known:
            ids: Set[int] = set()
            places = [(0, bucket), *((1, to) for to in nodes.tables.destinations(bucket))]
            for table, at in places:
                for piece in nodes.walk(table, at, at + 1):
                    ids.update(piece.ids)
            known[bucket] = ids
        return known[bucket]


def _joined(chains: Dict[int, Piece]) -> Piece:
    joined = Piece(0)
    columns: List[str] = list(vars(joined))
    for piece in chains.values():
        for name in columns:
            if name != "table":
                getattr(joined, name).extend(getattr(piece, name))
    joined.nodes = [0] * len(joined)
    return joined


def _problem(missing: int, why: Optional[str]) -> Problem:
    what = f"{missing} entries are" if missing > 1 else "some entries may be"
    return Problem(
        f"cannot tell: {what} on the way from the old table to the new, in neither: {why}", "lost"
    )

# SPDX-License-Identifier: MIT
"""Entries that a step of the migration holds in registers.

dictRehash moves a chain entry by entry: `de->next = table1[h]; table1[h] = de; used[0]--;
used[1]++; de = nextde`, and empties the old bucket at last (src/dict.c). In between the rest of
the chain hangs on `de` and `nextde` alone. So words in registers and on the stacks of threads are
tried: an entry is one of the lost ones if its key's hash belongs to an old bucket that is not
empty, no table leads to it, and all that were found so make the count that the header has.
"""

import struct
from typing import Dict, Iterator, Optional, Set, Tuple

from ...chained.two_tables import Lost, Piece
from ...errors import MapscopeError, MemoryUnreadable
from ...maps.problems import Problem
from ...maps.view import Hashing
from ...program.hashing import KeyHash
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

    def __call__(self, nodes: DictNodes, moved: Set[int], found: Tuple[int, int]) -> Lost:
        """:param moved: old buckets that have entries which were seen in both tables"""
        missing = nodes.tables.count - sum(found)
        # if the entry that was linked last is counted, the count is that of all entries
        exact = found[1] == nodes.tables.used[1]
        if exact and not missing:
            return Lost()
        known, why = self._hashing()
        if known is None:
            return Lost(None, _problem(missing, why)) if missing or moved else Lost()
        words = list(self._words())
        if not words:
            return Lost(None, _problem(missing, "no thread's registers can be read"))
        search = _Search(self._session, nodes, known, moved)
        for word in dict.fromkeys(words):
            for link in self._links(nodes, word):
                search.follow(link)
        lost = search.joined()
        if exact and len(lost) == missing + 1 and len(search.bare) == 1:
            lost = search.joined(search.bare.pop())  # it is what the server looks for
        # otherwise one that is linked may be neither in the one count nor in the other
        more = len(lost) - missing
        if lost and (not more or (more == 1 and not exact and not search.bare)):
            return Lost(lost)
        if lost or missing > 0 or missing < -1:
            return Lost(None, _problem(missing, "threads' registers and stacks do not tell which"))
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


class _Search:
    """Entries that were found so far, by their ids.

    :ivar bare: ids of keys alone, which may be no entries: what the server looks for is a text, too
    """

    def __init__(self, session: Session, nodes: DictNodes, known: KeyHash, moved: Set[int]) -> None:
        self._session = session
        self._nodes = nodes
        self._hash = known
        self._moved = moved
        self._found: Dict[int, Piece] = {}
        self._texts: Set[bytes] = set()
        self._reached: Dict[int, Tuple[Set[int], Set[bytes]]] = {}
        self.bare: Set[int] = set()

    def follow(self, link: int) -> None:
        """Follow a chain that no table leads to, as far as that is so."""
        nodes, before = self._nodes, len(self._nodes.problems)
        try:
            for depth in range(_LONGEST):
                piece, following = nodes.read(0, [0], [link])
                del nodes.problems[before:]  # whatever a register holds is no problem
                if not piece or piece.ids[0] in self._found or not self._take(piece):
                    if piece and depth:
                        self.bare.discard(piece.ids[0])
                    return
                if not depth and piece.keys[0] == link & ~6:
                    self.bare.add(piece.ids[0])
                link = following[0]
                if not link:
                    return
        except MapscopeError:
            return
        finally:
            del nodes.problems[before:]

    def _take(self, piece: Piece) -> bool:
        """Take an entry for a lost one, if it is."""
        nodes, tables = self._nodes, self._nodes.tables
        slot = nodes.keys(piece).data(0)
        key_hash = None if slot is None else self._hash.many([slot])[0]
        if slot is None or key_hash is None:
            return False
        bucket = key_hash & (tables.sizes[0] - 1)
        if bucket != tables.index if tables.in_order else self._moved and bucket not in self._moved:
            return False
        if not self._session.memory.read_word(nodes.bucket_address(0, bucket)):
            return False  # the step has emptied it
        ids, texts = self._reachable(bucket)
        text = self._text(slot)
        if piece.ids[0] in ids or text in texts or text in self._texts:
            return False
        piece.buckets[0] = bucket
        self._found[piece.ids[0]] = piece
        self._texts.add(text)
        return True

    def _reachable(self, bucket: int) -> Tuple[Set[int], Set[bytes]]:
        """(ids, texts of keys) of what tables lead to, of those that belong to an old bucket."""
        nodes = self._nodes
        if bucket not in self._reached:
            ids: Set[int] = set()
            texts: Set[bytes] = set()
            places = [(0, bucket), *((1, to) for to in nodes.tables.destinations(bucket))]
            for table, at in places:
                for piece in nodes.walk(table, at, at + 1):
                    doubtful = set(nodes.doubtful(piece)) if not table else set()
                    keys = nodes.keys(piece)
                    for index in range(len(piece)):
                        slot = keys.data(index)
                        if index not in doubtful and slot is not None:
                            ids.add(piece.ids[index])
                            texts.add(self._text(slot))
            self._reached[bucket] = ids, texts
        return self._reached[bucket]

    def _text(self, slot: bytes) -> bytes:
        start, length = struct.unpack("<2Q", slot)
        return self._session.memory.read(start, length) if length else b""

    def joined(self, without: Optional[int] = None) -> Piece:
        """All of them, but for one id."""
        joined = Piece(0)
        for id, piece in self._found.items():
            if id == without:
                continue
            for name in vars(joined):
                if name != "table":
                    getattr(joined, name).extend(getattr(piece, name))
        joined.nodes = [0] * len(joined)
        return joined


def _problem(missing: int, why: Optional[str]) -> Problem:
    what = f"{missing} entries are" if missing > 1 else "some entries may be"
    return Problem(
        f"cannot tell: {what} on the way from the old table to the new, in neither: {why}", "lost"
    )

# SPDX-License-Identifier: MIT
"""The chains of a dict (src/dict.h, dict.c), and what the low bits of a pointer in them mean.

000  dictEntry{key 0, value 8, next 16}
xx1  the key itself, which is an sds (7.2 and later, dicts without values)
010  7.2, 7.4: dictEntryNoValue{key 0, next 8}; 8.0: the key itself
100  8.0: dictEntryNoValue; Valkey 8.0, of dicts with values: an entry that has its key in itself,
     {value 0, next 8, uint8 size of the key's header 16, header and key 17}
"""

import struct
from array import array
from itertools import compress
from typing import Callable, Iterator, List, Optional, Sequence, Set, Tuple

from ...chained.two_tables import Lost, Nodes, Piece, Tables
from ...errors import MemoryUnreadable
from ...maps.batches import Column
from ...maps.problems import MAX_PROBLEMS, Problem
from ...maps.view import Hashing
from ...program.memory import Memory
from ...program.types import Type
from ...program.values import Decoded, Decoder
from .dict_types import MILLISECONDS, MSTR, NONE, POINTER, ROBJ, SCORE, SDS, Holds
from .objects import Count, ObjectColumn
from .sds import is_text
from .text_column import TextColumn

_ENTRY, _SHORT = 24, 16
#: what a marked pointer leads to
NODE, SHORT_NODE, KEY = "entry", "entry without a value", "key"
OWNER = "entry with its key"
#: the mark of that, and where its key's header begins
_OWNS, _INSIDE = 4, 17
#: buckets that are read one by one where a piece of the table cannot be read
_FEW = 512

#: finds entries that no table leads to: (moved, found) -> them
FindLost = Callable[["DictNodes", Set[int], Tuple[int, int]], Lost]


class DictNodes(Nodes):
    """The chains of one dict."""

    def __init__(
        self,
        memory: Memory,
        tables: Tables,
        holds: Holds,
        count: Count,
        hashing: Hashing,
        find_lost: FindLost,
        held: Callable[[], Set[int]],
    ) -> None:
        self.problems = []
        self.tables = tables
        self.holds = holds
        self.memory = memory
        self._count = count
        self._hashing = hashing
        self._find_lost = find_lost
        self._held = held
        self._written: Optional[Set[int]] = None
        self._marked_2: Optional[str] = None

    def bucket_address(self, table: int, bucket: int) -> int:
        return self.tables.arrays[table] + 8 * bucket

    def child_bytes(self) -> int:
        # of a dict without values, some keys hang in the table itself
        return _ENTRY * self.tables.count if self.holds.value != NONE else 0

    # --- chains ---

    def walk(self, table: int, first: int, end: int) -> Iterator[Piece]:
        for start, heads in self._heads(table, first, end):
            buckets = list(compress(range(start, start + len(heads)), heads))
            yield from self._follow(table, buckets, list(filter(None, heads)))

    def _heads(self, table: int, first: int, end: int) -> Iterator[Tuple[int, Sequence[int]]]:
        """(first bucket, pointers) of what can be read of the table."""
        if self.gave_up:
            return
        try:
            raw = self.memory.read_chunk(self.bucket_address(table, first), 8 * (end - first))
            yield first, raw.cast("Q").tolist()
        except MemoryUnreadable as error:
            if end - first > _FEW:
                middle = (first + end) // 2
                yield from self._heads(table, first, middle)
                yield from self._heads(table, middle, end)
                return
            text = f"buckets {first} to {end - 1} of table {table}: {error}"
            self._note(text, "unreadable", error.address, table, first)
            self.gave_up = len(self.problems) >= MAX_PROBLEMS

    def _follow(self, table: int, buckets: List[int], links: List[int]) -> Iterator[Piece]:
        """Chains, all of them one node further at a time."""
        seen: Set[int] = set()
        depth = 0
        while links:
            buckets, links = self._unseen(table, buckets, links, seen)
            piece, following = self.read(table, buckets, links)
            piece.nodes = [depth] * len(piece)
            if piece:
                yield piece
            buckets = list(compress(piece.buckets, following))
            links = list(filter(None, following))
            depth += 1

    def _unseen(
        self, table: int, buckets: List[int], links: List[int], seen: Set[int]
    ) -> Tuple[List[int], List[int]]:
        """Those that were not followed before."""
        before = len(seen)
        if seen.isdisjoint(links):
            seen.update(links)
            if len(seen) == before + len(links):
                return buckets, links
            seen.difference_update(links)
        kept: List[Tuple[int, int]] = []
        for bucket, link in zip(buckets, links):
            if link in seen:
                text = (
                    f"bucket {bucket} of table {table}: its chain leads to the entry at "
                    f"{link & ~7:#x}, where it, or another, has been before"
                )
                self._note(text, "overflow-loop", link & ~7, table, bucket)
                continue
            seen.add(link)
            kept.append((bucket, link))
        return [bucket for bucket, _ in kept], [link for _, link in kept]

    def read(
        self, table: int, buckets: Sequence[int], links: Sequence[int]
    ) -> Tuple[Piece, List[int]]:
        """(entries, what follows each) of nodes that can be read."""
        marks = {low & 7 for low in set(array("Q", links).tobytes()[::8])}
        owns = marks == {_OWNS} and self.holds.value != NONE
        if marks == {0} or owns:
            at = [link - _OWNS for link in links] if owns else list(links)
            rows, unread = self.memory.gather_rows(at, _ENTRY)
            if not unread:
                words = memoryview(rows).cast("Q").tolist()
                keys, values, following = words[0::3], words[1::3], words[2::3]
                slots = [place + 8 for place in at]
                if owns:
                    keys = [place + _INSIDE + (word & 0xFF) for place, word in zip(at, following)]
                    values, following, slots = words[0::3], words[1::3], at
                cells = [0] * len(at)
                ids = keys if self.holds.value == NONE else at
                piece = Piece(table, list(buckets), cells, cells, list(links), ids, keys)
                piece.values, piece.slots = values, slots
                return piece, following
        return self._read_marked(table, buckets, links)

    def _read_marked(
        self, table: int, buckets: Sequence[int], links: Sequence[int]
    ) -> Tuple[Piece, List[int]]:
        """The same where pointers are marked, or lead nowhere."""
        piece, following = Piece(table), []
        self._decide(table, buckets, links)
        kinds = [self._kind(link) for link in links]
        raws = self.memory.gather([link & ~7 for link in links], _SHORT)
        ends = self.memory.gather([(link & ~7) + 16 for link in links], 8)
        for bucket, link, kind, raw, last in zip(buckets, links, kinds, raws, ends):
            at = link & ~7
            key, value, slot, after = (link if link & 1 else at), 0, 0, 0
            if kind in (NODE, SHORT_NODE, OWNER):
                if raw is None or (kind != SHORT_NODE and last is None):
                    text = f"bucket {bucket} of table {table}: no entry at {at:#x}, cannot read it"
                    self._note(text, "unreadable", at, table, bucket)
                    continue
                key, value = struct.unpack("<QQ", raw)
                slot = at + 8
                if kind == SHORT_NODE:
                    value, slot, after = 0, 0, value
                elif kind == OWNER:
                    value, slot, after = key, at, value
                    key = at + _INSIDE + (last or b"\0")[0]
                else:
                    after = int.from_bytes(last or b"", "little")
            elif kind is None:
                text = f"bucket {bucket} of table {table}: what {link:#x} means is not known"
                self._note(text, "unreadable", at, table, bucket)
                continue
            piece.buckets.append(bucket)
            piece.links.append(link)
            # a node of a dict without values may be given back, and its key put elsewhere
            piece.ids.append(key if self.holds.value == NONE else at)
            piece.keys.append(key)
            piece.values.append(value)
            piece.slots.append(slot)
            following.append(after)
        piece.nodes = piece.cells = [0] * len(piece.links)
        return piece, following

    def _kind(self, link: int) -> Optional[str]:
        """What a pointer leads to; None: not known."""
        mark = link & 7
        if not mark:
            return NODE
        if self.holds.value != NONE:
            return OWNER if mark == _OWNS else None
        if mark & 1:
            return KEY
        return SHORT_NODE if mark == 4 else self._marked_2 if mark == 2 else None

    def _decide(self, table: int, buckets: Sequence[int], links: Sequence[int]) -> None:
        """Versions differ in what 010 means: what there is tells. A key is a text whose hash
        belongs to its bucket."""
        if self._marked_2 is not None or self.holds.value != NONE:
            return
        for bucket, link in zip(buckets, links):
            if link & 7 != 2:
                continue
            at = link & ~7
            try:
                key = self.memory.read_word(at)
            except MemoryUnreadable:
                key = 0
            short, even = self._is_key(key, table, bucket), self._is_key(at, table, bucket)
            if short != even:
                self._marked_2 = SHORT_NODE if short else KEY
                return

    def _is_key(self, at: int, table: int, bucket: int) -> bool:
        mstr = self.holds.key == MSTR
        if self.holds.key == POINTER or not at or not is_text(self.memory, at, mstr):
            return False
        known, _ = self._hashing()
        if known is None:
            return True
        slot = TextColumn(self.memory, [at], mstr).data(0)
        key_hash = known.many([slot or b""])[0]
        return key_hash is not None and key_hash & (self.tables.sizes[table] - 1) == bucket

    def _note(self, text: str, code: str, address: int, table: int, bucket: int) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            array = self.tables.array(table)
            self.problems.append(Problem(text, code, address, array, bucket))

    # --- keys and values ---

    def keys(self, piece: Piece) -> Column:
        if self.holds.key == POINTER:
            return _words(self.holds.key_type, piece.keys, piece.slots)
        return TextColumn(self.memory, piece.keys, self.holds.key == MSTR)

    def sought(self, argument: int) -> Column:
        if self.holds.key == POINTER:
            return _words(self.holds.key_type, [argument], [0])
        # fields of hashes are looked for as sds, whatever they are kept as
        return TextColumn(self.memory, [argument])

    def values(self, piece: Piece) -> Column:
        kind, type = self.holds.value, self.holds.value_type
        if kind == ROBJ:
            return ObjectColumn(self.memory, piece.values, self._count)
        if kind == SDS:
            return TextColumn(self.memory, piece.values)
        if kind == NONE:
            return NoColumn(type, None, [b""] * len(piece), lambda index: 0)
        if kind == MILLISECONDS:
            return _words(type, piece.values, piece.slots, True)
        if kind == SCORE:
            raw = self.memory.gather(piece.values, 8)
            return Column(type, None, raw, lambda index: piece.values[index])
        return _words(type, piece.values, piece.slots)

    def doubtful(self, piece: Piece) -> Sequence[int]:
        """Of a dict without values, whose nodes may be given back while their bucket still leads
        to them (7.2 and later): keys that belong elsewhere."""
        if self.holds.value != NONE:
            return ()
        known, _ = self._hashing()
        if known is None:
            return ()
        slots = self.keys(piece).all_data(len(piece))
        mask = self.tables.sizes[0] - 1
        return [
            at
            for at, key_hash in enumerate(known.many([slot or b"" for slot in slots]))
            if key_hash is None or key_hash & mask != piece.buckets[at]
        ]

    def written(self, piece: Piece) -> Sequence[int]:
        """dictAddRaw links an entry before it has a key, and its caller stores the value."""
        if self._written is None:
            self._written = self._held()
        if not self._written or self._written.isdisjoint(piece.links):
            return ()
        return [at for at, link in enumerate(piece.links) if link in self._written]

    def lost(self, moved: Set[int], found: Tuple[int, int]) -> Lost:
        return self._find_lost(self, moved, found)


class NoColumn(Column):
    """Values of a map that has none."""

    def value(self, index: int, decoder: Decoder) -> Decoded:
        return None


def _words(type: Type, words: Sequence[int], slots: Sequence[int], signed: bool = False) -> Column:
    """A word for each."""
    raw = [word.to_bytes(8, "little") for word in words]
    numbers: Optional[List[object]] = None
    if signed:
        numbers = [word - (1 << 64) if word >> 63 else word for word in words]
    return Column(type, numbers, raw, lambda index: slots[index])

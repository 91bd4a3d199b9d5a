# SPDX-License-Identifier: MIT
"""The buckets of a hashtable (src/hashtable.c): 64 bytes, a byte whose bit 0 says that the last
position leads to a child bucket and whose bits 1 to 7 say which positions have entries, seven
bytes of hashes (their top 8 bits), seven pointers."""

from typing import Callable, Iterator, List, Sequence, Set, Tuple

from ...chained.two_tables import Lost, Nodes, Piece
from ...errors import MemoryUnreadable
from ...maps.batches import Column, Where
from ...maps.problems import MAX_PROBLEMS, Problem
from ...program.memory import Memory
from ..redis.text_column import TextColumn
from .table_header import BUCKET, TableHeader
from .valkey_entries import Entries

#: positions of a bucket; the last one may lead to a child
POSITIONS = 7
_CHAINED = 1
#: positions that have entries, by a bucket's first byte
_PRESENT = tuple(
    tuple(at for at in range(POSITIONS - (bits & 1)) if bits >> 1 >> at & 1) for bits in range(256)
)
#: buckets that are read one by one where a piece of the table cannot be read
_FEW = 64

#: finds entries that no table leads to: (moved, found) -> them
FindLost = Callable[["TableNodes", Set[int], Tuple[int, int]], Lost]


class TableNodes(Nodes):
    """The buckets of one hashtable.

    :param steps_lose: whether child buckets are unlinked before their entries are moved (8.1)
    :param keeps_old: whether buckets that are migrated can still be read (not since 9.1)
    """

    bucket_bytes = BUCKET
    tag_bits = 0xFF << 56

    def __init__(
        self,
        memory: Memory,
        header: TableHeader,
        entries: Entries,
        steps_lose: bool,
        keeps_old: bool,
        find_lost: FindLost,
    ) -> None:
        self.problems = []
        self.memory = memory
        self.tables = header.tables
        self.entries = entries
        self.loses = steps_lose
        self.keeps_old = keeps_old
        self._children = header.children
        self._linked = [0, 0]  # child buckets that a walk has come to
        self._find_lost = find_lost

    def bucket_address(self, table: int, bucket: int) -> int:
        return self.tables.arrays[table] + BUCKET * bucket

    def child_bytes(self) -> int:
        return BUCKET * sum(self._children[: 2 if self.tables.migrating else 1])

    def walk(self, table: int, first: int, end: int) -> Iterator[Piece]:
        for start, raw in self._read(table, first, end):
            seen: Set[int] = set()
            count = len(raw) // BUCKET
            address = self.bucket_address(table, start)
            buckets = list(range(start, start + count))
            addresses = [address + BUCKET * at for at in range(count)]
            depth = 0
            while buckets:
                piece, children = self.take(table, buckets, addresses, raw, depth)
                if piece:
                    yield piece
                buckets, addresses, raw = self._children_of(table, children, seen)
                depth += 1

    def _read(self, table: int, first: int, end: int) -> Iterator[Tuple[int, bytes]]:
        """(first bucket, bytes) of what can be read of the table."""
        if self.gave_up:
            return
        try:
            size = BUCKET * (end - first)
            yield first, bytes(self.memory.read_chunk(self.bucket_address(table, first), size))
        except MemoryUnreadable as error:
            if end - first > _FEW:
                middle = (first + end) // 2
                yield from self._read(table, first, middle)
                yield from self._read(table, middle, end)
                return
            text = f"buckets {first} to {end - 1} of table {table}: {error}"
            self._note(text, "unreadable", error.address, table, first)
            self.gave_up = len(self.problems) >= MAX_PROBLEMS

    @staticmethod
    def take(
        table: int, buckets: Sequence[int], addresses: Sequence[int], raw: bytes, depth: int
    ) -> Tuple[Piece, List[Tuple[int, int]]]:
        """(entries, (bucket, child bucket)) of buckets, the one behind the other in `raw`."""
        words = memoryview(raw).cast("Q").tolist()
        piece = Piece(table)
        children: List[Tuple[int, int]] = []
        for at, (bucket, address) in enumerate(zip(buckets, addresses)):
            bits = raw[BUCKET * at]
            if not bits:
                continue
            base = 8 * at + 1
            for position in _PRESENT[bits]:
                piece.buckets.append(bucket)
                piece.cells.append(position)
                piece.links.append(words[base + position])
                piece.slots.append(address + 8 + 8 * position)
            if bits & _CHAINED:
                children.append((bucket, words[base + POSITIONS - 1]))
        piece.nodes = [depth] * len(piece)
        piece.ids = piece.keys = piece.values = piece.links
        return piece, children

    def _children_of(
        self, table: int, children: List[Tuple[int, int]], seen: Set[int]
    ) -> Tuple[List[int], List[int], bytes]:
        """(buckets, addresses, bytes) of child buckets that can be read, each once."""
        kept: List[Tuple[int, int]] = []
        self._linked[table] += len(children)
        for bucket, child in children:
            if child in seen:
                text = (
                    f"bucket {bucket} of table {table}: its child at {child:#x} is another's, too"
                )
                self._note(text, "overflow-loop", child, table, bucket)
            else:
                seen.add(child)
                kept.append((bucket, child))
        raws = self.memory.gather([child for _, child in kept], BUCKET)
        for (bucket, child), raw in zip(kept, raws):
            if raw is None:
                text = f"bucket {bucket} of table {table}: no child bucket at {child:#x}"
                self._note(text + ", cannot read it", "unreadable", child, table, bucket)
        good = [(bucket, child) for (bucket, child), raw in zip(kept, raws) if raw is not None]
        data = b"".join([raw for raw in raws if raw is not None])
        return [bucket for bucket, _ in good], [child for _, child in good], data

    def _note(self, text: str, code: str, address: int, table: int, bucket: int) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            array = self.tables.array(table)
            self.problems.append(Problem(text, code, address, array, bucket))

    def oddities(self, quiet: bool) -> Iterator[Problem]:
        counted, linked = self._children[0], self._linked[0]
        # a write links one, or unlinks it, and then counts
        if self.tables.migrating or abs(counted - linked) <= (0 if quiet else 1):
            return
        text = f"the header counts {counted} child buckets, and {linked} are linked"
        if counted > linked:
            text += (
                f": {counted - linked} of {BUCKET} bytes each are lost, as 8.1 loses those of an "
                "empty table that shrinks"
            )
        yield Problem(text, "child-buckets", self.tables.arrays[0] or None)

    def keys(self, piece: Piece) -> Column:
        return self.entries.keys(piece.links)

    def sought(self, argument: int) -> Column:
        return TextColumn(self.memory, [argument])

    def values(self, piece: Piece) -> Column:
        return self.entries.values(piece.links, piece.slots)

    def where(self, piece: Piece, index: int, array: str) -> Where:
        return Where(array, piece.buckets[index], piece.nodes[index], piece.cells[index])

    def tag(self, piece: Piece, index: int) -> int:
        """The stored part of its hash."""
        at = piece.slots[index] - 8 * piece.cells[index] - 8
        return self.memory.read(at + 1 + piece.cells[index], 1)[0]

    def lost(self, moved: Set[int], found: Tuple[int, int]) -> Lost:
        return self._find_lost(self, moved, found)

# SPDX-License-Identifier: MIT
"""Entries that are nodes of chains, one chain for each bucket."""

from typing import Iterator, List, Optional, Sequence, Set, Tuple

from ...chained.two_tables import Piece
from ...errors import MapscopeError, MemoryUnreadable
from ...maps.problems import MAX_PROBLEMS
from .entry_columns import DescribedEntries
from .formulas import MASK

#: buckets that are read one by one where a piece of the table cannot be read
_FEW = 512


class NodeChains(DescribedEntries):
    """The chains of one table."""

    def walk(self, table: int, first: int, end: int) -> Iterator[Piece]:
        for start, heads in self._segments(table, first, end):
            pending = [(start + at, link) for at, link in enumerate(heads) if link]
            buckets = [bucket for bucket, _ in pending]
            yield from self._follow(table, buckets, [link for _, link in pending])

    def _segments(self, table: int, first: int, end: int) -> Iterator[Tuple[int, Sequence[int]]]:
        """(first bucket, pointers) of what can be read, segment by segment."""
        step = self.segment or max(end, 1)
        for start in range(first - first % step, end, step):
            yield from self._heads(table, max(first, start), min(end, start + step))

    def _heads(self, table: int, first: int, end: int) -> Iterator[Tuple[int, Sequence[int]]]:
        """(first bucket, pointers) of what can be read of the table."""
        if self.gave_up:
            return
        stride, head = self.shape.stride, self.shape.head
        try:
            raw = self.memory.read_chunk(self.bucket_address(table, first), stride * (end - first))
        except MemoryUnreadable as error:
            if end - first > _FEW:
                middle = (first + end) // 2
                yield from self._heads(table, first, middle)
                yield from self._heads(table, middle, end)
                return
            text = f"{self.tables.array(table)} buckets {first} to {end - 1}: {error}"
            self.note(text, "unreadable", error.address, table, first)
            self.gave_up = len(self.problems) >= MAX_PROBLEMS
            return
        if not stride % 8 and not head % 8:
            yield first, raw.cast("Q").tolist()[head // 8 :: stride // 8]
        else:
            places = range(head, len(raw), stride)
            yield first, [int.from_bytes(raw[at : at + 8], "little") for at in places]

    def _follow(self, table: int, buckets: List[int], links: List[int]) -> Iterator[Piece]:
        """Chains, all of them one node further at a time."""
        seen: Set[int] = set()
        depth = 0
        while links:
            buckets, links = self._unseen(table, buckets, links, seen)
            piece = Piece(table)
            following: List[int] = []
            for bucket, link, after in zip(buckets, links, self.after(links)):
                if after is None:
                    text = (
                        f"{self.tables.array(table)} bucket {bucket}: no entry at {link:#x}, "
                        "cannot read it"
                    )
                    self.note(text, "unreadable", link, table, bucket)
                    continue
                piece.buckets.append(bucket)
                piece.links.append(link)
                following.append(after)
            size = len(piece.links)
            piece.ids, piece.keys, piece.slots = piece.links, piece.links, piece.links
            piece.values, piece.nodes, piece.cells = piece.links, [depth] * size, [0] * size
            if piece:
                yield piece
            further = [(b, link) for b, link in zip(piece.buckets, following) if link]
            buckets, links = [b for b, _ in further], [link for _, link in further]
            depth += 1

    def after(self, links: Sequence[int]) -> List[Optional[int]]:
        """What each node leads to; None: it cannot be read."""
        following = self.shape.following
        found: List[Optional[int]] = []
        for env in self.each(links):
            try:
                assert following is not None
                found.append(None if env is None else following.value(env) & MASK)
            except MapscopeError:
                found.append(None)
        return found

    def _unseen(
        self, table: int, buckets: List[int], links: List[int], seen: Set[int]
    ) -> Tuple[List[int], List[int]]:
        """Those that were not followed before."""
        kept: List[Tuple[int, int]] = []
        for bucket, link in zip(buckets, links):
            if link in seen:
                if self.shared:
                    continue
                text = (
                    f"{self.tables.array(table)} bucket {bucket}: its chain leads to the entry at "
                    f"{link:#x}, where it, or another, has been before"
                )
                self.note(text, "overflow-loop", link, table, bucket)
                continue
            seen.add(link)
            kept.append((bucket, link))
        return [bucket for bucket, _ in kept], [link for _, link in kept]

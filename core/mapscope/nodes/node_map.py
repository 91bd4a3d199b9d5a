# SPDX-License-Identifier: MIT
"""A table of linked nodes: what commands ask of it."""

from functools import partial
from typing import Callable, Iterator, List, Optional, Sequence

from ..cells.columns import column_of
from ..errors import UsageError
from ..maps.batches import EntryBatch, Where, some_of
from ..maps.facts import Distribution, Node, NodeChain, Summary
from ..maps.found import Found, KeyTest
from ..maps.hash_use import HashUse
from ..maps.problems import Problem
from ..maps.progress import Progress, no_progress
from ..maps.report import Report
from .node_check import check_nodes
from .node_layout import histogram
from .node_lookup import NodeFinder
from .node_reader import TOGETHER, WORD, NodeReader


class NodeMap(NodeReader):
    """A table of linked nodes, with what commands ask of it."""

    # --- commands ---

    def summary(self, progress: Progress = no_progress) -> Summary:
        try:
            lengths = self.chain_lengths(progress)
        except KeyboardInterrupt:
            self._interrupted()
            return Summary(held=self.held(), read=(0, self.header.buckets))
        chains = histogram(lengths, self.pointers().count(0))
        return Summary(held=self.held(), chains=chains, read=self.coverage())

    def _interrupted(self) -> None:
        text = "interrupted: not all of the table was looked at"
        self.problems.append(Problem(text, "interrupted"))

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        try:
            lengths = self.chain_lengths(progress)
        except KeyboardInterrupt:
            self._interrupted()
            lengths = []
        header, read = self.header, self.coverage()
        held = self.held()
        entries, buckets = sum(lengths), len(self.pointers())
        whole = read is None and held is not None
        mean = entries / buckets if buckets else 0.0
        spread = sum(n * n for n in lengths) / buckets - mean * mean if buckets else 0.0
        key, elem = self.types()
        rebuilt: Optional[int] = None
        if held is not None and whole and header.max_load_factor:
            least = int(entries / header.max_load_factor) * WORD + header.size
            rebuilt = min(least + entries * self.layout.size, held.total)
        return Distribution(
            cells=histogram(lengths, self.pointers().count(0)),
            chains={},
            old_cells={},
            old_chains={},
            entries=entries if whole else None,
            uniformity=spread / mean if whole and mean and buckets > 1 else None,
            held=held,
            bytes_used=entries * (key.size + elem.size) if whole else None,
            bytes_rebuilt=rebuilt,
            read=read,
        )

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        for first, some, rows in self.batches(progress):
            yield self._batch(some, rows, partial(self._where_in, first))

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        nodes = self.nodes(progress)
        numbers = some_of(len(nodes), most)
        for first in range(0, len(numbers), TOGETHER):
            wanted = numbers[first : first + TOGETHER]
            progress(first, len(numbers))
            some = [nodes[number] for number in wanted]
            yield self._batch(some, self.rows(some), partial(self._where_of, wanted))

    def _batch(
        self, nodes: Sequence[int], rows: Sequence[Optional[bytes]], where: Callable[[int], Where]
    ) -> EntryBatch:
        """Entries as commands show them."""
        key, elem = self.types()
        layout = self.layout
        return EntryBatch(
            column_of(key, rows, layout.size, layout.key, _at(nodes, layout.key)),
            column_of(elem, rows, layout.size, layout.elem, _at(nodes, layout.elem)),
            range(len(nodes)),
            where,
            stored=None if layout.hash is None else partial(self._stored_in, rows),
        )

    def hash_use(self) -> Optional[HashUse]:
        header = self.header
        count, place = header.buckets, header.place
        power = not count & (count - 1)

        def seen(where: Where, mark: Optional[int]) -> Optional[int]:
            return where.bucket if power and where.bucket >= 0 else None

        def fits(where: Where, mark: Optional[int], number: int) -> bool:
            return where.bucket == place(number)

        bits = count - 1 if power else None
        return HashUse(count, place, bits, 0, seen, bits or 0, fits, "bucket", self.mark)

    def _where_of(self, numbers: Sequence[int], index: int) -> Where:
        return self.where(numbers[index])

    def _stored_in(self, rows: Sequence[Optional[bytes]], index: int) -> Optional[int]:
        return self.stored_hash(rows[index])

    def _where_in(self, first: int, index: int) -> Where:
        return self.where(first + index)

    def chain(self, index: int, old: bool) -> NodeChain:
        header = self.header
        if old:
            raise UsageError("this table has no old buckets: it grows within one call")
        if index >= header.buckets:
            last = header.buckets - 1
            raise UsageError(f"no bucket {index}: the table has {header.buckets}, 0 to {last}")
        before, nodes = self.bucket_nodes(index)
        rows = self.rows(nodes)
        known, _ = self.hashing()
        key = self.types()[0]
        made: List[Node] = []
        for node, row in zip(nodes, rows):
            number = self.stored_hash(row)
            if number is None and known is not None and row is not None:
                at = self.layout.key
                number = known.many([row[at : at + key.size]])[0]
            following = self.layout.following
            made.append(
                Node(
                    node,
                    number,
                    self.key_of(node, row),
                    self.value_of(node, row),
                    int.from_bytes((row or b"")[following : following + WORD], "little"),
                )
            )
        return NodeChain("", index, False, [], self.unit, self.mark, made, before)

    def find(self, test: KeyTest) -> Found:
        if not self.header.count and not self.header.first:
            return Found(None, None, "hash", "the table is empty", [], 0, 0)
        return NodeFinder(self).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_nodes(self, report, progress)


def _at(nodes: Sequence[int], offset: int) -> Callable[[int], int]:
    """The address of a part of each node."""
    return lambda index: nodes[index] + offset

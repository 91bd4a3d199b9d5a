# SPDX-License-Identifier: MIT
"""Is a table of linked nodes whole? Its count, list, buckets, hashes and keys."""

from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..maps.compare_keys import Hashed, Keys
from ..maps.problems import Problem, is_cut_short
from ..maps.progress import Progress
from ..maps.report import Report
from ..program.types import Kind
from .node_reader import NodeReader

#: pairs of keys in one bucket that are compared, if they are not compared by their bytes
_PAIRS = 1 << 20
#: bytes of a text that is compared together with others
_SHORT = 1 << 16


def check_nodes(view: NodeReader, report: Report, progress: Progress) -> None:
    """Reports what is wrong with a table."""
    _Check(view, report, progress).run()


class _Check:
    """One check of one table."""

    def __init__(self, view: NodeReader, report: Report, progress: Progress) -> None:
        self._view = view
        self._report = report
        self._progress = progress
        key, _ = view.types()
        self._hashed = Hashed(view, report, report.hashes)
        self._keys = Keys(view, key, False)
        self._seen: Dict[bytes, int] = {}
        self._pairs = _PAIRS
        self._left_out = 0

    def run(self) -> None:
        """All of it."""
        view, report = self._view, self._report
        nodes, befores = view.nodes(self._progress), view.befores()
        report.buckets, report.cells = len(view.pointers()), 0
        self._problems()
        known = {view.header.head, *nodes}
        whole = not is_cut_short(view.problems)
        for before, bucket in befores.items():
            if whole and before not in known:
                text = f"bucket {bucket} leads to {before:#x}, which is no node of the table"
                report.add("error", "bucket-pointer", text, view.header.array + 8 * bucket, bucket)
        self._shared()
        previous, bucket = view.header.head, -1
        size = view.layout.size
        for first, some, rows in view.batches(self._progress):
            places: List[int] = []
            for node in some:
                bucket = befores.get(previous, bucket)
                places.append(bucket)
                previous = node
            self._compare(first, some, [row or bytes(size) for row in rows], places)
            report.cells += len(some)
        self._hashed.settle("wrong-bucket", "wrong-hash")
        report.settle(0)
        if self._left_out:
            report.left_out = f"{self._left_out} keys, whether others are the same"

    def _problems(self) -> None:
        """What was noted on the way; a count that is off by what is being done is none."""
        view, report = self._view, self._report
        for problem in view.problems:
            if isinstance(problem, Problem) and problem.code == "count" and report.operations():
                if report.operations() == ("?",):
                    text = f"{problem}; whether a write is half done cannot be told"
                    report.add("warning", "count", text, view.address)
                else:
                    text = f"{problem}: a write is half done"
                    report.add("note", "in-flight", text, view.address)
                report.left_out = "entries that are in no list, if a write is half done"
            else:
                report.problems([problem])

    def _shared(self) -> None:
        """Buckets that lead to the same node."""
        view = self._view
        words, befores = view.pointers(), view.befores()
        filled = len(words) - words.count(0)
        if filled == len(befores):
            return
        for bucket, word in enumerate(words):
            if word and befores[word] != bucket:
                text = f"bucket {bucket} leads to the nodes of bucket {befores[word]}"
                place = view.header.array + 8 * bucket
                self._report.add("error", "bucket-pointer", text, place, bucket)

    def _compare(
        self, first: int, nodes: Sequence[int], rows: Sequence[bytes], places: Sequence[int]
    ) -> None:
        """Nodes with their hashes, and their keys with each other."""
        view, report, layout = self._view, self._report, self._view.layout
        width = view.types()[0].size
        slots = [row[layout.key : layout.key + width] for row in rows]
        at = layout.hash
        stored: List[Optional[int]] = [None] * len(rows)
        if at is not None:
            stored = [int.from_bytes(row[at : at + 8], "little") for row in rows]
        computed = self._hashed.many(slots) or [None] * len(rows)
        place = view.header.place
        fitting = unfitting = 0
        for index, (node, one, own) in enumerate(zip(nodes, stored, computed)):
            number = own if one is None else one
            if number is None:
                continue
            if one is not None and own is not None and one != own:
                text = f"the node at {node:#x} has stored the hash {one:#x}, its key's is {own:#x}"
                report.doubt("wrong-hash", text, node, places[index], first + index)
                unfitting += 1
            elif place(number) != places[index]:
                told = places[index] if places[index] >= 0 else "of no pointer"
                text = (
                    f"the node at {node:#x} stands in bucket {told}, "
                    f"its hash belongs to bucket {place(number)}"
                )
                report.doubt("wrong-bucket", text, node, places[index], first + index)
                unfitting += own is not None
            else:
                fitting += own is not None
        if fitting or unfitting:
            self._hashed.count(fitting, unfitting)
        if view.unique:
            for index, other in self._twice(slots, places, nodes):
                text = (
                    f"the key {self._keys.text(slots[index])} is there twice, in the nodes at "
                    f"{other:#x} and {nodes[index]:#x}"
                )
                place_of = places[index] if places[index] >= 0 else None
                report.add("error", "duplicate-key", text, nodes[index], place_of)

    def _twice(
        self, slots: Sequence[bytes], places: Sequence[int], nodes: Sequence[int]
    ) -> Iterator[Tuple[int, int]]:
        """(index of a key that was there before, the node that has it)"""
        values: Sequence[Optional[bytes]]
        if self._keys.plain:
            values = slots
        elif self._keys.kind is Kind.STRING:
            values = self._texts(slots, nodes)
        else:
            yield from self._twice_in_buckets(slots, places, nodes)
            return
        seen = self._seen
        for index, value in enumerate(values):
            if value is not None:
                before = seen.setdefault(value, nodes[index])
                if before != nodes[index]:
                    yield index, before

    def _texts(self, slots: Sequence[bytes], nodes: Sequence[int]) -> List[Optional[bytes]]:
        """The bytes of strings; those that cannot be read are told of."""
        type = self._view.types()[0]
        starts, sizes = (
            [int.from_bytes(slot[at : at + 8], "little") for slot in slots]
            for at in (type.data_offset, type.len_offset)
        )
        bulk = [at for at, size in enumerate(sizes) if 0 < size <= _SHORT]
        found: List[Optional[bytes]] = [b"" if not size else None for size in sizes]
        pieces = self._view.memory.gather_ranges(
            [starts[at] for at in bulk], [sizes[at] for at in bulk]
        )
        for at, piece in zip(bulk, pieces):
            found[at] = piece
            if piece is None:
                text = f"the key of the node at {nodes[at]:#x} cannot be read: {starts[at]:#x}"
                self._report.add("error", "key-unreadable", text, nodes[at])
        self._left_out += sum(size > _SHORT for size in sizes)
        return found

    def _twice_in_buckets(
        self, slots: Sequence[bytes], places: Sequence[int], nodes: Sequence[int]
    ) -> Iterator[Tuple[int, int]]:
        """The same for keys whose bytes do not tell: each with those before it in its bucket."""
        pairs: List[Tuple[int, int]] = []
        start = 0
        for index in range(1, len(slots)):
            if places[index] != places[index - 1]:
                start = index
            if index - start > self._pairs:
                self._left_out += 1
                continue
            self._pairs -= index - start
            pairs += [(index, other) for other in range(start, index)]
        same = self._keys.same([slots[a] for a, _ in pairs], [slots[b] for _, b in pairs])
        for (index, other), equal in zip(pairs, same):
            if equal:
                yield index, nodes[other]

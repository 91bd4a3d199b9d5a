# SPDX-License-Identifier: MIT
"""A map of two tables of chains: what commands ask of it."""

from functools import partial
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from ..errors import UsageError
from ..maps.batches import EntryBatch, Where, pieces_of
from ..maps.facts import (
    Bucket,
    Cell,
    Chain,
    Coverage,
    Distribution,
    Facts,
    Growth,
    Held,
    Summary,
)
from ..maps.found import Found, KeyTest
from ..maps.hash_use import HashUse
from ..maps.problems import Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.report import Report
from ..maps.view import Hashing, MapView
from ..program.hashing import KeyHash
from ..program.memory import Memory
from ..program.types import Type
from .chain_facts import ChainFacts
from .chained_check import check_nodes
from .chained_lookup import NodeLookup
from .two_tables import Nodes, Piece, Tables

#: buckets walked at a time
STEP = 1 << 16


class ChainedMap(MapView):
    """A map whose entries hang in chains from two tables.

    :param grows_above: entries; None: it cannot be told
    :param notes: gives what else its header tells, a line each
    :param hashing: gives its hash function, or why it cannot be computed
    :ivar tables: its header
    :ivar nodes: its chains
    """

    unit = "chain"
    mark = "tag"
    samples_pieces = True

    def __init__(
        self,
        memory: Memory,
        address: int,
        type_name: str,
        key: Type,
        elem: Type,
        tables: Tables,
        nodes: Nodes,
        grows_above: Callable[[], Optional[int]],
        notes: Callable[[], Iterable[str]],
        hashing: Hashing,
        header_bytes: int,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.tables = tables
        self.nodes = nodes
        self._grows_above = grows_above
        self._notes = notes
        self._hashing = hashing
        self._header_bytes = header_bytes
        nodes.problems = self.problems
        self._walked = 0

    # --- by the header alone ---

    @property
    def count(self) -> int:
        return self.tables.count

    def facts(self) -> Facts:
        tables = self.tables
        flags = ["migrating"] if tables.migrating else []
        flags += ["paused"] if tables.paused else []
        sizes = [size or None for size in tables.sizes]
        return ChainFacts(
            flags,
            0,
            tables.sizes[tables.target],
            self.nodes.bucket_bytes,
            self.load_factor(),
            self._grows_above(),
            (sizes[0], sizes[1]),
            tables.paused,
            tuple(self._notes()),
        )

    def growth(self) -> Optional[Growth]:
        tables = self.tables
        if not tables.migrating:
            return None
        return Growth(
            tables.kind(),
            tables.sizes[0],
            tables.index,
            tables.index,
            0 if tables.in_order else None,
            tables.used[1],
            tables.used[0],
        )

    def progress(self) -> Optional[float]:
        growth = self.growth()
        return None if growth is None else growth.progress

    def overflow_in_use(self) -> Optional[int]:
        return None

    def held(self) -> Optional[Held]:
        tables, size = self.tables, self.nodes.bucket_bytes
        old = tables.sizes[0] * size if tables.migrating else 0
        new = tables.sizes[tables.target] * size
        return Held(new, old, self.nodes.child_bytes(), self._header_bytes)

    def load_factor(self) -> Optional[float]:
        size = self.tables.sizes[self.tables.target]
        return self.count / size if size else 0.0

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        return self._hashing()

    # --- walks ---

    def pieces(
        self, progress: Progress = no_progress, whole: bool = False
    ) -> Iterator[Tuple[Piece, bool]]:
        """(entries, whether they are in flight), each entry once.

        :param whole: also buckets that are said to be migrated, where they are kept
        """
        tables = self.tables
        total = sum(tables.sizes) or 1
        self.memory.keep_chunks()
        done = self._walked = 0
        seen: Set[int] = set()
        moved: Set[int] = set()
        counts = [0, 0]
        for table in (1, 0) if tables.migrating else (0,):
            start = 0
            if tables.migrating and not table:
                if not tables.used[0] and counts[1] == tables.count:
                    continue  # the migration is ending: the table may be given back already
                start = 0 if whole and self.nodes.keeps_old else tables.index
            for first in range(start, tables.sizes[table], STEP):
                if self.nodes.gave_up:
                    break
                progress(done, total)
                end = min(tables.sizes[table], first + STEP)
                for piece in self.nodes.walk(table, first, end):
                    if table:
                        seen.update(piece.ids)
                    elif tables.migrating:
                        seen_too = {i for i, id in enumerate(piece.ids) if id in seen}
                        seen_too.update(self.nodes.doubtful(piece))
                        if seen_too:
                            moved.update(piece.buckets[i] for i in seen_too)
                            piece = piece.only([i for i in range(len(piece)) if i not in seen_too])
                    counts[table] += len(piece)
                    if piece:
                        yield piece, False
                done += end - first
                self._walked = done
        if is_cut_short(self.problems):
            return
        found = sum(counts)
        odd = bool(moved) or found != tables.count or counts[1] != tables.used[1]
        if tables.migrating and self.nodes.loses and odd:
            lost = self.nodes.lost(moved, (counts[0], counts[1]))
            if lost.piece is not None:
                found = tables.count
                yield lost.piece, True
            if lost.problem is not None:
                self.problems.append(lost.problem)
                return
        # between two stores of a step the header counts one entry less
        if found != tables.count + bool(moved) and found != tables.count:
            self.problems.append(
                Problem(
                    f"the header counts {tables.count} entries, and {found} were found",
                    "count",
                    self.address,
                )
            )

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        for piece, in_flight in self.pieces(progress):
            yield self.batch(piece, in_flight)

    def batch(self, piece: Piece, in_flight: bool = False) -> EntryBatch:
        """Entries as commands show them."""
        array = self.tables.array(piece.table)
        count = len(piece)
        return EntryBatch(
            self.nodes.keys(piece),
            self.nodes.values(piece),
            range(count),
            lambda index: self.nodes.where(piece, index, array),
            dict.fromkeys(range(count) if in_flight else self.nodes.written(piece), True),
            marks=partial(self.nodes.tag, piece) if self.nodes.tag_bits else None,
        )

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        if self.count <= most:
            yield from self.entries(progress)
            return
        tables = self.tables
        seen: Set[int] = set()
        for table in (1, 0) if tables.migrating else (0,):
            start = tables.index if tables.migrating and not table else 0
            count = tables.sizes[table] - start
            for first, number in pieces_of(count, most / self.count):
                progress(first, count)
                for piece in self.nodes.walk(table, start + first, start + first + number):
                    new = [at for at, id in enumerate(piece.ids) if id not in seen]
                    seen.update(piece.ids)
                    if new:
                        yield self.batch(piece.only(new))

    def hash_use(self) -> Optional[HashUse]:
        tables, tag_bits = self.tables, self.nodes.tag_bits
        size = tables.sizes[tables.target]
        if not size:
            return None
        sizes = {tables.array(table): tables.sizes[table] for table in (0, 1)}
        common = min([size for size in tables.sizes if size]) - 1
        shift = (tag_bits & -tag_bits).bit_length() - 1

        def seen(where: Where, tag: Optional[int]) -> Optional[int]:
            return where.bucket & common | (tag << shift if tag is not None and tag_bits else 0)

        def fits(where: Where, tag: Optional[int], number: int) -> bool:
            bucket = number & (sizes[where.array] - 1)
            return where.bucket == bucket and (not tag_bits or tag == (number & tag_bits) >> shift)

        return HashUse(
            size,
            (size - 1).__and__,
            size - 1,
            tag_bits,
            seen,
            common | tag_bits,
            fits,
            "bucket",
            self.mark,
        )

    def _until_interrupted(self, progress: Progress) -> Iterator[Piece]:
        try:
            for piece, _ in self.pieces(progress):
                yield piece
        except KeyboardInterrupt:
            text = "interrupted: not all of the map was looked at"
            self.problems.append(Problem(text, "interrupted"))

    def _coverage(self) -> Optional[Coverage]:
        if not is_cut_short(self.problems):
            return None
        return self._walked, sum(self.tables.sizes)

    def summary(self, progress: Progress = no_progress) -> Summary:
        return Summary(held=self.held(), growth=self.growth())

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        tables = self.tables
        lengths: List[Dict[int, int]] = [{}, {}]
        live = 0
        for piece in self._until_interrupted(progress):
            live += len(piece)
            of = lengths[piece.table]
            for bucket in piece.buckets:
                of[bucket] = of.get(bucket, 0) + 1
        whole = self._coverage()
        histograms = [
            _histogram(of, size - (tables.index if table == 0 and tables.migrating else 0))
            for table, (of, size) in enumerate(zip(lengths, tables.sizes))
        ]
        target = tables.target
        held = self.held()
        full = whole is None and held is not None
        return Distribution(
            cells=histograms[target],
            chains={},
            old_cells=histograms[0] if target else {},
            old_chains={},
            entries=live if full else None,
            uniformity=_uniformity(histograms[0]) if full and not tables.migrating else None,
            held=held,
            bytes_used=16 * live if full else None,
            bytes_rebuilt=held.total - held.old if full and held is not None else None,
            unit=self.unit,
            read=whole,
            even=not tables.migrating,
        )

    def chain(self, index: int, old: bool) -> Chain:
        tables = self.tables
        if old and not tables.migrating:
            raise UsageError("the map has no old buckets: it is not migrating")
        table = 0 if old else tables.target
        size = tables.sizes[table]
        if not size:
            raise UsageError("the map has no buckets: nothing was written to it yet")
        if index >= size:
            which = f"{tables.array(table)} bucket {index}"
            raise UsageError(f"no {which}: there are {size}, 0 to {size - 1}")
        buckets = self._buckets(table, index)
        moved = old and index < tables.index
        return Chain(tables.array(table), index, moved, buckets, self.unit, self.mark)

    def _buckets(self, table: int, index: int) -> List[Bucket]:
        cells: List[Cell] = []
        for piece in self.nodes.walk(table, index, index + 1):
            keys, values = self.nodes.keys(piece), self.nodes.values(piece)
            for at in range(len(piece)):
                cell = Cell(
                    len(cells), piece.links[at] & ~7, 0, 8, self.nodes.tag(piece, at), "full"
                )
                cell.live = True
                cell.key = keys.value(at, self.decoder)
                cell.value = values.value(at, self.decoder)
                cells.append(cell)
        return [Bucket(self.nodes.bucket_address(table, index), 0, 0, None, cells)]

    def find(self, test: KeyTest) -> Found:
        if not any(self.tables.sizes):
            return Found(None, None, "hash", "the map has no buckets yet", [], 0, 0)
        return NodeLookup(self, self.tables, self.nodes).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_nodes(self, self.tables, self.nodes, self.pieces(progress, True), report)


def _histogram(lengths: Dict[int, int], buckets: int) -> Dict[int, int]:
    """Entries in a bucket: number of such buckets."""
    found: Dict[int, int] = {}
    for length in lengths.values():
        found[length] = found.get(length, 0) + 1
    if buckets > len(lengths):
        found[0] = buckets - len(lengths)
    return dict(sorted(found.items()))


def _uniformity(histogram: Dict[int, int]) -> Optional[float]:
    """The variance of entries in a bucket, by their mean."""
    buckets = sum(histogram.values())
    total = sum(length * number for length, number in histogram.items())
    if not buckets or not total:
        return None
    mean = total / buckets
    squares = sum(number * (length - mean) ** 2 for length, number in histogram.items())
    return squares / buckets / mean

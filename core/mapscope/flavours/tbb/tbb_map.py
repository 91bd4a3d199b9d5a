# SPDX-License-Identifier: MIT
"""A concurrent_hash_map: what commands ask of it."""

import re
from functools import partial
from itertools import islice
from typing import Dict, Iterator, List, Optional, Set, Tuple

from ...cells.columns import column_of
from ...errors import UsageError
from ...maps.batches import EntryBatch, Where
from ...maps.facts import (
    Chain,
    Coverage,
    Distribution,
    Growth,
    Held,
    Node,
)
from ...maps.found import Found, KeyTest
from ...maps.problems import Problem, is_cut_short
from ...maps.progress import Progress, no_progress
from ...maps.report import Report
from ...maps.view import Hashing, MapView
from ...nodes.node_reader import NodeWhere
from ...program.hashing import KeyHash
from ...program.types import Type
from ...program.values import text_form
from ...session import Session
from .between_buckets import InFlight
from .lock_holders import holders
from .segments import PENDING, READER, WAITS, WRITER, Header, Layout, Nodes, Segments
from .segment_facts import LazyChain, LazyGrowth, Lock, LockSummary, SegmentFacts
from .tbb_check import TbbCheck
from .tbb_lookup import TbbFinder

#: the function that clears a map, and frames in which it is looked for
_CLEARS = re.compile(
    r"^tbb::(?:\w+::)*(?:concurrent_hash_map<.*>::clear|hash_map_base<.*>::delete_seg)"
)
_FRAMES = 32
#: entries' locks that are told of
_MOST_LOCKS = 1000


class TbbMap(MapView):
    """One map.

    :param hash_name: of the program's hash function
    :param hashing: gives it, or why it cannot be computed
    """

    has_overflow = False
    cells = "nodes"
    concurrent = True

    def __init__(
        self,
        session: Session,
        address: int,
        type_name: str,
        key: Type,
        elem: Type,
        header: Header,
        layout: Layout,
        hash_name: str,
        hashing: Hashing,
    ) -> None:
        super().__init__(session.memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self.segments = Segments(session.memory, header, layout, self.problems)
        self._session = session
        self._hash_name = hash_name
        self._cleared: Optional[bool] = None
        self._hashing = hashing
        self._in_flight = InFlight(
            session, self.segments, address, key.size, lambda: self._hashing()[0]
        )

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.count

    def facts(self) -> SegmentFacts:
        header = self.header
        return SegmentFacts(
            flags=(),
            hash0=0,
            buckets=header.buckets,
            bucket_bytes=self.layout.bucket,
            load_factor=self.load_factor(),
            grows_above=header.mask - 1,
            hash=self._hash_name,
            hash_stored=False,
            max_load_factor=None,
            segments=header.used,
        )

    def is_being_cleared(self) -> bool:
        """Whether a thread is just clearing it: it counts nothing, and segments are given back
        before the map forgets them. Noted, since entries are then not looked for."""
        if self._cleared is None:
            header = self.header
            gone = 0 in header.segments[: header.used]
            inside = not header.count and header.mask > 1
            self._cleared = not header.count and (gone or (inside and self._in_clear()))
            if self._cleared:
                text = "the map is just being cleared: what is left in it is not looked at"
                self.segments.note(Problem(text, "count", self.address))
        return self._cleared

    def _in_clear(self) -> bool:
        """Whether a thread is in the function that clears a map."""
        return any(
            _CLEARS.match(frame.function)
            for thread in self._session.target.threads()
            for frame in islice(thread.frames(), _FRAMES)
        )

    def growth(self) -> Optional[LazyGrowth]:
        header = self.header
        if self.is_being_cleared():
            return None
        waiting, newest = self.segments.waiting()
        if not waiting:
            return None
        old = header.old_buckets
        new = header.buckets - old
        known = not self.segments.unread_buckets()
        done = new - newest if known else None
        return LazyGrowth("lazy", old, 0, done, new_buckets=new, waiting=waiting)

    def progress(self) -> Optional[float]:
        growth = self.growth()
        return None if growth is None else growth.progress

    def overflow_in_use(self) -> Optional[int]:
        return None

    def held(self) -> Optional[Held]:
        header, layout = self.header, self.layout
        buckets = layout.bucket * (header.buckets - 2)
        return Held(buckets=buckets, header=header.size, nodes=header.count * layout.node)

    def load_factor(self) -> Optional[float]:
        return self.header.count / self.header.buckets

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        return self._hashing()

    # --- walks ---

    def pieces(self, progress: Progress = no_progress) -> Iterator[Tuple[Nodes, bool]]:
        """(nodes, whether they are in flight), each node once."""
        if self.is_being_cleared():
            return
        seen: Set[int] = set()
        for some in self.segments.walk(seen, progress):
            yield some, False
        missing = self.count - len(seen)
        if missing > 0 and not is_cut_short(self.problems):
            lost, why = self._in_flight(missing, seen)
            if lost:
                missing -= len(lost)
                places = [place for place, _ in lost]
                rows: List[Optional[bytes]] = [row for _, row in lost]
                yield Nodes([-1] * len(lost), [0] * len(lost), places, rows), True
            if why:
                text = (
                    f"cannot tell: {missing} {'entry is' if missing == 1 else 'entries are'} "
                    f"counted and in no bucket, perhaps just being moved: {why}"
                )
                self.segments.note(Problem(text, "lost", self.address))
                return
        if missing and not is_cut_short(self.problems):
            text = (
                f"the map counts {self.count} entries, and its buckets have "
                f"{self.count - missing} (it is being changed, or damaged)"
            )
            self.segments.note(Problem(text, "count", self.address))

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        key, elem = self.types()
        layout = self.layout
        for some, in_flight in self.pieces(progress):
            count = len(some.places)
            yield EntryBatch(
                column_of(key, some.rows, layout.node, layout.key, partial(_at, some, layout.key)),
                column_of(
                    elem, some.rows, layout.node, layout.elem, partial(_at, some, layout.elem)
                ),
                range(count),
                partial(_where, some),
                dict.fromkeys(range(count) if in_flight else (), True),
            )

    def _until_interrupted(self, progress: Progress) -> Iterator[Nodes]:
        try:
            for some, _ in self.pieces(progress):
                yield some
        except KeyboardInterrupt:
            text = "interrupted: not all of the map was looked at"
            self.segments.note(Problem(text, "interrupted"))

    def _coverage(self, looked: Set[int]) -> Optional[Coverage]:
        """The buckets that were looked at, and all, if not all could be."""
        if not is_cut_short(self.problems):
            return None
        broken = {getattr(problem, "bucket", None) for problem in self.problems} - {None}
        unread = self.segments.unread_buckets()
        inside = {b for b in broken if b is not None and not self._is_unread(b)}
        total = self.header.buckets
        if any(getattr(problem, "code", "") == "interrupted" for problem in self.problems):
            return min(len(looked), total), total
        return total - unread - len(inside), total

    def _is_unread(self, bucket: int) -> bool:
        return any(bucket in some for some in self.segments.unread)

    def _counts(self, nodes: Iterator[Nodes]) -> Dict[int, int]:
        """Entries of each bucket that has any."""
        found: Dict[int, int] = {}
        for some in nodes:
            for bucket in some.buckets:
                if bucket >= 0:
                    found[bucket] = found.get(bucket, 0) + 1
        return found

    def _histogram(self, counts: Dict[int, int]) -> Dict[int, int]:
        """Entries of a bucket: number of such; those that wait, and those that cannot be read,
        are not counted."""
        if self.is_being_cleared():
            return {}
        empty = self.segments.heads().count(0) - self.segments.unread_buckets()
        found = {0: empty} if empty > 0 else {}
        for number in counts.values():
            found[number] = found.get(number, 0) + 1
        return dict(sorted(found.items()))

    def summary(self, progress: Progress = no_progress) -> LockSummary:
        kept: List[Tuple[int, int, bytes]] = []
        counts: Dict[int, int] = {}
        known, _ = self.hashing()
        waiting: Optional[int] = None if known is None else 0
        cleared = self.is_being_cleared()
        migrates = not cleared and bool(self.segments.waiting(progress)[0])
        for some in self._until_interrupted(progress):
            for bucket in some.buckets:
                if bucket >= 0:
                    counts[bucket] = counts.get(bucket, 0) + 1
            kept += self._locked(some)
            if migrates and waiting is not None and known is not None:
                more = self._waiting_among(some, known)
                waiting = None if more is None else waiting + more
        read = self._coverage(set(counts))
        growth: Optional[Growth] = self.growth()
        if growth is not None and read is None:
            old = growth.old_buckets
            growth.entries_moved = sum(n for bucket, n in counts.items() if bucket >= old)
            growth.entries_waiting = waiting
        return LockSummary(
            held=self.held(),
            growth=growth,
            chains=self._histogram(counts),
            read=read,
            locks=None if cleared or self.layout.bucket_lock is None else self._locks(kept),
        )

    def _waiting_among(self, some: Nodes, known: KeyHash) -> Optional[int]:
        """How many of these entries belong to buckets that wait; None: a key has no hash."""
        heads, mask = self.segments.heads(), self.header.mask
        at, width = self.layout.key, self.types()[0].size
        hashes = known.many([(row or b"")[at : at + width] for row in some.rows])
        if None in hashes:
            return None
        return sum(heads[number & mask] == WAITS for number in hashes if number is not None)

    # --- locks ---

    def _locked(self, some: Nodes) -> List[Tuple[int, int, bytes]]:
        """(address of the node, word, bytes) of entries whose lock somebody has."""
        at = self.layout.node_lock
        if at is None:
            return []
        found = []
        for place, row in zip(some.places, some.rows):
            if row is not None and any(row[at : at + 8]):
                found.append((place, int.from_bytes(row[at : at + 8], "little"), row))
        return found

    def _locks(self, entries: List[Tuple[int, int, bytes]]) -> List[Lock]:
        """All locks that somebody has or waits for."""
        key, at = self.types()[0], self.layout.key
        told: List[Tuple[str, int, Optional[int], int]] = []
        for bucket, word in list(self.segments.locks().items())[:_MOST_LOCKS]:
            place = self.segments.bucket_address(bucket) + (self.layout.bucket_lock or 0)
            told.append((f"bucket {bucket}", place, bucket, word))
        for node, word, row in entries[:_MOST_LOCKS]:
            text = text_form(self.decoder.decode(key, row[at : at + key.size], node + at), 40)
            told.append((f"entry [{text}]", node + (self.layout.node_lock or 0), None, word))
        threads = holders(self._session, [place for _, place, _, _ in told])
        return [
            Lock(
                name,
                place,
                bucket,
                bool(word & WRITER),
                bool(word & PENDING),
                word // READER,
                threads.get(place, ()),
            )
            for name, place, bucket, word in told
        ]

    # --- the other commands ---

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        counts = self._counts(self._until_interrupted(progress))
        read, held = self._coverage(set(counts)), self.held()
        whole = read is None and held is not None
        entries = sum(counts.values())
        cells = self._histogram(counts)
        buckets = sum(cells.values())
        mean = entries / buckets if buckets else 0.0
        spread = sum(n * n * many for n, many in cells.items()) / buckets if buckets else 0.0
        settled = (
            whole
            and not self.is_being_cleared()
            and not self.segments.waiting()[0]
            and bool(mean)
            and buckets > 2
        )
        key, elem = self.types()
        return Distribution(
            cells=cells,
            chains={},
            old_cells={},
            old_chains={},
            entries=self.count if whole else None,
            uniformity=(spread - mean * mean) / mean if settled else None,
            held=held,
            bytes_used=self.count * (key.size + elem.size) if whole else None,
            bytes_rebuilt=held.total if whole and held is not None else None,
            read=read,
        )

    def chain(self, index: int, old: bool) -> Chain:
        header, segments = self.header, self.segments
        if old:
            raise UsageError(
                "this map has no old buckets: new ones are filled from those of lower numbers"
            )
        if index >= header.buckets:
            last = header.buckets - 1
            raise UsageError(f"no bucket {index}: the map has {header.buckets}, 0 to {last}")
        if self.is_being_cleared():
            raise UsageError("the map is just being cleared: its buckets may be given back already")
        path = segments.path(index)
        source = path[-1] if len(path) > 1 else None
        word = segments.lock(index)
        lock = None
        if word:
            lock = self._locks_of(index, word)
        made: List[Node] = []
        key, elem = self.types()
        known, _ = self.hashing()
        at, width, following = self.layout.key, key.size, self.layout.following
        nodes = Nodes() if source is not None else segments.chain(index)
        for place, row in zip(nodes.places, nodes.rows):
            assert row is not None, "those that cannot be read are left out"
            raw, value = row[at : at + width], self.layout.elem
            made.append(
                Node(
                    place,
                    known.many([raw])[0] if known is not None else None,
                    self.decoder.decode(key, raw, place + at),
                    self.decoder.decode(elem, row[value : value + elem.size], place + value),
                    int.from_bytes(row[following : following + 8], "little"),
                )
            )
        head = 0 if source is not None else segments.head(index)
        return LazyChain(
            "", index, False, [], self.unit, self.mark, made, head, source=source, lock=lock
        )

    def _locks_of(self, bucket: int, word: int) -> Lock:
        place = self.segments.bucket_address(bucket) + (self.layout.bucket_lock or 0)
        threads = holders(self._session, [place]).get(place, ())
        return Lock(
            f"bucket {bucket}",
            place,
            bucket,
            bool(word & WRITER),
            bool(word & PENDING),
            word // READER,
            threads,
        )

    def find(self, test: KeyTest) -> Found:
        if self.is_being_cleared():
            return Found(None, None, "hash", "the map is just being cleared", [], 0, 0)
        return TbbFinder(self, self.segments).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check = TbbCheck(self._session, self, self.segments, report)
        if not self.is_being_cleared():
            check.buckets(progress)
        for some, in_flight in self.pieces(progress):
            check.nodes(some, in_flight)
        check.end()


def _at(some: Nodes, offset: int, index: int) -> int:
    """The address of a part of a node."""
    return some.places[index] + offset


def _where(some: Nodes, index: int) -> Where:
    bucket = some.buckets[index]
    return NodeWhere("", bucket, some.depths[index] if bucket >= 0 else None, None)

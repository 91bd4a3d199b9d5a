# SPDX-License-Identifier: MIT
"""The buckets of a concurrent_hash_map (oneapi/tbb/concurrent_hash_map.h, oneTBB 2021 and 2022).

Buckets lie in segments: the first two in the map itself, the next 254 in one piece, then each
segment is as large as all before it. A bucket is a lock and the pointer to its first node. When a
segment is added, nothing is moved: its buckets are marked 3. The entries of such a bucket still lie
in its parent, the bucket whose number is the same but for the highest bit; the parent may wait
itself. Whoever looks in a bucket that waits moves its entries there first (rehash_bucket): the mark
is taken away, then node after node is unlinked from the parent and linked to the bucket, so that
one that is just moved hangs on a register alone.
"""

from array import array
from dataclasses import field
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ...errors import MemoryUnreadable
from ...maps.problems import MAX_PROBLEMS, Problem
from ...maps.progress import Progress, no_progress
from ...program.memory import ADDRESS_LIMIT, CHUNK, Memory
from ...records import dataclass

#: marks a bucket whose entries still lie in its parent; pointers are above the last one of these
WAITS, _LAST_MARK = 3, 63
#: of a segment that a thread is just allocating
ALLOCATING = 2
#: segments in one piece with the first one that is allocated
FIRST_BLOCK = 8
#: the most buckets that are believed, buckets that are walked together, and nodes that there may
#: be beyond those that the header counts
_MOST, _TOGETHER, _BEYOND = 1 << 40, 1 << 14, 1 << 20
#: bits of a lock
WRITER, PENDING, READER = 1, 2, 4


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes, as debug information has them.

    :ivar bucket: size of a bucket
    :ivar head: of a bucket's pointer to its first node
    :ivar bucket_lock: of a bucket's lock; None: it is of a kind that is not known
    :ivar node: size of a node, a multiple of 8
    :ivar following: of a node's pointer to the next one
    :ivar node_lock: of a node's lock; None: as above
    """

    bucket: int
    head: int
    bucket_lock: Optional[int]
    node: int
    following: int
    node_lock: Optional[int]
    key: int
    elem: int


@dataclass(frozen=True)
class Header:
    """What a map says of itself.

    :ivar size: bytes of the map itself
    :ivar mask: buckets less one
    :ivar segments: addresses of segments, as the map has them
    """

    size: int
    count: int
    mask: int
    segments: Tuple[int, ...]

    @property
    def buckets(self) -> int:
        """How many there are."""
        return self.mask + 1

    @property
    def used(self) -> int:
        """Segments that these buckets are in."""
        return self.mask.bit_length() if self.mask > 1 else 1

    @property
    def old_buckets(self) -> int:
        """Buckets before the last segment was added."""
        return 2 if self.mask < 1 << FIRST_BLOCK else self.buckets // 2

    def doubt(self, embedded: int) -> str:
        """Why no map can look like that; "": one can.

        :param embedded: where its own two buckets are
        """
        mask = self.mask
        known = mask == 1 or (1 << FIRST_BLOCK) - 1 <= mask < _MOST
        if not known or mask & (mask + 1):
            return f"the mask {mask:#x}"
        if self.segments[0] != embedded:
            return f"its first buckets at {self.segments[0]:#x}"
        if self.count >= ADDRESS_LIMIT // 16:
            return f"{self.count} entries"
        for number, place in enumerate(self.segments[: self.used]):
            if place and (place <= _LAST_MARK or place >= ADDRESS_LIMIT or place % 8):
                return f"segment {number} at {place:#x}"
        return ""


def parent(bucket: int) -> int:
    """The bucket that has the entries of one that waits."""
    return bucket & ((1 << (bucket.bit_length() - 1)) - 1)


def segment_of(bucket: int) -> Tuple[int, int]:
    """The segment of a bucket, and its place there."""
    number = (bucket | 1).bit_length() - 1
    return number, bucket - ((1 << number) & ~1)


@dataclass
class Nodes:
    """Some nodes, field by field.

    :ivar buckets: their buckets
    :ivar depths: how many nodes stand before each in its bucket
    :ivar rows: their bytes; None: they cannot be read
    """

    buckets: List[int] = field(default_factory=list)
    depths: List[int] = field(default_factory=list)
    places: List[int] = field(default_factory=list)
    rows: List[Optional[bytes]] = field(default_factory=list)


class Segments:
    """The buckets and nodes of one map.

    :param problems: what is found impossible or unreadable is added here
    """

    def __init__(self, memory: Memory, header: Header, layout: Layout, problems: List[str]) -> None:
        self.memory = memory
        self.header = header
        self.layout = layout
        self._problems = problems
        self._heads: Optional["array[int]"] = None
        self._locks: "array[int]" = array("Q")
        #: buckets that cannot be read
        self.unread: List[range] = []

    def note(self, problem: Problem) -> None:
        """Once, however often it is met."""
        if problem not in self._problems and len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)

    # --- buckets ---

    def bucket_address(self, bucket: int) -> int:
        """Of a bucket; 0: its segment is gone."""
        number, place = segment_of(bucket)
        start = self.header.segments[number]
        return start + place * self.layout.bucket if start else 0

    def head(self, bucket: int) -> int:
        """What leads to a bucket's first node: 0, WAITS, or its address.

        :raises MemoryUnreadable: if it cannot be read
        """
        if self._heads is not None and not any(bucket in some for some in self.unread):
            return self._heads[bucket]
        place = self.bucket_address(bucket)
        return self.memory.read_word(place + self.layout.head) if place else 0

    def lock(self, bucket: int) -> Optional[int]:
        """The word of a bucket's lock; None: not known."""
        at, place = self.layout.bucket_lock, self.bucket_address(bucket)
        if at is None or not place:
            return None
        return self.memory.read_word(place + at)

    def heads(self, progress: Progress = no_progress) -> "array[int]":
        """What leads to the first node of each bucket; 0 of those that cannot be read, too."""
        if self._heads is None:
            heads, locks = array("Q"), array("Q")
            gone: List[int] = []
            unread: List[range] = []
            for number in range(self.header.used):
                count = 1 << number if number else 2
                start = self.header.segments[number]
                if start:
                    self._read(start, count, (heads, locks), unread)
                else:
                    gone.append(number)
                    heads.frombytes(bytes(8 * count))
                    locks.frombytes(bytes(8 * count))
                progress(len(heads), self.header.buckets)
            if gone:
                text = (
                    f"segment {gone[0]} of {self.header.used} is not there: the map is just "
                    "being cleared, or damaged"
                )
                self.note(Problem(text, "count"))
            self._heads, self._locks, self.unread = heads, locks, unread
        return self._heads

    def _read(
        self,
        start: int,
        count: int,
        into: Tuple["array[int]", "array[int]"],
        unread: List[range],
    ) -> None:
        """The words of one segment."""
        size, heads, locks = self.layout.bucket, into[0], into[1]
        at, lock = self.layout.head, self.layout.bucket_lock
        place, left, step = start, count, max(1, CHUNK // size)
        while left:
            number = min(step, left)
            try:
                words = memoryview(bytes(self.memory.read_chunk(place, number * size))).cast("Q")
            except MemoryUnreadable as error:
                if number > 1:
                    step = max(1, number // 16)
                    continue
                first = len(heads)
                if unread and unread[-1].stop == first:
                    unread[-1] = range(unread[-1].start, first + 1)
                else:
                    unread.append(range(first, first + 1))
                    text = f"buckets from {first} on cannot be read: {error}"
                    self.note(Problem(text, "unreadable", error.address, "", first))
                if len(unread) > MAX_PROBLEMS or len(unread[-1]) > 1 << 12:
                    unread[-1] = range(unread[-1].start, first + left)
                    number = left
                heads.frombytes(bytes(8 * number))
                locks.frombytes(bytes(8 * number))
            else:
                heads.extend(words[at // 8 :: size // 8].tolist())
                found = words[lock // 8 :: size // 8] if lock is not None else [0] * number
                locks.extend(list(found))
                step = max(1, CHUNK // size)
            place, left = place + number * size, left - number

    def locks(self, progress: Progress = no_progress) -> Dict[int, int]:
        """The words of buckets' locks that somebody has, or waits for."""
        self.heads(progress)
        if self.layout.bucket_lock is None or not any(self._locks):
            return {}
        return {bucket: word for bucket, word in enumerate(self._locks) if word}

    def waiting(self, progress: Progress = no_progress) -> Tuple[int, int]:
        """Buckets that wait: all, and those of the last segment, or of the first block."""
        heads = self.heads(progress)
        last = heads[self.header.old_buckets :]
        return heads.count(WAITS), last.count(WAITS)

    def unread_buckets(self) -> int:
        """How many cannot be read."""
        return sum(map(len, self.unread))

    def path(self, key_hash: int) -> List[int]:
        """The buckets that a lookup goes through: that of the hash, then parents up to the one
        that does not wait."""
        bucket = key_hash & self.header.mask
        found = [bucket]
        while bucket > 1 and self.head(bucket) == WAITS:
            bucket = parent(bucket)
            found.append(bucket)
        return found

    # --- nodes ---

    def chain(self, bucket: int) -> Nodes:
        """The nodes of one bucket."""
        found = Nodes()
        for some in self._level([bucket], [self.head(bucket)], set()):
            found.buckets += some.buckets
            found.depths += some.depths
            found.places += some.places
            found.rows += some.rows
        return found

    def walk(self, seen: Set[int], progress: Progress = no_progress) -> Iterator[Nodes]:
        """All nodes that buckets lead to, each once.

        :param seen: their addresses are added here
        """
        heads = self.heads(progress)
        self.memory.keep_more()
        for first in range(0, len(heads), _TOGETHER):
            progress(first, len(heads))
            some = heads[first : first + _TOGETHER]
            filled = [(first + at, head) for at, head in enumerate(some) if head not in (0, WAITS)]
            if filled:
                yield from self._level([b for b, _ in filled], [h for _, h in filled], seen)

    def _level(self, buckets: List[int], places: List[int], seen: Set[int]) -> Iterator[Nodes]:
        """The first nodes of all these buckets, then the second ones, and so on."""
        layout, depth = self.layout, 0
        at, most = layout.following, self.header.count + _BEYOND
        before: Sequence[int] = [0] * len(buckets)
        while buckets:
            kept: List[int] = []
            for index, (bucket, place) in enumerate(zip(buckets, places)):
                if place in (0, WAITS):
                    if place and depth:
                        self._odd(bucket, before[index], place)
                elif not _LAST_MARK < place < ADDRESS_LIMIT or place % 8:
                    self._odd(bucket, before[index], place)
                elif place in seen:
                    text = (
                        f"bucket {bucket}, behind {depth} nodes: it leads to the node at "
                        f"{place:#x}, which was met before"
                    )
                    self.note(Problem(text, "node-loop", before[index] or None, "", bucket))
                elif len(seen) > most:
                    text = f"more than {most} nodes, and the map counts {self.header.count}"
                    self.note(Problem(text, "node-loop"))
                    return
                else:
                    seen.add(place)
                    kept.append(index)
            buckets = [buckets[index] for index in kept]
            places = [places[index] for index in kept]
            rows = self.memory.gather(places, layout.node)
            some = Nodes(buckets, [depth] * len(buckets), places, rows)
            if None in rows:
                some = self._readable(some)
            if some.places:
                yield some
            buckets, before = some.buckets, some.places
            places = [
                int.from_bytes(row[at : at + 8], "little") for row in some.rows if row is not None
            ]
            depth += 1

    def _odd(self, bucket: int, before: int, place: int) -> None:
        where = f"the node at {before:#x}" if before else "it"
        text = f"bucket {bucket}: {where} leads to {place:#x}, which is no node"
        self.note(Problem(text, "unreadable", before or None, "", bucket))

    def _readable(self, some: Nodes) -> Nodes:
        """Those that can be read; the others are told of."""
        kept = [index for index, row in enumerate(some.rows) if row is not None]
        for index, row in enumerate(some.rows):
            if row is None:
                text = (
                    f"bucket {some.buckets[index]}, behind {some.depths[index]} nodes: cannot "
                    f"read {self.layout.node} bytes at {some.places[index]:#x}"
                )
                place = some.places[index]
                self.note(Problem(text, "unreadable", place, "", some.buckets[index]))
        return Nodes(
            [some.buckets[index] for index in kept],
            [some.depths[index] for index in kept],
            [some.places[index] for index in kept],
            [some.rows[index] for index in kept],
        )

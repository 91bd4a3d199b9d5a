# SPDX-License-Identifier: MIT
"""What is known of one map, typed: what commands render as text and as JSON."""

from dataclasses import field
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..program.values import Decoded
from ..records import dataclass
from .batches import Where


@dataclass(frozen=True)
class Facts:
    """What a map's header alone tells; None: what it leads to could not be read.

    :ivar flags: their names
    :ivar buckets: of the present array; of a Swiss map: groups
    :ivar bucket_bytes: of each; None: the map's type is not known
    :ivar grows_above: entries
    """

    flags: Sequence[str]
    hash0: int
    buckets: Optional[int]
    bucket_bytes: Optional[int]
    load_factor: Optional[float]
    grows_above: Optional[int]

    #: what places() counts
    place = "buckets"
    #: whether `map inspect` tells of chains also where there are none
    counts_chains = False

    def form(self) -> Dict[str, object]:
        """The fields of mapscope.inspect/1."""
        return dict(vars(self))

    def entries_text(self) -> Optional[str]:
        """How many entries there are, for a reader, of a kind of map that has no load; None: what
        the map says is told, and its load."""
        return None

    def walked_form(self, summary: "Summary") -> Dict[str, object]:
        """What a walk has counted of such a map alone, as fields of mapscope.inspect/1."""
        return {}

    def lines(self, summary: "Summary", unit: str) -> Iterator[str]:
        """What `map inspect` shows of a map that is not nil, beneath its load.

        :param summary: what a walk has counted
        :param unit: what its entries lie in, as MapView has it
        """
        yield from self.flag_lines()

    def flag_lines(self) -> Iterator[str]:
        """The line that has its flags."""
        yield f"  flags      {', '.join(self.flags) or 'none'}, hash0 {self.hash0:#x}\n"

    def closing_lines(self) -> Iterator[str]:
        """What stands beneath all of it."""
        if self.bucket_bytes is None:
            yield "  cells      not shown: the map's type is not known (--type 'map[K]V')\n"

    def places(self) -> Optional[int]:
        """What it has more of when it has grown; None: that could not be read."""
        return self.buckets


@dataclass
class Growth:
    """A migration in progress; see docs/commands.md, inspect."""

    kind: str
    old_buckets: int
    nevacuate: int
    evacuated: Optional[int] = None
    ahead: Optional[int] = None
    entries_moved: Optional[int] = None
    entries_waiting: Optional[int] = None

    @property
    def progress(self) -> Optional[float]:
        """The part of the old buckets that is evacuated, 0..1."""
        if self.evacuated is None:
            return None
        return self.evacuated / self.old_buckets

    def json_form(self) -> Dict[str, object]:
        """As docs/commands.md has it."""
        return {
            "kind": self.kind,
            "old_buckets": self.old_buckets,
            "evacuated": self.evacuated,
            "remaining": None if self.evacuated is None else self.old_buckets - self.evacuated,
            "nevacuate": self.nevacuate,
            "ahead": self.ahead,
            "progress": self.progress,
            "entries_moved": self.entries_moved,
            "entries_waiting": self.entries_waiting,
        }

    @property
    def places(self) -> int:
        """Buckets that a stop may name or count."""
        return self.old_buckets

    def details(self) -> List[str]:
        """What readers are told of a migration whose progress is known, a line each."""
        left = self.old_buckets - (self.evacuated or 0)
        return [
            f"{_known(self.evacuated)} old buckets evacuated, {left} remaining",
            f"nevacuate {self.nevacuate}, {_known(self.ahead)} evacuated ahead of it",
            f"{_known(self.entries_moved)} entries in the new buckets, "
            f"{_known(self.entries_waiting)} waiting in the old",
        ]


def _known(value: Optional[int]) -> str:
    return "?" if value is None else str(value)


@dataclass(frozen=True)
class Held:
    """Memory that a map holds, in bytes; what its keys and values hold themselves is not in it.

    :ivar buckets: the present array, with the spare overflow buckets behind it
    :ivar old: the array being evacuated, with its overflow buckets
    :ivar overflow: overflow buckets of the present array that lie elsewhere
    :ivar header: the map itself
    :ivar retired: arrays of ended migrations that are not yet given back
    :ivar indirect: keys and elements that are too large for a bucket
    :ivar nodes: entries that are allocated one by one; None: this kind of map has none
    """

    buckets: int = 0
    old: int = 0
    overflow: int = 0
    header: int = 0
    retired: int = 0
    indirect: int = 0
    nodes: Optional[int] = None

    @property
    def total(self) -> int:
        """All of it."""
        always = self.buckets + self.old + self.overflow + self.header + self.retired
        return always + self.indirect + (self.nodes or 0)

    @property
    def retained(self) -> int:
        """What is kept for a migration, present or past."""
        return self.old + self.retired

    def form(self) -> Dict[str, int]:
        """`bytes` of mapscope.inspect/1."""
        form = {
            "buckets": self.buckets,
            "old": self.old,
            "overflow": self.overflow,
            "header": self.header,
            "retired": self.retired,
            "indirect": self.indirect,
        }
        if self.nodes is not None:
            form["nodes"] = self.nodes
        return form


@dataclass(frozen=True)
class Life:
    """What a map has been through, by the program's own count."""

    growths: int
    same_size_growths: int
    shrinks: int
    rebuilds: int
    evacuated: int

    def form(self) -> Dict[str, int]:
        """`life` of mapscope.stats/1."""
        return {
            "growths": self.growths,
            "same_size_growths": self.same_size_growths,
            "shrinks": self.shrinks,
            "rebuilds": self.rebuilds,
            "buckets_evacuated": self.evacuated,
        }


#: (looked at, all of them; None: not known)
Coverage = Tuple[int, Optional[int]]


@dataclass
class Summary:
    """What `map inspect` shows beyond the header; None: could not be known.

    :ivar tombstones: of a Swiss map, slots of deleted entries
    :ivar read: where not all could be looked at, (buckets or groups looked at, all of them;
        None: not known): figures of a walk are of those alone
    """

    overflow_in_use: Optional[int] = None
    spare: Optional[int] = None
    held: Optional[Held] = None
    chains: Dict[int, int] = field(default_factory=dict)
    growth: Optional[Growth] = None
    tombstones: Optional[int] = None
    read: Optional[Coverage] = None


@dataclass(frozen=True)
class Histogram:
    """How often each number is there.

    :ivar name: of the field of mapscope.stats/1
    :ivar title: for a reader
    """

    name: str
    title: str
    values: Dict[int, int]


@dataclass
class Distribution:
    """What `map stats` shows of one map; None: could not be known.

    :ivar read: as in Summary
    :ivar even: whether a good hash fills all the counted places alike
    :ivar own: of a kind of map that has neither buckets nor groups, what stands in place of
        cells, chains and probes
    """

    cells: Dict[int, int]  # entries in a bucket's chain: number of such buckets
    chains: Dict[int, int]
    old_cells: Dict[int, int]  # the same of old buckets not yet evacuated
    old_chains: Dict[int, int]
    entries: Optional[int]
    uniformity: Optional[float]  # variance / mean of entries per bucket; 1: as by chance
    held: Optional[Held]
    bytes_used: Optional[int]
    bytes_rebuilt: Optional[int]  # what a fresh copy of the map would hold, about
    unit: str = "bucket"  # what has the entries
    #: of a table of slots: groups that a lookup looks at which finds nothing: number of groups (of
    #: a library's table: of slots) it may begin with, None: not known; slots of deleted entries;
    #: entries until tables grow
    probes: Optional[Dict[int, int]] = None
    tombstones: Optional[int] = None
    growth_left: Optional[int] = None
    read: Optional[Coverage] = None
    even: bool = True
    own: Optional[Tuple[Histogram, ...]] = None


@dataclass
class Cell:
    """One cell of a bucket.

    :ivar tophash: what a lookup compares first; None: it is neither stored nor known
    """

    index: int
    address: int
    key_offset: int
    elem_offset: int
    tophash: Optional[int]
    state: str
    key: Optional[Decoded] = None
    value: Optional[Decoded] = None
    live: bool = False
    moved_to: Optional[Where] = None
    in_flight: bool = False


@dataclass
class Bucket:
    """One bucket of a chain."""

    address: int
    chain: int
    overflow: int
    overflow_offset: Optional[int]  # None: it has none
    cells: List[Cell]


@dataclass
class Chain:
    """What `map bucket` shows.

    :ivar unit: what its buckets are called
    :ivar mark: what a cell's byte is called
    """

    array: str
    index: int
    evacuated: bool
    buckets: List[Bucket]
    unit: str = "bucket"
    mark: str = "tophash"


@dataclass
class Node:
    """One entry of a chain of nodes.

    :ivar hash: None: it is neither stored nor known
    :ivar following: the next node, of this bucket or another one
    """

    address: int
    hash: Optional[int]
    key: Decoded
    value: Decoded
    following: int


@dataclass
class NodeChain(Chain):
    """What `map bucket` shows of a bucket whose entries are linked nodes.

    :ivar before: what the bucket's own pointer leads to; 0: the bucket is empty
    """

    nodes: List[Node] = field(default_factory=list)
    before: int = 0

    def state(self) -> str:
        """What stands in it, in a word or two."""
        count = len(self.nodes)
        return f"{count} node{'' if count == 1 else 's'}" if self.before else "empty"

    def about(self) -> List[str]:
        """What readers are told of the bucket itself, a line each."""
        return (
            [f"pointer    {self.before:#x}, the node before its first one"] if self.before else []
        )

    def form(self) -> Dict[str, object]:
        """What mapscope.bucket/1 has of the bucket itself."""
        return {"before": hex(self.before) if self.before else None}

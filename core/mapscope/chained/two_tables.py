# SPDX-License-Identifier: MIT
"""What the header of a map of two tables tells, and what a walk over it gives."""

from abc import ABC, abstractmethod
from dataclasses import field
from typing import Iterator, List, Optional, Sequence, Set, Tuple

from ..maps.batches import Column, NodeWhere, Where
from ..maps.problems import Problem
from ..records import dataclass


#: times that the second table may be larger than the first for lost entries to be looked for
_MOST_TIMES = 1 << 12


@dataclass(frozen=True)
class Tables:
    """The header of a map, checked.

    :ivar arrays: addresses of both tables; 0: there is none
    :ivar sizes: their buckets; 0 where there is none
    :ivar used: entries in each, as the header says
    :ivar index: buckets of the first table below it are empty; -1: no migration
    :ivar paused: how many forbid steps of the migration
    :ivar in_order: whether buckets are never moved before those in front of them
    """

    arrays: Tuple[int, int]
    sizes: Tuple[int, int]
    used: Tuple[int, int]
    index: int
    paused: int = 0
    in_order: bool = True

    @property
    def migrating(self) -> bool:
        """Whether entries move from the first table to the second."""
        return self.index >= 0

    @property
    def count(self) -> int:
        """All entries."""
        return self.used[0] + self.used[1]

    @property
    def target(self) -> int:
        """The number of the table that new entries go to."""
        return 1 if self.migrating else 0

    def place(self, table: int, key_hash: int) -> int:
        """The bucket of a hash in a table that has buckets."""
        return key_hash & (self.sizes[table] - 1)

    def places_of(self, table: int, hashes: Sequence[Optional[int]]) -> List[Optional[int]]:
        """The same of many; None of what has no hash."""
        mask = self.sizes[table] - 1
        return [None if key_hash is None else key_hash & mask for key_hash in hashes]

    def array(self, table: int) -> str:
        """What a table is called."""
        return "new" if table == self.target else "old"

    def kind(self) -> str:
        """Of the migration."""
        old, new = self.sizes
        return "double" if new == 2 * old else "grow" if new > old else "shrink"

    def destinations(self, bucket: int) -> range:
        """Buckets of the second table that entries of a bucket of the first go to; none where
        they are too many."""
        old, new = self.sizes
        if new > old:
            return range(bucket, new if new // old <= _MOST_TIMES else bucket, old)
        first = bucket & (new - 1)
        return range(first, first + 1)


@dataclass
class Piece:
    """Some entries of one table, field by field.

    :ivar buckets: their buckets
    :ivar nodes: how many nodes (or child buckets) of the chain stand before each
    :ivar cells: positions in them
    :ivar links: what leads to each: a pointer, with marks in its low bits
    :ivar ids: what no two entries share, whichever table they are seen in
    :ivar keys: where each key is
    :ivar values: the word that holds, or leads to, the value
    :ivar slots: the address of that word; 0: nowhere
    """

    table: int
    buckets: List[int] = field(default_factory=list)
    nodes: List[int] = field(default_factory=list)
    cells: List[int] = field(default_factory=list)
    links: List[int] = field(default_factory=list)
    ids: List[int] = field(default_factory=list)
    keys: List[int] = field(default_factory=list)
    values: List[int] = field(default_factory=list)
    slots: List[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.links)

    def only(self, wanted: Sequence[int]) -> "Piece":
        """The entries with these indices."""
        columns = [self.buckets, self.nodes, self.cells, self.links]
        columns += [self.ids, self.keys, self.values, self.slots]
        return Piece(self.table, *([column[i] for i in wanted] for column in columns))


@dataclass(frozen=True)
class Lost:
    """Entries that no table leads to at this moment.

    :ivar piece: those that were found all the same; None: none
    :ivar problem: what cannot be told
    """

    piece: Optional[Piece] = None
    problem: Optional[Problem] = None


class Nodes(ABC):
    """The chains of one map, as they lie in memory.

    :ivar problems: what was found impossible or unreadable on the way
    """

    problems: List[str]

    @abstractmethod
    def walk(self, table: int, first: int, end: int) -> Iterator[Piece]:
        """All entries of buckets `first` to `end` - 1 of a table; chains are bounded."""

    @abstractmethod
    def keys(self, piece: Piece) -> Column:
        """Their keys."""

    @abstractmethod
    def values(self, piece: Piece) -> Column:
        """Their values."""

    @abstractmethod
    def sought(self, argument: int) -> Column:
        """The one key that a function of the program is called with."""

    @abstractmethod
    def bucket_address(self, table: int, bucket: int) -> int:
        """Where a bucket lies."""

    def lost(self, moved: Set[int], found: Tuple[int, int]) -> Lost:
        """Entries that are on their way from one table to the other, and in none.

        :param moved: old buckets that have entries which were seen in both
        :param found: of each table, all that were seen, each once
        """
        return Lost()

    def doubtful(self, piece: Piece) -> Sequence[int]:
        """Indices of what hangs in the first table, and may be memory that was given back:
        entries that are moved already."""
        return ()

    def oddities(self, quiet: bool) -> Iterator[Problem]:
        """What else a healthy map has not, after a walk over all of it.

        :param quiet: whether nobody is in the middle of a write to it
        """
        return iter(())

    def written(self, piece: Piece) -> Sequence[int]:
        """Indices of entries that a thread may be writing at this moment."""
        return ()

    def where(self, piece: Piece, index: int, array: str) -> Where:
        """The place of an entry."""
        return NodeWhere(array, piece.buckets[index], piece.nodes[index], piece.cells[index])

    def tag(self, piece: Piece, index: int) -> int:
        """What a cell is marked with."""
        return piece.links[index] & 7

    def address(self, piece: Piece, index: int) -> int:
        """Where an entry lies."""
        return piece.links[index] & ~7

    def hashes(self, piece: Piece) -> List[Optional[int]]:
        """Hashes that are stored beside entries, where such are."""
        return [None] * len(piece)

    def child_bytes(self) -> int:
        """Bytes that the entries hold outside of the tables, as far as the header tells."""
        return 0

    #: of a bucket
    bucket_bytes = 8
    #: which bits of a hash tag() gives
    tag_bits = 0
    #: whether so much of the tables cannot be read that the rest is left
    gave_up = False
    #: whether buckets that are migrated can still be read
    keeps_old = True
    #: whether an entry may be in both tables for a while, and in none
    loses = True
    #: whether hashes are stored beside entries
    stores_hashes = False
    #: whether an entry may lie in another place than that of its hash: the next one that is free
    probes = False

# SPDX-License-Identifier: MIT
"""What is known of every map of a process at once."""

from abc import ABC, abstractmethod
from dataclasses import field
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..records import dataclass


class HeapMap(NamedTuple):
    """One map.

    :ivar type: its name; None: not known
    :ivar candidates: types that it may have, where that is not certain
    :ivar entries: None: not known
    :ivar bytes: of header, arrays, overflow and what is kept indirectly; None: not known
    :ivar wasted: bytes that a fresh map of the same entries would not need; None: not known
    :ivar retained: bytes of arrays that a migration has not left yet
    :ivar capacity: entries that its arrays have cells for
    :ivar growing: kind of its migration
    :ivar owner: path from a root, with indices left out; "": none was found
    :ivar garbage: whether nothing refers to it; None: that is not known
    :ivar overflow: overflow buckets, or tombstones
    :ivar tombstones: whether deleted entries are what `overflow` counts
    """

    address: int
    type: Optional[str]
    candidates: Tuple[str, ...]
    entries: Optional[int]
    bytes: Optional[int]
    wasted: Optional[int]
    retained: int
    capacity: int
    growing: Optional[str]
    owner: str
    garbage: Optional[bool]
    overflow: Optional[int]
    buckets: int
    tombstones: bool

    @property
    def fill(self) -> Optional[float]:
        """Share of its cells that hold an entry; None: it has no cells, or that is not known."""
        if not self.capacity or self.entries is None:
            return None
        return self.entries / self.capacity


class Alike(NamedTuple):
    """Maps that nothing but their addresses tells apart: a process has few kinds of them, however
    many maps.

    :ivar map: the first
    :ivar addresses: of all, ascending
    """

    map: HeapMap
    addresses: Sequence[int]

    def maps(self) -> Iterator[HeapMap]:
        """Each by itself."""
        rest = self.map[1:]
        return (HeapMap(address, *rest) for address in self.addresses)


class Step(NamedTuple):
    """One step of a path to a map.

    :ivar text: how it is written behind the one before
    :ivar type: of what lies there; "": not known
    :ivar address: of it; 0: not known
    """

    text: str
    type: str
    address: int


@dataclass
class Owner:
    """One path to a map, from a root."""

    steps: List[Step] = field(default_factory=list)

    def path(self) -> str:
        """As people write it."""
        return "".join(step.text for step in self.steps)


class HeapView(ABC):
    """All maps of one kind in a process.

    :ivar flavor: as JSON has it
    :ivar notes: what could not be looked at, for the reader
    :ivar complete: whether all of it was looked at
    :ivar interrupted: whether a Ctrl-C ended the search: nothing else is to be searched then
    :ivar steps: an owner's path, step by step
    :ivar followed: whether references were followed, so that owners and garbage are known
    """

    flavor: str = ""

    def __init__(self) -> None:
        self.notes: List[str] = []
        self.complete = True
        self.interrupted = False
        self.followed = False
        self.steps: Dict[str, Tuple[str, ...]] = {}

    @abstractmethod
    def maps(self) -> Iterator[HeapMap]:
        """Every map, in the order of addresses."""

    def alike(self) -> Iterator[Alike]:
        """The same, in groups."""
        return (Alike(map, (map.address,)) for map in self.maps())

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def has(self, address: int) -> bool:
        """Whether a map is one of them."""

    @abstractmethod
    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        """Paths that lead to a map.

        :param all: not only the first one that is found
        """

# SPDX-License-Identifier: MIT
"""What every kind of map offers to the commands.

A MapView is a map as it was found, its header taken apart and checked; a
flavour makes it. Commands use this interface alone and so never ask which
flavour they have.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from ..errors import MapscopeError, TypeNeeded
from ..program.hashing import KeyHash
from ..program.memory import Memory
from ..program.types import Type
from ..program.values import Decoded, Decoder, Unreadable, escape
from ..records import dataclass
from ..session import Session
from .batches import EntryBatch, some_of
from .facts import Chain, Distribution, Facts, Growth, Held, Life, Summary
from .found import Found, KeyTest
from .hash_use import HashUse
from .occupancy import Occupancy, counted
from .problems import is_cut_short
from .progress import Progress, no_progress
from .report import Report


#: gives a map's hash function, or None and why it cannot be computed
Hashing = Callable[[], Tuple[Optional[KeyHash], str]]


#: opens a map again, as it is then
Reopen = Callable[[Session], "MapView"]


@dataclass(frozen=True)
class GrowthPlace:
    """Where a table grows that does so within one call.

    :ivar functions: names by which debuggers know the function that does it
    :ivar owner: the address that it is called for
    :ivar arguments: names of its first parameter, if that is the new number of buckets
    :ivar word: address of a word of the table that changes then, if possible as the last one
    """

    functions: Tuple[str, ...]
    owner: int
    arguments: Tuple[str, ...]
    word: int


class MapView(ABC):
    """One map, found and understood as far as it can be.

    :ivar flavor: "runtime", "go-classic", ...
    :ivar go_version: as in "go1.19.8", for Go maps
    :ivar runtime: an address in the Go runtime that it is of; 0: not Go's, or not known
    :ivar unit: what its entries lie in, "bucket" or "group"
    :ivar cells: what entries lie in there, as "cells"
    :ivar mark: what the byte of a cell is called that a lookup compares first
    :ivar has_overflow: whether buckets have overflow buckets
    :ivar has_values: whether entries are more than their keys, as those of a set are not
    :ivar repeats: whether a key may be there more than once
    :ivar hash_bits: which bits a hash of it has
    :ivar samples_pieces: whether sample() takes all of some buckets, rather than some entries of
        all
    :ivar concurrent: whether threads may write to it at the same time
    :ivar address: of the header; None for a nil map
    :ivar problems: what was found impossible or unreadable on the way
    :ivar holder: where a nil map's pointer lies, if that is known
    :ivar reopen: finds the same map again, as it is then; None for a nil map
    :ivar grows: where it grows, if that is one function's work
    :ivar life: what it has been through, where the program counts that
    :ivar may_lock: whether its program may guard parts of it by locks, so that two writers are not
        known to be a race
    :ivar made_of: maps that it consists of, each of which is one of its own
    :ivar decoding: makes what takes its keys and elements apart; None: knows memory alone
    :ivar is_part: whether it is a value in what holds it, rather than an object by itself
    """

    flavor: str = ""
    unit: str = "bucket"
    cells: str = "cells"
    mark: str = "tophash"
    has_overflow: bool = True
    has_values: bool = True
    repeats: bool = False
    hash_bits: int = (1 << 64) - 1
    samples_pieces: bool = False
    concurrent: bool = False
    go_version: Optional[str] = None
    runtime: int = 0
    holder: Optional[int] = None
    reopen: Optional[Reopen] = None
    grows: Optional[GrowthPlace] = None
    life: Optional[Life] = None
    may_lock: bool = False
    made_of: Sequence["MapView"] = ()
    is_part: bool = False
    decoding: Optional[Callable[[], Decoder]] = None
    _decoder: Optional[Decoder] = None

    def __init__(
        self,
        memory: Memory,
        address: Optional[int],
        type_name: str,
        key: Optional[Type],
        elem: Optional[Type],
    ) -> None:
        self.memory = memory
        self.address = address
        self.type_name = type_name
        self.key = key
        self.elem = elem
        self.problems: List[str] = []

    @property
    def decoder(self) -> Decoder:
        """Takes its keys and elements apart; made when it is needed first."""
        if self._decoder is None:
            self._decoder = Decoder(self.memory) if self.decoding is None else self.decoding()
        return self._decoder

    @decoder.setter
    def decoder(self, made: Decoder) -> None:
        self._decoder = made

    def headline(self) -> str:
        """One line: type, entries, what growth is going on."""
        name = escape(self.type_name)
        if self.address is None:
            return f"{name} nil" if self.flavor.startswith("go") else f"{name} with 0 entries"
        text = f"{name} with {self.count} entries"
        growth = self.growth()
        if growth is not None:
            buckets = self.facts().buckets
            text += f" (growing, {growth.kind} {growth.old_buckets} -> {buckets} buckets)"
        return text

    @property
    @abstractmethod
    def count(self) -> int:
        """Live entries, as the header says."""

    @property
    def known_count(self) -> Optional[int]:
        """The same; None: there are so many at least, for not all could be looked at."""
        return self.count

    def count_text(self) -> str:
        """How many entries, for who reads."""
        known = self.known_count
        return f"at least {self.count}" if known is None else str(known)

    @abstractmethod
    def facts(self) -> Facts:
        """What the header alone tells."""

    @abstractmethod
    def growth(self) -> Optional[Growth]:
        """The migration in progress, as far as the header alone tells."""

    @abstractmethod
    def progress(self) -> Optional[float]:
        """The evacuated part of the old buckets, 0..1; None: not migrating."""

    @abstractmethod
    def overflow_in_use(self) -> Optional[int]:
        """Overflow buckets of the present array, as far as the header tells."""

    @abstractmethod
    def held(self) -> Optional[Held]:
        """The memory it holds, as far as the header tells; overflow may be an estimate. None:
        it cannot be told."""

    @abstractmethod
    def load_factor(self) -> Optional[float]:
        """Entries for each bucket; None: it cannot be told."""

    @abstractmethod
    def summary(self, progress: Progress = no_progress) -> Summary:
        """Walks the whole map."""

    @abstractmethod
    def distribution(self, progress: Progress = no_progress) -> Distribution:
        """Walks the whole map."""

    @abstractmethod
    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        """Every live entry exactly once.

        :raises TypeNeeded: where keys cannot be found without the map's type
        """

    def occupancy(self, progress: Progress = no_progress) -> Optional[List[Occupancy]]:
        """How many entries each bucket or group has, array by array; None: that is not known of
        each. Walks the whole map.

        :raises TypeNeeded: where keys cannot be found without the map's type
        """
        buckets, growth = self.facts().buckets, self.growth()
        if not isinstance(buckets, int):
            return None
        places = {"new": buckets}
        if growth is not None:
            places["old"] = growth.old_buckets
        found = counted(self.entries(progress), places, self.unit)
        return None if is_cut_short(self.problems) else found

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        """About so many of the entries, from all over the map; all of them, if there are no more.

        :raises TypeNeeded: where keys cannot be found without the map's type
        """
        if self.count <= most:
            yield from self.entries(progress)
            return
        for batch in self.entries(progress):
            held = len(batch.order)
            chosen = some_of(held, -(-held * most // self.count))
            yield replace(batch, order=[batch.order[at] for at in chosen])

    @abstractmethod
    def chain(self, index: int, old: bool) -> Chain:
        """One bucket with its overflow buckets."""

    @abstractmethod
    def find(self, test: KeyTest) -> Found:
        """Looks a key up."""

    @abstractmethod
    def check(self, report: Report, progress: Progress = no_progress) -> None:
        """Walks the whole map and reports what is wrong with it."""

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        """(the map's hash function, ""), or (None, a line: why it cannot be computed)."""
        return None, "the map's hash function is not known"

    def hash_use(self) -> Optional[HashUse]:
        """What the map does with hashes; None: that is not known, or it has no places yet."""
        return None

    def hash_of(self, test: KeyTest) -> Optional[int]:
        """The map's hash of a key, where it can be computed."""
        known, _ = self.hashing()
        if known is None:
            return None
        if test.text is not None:
            return known.of_text(test.text)
        return None if test.data is None else known.many([test.data])[0]

    def types(self) -> Tuple[Type, Type]:
        """The key and element types.

        :raises TypeNeeded: where they are not known
        """
        if self.key is None or self.elem is None:
            raise TypeNeeded(f"map at {self.address or 0:#x}")
        return self.key, self.elem

    def slot_value(self, type: Type, slot: bytes, address: int, indirect: bool) -> Decoded:
        """The key or element whose slot lies at `address`; indirect: the slot points at it."""
        if not indirect:
            return self.decoder.decode(type, slot, address)
        pointer = int.from_bytes(slot, "little")
        try:
            self.decoder.spend(type.size, f"{type.size} bytes")
        except MapscopeError as error:
            return Unreadable(str(error))
        data = self.memory.gather([pointer], type.size)[0]
        if data is None:
            return Unreadable(f"cannot read {type.size} bytes at {pointer:#x}")
        return self.decoder.decode(type, data, pointer)

# SPDX-License-Identifier: MIT
"""The two maps of a sync.Map, and the states of their entries."""

import enum
from dataclasses import field
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ...errors import MapscopeError
from ...go import layouts
from ...maps.batches import Column, EntryBatch, Where
from ...maps.problems import MAX_PROBLEMS, Problem
from ...maps.progress import Progress, no_progress
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.types import Type
from ...records import dataclass

#: an interface value, as the one that an entry points at
VALUE_SIZE = 16


class State(enum.Enum):
    """What an entry is."""

    LIVE = "live"
    DELETED = "deleted"
    EXPUNGED = "expunged"
    #: it is just being put into the dirty map, or taken out of it
    PENDING = "pending"
    UNREAD = "unread"


@dataclass(frozen=True)
class SyncWhere(Where):
    """The place of an entry of a sync.Map of two maps: the array is one of them, "read" or
    "dirty".

    :ivar inner: its place in that map
    """

    inner: Optional[Where] = None

    def json_form(self) -> Dict[str, object]:
        return {"map": self.array, **(self.inner.json_form() if self.inner else {})}

    def text(self) -> str:
        return f"{self.array} map" + (f", {self.inner.text()}" if self.inner else "")


def where_of(name: str, inner: Where) -> SyncWhere:
    """A place in one of the two maps, by its place in that one."""
    return SyncWhere(name, inner.bucket, inner.chain, inner.cell, inner)


@dataclass(frozen=True)
class Part:
    """Some entries of one of the two maps.

    :ivar name: of that map
    :ivar batch: they are of, with these
    :ivar order: indices
    :ivar entries: addresses of what the map's elements point at; 0: it is not stored yet
    :ivar looks: (state, address of the value) of each
    """

    name: str
    batch: EntryBatch
    order: Sequence[int]
    entries: Sequence[int]
    looks: Sequence[Tuple[State, int]]


@dataclass
class Tally:
    """How many entries are in which state, in each of the two maps.

    :ivar only: in the dirty map, live, and not in the read one
    """

    states: Dict[str, Dict[State, int]] = field(default_factory=dict)
    only: int = 0

    def of(self, name: str, state: State) -> int:
        """So many entries of a map are in a state."""
        return self.states.get(name, {}).get(state, 0)


class TwoMaps:
    """Both maps of one sync.Map, as they were found.

    :ivar read: None: there is none yet; or it could not be read, which is among the problems
    :ivar amended: what the read map says of the dirty one; None: not known
    :ivar unread: "read", "dirty": which of them could not be read, and is None for that
    :ivar expunged: gives the address that expunged entries point at; None: not known
    """

    def __init__(
        self,
        memory: Memory,
        read: Optional[MapView],
        dirty: Optional[MapView],
        amended: Optional[bool],
        misses: int,
        locked: bool,
        expunged: Callable[[], Optional[int]],
        problems: List[str],
        unread: Sequence[str] = (),
    ) -> None:
        self.unread = unread
        self.memory = memory
        self.read = read
        self.dirty = dirty
        self.amended = amended
        self.misses = misses
        self.locked = locked
        self.problems = problems
        self._find_expunged = expunged
        self._expunged: List[Optional[int]] = []
        self._tally: Optional[Tally] = None
        self._told: Dict[str, int] = {}
        self._doubts = 0

    @property
    def same(self) -> bool:
        """Whether the dirty map has just been put in the read one's place, and is still both."""
        one, other = self.read, self.dirty
        return one is not None and other is not None and one.address == other.address

    def maps(self) -> List[Tuple[str, MapView]]:
        """Those that there are, with their names: each once."""
        found = [] if self.read is None else [("read", self.read)]
        if self.dirty is not None and not self.same:
            found.append(("dirty", self.dirty))
        return found

    @property
    def looks_in_dirty(self) -> bool:
        """Whether lookups go on to the dirty map."""
        return self.amended is not False

    # --- walks ---

    def parts(self, progress: Progress = no_progress) -> Iterator[Part]:
        """All entries of the read map, then all of the dirty one, whatever their states."""
        for name, view in self.maps():
            try:
                for batch in view.entries(progress):
                    yield self._part(name, batch)
            except MapscopeError as error:
                self.note(Problem(f"the {name} map: {error}", "unreadable", view.address))
            self._take_problems(name, view)

    def _take_problems(self, name: str, view: MapView) -> None:
        """What was noted of one of the maps is of this one, too."""
        told = self._told.get(name, 0)
        self._told[name] = len(view.problems)
        for problem in view.problems[told:]:
            if isinstance(problem, Problem):
                text = f"the {name} map: {problem}"
                self.note(Problem(text, problem.code, problem.address, name, problem.bucket))
            elif problem not in self.problems:
                self.note(problem)

    def note(self, problem: str) -> None:
        """Note what is impossible or could not be read, unless enough was noted."""
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def _part(self, name: str, batch: EntryBatch) -> Part:
        order = list(batch.order)
        entries: List[int] = []
        for index in order:
            raw = batch.elems.data(index)
            if raw is None and index not in batch.in_flight:
                self.note(Problem(f"an element of the {name} map cannot be read", "unreadable"))
            entries.append(0 if raw is None else int.from_bytes(raw[:8], "little"))
        return Part(name, batch, order, entries, self.look(entries))

    def look(self, entries: Sequence[int]) -> List[Tuple[State, int]]:
        """(state, address of the value) of entries, by their addresses."""
        expunged = self.expunged()
        words = self.memory.gather(entries, layouts.SYNC_ENTRY.size)
        found: List[Tuple[State, int]] = []
        for entry, word in zip(entries, words):
            pointer = 0 if word is None else int.from_bytes(word, "little")
            if not entry:
                found.append((State.PENDING, 0))
            elif word is None:
                text = f"an entry at {entry:#x} cannot be read: whether it is there is not known"
                self.note(Problem(text, "unreadable", entry))
                found.append((State.UNREAD, 0))
            elif not pointer:
                found.append((State.DELETED, 0))
            elif pointer == expunged:
                found.append((State.EXPUNGED, 0))
            elif expunged is None and self._may_be_expunged(pointer):
                found.append((State.UNREAD, 0))
            else:
                found.append((State.LIVE, pointer))
        return found

    def _may_be_expunged(self, pointer: int) -> bool:
        """Whether what marks expunged entries, which was not found, may be at an address."""
        value = self.memory.gather([pointer], VALUE_SIZE)[0]
        if value is None or any(value):
            return False
        text = (
            "entries whose value is nil cannot be told from those that are expunged: "
            "sync.expunged was not found"
        )
        self.note(Problem(text, "unreadable"))
        return True

    def expunged(self) -> Optional[int]:
        """What expunged entries point at; None: not known."""
        if not self._expunged:
            self._expunged.append(self._find_expunged())
        return self._expunged[0]

    def seen(self, progress: Progress = no_progress) -> Iterator[Part]:
        """What lookups find, each entry once; and which of the others there are."""
        known: Set[int] = set()
        for part in self.parts(progress):
            if part.name == "read":
                known.update(part.entries)
                yield part
            elif self.looks_in_dirty:
                yield _without(part, known)

    def tally(self, progress: Progress = no_progress) -> Tally:
        """Counts all entries by their states; once."""
        if self._tally is None:
            tally = Tally()
            known: Set[int] = set()
            try:
                for part in self.parts(progress):
                    counts = tally.states.setdefault(part.name, {})
                    for entry, (state, _) in zip(part.entries, part.looks):
                        counts[state] = counts.get(state, 0) + 1
                        if part.name == "dirty" and entry not in known:
                            tally.only += state is State.LIVE
                    if part.name == "read":
                        known.update(part.entries)
            except KeyboardInterrupt:
                self.note(Problem("interrupted: not all of the map was looked at", "interrupted"))
            self._tally = tally
        return self._tally

    def live(self, part: Part, key_type: Type) -> Optional[EntryBatch]:
        """Those of a part that have a value; None: none has."""
        chosen = [at for at, (state, _) in enumerate(part.looks) if state is State.LIVE]
        if not chosen:
            return None
        inner = part.batch
        indices = [part.order[at] for at in chosen]
        values = [part.looks[at][1] for at in chosen]
        raws = self.memory.gather(values, VALUE_SIZE)
        keys = [inner.keys.data(index) for index in indices]

        def key_at(index: int) -> int:
            return inner.keys.address(indices[index])

        return EntryBatch(
            Column(key_type, None, keys, key_at),
            Column(key_type, None, raws, values.__getitem__),
            range(len(chosen)),
            lambda index: where_of(part.name, inner.where(indices[index])),
            {at: True for at, index in enumerate(indices) if index in inner.in_flight},
        )


def _without(part: Part, known: Set[int]) -> Part:
    """A part without some entries."""
    kept = [at for at, entry in enumerate(part.entries) if entry not in known]
    return Part(
        part.name,
        part.batch,
        [part.order[at] for at in kept],
        [part.entries[at] for at in kept],
        [part.looks[at] for at in kept],
    )

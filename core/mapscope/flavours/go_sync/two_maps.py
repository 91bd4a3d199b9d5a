# SPDX-License-Identifier: MIT
"""The two maps of a sync.Map, and the states of their entries."""

import enum
from dataclasses import field
from itertools import compress
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ...cells.columns import column_from
from ...errors import MapscopeError
from ...go import layouts
from ...maps.batches import EntryBatch, Where
from ...maps.problems import MAX_PROBLEMS, Problem
from ...maps.progress import Progress, no_progress
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.types import Type
from ...records import dataclass

#: an interface value, as the one that an entry points at
VALUE_SIZE = 16
#: entries that are looked at together
_MANY = 1 << 17


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
    :ivar states: of each
    :ivar values: addresses of their values
    """

    name: str
    batch: EntryBatch
    order: Sequence[int]
    entries: Sequence[int]
    states: Sequence[State]
    values: Sequence[int]


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
                for batches in _together(view.entries(progress)):
                    yield from self._parts(name, batches)
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

    def _parts(self, name: str, batches: Sequence[EntryBatch]) -> Iterator[Part]:
        """Entries of some batches, which are looked at together: they lie all over memory."""
        if len(batches) > 1:
            self.memory.keep_chunks()
        pointers = [self._pointers(name, batch) for batch in batches]
        states, values = self.look([entry for entries in pointers for entry in entries])
        first = 0
        for batch, entries in zip(batches, pointers):
            end = first + len(entries)
            yield Part(name, batch, batch.order, entries, states[first:end], values[first:end])
            first = end

    def _pointers(self, name: str, batch: EntryBatch) -> List[int]:
        """What the elements of a batch are."""
        order = batch.order
        numbers = batch.elems.scalars()
        entries: List[int] = []
        if numbers is not None:
            entries = [numbers[index] for index in order]  # type: ignore[misc]
        for index in order if numbers is None else ():
            raw = batch.elems.data(index)
            if raw is None and index not in batch.in_flight:
                self.note(Problem(f"an element of the {name} map cannot be read", "unreadable"))
            entries.append(0 if raw is None else int.from_bytes(raw[:8], "little"))
        return entries

    def look(self, entries: Sequence[int]) -> Tuple[List[State], List[int]]:
        """(states, addresses of the values) of entries, by their addresses."""
        expunged = self.expunged()
        words = self.memory.gather(entries, layouts.SYNC_ENTRY.size)
        if expunged is not None and all(entries) and None not in words:
            values = memoryview(b"".join(words)).cast("Q").tolist()  # type: ignore[arg-type]
            named = {expunged: State.EXPUNGED, 0: State.DELETED}
            states = [named.get(value, State.LIVE) for value in values]
            return states, values
        found = [self._state(*look, expunged) for look in zip(entries, words)]
        return [state for state, _ in found], [value for _, value in found]

    def _state(
        self, entry: int, word: Optional[bytes], expunged: Optional[int]
    ) -> Tuple[State, int]:
        """(state, address of the value) of an entry.

        :param word: what lies there; None: it cannot be read
        """
        if not entry:
            return State.PENDING, 0
        if word is None:
            text = f"an entry at {entry:#x} cannot be read: whether it is there is not known"
            self.note(Problem(text, "unreadable", entry))
            return State.UNREAD, 0
        value = int.from_bytes(word, "little")
        if not value:
            return State.DELETED, 0
        if value == expunged:
            return State.EXPUNGED, 0
        if expunged is None and self._may_be_expunged(value):
            return State.UNREAD, 0
        return State.LIVE, value

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
                    for state in State:
                        counts[state] = counts.get(state, 0) + part.states.count(state)
                    if part.name == "read":
                        known.update(part.entries)
                    elif known.issuperset(part.entries):
                        continue
                    else:
                        live = [state is State.LIVE for state in part.states]
                        others = (entry not in known for entry in compress(part.entries, live))
                        tally.only += sum(others)
            except KeyboardInterrupt:
                self.note(Problem("interrupted: not all of the map was looked at", "interrupted"))
            self._tally = tally
        return self._tally

    def live(self, part: Part, key_type: Type) -> Optional[EntryBatch]:
        """Those of a part that have a value; None: none has."""
        chosen = [at for at, state in enumerate(part.states) if state is State.LIVE]
        if not chosen:
            return None
        inner = part.batch
        indices = [part.order[at] for at in chosen]
        values = [part.values[at] for at in chosen]
        raws = self.memory.gather(values, VALUE_SIZE)
        data = inner.keys.all_data(max(indices) + 1)
        keys = [data[index] for index in indices]

        def key_at(index: int) -> int:
            return inner.keys.address(indices[index])

        return EntryBatch(
            column_from(key_type, keys, key_at),
            column_from(key_type, raws, values.__getitem__),
            range(len(chosen)),
            lambda index: where_of(part.name, inner.where(indices[index])),
            {at: True for at, index in enumerate(indices) if index in inner.in_flight},
        )


def _together(batches: Iterator[EntryBatch]) -> Iterator[List[EntryBatch]]:
    """Batches, so many at a time that looking for what they lead to pays."""
    some: List[EntryBatch] = []
    held = 0
    for batch in batches:
        some.append(batch)
        held += len(batch.order)
        if held >= _MANY:
            yield some
            some, held = [], 0
    if some:
        yield some


def _without(part: Part, known: Set[int]) -> Part:
    """A part without some entries."""
    kept = [at for at, entry in enumerate(part.entries) if entry not in known]
    return Part(
        part.name,
        part.batch,
        [part.order[at] for at in kept],
        [part.entries[at] for at in kept],
        [part.states[at] for at in kept],
        [part.values[at] for at in kept],
    )

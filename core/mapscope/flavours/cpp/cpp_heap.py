# SPDX-License-Identifier: MIT
"""Every map of the C++ runtime, by its registry, and the variables that refer to each."""

from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence

from ...classic.classic_map import ClassicMap
from ...errors import MapscopeError
from ...maps.on_heap import HeapMap, HeapView, Owner, Step
from ...maps.progress import Progress
from ...maps.view import MapView
from ...program.cpp_names import as_written
from ...program.types import Type
from ...program.values import text_form
from ...records import dataclass
from ...session import Session
from .cpp_references import Batch, Hit, References, joined, path_of

#: bytes and entries from which on they are impossible
_IMPOSSIBLE = 1 << 47
#: paths to one map that are told; steps of a path; characters of a key
_MOST_OWNERS, _MOST_STEPS, _KEY = 256, 256, 40
#: names that a note has
_SOME = 3
#: functions whose variables are the libraries' own
_INSIDES = ("mapscope::", "std::", "__gnu_cxx::", "__libc_", "_start")

#: opens the map at an address
Open = Callable[[Session, int], MapView]


@dataclass
class CppOwner(Owner):
    """One path to a map, in C++."""

    def path(self) -> str:
        return path_of([step.text for step in self.steps])


class CppHeapView(HeapView):
    """All maps of the registry.

    :param addresses: of all maps, as the registry has them
    :param figures: whether more than the owners is wanted
    """

    flavor = "runtime"

    def __init__(
        self,
        session: Session,
        flavor: str,
        addresses: Iterable[int],
        open_map: Open,
        follow: bool,
        progress: Progress,
        figures: bool = True,
    ) -> None:
        super().__init__()
        self.flavor = flavor
        self._session = session
        self._open = open_map
        self._progress = progress
        self._maps: Dict[int, Optional[HeapMap]] = {}
        self._references: Optional[References] = None
        before = len(session.unread)
        try:
            self._maps = dict.fromkeys(addresses)
            if figures:
                self._measure()
            if follow:
                self._references = self._follow(0)
        except KeyboardInterrupt:
            self.complete = False
            self.notes.append("interrupted: maps and owners are those found so far")
        for name, reason in session.unread[before:][:_SOME]:
            self.complete = False
            self.notes.append(f"{name}: {reason}")

    def _measure(self) -> None:
        failed: List[str] = []
        found: Dict[int, Optional[HeapMap]] = {}
        try:
            for number, address in enumerate(self._maps):
                if not number % 1024:
                    self._progress(number, len(self._maps))
                try:
                    found[address] = measured(self._open(self._session, address), address)
                except MapscopeError as error:
                    failed.append(f"{address:#x}: {error}")
        finally:
            self._maps = dict(sorted(found.items()))
        if failed:
            self.complete = False
            more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
            self.notes.append(f"a map of the registry could not be read: {failed[0]}{more}")

    def _follow(self, wanted: int) -> References:
        """Every way from a variable to a map.

        :param wanted: the map of which every reference is wanted; 0: none
        """
        session = self._session
        references = References(
            session,
            set(self._maps),
            lambda address: self._open(session, address),
            self._progress,
            wanted,
        )
        self._references = references
        unread: List[str] = []
        try:
            own = []
            variables = session.target.cpp_variables(unread)
            for variable in sorted(variables, key=lambda variable: variable.name):
                if variable.name.startswith("mapscope::"):
                    continue
                if variable.thread:
                    own.append(variable)
                else:
                    references.add(variable, variable.name)
            references.run()
            for variable in own:
                references.add(variable, f"{variable.name} (thread {variable.thread})")
            references.run()
            for thread in session.target.threads():
                # outermost first: what a function hands on is its own
                for frame in list(thread.frames())[::-1]:
                    function = frame.function
                    if not function or function.startswith(_INSIDES):
                        continue
                    for variable in frame.cpp_locals():
                        name = f"{function} (thread {thread.number}) {variable.name}"
                        references.add(variable, name)
                references.run()
        finally:
            self.notes += unread + _notes_of(references)
            self.steps.update((path, tuple(s)) for path, s in references.steps.items())
        return references

    def __len__(self) -> int:
        return len(self._maps)

    def has(self, address: int) -> bool:
        return address in self._maps

    def maps(self) -> Iterator[HeapMap]:
        owners = {} if self._references is None else self._references.owners
        for address, map in self._maps.items():
            if map is not None:
                owner = owners.get(address, "")
                yield map._replace(owner=owner, garbage=False if owner else None)

    def names(self) -> Dict[int, str]:
        """The path to each map that one was found of."""
        return {} if self._references is None else dict(self._references.owners)

    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        references = self._follow(address)
        every = references.all_hits() if all else references.hits[:1]
        hits = every[:_MOST_OWNERS]
        if len(every) > len(hits):
            self.notes.append(f"{len(every) - len(hits)} more references are not shown")
        return [self._owner(hit) for hit in hits]

    def _owner(self, hit: Hit) -> Owner:
        batch, number, place = hit
        map = self._maps.get(batch_word(self._session, hit))
        type = "" if map is None or map.type is None else map.type
        steps: List[Step] = []
        label = joined(batch.arrow, _with_first(place.label))
        where = batch.starts[number]
        if label:
            steps.append(Step(label, type, where + place.offset if where else 0))
        for _ in range(_MOST_STEPS):
            above = batch.parent
            name = as_written(batch.shape.tag)
            if above is None or batch.place is None:
                steps.append(Step(batch.node.label, name, batch.starts[number]))
                break
            text = joined(above.arrow, self._text(batch, number))
            if text:
                steps.append(Step(text, name, batch.starts[number]))
            number, batch = batch.above[number], above
        return CppOwner(steps[::-1])

    def _text(self, batch: Batch, number: int) -> str:
        """How the step to a value is written, with its index or key."""
        place = batch.place
        if place is None:
            return ""
        label, index = _with_first(place.label), batch.indices[number]
        if place.how in ("pointer", "optional"):
            return label
        if place.how == "variant":
            return f"{label}.get<{index}>()"
        if place.how == "map":
            return f"{label}[{self._key_of_map(batch, number)}]"
        if place.key is not None:
            return f"{label}[{self._key(place.key.described(), index)}]"
        # elements of a set have no other name
        return f"{label}[]" if place.how == "tree" else f"{label}[{index}]"

    def _key_of_map(self, batch: Batch, number: int) -> str:
        """The key of an entry of a map whose address is kept."""
        parent, place = batch.parent, batch.place
        if parent is None or place is None:
            return "?"
        hit = Hit(parent, batch.above[number], place)
        try:
            key, _ = self._open(self._session, batch_word(self._session, hit)).types()
        except MapscopeError:
            return "?"
        return self._key(key, batch.indices[number])

    def _key(self, type: Type, address: int) -> str:
        try:
            data = self._session.memory.read(address, type.size)
            return text_form(self._session.decoder().decode(type, data, address), _KEY)
        except MapscopeError:
            return "?"


def batch_word(session: Session, hit: Hit) -> int:
    """The word at a place of a value: a map's address."""
    batch, number, place = hit
    if batch.data is not None:
        return int.from_bytes(batch.data[place.offset : place.offset + 8], "little")
    try:
        return session.memory.read_word(batch.starts[number] + place.offset)
    except MapscopeError:
        return 0


def _with_first(label: str) -> str:
    """The label of what a pointer to an array leads to: its first element."""
    return label[:-1] + "0]" if label.endswith("[]") else label


def _notes_of(references: References) -> List[str]:
    found: List[str] = []
    if not references.roots:
        found.append(
            "no variables were found by debug information: who refers to a map is not known"
        )
    if references.unread:
        some = "a value" if references.unread == 1 else f"{references.unread} values"
        found.append(f"{some} that variables lead to could not be read")
    if references.damaged:
        some = "a container" if references.damaged == 1 else f"{references.damaged} containers"
        found.append(
            f"{some} that variables lead to: damaged, or not constructed yet, and not followed"
        )
    if references.cut or references.shapes.cut:
        found.append("there are more values or types than are followed: not all owners are known")
    declared = sorted(references.shapes.declared)
    if declared:
        more = f" and {len(declared) - _SOME} more" if len(declared) > _SOME else ""
        found.append(
            f"of {', '.join(declared[:_SOME])}{more} debug information has the name alone: what "
            "they refer to is not known"
        )
    return found


def measured(view: MapView, address: int) -> HeapMap:
    """A map's figures, by its header alone."""
    held, facts, growth = view.held(), view.facts(), view.growth()
    entries, buckets = view.count, facts.buckets or 0
    bytes: Optional[int] = None if held is None else held.total
    retained = 0 if held is None else held.retained
    wasted: Optional[int] = None
    if bytes is not None and bytes >= _IMPOSSIBLE:
        bytes, retained = None, 0
    if entries >= _IMPOSSIBLE:
        raise MapscopeError(f"impossible: {entries} entries")
    if bytes is not None and isinstance(view, ClassicMap):
        wasted = max(bytes - view.rebuilt(), 0)
    return HeapMap(
        address,
        view.type_name,
        (),
        entries,
        bytes,
        wasted,
        retained,
        8 * buckets,
        None if growth is None else growth.kind,
        "",
        None,
        view.overflow_in_use(),
        buckets,
        False,
    )

# SPDX-License-Identifier: MIT
"""Every sync.Map of a Go heap that a reference with a type leads to, each as one map.

What it consists of is its own: of two maps these, which are not shown by themselves then, what
leads to the read one, and what entries are allocated in; of a trie its nodes and entries. The
struct itself is a part of what holds it. Sizes are those of the heap's objects.
"""

from typing import (
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ...errors import MapscopeError
from ...maps.on_heap import HeapMap, HeapView, Owner
from ...maps.progress import Progress
from ...program.types import Type
from ...session import Session
from ..go.heap_view import GoHeapView
from .many_maps import Contents, of_trie, of_two
from .read_dirty import ReadDirtyMap
from .sync_types import SYNC_MAP
from .trie_map import TrieMap
from .two_maps import State

#: opens the sync.Map at an address; None: the type is none of this kind's
Open = Callable[[Session, int, Optional[Type]], Optional[Union[ReadDirtyMap, TrieMap]]]
#: what many of a type are made of, of each None where it is to be opened; None of the type: it is
#: none of this kind's
Many = Callable[[Session, Sequence[int], Optional[Type]], Optional[Sequence[Optional[Contents]]]]
#: those that are looked at together
_TOGETHER = 1 << 13
#: sync.Maps that are named in notes
_SOME = 3


class _Part(NamedTuple):
    """One of them, and what it is made of."""

    address: int
    owner: str
    contents: Contents


#: of one whose parts cannot be told
_UNKNOWN = Contents(None, None, 0, ())


class GoSyncHeapView(HeapView):
    """All sync.Maps of one kind.

    :param heap: all maps of the runtime, of which some are parts of these
    :param variables: (address, owner) of some that are variables, without a type
    """

    def __init__(
        self,
        heap: GoHeapView,
        flavor: str,
        open: Open,
        many: Many,
        progress: Progress,
        variables: Sequence[Tuple[int, str]] = (),
    ) -> None:
        super().__init__()
        self.flavor = flavor
        self.steps = heap.steps
        self.followed = heap.followed
        self._heap = heap
        self._variables = variables
        self._parts: List[_Part] = []
        self._rows: Dict[int, HeapMap] = {}
        self._unknown: List[str] = []
        for work in (lambda: self._look(open, many, progress), self._measure):
            try:
                work()
            except KeyboardInterrupt:
                self._end()
        if self._unknown:
            more = f", and of {len(self._unknown) - _SOME} more"
            self.notes.append(
                f"cannot tell all of what is in {'; '.join(self._unknown[:_SOME])}"
                + (more if len(self._unknown) > _SOME else "")
            )

    def _end(self) -> None:
        if self.interrupted:
            return
        self.complete, self.interrupted = False, True
        self.notes.append("interrupted: sync.Maps are those found so far")

    def _look(self, open: Open, many: Many, progress: Progress) -> None:
        places: List[Tuple[int, Optional[Type], str]] = [*self._heap.parts()]
        places += [(address, None, owner) for address, owner in self._variables]
        of_type: Dict[int, List[int]] = {}
        for number, (_, type, _) in enumerate(places):
            of_type.setdefault(id(type), []).append(number)
        for numbers in of_type.values():
            type = places[numbers[0]][1]
            for first in range(0, len(numbers), _TOGETHER):
                some = numbers[first : first + _TOGETHER]
                progress(first, len(numbers))
                found = many(self._heap.session, [places[number][0] for number in some], type)
                if found is None:
                    break
                for number, contents in zip(some, found):
                    address, _, owner = places[number]
                    if contents is not None:
                        self._parts.append(_Part(address, owner, contents))
                    elif not self._open(open, address, type, owner):
                        return

    def _open(self, open: Open, address: int, type: Optional[Type], owner: str) -> bool:
        """Look at one by itself. Returns whether to go on."""
        try:
            view = open(self._heap.session, address, type)
            if view is None:
                return True
            contents = _of_trie(view) if isinstance(view, TrieMap) else _of_two(view)
        except MapscopeError as error:
            self._unknown.append(f"the {SYNC_MAP} at {address:#x}: {error}")
            self._parts.append(_Part(address, owner, _UNKNOWN))
            return True
        self._parts.append(_Part(address, owner, contents))
        if contents.own is None:
            reason = view.problems[0] if view.problems else "its parts cannot be read"
            self._unknown.append(f"the {SYNC_MAP} at {address:#x}: {reason}")
        if any(getattr(problem, "code", "") == "interrupted" for problem in view.problems):
            self._end()
            return False
        return True

    def _measure(self) -> None:
        """Add up what each is made of; a map is one's alone."""
        inner = self._heap.rows_at(map for part in self._parts for map in part.contents.maps)
        taken: Set[int] = set()
        try:
            for part in self._parts:
                self._add(part, inner, taken)
        finally:
            self._heap.leave_out(taken)

    def _add(self, part: _Part, inner: Mapping[int, HeapMap], taken: Set[int]) -> None:
        """Add a row.

        :param inner: maps that are parts
        :param taken: those of them that are another's; what this one takes is added
        """
        entries, own, gone, made_of = part.contents
        maps = [inner[map] for map in made_of if map in inner and map not in taken]
        taken.update(map.address for map in maps)
        known = own is not None and len(maps) == len(made_of)
        total = wasted = None
        if known and all(map.bytes is not None and map.wasted is not None for map in maps):
            total = (own or 0) + sum(map.bytes or 0 for map in maps)
            # one that is made anew has all of its entries in a single map
            needed = max(((map.bytes or 0) - (map.wasted or 0) for map in maps), default=0)
            wasted = total - needed - ((own or 0) - gone)
        self._rows[part.address] = HeapMap(
            part.address,
            SYNC_MAP,
            (),
            entries,
            total,
            wasted,
            sum(map.retained for map in maps),
            0,
            next((map.growing for map in maps if map.growing), None),
            part.owner,
            False,
            None,
            0,
            False,
        )

    def maps(self) -> Iterator[HeapMap]:
        return (self._rows[address] for address in sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, address: int) -> bool:
        return address in self._rows

    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        return self._heap.owners(address, all)


def _of_two(view: ReadDirtyMap) -> Contents:
    """One of two maps."""
    maps = [half.address or 0 for _, half in view.maps.maps()]
    entries, tally = view.known_count, view.maps.tally()
    if entries is None or view.maps.unread:
        return Contents(None, None, 0, maps)
    live = tally.of("read", State.LIVE) + tally.only
    gone = tally.of("read", State.DELETED) + tally.of("read", State.EXPUNGED)
    return of_two(entries, live, gone, view.maps.read is not None, maps)


def _of_trie(view: TrieMap) -> Contents:
    """One that is a trie."""
    walk, entries = view.walk(), view.known_count
    if entries is None:
        return _UNKNOWN
    return of_trie(len(walk.nodes), entries, view.layout)

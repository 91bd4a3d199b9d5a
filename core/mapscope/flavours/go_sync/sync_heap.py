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
    Union,
)

from ...errors import MapscopeError
from ...go import layouts
from ...go.size_classes import allocated
from ...maps.on_heap import HeapMap, HeapView, Owner
from ...maps.progress import Progress
from ...program.types import Type
from ...session import Session
from ..go.heap_view import GoHeapView
from .read_dirty import ReadDirtyMap
from .sync_types import SYNC_MAP
from .trie_map import TrieMap
from .two_maps import VALUE_SIZE, State

#: opens the sync.Map at an address; None: the type is none of this kind's
Open = Callable[[Session, int, Type], Optional[Union[ReadDirtyMap, TrieMap]]]
#: sync.Maps that are named in notes
_SOME = 3


class _Part(NamedTuple):
    """What one is made of.

    :ivar entries: None: not known
    :ivar own: bytes beside its maps; None: not known
    :ivar gone: of these what deleted entries take
    :ivar maps: addresses of its maps
    """

    address: int
    owner: str
    entries: Optional[int]
    own: Optional[int]
    gone: int
    maps: Sequence[int]


class GoSyncHeapView(HeapView):
    """All sync.Maps of one kind.

    :param heap: all maps of the runtime, of which some are parts of these
    """

    def __init__(self, heap: GoHeapView, flavor: str, open: Open, progress: Progress) -> None:
        super().__init__()
        self.flavor = flavor
        self.steps = heap.steps
        self.followed = heap.followed
        self._heap = heap
        self._parts: List[_Part] = []
        self._rows: Dict[int, HeapMap] = {}
        self._unknown: List[str] = []
        for work in (lambda: self._look(open, progress), self._measure):
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

    def _look(self, open: Open, progress: Progress) -> None:
        places = self._heap.parts()
        for number, (address, type, owner) in enumerate(places):
            progress(number, len(places))
            try:
                view = open(self._heap.session, address, type)
                if view is None:
                    continue
                part = _of_trie(view, owner) if isinstance(view, TrieMap) else _of_two(view, owner)
            except MapscopeError as error:
                self._unknown.append(f"the {SYNC_MAP} at {address:#x}: {error}")
                self._parts.append(_Part(address, owner, None, None, 0, ()))
                continue
            self._parts.append(part)
            if part.own is None:
                reason = view.problems[0] if view.problems else "its parts cannot be read"
                self._unknown.append(f"the {SYNC_MAP} at {address:#x}: {reason}")
            if any(getattr(problem, "code", "") == "interrupted" for problem in view.problems):
                self._end()
                return

    def _measure(self) -> None:
        """Add up what each is made of; a map is one's alone."""
        inner = self._heap.rows_at(map for part in self._parts for map in part.maps)
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
        maps = [inner[map] for map in part.maps if map in inner and map not in taken]
        taken.update(map.address for map in maps)
        known = part.own is not None and len(maps) == len(part.maps)
        total = wasted = None
        if known and all(map.bytes is not None and map.wasted is not None for map in maps):
            total = (part.own or 0) + sum(map.bytes or 0 for map in maps)
            # one that is made anew has all of its entries in a single map
            needed = max(((map.bytes or 0) - (map.wasted or 0) for map in maps), default=0)
            wasted = total - needed - ((part.own or 0) - part.gone)
        self._rows[part.address] = HeapMap(
            part.address,
            SYNC_MAP,
            (),
            part.entries,
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


def _of_two(view: ReadDirtyMap, owner: str) -> _Part:
    """One of two maps."""
    maps = [half.address or 0 for _, half in view.maps.maps()]
    entries, tally = view.known_count, view.maps.tally()
    if entries is None or view.maps.unread:
        return _Part(view.address or 0, owner, None, None, 0, maps)
    live = tally.of("read", State.LIVE) + tally.only
    gone = tally.of("read", State.DELETED) + tally.of("read", State.EXPUNGED)
    entry = allocated(layouts.SYNC_ENTRY.size)
    own = live * (entry + allocated(VALUE_SIZE)) + gone * entry
    if view.maps.read is not None:
        own += allocated(layouts.SYNC_READ_ONLY.size)
    return _Part(view.address or 0, owner, entries, own, gone * entry, maps)


def _of_trie(view: TrieMap, owner: str) -> _Part:
    """One that is a trie: no node of it stays without entries."""
    walk, entries = view.walk(), view.known_count
    own = len(walk.nodes) * allocated(layouts.TRIE_INDIRECT.size)
    own += len(walk.leaves) * allocated(view.layout.entry_size)
    return _Part(view.address or 0, owner, entries, None if entries is None else own, 0, ())

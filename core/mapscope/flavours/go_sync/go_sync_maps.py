# SPDX-License-Identifier: MIT
"""Go's sync.Map, of both kinds: how one is recognised and opened.

It is a struct, which holds what its users put into it behind its own methods: their names, and its
type, tell it. What is in it is any and any, so its type says nothing of keys and values; each tells
its own.
"""

import re
from typing import Iterator, List, Optional, Sequence, Tuple, Union

from ...errors import Corrupt, MapscopeError, MemoryUnreadable, NotAMap
from ...go import layouts
from ...go.size_classes import allocated
from ...maps.on_heap import HeapView
from ...maps.problems import Problem
from ...maps.progress import Progress
from ...maps.view import MapView
from ...program.target import Frame, Variable
from ...program.types import Kind, Type
from ...program.values import escape
from ...session import Session
from ..flavour import Flavour
from ..go.go_classic import GoClassicMaps
from ..go.go_maps import GoMaps, global_maps, spilled_argument, typed, word
from ..go.go_swiss import GoSwissMaps
from ..go.hash_function import key_hash_of
from ..go.heap_view import GoHeapView
from ..go.map_types import MapType, map_type
from ..go.which_runtime import of_address, of_frame, of_variable
from . import read_dirty, trie_map
from .expunged import find_expunged
from .global_maps import pairs_in_data, tries_in_data
from .many_maps import Contents, of_pairs, of_tries
from .read_dirty import ReadDirtyMap
from .sync_heap import GoSyncHeapView
from .sync_types import (
    ANY,
    ENTRY_MAP,
    SYNC_MAP,
    ReadDirtyLayout,
    is_of_tries,
    is_read_dirty,
    is_trie,
    read_dirty_layout,
    sync_map_type,
    trie_layout,
)
from .trie_map import TrieMap
from .two_maps import TwoMaps

#: what a trie's type may be called by who names it
_TRIE_NAMED = re.compile(r"(?:internal/)?sync\.HashTrieMap\[")
#: functions that are given a sync.Map, or the trie that one is, as their receiver
_METHODS = re.compile(
    r"(?:sync\.\(\*Map\)|internal/sync\.\(\*HashTrieMap\[.*\]\))\.\w+\Z", re.DOTALL
)

#: what is said where not all sync.Maps are found, and what becomes of the others
_NOT_FOLLOWED = "sync.Maps are not looked for without owners"
_NO_VARIABLES = "sync.Maps in objects that nothing tells the type of are not known as such"
_NOT_COUNTED, _PARTS_ALONE = "they are not counted", "their maps are shown by themselves"
#: a sync.Map of either kind
SyncView = Union[ReadDirtyMap, TrieMap]


class GoSyncMaps(Flavour):
    """sync.Maps of one kind.

    :ivar tries: whether it is a trie
    """

    tries: bool

    def present(self, session: Session) -> bool:
        return session.is_go()

    def is_map(self, type: Type) -> bool:
        return is_trie(type) if self.tries else is_read_dirty(type)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        if not self.is_map(variable.type):
            return None
        if variable.address is None:
            raise NotAMap(f"this {escape(variable.type.name)} is in no memory here")
        return self._open(of_variable(session, variable), variable.address, variable.type)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        if type is None or not self.present(session):
            return None
        if type != SYNC_MAP and not _TRIE_NAMED.match(type):
            return None
        session = of_address(session, address, None)
        found = sync_map_type(session, type)
        if found is None and type != SYNC_MAP:
            return None
        if found is None and is_of_tries(session) != self.tries:
            return None
        if found is not None and not self.is_map(found):
            return None
        if address % 8:
            raise Corrupt(f"no {escape(type)} at {address:#x}: no multiple of 8")
        view = self._open(session, address, found)
        if view.is_impossible:
            reason = view.problems[0] if view.problems else "inited is neither 0 nor 1"
            raise Corrupt(f"no {escape(type)} at {address:#x}: {reason}")
        return view

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        if not _METHODS.match(frame.function) or not self.present(session):
            return None
        session = of_frame(session, frame)
        receiver = frame.variable("m") or frame.variable("ht")
        if receiver is not None and receiver.type.kind is Kind.POINTER:
            type: Optional[Type] = receiver.type.target()
            if type is None or not self.is_map(type):
                return None
            address = word(session, frame, "m") or word(session, frame, "ht")
        else:
            if is_of_tries(session) != self.tries:
                return None
            type, address = None, frame.passed(0) or spilled_argument(session, frame, 0)
        if not address:
            return None
        view = self._open(session, address, type)
        if type is None and isinstance(view, TrieMap) and view.hashing()[0] is None:
            return None  # one of other types, or not initialised yet: nothing tells
        return view

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        """Global variables that are sync.Maps, or pointers to one."""
        return global_maps(session, self._of_global)

    def composed(
        self, session: Session, views: List[HeapView], progress: Progress
    ) -> List[HeapView]:
        found = list(views)
        for view in views:
            if not isinstance(view, GoHeapView):
                continue
            if not view.has_variables and is_of_tries(view.session) is self.tries:
                lacks = _NO_VARIABLES if view.follow else _NOT_FOLLOWED
                view.notes.append(f"{lacks}: {_NOT_COUNTED if self.tries else _PARTS_ALONE}")
            if view.follow:
                variables = self._variables(view, progress)
                made = GoSyncHeapView(view, self.name, self._part, self._many, progress, variables)
                if len(made) or made.notes:
                    found.append(made)
                if made.interrupted:
                    break
        return found

    def _variables(self, view: GoHeapView, progress: Progress) -> List[Tuple[int, str]]:
        """(address, owner) of those that are variables of a program without debug information."""
        session = view.session
        if view.has_variables or view.interrupted or is_of_tries(session) is not self.tries:
            return []
        size = layouts.TRIE_INDIRECT.size if self.tries else layouts.SYNC_READ_ONLY.size

        def is_object(address: int) -> bool:
            return view.heap.value_at(address) == allocated(size)

        def is_pair(address: int) -> bool:
            return ENTRY_MAP in view.type_names_at(address)

        try:
            if self.tries:
                found = tries_in_data(session, is_object, progress)
            else:
                layout = read_dirty_layout(session, None)
                found = pairs_in_data(session, layout, is_pair, is_object, progress)
        except KeyboardInterrupt:
            view.notes.append("interrupted: sync.Maps that are variables were not all looked for")
            return []
        named = bool(session.go.symbols("runtime.mheap_"))
        known = {address for address, _, _ in view.parts()}
        return [
            (address, (session.target.symbol_at(address) if named else None) or f"{address:#x}")
            for address in found
            if address not in known
        ]

    def _part(self, session: Session, address: int, type: Optional[Type]) -> Optional[SyncView]:
        if type is not None and not self.is_map(type):
            return None
        return self._open(session, address, type)

    def _many(
        self, session: Session, addresses: Sequence[int], type: Optional[Type]
    ) -> Optional[Sequence[Optional[Contents]]]:
        """What many of one type are made of; None: they are none of this kind's.

        :param type: None: nothing tells more than that they are
        """
        if type is not None and not self.is_map(type):
            return None
        unknown: List[Optional[Contents]] = [None] * len(addresses)
        try:
            if self.tries:
                layout, start = trie_layout(session, type)
                places = [address + start for address in addresses]
                return of_tries(session.memory, places, layout)
            pair = read_dirty_layout(session, type)
            expunged = find_expunged(session)
            if expunged is None or session.go.has_swiss_maps:
                return unknown
            buckets = _type_of_maps(session, pair).layout
            return of_pairs(session.memory, addresses, pair, buckets, expunged)
        except MapscopeError:
            return unknown  # each says why

    def _of_global(self, session: Session, variable: Variable) -> Optional[MapView]:
        if variable.type.kind is Kind.POINTER:
            type = variable.type.target()
            if not self.is_map(type) or variable.address is None:
                return None
            address = session.memory.read_word(variable.address)
            variable = Variable(type, address)
            if not address:
                return None
        return self.from_variable(session, variable)

    def _open(self, session: Session, address: int, type: Optional[Type]) -> SyncView:
        view: SyncView
        try:
            view = (
                open_trie(session, address, type)
                if self.tries
                else open_read_dirty(session, address, type)
            )
        except MemoryUnreadable as error:
            raise Corrupt(f"no {SYNC_MAP} at {address:#x}: {error}") from None
        view.flavor = self.name
        view.go_version = session.go.version or None
        view.runtime = session.go.place
        view.decoder = session.decoder()
        view.problems += session.go.doubts()
        view.reopen = lambda later: self._open(later, address, type)
        return view


class GoReadDirtyMaps(GoSyncMaps):
    """Of two maps: until Go 1.23, and later ones built with nosynchashtriemap."""

    name = read_dirty.NAME
    tries = False


class GoTrieMaps(GoSyncMaps):
    """Hash tries: since Go 1.24; also those that are in no sync.Map, as the runtime's own."""

    name = trie_map.NAME
    tries = True


# --- two maps ---


def open_read_dirty(session: Session, address: int, type: Optional[Type]) -> ReadDirtyMap:
    """The sync.Map at an address.

    :raises MemoryUnreadable: if there can be none
    """
    layout = read_dirty_layout(session, type)
    raw = session.memory.read(address, layout.size)

    def word_at(place: int) -> int:
        return int.from_bytes(raw[place : place + 8], "little")

    lock = int.from_bytes(raw[layout.mu : layout.mu + 4], "little")
    misses = int.from_bytes(raw[layout.misses : layout.misses + 8], "little", signed=True)
    problems: List[str] = []
    unread: List[str] = []
    flavour: GoMaps = GoSwissMaps() if session.go.has_swiss_maps else GoClassicMaps()
    maps_type = _type_of_maps(session, layout)

    def half(name: str, place: int) -> Optional[MapView]:
        if not place:
            return None
        try:
            flavour.require(session, place)
            return flavour.open(session, place, maps_type)
        except MapscopeError as error:
            problems.append(Problem(f"the {name} map: {error}", "header", place))
            unread.append(name)
            return None

    read_only, amended = 0, None
    try:
        read_only, amended = _read_only(session, layout, word_at(layout.read), raw)
    except MapscopeError as error:
        problems.append(Problem(f"the read map: {error}", "header", address + layout.read))
        unread.append("read")
    dirty = word_at(layout.dirty)
    maps = TwoMaps(
        session.memory,
        half("read", read_only),
        half("dirty", dirty),
        amended,
        misses,
        bool(lock & layouts.MUTEX_LOCKED),
        lambda: find_expunged(session),
        [],
        unread,
    )
    key = maps_type.key if maps_type.key.kind is Kind.EMPTY_INTERFACE else ANY
    read_at = address + layout.read + (8 if layout.value else 0)
    view = ReadDirtyMap(session.memory, address, SYNC_MAP, key, maps, layout.size, read_at)
    view.problems += problems
    return view


def _type_of_maps(session: Session, layout: ReadDirtyLayout) -> MapType:
    """The type of both maps."""
    if layout.maps is not None:
        return typed(session, layout.maps)
    return map_type(session.go, session.go.find(ENTRY_MAP))


def _read_only(
    session: Session, layout: ReadDirtyLayout, first: int, raw: bytes
) -> Tuple[int, bool]:
    """(address of the read map, whether it is amended); (0, False): there is none yet.

    :param first: the first word of what leads to it
    :raises MapscopeError: if that cannot be
    """
    place = first
    if layout.value:
        # an atomic.Value: a type, and what is of it. While the first is stored, the type is none
        place = int.from_bytes(raw[layout.read + 8 : layout.read + 16], "little")
        if not first or not place or not _is_type(session, first):
            if first and not session.go.owns(first):
                raise MapscopeError(f"atomic.Value of a type at {first:#x}, which is none")
            return 0, False
        name = session.go.name_at(first)
        if name != layouts.SYNC_READ_ONLY.name:
            raise MapscopeError(f"atomic.Value of a {escape(name)}, sync.readOnly expected")
    if not place:
        return 0, False
    held = session.memory.read(place, layouts.SYNC_READ_ONLY.size)
    at = layouts.SYNC_READ_ONLY.at("m")
    amended = held[layouts.SYNC_READ_ONLY.at("amended")]
    if amended > 1:
        raise MapscopeError(f"amended at {place + 8:#x} is {amended}, 0 or 1 expected")
    return int.from_bytes(held[at : at + 8], "little"), bool(amended)


def _is_type(session: Session, address: int) -> bool:
    """Whether an address is one of a type descriptor."""
    return any(first <= address < end for first, end in session.go.type_ranges())


# --- tries ---


def open_trie(session: Session, address: int, type: Optional[Type]) -> TrieMap:
    """The trie at an address.

    :raises MemoryUnreadable: if there can be none
    """
    layout, start = trie_layout(session, type)
    fields = layout.header
    size = layouts.HASH_TRIE_MAP.size
    raw = session.memory.read(address + start, size)

    def word_at(name: str, width: int = 8) -> int:
        return int.from_bytes(raw[fields[name] : fields[name] + width], "little")

    root, seed, closure = word_at("root"), word_at("seed"), word_at("keyHash")
    inited = word_at("inited", 4)
    view = TrieMap(
        session.memory,
        address,
        layout,
        inited,
        root if root % 8 == 0 else 0,
        seed,
        size,
        address + start + fields["root"],
        lambda: key_hash_of(session, layout.key, closure, seed)
        if inited
        else (None, "the trie is not initialised: it has no hash function yet"),
    )
    if root % 8:
        text = f"root is {root:#x}, which is no node"
        view.problems.append(Problem(text, "header", address))
    return view

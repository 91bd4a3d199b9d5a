# SPDX-License-Identifier: MIT
"""What Go's two kinds of map have in common: neither says what it holds.

A map's type comes from debug information, from the type table by name, or from the
function of the runtime that is working on the map.
"""

from abc import abstractmethod
from typing import Callable, Iterator, List, Optional, Tuple

from ...cells.layout import BucketLayout
from ...errors import MapscopeError, MemoryUnreadable, NotAMap, UnknownType
from ...go import layouts
from ...go.key_hash import Algorithms
from ...go.layouts import INDIRECT_ABOVE, arguments_of
from ...maps.on_heap import HeapView
from ...maps.progress import Progress
from ...maps.view import MapView
from ...program.target import Frame, Variable
from ...program.types import Kind, Type
from ...program.values import escape
from ...session import Session
from ..flavour import Flavour
from .map_types import MapType, map_type
from .which_runtime import of_address, of_frame, of_variable

#: opens the map at an address, of a type; None: it is not known
Open = Callable[[Session, int, Optional[MapType]], MapView]


class GoMaps(Flavour):
    """One of Go's two kinds of map.

    :ivar swiss: which of them
    """

    swiss: bool
    # Go keeps no list of its maps
    not_listed = (
        "only global variables that are maps are listed: those in fields, elements and frames, "
        "and what pointers lead to, are not: use map heap, or name them, as in main.server.cache"
    )

    @abstractmethod
    def open(self, session: Session, address: int, typed: Optional[MapType]) -> MapView:
        """The map at an address, of a type; None: it is not known."""

    @abstractmethod
    def require(self, session: Session, address: int) -> None:
        """:raises NotAMap: if no such map can be at an address"""

    def present(self, session: Session) -> bool:
        return session.is_go() and any(
            one.has_swiss_maps == self.swiss for one in session.runtimes()
        )

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        if variable.type.kind is not Kind.GO_MAP or variable.type.swiss != self.swiss:
            return None
        return map_of_variable(of_variable(session, variable), variable, self.open)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        if not self.present(session):
            return None
        session = of_address(session, address, type)
        if session.go.has_swiss_maps != self.swiss:
            return None
        typed = type_of(session, address, type)
        self.require(session, address)
        return self.open(session, address, typed)

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        if not self.present(session):
            return None
        session = of_frame(session, frame)
        if session.go.has_swiss_maps != self.swiss:
            return None
        return map_at_frame(session, frame, self.open)

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        """Global variables that are maps."""
        return global_maps(session, self.from_variable)

    def heap(self, session: Session, follow: bool, progress: Progress) -> List[HeapView]:
        from .heap_view import GoHeapView

        found: List[HeapView] = []
        for one in session.runtimes():
            if one.has_swiss_maps == self.swiss:
                there = session.for_runtime(one)
                found.append(GoHeapView(there, self.swiss, follow, progress, typed))
                if found[-1].interrupted:
                    break
        return found

    def operation(self, function: str) -> Optional[str]:
        return layouts.operation_of(function)

    def notices(self, function: str) -> bool:
        return function in layouts.NOTICES

    def reads(self, function: str) -> bool:
        return layouts.reads(function)


def map_of_variable(session: Session, variable: Variable, open: Open) -> Optional[MapView]:
    """The map that a map[K]V points at; None: the variable has no value."""
    if variable.data is not None:
        address = int.from_bytes(variable.data[:8], "little")
    elif variable.address is not None:
        address = session.memory.read_word(variable.address)
    else:
        return None
    return open(session, address, typed(session, variable.type))


def map_at_frame(session: Session, frame: Frame, open: Open) -> Optional[MapView]:
    """The map that a function of the runtime works on; None: it is none of a map's."""
    found = map_of_frame(session, frame)
    if found is None:
        return None
    address, type = found
    return open(session, address, type or type_of(session, address, None))


def global_maps(
    session: Session, open: Callable[[Session, Variable], Optional[MapView]]
) -> Iterator[Tuple[str, MapView]]:
    """Global variables that are maps, with their names."""
    for name, variable in session.target.global_maps():
        try:
            view = open(session, variable)
        except MapscopeError as error:
            session.unread.append((name, str(error)))
            continue
        if view is not None and view.address is not None:
            yield name, view


# --- types ---


def typed(session: Session, type: Type) -> MapType:
    """From a type that the debugger gave, or that a type descriptor gave."""
    if type.go_type:
        return map_type(session.go, type.go_type)
    layout = _layout(type)
    if layout is None:  # debug information of another shape
        return map_type(session.go, session.go.find(type.name))
    return MapType(0, type.name, type.key_type(), type.target(), layout)


def _layout(type: Type) -> Optional[BucketLayout]:
    """Of a bucket or group, from debug information."""
    places = {field.name: field for field in type.fields}
    indirect = tuple(part.size > INDIRECT_ABOVE for part in (type.key_type(), type.target()))
    if "overflow" in places:
        keys, elems = places["keys"].offset, places["values"].offset
        overflow = places["overflow"].offset
        sizes = ((elems - keys) // 8, (overflow - elems) // 8)
        return BucketLayout(overflow + 8, keys, elems, overflow, *sizes, *indirect)
    if "group" in places:
        return BucketLayout(
            places["group"].type.size,
            places["keys"].offset,
            places["values"].offset,
            0,
            places["keys"].type.size,
            places["values"].type.size,
            *indirect,
        )
    return None


def fast_variant(typed: MapType) -> str:
    """What the name of a map's lookups may end in: the compiler has some of their own for keys of
    4 and 8 bytes and for strings (mapfast in cmd/compile/internal/walk/walk.go); "" if none."""
    if typed.elem.size > INDIRECT_ABOVE:
        return ""
    try:
        algorithm = Algorithms().of(typed.key)
    except MapscopeError:
        return ""
    if algorithm == "memory":
        return {4: "_fast32", 8: "_fast64"}.get(typed.key.size, "")
    return "_faststr" if algorithm == "text" else ""


def type_of(session: Session, address: int, name: Optional[str]) -> Optional[MapType]:
    """The type of the map at `address`: as named, else as frames or variables have it."""
    swiss = session.go.has_swiss_maps
    if name is not None:
        # of several runtimes a debugger takes whichever has the name
        several = len(session.runtimes()) > 1
        declared = None if several else session.target.find_type(name)
        if declared is not None and declared.kind is Kind.GO_MAP:
            return typed(session, declared)
        try:
            return map_type(session.go, session.go.find(name))
        except UnknownType:
            if declared is not None:
                raise NotAMap(f"{escape(name)} is not a map type") from None
            raise
    for frame in session.runtime_frames():
        found = map_of_frame(session, frame)
        if found is not None and found[0] == address and found[1] is not None:
            return found[1]
    target = session.target
    for _, variable in target.frame_maps() + target.global_maps():
        if variable.type.kind is Kind.GO_MAP and variable.type.swiss == swiss:
            if variable_word(session, variable) == address:
                return typed(session, variable.type)
    return None


# --- functions of the runtime ---


def map_of_frame(session: Session, frame: Frame) -> Optional[Tuple[int, Optional[MapType]]]:
    """(address, type if known) of the map that a function of the runtime works on."""
    places = arguments_of(frame.function)
    if places is None:
        return None
    swiss = session.go.has_swiss_maps
    if frame.has_variables:
        address = word(session, frame, "m" if swiss else "h")
        maptype = word(session, frame, "typ" if swiss else "t")
    else:
        address = _of_function(session, frame, places.map)
        maptype = _of_function(session, frame, places.type)
    return (address, map_type(session.go, maptype) if maptype else None) if address else None


def _of_function(session: Session, frame: Frame, index: Optional[int]) -> Optional[int]:
    """A register argument, as the function's beginning or a spill slot has it."""
    passed = None if index is None else frame.passed(index)
    return spilled_argument(session, frame, index) if passed is None else passed


def argument(session: Session, frame: Frame, name: str, index: Optional[int]) -> Optional[int]:
    """A parameter; where debug information has lost it, what its spill slot holds.

    :param index: of its register, counted from 0; None: it is a local variable
    """
    value = word(session, frame, name)
    return spilled_argument(session, frame, index) if value is None else value


def spilled_argument(session: Session, frame: Frame, index: Optional[int]) -> Optional[int]:
    """What the spill slot of a register argument holds."""
    place = None if index is None else frame.spilled(index)
    if not place:
        return None
    try:
        return session.memory.read_word(place)
    except MemoryUnreadable:
        return None


def word(session: Session, frame: Frame, name: str) -> Optional[int]:
    """A variable of a frame that is a word; None: it has no value there."""
    variable = frame.variable(name)
    return None if variable is None else variable_word(session, variable)


def variable_word(session: Session, variable: Variable) -> Optional[int]:
    """The word that a variable is; None: it cannot be read."""
    if variable.data is not None:
        return int.from_bytes(variable.data[:8], "little")
    if variable.address is not None:
        try:
            size = min(8, variable.type.size) or 8
            return int.from_bytes(session.memory.read(variable.address, size), "little")
        except MemoryUnreadable:
            return None
    return None

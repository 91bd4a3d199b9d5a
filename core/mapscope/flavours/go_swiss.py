# SPDX-License-Identifier: MIT
"""Go's Swiss map: Go 1.24 and later, unless built with GOEXPERIMENT=noswissmap.

Facts: internal/abi/map_swiss.go (1.24), internal/abi/map.go (1.25 to 1.27). A Map does not say
what it holds; the type comes from debug information, from the type table by name, or from the
runtime function that is working on the map.
"""

import re
from typing import Iterator, Optional, Tuple

from ..buckets import BucketLayout
from ..errors import MapscopeError, MemoryUnreadable, NotAMap, UnknownType
from ..gotypes import SwissMapType
from ..session import Session
from ..swiss import SwissHeader, SwissMap
from ..target import Frame, Variable
from ..types import Kind, Type
from ..values import escape
from ..view import Life, MapView
from .go_classic import allocated, variable_word

NAME = "go-swiss"

_MAP_FUNCTION = re.compile(
    r"^(runtime\.map(assign|access[12]|access[12]_fat|delete|clear|iterinit)(_fast\w+)?"
    r"|internal/runtime/maps\.\(\*Map\)\.\w+)$"
)
#: newest Go whose sources this was held against
NEWEST = 27


def present(session: Session) -> bool:
    """Whether the program is a Go program with such maps."""
    return session.is_go() and session.go.has_swiss_maps


def from_variable(session: Session, variable: Variable) -> Optional[MapView]:
    """A map[K]V."""
    type = variable.type
    if type.kind is not Kind.GO_MAP or not type.swiss:
        return None
    if variable.data is not None:
        address = int.from_bytes(variable.data[:8], "little")
    elif variable.address is not None:
        address = session.memory.read_word(variable.address)
    else:
        return None
    return _open(session, address, _Typed.from_type(session, type))


def from_address(session: Session, address: int, type: Optional[str]) -> Optional[MapView]:
    """A Map at `address`, typed by name or by what else is known of it."""
    if not present(session):
        return None
    typed = _type_of(session, address, type)
    if address % 8:
        raise NotAMap(f"no Go map at {address:#x}: no multiple of 8")
    SwissHeader.read(session.memory, address)
    return _open(session, address, typed)


def from_frame(session: Session, frame: Frame) -> Optional[MapView]:
    """The map that a function of the Go runtime works on."""
    if not _MAP_FUNCTION.match(frame.function) or not present(session):
        return None
    address = _word(session, frame, "m")
    if not address:
        return None
    maptype = _word(session, frame, "typ")
    typed = None
    if maptype:
        typed = _Typed.from_map_type(session.go.swiss_map_type(maptype))
    return _open(session, address, typed or _type_of(session, address, None))


def evacuated_bucket(session: Session, frame: Frame, view: MapView) -> Optional[int]:
    """A Swiss map evacuates nothing."""
    return None


def enumerate_maps(session: Session) -> Iterator[Tuple[str, MapView]]:
    """Global variables that are maps."""
    for name, variable in session.target.global_maps():
        try:
            view = from_variable(session, variable)
        except MapscopeError:
            continue
        if view is not None and view.address is not None:
            yield name, view


def departed(session: Session) -> Optional[Tuple[int, Life]]:
    """Go does not count what maps have been through."""
    return None


class _Typed:
    """A map type and the group that it makes."""

    def __init__(self, name: str, key: Type, elem: Type, layout: BucketLayout) -> None:
        self.name = name
        self.key = key
        self.elem = elem
        self.layout = layout

    @classmethod
    def from_map_type(cls, found: SwissMapType) -> "_Typed":
        """From the program's own map type."""
        return cls(found.name, found.key, found.elem, found.layout)

    @classmethod
    def from_type(cls, session: Session, type: Type) -> "_Typed":
        """From a type that the debugger gave, or that a type descriptor gave."""
        if type.go_type:
            return cls.from_map_type(session.go.swiss_map_type(type.go_type))
        places = {field.name: field for field in type.fields}
        if "group" not in places:  # debug information of another shape
            return cls.from_map_type(session.go.swiss_map_type(session.go.find(type.name)))
        key, elem = type.key_type(), type.target()
        layout = BucketLayout(
            places["group"].type.size,
            places["keys"].offset,
            places["values"].offset,
            0,
            places["keys"].type.size,
            places["values"].type.size,
            key.size > 128,
            elem.size > 128,
        )
        return cls(type.name, key, elem, layout)


def _type_of(session: Session, address: int, name: Optional[str]) -> Optional[_Typed]:
    """The type of the map at `address`: as named, else as frames or variables have it."""
    if name is not None:
        declared = session.target.find_type(name)
        if declared is not None and declared.kind is Kind.GO_MAP:
            return _Typed.from_type(session, declared)
        try:
            return _Typed.from_map_type(session.go.swiss_map_type(session.go.find(name)))
        except UnknownType:
            if declared is not None:
                raise NotAMap(f"{escape(name)} is not a map type") from None
            raise
    for frame in session.runtime_frames():
        if _MAP_FUNCTION.match(frame.function) and _word(session, frame, "m") == address:
            maptype = _word(session, frame, "typ")
            if maptype:
                return _Typed.from_map_type(session.go.swiss_map_type(maptype))
    target = session.target
    for _, variable in target.frame_maps() + target.global_maps():
        if variable.type.kind is Kind.GO_MAP and variable.type.swiss:
            if variable_word(session, variable) == address:
                return _Typed.from_type(session, variable.type)
    return None


def _open(session: Session, address: int, typed: Optional[_Typed]) -> MapView:
    header = SwissHeader.read(session.memory, address) if address else None
    view = SwissMap(
        session.memory,
        address or None,
        typed.name if typed else "map[?]?",
        typed.key if typed else None,
        typed.elem if typed else None,
        header,
        typed.layout if typed else None,
        allocated,
    )
    view.flavor = NAME
    view.go_version = session.go.version or None
    view.decoder = session.decoder()
    if session.go.minor > NEWEST:
        view.problems.append(
            f"{session.go.version} is newer than what mapscope knows (1.{NEWEST}): its maps are "
            "read as that one's"
        )
    if address:
        view.reopen = lambda later: _open(later, address, typed)
    return view


def _word(session: Session, frame: Frame, name: str) -> Optional[int]:
    variable = frame.variable(name)
    if variable is None:
        return None
    try:
        return variable_word(session, variable)
    except MemoryUnreadable:
        return None

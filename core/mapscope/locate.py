# SPDX-License-Identifier: MIT
"""What the user typed -> a map.

MAP is an expression of the debugger, an address, or nothing (the map of the
current stop); see docs/commands.md, "Naming a map".
"""

from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

from .errors import MapscopeError, MemoryUnreadable, NoStopMap, NotAMap
from .flavours.registry import FLAVOURS
from .maps.view import MapView, Reopen
from .program.target import Frame, Variable
from .program.types import Kind
from .program.values import escape
from .session import Session


#: pointers and references followed from an expression to its map
_MAX_HOPS = 3


@dataclass(frozen=True)
class AtStop:
    """The map stop that the program is at.

    :ivar thread: the debugger's own number
    """

    thread: int
    reopen: Optional[Reopen]


def find_map(
    session: Session,
    expression: Optional[str],
    type: Optional[str] = None,
    at_stop: Optional[AtStop] = None,
) -> MapView:
    """The map that the user named.

    :param expression: MAP as typed; None: the map of the current stop
    :param type: the value of --type
    :param at_stop: the current stop, if the program is at a map stop
    :raises NotAMap: if it is none
    """
    session.require_memory()
    session.require_architecture()
    if expression is None:
        return _map_of_stop(session, at_stop)
    return map_of(session, session.target.evaluate(expression), expression, type)


def map_of(
    session: Session, variable: Variable, expression: str, type: Optional[str] = None
) -> MapView:
    """The map that a value is, points at or is the address of."""
    what = escape(expression)
    places: List[Variable] = []
    try:
        return _map_of(session, variable, what, type, places)
    except MemoryUnreadable as error:
        for place in places:
            at = place.address
            if at is not None and at <= error.address < at + max(place.type.size, 8):
                raise MapscopeError(f"cannot read {what}: {error.reason or error}") from None
        raise


def _map_of(
    session: Session, variable: Variable, what: str, type: Optional[str], places: List[Variable]
) -> MapView:
    """The same.

    :param places: the variables whose memory tells are added here
    """
    first = variable
    places.append(variable)
    for _ in range(_MAX_HOPS):
        kind = variable.type.kind
        if kind is Kind.GO_MAP and type is not None:
            break
        for flavour in FLAVOURS:
            view = flavour.from_variable(session, variable)
            if view is not None:
                return view
        inner = _inside(session, variable)
        if inner is not None:
            variable = inner
            places.append(variable)
            continue
        if kind is not Kind.POINTER:
            break
        address = _word(session, variable)
        pointee = variable.type.target()
        if pointee.kind in (Kind.VOID, Kind.FUNC):  # a register
            return _map_at(session, address, what, type)
        if not address:
            raise NotAMap(f"{what} is a nil {escape(variable.type.name)}, not a map")
        variable = Variable(pointee, address)
        places.append(variable)
    kind = variable.type.kind
    if kind in (Kind.INT, Kind.UINT) and first is variable:
        return _map_at(session, _word(session, variable), what, type)
    if kind is Kind.GO_MAP:
        return _map_at(session, _word(session, variable), what, type)
    raise NotAMap(f"{what} is not a map: its type is {escape(first.type.name)}")


def _inside(session: Session, variable: Variable) -> Optional[Variable]:
    """The map that a class is derived from, or that a Go interface holds."""
    type = variable.type
    if type.kind is Kind.STRUCT and variable.address is not None:
        for field in type.fields:
            if field.type.kind is Kind.RUNTIME_MAP and field.name.startswith("mapscope::map<"):
                return Variable(field.type, variable.address + field.offset)
    if type.kind in (Kind.INTERFACE, Kind.EMPTY_INTERFACE):
        data = variable.data
        if data is None and variable.address is not None:
            data = session.memory.read(variable.address, 16)
        first = int.from_bytes((data or b"")[:8], "little")
        if data is None or not first:
            return None
        if type.kind is Kind.INTERFACE:
            first = session.memory.read_word(first + 8)
        dynamic = session.go.type_at(first)
        if dynamic.kind is Kind.GO_MAP:
            return Variable(dynamic, None, data[8:16])
    return None


def list_maps(session: Session) -> Iterator[Tuple[str, MapView]]:
    """All maps that can be enumerated, with their names (of globals) or ""."""
    session.require_memory()
    session.require_architecture()
    for flavour in FLAVOURS:
        if flavour.present(session):
            yield from flavour.enumerate_maps(session)


def _map_at(session: Session, address: int, what: str, type: Optional[str]) -> MapView:
    if address == 0:
        raise NotAMap(f"{what} is 0, not the address of a map")
    try:
        session.memory.read(address & ~7, 8)
    except MemoryUnreadable:
        raise NotAMap(f"{what}: no map there, cannot read memory at {address:#x}") from None
    reasons: List[str] = []
    for flavour in FLAVOURS:
        try:
            view = flavour.from_address(session, address, type)
        except NotAMap as error:
            reasons.append(str(error))
            continue
        if view is not None:
            return view
    if reasons:
        raise NotAMap(reasons[0])
    raise NotAMap(f"no map at {address:#x}: it is neither a mapscope::map nor an hmap")


def _selected_frames(session: Session) -> Iterator[Frame]:
    """Of the selected thread; of a Go program those beyond its system stack, too."""
    number = None
    for frame in session.named(session.target.selected_frames()):
        number = frame.thread
        yield frame
    for thread in session.target.threads() if session.is_go() else ():
        if thread.number == number:
            yield from session.own_frames(thread)


def _map_of_stop(session: Session, current: Optional[AtStop]) -> MapView:
    """The map of the map stop that the program is at, else the one whose runtime function the
    selected thread is in."""
    if current is not None and current.reopen is not None:
        return current.reopen(session)
    error: Optional[MapscopeError] = None
    for frame in _selected_frames(session):
        for flavour in FLAVOURS:
            try:
                view = flavour.from_frame(session, frame)
            except MapscopeError as problem:
                error = error or problem
                continue
            if view is not None:
                return view
    if error is not None:
        raise error
    raise NoStopMap("which map? The selected thread is in no map operation: name a MAP")


def _word(session: Session, variable: Variable) -> int:
    if variable.data is not None:
        signed = variable.type.kind is Kind.INT
        value = int.from_bytes(variable.data[: variable.type.size], "little", signed=signed)
        return value & ((1 << 64) - 1)
    if variable.address is not None:
        size = variable.type.size or 8
        return int.from_bytes(session.memory.read(variable.address, size), "little")
    raise NotAMap("the value is not available here")

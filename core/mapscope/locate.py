# SPDX-License-Identifier: MIT
"""What the user typed -> a map.

MAP is an expression of Go, which core reads, one of the debugger, an address, or nothing (the
map of the current stop); see docs/commands.md, "Naming a map".
"""

import re
from itertools import dropwhile
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

from .errors import MapscopeError, MemoryUnreadable, NoStopMap, NotAMap, UsageError
from .flavours.registry import FLAVOURS
from .go import expressions
from .go.dictionaries import Dictionaries, same_function
from .go.frame_variables import OuterFrame, OwnPackages, ScopedFrame, scoped
from .go.syntax import NotGo
from .in_goroutine import InGoroutine, in_no_operation
from .maps.key_text import parse_key
from .maps.view import MapView, Reopen
from .program.target import Frame, Names, Variable
from .program.types import Kind, Type
from .program.values import escape
from .records import dataclass
from .session import Session


#: pointers and references followed from an expression to its map
_MAX_HOPS = 3
#: frames of a thread in which a selected one is looked for
_MOST_FRAMES = 256
#: of a struct that is no map: maps in it that are named, fields looked at, and how deep
_MOST_MAPS, _MOST_FIELDS, _DEEPEST_MAPS = 8, 500, 3


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
    goroutine: Optional[InGoroutine] = None,
) -> MapView:
    """The map that the user named.

    :param expression: MAP as typed; None: the map of the current stop
    :param type: the value of --type
    :param at_stop: the current stop, if the program is at a map stop
    :param goroutine: whose variables and operation are meant; None: the selected thread's
    :raises NotAMap: if it is none
    """
    session.require_memory()
    session.require_architecture()
    if goroutine is not None:
        return _map_in(goroutine, expression, type, at_stop)
    if expression is None:
        return _map_of_stop(session, at_stop)
    return named_map(session, expression, type)


def named_map(session: Session, expression: str, type: Optional[str] = None) -> MapView:
    """The map that an expression yields or, if the program has nothing of that name, the one
    that a flavour knows by it.

    :raises NotAMap: if it is none
    """
    try:
        found = evaluate(session, expression)
    except MapscopeError:
        for flavour in FLAVOURS:
            view = flavour.from_name(session, expression)
            if view is not None:
                return view
        raise
    return map_of(session, found, expression, type)


def _map_in(
    goroutine: InGoroutine,
    expression: Optional[str],
    type: Optional[str],
    at_stop: Optional[AtStop],
) -> MapView:
    """The map that a goroutine's variable is, or whose runtime function it is in."""
    session = goroutine.session
    if expression is not None:
        value = evaluate_in(goroutine, expression)
        try:
            return map_of(session, value, expression, type)
        except NotAMap as error:
            if goroutine.frame is None:
                raise
            raise NotAMap(f"{error} ({goroutine.place(goroutine.frame)})") from None
    thread = goroutine.thread
    if at_stop is not None and thread is not None and at_stop.thread == thread.number:
        if at_stop.reopen is not None:
            return at_stop.reopen(session)
    native = () if thread is None else thread.frames()
    # what one kind of frame has lost, the other may tell; debug information is slow to read
    ways: Sequence[Callable[[], Iterable[Frame]]] = (
        lambda: session.named(native),
        lambda: goroutine.frames,
        goroutine.scoped,
    )
    best: Optional[MapView] = None
    problem: Optional[MapscopeError] = None
    for frames in ways:
        for frame in frames():
            view, wrong = _map_of_frames(session, (frame,))
            problem = problem or wrong
            if view is not None and (best is None or view.address == best.address):
                best = view
                if view.key is not None:
                    return view
    if best is not None:
        return best
    raise problem or in_no_operation(goroutine)


def evaluate_in(goroutine: InGoroutine, expression: str) -> Variable:
    """The value of an expression of Go in a goroutine's frames.

    :raises MapscopeError: if it has none
    """
    names = goroutine.names(expression)

    def foreign(text: str) -> Variable:
        raise UsageError(f"{escape(text)}: registers are a thread's: leave out --goroutine")

    try:
        frames = dropwhile(lambda frame: frame is not names.frame, goroutine.scoped())
        reading = _reading(goroutine.session, names, foreign, frames)
        return expressions.evaluate(reading, expression)
    except expressions.UnknownName as error:
        doubt = goroutine.doubt()
        hint = f" ({doubt})" if doubt else f"; goroutine {goroutine.number} is in"
        hint += "" if doubt else f" {goroutine.list_frames()}"
        raise expressions.UnknownName(f"{error}{hint}") from None


def _reading(
    session: Session,
    names: Names,
    foreign: Callable[[str], Variable],
    frames: Iterable[Frame],
    innermost: Optional[int] = None,
) -> expressions.Reading:
    """What expressions are read with.

    :param frames: the one that names are of, and its callers
    :param innermost: stack pointer of that whose registers are its own; None: all know
    """
    of_calls = Dictionaries(
        session.memory, session.functions, session.target.code_file, frames, innermost
    )
    return expressions.Reading(
        names,
        session.memory,
        session.go,
        session.decoder(),
        lambda map, key, what: _value_behind(session, map, key, what),
        foreign,
        of_calls.possible,
    )


def evaluate(
    session: Session, expression: str, foreign: Optional[Callable[[str], Variable]] = None
) -> Variable:
    """The value of an expression: Go's are read here, whatever the debugger would make of them.

    :param foreign: evaluates those that are none of Go's; None: the debugger, to a map
    :raises MapscopeError: if it has none
    """
    target = session.target
    foreign = foreign or target.evaluate
    names = None if _is_debuggers(expression) else target.names()
    if names is None or not session.is_go():
        return foreign(expression)
    if names.frame is not None and len(session.runtimes()) > 1:
        pc = names.frame.pc()
        file = target.code_file(pc) if session.runtime_at(pc) is not None else None
        names = names if file is None else OwnPackages(names, file)
    innermost = next((frame.sp() for frame in target.selected_frames()), 0)
    if names.frame is not None and names.frame.sp() != innermost:
        selected = names.frame
        names = OuterFrame(names, lambda: _scoped(session, selected))
    frames = _from(names.frame, session)
    reading = _reading(session, names, foreign, frames, innermost)
    if names.frame is None or _is_in_go(session, names.frame):
        return expressions.evaluate(reading, expression)
    try:
        return expressions.evaluate(reading, expression)
    except (NotGo, expressions.UnknownName):
        return foreign(expression)  # of C, to which the selected frame belongs


def _scoped(session: Session, selected: Frame) -> Optional[ScopedFrame]:
    """A frame of a thread with its variables by Go's debug information; None: not known."""
    table = session.functions
    thread = next((one for one in session.target.threads() if one.number == selected.thread), None)
    if table is None or thread is None:
        return None
    frames = session.unwound(thread, _MOST_FRAMES)
    for one in scoped(session.memory, table, frames, session.target.code_file):
        if one.sp() == selected.sp() and same_function(one.function, selected.function):
            return one
    return None


def _from(selected: Optional[Frame], session: Session) -> Iterator[Frame]:
    """The selected frame and its callers."""
    if selected is None:
        return
    place = (selected.sp(), selected.pc(), selected.function)
    frames = session.target.selected_frames()
    yield from dropwhile(lambda f: (f.sp(), f.pc(), f.function) != place, frames)


def _is_debuggers(expression: str) -> bool:
    """Whether an expression is of no language: a number, a register, or no expression."""
    if expression[:1] in ("$", "-"):
        return re.fullmatch(r"\$\w+|-.*", expression, re.DOTALL) is not None
    try:
        int(expression, 0)
    except ValueError:
        return False
    return True


def _is_in_go(session: Session, frame: Frame) -> bool:
    """Whether a frame's code is Go's."""
    table = session.functions
    return table is None or table.at(frame.pc()) is not None


def _value_behind(
    session: Session, map: Variable, key: Callable[[Type], str], what: str
) -> Variable:
    """The value behind a key of a Go map."""
    view = map_of(session, map, what)
    key_type, value_type = view.types()
    text = key(key_type)
    lacks = f"{escape(what)} has no key {escape(text)}"
    test = parse_key(key_type, text)
    if view.address is None:
        raise NotAMap(f"{lacks}: it is nil")
    found = view.find(test)
    if found.where is None or found.elem_address is None:
        if found.unseen is not None:
            raise NotAMap(f"{lacks} that the program finds; map find shows where it lies")
        doubt = "".join(f"; {escape(problem)}" for problem in view.problems[:1])
        raise NotAMap(lacks + doubt)
    return Variable(value_type, found.elem_address)


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
    inside = _maps_within(variable.type) if kind is Kind.STRUCT and session.is_go() else []
    if inside:
        raise NotAMap(
            f"{what} is no map but a {escape(expressions.type_name(first.type))}; "
            f"its maps: {escape(', '.join(inside))}"
        )
    name = expressions.type_name(first.type) if session.is_go() else first.type.name
    raise NotAMap(f"{what} is not a map: its type is {escape(name)}")


def _maps_within(type: Type) -> List[str]:
    """Paths to the maps that a Go struct holds, those of its own fields first; not all of many."""
    found: List[str] = []
    level: List[Tuple[str, Type]] = [("", type)]
    looked = 0
    for _ in range(_DEEPEST_MAPS):
        deeper: List[Tuple[str, Type]] = []
        for path, struct in level:
            for field in struct.fields:
                looked += 1
                if looked > _MOST_FIELDS or len(found) > _MOST_MAPS:
                    return [*found[:_MOST_MAPS], "..."]
                inner = field.type.target() if field.type.kind is Kind.POINTER else field.type
                name = f"{path}.{field.name}"
                if field.type.kind is Kind.GO_MAP or _is_struct_map(inner):
                    found.append(name)
                elif inner.kind is Kind.STRUCT:
                    deeper.append((name, inner))
        level = deeper
    return found


def _is_struct_map(type: Type) -> bool:
    """Whether a Go struct is a map itself, as sync.Map is."""
    return type.kind is Kind.STRUCT and any(flavour.is_map(type) for flavour in FLAVOURS)


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
        is_pointer = dynamic.kind is Kind.POINTER
        if dynamic.kind is Kind.GO_MAP or (is_pointer and _is_struct_map(dynamic.target())):
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
    view, error = _map_of_frames(session, _selected_frames(session))
    if view is not None:
        return view
    if error is not None:
        raise error
    raise NoStopMap("which map? The selected thread is in no map operation: name a MAP")


def _map_of_frames(
    session: Session, frames: Iterable[Frame]
) -> Tuple[Optional[MapView], Optional[MapscopeError]]:
    """The map whose runtime function frames are of; None: none; and what was wrong with one."""
    error: Optional[MapscopeError] = None
    for frame in frames:
        for flavour in FLAVOURS:
            try:
                view = flavour.from_frame(session, frame)
            except MapscopeError as problem:
                error = error or problem
                continue
            if view is not None:
                return view, None
    return None, error


def _word(session: Session, variable: Variable) -> int:
    if variable.data is not None:
        signed = variable.type.kind is Kind.INT
        value = int.from_bytes(variable.data[: variable.type.size], "little", signed=signed)
        return value & ((1 << 64) - 1)
    if variable.address is not None:
        size = variable.type.size or 8
        return int.from_bytes(session.memory.read(variable.address, size), "little")
    raise NotAMap("the value is not available here")

# SPDX-License-Identifier: MIT
"""What the user typed -> a slice of Go, or a vector of C++."""

from dataclasses import replace
from typing import List, Optional, Tuple

from ..errors import MapscopeError, NotASlice
from ..go import expressions
from ..in_goroutine import InGoroutine
from ..locate import evaluate, evaluate_in
from ..program.target import Variable
from ..program.types import Kind, Type
from ..program.values import escape, is_pointer_shaped
from ..session import Session
from .slice_view import GO, GO_STRING, SliceView, check
from .vector import is_vector, open_vector

#: pointers and interfaces followed from an expression to its slice
_MAX_HOPS = 3
#: of a struct that is none: slices in it that are named, fields looked at
_MOST_SLICES, _MOST_FIELDS = 8, 500
_BYTE = Type(Kind.UINT, "uint8", 1)


def find_slice(
    session: Session, expression: str, goroutine: Optional[InGoroutine] = None
) -> SliceView:
    """The slice that the user named.

    :param goroutine: whose variables are meant; None: the selected thread's
    :raises MapscopeError: if it is none, or a damaged one
    """
    session.require_memory()
    session.require_architecture()
    if goroutine is not None:
        return open_slice(goroutine.session, evaluate_in(goroutine, expression), expression)
    variable = evaluate(session, expression, session.target.vector)
    return open_slice(session, variable, expression)


def open_slice(session: Session, variable: Variable, what: str) -> SliceView:
    """The slice that a value is, points at or holds.

    :param what: the expression, for messages
    :raises MapscopeError: if it is none, or a damaged one
    """
    first = variable
    for _ in range(_MAX_HOPS):
        kind = variable.type.kind
        if kind is Kind.SLICE:
            return _slice(session, variable, what)
        if kind is Kind.STRING and session.is_go() and variable.type.size == 16:
            return _string(session, variable, what)
        if is_vector(variable.type):
            return open_vector(session.memory, variable, what)
        following = _behind(session, variable, what)
        if following is None:
            break
        variable = following
    raise NotASlice(_refusal(session, first, variable, what))


def _behind(session: Session, variable: Variable, what: str) -> Optional[Variable]:
    """What a pointer points at, or an interface holds; None: it is neither."""
    type = variable.type
    if type.kind is Kind.POINTER:
        target = type.target()
        if target.kind in (Kind.VOID, Kind.FUNC):
            return None
        address = int.from_bytes(_data(session, variable, 8), "little")
        if not address:
            raise NotASlice(f"{escape(what)} is a nil {_name(session, type)}, not a slice")
        return Variable(target, address)
    if type.kind in (Kind.INTERFACE, Kind.EMPTY_INTERFACE) and session.is_go():
        data = _data(session, variable, 16)
        table, word = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        if not table:
            raise NotASlice(f"{escape(what)} is a nil {_name(session, type)}, not a slice")
        if type.kind is Kind.INTERFACE:
            table = session.memory.read_word(table + 8)
        held = session.go.type_at(table)
        return Variable(held, None, data[8:]) if is_pointer_shaped(held) else Variable(held, word)
    return None


def _slice(session: Session, variable: Variable, what: str) -> SliceView:
    data = _data(session, variable, 24)
    array, length, capacity = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8, 16))
    view = SliceView(
        GO,
        _name(session, variable.type),
        variable.type.target(),
        array,
        length,
        capacity,
        variable.address,
        session.go.minor,
        session.go.version,
    )
    # what debug information gives pointers for a name is C's
    if view.element.kind is Kind.POINTER:
        view.element = replace(view.element, name=expressions.type_name(view.element))
    return check(view, what)


def _string(session: Session, variable: Variable, what: str) -> SliceView:
    data = _data(session, variable, 16)
    array, length = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
    view = SliceView(
        GO_STRING,
        _name(session, variable.type),
        _BYTE,
        array,
        length,
        None,
        variable.address,
        session.go.minor,
        session.go.version,
    )
    return check(view, what)


def _data(session: Session, variable: Variable, size: int) -> bytes:
    if variable.data is not None:
        return variable.data[:size]
    if variable.address is None:
        raise MapscopeError("the value is not available here")
    return session.memory.read(variable.address, size)


def _name(session: Session, type: Type) -> str:
    return escape(expressions.type_name(type) if session.is_go() else type.name)


def _refusal(session: Session, first: Variable, last: Variable, what: str) -> str:
    """Why a value is no slice, and what is near."""
    name, kind = _name(session, first.type), last.type.kind
    text = escape(what)
    if kind is Kind.ARRAY and session.is_go():
        return f"{text} is an array, {name}, and no slice: name a part of it, as {text}[:]"
    if kind in (Kind.INT, Kind.UINT) and first is last:
        how = (
            f"(*[]int)({text})"
            if session.is_go()
            else f"*(std::vector<int, std::allocator<int> > *){text}"
        )
        return f"{text} is a number: say what lies there, as in '{how}'"
    inside = _slices_within(last.type) if kind is Kind.STRUCT else []
    if inside:
        return f"{text} is no slice but a {name}; its slices: {escape(', '.join(inside))}"
    other = "slice" if session.is_go() else "std::vector"
    return f"{text} is no {other}: its type is {name}"


def _slices_within(type: Type) -> List[str]:
    """Paths to the slices that a struct holds, those of its own fields first; not all of many."""
    found: List[str] = []
    level: List[Tuple[str, Type]] = [("", type)]
    looked = 0
    while level:
        deeper: List[Tuple[str, Type]] = []
        for path, struct in level:
            for field in struct.fields:
                looked += 1
                if looked > _MOST_FIELDS or len(found) >= _MOST_SLICES:
                    return [*found, "..."]
                name = f"{path}.{field.name}"
                if field.type.kind is Kind.SLICE or is_vector(field.type):
                    found.append(name)
                elif field.type.kind is Kind.STRUCT:
                    deeper.append((name, field.type))
        level = deeper
    return found

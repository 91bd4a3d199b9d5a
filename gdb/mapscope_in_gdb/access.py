# SPDX-License-Identifier: MIT
"""Looking up in maps that are gdb values; what functions and xmethods share."""

from typing import Any, Optional

import gdb

from mapscope.errors import MapscopeError
from mapscope.flavours.cpp.cpp_expressions import map_inside
from mapscope.locate import find_map, map_of
from mapscope.maps.found import Found
from mapscope.maps.key_text import parse_key
from mapscope.maps.view import MapView
from mapscope.program.target import Variable
from mapscope.program.types import Kind
from mapscope.program.values import dumps, json_form
from mapscope.session import Session
from .cpp import GdbValue, speaks_cpp
from .expressions import value_at, variable_of
from .target import GdbTarget
from .types import go_map_of_header

_CHARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR)


def open_map(value: gdb.Value) -> MapView:
    """The map that a gdb value is or points at, or that a text names.

    :raises gdb.GdbError: if it is none
    """
    try:
        session = Session(GdbTarget())
        session.require_memory()
        session.require_architecture()
        expression = _text_of(value)
        if expression is not None:
            return find_map(session, expression)
        if go_map_of_header(value.type) is not None:
            raise MapscopeError(
                "gdb takes a Go map for a pointer, and m[1] for what lies behind the map's "
                'header: name the map in quotes, as in $_map_len("m[1]")'
            )
        what = str(value.type)
        return map_of(session, _variable(session, value, what), what)
    except MapscopeError as error:
        raise gdb.GdbError(f"mapscope: {error}") from None


def _variable(session: Session, value: gdb.Value, what: str) -> Variable:
    """core's Variable of a value; of a C++ class or a pointer to one, of the map that it is."""
    if speaks_cpp():
        return map_inside(session, GdbValue(value), what)
    return variable_of(value)


def load_of(view: MapView) -> float:
    """Entries for each bucket.

    :raises gdb.GdbError: if it cannot be told
    """
    load = view.load_factor()
    if load is None:
        raise gdb.GdbError("mapscope: the load factor cannot be told: " + "; ".join(view.problems))
    return load


def _text_of(value: gdb.Value) -> Optional[str]:
    """What a string literal holds; None: the value is something else."""
    type = value.type.strip_typedefs()
    if type.code != gdb.TYPE_CODE_ARRAY:
        return None
    element = type.target().strip_typedefs()
    if element.code not in _CHARS or int(element.sizeof) != 1 or value.address is not None:
        return None
    return str(value.string("utf-8", "surrogateescape"))


def key_text(value: gdb.Value) -> str:
    """A key as KEY would be typed."""
    type = value.type.strip_typedefs()
    if type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
        type = value.type.strip_typedefs()
    if type.code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_PTR):
        target = type.target().strip_typedefs()
        if target.code in _CHARS and int(target.sizeof) == 1:
            return str(value.string("utf-8", "surrogateescape"))
    session = Session(GdbTarget())
    variable = variable_of(value)
    data = variable.data
    if data is None:
        data = session.memory.read(variable.address or 0, variable.type.size)
    decoded = session.decoder().decode(variable.type, data, variable.address)
    if isinstance(decoded, str):
        return decoded
    form = json_form(decoded)
    return form if isinstance(form, str) else dumps(form)


def look_up(view: MapView, key: gdb.Value) -> Found:
    """Where a key is.

    :raises gdb.GdbError: if it cannot be a key of this map
    """
    try:
        key_type, _ = view.types()
        if key_type.kind is Kind.STRING:
            text = key_text(key)
            if len(text) >= 2 and text[0] == text[-1] == '"':
                text = dumps(text)
        else:
            text = key_text(key)
        return view.find(parse_key(key_type, text))
    except MapscopeError as error:
        raise gdb.GdbError(f"mapscope: {error}") from None


def element(view: MapView, found: Found) -> gdb.Value:
    """The element found, as a gdb value."""
    _, elem = view.types()
    native: Any = elem.native
    if found.elem_address is None:
        raise gdb.GdbError("mapscope: no such key in the map")
    if native is None:
        try:
            native = gdb.lookup_type(elem.name)
        except (gdb.error, RuntimeError):
            raise gdb.GdbError(
                f"mapscope: gdb has no type {elem.name} (no debug information)"
            ) from None
    return value_at(native, found.elem_address)

# SPDX-License-Identifier: MIT
"""Convenience functions ($_map_len and others) and xmethods of mapscope::map.

Both compute in gdb and call nothing in the program, so they work on core dumps
and in conditions.
"""

from typing import Any, List, Optional

import gdb
import gdb.xmethod

from mapscope.errors import MapscopeError
from mapscope.keys import parse_key
from mapscope.locate import map_of
from mapscope.session import Session
from mapscope.types import Kind
from mapscope.values import dumps, json_form, text_or_bytes
from mapscope.view import Found, MapView
from mapscope_gdb_target import GdbTarget, value_at, variable_of

_CHARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR)


def open_map(value: gdb.Value) -> MapView:
    """The map that a gdb value is or points at.

    :raises gdb.GdbError: if it is none
    """
    try:
        session = Session(GdbTarget())
        session.require_memory()
        session.require_architecture()
        return map_of(session, variable_of(value), str(value.type))
    except MapscopeError as error:
        raise gdb.GdbError(f"mapscope: {error}") from None


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
    if isinstance(decoded, bytes) and text_or_bytes(decoded) is decoded:
        return dumps(json_form(decoded))
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


class Length(gdb.Function):
    """$_map_len(m): how many entries a map has."""

    def __init__(self) -> None:
        super().__init__("_map_len")

    def invoke(self, map: gdb.Value) -> int:
        """:param map: a map, or a pointer to one"""
        return open_map(map).count


class Growing(gdb.Function):
    """$_map_growing(m): whether a map is being migrated (1) or not (0)."""

    def __init__(self) -> None:
        super().__init__("_map_growing")

    def invoke(self, map: gdb.Value) -> int:
        """:param map: a map, or a pointer to one"""
        return int(open_map(map).growth() is not None)


class Progress(gdb.Function):
    """$_map_progress(m): the evacuated part of the old buckets, 0 to 1; 1: not growing."""

    def __init__(self) -> None:
        super().__init__("_map_progress")

    def invoke(self, map: gdb.Value) -> float:
        """:param map: a map, or a pointer to one"""
        progress = open_map(map).progress()
        return 1.0 if progress is None else progress


class Load(gdb.Function):
    """$_map_load(m): entries for each bucket."""

    def __init__(self) -> None:
        super().__init__("_map_load")

    def invoke(self, map: gdb.Value) -> float:
        """:param map: a map, or a pointer to one"""
        return open_map(map).load_factor()


class Get(gdb.Function):
    """$_map_get(m, key): the element of a key, as a gdb value; an error if there is none."""

    def __init__(self) -> None:
        super().__init__("_map_get")

    def invoke(self, map: gdb.Value, key: gdb.Value) -> gdb.Value:
        """:param map: a map, or a pointer to one"""
        view = open_map(map)
        return element(view, look_up(view, key))


# --- xmethods ---


class _Worker(gdb.xmethod.XMethodWorker):
    """One method of one mapscope::map type."""

    def __init__(self, name: str, types: List[gdb.Type], result: Optional[gdb.Type]) -> None:
        self._name = name
        self._types = types
        self._result = result

    def get_arg_types(self) -> Any:
        return self._types or None

    def get_result_type(self, obj: gdb.Value, *arguments: gdb.Value) -> Any:
        if self._result is not None:
            return self._result
        return self(obj, *arguments).type

    def __call__(self, obj: gdb.Value, *arguments: gdb.Value) -> Any:
        if obj.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            obj = obj.dereference()
        view = open_map(obj)
        if self._name == "size":
            return gdb.Value(view.count).cast(self._result)
        if self._name == "empty":
            return gdb.Value(view.count == 0).cast(self._result)
        if self._name == "load_factor":
            return gdb.Value(view.load_factor()).cast(self._result)
        found = look_up(view, arguments[0])
        if self._name in ("contains", "count"):
            return gdb.Value(found.where is not None).cast(self._result)
        if self._name == "find":
            elem = obj.type.strip_typedefs().template_argument(1)
            return gdb.Value(found.elem_address or 0).cast(elem.pointer())
        return element(view, found)


class _Method:
    """A method's name, for gdb's "info xmethod"."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.enabled = True


class MapMatcher(gdb.xmethod.XMethodMatcher):
    """m["k"], m.at(k), m.find(k), m.contains(k), m.size(), ... of mapscope::map."""

    _METHODS = (
        "operator[]",
        "at",
        "find",
        "contains",
        "count",
        "size",
        "empty",
        "load_factor",
    )

    def __init__(self) -> None:
        super().__init__("mapscope")
        self.methods = [_Method(name) for name in self._METHODS]

    def match(self, class_type: gdb.Type, method_name: str) -> Any:
        tag = class_type.strip_typedefs().tag or ""
        if not tag.startswith("mapscope::map<"):
            return None
        enabled = [m.name for m in self.methods if m.enabled]
        if method_name not in enabled:
            return None
        key = class_type.strip_typedefs().template_argument(0)
        result: Optional[gdb.Type] = None
        types: List[List[gdb.Type]] = [[]]
        if method_name == "size":
            result = gdb.lookup_type("unsigned long")
        elif method_name == "load_factor":
            result = gdb.lookup_type("float")
        elif method_name == "empty":
            result = gdb.lookup_type("bool")
        else:
            # a string literal is char[N] to gdb, and no std::string comes of it
            types = [[key.const().reference()]]
            if "basic_string" in str(key.strip_typedefs()):
                types.append([gdb.lookup_type("char").const().pointer()])
            if method_name == "contains":
                result = gdb.lookup_type("bool")
            elif method_name == "count":
                result = gdb.lookup_type("unsigned long")
        return [_Worker(method_name, arguments, result) for arguments in types]


def register() -> None:
    """Define (or, when sourced again, redefine) functions and xmethods."""
    for function in (Length, Growing, Progress, Load, Get):
        function()
    gdb.xmethod.register_xmethod_matcher(None, MapMatcher(), replace=True)

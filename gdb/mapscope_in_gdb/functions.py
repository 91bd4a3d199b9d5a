# SPDX-License-Identifier: MIT
"""Convenience functions ($_map_len and others) and xmethods of mapscope::map.

Both compute in gdb and call nothing in the program, so they work on core dumps
and in conditions.
"""

from typing import Any, List

import gdb
import gdb.xmethod


def _access() -> Any:
    """What does the work, imported when it is first needed."""
    from . import access

    return access


def _exactly(number: int, arguments: Any, what: str) -> Any:
    """The arguments of a convenience function.

    :raises gdb.GdbError: if there are more or fewer
    """
    if len(arguments) != number:
        raise gdb.GdbError(f"mapscope: the function takes {what}")
    return arguments


class Length(gdb.Function):
    """$_map_len(m): how many entries a map has."""

    def __init__(self) -> None:
        super().__init__("_map_len")

    def invoke(self, *arguments: gdb.Value) -> int:
        """:param arguments: a map, a pointer to one, or a text that names one"""
        (map,) = _exactly(1, arguments, "a map")
        return int(_access().open_map(map).count)


class Growing(gdb.Function):
    """$_map_growing(m): whether a map is being migrated (1) or not (0)."""

    def __init__(self) -> None:
        super().__init__("_map_growing")

    def invoke(self, *arguments: gdb.Value) -> int:
        """:param arguments: a map, a pointer to one, or a text that names one"""
        (map,) = _exactly(1, arguments, "a map")
        return int(_access().open_map(map).growth() is not None)


class Progress(gdb.Function):
    """$_map_progress(m): the evacuated part of the old buckets, 0 to 1; 1: not growing."""

    def __init__(self) -> None:
        super().__init__("_map_progress")

    def invoke(self, *arguments: gdb.Value) -> float:
        """:param arguments: a map, a pointer to one, or a text that names one"""
        (map,) = _exactly(1, arguments, "a map")
        progress = _access().open_map(map).progress()
        return 1.0 if progress is None else float(progress)


class Load(gdb.Function):
    """$_map_load(m): entries for each bucket."""

    def __init__(self) -> None:
        super().__init__("_map_load")

    def invoke(self, *arguments: gdb.Value) -> float:
        """:param arguments: a map, a pointer to one, or a text that names one"""
        (map,) = _exactly(1, arguments, "a map")
        return float(_access().load_of(_access().open_map(map)))


class Get(gdb.Function):
    """$_map_get(m, key): the element of a key, as a gdb value; an error if there is none."""

    def __init__(self) -> None:
        super().__init__("_map_get")

    def invoke(self, *arguments: gdb.Value) -> gdb.Value:
        """:param arguments: a map, a pointer to one, or a text that names one; and a key"""
        map, key = _exactly(2, arguments, "a map and a key")
        access = _access()
        view = access.open_map(map)
        return access.element(view, access.look_up(view, key))


# --- xmethods ---


class _Worker(gdb.xmethod.XMethodWorker):
    """One method of one mapscope::map type."""

    def __init__(self, name: str, types: List[gdb.Type], result: gdb.Type) -> None:
        self._name = name
        self._types = types
        self._result = result

    def get_arg_types(self) -> Any:
        return self._types or None

    def get_result_type(self, obj: gdb.Value, *arguments: gdb.Value) -> Any:
        return self._result

    def __call__(self, obj: gdb.Value, *arguments: gdb.Value) -> Any:
        try:
            return self._call(obj, *arguments)
        except gdb.GdbError as error:
            # gdb would show it as "Python Exception ..."; reading what is returned
            # instead ends in an error of gdb's own.
            gdb.write(f"{error}\n", gdb.STDERR)
            return gdb.Value(0).cast(self._result.pointer()).dereference()

    def _call(self, obj: gdb.Value, *arguments: gdb.Value) -> Any:
        if obj.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            obj = obj.dereference()
        access = _access()
        view = access.open_map(obj)
        if self._name == "size":
            return gdb.Value(view.count).cast(self._result)
        if self._name == "empty":
            return gdb.Value(view.count == 0).cast(self._result)
        if self._name == "load_factor":
            return gdb.Value(access.load_of(view)).cast(self._result)
        found = access.look_up(view, arguments[0])
        if self._name in ("contains", "count"):
            return gdb.Value(found.where is not None).cast(self._result)
        if self._name == "find":
            return gdb.Value(found.elem_address or 0).cast(self._result)
        return access.element(view, found)


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
        map_type = class_type.strip_typedefs()
        key, elem = map_type.template_argument(0), map_type.template_argument(1)
        results = {
            "size": lambda: gdb.lookup_type("unsigned long"),
            "count": lambda: gdb.lookup_type("unsigned long"),
            "load_factor": lambda: gdb.lookup_type("double"),
            "empty": lambda: gdb.lookup_type("bool"),
            "contains": lambda: gdb.lookup_type("bool"),
            "find": elem.pointer,
        }
        result = results.get(method_name, lambda: elem)()
        types: List[List[gdb.Type]] = [[]]
        if method_name not in ("size", "load_factor", "empty"):
            # gdb converts a number to a number, but not to a reference to one, and no
            # string literal, which is char[N] to it, to a std::string
            plain = key.strip_typedefs().code != gdb.TYPE_CODE_STRUCT
            types = [[key.unqualified() if plain else key.const().reference()]]
            if "basic_string" in str(key.strip_typedefs()):
                types.append([gdb.lookup_type("char").const().pointer()])
        return [_Worker(method_name, arguments, result) for arguments in types]


def register() -> None:
    """Define (or, when sourced again, redefine) functions and xmethods."""
    for function in (Length, Growing, Progress, Load, Get):
        function()
    gdb.xmethod.register_xmethod_matcher(None, MapMatcher(), replace=True)

# SPDX-License-Identifier: MIT
"""What the user typed -> a value of gdb -> core's Variable."""

import re
import struct
from typing import Optional

import gdb

from mapscope.errors import MapscopeError, UsageError
from mapscope.program.target import Variable
from mapscope.program.values import escape
from .types import describe, go_map_of_header

_GO_PATH = re.compile(r"^(&?)([\w./\-]+\.\w+)$")


class Language:
    """Parses expressions in one language, whatever the selected frame's is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = ""

    def __enter__(self) -> None:
        self._before = str(gdb.parameter("language"))
        gdb.execute(f"set language {self._name}", to_string=True)

    def __exit__(self, *_: object) -> None:
        gdb.execute(f"set language {self._before}", to_string=True)


def parse(expression: str) -> gdb.Value:
    """gdb's value of an expression.

    :raises MapscopeError: with gdb's own words
    """
    if expression.startswith("-"):
        raise UsageError(f"unknown option {escape(expression)}")
    _require_symbol(expression)
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        # A Go variable that escapes is named so in its debug information.
        if expression.isidentifier():
            try:
                with Language("c"):
                    return gdb.parse_and_eval(f"'&{expression}'").dereference()
            except gdb.error:
                pass
        # Import paths (example.com/pkg.Table) and, in C frames, main.G need quotes.
        match = _GO_PATH.match(expression)
        if match:
            try:
                with Language("c"):
                    return gdb.parse_and_eval(f"{match[1]}'{match[2]}'")
            except gdb.error:
                pass
        raise MapscopeError(escape(str(error).strip().rstrip("."))) from None


def _require_symbol(expression: str) -> None:
    """Refuse main.Nope where there is none.

    gdb's Go parser (13.1) takes an unknown name of that form for the last one it knew.

    :raises MapscopeError: if a Go name has no symbol
    """
    match = _GO_PATH.match(expression)
    if match is None or str(gdb.parameter("language")) not in ("auto", "go"):
        return
    first = match[2].split(".", 1)[0]
    try:
        frame: Optional[gdb.Frame] = gdb.selected_frame()
    except gdb.error:
        frame = None
    if frame is not None:
        if "go" not in str(gdb.execute("show language", to_string=True)).lower():
            return
        try:
            frame.read_var(first)
            return  # a field of a variable
        except (ValueError, gdb.error):
            pass
    # path/package.Variable, or a field of such a variable
    folder, slash, rest = match[2].rpartition("/")
    words = rest.split(".")
    names = [folder + slash + ".".join(words[:end]) for end in range(2, len(words) + 1)]
    if not any(_is_symbol(name) for name in names):
        if frame is not None or _is_symbol("runtime.buildVersion"):
            raise MapscopeError(f'no symbol "{escape(match[2])}" in this program')


def _is_symbol(name: str) -> bool:
    return any(
        lookup(name) is not None for lookup in (gdb.lookup_global_symbol, gdb.lookup_static_symbol)
    )


def variable_of(value: gdb.Value) -> Variable:
    """core's Variable of a gdb value, references followed."""
    try:
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            value = value.referenced_value()
        if value.is_optimized_out:
            raise MapscopeError("the value is optimized out here")
        header = go_map_of_header(value.type)
        if header is not None and value.address is not None:  # *m
            return Variable(header, None, int(value.address).to_bytes(8, "little"))
        type = describe(value.type)
        address = None if value.address is None else int(value.address)
        data = bytes_of(value) if address is None else None
    except gdb.error as error:
        raise MapscopeError(escape(str(error).strip())) from None
    return Variable(type, address, data)


def bytes_of(value: gdb.Value) -> bytes:
    """The bytes of a value that lies in no memory (registers, literals)."""
    type = value.type.strip_typedefs()
    size = int(type.sizeof)
    if type.code == gdb.TYPE_CODE_STRUCT:
        raw = bytearray(size)
        for field in type.fields():
            if hasattr(field, "bitpos") and not field.bitsize:
                part = bytes_of(value[field])
                at = int(field.bitpos) // 8
                raw[at : at + len(part)] = part
        return bytes(raw)
    if type.code == gdb.TYPE_CODE_ARRAY:
        low, high = type.range()
        return b"".join(bytes_of(value[i]) for i in range(int(low), int(high) + 1))
    if type.code == gdb.TYPE_CODE_FLT:
        return struct.pack("<f" if size == 4 else "<d", float(value))
    if type.code == gdb.TYPE_CODE_VOID:
        raise MapscopeError("the expression has no value")
    number = int(value)
    return number.to_bytes(max(size, 1), "little", signed=number < 0)


def value_at(native: gdb.Type, address: int) -> gdb.Value:
    """A gdb value of memory, read when it is used."""
    return gdb.Value(address).cast(native.pointer()).dereference()

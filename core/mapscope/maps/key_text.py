# SPDX-License-Identifier: MIT
"""KEY as a user types it -> a test for keys of a map.

Bare or quoted text for string keys; otherwise the JSON form of the key, as in
docs/commands.md, "Values".
"""

import json
import re
import struct
from typing import Any, Callable, Optional

from ..errors import UsageError
from ..program.types import Kind, Type
from ..program.values import (
    Address,
    Decoded,
    EnumValue,
    InterfaceValue,
    StructValue,
    escape,
    json_form,
    named,
)
from .found import KeyTest

_WORDS = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "+infinity": float("inf"),
    "-infinity": float("-inf"),
    "inf": float("inf"),
    "+inf": float("inf"),
    "-inf": float("-inf"),
}


def parse_key(type: Type, text: str) -> KeyTest:
    """A test for the key that `text` names.

    :param type: the map's key type
    :raises UsageError: if the text is no key of that type
    """
    parser = _PARSERS.get(type.kind, _json_key)
    if type.kind in (Kind.FLOAT, Kind.POINTER, Kind.FUNC, Kind.CHAN):
        text = text.strip('"')  # JSON writes some of them as strings
    try:
        return parser(type, text)
    except (ValueError, OverflowError, struct.error, KeyError, TypeError):
        example = _EXAMPLES.get(type.kind, '{"X":1,"Y":2}')
        raise UsageError(
            f"{named(text)} is no key of type {escape(type.name)}: "
            f"expected something like {example}"
        ) from None


def _exact(wanted: Decoded) -> Callable[[Decoded], bool]:
    return lambda key: bool(key == wanted)


def _string(type: Type, text: str) -> KeyTest:
    raw = text.encode("utf-8", "surrogateescape")
    match = re.fullmatch(r'\{\s*"bytes"\s*:\s*"([0-9a-fA-F]*)"\s*\}', text)
    if match:
        raw = bytes.fromhex(match.group(1))
    elif len(text) >= 2 and text[0] == text[-1] == '"':
        raw = str(json.loads(text)).encode("utf-8")

    def matches(key: Decoded) -> bool:
        return (key.encode("utf-8") if isinstance(key, str) else key) == raw

    return KeyTest(matches, text=raw)


def _integer(type: Type, text: str) -> KeyTest:
    value = int(text, 0)
    data = value.to_bytes(type.size, "little", signed=type.kind is Kind.INT)
    return KeyTest(_exact(value), data)


def _bool(type: Type, text: str) -> KeyTest:
    value = {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    return KeyTest(_exact(value), bytes([value]))


def _float(type: Type, text: str) -> KeyTest:
    value = _WORDS.get(text.lower())
    if value is None:
        value = float(text)
    # as the program compares: in the key's own precision
    layout = "<f" if type.size == 4 else "<d"
    data = struct.pack(layout, value)
    return KeyTest(_exact(struct.unpack(layout, data)[0]), data)


def _pointer(type: Type, text: str) -> KeyTest:
    value = 0 if text in ("nil", "null", "NULL", "nullptr") else int(text, 0)
    wanted = Address(value) if value else None
    return KeyTest(_exact(wanted), value.to_bytes(8, "little"))


def _enum(type: Type, text: str) -> KeyTest:
    value: Optional[int] = None
    for number, name in type.names.items():
        if text in (name, name.rsplit("::", 1)[-1]):
            value = number
    if value is None:
        value = int(text, 0)
    data = value.to_bytes(type.size, "little", signed=value < 0)
    number = value
    return KeyTest(lambda key: isinstance(key, EnumValue) and key.value == number, data)


def _json_key(type: Type, text: str) -> KeyTest:
    wanted: Any
    try:
        wanted = json.loads("null" if text == "nil" else text)
    except ValueError:
        if type.kind not in (Kind.INTERFACE, Kind.EMPTY_INTERFACE, Kind.OPAQUE):
            raise
        wanted = text
    names = {field.name for field in type.fields if field.name != "_"}
    if type.kind is Kind.STRUCT and not (isinstance(wanted, dict) and wanted.keys() == names):
        raise ValueError(text)
    if type.kind is Kind.ARRAY and not (isinstance(wanted, list) and len(wanted) == type.length):
        raise ValueError(text)
    forms = (wanted,) if type.kind in (Kind.INTERFACE, Kind.EMPTY_INTERFACE) else ()
    if isinstance(wanted, dict) and wanted.keys() == {"type", "value"}:
        forms += (wanted["value"],) if forms else ()
    return KeyTest(lambda key: _equals(key, wanted), forms=forms)


def _equals(key: Decoded, wanted: Any) -> bool:
    """Whether a key is what its JSON form says; of an interface, the value is enough."""
    if isinstance(key, InterfaceValue):
        return _equals(key.value, wanted) or _same(json_form(key), wanted)
    if isinstance(key, StructValue):
        fields = dict(key.fields)
        return (
            isinstance(wanted, dict)
            and fields.keys() == wanted.keys()
            and all(_equals(value, wanted[name]) for name, value in fields.items())
        )
    if isinstance(key, list):
        return (
            isinstance(wanted, list)
            and len(key) == len(wanted)
            and all(_equals(a, b) for a, b in zip(key, wanted))
        )
    return _same(json_form(key), wanted)


def _same(a: Any, b: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return bool(a == b)


_PARSERS: "dict[Kind, Callable[[Type, str], KeyTest]]" = {
    Kind.STRING: _string,
    Kind.INT: _integer,
    Kind.UINT: _integer,
    Kind.BOOL: _bool,
    Kind.FLOAT: _float,
    Kind.POINTER: _pointer,
    Kind.FUNC: _pointer,
    Kind.CHAN: _pointer,
    Kind.ENUM: _enum,
}

_EXAMPLES = {
    Kind.INT: "-42",
    Kind.UINT: "42",
    Kind.BOOL: "true",
    Kind.FLOAT: "1.5",
    Kind.POINTER: "0xc000012345",
    Kind.CHAN: "0xc000012345",
    Kind.ENUM: "an enumerator or its number",
    Kind.ARRAY: "[1,2]",
    Kind.COMPLEX: '{"re":1.0,"im":0.0}',
}

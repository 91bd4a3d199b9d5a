# SPDX-License-Identifier: MIT
"""Go's literals -> the text by which a map's key is looked for: numbers, strings, runes, and
composite literals of structs and arrays.

Facts: The Go Programming Language Specification, "String literals", "Composite literals".
"""

import json
import re
from typing import Optional

from ..errors import UsageError
from ..program.types import Kind, Type
from ..program.values import escape
from .syntax import NotGo, split_list, split_pair

_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\'\"]))"
)
_SIMPLE = dict(zip(b"abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\""))
#: deepest nesting of a composite literal
_DEEPEST = 16


def key_text(literal: str, type: Type, depth: int = 0) -> Optional[str]:
    """A literal as KEY would be typed; None: it is none, but an expression.

    :raises UsageError: if it is none of the type
    """
    first = literal[:1]
    if first in ('"', "`"):
        raw = string_bytes(literal)
        try:
            return json.dumps(raw.decode("utf-8"))
        except UnicodeDecodeError:
            return json.dumps({"bytes": raw.hex()})
    if first == "'":
        text = string_bytes(literal).decode("utf-8", "replace")
        if len(text) != 1:
            raise UsageError(f"{escape(literal)} is no rune")
        return str(ord(text))
    if first.isdigit() or first in ("-", "+"):
        return _number(literal, type)
    if literal in ("true", "false", "nil"):
        return literal
    if first == "{":
        return literal  # JSON
    if literal.endswith("}") or (first == "[" and literal.endswith("]")):
        return _composite(literal, type, depth)
    return None


def string_bytes(literal: str) -> bytes:
    """The bytes of a string or a rune in its quotes.

    :raises UsageError: if it is none
    """
    quote, inner = literal[0], literal[1:-1]
    if len(literal) < 2 or literal[-1] != quote:
        raise UsageError(f"no closing {quote} in {escape(literal)}")
    raw = inner.encode("utf-8", "surrogateescape")
    if quote == "`":
        return raw
    found = bytearray()
    at = 0
    while at < len(raw):
        if raw[at] == ord("\\"):
            match = _ESCAPE.match(raw, at)
            if match is None:
                raise UsageError(f"{escape(literal)} has an escape that Go does not know")
            found += _escaped(match)
            at = match.end()
            continue
        if raw[at] == ord(quote):
            raise UsageError(f"{escape(literal)} is not one literal")
        found.append(raw[at])
        at += 1
    return bytes(found)


def _escaped(match: "re.Match[bytes]") -> bytes:
    byte, octal, short, long, simple = match.groups()
    if byte:
        return bytes([int(byte, 16)])
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if simple:
        return bytes([_SIMPLE[simple[0]]])
    code = int(short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise UsageError(f"there is no character {code:#x}")
    return chr(code).encode("utf-8")


def _number(literal: str, type: Type) -> str:
    """A number as JSON has it, where it is a whole one."""
    sign = -1 if literal.startswith("-") else 1
    digits = literal.lstrip("+-")
    if re.fullmatch(r"0[0-7_]+", digits):
        digits = "0o" + digits[1:]
    try:
        return str(sign * int(digits, 0))
    except ValueError:
        return literal


def _composite(literal: str, type: Type, depth: int) -> str:
    """main.Place{1, 2}, main.Place{X: 1} or [2]int{1, 2}; [1, 2] is JSON already."""
    at = literal.find("{")
    if at < 0:
        return literal
    if depth > _DEEPEST:
        raise UsageError(f"{escape(literal)} is nested too deep")
    try:
        parts = split_list(literal[at + 1 : -1])
        if type.kind is Kind.ARRAY:
            if len(parts) != type.length or any(split_pair(part) for part in parts):
                raise UsageError(f"{escape(literal)} has not {type.length} elements")
            return "[" + ", ".join(_part(part, type.target(), depth) for part in parts) + "]"
        if type.kind is not Kind.STRUCT:
            raise UsageError(f"{escape(literal)} is no {escape(type.name)}")
        fields = {field.name: field.type for field in type.fields if field.name != "_"}
        values = [split_pair(part) for part in parts]
        pairs = (
            list(zip(fields, parts))
            if not any(values) and len(parts) == len(fields)
            else [value for value in values if value is not None]
        )
        if {name for name, _ in pairs} != set(fields) or len(pairs) != len(parts):
            raise UsageError(
                f"{escape(literal)}: all fields of a {escape(type.name)} are to be named, "
                f"{escape(', '.join(fields))}"
            )
    except NotGo as error:
        raise UsageError(str(error)) from None
    shown = (f"{json.dumps(name)}: {_part(text, fields[name], depth)}" for name, text in pairs)
    return "{" + ", ".join(shown) + "}"


def _part(text: str, type: Type, depth: int) -> str:
    found = key_text(text, type, depth + 1)
    if found is None:
        raise UsageError(f"{escape(text)}: inside of a literal only literals are taken")
    return "null" if found == "nil" else found

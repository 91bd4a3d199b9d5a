# SPDX-License-Identifier: MIT
"""Bytes of the program -> values -> text or JSON.

Decoder takes one value apart by its Type. The JSON and text forms are those
of docs/commands.md. Nothing here trusts the bytes: lengths are bounded,
nesting is bounded, text is escaped.
"""

import json
import math
import struct
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from ..errors import MapscopeError, MemoryUnreadable
from ..records import dataclass
from .cpp_tables import entries_in
from ..kernels.writing import Style
from .memory import MAX_BYTES, Memory
from .types import Kind, Type

#: deepest nesting of one value (an interface may hold itself)
MAX_DEPTH = 24
#: most parts of one value
MAX_PARTS = 1 << 18
#: bytes from which on a string, slice or value counts as long; and how many bytes of long ones a
#: command reads, where it keeps them all and where it prints them one by one
LONG, MOST_LONG, MOST_LONG_PRINTED = 1 << 20, 256 << 20, 4 << 30


@dataclass(frozen=True)
class Address:
    """A pointer, function or channel."""

    value: int


@dataclass(frozen=True)
class EnumValue:
    """An enumerator: JSON has the number, text the name."""

    value: int
    name: Optional[str]


@dataclass(frozen=True)
class StructValue:
    """Fields in order; blank fields are left out."""

    fields: Tuple[Tuple[str, "Decoded"], ...]


@dataclass(frozen=True)
class InterfaceValue:
    """A Go interface that is not nil."""

    type: str
    value: "Decoded"


@dataclass(frozen=True)
class NestedMap:
    """A map inside a map: named, counted, not opened."""

    type: str
    address: int
    count: int


@dataclass(frozen=True)
class DebuggerText:
    """A value as the debugger prints it."""

    text: str


@dataclass(frozen=True)
class Unreadable:
    """A value, or a part of one, that could not be read."""

    error: str


Decoded = Union[
    None,
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    List[Any],
    Address,
    EnumValue,
    StructValue,
    InterfaceValue,
    NestedMap,
    DebuggerText,
    Unreadable,
]

_WORD = struct.Struct("<Q")


class Decoder:
    """Takes values apart.

    :param memory: where strings, slices and interfaces continue
    :param go_type: gives the Type of a Go type descriptor's address; None where
        the program has no Go types
    :param native: prints an OPAQUE value; None where nothing can
    :ivar most_long: bytes of long values that may still be read
    :ivar most_shown: characters of a string that will be shown; 0: all
    """

    most_long = MOST_LONG
    most_shown = 0

    def __init__(
        self,
        memory: Memory,
        go_type: Optional[Callable[[int], Type]] = None,
        native: Optional[Callable[[Type, Optional[int], bytes], str]] = None,
    ) -> None:
        self.memory = memory
        self._go_type = go_type
        self._native = native
        self._parts = 0

    def decode(self, type: Type, data: bytes, address: Optional[int] = None) -> Decoded:
        """The value of `type` in `data`; never raises for bad bytes.

        :param data: the value's bytes, as many as the type has
        :param address: where they lie in the program, if they do
        """
        self._parts = 0
        try:
            return self._decode(type, data, address, 0)
        except MapscopeError as error:
            return Unreadable(str(error))
        except struct.error:
            return Unreadable(f"{len(data)} bytes are no {type.name}")

    def _decode(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            return Unreadable("nested too deep")
        return _DECODERS[type.kind](self, type, data, address, depth)

    def _scalar(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        signed = type.kind is Kind.INT
        return int.from_bytes(data[: type.size], "little", signed=signed)

    def _bool(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        return any(data[: type.size])

    def _float(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        layout = {2: "<e", 4: "<f", 8: "<d"}.get(type.size)
        if layout is None:
            return self._opaque(type, data, address, depth)
        value: float = struct.unpack_from(layout, data)[0]
        return value

    def _complex(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        layout = "<ff" if type.size == 8 else "<dd"
        if len(data) < struct.calcsize(layout):
            return self._opaque(type, data, address, depth)
        return complex(*struct.unpack_from(layout, data))

    def _enum(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        signed = any(value < 0 for value in type.names)
        value = int.from_bytes(data[: type.size], "little", signed=signed)
        return EnumValue(value, type.names.get(value))

    def _pointer(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        value = int.from_bytes(data[:8], "little")
        return Address(value) if value else None

    def _string(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        start = _WORD.unpack_from(data, type.data_offset)[0]
        length = _WORD.unpack_from(data, type.len_offset)[0]
        if self.most_shown and MAX_BYTES >= length > LONG:
            length = min(length, 4 * self.most_shown + 4)  # of UTF-8, and more than is shown
        raw = self._payload(start, length, f"string of {length} bytes")
        return text_or_bytes(raw)

    def _payload(self, start: int, length: int, what: str) -> bytes:
        if length == 0:
            return b""
        if length > MAX_BYTES:
            raise MapscopeError(f"{what} at {start:#x}: no such length")
        self.spend(length, what)
        return self.memory.read(start, length)

    def spend(self, size: int, what: str) -> None:
        """Before so many bytes are read for one value.

        :raises MapscopeError: if it is long, and enough of such was read: a damaged map can have
            any number of them in one piece of memory
        """
        if size >= LONG:
            if size > self.most_long:
                raise MapscopeError(f"{what}: not read, as there are too many so long")
            self.most_long -= size

    def _array(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        return self._elements(type.target(), type.length, data, address, depth)

    def _slice(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        start, length, capacity = struct.unpack_from("<QQQ", data)
        element = type.target()
        if start == 0 and length == 0:
            return None
        if length > capacity:
            return Unreadable(f"slice of length {length} with capacity {capacity}")
        if length > MAX_PARTS:
            return Unreadable(f"slice of {length} elements at {start:#x}: too long to show")
        size = length * element.size
        raw = self._payload(start, size, f"slice of {size} bytes")
        return self._elements(element, length, raw, start, depth)

    def _elements(
        self, element: Type, length: int, data: bytes, address: Optional[int], depth: int
    ) -> Decoded:
        size = element.size
        result: List[Decoded] = []
        for index in range(length):
            if self._parts > MAX_PARTS:
                result.append(Unreadable("too many elements to show"))
                break
            offset = index * size
            where = None if address is None else address + offset
            result.append(self._decode(element, data[offset : offset + size], where, depth + 1))
        return result

    def _struct(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        fields: List[Tuple[str, Decoded]] = []
        for field in type.fields:
            if field.name == "_":
                continue
            part = data[field.offset : field.offset + field.type.size]
            where = None if address is None else address + field.offset
            fields.append((field.name, self._decode(field.type, part, where, depth + 1)))
        return StructValue(tuple(fields))

    @property
    def has_go_types(self) -> bool:
        """Whether the program has Go types, which interfaces name."""
        return self._go_type is not None

    def go_type(self, address: int) -> Type:
        """The type that a Go type descriptor is of.

        :raises MapscopeError: if none lies there
        """
        if self._go_type is None:
            raise MapscopeError("interface in a program without Go types")
        return self._go_type(address)

    def _interface(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        first, word = struct.unpack_from("<QQ", data)
        if first == 0:
            return None
        if self._go_type is None:
            return Unreadable("interface in a program without Go types")
        if type.kind is Kind.INTERFACE:
            # runtime.itab: inter 0, _type 8 (Go 1.17 to 1.26, runtime2.go, internal/abi)
            first = self.memory.read_word(first + 8)
        dynamic = self._go_type(first)
        if is_pointer_shaped(dynamic):
            value = self._decode(dynamic, _WORD.pack(word), None, depth + 1)
        else:
            raw = self._payload(word, dynamic.size, f"{dynamic.size} bytes")
            value = self._decode(dynamic, raw, word, depth + 1)
        return InterfaceValue(dynamic.name, value)

    def _map(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        header = int.from_bytes(data[:8], "little")
        if header == 0:
            return None
        # count (classic, runtime) and used (Swiss) are both the first word
        return NestedMap(type.name, header, self.memory.read_word(header))

    def _opaque(self, type: Type, data: bytes, address: Optional[int], depth: int) -> Decoded:
        if address is not None:
            count = entries_in(type, data)
            if count is not None:
                return NestedMap(type.name, address, count)
        if self._native is not None and type.native is not None:
            return DebuggerText(self._native(type, address, data))
        return bytes(data)


_Method = Callable[[Decoder, Type, bytes, Optional[int], int], Decoded]
_DECODERS: "dict[Kind, _Method]" = {
    Kind.BOOL: Decoder._bool,
    Kind.INT: Decoder._scalar,
    Kind.UINT: Decoder._scalar,
    Kind.FLOAT: Decoder._float,
    Kind.COMPLEX: Decoder._complex,
    Kind.ENUM: Decoder._enum,
    Kind.POINTER: Decoder._pointer,
    Kind.FUNC: Decoder._pointer,
    Kind.CHAN: Decoder._pointer,
    Kind.STRING: Decoder._string,
    Kind.ARRAY: Decoder._array,
    Kind.SLICE: Decoder._slice,
    Kind.STRUCT: Decoder._struct,
    Kind.INTERFACE: Decoder._interface,
    Kind.EMPTY_INTERFACE: Decoder._interface,
    Kind.GO_MAP: Decoder._map,
    Kind.RUNTIME_MAP: Decoder._map,
    Kind.GO_HMAP: Decoder._opaque,
    Kind.RUNTIME_HMAP: Decoder._opaque,
    Kind.VOID: Decoder._opaque,
    Kind.OPAQUE: Decoder._opaque,
}


def is_pointer_shaped(type: Type) -> bool:
    """Whether a Go interface holds a value of `type` in its data word itself.

    The type's descriptor says so; by debug information alone it is so for pointers, and for
    structs and arrays of exactly one such value (cmd/compile, types.IsDirectIface, Go 1.17 to
    1.25; since then also beside fields of no bytes).
    """
    if type.direct is not None:
        return type.direct
    for _ in range(MAX_DEPTH):
        if type.kind is Kind.STRUCT and len(type.fields) == 1:
            type = type.fields[0].type
        elif type.kind is Kind.ARRAY and type.length == 1:
            type = type.target()
        else:
            break
    return type.kind in (Kind.POINTER, Kind.FUNC, Kind.CHAN, Kind.GO_MAP)


def text_or_bytes(raw: bytes) -> Union[str, bytes]:
    """A str where the bytes are UTF-8, else the bytes."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


# --- JSON ---


def json_form(value: Decoded) -> Any:
    """What json.dumps is given for `value`; see docs/commands.md, "Values"."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _json_float(value)
    if isinstance(value, complex):
        return {"re": _json_float(value.real), "im": _json_float(value.imag)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [json_form(item) for item in value]
    if isinstance(value, Address):
        return hex(value.value)
    if isinstance(value, EnumValue):
        return value.value
    if isinstance(value, StructValue):
        return {name: json_form(item) for name, item in value.fields}
    if isinstance(value, InterfaceValue):
        return {"type": value.type, "value": json_form(value.value)}
    if isinstance(value, NestedMap):
        return {"map": value.type, "address": hex(value.address), "count": value.count}
    if isinstance(value, DebuggerText):
        return value.text
    return {"error": value.error}


def _json_float(value: float) -> Union[float, str]:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


_ENCODER = json.JSONEncoder(allow_nan=False)


def dumps(form: Any) -> str:
    """JSON on one line, in ASCII, so that no terminal can misread it."""
    return _ENCODER.encode(form)


#: the C function behind json.dumps for strings
_quote_json: Callable[[str], str] = getattr(json.encoder, "encode_basestring_ascii")


#: bytes that stand in JSON strings as they are
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))


#: what stands between two of them, and how many are made at once: one that is not plain costs
#: the others little
_BETWEEN, _AT_ONCE = b'"\n"', 1024


def json_strings(pieces: Sequence[bytes]) -> List[str]:
    """The JSON of many strings' bytes."""
    result: List[str] = []
    for first in range(0, len(pieces), _AT_ONCE):
        some = pieces[first : first + _AT_ONCE]
        together = _BETWEEN.join(some)
        if len(together.translate(None, _PLAIN)) == len(_BETWEEN) * (len(some) - 1):
            result += f'"{together.decode()}"'.split("\n")
        else:
            result += [json_text(text_or_bytes(piece)) for piece in some]
    return result


def json_style() -> Style:
    """How columns are written as JSON."""
    return Style(True, 0, lambda piece: json_text(text_or_bytes(piece)))


def text_style(limit: int) -> Style:
    """How columns are written for readers.

    :param limit: characters shown of a string; 0: all
    """
    return Style(False, limit, lambda piece: quote(text_or_bytes(piece), limit))


def json_text(value: Decoded) -> str:
    """The JSON of one value, quickly for the frequent kinds."""
    kind = value.__class__
    if kind is str:
        return _quote_json(value)  # type: ignore[arg-type]
    if kind is int:
        return str(value)
    return dumps(json_form(value))


# --- text ---

_ESCAPES = {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\n"): "\\n",
    ord("\t"): "\\t",
    ord("\r"): "\\r",
    ord("\a"): "\\a",
    ord("\b"): "\\b",
    ord("\v"): "\\v",
    ord("\f"): "\\f",
}


def escape(text: str) -> str:
    """`text` without anything that a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape_char(c) for c in text)


def named(word: str) -> str:
    """A word that the user typed, for a message about it."""
    return escape(word) or "''"


def _escape_char(char: str) -> str:
    code = ord(char)
    if code in _ESCAPES:
        return _ESCAPES[code]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that surrogateescape could not decode
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(value: Union[str, bytes], limit: int = 0) -> str:
    """A string in double quotes, escaped, as gdb shows strings.

    :param limit: characters shown before "..."; 0: all
    """
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    more = ""
    if limit and len(text) > limit:
        text, more = text[:limit], "..."
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"{more}'
    body = "".join(
        _ESCAPES.get(ord(c)) or (c if c.isprintable() else _escape_char(c)) for c in text
    )
    return f'"{body}"{more}'


def text_form(value: Decoded, limit: int = 0) -> str:
    """A value for a reader, on one line.

    :param limit: elements and characters shown of each part; 0: all
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _text_float(value)
    if isinstance(value, complex):
        sign = "" if math.copysign(1.0, value.imag) < 0 else "+"
        return f"({_text_float(value.real)}{sign}{_text_float(value.imag)}i)"
    if isinstance(value, (str, bytes)):
        return quote(value, limit)
    if isinstance(value, list):
        shown: Sequence[Decoded] = value[:limit] if limit else value
        more = ", ..." if len(shown) < len(value) else ""
        return "[" + ", ".join(text_form(item, limit) for item in shown) + more + "]"
    if isinstance(value, Address):
        return hex(value.value)
    if isinstance(value, EnumValue):
        return escape(value.name) if value.name else str(value.value)
    if isinstance(value, StructValue):
        fields = (f"{escape(name)}: {text_form(item, limit)}" for name, item in value.fields)
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, InterfaceValue):
        return f"{escape(value.type)}({text_form(value.value, limit)})"
    if isinstance(value, NestedMap):
        return f"{escape(value.type)} {value.address:#x} ({value.count} entries)"
    if isinstance(value, DebuggerText):
        return escape(value.text)
    return f"<error: {escape(value.error)}>"


def _text_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def read_value(decoder: Decoder, type: Type, address: int) -> Decoded:
    """The value of `type` that lies at `address`."""
    try:
        data = decoder.memory.read(address, type.size) if type.size else b""
    except MemoryUnreadable as error:
        return Unreadable(str(error))
    return decoder.decode(type, data, address)

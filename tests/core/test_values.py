# SPDX-License-Identifier: MIT
"""Bytes -> values -> JSON and text, for every kind, and for bytes that lie."""

import json
import math
import struct
from typing import Any, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image import NOWHERE, FakeTarget, Image, words
from mapscope.program.memory import Memory
from mapscope.program.types import Field, Kind, Type
from mapscope.program.values import (
    Address,
    DebuggerText,
    Decoded,
    Decoder,
    EnumValue,
    InterfaceValue,
    NestedMap,
    StructValue,
    Unreadable,
    dumps,
    escape,
    is_pointer_shaped,
    json_form,
    json_text,
    quote,
    read_value,
    text_form,
    text_or_bytes,
)

INT = Type(Kind.INT, "int", 8)
UINT8 = Type(Kind.UINT, "uint8", 1)
DOUBLE = Type(Kind.FLOAT, "float64", 8)
STRING = Type(Kind.STRING, "string", 16, len_offset=8)
POINTER = Type(Kind.POINTER, "*int", 8, element=lambda: INT)
SLICE = Type(Kind.SLICE, "[]int", 24, element=lambda: INT)
ANY = Type(Kind.EMPTY_INTERFACE, "interface {}", 16)
ERROR = Type(Kind.INTERFACE, "error", 16)
POINT = Type(
    Kind.STRUCT, "point", 24, (Field("X", 0, INT), Field("_", 8, INT), Field("Y", 16, INT))
)
PAIR = Type(Kind.ARRAY, "[2]int", 16, element=lambda: INT, length=2)
MAP = Type(Kind.GO_MAP, "map[int]int", 8)
COLOR = Type(Kind.ENUM, "color", 4, names={0: "red", 2: "blue"})
SIGNED = Type(Kind.ENUM, "sign", 1, names={-1: "minus", 1: "plus"})


class Program:
    """Memory, and Go types by their addresses."""

    def __init__(self) -> None:
        self.image = Image()
        self.types = {0x1000: INT, 0x2000: POINTER, 0x3000: STRING, 0x4000: ANY}
        self.target = FakeTarget(self.image)

    @property
    def decoder(self) -> Decoder:
        """A new one each time: memory that was read once is not read again."""
        memory = Memory(self.target.read_memory)
        return Decoder(memory, self.types.__getitem__, self.target.format_value)

    def string(self, raw: bytes) -> bytes:
        """A string header."""
        return words(self.image.place(raw, 1), len(raw))


@pytest.fixture(name="program")
def _program() -> Program:
    return Program()


def expect(program: Program, type: Type, data: bytes, value: Decoded, form: Any, text: str) -> None:
    """A value in all its shapes."""
    found = program.decoder.decode(type, data, 0x5000)
    assert found == value and found.__class__ is value.__class__
    assert json.loads(dumps(json_form(found))) == form
    assert json.loads(json_text(found)) == form
    assert text_form(found) == text


@pytest.mark.parametrize(
    "type, data, value, form, text",
    [
        (Type(Kind.BOOL, "bool", 1), b"\0", False, False, "false"),
        (Type(Kind.BOOL, "bool", 1), b"\1", True, True, "true"),
        (Type(Kind.BOOL, "bool", 1), b"\xff", True, True, "true"),
        (Type(Kind.INT, "int8", 1), b"\x80", -128, -128, "-128"),
        (Type(Kind.INT, "int16", 2), b"\xfe\xff", -2, -2, "-2"),
        (Type(Kind.INT, "int32", 4), b"\0\0\0\x80", -(2**31), -(2**31), "-2147483648"),
        (INT, b"\xff" * 8, -1, -1, "-1"),
        (UINT8, b"\xff", 255, 255, "255"),
        (Type(Kind.UINT, "u64", 8), b"\xff" * 8, 2**64 - 1, 2**64 - 1, str(2**64 - 1)),
        (Type(Kind.INT, "int128", 16), b"\xff" * 16, -1, -1, "-1"),
        (Type(Kind.FLOAT, "half", 2), b"\0\x3c", 1.0, 1.0, "1.0"),
        (Type(Kind.FLOAT, "float", 4), struct.pack("<f", -2.5), -2.5, -2.5, "-2.5"),
        (DOUBLE, struct.pack("<d", 0.1), 0.1, 0.1, "0.1"),
        (DOUBLE, struct.pack("<d", math.inf), math.inf, "Infinity", "+Inf"),
        (DOUBLE, struct.pack("<d", -math.inf), -math.inf, "-Infinity", "-Inf"),
        (COLOR, b"\2\0\0\0", EnumValue(2, "blue"), 2, "blue"),
        (COLOR, b"\3\0\0\0", EnumValue(3, None), 3, "3"),
        (COLOR, b"\xff" * 4, EnumValue(2**32 - 1, None), 2**32 - 1, str(2**32 - 1)),
        (SIGNED, b"\xff", EnumValue(-1, "minus"), -1, "minus"),
        (POINTER, words(0xC000012345), Address(0xC000012345), "0xc000012345", "0xc000012345"),
        (POINTER, words(0), None, None, "nil"),
        (Type(Kind.FUNC, "func()", 8), words(16), Address(16), "0x10", "0x10"),
        (Type(Kind.CHAN, "chan int", 8), words(16), Address(16), "0x10", "0x10"),
        (Type(Kind.COMPLEX, "c", 8), struct.pack("<ff", 1, -2), 1 - 2j, None, "(1.0-2.0i)"),
        (Type(Kind.COMPLEX, "c", 16), struct.pack("<dd", 1, 2), 1 + 2j, None, "(1.0+2.0i)"),
        (PAIR, words(1, 2), [1, 2], [1, 2], "[1, 2]"),
        (
            POINT,
            words(1, 99, 2),
            StructValue((("X", 1), ("Y", 2))),
            {"X": 1, "Y": 2},
            "{X: 1, Y: 2}",
        ),
        (STRING, words(0, 0), "", "", '""'),
        (SLICE, words(0, 0, 0), None, None, "nil"),
        (SLICE, words(0x5000, 0, 4), [], [], "[]"),
        (ANY, words(0, 0), None, None, "nil"),
        (ERROR, words(0, 0), None, None, "nil"),
        (MAP, words(0), None, None, "nil"),
        (Type(Kind.OPAQUE, "w", 2), b"\1\xff", b"\1\xff", {"bytes": "01ff"}, '"\\x01\\xff"'),
        (
            Type(Kind.OPAQUE, "w", 2, native=1),
            b"\1\2",
            DebuggerText("<w of 2 bytes>"),
            "<w of 2 bytes>",
            "<w of 2 bytes>",
        ),
        (Type(Kind.VOID, "void", 0), b"", b"", {"bytes": ""}, '""'),
    ],
    ids=lambda value: value.name if isinstance(value, Type) else None,
)
def test_kinds(
    program: Program, type: Type, data: bytes, value: Decoded, form: Any, text: str
) -> None:
    if isinstance(value, complex):
        form = {"re": value.real, "im": value.imag}
    expect(program, type, data, value, form, text)


def test_nan(program: Program) -> None:
    found = program.decoder.decode(DOUBLE, struct.pack("<d", math.nan))
    assert json_text(found) == '"NaN"' and text_form(found) == "NaN"
    pair = program.decoder.decode(
        Type(Kind.COMPLEX, "complex128", 16), struct.pack("<dd", math.nan, -math.inf)
    )
    assert json_form(pair) == {"re": "NaN", "im": "-Infinity"}
    assert text_form(pair) == "(NaN-Infi)"


@pytest.mark.parametrize(
    "raw, form, text",
    [
        (b"plain", "plain", '"plain"'),
        ("\u00e9\u4e16".encode(), "\u00e9\u4e16", '"\u00e9\u4e16"'),
        (b'a"b\\c', 'a"b\\c', '"a\\"b\\\\c"'),
        (b"a\nb\tc\rd\0e", "a\nb\tc\rd\0e", '"a\\nb\\tc\\rd\\x00e"'),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", '"\\x1b[31mred\\x1b[0m"'),
        (b"\xff\x00", {"bytes": "ff00"}, '"\\xff\\x00"'),
        (b"ok\xc3", {"bytes": "6f6bc3"}, '"ok\\xc3"'),
        (b"\xed\xa0\x80", {"bytes": "eda080"}, '"\\xed\\xa0\\x80"'),
        ("\u202etxt.exe".encode(), "\u202etxt.exe", '"\\u202etxt.exe"'),
        ("\x9b31m".encode(), "\x9b31m", '"\\u009b31m"'),
    ],
)
def test_strings(program: Program, raw: bytes, form: Any, text: str) -> None:
    found = program.decoder.decode(STRING, program.string(raw))
    assert found == text_or_bytes(raw)
    assert json_form(found) == form
    assert text_form(found) == text
    assert json_text(found).isascii()


def test_interfaces(program: Program) -> None:
    box = program.image.place(words(42))
    found = program.decoder.decode(ANY, words(0x1000, box))
    assert found == InterfaceValue("int", 42)
    assert json_form(found) == {"type": "int", "value": 42}
    assert text_form(found) == "int(42)"
    # a pointer lies in the interface itself; nil in it is no nil interface
    assert program.decoder.decode(ANY, words(0x2000, box)) == InterfaceValue("*int", Address(box))
    assert json_form(program.decoder.decode(ANY, words(0x2000, 0))) == {
        "type": "*int",
        "value": None,
    }
    itab = program.image.place(words(0, 0x3000, 0))
    text = program.image.place(program.string(b"bad"))
    assert program.decoder.decode(ERROR, words(itab, text)) == InterfaceValue("string", "bad")
    without_types = Decoder(program.decoder.memory)
    assert isinstance(without_types.decode(ANY, words(0x1000, box)), Unreadable)


def test_nested_maps(program: Program) -> None:
    header = program.image.place(words(7, 0, 0, 0, 0, 0))
    found = program.decoder.decode(MAP, words(header))
    assert found == NestedMap("map[int]int", header, 7)
    assert json_form(found) == {"map": "map[int]int", "address": hex(header), "count": 7}
    assert text_form(found) == f"map[int]int {header:#x} (7 entries)"


def test_slices(program: Program) -> None:
    start = program.image.place(words(1, 2, 3))
    assert program.decoder.decode(SLICE, words(start, 2, 3)) == [1, 2]
    nothing = Type(Kind.STRUCT, "struct {}", 0)
    slice = Type(Kind.SLICE, "[]struct {}", 24, element=lambda: nothing)
    assert program.decoder.decode(slice, words(start, 2, 2)) == [StructValue(()), StructValue(())]


@pytest.mark.parametrize(
    "type, data, about",
    [
        (STRING, words(NOWHERE, 5), f"cannot read 5 bytes at {NOWHERE:#x}"),
        (STRING, words(0, 5), "cannot read"),
        (STRING, words(NOWHERE, 1 << 60), "no such length"),
        (STRING, words(1 << 63, 5), "cannot read"),
        (STRING, words((1 << 64) - 1, 16), "cannot read"),
        (SLICE, words(NOWHERE, 2, 2), "cannot read"),
        (SLICE, words(NOWHERE, 3, 2), "length 3 with capacity 2"),
        (SLICE, words(NOWHERE, 1 << 50, 1 << 50), "too long"),
        (ERROR, words(NOWHERE, 0), "cannot read"),
        (MAP, words(NOWHERE), "cannot read"),
    ],
)
def test_hostile_values(program: Program, type: Type, data: bytes, about: str) -> None:
    found = program.decoder.decode(type, data)
    assert isinstance(found, Unreadable) and about in found.error
    assert json_form(found) == {"error": found.error}
    assert text_form(found) == f"<error: {found.error}>"


def test_a_bad_part_spoils_only_itself(program: Program) -> None:
    type = Type(Kind.STRUCT, "s", 24, (Field("A", 0, STRING), Field("N", 16, INT)))
    found = program.decoder.decode(type, words(NOWHERE, 5, 7))
    if isinstance(found, Unreadable):  # or all of it, in one line
        assert "cannot read" in found.error
    else:
        assert json_form(found)["N"] == 7


def test_an_interface_that_holds_itself(program: Program) -> None:
    box = program.image.allocate(16)
    program.image.write(box, words(0x4000, box))
    found = program.decoder.decode(ANY, words(0x4000, box))
    assert "nested too deep" in dumps(json_form(found))


def test_a_type_that_holds_itself_again_and_again(program: Program) -> None:
    """[]T with T = []T, three elements each, all the same three."""
    types: List[Type] = []
    types.append(Type(Kind.SLICE, "T", 24, element=lambda: types[0]))
    start = program.image.allocate(72)
    program.image.write(start, words(start, 3, 3) * 3)
    found = program.decoder.decode(types[0], words(start, 3, 3))
    assert isinstance(found, list) and len(found) >= 1  # bounded, in time and depth


def test_pointer_shaped() -> None:
    one_pointer = Type(Kind.STRUCT, "s", 8, (Field("p", 0, POINTER),))
    assert all(map(is_pointer_shaped, (POINTER, MAP, one_pointer)))
    assert is_pointer_shaped(Type(Kind.ARRAY, "a", 8, element=lambda: one_pointer, length=1))
    assert not any(map(is_pointer_shaped, (INT, STRING, ANY, POINT, PAIR, DOUBLE)))


def test_read_value(program: Program) -> None:
    at = program.image.place(words(5))
    assert read_value(program.decoder, INT, at) == 5
    assert isinstance(read_value(program.decoder, INT, NOWHERE), Unreadable)


ALL_KINDS: List[Type] = [
    Type(Kind.BOOL, "b", 1),
    Type(Kind.INT, "i", 4),
    UINT8,
    DOUBLE,
    Type(Kind.FLOAT, "long double", 16),
    Type(Kind.COMPLEX, "c", 16),
    COLOR,
    POINTER,
    STRING,
    PAIR,
    SLICE,
    POINT,
    ANY,
    ERROR,
    MAP,
    Type(Kind.RUNTIME_MAP, "mapscope::map<int, int>", 8),
    Type(Kind.FUNC, "f", 8),
    Type(Kind.CHAN, "ch", 8),
    Type(Kind.OPAQUE, "o", 24),
    Type(Kind.GO_HMAP, "runtime.hmap", 48),
    Type(Kind.RUNTIME_HMAP, "mapscope::hmap", 48),
]


@given(st.sampled_from(ALL_KINDS), st.binary(min_size=48, max_size=48))
def test_any_bytes_decode_to_something_printable(type: Type, data: bytes) -> None:
    program = Program()
    program.types = {}
    found = Decoder(program.decoder.memory).decode(type, data[: type.size])
    json.loads(dumps(json_form(found)))
    assert text_form(found).isprintable()


TEXTS = st.text(max_size=30) | st.text(st.characters(max_codepoint=0x9F), max_size=30)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.binary(max_size=20)
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
    | st.builds(Address, st.integers(1, 1 << 47))
    | st.builds(EnumValue, st.integers(), st.none() | TEXTS)
    | st.builds(NestedMap, TEXTS, st.integers(1, 1 << 47), st.integers(0, 1 << 60))
    | st.builds(DebuggerText, TEXTS)
    | st.builds(Unreadable, TEXTS),
    lambda inner: st.lists(inner, max_size=3)
    | st.builds(InterfaceValue, TEXTS, inner)
    | st.lists(st.tuples(TEXTS, inner), max_size=3).map(lambda f: StructValue(tuple(f))),
    max_leaves=8,
)


@given(VALUES, st.integers(0, 4))
def test_text_never_holds_what_a_terminal_acts_on(value: Decoded, limit: int) -> None:
    assert text_form(value, limit).isprintable()


@given(VALUES)
def test_json_is_ascii_and_reads_back(value: Decoded) -> None:
    text = json_text(value)
    assert text.isascii() and text.isprintable()
    assert json.loads(text) == json.loads(dumps(json_form(value)))


@given(TEXTS)
def test_escape(text: str) -> None:
    assert escape(text).isprintable()
    if text.isprintable():
        assert escape(text) == text


@given(st.binary(max_size=40))
def test_quoted_bytes_are_unambiguous(raw: bytes) -> None:
    """What is between the quotes gives the bytes back."""
    shown = quote(text_or_bytes(raw))
    assert shown[0] == shown[-1] == '"' and shown.isprintable()
    if raw.isascii():
        assert shown[1:-1].encode("ascii").decode("unicode_escape").encode("latin-1") == raw


@pytest.mark.parametrize(
    "value, limit, text",
    [
        ("abcdef", 3, '"abc"...'),
        ("abc", 3, '"abc"'),
        ([1, 2, 3], 2, "[1, 2, ...]"),
        ([1, 2], 2, "[1, 2]"),
        (["abc", "d"], 1, '["a"..., ...]'),
        ("abcdef", 0, '"abcdef"'),
    ],
)
def test_limits_of_text(value: Decoded, limit: int, text: str) -> None:
    assert text_form(value, limit) == text


@given(st.lists(st.tuples(st.text(min_size=1, max_size=4), st.integers()), max_size=4))
def test_struct_fields_keep_their_order(fields: List[Tuple[str, int]]) -> None:
    value = StructValue(tuple(fields))
    assert text_form(value) == "{" + ", ".join(f"{escape(n)}: {v}" for n, v in fields) + "}"

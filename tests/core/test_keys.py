# SPDX-License-Identifier: MIT
"""KEY as typed, for each kind of key type."""

import struct
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapscope.errors import UsageError
from mapscope.maps.key_text import parse_key
from mapscope.program.types import Field, Kind, Type
from mapscope.program.values import (
    Address,
    DebuggerText,
    Decoded,
    EnumValue,
    InterfaceValue,
    StructValue,
    dumps,
    json_form,
)

INT8 = Type(Kind.INT, "int8", 1)
INT64 = Type(Kind.INT, "int64", 8)
UINT16 = Type(Kind.UINT, "uint16", 2)
UINT64 = Type(Kind.UINT, "uint64", 8)
BOOL = Type(Kind.BOOL, "bool", 1)
FLOAT = Type(Kind.FLOAT, "float32", 4)
DOUBLE = Type(Kind.FLOAT, "float64", 8)
COMPLEX = Type(Kind.COMPLEX, "complex128", 16)
STRING = Type(Kind.STRING, "string", 16, len_offset=8)
POINTER = Type(Kind.POINTER, "*int", 8)
CHAN = Type(Kind.CHAN, "chan int", 8)
ENUM = Type(Kind.ENUM, "color", 4, names={-1: "ns::none", 0: "ns::red", 7: "ns::blue"})
ARRAY = Type(Kind.ARRAY, "[2]int8", 2, element=lambda: INT8, length=2)
POINT = Type(Kind.STRUCT, "point", 16, (Field("X", 0, INT64), Field("Y", 8, INT64)))
ANY = Type(Kind.EMPTY_INTERFACE, "interface {}", 16)
OPAQUE = Type(Kind.OPAQUE, "widget", 8)


@pytest.mark.parametrize(
    "type, text, key",
    [
        (INT8, "-128", -128),
        (INT64, "42", 42),
        (INT64, "-0x10", -16),
        (UINT16, "0xffff", 65535),
        (UINT64, "18446744073709551615", (1 << 64) - 1),
        (BOOL, "true", True),
        (BOOL, "False", False),
        (BOOL, "1", True),
        (DOUBLE, "1.5", 1.5),
        (DOUBLE, "-Infinity", float("-inf")),
        (DOUBLE, "+Inf", float("inf")),
        (DOUBLE, '"Infinity"', float("inf")),
        (DOUBLE, "-0", 0.0),
        (FLOAT, "0.1", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        (STRING, "user17", "user17"),
        (STRING, '"user17"', "user17"),
        (STRING, '"a\\nb"', "a\nb"),
        (STRING, "", ""),
        (STRING, "42", "42"),
        (STRING, "\u00e9\u4e16", "\u00e9\u4e16"),
        (STRING, '{"bytes": "ff00"}', b"\xff\x00"),
        (POINTER, "0xc000012345", Address(0xC000012345)),
        (POINTER, '"0xc000012345"', Address(0xC000012345)),
        (POINTER, "nil", None),
        (POINTER, "0", None),
        (CHAN, "0x10", Address(16)),
        (ENUM, "blue", EnumValue(7, "ns::blue")),
        (ENUM, "ns::red", EnumValue(0, "ns::red")),
        (ENUM, "7", EnumValue(7, "ns::blue")),
        (ENUM, "-1", EnumValue(-1, "ns::none")),
        (ARRAY, "[1,2]", [1, 2]),
        (POINT, '{"X":1,"Y":-2}', StructValue((("X", 1), ("Y", -2)))),
        (POINT, '{"Y":-2, "X":1}', StructValue((("X", 1), ("Y", -2)))),
        (COMPLEX, '{"re":1.0,"im":-2}', complex(1, -2)),
        (ANY, "text", InterfaceValue("string", "text")),
        (ANY, '"text"', InterfaceValue("string", "text")),
        (ANY, "42", InterfaceValue("int", 42)),
        (ANY, '{"type": "int", "value": 42}', InterfaceValue("int", 42)),
        (ANY, "null", None),
    ],
)
def test_a_key_matches_its_value(type: Type, text: str, key: Decoded) -> None:
    assert parse_key(type, text).matches(key)


@pytest.mark.parametrize(
    "type, text, other",
    [
        (INT64, "42", 43),
        (UINT64, "1", 2),
        (BOOL, "true", False),
        (DOUBLE, "NaN", float("nan")),  # as in the program: a NaN equals nothing
        (DOUBLE, "1.5", 1.25),
        (STRING, "user17", "user1"),
        (STRING, '{"bytes": "ff"}', "\u00ff"),
        (STRING, "\u00ff", b"\xff"),
        (POINTER, "0x10", Address(17)),
        (POINTER, "0x10", None),
        (ENUM, "red", EnumValue(7, "ns::blue")),
        (ARRAY, "[1,2]", [1, 3]),
        (ARRAY, "[1,2]", [1, 2, 3]),
        (POINT, '{"X":1,"Y":2}', StructValue((("X", 1), ("Y", 3)))),
        (POINT, '{"X":1,"Y":1}', StructValue((("X", 1), ("Y", 0)))),
        (ANY, "1", InterfaceValue("bool", True)),
        (ANY, "true", InterfaceValue("int", 1)),
        (ANY, '{"type": "int8", "value": 42}', InterfaceValue("int", 42)),
    ],
)
def test_a_key_matches_no_other(type: Type, text: str, other: Decoded) -> None:
    assert not parse_key(type, text).matches(other)


@pytest.mark.parametrize(
    "type, text, data",
    [
        (INT8, "-1", b"\xff"),
        (UINT16, "258", b"\2\1"),
        (INT64, "-2", b"\xfe" + b"\xff" * 7),
        (BOOL, "true", b"\1"),
        (DOUBLE, "1", struct.pack("<d", 1)),
        (FLOAT, "0.1", struct.pack("<f", 0.1)),
        (POINTER, "0x10", b"\x10" + bytes(7)),
        (ENUM, "blue", b"\7\0\0\0"),
        (ENUM, "-1", b"\xff" * 4),
        (STRING, "a", None),
        (POINT, '{"X":1,"Y":2}', None),
    ],
)
def test_the_bytes_that_are_hashed(type: Type, text: str, data: Optional[bytes]) -> None:
    assert parse_key(type, text).data == data


def test_the_text_that_is_hashed() -> None:
    assert parse_key(STRING, "\u00e9").text == b"\xc3\xa9"
    assert parse_key(STRING, '{"bytes":"00ff"}').text == b"\x00\xff"


@pytest.mark.parametrize(
    "type, text",
    [
        (INT8, "128"),
        (INT8, "-129"),
        (UINT16, "-1"),
        (UINT16, "65536"),
        (INT64, "x"),
        (INT64, "1.5"),
        (INT64, ""),
        (BOOL, "yes"),
        (DOUBLE, "one"),
        (FLOAT, "1e300"),
        (POINTER, "here"),
        (POINTER, "-1"),
        (POINTER, "0x10000000000000000"),
        (ENUM, "green"),
        (ENUM, "99999999999"),
        (STRING, '"a"b"'),
        (ARRAY, "1,2"),
        (POINT, "{X:1}"),
        (COMPLEX, "1+2i"),
        (INT64, "\x1b[31m7"),
    ],
)
def test_what_is_no_key_of_the_type(type: Type, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_key(type, text)
    message = str(caught.value)
    assert type.name in message and "expected something like" in message
    assert message.isprintable()


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers(wanted: int, key: int) -> None:
    test = parse_key(INT64, str(wanted))
    assert test.matches(key) == (wanted == key)
    assert test.data == wanted.to_bytes(8, "little", signed=True)


@given(st.floats(allow_nan=False))
def test_floats_by_their_json(wanted: float) -> None:
    assert parse_key(DOUBLE, dumps(json_form(wanted))).matches(wanted)


JSON_KEYS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "type, text",
    [
        (POINT, '{"X":1}'),
        (POINT, '{"X":1,"Y":2,"Z":3}'),
        (POINT, "5"),
        (POINT, "[]"),
        (ARRAY, "[1]"),
        (ARRAY, "1"),
    ],
)
def test_another_shape_is_no_key(type: Type, text: str) -> None:
    with pytest.raises(UsageError, match="is no key of type"):
        parse_key(type, text)


def test_an_interface_inside_a_struct_by_its_value() -> None:
    holder = Type(Kind.STRUCT, "holder", 16, (Field("I", 0, ANY),))
    key = StructValue((("I", InterfaceValue("int", 1)),))
    assert parse_key(holder, '{"I":1}').matches(key)
    assert parse_key(holder, '{"I":{"type":"int","value":1}}').matches(key)
    assert not parse_key(holder, '{"I":2}').matches(key)
    assert parse_key(ANY, "nil").matches(None)


@given(st.lists(JSON_KEYS, min_size=2, max_size=2), st.lists(JSON_KEYS, max_size=3))
def test_arrays_by_their_json(wanted: Any, other: Any) -> None:
    test = parse_key(ARRAY, dumps(wanted))
    assert test.matches(wanted)
    assert test.matches(other) == (dumps(wanted) == dumps(other))


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=12))
def test_any_text_in_its_json_form(wanted: str) -> None:
    test = parse_key(STRING, dumps(wanted))
    assert test.matches(wanted) and test.text == wanted.encode()
    assert not test.matches(wanted + "x")


@given(
    st.text(max_size=20), st.sampled_from([INT8, BOOL, DOUBLE, POINTER, ENUM, ARRAY, POINT, ANY])
)
def test_no_text_is_an_internal_error(text: str, type: Type) -> None:
    try:
        parse_key(type, text)
    except UsageError as error:
        assert str(error).isprintable()


def test_opaque_keys_by_the_debugger_s_text() -> None:
    assert parse_key(OPAQUE, "widget(3)").matches(DebuggerText("widget(3)"))
    assert not parse_key(OPAQUE, "widget(3)").matches(DebuggerText("widget(4)"))

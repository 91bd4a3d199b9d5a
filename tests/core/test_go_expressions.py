# SPDX-License-Identifier: MIT
"""Expressions of Go over bytes that a test has laid out."""

import re
import struct
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional

import pytest

from mapscope.errors import MapscopeError, MemoryUnreadable
from mapscope.go import literals, syntax
from mapscope.go.debug_info import declared_at
from mapscope.go.expressions import Reading, UnknownName, evaluate, package_of
from mapscope.program.memory import Memory
from mapscope.program.target import Frame, Names, Variable
from mapscope.program.types import Field, Kind, Type
from mapscope.program.values import Decoder

INT = Type(Kind.INT, "int", 8)
STRING = Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8)
MAP = Type(Kind.GO_MAP, "map[string]int", 8, key=lambda: STRING, element=lambda: INT)
INNER = Type(Kind.STRUCT, "main.Inner", 16, (Field("N", 0, INT, False), Field("T", 8, MAP, False)))
POINTER = Type(Kind.POINTER, "*main.Inner", 8, element=lambda: INNER)
OUTER = Type(
    Kind.STRUCT, "main.Outer", 16, (Field("Inner", 0, POINTER, True), Field("M", 8, MAP, False))
)
PLACE = Type(Kind.STRUCT, "main.Place", 16, (Field("X", 0, INT), Field("Y", 8, INT)))
BASE = 0x1000
#: Outer at 0, Inner at 16, slice of two Outers at 32, nil pointer at 56, interface at 64
MEMORY = (
    struct.pack("<10Q", BASE + 16, 0xA0, 7, 0xB0, BASE, 1, 4, 0, 0xE0, BASE + 16)
    + struct.pack("<QQ", BASE + 96, 2)
    + b"ab"
)


def read(address: int, size: int) -> bytes:
    start = address - BASE
    if start < 0 or start + size > len(MEMORY):
        raise MemoryUnreadable(address, size)
    return MEMORY[start : start + size]


class InMain(Frame):
    thread, function = 1, "example.com/shop.(*Server).Run"

    def variable(self, name: str) -> Optional[Variable]:
        return None

    def spilled(self, index: int) -> Optional[int]:
        return None


class Known(Names):
    frame = InMain()
    here: Dict[str, Variable] = {
        "o": Variable(OUTER, BASE),
        "i": Variable(INT, None, struct.pack("<q", -1)),
        "k": Variable(STRING, BASE + 80),
    }
    packages: Dict[str, Variable] = {
        "example.com/shop.Own": Variable(MAP, BASE + 8),
        "example.com/shop/store.Table": Variable(MAP, BASE + 24),
        "gopkg.in/yaml%2ev3.Cache": Variable(MAP, BASE + 24),
        "main.Slice": Variable(
            Type(Kind.SLICE, "[]main.Outer", 24, element=lambda: OUTER), BASE + 32
        ),
        "main.Nil": Variable(POINTER, BASE + 56),
        "main.Any": Variable(Type(Kind.EMPTY_INTERFACE, "interface {}", 16), BASE + 64),
        "main.Text": Variable(STRING, BASE + 80),
        "a/one.Twice": Variable(MAP, BASE + 8),
        "b/one.Twice": Variable(MAP, BASE + 8),
    }

    def local(self, name: str) -> Optional[Variable]:
        return self.here.get(name)

    def locals(self) -> List[str]:
        return list(self.here)

    def package_variable(self, name: str) -> Optional[Variable]:
        return self.packages.get(name)

    def package_variables(self, pattern: str) -> List[str]:
        return [name for name in self.packages if re.search(pattern, name)]

    def type(self, name: str) -> Optional[Type]:
        return {"main.Inner": INNER, "map[string]int": MAP}.get(name)


def find(map: Variable, key: Callable[[Type], str], what: str) -> Variable:
    return Variable(INT, 0xFEED, key(STRING).encode())


def value(text: str) -> Variable:
    memory = Memory(read)
    go: Any = SimpleNamespace(type_at={0xE0: POINTER}.__getitem__)
    foreign = Variable(INT, None, struct.pack("<Q", BASE + 16))
    return evaluate(Reading(Known(), memory, go, Decoder(memory), find, lambda name: foreign), text)


@pytest.mark.parametrize(
    "text, type, address",
    [
        ("o.M", MAP, BASE + 8),
        ("o.Inner.T", MAP, BASE + 24),
        ("o.T", MAP, BASE + 24),  # promoted
        ("(*o.Inner).T", MAP, BASE + 24),
        ("(o).Inner.N", INT, BASE + 16),
        ("Own", MAP, BASE + 8),
        ("example.com/shop/store.Table", MAP, BASE + 24),
        ("store.Table", MAP, BASE + 24),
        ("gopkg.in/yaml.v3.Cache", MAP, BASE + 24),
        ("main.Slice[0].M", MAP, BASE + 8),
        ("main.Slice[0x0].T", MAP, BASE + 24),
        ("main.Slice[0:1][0].T", MAP, BASE + 24),
        ("main.Any.T", MAP, BASE + 24),
        ("main.Any.(*main.Inner).T", MAP, BASE + 24),
        (f"(*main.Inner)({BASE + 16:#x}).T", MAP, BASE + 24),
        ("(*main.Inner)($rax).T", MAP, BASE + 24),
        ("*&o.M", MAP, BASE + 8),
        ("'example.com/shop/store.Table'", MAP, BASE + 24),
    ],
)
def test_names(text: str, type: Type, address: int) -> None:
    found = value(text)
    assert (found.type, found.address) == (type, address)


@pytest.mark.parametrize(
    "text, key",
    [
        ('o.M["a]b"]', '"a]b"'),
        ('o.M["\\x61\\n"]', '"a\\n"'),
        ("o.M[`a:b`]", '"a:b"'),
        ("o.M[k]", '"ab"'),
        ("o.M[main.Text]", '"ab"'),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert value(text).data == key.encode()


@pytest.mark.parametrize(
    "text, error",
    [
        ("main.Slise", "did you mean main.Slice?"),
        ("one.Twice", "may be a/one.Twice or b/one.Twice"),
        ("main.Slice[1]", "index 1 of 1"),
        ("main.Slice[i]", "index -1 of 1"),
        ("main.Slice[2:1]", "[2:1] of 1"),
        ("main.Nil.T", "nil pointer: main.Nil"),
        ("*i", "no pointer"),
        ("&i", "no address"),
        ("o.Nope", "no field Nope"),
        ("o.M[a]", "a text is written with its quotes"),
        ("o.M[1]", "is no key of type string"),
        ("o.M[]", "no key"),
        ("main.Any.(string)", "holds a *main.Inner"),
        ("i + 1", "computes nothing"),
        ("f(1, 2)", "is a call"),
        ("o->M", "p.x"),
        ("o.M[", "no closing ]"),
        ("(o", "no closing )"),
        ("o.", "a field's name is missing"),
        ("", "a name is missing"),
        ("*" * 300 + "o", "steps"),
        ("(" * 5000 + "o", "characters"),
        ("0x1ffffffffffffffff", "too large"),
        ("o.M\x1b[0m", "\\x1b"),
    ],
)
def test_refusals(text: str, error: str) -> None:
    with pytest.raises(MapscopeError) as caught:
        value(text)
    assert error in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_unknown_name_is_told_from_other_errors() -> None:
    with pytest.raises(UnknownName):
        value("nowhere")
    with pytest.raises(syntax.NotGo):
        value("a ? b : c")


@pytest.mark.parametrize(
    "function, package",
    [
        ("main.main", "main"),
        ("example.com/x/y.(*T).M", "example.com/x/y"),
        ("example.com/x.F[example.com/z.T]", "example.com/x"),
        ("main.main.func1", "main"),
        ("_start", ""),
    ],
)
def test_packages_of_functions(function: str, package: str) -> None:
    assert package_of(function) == package


def test_a_variable_is_meant_behind_its_declaration() -> None:
    assert declared_at("m", 9, [8, 2]) == 0
    assert declared_at("m", 7, [8, 2]) == 1
    assert declared_at("m", 0, [8, 2]) == 0
    assert declared_at("m", 1, []) is None
    with pytest.raises(MapscopeError):
        declared_at("m", 8, [8, 2])


@pytest.mark.parametrize(
    "literal, type, key",
    [
        ("010", INT, "8"),
        ("-0x10", INT, "-16"),
        ("1_000", INT, "1000"),
        ("'\\n'", INT, "10"),
        ("main.Place{1, 2}", PLACE, '{"X": 1, "Y": 2}'),
        ("main.Place{Y: 2, X: 'a',}", PLACE, '{"X": 97, "Y": 2}'),
        ('"\\xff"', STRING, '{"bytes": "ff"}'),
        ("name", STRING, None),
    ],
)
def test_literals(literal: str, type: Type, key: Optional[str]) -> None:
    found = literals.key_text(literal, type)
    if key is not None and key.startswith('{"X"'):
        assert found is not None
        assert sorted(found.strip("{}").split(", ")) == sorted(key.strip("{}").split(", "))
    else:
        assert found == key


@pytest.mark.parametrize(
    "literal", ["main.Place{1}", "main.Place{X: 1}", "main.Place{1, x}", "'ab'"]
)
def test_literals_that_are_none(literal: str) -> None:
    with pytest.raises(MapscopeError):
        literals.key_text(literal, PLACE)

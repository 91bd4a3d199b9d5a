# SPDX-License-Identifier: MIT
"""C++ expressions taken apart, and what base classes and containers hold."""

from typing import Dict, Iterator, List, Optional, Tuple

import pytest

from mapscope.errors import MapscopeError
from mapscope.program import cpp_paths
from mapscope.program.cpp_paths import Element, Member, Name, Native, Path, Pointee
from mapscope.program.cpp_values import CppValue, Form, all_bases, element, find_member, held, near
from mapscope.program.target import Variable
from mapscope.program.types import VOID


def shape(path: Path) -> str:
    """A path, with everything in brackets."""
    if isinstance(path, (Name, Native)):
        return path.text if isinstance(path, Name) else f"<{path.text}>"
    if isinstance(path, Member):
        return f"({shape(path.base)}{'->' if path.arrow else '.'}{path.name})"
    if isinstance(path, Element):
        return f"({shape(path.base)} {path.how} {path.index})"
    return f"({'*' if isinstance(path, Pointee) else '&'}{shape(path.base)})"


@pytest.mark.parametrize(
    "text, found",
    [
        ("m", "m"),
        ("::ns::m", "::ns::m"),
        ("(anonymous namespace)::m", "(anonymous namespace)::m"),
        ("box<int>::all", "box<int>::all"),
        ("*p->m", "(*(p->m))"),
        ("&a[1].b", "(&((a [ 1).b))"),
        ("(*up)[3]", "((*up) [ 3)"),
        ("a.base::m", "(a.base::m)"),
        ("m[\"]\"]['[']", "((m [ \"]\") [ '[')"),
        ("m[{1, 2}]", "(m [ {1, 2})"),
        ("m[1'000]", "(m [ 1'000)"),
        ("std::get<1>(t).m", "((t get 1).m)"),
        ("p.get()", "(&(p get() ))"),
        ("v.at(i + 1)", "(v at i + 1)"),
        ("v->at(1)", "((*v) at 1)"),
        ("(table *)p", "<(table *)p>"),
        ("((table *)p)->m", "(<((table *)p)>->m)"),
        ("static_cast<t *>(p)", "<static_cast<t *>(p)>"),
        ("a + b", "<a + b>"),
        ("f(1)", "<f(1)>"),
        ("a.f(1)", "<a.f(1)>"),
        ("a == b", "<a == b>"),
        ("a && b", "<a && b>"),
        ("m[", "<m[>"),
        ('m["', '<m[">'),
        ("", "<>"),
    ],
)
def test_an_expression_is_taken_apart(text: str, found: str) -> None:
    assert shape(cpp_paths.parse(text)) == found


def test_the_text_of_a_part_is_as_it_was_typed() -> None:
    path = cpp_paths.parse('*a.b["x"].c')
    assert isinstance(path, Pointee) and isinstance(path.base, Member)
    assert path.base.text == 'a.b["x"].c'
    assert path.base.base.text == 'a.b["x"]'


@pytest.mark.parametrize(
    "text", ["a = b", "a[1] += 2", "++a", "(a--)", "delete p", "new int", "a <<= 1", "(a = b).c"]
)
def test_what_would_write_is_refused(text: str) -> None:
    with pytest.raises(MapscopeError, match="would write to the program"):
        cpp_paths.parse(text)


@pytest.mark.parametrize("text", ["a <= b", "a != b", 'f("a = b")', "'=' + a"])
def test_what_only_looks_like_a_write_is_not(text: str) -> None:
    assert cpp_paths.parse(text) == Native(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "a", "*" * 5000 + "a", "a" + ".b" * 5000, "std::get<0>(" * 999 + "a" + ")" * 999],
)
def test_an_endless_expression_ends(text: str) -> None:
    assert isinstance(cpp_paths.parse(text), Native)


def test_many_parentheses_are_left_to_the_debugger() -> None:
    found = cpp_paths.parse("(" * 500 + "a" + ")" * 500)
    assert isinstance(found, Native)
    assert found.text.startswith("((((")


@pytest.mark.parametrize(
    "text, value",
    [("42", 42), ("-0x10u", -16), ("010", 8), ("0b11", 3), ("1'000", 1000), ("'a'", 97)]
    + [("'\\n'", 10), ("'\\x41'", 65), ("'\\0'", 0), ("L'é'", 233)],
)
def test_integers(text: str, value: int) -> None:
    assert cpp_paths.integer(text) == value


@pytest.mark.parametrize("text", ["", "a", "1.5", "''", "09", "'ab'", "1 2"])
def test_what_is_no_integer(text: str) -> None:
    assert cpp_paths.integer(text) is None


@pytest.mark.parametrize(
    "text, value",
    [('"a"', b"a"), ('"a" "b"', b"ab"), (r'"\"\\\101\x42\u00e9"', b'"\\AB\xc3\xa9'), ('""', b"")],
)
def test_strings(text: str, value: bytes) -> None:
    assert cpp_paths.string(text) == value
    assert cpp_paths.string(text + "x") is None


class Fake(CppValue):
    """A class with bases and members, a number or an array."""

    def __init__(
        self,
        tag: str,
        address: int = 0,
        bases: Tuple["Fake", ...] = (),
        members: Optional[Dict[str, "Fake"]] = None,
        items: Optional[List["Fake"]] = None,
        number: Optional[int] = None,
    ) -> None:
        self.tag = tag
        self._address = address
        self._bases = bases
        self._members = members or {}
        self._items = items
        self._number = number
        self.form = Form.CLASS if number is None else Form.OTHER
        if items is not None:
            self.form = Form.ARRAY

    def address(self) -> Optional[int]:
        return self._address

    def variable(self) -> Variable:
        return Variable(VOID, self._address)

    def bases(self) -> Iterator[CppValue]:
        return iter(self._bases)

    def members(self) -> Iterator[Tuple[str, CppValue]]:
        return iter(self._members.items())

    def static_member(self, name: str) -> Optional[CppValue]:
        return None

    def number(self) -> int:
        assert self._number is not None
        return self._number

    def pointee(self) -> CppValue:
        raise AssertionError

    def first(self) -> CppValue:
        assert self._items is not None
        return self._items[0]

    def length(self) -> Optional[int]:
        return None if self._items is None else len(self._items)

    def beside(self, number: int) -> CppValue:
        return Fake(self.tag, self._address + number * self.size(), number=0)

    def size(self) -> int:
        return 8

    def argument(self, index: int, address: int) -> Optional[CppValue]:
        return None


def test_a_virtual_base_is_found_once_and_members_past_unnamed_unions() -> None:
    inside = Fake("union", 24, members={"u": Fake("int", 24, number=1)})
    top = Fake("top", 16, members={"m": Fake("int", 16, number=0), "": inside})
    both = Fake("both", 0, (Fake("left", 0, (top,)), Fake("right", 8, (top,))))
    assert [base.tag for base in all_bases(both)] == ["left", "right", "top"]
    found = find_member(both, "m")
    assert found is not None and found.address() == 16
    found = find_member(both, "top::u")
    assert found is not None and found.address() == 24
    assert find_member(both, "left::m") is None


def test_a_name_of_two_bases_is_ambiguous_and_a_nearer_one_hides() -> None:
    def with_m(tag: str, address: int, *bases: Fake) -> Fake:
        return Fake(tag, address, bases, {"m": Fake("int", address, number=0)})

    twice = Fake("twice", 0, (with_m("ns::a", 0), with_m("ns::b", 8)))
    with pytest.raises(MapscopeError, match="m is ambiguous: ns::a and ns::b"):
        find_member(twice, "m")
    found = find_member(twice, "b::m")
    assert found is not None and found.address() == 8
    found = find_member(with_m("own", 32, twice), "m")
    assert found is not None and found.address() == 32
    hidden = Fake("child", 0, (with_m("near", 8, with_m("far", 16)),))
    found = find_member(hidden, "m")
    assert found is not None and found.address() == 8


def test_elements_of_an_array_end_where_it_ends() -> None:
    array = Fake("int[2]", 64, items=[Fake("int", 64, number=0), Fake("int", 72, number=0)])
    assert element(array, 1, "a").address() == 72
    for index in (2, -1):
        with pytest.raises(MapscopeError, match=f"no element {index} in a: it has 2"):
            element(array, index, "a")
    with pytest.raises(MapscopeError, match="elements cannot be named so"):
        element(Fake("std::map<int, int>"), 0, "a")


def test_an_optional_says_whether_it_is_empty() -> None:
    def optional(engaged: int) -> Fake:
        value = Fake("union", 8, members={"_M_value": Fake("thing", 8)})
        flag = Fake("bool", 16, number=engaged)
        payload = Fake("payload", 8, members={"_M_payload": value, "_M_engaged": flag})
        return Fake("std::optional<thing>", 8, members={"_M_payload": payload})

    found = held(optional(1), "o")
    assert found is not None and found.tag == "thing"
    with pytest.raises(MapscopeError, match="o is an empty std::optional<thing>"):
        held(optional(0), "o")


def test_near_names_are_told() -> None:
    assert near("prices", ["prices_", "stock_", ""]) == "; did you mean prices_?"
    assert near("prices", ["zzz"]) == ""

# SPDX-License-Identifier: MIT
"""map heap and map owners over a C++ program: ways from variables to maps, and damaged ones."""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from codec import Int
from cppprogram import CppProgram
from image import NOWHERE, FakeTarget, words
from looking import one, text
from mapscope.program.cpp_types import CppType, CppVariable, Form, Part, alignment
from mapscope.program.types import Kind, Type


@dataclass
class FakeType(CppType):
    """A type as the test says."""

    tag: str
    size: int = 8
    form: Form = Form.CLASS
    made_of: List[Part] = field(default_factory=list)
    leads_to: Optional[Callable[[], CppType]] = None
    arguments: List[CppType] = field(default_factory=list)
    complete: bool = True
    length: int = 0

    @property
    def is_polymorphic(self) -> bool:
        return False

    def target(self) -> Optional[CppType]:
        return None if self.leads_to is None else self.leads_to()

    def parts(self) -> List[Part]:
        return self.made_of

    def argument(self, index: int) -> Optional[CppType]:
        return self.arguments[index] if index < len(self.arguments) else None

    def described(self) -> Type:
        return Type(Kind.UINT, self.tag, self.size)


LONG = FakeType("unsigned long", 8, Form.OTHER)
MAP = FakeType("mapscope::map<unsigned long, unsigned long>", 8, arguments=[LONG, LONG])


def pointer_to(target: Callable[[], CppType]) -> FakeType:
    """T *"""
    return FakeType(target().tag + " *", 8, Form.POINTER, leads_to=target)


def member(name: str, offset: int, type: CppType) -> Part:
    """A member of a class."""
    return Part(name, offset, type, False)


def node_type() -> FakeType:
    """struct node { node *next; map names; };"""
    made = FakeType("node", 16)
    made.made_of = [
        member("next", 0, FakeType("node *", 8, Form.POINTER, leads_to=lambda: made)),
        member("names", 8, MAP),
    ]
    return made


def vector_of(element: CppType) -> FakeType:
    """std::vector<T>"""
    start = pointer_to(lambda: element)
    impl = FakeType(
        "std::_Vector_base<x>::_Vector_impl",
        24,
        made_of=[member("_M_start", 0, start), member("_M_finish", 8, start)],
    )
    return FakeType(
        f"std::vector<{element.tag}, std::allocator<{element.tag}>>",
        24,
        made_of=[member("_M_impl", 0, impl)],
        arguments=[element],
    )


def list_of(element: CppType) -> FakeType:
    """std::list<T>"""
    head = FakeType("std::__detail::_List_node_header", 24)
    return FakeType(
        f"std::__cxx11::list<{element.tag}>",
        24,
        made_of=[member("_M_node", 0, head)],
        arguments=[element],
    )


def tree_of(key: CppType, element: CppType) -> FakeType:
    """std::map<K, V>"""
    head = FakeType("std::_Rb_tree_node_base", 32)
    return FakeType(
        f"std::map<{key.tag}, {element.tag}>",
        48,
        made_of=[member("_M_header", 8, head)],
        arguments=[key, element],
    )


class Program:
    """A C++ program with maps and variables."""

    def __init__(self) -> None:
        self.made = CppProgram()
        self.target: FakeTarget = self.made.target
        self.image = self.made.image
        self.variables: List[CppVariable] = []
        self._maps = 0
        setattr(self.target, "cpp_variables", lambda unread: iter(self.variables))

    def map(self, entries: int = 3) -> int:
        """The address of a new map's header."""
        self._maps += 1
        model = self.made.map(f"m{self._maps}", Int(8), Int(8))
        model.fill({number: number for number in range(entries)})
        return model.address

    def add(self, name: str, type: CppType, raw: bytes) -> int:
        """A variable with these bytes; its address."""
        address = self.image.place(raw)
        self.variables.append(CppVariable(name, type, address))
        return address

    def owners(self) -> Dict[int, Any]:
        """Owners of all maps, by address."""
        rows = one(self.target, "heap")["maps"]
        return {int(row["address"], 16): row["owner"] for row in rows}

    def notes(self) -> str:
        """What was not followed."""
        return "; ".join(one(self.target, "heap")["notes"])


def test_a_global_map_and_one_that_nobody_owns() -> None:
    program = Program()
    first, second = program.map(), program.map()
    program.add("shop::prices", MAP, words(first))
    form = one(program.target, "heap")
    rows = {int(row["address"], 16): row for row in form["maps"]}
    assert (rows[first]["owner"], rows[first]["garbage"]) == ("shop::prices", False)
    # nobody collects C++ maps: that no variable was found does not say that there is none
    assert (rows[second]["owner"], rows[second]["garbage"]) == (None, None)
    assert form["complete"] and form["totals"]["garbage"]["maps"] == 0
    shown = one(program.target, "owners", "m2")
    assert shown["owners"] == [] and shown["garbage"] is None
    assert "cannot tell" in text(program.target, "owners", "m2")


def test_bytes_and_what_a_fresh_map_would_not_need() -> None:
    program = Program()
    map = program.map(1000)
    row = one(program.target, "heap")["maps"][0]
    listed = one(program.target, "list")["maps"][0]
    stats = one(program.target, "stats", "m1")
    assert int(row["address"], 16) == map and row["bytes"] == listed["bytes"]
    assert row["count"] == 1000 and 0 < row["fill"] <= 1
    held = stats["bytes"]
    assert row["wasted"] == max(row["bytes"] - held["rebuilt"], 0)
    # the same map with nearly nothing in it: all but a bucket is wasted
    program.image.write_word(map, 1)
    emptied = one(program.target, "heap")["maps"][0]
    assert emptied["wasted"] > row["wasted"] and emptied["wasted"] > 0.9 * emptied["bytes"]


def test_a_structure_that_contains_itself_has_one_owner_for_all() -> None:
    program = Program()
    node, following = node_type(), 0
    maps = [program.map() for _ in range(200)]
    for map in reversed(maps):
        following = program.image.place(words(following, map))
    program.add("head", pointer_to(lambda: node), words(following))
    owners = program.owners()
    assert owners[maps[0]] == "head->names"
    assert owners[maps[1]] == "head->next->names"
    assert {owners[map] for map in maps[2:]} == {"head->next...->names"}
    shown = one(program.target, "owners", "m4")["owners"]
    assert [owner["path"] for owner in shown] == ["head->next->next->next->names"]


def test_nodes_in_a_circle_end() -> None:
    program = Program()
    node = node_type()
    map = program.map()
    start = program.image.place(words(0, map))
    program.image.write_word(start, start)
    program.add("circle", pointer_to(lambda: node), words(start))
    assert program.owners() == {map: "circle->names"}


def test_every_pointer_to_a_value_that_holds_a_map() -> None:
    program = Program()
    node = node_type()
    start = program.image.place(words(0, program.map()))
    for name in ("first", "second", "third"):
        program.add(name, pointer_to(lambda: node), words(start))
    shown = one(program.target, "owners", "m1 --all")["owners"]
    assert [owner["path"] for owner in shown] == [
        *("first->names", "second->names", "third->names")
    ]
    assert len(one(program.target, "owners", "m1")["owners"]) == 1


@pytest.mark.parametrize(
    "first, last",
    [
        (NOWHERE, NOWHERE + 160),
        (NOWHERE, (1 << 64) - 16),
        (0x1000, 0x10),
        ((1 << 64) - 32, (1 << 64) - 16),
        (1, 17),
    ],
)
def test_vectors_that_are_garbage(first: int, last: int) -> None:
    program = Program()
    map = program.map()
    program.add("good", MAP, words(map))
    program.add("bad", vector_of(node_type()), words(first, last, last))
    assert program.owners() == {map: "good"}
    assert "a container that variables lead to: damaged" in program.notes()


def test_a_vector_whose_length_is_no_number_of_elements() -> None:
    program = Program()
    map = program.map()
    start = program.image.place(words(0, map, 0, map))
    program.add("bad", vector_of(node_type()), words(start, start + 24, start + 32))
    assert program.owners() == {map: None}
    assert "damaged" in program.notes()


def test_lists_that_lead_into_themselves() -> None:
    program = Program()
    map = program.map()
    item = program.image.place(words(0, 0, 0, map))
    program.image.write_word(item, item)  # never back to the head
    program.add("items", list_of(node_type()), words(item, item, 1))
    assert program.owners() == {map: "items[].names"}
    assert "damaged" in program.notes()


def test_trees_whose_nodes_are_shared_or_nowhere() -> None:
    program = Program()
    map = program.map()
    # colour, parent, left, right; key; next, names
    item = program.image.place(words(0, 0, 0, 0, 7, 0, map))
    program.image.write_word(item + 16, item)
    program.add("sorted", tree_of(LONG, node_type()), words(0, 0, item, item, item, 1))
    assert program.owners() == {map: "sorted[].names"}
    assert "damaged" in program.notes()
    shown = one(program.target, "owners", "m1")["owners"]
    assert [owner["path"] for owner in shown] == ["sorted[7].names"]
    program.image.write_word(item + 16, NOWHERE)
    assert program.owners() == {map: "sorted[].names"}
    assert "could not be read" in program.notes()


def test_pointers_that_dangle() -> None:
    program = Program()
    map = program.map()
    node = node_type()
    for number, where in enumerate((NOWHERE, 1, (1 << 64) - 8, 1 << 63)):
        program.add(f"bad{number}", pointer_to(lambda: node), words(where))
    program.add("good", MAP, words(map))
    assert program.owners() == {map: "good"}
    assert "could not be read" in program.notes()


def test_a_word_that_is_no_map_of_the_registry_is_none() -> None:
    program = Program()
    map = program.map()
    program.add("stale", MAP, words(map + 8))
    program.add("huge", MAP, words((1 << 64) - 1))
    assert program.owners() == {map: None}


def test_a_class_that_is_only_declared_is_told() -> None:
    program = Program()
    map = program.map()
    hidden = FakeType("shop::hidden", 0, complete=False)
    program.add("impl", pointer_to(lambda: hidden), words(map))
    assert program.owners() == {map: None}
    assert "of shop::hidden debug information has the name alone" in program.notes()


def test_what_is_declared_here_and_known_elsewhere_is_followed() -> None:
    program = Program()
    map = program.map()
    hidden = FakeType("node", 0, complete=False)
    setattr(program.target, "cpp_type", lambda name: node_type() if name == "node" else None)
    start = program.image.place(words(0, map))
    program.add("impl", pointer_to(lambda: hidden), words(start))
    assert program.owners() == {map: "impl->names"}
    assert not program.notes()


def test_a_damaged_map_is_told_and_the_others_are_shown() -> None:
    program = Program()
    good, bad = program.map(), program.map()
    program.image.write_word(bad + 9, 200, 1)  # B
    form = one(program.target, "heap")
    assert [int(row["address"], 16) for row in form["maps"]] == [good]
    assert not form["complete"] and hex(bad) in "".join(form["notes"])


def test_an_interrupted_look_says_so() -> None:
    program = Program()
    for _ in range(3):
        program.map()

    def variables(unread: List[str]) -> Iterator[CppVariable]:
        raise KeyboardInterrupt

    setattr(program.target, "cpp_variables", variables)
    form = one(program.target, "heap")
    assert len(form["maps"]) == 3 and not form["complete"]
    assert "interrupted" in "".join(form["notes"])
    # owners are not what map list is asked for: it is whole without them
    assert len(one(program.target, "list")["maps"]) == 3


def test_map_list_has_the_owners_too() -> None:
    program = Program()
    program.add("shop::prices", MAP, words(program.map()))
    row = one(program.target, "list")["maps"][0]
    assert (row["name"], row["owner"]) == (None, "shop::prices")
    assert text(program.target, "list").splitlines()[1].endswith("  shop::prices")


def test_alignment_is_that_of_the_strictest_part() -> None:
    byte = FakeType("char", 1, Form.OTHER)
    pair = FakeType("pair", 16, made_of=[member("first", 0, byte), member("second", 8, LONG)])
    row = FakeType("char[4]", 4, Form.ARRAY, leads_to=lambda: byte, length=4)
    assert alignment(pair, {}) == 8
    assert alignment(row, {}) == 1
    assert alignment(FakeType("std::__cxx11::basic_string<char, x>", 32), {}) == 8

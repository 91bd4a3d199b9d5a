# SPDX-License-Identifier: MIT
"""Slices and vectors: what their headers say, what an append makes of them, what refers to them;
and headers that no slice has."""

import json
import struct
from typing import Any, Dict, List, Optional, Tuple

import pytest
from goprogram import GoProgram
from hypothesis import given
from hypothesis import strategies as st
from image import FakeTarget, words
from looking import lines, one, text
from mapscope.commands import PREFIXES, load
from mapscope.errors import MapscopeError
from mapscope.go.size_classes import allocated
from mapscope.plans.slices.growslice import Call, ends_of, is_possible
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Field, Kind, Part, Type
from mapscope.session import Session
from mapscope.slices.array_references import STEPS, Arrays, Finder
from mapscope.slices.growth_rules import go_capacity, has_pointers, vector_capacity
from mapscope.slices.moves import Move, Moves
from mapscope.slices.variables import Place

INT = Type(Kind.INT, "int", 8)
BYTE = Type(Kind.UINT, "uint8", 1)
STRING = Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8)
(SLICE,) = (prefix for prefix in PREFIXES if prefix.word == "slice")


def slice_type(element: Type) -> Type:
    """[]element"""
    return Type(Kind.SLICE, f"[]{element.name}", 24, element=lambda: element)


def pointer_to(target: Type) -> Type:
    """*target"""
    return Type(Kind.POINTER, f"*{target.name}", 8, element=lambda: target)


def program(version: str = "go1.19.8") -> Tuple[GoProgram, FakeTarget]:
    """A Go program with a slice s of 3 numbers in an array of 5, and a nil one."""
    made = GoProgram(version)
    made.basic("int")
    target = made.finish()
    array = made.image.place(words(10, 20, 30, 0, 0))
    add(made, "s", slice_type(INT), words(array, 3, 5))
    add(made, "none", slice_type(INT), words(0, 0, 0))
    return made, target


def add(made: GoProgram, name: str, type: Type, data: bytes) -> int:
    """A variable; returns its address."""
    address = made.image.place(data)
    made.target.variables[name] = Variable(type, address)
    return address


# --- growth ---


@pytest.mark.parametrize(
    "minor, capacity, wanted, size, noscan, found",
    [
        # until 1.17 capacities are doubled up to 1,024, then a quarter is added
        (17, 512, 513, 8, True, 1024),
        (17, 1024, 1025, 8, True, 1280),
        (17, 4096, 4097, 1, True, 5376),
        # since 1.18 the step from one to the other is smooth, and begins at 256
        (18, 256, 257, 8, True, 512),
        (18, 512, 513, 8, True, 848),
        (23, 848, 849, 8, True, 1280),
        # what does not fit at all is given what it asks for, rounded up
        (19, 4, 100, 8, True, 112),
        (19, 0, 1, 1, True, 8),
        (19, 0, 5, 24, True, 5),
        # of no bytes
        (19, 7, 8, 0, True, 8),
        # since 1.22 objects with pointers of more than 512 bytes have a header
        (21, 64, 65, 8, False, 128),
        (22, 32, 33, 8, False, 64),
        (22, 64, 65, 8, False, 143),
        (22, 64, 65, 8, True, 128),
        # whole pages, without one
        (22, 4096, 4097, 8, False, 6144),
        # beyond what memory has
        (19, 1 << 60, (1 << 60) + 1, 8, True, None),
    ],
)
def test_capacities(
    minor: int, capacity: int, wanted: int, size: int, noscan: bool, found: Optional[int]
) -> None:
    assert go_capacity(minor, capacity, wanted, size, noscan) == found


@given(
    st.integers(17, 27),
    st.integers(0, 1 << 40),
    st.integers(1, 1 << 20),
    st.integers(1, 5000),
    st.booleans(),
)
def test_an_array_has_room_for_what_was_asked(
    minor: int, capacity: int, more: int, size: int, noscan: bool
) -> None:
    found = go_capacity(minor, capacity, capacity + more, size, noscan)
    assert found is None or found >= capacity + more


def test_size_classes_are_in_order_and_whole() -> None:
    sizes = [allocated(size) for size in range(1, 40000)]
    assert sizes == sorted(sizes) and len(set(sizes)) == 67 + 1
    assert all(found >= size for size, found in enumerate(sizes, 1))
    assert allocated(4865) == 5376


def test_vectors() -> None:
    assert [vector_capacity("libstdc++", n, n) for n in (0, 1, 3)] == [1, 2, 6]


def test_pointers_in_types() -> None:
    inner = Type(Kind.STRUCT, "T", 16, (Field("N", 0, INT), Field("M", 8, INT)))
    outer = Type(Kind.STRUCT, "U", 24, (Field("T", 0, inner), Field("P", 16, pointer_to(INT))))
    assert has_pointers(inner) is False and has_pointers(outer) is True
    empty = Type(Kind.ARRAY, "[0]*int", 0, element=lambda: pointer_to(INT))
    assert has_pointers(empty) is False
    assert has_pointers(Type(Kind.OPAQUE, "?", 8)) is None


# --- inspect, entries ---


def test_inspect_json() -> None:
    made, target = program()
    form = one(target, "slice inspect", "s")
    variable = target.variables["s"]
    assert form["schema"] == "mapscope.slice/1" and form["flavor"] == "go-slice"
    assert form["go_version"] == "go1.19.8" and form["type"] == "[]int"
    assert form["address"] == hex(variable.address or 0)
    assert (form["length"], form["capacity"], form["element_bytes"]) == (3, 5, 8)
    assert form["bytes"] == {"used": 24, "unused": 16}
    assert form["grows"]["at"] == 6 and form["grows"]["capacity"] == 10
    assert form["grows"]["bytes"] == 80
    # there is no debug information here: what shares it cannot be known, and that is said
    assert form["shared"] == [] and form["not_looked_in"]


def test_inspect_text() -> None:
    _, target = program()
    shown = text(target, "slice inspect", "s").splitlines()
    assert shown[1].split() == "length 3 of capacity 5, 16 bytes unused".split()
    assert shown[3].split() == (
        "grows at element 6: append then allocates 10 elements, 80 bytes".split()
    )
    assert "nil" in text(target, "slice inspect", "none")


def test_an_append_may_use_the_stack_first() -> None:
    """Since Go 1.26, and not for a variable of a package."""
    _, target = program("go1.26.1")
    assert one(target, "slice inspect", "none")["grows"]["stack_first"] is True
    assert one(target, "slice inspect", "s")["grows"]["stack_first"] is False
    _, target = program()
    assert one(target, "slice inspect", "none")["grows"]["stack_first"] is False


def test_elements_of_unknown_type() -> None:
    made, target = program("go1.22.1")
    add(
        made,
        "odd",
        slice_type(Type(Kind.OPAQUE, "?", 8)),
        words(made.image.place(b"x" * 800), 65, 65),
    )
    form = one(target, "slice inspect", "odd")
    assert form["grows"]["capacity"] is None and "pointers" in form["grows"]["note"]
    assert "cannot tell" in text(target, "slice inspect", "odd")


def test_entries() -> None:
    _, target = program()
    head, *entries, last = lines(target, "slice entries", "s")
    assert head["schema"] == "mapscope.slice_entries/1" and head["length"] == 3
    assert [(e["index"], e["value"]) for e in entries] == [(0, 10), (1, 20), (2, 30)]
    assert last == {"entries": 3, "complete": True, "error": None}
    head, *entries, last = lines(target, "slice entries", "s --offset 1 --limit 1")
    assert [(e["index"], e["value"]) for e in entries] == [(1, 20)] and not last["complete"]
    _, *entries, last = lines(target, "slice entries", "s --match 3")
    assert [e["index"] for e in entries] == [2] and last["complete"]
    _, *entries, last = lines(target, "slice entries", "s --offset 99")
    assert entries == [] and last["complete"]
    assert text(target, "slice entries", "none").splitlines() == ["[]int nil, length 0, capacity 0"]


def test_entries_of_text_are_escaped() -> None:
    made, target = program()
    place = made.image.place("\x1b[2J".encode())
    add(made, "texts", slice_type(STRING), words(made.image.place(words(place, 4)), 1, 1))
    assert text(target, "slice entries", "texts").splitlines()[1] == r'  [0] = "\x1b[2J"'


def test_what_leads_to_a_slice() -> None:
    made, target = program()
    address = target.variables["s"].address or 0
    add(made, "p", pointer_to(slice_type(INT)), words(address))
    add(made, "nilp", pointer_to(slice_type(INT)), words(0))
    assert one(target, "slice inspect", "p")["address"] == hex(address)
    with pytest.raises(MapscopeError, match="is a nil"):
        text(target, "slice inspect", "nilp")
    inner = Type(Kind.STRUCT, "T", 32, (Field("N", 0, INT), Field("List", 8, slice_type(INT))))
    add(made, "t", inner, bytes(32))
    with pytest.raises(MapscopeError, match=r"its slices: \.List"):
        text(target, "slice inspect", "t")
    row = Type(Kind.ARRAY, "[2]int", 16, element=lambda: INT, length=2)
    add(made, "row", row, bytes(16))
    with pytest.raises(MapscopeError, match=r"name a part of it, as row\[:\]"):
        text(target, "slice inspect", "row")
    with pytest.raises(MapscopeError, match="is a number: say what lies there"):
        text(target, "slice inspect", "0x1234")


@pytest.mark.parametrize(
    "header, said",
    [
        ((1, 4, 2), "length 4 and capacity 2"),
        ((1, (1 << 64) - 5, 4), "length -5"),
        ((1, 1 << 60, 1 << 60), "more than memory has"),
        ((0, 0, 3), "no array, and capacity 3"),
        (((1 << 64) - 16, 8, 8), "more than memory has"),
    ],
)
def test_damaged_headers(header: Tuple[int, int, int], said: str) -> None:
    made, target = program()
    add(made, "bad", slice_type(INT), words(*header))
    for command in ("slice inspect", "slice entries", "slice stale"):
        with pytest.raises(MapscopeError) as caught:
            text(target, command, "bad")
        assert said in str(caught.value) and "\n" not in str(caught.value)


def test_an_array_that_is_nowhere() -> None:
    made, target = program()
    add(made, "lost", slice_type(INT), words(0x1234560, 3, 3))
    form = one(target, "slice inspect", "lost")
    assert len(form["problems"]) == 1 and form["shared"] is None
    with pytest.raises(MapscopeError, match="24 bytes at 0x1234560, cannot be read"):
        text(target, "slice entries", "lost")


@given(st.tuples(*[st.integers(0, (1 << 64) - 1) | st.integers(0, 40)] * 3), st.booleans())
def test_any_header_is_shown_or_refused(header: Tuple[int, int, int], near: bool) -> None:
    made, target = program()
    array = made.image.place(bytes(256))
    add(made, "any", slice_type(BYTE), words(array if near else header[0], *header[1:]))
    for command in ("slice inspect", "slice entries"):
        try:
            shown = text(target, command, "any --json")
        except MapscopeError as error:
            assert "internal error" not in str(error)
        else:
            assert all(json.loads(row) for row in shown.splitlines())


# --- vectors ---


def vector_type(
    element: Type, names: Tuple[str, str, str] = ("_M_start", "_M_finish", "_M_end_of_storage")
) -> Type:
    """A std::vector, of libstdc++ unless told."""
    pointer = pointer_to(element)
    parts = tuple(Part(name, 8 * at, pointer) for at, name in enumerate(names))
    inner = Type(
        Kind.OPAQUE, "_Vector_impl", 24, as_class=lambda: CppClass("I", parts, lambda _: None)
    )
    own = parts if names[0] != "_M_start" else (Part("_M_impl", 0, inner),)
    name = f"std::vector<{element.name}, std::allocator<{element.name}>>"
    return Type(Kind.OPAQUE, name, 24, as_class=lambda: CppClass(name, own, lambda _: None))


@pytest.mark.parametrize(
    "names, flavor",
    [
        (("_M_start", "_M_finish", "_M_end_of_storage"), "libstdc++-vector"),
        (("__begin_", "__end_", "__end_cap_"), "libc++-vector"),
        (("__begin_", "__end_", "__cap_"), "libc++-vector"),
    ],
)
def test_vector(names: Tuple[str, str, str], flavor: str) -> None:
    made, target = program()
    array = made.image.place(words(1, 2, 3, 4))
    add(made, "v", vector_type(INT, names), words(array, array + 24, array + 32))
    form = one(target, "slice inspect", "v")
    assert (form["flavor"], form["length"], form["capacity"]) == (flavor, 3, 4)
    assert form["grows"]["capacity"] == 8 and form["go_version"] is None
    assert [e["value"] for e in lines(target, "slice entries", "v")[1:-1]] == [1, 2, 3]


@pytest.mark.parametrize("ends", [(16, 8, 32), (0, 40, 32), (0, 9, 32), (0, 8, 33)])
def test_damaged_vectors(ends: Tuple[int, int, int]) -> None:
    made, target = program()
    array = made.image.place(bytes(64))
    add(made, "v", vector_type(INT), words(*(array + at for at in ends)))
    with pytest.raises(MapscopeError, match="is damaged, destroyed or not constructed yet"):
        text(target, "slice inspect", "v")


def test_a_vector_of_another_library() -> None:
    made, target = program()
    add(made, "v", vector_type(INT, ("first", "last", "end")), words(0, 0, 0))
    with pytest.raises(MapscopeError, match="has not the members that mapscope knows"):
        text(target, "slice inspect", "v")


# --- what was left, and what refers to it ---


def move(old: int, new: int, capacity: int = 4, holder: Optional[int] = None) -> Move:
    """A growth of numbers to the double."""
    return Move(old, 8, capacity, new, 2 * capacity, holder)


def test_arrays_that_were_left() -> None:
    moves = Moves()
    for one_ in (move(0x100, 0x200, 1), move(0x900, 0xA00), move(0x200, 0x300, 2)):
        moves.add(one_)
    assert [found.old for found in moves.left_by(None, 0x300)] == [0x100, 0x200]
    assert [found.old for found in moves.left_by(None, 0x308)] == [0x100, 0x200]
    assert moves.left_by(None, 0x340) == []  # behind its end
    moves.clear()
    assert not len(moves)


def test_a_slice_that_was_given_another_array() -> None:
    moves = Moves()
    moves.add(move(0x100, 0x200, holder=0x50))
    moves.add(move(0x200, 0x700, holder=0x50))  # of somebody else
    moves.add(move(0x400, 0x800, holder=0x60))
    assert [found.old for found in moves.left_by(0x50, 0x700)] == [0x100, 0x200]
    # back where it was
    moves.add(move(0x700, 0x100, holder=0x50))
    assert [found.old for found in moves.left_by(0x50, 0x100)] == [0x200, 0x700]


def test_moves_that_lead_round() -> None:
    """An allocator gives an address out again."""
    moves = Moves()
    for _ in range(3):
        moves.add(move(0x100, 0x200, 1))
        moves.add(move(0x200, 0x100, 2))
    assert {found.old for found in moves.left_by(None, 0x300)} == set()
    assert len(moves.left_by(None, 0x200)) <= 2


def look(
    made: GoProgram, arrays: List[Tuple[int, int]], type: Type, data: bytes, steps: int = STEPS
) -> Finder:
    """What of a variable refers to arrays."""
    finder = Finder(Session(made.target), Arrays(arrays), steps)
    address = made.image.place(data)
    finder.look(Place("v", "", address, None, type))
    return finder


def test_references_of_every_kind() -> None:
    made, _ = program()
    array = made.image.place(bytes(80))
    type = Type(
        Kind.STRUCT,
        "T",
        72,
        (
            Field("Pointer", 0, pointer_to(INT)),
            Field("Slice", 8, slice_type(INT)),
            Field("Text", 32, STRING),
            Field("Other", 48, pointer_to(INT)),
            Field("Before", 56, STRING),
        ),
    )
    data = words(array + 8, array + 16, 2, 4, array + 24, 3, array + 80, array - 8, 16)
    finder = look(made, [(array, array + 80)], type, data)
    found = [(one_.name, one_.kind, one_.target - array, one_.length) for one_ in finder.found]
    assert found == [
        ("v.Pointer", "pointer", 8, None),
        ("v.Slice", "slice", 16, 2),
        ("v.Text", "string", 24, 3),
        ("v.Before", "string", -8, 16),
    ]


def test_references_behind_pointers() -> None:
    made, _ = program()
    array = made.image.place(bytes(16))
    place = made.image.allocate(16)
    node = Type(
        Kind.STRUCT,
        "Node",
        16,
        (
            Field("Next", 0, Type(Kind.POINTER, "*Node", 8, element=lambda: node)),
            Field("P", 8, pointer_to(INT)),
        ),
    )
    # a ring of one
    made.image.write(place, words(place, array))
    found = look(made, [(array, array + 16)], pointer_to(node), words(place))
    assert [one_.name for one_ in found.found] == ["v.P"]
    shallow = look(made, [(array, array + 16)], pointer_to(node), words(place), 0)
    assert shallow.found == [] and shallow.lacking


@given(st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 4096), min_size=9, max_size=9))
def test_references_of_any_words(numbers: List[int]) -> None:
    made, _ = program()
    array = made.image.place(bytes(64))
    values = [array + number if number < 64 else number for number in numbers]
    interface = Type(Kind.EMPTY_INTERFACE, "any", 16)
    fields = (
        Field("S", 0, slice_type(STRING)),
        Field("A", 24, interface),
        Field("P", 40, pointer_to(slice_type(pointer_to(INT)))),
        Field("T", 48, STRING),
        Field("F", 64, Type(Kind.FUNC, "func()", 8)),
    )
    finder = look(made, [(array, array + 64)], Type(Kind.STRUCT, "T", 72, fields), words(*values))
    assert len(finder.found) <= 1000


def test_stale_needs_an_array() -> None:
    _, target = program()
    with pytest.raises(MapscopeError, match="no growth was seen in this session"):
        text(target, "slice stale", "s")
    with pytest.raises(MapscopeError, match="how large it is is not known"):
        text(target, "slice stale", "s --old 0x10")
    with pytest.raises(MapscopeError, match="the slice is in that array now"):
        text(target, "slice stale", f"s --old {one(target, 'slice inspect', 's')['array']}")
    form = one(target, "slice stale", "s --old 0x10 --elements 2")
    assert form["references"] == [] and form["not_looked_in"]
    shown = text(target, "slice stale", "s --old 0x10 --elements 2")
    assert "none found in what was looked at" in shown and "not looked in: " in shown


# --- growslice ---


def test_where_a_function_returns() -> None:
    code = bytes.fromhex(
        "4883ec60 90c3 4883c4605dc3 0f1f 4881c4000100005dc3 4883c478c3".replace(" ", "")
    )
    assert ends_of(code) == [11, 22, 27]


def test_calls_that_cannot_be() -> None:
    assert is_possible(Call(0x1000, 3, 4, 5, 0x2000))
    assert not is_possible(Call(0x1000, 5, 4, 6, 0x2000))
    assert not is_possible(Call(0x1000, 3, 1 << 60, 5, 0x2000))


# --- words ---


@pytest.mark.parametrize("name", SLICE.summaries)
def test_every_command_explains_itself(name: str) -> None:
    command = load(SLICE.full(name))
    assert (command.prefix, command.name) == ("slice", name) and name in SLICE.overview
    shown = command.parser().format_help()
    assert shown.startswith(f"usage: slice {name} ") and f"example: slice {name}" in shown
    for option in command.options():
        assert option in shown
    assert {"--json", "--help"} <= set(command.options())


def test_structures_of_json() -> None:
    """Each object says what it is."""
    _, target = program()
    forms: Dict[str, Any] = {
        "slice": one(target, "slice inspect", "s"),
        "slice_entries": lines(target, "slice entries", "s")[0],
        "slice_stale": one(target, "slice stale", "s --old 0x10 --elements 2"),
    }
    for name, form in forms.items():
        assert form["schema"] == f"mapscope.{name}/1" and form["array"] and form["length"] == 3


def test_layout_of_headers() -> None:
    made, target = program()
    raw = made.image.read(target.variables["s"].address or 0, 24)
    assert struct.unpack("<QQQ", raw)[1:] == (3, 5)

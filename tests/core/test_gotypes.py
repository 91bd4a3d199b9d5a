# SPDX-License-Identifier: MIT
"""Go's type table in memory: every kind of type, both places of moduledata.types,
and Go maps named by type, by address and by what the program is doing."""

import json
import struct
from typing import Any, Dict, List

import pytest
from codec import Int, Text
from goprogram import (
    ARRAY,
    BASIC,
    CHAN,
    FUNC,
    INTERFACE,
    PCLNTAB,
    POINTER,
    SLICE,
    TYPES,
    TYPES_SIZE,
    GoProgram,
    Rtype,
    number_map,
)
from host import FakeHost
from image import NOWHERE, FakeTarget, Image, number, words
from looking import dictionary, lines, one, text
from mapscope.errors import (
    LayoutUnknown,
    MapscopeError,
    NotAMap,
    TypeNeeded,
    UnknownType,
    UsageError,
)
from mapscope.session import Session
from mapscope.program.target import Section, Variable
from mapscope.program.types import Kind
from mapscope.program.values import json_form
from mapscope.plans.go.tables import GROW, GROW_TO_TABLE, SPLIT
from mapscope.flavours.go.map_types import map_type

VERSIONS = ["go1.17.13", "go1.18.10", "go1.19.8", "go1.20.14", "go1.21.13", "go1.22.12", "go1.23.6"]


def all_kinds(program: GoProgram) -> Dict[str, Rtype]:
    """A type of each kind, by a short name."""
    types = {name: program.basic(name) for name in BASIC}
    integer, string = types["int"], types["string"]
    types["pointer"] = program.rtype(POINTER, "*int", 8, words(integer.address))
    types["slice"] = program.rtype(SLICE, "[]string", 24, words(string.address), star=True)
    types["array"] = program.rtype(ARRAY, "[3]int", 24, words(integer.address, 0, 3))
    types["chan"] = program.rtype(CHAN, "chan int", 8, words(integer.address, 3))
    types["func"] = program.rtype(FUNC, "func(int)", 8, bytes(8))
    types["any"] = program.rtype(INTERFACE, "interface {}", 16, words(0, 0, 0, 0))
    types["error"] = program.rtype(INTERFACE, "error", 16, words(0, TYPES, 1, 1))
    fields = [("Name", 0, string), ("_", 16, integer), ("At", 24, types["array"])]
    types["struct"] = program.struct_type("main.T", fields, 48)
    types["map"] = program.map_type("map[string]int", string, integer)
    return types


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind(version: str) -> None:
    program = GoProgram(version)
    types = all_kinds(program)
    go = Session(program.finish()).go
    assert go.version == version and go.minor == int(version.split(".")[1])
    found = {name: go.type_at(rtype.address) for name, rtype in types.items()}
    for name, rtype in types.items():
        assert (found[name].name, found[name].size) == (rtype.name, rtype.size)
        assert found[name].go_type == rtype.address
    kinds = {name: type.kind for name, type in found.items()}
    for kind, names in {
        Kind.BOOL: ["bool"],
        Kind.INT: ["int", "int8", "int16", "int32", "int64"],
        Kind.UINT: ["uint", "uint8", "uint16", "uint32", "uint64", "uintptr"],
        Kind.FLOAT: ["float32", "float64"],
        Kind.COMPLEX: ["complex64", "complex128"],
        Kind.STRING: ["string"],
        Kind.POINTER: ["unsafe.Pointer", "pointer"],
        Kind.SLICE: ["slice"],
        Kind.ARRAY: ["array"],
        Kind.CHAN: ["chan"],
        Kind.FUNC: ["func"],
        Kind.EMPTY_INTERFACE: ["any"],
        Kind.INTERFACE: ["error"],
        Kind.STRUCT: ["struct"],
        Kind.GO_MAP: ["map"],
    }.items():
        assert [name for name in kinds if kinds[name] is kind] == [n for n in kinds if n in names]
    assert found["array"].length == 3 and found["array"].target() is found["int"]
    assert found["slice"].target().name == "string" and found["pointer"].target() is found["int"]
    assert found["map"].key_type().name == "string" and found["map"].target().name == "int"
    assert [(f.name, f.offset, f.type.name) for f in found["struct"].fields] == [
        ("Name", 0, "string"),
        ("_", 16, "int"),
        ("At", 24, "[3]int"),
    ]
    assert go.find("map[string]int") == types["map"].address
    assert go.find("map[ string ] int") == types["map"].address


@pytest.mark.parametrize("version", VERSIONS)
def test_without_symbols(version: str) -> None:
    """moduledata is the data word that points at .gopclntab; version in .go.buildinfo."""
    program = GoProgram(version, symbols=False)
    types = all_kinds(program)
    target = program.finish()
    info = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16) + bytes([len(version)])
    start = program.image.place(info + version.encode() + bytes(32))
    target.section_list.append(Section(".go.buildinfo", start, start + 64))
    # a word of the same value that is no moduledata
    decoy = program.image.place(words(0, PCLNTAB, 1, 2))
    target.section_list.insert(0, Section(".data", decoy, decoy + 512))
    go = Session(target).go
    assert go.version == version
    assert go.type_at(types["struct"].address).name == "main.T"
    assert go.find("main.T") == types["struct"].address


def test_version_in_an_older_buildinfo() -> None:
    """Until Go 1.17 .go.buildinfo holds a pointer to the version string."""
    program = GoProgram("go1.17.13", symbols=False)
    target = program.finish()
    header = program.image.place(words(program.image.place(b"go1.17.13"), 9))
    info = program.image.place(b"\xff Go buildinf:" + bytes([8, 0]) + words(header, 0) + bytes(32))
    target.section_list.append(Section(".go.buildinfo", info, info + 64))
    assert Session(target).go.version == "go1.17.13"


@pytest.mark.parametrize("symbols", [True, False])
def test_no_version_at_all(symbols: bool) -> None:
    program = GoProgram("", symbols=symbols)
    types = all_kinds(program)
    go = Session(program.finish()).go
    assert go.version == "" and go.minor == 0
    assert go.type_at(types["slice"].address).name == "[]string"


def test_unknown_names_and_near_ones() -> None:
    program = GoProgram()
    all_kinds(program)
    target = program.finish()
    with pytest.raises(UnknownType, match="did you mean map.string.int"):
        Session(target).go.find("map[string]in")
    with pytest.raises(UnknownType) as caught:
        Session(target).go.find("\x1b[31m")
    assert str(caught.value) == "no type \\x1b[31m in this program"


@pytest.mark.parametrize("ordered", [True, False])
def test_a_name_is_found_by_the_order_of_the_names(
    ordered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The linker sorts types by name; where it has not, all are looked at."""
    program = GoProgram()
    element = program.basic("string")
    names = [f"map[string]pkg{n:03}.T" for n in range(100)]
    names += ["map[string]interface {}"]
    names.sort(reverse=not ordered)
    types = {name: program.map_type(name, element, element) for name in names}
    go = Session(program.finish()).go
    looked: List[int] = []
    name_at = go.name_at

    def counted(address: int) -> str:
        looked.append(address)
        return name_at(address)

    monkeypatch.setattr(go, "name_at", counted)
    for wanted, name in (
        ("map[string]pkg042.T", "map[string]pkg042.T"),
        ("map[string]any", "map[string]interface {}"),
        ("map[ string ] interface{}", "map[string]interface {}"),
    ):
        looked.clear()
        assert go.find(wanted) == types[name].address
        assert not ordered or " " in wanted or len(looked) < 25


@pytest.mark.parametrize("address", [NOWHERE, TYPES + TYPES_SIZE - 8, 0, 7])
def test_no_type_there(address: int) -> None:
    program = GoProgram()
    all_kinds(program)
    with pytest.raises(MapscopeError):
        Session(program.finish()).go.type_at(address)


def test_hostile_descriptors() -> None:
    program = GoProgram()
    integer = program.basic("int")
    bad = {
        "kind 0": program.rtype(0, "zero", 8),
        "kind 31": program.rtype(31, "beyond", 8),
        "huge": program.rtype(BASIC["int"][0], "huge", 1 << 50),
        "many fields": program.rtype(25, "many", 8, words(0, TYPES, 1 << 40, 1 << 40)),
        "field outside": program.struct_type("main.Out", [("F", 64, integer)], 8),
    }
    go = Session(program.finish()).go
    for name, rtype in bad.items():
        with pytest.raises(LayoutUnknown):
            go.type_at(rtype.address)
            pytest.fail(name)
    with pytest.raises(LayoutUnknown, match="is not a map type"):
        map_type(go, integer.address)


def test_a_long_name() -> None:
    program = GoProgram()
    name = "struct { " + "Field int; " * 40 + "}"
    rtype = program.rtype(25, name, 8, words(0, 0, 0, 0))
    assert Session(program.finish()).go.type_at(rtype.address).name == name


def test_recursive_types() -> None:
    """type T struct { Next *T } has an end."""
    program = GoProgram()
    pointer = program.rtype(POINTER, "*main.T", 8, words(0))
    node = program.struct_type("main.T", [("Next", 0, pointer)], 8)
    program.image.write_word(pointer.address + 48, node.address)
    type = Session(program.finish()).go.type_at(node.address)
    assert type.fields[0].type.target().fields[0].type.target() is type


def test_interfaces_in_a_map() -> None:
    """Values of map[any]any decode by the descriptors that they carry."""
    program = GoProgram()
    types = all_kinds(program)
    target = program.finish()
    text_box = program.image.place(words(program.image.place(b"hi"), 2))
    nested = program.image.place(words(5, 0, 0, 0, 0, 0))
    cases = {
        words(types["int"].address, program.image.place(words(7))): {"type": "int", "value": 7},
        words(types["string"].address, text_box): {"type": "string", "value": "hi"},
        words(types["map"].address, nested): {
            "type": "map[string]int",
            "value": {"map": "map[string]int", "address": hex(nested), "count": 5},
        },
        words(types["pointer"].address, 0x1234): {"type": "*int", "value": "0x1234"},
        words(0, 0): None,
    }
    session = Session(target)
    any_type = session.go.type_at(types["any"].address)
    for data, form in cases.items():
        assert json_form(session.decoder().decode(any_type, data)) == form


# --- maps ---


@pytest.mark.parametrize("version", VERSIONS)
def test_load_factor(version: str) -> None:
    target, model = number_map(version=version)
    model.fill({n: n for n in range(8)})
    assert one(target, "inspect", "m")["grows_above"] == 8
    model.fill({n: n for n in range(100)})
    form = one(target, "inspect", "m")
    assert form["go_version"] == version and form["flavor"] == "go-classic"
    assert form["B"] == (5 if version.startswith("go1.21") else 4)
    assert form["grows_above"] == (192 if version.startswith("go1.21") else 104)


def test_an_address_with_its_type() -> None:
    target, model = number_map()
    model.fill({n: n * 2 for n in range(27)})
    address = hex(model.address)
    assert dictionary(target, f"{address} --type map[uint64]uint64") == model.truth
    with pytest.raises(UnknownType, match="map.uint64.uint64"):
        text(target, "entries", f"{address} --type map[uint64]uint")
    with pytest.raises(MapscopeError, match="not a map"):
        text(target, "entries", f"{address} --type uint64")


def test_an_address_alone_shows_structure_only() -> None:
    target, model = number_map()
    model.fill({n: n for n in range(27)})
    address = hex(model.address)
    form = one(target, "inspect", address)
    assert (form["type"], form["key_type"], form["count"]) == ("map[?]?", None, 27)
    assert form["growth"]["kind"] == "double" and form["growth"]["evacuated"] is None
    shown = text(target, "inspect", address)
    assert "27, load factor" in shown and "--type 'map[K]V'" in shown
    for name, line in (("entries", ""), ("stats", ""), ("find", "3"), ("bucket", "0")):
        with pytest.raises(TypeNeeded, match="name it with --type"):
            text(target, name, f"{address} {line}")


def test_the_type_of_an_address_from_the_program() -> None:
    """A variable or a frame that has the map knows its type."""
    target, model = number_map()
    model.fill({n: n for n in range(27)})
    address = hex(model.address)
    variable = target.variables["m"]
    for place in (target.locals, target.globals):
        place.append(("x", variable))
        assert dictionary(target, address) == model.truth
        place.clear()
    with model._in("mapaccess1_fast64"):
        assert dictionary(target, address) == model.truth
        assert dictionary(target, "") == model.truth  # the map of the stop
    with model._in("evacuate_fast64", oldbucket=0):
        assert one(target, "inspect")["address"] == address


def test_global_maps_are_listed() -> None:
    target, model = number_map()
    model.fill({n: n for n in range(27)})
    nil = Variable(target.variables["m"].type, None, words(0))
    wild = Variable(target.variables["m"].type, None, words(NOWHERE))
    target.globals = [("main.Nil", nil), ("main.Wild", wild), ("main.G", target.variables["m"])]
    form = one(target, "list")
    assert [m["name"] for m in form["maps"]] == ["main.G"]
    assert form["maps"][0]["count"] == 27 and form["maps"][0]["growing"] == "double"
    assert "main.G" in text(target, "list") and "double " in text(target, "list")
    # what is not listed is told, and which command has it
    (told,) = form["not_listed"]
    assert "only global variables" in told and "use map heap" in told
    assert text(target, "list").splitlines()[-1] == f"note: {told}"


def test_a_nil_map() -> None:
    target, _ = number_map()
    target.variables["m"] = Variable(target.variables["m"].type, None, words(0))
    form = one(target, "inspect", "m")
    assert form["address"] is None and form["count"] == 0 and form["type"] == "map[uint64]uint64"
    assert dictionary(target) == {}


@pytest.mark.parametrize(
    "words, nearest",
    [
        ("evacuate", "map break grow and map break done"),
        ("progress 50%", "map break grow and map break done"),
        ("assign --migrating", "map break grow and map break done"),
        ("grow --same-size", "--doubling and --split"),
        ("done --shrink", "--doubling and --split"),
    ],
)
def test_what_swiss_maps_never_do(words: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=nearest):
        text(without_maps("go1.24.1"), "break", words)


def without_maps(version: str) -> FakeTarget:
    """A program whose types do not tell which kind its maps are of."""
    program = GoProgram(version)
    program.basic("int")
    return program.finish()


def test_a_version_that_is_not_known_yet() -> None:
    target = without_maps("go1.99.1")
    FakeHost(target, {"runtime.main", GROW_TO_TABLE, GROW, SPLIT})
    said = text(target, "break", "grow")
    assert "by breakpoint" in said and "go1.99.1 is newer than what mapscope knows" in said


def test_classic_maps_of_go_1_24() -> None:
    target, model = number_map(version="go1.24.1 X:noswissmap")
    model.fill({n: n for n in range(13)})
    assert dictionary(target) == model.truth


@pytest.mark.parametrize(
    "change, about",
    [
        ({"flags": 0x40}, "flags is 0x40"),
        ({"B": 99}, "B is 99"),
        ({"buckets": 0}, "buckets is nil"),
        ({"buckets": NOWHERE}, "cannot be read"),
        ({"oldbuckets": 9}, "oldbuckets is 0x9"),
        ({"count": 1 << 50}, "count is"),
    ],
)
def test_addresses_that_hold_no_hmap(change: Dict[str, int], about: str) -> None:
    target, model = number_map()
    model.fill({n: n for n in range(27)})
    for field, value in change.items():
        model.init(field, value)
    with pytest.raises(NotAMap, match=about):
        text(target, "inspect", hex(model.address))


def test_maptypes_that_contradict_themselves() -> None:
    target, model = number_map()
    model.image.write(model.maptype + 82, struct.pack("<H", 999))
    with pytest.raises(LayoutUnknown, match="bucket of 999 bytes"):
        text(target, "inspect", "m")


def test_go_strings_in_other_sizes_of_bucket() -> None:
    """map[int8]string: keys of one byte, elements of 16."""
    program = GoProgram()
    model = program.map("m", Int(1, True, "int8"), Text(), "_fast32")
    target = program.finish()
    model.fill({n - 50: f"v{n}" * (n % 5) for n in range(100)})
    assert dictionary(target) == model.truth
    rows: List[Any] = [json.loads(r) for r in text(target, "entries", "m --json").splitlines()]
    assert len(rows) == 102


def test_a_program_that_is_no_go_program() -> None:
    target = FakeTarget(Image())
    at = target.image.place(words(1, 0, 0, 0, 0, 0))
    with pytest.raises(NotAMap, match="neither a mapscope::map nor an hmap"):
        text(target, "inspect", hex(at))
    target.variables["n"] = number(at)
    with pytest.raises(NotAMap):
        lines(target, "entries", "n")

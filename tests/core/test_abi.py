# SPDX-License-Identifier: MIT
"""The runtime found in a program, its layout taken from there, its registry."""

import pytest
from codec import Int, StdString
from cppprogram import ABI, CppProgram, map_type, shuffled
from image import NOWHERE, FakeTarget, frame, words
from looking import dictionary, lines, one, text
from mapscope.errors import Corrupt, LayoutUnknown, MapscopeError, NotAMap, UsageError
from mapscope.program.target import Section, Variable
from mapscope.program.types import Kind, Type


def program(found_by: str = "symbol") -> CppProgram:
    """A program with three maps: of 30, 3 and 0 entries."""
    made = CppProgram(found_by)
    made.map("big", Int(8), Int(8)).fill({number: number for number in range(27)})
    made.map("small", StdString(), Int(4, True)).fill({"a": -1, "b": 2, "c": 3})
    made.map("empty", Int(2), Int(2))
    return made


def hmap_of(target: FakeTarget, name: str) -> int:
    """The address that a variable holds."""
    return int.from_bytes(target.variables[name].data or b"", "little")


@pytest.mark.parametrize("found_by", ["symbol", "section", "scan"])
def test_found_by(found_by: str) -> None:
    made = program(found_by)
    maps = one(made.target, "list")["maps"]
    assert [m["count"] for m in maps] == [27, 3, 0]
    assert maps[0]["growing"] == "double" and 0 < maps[0]["progress"] < 1
    assert maps[1]["growing"] is None and maps[1]["type"] == "mapscope::map<std::string, int32>"
    assert all(m["flavor"] == "runtime" and m["name"] is None for m in maps)


def test_no_runtime() -> None:
    made = program("scan")
    made.target.section_list = []
    assert one(made.target, "list")["maps"] == []
    nothing = "no runtime of mapscope's or of Go's was recognised in this program; tables of "
    nothing += "libraries are in no list, and are looked at by their names"
    assert text(made.target, "list") == f"no maps found: {nothing}\n"


def test_the_scan_is_bounded() -> None:
    """A section larger than the limit is not read."""
    made = program("scan")
    made.target.section_list.insert(0, Section(".data", NOWHERE, NOWHERE + (1 << 40)))
    made.target.section_list.insert(0, Section(".rodata", NOWHERE, NOWHERE + 4096))
    assert len(one(made.target, "list")["maps"]) == 3


def test_two_copies_of_the_runtime() -> None:
    made = program()
    made.target.symbol_table["mapscope_abi"].append(made.abi)  # the same one twice is one
    made.target.symbol_table["mapscope_abi"].append(ABI)  # a symbol that leads nowhere
    assert len(one(made.target, "list")["maps"]) == 3


def test_another_version_is_refused_by_name() -> None:
    made = CppProgram(version=7)
    made.map("m", Int(8), Int(8)).fill({1: 1})
    for name, line in (("inspect", "m"), ("entries", "m"), ("list", "")):
        with pytest.raises(LayoutUnknown) as caught:
            text(made.target, name, line)
        message = str(caught.value)
        assert "version 7" in message and "these scripts read version 5" in message


def test_every_offset_comes_from_the_program() -> None:
    made = CppProgram(offsets=shuffled(), shards=2, stride=40)
    for number in range(5):
        model = made.map(f"m{number}", StdString(), Int(8))
        model.fill({f"key {n} of a map": n for n in range(27 + number)})
        assert dictionary(made.target, f"m{number}") == model.truth
        form = one(made.target, "inspect", f"m{number}")
        assert form["type"] == "mapscope::map<std::string, uint64>"
        assert form["hash0"] == 0xC0FFEE and form["count"] == 27 + number
    assert sorted(m["count"] for m in one(made.target, "list")["maps"]) == [27, 28, 29, 30, 31]


def test_a_registry_that_loops() -> None:
    made = program()
    hmap = hmap_of(made.target, "big")
    made.image.write_word(hmap + 48 + 32, hmap)  # next
    assert len(one(made.target, "list")["maps"]) == 3


def test_a_registry_that_leads_nowhere() -> None:
    made = program()
    made.image.write_word(made.registry, NOWHERE)
    try:
        maps = one(made.target, "list")["maps"]
    except MapscopeError as error:
        assert "cannot read" in str(error)
    else:
        assert len(maps) == 2


def test_totals() -> None:
    made = program()
    form = one(made.target, "stats")
    assert form["maps"] == 3 and form["growing"] == 1 and form["entries"] == 30
    # the empty map has no array yet
    assert form["buckets"] == 8 + 1 and form["old_buckets"] == 4
    assert form["load_factor"] == 30 / 9 and form["created"] == 3
    held = [one(made.target, "inspect", name)["bytes"] for name in ("big", "small", "empty")]
    assert form["bytes"].pop("total") == sum(sum(part.values()) for part in held)
    assert form["bytes"] == {name: sum(part[name] for part in held) for name in held[0]}
    assert "3 maps, 1 of them growing" in text(made.target, "stats")


def test_a_map_object_its_address_and_its_hmap() -> None:
    """mapscope::map is one pointer to its hmap."""
    made = program()
    type = map_type(Int(8), Int(8))
    hmap = hmap_of(made.target, "big")
    object = made.image.place(words(hmap))
    pointer = Type(Kind.POINTER, type.name + " *", 8, element=lambda: type)
    header = Type(Kind.RUNTIME_HMAP, "mapscope::hmap", 48)
    to_header = Type(Kind.POINTER, "mapscope::hmap *", 8, element=lambda: header)
    made.target.variables.update(
        object=Variable(type, object),
        pointer=Variable(pointer, None, words(object)),
        hmap=Variable(to_header, None, words(hmap)),
    )
    for line in ("object", "pointer", "hmap", hex(object), hex(hmap), str(hmap)):
        assert len(dictionary(made.target, line)) == 27, line


def test_a_map_that_was_never_written() -> None:
    made = program()
    made.target.variables["nil"] = Variable(map_type(Int(8), Int(8)), None, words(0))
    form = one(made.target, "inspect", "nil")
    assert form["address"] is None and form["count"] == 0 and form["growth"] is None
    assert lines(made.target, "entries", "nil")[1:] == [
        {"entries": 0, "complete": True, "error": None}
    ]
    assert one(made.target, "find", "nil 3")["found"] is False
    assert one(made.target, "stats", "nil")["entries"] == 0
    with pytest.raises(UsageError, match="no buckets"):
        text(made.target, "bucket", "nil 0")
    for name in ("inspect", "entries", "stats"):
        assert "nil" in text(made.target, name, "nil")
    # written once and emptied
    assert dictionary(made.target, "empty") == {}


def test_variables_that_are_not_constructed_yet() -> None:
    """What lies in a local before its constructor ran."""
    made = program()
    type = map_type(Int(8), Int(8))
    for garbage in (1, 0x7FFE00000001, NOWHERE, ABI, made.abi, (1 << 64) - 1, made.registry):
        made.target.variables["local"] = Variable(type, None, words(garbage))
        for name in ("inspect", "entries", "stats"):
            with pytest.raises((NotAMap, Corrupt)) as caught:
                text(made.target, name, "local")
            assert str(caught.value).startswith("no mapscope map at")


def test_the_map_of_the_current_stop() -> None:
    made = program()
    with pytest.raises(UsageError, match="which map"):
        text(made.target, "inspect", "")
    hmap = hmap_of(made.target, "big")
    header = Type(Kind.RUNTIME_HMAP, "mapscope::hmap", 48)
    pointer = Type(Kind.POINTER, "mapscope::hmap *", 8, element=lambda: header)
    stopped = frame("mapscope::evacuate")
    stopped.variables["h"] = Variable(pointer, None, words(hmap))
    made.target.frames = [frame("memcpy", h=5), stopped, frame("main")]
    assert one(made.target, "inspect")["count"] == 27
    assert len(lines(made.target, "entries")) == 29


def test_debug_information_names_the_types() -> None:
    """The maptype's symbol spells the class; a type of another size is not believed."""
    made = program()
    hmap = hmap_of(made.target, "small")
    maptype = made.image.word(hmap + 48 + 24)
    color = Type(Kind.ENUM, "color", 4, names={2: "green"})
    wrong = Type(Kind.INT, "short", 2)
    for elem, shown in ((color, "green"), (wrong, "2")):
        codec = Int(4)
        codec.type = elem
        found = map_type(StdString(), codec)
        made.target.symbols_at[maptype] = "mapscope::detail::typed<text, color>::type"
        made.target.types["mapscope::map<text, color>"] = found
        assert f'["b"] = {shown}\n' in text(made.target, "entries", hex(hmap))


def test_a_hash_that_these_scripts_do_not_know() -> None:
    """A program that says "integer hash" and hashes otherwise: found all the same, said so."""
    made = CppProgram()
    model = made.map("m", Int(8), Int(8))
    model.hasher = lambda key, seed: 0x4242424242424242
    model.fill({number: number for number in range(8)})
    form = one(made.target, "find", "m 3")
    assert form["found"] and form["method"] == "scan"
    assert "hashes keys in another way" in text(made.target, "find", "m 3")

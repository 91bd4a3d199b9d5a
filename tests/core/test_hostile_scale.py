# SPDX-License-Identifier: MIT
"""Damage that multiplies: one piece of memory that many pointers lead to, lengths that add up.
What a command reads and keeps stays in proportion to what there is (docs/commands.md, "Errors")."""

import struct
from typing import Callable, List, Tuple

import goprogram
import pytest
from codec import Block, Int, StdString
from cppprogram import CppProgram
from goprogram import GoProgram
from image import FakeTarget, words
from looking import Json, lines, one, text
from mapscope import shell
from mapscope.program import values
from mapscope.classic.walker import MORE_OVERFLOW, MOST_OVERFLOW
from mapscope.errors import MapscopeError
from mapscope.go.goroutines import all_goroutines
from mapscope.program.memory import Memory
from mapscope.session import Session
from model import RuntimeMap, mixed
from scenes import NUMBER, Rich, classic_scene, swiss_scene
from test_history import CREATE, Rings

MB = 1 << 20
#: where a large piece of memory is
LARGE = 0x7F0000000000


def measured(target: FakeTarget) -> List[int]:
    """[bytes read from now on]"""
    taken, read = [0], target.image.read

    def count(address: int, size: int) -> bytes:
        found = read(address, size)
        taken[0] += size
        return found

    setattr(target.image, "read", count)
    return taken


def long_texts() -> Tuple[FakeTarget, RuntimeMap]:
    """52 entries, whose values are all the same 20 MB, each a little shorter."""
    program = CppProgram()
    model = program.map("m", Int(8), StdString())
    model.fill({number: "x" * 20 for number in range(52)})
    program.image.map_region(LARGE, b"text" * (5 * MB))
    cells = 0
    for name in ("buckets", "oldbuckets"):
        array, count = model.get(name), 1 << model.get("B")
        for index in range(count if array else 0):
            for bucket in model.chain(array, index):
                for cell, top in enumerate(model.tops(bucket)):
                    if top >= 5:
                        at = model.elem_at(bucket, cell)
                        program.image.write(at, words(LARGE, 20 * MB - cells))
                        cells += 1
    assert cells == 52
    return program.target, model


def test_long_values_in_text_are_read_as_far_as_they_are_shown() -> None:
    target, _ = long_texts()
    taken = measured(target)
    shown = text(target, "entries", "m")
    assert shown.count('"...') == 52 and taken[0] < 4 * MB


def test_long_values_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    target, _ = long_texts()
    monkeypatch.setattr("mapscope.commands.entries.MOST_LONG_PRINTED", 100 * MB)
    monkeypatch.setattr("mapscope.maps.in_order.PART", 30 * MB)
    taken = measured(target)
    result: List[Json] = lines(target, "entries", "m")[1:-1]
    whole = [entry for entry in result if isinstance(entry["value"], str)]
    assert len(result) == 52 and len(whole) == 5 and taken[0] < 130 * MB
    assert "too many so long" in result[-1]["value"]["error"]


def test_values_that_lead_to_many_are_shown_in_parts() -> None:
    """So that Ctrl-C ends it, and the text of all is not held at once."""
    scene = classic_scene("", NUMBER, Rich(), 100, "_fast64")
    pieces: List[str] = []
    shell.run(scene.target, scene.target.stops, "entries", "m --json", pieces.append)
    assert sum(piece.count("\n") for piece in pieces) == 102
    assert max(piece.count("\n") for piece in pieces) <= 65


@pytest.mark.parametrize("line", ["bucket m 0", "bucket m 1", "find m 3"])
def test_long_values_that_are_kept(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target, _ = long_texts()
    monkeypatch.setattr(values.Decoder, "most_long", 45 * MB)
    taken = measured(target)
    name, _, rest = line.partition(" ")
    text(target, name, rest)
    assert taken[0] < 60 * MB


def test_large_elements_are_read_when_they_are_shown() -> None:
    """A damaged size of an element stored outside of its bucket."""
    program = CppProgram()
    model = program.map("m", Int(8), Block(200), mixed)
    model.fill({number: number for number in range(50)})
    maptype = program.image.word(model.address + 48 + 24)
    program.image.write_word(maptype + 80 + 4, 8 * MB, 4)
    program.image.map_region(LARGE, bytes(9 * MB))
    for index in range(1 << model.get("B")):
        for bucket in model.chain(model.get("buckets"), index):
            program.image.write(model.elem_at(bucket, 0), words(*[LARGE] * 8))
    taken = measured(program.target)
    for command in ("inspect m", "stats m", "entries m --limit 2", "find m 4711"):
        name, _, rest = command.partition(" ")
        text(program.target, name, rest)
    assert taken[0] < 40 * MB


def test_a_chain_that_many_chunks_lead_to() -> None:
    """A walk knows the overflow buckets of one chunk alone; what it follows in all is bounded."""
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    model.fill({number: number for number in range(10)})
    size, B, shared = model.shape.size, 12, 12_000
    array = bytearray(size << B)
    chain = b"".join(
        bytes(size - 8) + words(LARGE + (number + 1) * size) for number in range(shared - 1)
    )
    program.image.map_region(LARGE, chain + bytes(size))
    for index in (0, 64, 192, 448, 960, 1984):  # where chunks begin
        array[(index + 1) * size - 8 : (index + 1) * size] = words(LARGE)
    model.init("buckets", program.image.place(bytes(array)))
    model.init("oldbuckets", 0)
    model.init("B", B)
    most = MOST_OVERFLOW * (1 << B) + MORE_OVERFLOW
    assert 3 * shared > most > 2 * shared
    *_, last = lines(program.target, "entries", "m")
    assert "more overflow buckets than maps have" in last["error"]
    for name in ("inspect", "stats"):
        (problem,) = [p for p in one(program.target, name, "m")["problems"] if "more" in p]
        assert "than maps have" in problem


def test_a_directory_of_the_same_two_tables() -> None:
    scene = swiss_scene("", 27, 3)
    image = scene.image
    tables = [address for label, address, _ in scene.places if label == "table"][:2]
    count = 1 << 17
    image.map_region(LARGE, words(*tables) * (count // 2))
    image.write(scene.address + 16, words(LARGE, count))
    image.write(scene.address + 32, bytes([17, 47]))
    taken = measured(scene.target)
    form = one(scene.target, "inspect", "m")
    assert form["tables"] is None and "a table in two places" in form["problems"][0]
    assert taken[0] < 8 * MB


def test_tables_that_share_their_groups() -> None:
    scene = swiss_scene("", 27, 3)
    tables = [address for label, address, _ in scene.places if label == "table"]
    groups = scene.image.word(tables[0] + 16)
    for offset, table in enumerate(tables[1:], 1):
        scene.image.write_word(table + 16, groups + 8 * offset)
    problems = one(scene.target, "inspect", "m")["problems"]
    assert sum("another table's" in problem for problem in problems) == 2


def test_a_directory_that_goes_on_and_on() -> None:
    scene = swiss_scene("", 27, 3)
    scene.image.write(scene.address + 24, words(1 << 39))
    scene.image.write(scene.address + 32, bytes([39]))
    taken = measured(scene.target)
    problems = one(scene.target, "inspect", "m")["problems"]
    assert "directory: cannot read" in problems[0] and taken[0] < MB


def test_rings_that_share_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    rings = Rings(program, 1024)
    for number in range(1024):
        rings.add(rings.life, CREATE, model, number)
    shared = program.image.word(rings.life + program.offsets.history_ring["records"])
    for _ in range(40):
        ring = rings.thread()
        program.image.write(ring + program.offsets.history_ring["records"], words(shared))
        program.image.write(ring + program.offsets.history_ring["begun"], words(1024))
    monkeypatch.setattr("mapscope.flavours.cpp.rings._MAX_ALL", 5000)
    *events, last = lines(program.target, "history")[1:]
    assert len(events) == 5000 and last["overwritten"] > 0


def test_records_that_are_all_impossible() -> None:
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    rings = Rings(program, 1024)
    for number in range(1024):
        rings.add(rings.life, 99, model, number)
    *_, last = lines(program.target, "history")
    assert 0 < len(last["problems"]) <= 20


def test_shards_that_share_their_maps() -> None:
    program = CppProgram(shards=64)
    program.map("m", Int(8), Int(8)).fill({1: 1})
    head = program.image.word(program.registry + program.offsets.registry_shard["head"])
    for shard in range(64):
        at = program.registry + shard * program.stride + program.offsets.registry_shard["head"]
        program.image.write_word(at, head)
    assert len(one(program.target, "list")["maps"]) == 1


def test_one_goroutine_many_times() -> None:
    target = FakeTarget(GoProgram().image)
    g = target.image.allocate(512)
    target.image.write_word(g + 152, 1)
    target.image.write_word(g + 144, 4, 4)
    all_g = target.image.place(words(g) * 10_000)
    place = target.image.place(words(all_g, 10_000, 10_000))
    found = list(all_goroutines(Memory(target.read_memory), 19, [place], None))
    assert [(one_.id, one_.status) for one_ in found] == [(1, "_Gwaiting")]


def _itself(program: GoProgram) -> int:
    uint64 = program.basic("uint64")
    found = program.struct_type("main.T", [("A", 0, uint64)], 8)
    fields = program.image.word(found.address + 56)
    program.image.write_word(fields + 8, found.address)
    return found.address


def _deep(program: GoProgram) -> int:
    inner = program.basic("uint64")
    for depth in range(300):
        inner = program.struct_type(f"main.T{depth}", [("A", 0, inner)], 8)
    return inner.address


def _long_array(program: GoProgram) -> int:
    empty = program.struct_type("struct {}", [], 0)
    array = program.rtype(goprogram.ARRAY, "[9]uint64", 72, words(empty.address, 0, 1 << 40))
    return array.address


@pytest.mark.parametrize(
    "make, about",
    [
        (_itself, "contains itself"),
        (_deep, "contains itself"),
        (_long_array, f"{1 << 40} elements in 72 bytes"),
    ],
)
def test_types_without_an_end(make: Callable[[GoProgram], int], about: str) -> None:
    program = GoProgram()
    address = make(program)
    target = program.finish()
    with pytest.raises(MapscopeError, match=about):
        Session(target).go.type_at(address)


def test_names_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All types of the table with one long name."""
    monkeypatch.setattr("mapscope.go.descriptors._ALL_NAMES", 1 << 16)
    program = GoProgram()
    long = program.name("n" * 5000)
    for _ in range(50):
        found = program.basic("uint64")
        program.image.write(found.address + 40, struct.pack("<i", long))
    target = program.finish()
    with pytest.raises(MapscopeError, match="impossible names"):
        Session(target).go.find("map[int]int")

# SPDX-License-Identifier: MIT
"""mapscope_abi as a table: names that are missing, unknown, twice, impossible; rows that are
longer; tables that are cut off."""

import os
from typing import Callable, Dict, Tuple

import pytest
from codec import Int, Value
from cppprogram import FIELD, CppProgram, Offsets
from looking import dictionary, lines, one, text
from mapscope.errors import Corrupt, LayoutUnknown, MapscopeError
from mapscope.flavours.cpp.abi import Field, Record, read_abi
from mapscope.program.memory import Memory
from test_history import CREATE, Rings

Rows = Dict[str, Tuple[int, int, int]]
TRUTH: Dict[Value, Value] = {number: 7 * number for number in range(27)}


def program(change: Callable[[Rows], object] = lambda rows: None, longer: int = 0) -> CppProgram:
    """A program with a map m, whose table is another one."""
    rows = Offsets().rows()
    change(rows)
    made = CppProgram(rows=rows, longer=longer)
    made.map("m", Int(8), Int(8)).fill(TRUTH)
    return made


def refusal(made: CppProgram, command: str = "inspect", line: str = "m") -> str:
    """The one line with which a command refuses the table."""
    with pytest.raises((Corrupt, LayoutUnknown)) as caught:
        text(made.target, command, line)
    told = str(caught.value)
    assert "\n" not in told and f"mapscope_abi at {made.abi:#x}" in told
    return told


def number_at(made: CppProgram, offset: int, value: int, size: int) -> CppProgram:
    """The program, with another number in the table's beginning."""
    made.image.write_word(made.abi + offset, value, size)
    return made


def test_names_that_are_not_known_are_passed_over() -> None:
    """A newer library has more fields, and structs, in any place of the table."""

    def change(rows: Rows) -> None:
        old = dict(rows)
        rows.clear()
        rows.update({"a_new_struct": (0, 24, 1), "hmap.colour": (40, 8, 1), **old})
        rows["a_new_struct.a_new_field.with.parts"] = 8, 2, 8

    made = program(change)
    assert dictionary(made.target, "m") == TRUTH
    assert len(one(made.target, "list")["maps"]) == 1


def test_rows_may_be_longer() -> None:
    made = program(longer=16)
    assert dictionary(made.target, "m") == TRUTH
    assert len(one(made.target, "list")["maps"]) == 1


def test_the_order_of_rows_is_nothing() -> None:
    def change(rows: Rows) -> None:
        backwards = list(reversed(list(rows.items())))
        rows.clear()
        rows.update(backwards)

    assert dictionary(program(change).target, "m") == TRUTH


@pytest.mark.parametrize(
    "name", ["hmap.B", "mapextra.evacuating_base", "maptype.elemsize", "typeinfo.size", "mapstate"]
)
def test_a_name_that_is_missing_is_named(name: str) -> None:
    """Once, also where all maps are asked for."""
    made = program(lambda rows: rows.pop(name))
    for command, line in (("inspect", "m"), ("list", ""), ("stats", "")):
        told = refusal(made, command, line)
        assert f"does not name {name}, which these scripts need" in told
        assert told.endswith("use those that came with the program's library")


def test_a_name_is_needed_where_it_is_used() -> None:
    """A table without the history's fields still tells of maps."""
    made = program(lambda rows: rows.pop("history_record.thread"))
    model = made.map("other", Int(8), Int(8))
    rings = Rings(made)
    rings.add(rings.life, CREATE, model, 1)
    assert dictionary(made.target, "m") == TRUTH
    assert "does not name history_record.thread" in refusal(made, "history", "")


def test_a_place_that_is_missing() -> None:
    made = program()
    at = made.image.word(made.abi + 32, 4)
    made.image.write(made.abi + at, b"regxstry")
    assert "does not name registry" in refusal(made, "list", "")
    assert dictionary(made.target, "m") == TRUTH


@pytest.mark.parametrize(
    "name, row, what",
    [
        ("hmap.count", (44, 8, 1), "hmap.count has 1 x 8 bytes at 44, within 48 expected"),
        ("hmap.count", (1 << 31, 8, 1), "hmap.count has 1 x 8 bytes at 2147483648"),
        ("hmap.B", (9, 0, 1), "hmap.B has 1 x 0 bytes"),
        ("hmap.B", (9, 1, 0), "hmap.B has 0 x 1 bytes"),
        ("hmap.extra", (32, 8, 1), "hmap.extra is at 32, 40 expected"),
        ("mapextra.type", (16, 8, 1), "mapextra.type is at 16, 24 expected"),
        ("maptype.abi", (8, 8, 1), "maptype.abi is at 8, 0 expected"),
        ("hmap", (0, 56, 1), "hmap has 56 bytes, 48 expected"),
        ("event", (0, 0xFFFF, 1), "event has 1 x 65535 bytes at 0, 1 x 1 to 4096 at 0 expected"),
        ("event", (8, 128, 1), "event has 1 x 128 bytes at 8"),
        ("typeinfo", (0, 4, 1), "typeinfo.size has 1 x 4 bytes at 4, within 4 expected"),
        ("history.ticks", (16, 8, 9), "history.ticks has 9 x 8 bytes at 16, within 80 expected"),
        ("ghost.field", (0, 8, 1), "ghost.field is in a struct that does not stand in it"),
    ],
)
def test_a_row_that_is_impossible(name: str, row: Tuple[int, int, int], what: str) -> None:
    told = refusal(program(lambda rows: rows.update({name: row})))
    assert f"is impossible: {what}" in told


def test_a_struct_with_no_room_for_its_part() -> None:
    made = program(lambda rows: rows.update({"maptype.key": (56, 16, 1)}))
    assert "maptype.key has 16 bytes, typeinfo 24" in refusal(made)


@pytest.mark.parametrize("row", [(16, 16, 1), (16, 8, 2)])
def test_a_field_that_is_no_number(row: Tuple[int, int, int]) -> None:
    told = refusal(program(lambda rows: rows.update({"hmap.buckets": row})))
    assert f"{row[2]} x {row[1]} bytes for hmap.buckets" in told


def test_an_array_that_is_too_short() -> None:
    made = program(lambda rows: rows.update({"history_record.moved": (48, 2, 3)}))
    assert "cannot read history_record.moved[3]" in refusal(made, "history", "")


def test_a_name_that_stands_twice() -> None:
    made = program()
    row = made.image.read(made.field_at("hmap.flags"), FIELD.size)
    made.image.write(made.field_at("hmap.B"), row)
    assert "hmap.flags stands in it twice" in refusal(made)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"hmap.B" + 34 * b"x",
        b"hmap.\x1b[31m\0",
        b"hmap..B\0",
        b"hmap.\xff\0",
        b"B\n\0",
        b".B\0",
    ],
)
def test_a_name_that_is_none(name: bytes) -> None:
    made = program()
    made.image.write(made.field_at("hmap.B"), name.ljust(40, b"\0" if not name else b"x"))
    told = refusal(made)
    number = list(made.rows).index("hmap.B")
    assert f"field number {number} has no name" in told


def test_a_name_is_needed_to_end() -> None:
    """40 bytes without a NUL are no name, even where the offset's bytes would go on with it."""
    made = program(lambda rows: rows.update({"hmap." + 34 * "x": (0, 8, 1)}))
    assert dictionary(made.target, "m") == TRUTH
    made = program(lambda rows: rows.update({"hmap." + 35 * "x": (0, 8, 1)}))
    assert "has no name" in refusal(made)


@pytest.mark.parametrize(
    "offset, size, value, what",
    [
        (20, 4, 39, "has 39 bytes, 40 to 1048576 expected for version 5"),
        (20, 4, 0xFFFFFFFF, "has 4294967295 bytes"),
        (20, 4, 4000, r"at 200 of 4000 bytes"),
        (24, 4, 0, "at 0 of"),
        (24, 4, 0xFFFFFFF0, "at 4294967280 of"),
        (28, 2, 47, "a field of 47 bytes, 48 to 1024 expected"),
        (28, 2, 0xFFFF, "a field of 65535 bytes"),
        (30, 2, 0xFFFF, "65535 fields of 48 bytes"),
        (32, 4, 8, "4 places of 40 bytes at 8"),
        (36, 2, 0, "a place of 0 bytes, 40 to 1024 expected"),
        (38, 2, 0xFFFF, "65535 places of 40 bytes"),
    ],
)
def test_a_beginning_that_is_impossible(offset: int, size: int, value: int, what: str) -> None:
    assert what in refusal(number_at(program(), offset, value, size))


def test_a_table_that_goes_on_where_nothing_is() -> None:
    made = number_at(program(), 20, 1 << 20, 4)
    with pytest.raises(MapscopeError, match="cannot read"):
        text(made.target, "inspect", "m")


@pytest.mark.parametrize("count, width", [(0, 64), (1 << 20, 64), (4, 63)])
def test_a_registry_that_is_impossible(count: int, width: int) -> None:
    made = program()
    at = made.abi + made.image.word(made.abi + 32, 4)
    made.image.write_word(at + 32, width, 4)
    made.image.write_word(at + 36, count, 4)
    assert f"a registry of {count} shards of {width} bytes" in refusal(made, "list", "")


def test_one_bit_of_the_table_is_wrong() -> None:
    """Whatever it is, a command answers or refuses in one line."""
    made = program()
    raw = bytes(made.image.read(made.abi, made.abi_size))
    for bit in range(0, 8 * len(raw), 97 if os.environ.get("MAPSCOPE_LONG") else 397):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        made.image.write(made.abi, bytes(changed))
        for command, line in (("inspect", "m"), ("list", "--json"), ("history", "")):
            try:
                text(made.target, command, line)
            except MapscopeError as error:
                assert "\n" not in str(error)
    made.image.write(made.abi, raw)
    assert dictionary(made.target, "m") == TRUTH


def test_the_table_is_read_once_in_a_command() -> None:
    made = program()
    for number in range(20):
        made.map(f"m{number}", Int(8), Int(8)).fill({number: number})
    reads = []

    def read(address: int, size: int) -> bytes:
        reads.append(address)
        return made.image.read(address, size)

    memory = Memory(read)
    first, count = read_abi(memory, made.abi), len(reads)
    memory._pages.clear()
    assert read_abi(memory, made.abi) is first and len(reads) == count
    assert len(lines(made.target, "list")[0]["maps"]) == 21


@pytest.mark.parametrize("width", [3, 5, 7])
def test_numbers_of_odd_widths(width: int) -> None:
    """A field as wide as nothing in C is read as wide as the table says."""
    offsets = Offsets()
    offsets.hmap.update(count=33, buckets=20, oldbuckets=0, nevacuate=8, flags=16, B=17)
    offsets.hmap.update(noverflow=18, hash0=28)
    offsets.widths["hmap.count"] = width
    made = CppProgram(offsets=offsets)
    made.map("m", Int(8), Int(8), hash0=0xEE).fill(TRUTH)
    assert dictionary(made.target, "m") == TRUTH
    form = one(made.target, "inspect", "m")
    assert form["count"] == 27 and form["hash0"] == 0xEE


def test_one_number_and_numbers_that_lie_over_each_other() -> None:
    raw = bytes(range(1, 9))
    low, high = Field("low", 2, 2, 1), Field("high", 3, 2, 1)
    assert list(Record([low]).read(raw)) == [0x0403]
    assert list(Record([high, low]).read(raw, 1)) == [0x0605, 0x0504]
    apart = [Field("c", 6, 1, 1), Field("a", 0, 4, 1), low._replace(offset=4)]
    assert list(Record(apart).read(raw)) == [7, 0x04030201, 0x0605]

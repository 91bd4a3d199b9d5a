# SPDX-License-Identifier: MIT
"""Memory that no map can look like: one clear line, or what could be read and
one clear line, within a second."""

from typing import Callable, Dict, Iterator, List, Tuple

import cppprogram
import goprogram
import looking
import pytest
from codec import Int
from cppprogram import CppProgram
from hypothesis import given, settings
from hypothesis import strategies as st
from image import HEAP, NOWHERE, FakeTarget, Image, number, words
from looking import lines, one, text
from mapscope.errors import Corrupt, MapscopeError, MemoryUnreadable, NotAMap
from mapscope.program.memory import OVERLAP, PAGE, Memory, check_address
from mapscope.program.target import Variable
from mapscope.program.types import Kind, Type
from model import ClassicMap

Program = Tuple[FakeTarget, ClassicMap]
PROGRAMS: Dict[str, Callable[[], Program]] = {
    "go": goprogram.number_map,
    "runtime": cppprogram.number_map,
}
COMMANDS = ["inspect m", "entries m", "bucket m 0", "find m 1", "stats m", "list"]


@pytest.fixture(name="program", params=PROGRAMS)
def _program(request: pytest.FixtureRequest) -> Program:
    """A sound map of 100 entries, not growing, B = 4."""
    target, model = PROGRAMS[str(request.param)]()
    model.fill({number: number for number in range(100)})
    assert model.get("B") == 4 and not model.growing()
    return target, model


@pytest.fixture(autouse=True)
def _within_a_second() -> Iterator[None]:
    looking.slowest = 0.0
    yield
    assert looking.slowest < 1


def refused(target: FakeTarget, about: str) -> None:
    """Every command says so in one line, on the error channel."""
    for command in COMMANDS:
        name, _, line = command.partition(" ")
        if name == "list":
            text(target, name, line)
            continue
        with pytest.raises(MapscopeError) as caught:
            text(target, name, line)
        message = str(caught.value)
        assert about in message and message.isprintable(), message


def told(target: FakeTarget, about: str, entries: int) -> None:
    """What can be read is shown, and one problem is told of; no command fails."""
    *found, last = lines(target, "entries", "m")[1:]
    assert len(found) == last["entries"] == entries
    assert last["complete"] is False and about in last["error"]
    assert (
        text(target, "entries", "m --limit 0").count("warning: ") == last["error"].count("; ") + 1
    )
    for name in ("inspect", "stats"):
        problems = one(target, name, "m")["problems"]
        assert len(problems) == 1 and about in problems[0]
        assert f"warning: {problems[0]}\n" in text(target, name, "m")
    try:
        assert one(target, "find", "m 1")["schema"] == "mapscope.find/1"
    except Corrupt as error:  # whether a key is there is not known where nothing can be read
        assert "where the key belongs, cannot be read" in str(error)
    assert one(target, "bucket", "m 0")["schema"] == "mapscope.bucket/1"


@pytest.mark.parametrize(
    "field, value, about",
    [
        ("B", 200, "B is 200"),
        ("B", 44, "B is 44"),
        ("buckets", 3, "buckets is 0x3"),
        ("buckets", 0xDEADBEEFDEADBEE8, "buckets is 0xdeadbeefdeadbee8"),
        ("buckets", HEAP + 4, "buckets is 0xc000000004"),
        ("oldbuckets", 0x10, "oldbuckets is 0x10"),
    ],
)
def test_impossible_headers(program: Program, field: str, value: int, about: str) -> None:
    target, model = program
    model.init(field, value)
    refused(target, about)


def test_old_buckets_without_new_ones(program: Program) -> None:
    target, model = program
    model.init("oldbuckets", model.get("buckets"))
    model.init("buckets", 0)
    refused(target, "buckets is nil")


def test_b_of_0_in_a_doubling(program: Program) -> None:
    target, model = program
    model.init("oldbuckets", model.image.allocate(4096))
    model.init("B", 0)
    refused(target, "B is 0")


@pytest.mark.parametrize("count", [1 << 60, 1 << 40, (1 << 64) - 1])
def test_impossible_counts(program: Program, count: int) -> None:
    target, model = program
    model.init("count", count)
    told(target, f"count is {count}, impossible for 16 buckets", 100)


def test_a_count_that_the_cells_deny(program: Program) -> None:
    target, model = program
    model.init("count", 107)
    told(target, "count is 107, but 100 live cells were found", 100)


def test_a_count_and_no_buckets(program: Program) -> None:
    target, model = program
    model.init("buckets", 0)
    *found, last = lines(target, "entries", "m")[1:]
    assert found == [] and last["complete"] is False and "no buckets" in last["error"]


def test_buckets_in_unmapped_memory(program: Program) -> None:
    target, model = program
    model.init("buckets", NOWHERE)
    told(target, "new buckets from 0 of 16 on: cannot read", 0)


def test_an_array_that_ends_too_soon(program: Program) -> None:
    """The first 5 of 16 buckets are there."""
    target, model = program
    size = model.shape.size
    array = 0x7F0000000000 - 5 * size % 16
    model.image.map_region(array, model.image.read(model.get("buckets"), 5 * size))
    model.init("buckets", array)
    *found, last = lines(target, "entries", "m")[1:]
    assert 0 < len(found) < 100
    assert "new buckets from 5 of 16 on: cannot read" in last["error"]


def test_a_huge_array_of_which_nothing_is_there(program: Program) -> None:
    target, model = program
    model.init("B", 40)
    target.reads = 0
    *_, last = lines(target, "entries", "m")
    assert last["complete"] is False
    assert target.reads < 2000


def test_nevacuate_beyond_the_old_buckets(program: Program) -> None:
    target, model = program
    model.fill({number: number for number in range(100, 105)})
    assert model.growing()
    model.init("nevacuate", 1 << 40)
    *_, last = lines(target, "entries", "m")
    assert last["error"] == f"nevacuate is {1 << 40}, beyond the 16 old buckets"
    assert last["entries"] == 105


def chained(program: Program) -> List[int]:
    """Give bucket 0 two overflow buckets without entries; the chain's addresses."""
    _, model = program
    chain = model.chain(model.get("buckets"), 0)
    for _ in range(2):
        more = model.image.allocate(model.shape.size)
        model.image.write_word(chain[-1] + model.shape.overflow, more)
        chain.append(more)
    return chain


@pytest.mark.parametrize(
    "aim, about",
    [
        (lambda chain: chain[-2], "loops or joins another"),
        (lambda chain: chain[-1], "loops or joins another"),
        (lambda chain: chain[0], "loops or joins another"),
        (lambda chain: NOWHERE, f"at {NOWHERE:#x}"),
        (lambda chain: 0x10, "overflow pointer 0x10 of new bucket 0: no bucket can be there"),
        (lambda chain: chain[0] + 4, "no bucket can be there"),
        (lambda chain: 1 << 63, "no bucket can be there"),
    ],
    ids=["loop", "itself", "head", "unmapped", "null page", "unaligned", "kernel"],
)
def test_chains_that_go_astray(
    program: Program, aim: Callable[[List[int]], int], about: str
) -> None:
    target, model = program
    chain = chained(program)
    model.image.write_word(chain[-1] + model.shape.overflow, aim(chain))
    told(target, about, 100)


def test_a_chain_that_two_buckets_share(program: Program) -> None:
    target, model = program
    chain = chained(program)
    last = model.chain(model.get("buckets"), 3)[-1]
    model.image.write_word(last + model.shape.overflow, chain[-2])
    told(target, "loops or joins another", 100)


@pytest.mark.parametrize(
    "line, about",
    [
        ("0", "is 0, not the address of a map"),
        (f"{NOWHERE:#x}", "no map there, cannot read memory"),
        ("0xffffffffffffffff", "cannot read memory"),
        ("-1", "cannot read memory"),
        ("nonsense", 'No symbol "nonsense"'),
    ],
)
def test_what_is_no_map(program: Program, line: str, about: str) -> None:
    target, _ = program
    with pytest.raises(MapscopeError, match=about):
        text(target, "inspect", line)


def test_addresses_inside_and_beside_a_map(program: Program) -> None:
    target, model = program
    for offset in (1, 3, 4, 17):
        with pytest.raises(MapscopeError) as caught:
            text(target, "inspect", hex(model.address + offset))
        assert str(caught.value).isprintable()


@given(st.binary(min_size=48, max_size=48))
@settings(max_examples=80)
def test_any_bytes_as_a_go_header(raw: bytes) -> None:
    target, model = goprogram.number_map()
    model.image.write(model.address, raw)
    survives(target)


@given(st.lists(st.tuples(st.integers(0, 111), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=80)
def test_a_runtime_header_with_wrong_bytes(changes: List[Tuple[int, int]]) -> None:
    target, model = cppprogram.number_map()
    model.fill({number: number for number in range(27)})
    for offset, value in changes:
        model.image.write(model.address + offset, bytes([value]))
    survives(target)


@given(st.lists(st.tuples(st.integers(0, 143), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=60)
def test_buckets_with_wrong_bytes(changes: List[Tuple[int, int]]) -> None:
    target, model = cppprogram.number_map()
    model.fill({number: number for number in range(27)})
    for offset, value in changes:
        model.image.write(model.get("buckets") + offset, bytes([value]))
    survives(target)


def survives(target: FakeTarget) -> None:
    """Every command ends in a result or one line; none in an internal error."""
    for command in COMMANDS:
        name, _, line = command.partition(" ")
        for json in ("", "--json "):
            try:
                text(target, name, json + line)
            except MapscopeError as error:
                message = str(error)
                assert "internal error" not in message, (command, message)
                assert message.isprintable()


def test_a_maptype_that_is_garbage() -> None:
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    model.fill({1: 1})
    maptype = program.image.word(model.address + 48 + 24)
    program.image.write_word(maptype + 24, 7, 4)  # bucketsize
    with pytest.raises(Corrupt, match="impossible bucket layout"):
        text(program.target, "inspect", "m")
    program.image.write_word(model.address + 48 + 24, NOWHERE)
    with pytest.raises(MapscopeError, match="no m"):
        text(program.target, "inspect", "m")


def test_no_process_and_other_machines(program: Program) -> None:
    target, _ = program
    target.machine = "aarch64"
    with pytest.raises(MapscopeError, match="x86-64 programs, and this one is for aarch64"):
        text(target, "inspect", "m")
    target.process = False
    for command in COMMANDS:
        name, _, line = command.partition(" ")
        with pytest.raises(MapscopeError, match="no process"):
            text(target, name, line)


def test_values_that_are_no_maps(program: Program) -> None:
    target, _ = program
    target.variables["text"] = Variable(Type(Kind.STRING, "\x1b[31mT", 16), None, words(0, 0))
    with pytest.raises(NotAMap) as caught:
        text(target, "inspect", "text")
    assert str(caught.value) == "text is not a map: its type is \\x1b[31mT"
    nothing = Type(Kind.POINTER, "point *", 8, element=lambda: Type(Kind.STRUCT, "point", 8))
    target.variables["p"] = Variable(nothing, None, number(0).data)
    with pytest.raises(NotAMap, match="nil"):
        text(target, "inspect", "p")


# --- memory ---


@given(st.integers(0, 200_000), st.integers(0, 100_000))
def test_cached_reads_are_the_memory(offset: int, size: int) -> None:
    raw = bytes((i * 7 + i // 251) & 0xFF for i in range(1000)) * 200
    offset, size = min(offset, len(raw)), min(size, len(raw) - min(offset, len(raw)))
    target = FakeTarget(Image())
    start = 0x7F0000001238  # neither at a page's start nor its end
    target.image.map_region(start, raw)
    memory = Memory(target.read_memory)
    assert memory.read(start + offset, size) == raw[offset : offset + size]
    assert memory.read(start + offset, size) == raw[offset : offset + size]
    if size:
        with pytest.raises(MemoryUnreadable):
            memory.read(start + len(raw) - size + 1, size)


@given(st.lists(st.tuples(st.integers(-40, 70_000), st.integers(0, 700)), max_size=20))
def test_many_reads_at_once(places: List[Tuple[int, int]]) -> None:
    raw = bytes(i * 31 & 0xFF for i in range(66_000))
    target = FakeTarget(Image())
    start = 0x7F0000000000
    target.image.map_region(start, raw)
    memory = Memory(target.read_memory)
    found = memory.read_many([(start + offset, size) for offset, size in places])
    for (offset, size), piece in zip(places, found):
        inside = offset >= 0 and offset + size <= len(raw)
        if size:
            assert piece == (raw[offset : offset + size] if inside else None)
    gathered = memory.gather([start + offset for offset, _ in places], 24)
    for (offset, _), piece in zip(places, gathered):
        inside = offset >= 0 and offset + 24 <= len(raw)
        assert piece == (raw[offset : offset + 24] if inside else None)


def test_neighbours_are_read_once() -> None:
    target = FakeTarget(Image())
    memory = Memory(target.read_memory)
    for at in range(0, PAGE, 64):
        memory.read(HEAP + at, OVERLAP)
    assert target.reads == 1


@pytest.mark.parametrize("address, size", [(0, 8), (4095, 1), ((1 << 47) - 7, 8), (1 << 63, 1)])
def test_addresses_that_no_program_has(address: int, size: int) -> None:
    with pytest.raises(MemoryUnreadable):
        check_address(address, size)
    target = FakeTarget(Image())
    with pytest.raises(MemoryUnreadable):
        Memory(target.read_memory).read(address, size)
    assert target.reads == 0


def test_strings_of_c() -> None:
    target = FakeTarget(Image())
    at = target.image.place(b"x" * 300 + b"\0tail")
    memory = Memory(target.read_memory)
    assert memory.read_cstring(at) == "x" * 300
    assert memory.read_cstring(at, 100) == "x" * 100
    with pytest.raises(MemoryUnreadable):
        memory.read_cstring(NOWHERE)

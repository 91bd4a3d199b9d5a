# SPDX-License-Identifier: MIT
"""Swiss maps, read from bytes: small ones, tables, and what a debugger finds between the
stores of growToTable and installTableSplit (internal/runtime/maps/map.go, Go 1.24 to 1.27)."""

import random
import struct
from typing import Dict, List, Optional, Tuple

import pytest

from mapscope.cells.layout import BucketLayout
from mapscope.errors import MapscopeError, MemoryUnreadable, NotAMap, UsageError
from mapscope.go.size_classes import allocated
from mapscope.program.memory import Memory
from mapscope.swiss.swiss_reader import SwissHeader
from mapscope.swiss.swiss_map import SwissMap
from mapscope.program.types import Kind, Type
from mapscope.maps.found import KeyTest

NUMBER = Type(Kind.UINT, "uint64", 8)
LAYOUT = BucketLayout(8 + 8 * 16, 8, 16, 0, 16, 16)
#: as GOEXPERIMENT=mapsplitgroup has it: all keys, then all elements
SPLIT_LAYOUT = BucketLayout(8 + 8 * 16, 8, 72, 0, 8, 8)
MAP = 0x10000
START = 0xC000020000


class Program:
    """Memory with one map in it."""

    def __init__(self, layout: BucketLayout = LAYOUT) -> None:
        self.layout = layout
        self.memory: Dict[int, bytes] = {}
        self._next = START

    def put(self, data: bytes) -> int:
        """Set memory aside."""
        address = self._next
        self.memory[address] = data
        self._next += (len(data) + 0xFFF) & ~0xFFF
        return address

    def read(self, address: int, size: int) -> bytes:
        for start, data in self.memory.items():
            if start <= address and address + size <= start + len(data):
                return data[address - start : address - start + size]
        raise MemoryUnreadable(address, size)

    def group(self, slots: List[Optional[Tuple[int, int]]], deleted: int = 0) -> bytes:
        """A group of up to 8 slots; the last `deleted` free ones are tombstones."""
        slots = slots + [None] * (8 - len(slots))
        raw = bytearray(self.layout.size)
        free = [i for i, slot in enumerate(slots) if slot is None]
        for index, slot in enumerate(slots):
            if slot is None:
                raw[index] = 0xFE if index in free[len(free) - deleted :] and deleted else 0x80
                continue
            raw[index] = slot[0] & 0x7F
            struct.pack_into("<Q", raw, self.layout.key_offset(index), slot[0])
            struct.pack_into("<Q", raw, self.layout.elem_offset(index), slot[1])
        return bytes(raw)

    def table(self, entries: List[Tuple[int, int]], depth: int, deleted: int = 0) -> int:
        """A table of two groups."""
        halves: List[List[Optional[Tuple[int, int]]]] = [list(entries[::2]), list(entries[1::2])]
        groups = self.put(b"".join(self.group(half, deleted) for half in halves))
        return self.put(
            struct.pack("<HHHBxqQQ", len(entries), 16, 14 - len(entries), depth, 0, groups, 1)
        )

    def directory(self, tables: List[int]) -> int:
        return self.put(struct.pack(f"<{len(tables)}Q", *tables))

    def map(self, used: int, pointer: int, length: int, depth: int, writing: int = 0) -> SwissMap:
        self.memory[MAP] = struct.pack(
            "<QQQqBBBBQ", used, 7, pointer, length, depth, max(0, 64 - depth), writing, 0, 0
        )
        memory = Memory(self.read)
        header = SwissHeader.read(memory, MAP)
        type_name = "map[uint64]uint64"
        return SwissMap(
            memory, MAP, type_name, NUMBER, NUMBER, header, self.layout, lambda size: size
        )


def entries(view: SwissMap) -> Dict[int, int]:
    """All entries; each must be there once."""
    found: List[Tuple[object, object]] = []
    for batch in view.entries():
        for index in batch.order:
            key = batch.keys.value(index, view.decoder)
            found.append((key, batch.elems.value(index, view.decoder)))
    assert len({key for key, _ in found}) == len(found)
    return dict(found)  # type: ignore[arg-type]


def pairs(keys: range) -> List[Tuple[int, int]]:
    return [(key, key * 10) for key in keys]


@pytest.mark.parametrize("layout", [LAYOUT, SPLIT_LAYOUT])
def test_a_small_map(layout: BucketLayout) -> None:
    program = Program(layout)
    group = program.put(program.group([(1, 10), None, (3, 30)]))
    view = program.map(2, group, 0, 0)
    assert entries(view) == {1: 10, 3: 30} and not view.problems
    facts = view.facts()
    assert (facts.tables, facts.buckets) == (0, 1)
    assert [cell.state for cell in view.chain(0, False).buckets[0].cells[:3]] == [
        "full",
        "empty",
        "full",
    ]
    found = view.find(KeyTest(lambda key: key == 3))
    assert found.value == 30 and found.where is not None
    assert found.where.json_form() == {"table": 0, "group": 0, "slot": 2}
    with pytest.raises(UsageError):
        view.chain(1, False)


def test_an_empty_one() -> None:
    view = Program().map(0, 0, 0, 0)
    assert entries(view) == {} and view.tables() == []
    assert view.find(KeyTest(lambda key: True)).where is None


def test_what_was_not_read_is_not_known() -> None:
    program = Program()
    tables = [program.table(pairs(range(0, 9)), 1), program.table(pairs(range(20, 25)), 1)]
    directory = program.directory(tables)
    view = program.map(14, directory, 2, 1)
    groups = struct.unpack_from("<Q", program.memory[tables[1]], 16)[0]
    del program.memory[groups]
    summary, spread = view.summary(), view.distribution()
    assert summary.read == spread.read == (2, 4)
    assert summary.tombstones is None
    assert spread.entries is spread.bytes_used is spread.bytes_rebuilt is None
    view = program.map(14, directory, 2, 1)
    del program.memory[tables[1]]
    assert view.held() is None and view.load_factor() is None
    assert view.facts().buckets is view.facts().growth_left is None
    assert view.summary().read == (2, None)


def test_tables_and_tombstones() -> None:
    program = Program()
    tables = [program.table(pairs(range(0, 9)), 1, 1), program.table(pairs(range(20, 25)), 2)]
    tables.append(program.table(pairs(range(40, 46)), 2))
    directory = program.directory([tables[0], tables[0], tables[1], tables[2]])
    view = program.map(20, directory, 4, 2)
    assert entries(view) == dict(pairs(range(9)) + pairs(range(20, 25)) + pairs(range(40, 46)))
    facts = view.facts()
    form: Dict[str, object] = {**facts.form(), "tombstones": view.summary().tombstones}
    for other in ("flags", "hash0", "bucket_bytes", "load_factor", "grows_above"):
        del form[other]
    assert form == {
        "tables": 3,
        "groups": 6,
        "global_depth": 2,
        "growth_left": 42 - 20,
        "tombstones": 2,
    }
    spread = view.distribution()
    assert spread.entries == 20 and not view.problems
    # the first table's first group has 5 entries, its other one 4, and each has empty slots
    assert (spread.probes, spread.tombstones, spread.growth_left) == ({1: 6}, 2, 22)


def test_lookups_pass_groups_without_an_empty_slot() -> None:
    program = Program()
    full = program.group(list(pairs(range(8))))
    part = program.group(list(pairs(range(10, 13))))
    groups = program.put(full + full + full + part)
    table = program.put(struct.pack("<HHHBxqQQ", 27, 32, 1, 0, 0, groups, 3))
    view = program.map(27, program.directory([table]), 1, 0)
    # from 3: itself; from 2: 3; from 0: 1, 3; from 1: 2, 0, 3 (steps of 1, 2, 3 groups)
    assert view.distribution().probes == {1: 1, 2: 1, 3: 1, 4: 1}


def test_used_that_is_wrong_is_said() -> None:
    program = Program()
    view = program.map(5, program.put(program.group([(1, 10)])), 0, 0)
    assert entries(view) == {1: 10}
    assert view.problems == ["used is 5, but 1 full slots were found"]


def test_between_the_stores_of_grow_to_table() -> None:
    program = Program()
    table = program.table(pairs(range(8)), 0)
    # dirPtr is the directory already, dirLen still 0
    view = program.map(8, program.directory([table]), 0, 0, writing=1)
    assert entries(view) == dict(pairs(range(8)))


def test_between_the_stores_of_a_larger_directory() -> None:
    program = Program()
    a, b = program.table(pairs(range(0, 7)), 1), program.table(pairs(range(20, 27)), 1)
    truth = dict(pairs(range(7)) + pairs(range(20, 27)))
    old, new = program.directory([a, b]), program.directory([a, a, b, b])
    # globalDepth first, then dirPtr, then dirLen
    assert entries(program.map(14, old, 2, 2, writing=1)) == truth
    assert entries(program.map(14, new, 2, 2, writing=1)) == truth
    assert entries(program.map(14, new, 4, 2, writing=1)) == truth


def test_between_the_stores_of_a_split() -> None:
    program = Program()
    old = program.table(pairs(range(0, 12)), 1)
    left, right = program.table(pairs(range(0, 6)), 2), program.table(pairs(range(6, 12)), 2)
    other = program.table(pairs(range(30, 34)), 1)
    truth = dict(pairs(range(12)) + pairs(range(30, 34)))
    for first in ([old, old], [left, old], [left, right]):
        directory = program.directory([*first, other, other])
        view = program.map(16, directory, 4, 2, writing=1)
        assert entries(view) == truth, first
        assert view.summary().tombstones is not None and not view.problems


@pytest.mark.parametrize(
    "change, about",
    [
        ({"depth": 99}, "globalDepth is 99"),
        ({"length": 3}, "power of two"),
        ({"writing": 9}, "writing is 9"),
        ({"pointer": 0x20001}, "dirPtr is 0x20001"),
        ({"used": 1 << 60}, "used is"),
    ],
)
def test_what_is_no_map(change: Dict[str, int], about: str) -> None:
    fields = {"used": 1, "pointer": START, "length": 2, "depth": 1, "writing": 0, **change}
    with pytest.raises(NotAMap, match=about):
        Program().map(**fields)


def test_damage_is_bounded_and_said() -> None:
    chance = random.Random(7)
    for _ in range(300):
        program = Program()
        tables = [program.table(pairs(range(n, n + 7)), 1) for n in (0, 20)]
        directory = program.directory(tables)
        for address in list(program.memory):
            raw = bytearray(program.memory[address])
            for _ in range(chance.randint(0, 3)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            program.memory[address] = bytes(raw)
        try:
            view = program.map(14, directory, 2, 1)
            count = sum(len(batch.order) for batch in view.entries())
            assert count <= 32
            view.summary()
            view.distribution()
        except MapscopeError:
            pass


@pytest.mark.parametrize(
    "entries, measured",
    # what runtime.MemStats says that make(map[int]int, entries) takes, in Go 1.26
    [(40, 1192), (1000, 36944), (2000, 73888), (5000, 147776)],
)
def test_a_fresh_copy_takes_what_go_sets_aside(entries: int, measured: int) -> None:
    view = Program().map(0, 0, 0, 0)
    view._allocated = allocated
    assert view._bytes_rebuilt(entries) == 48 + measured


def flying(view: SwissMap) -> List[object]:
    """Keys of the entries in flight."""
    return [
        batch.keys.value(index, view.decoder)
        for batch in view.entries()
        for index in batch.in_flight
    ]


@pytest.mark.parametrize("layout", [LAYOUT, SPLIT_LAYOUT])
def test_a_group_that_clear_has_begun_to_zero(layout: BucketLayout) -> None:
    """Its control bytes go first; until they are set again, its slots are no entries."""
    program = Program(layout)
    table = program.table(pairs(range(1, 13)), 0)
    groups = max(at for at in program.memory if at < table)
    for zeroed in (8, 24, layout.size):
        raw = bytearray(program.memory[groups])
        raw[:zeroed] = bytes(zeroed)
        program.memory[groups] = bytes(raw)
        view = program.map(12, program.directory([table]), 1, 0, writing=1)
        assert entries(view) == dict(pairs(range(2, 13, 2)))


@pytest.mark.parametrize("layout", [LAYOUT, SPLIT_LAYOUT])
@pytest.mark.parametrize("cell", [0, 2])
def test_a_slot_that_delete_is_clearing(layout: BucketLayout, cell: int) -> None:
    """used is lowered first and the slot marked last; the addresses of its parts tell which."""
    program = Program(layout)
    group = program.put(program.group([*pairs(range(5))]))
    place = group + layout.key_offset(cell), group + layout.elem_offset(cell)
    view = program.map(4, group, 0, 0, writing=1)
    assert flying(view) == [0]  # nothing else is known: the one that is all zero
    for words in ([place[0]], [1, place[1], 0xFFF]):
        view = program.map(4, group, 0, 0, writing=1)
        view._words = words.copy
        assert flying(view) == [cell] and entries(view) == dict(pairs(range(5)))
    # at rest, or once it is marked, none is
    assert flying(program.map(5, group, 0, 0, writing=1)) == []
    assert flying(program.map(5, group, 0, 0)) == []

# SPDX-License-Identifier: MIT
"""`map check` of Swiss maps: one kind of damage each, found for what it is, and nothing else."""

import struct
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest
from mapscope.cells.layout import BucketLayout
from mapscope.maps.report import Activity, Report
from mapscope.program.hashing import KeyHash
from mapscope.program.memory import Memory
from mapscope.swiss.swiss_reader import SwissHeader
from mapscope.swiss.swiss_map import SwissMap
from mapscope.program.types import Kind, Type
from test_swiss import LAYOUT, MAP, NUMBER, Program

EMPTY, DELETED = 0x80, 0xFE
DEPTH, GROUPS = 1, 4
#: a key's hash, seen from outside: multiplication spreads it well enough
_FACTOR = 0x9E3779B97F4A7C15


def hash_of(key: int) -> int:
    return key * _FACTOR & (1 << 64) - 1


class Hash(KeyHash):
    """The hash of these tests."""

    name = "a factor"

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        return [hash_of(int.from_bytes(key, "little")) for key in keys]


class Swiss:
    """A map of two tables of four groups each, which are bytes that a test may change.

    :ivar tables: used, growthLeft, localDepth, index and groups of each
    """

    def __init__(self, entries: int = 40, layout: BucketLayout = LAYOUT) -> None:
        self.layout = layout
        self.groups = [bytearray(layout.size * GROUPS) for _ in range(2)]
        self.tables = [[0, 8 * GROUPS * 7 // 8, DEPTH, index] for index in range(2)]
        self.header: Dict[str, int] = dict(used=0, depth=DEPTH, shift=64 - DEPTH, writing=0)
        self.directory = [0, 1]
        for groups in self.groups:
            for group in range(GROUPS):
                groups[group * layout.size :][:8] = b""
                groups[group * layout.size : group * layout.size + 8] = bytes([EMPTY] * 8)
        for key in range(1, entries + 1):
            self.insert(key)

    def control(self, table: int, group: int, slot: int) -> int:
        return self.groups[table][group * self.layout.size + slot]

    def set_control(self, table: int, group: int, slot: int, byte: int) -> None:
        self.groups[table][group * self.layout.size + slot] = byte

    def key(self, table: int, group: int, slot: int) -> int:
        at = group * self.layout.size + self.layout.key_offset(slot)
        return int.from_bytes(self.groups[table][at : at + 8], "little")

    def put(self, table: int, group: int, slot: int, key: int, byte: Optional[int] = None) -> None:
        """A key in a slot, wherever it belongs; counted."""
        at = group * self.layout.size + self.layout.key_offset(slot)
        self.groups[table][at : at + 8] = struct.pack("<Q", key)
        self.set_control(table, group, slot, hash_of(key) & 0x7F if byte is None else byte)
        self.tables[table][0] += 1
        self.tables[table][1] -= 1
        self.header["used"] += 1

    def insert(self, key: int) -> None:
        key_hash = hash_of(key)
        table, group = key_hash >> 63, (key_hash >> 7) % GROUPS
        step = 0
        while all(self.control(table, group, slot) != EMPTY for slot in range(8)):
            step += 1
            group = (group + step) % GROUPS
        slot = next(slot for slot in range(8) if self.control(table, group, slot) == EMPTY)
        self.put(table, group, slot, key)

    def slots(self, table: int = 0) -> Iterator[Tuple[int, int, int]]:
        """(group, slot, control byte)"""
        for group in range(GROUPS):
            for slot in range(8):
                yield group, slot, self.control(table, group, slot)

    def full(self, table: int = 0) -> Tuple[int, int]:
        """Some full slot."""
        return next((g, s) for g, s, byte in self.slots(table) if byte < EMPTY)

    def free(self, table: int = 0) -> Tuple[int, int]:
        """Some empty slot."""
        return next((g, s) for g, s, byte in self.slots(table) if byte == EMPTY)

    def view(self, hashed: bool = True) -> SwissMap:
        """The map as it is found."""
        program = Program(self.layout)
        addresses = []
        for groups, (used, left, depth, index) in zip(self.groups, self.tables):
            data = program.put(bytes(groups))
            addresses.append(
                program.put(
                    struct.pack("<HHHBxqQQ", used, 8 * GROUPS, left, depth, index, data, GROUPS - 1)
                )
            )
        directory = program.directory([addresses[number] for number in self.directory])
        header = self.header
        program.memory[MAP] = struct.pack(
            "<QQQqBBBBQ",
            header["used"],
            7,
            directory,
            len(self.directory),
            header["depth"],
            header["shift"],
            header["writing"],
            1,
            0,
        )
        memory = Memory(program.read)
        return SwissMap(
            memory,
            MAP,
            "map[uint64]uint64",
            NUMBER,
            NUMBER,
            SwissHeader.read(memory, MAP),
            self.layout,
            lambda size: size,
            (lambda: (Hash(), "")) if hashed else None,
        )


def findings(view: SwissMap, *operations: str, hashes: bool = True) -> List[Tuple[str, str]]:
    """(code, message) of all findings that are no notes."""
    report = Report(lambda: Activity(operations), hashes)
    view.check(report)
    return [(f.code, f.message) for f in report.findings if f.severity != "note"]


Damage = Callable[[Swiss], Tuple[List[str], str]]


def used_differs(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.header["used"] += 2
    return ["count"], "used is 42, but 40 full slots"


def used_of_a_table_differs(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.tables[1][0] += 1
    return ["count"], "table 1 at"


def growth_left_differs(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.tables[0][1] += 1
    return ["growth-left"], "growthLeft is"


def control_byte_of_nothing(swiss: Swiss) -> Tuple[List[str], str]:
    group, slot = swiss.free()
    swiss.set_control(0, group, slot, 0x93)
    return ["control-byte"], f"table 0, group {group}, slot {slot}: control byte 0x93"


def no_empty_slot(swiss: Swiss) -> Tuple[List[str], str]:
    for group, slot, byte in list(swiss.slots()):
        if byte == EMPTY:
            swiss.set_control(0, group, slot, DELETED)
            swiss.tables[0][1] -= 1
    swiss.tables[0][1] &= 0xFFFF
    return ["growth-left", "no-empty-slot"], "a lookup that finds nothing does not end"


def index_of_another(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.tables[1][3] = 0
    return ["directory"], "index 0, but the directory has it at 1"


def depth_too_deep(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.tables[1][2] = 3
    return ["directory"], "localDepth 3, more than globalDepth 1"


def shift_is_wrong(swiss: Swiss) -> Tuple[List[str], str]:
    swiss.header["shift"] = 60
    return ["directory"], "globalShift is 60, 63 expected"


def key_of_another_hash(swiss: Swiss) -> Tuple[List[str], str]:
    group, slot = swiss.full()
    byte = swiss.control(0, group, slot)
    swiss.set_control(0, group, slot, byte ^ 1)
    return ["wrong-hash"], f"control byte {byte ^ 1:#04x}, but the hash of its key"


def key_of_another_table(swiss: Swiss) -> Tuple[List[str], str]:
    key = next(key for key in range(100, 999) if hash_of(key) >> 63)
    group, slot = next(
        (g, s)
        for g, s, byte in swiss.slots()
        if byte == EMPTY and g == (hash_of(key) >> 7) % GROUPS
    )
    swiss.put(0, group, slot, key)
    return ["wrong-bucket"], "which leads to another table"


def key_behind_an_empty_slot(swiss: Swiss) -> Tuple[List[str], str]:
    group, slot = swiss.free()
    key = next(
        key
        for key in range(100, 9999)
        if not hash_of(key) >> 63
        and (hash_of(key) >> 7) % GROUPS != group
        and any(swiss.control(0, (hash_of(key) >> 7) % GROUPS, s) == EMPTY for s in range(8))
    )
    swiss.put(0, group, slot, key)
    return ["behind-empty"], f"begin at group {(hash_of(key) >> 7) % GROUPS} and end"


def key_twice(swiss: Swiss) -> Tuple[List[str], str]:
    group, slot, key = next(
        (g, s, swiss.key(0, g, s))
        for g, s, byte in swiss.slots()
        if byte < EMPTY
        and (hash_of(swiss.key(0, g, s)) >> 7) % GROUPS == g
        and any(swiss.control(0, g, other) == EMPTY for other in range(8))
    )
    other = next(other for other in range(8) if swiss.control(0, group, other) == EMPTY)
    swiss.put(0, group, other, key)
    return ["duplicate-key"], f"the key {key} is in table 0, group {group}, slot {slot}, too"


DAMAGES: List[Damage] = [
    used_differs,
    used_of_a_table_differs,
    growth_left_differs,
    control_byte_of_nothing,
    no_empty_slot,
    index_of_another,
    depth_too_deep,
    shift_is_wrong,
    key_of_another_hash,
    key_of_another_table,
    key_behind_an_empty_slot,
    key_twice,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage(damage: Damage) -> None:
    swiss = Swiss()
    assert findings(swiss.view()) == []
    expected, message = damage(swiss)
    found = findings(swiss.view())
    if damage is shift_is_wrong:  # which sends all keys elsewhere, too
        found = [finding for finding in found if finding[0] == "directory"]
    assert [code for code, _ in found] == expected, found
    assert any(message in text for _, text in found), found


def test_keys_are_compared_where_no_hash_is_known() -> None:
    swiss = Swiss()
    assert findings(swiss.view(False)) == []
    key_twice(swiss)
    assert [code for code, _ in findings(swiss.view(False))] == ["duplicate-key"]


def test_a_write_that_is_half_done_explains_one_slot() -> None:
    swiss = Swiss()
    group, slot = swiss.full()
    swiss.set_control(0, group, slot, swiss.control(0, group, slot) ^ 1)
    swiss.header["writing"] = 1
    swiss.header["used"] += 1
    assert findings(swiss.view(), "assign") == []
    assert [code for code, _ in findings(swiss.view())] == ["write-flag", "count", "wrong-hash"]
    swiss.header["writing"] = 0
    assert [code for code, _ in findings(swiss.view(), "assign")] == ["count", "wrong-hash"]


def test_small_maps() -> None:
    program = Program()
    group = program.put(program.group([(1, 10), None, (3, 30)]))
    assert findings(program.map(2, group, 0, 0)) == []
    assert [code for code, _ in findings(program.map(3, group, 0, 0))] == ["count"]
    group = program.put(program.group([(1, 10), None, (3, 30)], deleted=1))
    assert [code for code, _ in findings(program.map(2, group, 0, 0))] == ["tombstones"]


def test_a_first_group_that_is_not_marked_yet() -> None:
    """growToSmall stores where the group is before it marks its slots as empty."""
    program = Program()
    group = program.put(bytes(LAYOUT.size))
    assert findings(program.map(0, group, 0, 0, writing=1), "assign") == []
    assert "count" in [code for code, _ in findings(program.map(0, group, 0, 0))]


def test_texts_that_are_twice_where_no_hash_is_known() -> None:
    text = Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8)
    layout = BucketLayout(8 + 8 * 24, 8, 24, 0, 24, 24)
    program = Program(layout)
    places = [program.put(word) for word in (b"apple", b"grape", b"apple")]
    raw = bytearray(layout.size)
    raw[:8] = bytes([7, 7, 7] + [EMPTY] * 5)
    for slot, place in enumerate(places):
        struct.pack_into("<QQ", raw, layout.key_offset(slot), place, 5)
    group = program.put(bytes(raw))
    view = program.map(3, group, 0, 0)
    view.key = text
    (found,) = findings(view)
    assert found == (
        "duplicate-key",
        'table 0, group 0, slot 2: the key "apple" is in table 0, group 0, slot 0, too',
    )

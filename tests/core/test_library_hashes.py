# SPDX-License-Identifier: MIT
"""Hash functions that are only taken for a table's own if its entries prove them, and the way of a
lookup through a table of slots; the hashes themselves are proved by the tables of real programs."""

from dataclasses import dataclass, field
from typing import Any, List, Optional, Sequence, Tuple

import pytest
from mapscope.maps.proved_hash import ENOUGH, prove
from mapscope.program.hashing import KeyHash
from mapscope.slots.slot_layout import Control, SlotHeader
from mapscope.slots.windows import fits, reached, windows


class Times(KeyHash):
    """Numbers times a factor; keys of an odd length are of another kind."""

    def __init__(self, factor: int) -> None:
        self.name = f"times {factor}"
        self.factor = factor

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        return [int.from_bytes(key, "little") * self.factor if key else None for key in keys]

    def kind(self, key: bytes) -> int:
        return len(key) & 1

    def of_text(self, text: bytes) -> Optional[int]:
        return int.from_bytes(text, "little") * self.factor

    def kind_of_text(self, text: bytes) -> int:
        return len(text) & 1


KEYS: List[Optional[bytes]] = [bytes([at, 0]) for at in range(16)]


def test_the_function_that_the_entries_agree_with_is_taken() -> None:
    found = prove(KEYS, [Times(3), Times(5)], lambda at, number: number == 5 * at)
    assert found is not None and found.name == "times 5"
    assert found.many([b"\7\0", b""]) == [35, None]
    assert found.of_text(b"\1\1") == 257 * 5


def test_none_is_taken_without_enough_entries_that_agree() -> None:
    few = KEYS[: ENOUGH - 1]
    assert prove(few, [Times(5)], lambda at, number: True) is None
    assert prove(KEYS, [Times(5)], lambda at, number: at % 4 != 0) is None
    assert prove([None] * 16, [Times(5)], lambda at, number: True) is None
    # one damaged entry of sixteen does not hide the function
    assert prove(KEYS, [Times(5)], lambda at, number: at != 3) is not None


def test_of_keys_of_a_kind_that_was_not_seen_nothing_is_said() -> None:
    found = prove(KEYS, [Times(5)], lambda at, number: True)
    assert found is not None
    assert found.many([b"\1\0\0"]) == [None] and found.of_text(b"abc") is None
    # nor of a kind of which those that were seen do not agree
    mixed = [*KEYS, b"\1\0\0", b"\2\0\0"]
    found = prove(mixed, [Times(5)], lambda at, number: at < 16)
    assert found is not None and found.many([b"\1\0\0", b"\1\0"]) == [None, 5]


@dataclass
class Table:
    """As much of a table of slots as a lookup needs."""

    control: Control
    bytes_of: bytes
    last_bytes: bytes = b""
    header: SlotHeader = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.bytes_of)
        self.header = SlotHeader(8, 0, count, 0x1000, 0x2000, None, 0)

    def marks(self) -> bytes:
        return self.bytes_of


LIVE = bytes(byte < 0x80 for byte in range(256))


def looked_at(table: Any, number: int) -> List[Tuple[int, bool]]:
    return [(place, ends) for place, _, ends in windows(table, number)]


def test_a_lookup_goes_on_until_there_is_an_empty_slot() -> None:
    marks = bytearray([0x7F]) * 63
    marks[40] = 0x80
    control = Control(
        LIVE, {0x80: "empty", 0xFE: "deleted"}, 16, 16, lambda number: number & 0x7F, more=1
    )
    table: Any = Table(control, bytes(marks))
    # by one group, by two: over the end, where a slot is counted that does not exist
    assert looked_at(table, 60) == [(60, False), (12, False), (44, False), (28, True)]
    assert reached(table, 43, 60) and reached(table, 28, 60) and not reached(table, 60, 40)
    assert fits(table, 3, 64 * 64 - 1) and not fits(table, 3, 60)


def test_a_lookup_goes_by_groups_that_say_for_which_hashes_they_were_full() -> None:
    control = Control(
        LIVE,
        {0: "empty"},
        15,
        16,
        lambda number: number & 0xFF,
        ways=8,
        home=lambda number: (number >> 8 & 3) * 15,
    )
    table: Any = Table(control, bytes(59), bytes([0b0010, 0, 0b0010, 0b0010]))
    assert looked_at(table, 0x201) == [(30, False), (45, False), (15, True)]
    assert looked_at(table, 0x202) == [(30, True)]
    assert reached(table, 58, 0x201) and not reached(table, 58, 0x202)
    # all groups full of that class: each is looked at once
    table.last_bytes = bytes([0xFF] * 4)
    assert [place for place, _ in looked_at(table, 0x300)] == [45, 0, 30, 15]


@pytest.mark.parametrize("ways", [0, 8])
def test_a_lookup_in_what_could_not_be_read_ends(ways: int) -> None:
    control = Control(LIVE, {0x80: "empty"}, 16, 16, lambda number: number & 0x7F, ways=ways)
    table: Any = Table(control, bytes([1]) * 64, b"")
    table.bytes_of = b""
    for _, window, _ in windows(table, 12345):
        assert not window

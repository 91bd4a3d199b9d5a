# SPDX-License-Identifier: MIT
"""The history of a program, read from an image of its rings (runtime's history.h)."""

import struct
from typing import Dict, List, Optional, Tuple

import pytest
from codec import Int
from cppprogram import CppProgram, Offsets, shuffled
from goprogram import number_map
from image import NOWHERE
from looking import Json, lines, text
from mapscope.errors import MapscopeError
from mapscope.flavours.cpp.rings import NoHistory
from model import RuntimeMap

#: MAPSCOPE_EVENT_..., by bit number
GROW, EVACUATE, DONE, CLEAR, RACE, DESTROY, CREATE, REBUILD = 0, 1, 3, 6, 7, 8, 11, 12
NANOSECONDS, TSC = 1, 2
EVACUATED, SECOND, SECOND_EVACUATED = 0x10, 0x20, 0x40


class Rings:
    """Writes records as the runtime does.

    :param capacity: of each ring
    """

    def __init__(self, program: CppProgram, capacity: int = 8, clock: int = NANOSECONDS) -> None:
        self.image, self.offsets = program.image, program.offsets
        self.capacity = capacity
        self.at = program.history
        self._rings: Dict[int, int] = {}
        self._put(self.at, self.offsets.history["clock"], clock, 4)
        self._put(self.at, self.offsets.history["pairs"], 1, 4)
        self._put(self.at, self.offsets.history["wall"], 1_000_000_000 * 10**9)
        self.life = self._ring()
        self._put(self.at, self.offsets.history["life"], self.life)
        self._last = 0

    def _put(self, base: int, offset: int, value: int, size: int = 8) -> None:
        self.image.write_word(base + offset, value, size)

    def _ring(self) -> int:
        size = self.offsets.history_record["size"]
        ring = self.image.allocate(64, 8)
        self._rings[ring] = self.image.allocate(self.capacity * size, 64)
        self._put(ring, self.offsets.history_ring["records"], self._rings[ring])
        self._put(ring, self.offsets.history_ring["capacity"], self.capacity)
        return ring

    def pair(self, index: int, ticks: int, nanoseconds: int) -> None:
        """A comparison of the clocks."""
        self._put(self.at + 8 * index, self.offsets.history["ticks"], ticks)
        self._put(self.at + 8 * index, self.offsets.history["nanoseconds"], nanoseconds)

    def thread(self) -> int:
        """A ring of evacuations."""
        ring = self._ring()
        self._put(ring, self.offsets.history_ring["next"], self._last)
        self._last = ring
        self._put(self.at, self.offsets.history["rings"], ring)
        return ring

    def add(
        self,
        ring: int,
        event: int,
        model: RuntimeMap,
        clock: int,
        B: int = 0,
        old_B: int = 0xFF,
        flags: int = 0,
        detail: int = 0,
        buckets: Optional[Tuple[int, int]] = None,
        moved: Tuple[int, int, int, int] = (0, 0, 0, 0),
        sequence: Optional[int] = None,
    ) -> None:
        """One record more."""
        at = self.offsets.history_record
        begun_at = ring + self.offsets.history_ring["begun"]
        number = self.image.word(begun_at)
        self.image.write_word(begun_at, number + 1)
        raw = bytearray(at["size"])
        behind = model.address + 48 + self.offsets.mapextra["type"]
        for name, value in (
            ("sequence", number + 1 if sequence is None else sequence),
            ("clock", clock),
            ("map", model.address),
            ("type", self.image.word(behind)),
            ("count", 7),
            ("detail", detail),
        ):
            struct.pack_into("<Q", raw, at[name], value)
        if buckets is not None:
            struct.pack_into("<I", raw, at["bucket"], buckets[0])
            struct.pack_into("<I", raw, at["second"], buckets[1])
        struct.pack_into("<4H", raw, at["moved"], *moved)
        for name, value in (("event", event), ("flags", flags), ("B", B), ("old_B", old_B)):
            raw[at[name]] = value
        struct.pack_into("<I", raw, at["thread"], 4711)
        place = self._rings[ring] + number % self.capacity * at["size"]
        self.image.write(place, bytes(raw))


def program(offsets: Optional[Offsets] = None) -> Tuple[CppProgram, RuntimeMap, Rings]:
    """A program with one map, and a history with nothing in it."""
    made = CppProgram(offsets=offsets)
    model = made.map("m", Int(8), Int(8))
    model.fill({number: number for number in range(9)})
    return made, model, Rings(made)


def events(made: CppProgram, line: str = "") -> List[Json]:
    """The events alone."""
    return lines(made.target, "history", line)[1:-1]


@pytest.mark.parametrize("offsets", [Offsets(), shuffled()])
def test_both_rings_in_the_order_of_the_clock(offsets: Offsets) -> None:
    made, model, rings = program(offsets)
    thread = rings.thread()
    rings.add(rings.life, CREATE, model, 10, detail=5)
    rings.add(rings.life, GROW, model, 2_000_000_000, B=2, old_B=1, detail=1)
    moved = (1, 2, 3, 4)
    flags = SECOND | EVACUATED | SECOND_EVACUATED
    rings.add(thread, EVACUATE, model, 3_000_000_000, 2, 1, flags, buckets=(1, 0), moved=moved)
    rings.add(rings.life, DONE, model, 4_000_000_000, B=2, old_B=1)
    found = events(made)
    assert [e["event"] for e in found] == ["created", "grow", "evacuate", "evacuate", "done"]
    assert [e["time"] for e in found] == [1e-8, 2.0, 3.0, 3.0, 4.0]
    assert all(e["type"] == "mapscope::map<uint64, uint64>" for e in found)
    assert all(e["map"] == hex(model.address) and e["kernel_thread"] == 4711 for e in found)
    assert found[0]["hint"] == 5 and found[0]["kind"] is None and found[0]["buckets"] == 1
    assert found[1]["kind"] == "double" and found[1]["overflow"] == 1
    assert (found[1]["old_buckets"], found[1]["buckets"]) == (2, 4)
    assert [(e["bucket"], e["moved"]) for e in found[2:4]] == [(1, [1, 2]), (0, [3, 4])]
    shown = text(made.target, "history").splitlines()
    assert shown[0] == "seconds since 2001-09-09 01:46:40.000000 UTC, thread, event"
    map = f"map[{model.address:#x}]"
    assert shown[1:] == [
        f"    0.000000  4711  {map} created with hint 5 (buckets: 1)",
        f"    2.000000  4711  {map} grows from 2 to 4 buckets (entries: 8 with the new one, "
        "load factor: 4.00 -> 2.00)",
        f"    3.000000  4711  {map} bucket migration: bkt#1 -> bkt#1, bkt#3 (1 + 2 keys moved)",
        f"    3.000000  4711  {map} bucket migration: bkt#0 -> bkt#0, bkt#2 (3 + 4 keys moved)",
        f"    4.000000  4711  {map} growth done: 4 buckets",
    ]


def test_the_rate_of_the_counter() -> None:
    """Ticks become seconds by the newest comparison; before there is one, nobody knows."""
    made, model, _ = program()
    rings = Rings(made, clock=TSC)
    rings.pair(0, 1000, 50)
    rings.add(rings.life, CREATE, model, 1000)
    rings.add(rings.life, DESTROY, model, 5000)
    assert [e["time"] for e in events(made)] == [None, None]
    assert "           ?  4711" in text(made.target, "history")
    rings.pair(2, 3000, 1050)  # 2000 ticks in 1000 ns
    made.image.write_word(rings.at + made.offsets.history["pairs"], 2, 4)
    assert [e["time"] for e in events(made)] == [0.0, 2e-6]
    rings.pair(1, 5000, 50 + 1000)
    made.image.write_word(rings.at + made.offsets.history["pairs"], 3, 4)
    assert [e["time"] for e in events(made)] == [0.0, 1e-6]


def test_records_that_are_being_written_are_left_out() -> None:
    made, model, rings = program()
    thread = rings.thread()
    rings.add(rings.life, CREATE, model, 1)
    rings.add(rings.life, GROW, model, 2, 1, 0, sequence=2 | 1 << 63)
    rings.add(thread, EVACUATE, model, 3, 1, 0, buckets=(0, 0), sequence=0)
    rings.add(thread, EVACUATE, model, 4, 1, 0, buckets=(0, 9))  # begun: no second one yet
    found = events(made)
    assert [(e["event"], e["finished"]) for e in found] == [("created", None), ("evacuate", False)]
    assert found[1]["moved"] is None
    assert "bkt#0 begun, not finished" in text(made.target, "history")


def test_overwritten_ones_are_counted_and_the_newest_are_there() -> None:
    made, model, rings = program()
    for number in range(21):
        rings.add(rings.life, CLEAR, model, number, B=3)
    head, *found, last = lines(made.target, "history")
    assert head["started"] is not None
    assert [e["sequence"] for e in found] == list(range(14, 22))
    assert last == {"events": 8, "earlier": 0, "overwritten": 13, "problems": []}
    assert "13 older events were overwritten" in text(made.target, "history")
    assert [e["sequence"] for e in events(made, "--last 3")] == [19, 20, 21]
    assert "(5 earlier events: --last N shows more" in text(made.target, "history", "--last 3")


def test_one_map_also_when_it_is_gone() -> None:
    made, model, rings = program()
    other = made.map("other", Int(8), Int(8))
    other.fill({1: 1})
    for number in range(3):
        rings.add(rings.life, CLEAR, (model, other)[number % 2], number)
    assert [e["sequence"] for e in events(made, "m")] == [1, 3]
    assert [e["sequence"] for e in events(made, hex(other.address))] == [2]
    gone = other.address
    made.image.write(gone, bytes(216))
    assert [e["sequence"] for e in events(made, hex(gone))] == [2]
    with pytest.raises(MapscopeError, match="no map at"):
        events(made, hex(gone + 8))


@pytest.mark.parametrize(
    "kind, B, old_B, said",
    [
        ("same-size", 3, 3, "grows same-size at 8 buckets (overflow: 6)"),
        ("shrink", 2, 3, "shrinks from 8 to 4 buckets (entries: 7, load factor: 0.88 -> 1.75)"),
    ],
)
def test_kinds_of_growth(kind: str, B: int, old_B: int, said: str) -> None:
    made, model, rings = program()
    rings.add(rings.life, GROW, model, 1, B, old_B, detail=6)
    assert events(made)[0]["event"] == events(made)[0]["kind"] == kind
    assert said in text(made.target, "history")


def test_what_else_happens() -> None:
    made, model, rings = program()
    message = made.image.place(b"concurrent map writes\x1b[31m\0", 1)
    rings.add(rings.life, REBUILD, model, 1, 2, 5, detail=3)
    rings.add(rings.life, DONE, model, 2, 2, 3, flags=4)
    rings.add(rings.life, DONE, model, 3, 2, 3, flags=8)
    rings.add(rings.life, RACE, model, 4, 2, detail=message)
    rings.add(rings.life, RACE, model, 5, 2, detail=NOWHERE)
    shown = text(made.target, "history")
    for part in (
        "rebuild with hint 3 (entries: 7, buckets: 32)",
        "growth abandoned by clear: 4 buckets",
        "growth abandoned by the end of the map: 4 buckets",
        "race: concurrent map writes\\x1b[31m",
        "race: concurrent access",
    ):
        assert part in shown
    assert "\x1b" not in shown


def test_programs_without_one() -> None:
    with pytest.raises(NoHistory, match="built without debug support"):
        text(CppProgram(debug=False).target, "history")
    made = CppProgram()
    assert text(made.target, "history") == "nothing recorded yet: no map was written to\n"
    made.target.symbol_table.clear()
    with pytest.raises(NoHistory, match="without the mapscope runtime.*happens to them$"):
        text(made.target, "history")


@pytest.mark.parametrize("version", ["go1.19.8", "go1.26.1"])
def test_go_programs_have_none(version: str) -> None:
    with pytest.raises(NoHistory, match="it is a Go program, .*map trace on logs it from now on$"):
        text(number_map(version=version)[0], "history")


def test_rings_that_are_damaged() -> None:
    """Each is one line, and what can be read is shown."""
    made, model, rings = program()
    rings.add(rings.life, CREATE, model, 1)
    rings.add(rings.life, 40, model, 2)
    rings.add(rings.life, GROW, model, 2, B=200, old_B=199)
    thread = rings.thread()
    rings.add(thread, EVACUATE, model, 3, 1, 0, EVACUATED, buckets=(0, 0))
    *_, last = lines(made.target, "history")
    assert last["events"] == 2 and len(last["problems"]) == 2
    at = made.offsets.history_ring
    for name, value in (("capacity", 12), ("capacity", 1 << 60), ("begun", 1 << 63)):
        before = made.image.word(thread + at[name])
        made.image.write_word(thread + at[name], value)
        *_, last = lines(made.target, "history")
        assert "evacuations: impossible ring" in " ".join(last["problems"])
        made.image.write_word(thread + at[name], before)
    made.image.write_word(thread + at["records"], NOWHERE)
    assert "evacuations: " in " ".join(lines(made.target, "history")[-1]["problems"])
    made.image.write_word(thread + at["next"], thread)
    assert "has no end" in " ".join(lines(made.target, "history")[-1]["problems"])
    made.image.write_word(thread + at["next"], NOWHERE)
    assert events(made)[0]["event"] == "created"

# SPDX-License-Identifier: MIT
"""`map entries --sort`: the first entries by key or value, and how many are held for that."""

import json
import math
import random
from typing import Any, Callable, List

import pytest
from codec import Double, Int, StdString
from cppprogram import CppProgram
from image import FakeTarget
from looking import lines, text
from mapscope import shell
from mapscope.errors import MapscopeError, UsageError
from mapscope.maps import in_order
from mapscope.maps.in_order import FirstOnes, Rank, rank
from mapscope.maps.view import MapView
from mapscope.program.values import (
    Address,
    EnumValue,
    InterfaceValue,
    NestedMap,
    StructValue,
    Unreadable,
)

WORDS = ["", "B", "a", "a" * 20, "ab", "\u00e9", "\u20ac", "\U0001f5fa", "\uff5e", "z\n", '"']


def numbers() -> FakeTarget:
    """-13 .. 13 in the middle of a growth; each one's value is its square."""
    program = CppProgram()
    model = program.map("m", Int(4, True), Int(8))
    model.fill({number: number * number for number in range(-13, 14)})
    assert model.growing()
    return program.target


def keys(target: FakeTarget, line: str, what: str = "key") -> List[Any]:
    _, *rows, _ = lines(target, "entries", "m " + line)
    return [row[what] for row in rows]


def test_numbers_are_numbers() -> None:
    target = numbers()
    assert keys(target, "") != list(range(-13, 14))
    assert keys(target, "--sort key") == list(range(-13, 14))
    assert keys(target, "--sort key --limit 4") == [-13, -12, -11, -10]
    assert keys(target, "--sort key --limit 4 --offset 25") == [12, 13]
    assert keys(target, "--sort value --limit 5", "value") == [0, 1, 1, 4, 4]
    assert keys(target, "--sort key --match 13") == [-13, 13]
    *_, last = lines(target, "entries", "m --sort key --limit 4")
    assert last == {"entries": 4, "complete": False, "error": None}
    *_, last = lines(target, "entries", "m --sort key --offset 4")
    assert last == {"entries": 23, "complete": True, "error": None}
    shown = text(target, "entries", "m --sort value --limit 1 --where")
    assert shown.splitlines()[1].startswith("  [0] = 0  (")
    assert "1 entries shown; --limit 0 shows all" in shown
    places = {row["key"]: row["where"] for row in lines(target, "entries", "m --where")[1:-1]}
    sorted_ones = lines(target, "entries", "m --where --sort value")[1:-1]
    assert {row["key"]: row["where"] for row in sorted_ones} == places


def test_ties_stay_in_the_order_of_memory() -> None:
    target = numbers()
    order = keys(target, "")
    assert keys(target, "--sort value") == sorted(order, key=lambda key: int(key) ** 2)
    assert (
        keys(target, "--sort value --limit 6") == sorted(order, key=lambda key: int(key) ** 2)[:6]
    )


def test_text_by_its_bytes() -> None:
    program = CppProgram()
    program.map("m", StdString(), Int(8)).fill({word: at for at, word in enumerate(WORDS)})
    assert keys(program.target, "--sort key") == sorted(WORDS, key=str.encode)
    assert keys(program.target, "--sort key --limit 3") == sorted(WORDS, key=str.encode)[:3]


def test_fractions() -> None:
    program = CppProgram()
    values = [2.5, -math.inf, math.nan, -0.5, 1e300, math.inf, 10.0]
    program.map("m", Int(8), Double()).fill(dict(enumerate(values)))
    shown = keys(program.target, "--sort value", "value")
    assert shown == ["-Infinity", -0.5, 2.5, 10.0, 1e300, "Infinity", "NaN"]


def test_values_of_any_kind() -> None:
    """As interfaces hold them: none is compared with what it cannot be compared with."""
    kinds: List[Any] = [
        None,
        EnumValue(-3, "minus"),
        False,
        2,
        2.5,
        Address(0x1000),
        math.nan,
        1 + 2j,
        1 + 3j,
        "text",
        b"text\xff",
        [1, 2],
        [1, 2, 0],
        StructValue((("a", 1), ("b", Unreadable("no")))),
        NestedMap("map[int]int", 16, 3),
        Unreadable("no"),
    ]
    ranks = [rank(kind) for kind in kinds]
    assert sorted(ranks) == ranks
    held = [InterfaceValue("T", kind) for kind in kinds]
    assert [rank(kind) for kind in sorted(random.Random(3).sample(held, len(held)), key=rank)] == [
        rank(kind) for kind in held
    ]
    assert rank(InterfaceValue("int", 3)) < rank(InterfaceValue("uint8", 3)) < rank(4)


def line_of(found: List[Rank]) -> Callable[[List[int]], List[str]]:
    return lambda places: [str(found[at][1]) for at in places]


@pytest.mark.parametrize("wanted", [1, 7, 90, 1000, None])
def test_what_is_held(wanted: "int | None") -> None:
    order = list(range(1000))
    random.Random(wanted).shuffle(order)
    first = FirstOnes(wanted)
    for start in range(0, 1000, 64):
        some: List[Rank] = [(1, number) for number in order[start : start + 64]]
        first.offer(some, line_of(some))
    assert first.lines() == [str(number) for number in range(wanted or 1000)][:1000]
    assert first.seen == 1000 and not first.full


@pytest.mark.parametrize("most", ["MOST_HELD", "MOST_HELD_BYTES"])
def test_no_more_is_held(monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    """Then the first ones are shown, and how many of how many is said."""
    target = numbers()
    monkeypatch.setattr(in_order, most, 10 if most == "MOST_HELD" else 4000)
    head, *rows, last = lines(target, "entries", "m --sort key")
    shown = [row["key"] for row in rows]
    assert 1 <= len(shown) < 27 and shown == list(range(-13, 14))[: len(shown)]
    assert last["complete"] is False and last["entries"] == len(shown)
    assert last["error"].startswith(f"the first {len(shown)} of 27 entries in this order: no more")
    said = text(target, "entries", "m --sort key --limit 0")
    held = said.count("] = ")
    assert 1 <= held < 27 and f"warning: the first {held} of 27 entries in this order" in said
    assert said.endswith(f"{held} entries shown\n")
    assert lines(target, "entries", "m --sort key --limit 1")[-1]["error"] is None


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at is shown, in order."""
    target = numbers()

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(target, "progress", interrupted)
    *_, last = lines(target, "entries", "m --sort key")
    assert last["complete"] is False and last["error"].startswith("interrupted: the first of the ")
    monkeypatch.undo()
    pieces: List[str] = []

    def write(piece: str) -> None:
        pieces.append(piece)
        raise KeyboardInterrupt

    with pytest.raises(MapscopeError, match="interrupted"):
        shell.run(target, target.stops, "entries", "m --json --sort key", write)
    assert json.loads(pieces[0])["schema"] == "mapscope.entries/1"


def test_what_cannot_be_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    target = numbers()
    with pytest.raises(UsageError, match="invalid choice: 'size'"):
        text(target, "entries", "m --sort size")
    monkeypatch.setattr(MapView, "has_values", False)
    with pytest.raises(MapscopeError, match="has no values: --sort key"):
        text(target, "entries", "m --sort value")


def test_what_could_not_be_read_is_last() -> None:
    program = CppProgram()
    model = program.map("m", StdString(), Int(8))
    model.fill({"b" * 40: 1, "a" * 40: 2, "c": 3})
    # the text of one lies nowhere any more
    target = program.target
    where = next(
        row["where"]
        for row in lines(target, "entries", "m --where")[1:-1]
        if row["key"].startswith("a")
    )
    cell = lines(target, "bucket", f"m {where['bucket']}")[0]["buckets"][where["chain"]]
    slot = int(cell["address"], 16) + cell["cells"][where["cell"]]["key_offset"]
    program.image.write(slot, (0xDEAD0000).to_bytes(8, "little"))
    _, *rows, last = lines(target, "entries", "m --sort key")
    assert [row["value"] for row in rows] == [1, 3, 2] and "error" in rows[-1]["key"]
    assert last["error"] == "the key of 1 entries could not be read; they stand last"
    assert last["complete"] is False

# SPDX-License-Identifier: MIT
"""A map of the C++ runtime, seen after every single store of what is done to it.

The stores come in the order that layout.h promises, so memory alone must tell:
there are no frames here.
"""

from typing import Callable, Dict, List, Tuple

import pytest
from codec import Block, Int, StdString, Text, Value
from cppprogram import CppProgram, Offsets, number_map, shuffled, text_map
from image import FakeTarget
from looking import Json, Watcher, dictionary, lines, one, text, times
from model import SAME_SIZE_GROW, RuntimeMap, mixed

Program = Tuple[FakeTarget, RuntimeMap]


def odd_sizes() -> Program:
    """Signed 16-bit keys, string views as elements."""
    program = CppProgram()
    return program.target, program.map("m", Int(2, True), Text())


def indirect() -> Program:
    """Keys and elements over 128 bytes, with debug information to show them."""
    program = CppProgram()

    def spread(key: Value, seed: int) -> int:
        return mixed(key, seed)

    model = program.map("m", Block(136), Block(160), spread, typed=True)
    return program.target, model


def other_layout() -> Program:
    """All offsets elsewhere than layout.h has them now."""
    program = CppProgram(offsets=shuffled(), shards=3, stride=24)
    return program.target, program.map("m", Int(8), StdString())


PROGRAMS: Dict[str, Callable[[], Program]] = {
    "numbers": number_map,
    "strings": text_map,
    "odd sizes": odd_sizes,
    "indirect": indirect,
    "another layout": other_layout,
}
#: keys that can be typed as text
FINDABLE = ("numbers", "strings", "odd sizes", "another layout")


def key(model: RuntimeMap, number: int) -> Value:
    """Some key; texts short and long, to lie inside and outside of their objects."""
    if isinstance(model.key, (StdString, Text)):
        return f"key {number} " + "x" * (number % 4 * 7)
    signed = isinstance(model.key, Int) and model.key.signed
    return number * 3 - (20 if signed else 0)


def value(model: RuntimeMap, number: int) -> Value:
    """Some value."""
    text = isinstance(model.elem, (StdString, Text))
    return f"v{number}" * (number % 9 + 1) if text else number + 1000


def filled(kind: str, entries: int) -> Program:
    """A program whose map has that many entries, put in unseen."""
    target, model = PROGRAMS[kind]()
    model.fill({key(model, n): value(model, n) for n in range(entries)})
    return target, model


@pytest.mark.parametrize("kind", PROGRAMS)
def test_doubling(kind: str) -> None:
    target, model = filled(kind, 26)
    with Watcher(target, model, find=kind == "numbers") as watcher:
        for number in range(26, 30):
            model.assign(key(model, number), value(model, number))
    assert not model.growing()
    assert watcher.growths["double"] > times(50) and watcher.in_flight > 10
    assert dictionary(target) == model.truth


@pytest.mark.parametrize("kind", PROGRAMS)
def test_same_size(kind: str) -> None:
    target, model = PROGRAMS[kind]()
    crowd = {key(model, number): 0 if number < 25 else 1 for number in range(34)}
    usual = model.hasher
    model.hasher = lambda k, s: usual(k, s) & 0xFF << 56 | crowd.get(k, mixed(k, 1) & 3)
    names = list(crowd)
    model.fill({k: value(model, n) for n, k in enumerate(names[:25])})
    for number, name in enumerate(names[:25]):
        if number % 4:
            model.delete(name)
    model.fill({k: value(model, n) for n, k in enumerate(names[25:], 25)})
    assert not model.growing() and model.get("noverflow") >= 1 << model.get("B")
    with Watcher(target, model, made=["wrong-bucket"]) as watcher:
        model.assign(key(model, 98), value(model, 98))
        assert model.get("flags") & SAME_SIZE_GROW
        model.delete(names[0])
        model.assign(key(model, 99), value(model, 99))
    assert watcher.growths["same-size"] > times(50)
    assert not model.growing()
    assert dictionary(target) == model.truth


@pytest.mark.parametrize("kind", FINDABLE)
def test_from_nothing(kind: str) -> None:
    target, model = PROGRAMS[kind]()
    grown = []
    with Watcher(target, model, find=kind == "numbers", only=lambda n: n % 2 == 0) as watcher:
        for number in range(30):
            before = model.get("B")
            model.assign(key(model, number), value(model, number))
            if model.get("B") > before:
                grown.append(number + 1)
    assert grown == [9, 14, 27]
    assert watcher.stops > 150


@pytest.mark.parametrize("kind", PROGRAMS)
def test_erase_and_overwrite(kind: str) -> None:
    target, model = filled(kind, 27)
    with Watcher(target, model, only=lambda n: n % 2 == 1):
        for number in range(0, 27, 4):
            model.delete(key(model, number))
            model.assign(key(model, number + 1), value(model, number + 500))
        for number in range(27):
            model.delete(key(model, number))
    assert model.truth == {} == dictionary(target)


def test_spare_overflow_buckets() -> None:
    target, model = number_map(hasher=lambda k, s: mixed(k, s) & 0xFF << 56 | (int(k) & 1))
    model.fill({number: number for number in range(104)})
    assert model.get("B") == 4 and not model.growing()
    before = one(target, "inspect", "m")["overflow"]
    with Watcher(target, model, only=lambda n: n % 5 == 0):
        for number in range(200, 240):
            model.assign(number, number)
    after = one(target, "inspect", "m")["overflow"]
    assert before["spare"] <= 1 and after["spare"] == 0
    assert after["in_use"] > before["in_use"] > 0


@pytest.mark.parametrize("field", ["nevacuate", "oldbuckets", "buckets", "B", "flags", "noverflow"])
@pytest.mark.parametrize("offsets", [Offsets(), shuffled()], ids=["layout.h", "another layout"])
def test_each_store_of_hash_grow(field: str, offsets: Offsets) -> None:
    """Only the last store, nevacuate = 0, installs the growth."""
    program = CppProgram(offsets=offsets)
    target, model = program.target, program.map("m", Int(8), Int(8))
    model.fill({number: number + 1 for number in range(26)})
    seen: List[Json] = []

    def stop(address: int) -> None:
        if address == model.address + model.fields[field][0]:
            if model.get("nevacuate") >> 63:  # between the first store and the last
                seen.append(one(target, "inspect", "m"))
                assert dictionary(target) == model.truth

    model.image.after_store = stop
    model.assign(1000, 1)
    assert len(seen) == 1
    form = seen[0]
    assert form["growth"] is None
    assert form["B"] == 2 and form["buckets"] == 4 and form["grows_above"] == 26
    assert form["count"] == 26


def test_entry_in_flight_is_shown_where_it_still_is() -> None:
    target, model = filled("strings", 27)
    assert model.growing()
    flights: List[Json] = []

    def stop(_: int) -> None:
        entries = lines(target, "entries", "m --where")[1:-1]
        flights.extend(entry for entry in entries if entry.get("in_flight"))

    bucket = model.get("nevacuate")
    model.image.after_store = stop
    model.evacuate(bucket)
    assert {(f["where"]["array"], f["where"]["bucket"]) for f in flights} == {("old", bucket)}
    assert all(model.truth[f["key"]] == f["value"] for f in flights)
    # mark, the words of key and element: each is a moment at which the entry flies
    assert len(flights) > 3 * len({f["key"] for f in flights})


def shrinking_map() -> Tuple[FakeTarget, RuntimeMap]:
    """A map of 30 entries that has begun to halve from 32 buckets."""
    target, model = number_map()
    model.fill({number: number for number in range(105)})
    while model.growing():
        model.fill({0: 0})
    for number in range(30, 105):
        model.delete(number)
    model.shrink()
    return target, model


def test_shrinking_between_writes() -> None:
    """A halving migration (flag shrinking) at rest after each evacuated bucket."""
    target, model = shrinking_map()
    total = model.old_count()
    for bucket in range(total):
        growth = one(target, "inspect", "m")["growth"]
        assert growth["kind"] == "shrink" and growth["old_buckets"] == total == 32
        assert growth["evacuated"] == bucket == growth["nevacuate"]
        assert dictionary(target) == model.truth
        form = one(target, "find", "m 7")
        assert form["found"] and form["entry"]["value"] == 7
        model.evacuate(bucket)
    assert one(target, "inspect", "m")["growth"] is None
    assert dictionary(target) == model.truth


def test_shrinking_at_every_store() -> None:
    """Each entry once, also between its mark and its copy, with two old buckets going to one."""
    target, model = shrinking_map()
    flights: List[Json] = []

    def stop(_: int) -> None:
        entries = lines(target, "entries", "m --where")
        assert entries[-1] == {"entries": len(model.truth), "complete": True, "error": None}
        assert {entry["key"]: entry["value"] for entry in entries[1:-1]} == model.truth
        flights.extend(entry for entry in entries[1:-1] if entry.get("in_flight"))

    model.image.after_store = stop
    for bucket in range(model.old_count()):
        model.evacuate(bucket)
    model.image.after_store = None
    assert not model.growing()
    assert {flight["key"] for flight in flights} == set(model.truth)
    assert {flight["where"]["array"] for flight in flights} == {"old"}


def test_the_buckets_of_a_shrinking_map() -> None:
    target, model = shrinking_map()
    for bucket in (3, 19, 4):
        model.evacuate(bucket)
    form = one(target, "stats", "m")
    # of 16 new buckets, only 3 and 4 can hold anything yet
    assert sum(form["cells"].values()) == 2
    assert sum(form["old_cells"].values()) == 29
    moved = [
        cell["moved_to"]
        for bucket in (3, 19)
        for cell in one(target, "bucket", f"m {bucket} --old")["buckets"][0]["cells"]
        if "moved_to" in cell
    ]
    assert moved
    nowhere = {"array": "new", "bucket": 3, "chain": None, "cell": None}
    assert all(place == nowhere for place in moved)
    assert "-> new bucket 3" in text(target, "bucket", "m 3 --old")

# SPDX-License-Identifier: MIT
"""Go's map, seen after every single store of what is done to it."""

from typing import Callable, ContextManager, Dict, List, Tuple

import pytest
from codec import Block, Int, Text, Value
from goprogram import GoProgram, number_map, text_map
from image import FakeFrame, FakeTarget
from looking import Json, Watcher, dictionary, lines, one, one_in, some, times
from model import HASH_WRITING, ITERATOR, MIN_TOP, SAME_SIZE_GROW, GoMap, mixed

Program = Tuple[FakeTarget, GoMap]


def wide_map() -> Program:
    """Keys and elements over 128 bytes: pointers in the bucket."""
    program = GoProgram()
    model = program.map("m", Block(136), Int(8, name="uint64"), "")
    return program.finish(), model


def int32_map() -> Program:
    """Keys smaller than a word, elements of text."""
    program = GoProgram()
    model = program.map("m", Int(4, True, "int32"), Text(), "_fast32")
    return program.finish(), model


PROGRAMS: Dict[str, Callable[[], Program]] = {
    "fast64": number_map,
    "faststr": text_map,
    "generic": lambda: number_map(""),
    "generic text": lambda: text_map(""),
    "fast32": int32_map,
    "debug information": lambda: number_map(described_by="debug information"),
}


def key(model: GoMap, number: int) -> Value:
    """Some key; texts of different lengths."""
    return f"k{number}" * (number % 3 + 1) if isinstance(model.key, Text) else number * 7 + 1


def value(model: GoMap, number: int) -> Value:
    """Some value, never zero."""
    return f"v{number}" if isinstance(model.elem, Text) else number + 1000


def filled(program: Program, entries: int) -> Program:
    """The program with that many entries, put in unseen."""
    _, model = program
    model.fill({key(model, n): value(model, n) for n in range(entries)})
    return program


@pytest.mark.parametrize("kind", some(PROGRAMS, 2))
def test_doubling(kind: str) -> None:
    target, model = filled(PROGRAMS[kind](), 26)
    assert not model.growing()
    with Watcher(target, model) as watcher:
        model.assign(key(model, 26), value(model, 26))  # the 27th doubles 4 buckets
        assert model.growing()
        for number in range(27, 30):
            model.assign(key(model, number), value(model, number))
    assert not model.growing()
    assert watcher.growths["double"] > 50 and watcher.in_flight > 10
    assert dictionary(target) == model.truth


@pytest.mark.parametrize("kind", some(PROGRAMS, 2))
def test_same_size(kind: str) -> None:
    target, model = PROGRAMS[kind]()
    crowd_then_thin_out(model)
    with Watcher(target, model) as watcher:
        model.assign(key(model, 98), value(model, 98))
        assert model.growing() and model.get("flags") & SAME_SIZE_GROW
        model.delete(key(model, 20))
        model.assign(key(model, 99), value(model, 99))
    assert watcher.growths["same-size"] > 50
    assert not model.growing()
    assert dictionary(target) == model.truth


def crowd_then_thin_out(model: GoMap) -> None:
    """As many overflow buckets as buckets, and few entries: the next new key compacts."""
    crowd = {key(model, number): 0 if number < 25 else 1 for number in range(34)}
    model.hasher = lambda k, _: mixed(k, 0) & 0xFF << 56 | crowd.get(k, mixed(k, 1) & 3)
    names = list(crowd)
    model.fill({k: value(model, n) for n, k in enumerate(names[:25])})
    for number, name in enumerate(names[:25]):
        if number % 4:
            model.delete(name)
    model.fill({k: value(model, n) for n, k in enumerate(names[25:], 25)})
    assert not model.growing() and model.get("noverflow") >= 1 << model.get("B")


def test_first_growths_of_a_map_from_nothing() -> None:
    target, model = number_map()
    grown = []
    with Watcher(target, model, find=True) as watcher:
        for number in range(30):
            before = model.get("B")
            model.assign(number, number * number)
            if model.get("B") > before:
                grown.append(number + 1)
    assert grown == [9, 14, 27]
    assert watcher.stops > times(300)


@pytest.mark.parametrize("kind", some(["faststr", "fast64", "generic text", "generic"], 2))
def test_long_chains(kind: str) -> None:
    target, model = PROGRAMS[kind]()
    model.hasher = lambda k, _: mixed(k, 0) & 0xFF << 56 | (mixed(k, 1) & 8)
    filled((target, model), 52)
    with Watcher(target, model, only=lambda n: n % 3 == 0) as watcher:
        for number in range(52, 60):
            model.assign(key(model, number), value(model, number))
    assert watcher.growths["double"] > 50
    assert one(target, "inspect", "m")["chains"].keys() - {"1"}
    assert dictionary(target) == model.truth


@pytest.mark.parametrize("kind", some(PROGRAMS, 2))
def test_deletes_and_overwrites(kind: str) -> None:
    target, model = filled(PROGRAMS[kind](), 27)
    with Watcher(target, model) as watcher:
        for number in range(0, 27, 4):
            model.delete(key(model, number))
            model.assign(key(model, number + 1), value(model, number + 500))
        for number in range(27):
            model.delete(key(model, number))
    assert watcher.stops > 100
    assert model.truth == {} == dictionary(target)


@pytest.mark.parametrize("kind", some(list(PROGRAMS)[:-1], 2))
def test_frames_without_variables(kind: str) -> None:
    """What a write is doing is told by the addresses that its frames hold."""
    target, model = filled(PROGRAMS[kind](), 26)
    model.nameless = True
    with Watcher(target, model) as watcher:
        for number in range(26, 30):
            model.assign(key(model, number), value(model, number))
        for number in range(0, 30, 3):
            model.delete(key(model, number))
            model.assign(key(model, number + 1), value(model, number + 500))
        for number in range(28):
            model.delete(key(model, number))
    assert watcher.growths["double"] > 50 and watcher.in_flight > 20
    assert dictionary(target) == model.truth


@pytest.mark.parametrize("kind", some(["faststr", "fast64", "generic text", "generic"], 2))
def test_long_chains_in_frames_without_variables(kind: str) -> None:
    target, model = PROGRAMS[kind]()
    model.nameless = True
    model.hasher = lambda k, _: mixed(k, 0) & 0xFF << 56 | (mixed(k, 1) & 8)
    filled((target, model), 52)
    with Watcher(target, model, only=lambda n: n % 3 == 0) as watcher:
        for number in range(52, 60):
            model.assign(key(model, number), value(model, number))
    assert watcher.growths["double"] > 50
    assert dictionary(target) == model.truth


def test_old_buckets_that_an_iterator_keeps() -> None:
    target, model = filled(text_map(), 13)
    model.init("flags", ITERATOR | 2)
    with Watcher(target, model) as watcher:
        model.assign("one more", 14)
        assert one(target, "inspect", "m")["flags"] == ["oldIterator"]
        model.assign("and one", 15)
    assert watcher.growths["double"] > 20


def test_indirect_keys() -> None:
    program = GoProgram()
    model = program.map("m", Block(136), Block(200), "")
    target = program.finish()
    with Watcher(target, model) as watcher:
        for number in range(16):
            model.assign(number, number + 50)
            found = one(target, "find", f"""m '{{"N": {number}}}'""")
            assert found["entry"]["value"] == {"N": number + 50}
    assert watcher.stops > 100


HASH_GROW = ("B", "flags", "oldbuckets", "buckets", "nevacuate", "noverflow")


@pytest.mark.parametrize("field", HASH_GROW)
def test_each_store_of_hash_grow(field: str) -> None:
    """Until `buckets` is stored the map is its old self; what is stale then, shows as 0."""
    target, model = filled(number_map(), 26)
    model.init("nevacuate", 2)  # left from the growth before
    model.init("noverflow", 1)
    seen: List[Json] = []

    def stop(address: int) -> None:
        function = target.frames[0].function if target.frames else ""
        offset = model.fields[field][0]
        if function == "runtime.hashGrow" and address == model.address + offset:
            seen.append(one(target, "inspect", "m"))
            assert dictionary(target) == model.truth

    model.image.after_store = stop
    model.assign(key(model, 26), 1)
    (form,) = seen
    if HASH_GROW.index(field) < HASH_GROW.index("buckets"):
        assert form["growth"] is None
        assert form["B"] == 2 and form["buckets"] == 4 and form["grows_above"] == 26
    else:
        assert form["B"] == 3 and form["growth"]["old_buckets"] == 4
        assert form["growth"]["nevacuate"] == 0 == form["growth"]["evacuated"]
        assert form["overflow"]["noverflow"] == 0


def test_hash_grow_at_the_same_size_before_it_says_so() -> None:
    """At its entry sameSizeGrow is not set: B is what it was, however few entries there are."""
    target, model = number_map()
    crowd_then_thin_out(model)
    seen: List[Json] = []
    entry = model.at_entry

    def at_entry(frame: FakeFrame, registers: Dict[str, int]) -> ContextManager[None]:
        if frame.function == "runtime.hashGrow":
            seen.append(one(target, "inspect", "m"))
            assert dictionary(target) == model.truth
        return entry(frame, registers)

    model.at_entry = at_entry
    model.assign(key(model, 98), 1)
    assert [form["B"] for form in seen] == [model.get("B")]
    assert model.growing() and model.get("flags") & SAME_SIZE_GROW


def test_half_marked_chain_without_a_frame() -> None:
    """Where no frame tells of evacuate, the marks alone do, while a live cell is left."""
    target, model = number_map(hasher=lambda k, _: mixed(k, 0) & ~3 | (2 if k else 1))
    filled((target, model), 26)
    model.fill({0: 1})
    assert model.growing() and not model.evacuated(2)
    model.init("nevacuate", 3)
    watcher = Watcher(target, model, made=["not-evacuated"])
    model.touched = -1
    model.init("flags", model.get("flags") | HASH_WRITING)

    def stop(_: int) -> None:
        shown, target.frames[:] = list(target.frames), []
        if any(top >= MIN_TOP for array, *_, top in model.cells() if array == "old"):
            watcher.look()
        target.frames[:] = shown

    model.image.after_store = stop
    model.evacuate(2)
    assert watcher.stops > 50 and watcher.in_flight > 20


def test_entry_in_flight_is_shown_where_it_still_is() -> None:
    target, model = filled(text_map(), 26)
    model.fill({key(model, 26): value(model, 26)})
    flights: List[Json] = []

    def stop(_: int) -> None:
        entries = lines(target, "entries", "m --where")[1:-1]
        flights.extend(e for e in entries if e.get("in_flight"))

    model.image.after_store = stop
    model.init("flags", model.get("flags") | 4)
    bucket = model.get("nevacuate")
    model.evacuate(bucket)
    places = {(f["where"]["array"], f["where"]["bucket"]) for f in flights}
    # between mark and new tophash in the old cell, then in the new one until it is whole
    assert ("old", bucket) in places
    assert places <= {("old", bucket), ("new", bucket), ("new", bucket + 4)}
    assert all(model.truth[f["key"]] == f["value"] for f in flights)


@pytest.mark.parametrize("nameless", [False, True])
@pytest.mark.parametrize("bucket", some([0, 9], 2))
@pytest.mark.parametrize("kind", some(["faststr", "fast64", "generic"], 2))
def test_evacuate_of_a_bucket_that_was_moved_long_ago(
    kind: str, bucket: int, nameless: bool
) -> None:
    """growWork calls it again and again; what lies in the old bucket is stale by then."""
    target, model = filled(PROGRAMS[kind](), 105)
    model.nameless = nameless
    there = [name for name in model.truth if model.hash(name) & model.old_count() - 1 == bucket]
    model.fill({there[0]: value(model, 1)})  # moves its bucket, which may be ahead of nevacuate
    assert model.growing() and model.evacuated(bucket)
    assert (bucket < model.get("nevacuate")) == (bucket == 0)
    with Watcher(target, model, only=one_in(3)) as watcher:
        for name in there:
            model.assign(name, value(model, 12345))
        for name in there[1:]:
            model.delete(name)
    assert watcher.growths["double"] > 20
    assert dictionary(target) == model.truth


def test_clear_shows_nothing_that_is_half_gone() -> None:
    target, model = filled(number_map(), 27)
    assert model.growing()
    seen = []

    def stop(_: int) -> None:
        found = lines(target, "entries", "m")
        flags = one(target, "inspect", "m")["flags"]
        assert found[-1]["error"] is None
        if "hashWriting" in flags:
            assert found[1:-1] == []
            seen.append(1)

    model.image.after_store = stop
    model.clear()
    model.image.after_store = None
    assert len(seen) > 100
    assert dictionary(target) == {}


def test_growth_of_go_1_21() -> None:
    """All of 1.21 grows above 6 entries a bucket: inserts 9, 13, 25, 49, 97."""
    target, model = number_map(version="go1.21.13")
    grown = []
    for number in range(100):
        limit = one(target, "inspect", "m")["grows_above"]
        before = model.get("B")
        model.assign(number, number)
        if model.get("B") > before:
            grown.append(number + 1)
            assert number + 1 == limit + 1
    assert grown == [9, 13, 25, 49, 97]

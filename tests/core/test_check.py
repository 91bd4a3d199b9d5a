# SPDX-License-Identifier: MIT
"""`map check`: one kind of damage each, found for what it is, and nothing else.

Maps are built by models, then damaged in exactly one way; their neighbours must be healthy.
That healthy maps have no errors at any store is in looking.Watcher.
"""

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import pytest
from codec import Int, StdString, Text, Value
from cppprogram import CppProgram
from goprogram import GoProgram
from image import FakeTarget, frame
from looking import Json, one, text
from mapscope.cells.tophashes import equal_tophashes
from mapscope.maps.report import ADVICE, MOST, Activity, Report
from mapscope.activity import Writer
from mapscope.flavours.cpp.cpp_hash import STRING, CppKeyHash
from mapscope.errors import MapscopeError
from mapscope.locate import find_map
from mapscope.program.memory import Memory
from mapscope.session import Session
from mapscope.program.types import Kind, Type
from model import (
    EMPTY_ONE,
    EMPTY_REST,
    HASH_WRITING,
    MIN_TOP,
    MOVED_X,
    MOVED_Y,
    SAME_SIZE_GROW,
    ClassicMap,
)
from mapscope.activity import Writers

#: (severity, code, bucket, cell)
Expected = Tuple[str, str, Optional[int], Optional[int]]
#: damages a map; gives what is to be found, and a part of the first message
Damage = Callable[[ClassicMap], Tuple[List[Expected], str]]

DAMAGES: Dict[str, Tuple[str, Damage]] = {}


def damage(state: str) -> Callable[[Damage], Damage]:
    """Registers a damage of a map that is "resting" or "growing"."""

    def add(function: Damage) -> Damage:
        DAMAGES[function.__name__] = (state, function)
        return function

    return add


def bucket_at(model: ClassicMap, index: int, array: str = "buckets") -> int:
    return model.get(array) + index * model.shape.size


def set_top(model: ClassicMap, index: int, cell: int, top: int, array: str = "buckets") -> None:
    model.image.write(bucket_at(model, index, array) + cell, bytes([top]))


def live_in(model: ClassicMap, array: str = "new") -> Dict[int, List[int]]:
    """bucket: its live cells, of buckets without overflow."""
    found: Dict[int, List[int]] = {}
    longer = set()
    for name, index, position, cell, top in model.cells():
        if name == array:
            found.setdefault(index, [])
            if position:
                longer.add(index)
            elif top >= MIN_TOP:
                found[index].append(cell)
    return {index: cells for index, cells in found.items() if index not in longer}


def with_live(model: ClassicMap, least: int, most: int = 7, array: str = "new") -> int:
    """A bucket with so many live cells."""
    return next(i for i, c in live_in(model, array).items() if least <= len(c) <= most)


def link(model: ClassicMap, index: int, target: int, array: str = "buckets") -> None:
    at = bucket_at(model, index, array) + model.shape.overflow
    model.image.write_word(at, target)


# --- the header ---


@damage("resting")
def count_differs(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("count", model.get("count") + 3)
    return [("error", "count", None, None)], "but 100 live cells"


@damage("growing")
def count_differs_while_growing(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("count", model.get("count") - 1)
    return [("error", "count", None, None)], "live cells were found"


@damage("resting")
def unknown_flag(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("flags", 64)
    return [("error", "flags", None, None)], "no map has a flag 0x40"


@damage("resting")
def same_size_without_old(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("flags", SAME_SIZE_GROW)
    return [("error", "flags", None, None)], "there is no old array"


@damage("resting")
def noverflow_differs(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("noverflow", model.get("noverflow") + 2)
    return [("error", "noverflow", None, None)], "overflow buckets are in use"


@damage("growing")
def nevacuate_is_all(model: ClassicMap) -> Tuple[List[Expected], str]:
    old = model.old_count()
    waiting = [index for index in range(old) if not model.evacuated(index)]
    model.init("nevacuate", old)
    expected: List[Expected] = [("error", "stuck", None, None)]
    expected += [("error", "not-evacuated", index, None) for index in waiting]
    return expected, "the next write goes beyond it"


@damage("growing")
def nevacuate_beyond(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("nevacuate", 1000)
    return [("error", "nevacuate", None, None)], "beyond the"


# --- marks ---


@damage("resting")
def mark_in_new(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 2)
    set_top(model, index, 0, MOVED_X)
    model.init("count", model.get("count") - 1)
    return [("error", "mark-place", index, 0)], "evacuatedX in a new bucket"


@damage("growing")
def mark_behind_unmarked_head(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i, c in live_in(model, "old").items() if c[:2] == [0, 1])
    set_top(model, index, 1, MOVED_Y, "oldbuckets")
    model.init("count", model.get("count") - 1)
    return [("error", "mark-place", index, 1)], "evacuatedY, but the bucket is not evacuated"


@damage("growing")
def not_evacuated_below(model: ClassicMap) -> Tuple[List[Expected], str]:
    waiting = [i for i in range(model.old_count()) if not model.evacuated(i)]
    nevacuate = waiting[0] + 1
    model.init("nevacuate", nevacuate)
    return [("error", "not-evacuated", waiting[0], None)], f"but nevacuate is {nevacuate}"


@damage("growing")
def half_evacuated(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i in range(model.old_count()) if model.evacuated(i))
    set_top(model, index, 7, EMPTY_ONE, "oldbuckets")
    return [("error", "half-evacuated", index, 7)], "nobody is inside its evacuation"


@damage("growing")
def early_entry(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i in range(model.old_count()) if not model.evacuated(i))
    found = model.get("buckets"), index
    key = next(
        n for n in range(1000, 1 << 16) if model.hash(n) & (1 << model.get("B")) - 1 == index
    )
    place = bucket_at(model, index), 0
    model.store_key(place, key)
    set_top(model, found[1], 0, model.top(model.hash(key)))
    model.init("count", model.get("count") + 1)
    return [("error", "early-entry", index, 0)], f"old bucket {index} is not evacuated"


@damage("resting")
def behind_empty_rest(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 3)
    cells = live_in(model)[index]
    set_top(model, index, cells[1], EMPTY_REST)
    model.init("count", model.get("count") - 1)
    return [("error", "empty-rest", index, cells[2])], "no lookup gets there"


@damage("resting")
def empty_one_behind_empty_rest(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 1, 5)
    set_top(model, index, 7, EMPTY_ONE)
    return [("warning", "empty-rest", index, 7)], "emptyOne behind an emptyRest"


@damage("resting")
def overflow_behind_empty_rest(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i, p in overflowing(model))
    set_top(model, index, 7, EMPTY_REST)
    model.init("count", model.get("count") - 1)
    return [("error", "empty-rest", index, 0)], "overflow bucket 1, cell 0: a live cell behind"


def overflowing(model: ClassicMap) -> List[Tuple[int, int]]:
    """(bucket, its first overflow bucket) of new buckets whose overflow bucket has entries."""
    found = []
    for index in range(1 << model.get("B")):
        chain = model.chain(model.get("buckets"), index)
        if len(chain) == 2 and model.tops(chain[1])[0] >= MIN_TOP:
            found.append((index, chain[1]))
    return found


# --- chains ---


@damage("resting")
def chain_loops(model: ClassicMap) -> Tuple[List[Expected], str]:
    index, overflow = overflowing(model)[0]
    model.image.write_word(overflow + model.shape.overflow, overflow)
    return [("error", "overflow-loop", index, None)], "it comes back to"


@damage("resting")
def chain_shared(model: ClassicMap) -> Tuple[List[Expected], str]:
    first, overflow = overflowing(model)[0]
    second = next(index for index in live_in(model) if index > first)
    link(model, second, overflow)
    name = f"joins that of new bucket {first}"
    return [("error", "overflow-shared", second, None)], name


@damage("resting")
def chain_into_array(model: ClassicMap) -> Tuple[List[Expected], str]:
    index, _ = overflowing(model)[0]
    link(model, index, bucket_at(model, index))
    return [("error", "overflow-loop", index, None)], "it comes back to"


@damage("resting")
def chain_misaligned(model: ClassicMap) -> Tuple[List[Expected], str]:
    index, overflow = overflowing(model)[0]
    link(model, index, overflow + 1)
    return [("error", "overflow-pointer", index, None)], "no bucket can be there"


@damage("resting")
def chain_nowhere(model: ClassicMap) -> Tuple[List[Expected], str]:
    index, _ = overflowing(model)[0]
    link(model, index, 0x5EAD00000000)
    return [("error", "unreadable", index, None)], "cannot read"


@damage("growing")
def old_chain_loops(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i in range(model.old_count()) if not model.evacuated(i))
    for bucket in model.chain(model.get("oldbuckets"), index)[-1:]:
        model.image.write_word(bucket + model.shape.overflow, bucket)
    return [
        ("error", "overflow-loop", index, None),
        ("error", "stuck", index, None),
    ], "loops"


@damage("resting")
def buckets_nowhere(model: ClassicMap) -> Tuple[List[Expected], str]:
    model.init("buckets", 0x5EAD00000000)
    return [("error", "unreadable", 0, None)], "cannot read"


# --- keys ---


@damage("resting")
def duplicate_key(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 2, 6)
    cells = live_in(model)[index]
    free = max(cells) + 1
    place = bucket_at(model, index), cells[0]
    model.store_key((place[0], free), model.key_of(place))
    set_top(model, index, free, model.tops(place[0])[cells[0]])
    model.init("count", model.get("count") + 1)
    return [("error", "duplicate-key", index, free)], f"is in new bucket {index}, cell {cells[0]}"


@damage("resting")
def duplicate_key_in_overflow(model: ClassicMap) -> Tuple[List[Expected], str]:
    index, overflow = overflowing(model)[0]
    free = next(cell for cell, top in enumerate(model.tops(overflow)) if top < MIN_TOP)
    head = bucket_at(model, index)
    model.store_key((overflow, free), model.key_of((head, 2)))
    model.image.write(overflow + free, model.tops(head)[2:3])
    model.init("count", model.get("count") + 1)
    return [("error", "duplicate-key", index, free)], f"is in new bucket {index}, cell 2"


@damage("resting")
def wrong_tophash(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 2)
    cell = live_in(model)[index][1]
    right = model.tops(bucket_at(model, index))[cell]
    taken = set(model.tops(bucket_at(model, index)))
    wrong = next(top for top in range(MIN_TOP, 256) if top not in taken)
    set_top(model, index, cell, wrong)
    key = model.key_of((bucket_at(model, index), cell))
    return [("error", "wrong-hash", index, cell)], (
        f"tophash {wrong:#04x}, but the hash of its key {key} has {right:#04x}"
    )


@damage("resting")
def wrong_bucket(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = with_live(model, 1, 6)
    free = max(live_in(model)[index]) + 1
    other = next(i for i, c in live_in(model).items() if i != index and c)
    source = bucket_at(model, other), live_in(model)[other][-1]
    key = model.key_of(source)
    model.store_key((bucket_at(model, index), free), key)
    set_top(model, index, free, model.tops(source[0])[source[1]])
    model.init("count", model.get("count") + 1)
    return [("error", "wrong-bucket", index, free)], f"puts it into new bucket {other}"


@damage("growing")
def wrong_bucket_in_old(model: ClassicMap) -> Tuple[List[Expected], str]:
    index = next(i for i, c in live_in(model, "old").items() if c[:1] == [0])
    place = bucket_at(model, index, "oldbuckets"), 0
    top = model.tops(place[0])[0]
    mask = model.old_count() - 1
    key = next(
        n
        for n in range(1000, 1 << 20)
        if model.top(model.hash(n)) == top and model.hash(n) & mask != index
    )
    model.store_key(place, key)
    return [("error", "wrong-bucket", index, 0)], f"old bucket {model.hash(key) & mask}"


# --- that they are found ---


def fill(model: ClassicMap, state: str) -> ClassicMap:
    """100 entries in 16 buckets, or 54 and more in the middle of doubling to 16."""
    number = 0
    while number < 100 if state == "resting" else not model.growing() or model.get("B") < 4:
        model.fill({number * 3: number})
        number += 1
    while state == "growing" and model.get("nevacuate") < 3:
        model.fill({number * 3: number})
        number += 1
    assert model.growing() == (state == "growing") and model.get("B") == 4
    return model


def runtime(state: str) -> Tuple[FakeTarget, ClassicMap]:
    """A C++ program with m and two neighbours."""
    program = CppProgram()
    models = [fill(program.map(name, Int(8), Int(8)), state) for name in ("before", "m", "behind")]
    return program.target, models[1]


def go(state: str) -> Tuple[FakeTarget, ClassicMap]:
    """A Go program with m and two neighbours; its hash cannot be computed."""
    program = GoProgram()
    number = Int(8, name="uint64")
    models = [
        fill(program.map(name, number, number, "_fast64"), state)
        for name in ("before", "m", "behind")
    ]
    return program.finish(), models[1]


def wrong(form: Json) -> List[Expected]:
    """Findings that are no notes."""
    return sorted(
        (found["severity"], found["code"], found["bucket"], found["cell"])
        for found in form["findings"]
        if found["severity"] != "note"
    )


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("program", [runtime, go])
def test_damage(name: str, program: Callable[[str], Tuple[FakeTarget, ClassicMap]]) -> None:
    state, harm = DAMAGES[name]
    target, model = program(state)
    assert wrong(one(target, "check", "m")) == []
    expected, message = harm(model)
    if program is go:
        expected = [found for found in expected if found[1] not in ("wrong-hash", "wrong-bucket")]
    form = one(target, "check", "m")
    key = lambda found: (*found[:2], found[2] or 0, found[3] or 0)  # noqa: E731
    assert sorted(wrong(form), key=key) == sorted(expected, key=key)
    assert form["ok"] == all(severity != "error" for severity, *_ in expected)
    first = [found["message"] for found in form["findings"] if found["severity"] != "note"]
    assert not expected or any(message in text for text in first), first
    for neighbour in ("before", "behind"):
        assert wrong(one(target, "check", neighbour)) == []
    said = text(target, "check", "m")
    for severity, code, _, _ in expected:
        assert severity in said and f"({code}" in said and ADVICE[code][0] in said


def test_json_is_as_documented() -> None:
    target, model = runtime("growing")
    model.init("count", 7)
    form = one(target, "check", "m")
    assert list(form) == ["schema", "ok", "checked", "findings"]
    assert form["schema"] == "mapscope.check/1" and form["ok"] is False
    buckets = 8 + 16 + model.get("noverflow")
    assert form["checked"]["buckets"] >= buckets
    assert form["checked"]["cells"] == 8 * form["checked"]["buckets"]
    (finding,) = form["findings"]
    assert list(finding) == ["severity", "code", "message", "address", "bucket", "cell"]
    assert finding["address"] == hex(model.address)


def test_write_flag_that_nobody_holds() -> None:
    target, model = runtime("resting")
    model.init("flags", HASH_WRITING)
    # without debug information, somebody may be there
    assert wrong(one(target, "check", "m")) == [("warning", "write-flag", None, None)]
    target.types["mapscope::hmap"] = Int(8).type
    assert wrong(one(target, "check", "m")) == [("error", "write-flag", None, None)]
    target.frames = [frame("mapscope::mapassign", h=model.address)]
    assert wrong(one(target, "check", "m")) == []
    target.frames += [frame("mapscope::mapdelete", 2, h=model.address)]
    assert wrong(one(target, "check", "m")) == [("warning", "race", None, None)]


def test_writer_whose_map_is_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without debug information, a frame's registers may have another map's address."""
    target, model = runtime("resting")
    target.types["mapscope::hmap"] = Int(8).type
    model.init("flags", HASH_WRITING)
    other = find_map(Session(target), "behind")
    inside = frame("mapscope::evacuate")
    writers = Writers([Writer(None, 1, "evacuate", None, other, [inside], {})])
    monkeypatch.setattr("mapscope.commands.check.find_writers", lambda *_: writers)
    assert wrong(one(target, "check", "m")) == [("error", "write-flag", None, None)]
    inside.has_variables = False
    assert wrong(one(target, "check", "m")) == [("warning", "write-flag", None, None)]


def test_growth_that_nobody_installs() -> None:
    target, model = runtime("growing")
    model.init("nevacuate", (1 << 64) - 4)
    codes = {found[1] for found in wrong(one(target, "check", "m"))}
    assert "stuck" in codes


def test_header_that_no_map_has() -> None:
    program = GoProgram()
    model = program.map("m", Int(8, name="uint64"), Int(8, name="uint64"), "_fast64")
    target = program.finish()
    model.fill({number: number for number in range(30)})
    model.init("B", 200)
    form = one(target, "check", "m")
    assert wrong(form) == [("error", "header", None, None)] and not form["ok"]
    assert "B is 200" in form["findings"][0]["message"]
    assert "B is 200" in text(target, "check", "m")
    with pytest.raises(MapscopeError, match="B is 200"):  # an address may be no map at all
        one(target, "check", hex(model.address))


def test_nil_and_empty_maps() -> None:
    target, model = runtime("resting")
    program = CppProgram()
    program.map("m", Int(8), Int(8))
    form = one(program.target, "check", "m")
    assert form["ok"] and form["findings"] == [] and set(form["checked"].values()) == {0}
    assert "nothing wrong" in text(program.target, "check", "m")


def test_many_findings_are_counted() -> None:
    target, model = runtime("resting")
    bucket = bucket_at(model, 0)
    report = Report(Activity)
    for _ in range(MOST + 5):
        report.add("error", "count", "x")
    assert len(report.findings) == MOST and report.more == {"count": 5}
    for index in range(16):
        for cell in range(8):
            set_top(model, index, cell, MOVED_X)
    said = text(target, "check", "m")
    assert said.count("evacuatedX in a new bucket") == 10
    assert "and 118 more of mark-place" in said and bucket


def test_no_hash_leaves_the_hashes_out() -> None:
    target, model = runtime("resting")
    wrong_tophash(model)
    assert wrong(one(target, "check", "m --no-hash")) == []


def test_hash_of_the_programs_own_is_told_from_damage() -> None:
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    model.hasher = lambda key, seed: (int(key) * 0x9E3779B97F4A7C15) & (1 << 64) - 1
    model.fill({number: number for number in range(60)})
    form = one(program.target, "check", "m")
    assert form["ok"]
    assert [found["code"] for found in form["findings"]] == ["hash-skipped"]


@pytest.mark.parametrize("key", [Text(), StdString()])
def test_duplicate_texts(key: Any) -> None:
    if isinstance(key, Text):
        program = GoProgram()
        model: ClassicMap = program.map("m", key, Int(8, name="uint64"), "_faststr")
        target = program.finish()
    else:
        cpp = CppProgram()
        target, model = cpp.target, cpp.map("m", key, Int(8))
    model.fill({f"key {number} " + "x" * (number % 40): number for number in range(60)})
    assert wrong(one(target, "check", "m")) == []
    index = with_live(model, 1, 6)
    cell = live_in(model)[index][0]
    place = bucket_at(model, index), cell
    name: Value = model.key_of(place)
    free = max(live_in(model)[index]) + 1
    model.store_key((place[0], free), name)  # the same text elsewhere in memory
    set_top(model, index, free, model.tops(place[0])[cell])
    model.init("count", model.get("count") + 1)
    form = one(target, "check", "m")
    assert wrong(form) == [("error", "duplicate-key", index, free)]
    assert str(name)[:20] in form["findings"][-1]["message"]


def test_long_chains_have_no_duplicates_and_one_is_found() -> None:
    program = CppProgram()
    model = program.map("m", Int(8), Int(8), hasher=lambda key, _: int(key) % 251 << 56)
    model.fill({number: number for number in range(100)})
    assert wrong(one(program.target, "check", "m")) == []
    chain = model.chain(model.get("buckets"), 0)
    assert len(chain) > 9
    source, copy = (chain[1], 3), (chain[-1], 0)
    key = model.key_of(source)
    model.store_key(copy, key)
    model.image.write(copy[0], model.tops(source[0])[3:4])
    assert "duplicate-key" in {found[1] for found in wrong(one(program.target, "check", "m"))}


def test_equal_tophashes_against_a_plain_loop() -> None:
    tops = bytes((number * 7919 >> 3) % 11 for number in range(8 * 50))
    others = bytes((number * 104729 >> 4) % 13 for number in range(8 * 50))
    plain: Set[Tuple[int, int, int]] = set()
    across: Set[Tuple[int, int, int]] = set()
    for bucket in range(50):
        mine, theirs = tops[8 * bucket :][:8], others[8 * bucket :][:8]
        for a in range(8):
            plain |= {(bucket, a, b) for b in range(a + 1, 8) if mine[a] == mine[b] >= MIN_TOP}
            across |= {(bucket, a, b) for b in range(8) if mine[a] == theirs[b] >= MIN_TOP}
    assert set(equal_tophashes(tops)) == plain and plain
    assert set(equal_tophashes(tops, others)) == across and across


def test_string_type_that_no_string_has() -> None:
    """Its pointer or length beyond its end, as fuzz.py has made it."""
    memory = Memory(CppProgram().target.read_memory)
    for size, start, length in ((8, 0, 8), (192, 192, 0), (0, 0, 0)):
        type = Type(Kind.STRING, "text", size, data_offset=start, len_offset=length)
        hashes = CppKeyHash(memory, STRING, type, 1)
        assert hashes.many([bytes(size), b"", bytes(40)]) == [None] * 3


def test_a_type_that_the_user_says_is_named() -> None:
    program = GoProgram()
    number = Int(8, name="uint64")
    model = program.map("m", number, number, "_fast64")
    program.map("other", Text(), number, "_faststr")
    target = program.finish()
    model.fill({key: key * 1000 for key in range(60)})
    model.init("count", 7)
    form = one(target, "check", f"{model.address:#x} --type map[string]uint64")
    assert not form["ok"]
    assert "a map of another type looks damaged" in form["findings"][-1]["message"]
    assert "another type" not in text(target, "check", "m")

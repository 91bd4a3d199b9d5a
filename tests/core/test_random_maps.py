# SPDX-License-Identifier: MIT
"""Random histories of random maps: what is shown is what the model holds."""

from typing import Dict, List, Tuple, Union

import cppprogram
import goprogram
from codec import Double, Int, StdString, Value
from cppprogram import CppProgram
from goprogram import GoProgram
from hypothesis import given, settings
from hypothesis import strategies as st
from image import FakeTarget
from looking import Json, Watcher, dictionary, lines, live_cells, one
from model import GoMap, RuntimeMap, clashing, mixed

Map = Union[GoMap, RuntimeMap]
Step = Tuple[str, int, int]

#: ("set" or "delete", key, value); few keys, so that deletes and overwrites hit
STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "set", "set", "delete"]), st.integers(0, 60), st.integers(0)),
    min_size=1,
    max_size=80,
)
KINDS = st.sampled_from(["go fast64", "go generic", "go faststr", "go debug", "numbers", "texts"])


def program(kind: str, hash_number: int) -> Tuple[FakeTarget, Map]:
    """A program with one map m; hash_number chooses a good hash or a bad one."""
    hasher = [mixed, clashing, lambda key, seed: 0x77 << 56][hash_number]
    if kind == "go faststr":
        return goprogram.text_map(hasher=hasher)
    if kind == "go debug":
        return goprogram.number_map(hasher=hasher, described_by="debug information")
    if kind.startswith("go"):
        return goprogram.number_map("" if kind == "go generic" else "_fast64", hasher)
    if kind == "texts":
        return cppprogram.text_map(hasher if hash_number else None)
    return cppprogram.number_map(hasher=hasher if hash_number else None)


def do(model: Map, step: Step) -> None:
    """One step of a history."""
    what, number, value = step
    key: Value = f"{number} is the key" if model.key.zero == "" else number
    if what == "delete":
        model.delete(key)
    else:
        model.assign(key, f"={value}" if model.elem.zero == "" else value & (1 << 63) - 1)


@given(KINDS, st.integers(0, 2), STEPS)
@settings(max_examples=80)
def test_after_each_operation(kind: str, hash_number: int, steps: List[Step]) -> None:
    target, model = program(kind, hash_number)
    for number, step in enumerate(steps):
        do(model, step)
        if number % 5 == 0 or number == len(steps) - 1:
            assert dictionary(target) == model.truth


@given(KINDS, st.integers(0, 2), STEPS, st.integers(0, 12))
@settings(max_examples=60)
def test_at_some_stores(kind: str, hash_number: int, steps: List[Step], phase: int) -> None:
    target, model = program(kind, hash_number)
    with Watcher(target, model, only=lambda n: n % 13 == phase):
        for step in steps:
            do(model, step)


@given(KINDS, st.integers(0, 2), STEPS)
@settings(max_examples=40)
def test_every_key_is_found_where_it_is(kind: str, hash_number: int, steps: List[Step]) -> None:
    target, model = program(kind, hash_number)
    for step in steps:
        do(model, step)
    for number in range(0, 61, 4):
        key: Value = f"{number} is the key" if model.key.zero == "" else number
        form = one(target, "find", f"m '{key}'")
        assert form["found"] == (key in model.truth)
        if form["found"]:
            assert form["entry"]["key"] == key
            assert form["entry"]["value"] == model.truth[key]
            where = form["entry"]["where"]
            chosen = [c for c in form["candidates"] if c["authoritative"]]
            assert (where["array"], where["bucket"]) in [(c["array"], c["bucket"]) for c in chosen]


@given(KINDS, st.integers(0, 2), STEPS)
@settings(max_examples=40)
def test_counts_against_counting_one_by_one(kind: str, hash_number: int, steps: List[Step]) -> None:
    """inspect's and stats' numbers, which core counts in bulk."""
    target, model = program(kind, hash_number)
    for step in steps:
        do(model, step)
    if not model.get("buckets"):
        return
    inspected, stats = one(target, "inspect", "m"), one(target, "stats", "m")
    lengths: Dict[str, Dict[int, int]] = {"new": {}, "old": {}}
    used: Dict[str, Dict[int, int]] = {"new": {}, "old": {}}
    total = model.old_count() if model.growing() else 0
    mask = max(0, total - 1)
    overflow = {"new": 0, "old": 0}
    for name, array, count in (
        ("new", model.get("buckets"), 1 << model.get("B")),
        ("old", model.get("oldbuckets"), total),
    ):
        for index in range(count):
            chain = model.chain(array, index)
            live = sum(top >= 5 for bucket in chain for top in model.tops(bucket))
            moved = total and model.evacuated(index & mask)
            if name == "old" and moved:
                continue
            overflow[name] += len(chain) - 1
            if name == "new" and total and not moved:
                continue  # nothing can be there yet
            lengths[name][len(chain)] = lengths[name].get(len(chain), 0) + 1
            used[name][live] = used[name].get(live, 0) + 1
    assert stats["cells"] == {str(n): used["new"][n] for n in sorted(used["new"])}
    assert stats["old_cells"] == {str(n): used["old"][n] for n in sorted(used["old"])}
    assert stats["chains"] == {str(n): lengths["new"][n] for n in sorted(lengths["new"])}
    assert stats["old_chains"] == {str(n): lengths["old"][n] for n in sorted(lengths["old"])}
    assert stats["entries"] == len(model.truth) == sum(live_cells(model).values())
    assert inspected["overflow"]["in_use"] == sum(overflow.values())
    held = inspected["bytes"]
    assert held["buckets"] >= model.shape.size << model.get("B")
    assert (held["old"] >= model.shape.size * total) if total else held["old"] == 0
    if isinstance(model, RuntimeMap):
        names = ("array_bytes", "old_bytes", "overflow_bytes")
        parts = ("buckets", "old", "overflow")
        assert [held[part] for part in parts] == [model.counter(name) for name in names]
        assert held["header"] == 216 and held["indirect"] == held["retired"] == 0
    larger = max(used.values(), key=lambda counts: sum(counts.values()))
    assert stats["uniformity"] == dispersion(larger)
    assert stats["bytes"]["retained_by_old"] == held["old"]
    assert stats["bytes"]["overflow"] == held["overflow"]
    assert stats["bytes"]["total"] == sum(held.values())
    entry = model.key.size + model.elem.size
    assert stats["bytes"]["used"] == len(model.truth) * entry
    assert stats["bytes"]["wasted"] == stats["bytes"]["total"] - stats["bytes"]["used"]


def dispersion(counts: Dict[int, int]) -> Union[None, float]:
    """Variance / mean of entries per bucket."""
    each = [n for n, number in counts.items() for _ in range(number)]
    if not any(each):
        return None
    mean = sum(each) / len(each)
    return sum((n - mean) ** 2 for n in each) / len(each) / mean


@given(st.lists(st.floats(width=64), max_size=40), st.booleans())
def test_float_keys(keys: List[float], is_go: bool) -> None:
    """Zeros of both signs are one key; each NaN is a key of its own."""
    if is_go:
        go = GoProgram()
        model: Map = go.map("m", Double("float64"), Int(8, name="uint64"), "")
        target = go.finish()
    else:
        cpp = CppProgram()
        model, target = cpp.map("m", Double(), Int(8)), cpp.target
        usual = model.hasher
        model.hasher = lambda k, s: usual(k, s) if k == k else mixed(len(nans), s)
    nans: List[int] = []
    for number, key in enumerate(keys):
        model.assign(key, number)
        if key != key:
            nans.append(number)
    entries = lines_of(target)
    assert sorted(e["value"] for e in entries if e["key"] == "NaN") == nans
    numbers = {as_float(e["key"]): e["value"] for e in entries if e["key"] != "NaN"}
    assert numbers == {k: v for k, v in model.truth.items() if k == k}


def as_float(form: object) -> float:
    """A float's JSON form back."""
    return float(form) if isinstance(form, (int, float, str)) else float("nan")


def lines_of(target: FakeTarget) -> List[Json]:
    """The entries that are shown, complete."""
    _, *entries, last = lines(target, "entries", "m")
    assert last["complete"], last
    return entries


def test_a_map_of_thousands_in_mid_migration() -> None:
    """Larger than one chunk of a walk, with overflow chains."""
    program = CppProgram()
    model = program.map("m", Int(8), StdString())
    model.fill({number * 977: f"value {number}" for number in range(3330)})
    assert model.growing() and model.get("B") == 10
    assert dictionary(program.target) == model.truth
    growth = one(program.target, "inspect", "m")["growth"]
    assert 0 < growth["evacuated"] < 512
    assert growth["entries_moved"] + growth["entries_waiting"] == 3330

# SPDX-License-Identifier: MIT
"""What all maps together tell: sums, what stands out, looks that are kept, profiles, and how
`map heap` and `map owners` write them."""

import gzip
import json
import math
import re
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest
from cppprogram import number_map
from hypothesis import given
from hypothesis import strategies as st
from image import FakeTarget, Image
from looking import one, text
from mapscope import shell
from mapscope.commands import heap as heap_command
from mapscope.commands import owners as owners_command
from mapscope.errors import MapscopeError, UsageError
from mapscope.heap import looks
from mapscope.heap.pprof import VALUES, Profile
from mapscope.heap.totals import (
    SORTS,
    Finding,
    Group,
    Totals,
    expected_overflow,
    largest,
    largest_alike,
    owner_text,
    rows_of,
    type_text,
)
from mapscope.maps.on_heap import Alike, HeapMap, HeapView, Owner, Step
from mapscope.maps.progress import Progress
from mapscope.session import Session

PLAIN = HeapMap(
    0xC000010000,
    "map[string]int",
    (),
    4,
    300,
    0,
    0,
    8,
    None,
    "main.table",
    False,
    0,
    1,
    False,
)


def some(**changes: Any) -> HeapMap:
    return PLAIN._replace(**changes)


# --- sums ---


def test_sums_and_groups() -> None:
    maps = [
        some(),
        some(owner="main.work (goroutine 7).m", bytes=100, wasted=60),
        some(owner="main.work (goroutine 12).m", bytes=200, wasted=10, type="map[int]int"),
        some(owner="", garbage=True, type=None, candidates=("map[a]b",), bytes=1000, wasted=5),
        some(owner="", garbage=None, type=None, growing="double", retained=64),
    ]
    totals = Totals("owner")
    for map in maps:
        totals.add(map)
    assert totals.form() == {
        "maps": 5,
        "count": 20,
        "bytes": 1900,
        "wasted": 75,
        "retained": 64,
        "growing": 1,
        "types": {"certain": 3, "candidates": 1, "unknown": 1},
        "garbage": {"maps": 1, "count": 4, "bytes": 1000, "wasted": 5, "retained": 0},
    }
    assert [(name, group.maps, group.bytes) for name, group in totals.sorted("bytes")] == [
        ("(nothing refers to them)", 1, 1000),
        ("?", 1, 300),
        ("main.table", 1, 300),
        ("main.work.m", 2, 300),
    ]
    assert [name for name, _ in totals.sorted("wasted")][0] == "main.work.m"
    by_type = Totals("type")
    for map in maps:
        by_type.add(map)
    assert {name: group.maps for name, group in by_type.groups.items()} == {
        "map[string]int": 2,
        "map[int]int": 1,
        "one of map[a]b": 1,
        "?": 1,
    }


def test_what_is_not_known_makes_a_sum_unknown() -> None:
    group = Group()
    group.add(some(bytes=10))
    group.add(some(bytes=None, wasted=None))
    assert group.form()["bytes"] is None and group.form()["wasted"] is None
    assert (group.maps, group.entries, group.unknown) == (2, 8, 1)
    group = Group()
    group.add(some(bytes=10, wasted=None))
    assert group.form()["bytes"] is None


def test_names() -> None:
    assert type_text(some()) == "map[string]int"
    many = tuple("abcde")
    assert type_text(some(type=None, candidates=many)) == "one of a, b, c and 2 more"
    assert type_text(some(type=None)) == "?"
    assert owner_text(some(owner="", garbage=False)) == "?"
    assert owner_text(some(owner="f (goroutine 1) (goroutine 2)")) == "f"


@pytest.mark.parametrize("sort", SORTS)
def test_largest(sort: str) -> None:
    maps = [
        some(address=n, bytes=n % 7 or None, wasted=n % 5, entries=n % 3, retained=n % 2)
        for n in range(100)
    ]
    rows = largest(iter(maps), sort, None)
    values = [SORTS[sort](row) for row in rows]
    assert values == sorted(values, reverse=True) and len(rows) == 100
    assert largest(iter(maps), sort, 9) == rows[:9]


def test_maps_that_are_alike_count_as_each_by_itself() -> None:
    kinds = [
        some(bytes=n % 5 or None, wasted=n % 3, entries=n % 7 or None, retained=n % 2)
        for n in range(40)
    ]
    kinds += [some(growing="double", retained=9), some(capacity=4096, entries=3, wasted=70)]
    alike = [
        Alike(kind._replace(address=at), range(at, at + 100 * (at % 4 + 1), 100))
        for at, kind in enumerate(kinds, 1)
    ]
    each = [map for kind in alike for map in kind.maps()]
    assert [map.address for map in alike[1].maps()] == [2, 102, 202]
    together, alone = Totals("type"), Totals("type")
    for these in alike:
        together.add_alike(these)
    for map in each:
        alone.add(map)
    assert together.form() == alone.form() and together.form()["count"] is None
    assert together.findings() == alone.findings()
    assert together.groups == alone.groups
    for sort in SORTS:
        for limit in (None, 1, 7, 50, 1000):
            assert rows_of(alike, sort, limit) == largest(each, sort, limit)
            kept = largest_alike(alike, sort, limit)
            assert rows_of(kept, sort, limit) == largest(each, sort, limit)
        assert len(largest_alike(alike, sort, 1)) < len(alike)


# --- what stands out ---


def found(*maps: HeapMap) -> List[Finding]:
    totals = Totals()
    for map in maps:
        totals.add(map)
    return totals.findings()


def codes(*maps: HeapMap) -> List[str]:
    return [finding.code for finding in found(*maps)]


def classic(entries: int, buckets: int, overflow: int) -> HeapMap:
    return some(entries=entries, buckets=buckets, capacity=8 * buckets, overflow=overflow)


def test_emptied() -> None:
    large = some(capacity=1024, entries=127, buckets=128, wasted=7000)
    (finding,) = found(large)
    assert (finding.code, finding.maps, finding.bytes) == ("emptied", 1, 7000)
    assert finding.examples == (large.address,) and "1 large map " in finding.text
    assert codes(large._replace(entries=128)) == []
    assert codes(large._replace(capacity=1023, entries=0)) == []


def test_migration() -> None:
    moving = [some(address=n, growing="double", retained=n) for n in (4096, 8192, 16, 1024, 5)]
    (finding,) = found(*moving)
    assert (finding.code, finding.maps, finding.bytes) == ("migration", 5, 13333)
    assert finding.examples == (8192, 4096, 1024)
    assert codes(some(retained=10)) == []


def test_overflow_and_chains() -> None:
    normal = expected_overflow(6000, 1024)
    most = int(4 * normal + 16)
    assert codes(classic(6000, 1024, most)) == []
    assert codes(classic(6000, 1024, most + 1)) == ["chains"]
    few = int(4 * expected_overflow(1100, 1024) + 16)
    assert codes(classic(1100, 1024, few)) == []
    assert codes(classic(1100, 1024, few + 1)) == ["overflow"]
    # while it grows, the chains are not what they will be
    assert codes(classic(6000, 1024, most + 1)._replace(growing="double")) == ["migration"]


def test_tombstones() -> None:
    swiss = some(entries=500, capacity=1024, buckets=128, tombstones=True, overflow=256, wasted=9)
    (finding,) = found(swiss)
    assert (finding.code, finding.bytes) == ("tombstones", 9)
    assert codes(swiss._replace(overflow=255)) == []


def test_many_small_maps() -> None:
    maps = [some(entries=n % 2, bytes=50) for n in range(10000)]
    (finding,) = found(*maps)
    assert (finding.code, finding.maps, finding.bytes) == ("small", 10000, 500000)
    assert finding.text == (
        "10000 small maps of type map[string]int, 50 bytes each, with 0.5 entries on average"
    )
    assert codes(*maps[1:]) == []
    assert codes(*maps[1:], some(entries=9)) == []
    assert codes(*maps[1:], some(type="map[int]int")) == []


def test_findings_are_in_the_order_of_their_bytes() -> None:
    maps = [
        some(growing="double", retained=10),
        some(capacity=2048, entries=9, buckets=256, wasted=11),
    ]
    assert codes(*maps) == ["emptied", "migration"]


def _by_convolution(entries: int, buckets: int) -> float:
    """Overflow buckets of binomially filled chains, from the distribution's own recurrence."""
    share = 1 / buckets
    probability = (1 - share) ** entries
    total = 0.0
    for number in range(entries + 1):
        total += probability * max(0, -(-number // 8) - 1)
        probability *= (entries - number) / (number + 1) * share / (1 - share)
    return buckets * total


@pytest.mark.parametrize("load", [1, 3, 4.5, 6.5, 8])
def test_expected_overflow(load: float) -> None:
    buckets = 4096
    entries = int(load * buckets)
    # Poisson's is what the binomial one comes near to
    exact = _by_convolution(entries, buckets)
    assert math.isclose(expected_overflow(entries, buckets), exact, rel_tol=0.02, abs_tol=0.01)


def test_expected_overflow_of_a_few_and_of_very_many() -> None:
    assert expected_overflow(0, 1) == 0
    assert expected_overflow(1, 1) < 1e-4
    assert math.isfinite(expected_overflow(1 << 60, 1))


# --- looks ---

LOOK: looks.Look = {
    ("map[string]int", "main.a"): Group(2, 10, 400, 30, 8),
    ("map[string]int", "main.b\u2028\udc80"): Group(1, 0, 48, 0, 0),
    ("?", "?"): Group(3, 7, 100, 5, 0, 2),
}


def test_a_look_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "look"
    file.write_text(looks.text_of(LOOK, False), encoding="utf-8")
    back, complete = looks.read(str(file))
    assert not complete
    unknown = back.pop(("?", "?"))
    assert (unknown.maps, unknown.entries, unknown.unknown) == (3, 7, 1)
    assert unknown.form()["bytes"] is None
    assert back == {key: group for key, group in LOOK.items() if key != ("?", "?")}
    # what is not known did not change
    assert looks.differences({**back, ("?", "?"): unknown}, LOOK) == []


ROW = {
    "type": "map[int]int",
    "owner": "main.m",
    "maps": 1,
    "count": 2,
    "bytes": 3,
    "wasted": 0,
    "retained": 0,
}


def as_file(**changes: Any) -> str:
    form = {"schema": looks.SCHEMA, "complete": True, "groups": [ROW]}
    return json.dumps({**form, **changes})


def row(**changes: Any) -> str:
    return as_file(groups=[{**ROW, **changes}])


HOSTILE = [
    "",
    "no JSON",
    "[]",
    "null",
    '"text"',
    "7",
    "[" * 100000,
    "{" * 5000,
    '{"schema": "mapscope.heap-look/1"}',
    as_file()[:-9],
    as_file(complete=None),
    as_file(complete="no"),
    as_file(groups={}),
    as_file(groups="text"),
    as_file(groups=None),
    as_file(groups=[7]),
    as_file(groups=[None]),
    as_file(groups=[[]]),
    as_file(groups=[ROW, ROW]),
    *(as_file(groups=[{k: v for k, v in ROW.items() if k != name}]) for name in ROW),
    *(row(**{n: -1}) for n in ("maps", "count", "bytes", "wasted", "retained")),
    *(row(**{n: 1 << 300}) for n in ("maps", "count", "bytes", "wasted", "retained")),
    row(maps=1.5),
    row(maps="1"),
    row(maps=True),
    row(maps=None),
    row(maps=[1]),
    row(type=None),
    row(owner=7),
    row(bytes=3).replace('"bytes": 3', '"bytes": Infinity'),
    row(bytes=3).replace('"bytes": 3', '"bytes": 1e999'),
    row(bytes=3).replace('"bytes": 3', '"bytes": NaN'),
    row(bytes=3).replace('"bytes": 3', '"bytes": ' + "9" * 4000),
    row(bytes=3).replace('"bytes": 3', '"bytes": ' + "9" * 90000),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_looks(hostile: str, tmp_path: Path) -> None:
    file = tmp_path / "look"
    file.write_text(hostile, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        looks.read(str(file))
    assert str(error.value).startswith(str(file)) and "\n" not in str(error.value)


def test_other_schemas_files_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "look"
    file.write_text(as_file(schema="mapscope.heap/1\n\x1b[31m" + "x" * 100000), encoding="utf-8")
    with pytest.raises(UsageError, match=r"its schema is mapscope.heap/1\\n\\.*, not mapscope"):
        looks.read(str(file))
    file.write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(UsageError, match="holds no look"):
        looks.read(str(file))
    with pytest.raises(UsageError, match="No such file"):
        looks.read(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="directory"):
        looks.read(str(tmp_path))
    with pytest.raises(UsageError):
        looks.read("null\0byte")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(list(ROW) + ["schema", "complete", "groups"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["complete", "groups"]), JSON), JSON)
def test_any_json_is_a_look_or_refused(form: Dict[str, Any], other: Any) -> None:
    for content in ({"schema": looks.SCHEMA, "complete": True, **form}, other):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            try:
                look, complete = looks.read(file.name)
            except UsageError as error:
                assert "\n" not in str(error)
            else:
                assert complete in (True, False)
                assert all(type(group.bytes) is int for group in look.values())


def test_differences() -> None:
    before = {("t", name): Group(1, 10, 100) for name in ("same", "grew", "shrank", "went", "more")}
    now = dict(before)
    del now["t", "went"]
    now["t", "grew"] = Group(1, 10, 600)
    now["t", "shrank"] = Group(1, 10, 50)
    now["t", "more"] = Group(1, 11, 100)
    now["t", "appeared"] = Group(2, 3, 40)
    now["t", "unknown"] = Group(2, 3, 40, 0, 0, 1)
    found = {one.owner: one for one in looks.differences(before, now)}
    assert list(found) == ["grew", "went", "shrank", "appeared", "more", "unknown"]
    assert {name: (one.what, one.bytes) for name, one in found.items()} == {
        "grew": ("grew", 500),
        "went": ("went", -100),
        "shrank": ("shrank", -50),
        "appeared": ("appeared", 40),
        "more": ("grew", 0),
        "unknown": ("appeared", None),
    }
    form = found["went"].form()
    assert (form["bytes"], form["count"], form["maps"]) == (-100, -10, -1)


# --- profiles: read by what the format says, not by what wrote them ---

Field = Tuple[int, Any]


def varint(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            assert value < 1 << 64
            return value, at


def message(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            yield key >> 3, value
        else:
            assert key & 7 == 2
            size, at = varint(data, at)
            assert at + size <= len(data)
            yield key >> 3, data[at : at + size]
            at += size


def packed(data: bytes) -> List[int]:
    values: List[int] = []
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


class Decoded:
    """A profile as pprof's own description of the format has it."""

    def __init__(self, raw: bytes) -> None:
        fields = list(message(gzip.decompress(raw)))

        def of(number: int) -> List[Any]:
            return [value for field, value in fields if field == number]

        self.strings = [value.decode() for value in of(6)]
        assert self.strings[0] == "" and len(set(self.strings)) == len(self.strings)
        self.types = [self._pair(value) for value in of(1)]
        functions: Dict[int, str] = {}
        for value in of(5):
            fields_of = dict(message(value))
            assert fields_of[1] not in functions and fields_of[1] > 0
            functions[fields_of[1]] = self.strings[fields_of[2]]
        locations: Dict[int, str] = {}
        for value in of(4):
            fields_of = dict(message(value))
            assert fields_of[1] not in locations and fields_of[1] > 0
            locations[fields_of[1]] = functions[dict(message(fields_of[4]))[1]]
        self.samples = [
            (tuple(locations[number] for number in packed(dict(message(value))[1])), value)
            for value in of(2)
        ]
        self.values = {
            stack: tuple(packed(dict(message(value))[2])) for stack, value in self.samples
        }
        assert len(self.values) == len(self.samples)
        self.time = of(9)
        (default,) = of(14)
        self.default = self.strings[default]

    def _pair(self, raw: bytes) -> Tuple[str, str]:
        fields = dict(message(raw))
        return self.strings[fields[1]], self.strings[fields[2]]


def test_a_profile() -> None:
    profile = Profile(1_700_000_000_000_000_001)
    profile.add(["map[int]int", "main.a.b", "main.a"], [1, 200, 30, 0])
    profile.add(["map[int]int", "main.a.b", "main.a"], [2, 300, 0, 5])
    profile.add(["map[int]int", "main.a"], [1 << 40, 0, 0, 127])
    profile.add(["entries", ""], [0, 1, 128, 16384])
    decoded = Decoded(profile.packed())
    assert decoded.types == list(VALUES) and decoded.default == "bytes"
    assert decoded.time == [1_700_000_000_000_000_001]
    assert decoded.values == {
        ("map[int]int", "main.a.b", "main.a"): (3, 500, 30, 5),
        ("map[int]int", "main.a"): (1 << 40, 0, 0, 127),
        ("entries", ""): (0, 1, 128, 16384),
    }


def test_an_empty_profile_and_one_of_damaged_maps() -> None:
    assert Decoded(Profile().packed()).values == {}
    profile = Profile()
    for _ in range(3):
        profile.add(["\udc80\x00 ü"], [1 << 64, (1 << 63) - 1, 0, 1 << 200])
    most = (1 << 63) - 1
    assert list(Decoded(profile.packed()).values.values()) == [(most, most, 0, most)]


VALUE = st.integers(0, (1 << 50) - 1)


@given(
    st.lists(
        st.tuples(
            st.lists(st.text(st.characters(blacklist_categories=("Cs",))), min_size=1, max_size=4),
            st.tuples(VALUE, VALUE, VALUE, VALUE),
        )
    )
)
def test_any_profile(samples: List[Tuple[List[str], Tuple[int, int, int, int]]]) -> None:
    profile = Profile()
    expected: Dict[Tuple[str, ...], Tuple[int, ...]] = {}
    for stack, values in samples:
        profile.add(stack, values)
        before = expected.get(tuple(stack), (0, 0, 0, 0))
        expected[tuple(stack)] = tuple(a + b for a, b in zip(before, values))
    assert Decoded(profile.packed()).values == expected


# --- the commands ---


class FakeView(HeapView):
    """A heap of maps that the test made up."""

    def __init__(self, maps: Sequence[HeapMap], flavor: str = "go-classic") -> None:
        super().__init__()
        self.flavor = flavor
        self.list = list(maps)
        self.followed = True
        self.stops_after: Optional[int] = None

    def maps(self) -> Iterator[HeapMap]:
        for number, map in enumerate(self.list):
            if number == self.stops_after:
                raise KeyboardInterrupt
            yield map

    def __len__(self) -> int:
        return len(self.list)

    def has(self, address: int) -> bool:
        return any(map.address == address for map in self.list)

    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        return []


class FakeFlavour:
    """Offers views that the test made up."""

    def __init__(self, views: List[HeapView]) -> None:
        self.views = views
        self.followed: List[bool] = []

    def present(self, session: Session) -> bool:
        return True

    def heap(self, session: Session, follow: bool, progress: Progress) -> List[HeapView]:
        self.followed.append(follow)
        return self.views

    def composed(
        self, session: Session, views: List[HeapView], progress: Progress
    ) -> List[HeapView]:
        return views


Offer = Callable[..., FakeFlavour]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Makes `map heap` see these views and no others."""

    def made(*views: HeapView) -> FakeFlavour:
        flavour = FakeFlavour(list(views))
        monkeypatch.setattr(heap_command, "FLAVOURS", [flavour])
        return flavour

    return made


TARGET = FakeTarget(Image())

MAPS = [
    some(),
    some(
        address=0xC000020000,
        entries=10,
        bytes=4096,
        wasted=1024,
        retained=512,
        growing="double",
        capacity=64,
        owner="",
        garbage=True,
    ),
    some(address=0xC000030000, type=None, candidates=("map[a]b", "map[c]d"), bytes=100, owner=""),
    some(address=0xC000040000, capacity=0, entries=0, bytes=48, owner="main.\x1b[31m"),
]


def test_text(offer: Offer) -> None:
    view = FakeView(MAPS)
    view.notes.append("2 spans\x07 could not be read")
    view.complete = False
    offer(view)
    out = text(TARGET, "heap").splitlines()
    assert out[0].split() == (
        "address bytes wasted retained entries fill growing type owner".split()
    )
    assert out[1].split()[:9] == (
        ["0xc000020000", "4.0", "KiB", "1.0", "KiB", "512", "bytes", "10", "16%"]
    )
    assert out[1].endswith("double     map[string]int  (garbage: nothing refers to it)")
    assert "one of map[a]b, map[c]d  ?" in out[3]
    assert "\x1b" not in "".join(out) and "\x07" not in "".join(out)
    assert out[5:9] == [
        "",
        "4 maps, 18 entries, 4.4 KiB, of it 1.0 KiB wasted, 512 bytes retained by migrations "
        "(not all were looked at)",
        "types: 3 certain, 1 with candidates, 0 not known",
        "garbage: nothing refers to 1 of them, 4.0 KiB",
    ]
    assert out[9] == "what stands out:" and "(0xc000020000)" in out[10]
    assert out[11].startswith("note: 2 spans")
    assert "... 3 more (--limit 0 shows all)" in text(TARGET, "heap", "--limit 1")


def test_json(offer: Offer) -> None:
    offer(FakeView(MAPS, "go-swiss"))
    form = one(TARGET, "heap")
    assert (form["schema"], form["by"], form["complete"]) == ("mapscope.heap/1", "map", True)
    rows = {row["address"]: row for row in form["maps"]}
    assert rows["0xc000010000"] == {
        "address": "0xc000010000",
        "type": "map[string]int",
        "candidates": [],
        "flavor": "go-swiss",
        "count": 4,
        "bytes": 300,
        "wasted": 0,
        "retained": 0,
        "fill": 0.5,
        "growing": None,
        "owner": "main.table",
        "garbage": False,
    }
    assert rows["0xc000030000"]["type"] is None and rows["0xc000030000"]["owner"] is None
    assert rows["0xc000040000"]["fill"] is None
    assert form["totals"]["garbage"]["maps"] == 1
    assert [finding["code"] for finding in form["findings"]] == ["migration"]
    assert form["findings"][0]["examples"] == ["0xc000020000"]


def test_groups_in_text_and_json(offer: Offer) -> None:
    offer(FakeView(MAPS + [some(bytes=None, wasted=None, type="map[x]y")]))
    form = one(TARGET, "heap", "--by type --sort wasted")
    assert form["groups"][0] == {
        "type": "map[string]int",
        "maps": 3,
        "count": 14,
        "bytes": 4444,
        "wasted": 1024,
        "retained": 512,
    }
    assert [g["bytes"] for g in form["groups"] if g["type"] == "map[x]y"] == [None]
    assert form["totals"]["bytes"] is None
    out = text(TARGET, "heap", "--by owner")
    assert "(nothing refers to them)" in out and "+?" in out


def test_lines_in_a_file(offer: Offer, tmp_path: Path) -> None:
    offer(FakeView(MAPS))
    file = tmp_path / "out"
    text(TARGET, "heap", f"--json -o {file}")
    head, *rows, tail = [json.loads(line) for line in file.read_text().splitlines()]
    assert head == {"schema": "mapscope.heap/1", "by": "map"}
    assert len(rows) == 4 and tail["totals"]["maps"] == 4 and tail["complete"] is True


def test_types_and_bytes_that_are_asked_for(offer: Offer) -> None:
    offer(FakeView(MAPS))
    form = one(TARGET, "heap", "--type 'map[string] int' --min-bytes 100")
    assert [row["address"] for row in form["maps"]] == ["0xc000020000", "0xc000010000"]
    form = one(TARGET, "heap", "--type map[a]b")
    assert form["maps"] == [] and form["notes"] == ["1 more maps may be of this type, among others"]
    assert "none of 4 maps is such a one" in text(TARGET, "heap", "--min-bytes 5000")
    with pytest.raises(MapscopeError, match=r"no type map\[string\]in .*did you mean map\[string"):
        text(TARGET, "heap", "--type map[string]in")


def test_two_kinds_of_maps(offer: Offer) -> None:
    offer(FakeView(MAPS[:2], "go-classic"), FakeView(MAPS[2:], "go-swiss"))
    form = one(TARGET, "heap")
    assert {row["address"][-5]: row["flavor"][3:] for row in form["maps"]} == (
        {"1": "classic", "2": "classic", "3": "swiss", "4": "swiss"}
    )


def test_profile_save_and_since(offer: Offer, tmp_path: Path) -> None:
    view = FakeView(MAPS)
    view.steps["main.table"] = ("main", ".table")
    offer(view)
    look, profile = tmp_path / "look", tmp_path / "profile"
    out = text(TARGET, "heap", f"--save {look} --pprof {profile}")
    assert f"wrote {profile}" in out and f"wrote {look}" in out
    decoded = Decoded(profile.read_bytes())
    assert decoded.values["map[string]int", "main.table", "main"] == (4, 300, 0, 0)
    assert len(decoded.values) == 4 and sum(row[1] for row in decoded.values.values()) == 4544
    assert text(TARGET, "heap", f"--since {look}") == "nothing changed, by type and owner\n"
    view.list[0] = some(entries=40, bytes=2000)
    del view.list[3]
    out = text(TARGET, "heap", f"--since {look}")
    assert "+1.7 KiB        +0         +36  grew      map[string]int  main.table" in out
    assert "went" in out and "\x1b" not in out
    form = one(TARGET, "heap", f"--since {look} --limit 1")
    assert form["schema"] == "mapscope.heap-since/1"
    (change,) = form["changes"]
    assert (change["change"], change["bytes"], change["before"]["bytes"]) == ("grew", 1700, 300)
    view.complete = False
    assert one(TARGET, "heap", f"--since {look}")["complete"] is False
    assert "not of all maps" in text(TARGET, "heap", f"--since {look}")


def test_bytes_that_are_not_known_did_not_grow(offer: Offer, tmp_path: Path) -> None:
    unknown = [some(), some(bytes=None, wasted=None)]
    offer(FakeView(unknown))
    look = tmp_path / "look"
    text(TARGET, "heap", f"--save {look}")
    assert text(TARGET, "heap", f"--since {look}") == "nothing changed, by type and owner\n"
    offer(FakeView(unknown + [some()]))
    assert one(TARGET, "heap", f"--since {look}")["changes"][0]["bytes"] is None
    row = text(TARGET, "heap", f"--since {look}").splitlines()[1]
    assert row.split()[:3] == ["?", "+1", "+4"]


def test_entries_that_are_not_known_are_no_number(offer: Offer, tmp_path: Path) -> None:
    offer(FakeView([some(), some(address=0xC000090000, entries=None, type="sync.Map", bytes=None)]))
    form = one(TARGET, "heap", "")
    assert [row["count"] for row in form["maps"]] == [4, None]
    assert form["totals"]["count"] is None
    shown = text(TARGET, "heap", "")
    assert "2 maps, 4+? entries" in shown and "          ?        " in shown
    assert re.search(r" 1 +0\+\? +sync.Map\n", text(TARGET, "heap", "--by type"))
    look = tmp_path / "look"
    text(TARGET, "heap", f"--save {look}")
    assert "nothing changed" in text(TARGET, "heap", f"--since {look}")
    offer(FakeView([some(entries=9), some(address=0xC000090000, entries=9, type="sync.Map")]))
    changes = one(TARGET, "heap", f"--since {look}")["changes"]
    assert [(row["type"], row["count"]) for row in changes] == [("map[string]int", 5)]


def test_no_owners_and_what_needs_them(offer: Offer) -> None:
    flavour = offer(FakeView(MAPS))
    text(TARGET, "heap", "--no-owners")
    text(TARGET, "heap")
    assert flavour.followed == [False, True]
    for words in ("--by owner", "--save x", "--since x", "--pprof x"):
        with pytest.raises(UsageError, match="no-owners leaves out"):
            text(TARGET, "heap", f"--no-owners {words}")


@pytest.mark.parametrize(
    "words",
    ["--by size", "--sort name", "--limit -1", "--limit x", "--min-bytes 1.5", "--type", "more"],
)
def test_wrong_arguments(offer: Offer, words: str) -> None:
    offer(FakeView(MAPS))
    with pytest.raises(UsageError) as error:
        text(TARGET, "heap", words)
    assert str(error.value).startswith("map heap: ") and "\n" not in str(error.value)


def test_a_file_that_cannot_be_written(offer: Offer, tmp_path: Path) -> None:
    offer(FakeView(MAPS))
    for option in ("--save", "--pprof"):
        with pytest.raises(UsageError, match="cannot write .*: "):
            text(TARGET, "heap", f"{option} {tmp_path}/none/file")


def test_no_maps_is_not_said_of_what_was_not_looked_at(offer: Offer) -> None:
    view = FakeView([])
    offer(view)
    assert text(TARGET, "heap") == "no maps found\n"
    view.complete = False
    view.notes.append("3 spans of map headers could not be read")
    assert text(TARGET, "heap") == (
        "no maps were found so far (not all were looked at)\n"
        "note: 3 spans of map headers could not be read\n"
    )


def test_an_interrupt_leaves_what_was_measured(offer: Offer) -> None:
    view = FakeView(MAPS)
    view.stops_after = 2
    offer(view)
    form = one(TARGET, "heap")
    assert len(form["maps"]) == form["totals"]["maps"] == 2
    assert form["complete"] is False and form["notes"][0].startswith("interrupted: ")
    out = text(TARGET, "heap", "--by type")
    assert "2 maps, " in out and "(not all were looked at)" in out and "interrupted" in out
    # a type that was not met so far may come yet
    out = text(TARGET, "heap", "--type map[other]int")
    assert out.startswith("no such map was found so far (not all were looked at)\n")


def test_an_interrupt_while_it_is_printed(offer: Offer) -> None:
    offer(FakeView([some(address=4096 + n) for n in range(500)]))
    for words in ("--limit 0", "--json", "--by owner", "--json -o /dev/null"):
        pieces: List[str] = []
        presses = iter([None] * 3 + [KeyboardInterrupt])

        def write(piece: str) -> None:
            press = next(presses, None)
            if press is not None:
                raise press
            pieces.append(piece)

        shell.run(TARGET, TARGET.stops, "heap", words, write)
        if words == "--limit 0":
            assert len(pieces) < 20 and pieces[-1] == "note: interrupted: not all is shown\n"
        elif words == "--json":
            form = json.loads("".join(pieces))
            assert len(form["maps"]) < 10 and form["totals"]["maps"] == 500
            assert form["complete"] is False and form["notes"] == ["interrupted: not all is shown"]


def test_after_an_interrupt_nothing_else_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = FakeView(MAPS[:1]), FakeView(MAPS[1:])
    first.complete, first.interrupted = False, True
    flavours = [FakeFlavour([first]), FakeFlavour([second])]
    monkeypatch.setattr(heap_command, "FLAVOURS", flavours)
    assert one(TARGET, "heap")["totals"]["maps"] == 1
    assert flavours[1].followed == []


def test_many_rows_keep_the_largest(offer: Offer) -> None:
    sizes = [(n * 7919) % 10007 for n in range(5000)]
    offer(FakeView([some(address=4096 + n, bytes=size) for n, size in enumerate(sizes)]))
    form = one(TARGET, "heap", "--limit 5")
    assert [row["bytes"] for row in form["maps"]] == sorted(sizes, reverse=True)[:5]
    assert form["totals"]["maps"] == 5000


def test_a_program_without_a_runtime() -> None:
    assert text(TARGET, "heap") == (
        "no maps found: no runtime of mapscope's or of Go's was recognised in this program\n"
    )
    form = one(TARGET, "heap")
    assert form["complete"] is False and len(form["notes"]) == 1


# --- owners ---


class OwnedView(FakeView):
    """A heap in which two paths lead to each map."""

    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        steps = [Step("main.a", "", 0), Step('["k\x1b"]', "map[int]int", 0xC000000010)]
        paths = [Owner(steps), Owner([Step("main.b", "", 0)])]
        return [] if not self.followed else paths if all else paths[:1]


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Tuple[FakeTarget, OwnedView, str]:
    """A program with a map m, a view that has it, and its address."""
    target, _ = number_map()
    address = one(target, "inspect", "m")["address"]
    view = OwnedView([some(address=int(address, 16))])
    monkeypatch.setattr(owners_command, "FLAVOURS", [FakeFlavour([view])])
    return target, view, address


def test_owners(owned: Tuple[FakeTarget, OwnedView, str]) -> None:
    target, view, address = owned
    out = text(target, "owners", "m").splitlines()
    assert out[0].endswith(address) and len(out) == 4
    assert out[1] == r'  main.a["k\x1b"]' and out[3].split()[0] == "0xc000000010"
    form = one(target, "owners", "m --all")
    assert [len(owner["steps"]) for owner in form["owners"]] == [2, 1]
    assert form["owners"][0]["steps"][0] == {"step": "main.a", "type": None, "address": None}
    assert (form["schema"], form["garbage"]) == ("mapscope.owners/1", False)


def test_no_owner_is_garbage_only_if_all_was_followed(
    owned: Tuple[FakeTarget, OwnedView, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, view, _ = owned
    view.followed = False
    assert "cannot tell: no reference to it was found" in text(target, "owners", "m")
    assert one(target, "owners", "m")["garbage"] is None
    monkeypatch.setattr(OwnedView, "owners", lambda *_: [])
    view.followed = True
    assert "nothing refers to it: it is garbage" in text(target, "owners", "m")
    assert one(target, "owners", "m")["garbage"] is True


def test_owners_that_cannot_be_told(
    owned: Tuple[FakeTarget, OwnedView, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, view, _ = owned

    def interrupted(*_: object) -> Sequence[Owner]:
        raise KeyboardInterrupt

    monkeypatch.setattr(OwnedView, "owners", interrupted)
    with pytest.raises(MapscopeError, match="interrupted: no owner was found yet"):
        text(target, "owners", "m")
    view.list = []
    with pytest.raises(MapscopeError, match="is not one of the heap's"):
        text(target, "owners", "m")
    for words in ("", "m m2 m3", "m --every", "nothing_there"):
        with pytest.raises(MapscopeError) as error:
            shell.run(target, target.stops, "owners", words, lambda _: None)
        assert "\n" not in str(error.value)

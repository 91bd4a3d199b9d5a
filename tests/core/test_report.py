# SPDX-License-Identifier: MIT
"""The page of `map report`: its figures are those of inspect, stats and heap, nothing in it can
become markup, and it stays small."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from codec import Int, StdString
from cppprogram import CppProgram
from image import FakeTarget
from looking import one, text
from mapscope.commands import report_page
from mapscope.errors import MapscopeError, UsageError
from mapscope.heap.totals import Group
from mapscope.maps.facts import Distribution
from mapscope.maps.occupancy import Occupancy, agrees
from mapscope.page.document import document, json_for_markup
from mapscope.page.drawn import MOST_BINS, MOST_BOXES, MOST_SQUARES, bins, boxes, doubling_bins
from mapscope.page.drawn import squares
from model import MIN_TOP, RuntimeMap
from redisprogram import Dict as RedisDict
from redisprogram import Program
from scenes import Scene, all_scenes

Json = Dict[str, Any]
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;\u2028\u2029"


def data_of(page: str) -> Json:
    """What a page's element of JSON holds, found as a browser finds it: up to the first end tag."""
    _, _, rest = page.partition('<script type="application/json" id="data">')
    found: Json = json.loads(rest.partition("</script")[0])
    return found


def growing() -> Tuple[CppProgram, RuntimeMap]:
    """A program with a map in the middle of a doubling."""
    program = CppProgram("symbol")
    model = program.map("m", Int(8), Int(8))
    model.fill({n: n for n in range(54)})
    assert model.growing()
    return program, model


def name_of(scene: Scene) -> str:
    """What a scene is called."""
    return scene.name


def written(target: FakeTarget, line: str, folder: Path) -> str:
    """The page that `map report LINE` writes."""
    assert text(target, "report", f"{line} -o '{folder / 'page.html'}'") == ""
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scene", all_scenes(), ids=name_of)
def test_figures_are_those_of_the_commands(scene: Scene) -> None:
    try:
        stats = one(scene.target, "stats", "m")
    except MapscopeError as error:
        with pytest.raises(type(error)):
            one(scene.target, "report", "m")
        return
    form = one(scene.target, "report", "m")
    assert form["schema"] == "mapscope.report/1" and form["of"] == "map"
    assert form["inspect"] == one(scene.target, "inspect", "m") and form["stats"] == stats
    assert form["heat"] or form["heat_unknown"]
    if stats["entries"] is not None:
        drawn = sum(sum(heat["squares"]) for heat in form["heat"])
        assert 0 <= stats["entries"] - drawn <= 1, "one may be on its way between two buckets"
        assert len(form["entries"]["rows"]) == stats["entries"]
    for histogram in form["histograms"]:
        values = stats[histogram["name"]]
        assert sum(values.values()) == sum(number for _, _, number in histogram["bins"])


def test_each_square_is_what_a_count_finds() -> None:
    program, model = growing()
    heat = {one_["array"]: one_ for one_ in one(program.target, "report", "m")["heat"]}
    assert list(heat) == ["new", "old"]
    truth: Dict[str, Dict[int, int]] = {"new": {}, "old": {}}
    for array, bucket, *_, top in model.cells():
        if top >= MIN_TOP:
            truth[array][bucket] = truth[array].get(bucket, 0) + 1
    for name, held in truth.items():
        assert heat[name]["places_per_square"] == 1
        assert heat[name]["squares"] == [held.get(n, 0) for n in range(heat[name]["places"])]
    moved = [int(model.evacuated(index)) for index in range(model.old_count())]
    assert heat["old"]["evacuated"] == moved and 0 < sum(moved) < len(moved)
    assert heat["new"]["evacuated"] is None


def test_text_of_the_program_is_never_markup(tmp_path: Path) -> None:
    program = CppProgram("symbol")
    program.map("m", StdString(), Int(8)).fill({HOSTILE: 1, "plain": 2})
    page = written(program.target, "m", tmp_path)
    assert page.isascii()
    assert page.count("<script") == page.count("</script>") == 2 and "<img" not in page
    rows = data_of(page)["entries"]["rows"]
    assert sorted(row[0] for row in rows)[0].startswith(
        '"</script><script>alert(1)</script><!--<img'
    )
    form = {"names": [HOSTILE, "@@script@@", "\ud800"]}
    inside = json_for_markup(form)
    assert not re.search("[<>&\u2028\u2029]", inside) and json.loads(inside) == form


def test_the_page_allows_nothing_but_itself() -> None:
    page = document({"schema": "mapscope.report/1", "name": "@@style@@"})
    assert data_of(page)["name"] == "@@style@@"
    (policy,) = re.findall('Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy
    assert len(re.findall("'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+", page.split("<style>")[1]))
    assert addresses <= {"http://www.w3.org", "//"}, "SVG's namespace is a name, no address"
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", page)


def test_many_entries_are_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = growing()
    monkeypatch.setattr(report_page, "MOST_ENTRIES", 7)
    entries = one(program.target, "report", "m")["entries"]
    assert len(entries["rows"]) == 7 and entries["of"] == 54
    assert entries["complete"] is False and entries["error"] is None
    monkeypatch.setattr(report_page, "_MOST_TEXT", 3)
    assert len(one(program.target, "report", "m")["entries"]["rows"]) < 7


def test_bins() -> None:
    assert bins({}) == []
    assert bins({3: 2, 5: 1}) == [(3, 3, 2), (4, 4, 0), (5, 5, 1)]
    many = {n: n + 1 for n in range(1000)}
    found = bins(many)
    assert len(found) <= MOST_BINS and sum(number for *_, number in found) == sum(many.values())
    assert all(low <= high for low, high, _ in found) and found[-1][1] == 999
    assert [low for low, *_ in found[1:]] == [high + 1 for _, high, _ in found[:-1]]
    assert len(bins({0: 1, 1 << 60: 1})) <= MOST_BINS
    assert doubling_bins({}) == []
    assert doubling_bins({0: 4, 3: 1}) == [(0, 0, 4), (1, 1, 0), (2, 3, 0), (4, 7, 1)]
    assert len(doubling_bins({0: 1, 90: 1})) == MOST_BINS


def test_squares_of_many_places() -> None:
    held = [n % 7 for n in range(100_000)]
    found: Any = squares(Occupancy("new", "bucket", 100_000, 100_000, held))
    assert found["places_per_square"] == 7 and len(found["squares"]) <= MOST_SQUARES
    assert found["squares"][0] == 21 and sum(found["squares"]) == sum(held) == found["entries"]
    # a header that lies: no more is drawn, and what was not looked at is not known to be empty
    cut: Any = squares(Occupancy("new", "bucket", 1 << 40, 3, [1, 2, 3]))
    assert len(cut["squares"]) <= MOST_SQUARES and set(cut["squares"]) == {None}
    assert cut["looked_at"] == 3
    part: Any = squares(Occupancy("old", "bucket", 4, 2, [1], [1, 0]))
    assert part["squares"] == [1, 0, None, None] and part["evacuated"] == [1, 0, None, None]
    nothing: Any = squares(Occupancy("new", "bucket", 2, 0, []))
    assert nothing["squares"] == [None, None] and nothing["most"] is None


def test_boxes_of_many_groups() -> None:
    groups = {f"type {n}": Group(1, n, 10 * n, n, 0, n % 2) for n in range(1000)}
    found: Any = boxes(groups)
    assert len(found["boxes"]) == MOST_BOXES and found["boxes"][0]["name"] == "type 999"
    assert found["others"]["groups"] == 700
    for name, field in (("bytes", "bytes"), ("count", "entries"), ("without_bytes", "unknown")):
        drawn = sum(box[name] for box in found["boxes"]) + found["others"][name]
        assert drawn == sum(getattr(group, field) for group in groups.values())


def test_places_that_were_counted_twice_differently_are_not_shown() -> None:
    nothing: Dict[int, int] = {}
    distribution = Distribution({0: 1, 2: 1}, nothing, nothing, nothing, 2, None, None, 0, 0)
    assert agrees([Occupancy("new", "bucket", 2, 2, [2])], distribution)
    assert not agrees([Occupancy("new", "bucket", 3, 3, [2])], distribution)
    assert not agrees([Occupancy("new", "bucket", 2, 2, [1, 1])], distribution)


def test_the_process(tmp_path: Path) -> None:
    program, model = growing()
    program.map("other", Int(8), Int(8)).fill({n: n for n in range(5)})
    form = data_of(written(program.target, "", tmp_path))
    heap = one(program.target, "heap")
    assert form["of"] == "process" and form["heap"] == heap and len(heap["maps"]) == 2
    for by in ("type", "owner"):
        tree = form["treemap"][by]
        drawn = sum(box["bytes"] for box in [*tree["boxes"], tree["others"]])
        assert drawn == heap["totals"]["bytes"]
    for histogram in form["histograms"]:
        drawn = sum(number for *_, number in histogram["bins"])
        assert drawn + histogram["without"] == 2, histogram["name"]
    (migration,) = form["migrations"]["rows"]
    assert migration["address"] == hex(model.address) and form["migrations"]["of"] == 1
    growth = one(program.target, "inspect", "m")["growth"]
    assert migration["progress"] == growth["progress"] and migration["unknown"] is None


def test_a_migration_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = growing()

    def fails(*_: object) -> None:
        raise MapscopeError("not readable today")

    monkeypatch.setattr("mapscope.commands.base.Context.find_map", fails)
    (row,) = one(program.target, "report")["migrations"]["rows"]
    assert row["progress"] is None and row["unknown"] == "not readable today"


def test_old_buckets_that_are_left_one_behind_the_other() -> None:
    map = RedisDict(Program("7.0"), "hashDictType", 8)
    for at in range(24):
        map.add(b"key %d" % at, b"value %d" % at)
    map.grow(16)
    map.step()
    map.step()
    form = one(map.program.target, "report", hex(map.address))
    growth = form["inspect"]["growth"]
    assert growth["evacuated"] == growth["nevacuate"] and growth["ahead"] == 0
    old = next(heat for heat in form["heat"] if heat["array"] == "old")
    left = growth["evacuated"]
    assert 0 < left < 8 and old["evacuated"] == [1] * left + [0] * (8 - left)
    assert sum(old["squares"][:left]) == 0 and sum(old["squares"]) == growth["entries_waiting"]


def test_buckets_that_cannot_be_read_are_not_empty() -> None:
    """The first 5 of 16 buckets are there."""
    program, model = growing()
    size, image = model.shape.size, model.image
    array = 0x7F0000000000 - 5 * size % 16
    image.map_region(array, image.read(model.get("buckets"), 5 * size))
    model.init("buckets", array)
    form = one(program.target, "report", "m")
    new, old = form["heat"]
    assert new["looked_at"] == 5 and None not in new["squares"][:5]
    assert new["squares"][5:] == [None] * 11 and None not in old["squares"]
    assert form["stats"]["read"] and form["inspect"]["problems"]
    assert form["entries"]["complete"] is False and "cannot read" in form["entries"]["error"]


def test_what_an_interrupt_left_out_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = growing()

    def interrupted(target: FakeTarget, done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeTarget, "progress", interrupted)
    form = one(program.target, "report", "m")
    assert form["stats"]["entries"] is None and "interrupted" in form["stats"]["problems"][0]
    for heat in form["heat"]:
        assert set(heat["squares"]) == {None} and heat["most"] is None
    assert form["heat"] and form["entries"]["complete"] is False
    assert "interrupted" in form["entries"]["error"]
    assert [one_["bins"] for one_ in form["histograms"]] == [None]


def test_a_doubt_about_all_of_it_stands_in_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, _ = growing()
    assert data_of(written(program.target, "m", tmp_path))["said"] == []
    monkeypatch.setattr(FakeTarget, "misfit", lambda target: "the core is of another build")
    monkeypatch.setattr(FakeTarget, "runs_on", lambda target: True)
    for line in ("m", ""):
        said = data_of(written(program.target, line, tmp_path))["said"]
        assert said[0] == "the core is of another build" and said[1].startswith("read while")


def test_what_makes_no_sense_is_told_in_a_line() -> None:
    program, _ = growing()
    wrong: List[Tuple[str, str]] = [
        ("m", "map report .MAP. -o FILE.html"),
        ("", "map report .MAP. -o FILE.html"),
        ("--json --type 'map[int]int'", "--type is of a MAP"),
    ]
    for line, expected in wrong:
        with pytest.raises(UsageError, match=expected):
            text(program.target, "report", line)
    with pytest.raises(MapscopeError):
        text(program.target, "report", "nothing --json")

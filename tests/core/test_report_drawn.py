# SPDX-License-Identifier: MIT
"""What a browser draws of the page of `map report`: the figures of its JSON, as large as they are.

Skipped where there is no Chromium on PATH (Debian: chromium).
"""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import pytest

from codec import Int, StdString
from cppprogram import CppProgram
from looking import text
from mapscope.commands import report_page
from mapscope.heap.totals import Group
from mapscope.page.drawn import boxes as boxes_of
from test_report import HOSTILE, data_of, growing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium (Debian: chromium)")
#: elements that have no end
_VOID = {"meta", "input", "br", "img", "link"}


class Element:
    """One element as the browser has it."""

    def __init__(self, tag: str, attributes: Dict[str, str], parent: Optional["Element"]) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: List[Element] = []
        self.own = ""

    def all(self, tag: str, kind: str = "") -> Iterator["Element"]:
        """Those in it, of a tag and a class."""
        for child in self.children:
            if child.tag == tag and kind in ["", *child.attributes.get("class", "").split()]:
                yield child
            yield from child.all(tag, kind)

    def text(self) -> str:
        """Its text."""
        return self.own + "".join(child.text() for child in self.children)

    def number(self, name: str) -> float:
        """An attribute."""
        return float(self.attributes[name])


class Tree(HTMLParser):
    """What --dump-dom prints."""

    def __init__(self, dumped: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self._at = Element("", {}, None)
        self.feed(dumped)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(made)
        if tag not in _VOID:
            self._at = made

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._at.parent is not None:
            assert tag == self._at.tag, f"{tag} ends {self._at.tag}"
            self._at = self._at.parent

    def handle_data(self, data: str) -> None:
        self._at.own += data


def drawn(program: CppProgram, line: str, folder: Path) -> Tuple[Element, Dict[str, Any]]:
    """The page that `map report LINE` writes, as Chromium has it then, and its JSON."""
    page = folder / "page.html"
    text(program.target, "report", f"{line} -o '{page}'")
    assert CHROMIUM is not None
    words = [CHROMIUM, "--headless", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    words += ["--no-sandbox"] * (os.geteuid() == 0)  # root has none to use
    # an address that a page asked for would not be found
    words += ["--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", page.as_uri()]
    shown = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
    root = Tree(shown.stdout.decode()).root
    (main,) = root.all("main")
    assert main.attributes.get("data-drawn") == "yes", "the script ended early"
    return root, data_of(page.read_text(encoding="utf-8"))


def bars_are(figures: List[Element], histograms: List[Dict[str, Any]]) -> None:
    """Each bar is as high as its number."""
    assert [figure.attributes["data-name"] for figure in figures] == [h["name"] for h in histograms]
    for figure, histogram in zip(figures, histograms):
        bars = list(figure.all("rect", "bar"))
        assert len(bars) == len(histogram["bins"])
        heights = [bar.number("height") for bar in bars]
        most = max((number for *_, number in histogram["bins"]), default=0)
        for height, (*_, number) in zip(heights, histogram["bins"]):
            expected = number / most * max(heights)
            assert height == pytest.approx(expected, abs=1.01) and bool(height) == bool(number)
        numbers = [cell.text() for cell in figure.all("td", "number")]
        assert numbers == [f"{number:,}" for *_, number in histogram["bins"]]


def squares_of(figure: Element) -> Dict[str, Set[Tuple[int, int]]]:
    """Places of a heat map's squares, by their colour."""
    found = {}
    for path in figure.all("path"):
        moves = re.findall(r"M(\d+) (\d+)h1v1h-1z", path.attributes["d"])
        assert "".join(f"M{x} {y}h1v1h-1z" for x, y in moves) == path.attributes["d"]
        found[path.attributes["class"]] = {(int(x), int(y)) for x, y in moves}
    return found


def test_the_page_of_a_map(tmp_path: Path) -> None:
    program, model = growing()
    page, form = drawn(program, "m", tmp_path)
    bars_are(list(page.all("figure", "histogram")), form["histograms"])
    figures = {figure.attributes["data-array"]: figure for figure in page.all("figure", "heatmap")}
    assert list(figures) == ["old", "new"], "old stands to the left of new"
    most = max(max(heat["squares"]) for heat in form["heat"])
    for heat in form["heat"]:
        by_colour = squares_of(figures[heat["array"]])
        (picture,) = figures[heat["array"]].all("svg", "heat")
        side = int(picture.attributes["viewbox"].split()[2])
        assert sum(map(len, by_colour.values())) == len(heat["squares"])
        for at, held in enumerate(heat["squares"]):
            if heat["evacuated"] and heat["evacuated"][at]:
                colour = "moved"
            else:
                colour = f"level{-(-8 * held // most)}"
            assert (at % side, at // side) in by_colour[colour], (heat["array"], at)
    assert len(squares_of(figures["old"])["moved"]) == form["inspect"]["growth"]["evacuated"]
    (bar,) = page.all("progress")
    assert bar.number("value") == form["inspect"]["growth"]["progress"]
    rows = [[cell.text() for cell in row.all("td")] for row in page.all("tr")]
    entries = [row for row in rows if len(row) == 3]
    assert entries == [row[:3] for row in form["entries"]["rows"][:50]]
    assert "1 to 50 of 54" in page.text() and form["stats"]["hash_verdict"]["text"] in page.text()


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    program = CppProgram("symbol")
    program.map("m", StdString(), Int(8)).fill({HOSTILE: 1, "a\u202eb": 2})
    page, form = drawn(program, "m", tmp_path)
    assert len(list(page.all("script"))) == 2 and not list(page.all("img"))
    cells = [cell.text() for cell in page.all("td", "mono")]
    assert any(
        cell.startswith('"</script><script>alert(1)</script><!--<img src=x') for cell in cells
    )
    assert not any("\u202e" in cell or "\u2028" in cell for cell in cells)


def test_the_page_of_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = {f"type {n}": Group(1, n, n**3 + 1, n, 0) for n in range(400)}
    monkeypatch.setattr(report_page, "boxes", lambda groups: boxes_of({**made_up, **groups}))
    program, model = growing()
    for number in range(3):
        program.map(f"other{number}", StdString(), Int(8)).fill({f"key {n}": n for n in range(9)})
    page, form = drawn(program, "", tmp_path)
    bars_are(list(page.all("figure", "histogram")), form["histograms"])
    (tree,) = page.all("svg", "tree")
    boxes = form["treemap"]["type"]["boxes"]
    others = form["treemap"]["type"]["others"]
    groups = list(tree.all("g"))
    assert len(groups) == 301 and others["groups"] == 102
    whole = sum(box["bytes"] for box in [*boxes, others])
    covered = 0.0
    for group, box in zip(groups, [*boxes, others]):
        x, y, wide, high = [
            next(group.all("rect")).number(name) for name in ("x", "y", "width", "height")
        ]
        assert min(x, y) >= 0 and x + wide <= 960.02 and y + high <= 420.02
        expected = box["bytes"] / whole * 960 * 420
        assert wide * high == pytest.approx(expected, rel=0.02, abs=0.5)
        assert expected < 100 or 1 / 6 < wide / high < 6, "boxes are to be looked at, not lines"
        covered += wide * high
        name = "102 others" if box is others else box["name"]
        assert group.attributes["aria-label"].startswith(name + ": ")
    assert covered == pytest.approx(960 * 420, rel=0.001)
    (bar,) = page.all("progress")
    assert bar.number("value") == form["migrations"]["rows"][0]["progress"]
    rows = [[cell.text() for cell in row.all("td")] for row in page.all("tr")]
    assert [row[0] for row in rows if len(row) == 8] == [m["address"] for m in form["heap"]["maps"]]
    assert model.address in [int(row[0], 16) for row in rows if len(row) == 8]

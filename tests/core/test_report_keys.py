# SPDX-License-Identifier: MIT
"""The page of `map report` by keyboard alone, in a Chromium that takes real key presses.

In the long form of the tests, and skipped without chromedriver (Debian: chromium-driver).
"""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import pytest

from codec import Double, Int
from looking import text
from test_report import data_of, growing
from test_report_drawn import CHROMIUM

DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not os.environ.get("MAPSCOPE_LONG"), reason="only in the long form"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromedriver (chromium-driver)"),
]
#: keys as WebDriver writes them
TAB, HOME, END, LEFT, RIGHT, DOWN = "\ue004", "\ue011", "\ue010", "\ue012", "\ue014", "\ue015"


class Browser:
    """A session of chromedriver."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/session"
        options = ["--headless", "--disable-gpu"] + ["--no-sandbox"] * (os.geteuid() == 0)
        chrome = {"binary": CHROMIUM, "args": options}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": chrome}}}
        self._base += "/" + self.call("", wanted)["sessionId"]

    def call(self, path: str, form: object, method: str = "POST") -> Any:
        """One of WebDriver's commands."""
        data = json.dumps(form).encode()
        request = urllib.request.Request(self._base + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def press(self, *keys: str) -> None:
        """Press keys, one behind the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def get(self, script: str) -> Any:
        """What a script returns."""
        return self.call("/execute/sync", {"script": script, "args": []})

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(40):
            if self.get(f"return document.activeElement.matches({selector!r})"):
                return
            self.press(TAB)
        raise AssertionError(f"Tab does not lead to {selector}")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that is ended behind the test."""
    assert DRIVER is not None
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            ports = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
            port = next(found for found in ports if found is not None)
            opened = Browser(int(port.group(1)))
            try:
                yield opened
            finally:
                opened.call("", {}, "DELETE")
        finally:
            driver.terminate()


def test_a_map_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    program, model = growing()
    for number in range(60):
        if number not in model.truth:
            model.assign(number, number)
    page = tmp_path / "page.html"
    text(program.target, "report", f"m -o '{page}'")
    form = data_of(page.read_text(encoding="utf-8"))
    browser.call("/url", {"url": page.as_uri()})
    new = next(heat for heat in form["heat"] if heat["array"] == "new")
    browser.tab_to('[data-array="new"] svg')
    told = "return document.querySelector('[data-array=\"new\"] output').textContent"
    for keys, at in (((HOME,), 0), ((RIGHT, RIGHT), 2), ((DOWN,), 6), ((LEFT,), 5)):
        browser.press(*keys)
        assert browser.get(told).startswith(f"bucket {at}: {new['squares'][at]} live entr")
    browser.press(END, RIGHT)
    assert browser.get(told).startswith(f"bucket {new['places'] - 1}: ")
    browser.tab_to('input[type="search"]')
    browser.press(*"bucket 3,")
    rows = "return [...document.querySelectorAll('.wide tbody tr')].map(row => row.innerText)"
    expected = [row[0] for row in form["entries"]["rows"] if "bucket 3," in row[2]]
    assert [row.split("\t")[0] for row in browser.get(rows)] == expected
    browser.get(
        "document.querySelector('input').value = ''; "
        "document.querySelector('input').dispatchEvent(new Event('input'))"
    )
    browser.tab_to(".wide")
    browser.press(RIGHT)
    shown = [row.split("\t")[0] for row in browser.get(rows)]
    assert shown == [row[0] for row in form["entries"]["rows"][50:]]
    browser.press(LEFT)
    assert len(browser.get(rows)) == 50


def test_a_process_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    program, _ = growing()
    for number in range(3):
        program.map(f"other{number}", Double(), Int(8)).fill({float(n): n for n in range(number)})
    page = tmp_path / "page.html"
    text(program.target, "report", f"-o '{page}'")
    form = data_of(page.read_text(encoding="utf-8"))
    browser.call("/url", {"url": page.as_uri()})
    browser.tab_to("button[aria-pressed=false]")
    browser.press(" ")
    boxes = [box for box in form["treemap"]["owner"]["boxes"] if box["bytes"]]
    browser.tab_to("g")
    focus = "return document.activeElement.getAttribute('aria-label')"
    for box in boxes:
        assert browser.get(focus).startswith(box["name"] + ":")
        browser.press(RIGHT)
    assert browser.get(focus).startswith(boxes[-1]["name"] + ":"), "it ends at the last"

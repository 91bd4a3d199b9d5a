# SPDX-License-Identifier: MIT
"""Runs commands as users do, and holds what they say against a model's truth."""

import json
import os
import time
from collections import Counter
from typing import Any, Callable, Collection, Dict, Iterable, List, Optional, TypeVar

from codec import Value
from image import FakeTarget
from mapscope import shell
from mapscope.commands import load
from mapscope.session import Session
from model import HASH_WRITING, MIN_TOP, MOVED_X, ClassicMap
from mapscope.commands.base import Context

T = TypeVar("T")

Json = Dict[str, Any]

#: processor time of the slowest command so far, in seconds
slowest = 0.0


def text(target: FakeTarget, name: str, line: str = "") -> str:
    """What `map NAME LINE` prints."""
    global slowest
    pieces: List[str] = []
    started = time.process_time()
    try:
        shell.run(target, target.stops, name, line, pieces.append)
    finally:
        slowest = max(slowest, time.process_time() - started)
    return "".join(pieces)


def lines(target: FakeTarget, name: str, line: str = "") -> List[Json]:
    """The JSON objects that `map NAME LINE --json` prints."""
    return [json.loads(row) for row in text(target, name, "--json " + line).splitlines()]


def one(target: FakeTarget, name: str, line: str = "") -> Json:
    """The one JSON object of `map NAME LINE --json`."""
    (form,) = lines(target, name, line)
    return form


def plain(form: Any) -> Any:
    """A key or value as the models have it: codec.Block's struct is its number."""
    return form["N"] if isinstance(form, dict) and "N" in form else form


class Looker:
    """A command line with --json that is run again and again, its words read once."""

    def __init__(self, target: FakeTarget, name: str, line: str) -> None:
        self.target = target
        self.command = load(name)
        self.args = self.command.parser().read(line.split() + ["--json"])

    def lines(self) -> List[Json]:
        """What it prints now."""
        result = self.command.run(Context(Session(self.target), self.target.stops), self.args)
        return [json.loads(row) for row in "".join(result.json()).splitlines()]


def dictionary(target: FakeTarget, line: str = "m") -> Dict[Value, Value]:
    """The entries of a map at rest; none twice, none in flight, all complete."""
    head, *entries, last = lines(target, "entries", line)
    found = {plain(entry["key"]): plain(entry["value"]) for entry in entries}
    assert len(found) == len(entries), "an entry is shown twice"
    assert not any(entry.get("in_flight") for entry in entries)
    assert last == {"entries": len(entries), "complete": True, "error": None}
    assert head["count"] == len(entries)
    return found


def one_in(stores: int) -> Callable[[int], bool]:
    """For Watcher: look after one in so many stores; with scripts/test --long, after each."""
    return lambda number: bool(os.environ.get("MAPSCOPE_LONG")) or number % stores == 0


def times(stops: int) -> int:
    """So many stops as a Watcher without `only` looks at: a third of them; with scripts/test
    --long, all."""
    return stops if os.environ.get("MAPSCOPE_LONG") else stops // 3


def some(kinds: Iterable[T], of: int) -> List[T]:
    """For parametrize: one of so many; with scripts/test --long, all."""
    return list(kinds)[:: 1 if os.environ.get("MAPSCOPE_LONG") else of]


class Watcher:
    """Looks at a model's map after each store, as a debugger that stopped there would.

    What must hold then: each entry that the running operation does not touch is
    shown exactly once with its value, nothing else is shown as an ordinary
    entry, at most one entry is in flight, inspect counts what is there, and check
    finds nothing wrong.

    :param find: also look a few keys up at each stop
    :param only: of which stores, by their numbers; one in 3 of all without it
    :param made: codes of findings of check that the test itself has made, all others are wrong
    :ivar stops: how many stores were looked at
    :ivar in_flight: at how many of them an entry was in flight
    """

    def __init__(
        self,
        target: FakeTarget,
        model: ClassicMap,
        find: bool = False,
        only: Optional[Callable[[int], bool]] = None,
        made: Collection[str] = (),
    ) -> None:
        self.target = target
        self.model = model
        self.find = find
        self.only = only or one_in(3)
        self.made = made
        self.stops = 0
        self.stores = 0
        self.in_flight = 0
        self.growths: Counter[str] = Counter()
        self._show_entries = Looker(target, "entries", "m --where")
        self._show_inspect = Looker(target, "inspect", "m")
        self._show_check = Looker(target, "check", "m")

    def __enter__(self) -> "Watcher":
        self.model.image.after_store = self._stopped
        return self

    def __exit__(self, *_: object) -> None:
        self.model.image.after_store = None

    def _stopped(self, _: int) -> None:
        self.stores += 1
        if self.only(self.stores):
            self.look()

    def look(self) -> None:
        """Everything that must hold at this moment."""
        self.stops += 1
        self._entries()
        self._inspect()
        if self.find:
            self._find()
        self._check()

    def _check(self) -> None:
        (form,) = self._show_check.lines()
        errors = [found for found in form["findings"] if found["severity"] == "error"]
        assert form["ok"] == (not errors)
        errors = [found for found in errors if found["code"] not in self.made]
        assert not errors, errors

    def _entries(self) -> None:
        model = self.model
        _, *entries, last = self._show_entries.lines()
        assert last["complete"] and last["error"] is None, last
        places = [tuple(entry["where"].values()) for entry in entries]
        assert len(set(places)) == len(places), "two entries in one cell"
        flying = [entry for entry in entries if entry.get("in_flight")]
        self.in_flight += bool(flying)
        assert len(flying) <= 1, flying
        # What the operation itself is writing may be absent, half there, or in flight.
        certain = {key: value for key, value in model.truth.items() if key != model.touched}
        found: Dict[Value, Value] = {}
        for entry in entries:
            key = plain(entry["key"])
            known = isinstance(key, (int, str, float)) and key in certain
            if known:
                assert key not in found, f"{key!r} is shown twice"
                found[key] = plain(entry["value"])
            elif not entry.get("in_flight"):
                assert key == model.touched, f"{key!r} is in the map's bytes, not in the map"
        assert found == certain

    def _inspect(self) -> None:
        model = self.model
        (form,) = self._show_inspect.lines()
        assert form["problems"] == []
        assert form["count"] == model.get("count")
        assert ("hashWriting" in form["flags"]) == bool(model.get("flags") & HASH_WRITING)
        growth = form["growth"]
        self.growths[growth["kind"] if growth else "none"] += 1
        if growth is None:
            return
        total = model.old_count()
        heads = [model.evacuated(index) for index in range(total)]
        assert growth["old_buckets"] == total
        assert growth["evacuated"] == sum(heads)
        assert growth["remaining"] == total - sum(heads)
        assert growth["ahead"] == sum(heads[growth["nevacuate"] :])
        assert growth["progress"] == sum(heads) / total
        moved, waiting = growth["entries_moved"], growth["entries_waiting"]
        if model.touched is None:
            assert moved + waiting == len(model.truth)

    def _find(self) -> None:
        model = self.model
        for key in list(model.truth)[:: max(1, len(model.truth) // 3)]:
            if key == model.touched:
                continue
            form = one(self.target, "find", f"m {key}")
            assert form["found"], f"{key!r} is not found"
            assert form["entry"]["value"] == model.truth[key]


def live_cells(model: ClassicMap) -> Counter[str]:
    """Live cells of each array, counted one by one."""
    return Counter(array for array, *_, top in model.cells() if top >= MIN_TOP)


def marked_cells(model: ClassicMap) -> int:
    """Evacuated marks, counted one by one."""
    return sum(1 for *_, top in model.cells() if MOVED_X <= top < MIN_TOP)

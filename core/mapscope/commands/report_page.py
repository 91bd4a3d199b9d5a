# SPDX-License-Identifier: MIT
"""`map report`: one page for a browser, of a map or of all maps of the process."""

import argparse
import json
import time
from dataclasses import replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import MapscopeError, UsageError
from ..heap.totals import Group, Totals, largest, owner_text, type_text
from ..maps.facts import Distribution, Growth, Histogram
from ..maps.occupancy import Occupancy, agrees
from ..maps.on_heap import HeapMap, HeapView
from ..maps.view import MapView
from ..page.document import document
from ..page.drawn import bins, boxes, doubling_bins, squares
from ..program.values import dumps, text_form
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, add_map
from .heap import HeapResult, find_views
from .inspect import inspect
from .stats import stats

SCHEMA = "mapscope.report/1"
#: entries, and characters of their text, at most; and characters of each part of a value
MOST_ENTRIES, _MOST_TEXT, _EACH = 10000, 4 << 20, 200
#: maps, and migrations, that have a row of their own
MOST_MAPS, MOST_MIGRATIONS = 1000, 200
#: old places whose marks are kept one by one
_MOST_MARKS = 1 << 26
#: rows that are kept beyond those that are wanted, before the others are dropped
_TOGETHER = 1024
#: steps of the share of a map's cells that are used; and of overflow buckets for ten buckets, of
#: which the last step has all that are more
_FILL_STEPS, _MOST_OVERFLOW = 20, 40


@dataclass
class ReportResult(Result):
    """The page; as JSON, what stands in it."""

    form: Dict[str, object]

    def text(self) -> Iterator[str]:
        yield document(self.form)

    def json(self) -> Iterator[str]:
        yield dumps(self.form) + "\n"


# --- of a map ---


def _of_map(view: MapView, session: Session) -> Dict[str, object]:
    shown = inspect(view, session)
    counted = stats(view, session.target.progress)
    heat, heat_unknown = _heat(view, counted.found, shown.summary.growth, session)
    return {
        "of": "map",
        "inspect": shown.form(),
        "stats": counted.form(),
        "unit": view.unit,
        "heat": heat,
        "heat_unknown": heat_unknown,
        "histograms": _histograms(view, counted.found),
        "entries": _entries(view, session),
    }


def _heat(
    view: MapView, distribution: Distribution, growth: Optional[Growth], session: Session
) -> Tuple[List[Dict[str, object]], Optional[str]]:
    """Heat maps of its arrays; and why there are none, where that is not known."""
    if view.address is None or not view.facts().buckets:
        return [], None if view.facts().buckets is not None else "its buckets could not be read"
    try:
        found = view.occupancy(session.target.progress)
    except KeyboardInterrupt:
        return [], "interrupted"
    except MapscopeError as error:
        return [], str(error)
    if found is None:
        return [], "how many entries each place has is not known of this kind of map"
    if distribution.read is None and not agrees(found, distribution):
        return [], "places counted one by one are not those that were counted together"
    return [squares(_with_evacuated(one, growth)) for one in found], None


def _with_evacuated(found: Occupancy, growth: Optional[Growth]) -> Occupancy:
    """Old places with which of them are evacuated, where these are the first ones and no other."""
    if found.name != "old" or found.evacuated is not None or growth is None:
        return found
    if growth.ahead != 0 or growth.evacuated != growth.nevacuate:
        return found
    if growth.nevacuate > _MOST_MARKS:  # a header may name more than there is memory
        return found
    return replace(found, evacuated=b"\1" * growth.nevacuate)


def _histograms(view: MapView, found: Distribution) -> List[Dict[str, object]]:
    """As `map stats` has them, in bins."""
    shown: Sequence[Histogram]
    if found.own is not None:
        shown = found.own
    else:
        all_of_them = (
            Histogram("cells", f"entries per {found.unit}", found.cells),
            Histogram("chains", "buckets per chain", found.chains),
            Histogram("old_cells", f"entries per old {found.unit} not evacuated", found.old_cells),
            Histogram("old_chains", "buckets per old chain not evacuated", found.old_chains),
            Histogram(
                "probes", "groups that a lookup looks at to find nothing", found.probes or {}
            ),
        )
        shown = [one for one in all_of_them if one.values or one.name == "cells"]
    nothing = found.read is not None and not found.read[0]
    return [
        {"name": one.name, "title": one.title, "bins": None if nothing else bins(one.values)}
        for one in shown
    ]


def _entries(view: MapView, session: Session) -> Dict[str, object]:
    """The first entries, as text."""
    limit = min(session.target.element_limit() or _EACH, _EACH)
    rows: List[Tuple[str, Optional[str], str, bool]] = []
    size = 0
    more, error = False, None
    decoder = view.decoder
    decoder.most_shown = limit
    try:
        for batch in view.entries(session.target.progress) if view.address is not None else ():
            for index in batch.order:
                if len(rows) >= MOST_ENTRIES or size > _MOST_TEXT:
                    more = True
                    break
                key = text_form(batch.keys.value(index, decoder), limit)
                value = None
                if view.has_values:
                    value = text_form(batch.elems.value(index, decoder), limit)
                size += len(key) + len(value or "")
                flying = index in batch.in_flight
                rows.append((key, value, batch.where(index).text(), flying))
            if more:
                break
    except KeyboardInterrupt:
        error = "interrupted"
    finally:
        decoder.most_shown = 0
    error = error or "; ".join(view.problems) or None
    complete = error is None and not more
    return {"of": view.known_count, "complete": complete, "error": error, "rows": rows}


# --- of the process ---


class _Shapes:
    """How maps of a process differ: sums and histograms of all, each map once."""

    def __init__(self) -> None:
        self.owners: Dict[str, Group] = {}
        self.fill: Dict[int, int] = {}
        self.bytes: Dict[int, int] = {}
        self.wasted: Dict[int, int] = {}
        self.chains: Dict[int, int] = {}
        self.without = dict.fromkeys(("fill", "bytes", "wasted", "chains"), 0)

    def add(self, map: HeapMap) -> None:
        """Count one map."""
        self.owners.setdefault(owner_text(map), Group()).add(map)
        if map.fill is None:
            self.without["fill"] += 1
        else:
            _count(self.fill, min(int(map.fill * _FILL_STEPS), _FILL_STEPS - 1))
        for name, size, held in (
            ("bytes", map.bytes, self.bytes),
            ("wasted", map.wasted, self.wasted),
        ):
            if size is None:
                self.without[name] += 1
            else:
                _count(held, max(size, 0).bit_length())
        if map.tombstones or map.overflow is None or not map.buckets:
            self.without["chains"] += 1
        else:
            _count(self.chains, min(10 * map.overflow // map.buckets, _MOST_OVERFLOW))

    def form(self) -> List[Dict[str, object]]:
        """The histograms; `without` are maps that have no such number, or of which it is not
        known."""
        return [
            self._form("fill", "share of cells used", bins(self.fill)),
            self._form("bytes", "bytes of a map", doubling_bins(self.bytes)),
            self._form("wasted", "bytes of it wasted", doubling_bins(self.wasted)),
            self._form("chains", "overflow buckets for ten buckets", bins(self.chains)),
        ]

    def _form(self, name: str, title: str, found: Sequence[object]) -> Dict[str, object]:
        return {"name": name, "title": title, "bins": found, "without": self.without[name]}


def _count(held: Dict[int, int], value: int) -> None:
    held[value] = held.get(value, 0) + 1


def _of_process(context: Context) -> Dict[str, object]:
    session = context.session
    views, notes = find_views(session, True)
    if not views:
        raise MapscopeError(
            f"what all maps hold cannot be told: {'; '.join(notes)}; a page of one: "
            "map report MAP -o FILE.html"
        )
    totals, shapes = Totals("type"), _Shapes()
    complete = all(view.complete for view in views)
    rows: List[HeapMap] = []
    growing: List[HeapMap] = []
    flavors: Dict[int, str] = {}
    try:
        for view in views:
            for map in view.maps():
                totals.add(map)
                shapes.add(map)
                rows.append(map)
                if len(rows) > MOST_MAPS + _TOGETHER:
                    rows = largest(rows, "bytes", MOST_MAPS)
                if map.growing is not None:
                    growing.append(map)
    except KeyboardInterrupt:
        complete = False
        notes.append("interrupted: these are the maps that were measured so far")
    rows = largest(rows, "bytes", MOST_MAPS)
    flavors = _flavors(views, rows)
    heap = HeapResult(
        views, totals, "map", "bytes", MOST_MAPS, rows, False, complete, [], notes, flavors
    )
    migrating = largest(growing, "retained", MOST_MIGRATIONS)
    return {
        "of": "process",
        "heap": json.loads("".join(heap.json())),
        "treemap": {"type": boxes(totals.groups), "owner": boxes(shapes.owners)},
        "histograms": shapes.form(),
        "migrations": {
            "of": len(growing),
            "rows": [_migration(context, map) for map in migrating],
        },
    }


def _flavors(views: Sequence[HeapView], rows: Sequence[HeapMap]) -> Dict[int, str]:
    """Kinds of maps by address, where there are several."""
    if len(views) < 2:
        return {}
    return {row.address: view.flavor for row in rows for view in views if view.has(row.address)}


def _migration(context: Context, map: HeapMap) -> Dict[str, object]:
    """A map in mid-migration, and how far that is; null: it is not known, and why."""
    row: Dict[str, object] = {
        "address": hex(map.address),
        "type": type_text(map),
        "owner": owner_text(map),
        "kind": map.growing,
        "retained": map.retained,
        "old_buckets": None,
        "progress": None,
        "unknown": None,
    }
    try:
        view = context.find_map(hex(map.address), map.type)
        growth, progress = view.growth(), view.progress()
    except MapscopeError as error:
        row["unknown"] = str(error)
        return row
    except KeyboardInterrupt:
        row["unknown"] = "interrupted"
        return row
    if growth is None or view.address != map.address:
        row["unknown"] = "it is not found to migrate by itself"
        return row
    row["old_buckets"], row["progress"] = growth.old_buckets, progress
    if progress is None:
        row["unknown"] = "; ".join(view.problems) or "not all of its old buckets can be read"
    return row


# --- running ---


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    if args.output is None and not args.json:
        raise UsageError("map report: a page is written to a file: map report [MAP] -o FILE.html")
    if args.map is None and args.goroutine is None and args.frame is None:
        if args.type is not None:
            raise UsageError("map report: --type is of a MAP; a page of all maps has no type")
        session.require_memory()
        session.require_architecture()
        shown = _of_process(context)
    else:
        shown = _of_map(context.map_of(args), session)
    said = _doubts(session) + context.said
    context.said.clear()  # lines in front of it would be no part of a page
    taken = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return ReportResult({"schema": SCHEMA, "taken": taken, "said": said, **shown})


def _doubts(session: Session) -> List[str]:
    """What must be known of everything that the page shows: it is read by others, elsewhere."""
    found = [session.target.misfit()] if session.target.misfit() else []
    if session.target.runs_on():
        found.append(
            "read while the process ran: a map that was written to meanwhile may look damaged, or "
            "be shown half old and half new"
        )
    return found


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser, "all maps of the process")


COMMAND = Command(
    "report",
    "Write one page for a browser, which needs no network. Of a MAP: its size and migration, how\n"
    "full each bucket is, old and new side by side, chain lengths, what is to be thought of its\n"
    "hashes, and up to 10000 entries to search and page through. Without MAP: all maps of the\n"
    "process, as map heap finds them: who holds the memory, what stands out, which migrate.\n"
    "With --json: the figures that stand in the page.\n\n"
    "example: map report m -o m.html\n"
    "example: map report -o process.html",
    _arguments,
    _run,
)

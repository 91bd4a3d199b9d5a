# SPDX-License-Identifier: MIT
"""`map stats`: distributions of one map, or totals of the process."""

import argparse
from dataclasses import field
from typing import Dict, Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from ..flavours.registry import FLAVOURS
from ..locate import list_maps
from ..maps.facts import Distribution, Held, Life
from ..maps.figures import coverage_form, coverage_text, optional, size_text
from ..maps.progress import Progress
from ..maps.verdict import Verdict, judge_map
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from .base import Command, Context, Result, add_map, problem_lines, unread_form, unread_lines

_BAR = 40


@dataclass
class StatsResult(Result):
    """Distributions of one map."""

    view: MapView
    found: Distribution
    hashes: Verdict

    def form(self) -> Dict[str, object]:
        """The object of mapscope.stats/1."""
        view, found = self.view, self.found
        swiss: Dict[str, object] = {}
        if found.unit == "group":
            swiss["probes"] = None if found.probes is None else _form(found.probes)
            swiss.update(tombstones=found.tombstones, growth_left=found.growth_left)
        held, used = found.held, found.bytes_used
        total = None if held is None else held.total
        return {
            "schema": "mapscope.stats/1",
            "address": None if view.address is None else hex(view.address),
            "type": view.type_name,
            "count": view.known_count,
            "entries": found.entries,
            "load_factor": view.load_factor(),
            **self._histograms(),
            "uniformity": found.uniformity,
            "hash_verdict": self.hashes.form(),
            **swiss,
            "bytes": {
                "total": total,
                "used": used,
                "wasted": None if total is None or used is None else total - used,
                "retained_by_old": held.old if held else None,
                "retired": held.retired if held else None,
                "overflow": held.overflow if held else None,
                "rebuilt": found.bytes_rebuilt,
                **({"nodes": held.nodes} if held and held.nodes is not None else {}),
            },
            "life": view.life.form() if view.life else None,
            **coverage_form(found.read),
            "problems": view.problems,
        }

    def json(self) -> Iterator[str]:
        yield dumps(self.form()) + "\n"

    def _histograms(self) -> Dict[str, object]:
        """Their fields: null where nothing was looked at."""
        found = self.found
        if found.own is not None:
            shown = {one.name: one.values for one in found.own}
        else:
            shown = {
                "cells": found.cells,
                "chains": found.chains,
                "old_cells": found.old_cells,
                "old_chains": found.old_chains,
            }
        nothing = found.read is not None and not found.read[0]
        return {name: None if nothing else _form(values) for name, values in shown.items()}

    def text(self) -> Iterator[str]:
        view, found = self.view, self.found
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where}, {view.count_text()} entries\n"
        what = coverage_text(found.read, found.unit)
        none = "none" if found.read is None else "?"
        if found.own is None:
            yield from self._common_histograms(what, none)
        for one in found.own or ():
            yield from _histogram(f"{one.title}{what}", one.values, none)
        yield f"  hash       {self.hashes.text}\n"
        yield from self._bytes()
        yield from problem_lines(view.problems)

    def _common_histograms(self, what: str, none: str) -> Iterator[str]:
        """Those of maps of buckets and of groups."""
        view, found = self.view, self.found
        yield from _histogram(f"entries per {found.unit}{what}", found.cells, none)
        if found.chains or (found.unit == "bucket" and view.has_overflow):
            yield from _histogram(f"buckets per chain{what}", found.chains, none)
        if found.unit == "group" and not view.has_overflow:
            if found.probes:
                text = f"groups that a lookup looks at to find nothing{what}"
                yield from _histogram(text, found.probes, none)
            yield f"  slots      {optional(found.growth_left)} more entries before it grows, "
            yield f"{optional(found.tombstones)} of deleted entries\n"
        elif found.probes:
            text = f"groups that a lookup looks at to find nothing{what}"
            yield from _histogram(text, found.probes, none)
            yield f"  slots      {optional(found.growth_left)} left before a table grows, "
            yield f"{optional(found.tombstones)} tombstones\n"
        if found.old_cells:
            yield from _histogram(
                f"entries per old bucket not evacuated{what}", found.old_cells, none
            )
        if found.old_cells and (found.old_chains or found.unit == "bucket"):
            yield from _histogram(
                f"buckets per old chain not evacuated{what}", found.old_chains, none
            )
        if found.uniformity is not None:
            yield (
                f"  uniformity {found.uniformity:.2f} (variance / mean of entries per bucket; "
                "about 1: the hash spreads keys as chance would)\n"
            )

    def _bytes(self) -> Iterator[str]:
        """What it takes, and what it has been through."""
        view, found = self.view, self.found
        held, used, rebuilt = found.held, found.bytes_used, found.bytes_rebuilt
        total = None if held is None else held.total
        share = wasted = "?"
        if total is not None and used is not None:
            share = f"{100 * used / total if total else 0.0:.0f}%"
            wasted = size_text(total - used)
        yield f"  bytes      {size_text(total)}, {share} of it keys and values\n"
        yield f"             {wasted} wasted\n"
        if held is not None and held.nodes is not None:
            yield f"             {size_text(held.nodes)} in nodes, without the allocator's own\n"
        elif found.unit == "bucket":
            outside = size_text(held.overflow if held else None)
            about = "" if found.read is None else "about "
            yield f"             {about}{outside} in overflow buckets outside of the array\n"
        if held is not None and held.old:
            yield f"             {size_text(held.old)} retained by the old array\n"
        if held is not None and held.retired:
            yield f"             {size_text(held.retired)} of old arrays still to be given back\n"
        if rebuilt is None or total is None:
            yield "  rebuilt    ? as a fresh copy: not all entries were counted\n"
        elif view.address is not None:
            less = total - rebuilt
            yield f"  rebuilt    about {size_text(rebuilt)} as a fresh copy: "
            yield f"{size_text(less)} less\n" if less > 0 else "nothing to gain\n"
        if view.life is not None:
            yield f"  life       {_life_text(view.life)}\n"


@dataclass
class Totals(Result):
    """Totals over all maps that can be enumerated.

    :ivar life: what they, and maps that are gone, have been through; None: not counted
    :ivar created: maps so far; None: not counted
    :ivar unread: (name, why) of maps that could not be read, and are in none of the sums
    """

    maps: int = 0
    growing: int = 0
    entries: int = 0
    buckets: int = 0
    old_buckets: int = 0
    overflow: int = 0
    held: Held = Held()
    life: Optional[Life] = None
    created: Optional[int] = None
    unread: List[Tuple[str, str]] = field(default_factory=list)

    def add(self, view: MapView) -> None:
        """Count one more map, from its header."""
        buckets = view.facts().buckets
        growth, held = view.growth(), view.held()
        if held is None or not isinstance(buckets, int):
            reason = "; ".join(view.problems) or "its size cannot be told"
            self.unread.append((f"the map at {view.address or 0:#x}", reason))
            return
        self.maps += 1
        self.entries += view.count
        self.buckets += buckets if held.buckets else 0
        self.old_buckets += growth.old_buckets if growth else 0
        self.overflow += view.overflow_in_use() or 0
        self.growing += growth is not None
        mine, more = self.held.form(), held.form()
        self.held = Held(**{part: mine[part] + more[part] for part in mine})
        if view.life is not None:
            self.add_life(view.life)

    def add_life(self, more: Life) -> None:
        """What a map, or all that are gone, have been through."""
        life = self.life or Life(0, 0, 0, 0, 0)
        self.life = Life(
            life.growths + more.growths,
            life.same_size_growths + more.same_size_growths,
            life.shrinks + more.shrinks,
            life.rebuilds + more.rebuilds,
            life.evacuated + more.evacuated,
        )

    def json(self) -> Iterator[str]:
        yield dumps(
            {
                "schema": "mapscope.stats/1",
                "maps": self.maps,
                "growing": self.growing,
                "entries": self.entries,
                "buckets": self.buckets,
                "old_buckets": self.old_buckets,
                "overflow_buckets": self.overflow,
                "load_factor": _ratio(self.entries, self.buckets),
                "overflow_ratio": _ratio(self.overflow, self.buckets),
                "bytes": {"total": self.held.total, **self.held.form()},
                "created": self.created,
                "life": self.life.form() if self.life else None,
                "unread": unread_form(self.unread),
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        maps = f"{self.maps} {'map' if self.maps == 1 else 'maps'}"
        if self.unread:
            yield f"{maps}, and {len(self.unread)} that could not be read and are not counted"
            yield f"; {self.growing} of them growing\n" if self.maps else "\n"
            yield from unread_lines(self.unread)
            if not self.maps:
                return
        else:
            yield f"{maps}, {self.growing} of them growing\n"
        load = _ratio(self.entries, self.buckets)
        yield f"  entries    {self.entries}, load factor {load:.2f}\n"
        yield (
            f"  buckets    {self.buckets}, {self.overflow} overflow buckets "
            f"({_ratio(self.overflow, self.buckets):.2f} for each)"
        )
        yield f", and {self.old_buckets} old ones\n" if self.old_buckets else "\n"
        yield f"  bytes      {size_text(self.held.total)}\n"
        for part, what in _PARTS.items():
            size = self.held.form()[part]
            if size:
                yield f"             {size_text(size)} {what}\n"
        if self.life is not None:
            made = ""
            if self.created is not None:
                made = f"{self.created} {'map' if self.created == 1 else 'maps'} created, "
            yield f"  life       {made}{_life_text(self.life)}\n"


_PARTS = {
    "buckets": "in bucket arrays",
    "overflow": "in overflow buckets outside of them",
    "old": "retained by old arrays",
    "retired": "of old arrays still to be given back",
    "indirect": "in keys and values too large for a bucket",
    "header": "in headers",
}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _life_text(life: Life) -> str:
    parts = [
        (life.growths, "doubling"),
        (life.same_size_growths, "same-size growth"),
        (life.shrinks, "shrink"),
        (life.rebuilds, "rebuild"),
        (life.evacuated, "old bucket"),
    ]
    counted = [f"{number} {what}{'' if number == 1 else 's'}" for number, what in parts]
    return ", ".join(counted) + " evacuated"


def _form(histogram: Dict[int, int]) -> Dict[str, int]:
    return {str(value): number for value, number in histogram.items()}


def _histogram(title: str, values: Dict[int, int], none: str) -> Iterator[str]:
    yield f"  {title}\n"
    if not values:
        yield f"    {none}\n"
        return
    most = max(values.values())
    rows = list(values.items())
    for value, number in rows[:32]:
        yield f"    {value:>6}  {number:>10}  {'#' * round(_BAR * number / most)}\n"
    if len(rows) > 32:
        rest = sum(number for _, number in rows[32:])
        yield f"    up to {rows[-1][0]}: {rest} more\n"


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    if args.map is None and args.goroutine is None and args.frame is None:
        totals = Totals()
        counted: Dict[str, int] = {}
        for _, view in list_maps(session):
            totals.add(view)
            counted[view.flavor] = counted.get(view.flavor, 0) + 1
        known = True
        for flavour in FLAVOURS:
            try:
                gone = flavour.departed(session)
            except MapscopeError as error:
                session.unread.append(("what maps that are gone have been through", str(error)))
                known = False
                continue
            if gone is not None:
                made = gone[0] + counted.get(flavour.name, 0)
                totals.created = (totals.created or 0) + made
                totals.add_life(gone[1])
        totals.unread += session.unread
        if session.unread and not known:
            totals.created = totals.life = None
        return totals
    return stats(context.map_of(args), session.target.progress)


def stats(view: MapView, progress: Progress) -> StatsResult:
    """The result for a map that is found already."""
    if view.address is not None:
        view.types()
        found = view.distribution(progress)
        return StatsResult(view, found, judge_map(view, found, progress))
    empty: Dict[int, int] = {}
    nothing = Distribution(empty, empty, empty, empty, 0, None, Held(), 0, 0, view.unit, empty)
    return StatsResult(view, nothing, judge_map(view, nothing))


COMMAND = Command(
    "stats",
    "Show how a map's entries are spread: cells used per bucket, chain lengths, uniformity of the\n"
    "hash, whether hashes look random (if not: a bad hash function, or keys chosen to collide?),\n"
    "bytes used and wasted, bytes retained by the old array, and what a fresh copy of it would\n"
    "take. Of a Swiss map (Go 1.24 and later): slots used per group, in place of buckets\n"
    "and chains. Without MAP: totals over all maps that can be enumerated.\n\n"
    "example: map stats m\n"
    "example: map stats",
    add_map,
    _run,
)

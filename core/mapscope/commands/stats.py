# SPDX-License-Identifier: MIT
"""`map stats`: distributions of one map, or totals of the process."""

import argparse
from dataclasses import dataclass
from typing import Dict, Iterator

from ..locate import find_map, list_maps
from ..session import Session
from ..values import dumps, escape
from ..view import Distribution, MapView
from .base import Command, Result, add_map, problem_lines
from .inspect import size_text

_BAR = 40


@dataclass
class StatsResult(Result):
    """Distributions of one map."""

    view: MapView
    found: Distribution

    def json(self) -> Iterator[str]:
        view, found = self.view, self.found
        yield dumps(
            {
                "schema": "mapscope.stats/1",
                "address": None if view.address is None else hex(view.address),
                "type": view.type_name,
                "count": view.count,
                "entries": found.entries,
                "load_factor": view.load_factor(),
                "cells": _form(found.cells),
                "chains": _form(found.chains),
                "old_cells": _form(found.old_cells),
                "old_chains": _form(found.old_chains),
                "uniformity": found.uniformity,
                "bytes": {
                    "total": found.bytes_total,
                    "used": found.bytes_used,
                    "wasted": found.bytes_total - found.bytes_used,
                    "retained_by_old": found.bytes_retained_old,
                    "overflow": found.bytes_overflow,
                },
                "problems": view.problems,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        view, found = self.view, self.found
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where}, {view.count} entries\n"
        yield from _histogram("entries per bucket", found.cells)
        yield from _histogram("buckets per chain", found.chains)
        if found.old_cells:
            yield from _histogram("entries per old bucket not evacuated", found.old_cells)
            yield from _histogram("buckets per old chain not evacuated", found.old_chains)
        if found.uniformity is not None:
            yield (
                f"  uniformity {found.uniformity:.2f} (variance / mean of entries per bucket; "
                "about 1: the hash spreads keys as chance would)\n"
            )
        total, used = found.bytes_total, found.bytes_used
        share = 100 * used / total if total else 0.0
        yield f"  bytes      {size_text(total)}, {share:.0f}% of it keys and values\n"
        yield f"             {size_text(total - used)} wasted\n"
        yield f"             {size_text(found.bytes_overflow)} in overflow buckets\n"
        if found.bytes_retained_old:
            yield f"             {size_text(found.bytes_retained_old)} retained by the old array\n"
        yield from problem_lines(view.problems)


@dataclass
class Totals(Result):
    """Totals over all maps that can be enumerated."""

    maps: int = 0
    entries: int = 0
    buckets: int = 0
    old_buckets: int = 0
    growing: int = 0
    bytes: int = 0

    def add(self, view: MapView) -> None:
        """Count one more map, from its header."""
        header = view.header_form()
        buckets, size = header["buckets"], header["bucket_bytes"]
        assert isinstance(buckets, int)
        growth = view.growth()
        old = growth.old_buckets if growth else 0
        self.maps += 1
        self.entries += view.count
        self.buckets += buckets
        self.old_buckets += old
        self.growing += growth is not None
        self.bytes += (buckets + old) * size if isinstance(size, int) else 0

    def json(self) -> Iterator[str]:
        yield dumps(
            {
                "schema": "mapscope.stats/1",
                "maps": self.maps,
                "growing": self.growing,
                "entries": self.entries,
                "buckets": self.buckets,
                "old_buckets": self.old_buckets,
                "load_factor": self._load_factor(),
                "bytes": {"buckets": self.bytes},
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        yield f"{self.maps} maps, {self.growing} of them growing\n"
        yield f"  entries    {self.entries}, load factor {self._load_factor():.2f}\n"
        yield f"  buckets    {self.buckets}, and {self.old_buckets} old ones\n"
        yield f"  bytes      {size_text(self.bytes)} in bucket arrays\n"

    def _load_factor(self) -> float:
        return self.entries / self.buckets if self.buckets else 0.0


def _form(histogram: Dict[int, int]) -> Dict[str, int]:
    return {str(value): number for value, number in histogram.items()}


def _histogram(title: str, values: Dict[int, int]) -> Iterator[str]:
    yield f"  {title}\n"
    if not values:
        yield "    none\n"
        return
    most = max(values.values())
    rows = list(values.items())
    for value, number in rows[:32]:
        yield f"    {value:>6}  {number:>10}  {'#' * round(_BAR * number / most)}\n"
    if len(rows) > 32:
        rest = sum(number for _, number in rows[32:])
        yield f"    up to {rows[-1][0]}: {rest} more\n"


def _run(session: Session, args: argparse.Namespace) -> Result:
    if args.map is None:
        totals = Totals()
        for _, view in list_maps(session):
            totals.add(view)
        return totals
    view = find_map(session, args.map, args.type)
    if view.address is not None:
        view.types()
        return StatsResult(view, view.distribution(session.target.progress))
    empty: Dict[int, int] = {}
    return StatsResult(view, Distribution(empty, empty, empty, empty, 0, None, 0, 0, 0, 0))


COMMAND = Command(
    "stats",
    "Show how a map's entries are spread: cells used per bucket, chain lengths, uniformity of the\n"
    "hash, bytes used and wasted, and bytes retained by the old array. Without MAP: totals over\n"
    "all maps that can be enumerated.\n\n"
    "example: map stats m",
    add_map,
    _run,
)

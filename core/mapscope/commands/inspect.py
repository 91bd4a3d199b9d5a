# SPDX-License-Identifier: MIT
"""`map inspect`: a map's header, its buckets and its migration at a glance."""

import argparse
from typing import Dict, Iterator, Optional

from ..maps.facts import Growth, Held, Summary
from ..maps.figures import bar, coverage_form, optional, ratio_text
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, add_map, problem_lines


@dataclass
class InspectResult(Result):
    """A map's header and what a walk over it counted."""

    view: MapView
    summary: Summary

    def form(self) -> Dict[str, object]:
        """The object of mapscope.inspect/1."""
        view, summary = self.view, self.summary
        facts, growth = view.facts(), summary.growth
        form = {**self._head(), **facts.form()}
        form.update(facts.walked_form(summary))
        form["bytes"] = summary.held.form() if summary.held else dict.fromkeys(Held().form())
        if facts.counts_chains or summary.chains:
            form["chains"] = (
                None
                if summary.read is not None and not summary.chains
                else {str(length): number for length, number in summary.chains.items()}
            )
        form["growth"] = growth.json_form() if growth else None
        form.update(coverage_form(summary.read))
        form["problems"] = view.problems
        return form

    def _head(self) -> Dict[str, object]:
        """What every map has."""
        view = self.view
        return {
            "schema": "mapscope.inspect/1",
            "flavor": view.flavor,
            "go_version": view.go_version,
            "address": None if view.address is None else hex(view.address),
            "type": view.type_name,
            "key_type": view.key.name if view.key else None,
            "value_type": view.elem.name if view.elem else None,
            "count": view.known_count,
        }

    def json(self) -> Iterator[str]:
        yield dumps(self.form()) + "\n"

    def text(self) -> Iterator[str]:
        view, summary = self.view, self.summary
        facts = view.facts()
        about = view.flavor + (f", {escape(view.go_version)}" if view.go_version else "")
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where} ({about})\n"
        own = facts.entries_text()
        yield f"  entries    {own}\n" if own is not None else (
            f"  entries    {view.count}, load factor {ratio_text(view.load_factor())}, "
            f"grows above {optional(facts.grows_above)}\n"
        )
        if view.address is None:
            return
        yield from facts.lines(summary, view.unit)
        if summary.growth is not None:
            yield from _growth_lines(summary.growth, view)
        yield from facts.closing_lines()
        yield from problem_lines(view.problems)


def _growth_lines(growth: Growth, view: MapView) -> Iterator[str]:
    new = view.facts().buckets
    yield f"  growing    {growth.kind}, {growth.old_buckets} -> {new} buckets\n"
    progress = growth.progress
    if progress is None:
        yield f"             nevacuate {growth.nevacuate}\n"
        return
    yield f"             {bar(progress)} {progress * 100:.1f}%\n"
    for line in growth.details():
        yield f"             {line}\n"


def inspect(view: MapView, session: Optional[Session] = None) -> InspectResult:
    """The result for a map that is found already."""
    progress = session.target.progress if session else lambda done, total: None
    return InspectResult(view, view.summary(progress))


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    return inspect(context.map_of(args), session)


COMMAND = Command(
    "inspect",
    "Show a map's size, load, buckets, overflow chains and flags and, while it is growing,\n"
    "how far the migration is. A Swiss map (Go 1.24 and later) has tables, groups and tombstones\n"
    "in place of buckets and chains, and no migration.\n\n"
    "example: map inspect m",
    add_map,
    _run,
)

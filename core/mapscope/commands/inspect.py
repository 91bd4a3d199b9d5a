# SPDX-License-Identifier: MIT
"""`map inspect`: a map's header, its buckets and its migration at a glance."""

import argparse
from dataclasses import dataclass
from typing import Dict, Iterator, Optional

from ..maps.facts import (
    BucketFacts,
    ChainFacts,
    Coverage,
    Growth,
    Held,
    LibraryFacts,
    SlotFacts,
    Summary,
    TableFacts,
)
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..session import Session
from .base import Command, Context, Result, add_map, optional, problem_lines

_BAR = 40


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
        if isinstance(facts, (TableFacts, SlotFacts)):
            form["tombstones"] = summary.tombstones
        if isinstance(facts, BucketFacts):
            form["overflow"] = {
                "noverflow": facts.noverflow,
                "in_use": summary.overflow_in_use,
                "spare": summary.spare,
            }
        form["bytes"] = summary.held.form() if summary.held else dict.fromkeys(Held().form())
        if isinstance(facts, BucketFacts) or summary.chains:
            form["chains"] = (
                None
                if summary.read is not None and not summary.chains
                else {str(length): number for length, number in summary.chains.items()}
            )
        form["growth"] = growth.json_form() if growth else None
        form.update(coverage_form(summary.read))
        form["problems"] = view.problems
        return form

    def _group_lines(self, facts: TableFacts) -> Iterator[str]:
        """The parts of a Swiss map."""
        size = facts.bucket_bytes
        tables = "?" if facts.tables is None else facts.tables or "no"
        each = "of unknown size" if size is None else f"of {size} bytes"
        total = size_text(self.summary.held.total) if self.summary.held else "?"
        yield (
            f"  tables     {tables} (global depth {facts.global_depth}), "
            f"{optional(facts.buckets)} groups {each}, {total} in all\n"
        )
        yield (
            f"  slots      {optional(facts.growth_left)} left before a table grows, "
            f"{optional(self.summary.tombstones)} tombstones\n"
        )

    def _chain_lines(self, facts: ChainFacts) -> Iterator[str]:
        """The parts of a map of two tables."""
        held = self.summary.held
        sizes = [f"{size} buckets" for size in facts.sizes if size is not None]
        yield f"  tables     {' -> '.join(sizes) or 'none yet'}, "
        yield f"{size_text(held.total) if held else '?'} in all\n"
        for note in facts.notes:
            yield f"  note       {escape(note)}\n"

    def _library_lines(self, facts: LibraryFacts) -> Iterator[str]:
        """The parts of a library's table."""
        summary, held = self.summary, self.summary.held
        if isinstance(facts, SlotFacts):
            yield from self._slot_lines(facts)
            return
        yield (
            f"  {self.view.unit + 's':<10} {optional(facts.buckets)} of "
            f"{optional(facts.bucket_bytes)} bytes, "
            f"{size_text(held.total if held else None)} in all"
        )
        if held is not None and held.nodes is not None:
            yield f", {size_text(held.nodes)} of it in nodes"
        yield "\n"
        if summary.chains or summary.read is not None:
            chains = _chains(summary.chains, summary.read is not None, "node")
            yield f"  chains     {chains}{coverage_text(summary.read, 'bucket')}\n"
        stored = "stored with each entry" if facts.hash_stored else "not stored"
        yield f"  hash       {escape(facts.hash) or 'not known'}, {stored}\n"

    def _slot_lines(self, facts: SlotFacts) -> Iterator[str]:
        """The parts of a library's table of slots."""
        held = self.summary.held
        yield (
            f"  slots      {facts.slots} of {facts.slot_bytes} bytes in {optional(facts.buckets)} "
            f"groups, {size_text(held.total if held else None)} in all"
        )
        if held is not None and held.nodes is not None:
            yield f", {size_text(held.nodes)} of it in nodes"
        yield "\n"
        if facts.growth_left is not None:
            yield f"             {facts.growth_left} more entries before it grows\n"
        if self.summary.tombstones is not None:
            yield f"             {self.summary.tombstones} of deleted entries\n"
        yield f"  hash       {escape(facts.hash) or 'not known'}\n"

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
            "count": view.count,
        }

    def json(self) -> Iterator[str]:
        yield dumps(self.form()) + "\n"

    def text(self) -> Iterator[str]:
        view, summary = self.view, self.summary
        facts = view.facts()
        about = view.flavor + (f", {escape(view.go_version)}" if view.go_version else "")
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where} ({about})\n"
        rows = facts.rows()
        if rows is not None:
            yield from (f"  {what:<10} {text}\n" for what, text in rows)
            held = summary.held
            yield f"  bytes      {size_text(held.total if held else None)} in all\n"
            yield from problem_lines(view.problems)
            return
        yield (
            f"  entries    {view.count}, load factor {ratio_text(view.load_factor())}, "
            f"grows above {optional(facts.grows_above)}\n"
        )
        if view.address is None:
            return
        size = facts.bucket_bytes
        if isinstance(facts, LibraryFacts):
            yield from self._library_lines(facts)
            yield from problem_lines(view.problems)
            return
        if isinstance(facts, TableFacts):
            yield from self._group_lines(facts)
        elif isinstance(facts, BucketFacts) and size is None:
            yield f"  buckets    {facts.buckets} (B = {facts.B}) of unknown size\n"
        elif isinstance(facts, BucketFacts):
            held = summary.held
            parts = [f"{size_text(held.total if held else None)} in all"]
            if held is not None and held.old:
                parts.append(f"{size_text(held.old)} of it for the old array")
            if held is not None and held.retired:
                parts.append(f"{size_text(held.retired)} of it still to be given back")
            yield (
                f"  buckets    {facts.buckets} (B = {facts.B}) of {size} bytes, "
                f"{', '.join(parts)}\n"
            )
            yield (
                f"  overflow   {optional(summary.overflow_in_use)} in use, "
                f"{optional(summary.spare)} spare, noverflow {facts.noverflow}\n"
            )
            chains = _chains(summary.chains, summary.read is not None)
            yield f"  chains     {chains}{coverage_text(summary.read, 'bucket')}\n"
        if isinstance(facts, ChainFacts):
            yield from self._chain_lines(facts)
        else:
            yield f"  flags      {', '.join(facts.flags) or 'none'}, hash0 {facts.hash0:#x}\n"
        if summary.growth is not None:
            yield from _growth_lines(summary.growth, view)
        if size is None and not isinstance(facts, ChainFacts):
            yield "  cells      not shown: the map's type is not known (--type 'map[K]V')\n"
        yield from problem_lines(view.problems)


def coverage_form(read: Optional[Coverage]) -> Dict[str, object]:
    """`read` of what was not looked at whole."""
    return {} if read is None else {"read": {"looked_at": read[0], "of": read[1]}}


def coverage_text(read: Optional[Coverage], unit: str) -> str:
    """What figures are of, where they are not of all."""
    if read is None:
        return ""
    return f" (of the {read[0]} of {optional(read[1])} {unit}s that were looked at)"


def ratio_text(ratio: Optional[float]) -> str:
    """A ratio for a reader."""
    return "?" if ratio is None else f"{ratio:.2f}"


def _known(value: object) -> object:
    return "?" if value is None else value


def size_text(size: Optional[int]) -> str:
    """Bytes for a reader."""
    if size is None:
        return "?"
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _chains(chains: Dict[int, int], partial: bool, unit: str = "bucket") -> str:
    """Chain lengths, longest last.

    :param partial: whether not all could be looked at
    :param unit: what the lengths count
    """
    if not chains:
        return "?" if partial else "none"
    parts = [f"{number} of {length}" for length, number in chains.items()]
    if len(parts) > 8:
        parts = parts[:7] + ["..."] + parts[-1:]
    return ", ".join(parts) + (f" {unit}" if list(chains) == [1] else f" {unit}s")


def _growth_lines(growth: Growth, view: MapView) -> Iterator[str]:
    new = view.facts().buckets
    yield f"  growing    {growth.kind}, {growth.old_buckets} -> {new} buckets\n"
    evacuated, progress = growth.evacuated, growth.progress
    if evacuated is None or progress is None:
        yield f"             nevacuate {growth.nevacuate}\n"
        return
    yield f"             {bar(progress)} {progress * 100:.1f}%\n"
    yield (
        f"             {evacuated} old buckets evacuated, "
        f"{growth.old_buckets - evacuated} remaining\n"
    )
    yield (
        f"             nevacuate {growth.nevacuate}, "
        f"{optional(growth.ahead)} evacuated ahead of it\n"
    )
    yield (
        f"             {optional(growth.entries_moved)} entries in the new buckets, "
        f"{optional(growth.entries_waiting)} waiting in the old\n"
    )


def bar(progress: float) -> str:
    """A progress bar."""
    done = int(max(0.0, min(1.0, progress)) * _BAR)
    return "[" + "#" * done + "." * (_BAR - done) + "]"


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

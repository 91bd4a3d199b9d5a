# SPDX-License-Identifier: MIT
"""`map heap`: every map of the process, who holds the memory, and what stands out."""

import argparse
import difflib
import re
import time
from dataclasses import field
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import UnknownType, UsageError
from ..flavours.registry import FLAVOURS
from ..heap import looks
from ..heap.looks import Difference, Look
from ..heap.pprof import Profile
from ..heap.totals import (
    SORTS,
    Finding,
    Group,
    Totals,
    largest_alike,
    owner_text,
    rows_of,
    type_text,
)
from ..maps.figures import size_text
from ..maps.on_heap import Alike, HeapMap, HeapView
from ..program.cpp_names import same_type
from ..program.values import dumps, escape, named
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, natural

SCHEMA = "mapscope.heap/1"
#: rows of text, where no limit is told
_ROWS = 20
#: kinds of maps that are kept beyond those that are wanted, before the others are dropped
_TOGETHER = 1024
#: where printing was interrupted
_NOT_ALL = "interrupted: not all is shown"
#: groups of a saved look that differ, in text
_BY = ("map", "type", "owner")


@dataclass
class HeapResult(Result):
    """All maps, or groups of them, the largest first.

    :ivar limit: rows; None: all
    :ivar complete: whether every map was looked at
    :ivar written: lines about files that were written
    """

    views: List[HeapView]
    totals: Totals
    by: str
    sort: str
    limit: Optional[int]
    rows: List[HeapMap]
    lines: bool
    complete: bool
    written: List[str]
    notes: List[str]
    flavors: Dict[int, str] = field(default_factory=dict)

    def json(self) -> Iterator[str]:
        head: Dict[str, object] = {"schema": SCHEMA}
        name = "maps" if self.by == "map" else "groups"
        if self.lines:
            yield dumps({**head, "by": self.by}) + "\n"
            for row in self._forms():
                yield dumps(row) + "\n"
            yield dumps(self._tail()) + "\n"
            return
        yield dumps({**head, "by": self.by})[:-1] + f', "{name}": ['
        first = True
        for row in self._forms():
            yield ("" if first else ", ") + dumps(row)
            first = False
        yield "], " + dumps(self._tail())[1:] + "\n"

    def _tail(self) -> Dict[str, object]:
        return {
            "totals": self.totals.form(),
            "findings": [_finding_form(finding) for finding in self.totals.findings()],
            "complete": self.complete and not self.interrupted,
            "notes": self.notes + [_NOT_ALL] * self.interrupted,
        }

    def _forms(self) -> Iterator[Dict[str, object]]:
        """Rows; Ctrl-C ends them."""
        try:
            if self.by == "map":
                for row in self.rows:
                    if self.interrupted:
                        return
                    yield self._map_form(row)
                return
            for name, group in self.totals.sorted(self.sort)[: self.limit]:
                if self.interrupted:
                    return
                yield {self.by: name, **group.form()}
        except KeyboardInterrupt:
            self.interrupted = True

    def _map_form(self, map: HeapMap) -> Dict[str, object]:
        return {
            "address": hex(map.address),
            "type": map.type,
            "candidates": list(map.candidates),
            "flavor": self.flavors.get(map.address, self.views[0].flavor if self.views else None),
            "count": map.entries,
            "bytes": map.bytes,
            "wasted": map.wasted,
            "retained": map.retained,
            "fill": map.fill,
            "growing": map.growing,
            "owner": map.owner or None,
            "garbage": map.garbage,
        }

    def text(self) -> Iterator[str]:
        try:
            yield from self._text()
        except KeyboardInterrupt:
            self.interrupted = True
        if self.interrupted:
            yield f"note: {_NOT_ALL}\n"

    def _text(self) -> Iterator[str]:
        totals = self.totals.all
        if not self.views:
            yield from (f"no maps found: {escape(note)}\n" for note in self.notes)
            return
        if not totals.maps:
            number = sum(map(len, self.views))
            if self.complete:
                yield f"none of {number} maps is such a one\n" if number else "no maps found\n"
            else:
                such = "no such map was" if number else "no maps were"
                yield f"{such} found so far (not all were looked at)\n"
            yield from (f"note: {escape(note)}\n" for note in self.notes)
            yield from (f"{escape(line)}\n" for line in self.written)
            return
        yield from self._maps_text() if self.by == "map" else self._groups_text()
        yield "\n"
        yield from self._totals_text()
        findings = self.totals.findings()
        if findings:
            yield "what stands out:\n"
        for finding in findings:
            yield f"  {size_text(finding.bytes):>10}  {escape(finding.text)}"
            if finding.examples:
                yield " (" + ", ".join(map(hex, finding.examples)) + ")"
            yield f"\n  {'advice':>10}  {finding.advice}\n"
        yield from (f"note: {escape(note)}\n" for note in self.notes)
        yield from (f"{escape(line)}\n" for line in self.written)

    def _maps_text(self) -> Iterator[str]:
        yield (
            f"{'address':<14}  {'bytes':>10}  {'wasted':>10}  {'retained':>10}  {'entries':>9}  "
            f"{'fill':>4}  {'growing':<9}  type  owner\n"
        )
        for map in self.rows:
            if self.interrupted:
                break
            fill = "" if map.fill is None else f"{100 * map.fill:.0f}%"
            retained = size_text(map.retained) if map.retained else ""
            entries = "?" if map.entries is None else map.entries
            yield (
                f"{map.address:<#14x}  {size_text(map.bytes):>10}  {size_text(map.wasted):>10}  "
                f"{retained:>10}  {entries:>9}  {fill:>4}  {map.growing or '':<9}  "
                f"{escape(type_text(map))}  {escape(_owner(map))}\n"
            )
        more = self.totals.all.maps - len(self.rows)
        if more:
            yield f"... {more} more (--limit 0 shows all)\n"

    def _groups_text(self) -> Iterator[str]:
        yield (
            f"{'bytes':>10}  {'wasted':>10}  {'retained':>10}  {'maps':>8}  {'entries':>10}  "
            f"{self.by}\n"
        )
        groups = self.totals.sorted(self.sort)
        for name, group in groups[: self.limit]:
            if self.interrupted:
                break
            retained = size_text(group.retained) if group.retained else ""
            yield (
                f"{_sum(group.bytes, group):>10}  {_sum(group.wasted, group):>10}  "
                f"{retained:>10}  {group.maps:>8}  {_count(group):>10}  {escape(name)}\n"
            )
        more = len(groups) - len(groups[: self.limit])
        if more:
            yield f"... {more} more (--limit 0 shows all)\n"

    def _totals_text(self) -> Iterator[str]:
        totals = self.totals
        all = totals.all
        line = (
            f"{all.maps} map{'' if all.maps == 1 else 's'}, {_count(all)} entries, "
            f"{_sum(all.bytes, all)}, of it {_sum(all.wasted, all)} wasted"
        )
        if all.retained:
            line += f", {size_text(all.retained)} retained by migrations"
        yield line + ("\n" if self.complete else " (not all were looked at)\n")
        rest = all.maps - totals.certain
        if rest:
            yield (
                f"types: {totals.certain} certain, {totals.with_candidates} with candidates, "
                f"{rest - totals.with_candidates} not known\n"
            )
        if totals.garbage.maps:
            yield (
                f"garbage: nothing refers to {totals.garbage.maps} of them, "
                f"{_sum(totals.garbage.bytes, totals.garbage)}\n"
            )


@dataclass
class SinceResult(Result):
    """What differs between two looks."""

    differences: List[Difference]
    limit: Optional[int]
    complete: bool
    written: List[str]
    notes: List[str]

    def json(self) -> Iterator[str]:
        some = self.differences[: self.limit]
        yield dumps(
            {
                "schema": "mapscope.heap-since/1",
                "changes": [one.form() for one in some],
                "complete": self.complete,
                "notes": self.notes,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        if not self.differences:
            yield "nothing changed, by type and owner\n"
        else:
            yield f"{'bytes':>11}  {'maps':>8}  {'entries':>10}  {'change':<8}  type  owner\n"
        for one in self.differences[: self.limit]:
            maps = one.now.maps - one.before.maps
            entries = "?" if one.entries is None else f"{one.entries:+}"
            more = one.bytes
            bytes = "?" if more is None else ("-" if more < 0 else "+") + size_text(abs(more))
            yield (
                f"{bytes:>11}  {maps:>+8}  {entries:>10}  {one.what:<8}  "
                f"{escape(one.type)}  {escape(one.owner)}\n"
            )
        left = len(self.differences) - len(self.differences[: self.limit])
        if left:
            yield f"... {left} more (--limit 0 shows all)\n"
        if not self.complete:
            yield "note: one of the two looks is not of all maps\n"
        yield from (f"note: {escape(note)}\n" for note in self.notes)
        yield from (f"{escape(line)}\n" for line in self.written)


def _owner(map: HeapMap) -> str:
    return map.owner or ("(garbage: nothing refers to it)" if map.garbage else "?")


def _sum(bytes: int, group: Group) -> str:
    return size_text(bytes) + ("+?" if group.unknown else "")


def _count(group: Group) -> str:
    return f"{group.entries}" + ("+?" if group.uncounted else "")


def _finding_form(finding: Finding) -> Dict[str, object]:
    return {
        "code": finding.code,
        "message": finding.text,
        "maps": finding.maps,
        "bytes": finding.bytes,
        "examples": [hex(address) for address in finding.examples],
        "advice": finding.advice,
    }


# --- running ---


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by", choices=_BY, default="map", help="a row for each map, type or owner"
    )
    parser.add_argument(
        "--sort", choices=sorted(SORTS), default="bytes", help="what is first; bytes unless told"
    )
    parser.add_argument("--type", metavar="TYPE", help="only maps of this type")
    parser.add_argument("--min-bytes", metavar="N", type=natural, help="only maps of N bytes on")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=natural,
        help=f"so many rows; 0: all; {_ROWS} in text and all in JSON unless told",
    )
    parser.add_argument(
        "--no-owners",
        action="store_true",
        help="do not follow references: faster, without owners and with fewer types",
    )
    parser.add_argument("--pprof", metavar="FILE", help="write a profile for go tool pprof")
    parser.add_argument("--save", metavar="FILE", help="keep sums by type and owner in FILE")
    parser.add_argument("--since", metavar="FILE", help="what changed since --save wrote FILE")


def find_views(session: Session, follow: bool) -> Tuple[List[HeapView], List[str]]:
    """All maps, a view for each kind, and what is to be said of those that are not there.

    :param follow: whether references are followed, for owners and types
    """
    views: List[HeapView] = []
    for flavour in FLAVOURS:
        if any(view.interrupted for view in views):
            break
        if flavour.present(session):
            views += flavour.heap(session, follow, session.target.progress)
    try:
        for flavour in FLAVOURS if views else ():
            if flavour.present(session) and not any(view.interrupted for view in views):
                views = flavour.composed(session, views, session.target.progress)
    except KeyboardInterrupt:
        views[-1].complete = False
        views[-1].notes.append("interrupted: parts of maps are shown as maps of their own")
    notes = [note for view in views for note in view.notes]
    if not views:
        notes.append(
            "those of this runtime cannot be listed"
            if any(flavour.present(session) for flavour in FLAVOURS)
            else "no runtime of mapscope's or of Go's was recognised in this program"
        )
    return views, notes


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    session.require_memory()
    session.require_architecture()
    if args.no_owners and (args.by == "owner" or args.save or args.since or args.pprof):
        raise UsageError("map heap: --no-owners leaves out what this needs")
    before = looks.read(args.since) if args.since else None
    views, notes = find_views(session, not args.no_owners)
    chosen = _Chosen(views, args.type, args.min_bytes or 0)
    totals = Totals(args.by)
    profile = Profile(time.time_ns()) if args.pprof else None
    look: Look = {}
    limit = args.limit or None
    if args.limit is None and not args.json:
        limit = _ROWS
    kept: List[Alike] = []

    def taken() -> Iterator[Alike]:
        for view, alike in chosen.maps():
            totals.add_alike(alike)
            map, number = alike.map, len(alike.addresses)
            if profile is not None:
                profile.add(_stack(view, map), [number * value for value in _values(map)])
            if args.save or before is not None:
                look.setdefault((type_text(map), owner_text(map)), Group()).add(map, number)
            yield alike

    complete = bool(views) and all(view.complete for view in views)
    try:
        for alike in taken():
            if args.by == "map":
                kept.append(alike)
                if limit is not None and len(kept) > limit + _TOGETHER:
                    kept = largest_alike(kept, args.sort, limit)
    except KeyboardInterrupt:
        complete = False
        notes.append("interrupted: these are the maps that were measured so far")
    rows = rows_of(kept, args.sort, limit)
    if args.type and complete:
        chosen.check_type()
    notes += chosen.notes()
    written: List[str] = []
    if profile is not None:
        _write(args.pprof, profile.packed())
        written.append(f"wrote {args.pprof}: go tool pprof -http=: {args.pprof}")
    if args.save:
        _write(args.save, looks.text_of(look, complete).encode())
        written.append(f"wrote {args.save}: map heap --since {args.save}")
    if before is not None:
        found = looks.differences(before[0], look)
        return SinceResult(found, limit, complete and before[1], written, notes)
    lines = bool(args.json and args.output)
    flavors = chosen.flavors(rows)
    return HeapResult(
        views, totals, args.by, args.sort, limit, rows, lines, complete, written, notes, flavors
    )


class _Chosen:
    """The maps that were asked for.

    :param type: of which they are; None: of any
    :param least: bytes
    """

    def __init__(self, views: Sequence[HeapView], type: Optional[str], least: int) -> None:
        self._views = views
        self._type = None if type is None else _normalised(type)
        self._written = type
        self._least = least
        self._types: Dict[Optional[str], bool] = {}
        self._may_be = self._unknown = self._found = 0

    def maps(self) -> Iterator[Tuple[HeapView, Alike]]:
        """All, those that are alike together, with the view that has them."""
        for view in self._views:
            for alike in view.alike():
                map, number = alike.map, len(alike.addresses)
                if self._type is not None and not self._is_wanted(map, number):
                    continue
                if self._least and (map.bytes is None or map.bytes < self._least):
                    continue
                self._found += number
                yield view, alike

    def _is_wanted(self, map: HeapMap, number: int) -> bool:
        wanted = self._types.get(map.type)
        if wanted is None:
            wanted = map.type is not None and _normalised(map.type) == self._type
            self._types[map.type] = wanted
        if map.type is None:
            if not map.candidates:
                self._unknown += number
            elif any(_normalised(name) == self._type for name in map.candidates):
                self._may_be += number
        return wanted

    def check_type(self) -> None:
        """:raises UnknownType: if no map has, or may have, the type"""
        if self._found or self._may_be or any(self._types.values()):
            return
        names = [name for name in self._types if name]
        near = difflib.get_close_matches(self._written or "", names, 3, 0.5)
        raise UnknownType(named(self._written or ""), [escape(name) for name in near])

    def notes(self) -> List[str]:
        """What was left out and may belong to it."""
        found: List[str] = []
        if self._may_be:
            found.append(f"{self._may_be} more maps may be of this type, among others")
        if self._type is not None and self._unknown:
            found.append(f"of {self._unknown} maps the type is not known")
        return found

    def flavors(self, rows: Sequence[HeapMap]) -> Dict[int, str]:
        """By address, where there are several kinds."""
        if len({view.flavor for view in self._views}) < 2:
            return {}
        return {
            row.address: view.flavor
            for row in rows
            for view in self._views
            if view.has(row.address)
        }


def _normalised(name: str) -> str:
    return same_type(re.sub(r"\bany\b", "interface{}", name))


def _stack(view: HeapView, map: HeapMap) -> List[str]:
    """A profile's stack: the map's type, and the path to its owner from the inside out."""
    steps = view.steps.get(map.owner)
    path = ""
    stack: List[str] = []
    for step in steps or (owner_text(map),):
        path += step
        stack.append(path)
    return [type_text(map), *reversed(stack)]


def _values(map: HeapMap) -> Tuple[int, int, int, int]:
    return map.entries or 0, map.bytes or 0, map.wasted or 0, map.retained


def _write(path: str, data: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"cannot write {named(path)}: {error.strerror or error}") from None


COMMAND = Command(
    "heap",
    "Show every map of the process: how much memory each holds, how much of that a fresh map of\n"
    "the same entries would not need (wasted), who refers to it, and what stands out. A Go\n"
    "program's are found in its heap; the C++ runtime's in its registry.\n\n"
    "An owner is a path from a variable or a goroutine's frame, indices and keys left out:\n"
    "main.server.shards[].items. Without debug information it begins at an address of the data.\n"
    "Where no certain type is known the types that fit are named.\n\n"
    "example: map heap --by owner --sort wasted",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map check`: is the map whole?"""

import argparse
import re
from itertools import islice
from typing import Dict, Iterator, List, Optional

from ..activity import find_writers
from ..errors import Corrupt, MapscopeError, NotAMap
from ..flavours.registry import LIBRARIES, operation
from ..maps.report import ADVICE, Activity, Finding, Report
from ..maps.view import MapView
from ..program.cpp_tables import is_table
from ..program.types import Kind
from ..program.values import dumps, escape
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, add_map

#: findings of a kind that text shows
_SHOWN = 10


@dataclass
class CheckResult(Result):
    """What is wrong with a map.

    :ivar view: None where its header is such that no more can be said
    """

    name: str
    view: Optional[MapView]
    report: Report

    def json(self) -> Iterator[str]:
        report = self.report
        findings = [finding.form() for finding in report.findings]
        findings += [finding.form() for finding in self._uncounted()]
        yield dumps(
            {
                "schema": "mapscope.check/1",
                "ok": report.ok,
                "checked": {
                    "buckets": report.buckets,
                    "cells": report.cells,
                    "keys": report.hashed,
                    "keys_without_hash": report.unhashed,
                },
                "findings": findings,
            }
        ) + "\n"

    def _uncounted(self) -> Iterator[Finding]:
        for code, number in self.report.more.items():
            yield Finding("note", "more", f"{number} more findings of {code} are not listed")

    def text(self) -> Iterator[str]:
        report = self.report
        yield f"{self.name}: {_verdict(report)}\n"
        unit = self.view.unit if self.view is not None else "bucket"
        cells = self.view.cells if self.view is not None else "cells"
        keys = _hashed(report, self.view)
        yield f"  checked    {report.buckets} {unit}s, {report.cells} {cells}{keys}\n"
        kinds: Dict[str, List[Finding]] = {}
        for finding in report.findings:
            kinds.setdefault(finding.code, []).append(finding)
        for code, found in kinds.items():
            for finding in found[:_SHOWN]:
                yield f"{finding.severity}: {escape(finding.message)} ({_place(finding)})\n"
            more = len(found) - _SHOWN + report.more.get(code, 0)
            if more > 0:
                yield f"  and {more} more of {code} (--json lists them)\n"
            cause, following = ADVICE[code]
            if cause:
                yield f"  usually    {cause}\n"
            if following:
                yield f"  look at    {following}\n"


def _place(finding: Finding) -> str:
    """The kind of a finding, and its address if the message does not have it."""
    where = "" if finding.address is None else hex(finding.address)
    return finding.code if not where or where in finding.message else f"{finding.code}, {where}"


def _hashed(report: Report, view: Optional[MapView]) -> str:
    """How many keys were compared with their hashes, and how many have none."""
    text = ""
    if report.hashed or report.unhashed:
        one = report.hashed == 1
        text = f", {report.hashed} key{'' if one else 's'} against "
        text += "its hash" if one else "their hashes"
    if report.unhashed:
        one = report.unhashed == 1
        text += f", {report.unhashed} key{'' if one else 's'} "
        kind = None if view is None or view.key is None else view.key.kind
        if kind in (Kind.FLOAT, Kind.COMPLEX):
            text += f"{'has' if one else 'have'} no hash of {'its' if one else 'their'} own (NaN)"
        else:
            text += f"{'has' if one else 'have'} no hash that can be computed"
    return text


def _verdict(report: Report) -> str:
    findings = report.findings
    numbers = [
        (sum(finding.severity == kind for finding in findings), kind)
        for kind in ("error", "warning")
    ]
    found = [f"{number} {kind}{'' if number == 1 else 's'}" for number, kind in numbers if number]
    if report.left_out:
        found.append(f"{'' if found else 'no errors so far; '}not looked at: {report.left_out}")
    return ", ".join(found) or "nothing wrong"


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser)
    parser.add_argument(
        "--no-hash",
        action="store_true",
        help="leave out what needs the hash of every key, which takes most of the time",
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    try:
        view = context.map_of(args)
    except (Corrupt, NotAMap) as error:
        if not _is_declared(context, args, error):
            raise
        report = Report(Activity)
        place = re.search(r" at (0x[0-9a-f]+)", str(error))
        report.add("error", "header", str(error), int(place[1], 16) if place else None)
        return CheckResult(escape(args.map), None, report)
    where = "nil" if view.address is None else hex(view.address)
    report = Report(lambda: _activity(context, view), not args.no_hash)
    try:
        view.check(report, session.target.progress)
    except KeyboardInterrupt:
        text = f"interrupted: {report.buckets} {view.unit}s were checked"
        report.add("note", "interrupted", text)
        report.left_out = f"all other {view.unit}s (interrupted)"
    if args.type is not None and report.ok is False:
        text = f"all this is of a {escape(view.type_name)}: a map of another type looks damaged"
        report.add("note", "type-needed", text)
    return CheckResult(f"{escape(view.type_name)} {where}", view, report)


def _is_declared(context: Context, args: argparse.Namespace, error: MapscopeError) -> bool:
    """Whether debug information says that there is a map where memory looks like none."""
    if args.map is None:
        return False
    type = context.evaluate(args).type
    if type.kind is Kind.POINTER:
        type = type.target()
    if type.as_class is not None and is_table(type.as_class().tag):
        return isinstance(error, Corrupt)
    if type.kind in (Kind.RUNTIME_MAP, Kind.RUNTIME_HMAP):
        return isinstance(error, Corrupt)  # else it is not constructed yet, or gone
    return type.kind in (Kind.GO_MAP, Kind.GO_HMAP)


def _activity(context: Context, view: MapView) -> Activity:
    """Who is inside a write to a map."""
    found = find_writers(context.session, context.at_stop())
    writers = found.writers
    # of an optimised frame, what is no map may be all that is left of which one it is
    ours = [
        writer
        for writer in writers
        if writer.view is None or writer.view.address in (None, view.address)
    ]
    operations = tuple(writer.operation for writer in ours)
    # and without debug information, another map's address may be what a register has left
    doubtful = any(
        not frame.has_variables
        for writer in writers
        if writer not in ours
        for frame in writer.frames[:1]
    )
    sure = not doubtful and not found.unknown
    certain = bool(operations) or (sure and _nobody_missed(context.session, view))
    return Activity(operations, certain)


#: where a goroutine begins, and a thread of Go's runtime; and where a thread has come from a
#: goroutine that it has left
_OUTERMOST = (
    *("runtime.goexit", "runtime.mstart", "runtime.mstart0", "runtime.rt0_go", "runtime.clone"),
    *("runtime.mcall", "runtime.morestack", "runtime.systemstack"),
)


def _nobody_missed(session: Session, view: MapView) -> bool:
    """Whether every thread's frames tell whether it is inside a write."""
    if session.is_go():
        # a thread that is just taking up a goroutine again, or is in no code of Go's
        return session.functions is not None and all(
            frames and frames[-1].function in _OUTERMOST
            for frames in map(session.own_frames, session.target.threads())
        )
    if view.flavor not in LIBRARIES and session.target.find_type("mapscope::hmap") is None:
        return False  # code of maps is inlined where they are used: debug information names it
    # Optimised code mixes instructions of a write with others, which count as the caller's.
    return not any(
        operation(name)
        for thread in session.target.threads()
        for frame in islice(thread.frames(), 1)
        for name in frame.inlined()
    )


COMMAND = Command(
    "check",
    "Look for what cannot be in a healthy map: wrong counts, marks that are out of place, damaged\n"
    "overflow chains, keys that are there twice or where no lookup finds them, a write flag that\n"
    "nobody holds. For each finding, what usually causes it and what to look at next. What a\n"
    "write that is half done explains is no error.\n\n"
    "example: map check m\n"
    "example: map check main.Table --no-hash --json",
    _arguments,
    _run,
)

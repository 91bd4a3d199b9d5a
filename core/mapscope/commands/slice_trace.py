# SPDX-License-Identifier: MIT
"""`slice trace`: logs growths of slices without stopping."""

import argparse
from typing import IO, Iterator, Optional

from ..errors import UsageError
from ..plans.slices.slice_request import SliceRequest
from ..plans.slices.slice_stop import SliceTrace
from ..program.values import dumps, escape, named
from .base import Command, Context, Result
from .slice_words import plural
from .trace import TraceResult


class SliceTraceResult(TraceResult):
    """What was switched."""

    def json(self) -> Iterator[str]:
        yield dumps({"schema": "mapscope.slice_trace/1", "on": self.on, "slice": self.map}) + "\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("switch", metavar="on|off", help="begin or end a trace")
    parser.add_argument(
        "slice", metavar="SLICE", nargs="?", help="only this slice or vector; without it: all of Go"
    )
    parser.add_argument(
        "--type", metavar="TYPE", help="without SLICE: only slices of this type, as '[]int'"
    )
    parser.add_argument(
        "--in",
        dest="inside",
        metavar="NAME",
        help="without SLICE: only appends of this package or function, as main or main.fill; "
        "without it: of all but Go's runtime",
    )
    parser.add_argument(
        "--at", metavar="LOCATION", help="look SLICE up when the program first reaches this place"
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    if args.switch not in ("on", "off"):
        raise UsageError(f"slice trace: on or off is expected, not {escape(args.switch)}")
    stops = context.stops()
    if args.switch == "off":
        ended = stops.untrace(args.slice, "slice")
        if not ended:
            raise UsageError("there is no such trace: slice trace on begins one")
        lines = [
            f"trace of {escape(trace.map_text())} ended after {plural(trace.lines, 'line')}"
            for trace in ended
        ]
        return SliceTraceResult(lines, False, args.slice)
    if session.target.has_memory():
        session.require_architecture()
    if args.slice is not None and (args.type is not None or args.inside is not None):
        raise UsageError("slice trace on: --type and --in make no sense of one SLICE")
    if args.slice is None and args.at is not None:
        raise UsageError("slice trace on: --at needs a SLICE")
    element = args.type
    if element is not None and element.startswith("[]"):
        element = element[2:]
    request = SliceRequest(
        "trace", args.slice, location=args.at, element=element, inside=args.inside
    )
    output: Optional[IO[str]] = None
    if args.output is not None:
        # the file is the trace's, not this command's
        path, args.output = args.output, None
        try:
            output = open(path, "w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {named(path)}: {error.strerror or error}") from None
    try:
        trace = stops.trace(request, output, SliceTrace)
    except BaseException:
        if output is not None:
            output.close()
        raise
    notes = trace.plan.notes if trace.plan is not None else []
    lines = [f"tracing {escape(trace.map_text())}", *(f"  {escape(note)}" for note in notes)]
    return SliceTraceResult(lines, True, args.slice)


COMMAND = Command(
    "trace",
    "Log each growth of a slice, a line for each, without stopping: the arrays, capacities and\n"
    "lengths before and after, and where. With -o FILE the lines go there.\n\n"
    "Without SLICE all appends of a Go program that allocate are seen, but those of Go's runtime;\n"
    "each costs about 1 ms in gdb and 15 in LLDB, also where --type or --in leave it out.\n\n"
    "example: slice trace on --in main\n"
    "example: slice trace on --type '[]int'\n"
    "example: slice trace on v --at worker.cpp:17\n"
    "example: slice trace off",
    _arguments,
    _run,
    "slice",
)

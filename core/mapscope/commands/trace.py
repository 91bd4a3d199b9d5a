# SPDX-License-Identifier: MIT
"""`map trace`: logs the events of maps without stopping."""

import argparse
from typing import IO, Iterator, List, Optional

from ..errors import UsageError
from ..maps.timeline import Timeline
from ..program.values import dumps, escape, named
from ..records import dataclass
from ..stops.request import Request
from .base import Command, Context, Result, natural
from .perfetto_output import VIEWER, add_perfetto, open_timeline


@dataclass
class TraceResult(Result):
    """What was switched."""

    lines: List[str]
    on: bool
    map: Optional[str]

    def json(self) -> Iterator[str]:
        yield dumps({"schema": "mapscope.trace/1", "on": self.on, "map": self.map}) + "\n"

    def text(self) -> Iterator[str]:
        for line in self.lines:
            yield line + "\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("switch", metavar="on|off", help="begin or end a trace")
    parser.add_argument("map", metavar="MAP", nargs="?", help="only this map; without it: all")
    parser.add_argument(
        "--type",
        metavar="TYPE",
        help="without MAP: only maps of this type, as map list shows it; a Go map's type where "
        "MAP is an address",
    )
    parser.add_argument(
        "--min-entries",
        dest="min_entries",
        metavar="N",
        type=natural,
        default=0,
        help="only maps that have N entries or more at the event",
    )
    add_perfetto(parser)


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    if args.switch not in ("on", "off"):
        raise UsageError(f"map trace: on or off is expected, not {escape(args.switch)}")
    stops = context.stops()
    if args.switch == "off":
        if args.perfetto is not None:
            raise UsageError("--perfetto goes with map trace on")
        ended = stops.untrace(args.map)
        if not ended:
            raise UsageError("there is no such trace: map trace on begins one")
        lines = [
            f"trace of {escape(trace.map_text())} ended after {trace.lines} "
            f"line{'' if trace.lines == 1 else 's'}"
            for trace in ended
        ]
        return TraceResult(lines, False, args.map)
    if session.target.has_memory():
        session.require_architecture()
    request = Request("trace", args.map, args.type, min_entries=args.min_entries)
    output: Optional[IO[str]] = None
    timeline: Optional[Timeline] = None
    if args.output is not None:
        # the file is the trace's, not this command's
        path, args.output = args.output, None
        try:
            output = open(path, "w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {named(path)}: {error.strerror or error}") from None
    try:
        if args.perfetto is not None:
            timeline = open_timeline(args.perfetto)
        trace = stops.trace(request, output, timeline=timeline)
    except BaseException:
        for file in (output, timeline):
            if file is not None:
                file.close()
        raise
    notes = trace.plan.notes if trace.plan is not None else []
    lines = [f"tracing {escape(trace.map_text())}", *(f"  {escape(note)}" for note in notes)]
    if args.perfetto is not None:
        lines.append(f"  drawn in {escape(args.perfetto)}: {VIEWER} opens it")
    return TraceResult(lines, True, args.map)


COMMAND = Command(
    "trace",
    "Log what happens to maps, a line for each event, without stopping: created, grows,\n"
    "bucket migration, growth done, cleared, destroyed. With -o FILE the lines go there,\n"
    "with --perfetto FILE the events are drawn there, and not printed.\n\n"
    "--type without MAP and --min-entries are compared in the debugger: events of other maps\n"
    "cost as much as those that are logged.\n\n"
    "example: map trace on m\n"
    "example: map trace on --type 'map[string]int' --min-entries 1000\n"
    "example: map trace on --perfetto /tmp/maps.perfetto\n"
    "example: map trace off",
    _arguments,
    _run,
)

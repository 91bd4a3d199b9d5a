# SPDX-License-Identifier: MIT
"""`map watch`: a stop at the value of one entry."""

import argparse

from ..errors import UsageError
from ..plans.values.value_place import part_of
from ..plans.values.value_stop import ValueRequest, ValueStop
from ..program.values import escape
from .base import Command, Context, Result, add_conditions
from .breaks import BreakResult


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("map", metavar="MAP", help="an expression, an address or a register")
    parser.add_argument("key", metavar="KEY", help="as for map find")
    parser.add_argument(
        "--part",
        metavar="OFFSET[:SIZE]",
        help="watch these bytes of the value: 1, 2, 4 or 8 (8 if not said)",
    )
    parser.add_argument("--type", metavar="TYPE", help="a Go map's type where MAP is an address")
    add_conditions(parser, "MAP")


def _run(context: Context, args: argparse.Namespace) -> Result:
    session, stops = context.session, context.stops()
    if args.ignore >= 1 << 63:
        raise UsageError(f"--ignore {args.ignore}: nothing happens so often")
    if args.at is not None and not args.at.strip():
        raise UsageError("--at: where? as in --at worker.go:17")
    if session.target.has_memory():
        session.require_architecture()
    request = ValueRequest(
        "value",
        args.map,
        args.type,
        key=args.key,
        condition=args.condition,
        thread=args.thread,
        ignore=args.ignore,
        once=args.once,
        log=args.log,
        location=args.at,
        part=None if args.part is None else part_of(args.part),
    )
    stop = stops.add(request, ValueStop)
    lines = [f"mapscope stop {stop.number}: {stop.describe()}"]
    if stop.plan is not None:
        lines += [f"  {escape(note)}" for note in stop.plan.notes]
    return BreakResult([stop.form()], lines)


COMMAND = Command(
    "watch",
    "Stop when the value of one entry is written, at full speed until then: a hardware watchpoint\n"
    "on the value, which follows the entry when its bucket is evacuated or its table grows, with\n"
    "a line. It ends, with a stop, when the entry is deleted or the map is cleared.\n\n"
    "The processor watches 1, 2, 4 or 8 bytes: of a larger value, --part says which. An entry\n"
    "takes two of the processor's four watchpoints, three in a Swiss map of Go.\n\n"
    "The stop is one of `map break list`, and deleted by `map break delete`.\n\n"
    "example: map watch m user-42\n"
    "example: map watch m user-42 --log\n"
    "example: map watch sessions 7 --part 8  (8 bytes at offset 8 of the value)\n"
    "example: map watch m user-42 --at worker.cpp:17",
    _arguments,
    _run,
)

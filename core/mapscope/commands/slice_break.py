# SPDX-License-Identifier: MIT
"""`slice break`: sets, lists and deletes stops at the growth of slices."""

import argparse
from typing import List

from ..errors import UsageError
from ..plans.slices.slice_request import SliceRequest
from ..plans.slices.slice_stop import SliceStop
from ..program.values import escape
from ..stops.engine import Stop
from ..stops.request import conditions
from .base import Command, Context, Result, add_conditions
from .breaks import BreakResult, set_stop, stop_row
from .slice_words import plural


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", metavar="EVENT", help="grow; or list, or delete")
    parser.add_argument(
        "words",
        metavar="[SLICE]",
        nargs="*",
        default=[],
        help="of grow: the slice or vector; of delete: numbers of stops, or all",
    )
    add_conditions(parser, "SLICE")


def _run(context: Context, args: argparse.Namespace) -> Result:
    stops = context.stops()
    own: List[Stop] = [stop for stop in stops if isinstance(stop, SliceStop)]
    if args.event == "list":
        if args.words:
            raise UsageError("slice break list takes no further words")
        rows = [stop_row(stop) for stop in own]
        return BreakResult([stop.form() for stop in own], rows or ["no slice stops"])
    if args.event == "delete":
        return _delete(context, own, args.words)
    if args.event != "grow":
        raise UsageError(
            f"slice break: no event {escape(args.event)}; there is grow, and slice break list, "
            "slice break delete"
        )
    if len(args.words) != 1:
        raise UsageError(
            "slice break grow: which slice? as in slice break grow s (slice trace on logs all)"
            if not args.words
            else f"slice break grow: one SLICE is expected, not {escape(' '.join(args.words))}"
        )
    request = SliceRequest(
        "grow",
        args.words[0],
        **conditions(args),
    )
    return set_stop(context, request, SliceStop)


def _delete(context: Context, own: List[Stop], words: List[str]) -> Result:
    stops = context.stops()
    if not words:
        raise UsageError("slice break delete: which? as in slice break delete 1, or all")
    for word in words:
        if word != "all" and not word.isdecimal():
            raise UsageError(f"slice break delete: {escape(word)} is no number of a stop")
    found = own if "all" in words else [stops.get(int(word)) for word in dict.fromkeys(words)]
    for stop in found:
        if stop not in own:
            raise UsageError(f"mapscope stop {stop.number} is one of a map: map break delete")
    for stop in found:
        stops.drop(stop)
    return BreakResult(
        [stop.form() for stop in found], [f"{plural(len(found), 'slice stop')} deleted"]
    )


COMMAND = Command(
    "break",
    "Stop when a slice or a vector is moved to another array, with both arrays, lengths and\n"
    "capacities. The pointer of a slice in memory is watched, at full speed; one on a goroutine's\n"
    "stack or in registers is known by its array where the program allocates for an append.\n\n"
    "example: slice break grow main.Queue\n"
    "example: slice break grow v --at worker.cpp:17\n"
    "example: slice break list\n"
    "example: slice break delete 1",
    _arguments,
    _run,
    "slice",
)

# SPDX-License-Identifier: MIT
"""`map break`: sets, lists and deletes stops."""

import argparse
from typing import Dict, Iterator, List, Type

from ..errors import UsageError
from ..program.values import dumps, escape
from ..records import dataclass
from ..stops.engine import Stop
from ..stops.request import EVENTS, Request, from_words
from .base import Command, Context, Result, add_conditions, natural


@dataclass
class BreakResult(Result):
    """Stops, and what is to be said of them."""

    stops: List[Dict[str, object]]
    lines: List[str]

    def json(self) -> Iterator[str]:
        yield dumps({"schema": "mapscope.break/1", "stops": self.stops}) + "\n"

    def text(self) -> Iterator[str]:
        for line in self.lines:
            yield line + "\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "event",
        metavar="EVENT",
        help=f"{', '.join(EVENTS)}; or list, or delete",
    )
    parser.add_argument(
        "words",
        metavar="[P] [MAP]",
        nargs="*",
        default=[],
        help="of progress: 50%% or 50 old buckets; then the map, without it any map; "
        "of delete: numbers of stops, or all, where stops are to be deleted",
    )
    parser.add_argument("--doubling", dest="double", action="store_true", help="only doublings")
    parser.add_argument(
        "--same-size", dest="same_size", action="store_true", help="only growths of the same size"
    )
    parser.add_argument("--shrink", action="store_true", help="only shrinking")
    parser.add_argument(
        "--split", action="store_true", help="Go's Swiss maps: only tables that split in two"
    )
    parser.add_argument(
        "--bucket", metavar="N", type=natural, help="evacuate: only this old bucket"
    )
    parser.add_argument(
        "--migrating", action="store_true", help="assign, delete: only while the map migrates"
    )
    parser.add_argument("--key", metavar="KEY", help="assign, delete: only this key")
    add_conditions(parser, "MAP")
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


def _run(context: Context, args: argparse.Namespace) -> Result:
    stops = context.stops()
    if args.event == "list":
        if args.words:
            raise UsageError("map break list takes no further words")
        found, place = list(stops), stops.host.place()
        where = f" in {place}" if place else ""
        return BreakResult(
            [stop.form() for stop in found],
            [stop_row(stop) + where for stop in found] or [f"no map stops{where}"],
        )
    if args.event == "delete" and _means_stops(args):
        return _delete(context, args.words)
    return set_stop(context, from_words(args))


def set_stop(context: Context, request: Request, kind: Type[Stop] = Stop) -> BreakResult:
    """Set a stop, and say so.

    :param kind: of stop, by what it is for
    """
    if context.session.target.has_memory():
        context.session.require_architecture()
    stop = context.stops().add(request, kind)
    lines = [f"mapscope stop {stop.number}: {stop.describe()}"]
    if stop.plan is not None:
        lines += [f"  {escape(note)}" for note in stop.plan.notes]
    return BreakResult([stop.form()], lines)


def _means_stops(args: argparse.Namespace) -> bool:
    """Whether `map break delete ...` deletes stops, rather than waiting for deleted entries."""
    if args.words:
        return all(word == "all" or word.isdecimal() for word in args.words)
    plain = vars(COMMAND.parser().read(["delete"]))
    if all(plain[name] == value for name, value in vars(args).items() if name in plain):
        raise UsageError(
            "map break delete: which? map break delete 1, or all, deletes stops; "
            "map break delete MAP stops when an entry of MAP is deleted "
            "(of any map: with an option, as --ignore 1)"
        )
    return False


def _delete(context: Context, words: List[str]) -> Result:
    stops = context.stops()
    if "all" in words:
        chosen = [stop.number for stop in stops]
    else:
        chosen = [int(word) for word in words]
    found = [stops.get(number) for number in dict.fromkeys(chosen)]
    for stop in found:
        stops.drop(stop)
    number = len(found)
    return BreakResult(
        [stop.form() for stop in found],
        [f"{number} map stop{'' if number == 1 else 's'} deleted"],
    )


def stop_row(stop: Stop) -> str:
    """A stop, for a reader."""
    hits = stop.hits()
    state = "" if stop.enabled else ", disabled"
    return f"{stop.number:<3} {stop.describe()}, hit {hits} time{'' if hits == 1 else 's'}{state}"


COMMAND = Command(
    "break",
    "Stop when a map does something, with the program at full speed until then.\n\n"
    + "\n".join(f"  {name:<9} {when}" for name, when in EVENTS.items())
    + "\n\nWithout MAP: any map. Stops are breakpoints or watchpoints of the debugger: enable,\n"
    "disable and delete them there, or by mapscope's own numbers here.\n\n"
    "With --type but no MAP: any map of a type; with --min-entries N: of so many entries. These\n"
    "are compared in the debugger, at each such event of any map: 0.3 ms of the program's time\n"
    "and more for each, also where the map is another one. For assign and delete that is much.\n\n"
    "example: map break grow m\n"
    "example: map break evacuate m --bucket 100\n"
    "example: map break progress 50% m\n"
    "example: map break assign m --key user-42 --migrating\n"
    "example: map break done m --at worker.go:17\n"
    "example: map break grow --type 'map[string]int' --min-entries 1000\n"
    "example: map break list\n"
    "example: map break delete 1  (deletes stop 1; map break delete m waits for deleted entries)",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map watch`: a stop at the value of one entry."""

import argparse

from ..plans.values.value_place import part_of
from ..plans.values.value_stop import ValueRequest, ValueStop
from ..stops.request import conditions
from .base import Command, Context, Result, add_conditions
from .breaks import set_stop


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
    request = ValueRequest(
        "value",
        args.map,
        args.type,
        key=args.key,
        **conditions(args),
        part=None if args.part is None else part_of(args.part),
    )
    return set_stop(context, request, ValueStop)


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

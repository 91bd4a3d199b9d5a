# SPDX-License-Identifier: MIT
"""`map probes`: a script for bpftrace, written from a program's file."""

import argparse
from typing import Iterator

from ..probes.go_script import go_script
from ..probes.program_file import ProgramFile
from ..probes.script import Script
from ..probes.usdt_script import own_probes, usdt_script
from ..program.values import dumps
from ..records import dataclass
from .base import Command, Context, Result


@dataclass
class ProbesResult(Result):
    """A script."""

    script: Script

    def text(self) -> Iterator[str]:
        yield self.script.text()

    def json(self) -> Iterator[str]:
        script = self.script
        yield dumps(
            {
                "schema": "mapscope.probes/1",
                "program": script.program,
                "flavor": script.kind,
                "go_version": script.go_version,
                "probes": [
                    {
                        "function": place.function,
                        "address": None if place.address is None else hex(place.address),
                        "what": place.what,
                    }
                    for place in script.places
                ],
                "missing": script.missing,
                "types": {hex(address): name for address, name in script.types.items()},
                "types_left_out": script.types_left_out,
                "unsafe": script.unsafe,
                "notes": script.notes,
                "script": script.text(),
            }
        ) + "\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROGRAM", help="the program's file")
    parser.add_argument(
        "--no-times",
        action="store_true",
        help="Go: without durations, so with probes at the beginnings of functions alone, which "
        "every bpftrace takes",
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    file = ProgramFile(args.program)
    script = None if own_probes(file) else go_script(file, not args.no_times)
    return ProbesResult(script or usdt_script(file))


COMMAND = Command(
    "probes",
    "Write a script for bpftrace that counts growths, migrations and evacuated buckets of a\n"
    "program's maps by type and caller, and draws histograms of how long they take: of a Go\n"
    "program, also a stripped one, by uprobes; of one with the C++ runtime by its USDT probes.\n"
    "Nothing is traced here: bpftrace does that, as root, whenever the program runs.\n\n"
    "example: map probes ./server -o maps.bt",
    _arguments,
    _run,
)

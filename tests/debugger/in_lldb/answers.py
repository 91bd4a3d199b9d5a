# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and in LLDB: what is said of every map of a record.

    answers TRUTH DIRECTORY [--by name|address]

TRUTH is a program's record of its maps (compare.py says how it looks). For line N,
DIRECTORY/N.inspect, N.entries, N.stats and N.bucket get the JSON of these commands, or the
one line of their error. Maps are named as dump_entries.py names them. DIRECTORY/list gets
that of `map list`.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any, Dict

# Not by importing one or the other: this project's folders have the same names.
IN_GDB = hasattr(sys.modules.get("gdb"), "execute")
if IN_GDB:
    import gdb
else:
    import lldb

COMMANDS = {
    "inspect": "map inspect {} --json",
    "entries": "map entries {} --json --where",
    "stats": "map stats {} --json",
    "bucket": "map bucket {} 0 --json",
}


def run(command: str) -> str:
    """What a command prints, or its error."""
    if IN_GDB:
        try:
            return str(gdb.execute(command, to_string=True))
        except gdb.error as error:
            return f"{error}\n"
    result = lldb.SBCommandReturnObject()
    lldb.debugger.GetCommandInterpreter().HandleCommand(command, result)
    if result.Succeeded():
        return str(result.GetOutput() or "")
    return str(result.GetError()).replace("error: ", "", 1)


def answers(arguments: str) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="answers")
    parser.add_argument("truth", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--by", choices=("name", "address"), default="name")
    given = parser.parse_args(shlex.split(arguments))
    given.directory.mkdir(parents=True, exist_ok=True)
    # Not splitlines: JSON may hold other line ends than \n as they are.
    lines = given.truth.read_text(encoding="utf-8").rstrip("\n").split("\n")
    for number, line in enumerate(lines):
        name = map_name(json.loads(line), given.by)
        for kind, command in COMMANDS.items() if name else ():
            text = run(command.format(name))
            (given.directory / f"{number}.{kind}").write_text(text, encoding="utf-8")
    (given.directory / "list").write_text(run("map list --json"), encoding="utf-8")
    print(f"asked about {len(lines)} maps")


def map_name(truth: Dict[str, Any], by: str) -> str:
    """MAP, perhaps with --type; "" for a nil map, which has no address."""
    if by == "name":
        return f"'{truth['name']}'"
    if truth["address"] is None:
        return ""
    return str(truth["address"]) + (f" --type '{truth['type']}'" if "type" in truth else "")


def lldb_answers(debugger: Any, command: str, result: Any, internal: Any) -> None:
    """The command, as LLDB calls it."""
    answers(command)


if IN_GDB:

    class Answers(gdb.Command):
        """The command, as gdb calls it."""

        def __init__(self) -> None:
            super().__init__("answers", gdb.COMMAND_DATA)

        def invoke(self, argument: str, from_tty: bool) -> None:
            answers(argument)

    Answers()


def __lldb_init_module(debugger: Any, internal: Any) -> None:
    debugger.HandleCommand(f"command script add -f {__name__}.lldb_answers answers")

# SPDX-License-Identifier: MIT
"""A command for tests: what mapscope says of every map of a record.

    answers TRUTH DIRECTORY [--by name|address]

TRUTH is a program's record of its maps (compare.py says how it looks). For line N,
DIRECTORY/N.inspect, N.entries, N.stats and N.bucket get the JSON of these commands, or the
one line of their error. Maps are named as dump_entries.py names them. DIRECTORY/list gets
that of `map list`.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, Dict

from in_debugger import Failed, define, execute

COMMANDS = {
    "inspect": "map inspect {} --json",
    "entries": "map entries {} --json --where",
    "stats": "map stats {} --json",
    "bucket": "map bucket {} 0 --json",
}


def run(command: str) -> str:
    """What a command prints, or its error."""
    try:
        return execute(command)
    except Failed as error:
        return f"{error}\n"


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


define("answers", answers)

# SPDX-License-Identifier: MIT
"""A command for tests: what mapscope says of every map of a record.

    answers TRUTH DIRECTORY [--by name|address]

TRUTH is a program's record of its maps (compare.py says how it looks). For line N,
DIRECTORY/N.inspect, N.entries, N.stats and N.bucket get the JSON of these commands, or the
one line of their error. Maps are named as dump_entries.py names them. DIRECTORY/list gets
that of `map list`.
"""

import argparse
import shlex
from pathlib import Path

from in_debugger import Failed, define, execute
from truth_file import map_words, read_maps

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
    maps = read_maps(given.truth)
    for number, truth in enumerate(maps):
        name = map_words(truth, given.by)
        for kind, command in COMMANDS.items() if name else ():
            text = run(command.format(name))
            (given.directory / f"{number}.{kind}").write_text(text, encoding="utf-8")
    (given.directory / "list").write_text(run("map list --json"), encoding="utf-8")
    print(f"asked about {len(maps)} maps")


define("answers", answers)

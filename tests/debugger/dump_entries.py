# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: run `map entries --json` on every map of a record.

    dump-entries TRUTH DIRECTORY [--by name|address] [--every N]

TRUTH is a program's record of its maps (compare.py says how it looks). The
output for line N goes to DIRECTORY/N.json, an error message to DIRECTORY/N.error.
A map is named by the record's expression; or by its address, in Go with its
type from the record, in C++ alone. A nil map has no address: then it is left out
(compare.py --no-nil).
"""

import argparse
import shlex
from pathlib import Path

from in_debugger import Failed, define, execute
from truth_file import map_words, quoted, read_maps


def dump_entries(argument: str) -> None:
    """Run `map entries --json` on every map of a test program's record."""
    parser = argparse.ArgumentParser(prog="dump-entries")
    parser.add_argument("truth", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--by", choices=("name", "address"), default="name")
    parser.add_argument("--every", type=int, default=1, help="of so many maps the first")
    arguments = parser.parse_args(shlex.split(argument))
    arguments.directory.mkdir(parents=True, exist_ok=True)
    maps = read_maps(arguments.truth)[:: arguments.every]
    for number, truth in enumerate(maps):
        output = arguments.directory / f"{number}.json"
        name = map_words(truth, arguments.by)
        if name is None:
            continue
        try:
            execute(f"map entries {name} --json -o {quoted(str(output))}")
        except Failed as error:
            output.with_suffix(".error").write_text(f"{error}\n", encoding="utf-8")
    print(f"dumped {len(maps)} maps")


define("dump-entries", dump_entries)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure how fast entries of libraries' tables are read in gdb, beside the printers there are.

    bench/libraries/run.py build/dev [--entries 1000000] [--printed 5000]

The programs are those of the tests; one that was not built is left out. Prints a Markdown table:
entries a second of `map entries --json` in processor time, the same of gdb's own printing of the
first elements (by the library's printer, where it has one), and how many times as fast that is.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
#: entries a second that are to be reached
GOAL = 300_000
PROGRAMS = {
    "std_tables_O2": ("big_numbers", "big_text", "big_set"),
    "libcxx_tables_O2": ("big_numbers", "big_text"),
    "absl_tables_O2": ("big_numbers", "big_text", "big_nodes"),
    "boost_tables_O2": ("big_text",),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--gdb", default="gdb")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--printed", type=int, default=5_000, help="elements that gdb prints")
    arguments = parser.parse_args()
    print("| table | entries a second | gdb's own | times as fast | goal |")
    print("|---|---|---|---|---|")
    missed = 0
    for name, tables in PROGRAMS.items():
        program = arguments.build / "tests" / "debugger" / "programs" / name
        if not program.exists():
            print(f"{name}: left out, it was not built", file=sys.stderr)
            continue
        words = [arguments.gdb, "-nx", "-batch", "-q", "-x", str(ROOT / "gdb" / "mapscope_gdb.py")]
        words += ["-x", str(HERE / "in_gdb.py"), "-ex", "break checkpoint"]
        words += ["-ex", f"run --big {arguments.entries}"]
        for table in tables:
            words += ["-ex", f"measure-table {table} {arguments.printed}"]
        run = subprocess.run([*words, str(program)], capture_output=True, text=True, check=False)
        lines = [line for line in run.stdout.splitlines() if line.startswith('{"table"')]
        if len(lines) != len(tables):
            print(run.stderr, file=sys.stderr)
            return 1
        for line in lines:
            form = json.loads(line)
            if form["entries"] != arguments.entries or not form["complete"]:
                print(f"{name}: not all entries were read: {line}", file=sys.stderr)
                return 1
            ours = form["entries"] / form["ours"]
            theirs, ratio = "no printer", "-"
            if form["theirs"] is not None:
                each = min(form["elements"], form["entries"]) / max(form["theirs"], 1e-3)
                theirs, ratio = f"{each:,.0f}", f"{ours / each:.0f}"
            missed += ours < GOAL
            verdict = "met" if ours >= GOAL else "**missed**"
            print(
                f"| {name}, {form['table']} | {ours:,.0f} | {theirs} | {ratio} "
                f"| {GOAL:,}: {verdict} |"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

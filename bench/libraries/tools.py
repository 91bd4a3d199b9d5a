#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure what gdb and LLDB show of a library's table of 1,000 strings, alone and with mapscope.

    bench/libraries/tools.py build/dev [--gdb gdb] [--lldb lldb-19]

The programs are those of the tests; one that was not built is left out. What is shown is compared
with the program's own record. Prints a Markdown table.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

ROOT = Path(__file__).resolve().parent.parent.parent
#: program: (what it is, the table, where to stop, how the record is asked for)
PROGRAMS = {
    "std_tables_O0": ("`std::unordered_map`, libstdc++", "tables.text", "checkpoint", "--truth "),
    "libcxx_tables_O0": ("`std::unordered_map`, libc++", "tables.text", "checkpoint", "--truth "),
    "absl_tables_O0": ("`absl::flat_hash_map`", "tables.text", "checkpoint", "--truth "),
    "boost_tables_O0": ("`boost::unordered_map`", "tables.text", "checkpoint", "--truth "),
    "rust_tables_O0": ("Rust's `HashMap`", "text", "rust_tables::checkpoint", ""),
}
#: an entry, as gdb's printers and LLDB's have it
ENTRY = re.compile(r'\["(key \d+)"\] = (-?\d+)|first = "(key \d+)", second = (-?\d+)')
TIMEOUT = 120


def run(words: List[str]) -> str:
    """What a debugger says."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def judged(found: Dict[str, int], truth: Dict[str, int], text: str) -> str:
    """A cell: what of the truth was shown."""
    if found == truth:
        return "right"
    right = sum(truth.get(key) == value for key, value in found.items())
    if not found and "size=0 {}" in text:
        return "`size=0 {}`"
    if not found:
        return "no entry: the table's members"
    wrong = f", {len(found) - right} not in the table" if len(found) > right else ""
    return f"{right} shown, {len(truth) - right} missing{wrong}"


def printed(text: str) -> Dict[str, int]:
    """The entries in a debugger's text."""
    rows = ENTRY.findall(text)
    return {a or c: int(b or d) for a, b, c, d in rows}


def listed(text: str) -> Dict[str, int]:
    """The entries that mapscope has written, as JSON lines."""
    rows = [json.loads(line) for line in text.splitlines() if line.startswith('{"key"')]
    return {row["key"]: row["value"] for row in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--gdb", default="gdb")
    parser.add_argument("--lldb", default="lldb-19")
    arguments = parser.parse_args()
    print("| table of 1,000 strings | gdb | LLDB | mapscope in gdb | mapscope in LLDB |")
    print("|---|---|---|---|---|")
    failed = 0
    for name, (title, table, place, option) in PROGRAMS.items():
        program = arguments.build / "tests" / "debugger" / "programs" / name
        if not program.exists():
            print(f"{name}: left out, it was not built", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            start = f"{option}{folder}/truth"
            up = ["up"] if not option else []
            entries = f"map entries {table} --limit 0 --json"
            commands = [f"break {place}", f"run {start}", *up]
            in_gdb = [*commands, "set print elements 0", "set print repeats 0", f"print {table}"]
            in_lldb = [
                f"breakpoint set -n {place}",
                f"process launch -- {start}",
                *up,
                "settings set target.max-children-count 100000",
                f"{'target' if option else 'frame'} variable {table}",
            ]
            script = f"command script import {ROOT}/lldb/mapscope_lldb.py"
            gdb = [arguments.gdb, "-nx", "-batch", "-q", "-iex", "set debuginfod enabled off"]
            source = ["-x", str(ROOT / "gdb" / "mapscope_gdb.py")]
            alone = run([*gdb, *_words("-ex", in_gdb), str(program)])
            ours = run([*gdb, *source, *_words("-ex", [*commands, entries]), str(program)])
            lldb = [arguments.lldb, "-x", "-b"]
            lldb_alone = run([*lldb, *_words("-o", in_lldb), str(program)])
            lldb_ours = run([*lldb, *_words("-o", [script, *in_lldb[:-1], entries]), str(program)])
            record = f"{folder}/truth"
            with open(record, encoding="utf-8") as file:
                truths = [json.loads(line) for line in file.read().strip("\n").split("\n")]
        noted = next(map for map in truths if map["name"].rpartition(" ")[2] == table)
        truth = {row["key"]: row["value"] for row in noted["entries"]}
        cells = [judged(printed(text), truth, text) for text in (alone, lldb_alone)]
        cells += [judged(listed(text), truth, text) for text in (ours, lldb_ours)]
        failed += cells[2:] != ["right", "right"]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)
    return 1 if failed else 0


def _words(option: str, commands: List[str]) -> List[str]:
    return [word for command in commands for word in (option, command)]


if __name__ == "__main__":
    sys.exit(main())

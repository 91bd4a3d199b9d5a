#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what it costs a program that a debugger waits for something of a map.

First, for each assignment to one map while a debugger waits for assignments to
another: the program alone; `map break assign` of mapscope; a condition of gdb's
at the function; a gdb breakpoint with a Python stop() method; a condition of
LLDB's; an LLDB breakpoint callback. In C++ and in Go. Second, a Go program that
fills four maps to 1,000,000 entries under gdb: with nothing set, with a stop at
the last old bucket of the last migration of one of them, and with
`map break done m --ignore 1000`.

Each program measures itself; the debuggers run in turns, in several rounds, and
the tables, in Markdown, show medians and the range. What a debugger offers not at
all is left out: LLDB evaluates no conditions in Go programs.

    cmake --preset release && cmake --build --preset release
    bench/stops/debuggers.py build/release/bench/stops
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent.parent / "gdb" / "mapscope_gdb.py"
#: assignments where a debugger stops at each, and where it does not
STOPPED, FREE = 1_000, 3_000_000


@dataclass
class Way:
    """One way to wait."""

    name: str
    command: List[str]


def gdb(program: Path, arguments: List[str], commands: List[str]) -> List[str]:
    """gdb's command line; the program runs to its end."""
    options = ["-nx", "-nh", "-batch", "-q", "-iex", "set debuginfod enabled off"]
    for command in [*commands, f"run {' '.join(arguments)}"]:
        options += ["-ex", command]
    return ["gdb", *options, str(program)]


def lldb(tool: str, program: Path, arguments: List[str], commands: List[str]) -> List[str]:
    """LLDB's command line; the program runs to its end."""
    options: List[str] = []
    signals = "process handle SIGURG --stop false --notify false --pass true"
    for command in [*commands, "process launch --stop-at-entry", signals, "process continue"]:
        options += ["-o", command]
    return [tool, "--batch", "--no-lldbinit", *options, "--", str(program), *arguments]


def measured(command: List[str], unit: str) -> float:
    """What the program says of itself, as "ns 12.5"."""
    output = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    ).stdout
    found = re.search(rf"^{unit} ([\d.e+]+)$", output, re.MULTILINE)
    if found is None:
        raise SystemExit(f"no figure from {' '.join(command)}:\n{output[-3000:]}")
    return float(found[1])


def assignments(folder: Path, tool: Optional[str]) -> Dict[str, List[Way]]:
    """Language -> the ways to wait for assignments to another map."""
    cpp, go = folder / "assignments", folder / "assignments_go"
    few, many = [str(STOPPED)], [str(FREE)]
    source, python = f"source {SCRIPT}", f"source {HERE / 'gdb_stop.py'}"
    callback = f"command script import {HERE / 'lldb_callback.py'}"
    ways = {
        "C++": [
            Way("the program alone", [str(cpp), *many]),
            Way(
                "mapscope: `map break assign`",
                gdb(cpp, many, [source, "map break assign map --at ready"]),
            ),
            Way(
                "gdb: `break assign if &map == ...`",
                gdb(cpp, few, ["break assign if (long) &map == 1"]),
            ),
            Way("gdb: Python `stop()`", gdb(cpp, few, [python, "python-stop assign rdi"])),
        ],
    }
    if tool is not None:
        ways["C++"] += [
            Way(
                "LLDB: condition",
                lldb(tool, cpp, few, ["breakpoint set -n assign -c '(long) &map == 1'"]),
            ),
            Way(
                "LLDB: callback",
                lldb(
                    tool,
                    cpp,
                    few,
                    [
                        callback,
                        "breakpoint set -n assign",
                        "breakpoint command add -F lldb_callback.first_argument",
                    ],
                ),
            ),
        ]
    if not go.exists():
        return ways
    function = "runtime.mapassign_fast64"
    # in C, since gdb's Go has no casts; the function's prologue leaves the registers alone
    condition = [f"break {function} if $rbx == 1"]
    ways["Go"] = [
        Way("the program alone", [str(go), *many]),
        Way(
            "mapscope: `map break assign`",
            gdb(go, many, [source, "map break assign main.other --at main.ready"]),
        ),
        Way(f"gdb: `{condition[0]}`", gdb(go, few, condition)),
        Way("gdb: Python `stop()`", gdb(go, few, [python, f"python-stop {function} rbx"])),
    ]
    if tool is not None:
        ways["Go"].append(
            Way(
                "LLDB: callback",
                lldb(
                    tool,
                    go,
                    few,
                    [
                        callback,
                        f"breakpoint set -n {function}",
                        "breakpoint command add -F lldb_callback.second_argument",
                    ],
                ),
            )
        )
    return ways


def four_maps(folder: Path) -> List[Way]:
    """The ways to wait for something of one of four large Go maps."""
    program = folder / "four_maps_go"
    source = f"source {SCRIPT}"
    if not program.exists():
        return []
    # 1,000,000 entries: the last doubling is from 2^17 buckets
    last = "map break evacuate first --bucket 131071 --at main.ready --log"
    return [
        Way("gdb, nothing set", gdb(program, [], [source])),
        Way("stop at the last old bucket of the last migration", gdb(program, [], [source, last])),
        Way(
            "`map break done m --ignore 1000`",
            gdb(program, [], [source, "map break done first --ignore 1000 --at main.ready"]),
        ),
    ]


def interleaved(ways: List[Way], rounds: int, unit: str) -> List[List[float]]:
    """The figures of each way; every round begins with another one."""
    found: List[List[float]] = [[] for _ in ways]
    for number in range(rounds):
        for step in range(len(ways)):
            index = (number + step) % len(ways)
            found[index].append(measured(ways[index].command, unit))
    return found


def show(title: str, ways: List[Way], found: List[List[float]], digits: int) -> None:
    """A table; ratios are the medians of the rounds' own ratios to the first way."""
    print(f"\n| {title} | median | least to most | ratio |\n|---|---:|---:|---:|")
    for way, figures in zip(ways, found):
        ratio = statistics.median(a / b for a, b in zip(figures, found[0]))
        median = statistics.median(figures)
        least, most = min(figures), max(figures)
        print(
            f"| {way.name} | {median:,.{digits}f} | {least:,.{digits}f} to {most:,.{digits}f} "
            f"| {ratio:,.3f} |",
            flush=True,
        )


def main() -> None:
    """Runs all and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the programs are")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each (15)")
    parser.add_argument("--lldb", default="lldb-19", help="LLDB (lldb-19); left out if missing")
    arguments = parser.parse_args()
    tool = shutil.which(arguments.lldb)
    for language, ways in assignments(arguments.folder, tool).items():
        found = interleaved(ways, arguments.rounds, "ns")
        show(f"{language}, ns for each assignment", ways, found, 1)
    ways = four_maps(arguments.folder)
    if ways:
        found = interleaved(ways, arguments.rounds, "s")
        show("Go, four maps to 1,000,000 entries, seconds", ways, found, 3)


if __name__ == "__main__":
    main()

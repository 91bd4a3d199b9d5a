#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every Go version, built in every way, in both debuggers: the zoo's maps, compared with what
the program itself wrote out.

    tests/debugger/matrix.py FOLDER [--versions 1.19 1.24 ...] [--debuggers gdb lldb-19] [--part]

Programs and results go to FOLDER. Prints a Markdown table of maps shown wrongly, and ends with
status 1 if there are any. What cannot be had is left out, and said to be. The whole takes some
minutes; --part, which is one of the tests, takes one cell of each row, and some of each column.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import toolchains

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent

VERSIONS = ["1.19", "1.21", "1.22", "1.23", "1.24", "1.24 noswissmap", "1.26", "newest"]
#: that of each version with --part
PART = ["-N -l", "plain", "-w", "-s -w", "plain", "-w", "-s -w", "pie"]
BUILDS: Dict[str, List[str]] = {
    "plain": [],
    "-N -l": ["-gcflags=all=-N -l"],
    "-w": ["-ldflags=-w"],
    "-s -w": ["-ldflags=-s -w"],
    "pie": ["-buildmode=pie"],
}


def build(go: str, experiment: str, flags: List[str], program: Path) -> str:
    """Build the zoo. Returns what went wrong; "" if nothing did."""
    done = toolchains.build(SOURCE, go, [*flags, "-o", str(program), "./zoo"], experiment)
    return done.stdout.strip().split("\n")[-1] if done.returncode else ""


def look(debugger: str, program: Path, by_address: bool, stripped: bool, folder: Path) -> str:
    """Show all maps. Returns how many were shown wrongly, of how many."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    truth, entries = folder / "truth", folder / "entries"
    by = " --by address" if by_address else ""
    if "lldb" in debugger:
        command = [sys.executable, str(HERE / "lldb_steps.py"), debugger]
        command += [str(SOURCE / "lldb" / "mapscope_lldb.py")]
    else:
        command = [debugger, "-nx", "-nh", "-batch", "-q", "-iex", "set debuginfod enabled off"]
        command += ["-x", str(SOURCE / "gdb" / "mapscope_gdb.py")]
    command += ["-x", str(HERE / "dump_entries.py")]
    command += [] if stripped else ["-ex", "break main.checkpoint"]
    command += ["-ex", f"run {'--trap ' if stripped else ''}--truth '{truth}'"]
    command += ["-ex", f"dump-entries '{truth}' '{entries}'{by}", str(program)]
    with open(folder / "out", "w", encoding="utf-8") as out:
        subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    judged = subprocess.run(
        [sys.executable, str(HERE / "compare.py")]
        + ["--debugger", "lldb" if "lldb" in debugger else "gdb"]
        + (["--no-nil"] if by_address else [])
        + ["--at-least", "60", str(truth), str(entries)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    counted = re.search(r"(\d+) maps with \d+ entries, (\d+) maps shown wrongly", judged.stdout)
    return f"{counted[2]} of {counted[1]}" if counted and not judged.returncode else "**failed**"


def main() -> int:
    parser = argparse.ArgumentParser(description="Go versions, builds and debuggers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--versions", nargs="+", default=VERSIONS)
    parser.add_argument("--debuggers", nargs="+", default=["gdb", "lldb-19"])
    parser.add_argument("--part", action="store_true", help="one build of each version")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print("| Go | debugger | " + " | ".join(BUILDS) + " |")
    print("|---|---|" + "---|" * len(BUILDS))
    failed = False
    for version in arguments.versions:
        number, _, experiment = version.partition(" ")
        go, reason = toolchains.look_up(SOURCE, number)
        if not go:
            print(f"| {version} | left out: {reason} |")
            continue
        cells: Dict[str, List[str]] = {debugger: [] for debugger in arguments.debuggers}
        for name, flags in BUILDS.items():
            if arguments.part and name != PART[VERSIONS.index(version)]:
                for row in cells.values():
                    row.append("")
                continue
            program = folder / "zoo"
            problem = build(go, experiment, flags, program)
            without = name in ("-w", "-s -w")
            for debugger in arguments.debuggers:
                cell = problem or look(
                    debugger, program, without, name == "-s -w", folder / "looked"
                )
                failed |= not cell.startswith("0 of ")
                cells[debugger].append(cell)
        for debugger, row in cells.items():
            print(f"| {version} | {debugger} | {' | '.join(row)} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

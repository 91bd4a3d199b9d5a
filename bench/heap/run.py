#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what `map heap` costs, on core dumps of a service with 400,000 maps.

The service is that of the tests (tests/debugger/programs/go/service), built here; --other MIB adds
objects that are no maps. gdb dumps a core at its checkpoint, and fresh gdbs look at that: with
owners, without, and raw, which reads the same spans and nothing more: those of headers alone, and
all of the heap. Prints a table in Markdown: seconds of processor time, and MiB that gdb gained.

    bench/heap/run.py [--parts 295000] [--other 4096] [--go go] ...

goref is timed as a whole on the same core, where GOREF names its binary; another tool can be named
by its command line: --also 'TOOL {program} {core}'.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

SOURCE = Path(__file__).resolve().parents[2]


def gdb(arguments: List[str], environment: Dict[str, str]) -> str:
    """Run gdb to its end; its output."""
    done = subprocess.run(
        ["gdb", "-nx", "-nh", "-batch", "-q", "-iex", "set debuginfod enabled off", *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE / "bench"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def measure(program: Path, core: Path, kind: str) -> Dict[str, float]:
    """One look at a core in a gdb of its own."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
        output = gdb(
            [
                *("-x", str(SOURCE / "gdb" / "mapscope_gdb.py")),
                *("-x", str(Path(__file__).with_name("in_gdb.py"))),
                *(str(program), str(core)),
            ],
            {"MAPSCOPE_BENCH": json.dumps({"kind": kind, "result": result.name})},
        )
        text = result.read()
    if not text:
        sys.exit(output)
    found: Dict[str, float] = json.loads(text)
    return found


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", type=int, default=295000, help="of the service (295000)")
    parser.add_argument("--other", type=int, default=0, metavar="MIB", help="of other objects")
    parser.add_argument("--go", nargs="+", default=["go"], help="go commands to build with")
    parser.add_argument("--also", help="another tool's command line")
    parser.add_argument("--stripped", action="store_true", help="build without symbols")
    args = parser.parse_args()
    print("| Go | maps | heap | look | seconds | times all spans raw | MiB gained |")
    print("|---|---:|---:|---|---:|---:|---:|")
    for go in args.go:
        with tempfile.TemporaryDirectory(prefix="mapscope-heap-") as folder:
            one_go(go, args, Path(folder))
    return 0


def one_go(go: str, args: argparse.Namespace, folder: Path) -> None:
    """The rows of one version."""
    program, core = folder / "service", folder / "core"
    flags = ["-ldflags=-s -w"] if args.stripped else []
    subprocess.run(
        [go, "build", *flags, "-o", str(program), "./service"],
        cwd=SOURCE / "tests" / "debugger" / "programs" / "go",
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        check=True,
    )
    line = f"run --trap --other {args.other} {args.parts}"
    gdb(["-ex", line, "-ex", f"generate-core-file {core}", str(program)], {})
    looks = ("raw", "raw headers", "owners", "no owners")
    found = {kind: measure(program, core, kind) for kind in looks}
    for kind in looks:
        row = found[kind]
        print(
            f"| {int(found['owners']['minor'])} | {int(found['owners']['maps'])} | "
            f"{row['heap'] / (1 << 20):.0f} MiB | {kind} | {row['seconds']:.1f} | "
            f"{row['seconds'] / found['raw']['seconds']:.1f} | {row['gained'] / (1 << 20):.0f} |",
            flush=True,
        )
    also = args.also
    if also is None and os.environ.get("GOREF"):
        also = f"{shlex.quote(os.environ['GOREF'])} core {{program}} {{core}}"
    if also:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [word.format(core=core, program=program) for word in shlex.split(also)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"|  |  |  | {command[0]} | {taken:.1f} | {taken / found['raw']['seconds']:.1f} |  |")


if __name__ == "__main__":
    sys.exit(main())

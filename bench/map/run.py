#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures mapscope::map beside std::unordered_map and Go's map.

Runs map_bench (Google Benchmark) and go/map_test.go (go test -bench) in turns, one
operation at a time, so that a busy moment of the machine hits all three alike,
takes the best of several rounds, and prints a table in Markdown: nanoseconds
for each entry, and how many times std::unordered_map's and Go's time that is
(below 1: faster).

    cmake --preset release && cmake --build --preset release --target map_bench
    bench/map/run.py build/release/bench/map/map_bench
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
OPERATIONS = ("insert", "overwrite", "hit", "miss", "erase", "iterate")
KEYS = ("uint64", "string")
SIZES = (1_000, 100_000, 10_000_000)
# (operation, key, entries) -> implementation -> nanoseconds
Row = Tuple[str, str, int]
Results = Dict[Row, Dict[str, float]]


def record(results: Results, row: Row, implementation: str, nanoseconds: float) -> None:
    """Keeps the best of several times."""
    times = results.setdefault(row, {})
    times[implementation] = min(nanoseconds, times.get(implementation, nanoseconds))


def entries_timed(row: Row) -> int:
    """How many entries one iteration of a benchmark handles, for its time each."""
    return row[2] if row[0] in OPERATIONS else 1


def run_cpp(program: Path, row: Row, min_time: float, results: Results) -> None:
    """Runs both C++ maps for one row."""
    operation, key, entries = row
    output = subprocess.run(
        [
            str(program),
            "--benchmark_format=json",
            f"--benchmark_min_time={min_time}",
            f"--benchmark_filter=^{operation}/{key}/[a-z]+/{entries}(/|$)",
        ],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    for benchmark in json.loads(output)["benchmarks"]:
        implementation = benchmark["name"].split("/")[2]
        record(results, row, implementation, benchmark["real_time"] / entries_timed(row))


def build_go(folder: Path) -> Optional[Path]:
    """Compiles the Go benchmark; None if there is no Go."""
    program = folder / "map_go_bench"
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", GOWORK="off")
    try:
        subprocess.run(
            ["go", "test", "-c", "-o", str(program)], cwd=HERE / "go", env=environment, check=True
        )
    except FileNotFoundError:
        print("go was not found: no column for Go", file=sys.stderr)
        return None
    return program


def run_go(program: Path, row: Row, min_time: float, results: Results) -> None:
    """Runs Go's map for one row."""
    operation, key, entries = row
    group = {"create": "Create", "longest": "Longest"}.get(operation, "Map")
    pattern = f"^Benchmark{group}$/^{operation}$/^{key}$/^{entries}$"
    command = [str(program), "-test.run=^$", f"-test.bench={pattern}", "-test.timeout=1h"]
    once = operation == "longest"
    command.append("-test.benchtime=" + ("1x" if once else f"{min_time}s"))
    if operation == "create":
        command.append("-test.cpu=8")
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    unit = "longest-ns" if once else "ns/op"
    for time in re.findall(rf"([0-9.e+]+) {unit}", output):
        record(results, row, "go", float(time) / entries_timed(row))


def duration(nanoseconds: Optional[float]) -> str:
    """A time for the table."""
    if nanoseconds is None:
        return "-"
    if nanoseconds >= 1e6:
        return f"{nanoseconds / 1e6:.2f} ms"
    return f"{nanoseconds:.1f} ns" if nanoseconds < 1e4 else f"{nanoseconds / 1e3:.0f} µs"


def table(results: Results) -> List[str]:
    """The results as lines of Markdown."""
    lines = [
        "| operation | key | entries | mapscope::map | std::unordered_map | Go | / std | / Go |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (operation, key, entries), times in results.items():
        own = times.get("mapscope")
        cells = [operation, key, f"{entries:,}"]
        cells += [duration(times.get(name)) for name in ("mapscope", "std", "go")]
        for other in ("std", "go"):
            known = own is not None and other in times
            digits = 4 if operation == "longest" else 2
            cells.append(f"{own / times[other]:.{digits}f}" if known and own is not None else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measures what the arguments ask for, and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path, help="the map_bench executable of a release build")
    parser.add_argument("--rounds", type=int, default=3, help="best of so many (default: 3)")
    parser.add_argument("--min-time", type=float, default=0.3, help="seconds each (default: 0.3)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, choices=SIZES)
    parser.add_argument("--keys", nargs="+", default=KEYS, choices=KEYS)
    parser.add_argument("--operations", nargs="+", default=OPERATIONS, choices=OPERATIONS)
    parser.add_argument("--special", action="store_true", help="also longest insert and creation")
    parser.add_argument("--no-go", action="store_true", help="leave Go out")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    if not program.exists():
        parser.error(f"{program} does not exist: build the target map_bench of the release preset")
    rows: List[Row] = [
        (operation, key, size)
        for key in arguments.keys
        for operation in arguments.operations
        for size in arguments.sizes
    ]
    if arguments.special:
        rows += [
            ("create", "uint64", 1),
            ("create", "uint64", 100),
            ("longest", "uint64", 10_000_000),
        ]
    results: Results = {}
    with tempfile.TemporaryDirectory() as folder:
        go_program = None if arguments.no_go else build_go(Path(folder))
        for number in range(arguments.rounds):
            for row in rows:
                print(f"round {number + 1}: {row}", file=sys.stderr)
                run_cpp(program, row, arguments.min_time, results)
                if go_program is not None:
                    run_go(go_program, row, arguments.min_time, results)
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()

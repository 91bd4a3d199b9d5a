#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the history costs a program that nobody looks at.

Runs bench/map's operations on mapscope::map with the history on, as it is by
default, with MAPDEBUG=history=0, and built without debug support; in turns, each
round in another order, so that a busy moment of the machine hits all alike.
Prints a table in Markdown: nanoseconds of CPU time for each entry, medians, and
the medians of the rounds' ratios.

    cmake --preset release && cmake --build --preset release
    bench/history/run.py build/release
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

SETTINGS = ("on", "off", "none")
#: operation/key/entries
ROWS = tuple(
    f"{operation}/{key}/{entries}"
    for operation in ("insert", "overwrite", "hit", "erase", "iterate")
    for key in ("uint64", "string")
    for entries in (1_000, 100_000)
)
GOAL = 1.02


def measure(build: Path, setting: str, row: str, min_time: float) -> float:
    """Nanoseconds for each entry."""
    operation, key, entries = row.split("/")
    name = "history/map_bench_no_debug" if setting == "none" else "map/map_bench"
    environment = {**os.environ, "MAPDEBUG": "history=0" if setting == "off" else ""}
    output = subprocess.run(
        [
            str(build / "bench" / name),
            "--benchmark_format=json",
            f"--benchmark_min_time={min_time}",
            f"--benchmark_filter=^{operation}/{key}/mapscope/{entries}$",
        ],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ).stdout
    (benchmark,) = json.loads(output)["benchmarks"]
    assert benchmark["time_unit"] == "ns", benchmark
    return float(benchmark["cpu_time"]) / int(entries)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=Path, help="build folder, configured with MAPSCOPE_BENCH=ON")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each (15)")
    parser.add_argument("--min-time", type=float, default=0.1, help="seconds of each (0.1)")
    parser.add_argument("--only", nargs="+", default=ROWS, metavar="ROW", help="rows to measure")
    args = parser.parse_args()
    print("|  | without | history=0 | history on | on / without | on / history=0 |")
    print("|---|---:|---:|---:|---:|---:|")
    ratios: List[float] = []
    for row in args.only:
        times: Dict[str, List[float]] = {setting: [] for setting in SETTINGS}
        for number in range(args.rounds):
            first = number % len(SETTINGS)
            for setting in (*SETTINGS[first:], *SETTINGS[:first]):
                times[setting].append(measure(args.build, setting, row, args.min_time))
        without, off = (ratio(times, base) for base in ("none", "off"))
        ratios.append(without)
        cells = [f"{statistics.median(times[s]):.2f}" for s in ("none", "off", "on")]
        print(f"| {row} | {' | '.join(cells)} | {without:.3f} | {off:.3f} |", flush=True)
    mean = statistics.geometric_mean(ratios)
    missed = sum(value > GOAL for value in ratios)
    print(f"\nOn / without, geometric mean: {mean:.3f} (goal {GOAL}); above it: {missed} rows.")
    return 0


def ratio(times: Dict[str, List[float]], base: str) -> float:
    """The median of the rounds' ratios."""
    pairs: List[Tuple[float, float]] = list(zip(times["on"], times[base]))
    return statistics.median(on / other for on, other in pairs)


if __name__ == "__main__":
    sys.exit(main())

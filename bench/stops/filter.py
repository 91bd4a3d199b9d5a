#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the stop filter costs a program, for each assignment.

Runs stops_bench and stops_bench_no_debug (Google Benchmark) in turns, one
benchmark at a time, so that a busy moment of the machine hits all alike, and
prints the medians of several rounds as a table in Markdown: nanoseconds of CPU
time for each assignment,

    no support   by a program and a library built without debug support
    off          with nothing armed
    other        with a slot armed for assignments to another map
    growth       with a slot armed for all events of another map's growths

and the ratios that the goals are about: off to no support, and other to off.

    cmake --preset release && cmake --build --preset release
    bench/stops/filter.py build/release/bench/stops
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

OPERATIONS = ("overwrite", "insert")
SIZES = (1_000, 100_000, 1_000_000)
#: column -> program, filter setting
COLUMNS = {
    "no support": ("stops_bench_no_debug", "off"),
    "off": ("stops_bench", "off"),
    "other": ("stops_bench", "other"),
    "growth": ("stops_bench", "growth"),
}
Row = Tuple[str, int]


def nanoseconds(program: Path, row: Row, setting: str, min_time: float) -> float:
    """One run: CPU time for each assignment."""
    operation, entries = row
    output = subprocess.run(
        [
            str(program),
            "--benchmark_format=json",
            f"--benchmark_min_time={min_time}",
            f"--benchmark_filter=^{operation}/{setting}/{entries}$",
        ],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    (benchmark,) = json.loads(output)["benchmarks"]
    return float(benchmark["cpu_time"]) / entries


def print_row(row: Row, times: Dict[str, List[float]]) -> None:
    """A line of the table. Ratios are the medians of the rounds' own ratios."""
    operation, entries = row
    cells = [f"{operation}, {entries:,} entries"]
    cells += [f"{statistics.median(times[column]):.2f}" for column in COLUMNS]
    for above, below in (("off", "no support"), ("other", "off")):
        ratios = [a / b for a, b in zip(times[above], times[below])]
        cells.append(f"{statistics.median(ratios):.3f}")
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Runs all and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the two programs are")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each (15)")
    parser.add_argument("--min-time", type=float, default=0.2, help="seconds a run (0.2)")
    arguments = parser.parse_args()
    print(
        "| ns for each assignment | " + " | ".join(COLUMNS) + " | off / no support | other / off |"
    )
    print("|---|" + "---:|" * (len(COLUMNS) + 2))
    for operation in OPERATIONS:
        for entries in SIZES:
            row = (operation, entries)
            times: Dict[str, List[float]] = {column: [] for column in COLUMNS}
            for number in range(arguments.rounds):
                # Another order each time: what ran before has an effect.
                turn = list(COLUMNS)
                turn = turn[number % len(turn) :] + turn[: number % len(turn)]
                for column in turn:
                    program, setting = COLUMNS[column]
                    times[column].append(
                        nanoseconds(arguments.folder / program, row, setting, arguments.min_time)
                    )
            print_row(row, times)


if __name__ == "__main__":
    main()

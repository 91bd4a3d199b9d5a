#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares two builds of map_bench: what an option of the library costs.

Runs both in turns, one operation at a time, takes the best processor time of several rounds, and
prints a table in Markdown with how many times the first one's time the second one's is.

    bench/map/two_builds.py build/without/bench/map/map_bench build/release/bench/map/map_bench
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

OPERATIONS = ("insert", "erase", "overwrite", "create")
KEYS = ("uint64", "string")


def best(program: Path, name: str, seconds: float, known: float) -> float:
    """The best processor time so far, in nanoseconds; 0: none yet."""
    output = subprocess.run(
        [
            str(program),
            "--benchmark_format=json",
            f"--benchmark_min_time={seconds}",
            f"--benchmark_filter=^{name}(/|$)",
        ],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    (row,) = json.loads(output)["benchmarks"]
    time = float(row["cpu_time"])
    return min(time, known or time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="for a row and build, at least")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    parser.add_argument("--entries", type=int, nargs="+", default=[1_000, 100_000])
    options = parser.parse_args()
    listed = subprocess.run(
        [str(options.first), "--benchmark_list_tests"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()
    rows: List[str] = []
    for name in listed:
        operation, key, implementation, entries, *_ = [*name.split("/"), "", "", ""]
        if implementation == "mapscope" and operation in options.operations and key in KEYS:
            if entries and int(entries) in options.entries:
                rows.append("/".join((operation, key, implementation, entries)))
    times: Dict[Tuple[str, Path], float] = {}
    for _ in range(options.rounds):
        for row in rows:
            for program in (options.first, options.second):
                known = times.get((row, program), 0.0)
                times[row, program] = best(program, row, options.seconds, known)
    print("| operation, key, entries | first | second | second / first |\n|---|---:|---:|---:|")
    product = 1.0
    for row in rows:
        first, second = times[row, options.first], times[row, options.second]
        product *= second / first
        operation, key, _, entries = row.split("/")
        each = f"{first:.0f} ns | {second:.0f} ns"
        print(f"| {operation}, {key}, {int(entries):,} | {each} | {second / first:.3f} |")
    if rows:
        print(f"| geometric mean | | | {product ** (1 / len(rows)):.3f} |")


main()

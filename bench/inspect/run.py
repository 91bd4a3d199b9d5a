#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure how long gdb takes to look into maps of millions of entries.

Everything of one table row pair is measured in one gdb run, on a program that
stands in the middle of a doubling; the runs are repeated and their medians
printed as a Markdown table beside the goals.

    bench/inspect/run.py build/release
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent.parent / "gdb" / "mapscope_gdb.py"
MIB = 1 << 20

# What is measured: title, program, expression, whether it is Go, goal in
# entries a second for `map entries`.
SUBJECTS = (
    ("C++, uint64 to uint64", "inspect_big", "numbers", False, 500_000),
    ("C++, string to uint64", "inspect_big", "texts", False, 300_000),
    ("Go, uint64 to uint64", "inspect_big_go", "main.numbers", True, 500_000),
    ("Go, string to uint64", "inspect_big_go", "main.texts", True, 300_000),
)


def gdb_command(gdb: str) -> List[str]:
    return [gdb, "-nx", "-nh", "-batch", "-q", "-iex", "set auto-load off"] + [
        "-iex",
        "set debuginfod enabled off",
    ]


def inspect_once(
    gdb: str, program: Path, expression: str, go: bool, counts: List[str]
) -> Dict[str, Any]:
    """One gdb run: start the program, stop at its checkpoint, measure one map.

    :raises RuntimeError: when gdb or the script in it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results"
        parameters = {
            "map": expression,
            "go": go,
            "output": str(output),
            "values": 0 if "texts" in expression else 1000,
        }
        command = gdb_command(gdb) + ["-x", str(SCRIPT)]
        command += ["-ex", f"break {'main.checkpoint' if go else 'checkpoint'}", "-ex", "run"]
        command += ["-x", str(HERE / "inspect.py"), "-ex", "kill", "--args", str(program)] + counts
        done = subprocess.run(
            command,
            env={**os.environ, "MAPSCOPE_BENCH": json.dumps(parameters)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        if not output.exists():
            raise RuntimeError(f"gdb measured nothing:\n{done.stdout}")
        results: Dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return results


def source_once(gdb: str) -> float:
    """Seconds that a fresh gdb takes to source the script."""
    code = (
        "import time; start = time.perf_counter(); "
        f"gdb.execute({json.dumps(f'source {SCRIPT}')}); print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        gdb_command(gdb) + ["-ex", f"python {code}"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return float(done.stdout.split()[-1])


def verdict(value: float, goal: float, more_is_better: bool = False) -> str:
    met = value >= goal if more_is_better else value <= goal
    return "met" if met else "**missed**"


def rows(runs: List[Dict[str, Any]], rate_goal: int) -> List[Tuple[str, str, str, str]]:
    """Table rows: what, median, goal, verdict."""

    def median(name: str) -> float:
        return float(statistics.median(run[name] for run in runs))

    read, count = median("read"), runs[0]["count"]
    rate = count / median("entries")
    progress: Optional[float] = runs[0]["progress"]
    if progress is None:
        raise RuntimeError("the map is not in the middle of a growth")
    if runs[0]["lines"] != count:
        raise RuntimeError(f"map entries wrote {runs[0]['lines']} of {count} entries")
    table = [
        (
            f"read {runs[0]['bytes'] / MIB:.0f} MiB of buckets in 1 MiB pieces "
            f"({count:,} entries, {progress:.0%} of the doubling done)",
            f"{read:.2f} s",
            "",
            "",
        )
    ]
    for command in ("stats", "inspect"):
        ratio = median(command) / read
        table.append(
            (
                f"`map {command}`",
                f"{median(command):.2f} s, {ratio:.1f} times the read",
                "at most 4 times",
                verdict(ratio, 4),
            )
        )
    table.append(
        (
            "`map entries --limit 0 --json -o`",
            f"{median('entries'):.1f} s, {rate:,.0f} entries a second",
            f"at least {rate_goal:,} a second",
            verdict(rate, rate_goal, more_is_better=True),
        )
    )
    table.append(
        (
            "`print`, 200 elements",
            f"{median('print') * 1000:.0f} ms",
            "under 100 ms",
            verdict(median("print"), 0.1),
        )
    )
    if "value_loop" in runs[0]:
        loop = median("value_loop")
        table.append(
            (
                "a plain loop over gdb.Value, for comparison",
                f"{loop * 1e6:.0f} µs an entry, {loop * count:.0f} s for all",
                "",
                "",
            )
        )
    gained = median("gained")
    table.append(
        (
            "memory that gdb gained in all of these",
            f"{gained / 1e6:.0f} MB",
            "under 200 MB",
            verdict(gained, 200e6),
        )
    )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path, help="build folder, configured with MAPSCOPE_BENCH=ON")
    parser.add_argument("--gdb", default="gdb", help="gdb to run")
    parser.add_argument("--runs", type=int, default=5, help="runs to take the median of")
    parser.add_argument("--only", default="", help="measure only what has this in its title")
    parser.add_argument(
        "--counts",
        nargs=2,
        default=[],
        metavar=("NUMBERS", "TEXTS"),
        help="entries in the two maps; they must be within a doubling",
    )
    arguments = parser.parse_args()
    print(f"Medians of {arguments.runs} runs.\n")
    print("| | measured | goal | |\n|---|---|---|---|")
    sourcing = statistics.median(source_once(arguments.gdb) for _ in range(arguments.runs))
    print(
        f"| sourcing the script | {sourcing * 1000:.0f} ms | under 150 ms |"
        f" {verdict(sourcing, 0.15)} |"
    )
    for title, program, expression, go, rate_goal in SUBJECTS:
        path = arguments.build / "bench" / "inspect" / program
        if arguments.only not in title:
            continue
        if not path.exists():
            print(f"| {title}: not built | | | |")
            continue
        runs = [
            inspect_once(arguments.gdb, path, expression, go, arguments.counts)
            for _ in range(arguments.runs)
        ]
        print(f"| **{title}** | | | |")
        for row in rows(runs, rate_goal):
            print(f"| {' | '.join(row)} |")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

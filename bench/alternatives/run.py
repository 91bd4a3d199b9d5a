#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what can be done about a map that is the suspect, beside std::unordered_map.

Runs alternatives_bench, each workload on each kind of map in a process of its own and all kinds in
turns, so that a busy moment of the machine hits all alike; takes the best of several rounds, and
prints tables in Markdown. Times are the thread's own processor time, but for those of several
threads, which wait for each other. Ratios are to std::unordered_map in the same run.

    cmake --preset release && cmake --build --preset release --target alternatives_bench
    bench/alternatives/run.py build/release/bench/alternatives/alternatives_bench
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

SIZES = (1_000, 100_000, 1_000_000)
WORKLOADS = ("grow", "churn", "empty", "small", "threads")
#: entries up to which a hash of 256 values is measured: it takes time by the square
_POOR = 100_000
Figures = Dict[str, float]
#: (workload, entries) -> map -> figures
Results = Dict[Tuple[str, int], Dict[str, Figures]]
Column = Tuple[str, Callable[[Figures, Figures], str]]


def record(known: Figures, more: Figures) -> None:
    """Keeps the best of several runs: the shortest time, the most operations a second."""
    for name, value in more.items():
        best = max if name.startswith("per_second") else min
        known[name] = best(value, known.get(name, value))


def run(program: Path, workload: str, map: str, entries: int) -> Figures:
    """One process."""
    command = [str(program), workload, map, str(entries)]
    found: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def available(program: Path) -> Tuple[Dict[str, List[str]], List[str]]:
    """The workloads of each kind of map, and what was left out, and why."""
    output = subprocess.run([str(program), "--list"], check=True, stdout=subprocess.PIPE, text=True)
    maps: Dict[str, List[str]] = {}
    left_out: List[str] = []
    for line in output.stdout.splitlines():
        name, _, rest = line.partition(": ")
        if name == "left out":
            left_out.append(rest)
        else:
            maps[name] = rest.split()
    return maps, left_out


# --- tables ---


def duration(nanoseconds: Optional[float]) -> str:
    """A time."""
    if nanoseconds is None:
        return "-"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def size(number: Optional[float]) -> str:
    """Bytes."""
    if number is None:
        return "-"
    for unit, bytes in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(number) >= bytes:
            return f"{number / bytes:.1f} {unit}"
    return f"{number:.0f} bytes"


def _time(name: str) -> Column:
    return name, lambda mine, _: duration(mine.get(name))


def _bytes(name: str) -> Column:
    return name, lambda mine, _: size(mine.get(name))


def _ratio(name: str) -> Column:
    def text(mine: Figures, base: Figures) -> str:
        if name not in mine or not base.get(name):
            return "-"
        return f"{mine[name] / base[name]:.2g}"

    return name, text


def _count(name: str) -> Column:
    return name, lambda mine, _: f"{mine[name]:.0f}" if name in mine else "-"


def _millions(name: str) -> Column:
    return name, lambda mine, _: f"{mine[name] / 1e6:.2f}" if name in mine else "-"


#: per workload: headings, with what they show
TABLES: Dict[str, Tuple[str, Sequence[Tuple[str, Column]]]] = {
    "grow": (
        "from nothing to all entries, with and without a hint, and lookups afterwards",
        (
            ("insert", _time("ns")),
            ("/ std", _ratio("ns")),
            ("longest insert", _time("longest_ns")),
            ("/ std", _ratio("longest_ns")),
            ("the hint itself", _time("hint_ns")),
            ("lookup", _time("get_ns")),
            ("/ std", _ratio("get_ns")),
            ("memory", _bytes("bytes")),
        ),
    ),
    "churn": (
        "the oldest entry goes for each new one, at least four times over",
        (
            ("erase and insert", _time("ns")),
            ("/ std", _ratio("ns")),
            ("longest", _time("longest_ns")),
            ("/ std", _ratio("longest_ns")),
            ("filled", _bytes("bytes_filled")),
            ("after churn", _bytes("bytes")),
            ("same-size growths", _count("same_size_growths")),
        ),
    ),
    "empty": (
        "99 of 100 entries are erased, and then the map is rebuilt",
        (
            ("erase", _time("ns")),
            ("filled", _bytes("bytes_filled")),
            ("emptied", _bytes("bytes_emptied")),
            ("rebuilt", _bytes("bytes")),
            ("the rebuild", _time("rebuild_ns")),
        ),
    ),
    "small": (
        "a quarter as many maps of four entries each",
        (("insert", _time("ns")), ("/ std", _ratio("ns")), ("memory a map", _bytes("bytes"))),
    ),
    "threads": (
        "nine lookups for each write, of one and of four threads, millions a second",
        (
            ("1 thread", _millions("per_second_1")),
            ("4 threads", _millions("per_second_4")),
            ("4 threads / std+mutex", _ratio("per_second_4")),
        ),
    ),
}


def table(workload: str, entries: int, found: Dict[str, Figures]) -> List[str]:
    """Lines of Markdown."""
    title, columns = TABLES[workload]
    base = found.get("std+mutex" if workload == "threads" else "std", {})
    lines = [
        f"`{workload}`, {entries:,} entries: {title}.",
        "",
        "| map | " + " | ".join(heading for heading, _ in columns) + " |",
        "|---" + "|---:" * len(columns) + "|",
    ]
    for name, mine in found.items():
        cells = [show(mine, base) for _, (_, show) in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines + [""]


def main() -> None:
    """Measures what the arguments ask for, and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path, help="alternatives_bench of a release build")
    parser.add_argument("--rounds", type=int, default=3, help="best of so many (default: 3)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS, choices=WORKLOADS)
    parser.add_argument("--maps", nargs="+", help="only these, as alternatives_bench --list has")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    if not program.exists():
        parser.error(f"{program} does not exist: build the target alternatives_bench")
    maps, left_out = available(program)
    unknown = sorted(set(arguments.maps or ()) - set(maps))
    if unknown:
        parser.error(f"no such map: {', '.join(unknown)} (of {', '.join(maps)})")
    rows = [
        (workload, entries, name)
        for workload in arguments.workloads
        for entries in arguments.sizes
        for name, can in maps.items()
        if workload in can and (not arguments.maps or name in arguments.maps)
        if "poor" not in name or entries <= _POOR
    ]
    results: Results = {}
    try:
        for number in range(arguments.rounds):
            for workload, entries, name in rows:
                print(f"round {number + 1}: {workload} {name} {entries}", file=sys.stderr)
                found = run(program, workload, name, entries)
                by_map = results.setdefault((workload, entries), {})
                record(by_map.setdefault(name, {}), found)
    except KeyboardInterrupt:
        print("interrupted: the tables have what was measured so far", file=sys.stderr)
    if arguments.json:
        text = {f"{workload}/{entries}": found for (workload, entries), found in results.items()}
        arguments.json.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    for (workload, entries), by_map in results.items():
        print("\n".join(table(workload, entries, by_map)))
    for line in left_out:
        print(f"Left out: {line}.")


if __name__ == "__main__":
    main()

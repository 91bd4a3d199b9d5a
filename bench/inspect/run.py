#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure how long gdb or LLDB takes to look into maps of millions of entries.

Everything of one table row pair is measured in one run of the debugger (in gdb as processor time,
the least of several), on a program that stands in the middle of a doubling; the runs are repeated
and their medians printed as a Markdown table beside the goals.

    bench/inspect/run.py build/release
    bench/inspect/run.py build/release --debugger lldb-19
    bench/inspect/run.py build/release --go 1.26 --counts 1000000 1000000

With --go the Go program alone is measured, built by that version (scripts/toolchains); each
entry is compared with what the program put in; and in gdb Go's own script loops over the same
map. A Swiss map does not migrate, and is measured as it is.
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
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(ROOT / "tests" / "debugger")]

import toolchains  # noqa: E402
from measuring import MIB  # noqa: E402

GDB_SCRIPT = ROOT / "gdb" / "mapscope_gdb.py"
LLDB_SCRIPT = ROOT / "lldb" / "mapscope_lldb.py"

# What is measured: title, program, expression, whether it is Go, goal in
# entries a second for `map entries`.
SUBJECTS = (
    ("C++, uint64 to uint64", "inspect_big", "numbers", False, 2_000_000),
    ("C++, string to uint64", "inspect_big", "texts", False, 1_000_000),
    ("Go, uint64 to uint64", "inspect_big_go", "main.numbers", True, 2_000_000),
    ("Go, string to uint64", "inspect_big_go", "main.texts", True, 1_000_000),
)

MANY = "C++, many maps"


def is_lldb(debugger: str) -> bool:
    return "lldb" in Path(debugger).name


def bare(debugger: str) -> List[str]:
    """The debugger without any of the user's settings."""
    if is_lldb(debugger):
        return [debugger, "-b", "--no-lldbinit"]
    return [debugger, "-nx", "-nh", "-batch", "-q", "-iex", "set auto-load off"] + [
        "-iex",
        "set debuginfod enabled off",
    ]


def session(debugger: str, program: Path, go: bool, counts: List[str]) -> List[str]:
    """A command that stops the program at its checkpoint and runs the measuring script."""
    checkpoint = "main.checkpoint" if go else "checkpoint"
    if is_lldb(debugger):
        steps = [
            f"command script import '{LLDB_SCRIPT}'",
            f"breakpoint set -n {checkpoint}",
            "process launch",
            f"command script import '{HERE / 'in_lldb.py'}'",
            "process kill",
        ]
        options = [word for step in steps for word in ("-o", step)]
        return bare(debugger) + options + ["--", str(program)] + counts
    command = bare(debugger) + ["-x", str(GDB_SCRIPT)]
    command += ["-ex", f"break {checkpoint}", "-ex", "run"]
    return command + ["-x", str(HERE / "in_gdb.py"), "-ex", "kill", "--args", str(program)] + counts


def build_go(version: str, folder: Path) -> Tuple[Path, str]:
    """Build big.go by another Go; the program, and Go's own script for gdb.

    :raises RuntimeError: when there is no such Go.
    """
    go = toolchains.command(ROOT, version)
    if not go:
        raise RuntimeError(f"no Go {version}")
    program = folder.resolve() / f"inspect_big_go{version}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **toolchains.environment(folder.resolve() / "cache")}
    command = [go, "build", "-o", str(program), str(HERE / "big.go")]
    subprocess.run(command, env=environment, check=True)
    root = subprocess.run(
        [go, "env", "GOROOT"], env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return program, str(Path(root.stdout.strip()) / "src" / "runtime" / "runtime-gdb.py")


def right_entries(output: Path) -> int:
    """How many of big.go's entries are there, each counted once."""
    values = set()
    with open(output, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "key" not in entry:
                continue
            key, value = entry["key"], entry["value"]
            if key in (value * 0x9E3779B97F4A7C15 % 2**64, f"customer-{value:011d}"):
                values.add(value)
    return len(values)


def inspect_once(
    debugger: str,
    program: Path,
    expression: str,
    go: bool,
    counts: List[str],
    gos_script: str = "",
    times: int = 1,
    entries: bool = True,
) -> Dict[str, Any]:
    """One run of the debugger: start the program, stop at its checkpoint, measure one map.

    :param gos_script: Go's own script, to measure it, too, and compare each entry.
    :param times: how often gdb does what is compared with reading; the least time counts.
    :param entries: whether all entries are written.
    :raises RuntimeError: when the debugger or the script in it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results"
        parameters = {
            "map": expression,
            "go": go,
            "output": str(output),
            "values": 0 if "texts" in expression else 1000,
            "gos_script": gos_script,
            "times": times,
            "entries": entries,
        }
        done = subprocess.run(
            session(debugger, program, go, counts),
            env={
                **os.environ,
                "MAPSCOPE_BENCH": json.dumps(parameters),
                "PYTHONPATH": str(HERE.parent),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        if not output.exists():
            raise RuntimeError(f"{debugger} measured nothing:\n{done.stdout}")
        results: Dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        if not expression or not entries:
            return results
        written = output.with_suffix(".entries")
        with open(written, "rb") as file:
            results["lines"] = sum(1 for _ in file) - 2
        if gos_script and right_entries(written) != results["count"]:
            raise RuntimeError("map entries wrote others than the program put in")
        return results


def load_once(debugger: str) -> float:
    """Seconds that a fresh debugger takes to load mapscope."""
    if is_lldb(debugger):
        load = f"lldb.debugger.HandleCommand({json.dumps(f'command script import {LLDB_SCRIPT}')})"
        flags = ["-o"]
    else:
        load = f"gdb.execute({json.dumps(f'source {GDB_SCRIPT}')})"
        flags = ["-ex"]
    code = f"import time; start = time.perf_counter(); {load}; print(time.perf_counter() - start)"
    done = subprocess.run(
        bare(debugger) + flags + [("script " if is_lldb(debugger) else "python ") + code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return float(done.stdout.split()[-1])


def verdict(value: float, goal: float, more_is_better: bool = False) -> str:
    met = value >= goal if more_is_better else value <= goal
    return "met" if met else "**missed**"


def looped(runs: List[Dict[str, Any]], count: int) -> str:
    """How far Go's own script came, and how fast."""
    rate = statistics.median(run["seen"] / run["seconds"] for run in runs)
    seen = f"{runs[0]['seen']:,} shown for {count:,} entries"
    error = f", then {runs[0]['error']}" if runs[0]["error"] else ""
    return f"{seen}{error}; {rate:,.0f} a second"


def rows(
    runs: List[Dict[str, Any]], rate_goal: int, hash_goal: int, lldb: bool
) -> List[Tuple[str, str, str, str]]:
    """Table rows: what, median, goal, verdict."""

    def median(name: str) -> float:
        return float(statistics.median(run[name] for run in runs))

    count = runs[0]["count"]
    if "entries" in runs[0] and runs[0]["lines"] != count:
        raise RuntimeError(f"map entries wrote {runs[0]['lines']} of {count} entries")
    read = median("read") if "read" in runs[0] else 0.0
    table = []
    if read:
        progress: Optional[float] = runs[0]["progress"]
        if progress is None:
            raise RuntimeError("the map is not in the middle of a growth")
        table.append(
            (
                f"read {runs[0]['bytes'] / MIB:.0f} MiB of buckets in 1 MiB pieces"
                f"{' by SBProcess.ReadMemory' if lldb else ''} "
                f"({count:,} entries, {progress:.0%} of the doubling done)",
                f"{read:.2f} s",
                "",
                "",
            )
        )
    else:
        table.append((f"{count:,} entries", "", "", ""))
    for command in ("stats", "inspect"):
        spent = median(command)
        if not read:
            measured, goal, met = f"{spent:.2f} s", "", ""
        elif lldb:
            speed = runs[0]["bytes"] / spent / 1e9
            measured = f"{spent:.2f} s, {speed:.2f} GB/s, {spent / read:.2f} times the read"
            goal, met = "at least 0.3 GB/s", verdict(speed, 0.3, more_is_better=True)
        else:
            measured = f"{spent:.2f} s, {spent / read:.1f} times the read"
            goal, met = "at most 2 times", verdict(spent / read, 2)
        table.append((f"`map {command}`", measured, goal, met))
    spent = median("check") / median("stats")
    table.append(
        (
            "`map check --no-hash`",
            f"{median('check'):.2f} s, {spent:.1f} times `map stats`",
            "at most 4 times",
            verdict(spent, 4),
        )
    )
    checked = count / median("check_hashes")
    table.append(
        (
            "`map check`, every key against its hash",
            f"{median('check_hashes'):.2f} s, {checked:,.0f} entries a second"
            + (f", {median('check_hashes') / read:.0f} times the read" if read else ""),
            f"at least {hash_goal:,} a second",
            verdict(checked, hash_goal, more_is_better=True),
        )
    )
    if "entries" in runs[0]:
        rate = count / median("entries")
        table.append(
            (
                "`map entries --limit 0 --json -o`",
                f"{median('entries'):.2f} s, {rate:,.0f} entries a second",
                f"at least {rate_goal:,} a second",
                verdict(rate, rate_goal, more_is_better=True),
            )
        )
        written, chosen = count / median("text"), median("match") / median("entries")
        table += [
            (
                "`map entries --limit 0 -o`, for readers",
                f"{median('text'):.2f} s, {written:,.0f} entries a second",
                f"at least {rate_goal:,} a second",
                verdict(written, rate_goal, more_is_better=True),
            ),
            (
                "`map entries --match 01234 --json -o`",
                f"{median('match'):.2f} s, {chosen:.2f} times that of all",
                "at most 1 time",
                verdict(chosen, 1.02),
            ),
        ]
    if "gos_script" in runs[0]:
        table.append(
            (
                "the loop of Go's own script, for comparison",
                looped([run["gos_script"] for run in runs], count),
                "",
                "",
            )
        )
    if "print" in runs[0]:
        what, limit = ("the first 256 children", 0.2) if lldb else ("`print`, 200 elements", 0.1)
        spent = median("print")
        table.append(
            (what, f"{spent * 1000:.0f} ms", f"under {limit * 1000:.0f} ms", verdict(spent, limit))
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
            "memory that the debugger gained in all of these",
            f"{gained / 1e6:.0f} MB",
            "under 200 MB",
            verdict(gained, 200e6),
        )
    )
    return table


def list_rows(runs: List[Dict[str, Any]]) -> List[Tuple[str, str, str, str]]:
    """Table rows of lists of many maps."""
    table = []
    for what, name in (
        ("`map list`, the first", "first"),
        ("`map list`, the next", "next"),
        ("`map list --json`", "json"),
    ):
        spent = statistics.median(run[name] for run in runs)
        row = f"{what}, of {runs[0]['maps']:,} maps"
        table.append((row, f"{spent:.2f} s", "at most 1 s", verdict(spent, 1)))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path, help="build folder, configured with MAPSCOPE_BENCH=ON")
    parser.add_argument("--go", metavar="VERSION", help="only Go's program, built by this Go")
    parser.add_argument("--debugger", default="gdb", help="gdb or an LLDB to run")
    parser.add_argument("--runs", type=int, default=5, help="runs to take the median of")
    parser.add_argument("--only", default="", help="measure only what has this in its title")
    parser.add_argument(
        "--times", type=int, default=3, help="how often gdb does each work; the least time counts"
    )
    parser.add_argument(
        "--no-entries", action="store_true", help="leave out map entries, which takes longest"
    )
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
    lldb = is_lldb(arguments.debugger)
    loading = statistics.median(load_once(arguments.debugger) for _ in range(arguments.runs))
    limit = 0.3 if lldb else 0.15
    print(
        f"| loading mapscope | {loading * 1000:.0f} ms | under {limit * 1000:.0f} ms |"
        f" {verdict(loading, limit)} |"
    )
    gos_script = ""
    if arguments.go:
        go_program, gos_script = build_go(arguments.go, arguments.build / "bench" / "inspect")
    for title, program, expression, go, rate_goal in SUBJECTS:
        path = arguments.build / "bench" / "inspect" / program
        if arguments.only not in title or (arguments.go and not go):
            continue
        if arguments.go:
            path, title = go_program, title.replace("Go", f"Go {arguments.go}")
        if not path.exists():
            print(f"| {title}: not built | | | |")
            continue
        runs = [
            inspect_once(
                arguments.debugger,
                path,
                expression,
                go,
                arguments.counts,
                gos_script,
                arguments.times,
                not arguments.no_entries,
            )
            for _ in range(arguments.runs)
        ]
        print(f"| **{title}** | | | |")
        for row in rows(runs, rate_goal, 500_000 if go else 300_000, lldb):
            print(f"| {' | '.join(row)} |")
        sys.stdout.flush()
    many = arguments.build / "bench" / "inspect" / "inspect_many"
    if not arguments.go and arguments.only in MANY and many.exists():
        runs = [
            inspect_once(arguments.debugger, many, "", False, []) for _ in range(arguments.runs)
        ]
        print(f"| **{MANY}** | | | |")
        for row in list_rows(runs):
            print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what stops cost: mapscope's, and what gdb and LLDB offer themselves.

Three parts, each a table in Markdown:

  filter     in the program alone, nanoseconds of CPU time for each assignment:
             built without debug support, with nothing armed, with the stop
             filter armed for assignments to another map, and for all events of
             another map's growths (stops_bench, Google Benchmark; MAPDEBUG=history=0)
  debuggers  for each assignment to a map that nobody waits for: the program
             alone, under gdb, with `map break assign` of another map, and with
             the conditions and callbacks of gdb and LLDB; in C++ and in Go.
             Every run ends with one assignment to the map that is waited for,
             and counts only if the debugger stopped there and nowhere before.
  four_maps  a program fills four maps to 1,000,000 entries each, under gdb: with
             nothing set, with a stop at the last bucket of the last migration
             of one of them, and with `map break done m --ignore 1000`

What one table compares is run in turns, each round in another order, so that a
busy moment of the machine hits all alike. Times are medians; ratios are medians
of the rounds' own ratios.

    cmake --preset release && cmake --build --preset release
    bench/stops/run.py build/release
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

HERE = Path(__file__).resolve().parent
MAPSCOPE = HERE.parent.parent / "gdb" / "mapscope_gdb.py"
#: After so many seconds a run is taken for hung.
TIMEOUT = 300
#: How often a run under LLDB is tried.
TRIES = 4
CACHE = tempfile.TemporaryDirectory()


class WrongStop(RuntimeError):
    """A debugger stopped somewhere else than where it had to."""


def in_turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Each name once a round, each round beginning with another."""
    for number in range(rounds):
        first = number % len(names)
        yield from [*names[first:], *names[:first]]


def environment() -> Dict[str, str]:
    """Python's compiled modules are kept, as they are for users, but not here."""
    own = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPYCACHEPREFIX": CACHE.name}


def run(command: List[str]) -> str:
    """Returns what the command printed.

    :raises RuntimeError: when it failed.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(above, below))


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Median, and in brackets the least and the greatest."""
    return f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})"


def print_row(*cells: str) -> None:
    """A line of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def verdict(value: float, goal: float) -> str:
    """What a goal's column says."""
    return "met" if value <= goal else "**missed**"


# filter


@dataclass(frozen=True)
class Workload:
    """One benchmark of stops_bench: so many entries, run at least so long."""

    operation: str
    entries: int
    seconds: float


WORKLOADS = (
    Workload("overwrite", 1_000, 0.2),
    Workload("overwrite", 100_000, 0.2),
    Workload("overwrite", 1_000_000, 0.5),
    Workload("insert", 1_000, 0.2),
    Workload("insert", 100_000, 0.2),
    Workload("insert", 1_000_000, 1.0),
)
#: column -> program, filter setting
COLUMNS = {
    "no support": ("stops_bench_no_debug", "off"),
    "nothing armed": ("stops_bench", "off"),
    "other map's writes": ("stops_bench", "other"),
    "other map's growths": ("stops_bench", "growth"),
}


def benchmark(folder: Path, column: str, workload: Workload) -> float:
    """One run: nanoseconds of CPU time for each assignment."""
    program, setting = COLUMNS[column]
    output = subprocess.run(
        [
            str(folder / program),
            "--benchmark_format=json",
            f"--benchmark_min_time={workload.seconds}",
            f"--benchmark_filter=^{workload.operation}/{setting}/{workload.entries}$",
        ],
        check=True,
        # The history has a bench of its own.
        env={**os.environ, "MAPDEBUG": "history=0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=TIMEOUT,
    ).stdout
    (result,) = json.loads(output)["benchmarks"]
    return float(result["cpu_time"]) / workload.entries


def measure_filter(folder: Path, rounds: int) -> None:
    """The part `filter`."""
    print(f"\nIn the program alone: ns of CPU time for each assignment, {rounds} runs each.\n")
    print_row("", *COLUMNS, "nothing / no support", "other's writes / nothing", "more")
    print("|---|" + "---:|" * (len(COLUMNS) + 3))
    for workload in WORKLOADS:
        times: Dict[str, List[float]] = {column: [] for column in COLUMNS}
        for column in in_turns(list(COLUMNS), rounds):
            times[column].append(benchmark(folder, column, workload))
        nothing, other = times["nothing armed"], times["other map's writes"]
        support = median_ratio(nothing, times["no support"])
        ratio = median_ratio(other, nothing)
        more = statistics.median(a - b for a, b in zip(other, nothing))
        print_row(
            f"{workload.operation}, {workload.entries:,} entries",
            *(spread(times[column], "{:.2f}".format) for column in COLUMNS),
            f"{support:.3f}, {verdict(support, 1.03)}",
            f"{ratio:.3f}, {verdict(ratio, 1.10)}",
            f"{more:.2f} ns, {verdict(more, 5)}",
        )


# debuggers


@dataclass(frozen=True)
class Took:
    """What a program said that it took: nanoseconds."""

    wall: float
    cpu: float
    arming: float = 0


def took(output: str) -> Took:
    """Reads a program's line.

    :raises RuntimeError: when there is none.
    """
    found = re.search(r"^took (\d+) (\d+)(?: (\d+))?$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the program did not say what it took:\n{output}")
    return Took(*(float(number or 0) for number in found.groups()))


@dataclass(frozen=True)
class Language:
    """The names in one language's programs."""

    name: str
    suffix: str
    prefix: str
    main: str

    def program(self, folder: Path, name: str) -> str:
        """The path of one of the programs here."""
        return str(folder / f"stops_{name}{self.suffix}")


CPP = Language("C++", "", "", "main")
GO = Language("Go", "_go", "main.", "main.main")


def gdb_command(*commands: str, scripts: Sequence[Path] = ()) -> List[str]:
    """gdb in batch mode, without anybody's settings."""
    command = ["gdb", "-nx", "-nh", "-batch", "-q", "-iex", "set auto-load off"]
    command += ["-iex", "set debuginfod enabled off", "-iex", "set width 0"]
    for script in scripts:
        command += ["-x", str(script)]
    for line in commands:
        command += ["-ex", line]
    return command


def alone(folder: Path, language: Language, count: int, _stop: str) -> str:
    """Runs stops_assign without a debugger; returns what it printed."""
    return run([language.program(folder, "assign"), str(count)])


def under_gdb(folder: Path, language: Language, count: int, stop: str) -> str:
    """Runs stops_assign under gdb with a stop set by the command, if it is not empty.

    :raises RuntimeError: unless it stopped once, at the last assignment.
    """
    commands = [f"break {language.prefix}checkpoint", "run"]
    commands += [stop] if stop else []
    commands += ["continue"]
    commands += ['python print("alive", gdb.selected_inferior().pid != 0)']
    commands += ["continue"] if stop else []
    commands += ['python print("alive", gdb.selected_inferior().pid != 0)']
    command = gdb_command(*commands, scripts=[MAPSCOPE, HERE / "in_gdb.py"])
    output = run(command + ["--args", language.program(folder, "assign"), str(count)])
    return checked(output, stop)


def under_lldb(folder: Path, language: Language, count: int, stop: str) -> str:
    """The same with LLDB, and a function of in_lldb.py."""
    program = language.program(folder, "assign")
    if language is GO and stop == "by_condition":
        program += "_no_dwarf"
    commands = [f"command script import {json.dumps(str(HERE / 'in_lldb.py'))}"]
    # Go's scheduler sends it to threads all the time; gdb passes it on by itself.
    commands += ["process handle --stop false --notify false --pass true SIGURG"]
    commands += [f"breakpoint set -n {language.prefix}checkpoint", "run"]
    commands += [f"script in_lldb.{stop}(lldb.debugger)", "continue"]
    commands += ['script print("alive", lldb.process.is_alive)', "continue"]
    commands += ['script print("alive", lldb.process.is_alive)']
    command = [LLDB, "--no-lldbinit", "--batch"]
    for line in commands:
        command += ["-o", line]
    for _ in range(TRIES - 1):
        try:
            return checked(run(command + ["--", program, str(count)]), stop)
        except WrongStop:
            # LLDB stops twice at one call if a signal for the thread came in between.
            print("LLDB stopped at a wrong place: done over", file=sys.stderr)
    return checked(run(command + ["--", program, str(count)]), stop)


def checked(output: str, stop: str) -> str:
    """Whether a debugger stopped where it had to; returns the output.

    :raises WrongStop: when not.
    """
    alive = re.findall(r"^alive (True|False)$", output, re.MULTILINE)
    if alive != [str(bool(stop)), "False"]:
        raise WrongStop(f"the debugger did not stop once and at the right place:\n{output}")
    return output


#: Set by the arguments.
LLDB = "lldb-19"
Runner = Callable[[Path, Language, int, str], str]


@dataclass(frozen=True)
class Setting:
    """One way to wait for assignments to a map."""

    title: str
    runner: Runner
    stop: str
    #: Whether each assignment stops the program: fewer are made, and the clock on
    #: the wall counts, since program and debugger take turns.
    slow: bool


def settings(language: Language) -> Tuple[Setting, ...]:
    """What is compared."""
    function = "assign_to_map" if language is CPP else "runtime.mapassign_fast64"
    expression = "&m == &watched" if language is CPP else "$rbx == ADDRESS"
    register = "$rdi" if language is CPP else "$rbx"
    stop = f"map break assign {language.prefix}watched"
    conditions = [
        Setting(
            f"gdb, `break {function} if {expression}`",
            under_gdb,
            "python by_condition()",
            True,
        )
    ]
    if language is CPP:
        conditions.append(
            Setting(
                f"gdb, `break {function} if {register} == ADDRESS`",
                under_gdb,
                "python by_register_condition()",
                True,
            )
        )
    return (
        Setting("alone", alone, "", False),
        Setting("gdb, nothing set", under_gdb, "", False),
        Setting(f"gdb, `{stop}`", under_gdb, stop, False),
        *conditions,
        Setting(
            f"gdb, stop method that compares {register}", under_gdb, "python by_method()", True
        ),
        Setting(
            f"LLDB, `breakpoint set -n {function} -c '{expression}'`",
            under_lldb,
            "by_condition",
            True,
        ),
        Setting(f"LLDB, callback that compares {register}", under_lldb, "by_callback", True),
    )


def duration(nanoseconds: float) -> str:
    """A time for a table."""
    if nanoseconds >= 1e8:
        return f"{nanoseconds / 1e9:.2f} s"
    if nanoseconds >= 1e5:
        return f"{nanoseconds / 1e6:.2f} ms"
    return f"{nanoseconds:.2f} ns"


def measure_debuggers(
    folder: Path, rounds: int, count: int, hits: int, languages: Sequence[Language]
) -> None:
    """The part `debuggers`."""
    print(f"\nFor each assignment to another map than the one waited for, {rounds} runs each.\n")
    print_row("", "median (min to max)", "times alone")
    print("|---|---:|---:|")
    for language in languages:
        todo = {setting.title: setting for setting in settings(language)}
        times: Dict[str, List[float]] = {title: [] for title in todo}
        for title in in_turns(list(todo), rounds):
            setting = todo[title]
            n = hits if setting.slow else count
            taken = took(setting.runner(folder, language, n, setting.stop))
            times[title].append((taken.wall if setting.slow else taken.cpu) / n)
        print_row(f"**{language.name}**", "", "")
        for title, values in times.items():
            ratio = median_ratio(values, times["alone"])
            shown = f"{ratio:.2f}" if ratio < 100 else f"{float(f'{ratio:.2g}'):,.0f}"
            print_row(title, spread(values, duration), "" if title == "alone" else shown)


# four_maps

#: 1,000,000 entries are in 2^18 buckets, 131,072 old ones before the last doubling,
#: and that is the 18th: one bucket, and 18 doublings.
LAST_BUCKET = 131_071
DOUBLINGS = 18


@dataclass(frozen=True)
class FourMaps:
    """One run of stops_four_maps: nanoseconds."""

    program: Took
    #: CPU time of gdb, arming included.
    gdb: float

    @property
    def wall(self) -> float:
        """By the clock on the wall, from the armed stop on."""
        return self.program.wall

    @property
    def wall_with_arming(self) -> float:
        """The same and what was done at --at."""
        return self.program.wall + self.program.arming

    @property
    def cpu(self) -> float:
        """CPU time of the program and of gdb, arming included."""
        return self.program.cpu + self.gdb


def four_maps(folder: Path, language: Language, stop: str, hits: int, stops: bool) -> FourMaps:
    """Runs stops_four_maps under gdb.

    :param stop: a command that sets a stop, or nothing.
    :param hits: how often it is to be hit.
    :param stops: whether it stops the program then.
    :raises RuntimeError: when it did anything else.
    """
    clock = "python print('gdb', time.process_time())"
    commands = ["python import time", f"tbreak {language.main}", "run"]
    commands += [f"break {language.prefix}finished"]
    commands += [stop] if stop else []
    commands += [clock, "continue"]
    commands += ["continue"] if stops else []
    commands += [clock, "map break list", "continue"]
    command = gdb_command(*commands, scripts=[MAPSCOPE])
    output = run(command + ["--args", language.program(folder, "four_maps")])
    program = took(output)
    found = [int(n) for n in re.findall(r"^\d+ .*, hit (\d+) times?$", output, re.MULTILINE)]
    stopped = len(re.findall(r"^mapscope stop 1: ", output, re.MULTILINE))
    # The line that sets the stop begins alike.
    if found != ([hits] if stop else []) or stopped != bool(stop) + stops:
        raise RuntimeError(f"the stop was hit {found} times, its line shown {stopped}:\n{output}")
    before, after = (float(n) * 1e9 for n in re.findall(r"^gdb ([0-9.]+)$", output, re.MULTILINE))
    return FourMaps(program, after - before)


def measure_four_maps(folder: Path, rounds: int, languages: Sequence[Language]) -> None:
    """The part `four_maps`."""
    print(f"\nFour maps filled to 1,000,000 entries each, under gdb, {rounds} runs each.\n")
    print_row(
        "",
        "time",
        "ratio (goal: 1.05)",
        "arming at `--at`, once",
        "ratio with arming",
        "CPU time of program and gdb",
        "ratio of that",
    )
    print("|---|" + "---:|" * 6)
    for language in languages:
        third = f"{language.prefix}third"
        at = f"--at {language.prefix}checkpoint"
        todo: Dict[str, Tuple[str, int, bool]] = {
            "nothing set": ("", 0, False),
            f"`map break evacuate {third} --bucket {LAST_BUCKET}`": (
                f"map break evacuate {third} --bucket {LAST_BUCKET} {at}",
                1,
                True,
            ),
            f"`map break done {third} --ignore 1000`": (
                f"map break done {third} --ignore 1000 {at}",
                DOUBLINGS,
                False,
            ),
        }
        results: Dict[str, List[FourMaps]] = {title: [] for title in todo}
        for title in in_turns(list(todo), rounds):
            results[title].append(four_maps(folder, language, *todo[title]))
        print_row(f"**{language.name}**", *[""] * 6)
        plain = results["nothing set"]
        for title, runs in results.items():
            ratio = median_ratio([r.wall for r in runs], [r.wall for r in plain])
            arming = median_ratio(
                [r.wall_with_arming for r in runs], [r.wall_with_arming for r in plain]
            )
            cpu = median_ratio([r.cpu for r in runs], [r.cpu for r in plain])
            set_up = statistics.median(r.program.arming for r in runs)
            print_row(
                title,
                spread([r.wall for r in runs], duration),
                f"{ratio:.3f}, {verdict(ratio, 1.05)}" if runs is not plain else "",
                f"{set_up / 1e6:.0f} ms" if runs is not plain else "",
                f"{arming:.3f}" if runs is not plain else "",
                spread([r.cpu for r in runs], duration),
                f"{cpu:.3f}" if runs is not plain else "",
            )


def main() -> int:
    """Measures what the arguments ask for."""
    global LLDB
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("filter", "debuggers", "four_maps")
    parser.add_argument("build", type=Path, help="build folder, configured with MAPSCOPE_BENCH=ON")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="parts to run")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each (15)")
    parser.add_argument(
        "--count",
        type=int,
        default=20_000_000,
        help="assignments in a run that nothing stops (20,000,000)",
    )
    parser.add_argument(
        "--hits", type=int, default=1000, help="assignments in a run that each one stops (1000)"
    )
    parser.add_argument("--lldb", default=LLDB, help=f"LLDB to run ({LLDB})")
    arguments = parser.parse_args()
    LLDB = arguments.lldb
    folder = arguments.build.resolve() / "bench" / "stops"
    languages = [CPP, GO] if Path(GO.program(folder, "assign")).exists() else [CPP]
    if GO not in languages:
        print("the Go programs are not built: no rows for Go", file=sys.stderr)
    if "filter" in arguments.only:
        measure_filter(folder, arguments.rounds)
    if "debuggers" in arguments.only:
        measure_debuggers(folder, arguments.rounds, arguments.count, arguments.hits, languages)
    if "four_maps" in arguments.only:
        measure_four_maps(folder, arguments.rounds, languages)
    return 0


if __name__ == "__main__":
    sys.exit(main())

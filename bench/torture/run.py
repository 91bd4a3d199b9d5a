#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stop at every instruction of writes to maps, and compare what the commands show with the truth.

    bench/torture/run.py build/dev [--go 1.19 1.23 1.26] [--only TEXT] [--every N]
        [--commands inspect,find,check] [--jobs N]

The long form of the tests step_cpp, step_go and step_go_swiss: the same programs, at stride 1, in
gdb. The C++ programs are those of the build folder, -O2 and -O0; those of Go are built with each
version, plain, with -ldflags=-w (no debug information) and with -ldflags='-s -w' (no symbols
either). Prints a Markdown table, and the first wrong answers below it; ends with status 1 if there
were any. --every N doubles the stride after every N stops of an operation: all at stride 1 take
hours.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TESTS = ROOT / "tests" / "debugger"
sys.path.insert(0, str(TESTS))

import toolchains  # noqa: E402

#: how Go programs are built, by what the table calls it
FLAGS = {
    "debug information": "-ldflags=",
    "without debug information": "-ldflags=-w",
    "stripped": "-ldflags=-s -w",
}
_TOTAL = re.compile(
    r"(\d+) instructions, stopped at (\d+) of them, (\d+) checks, (\d+) wrong\n"
    r"(\d+) operations in the record, (\d+) shown wrongly"
)


@dataclass(frozen=True)
class Build:
    """A program to step through."""

    name: str
    program: Path
    go: bool


def builds(folder: Path, versions: List[str], place: Path) -> List[Build]:
    """Those that are there, or can be built."""
    programs = folder / "tests" / "debugger" / "programs"
    found = [
        Build(f"C++ -{level}", programs / f"steps_{level}", False)
        for level in ("O2", "O0")
        if (programs / f"steps_{level}").exists()
    ]
    for version in versions:
        command = toolchains.command(ROOT, version)
        for number, (name, flags) in enumerate(FLAGS.items()):
            if not command:
                continue
            program = place / f"steps-{version}-{number}"
            subprocess.run(
                [command, "build", flags, "-o", str(program), "./steps"],
                cwd=TESTS / "programs" / "go",
                env={
                    **os.environ,
                    **toolchains.environment(ROOT / "build" / "toolchains" / "cache"),
                },
                check=True,
            )
            found.append(Build(f"Go {version}, {name}", program, True))
    return found


def step(build: Build, options: argparse.Namespace) -> Tuple[str, Optional["re.Match[str]"]]:
    """All that gdb says, and the line with the counts."""
    truth = build.program.parent / f"{build.program.name}.truth"
    names = "--begin main.begin --end main.end --zero" if build.go else "--begin begin --end end"
    command = (
        f"step-through '{truth}' {names} --keep-going --every {options.every}"
        f" --commands '{options.commands}' --only '{options.only}'"
    )
    done = subprocess.run(
        [
            "gdb",
            *("-nx", "-nh", "-q", "-batch"),
            *("-iex", "set debuginfod enabled off", "-iex", "set auto-load off"),
            *("-x", str(ROOT / "gdb" / "mapscope_gdb.py")),
            *("-x", str(TESTS / "step_through.py"), "-ex", command),
            *("--args", str(build.program), "--truth", str(truth)),
        ],
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "PYTHONDONTWRITEBYTECODE": "1",
            # stepping would run through the collector and be preempted
            "GOGC": "off",
            "GODEBUG": "asyncpreemptoff=1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    truth.unlink(missing_ok=True)
    return done.stdout, _TOTAL.search(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description="Step through writes to maps.")
    parser.add_argument("build", type=Path, help="where the project was built")
    parser.add_argument("--go", nargs="*", default=["1.19", "1.23", "1.26"], help="Go versions")
    parser.add_argument("--only", default="", help="operations whose name has this")
    parser.add_argument("--every", type=int, default=0, help="stops before the stride doubles")
    parser.add_argument("--commands", default="inspect,find,check", help="besides entries")
    parser.add_argument("--jobs", type=int, default=2, help="debuggers at the same time")
    options = parser.parse_args()
    totals = [0, 0, 0]
    failed = []
    with tempfile.TemporaryDirectory() as place:
        todo = builds(options.build.resolve(), options.go, Path(place))
        print("| program | operations | instructions stopped at | checks | wrong |")
        print("|---|---|---|---|---|", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            for build, (text, match) in zip(todo, pool.map(lambda b: step(b, options), todo)):
                if match is None:
                    failed.append(f"{build.name}: no count at the end of\n{text[-2000:]}")
                    continue
                _, stops, checks, wrong, _, _ = map(int, match.groups())
                done = len(re.findall(r"^(?:right|WRONG): ", text, re.MULTILINE))
                print(f"| {build.name} | {done} | {stops:,} | {checks:,} | {wrong} |", flush=True)
                for at, number in enumerate((stops, checks, wrong)):
                    totals[at] += number
                if wrong or not stops:
                    lines = [line for line in text.splitlines() if line.startswith("WRONG")]
                    failed.append("\n".join([f"{build.name}:", *lines]))
    print(f"| all | | {totals[0]:,} | {totals[1]:,} | {totals[2]} |")
    print(*failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure what each tool shows of Go's maps: gdb with Go's own script, delve, LLDB, mapscope.

A program stops, gdb writes its core, and all tools look at this one core: at the same map at the
same moment. What they show is compared with what the program itself says it put in. Prints a
Markdown table, and the errors that its cells speak of; what cannot be run is said in its cell.

    bench/tools/run.py build/tools [--go 1.19 1.26] [--json FILE]

Programs and cores go to the folder named, up to 2 GB at a time. The Go versions, and delve,
come from scripts/toolchains; runtime-gdb.py is that of each Go version.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "debugger"))

import delve  # noqa: E402
import toolchains  # noqa: E402

CLASSIC = ("1.19", "1.23")
SWISS = ("1.24", "1.26")
TIMEOUT = 300

GROWING = ROOT / "examples" / "growing" / "growing.go"
SAME_SIZE = ROOT / "examples" / "same_size" / "same_size.go"
MAPS = HERE / "maps.go"


@dataclass(frozen=True)
class State:
    """A program, and where it stops.

    :ivar place: in_gdb.py knows how to come there
    :ivar rows: the table's rows, by what is asked: the entries, len(m), m[key]
    """

    rows: Dict[str, str]
    versions: Tuple[str, ...]
    source: Path
    arguments: str = "--truth truth"
    map: str = "m"
    place: str = "checkpoint"
    key: str = "session-00042"


STATES = (
    State(
        {"entries": "8 entries"},
        CLASSIC + SWISS,
        MAPS,
        arguments="filled 8 truth",
        map="main.table",
    ),
    State(
        {"entries": "1,000 entries"},
        CLASSIC + SWISS,
        MAPS,
        arguments="filled 1000 truth",
        map="main.table",
    ),
    State(
        {"entries": "1,000 entries, once ranged over"},
        CLASSIC,
        MAPS,
        arguments="ranged 1000 truth",
        map="main.table",
    ),
    State(
        {"entries": "900 entries, 100 deleted before"},
        CLASSIC + SWISS,
        MAPS,
        arguments="deleted 1000 truth",
        map="main.table",
    ),
    State(
        {"entries": "800 entries, same-size growth half done"},
        CLASSIC,
        SAME_SIZE,
    ),
    State(
        {
            "entries": "27,000 entries, doubling 17 % done",
            "key": 'of these, `m["session-00042"]`',
            "length": "of these, `len(m)`",
        },
        CLASSIC,
        GROWING,
    ),
    State(
        {
            "entries": "27,000 entries",
            "key": 'of these, `m["session-00042"]`',
            "length": "of these, `len(m)`",
        },
        SWISS,
        GROWING,
    ),
    State(
        {"entries": "27,000 entries, stopped inside `evacuate`"},
        CLASSIC,
        MAPS,
        arguments="filled 27000 truth",
        map="main.table",
        place="evacuate",
    ),
    State(
        {"entries": "27,000 entries or more, stopped inside a table's split"},
        SWISS,
        MAPS,
        arguments="filled 27000 truth",
        map="main.table",
        place="split",
    ),
)


class CannotRun(Exception):
    """A tool, or what it needs, is not there or failed: the reason."""


@dataclass
class Stopped:
    """A program's core, and what it said it had put in."""

    state: State
    program: Path
    folder: Path
    gos_script: Path
    in_the_program: Dict[str, Any]
    truth: List[Tuple[Any, Any]] = field(default_factory=list)


#: one tool's answers to what is asked at a state
Look = Callable[[Stopped], Dict[str, Any]]


@dataclass
class Cell:
    """One tool's answer to one row's question.

    :ivar error: what the text's "error" is, without addresses, which are others in each run
    """

    text: str
    numbers: Dict[str, Any] = field(default_factory=dict)
    error: str = ""


def execute(command: List[str], folder: Path, parameters: Dict[str, Any]) -> Dict[str, Any]:
    """Run a debugger with one of our scripts in it; its answers.

    :raises CannotRun: if it gave none
    """
    answers = folder / "answers"
    answers.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={
                **os.environ,
                "MAPSCOPE_TOOLS": json.dumps({**parameters, "answers": answers.name}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(str(error)) from None
    if not answers.exists():
        raise CannotRun((done.stdout.strip() or "no answer").split("\n")[-1])
    given: Dict[str, Any] = json.loads(answers.read_text(encoding="utf-8"))
    return given


def lines_of(file: Path) -> List[Tuple[Any, Any]]:
    """The entries in a file of one JSON object each; what has no key is none."""
    with open(file, encoding="utf-8") as lines:
        objects = [json.loads(line) for line in lines]
    return [(entry["key"], entry["value"]) for entry in objects if "key" in entry]


def gdb_command(*options: str) -> List[str]:
    """gdb without any of the user's settings."""
    bare = ["gdb", "-nx", "-nh", "-batch", "-q", "-iex", "set auto-load off"]
    return [*bare, "-iex", "set debuginfod enabled off", "-ex", "set pagination off", *options]


def stop(state: State, go: str, folder: Path) -> Stopped:
    """Build the program, run it to its place, and dump its core.

    :raises CannotRun:
    """
    environment = {**os.environ, **toolchains.environment(folder.parent / "cache")}
    environment["GOEXPERIMENT"] = ""
    program = folder / state.source.stem
    built = subprocess.run(
        [go, "build", "-o", str(program), str(state.source)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if built.returncode:
        raise CannotRun(built.stdout.strip().split("\n")[-1])
    root = subprocess.run(
        [go, "env", "GOROOT"], env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    script = Path(root.stdout.strip()) / "src" / "runtime" / "runtime-gdb.py"
    parameters = {
        "role": "stop",
        "arguments": state.arguments,
        "place": state.place,
        "map": state.map,
        "key": state.key,
        "core": "core",
    }
    command = gdb_command("-ex", f"source {script}", "-x", str(HERE / "in_gdb.py"), str(program))
    answers = execute(command, folder, parameters)
    return Stopped(state, program, folder, script, answers, lines_of(folder / "truth"))


def asked(stopped: Stopped, role: str) -> Dict[str, Any]:
    """The parameters of in_gdb.py and in_lldb.py."""
    state = stopped.state
    return {"role": role, "map": state.map, "key": state.key, "shown": "shown"}


def by_gos_script(stopped: Stopped) -> Dict[str, Any]:
    """gdb with runtime-gdb.py. One key it is asked in the program that still runs."""
    command = gdb_command(str(stopped.program), "core", "-ex", f"source {stopped.gos_script}")
    command += ["-x", str(HERE / "in_gdb.py")]
    answers = execute(command, stopped.folder, asked(stopped, "gos_script"))
    return {**answers, "key": stopped.in_the_program["key"]}


def by_mapscope(command: List[str], stopped: Stopped) -> Dict[str, Any]:
    """mapscope, in either debugger: it writes the entries to a file."""
    (stopped.folder / "shown").unlink(missing_ok=True)
    answers = execute(command, stopped.folder, asked(stopped, "mapscope"))
    if answers["entries"]["error"] is None:
        answers["entries"]["shown"] = lines_of(stopped.folder / "shown")
    return answers


def in_gdb(stopped: Stopped) -> Dict[str, Any]:
    """gdb with mapscope."""
    command = gdb_command(str(stopped.program), "core", "-x")
    command += [str(ROOT / "gdb" / "mapscope_gdb.py"), "-x", str(HERE / "in_gdb.py")]
    return by_mapscope(command, stopped)


def lldb_command(lldb: str, stopped: Stopped, *scripts: Path) -> List[str]:
    """LLDB without any of the user's settings, with a core."""
    steps = [f"target create '{stopped.program}' --core core"]
    steps += [f"command script import '{script}'" for script in scripts]
    options = [word for step in steps for word in ("-o", step)]
    return [lldb, "-b", "--no-lldbinit", *options]


def by_lldb(lldb: str, stopped: Stopped) -> Dict[str, Any]:
    """LLDB alone."""
    command = lldb_command(lldb, stopped, HERE / "in_lldb.py")
    return execute(command, stopped.folder, asked(stopped, "alone"))


def in_lldb(lldb: str, stopped: Stopped) -> Dict[str, Any]:
    """LLDB with mapscope."""
    script = ROOT / "lldb" / "mapscope_lldb.py"
    return by_mapscope(lldb_command(lldb, stopped, script, HERE / "in_lldb.py"), stopped)


def by_delve(command: str, stopped: Stopped) -> Dict[str, Any]:
    """delve, of one version."""
    state = stopped.state
    try:
        return delve.look(command, stopped.program, stopped.folder / "core", state.map, state.key)
    except (delve.DelveFailed, OSError) as failed:
        raise CannotRun(str(failed)) from None


def without_addresses(error: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x...", re.sub(r"^error: ", "", error))


def entries_cell(answer: Dict[str, Any], truth: List[Tuple[Any, Any]]) -> Cell:
    """Entries shown, compared as multisets: each must be there, and once."""
    shown = [(key, value) for key, value in answer.get("shown", [])]
    error: Optional[str] = answer["error"]
    wanted, found = Counter(truth), Counter(shown)
    extra = found - wanted
    numbers = {
        "shown": len(shown),
        "missing": sum((wanted - found).values()),
        "once more": sum(times for entry, times in extra.items() if entry in wanted),
        "not in the map": sum(times for entry, times in extra.items() if entry not in wanted),
    }
    raw = {**numbers, "of": len(truth), "error": error}
    wrong = [f"{number:,} {what}" for what, number in numbers.items() if number and what != "shown"]
    if error is None:
        text = f"{len(shown):,} shown, {', '.join(wrong)}" if wrong else "right"
        return Cell(text, raw)
    text = f"{len(shown):,} shown, {', '.join(wrong)}; error" if shown else "error"
    return Cell(text, raw, without_addresses(error))


def number_cell(answer: Dict[str, Any], right: int) -> Cell:
    """An integer, or why there is none."""
    if "error" in answer:
        return Cell("error", answer, without_addresses(answer["error"]))
    return Cell("right" if answer["value"] == right else str(answer["value"]), answer)


def cells_of(stopped: Stopped, look: Look) -> Dict[str, Cell]:
    """One tool's cells, by what was asked."""
    try:
        answers = look(stopped)
    except CannotRun as reason:
        cell = Cell(f"not run: {reason}", {"not run": str(reason)})
        return {what: cell for what in stopped.state.rows}
    cells = {}
    for what in stopped.state.rows:
        if what == "entries":
            cells[what] = entries_cell(answers[what], stopped.truth)
        elif what == "length":
            cells[what] = number_cell(answers[what], len(stopped.truth))
        else:
            cells[what] = number_cell(answers[what], dict(stopped.truth)[stopped.state.key])
    return cells


def version_of(command: List[str]) -> str:
    """The first version number that a command says; "" if it cannot be run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", done.stdout))
    return found[0] if found else ""


def delves() -> Dict[str, str]:
    """Command of each delve that runs here, by version, the newest first."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "toolchains"), "delve"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    found = {}
    for line in done.stdout.splitlines():
        name, _, command = line.partition(" ")
        if command.startswith("/"):
            found[name.partition("-")[2]] = command
        else:
            print(line, file=sys.stderr)
    by_age = sorted(found, key=lambda name: [int(part) for part in name.split(".")])
    return {name: found[name] for name in reversed(by_age)}


def tools(lldb: str, all_delves: bool) -> Dict[str, Look]:
    """The table's columns."""

    def not_here(what: str) -> Look:
        def refuse(_: Stopped) -> Dict[str, Any]:
            raise CannotRun(f"{what} is not here")

        return refuse

    def through_delve(command: str) -> Look:
        return lambda stopped: by_delve(command, stopped)

    gdb_version = version_of(["gdb", "--version"])
    lldb_version = version_of([lldb, "--version"])
    columns: Dict[str, Look] = {f"gdb {gdb_version}, runtime-gdb.py": by_gos_script}
    found = delves()
    for version in list(found)[: None if all_delves else 1]:
        columns[f"delve {version}"] = through_delve(found[version])
    if not found:
        columns["delve"] = not_here("delve")
    if lldb_version:
        columns[f"LLDB {lldb_version}"] = lambda stopped: by_lldb(lldb, stopped)
    else:
        columns["LLDB"] = not_here(lldb)
    columns["mapscope in gdb"] = in_gdb
    columns["mapscope in LLDB"] = (
        (lambda stopped: in_lldb(lldb, stopped)) if lldb_version else not_here(lldb)
    )
    return columns


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="for programs and cores")
    parser.add_argument("--go", nargs="+", default=CLASSIC + SWISS, help="Go versions")
    parser.add_argument("--only", default="", help="only rows with this in their title")
    parser.add_argument("--lldb", default="lldb-19")
    parser.add_argument("--all-delves", action="store_true", help="not only the newest one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw numbers, too")
    arguments = parser.parse_args()
    if not version_of(["gdb", "--version"]):
        parser.error("gdb is not here, which stops the programs")
    folder: Path = arguments.folder.resolve()
    columns = tools(arguments.lldb, arguments.all_delves)
    commands = {version: toolchains.command(ROOT, version) for version in arguments.go}
    print(f"| Go map | Go | {' | '.join(columns)} |")
    print("|---|---|" + "---|" * len(columns))
    raw: List[Dict[str, Any]] = []
    errors: List[str] = []

    def text(cell: Cell) -> str:
        """With the error's number."""
        if cell.error and cell.error not in errors:
            errors.append(cell.error)
        return cell.text + (f" {errors.index(cell.error) + 1}" if cell.error else "")

    for state in STATES:
        if not any(arguments.only in title for title in state.rows.values()):
            continue
        # the versions that a row is of: its title and its cells
        rows: Dict[Tuple[str, ...], List[str]] = {}
        for version in arguments.go:
            if version not in state.versions:
                continue
            work = folder / version
            work.mkdir(parents=True, exist_ok=True)
            try:
                if not commands[version]:
                    raise CannotRun("this Go is not here")
                stopped = stop(state, commands[version], work)
            except CannotRun as reason:
                for title in state.rows.values():
                    row = (title, *(f"not run: {reason}" for _ in columns))
                    rows.setdefault(row, []).append(version)
                continue
            cells = {name: cells_of(stopped, look) for name, look in columns.items()}
            (work / "core").unlink()
            for what, title in state.rows.items():
                row = (title, *(text(cells[name][what]) for name in columns))
                rows.setdefault(row, []).append(version)
                raw += [
                    {"row": title, "go": version, "tool": name, **cells[name][what].numbers}
                    for name in columns
                ]
        for title in state.rows.values():
            for row, versions in rows.items():
                if row[0] == title:
                    print(f"| {title} | {', '.join(versions)} | {' | '.join(row[1:])} |")
        sys.stdout.flush()
    print("\nThe errors:\n")
    for number, error in enumerate(errors, start=1):
        print(f"{number}. `{error}`")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

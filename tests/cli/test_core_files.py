# SPDX-License-Identifier: MIT
"""`mapscope core`: what the command says of a core file is what gdb says of it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from shown import COMMAND, ROOT, Core, in_process, mapscope
from mapscope.program.core_file import CoreFile

pytest_plugins = ["shown_programs"]

#: of every kind that both can be asked; each takes half a second in the command
GO_LINES = [
    "list --json",
    "inspect main.Doubling",
    "entries main.Any --json --where",
    "check main.SameSize --json",
    "writers",
    "inspect $rsp",
    "inspect main.NoSuchName",
]
GO_LONG = [
    "list",
    "heap",
    "history",
    "owners main.Doubling --json",
    "owners main.Text",
    "stats --json",
    "stats main.SameSize",
    "inspect main.SameSize --json",
    "entries main.Structs",
    "find main.Doubling 1 --json",
    "bucket main.Doubling 3 --old",
    "entries main.Doubling --goroutine 1 --json --limit 3",
]


def test_a_core_of_go_is_as_in_gdb(go_core: Core, tmp_path: Path) -> None:
    lines = GO_LINES + (GO_LONG if os.environ.get("MAPSCOPE_LONG") else [])
    for line, expected in zip(lines, go_core.in_gdb(lines, tmp_path)):
        found = go_core.look(*line.split())
        assert (found.stdout or found.stderr) == expected, line
        assert "Traceback" not in found.stderr
        assert found.returncode == (1 if found.stderr else 0), line
    assert "main.Doubling" in go_core.look("list").stdout


def test_a_page_of_a_core(go_core: Core, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    written = go_core.look("report", "main.Doubling", "-o", str(page))
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    _, _, rest = page.read_text(encoding="utf-8").partition('id="data">')
    form = json.loads(rest.partition("</script")[0])
    assert form["inspect"] == json.loads(go_core.look("inspect", "main.Doubling", "--json").stdout)
    drawn = {heat["array"]: sum(heat["squares"]) for heat in form["heat"]}
    assert sum(drawn.values()) == form["inspect"]["count"] > 0 and set(drawn) == {"new", "old"}
    nowhere = go_core.look("report")
    assert nowhere.returncode == 2 and "-o FILE.html" in nowhere.stderr


def test_a_packed_and_a_cut_core(go_core: Core, tmp_path: Path) -> None:
    """What was cut off is not known, and said to be so: no map is another one than it was."""
    cut = tmp_path / "cut.gz"
    whole = json.loads(go_core.look("list", "--json").stdout)
    addresses = sorted(int(one["address"], 16) for one in whole["maps"])
    # of the segment with Go's heap, up to the middle of the maps
    core = CoreFile(str(go_core.path))
    middle = addresses[len(addresses) // 2]
    heap = next(s for s in core.segments if s.address <= middle < s.address + s.size)
    with open(go_core.path, "rb") as file, gzip.open(cut, "wb", compresslevel=1) as packed:
        packed.write(file.read(heap.offset + middle - heap.address))
    found = in_process("core", go_core.program, cut, "list", "--json")
    assert "was cut" in found.stderr and found.returncode == 0
    form = json.loads(found.stdout)
    known = {one["address"]: one for one in whole["maps"]}
    assert 0 < len(form["maps"]) < len(known) and form["unread"]
    for one in form["maps"]:
        wanted = known[one["address"]]
        assert {key: wanted[key] for key, value in one.items() if value is not None} == {
            key: value for key, value in one.items() if value is not None
        }


@pytest.mark.parametrize(
    "words, status, told",
    [
        ([], 2, "what is to be shown"),
        (["--help"], 0, ""),
        (["--version"], 0, ""),
        (["find", "--help"], 0, ""),
        (["frobnicate"], 2, "no such command: frobnicate"),
        (["core", "a"], 2, "PROGRAM and CORE are needed"),
        (["core", "a", "b"], 2, "a command is needed"),
        (["core", "a", "b", "break"], 2, "needs a debugger"),
        (["core", "a", "b", "nonsense"], 2, "no such command: nonsense"),
        (["core", "--wrong", "a", "b", "list"], 2, "--wrong"),
        (["core", sys.executable, "/nowhere/core", "list"], 1, "/nowhere/core: No such file"),
        (["core", sys.executable, __file__, "list"], 1, "no core file of x86-64"),
        (["pid", "0", "list"], 2, "a process's number is expected, not 0"),
        (["pid", "x\x1b", "list"], 2, "not x\\x1b"),
        (["pid", str(1 << 30), "list"], 1, "no process"),
        (["pid", "2", "--no-stop"], 2, "no such command: --no-stop"),
    ],
)
def test_statuses_and_errors(words: List[str], status: int, told: str) -> None:
    found = in_process(*words)
    assert found.returncode == status
    assert told in found.stderr and found.stderr.count("\n") == (1 if status else 0)
    assert bool(found.stdout) == (status == 0)


def test_program_and_core_must_belong_together(go_core: Core, programs: Path) -> None:
    found = in_process("core", programs / "zoo_O2", go_core.path, "list")
    assert found.returncode == 1 and not found.stdout
    assert "core of another program" in found.stderr
    # another build of it: a warning, as in a debugger
    found = in_process("core", programs / "stops_go", go_core.path, "list")
    assert "the core is of another build of the program" in found.stderr


def test_a_reader_that_has_seen_enough(go_core: Core) -> None:
    command = f"'{sys.executable}' '{COMMAND}' core '{go_core.program}' '{go_core.path}'"
    found = subprocess.run(
        [
            "bash",
            "-c",
            f"{command} entries main.SameSize --json | head -n 1; echo ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.stderr == ""
    first, status = found.stdout.splitlines()
    assert json.loads(first)["count"] == 800 and status in ("0", "141")


def test_the_version_is_the_projects() -> None:
    text = (ROOT / "core" / "mapscope" / "version.py").read_text(encoding="utf-8")
    assert f'VERSION = "{mapscope("--version").stdout.split()[1]}"' in text


def test_completion_knows_the_commands() -> None:
    script = f"""
        source '{COMMAND}.bash-completion'
        COMP_WORDS=(mapscope core a b '') COMP_CWORD=4
        _mapscope
        echo "${{COMPREPLY[*]}}"
        COMP_WORDS=('{COMMAND}' pid 1 entries --w) COMP_CWORD=4
        _mapscope
        echo "${{COMPREPLY[*]}}"
    """
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    commands, options = found.stdout.splitlines()
    told = mapscope("core", "a", "b", "nonsense").stderr.split("one of ")[1]
    assert commands.split() == told.strip().split(", ")
    assert options == "--where"

# SPDX-License-Identifier: MIT
"""C++ programs in `mapscope core` and `mapscope pid`: types, global variables and frames are
those that gdb has of the same core file."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import List

import pytest

from shown import Core, in_process, make_core, mapscope, wait_for

pytest_plugins = ["shown_programs"]

LONG = bool(os.environ.get("MAPSCOPE_LONG"))
LINES = [
    "inspect &zoo.same_size --json",
    "entries zoo.one_chain --limit 4",
    "inspect zoo.nope",
]
LONG_LINES = [
    "inspect zoo.doubling",
    "entries zoo.points --json",
    "find zoo.doubling nobody --json",
    "inspect nope",
]


def test_a_core_of_cpp_is_as_in_gdb(cpp_core: Core, tmp_path: Path) -> None:
    lines = LINES + (LONG_LINES if LONG else [])
    expected = cpp_core.in_gdb(lines, tmp_path)
    for line, wanted in zip(lines, expected):
        found = cpp_core.look(*line.split())
        assert (found.stdout or found.stderr) == wanted, line
        assert "Traceback" not in found.stderr
    told = cpp_core.look("owners", "zoo.text").stdout
    assert "zoo.text" in told and "locals" in told  # which were not looked at


@pytest.mark.skipif(not LONG, reason="MAPSCOPE_LONG is not set")
def test_all_maps_of_a_core_are_as_in_gdb(cpp_core: Core, tmp_path: Path) -> None:
    maps = json.loads(cpp_core.look("list", "--json").stdout)["maps"]
    (expected,) = cpp_core.in_gdb(["list --json"], tmp_path)
    wanted = json.loads(expected)["maps"]
    assert len(maps) == len(wanted) > 50
    assert any(one["owner"] == "zoo.doubling" for one in maps)
    for one, other in zip(maps, wanted):
        # those that locals alone refer to are a debugger's
        assert one == {**other, "owner": one["owner"] and other["owner"]}


def test_what_is_not_known_is_said(cpp_core: Core, tmp_path: Path) -> None:
    found = cpp_core.look("inspect", "zoo.doubling.size() + 1").stderr
    assert "without a debugger" in found and found.count("\n") == 1
    # what only a debugger's printers take apart
    lines = cpp_core.look("entries", "zoo.vectors", "--json").stdout.splitlines()
    if len(lines) > 2:
        assert "only a debugger prints them" in lines[1]
    # code that is inlined may write to a map, and without debug information nothing tells
    plain = tmp_path / "plain"
    subprocess.run(["strip", "-g", "-o", plain, cpp_core.program], check=True, timeout=60)
    assert cpp_core.look("writers").stdout == "no thread is inside a map write\n"
    found = in_process("core", plain, cpp_core.path, "writers").stdout
    assert "no thread is inside" not in found and "cannot tell" in found


def test_who_writes(gdb: str, programs: Path, tmp_path: Path) -> None:
    """Frames, also of what is inlined, and the map, at the moment at which a race is noticed; but
    for lines of sources."""
    core = make_core(gdb, programs / "raced", "mapscope::fatal", tmp_path / "core")
    (wanted,) = core.in_gdb(["writers"], tmp_path)
    found = core.look("writers").stdout
    wanted = re.sub(r" at \S+:\d+$", "", wanted, flags=re.MULTILINE)
    # one function of libc's has several names, of which either takes one
    assert re.sub(r"\b(__GI_)?__libc_", "", found) == re.sub(r"\b(__GI_)?__libc_", "", wanted)
    assert re.search(r"^thread 1: (assign|delete), mapscope::map<.*> 0x", found)


def test_tables_of_the_standard_library(gdb: str, programs: Path, tmp_path: Path) -> None:
    core = make_core(gdb, programs / "std_tables_O2", "checkpoint", tmp_path / "core")
    lines = ["entries tables.text --json"]
    lines += ["inspect tables.multi", "check tables.points --json"] if LONG else []
    for line, wanted in zip(lines, core.in_gdb(lines, tmp_path)):
        assert core.look(*line.split()).stdout == wanted, line


def test_a_table_by_a_description(gdb: str, programs: Path, tmp_path: Path) -> None:
    """The program's own, in variables of a file; and what is wrong with a description."""
    folder = Path(__file__).resolve().parents[1] / "debugger" / "programs" / "descriptions"
    core = make_core(gdb, programs / "own_tables_O2", "write_truth", tmp_path / "core")
    described = ("core", "--describe", folder / "stock.table", core.program, core.path)
    found = in_process(*described, "entries", "stock", "--json").stdout.splitlines()
    assert json.loads(found[0])["count"] == len(found) - 2 == 32
    assert "stock" in in_process(*described, "list").stdout
    wrong = in_process(
        "core", "--describe", folder / "wrong.table", core.program, core.path, "list"
    )
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1
    assert "wrong.table:5: array: 'bukets'" in wrong.stderr


def in_frame(gdb: str, core: Core, function: str, names: List[str], folder: Path) -> List[str]:
    """What gdb shows of maps, by names as a function has them."""
    script = Path(__file__).resolve().parents[2] / "gdb" / "mapscope_gdb.py"
    found = subprocess.run(
        [gdb, "-nx", "-batch", "-x", str(script), "-ex", f"frame function {function}"]
        + [
            word
            for at, name in enumerate(names)
            for word in ("-ex", f"map entries {name} --json -o '{folder / str(at)}'")
        ]
        + [str(core.program), str(core.path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "mapscope:" not in found.stderr, found.stderr
    return [(folder / str(at)).read_text() for at in range(len(names))]


@pytest.mark.parametrize("kind", ["O0", "O2"])
def test_locals(gdb: str, programs: Path, tmp_path: Path, kind: str) -> None:
    """Of the innermost function that has one of that name; that one's globals come first."""
    core = make_core(gdb, programs / f"locals_{kind}", "checkpoint", tmp_path / "core")
    names = ["inner", "referred"] if kind == "O0" else ["counts", "*pointed", "stock"]
    if LONG:
        names = ["inner", "counts", "kept", "referred", "*pointed", "stock", "this->stock"]
    for name, wanted in zip(names, in_frame(gdb, core, "counter::sell", names, tmp_path)):
        found = core.look("entries", name, "--json")
        assert found.stdout == wanted and wanted.count("\n") == 3, name
        assert re.search(r"^mapscope: \w+ is of frame 1, counter::sell$", found.stderr), name
    found = core.look("entries", "mine")
    assert "[20] = 21" in found.stdout and "mine is of frame 2, main" in found.stderr
    # from checkpoint on, a global one is meant
    found = core.look("entries", "both")
    assert "[10] = 11" in found.stdout and not found.stderr
    found = core.look("entries", "nothing")
    assert found.returncode == 1 and 'No symbol "nothing"' in found.stderr
    assert "Traceback" not in core.look("entries", "times").stderr


def test_a_member_hides_a_global_also_where_the_object_is_not_known(
    gdb: str, programs: Path, tmp_path: Path
) -> None:
    core = make_core(gdb, programs / "hidden_member", "*here", tmp_path / "core")
    found = core.look("entries", "shelf")
    assert found.returncode == 1 and not found.stdout
    assert found.stderr == "mapscope: shelf is a member of *this: this is optimized out here\n"
    assert "[1] = 2" in core.look("entries", "::shelf").stdout
    assert "[3] = 4" in core.look("entries", "other").stdout


def backtrace(gdb: str, program: Path, core: Path) -> List[int]:
    """The instructions of a core's frames, as gdb finds them."""
    script = "import gdb\nf = gdb.newest_frame()\nwhile f:\n    print('pc', f.pc(), f.type())\n"
    script += "    f = f.older()\n"
    path = core.with_suffix(".py")
    path.write_text(script)
    found = subprocess.run(
        [gdb, "-nx", "-batch", "-x", path, program, core],
        capture_output=True,
        text=True,
        timeout=60,
    )
    frames = re.findall(r"^pc (\d+) (\d+)$", found.stdout, re.MULTILINE)
    return [int(pc) for pc, kind in frames if kind == "0"]  # no inlined ones


def test_frames_are_those_that_gdb_finds(gdb: str, cpp_core: Core) -> None:
    from mapscope_cli.opening import opened_core

    expected = backtrace(gdb, cpp_core.program, cpp_core.path)
    with opened_core(str(cpp_core.program), str(cpp_core.path), None, print) as target:
        threads = list(target.threads())
        frames = list(threads[0].frames())
    assert len(threads) == 1 and len(expected) > 2
    assert [frame.pc() for frame in frames][: len(expected)] == expected
    assert {"checkpoint", "main"} <= {frame.function for frame in frames}


def test_a_live_process_of_cpp(programs: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    program = subprocess.Popen(
        [str(programs / "zoo_O2"), "--truth", str(truth), "--wait", "100"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: truth.exists() and truth.stat().st_size > 0, "the program's maps")
        found = mapscope("pid", program.pid, "inspect", "zoo.doubling", "--json")
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["growth"]["kind"] == "double"
        assert program.poll() is None
    finally:
        program.kill()
        program.wait()


@pytest.mark.skipif(not LONG, reason="MAPSCOPE_LONG is not set")
def test_of_clang_too(gdb: str, programs: Path, tmp_path: Path) -> None:
    """Its debug information has names by index, and no references to siblings."""
    program = programs / "libcxx_tables_O2"
    if not program.exists():
        pytest.skip("libc++ was not found when the programs were built")
    core = make_core(gdb, program, "checkpoint", tmp_path / "core")
    lines = ["entries tables.text --json", "inspect tables.thousand"]
    for line, wanted in zip(lines, core.in_gdb(lines, tmp_path)):
        assert core.look(*line.split()).stdout == wanted, line

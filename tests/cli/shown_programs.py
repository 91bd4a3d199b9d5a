# SPDX-License-Identifier: MIT
"""The programs that the command is shown.

MAPSCOPE_PROGRAMS is the folder of the built tests/debugger/programs, MAPSCOPE_GDB the gdb; what is
missing skips the tests that need it.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from shown import ROOT, Core, make_core, wait_for


@pytest.fixture(scope="session")
def programs() -> Path:
    folder = Path(os.environ.get("MAPSCOPE_PROGRAMS", ROOT / "build/dev/tests/debugger/programs"))
    if not (folder / "zoo_go").exists():
        pytest.skip(f"no programs in {folder} (MAPSCOPE_PROGRAMS)")
    return folder


@pytest.fixture(scope="session")
def gdb() -> str:
    found = os.environ.get("MAPSCOPE_GDB") or shutil.which("gdb")
    if not found or not os.path.exists(found):
        pytest.skip("gdb was not found")
    return found


@pytest.fixture(scope="session")
def go_core(gdb: str, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    path = tmp_path_factory.mktemp("go") / "core"
    yield make_core(gdb, programs / "zoo_go", "main.checkpoint", path)
    path.unlink()


@pytest.fixture(scope="session")
def cpp_core(gdb: str, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    path = tmp_path_factory.mktemp("cpp") / "core"
    yield make_core(gdb, programs / "zoo_O2", "checkpoint", path)
    path.unlink()


@pytest.fixture
def running(programs: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A Go program that has made its maps and waits."""
    truth = tmp_path / "truth"
    program = subprocess.Popen(
        [str(programs / "zoo_go"), "--truth", str(truth), "--wait", "100s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    # its last record is written to the end
    def is_whole() -> bool:
        lines = truth.read_bytes().splitlines(True) if truth.exists() else []
        return bool(lines) and b'"main.MapPtr"' in lines[-1][:80] and lines[-1][-1:] == b"\n"

    wait_for(is_whole, "the program's maps")
    yield program
    program.kill()
    program.wait()

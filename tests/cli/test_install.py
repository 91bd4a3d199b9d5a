# SPDX-License-Identifier: MIT
"""`mapscope install` and `mapscope uninstall`: the lines in the files that debuggers read."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from shown import ROOT, in_process

GDB_LINE = f"source {ROOT / 'gdb/mapscope_gdb.py'}"
LLDB_LINE = f'command script import "{ROOT / "lldb/mapscope_lldb.py"}"'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def done(*words: str) -> List[str]:
    """What the command says; it must succeed."""
    result = in_process(*words)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def failed(*words: str) -> str:
    """The one line by which it is refused."""
    result = in_process(*words)
    assert result.returncode == 1 and not result.stdout and result.stderr.count("\n") == 1
    return result.stderr


def test_both_debuggers_load_it_and_let_go_of_it(home: Path) -> None:
    said = done("install")
    assert [line.split(": added: ") for line in said] == [
        [f"{home}/.gdbinit", GDB_LINE],
        [f"{home}/.lldbinit", LLDB_LINE],
    ]
    first = (home / ".gdbinit").read_text(), (home / ".lldbinit").read_text()
    assert all(line.endswith("already; nothing was done") for line in done("install"))
    assert first == ((home / ".gdbinit").read_text(), (home / ".lldbinit").read_text())
    for debugger in (
        os.environ.get("MAPSCOPE_GDB") or shutil.which("gdb"),
        shutil.which("lldb-19"),
    ):
        if debugger:
            option = "-ex" if "gdb" in Path(debugger).name else "-o"
            shown = subprocess.run(
                [debugger, "-batch" if option == "-ex" else "--batch", option, "help map inspect"],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert "if it is growing, its migration" in shown.stdout, shown
    assert len(done("uninstall")) == 2
    assert not list(home.iterdir())
    assert all(line.endswith("nothing was done") for line in done("uninstall"))


def test_what_else_is_in_the_file_stays(home: Path) -> None:
    own = b"# caf\xe9\r\nset pagination off"  # no UTF-8, and no end of the last line
    file = home / ".gdbinit"
    file.write_bytes(own)
    file.chmod(0o640)
    assert len(done("install", "--gdb")) == 1
    text = file.read_bytes()
    assert text.startswith(own + b"\n# Put here") and text.endswith(GDB_LINE.encode() + b"\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert not (home / ".lldbinit").exists()
    done("uninstall", "--gdb")
    assert file.read_bytes() == own + b"\n"


def test_nothing_is_done_by_a_dry_run(home: Path) -> None:
    assert [": would add: " in line for line in done("install", "--dry-run")] == [True, True]
    assert not list(home.iterdir())
    done("install")
    before = (home / ".lldbinit").read_bytes()
    assert "would remove" in done("uninstall", "--lldb", "--dry-run")[0]
    assert (home / ".lldbinit").read_bytes() == before


def test_another_copy_is_replaced_if_install_has_put_it_there(home: Path) -> None:
    done("install", "--lldb")
    file = home / ".lldbinit"
    file.write_text(file.read_text().replace(str(ROOT), "/old place"))
    (line,) = done("install", "--lldb")
    assert line.endswith(f"replaced /old place/lldb/mapscope_lldb.py by: {LLDB_LINE}")
    assert file.read_text().splitlines()[1:] == [LLDB_LINE]
    # the user's own line is the user's
    file.write_text("command script import '/old place/lldb/mapscope_lldb.py'\n")
    assert "line 1 loads another copy of mapscope, /old place/lldb" in failed("install", "--lldb")
    assert "mapscope install has not put it there" in done("uninstall", "--lldb")[0]
    file.write_text("\n" + LLDB_LINE + "\n")
    assert "line 2 loads" in done("install", "--lldb")[0]


def test_the_file_that_the_debugger_reads(home: Path) -> None:
    """gdb's in .config, LLDB's of a program's own name, what a link leads to."""
    (home / ".config/gdb").mkdir(parents=True)
    (home / ".config/gdb/gdbinit").touch()
    done("install", "--gdb")
    assert GDB_LINE in (home / ".config/gdb/gdbinit").read_text()
    (home / ".lldbinit-lldb").touch()
    (home / "dotfiles").mkdir()
    (home / "dotfiles/lldbinit").touch()
    (home / ".lldbinit").symlink_to("dotfiles/lldbinit")
    assert f"{home}/.lldbinit-lldb: lldb reads this file" in done("install", "--lldb")[1]
    assert LLDB_LINE in (home / "dotfiles/lldbinit").read_text()
    done("uninstall")
    assert (home / ".lldbinit").is_symlink()


def test_what_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(home / ".gdbinit")  # to open it would wait for ever
    assert "it is no ordinary file" in failed("install", "--gdb")
    (home / ".lldbinit").symlink_to("nowhere/lldbinit")
    assert "cannot write" in failed("install", "--lldb")
    monkeypatch.setenv("HOME", str(home / "none"))
    assert "set HOME" in failed("install")
    assert in_process("install", "--gbd").returncode == 2
    assert in_process("uninstall", "now").returncode == 2

# SPDX-License-Identifier: MIT
"""The command as a user runs it, and gdb, whose answers its own are compared with."""

import contextlib
import io
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, List

import pytest

from mapscope_cli.main import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "cli" / "mapscope"
GDB_SCRIPT = ROOT / "gdb" / "mapscope_gdb.py"


def mapscope(*words: object, input: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, str(COMMAND), *map(str, words)],
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
    )


def in_process(*words: object) -> "subprocess.CompletedProcess[str]":
    """The same without another Python, which takes most of the time."""
    typed = list(map(str, words))
    out, said = io.StringIO(), io.StringIO()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
    handlers = [signal.getsignal(number) for number in numbers]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            status = main(typed)
    finally:
        for number, handler in zip(numbers, handlers):
            signal.signal(number, handler)
    return subprocess.CompletedProcess(typed, status, out.getvalue(), said.getvalue())


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until something is so; a failure if it never is."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.005)


class Core:
    """A core file of a program, and what gdb says of it.

    :ivar program: its path
    """

    def __init__(self, gdb: str, program: Path, path: Path) -> None:
        self.program = program
        self.path = path
        self._gdb = gdb

    def in_gdb(self, lines: List[str], folder: Path) -> List[str]:
        """What gdb prints for `map LINE`, or the line that it refuses it with."""
        script = ["import gdb"]
        for number, line in enumerate(lines):
            out = folder / f"{number}.out"
            script += [
                "try:",
                f"    text = gdb.execute({'map ' + line!r}, to_string=True)",
                "except gdb.error as error:",
                "    text = str(error) + chr(10)",
                f"open({str(out)!r}, 'w').write(text)",
            ]
        (folder / "ask.py").write_text("\n".join(script) + "\n")
        subprocess.run(
            [self._gdb, "-nx", "-batch", "-x", str(GDB_SCRIPT), "-x", str(folder / "ask.py")]
            + [str(self.program), str(self.path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )
        return [(folder / f"{number}.out").read_text() for number in range(len(lines))]

    def look(self, *words: object) -> "subprocess.CompletedProcess[str]":
        """The same with the command."""
        return in_process("core", self.program, self.path, *words)


def make_core(gdb: str, program: Path, where: str, path: Path) -> Core:
    """A core file of a program that has come to a function."""
    subprocess.run(
        [gdb, "-nx", "-batch", "-ex", f"break {where}"]
        + ["-ex", f"run --truth {path}.truth > {path}.log", "-ex", f"generate-core-file {path}"]
        + [str(program)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )
    if not path.exists():
        pytest.skip(f"gdb made no core of {program.name}")
    return Core(gdb, program, path)

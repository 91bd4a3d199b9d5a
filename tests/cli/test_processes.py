# SPDX-License-Identifier: MIT
"""`mapscope pid`: a live process is read while it is stopped, and goes on whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict

import pytest

from mapscope.program import traced_process
from shown import COMMAND, in_process, mapscope, wait_for

pytest_plugins = ["shown_programs"]

Program = "subprocess.Popen[bytes]"


def state(pid: int) -> Dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_stopped(pid: int) -> bool:
    return state(pid)["State"].startswith("t")


def goes_on(pid: int) -> None:
    """Every thread of it, and nobody traces it."""
    wait_for(lambda: state(pid)["TracerPid"] == "0", "the process is let go")
    for task in os.listdir(f"/proc/{pid}/task"):
        text = Path(f"/proc/{pid}/task/{task}/status").read_text(encoding="utf-8")
        assert "State:\tt" not in text and "State:\tT" not in text


def test_it_is_read_and_goes_on(running: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    record = [json.loads(line) for line in (tmp_path / "truth").read_bytes().splitlines()]
    (entries,) = [one["count"] for one in record if one["name"] == "main.Doubling"]
    found = mapscope("pid", running.pid, "inspect", "main.Doubling", "--json")
    assert found.returncode == 0, found.stderr
    form = json.loads(found.stdout)
    # it is filled until some of it has moved, which its seed decides
    assert form["count"] == entries and form["growth"]["kind"] == "double"
    goes_on(running.pid)
    found = mapscope("pid", running.pid, "check", "main.SameSize")
    assert (found.returncode, found.stderr) == (0, "") and "nothing wrong" in found.stdout
    found = mapscope("pid", running.pid, "writers")
    assert found.stdout == "no thread is inside a map write\n"


def test_read_while_it_runs(running: "subprocess.Popen[bytes]") -> None:
    found = mapscope("pid", "--no-stop", running.pid, "inspect", "main.Doubling")
    assert found.stdout.startswith("warning: read while the process ran") and not found.stderr
    found = mapscope("pid", "--no-stop", running.pid, "list", "--json")
    assert "read while the process ran" in found.stderr and json.loads(found.stdout)["maps"]
    # what threads do is not known
    found = mapscope("pid", "--no-stop", running.pid, "writers")
    assert found.returncode == 2 and "stopped" in found.stderr and not found.stdout


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_the_command(running: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    """Ended while the process is stopped, it leaves the process running."""
    command = subprocess.Popen(
        [sys.executable, str(COMMAND), "pid", str(running.pid), "heap"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: is_stopped(running.pid) or command.poll() is not None, "it is stopped")
    assert is_stopped(running.pid)
    command.send_signal(how)
    _, said = command.communicate(timeout=30)
    assert b"Traceback" not in said
    assert (
        command.returncode
        == {
            signal.SIGKILL: -signal.SIGKILL,
            signal.SIGTERM: 128 + signal.SIGTERM,
            signal.SIGINT: 130,
        }[how]
    )
    goes_on(running.pid)
    assert running.poll() is None


def test_one_that_is_traced_already(running: "subprocess.Popen[bytes]", gdb: str) -> None:
    debugger = subprocess.Popen(
        [gdb, "-nx", "-q", "-p", str(running.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: is_stopped(running.pid), "gdb has stopped it")
        found = mapscope("pid", running.pid, "list")
        assert found.returncode == 1
        assert f"is traced by process {debugger.pid}" in found.stderr
        found = mapscope("pid", "--no-stop", running.pid, "inspect", "main.One")
        assert found.returncode == 0 and "1, load" in found.stdout
    finally:
        debugger.communicate(b"kill\n", timeout=30)


def test_no_signal_is_lost() -> None:
    """One that comes while the process is stopped, or as it is being stopped, is delivered."""
    script = "import signal,time\nn=[]\nsignal.signal(signal.SIGUSR1,lambda s,f:n.append(s))\n"
    script += "print('up',flush=True)\nwhile len(n)<1: time.sleep(.01)\nprint('got it',flush=True)"
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert program.stdout is not None and program.stdout.readline() == b"up\n"
    command = subprocess.Popen(
        [sys.executable, str(COMMAND), "pid", str(program.pid), "list"], stdout=subprocess.DEVNULL
    )
    wait_for(lambda: is_stopped(program.pid) or command.poll() is not None, "it is stopped")
    program.send_signal(signal.SIGUSR1)
    assert program.stdout.readline() == b"got it\n"
    command.wait(timeout=30)
    program.wait(timeout=30)


def test_another_program_than_the_one_named(
    running: "subprocess.Popen[bytes]", programs: Path
) -> None:
    found = mapscope("pid", "--program", programs / "zoo_O2", running.pid, "list")
    assert found.returncode == 1 and "runs another program than" in found.stderr
    goes_on(running.pid)


def test_one_that_has_ended() -> None:
    program = subprocess.Popen(["true"])
    time.sleep(0.1)  # it is a zombie, as nobody has waited for it
    wait_for(lambda: state(program.pid)["State"].startswith("Z"), "it has ended")
    found = mapscope("pid", program.pid, "list")
    assert found.returncode == 1 and "has ended" in found.stderr
    program.wait()


def test_one_that_waits_in_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that cannot be stopped is told."""
    script = "import ctypes, time\nif ctypes.CDLL(None).vfork() == 0:\n    time.sleep(60)\n"
    program = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_for(lambda: state(program.pid)["State"].startswith("D"), "it waits for its child")
        monkeypatch.setattr(traced_process, "_PATIENCE", 0.3)
        found = in_process("pid", program.pid, "list")
        assert found.returncode == 1 and "did not stop within 0.3 seconds" in found.stderr
        assert "--no-stop" in found.stderr and found.stderr.count("\n") == 1
    finally:
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        for child in map(int, children):
            os.kill(child, signal.SIGKILL)
        program.kill()
        program.wait()

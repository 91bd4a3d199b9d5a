#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A PostgreSQL of the distribution's, without debug information, whose table of prepared statements
a debugger looks into: the structs of such tables are compiled and given to the debugger.

    dynahash_server.py SOURCE FOLDER [--statements N] -- DEBUGGER [OPTIONS...]

Starts it for one user (--single), prepares statements, so that the table splits a bucket for each
of most of them, and compares what the debugger shows with what was prepared. Prints "left out:"
and why where there is no such server.
"""

import argparse
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

from kv_server import find_server

#: the function that looks one up: it loads the pointer to the table before anything else
_FUNCTION = "FetchPreparedStatement"
_LOAD = re.compile(rb"\x48\x8b[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....)", re.DOTALL)
#: a process of the superuser's is refused: so it is somebody else's
_NOBODY = 65534
_DEADLINE = 60.0


def as_user() -> Dict[str, Any]:
    """Who the server runs as, for subprocess."""
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if not os.geteuid() else {}


def make_data(program: Path, folder: Path) -> Path:
    """The folder of a new database."""
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    if not os.geteuid():
        os.chown(data, _NOBODY, _NOBODY)
    words = [
        str(program.parent / "initdb"),
        "-D",
        str(data),
        "-U",
        "me",
        "-A",
        "trust",
        "--no-sync",
    ]
    words += ["-E", "UTF8", "--locale=C", "--no-instructions"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=data, **as_user())
    return data


def address_of_table(program: Path, pid: int) -> int:
    """Where the table is: the pointer to it has no name."""
    listed = subprocess.run(["nm", "-D", str(program)], check=True, stdout=subprocess.PIPE).stdout
    found = re.search(rb"^([0-9a-f]+) T " + _FUNCTION.encode() + rb"$", listed, re.MULTILINE)
    assert found is not None, "the server exports its functions"
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    base = min(int(line.split("-")[0], 16) for line in maps if line.endswith("/bin/postgres"))
    start = base + int(found[1], 16)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(start)
        code = memory.read(64)
        load = _LOAD.search(code)
        assert load is not None, code.hex()
        memory.seek(start + load.end() + struct.unpack("<i", load[1])[0])
        return int(struct.unpack("<Q", memory.read(8))[0])


def prepare(server: "subprocess.Popen[bytes]", log: Path, statements: int) -> None:
    """Have statements prepared, and wait until they are."""
    assert server.stdin is not None
    for at in range(statements):
        server.stdin.write(b"prepare statement_%d as select %d;\n" % (at, at))
    server.stdin.write(b"select 'all of them' as told;\n")
    server.stdin.flush()
    end = time.monotonic() + _DEADLINE
    while b"all of them" not in log.read_bytes():
        assert time.monotonic() < end and server.poll() is None, log.read_bytes()[-2000:]
        time.sleep(0.05)


def commands(table: int, types: Path, folder: Path) -> List[str]:
    """What the debugger is told."""
    where = f"{table:#x} --type dynahash"
    lines = [f"add-symbol-file {types}", "map describe dynahash"]
    lines += [f"map {what} {where} --json -o '{folder}/{what}'" for what in ("inspect", "check")]
    lines.append(f"map entries {where} --limit 0 --json -o '{folder}/entries'")
    return [*lines, f"map inspect {where}", f"map inspect {table + 8:#x} --type dynahash", "detach"]


def name_of(key: Any) -> str:
    """A key, of which what is behind the name's end means nothing."""
    raw = bytes.fromhex(key["bytes"]) if isinstance(key, dict) else key.encode()
    return str(raw.split(b"\0")[0].decode())


def compare(folder: Path, statements: int) -> int:
    """How much of what was shown is wrong."""
    inspect, check = (json.loads((folder / one).read_text()) for one in ("inspect", "check"))
    rows = [json.loads(line) for line in (folder / "entries").read_text().splitlines()]
    keys = sorted(name_of(row["key"]) for row in rows[1:-1])
    wrong = []
    if keys != sorted(f"statement_{at}" for at in range(statements)):
        wrong.append(f"{len(keys)} keys, as {keys[:3]}")
    if inspect["count"] != statements or inspect["growth"] is not None:
        wrong.append(f"inspect: {inspect}")
    if not check["ok"] or check["checked"]["keys"] != statements:
        wrong.append(f"check: {check}")
    for line in wrong:
        print(f"wrong: {line}")
    print(f"{len(keys)} statements, {len(wrong)} answers wrong")
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--statements", type=int, default=700)
    parser.add_argument("debugger", nargs="+")
    arguments = parser.parse_args()
    program, reason = find_server("postgresql")
    if program is None:
        print(f"left out: {reason}")
        return 0
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    types = folder / "types.o"
    source = arguments.source / "tests/debugger/programs/cpp/dynahash_types.cpp"
    subprocess.run(["g++", "-std=c++20", "-g", "-c", str(source), "-o", str(types)], check=True)
    data, log = make_data(program, folder), folder / "server.out"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [str(program), "--single", "-D", str(data), "postgres"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=data,
            **as_user(),
        )
    try:
        prepare(server, log, arguments.statements)
        table = address_of_table(program, server.pid)
        words = [*arguments.debugger]
        for line in commands(table, types, folder):
            words += ["-ex", line]
        words += ["-p", str(server.pid)]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        sys.stdout.write(done.stdout.decode(errors="replace"))
        return 1 if compare(folder, arguments.statements) else 0
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(_DEADLINE)
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

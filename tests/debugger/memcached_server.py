#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A memcached of the tests' own, looked into by a debugger in the middle of an expansion.

    memcached_server.py FOLDER [--keys N] [--part N] [--steps] -- DEBUGGER [OPTIONS...]

It listens on a socket in FOLDER alone, and is ended whatever happens. It is filled up to where it
does not expand yet; when the debugger has set its first stop, up to N keys, which are too many for
the table, and its clock starts the expansion. The debugger stops there in the middle, and writes
all entries as JSON. After it has gone, the expansion goes on, and the server is asked for the same
by its own protocol: `lru_crawler metadump all` for the keys, `get` for their values; they must be
equal. With --steps the table is a small one, and the debugger does only what its OPTIONS say.

Prints a line for each comparison; ends with status 1 if one fails. Prints "left out: REASON", and
nothing else, if there is no such server.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional
from urllib.parse import unquote_to_bytes

from kv_server import Comparison, find_server, text

#: log2 of the buckets at the beginning, where steps are taken too
_POWER, _SMALL = 16, 12
_FOUND = 5
_ARMED = re.compile(rb"mapscope stop 1: .*\bby ")


class Memcached:
    """One server process."""

    def __init__(self, program: Path, folder: Path, power: int) -> None:
        #: entries above which the table expands
        self.limit = 3 << power >> 1
        log = (folder / "log").open("w", encoding="utf-8")
        # a path that is longer than a socket's name can be is named from there
        self.process = subprocess.Popen(
            [str(program), *"-u root -s socket -m 512 -t 2 -o".split(), f"hashpower={power}"],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._socket = self._connect(folder)
        self._file = self._socket.makefile("rb")

    def _connect(self, folder: Path) -> socket.socket:
        for _ in range(200):
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(120)
            at = os.open(folder, os.O_RDONLY)
            try:
                made.connect(f"/proc/self/fd/{at}/socket")
                return made
            except OSError:
                made.close()
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            finally:
                os.close(at)
        raise RuntimeError((folder / "log").read_text(encoding="utf-8")[-500:])

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def put(self, first: int, end: int) -> None:
        """Store keys with these numbers, of every form that there is."""
        parts: List[bytes] = []
        for at in range(first, end):
            key, value = _key(at), _value(at)
            parts.append(b"set %s %d 0 %d noreply\r\n%s\r\n" % (key, at % 3, len(value), value))
        self._socket.sendall(b"".join(parts) + b"version\r\n")
        assert self._file.readline().startswith(b"VERSION")

    def keys(self) -> List[bytes]:
        """All keys that it knows."""
        self._socket.sendall(b"lru_crawler metadump all\r\n")
        found: List[bytes] = []
        while True:
            line = self._file.readline().strip()
            if line.startswith(b"key="):
                found.append(unquote_to_bytes(line[4:].partition(b" ")[0]))
            elif line == b"END":
                return sorted(found)
            else:
                raise RuntimeError(line.decode())

    def values(self, keys: List[bytes]) -> Dict[bytes, Any]:
        """What `get` says."""
        found: Dict[bytes, Any] = {}
        for first in range(0, len(keys), 100):
            self._socket.sendall(b"get %s\r\n" % b" ".join(keys[first : first + 100]))
            while True:
                words = self._file.readline().split()
                if words[0] == b"END":
                    break
                found[words[1]] = text(self._file.read(int(words[3]) + 2)[:-2])
        return found

    def stats(self) -> Dict[bytes, bytes]:
        """What `stats` says."""
        self._socket.sendall(b"stats\r\n")
        found: Dict[bytes, bytes] = {}
        while True:
            words = self._file.readline().split()
            if words[0] == b"END":
                return found
            found[words[1]] = words[2]


def _key(at: int) -> bytes:
    return b"key:%d" % at if at % 100 else b"k%d" % at * 30


def _value(at: int) -> bytes:
    return (b"value %d" % at, b"", b"\xff\0%d" % at, b"long" * 200)[at % 4 if at % 10 == 0 else 0]


def commands(folder: Path) -> List[str]:
    """What the debugger is to do where it has stopped."""
    lines = ["map break delete all"]
    lines.append(f"map entries memcached --json -o '{folder}/memcached.json'")
    for name in ("inspect", "stats", "check"):
        lines.append(f"map {name} memcached --json -o '{folder}/{name}.json'")
    lines.append(f"map list --json -o '{folder}/list.json'")
    for at in range(_FOUND):
        key = f"key:{at * 1901 + 7}"
        lines.append(f"map find memcached {key} --json -o '{folder}/find {at}.json'")
    lines.append(f"map find memcached none --json -o '{folder}/find none.json'")
    return lines


def compare(server: Memcached, folder: Path, keys: int) -> int:
    """Compare all that was written; how much is wrong."""
    comparison = Comparison(folder)
    truth = server.values(server.keys())
    good = len(truth) == keys and server.stats()[b"hash_power_level"] == b"17"
    comparison.say(good, f"the server has {len(truth)} keys, and has expanded")
    comparison.entries("memcached", truth)
    report, checked = comparison.form("check"), comparison.form("check").get("checked", {})
    good = report.get("ok") is True and checked.get("keys") == keys == checked.get("cells")
    comparison.say(good, "check" + ("" if good else f": {report}"))
    for at in range(_FOUND):
        found = comparison.form(f"find {at}")
        entry = found.get("entry") or {}
        key = f"key:{at * 1901 + 7}".encode()
        good = found.get("method") == "hash" and entry.get("value") == truth[key]
        comparison.say(good, f"find {key.decode()}" + ("" if good else f": {found}"))
    found = comparison.form("find none")
    comparison.say(found.get("found") is False, f"find of what is absent: {found.get('found')}")
    growth = comparison.form("inspect").get("growth") or {}
    good = 1 << _POWER == growth.get("old_buckets") > growth.get("nevacuate", 0) > 0
    comparison.say(good, f"inspect in mid-expansion{'' if good else f': {growth}'}")
    stats = comparison.form("stats")
    comparison.say(stats.get("entries") == keys, f"stats: {stats.get('entries')} entries")
    rows = [(row["name"], row["count"]) for row in comparison.form("list").get("maps", [])]
    comparison.say(rows == [("memcached", keys)], f"list: {rows}")
    return comparison.wrong


def debug(server: Memcached, words: List[str], keys: int) -> bytes:
    """Run the debugger, and let the table become too small when it waits for that; its output."""
    done: Optional[threading.Thread] = None
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = b""
    assert process.stdout is not None
    for line in process.stdout:
        output += line
        if done is None and _ARMED.match(line):
            done = threading.Thread(target=server.put, args=(server.limit, keys))
            done.start()
    process.wait()
    if done is not None:
        done.join()
    return output


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--part", type=int, default=2, help="of the expansion, in percent")
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("debugger", nargs="+")
    arguments = parser.parse_args()
    program, reason = find_server("memcached")
    if program is None:
        print(f"left out: {reason}")
        return 0
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    server = Memcached(program, folder, _SMALL if arguments.steps else _POWER)
    try:
        server.put(0, server.limit)
        words = [*arguments.debugger]
        if not arguments.steps:
            stop = f"map break progress {arguments.part}% memcached"
            lines = ["map describe memcached", stop, "continue", *commands(folder), "detach"]
            for line in lines:
                words += ["-ex", line]
        keys = server.limit + 60 if arguments.steps else arguments.keys
        output = debug(server, [*words, "-p", str(server.process.pid)], keys)
        (folder / "debugger.out").write_bytes(output)
        if arguments.steps:
            sys.stdout.write(output.decode(errors="replace"))
            return 0
        return 1 if compare(server, folder, arguments.keys) else 0
    finally:
        server.end()


if __name__ == "__main__":
    sys.exit(main())

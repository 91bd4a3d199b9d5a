#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A key-value server of the tests' own, looked into by a debugger in the middle of a migration.

    kv_server.py FOLDER SERVER [--keys N] [--busy [--growing]] [--saving] -- DEBUGGER [OPTIONS...]

SERVER is "redis-7.0" and so on, as `scripts/toolchains servers` has it, or the path of a server.
It listens on a socket in FOLDER alone, and is ended whatever happens.

It is filled with N strings and with a hash, a set and a sorted set that are tables of their own,
and with small values of every type; nothing migrates unless somebody asks. Then the debugger is
attached: it writes all entries of the database, of its expires and of those three as JSON. After it
has gone the server is asked for the same by SCAN, GET, HGETALL, SMEMBERS, ZRANGE, PEXPIRETIME, and
for the sizes and counts of both tables of each by DEBUG HTSTATS: they must be equal. With --saving
a child process of the server saves meanwhile, and does not get far: `map inspect` must tell of it.
With --busy the debugger is attached with its own options alone, while the server is asked for keys,
fields and members all the time, so that it migrates; with --growing it is given members of a new
set and new keys, too, so that migrations start.

Prints a line for each comparison; ends with status 1 if one fails. Prints "left out: REASON", and
nothing else, if there is no such server.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

Reply = Any
#: entries of each table in the database
_INNER = 5000
#: keys with a time to live, in seconds
_EXPIRING, _TTL = 1000, 100000
#: keys that are looked up
_FOUND = 7
_INTERPRETER = b"/lib64/ld-linux-x86-64.so.2\0"
_OWN_INTERPRETER = b"lib/ld-linux-x86-64.so.2\0"


class Client:
    """A connection to the server."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        # a path that is longer than a socket's name can be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        self._file = self._socket.makefile("rb")

    def many(self, commands: List[Tuple[Any, ...]]) -> List[Reply]:
        """The replies to commands, in their order."""
        replies: List[Reply] = []
        for first in range(0, len(commands), 1000):
            some = commands[first : first + 1000]
            self._socket.sendall(b"".join(map(_words, some)))
            replies += [self._reply() for _ in some]
        return replies

    def ask(self, *words: Any) -> Reply:
        """The reply to one command."""
        return self.many([words])[0]

    def _reply(self) -> Reply:
        line = self._file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return rest


def _words(command: Tuple[Any, ...]) -> bytes:
    texts = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    parts = [b"$%d\r\n%s\r\n" % (len(text), text) for text in texts]
    return b"*%d\r\n%s" % (len(texts), b"".join(parts))


class Server:
    """One server process."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder = folder
        environment = dict(os.environ)
        libraries = program.parent.parent / "lib" / "x86_64-linux-gnu"
        command = [str(program)]
        cwd: Optional[Path] = None
        if (libraries / "ld-linux-x86-64.so.2").exists():
            # of a newer Debian: it runs with the C library that it was unpacked with
            cwd = folder
            (folder / "lib").symlink_to(libraries)
            own = folder / "server"
            own.write_bytes(_with_interpreter(program.read_bytes()))
            own.chmod(0o755)
            command = ["./server"]
            environment["LD_LIBRARY_PATH"] = "lib"
        elif libraries.exists():
            environment["LD_LIBRARY_PATH"] = str(libraries)
        self.name = "redis-server" if "redis" in program.name else "valkey-server"
        log = (folder / "log").open("w", encoding="utf-8")
        options = ["--port", "0", "--unixsocket", "socket", "--save", "", "--daemonize", "no"]
        options += ["--activerehashing", "no", "--dir", ".", "--databases", "5"]
        options += ["--enable-debug-command", "yes"]
        self.process = subprocess.Popen(
            [self.name, *options],
            executable=command[0] if cwd else str(program),
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.client = self._connect()

    def _connect(self) -> Client:
        for _ in range(200):
            try:
                return Client(self.folder / "socket")
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")[-500:])

    def end(self) -> None:
        """End it, and a child of it that saves."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split():
            os.kill(int(child), signal.SIGKILL)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def fill(self, keys: int) -> None:
        """Fill its databases."""
        commands: List[Tuple[Any, ...]] = []
        for at in range(_INNER):
            commands.append(("HSET", "hash", f"field{at}", f"value{at}"))
            commands.append(("SADD", "set", f"member{at}"))
            commands.append(("ZADD", "zset", at * 0.5, f"element{at}"))
        commands += [
            ("HSET", "small hash", "field", "value", "b", "2"),
            ("SADD", "numbers", 1, 2, 3),
            ("SADD", "small set", "a", "b"),
            ("ZADD", "small zset", 1.5, "one"),
            ("RPUSH", "list", *range(200)),
            ("XADD", "stream", "*", "field", "value"),
            ("SET", "long", "x" * 70000),
            ("SET", "not UTF-8", b"\xff\0\n"),
            ("SET", "", "no key"),
            ("SET", "negative", -7),
            ("SET", "k" * 300, "a long key"),
            ("RPUSH", "small list", "a"),
        ]
        have = len({command[1] for command in commands})
        for at in range(keys - have):
            commands.append(("SET", f"key:{at}", f"value {at}" if at % 3 else at))
        commands += [("EXPIRE", f"key:{at}", _TTL + at) for at in range(_EXPIRING)]
        commands += [("SELECT", 3), ("SET", "of db3", "value"), ("SELECT", 0)]
        self.client.many(commands)

    def save(self) -> int:
        """Have a child process save, which takes long. Its number."""
        self.client.ask("CONFIG", "SET", "rdb-key-save-delay", 10_000_000)
        self.client.ask("BGSAVE")
        pid = self.process.pid
        for _ in range(100):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
            if children:
                return int(children[0])
            time.sleep(0.05)
        raise RuntimeError("no child process saves")

    def scan(self) -> List[bytes]:
        """All keys, each once."""
        cursor, found = b"0", set()
        while True:
            cursor, keys = self.client.ask("SCAN", cursor, "COUNT", 1000)
            found.update(keys)
            if cursor == b"0":
                return sorted(found)


def _with_interpreter(program: bytes) -> bytes:
    assert program.count(_INTERPRETER) == 1
    return program.replace(_INTERPRETER, _OWN_INTERPRETER.ljust(len(_INTERPRETER), b"\0"))


# --- what the server says ---


def text(raw: bytes) -> Any:
    """As JSON has strings."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"bytes": raw.hex()}


def key_of(form: Any) -> bytes:
    """A key of mapscope's JSON."""
    return bytes.fromhex(form["bytes"]) if isinstance(form, dict) else str(form).encode()


_COUNTS = {"list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "stream": "XLEN"}


def truth_of(server: Server) -> Dict[bytes, Any]:
    """Keys and values of database 0."""
    keys, ask = server.scan(), server.client.many
    types = [kind.decode() for kind in ask([("TYPE", key) for key in keys])]
    encodings = ask([("OBJECT", "ENCODING", key) for key in keys])
    strings = [key for key, kind in zip(keys, types) if kind == "string"]
    values = dict(zip(strings, ask([("GET", key) for key in strings])))
    found: Dict[bytes, Any] = {}
    for key, kind, encoding in zip(keys, types, encodings):
        if kind == "string":
            value = values[key]
            found[key] = int(value) if encoding == b"int" else text(value)
            continue
        count = server.client.ask(_COUNTS[kind], key)
        if encoding in (b"hashtable", b"skiplist"):
            found[key] = {"map": kind, "count": count}
        else:
            name = encoding.decode()
            found[key] = {"type": kind, "encoding": name, "length": count}
    return found


def inner_truth(server: Server) -> Iterator[Tuple[str, Dict[bytes, Any]]]:
    """Names of tables, and what they hold."""
    ask = server.client.ask
    pairs = ask("HGETALL", "hash")
    yield "hash", {key: text(value) for key, value in zip(pairs[::2], pairs[1::2])}
    yield "set", dict.fromkeys(ask("SMEMBERS", "set"))
    pairs = ask("ZRANGE", "zset", 0, -1, "WITHSCORES")
    yield "zset", {key: float(value) for key, value in zip(pairs[::2], pairs[1::2])}
    keys = [b"key:%d" % at for at in range(_EXPIRING)]
    times = server.client.many([("PEXPIRETIME", key) for key in keys])
    yield "expires", dict(zip(keys, times))
    yield "db3", {b"of db3": "value"}


#: tables as mapscope names them
MAPS = {
    "db0": "db0",
    "hash": 'db0["hash"]',
    "set": 'db0.keys["set"]',
    "zset": 'db0.keys["zset"]',
    "expires": "db0.expires",
    "db3": "db3.keys",
}


#: tables that the server tells of by DEBUG HTSTATS and HTSTATS-KEY
HTSTATS = ("db0", "expires", "hash", "set", "zset")
_TABLE = re.compile(rb"table size: (\d+)\s+number of (?:elements|entries): (\d+)")


def htstats(server: Server) -> Iterator[Tuple[str, List[Tuple[int, int]]]]:
    """Names of tables, and (size, entries) of those that each has."""
    keys, _, expires = server.client.ask("DEBUG", "HTSTATS", 0).partition(b"[Expires HT]")
    texts = [keys, expires]
    texts += [server.client.ask("DEBUG", "HTSTATS-KEY", name) for name in HTSTATS[2:]]
    for name, found in zip(HTSTATS, texts):
        yield name, [(int(size), int(count)) for size, count in _TABLE.findall(found)]


class Comparison:
    """What the debugger wrote, against what the server says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong = 0

    def say(self, good: bool, line: str) -> None:
        """A line about one thing."""
        self.wrong += not good
        print(f"{'right' if good else 'WRONG'}: {line}", flush=True)

    def entries(self, name: str, truth: Dict[bytes, Any]) -> None:
        """All entries of a table."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            self.say(False, f"{name}: nothing was written")
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        head, last = json.loads(lines[0]), json.loads(lines[-1])
        shown = [json.loads(line) for line in lines[1:-1]]
        found = {key_of(entry["key"]): _plain(entry["value"]) for entry in shown}
        differing = [key for key in found.keys() | truth.keys() if not _same(found, truth, key)]
        good = (
            not differing
            and len(found) == len(shown) == head["count"] == last["entries"]
            and last["complete"]
        )
        what = f"{name}: {len(shown)} entries of {len(truth)}, {len(differing)} differ"
        if not good:
            some = [(key, found.get(key), truth.get(key)) for key in differing[:3]]
            what += f" {some} {last}"
        self.say(good, what)

    def tables(self, name: str, truth: List[Tuple[int, int]]) -> None:
        """Sizes and counts of both tables."""
        facts = self.form(f"inspect {name}")
        growth = facts.get("growth")
        # a size of Valkey's hashtables is that of all positions
        each = 7 if facts.get("flavor") == "valkey-hashtable" else 1
        sizes = [each * size for size in facts.get("sizes", []) if size is not None]
        counts = [facts.get("count")]
        if growth is not None:
            counts = [growth["entries_waiting"], growth["entries_moved"]]
        good = bool(truth) and list(zip(sizes, counts)) == truth
        self.say(good, f"tables of {name}: {truth}{'' if good else f', not {sizes} {counts}'}")

    def form(self, name: str) -> Dict[str, Any]:
        """The object that a command wrote; {} if it wrote none."""
        try:
            form: Dict[str, Any] = json.loads((self.folder / f"{name}.json").read_bytes())
            return form
        except (OSError, ValueError):
            return {}


def _plain(value: Any) -> Any:
    """A value without its address."""
    if isinstance(value, dict) and "map" in value:
        return {"map": value["map"], "count": value["count"]}
    return value


def _same(found: Dict[bytes, Any], truth: Dict[bytes, Any], key: bytes) -> bool:
    return key in found and key in truth and found[key] == truth[key]


def commands(folder: Path, keys: int) -> List[str]:
    """What the debugger is to do."""
    lines = []
    for name, map in MAPS.items():
        lines.append(f"map entries '{map}' --json -o '{folder}/{name}.json'")
        lines.append(f"map check '{map}' --json -o '{folder}/check {name}.json'")
    for name in HTSTATS:
        lines.append(f"map inspect '{MAPS[name]}' --json -o '{folder}/inspect {name}.json'")
    lines.append(f"map stats db0 --json -o '{folder}/stats.json'")
    lines.append(f"map list --json -o '{folder}/list.json'")
    lines.append(f"map list --migrating --json -o '{folder}/migrating.json'")
    for at in range(_FOUND):
        key = f"key:{at * (keys // _FOUND // 2)}"
        lines.append(f"map find db0 {key} --json -o '{folder}/find {at}.json'")
    lines.append(f"map find db0 none --json -o '{folder}/find none.json'")
    return lines


def compare(server: Server, folder: Path, keys: int, child: int) -> int:
    """Compare all that was written; how much is wrong.

    :param child: the process that saves; 0: there was none
    """
    comparison = Comparison(folder)
    for name, tables in htstats(server):  # before anything is asked for that may move entries
        comparison.tables(name, tables)
    truth = truth_of(server)
    comparison.entries("db0", truth)
    for name, inner in inner_truth(server):
        comparison.entries(name, inner)
    for name in MAPS:
        report = comparison.form(f"check {name}")
        checked = report.get("checked", {})
        good = report.get("ok") is True and checked.get("keys") == checked.get("cells")
        comparison.say(good, f"check of {name}" + ("" if good else f": {report}"))
    for at in range(_FOUND):
        found = comparison.form(f"find {at}")
        entry = found.get("entry") or {}
        key = f"key:{at * (keys // _FOUND // 2)}".encode()
        good = found.get("method") == "hash" and entry.get("value") == truth[key]
        comparison.say(good, f"find {key.decode()}" + ("" if good else f": {found}"))
    found = comparison.form("find none")
    comparison.say(found.get("found") is False, f"find of what is absent: {found.get('found')}")
    facts, stats = comparison.form("inspect db0"), comparison.form("stats")
    growth = facts.get("growth") or {}
    good = growth.get("old_buckets", 0) > growth.get("nevacuate", -1) > 0
    good &= growth.get("entries_moved", 0) + growth.get("entries_waiting", 0) == len(truth)
    comparison.say(good, f"inspect in mid-migration{'' if good else f': {facts}'}")
    notes = facts.get("notes", [])
    told = any(f"child process {child} runs" in note for note in notes)
    good = told if child else not any("child process" in note for note in notes)
    comparison.say(good, f"child process {child or 'none'}{'' if good else f': {notes}'}")
    of_set = comparison.form("inspect set")
    notes = of_set.get("notes", [])
    good = of_set.get("growth", 0) is None or any(
        "a set migrates only when commands use it" in note for note in notes
    )
    comparison.say(good, f"a set's migration{'' if good else f': {notes}'}")
    comparison.say(stats.get("entries") == len(truth), f"stats: {stats.get('entries')} entries")
    names = {row["name"]: row["count"] for row in comparison.form("list").get("maps", [])}
    wanted = {"db0.keys": len(truth), "db0.expires": _EXPIRING, "db3.keys": 1}
    comparison.say(names == wanted, f"list: {names}")
    migrating = [row["name"] for row in comparison.form("migrating").get("maps", [])]
    growing = [row["name"] for row in comparison.form("list").get("maps", []) if row["growing"]]
    comparison.say(migrating == growing and "db0.keys" in growing, f"migrating: {migrating}")
    return comparison.wrong


def busy(server: Server, words: List[str], growing: bool) -> int:
    """Run the debugger while the server works.

    :param growing: whether there is more and more
    """
    ended = threading.Event()

    def ask() -> None:
        at = 0
        while not ended.is_set():
            at += 1
            more = [("SADD", "growing", f"member{at}"), ("SET", f"more:{at}", "value")]
            try:
                server.client.many(
                    [
                        ("GET", f"key:{at % 100}"),
                        ("SISMEMBER", "set", f"member{at}"),
                        ("HGET", "hash", f"field{at}"),
                        ("ZSCORE", "zset", f"element{at}"),
                        ("SET", f"new:{at % 50}", "value"),
                        ("DEL", f"new:{at % 50}"),
                        ("DEL", "none"),
                        *(more if growing else ()),
                    ]
                )
            except OSError:
                pass  # it stands still
            time.sleep(0.002)

    client = threading.Thread(target=ask)
    client.start()
    try:
        done = subprocess.run([*words, "-p", str(server.process.pid)], check=False)
        return done.returncode
    finally:
        ended.set()
        client.join()


def find_server(name: str) -> Tuple[Optional[Path], str]:
    """(the program, ""), or (None, why there is none)."""
    if "/" in name:
        return Path(name), ""
    script = Path(__file__).resolve().parents[2] / "scripts" / "toolchains"
    done = subprocess.run(
        [str(script), "servers", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )
    reason = f"no {name}"
    for line in done.stdout.splitlines():
        if line.startswith(f"{name} /"):
            return Path(line.partition(" ")[2]), ""
        if line.startswith(f"{name} skipped"):
            reason = line
    return None, reason


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("server")
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--growing", action="store_true")
    parser.add_argument("--saving", action="store_true")
    parser.add_argument("debugger", nargs="+")
    arguments = parser.parse_args()
    program, reason = find_server(arguments.server)
    if program is None:
        print(f"left out: {reason}")
        return 0
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(program, folder)
    try:
        server.fill(arguments.keys)
        words = [*arguments.debugger]
        if arguments.busy:
            return busy(server, words, arguments.growing)
        child = server.save() if arguments.saving else 0
        for line in commands(folder, arguments.keys):
            words += ["-ex", line]
        words += ["-ex", "detach", "-p", str(server.process.pid)]
        with (folder / "debugger.out").open("w", encoding="utf-8") as output:
            subprocess.run(words, stdout=output, stderr=subprocess.STDOUT, check=False, cwd=folder)
        return 1 if compare(server, folder, arguments.keys, child) else 0
    finally:
        server.end()


if __name__ == "__main__":
    sys.exit(main())

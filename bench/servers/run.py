#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a server's keys are read: in processor time of gdb, beside a server with many strings.

    bench/servers/run.py [SERVER...] [--keys N] [--script FILE]

SERVER is a name of `scripts/toolchains servers`: redis-7.0 unless named. The server is filled by
the tests' own client (tests/debugger/kv_server.py): a third of the values are numbers.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "debugger"))
import kv_server  # noqa: E402  # pylint: disable=wrong-import-position

#: commands that are measured; each looks at every key
COMMANDS = ("map entries db0 --limit 0 --json -o /dev/null", "map check db0", "map stats db0")
_MEASURE = """python
import time
for line in {commands!r}:
    started = time.process_time()
    gdb.execute(line, to_string=True)
    spent = time.process_time() - started
    print(f"{{line}}: {{spent:.2f}} s, {{round({keys} / spent, -3):,.0f}} entries a second")
end
"""


def measure(name: str, keys: int, script: Path, gdb: str) -> None:
    """Start a server, fill it, and print what gdb needs."""
    program, reason = kv_server.find_server(name)
    if program is None:
        print(f"{name}: left out: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder:
        server = kv_server.Server(program, Path(folder))
        try:
            server.fill(keys)
            commands = Path(folder) / "measure.gdb"
            text = _MEASURE.format(commands=COMMANDS, keys=keys)
            commands.write_text(text, encoding="utf-8")
            words = [gdb, "-nx", "-batch", "-q", "-x", str(script), "-p", str(server.process.pid)]
            done = subprocess.run(
                [*words, "-x", str(commands)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
        finally:
            server.end()
    print(f"{name}, {keys} keys")
    for line in done.stdout.splitlines():
        if line.startswith("map "):
            print(f"  {line}")
    if "map stats" not in done.stdout:
        print(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("servers", nargs="*", default=["redis-7.0"])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--script", type=Path, default=ROOT / "gdb" / "mapscope_gdb.py")
    parser.add_argument("--gdb", default="gdb")
    arguments = parser.parse_args()
    for name in arguments.servers:
        measure(name, arguments.keys, arguments.script, arguments.gdb)
    return 0


if __name__ == "__main__":
    sys.exit(main())

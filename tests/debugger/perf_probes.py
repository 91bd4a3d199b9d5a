#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What perf sees of the library's USDT probes, beside what the program itself says.

    perf_probes.py PROGRAM FOLDER

Makes events of its probes `grow` and `done`, as docs/probes.md says, records a run of the program
with MAPDEBUG=maptrace=1, and takes them away again; the file system of traces is mounted where
nobody else sees it. Prints "grow: N events, the same" where perf's and the program's have the same
numbers in the same order, "WRONG ..." where not; "left out: REASON" where there is no perf, or the
kernel does not let it.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NoReturn, Tuple

#: of each event, the line of the program's own trace, and perf's arguments that are in it
_TOLD: Dict[str, Tuple["re.Pattern[str]", Tuple[int, ...]]] = {
    "grow": (re.compile(r"grows from (\d+) to (\d+) buckets"), (4, 5)),
    "done": (re.compile(r"growth (done): (\d+) buckets"), (6, 5)),
}
_INSIDE = "MAPSCOPE_TEST_TRACES_ARE_MOUNTED"
_TRACES = "/sys/kernel/tracing"


def left_out(reason: str) -> NoReturn:
    """End, for this machine cannot have it."""
    print(f"left out: {reason}")
    sys.exit(0)


class Perf:
    """perf, with a list of programs of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """One of its commands."""
        return subprocess.run(
            ["perf", "--buildid-dir", str(self._folder / "ids"), *words],
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def needs(self, *words: str) -> None:
        """Run a command without which there is no test."""
        done = self.run(*words)
        if done.returncode:
            last = done.stderr.strip().splitlines()
            left_out(f"perf {words[0]}: {last[-1].strip() if last else done.returncode}")


def inside(program: str, folder: Path) -> None:
    """Record and compare, where the file system of traces is mounted."""
    if not os.path.exists(f"{_TRACES}/uprobe_events"):
        left_out("the kernel has no uprobes")
    perf, group = Perf(folder), "sdt_mapscope"
    perf.needs("buildid-cache", "--add", program)
    data = str(folder / "perf.data")
    try:
        for event in _TOLD:
            perf.needs("probe", f"{group}:{event}")
        done = perf.run(
            *("record", "-q", "-e", f"{group}:*", "-o", data, program), MAPDEBUG="maptrace=1"
        )
    finally:
        perf.run("probe", "-q", "-d", f"{group}:*")
    if not os.path.exists(data):
        left_out(f"perf record: {done.stderr.strip()[-200:]}")
    script = perf.run("script", "-i", data, "-F", "event,trace").stdout
    told = done.stdout + done.stderr
    for event, (line, places) in _TOLD.items():
        seen = [
            tuple(int(found[f"arg{place}"]) for place in places)
            for found in arguments(script, f"{group}:{event}:")
        ]
        if event == "grow":  # those of the same size have another line
            seen = [numbers for numbers in seen if numbers[0] != numbers[1]]
        else:  # what was abandoned has another one, too
            seen = [numbers for numbers in seen if not numbers[0]]
        found = (match.groups() for match in line.finditer(told))
        wanted = [tuple(0 if one == "done" else int(one) for one in groups) for groups in found]
        if seen == wanted and wanted:
            print(f"{event}: {len(wanted)} events, the same")
        else:
            print(f"WRONG {event}: perf has {seen[:8]}, the program {wanted[:8]}")


def arguments(script: str, name: str) -> List[Dict[str, str]]:
    """The arguments of each event of a name."""
    return [
        dict(re.findall(r"(arg\d+)=(\d+)", line))
        for line in script.splitlines()
        if line.strip().startswith(name)
    ]


def main() -> None:
    """Look what the machine has, and go on where traces are mounted."""
    program, folder = os.path.realpath(sys.argv[1]), Path(sys.argv[2])
    if os.environ.get(_INSIDE):
        inside(program, folder)
        return
    for tool in ("perf", "unshare", "mount"):
        if shutil.which(tool) is None:
            left_out(f"there is no {tool}")
    if os.geteuid():
        left_out("only root may set uprobes")
    if b"stapsdt" not in Path(program).read_bytes():
        left_out("the library was built without sys/sdt.h (Debian: systemtap-sdt-dev)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    again = [sys.executable, __file__, program, str(folder)]
    script = (
        f'mount -t tracefs none {_TRACES} 2>/dev/null || {{ echo "left out: no tracefs"; exit; }}'
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script + '; exec "$@"', "sh", *again],
        env={**os.environ, _INSIDE: "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode and not done.stdout:
        left_out("no file system of one's own can be mounted")
    sys.stdout.write(done.stdout)


if __name__ == "__main__":
    main()

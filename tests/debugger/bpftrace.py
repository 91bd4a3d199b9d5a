#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does bpftrace take a script, and what does it count by it?

    bpftrace.py SOURCE SCRIPT...
    bpftrace.py SOURCE --run SCRIPT PROGRAM

Translates each script as far as that needs no kernel (bpftrace -d), and prints "taken", or what
bpftrace says of it. With --run: runs the program under the script, and prints "NAME[TYPE]: N" for
each of its maps, by type of map; of a histogram how much is in it.

SOURCE is the project's folder: its scripts/toolchains has bpftrace, where the machine has none.
Says "left out: REASON" where it cannot be had, or the kernel does not let it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import Dict, List, Tuple

#: what it says of the machine, or before it has looked at the script
_OF_THE_MACHINE = re.compile(r"RLIMIT_MEMLOCK|available_filter_functions|BTF|debugfs|tracefs")


def tracer(source: str) -> Tuple[List[str], Dict[str, str]]:
    """The command, and its environment; ends the script where there is none."""
    environment = dict(os.environ)
    own = shutil.which("bpftrace")
    if own is not None:
        return [own], environment
    asked = [f"{source}/scripts/toolchains", "bpftrace"]
    said = subprocess.run(asked, stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout
    folder = said.strip().partition(" ")[2]
    if not folder.startswith("/"):
        print(f"left out: bpftrace: {folder}")
        sys.exit()
    environment["LD_LIBRARY_PATH"] = f"{folder}/lib/x86_64-linux-gnu"
    return [f"{folder}/bin/bpftrace"], environment


#: an entry of a map, up to its count or its histogram; how much is in a line of that
_ENTRY = re.compile(r"^@(\w+)\[(.*?)\]: ?(\d*)$", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^[\[(][^|]*?(\d+) \|", re.MULTILINE)
#: what it says where the kernel has no such probes, or keeps them for itself
_REFUSED = re.compile(r"ERROR: (Error attaching|.*not permitted|.*not supported).*")


def said(command: List[str], environment: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A run of the tracer, with all that it says."""
    return subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def run(command: List[str], environment: Dict[str, str], script: str, program: str) -> None:
    """Count."""
    done = said([*command, "--unsafe", script, "-c", program], environment)
    refused = _REFUSED.search(done.stdout)
    if refused or "maps are watched" not in done.stdout:
        lines = done.stdout.strip().splitlines() or ["it says nothing"]
        print("left out: bpftrace cannot run here:", refused[0] if refused else lines[-1])
        return
    sums: "Counter[str]" = Counter()
    entries = list(_ENTRY.finditer(done.stdout))
    for number, entry in enumerate(entries):
        end = entries[number + 1].start() if number + 1 < len(entries) else len(done.stdout)
        # the keys: perhaps what happens, the type's name, its address, who called
        keys = [key.strip() for key in entry[2].split(",")]
        name = next((key for key in keys if key.startswith(("map[", "mapscope::"))), "?")
        count = entry[3] or sum(int(n) for n in _LINE.findall(done.stdout[entry.end() : end]))
        sums[f"{entry[1]}[{name}]"] += int(count)
    for label, total in sorted(sums.items()):
        print(f"{label}: {total}")


def main() -> None:
    command, environment = tracer(sys.argv[1])
    if os.geteuid():
        print("left out: bpftrace looks at no script unless root runs it")
        return
    if sys.argv[2] == "--run":
        run(command, environment, *sys.argv[3:])
        return
    for script in sys.argv[2:]:
        done = said([*command, "-d", script], environment)
        wrong = [
            line
            for line in done.stdout.splitlines()
            if re.search(r"ERROR|\.bt:\d|stdin:\d", line) and not _OF_THE_MACHINE.search(line)
        ]
        # it has come to the end: the code of each probe is there
        whole = "define" in done.stdout and not done.returncode
        print("taken" if whole and not wrong else f"WRONG: {wrong or done.stdout[-500:]}")


main()

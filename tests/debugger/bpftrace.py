#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does bpftrace take a script?

    bpftrace.py SOURCE SCRIPT...

Translates each as far as that needs no kernel (bpftrace -d), and prints "taken", or what it says
of it. SOURCE is the project's folder: its scripts/toolchains has bpftrace, where the machine has
none. Says "left out: REASON" where it cannot be had.
"""

import os
import re
import shutil
import subprocess
import sys
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


def main() -> None:
    command, environment = tracer(sys.argv[1])
    if os.geteuid():
        print("left out: bpftrace looks at no script unless root runs it")
        return
    for script in sys.argv[2:]:
        done = subprocess.run(
            [*command, "-d", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        wrong = [
            line
            for line in done.stdout.splitlines()
            if re.search(r"ERROR|\.bt:\d|stdin:\d", line) and not _OF_THE_MACHINE.search(line)
        ]
        # it has come to the end: the code of each probe is there
        whole = "define" in done.stdout and not done.returncode
        print("taken" if whole and not wrong else f"WRONG: {wrong or done.stdout[-500:]}")


main()

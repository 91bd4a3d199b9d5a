#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run tests of this suite in other debuggers than the machine's.

    other_debuggers.py SOURCE SUITE NAME... -- LIT... -- TEST...

SOURCE is the project's folder, SUITE the build's folder of this suite, NAME as
scripts/toolchains has debuggers ("gdb-16"), LIT the command lit. Prints lit's lines of each, and
"NAME left out: REASON" of one that cannot be had here; ends with status 1 if a test fails.
"""

import subprocess
import sys
from pathlib import Path
from typing import List


def run(source: Path, suite: Path, name: str, lit: List[str], tests: List[str]) -> bool:
    """Whether all tests pass in a debugger."""
    asked = [str(source / "scripts" / "toolchains"), "debuggers", name]
    told = subprocess.run(asked, stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout
    place = told.strip().partition(" ")[2]
    if not place.startswith("/"):
        print(f"{name} left out: {place.partition(': ')[2] or place}")
        return True
    kind = name.partition("-")[0]
    options = ["-v", "-j1", f"-Ddebugger={kind}", f"-Dpath={place}"]
    files = [str(suite / f"{test}.test") for test in tests]
    done = subprocess.run([*lit, *options, *files], check=False)
    print(f"{name}: {'all tests passed' if not done.returncode else 'tests failed'}", flush=True)
    return not done.returncode


def main() -> int:
    """The whole program."""
    words = sys.argv[1:]
    first = words.index("--")
    second = words.index("--", first + 1)
    source, suite, *names = words[:first]
    lit, tests = words[first + 1 : second], words[second + 1 :]
    results = [run(Path(source), Path(suite), name, lit, tests) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a program of the tests with a C file that scripts/toolchains has from somebody's source.

    built_from.py NAME PROGRAM FLAGS AND FILES...

NAME is as `scripts/toolchains servers` has it; the headers beside the file are found too. Prints
"left out: REASON" where it, or a compiler, cannot be had.
"""

import shutil
import subprocess
import sys

from kv_server import find_server


def main() -> int:
    name, program, *words = sys.argv[1:]
    compiler = shutil.which("cc") or shutil.which("gcc")
    source, reason = find_server(name)
    if source is None or compiler is None:
        print(f"left out: {reason or 'there is no C compiler'}")
        return 0
    headers = source.parent / "include"
    command = [compiler, "-g", *words, f"-I{headers}", str(source), "-o", program]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

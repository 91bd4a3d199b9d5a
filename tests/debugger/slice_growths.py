#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the capacities that mapscope foretells those that append allocates?

    slice_growths.py SOURCE VERSION

Builds programs/go/slices with the toolchain that scripts/toolchains has of a version, and compares
its own account of growths with core/mapscope/slices/growth_rules.py. Ends with status 2, and says
so, where the toolchain cannot be had.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import toolchains


def main() -> int:
    """Compares; returns the exit status, 0 if all are the same."""
    source, version = Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(source / "core"))
    from mapscope.slices.growth_rules import go_capacity

    go = toolchains.command(source, version)
    if not go:
        return 2
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "slices"))
        built = toolchains.build(source, go, ["-o", program, "./slices"], "")
        if built.returncode:
            sys.stdout.write(built.stdout)
            return 1
        account = subprocess.run(
            [program, "--growths"], stdout=subprocess.PIPE, encoding="utf-8", check=True
        ).stdout
    told = subprocess.run([go, "version"], stdout=subprocess.PIPE, encoding="utf-8", check=True)
    minor = int(told.stdout.split()[2].split(".")[1])
    compared = differ = 0
    for line in account.splitlines():
        size, pointers, capacity, new = map(int, line.split())
        found = go_capacity(minor, capacity, capacity + 1, size, not pointers)
        compared += 1
        if found != new:
            differ += 1
            if differ < 20:
                kind = "with pointers" if pointers else "without"
                print(f"{size} bytes {kind}, {capacity} elements: {new} by append, not {found}")
    print(f"go1.{minor}: {compared} growths compared, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Does a map hold the memory that mapscope says?

    held_bytes.py FOLDER

FOLDER/out is the output of a program that printed "held BYTES" at each of its
stops, in which gdb wrote inspect.N, stats.N and list.N of its map main.M.
"""

import json
import re
import sys
from pathlib import Path

MOST = 0.02


def main() -> int:
    """Prints the differences; returns the exit status."""
    folder = Path(sys.argv[1])
    held = [int(n) for n in re.findall(r"^held (\d+)", (folder / "out").read_text(), re.MULTILINE)]
    status = 0 if len(held) == 3 else 1
    for number, truth in enumerate(held, 1):
        inspected = json.loads((folder / f"inspect.{number}").read_text())["bytes"]
        stats = json.loads((folder / f"stats.{number}").read_text())["bytes"]
        maps = json.loads((folder / f"list.{number}").read_text())["maps"]
        (listed,) = [row["bytes"] for row in maps if row["name"] == "main.M"]
        for name, value in (
            ("inspect", sum(inspected.values())),
            ("stats", stats["total"]),
            ("list", listed),
        ):
            difference = value / truth - 1
            print(f"{name}: {value} of {truth} bytes, {100 * difference:+.2f} %")
            status |= abs(difference) > MOST
    return status


if __name__ == "__main__":
    sys.exit(main())

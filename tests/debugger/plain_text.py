# SPDX-License-Identifier: MIT
"""Fails if a file has anything but text that a terminal shows, line by line."""

import sys


def main() -> int:
    """For each file named."""
    found = 0
    for name in sys.argv[1:]:
        with open(name, "rb") as file:
            rows = file.read().decode("utf-8", "surrogateescape").split("\n")
        if len(rows) < 2:
            print(f"{name} is empty")
            found += 1
        for number, row in enumerate(rows, 1):
            if not row.isprintable():
                print(f"{name}:{number}: {row!r}")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

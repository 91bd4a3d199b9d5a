# SPDX-License-Identifier: MIT
"""Are these the first so many entries of watch_migration?

    contiguous.py FILE N

FILE.1 to FILE.N are what `map entries --json` wrote at stops of that program: its
keys are session-00000, session-00001, ... in the order in which they are written,
each with its number. All up to the last one must be there, once; the one that is
being written may be in flight, or not there yet.
"""

import json
import sys


def main() -> int:
    """Checks; returns the exit status."""
    name, number = sys.argv[1], int(sys.argv[2])
    last = 0
    for n in range(1, number + 1):
        with open(f"{name}.{n}", encoding="utf-8") as file:
            first, *rows, end = (json.loads(line) for line in file)
        settled = [row for row in rows if not row.get("in_flight")]
        numbers = sorted(int(row["key"].split("-")[1]) for row in settled)
        moving = sorted(int(row["key"].split("-")[1]) for row in rows if row.get("in_flight"))
        found = sorted(numbers + moving)
        assert all(row["value"] == int(row["key"].split("-")[1]) for row in settled), n
        assert found == list(range(len(found))), f"stop {n}: not each entry once"
        assert len(found) in (first["count"], first["count"] + 1), (n, len(found), first)
        assert end["complete"] and end["entries"] == len(rows), (n, end)
        assert len(found) >= max(last, 26624), n
        last = len(found)
        print(f"stop {n}: {len(found)} entries, {len(moving)} of them in flight")
    return 0


if __name__ == "__main__":
    sys.exit(main())

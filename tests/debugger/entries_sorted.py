# SPDX-License-Identifier: MIT
"""Holds what `map entries --sort` shows against all entries, sorted here.

    entries_sorted.py ALL SORTED key|value [COUNT]

ALL and SORTED are what `map entries --json` wrote without and with --sort; COUNT is what SORTED was
limited to.
"""

import json
import sys
from typing import Any, List


def rows(path: str) -> List[Any]:
    """The entries of a file."""
    with open(path, encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    assert found[0]["schema"] == "mapscope.entries/1" and found[-1]["error"] is None, found[-1]
    assert found[-1]["entries"] == len(found) - 2
    return found[1:-1]


def compared_by(value: Any) -> Any:
    """What a number, a text, or one of a struct's fields is compared by."""
    if isinstance(value, dict):
        return [compared_by(part) for part in value.values()]
    if isinstance(value, list):
        return [compared_by(part) for part in value]
    return value.encode() if isinstance(value, str) else value


def main() -> None:
    """Compare."""
    entries, shown, what = rows(sys.argv[1]), rows(sys.argv[2]), sys.argv[3]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else len(entries)
    assert entries, "no entries to compare"

    def key(row: Any) -> Any:
        return compared_by(row[what])

    right = sorted(entries, key=key)[:count]
    for number, (one, other) in enumerate(zip(shown, right)):
        assert one == other, f"entry {number} by {what} is {one}, not {other}"
    assert len(shown) == len(right), f"{len(shown)} entries, not {len(right)}"


if __name__ == "__main__":
    main()

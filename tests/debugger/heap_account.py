#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what `map heap --json -o FILE` found with a program's own account.

    heap_account.py ACCOUNT FILE [--stripped]

ACCOUNT has a line for each owner of a map, tab-separated: address, entries, type, owner; and lines
of sizes that begin with # (programs/go/service). Prints how many maps are missing, have wrong
entries, type or owner; --stripped: types may be candidates, and owners begin at addresses. Ends
with status 1 if a map is
missing, or said to be something that it is not.
"""

import json
import re
import sys
from collections import Counter
from typing import Any, Dict, List, Tuple


def lines_of(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def is_owner(found: str, expected: str) -> bool:
    """Whether a path is the one that the program says, or inside of it."""
    if expected in ("worker", "parked"):  # a goroutine's frame, in which others may wait
        return re.match(rf"(main\.{expected}|\S+) \(goroutine \d+\)", found) is not None
    return found.startswith(expected)


def main() -> int:
    account, path = sys.argv[1:3]
    stripped = "--stripped" in sys.argv
    head, *rows, tail = lines_of(path)
    assert head["schema"] == "mapscope.heap/1"
    found = {int(row["address"], 16): row for row in rows}
    counts: Counter[str] = Counter()
    examples: Dict[str, str] = {}
    sizes: List[str] = []
    known: Dict[int, Tuple[int, str, List[str]]] = {}
    with open(account, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                sizes.append(line)
                continue
            address, entries, type, owner = line.rstrip("\n").split("\t")
            known.setdefault(int(address, 16), (int(entries), type, []))[2].append(owner)
    for place, (number, type, owners) in known.items():
        row = found.get(place)
        counts["maps"] += 1
        if row is None:
            verdict = "missing"
        elif row["count"] != number:
            verdict = "wrong entries"
        elif row["type"] != type and (row["type"] or not stripped):
            verdict = "wrong type"
        elif not stripped and not any(is_owner(row["owner"] or "", owner) for owner in owners):
            verdict = "wrong owner"
        elif row["garbage"] is not False:
            verdict = "wrong garbage"
        else:
            verdict = "right"
            if row["type"] is None:
                few = type in row["candidates"] and len(row["candidates"]) <= 3
                counts["one of three"] += few
                counts["of other candidates"] += not few
        counts[verdict] += 1
        examples.setdefault(verdict, f"{place:#x} {number} {type} {owners} but {row}")
    wrong = [name for name in counts if name.startswith(("wrong", "missing"))]
    for name in wrong:
        print(f"{name}: {examples[name]}")
    invented = [row for row in rows if int(row["address"], 16) not in known and row["garbage"]]
    print(
        f"{counts['maps']} maps of the program: {counts['right']} right, "
        f"{sum(counts[name] for name in wrong)} wrong, {len(invented)} others garbage"
    )
    if stripped:
        good = counts["right"] - counts["of other candidates"]
        every = max(counts["maps"], 1)
        print(
            f"types: {100 * good / every:.1f}% certain or among three, "
            f"{100 * (good - counts['one of three']) / every:.1f}% certain"
        )
    for line in sizes:
        match = re.match(r"# emptied \d+ bytes (-?\d+) wasted (-?\d+)", line)
        row = next((row for row in rows if row["owner"] == "main.emptied"), None)
        if match and row:
            held, wasted = int(match[1]), int(match[2])
            near = abs(row["bytes"] - held) <= held * 0.02
            near &= abs(row["wasted"] - wasted) <= wasted * 0.05
            print(
                f"sizes {'right' if near else 'wrong'}: {row['bytes']} bytes, {held} said,"
                f" {row['wasted']} wasted, {wasted} said"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

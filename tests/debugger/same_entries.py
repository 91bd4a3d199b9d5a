# SPDX-License-Identifier: MIT
"""Compares what `map entries --json` printed with what a program says is in the map.

Both files hold JSON lines. The truth has one object {"key": ..., "value": ...}
for each entry; the entries have a header and a trailer around theirs
(mapscope.entries/1). Every entry must be there exactly once, and nothing else.
"""
import argparse
import collections
import json
import sys
from typing import Any, Dict, List, Tuple

Entry = Tuple[str, str]


def read(path: str) -> List[Dict[str, Any]]:
    """Returns the objects of a file of JSON lines."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def entry(row: Dict[str, Any]) -> Entry:
    """Returns a hashable form of a row's key and value: their canonical JSON."""
    return json.dumps(row["key"], sort_keys=True), json.dumps(row["value"], sort_keys=True)


def compare(truth: List[Dict[str, Any]], shown: List[Dict[str, Any]]) -> List[str]:
    """Returns what is wrong, a line each; nothing if the two agree."""
    schema = shown[0].get("schema") if shown else None
    if schema != "mapscope.entries/1" or "entries" not in shown[-1]:
        return ["not a whole mapscope.entries/1: header or trailer missing"]
    header, rows, trailer = shown[0], shown[1:-1], shown[-1]
    wrong = []
    if header["count"] != len(truth):
        wrong.append(f"header: count {header['count']}, expected {len(truth)}")
    if trailer != {"entries": len(truth), "complete": True, "error": None}:
        wrong.append(f"trailer: {json.dumps(trailer)}, expected {len(truth)} entries, complete")
    expected = collections.Counter(map(entry, truth))
    found = collections.Counter(map(entry, rows))
    for name, difference in (("missing", expected - found), ("too many", found - expected)):
        if difference:
            first = ", ".join(f"{key}: {value}" for key, value in sorted(difference)[:5])
            wrong.append(f"{name}: {sum(difference.values())} entries: {first} ...")
    return wrong


def main() -> int:
    """Prints the verdict; returns the exit status, 0 if the two agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", metavar="TRUTH", help="what the program wrote")
    parser.add_argument("entries", metavar="ENTRIES", help="what `map entries --json -o` wrote")
    arguments = parser.parse_args()
    truth = read(arguments.truth)
    wrong = compare(truth, read(arguments.entries))
    for line in wrong:
        print(line)
    if not wrong:
        print(f"same: {len(truth)} entries")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

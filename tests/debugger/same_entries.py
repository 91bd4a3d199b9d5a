# SPDX-License-Identifier: MIT
"""Compares what `map entries --json` printed with what a program says is in the map.

Both files hold JSON lines. The truth has one object {"key": ..., "value": ...}
for each entry; the entries have a header and a trailer around theirs
(mapscope.entries/1), unless --bare says that it has none. Every entry must be
there exactly once, and nothing else.
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


def frame(shown: List[Dict[str, Any]], count: int) -> List[str]:
    """Returns what is wrong with the header and the trailer for `count` entries."""
    schema = shown[0].get("schema") if shown else None
    if schema != "mapscope.entries/1" or "entries" not in shown[-1]:
        return ["not a whole mapscope.entries/1: header or trailer missing"]
    header, trailer = shown[0], shown[-1]
    wrong = []
    if header["count"] != count:
        wrong.append(f"header: count {header['count']}, expected {count}")
    if trailer != {"entries": count, "complete": True, "error": None}:
        wrong.append(f"trailer: {json.dumps(trailer)}, expected {count} entries, complete")
    return wrong


def compare(truth: List[Dict[str, Any]], rows: List[Dict[str, Any]]) -> List[str]:
    """Returns how the entries in `rows` differ from the truth, a line each."""
    expected = collections.Counter(map(entry, truth))
    found = collections.Counter(map(entry, rows))
    wrong = []
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
    parser.add_argument("--bare", action="store_true", help="ENTRIES has no header or trailer")
    arguments = parser.parse_args()
    truth, shown = read(arguments.truth), read(arguments.entries)
    wrong = []
    if not arguments.bare:
        wrong = frame(shown, len(truth))
        shown = [row for row in shown if "key" in row]
    wrong += compare(truth, shown)
    for line in wrong:
        print(line)
    if not wrong:
        print(f"same: {len(truth)} entries")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

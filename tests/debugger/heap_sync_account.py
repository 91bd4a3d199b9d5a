#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare the sync.Maps that `map heap --json -o FILE` found with a program's own account.

    heap_sync_account.py ACCOUNT FILE

ACCOUNT has a line of JSON for each: address, count, owner, and for some what the heap grew by when
it was made (programs/go/syncheap). None may be missing, none of main's may be there that the
program has not said, and no part of one may be shown by itself. Ends with status 1 if something is
wrong.
"""

import json
import sys
from typing import Any, Dict, List


def lines_of(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> int:
    truth = {row["address"]: row for row in lines_of(sys.argv[1])}
    _, *rows, tail = lines_of(sys.argv[2])
    shown = {int(row["address"], 16): row for row in rows}
    wrong: List[str] = []
    for address, said in truth.items():
        row = shown.get(address, {})
        got = row.get("type"), row.get("count"), row.get("owner"), row.get("garbage")
        if got != ("sync.Map", said["count"], said["owner"], False):
            wrong.append(f"{said} is {row}")
        grown = said.get("grown", 0)
        if grown and not abs(row.get("bytes") - grown) <= 0.02 * grown:
            wrong.append(f"{row['bytes']} bytes, the heap grew by {grown}")
        if not 0 <= row.get("wasted", -1) <= row["bytes"]:
            wrong.append(f"wasted of {row}")
    for row in rows:
        owner = row["owner"] or ""
        mine = row["type"] == "sync.Map" and owner.startswith("main.")
        if mine and int(row["address"], 16) not in truth and row["count"]:
            wrong.append(f"nobody said {row}")
        if owner and row["type"] == "map[interface {}]*sync.entry":
            wrong.append(f"a part is shown: {row}")
    for name in ("bytes", "count"):
        if tail["totals"][name] != sum(row[name] for row in rows):
            wrong.append(f"totals of {name}: {tail['totals'][name]}")
    for one in wrong[:5]:
        print(one)
    flavors = sorted({row["flavor"] for row in rows if row["type"] == "sync.Map"})
    print(f"{len(truth)} sync.Maps ({', '.join(flavors)}): {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what `map heap --json -o FILE` found where memory is missing with what it found in all of
it.

    heap_part.py WHOLE PART

Every map that is found must be one of the whole's, with its entries and, where they are said, its
type and bytes, and none may be said to be garbage that is none. Prints what is found, and the notes
without their numbers. Ends with status 1 if something is invented.
"""

import json
import re
import sys
from collections import Counter
from typing import Any, Dict, List


def lines_of(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> int:
    whole = {row["address"]: row for row in lines_of(sys.argv[1])[1:-1]}
    _, *rows, tail = lines_of(sys.argv[2])
    wrong: Counter[str] = Counter()
    for row in rows:
        real = whole.get(row["address"])
        if real is None:
            wrong["invented"] += 1
            continue
        wrong["entries"] += row["count"] != real["count"]
        wrong["type"] += row["type"] not in (None, real["type"])
        wrong["bytes"] += row["bytes"] not in (None, real["bytes"])
        wrong["garbage"] += row["garbage"] is True
        # a path that is found may be another one, but none that there is not
        wrong["owner"] += row["garbage"] is None and row["owner"] is not None
    for name in [name for name in wrong if wrong[name]]:
        example = next((row for row in rows if row["address"] not in whole), rows[0])
        print(f"wrong {name}: {wrong[name]}, as {example}")
    share = len(rows) / max(1, len(whole))
    print(f"{'a part' if 0.2 < share < 0.95 else f'{share:.2f}'} of the maps is found")
    print(f"complete: {tail['complete']}, garbage: {tail['totals']['garbage']['maps']}")
    for note in tail["notes"]:
        print("note:", re.sub(r"0x[0-9a-f]+|\b[1-9]\d*", "N", note))
    return 1 if sum(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

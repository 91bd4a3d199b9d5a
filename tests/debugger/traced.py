#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A trace of migrations, against what `map inspect` tells of a table before and after it.

    traced.py BEFORE AFTER TRACE

BEFORE and AFTER are objects of mapscope.inspect/1 of one table that migrates, and loses no entry:
as many as wait less in the old buckets, so many must have been moved in the lines of TRACE that
tell of it, each old bucket once, from the first index up to the second if it migrates in order.
Where the lines tell of no entries, every bucket between the indices must be told.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, List

LINE = re.compile(
    r"map\[(0x[0-9a-f]+)\] bucket migration: bkt#(\d+) -> bkt#(\d+)(?:, bkt#(\d+))?"
    r"(?: \((\d+)(?: \+ (\d+))? keys moved\))?"
)


def main() -> int:
    before, after = (json.loads(Path(name).read_bytes()) for name in sys.argv[1:3])
    moved, buckets, wrong = 0, [], []  # type: int, List[int], List[str]
    counted = True
    old, new = before["sizes"]
    for line in Path(sys.argv[3]).read_text(encoding="utf-8").splitlines():
        match = LINE.fullmatch(line)
        if match is None or match[1] != before["address"]:
            continue
        bucket = int(match[2])
        if int(match[3]) != bucket & (new - 1) or int(match[4] or bucket + old) != bucket + old:
            wrong.append(line)
        buckets.append(bucket)
        counted = counted and match[5] is not None
        moved += int(match[5] or 0) + int(match[6] or 0)
    first: Dict[str, Any] = before["growth"]
    second: Dict[str, Any] = after["growth"]
    expected = first["entries_waiting"] - second["entries_waiting"]
    in_order = second["ahead"] is not None
    if not counted:  # every bucket is told, and not what it had
        moved, expected = len(buckets), second["nevacuate"] - first["nevacuate"]
    if in_order and any(
        not first["nevacuate"] <= bucket < second["nevacuate"] for bucket in buckets
    ):
        wrong.append("a bucket that is not between the indices")
    if len(set(buckets)) != len(buckets) or (in_order and buckets != sorted(buckets)):
        wrong.append("a bucket twice, or out of order")
    good = moved == expected > 0 and not wrong
    print(
        f"{'right' if good else 'WRONG'}: {moved} entries of {len(buckets)} buckets traced, "
        f"{expected} moved {wrong[:3]}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

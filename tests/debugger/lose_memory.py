#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Take memory out of a core file of a Go program, from the middle of its maps on.

    lose_memory.py CORE HEAP              the rest of one segment is not there, all others are
    lose_memory.py CORE HEAP TARGET       TARGET ends there, as where the disk was full

HEAP is what `map heap --json -o HEAP` found in the whole core: the page is lost that the middle one
of its maps lies in, and what is behind it.
"""

import json
import os
import struct
import subprocess
import sys
from typing import List

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
PAGE = 4096


def middle_of(path: str) -> int:
    """The page of the middle one of all maps."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][1:-1]
    addresses = sorted(int(row["address"], 16) for row in rows)
    return addresses[len(addresses) // 2] & -PAGE


def main() -> None:
    core, lost = sys.argv[1], middle_of(sys.argv[2])
    with open(core, "r+b") as file:
        head = HEADER.unpack(file.read(HEADER.size))
        file.seek(head[5])
        segments: List[List[int]] = []
        for _ in range(head[10]):
            segments.append(list(SEGMENT.unpack(file.read(SEGMENT.size))))
        number, segment = next(
            (number, one) for number, one in enumerate(segments) if one[3] <= lost < one[3] + one[6]
        )
        kept = lost - segment[3]
        if len(sys.argv) == 3:
            segment[5] = segment[6] = kept
            file.seek(head[5] + number * SEGMENT.size)
            file.write(SEGMENT.pack(*segment))
            return
        first = min(one[2] for one in segments if one[0] == 1)
        size = segment[2] + kept - first
    cut = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cut_core.py")
    subprocess.run([sys.executable, cut, core, sys.argv[3], str(size)], check=True)


main()

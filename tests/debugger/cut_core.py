#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cut_core.py CORE CUT BYTES: a core file of which the end is lost, as where the disk was full.

The kernel writes the notes before memory and gdb behind it; here they come first, whoever wrote
them, and then so many bytes of memory.
"""

import struct
import sys

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")


def main() -> None:
    path, target, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(path, "rb") as file:
        head = HEADER.unpack(file.read(HEADER.size))
        file.seek(head[5])
        segments = [list(SEGMENT.unpack(file.read(SEGMENT.size))) for _ in range(head[10])]
        memory = min(segment[2] for segment in segments if segment[0] == 1)
        notes = next(segment for segment in segments if segment[0] == 4)
        file.seek(notes[2])
        raw = file.read(notes[5])
        start = HEADER.size + SEGMENT.size * len(segments)
        for segment in segments:
            if segment[0] == 1:
                segment[2] += start + len(raw) - memory
        notes[2] = start
        file.seek(memory)
        with open(target, "wb") as out:
            out.write(HEADER.pack(*head[:4], head[4], HEADER.size, 0, *head[7:11], 0, 0, 0))
            for segment in segments:
                out.write(SEGMENT.pack(*segment))
            out.write(raw + file.read(size))


main()

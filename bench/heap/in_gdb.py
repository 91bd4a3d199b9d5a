# SPDX-License-Identifier: MIT
"""What run.py runs inside gdb: one look at a core's heap, timed.

Takes its parameters from the environment (MAPSCOPE_BENCH, a JSON object: kind and result) and
writes its measurements to the file named there.
"""

import json
import os
import time

import gdb
from measuring import MIB, memory

from mapscope.flavours.go.heap_headers import header_class
from mapscope.flavours.go.heap_view import heap_of
from mapscope.session import Session
from mapscope_in_gdb.target import GdbTarget


def read_raw(only_headers: bool) -> int:
    """Read spans of the heap in pieces of 1 MiB, and nothing more; how many bytes there are."""
    session = Session(GdbTarget())
    heap = heap_of(session)
    size = header_class(session.go.minor, session.go.has_swiss_maps)
    inferior = gdb.selected_inferior()
    total = 0
    for span in heap.spans():
        if only_headers and (span.elemsize != size or span.noscan):
            continue
        for offset in range(0, span.size, MIB):
            piece = min(MIB, span.size - offset)
            total += len(inferior.read_memory(span.start + offset, piece))
    return total


def main() -> None:
    """Measure."""
    parameters = json.loads(os.environ["MAPSCOPE_BENCH"])
    kind = parameters["kind"]
    session = Session(GdbTarget())
    minor = session.go.minor
    gdb.execute("map list --json", to_string=True)  # what is loaded at the first command
    before, start = memory("VmRSS"), time.process_time()
    maps = heap = 0
    if kind.startswith("raw"):
        heap = read_raw(kind != "raw")
    else:
        option = "--no-owners" if kind == "no owners" else ""
        text = gdb.execute(f"map heap --json --limit 1 {option}", to_string=True)
        maps = json.loads(text)["totals"]["maps"]
    result = {
        "seconds": time.process_time() - start,
        "gained": memory("VmHWM") - before,
        "maps": maps,
        "heap": heap,
        "minor": minor,
    }
    with open(parameters["result"], "w", encoding="utf-8") as file:
        json.dump(result, file)


main()

# SPDX-License-Identifier: MIT
"""A command for tests in LLDB: is memory the same, read directly and through LLDB?

    both-ways            compare pieces of all of the process's memory
    both-ways --refused  from now on the kernel refuses direct reads (as Yama would)

Run as a program: a process that nobody traces is nobody's.
"""

import errno
import os
import subprocess
import sys
from typing import Any, Optional

IN_LLDB = __name__ != "__main__"
if IN_LLDB:
    import lldb

#: bytes compared at the start, in the middle and at the end of each region
PIECE = 5000


def both_ways(debugger: Any, command: str, result: Any, internal: Any) -> None:
    """The command."""
    from mapscope.program import process_memory
    from mapscope_in_lldb.target import LldbTarget

    if command == "--refused":

        def refuse(self: Any, pid: int) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        setattr(process_memory.ProcessMemory, "__init__", refuse)
        print("direct reads refused from now on")
        return
    target = LldbTarget(debugger)
    process = target.process
    pieces = direct = code = different = 0
    for region in each_region(process):
        start, end = int(region.GetRegionBase()), int(region.GetRegionEnd())
        size = min(PIECE, end - start)
        for place in {start, (start + end - size) // 2, end - size}:
            theirs = read(process, place, size)
            if theirs is None:
                continue
            pieces += 1
            ours = bytes(target.read_memory(place, size))
            different += ours != theirs
            direct += target._direct is not None and not target._has_code(place, size)
            code += target._has_code(place, size)
    target.finish()
    print(
        f"pieces compared: {pieces}, directly readable: {direct}, with code: {code}, "
        f"different: {different}"
    )


def each_region(process: Any) -> Any:
    regions = process.GetMemoryRegions()
    for index in range(regions.GetSize()):
        region = lldb.SBMemoryRegionInfo()
        if regions.GetMemoryRegionAtIndex(index, region) and region.IsReadable():
            yield region


def read(process: Any, place: int, size: int) -> Optional[bytes]:
    error = lldb.SBError()
    data: Optional[bytes] = process.ReadMemory(place, size, error)
    return data if error.Success() and data is not None and len(data) == size else None


def __lldb_init_module(debugger: Any, internal: Any) -> None:
    debugger.HandleCommand("command script add -f both_ways.both_ways both-ways")


def main() -> int:
    core = os.path.join(os.path.dirname(__file__), "..", "..", "..", "core")
    sys.path.append(os.path.realpath(core))
    from mapscope.program.process_memory import is_traced_by

    with subprocess.Popen(["sleep", "60"]) as child:
        mine = is_traced_by(child.pid, os.getpid())
        child.kill()
    gone = is_traced_by(child.pid, os.getpid())
    return int(mine or gone)


if __name__ == "__main__":
    sys.exit(main())

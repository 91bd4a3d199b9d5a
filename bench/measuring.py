# SPDX-License-Identifier: MIT
"""What inspect/in_gdb.py and in_lldb.py measure with, inside the debugger; run.py puts it on
their path."""

import time
from typing import Any, Callable, Dict, Tuple

MIB = 1 << 20

#: what is written of all entries: the name of the time it takes, options of `map entries`
WRITTEN = (
    ("entries", "--limit 0 --json"),
    ("text", "--limit 0"),
    ("match", "--match 01234 --json"),
)


def seconds(
    work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter
) -> Tuple[float, Any]:
    start = clock()
    result = work()
    return clock() - start, result


def least(
    works: Dict[str, Callable[[], Any]], times: int, clock: Callable[[], float]
) -> Dict[str, Tuple[float, Any]]:
    """The least time of each of some works, which are done in turn, so often, and its result."""
    found: Dict[str, Tuple[float, Any]] = {}
    for _ in range(times):
        for name, work in works.items():
            spent, result = seconds(work, clock)
            found[name] = min(spent, found[name][0] if name in found else spent), result
    return found


def memory(field: str) -> int:
    """A field of the debugger's own /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(field)

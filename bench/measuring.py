# SPDX-License-Identifier: MIT
"""What inspect/in_gdb.py and in_lldb.py measure with, inside the debugger; run.py puts it on
their path."""

import time
from typing import Any, Callable, Tuple

MIB = 1 << 20


def seconds(work: Callable[[], Any]) -> Tuple[float, Any]:
    """Processor time of the debugger, in which no other work beside it counts; and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def memory(field: str) -> int:
    """A field of the debugger's own /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(field)

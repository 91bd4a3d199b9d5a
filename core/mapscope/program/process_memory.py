# SPDX-License-Identifier: MIT
"""The memory of a live process on this machine, read from the kernel.

Many times as fast as through a debugger that asks its server for every kilobyte. Facts:
proc(5), /proc/PID/mem and /proc/PID/status; Documentation/admin-guide/LSM/Yama.rst of Linux.
"""

import os
import re
from typing import Optional

from ..errors import MemoryUnreadable
from ..kernels.native import kernels_for
from .memory import ADDRESS_LIMIT

#: parents of a tracer in which the debugger is looked for
_GENERATIONS = 4
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"


class ProcessMemory:
    """The memory of one process; close() it, or let go of it.

    :raises OSError: if the kernel does not let this process read it
    """

    _file = -1

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def read(self, address: int, size: int) -> memoryview:
        """Exactly `size` bytes.

        :raises MemoryUnreadable: if any of them cannot be read
        """
        buffer = bytearray(size)
        view = memoryview(buffer)
        kernels = kernels_for(size)
        if kernels is not None and 0 < address < ADDRESS_LIMIT:
            if kernels.call("read_process", self._pid, address, size, buffer) == size:
                return view
        done = 0
        try:
            while done < size:
                step = os.preadv(self._file, [view[done:]], address + done)
                if step <= 0:
                    raise MemoryUnreadable(address, size)
                done += step
        except (OSError, OverflowError):
            raise MemoryUnreadable(address, size) from None
        return view

    def close(self) -> None:
        """Give the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def is_traced_by(pid: int, debugger: int) -> bool:
    """Whether the process `pid` of this machine is traced by `debugger`, or by a server that
    it has started: so the pid of a remote process is never taken for one of this machine."""
    tracer = _status(pid, "TracerPid")
    for _ in range(_GENERATIONS):
        if not tracer:
            return False
        if tracer == debugger:
            return True
        tracer = _status(tracer, "PPid")
    return False


def why_refused(error: OSError) -> str:
    """One line for a process whose memory may not be read."""
    reason = error.strerror or str(error)
    try:
        with open(_YAMA, encoding="ascii") as file:
            scope = file.read().strip()
    except OSError:
        scope = "0"
    if scope != "0":
        reason += f"; {_YAMA} is {scope}"
    return reason


def _status(pid: int, field: str) -> Optional[int]:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            match = re.search(rf"^{field}:\s+(\d+)$", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None

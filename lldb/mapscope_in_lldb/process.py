# SPDX-License-Identifier: MIT
"""What LLDB says of a process and of registers."""

from typing import Optional

import lldb

_ENDED = (lldb.eStateExited, lldb.eStateDetached, lldb.eStateUnloaded, lldb.eStateInvalid)


_MASK = (1 << 64) - 1


#: LLDB's names for what reads core dumps
KERNELS_CORE = "elf-core"


_CORES = (KERNELS_CORE, "minidump", "mach-o-core")


def is_there(process: lldb.SBProcess) -> bool:
    """Whether there is a process, or a core dump; one that has ended is valid still.

    One that was killed has no threads, also before LLDB has noted its end.
    """
    if not process.IsValid() or process.GetState() in _ENDED:
        return False
    return is_core(process) or process.GetNumThreads() > 0


def is_core(process: lldb.SBProcess) -> bool:
    """Whether it is a core dump."""
    return process.GetPluginName() in _CORES


def register_of(frame: lldb.SBFrame, name: str) -> Optional[int]:
    """A register of a frame; None: it is not known there."""
    value = frame.FindRegister(name)
    if not value.IsValid():
        return None
    error = lldb.SBError()
    number = int(value.GetValueAsUnsigned(error, 0))
    return number & _MASK if error.Success() else None

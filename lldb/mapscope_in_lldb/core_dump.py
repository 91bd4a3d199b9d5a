# SPDX-License-Identifier: MIT
"""The core dump that LLDB's process is, if it is one of the kernel's form.

What a core lacks LLDB has read of the program's file; so the core file is looked at here, too.
"""

import os
from typing import Dict, Optional, Tuple

import lldb

from mapscope.program.core_file import CoreFile
from .process import KERNELS_CORE

#: by path, size and time of its last change; None: a file that cannot be taken apart
_cores: Dict[Tuple[str, int, int], Optional[CoreFile]] = {}


def current(process: lldb.SBProcess) -> Optional[CoreFile]:
    """A process's core file; None: it is none, or none that can be read."""
    if not process.IsValid() or process.GetPluginName() != KERNELS_CORE:
        return None
    path = path_of(process.GetCoreFile())
    try:
        about = os.stat(path)
        key = (path, about.st_size, about.st_mtime_ns)
        if key not in _cores:
            _cores.clear()
            _cores[key] = CoreFile(path)
    except OSError:
        return None
    except ValueError:
        _cores[key] = None
    return _cores[key]


def fits(target: lldb.SBTarget) -> str:
    """What is wrong about the core and the program together; "": nothing that is known."""
    core = current(target.GetProcess())
    program = path_of(target.GetExecutable())
    return "" if core is None or not program else core.misfit(program)


def path_of(file: lldb.SBFileSpec) -> str:
    """Its path; "" if it is none."""
    if not file.IsValid() or not file.GetFilename():
        return ""
    return os.path.join(str(file.GetDirectory() or ""), str(file.GetFilename()))

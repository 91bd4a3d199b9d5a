# SPDX-License-Identifier: MIT
"""mapscope for LLDB: `command script import` this file, any number of times.

Needs LLDB 19 or newer with Python 3.9 or newer. Defines the command `map`, summaries and
children of maps, and lets Go programs keep their SIGURG; docs/commands.md.

This file alone is read by whatever Python there is: it says so in one line if that will not do.
"""

import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))


def _unfit():
    # type: () -> str
    """Why this LLDB cannot be used; "" if it can."""
    if sys.version_info < (3, 9):
        return "mapscope needs Python 3.9 or newer in LLDB, and this is %d.%d" % sys.version_info[:2]
    try:
        import lldb

        if hasattr(lldb.SBDebugger, "InterruptRequested"):  # LLDB 17
            return ""
    except ImportError:
        return (
            "mapscope: this LLDB's own Python module cannot be imported (as in Debian 12's LLDB 14); "
            "use another LLDB, such as package lldb-19"
        )
    return "mapscope needs LLDB 17 or newer; Debian has it as package lldb-19"


def __lldb_init_module(debugger, internal_dict):  # type: ignore[no-untyped-def]
    """Called by `command script import`."""
    reason = _unfit()
    if reason:
        print(reason, file=sys.stderr)
        return
    for path in (_HERE, os.path.join(os.path.dirname(_HERE), "core")):
        if path not in sys.path:
            sys.path.append(path)
    # LLDB finds classes by their path from this module
    global mapscope_lldb_commands, mapscope_lldb_formatters, mapscope_lldb_hook
    import mapscope_lldb_commands
    import mapscope_lldb_formatters
    import mapscope_lldb_hook

    mapscope_lldb_commands.register(debugger)
    mapscope_lldb_formatters.register(debugger)
    mapscope_lldb_hook.register(debugger)

# SPDX-License-Identifier: MIT
"""mapscope for LLDB: `command script import` this file, any number of times.

Needs LLDB 19 or newer with Python 3.9 or newer. Defines the command `map`, summaries and
children of maps, and lets Go programs keep their SIGURG; docs/commands.md.

This file alone is read by whatever Python there is: it says so in one line if that will not do.
"""

import importlib
import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))


def _unfit():
    # type: () -> str
    """Why this LLDB cannot be used; "" if it can."""
    if sys.version_info < (3, 9):
        version = "%d.%d" % sys.version_info[:2]
        return "mapscope needs an LLDB with Python 3.9 or newer, and this one has " + version
    try:
        import lldb
    except ImportError:
        lldb = None
    api = getattr(lldb, "SBDebugger", None)
    if api is None:
        return (
            "mapscope: this LLDB's own Python module does not work (Debian 12's LLDB 14 is known "
            "for that); use another LLDB, such as package lldb-19"
        )
    if not hasattr(api, "InterruptRequested"):  # LLDB 17
        return "mapscope needs LLDB 17 or newer; Debian has it as package lldb-19"
    return ""


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
    globals()["mapscope_in_lldb"] = importlib.import_module("mapscope_in_lldb")
    for part in ("commands", "formatters", "hooking", "own_frames"):
        importlib.import_module("mapscope_in_lldb." + part).register(debugger)

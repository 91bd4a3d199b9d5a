# SPDX-License-Identifier: MIT
"""The same as in_gdb.py, for LLDB: `command script import` loads this file, and
run.py calls by_condition or by_callback when the program stands at its checkpoint.
"""

import importlib
from typing import Any

# Inside LLDB only, and without types.
lldb: Any = importlib.import_module("lldb")

CPP = ("assign_to_map", "rdi")
GO = ("runtime.mapassign_fast64", "rbx")

#: What on_assign compares the register with.
watched = 0


def _is_go(target: Any) -> bool:
    return bool(target.FindSymbols("main.watched").GetSize())


def _watched(target: Any) -> int:
    """The address that the register has when `watched` is assigned to."""
    name = "main.watched" if _is_go(target) else "watched"
    address = target.FindSymbols(name)[0].symbol.addr.GetLoadAddress(target)
    if not _is_go(target):
        return int(address)
    # A Go map variable is a pointer to its hmap.
    return int(target.process.ReadPointerFromMemory(address, lldb.SBError()))


def by_condition(debugger: Any) -> None:
    """A breakpoint with a condition of LLDB's own, as a user would write it.

    In Go it needs a program without DWARF: LLDB 19 has no type system for Go, says
    so at every evaluation, and stops.
    """
    target = debugger.GetSelectedTarget()
    function, register = GO if _is_go(target) else CPP
    condition = f"${register} == {_watched(target)}" if _is_go(target) else "&m == &watched"
    debugger.HandleCommand(f"breakpoint set -n {function} -c '{condition}'")


def by_callback(debugger: Any) -> None:
    """A breakpoint with a callback in Python."""
    global watched
    target = debugger.GetSelectedTarget()
    watched = _watched(target)
    function, _ = GO if _is_go(target) else CPP
    debugger.HandleCommand(f"breakpoint set -n {function}")
    debugger.HandleCommand(
        f"breakpoint command add -F in_lldb.on_{'go' if _is_go(target) else 'cpp'}"
    )


def on_cpp(frame: Any, _location: Any, _extra: Any, _session: Any) -> bool:
    """Whether to stop at this assignment, in C++."""
    return int(frame.FindRegister(CPP[1]).GetValueAsUnsigned()) == watched


def on_go(frame: Any, _location: Any, _extra: Any, _session: Any) -> bool:
    """Whether to stop at this assignment, in Go."""
    return int(frame.FindRegister(GO[1]).GetValueAsUnsigned()) == watched

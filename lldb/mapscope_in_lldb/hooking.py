# SPDX-License-Identifier: MIT
"""The stop hook is added to LLDB's targets."""

import sys

import lldb

from . import hook


def register(debugger: lldb.SBDebugger) -> None:
    """Add the hook to all targets that there are, or to those that will be."""
    if not debugger.GetNumTargets():
        _add(debugger)
    for index in range(debugger.GetNumTargets()):
        ensure(debugger.GetTargetAtIndex(index))


def ensure(target: lldb.SBTarget) -> None:
    """Add the hook to a target that was made while there was another one: it has not got it."""
    debugger = target.GetDebugger()
    selected = debugger.GetSelectedTarget()
    debugger.SetSelectedTarget(target)
    _add(debugger)
    debugger.SetSelectedTarget(selected)


def _add(debugger: lldb.SBDebugger) -> None:
    """To the selected target; where there is none, to what new targets are copied from."""
    name = f"mapscope_lldb.{hook.__name__}.Hook"
    interpreter, result = debugger.GetCommandInterpreter(), lldb.SBCommandReturnObject()
    interpreter.HandleCommand("target stop-hook list", result)
    if name in (result.GetOutput() or ""):
        return
    interpreter.HandleCommand(f"target stop-hook add -P {name}", result)
    if not result.Succeeded():
        print(f"mapscope: {result.GetError()}", file=sys.stderr)

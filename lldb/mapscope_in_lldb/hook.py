# SPDX-License-Identifier: MIT
"""What LLDB calls when the program stops, or might: the stop hook, and the callbacks of
breakpoints and watchpoints. Imported early, so it is small.
"""

import sys
from typing import Any, Dict, Set, Tuple

import lldb

from .hosts import host_of
from .modules import is_go_module

_SIGURG = "SIGURG"


class Hook:
    """The stop hook; LLDB makes one object and copies it to targets."""

    def __init__(self, target: lldb.SBTarget, extra: Any, internal_dict: Dict[str, Any]) -> None:
        pass

    def handle_stop(self, context: lldb.SBExecutionContext, stream: lldb.SBStream) -> bool:
        """Called once for each thread that has a reason to stop. Returns whether to stay."""
        try:
            return _handle_stop(context)
        except Exception as error:  # never a traceback
            print(f"mapscope: {type(error).__name__}: {error}", file=sys.stderr)
            return True


def _handle_stop(context: lldb.SBExecutionContext) -> bool:
    process, thread = context.GetProcess(), context.GetThread()
    signals = process.GetUnixSignals()
    number = signals.GetSignalNumberFromName(_SIGURG)
    unique = int(process.GetUniqueID())
    if unique not in _passing and any(map(_has_go, context.GetTarget().module_iter())):
        # Go's scheduler sends it to its own threads all the time (preemptM), in whichever
        # module it is. Once for a process: who sets it anew has it.
        _passing.add(unique)
        signals.SetShouldStop(number, False)
        signals.SetShouldNotify(number, False)
    if thread.GetStopReason() == lldb.eStopReasonSignal:
        if number == int(thread.GetStopReasonDataAtIndex(0)) and not signals.GetShouldStop(number):
            _select_another(process, thread)
            return False
    host = host_of(context.GetTarget())
    if host is not None:
        host.stopped(context)
    return True


def _select_another(process: lldb.SBProcess, thread: lldb.SBThread) -> None:
    """Select a thread that stops for another reason, if a thread that does not is selected."""
    if process.GetSelectedThread().GetThreadID() != thread.GetThreadID():
        return
    reasons = (lldb.eStopReasonBreakpoint, lldb.eStopReasonWatchpoint, lldb.eStopReasonException)
    for other in process:
        if other.GetStopReason() in reasons:
            process.SetSelectedThread(other)
            return


#: processes for which SIGURG is passed on
_passing: Set[int] = set()
_go_files: Dict[Tuple[str, str, int], bool] = {}


def _has_go(module: lldb.SBModule) -> bool:
    """Whether a module is Go's; asked at each stop."""
    key = (str(module.GetFileSpec()), str(module.GetUUIDString()), int(module.GetNumSections()))
    if key not in _go_files:
        _go_files[key] = is_go_module(module)
    return _go_files[key]


def on_breakpoint(
    frame: lldb.SBFrame,
    location: lldb.SBBreakpointLocation,
    arguments: lldb.SBStructuredData,
    internal_dict: Dict[str, Any],
) -> bool:
    """A breakpoint of mapscope's is hit. Returns whether to stop."""
    host = host_of(frame.GetThread().GetProcess().GetTarget())
    number = int(location.GetBreakpoint().GetID())
    stops = host is not None and host.hit_breakpoint(frame, number)
    _settle(internal_dict)
    return stops


def on_watchpoint(
    frame: lldb.SBFrame, watchpoint: lldb.SBWatchpoint, internal_dict: Dict[str, Any]
) -> bool:
    """A watchpoint of mapscope's is hit. Returns whether to stop."""
    host = host_of(frame.GetThread().GetProcess().GetTarget())
    stops = host is not None and host.hit_watchpoint(frame, int(watchpoint.GetID()))
    _settle(internal_dict)
    return stops


def _settle(internal_dict: Dict[str, Any]) -> None:
    """Let callbacks be attached inside of a callback.

    LLDB 19 wraps each callback in a function that, having called it, copies every name of
    internal_dict from its own globals, where those that came meanwhile are missing
    (ScriptInterpreterPython.cpp, GenerateFunction): a KeyError, and the program stops.
    """
    sys._getframe(2).f_globals.update(internal_dict)

# SPDX-License-Identifier: MIT
"""Frames of the library, which backtraces leave out and IDEs show in grey, so that a map stop is
seen in the user's own frame: LLDB 20 and later can. Imported early, so it is small.
"""

from typing import List

import lldb

#: what the names of such functions have in them, and those of others may have
_HINT = "mapscope"


class OwnFrames:
    """LLDB's recognizer of frames; `bt -u` shows them all the same."""

    def get_recognized_arguments(self, frame: lldb.SBFrame) -> List[lldb.SBValue]:
        """What else is to be shown of a frame: nothing."""
        return []

    def should_hide(self, frame: lldb.SBFrame) -> bool:
        """Whether a frame is left out."""
        from .host import is_ours

        return is_ours(frame)


def register(debugger: lldb.SBDebugger) -> None:
    """Define the recognizer, once."""
    if not hasattr(lldb.SBFrame, "IsHidden"):
        return
    interpreter, result = debugger.GetCommandInterpreter(), lldb.SBCommandReturnObject()
    name = f"mapscope_lldb.{__name__}.OwnFrames"
    interpreter.HandleCommand("frame recognizer list", result)
    if name in (result.GetOutput() or ""):
        return
    interpreter.HandleCommand(f"frame recognizer add -l {name} -f false -x -s . -n {_HINT}", result)

# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: what does Ctrl-C do at one place of a command's work?

    interrupt-in FUNCTION COMMAND...

runs COMMAND and sends the debugger a SIGINT, as a terminal's Ctrl-C does, when FUNCTION of
mapscope is first called. It fails if it never is.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any, List

from in_debugger import Failed, define, execute


def interrupt_in(argument: str) -> None:
    """interrupt-in FUNCTION COMMAND...: run COMMAND, interrupt it in FUNCTION."""
    function, _, command = argument.partition(" ")
    sent: List[str] = []

    def called(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name == function and not sent:
            sys.setprofile(None)
            sent.append(function)
            os.kill(os.getpid(), signal.SIGINT)

    sys.setprofile(called)
    try:
        output = execute(command)
        print(f"in {function}: {output}")
    except (Failed, KeyboardInterrupt) as error:
        print(f"in {function}: {type(error).__name__} {error}")
    finally:
        sys.setprofile(None)
    if not sent:
        raise Failed(f"{function} was not called")


define("interrupt-in", interrupt_in)

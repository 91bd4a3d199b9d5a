# SPDX-License-Identifier: MIT
"""A gdb command for tests: what maps show while a goroutine that moves a bucket waits for memory.

    system-stack NUMBER MAP     stop so often in the allocator, on the system's stack, below
                                evacuate; print how often all entries of MAP were there
"""

import json

import gdb
from in_debugger import execute

from mapscope.session import Session
from mapscope_in_gdb.target import GdbTarget


def moves_a_bucket() -> bool:
    """Whether the goroutine for which the selected thread looks for pages is moving a bucket."""
    session = Session(GdbTarget())
    for thread in session.target.threads():
        if thread.number == gdb.selected_thread().num:
            names = [frame.function for frame in session.own_frames(thread)]
            return any(name.startswith("runtime.evacuate") for name in names)
    return False


class SystemStack(gdb.Command):
    """The command."""

    def __init__(self) -> None:
        super().__init__("system-stack", gdb.COMMAND_USER)

    def invoke(self, line: str, from_tty: bool) -> None:
        """NUMBER MAP"""
        number, name = line.split()
        gdb.Breakpoint("runtime.(*mheap).allocSpan")
        right = stops = 0
        while stops < int(number):
            execute("continue")
            if not gdb.selected_inferior().pid:
                break
            if not moves_a_bucket():
                continue
            stops += 1
            count = json.loads(execute(f"map inspect {name} --json"))["count"]
            lines = execute(f"map entries {name} --json").splitlines()
            shown = json.loads(lines[-1])
            checked = json.loads(execute(f"map check {name} --json"))
            if shown["entries"] == count and shown["complete"] and checked["ok"]:
                right += 1
            else:
                print(f"{count} entries, shown {shown}, {checked['findings']}")
        print(f"{stops} stops, {right} right")


SystemStack()

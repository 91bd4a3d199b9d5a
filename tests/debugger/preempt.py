# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: have Go's scheduler take a goroutine off its thread.

    preempt

The goroutine of the selected thread, which is at a function of Go's, yields at the next check
for room on its stack: its limit is set to what Go's own preemption sets it to (stackPreempt in
runtime/stack.go).
"""

from in_debugger import NAME, define, execute

_STACK_PREEMPT = 0xFFFFFFFFFFFFFADE
_STACKGUARD0 = 16  # runtime.g


def preempt(arguments: str) -> None:
    if NAME == "gdb":
        execute("frame 0")
        execute("set language c")
        execute(f"print *(unsigned long *) ($r14 + {_STACKGUARD0}) = {_STACK_PREEMPT}")
        execute("set language auto")
    else:
        execute("frame select 0")
        # LLDB's own arithmetic with a register forgets the sum where Go is the language
        g = int(execute("register read r14").split("=")[1].split()[0], 16)
        execute(f"memory write -s 8 {g + _STACKGUARD0:#x} {_STACK_PREEMPT:#x}")


define("preempt", preempt)

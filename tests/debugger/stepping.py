# SPDX-License-Identifier: MIT
"""Running a program by instructions, in gdb or in LLDB, for the tests' own commands.

What differs between the two debuggers is here: start, breakpoints at addresses, stepping with
the other threads held, and what is told of a place. Functions are found by the linker's symbol,
or by Go's own table of functions where the program was stripped.
"""

import sys
from abc import ABC, abstractmethod
from typing import Any, Iterable, List, Optional

from in_debugger import Failed, execute

#: the vDSO reads the clock again when the time has changed meanwhile, which it always has for
#: who comes by stepping
_CLOCKS = ("clock_gettime", "__vdso_clock_gettime")


class Program(ABC):
    """The program that the debugger has loaded, and its arguments."""

    @abstractmethod
    def start(self) -> None:
        """Stop at its first instruction: addresses are the process's."""

    @abstractmethod
    def stop_at(self, address: int) -> None:
        """Stop there whenever it comes there."""

    @abstractmethod
    def go_on(self) -> None:
        """Let all threads run to the next stop."""

    @abstractmethod
    def step(self, number: int) -> None:
        """Instructions of the selected thread, while the others stand still; fewer where a
        breakpoint is met."""

    @abstractmethod
    def pc(self) -> int:
        """The address of the next instruction."""

    @abstractmethod
    def function(self) -> str:
        """The function that it is of; "" if unknown."""

    @abstractmethod
    def leave(self) -> None:
        """Run to the caller of the function."""

    @abstractmethod
    def target(self) -> Any:
        """mapscope's Target."""

    @abstractmethod
    def place(self) -> str:
        """Some lines for who looks for a mistake."""

    def go_step(self, number: int) -> None:
        """Step, and out of what would never end."""
        self.step(number)
        if self.function() in _CLOCKS:
            self.leave()

    def address_of(self, names: Iterable[str]) -> int:
        """A function's first instruction.

        :raises Failed: if there is none of these names
        """
        found = self.addresses_of(names)
        if not found:
            raise Failed(f"no function {' or '.join(names)}")
        return found[0]

    def addresses_of(self, names: Iterable[str]) -> List[int]:
        """Of those functions that the program has."""
        from mapscope.session import Session

        target = self.target()
        session = Session(target)
        found: List[int] = []
        for name in names:
            places = target.symbols(name)
            table = None if places or not session.is_go() else session.functions
            start = None if table is None else table.address_of(name)
            found += places[:1] or ([] if start is None else [start])
        return found


if "gdb" in sys.modules:
    import gdb

    class InGdb(Program):
        """In gdb."""

        def start(self) -> None:
            gdb.execute("set pagination off")
            gdb.execute("set suppress-cli-notifications on")
            gdb.execute("handle SIGURG nostop noprint pass", to_string=True)
            execute("starti")

        def stop_at(self, address: int) -> None:
            gdb.Breakpoint(f"*{address:#x}", internal=True)

        def go_on(self) -> None:
            execute("set scheduler-locking off")
            execute("continue")

        def step(self, number: int) -> None:
            execute("set scheduler-locking on")
            execute(f"stepi {number}")

        def pc(self) -> int:
            return int(gdb.selected_frame().pc())

        def function(self) -> str:
            return str(gdb.selected_frame().name() or "")

        def leave(self) -> None:
            execute("finish")

        def target(self) -> Any:
            from mapscope_in_gdb.target import GdbTarget

            return GdbTarget()

        def place(self) -> str:
            return execute("x/i $pc") + execute("backtrace 5")

else:
    import lldb
    import lldb_steps

    class InLldb(Program):
        """In LLDB."""

        def __init__(self) -> None:
            assert lldb_steps._steps is not None
            self.debugger = lldb_steps._steps.debugger

        def start(self) -> None:
            null = "/dev/null"
            execute(f"process launch --stop-at-entry --stdin {null} --stdout {null}")
            self.process = self.debugger.GetSelectedTarget().GetProcess()

        def stop_at(self, address: int) -> None:
            self.debugger.GetSelectedTarget().BreakpointCreateByAddress(address)

        def go_on(self) -> None:
            execute("process continue")

        def thread(self) -> Any:
            return self.process.GetSelectedThread()

        def step(self, number: int) -> None:
            thread = self.thread()
            for _ in range(number):
                thread.StepInstruction(False)
                # a breakpoint's instruction is stepped to, not from
                if thread.GetStopReason() == lldb.eStopReasonBreakpoint:
                    break

        def pc(self) -> int:
            return int(self.thread().GetFrameAtIndex(0).GetPC())

        def function(self) -> str:
            return str(self.thread().GetFrameAtIndex(0).GetFunctionName() or "")

        def leave(self) -> None:
            self.thread().StepOut()

        def target(self) -> Any:
            from mapscope_in_lldb.target import LldbTarget

            return LldbTarget(self.debugger)

        def place(self) -> str:
            return execute("disassemble --pc --count 1") + execute("thread backtrace --count 5")


def program() -> Program:
    """The one that the debugger has."""
    return InGdb() if "gdb" in sys.modules else InLldb()


def symbol_names(function: str, parameters: Optional[str] = "i") -> List[str]:
    """What a linker may call a function: as in C or Go, and as C++ does.

    :param parameters: its parameters, as C++ writes them
    """
    return [function, f"_Z{len(function)}{function}{parameters}"]

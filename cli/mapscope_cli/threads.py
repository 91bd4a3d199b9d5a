# SPDX-License-Identifier: MIT
"""Threads of a process without a debugger: their registers, and frames by the tables that the
program's files have for exceptions."""

from typing import Callable, Dict, Iterator, List, Optional

from mapscope.program.call_frames import CallFrame, Unwinder
from mapscope.program.target import Frame, Thread, Variable

#: registers that are shown, as debuggers do
_SHOWN = (
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base"
).split()

#: the name of the function that an instruction belongs to; "" if unknown
NameOf = Callable[[int], str]


class FileFrame(Frame):
    """A frame of which the symbols tell the function, and nothing the variables."""

    has_variables = False

    def __init__(self, thread: int, frame: CallFrame, name_of: NameOf) -> None:
        self.thread = thread
        # a return address may lie behind the function's last instruction
        self.function = name_of(frame.pc if frame.exact else frame.pc - 1)
        self._frame = frame

    def pc(self) -> int:
        return self._frame.pc

    def sp(self) -> int:
        return self._frame.registers.get("rsp", 0)

    def variable(self, name: str) -> Optional[Variable]:
        return None

    def spilled(self, index: int) -> Optional[int]:
        return None


class FileThread(Thread):
    """A thread of which registers are known, or nothing but that there is one.

    :param ends: whether frames end with good reason at an instruction where they do
    """

    def __init__(
        self,
        number: int,
        kernel_id: int,
        registers: Dict[str, int],
        unwinder: Unwinder,
        name_of: NameOf,
        ends: Callable[[int], bool],
    ) -> None:
        self.number = number
        self.kernel_id = kernel_id
        self._registers = registers
        self._unwinder = unwinder
        self._name_of = name_of
        self._ends = ends

    def frames(self) -> Iterator[Frame]:
        found: List[CallFrame] = list(self._unwinder.frames(self._registers))
        # of a thread that is somewhere, with nothing to tell who called, it is not known what it
        # is inside
        if len(found) > 1 or (found and self._ends(found[0].pc)):
            for frame in found:
                yield FileFrame(self.number, frame, self._name_of)

    def registers(self) -> Dict[str, int]:
        return {name: self._registers[name] for name in _SHOWN if name in self._registers}

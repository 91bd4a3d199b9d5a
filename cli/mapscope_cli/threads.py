# SPDX-License-Identifier: MIT
"""Threads of a process without a debugger: their registers, and frames by the tables that the
program's files have for exceptions."""

import struct
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from mapscope.errors import MapscopeError
from mapscope.program.call_frames import CallFrame, Unwinder
from mapscope.program.cpp_debug_info import CppDebugInfo, CppScope, DwarfType
from mapscope.program.dwarf import Machine
from mapscope.program.memory import Buffer
from mapscope.program.target import Frame, Thread, Variable
from mapscope.program.values import escape
from mapscope.records import dataclass

#: registers that are shown, as debuggers do
_SHOWN = (
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base"
).split()

#: the name of the function that an instruction belongs to; "" if unknown
NameOf = Callable[[int], str]


@dataclass(frozen=True)
class Described:
    """A function, or one that was inlined, by the debug information of its file."""

    info: CppDebugInfo
    scope: CppScope
    bias: int
    read: Callable[[int, int], Buffer]


#: those at an instruction in memory, innermost first
ScopesOf = Callable[[int], List[Described]]


class FileFrame(Frame):
    """A frame of which symbols tell the function, and debug information, where there is any, the
    parameters and locals."""

    def __init__(
        self,
        thread: int,
        frame: CallFrame,
        function: str,
        described: Optional[Described],
        callers: Sequence[Tuple[CallFrame, Optional[Described]]],
    ) -> None:
        self.thread = thread
        self.function = function if described is None else described.scope.function
        self.has_variables = described is not None
        self._frame = frame
        self._described = described
        self._callers = callers

    def pc(self) -> int:
        return self._frame.pc

    def sp(self) -> int:
        return self._frame.registers.get("rsp", 0)

    def variable(self, name: str) -> Optional[Variable]:
        try:
            found = self.local(name)
        except MapscopeError:
            return None
        if found is None:
            return None
        type, place, value = found
        if place is not None or value is None:
            return Variable(type.described(), place)
        return Variable(type.described(), None, value.to_bytes(8, "little"))

    def locals(self) -> List[str]:
        """Names of parameters and locals, also of those that have no value here."""
        described = self._described
        try:
            return [] if described is None else described.info.locals(described.scope)
        except (MapscopeError, IndexError, struct.error):
            return []

    def local(self, name: str) -> Optional[Tuple[DwarfType, Optional[int], Optional[int]]]:
        """A parameter's or local's type, and where it is or, if it is in a register or was
        computed, its value; what it refers to, if it is a reference. None: there is none.

        :raises MapscopeError: if it has no value here
        """
        described = self._described
        if described is None or name not in self.locals():
            return None
        machine = _machine(self._frame, described, self._callers)
        pc = code_at(self._frame) - described.bias
        try:
            found = described.info.local(described.scope, name, pc, machine)
        except (IndexError, struct.error):
            found = None
        if found is not None:
            type, piece = found
            if not type.is_reference:
                if piece.address is not None or piece.value is not None:
                    return type, piece.address, piece.value
            else:
                place = piece.value
                if piece.address is not None:
                    place = _word(described, piece.address)
                target = type.target()
                if place is not None and isinstance(target, DwarfType):
                    return target, place, None
        raise MapscopeError(f"{escape(name)} is optimized out here")

    def type_of(self, name: str) -> Optional[DwarfType]:
        """The type of a parameter or local, also of one that has no value here; None: not known."""
        described = self._described
        try:
            return None if described is None else described.info.local_type(described.scope, name)
        except (MapscopeError, IndexError, struct.error):
            return None

    def inlined(self) -> Iterator[str]:
        described = self._described
        if described is not None:
            yield from described.info.inlined(code_at(self._frame) - described.bias)

    def spilled(self, index: int) -> Optional[int]:
        return None


def _word(described: Described, address: int) -> Optional[int]:
    try:
        return int.from_bytes(bytes(described.read(address, 8)), "little")
    except MapscopeError:
        return None


def _machine(
    frame: CallFrame,
    described: Described,
    callers: Sequence[Tuple[CallFrame, Optional[Described]]],
) -> Machine:
    """What expressions need of a frame.

    :param callers: the frames around it, which know what they have passed to it
    """

    def entry(wanted: bytes) -> Optional[int]:
        caller, its = callers[0] if callers else (frame, None)
        if its is None:
            return None
        outer = _machine(caller, its, callers[1:])
        return its.info.passed(caller.pc - its.bias, wanted, outer)

    return Machine(
        frame.registers.get,
        lambda: frame.cfa or None,
        lambda address: _word(described, address),
        described.bias,
        entry,
    )


def code_at(frame: CallFrame) -> int:
    """The instruction that a frame is at: a return address may lie behind the function's last."""
    return frame.pc if frame.exact else frame.pc - 1


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
        scopes_of: ScopesOf,
        ends: Callable[[int], bool],
    ) -> None:
        self.number = number
        self.kernel_id = kernel_id
        self._registers = registers
        self._unwinder = unwinder
        self._name_of = name_of
        self._scopes_of = scopes_of
        self._ends = ends

    def frames(self) -> Iterator[Frame]:
        found: List[CallFrame] = list(self._unwinder.frames(self._registers))
        # of a thread that is somewhere, with nothing to tell who called, it is not known what it
        # is inside
        if len(found) > 1 or (found and self._ends(found[0].pc)):
            scopes = [self._scopes_of(code_at(frame)) for frame in found]
            around = [(f, some[-1] if some else None) for f, some in zip(found, scopes)]
            for index, (frame, some) in enumerate(zip(found, scopes)):
                name = self._name_of(code_at(frame))
                inner: List[Optional[Described]] = [*some]
                for described in inner or [None]:
                    yield FileFrame(self.number, frame, name, described, around[index + 1 :])

    def registers(self) -> Dict[str, int]:
        return {name: self._registers[name] for name in _SHOWN if name in self._registers}

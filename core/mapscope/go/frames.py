# SPDX-License-Identifier: MIT
"""Frames of Go code without debug information, and over the borders between its stacks.

Go code keeps no frame that debuggers can find by themselves: what tells how deep the stack is
at an instruction is the table that Go's own traceback uses (pclntab). Facts: runtime/traceback.go,
runtime/asm_amd64.s (systemstack, mcall), runtime/sys_linux_amd64.s (the signal trampoline) of Go
1.18 to 1.27.
"""

import itertools
import re
import struct
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from ..errors import MemoryUnreadable
from ..program.memory import Memory
from ..program.target import Frame, Variable
from . import layouts
from .functions import Functions

#: where a goroutine's or a thread's stack begins
_FIRST = re.compile(r"runtime\.(goexit|mstart|mstart0|rt0_go|mcall|morestack|kickoff)\Z")
#: functions that run on the system stack for a goroutine, whose own stack waits in g.sched
SWITCHES = ("runtime.systemstack", "runtime.mcall", "runtime.morestack", "runtime.asmcgocall")
#: what the kernel calls for a signal, and what that returns to, by version
_SIGNAL_HANDLER = "runtime.sigtramp"
_SIGNAL_RETURN = ("runtime.sigreturn__sigaction", "runtime.sigreturn")
#: what a signal's handler lets a goroutine call, as if from the instruction that it was at; the
#: first keeps all registers on the stack (runtime/preempt_amd64.s)
_PREEMPTED = "runtime.asyncPreempt"
_INJECTED = (_PREEMPTED, "runtime.sigpanic")
#: mov of a register to rsp, rsp + 8 bits or rsp + 32 bits
_STORE = re.compile(
    rb"([\x48\x4c])\x89(?:([\x04\x0c\x14\x1c\x24\x2c\x34\x3c])\x24"
    rb"|([\x44\x4c\x54\x5c\x64\x6c\x74\x7c])\x24(.)"
    rb"|([\x84\x8c\x94\x9c\xa4\xac\xb4\xbc])\x24(.{4}))",
    re.DOTALL,
)
#: a ucontext on amd64: rsp and rip among its registers (asm/sigcontext.h, sys/ucontext.h)
_UC_RSP, _UC_RIP = 40 + 15 * 8, 40 + 16 * 8
#: code of a function that is searched for a store, in bytes
_CODE = 1 << 16
#: of a function's code, in which it checks and makes room on the stack, and arguments are still
#: in their registers
_BEGINNING = 40
#: of a frame, in which words are looked at; those of the runtime's map functions are smaller
_FRAME = 2048
#: registers by their numbers in instructions
_NUMBERED = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
#: registers that can hold a value of Go code (abi-internal.md: rsp and r14 are its own)
_GENERAL = "rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r15".split()

Register = Callable[[str], Optional[int]]


class GoFrame(Frame):
    """A frame found by the table of functions.

    :ivar start: the function's first instruction
    :ivar cfa: the address above the return address
    """

    has_variables = False

    def __init__(
        self,
        memory: Memory,
        table: Functions,
        thread: int,
        pc: int,
        sp: int,
        inner: bool,
        registers: Optional[Register] = None,
    ) -> None:
        self.thread = thread
        self._registers = registers
        self._words: Optional[List[int]] = None
        self._memory = memory
        self._table = table
        self._pc = pc
        self._sp = sp
        # a return address may lie behind the function's last instruction
        self._at = pc if inner else pc - 1
        function = table.at(self._at)
        self.function = "" if function is None else function.name
        self.start = 0 if function is None else function.start
        depth = table.depth(self._at)
        self.cfa = 0 if depth is None or depth < 0 else sp + depth + 8
        self._begins = depth in (0, 8) and pc - self.start < _BEGINNING

    @property
    def at(self) -> int:
        """The instruction that it is at: of a caller a byte of its call."""
        return self._at

    def pc(self) -> int:
        return self._pc

    def sp(self) -> int:
        return self._sp

    def register(self, name: str) -> Optional[int]:
        """A register of the frame; None: what it was is not known."""
        if name in ("rsp", "rip"):
            return self._sp if name == "rsp" else self._pc
        return None if self._registers is None else self._registers(name)

    def place(self) -> str:
        return self._table.place(self._at)

    def variable(self, name: str) -> Optional[Variable]:
        return None

    def passed(self, index: int) -> Optional[int]:
        if self._registers is None or not self._begins:
            return None
        return self._registers(layouts.ARGUMENT_REGISTERS[index])

    def words(self) -> List[int]:
        if self._words is None:
            read = self._registers or (lambda name: None)
            self._words = [word for word in map(read, _GENERAL) if word is not None]
            # without the return address and the caller's rbp, which are no frame's values
            size = min(self.cfa - 8 - self._sp, _FRAME) if self.cfa else 0
            if size > 0:
                try:
                    raw = bytes(self._memory.read(self._sp, size))
                except MemoryUnreadable:
                    raw = b""
                self._words += struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) & ~7])
        return self._words

    def spilled(self, index: int) -> Optional[int]:
        slot = self.cfa + 8 * index
        return slot if self.cfa and self._is_stored(slot - self._sp) else None

    def kept(self) -> Dict[str, int]:
        """Addresses of where the function, on its way here, has stored registers: for one that
        does nothing else before."""
        found: Dict[str, int] = {}
        size = self._pc - self.start
        if not 0 < size <= _CODE:
            return found
        try:
            code = bytes(self._memory.read(self.start, size))
        except MemoryUnreadable:
            return found
        for prefix, plain, near, short, far, long in _STORE.findall(code):
            number = (plain or near or far)[0] >> 3 & 7 | (8 if prefix == b"\x4c" else 0)
            offset = int.from_bytes(short or long, "little")
            if _NUMBERED[number] in _GENERAL:
                found.setdefault(_NUMBERED[number], self._sp + offset)
        return found

    def _is_stored(self, offset: int) -> bool:
        return stores(self._memory, self.start, self._pc, offset)


def stores(memory: Memory, start: int, pc: int, offset: int) -> bool:
    """Whether a function, on its way to an instruction, has code that stores a register to
    rsp+offset: the slot of an argument holds that argument or nothing.

    :param start: its first instruction
    """
    size = pc - start
    if not 0 < size <= _CODE or not 0 <= offset < 1 << 31:
        return False
    try:
        code = bytes(memory.read(start, size))
    except MemoryUnreadable:
        return False
    if offset < 128:
        place = rb"[\x44\x4c\x54\x5c\x64\x6c\x74\x7c]\x24" + re.escape(bytes([offset]))
    else:
        place = rb"[\x84\x8c\x94\x9c\xa4\xac\xb4\xbc]\x24" + re.escape(offset.to_bytes(4, "little"))
    # with or without a prefix: a key of four bytes is stored as such
    return re.search(rb"\x89" + place, code, re.DOTALL) is not None


def unwind(
    memory: Memory,
    table: Functions,
    thread: int,
    pc: int,
    sp: int,
    own: Optional[Callable[[], Optional[Tuple[int, int]]]] = None,
    registers: Optional[Register] = None,
) -> Iterator[GoFrame]:
    """Frames from an instruction outwards, as far as Go's code goes.

    :param thread: the debugger's number of the thread; of a parked goroutine: its id, negative
    :param own: (pc, sp) of the goroutine for which the thread is on its system stack
    :param registers: of the innermost frame, where they are known
    """
    inner = True
    while table.at(pc if inner else pc - 1) is not None:
        frame = GoFrame(memory, table, thread, pc, sp, inner, registers)
        yield frame
        registers = None
        name = frame.function
        if name in SWITCHES and own is not None:
            switched, own = own(), None
            if switched is None:
                return
            pc, sp = switched
            inner = True
            continue
        try:
            if name in _SIGNAL_RETURN:
                # the trampoline was "returned" to: sp is at the ucontext
                pc, sp = memory.read_word(sp + _UC_RIP), memory.read_word(sp + _UC_RSP)
                inner = True
                continue
            if not frame.cfa or _FIRST.match(name):
                return
            pc = memory.read_word(frame.cfa - 8)
        except MemoryUnreadable:
            return
        if frame.cfa <= sp and not inner:
            return
        # the kernel makes it "return" to the trampoline's first instruction
        sp, inner = frame.cfa, name == _SIGNAL_HANDLER or name in _INJECTED
        if name == _PREEMPTED:
            registers = _kept(memory, frame.kept())


def _kept(memory: Memory, places: Dict[str, int]) -> Register:
    """Registers that are kept in memory."""

    def register(name: str) -> Optional[int]:
        try:
            return memory.read_word(places[name]) if name in places else None
        except MemoryUnreadable:
            return None

    return register


def waiting_at(memory: Memory, g: int, minor: int) -> Optional[Tuple[int, int]]:
    """(pc, sp) at which a goroutine waits that no thread runs (g.sched)."""
    at = g + layouts.g(minor).at("sched")
    try:
        pc = memory.read_word(at + layouts.GOBUF.at("pc"))
        sp = memory.read_word(at + layouts.GOBUF.at("sp"))
    except MemoryUnreadable:
        return None
    return (pc, sp) if pc and sp else None


def with_names(
    memory: Memory,
    functions: Callable[[], Optional[Functions]],
    frames: Iterable[Frame],
    registers: Optional[Register] = None,
) -> Iterator[Frame]:
    """A thread's frames; where the debugger has no debug information for the innermost, and it
    is Go code, by the table of functions.

    :param functions: finds the table
    :param registers: of the thread, where they are known
    """
    native = iter(frames)
    first = next(native, None)
    if first is None:
        return
    table = None if first.has_variables else functions()
    pc, sp = first.pc(), first.sp()
    if table is None or not sp:
        yield from itertools.chain((first,), native)
        return
    if table.at(pc) is not None:
        yield from unwind(memory, table, first.thread, pc, sp, registers=registers)
    else:
        yield from itertools.chain((first,), native)

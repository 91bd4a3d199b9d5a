# SPDX-License-Identifier: MIT
"""gdb's threads and frames as core's."""

import re
from typing import Dict, Iterator, List, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.program.cpp_names import function_name
from mapscope.program.cpp_types import CppVariable
from mapscope.program.target import Frame, Thread, Variable
from .cpp_types import locals_of
from .expressions import variable_of
from .types import is_go_map

#: frames of the selected thread that are looked at
SELECTED = 64


#: "runtime.hashGrow" as gdb shows it where there is no debug information: demangled, though
#: Go's names are not mangled
_DEMANGLED = re.compile(r"((?:.*/)?[^./\[\]]+)\[(\w+)\]")


def function_of(frame: gdb.Frame) -> str:
    """The name of a frame's function; "" if it has none."""
    name = str(frame.name() or "")
    if " mapscope::" in name and frame.function() is None:
        # without debug information a template's instance has its result's type in front
        name = function_name(name)
    match = _DEMANGLED.fullmatch(name)
    return f"{match[1]}.{match[2]}" if match else name


#: bytes of a function in which inlined ones are looked for
_INLINED = 1 << 14


class GdbFrame(Frame):
    """One frame of one thread."""

    def __init__(self, thread: gdb.InferiorThread, frame: gdb.Frame) -> None:
        self._thread = thread
        self._frame = frame
        self.thread = int(thread.num)
        self.function = function_of(frame)
        self.has_variables = frame.function() is not None

    def sp(self) -> int:
        with Selected(self._thread):
            try:
                return int(self._frame.read_register("rsp")) & ((1 << 64) - 1)
            except (gdb.error, ValueError):
                return 0

    def pc(self) -> int:
        with Selected(self._thread):
            try:
                return int(self._frame.pc())
            except gdb.error:
                return 0

    def place(self) -> str:
        with Selected(self._thread):
            try:
                sal = self._frame.find_sal()
            except gdb.error:
                return ""
        return f"{sal.symtab.filename}:{sal.line}" if sal.symtab is not None else ""

    def inlined(self) -> Iterator[str]:
        # Blocks lead to those around them alone, so places all over the function are asked.
        pc = self.pc()
        block, whole = gdb.block_for_pc(pc), None
        while block is not None and not block.is_static and not block.is_global:
            whole = block if block.function is not None else whole
            block = block.superblock
        if whole is None:
            return
        end = min(whole.end, whole.start + _INLINED)
        seen = {(whole.start, whole.end)}
        for at in range(whole.start, end, 4):
            block = gdb.block_for_pc(at)
            while block is not None and (block.start, block.end) not in seen:
                seen.add((block.start, block.end))
                if block.function is not None:
                    yield str(block.function.name)
                block = block.superblock

    def variable(self, name: str) -> Optional[Variable]:
        with Selected(self._thread):
            try:
                value = self._frame.read_var(name)
                if value.is_optimized_out:
                    return None
                return variable_of(value)
            except (gdb.error, ValueError, MapscopeError):
                return None

    def cpp_locals(self, every: bool = False) -> List[CppVariable]:
        with Selected(self._thread):
            return locals_of(self._frame, every)

    def spilled(self, index: int) -> Optional[int]:
        with Selected(self._thread):
            try:
                caller = self._frame.older()
                return None if caller is None else int(caller.read_register("rsp")) + 8 * index
            except (gdb.error, ValueError):
                return None


#: what is shown of a thread
_REGISTERS = (
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base"
).split()


class GdbThread(Thread):
    """One stopped thread."""

    def __init__(self, thread: gdb.InferiorThread) -> None:
        self._thread = thread
        self.number = int(thread.num)
        self.kernel_id = int(thread.ptid[1] or thread.ptid[2])

    def frames(self) -> Iterator[Frame]:
        with Selected(self._thread):
            found: List[Frame] = []
            frame = newest_frame()
            for _ in range(SELECTED):
                if frame is None:
                    break
                found.append(GdbFrame(self._thread, frame))
                frame = older(frame)
        return iter(found)

    def registers(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        with Selected(self._thread):
            frame = newest_frame()
            for name in _REGISTERS:
                if frame is None:
                    break
                try:
                    found[name] = int(frame.read_register(name)) & ((1 << 64) - 1)
                except (gdb.error, ValueError):
                    continue
        return found


class Selected:
    """Makes a thread the selected one; the user's thread and frame come back."""

    def __init__(self, thread: gdb.InferiorThread) -> None:
        self._thread = thread
        self._before: Optional[gdb.InferiorThread] = None
        self._frame: Optional[gdb.Frame] = None

    def __enter__(self) -> None:
        selected = gdb.selected_thread()
        if selected is None or selected.num == self._thread.num:
            return
        self._before = selected
        try:
            self._frame = gdb.selected_frame()
        except gdb.error:
            self._frame = None
        self._thread.switch()

    def __exit__(self, *_: object) -> None:
        if self._before is not None and self._before.is_valid():
            self._before.switch()
            if self._frame is not None and self._frame.is_valid():
                self._frame.select()


def newest_frame() -> Optional[gdb.Frame]:
    try:
        return gdb.newest_frame()
    except gdb.error:
        return None


def older(frame: gdb.Frame) -> Optional[gdb.Frame]:
    """The caller's frame, if there is one."""
    try:
        return frame.older()
    except gdb.error:
        return None


def maps_of_frame(frame: gdb.Frame) -> List[Tuple[str, Variable]]:
    found: List[Tuple[str, Variable]] = []
    try:
        block = frame.block()
    except RuntimeError:
        return found
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if not (symbol.is_variable or symbol.is_argument) or not is_go_map(symbol.type):
                continue
            try:
                found.append((str(symbol.name), variable_of(frame.read_var(symbol, block))))
            except (gdb.error, ValueError, MapscopeError):
                continue
        block = block.superblock
    return found

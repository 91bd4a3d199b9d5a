# SPDX-License-Identifier: MIT
"""core's Target, by LLDB's SB API."""

import errno
import os
import re
import sys
import time
from typing import Dict, Iterator, List, Optional, Set, Tuple

import lldb

from mapscope.errors import MapscopeError, MemoryUnreadable, NeedsProcess
from mapscope.program.core_file import CoreFile, Range
from mapscope.program.cpp_names import function_name, same_template
from mapscope.program.cpp_types import CppType, CppVariable
from mapscope.program.memory import Buffer
from mapscope.program.process_memory import ProcessMemory, is_traced_by, why_refused
from mapscope.program.target import CodeFile, Frame, Names, Section, Target, Thread, Variable
from mapscope.program.types import Type
from mapscope.session import Session
from . import core_dump, cpp_variables
from .data import global_variables
from .expressions import evaluate, no_code, one_line, variable_of
from .go_modules import GoModule, LldbCodeFile, go_module, go_modules
from .go_names import LldbNames
from .modules import template_names
from .process import is_core, is_there, register_of
from .types import describe


#: frames of each thread that are looked at for runtime functions
_INNERMOST = 8
#: frames of the selected thread that are looked at
_SELECTED = 64
_HALTED = (lldb.eStateStopped, lldb.eStateCrashed, lldb.eStateSuspended)
#: reads from which on LLDB's own way is worth avoiding, in bytes
_DIRECT = 512
#: variables of one name
_MANY = 256
#: the kernel's module, which is in every process
_VDSO = "[vdso]"
#: pointer types, which have no names of their own; a name may come from the program's memory,
#: so nothing that does anything may match
_POINTER = re.compile(r"^[\w: ]+\*[*\w ]*$")

#: processes of which it was said that their memory cannot be read directly
_refused: Set[int] = set()


class LldbTarget(Target):
    """LLDB's selected target.

    :param context: what a command works on; None: whatever is selected
    """

    def __init__(
        self, debugger: lldb.SBDebugger, context: Optional[lldb.SBExecutionContext] = None
    ) -> None:
        self.debugger = debugger
        self.native: lldb.SBTarget = debugger.GetSelectedTarget()
        if context is not None and context.GetTarget().IsValid():
            self.native = context.GetTarget()
        self.process: lldb.SBProcess = self.native.GetProcess()
        self._context = context
        self._direct: Optional[ProcessMemory] = None
        self._tried_direct = False
        self._code: Optional[List[Range]] = None
        self._core: Optional[CoreFile] = None
        self._tried_core = False
        self._writable: Optional[List[Range]] = None
        self._error = lldb.SBError()
        self._started = time.monotonic()
        self._interrupted = False
        self._shown = False

    # --- memory ---

    def read_memory(self, address: int, size: int) -> Buffer:
        if size == 0:
            return b""
        core = self._core_file()
        if core is not None:
            reason = core.lacks(address, size, self._writable_sections)
            if reason:
                raise MemoryUnreadable(address, size, reason)
        if size >= _DIRECT:
            self._raise_interrupt()
            direct = self._direct_memory()
            if direct is not None and not self._has_code(address, size):
                return direct.read(address, size)
        try:
            self._error.Clear()
            data: Optional[bytes] = self.process.ReadMemory(address, size, self._error)
        except (OverflowError, ValueError, SystemError):
            raise MemoryUnreadable(address, size) from None
        if not self._error.Success() or data is None or len(data) != size:
            return self._read_of_file(address, size)
        return data

    def _read_of_file(self, address: int, size: int) -> bytes:
        """What a core dump leaves out because the program's own file has it, constants; and
        code while there is no process.

        The kernel leaves out what was not written to. LLDB's own dumps may be without pages
        that were relocated, and that the file has otherwise.
        """
        place = lldb.SBAddress()
        if not is_there(self.process):
            place = self.native.ResolveFileAddress(address)
        elif is_core(self.process):
            place = self.native.ResolveLoadAddress(address)
            if self._core_file() is None and (
                place.GetSection().GetPermissions() & lldb.ePermissionsWritable
            ):
                raise MemoryUnreadable(address, size)
        if place.GetSection().IsValid():
            self._error.Clear()
            data: Optional[bytes] = self.native.ReadMemory(place, size, self._error)
            # LLDB 22 keeps the error of the dump, where it looks first
            if data is not None and len(data) == size:
                return data
        raise MemoryUnreadable(address, size)

    def _core_file(self) -> Optional[CoreFile]:
        """What the process's core file has; None: it has none that can be taken apart."""
        if not self._tried_core:
            self._tried_core = True
            self._core = core_dump.current(self.process)
        return self._core

    def _writable_sections(self) -> List[Range]:
        if self._writable is None:
            self._writable = self._ranges(lldb.ePermissionsWritable)
        return self._writable

    def _ranges(self, permission: int) -> List[Range]:
        """Address ranges of the modules' sections that have a permission."""
        found: List[Range] = []
        for module in self.native.module_iter():
            for section in module.section_iter():
                if section.GetPermissions() & permission:
                    start = section.GetLoadAddress(self.native)
                    if start != lldb.LLDB_INVALID_ADDRESS:
                        found.append((start, start + section.GetByteSize()))
        return found

    def _direct_memory(self) -> Optional[ProcessMemory]:
        """The kernel's view of a process on this machine; None: it is to be read by LLDB."""
        if self._tried_direct:
            return self._direct
        self._tried_direct = True
        pid = int(self.process.GetProcessID())
        if not self.is_local():
            return None
        try:
            self._direct = ProcessMemory(pid)
        except OSError as error:
            gone = error.errno in (errno.ESRCH, errno.ENOENT)
            if pid not in _refused and not gone:
                _refused.add(pid)
                self.warn(
                    "mapscope reads the process through LLDB, many times slower than directly, "
                    f"since the kernel refuses that: {why_refused(error)}"
                )
        return self._direct

    def is_local(self) -> bool:
        """Whether the process runs on this machine, under this LLDB."""
        if is_core(self.process):
            return False
        return is_traced_by(int(self.process.GetProcessID()), os.getpid())

    def _has_code(self, address: int, size: int) -> bool:
        """Whether LLDB may have put breakpoints there, which it alone hides."""
        if self._code is None:
            self._code = self._ranges(lldb.ePermissionsExecutable)
        return any(start < address + size and address < end for start, end in self._code)

    def has_memory(self) -> bool:
        if not is_there(self.process):
            return False
        state = self.process.GetState()
        if state in (lldb.eStateRunning, lldb.eStateStepping):
            raise NeedsProcess("the process is running: interrupt it first")
        return state in _HALTED

    def lacks_program(self) -> str:
        for module in self.native.module_iter():
            if module.GetNumSections() and str(module.GetFileSpec().GetFilename()) != _VDSO:
                return ""
        if not is_core(self.process):
            return "target create PROGRAM"
        return f"target create PROGRAM --core {core_dump.path_of(self.process.GetCoreFile())}"

    def misfit(self) -> str:
        return core_dump.fits(self.native)

    def architecture(self) -> str:
        return str(self.native.GetTriple() or "unknown").split("-")[0]

    # --- names ---

    def evaluate(self, expression: str) -> Variable:
        frame = self.selected_frame()
        native, function = (None, "") if frame is None else (frame.native, frame.function)
        return evaluate(Session(self), self, native, function, expression)

    def vector(self, expression: str) -> Variable:
        frame = self.selected_frame()
        native, function = (None, "") if frame is None else (frame.native, frame.function)
        return evaluate(Session(self), self, native, function, expression, vector=True)

    def names(self) -> Optional[Names]:
        if next(go_modules(self.native), None) is None:
            return None
        frame = self.selected_frame()
        if frame is None:
            return LldbNames(self.native, self.symbol_places, self.symbols)
        found = LldbNames(
            self.native,
            self.symbol_places,
            self.symbols,
            frame.local,
            frame.locals(),
        )
        found.frame = frame
        return found

    def file_variables(self, name: str) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        for value in global_variables(self.native, name, _MANY):
            if str(value.GetName() or "").removeprefix("::") != name:
                continue
            place = value.GetAddress()
            at = self._placed(place.GetLoadAddress(self.native), place.GetFileAddress())
            if at is not None:
                one = Variable(describe(value.GetType()), at)
                found.append((str(value.GetDeclaration().GetFileSpec()), one))
        return found

    def symbols(self, name: str) -> List[int]:
        found: List[int] = []
        for start in self.symbol_places(name):
            address = self._placed(start.GetLoadAddress(self.native), start.GetFileAddress())
            if address is not None and address not in found:
                found.append(address)
        return found

    def symbol_places(self, name: str) -> Iterator[lldb.SBAddress]:
        """Where a linker symbol is, in the sections of each module that has it."""
        for context in self.native.FindSymbols(name):
            start = context.GetSymbol().GetStartAddress()
            if start.IsValid():
                yield start

    def _placed(self, loaded: int, linked: int) -> Optional[int]:
        """Where something is: in the process; as linked, if there is none yet."""
        place = loaded if is_there(self.process) else linked
        return None if place == lldb.LLDB_INVALID_ADDRESS else int(place)

    def symbol_at(self, address: int) -> Optional[str]:
        place = self.native.ResolveLoadAddress(address)
        symbol = place.GetSymbol()
        if not symbol.IsValid() or symbol.GetStartAddress() != place:
            return None
        return str(symbol.GetName())

    def sections(self) -> List[Section]:
        found: List[Section] = []
        for module in self.native.module_iter():
            file = str(module.GetFileSpec())
            for section in module.section_iter():
                self._add_sections(section, found, 0, file)
        return found

    def _add_sections(
        self, section: lldb.SBSection, found: List[Section], depth: int, file: str
    ) -> None:
        count = section.GetNumSubSections()
        if count and depth < 4:
            for index in range(count):
                self._add_sections(section.GetSubSectionAtIndex(index), found, depth + 1, file)
            return
        start = self._placed(section.GetLoadAddress(self.native), section.GetFileAddress())
        if start is not None and section.GetByteSize():
            end = int(start + section.GetByteSize())
            found.append(Section(str(section.GetName()), start, end, file))

    def code_file(self, address: int) -> Optional[CodeFile]:
        module = go_module(self.native.ResolveLoadAddress(address).GetModule())
        return None if module is None else LldbCodeFile(module, self.native)

    def _native_type(self, name: str) -> lldb.SBType:
        """LLDB's type of a name; one that is not valid: there is none."""
        found = self.native.FindFirstType(name)
        if not found.IsValid() and "<" in name:
            # as the debug information spells it
            base = name[: name.index("<")].rsplit("::", 1)[-1]
            scope = name[: name.index(base + "<")]
            short = name[len(scope) :]
            for module in self.native.module_iter():
                spelled = same_template(template_names(module, base), short)
                if spelled is not None:
                    found = module.FindFirstType(scope + spelled)
                    break
        if not found.IsValid() and _POINTER.match(name):
            found = self.native.EvaluateExpression(f"({name})0", no_code()).GetType()
        return found

    def find_type(self, name: str) -> Optional[Type]:
        found = self._native_type(name)
        return describe(found) if found.IsValid() and found.GetByteSize() else None

    def cpp_variables(self, unread: List[str], every: bool = False) -> Iterator[CppVariable]:
        return cpp_variables.Variables(self.native, self.process, unread, every).all()

    def cpp_type(self, name: str) -> Optional[CppType]:
        found = self._native_type(name)
        return cpp_variables.LldbCppType(found) if found.IsValid() else None

    # --- threads and frames ---

    def selected_thread(self) -> Optional[lldb.SBThread]:
        """The thread that is looked at; None: there is none."""
        thread = self._context.GetThread() if self._context is not None else lldb.SBThread()
        if not thread.IsValid():
            thread = self.process.GetSelectedThread()
        return thread if thread.IsValid() else None

    def selected_frame(self) -> Optional["LldbFrame"]:
        """The frame that is looked at; None: there is none."""
        frame = self._context.GetFrame() if self._context is not None else lldb.SBFrame()
        thread = self.selected_thread()
        if not frame.IsValid() and thread is not None:
            frame = thread.GetSelectedFrame()
        return next(self.frames_of(frame), None) if frame.IsValid() else None

    def frames_of(self, frame: lldb.SBFrame) -> Iterator["LldbFrame"]:
        """What core calls frames: a Go function and those inlined in it are one for LLDB."""
        go = go_module(frame.GetModule())
        if go is None:
            yield LldbFrame(self, frame)
            return
        scopes = go.scopes(frame)
        if not scopes:
            yield LldbFrame(self, frame, go)
        for index in range(len(scopes)):
            yield LldbFrame(self, frame, go, index)

    def thread_frames(self, thread: lldb.SBThread, most: int) -> Iterator["LldbFrame"]:
        """The innermost frames of a thread."""
        for index in range(most):
            # asking for one after the other unwinds no further than needed
            frame = thread.GetFrameAtIndex(index)
            if not frame.IsValid():
                return
            yield from self.frames_of(frame)

    def selected_frames(self) -> Iterator[Frame]:
        thread = self.selected_thread()
        return iter(()) if thread is None else self.thread_frames(thread, _SELECTED)

    def runtime_frames(self) -> Iterator[Frame]:
        for thread in self.process:
            yield from self.thread_frames(thread, _INNERMOST)

    def threads(self) -> Iterator[Thread]:
        for thread in sorted(self.process, key=lambda thread: int(thread.GetIndexID())):
            yield LldbThread(self, thread)

    # --- maps ---

    def global_maps(self) -> List[Tuple[str, Variable]]:
        return [
            (name, Variable(type, address))
            for module in go_modules(self.native)
            for name, address, type in module.global_maps(self.native)
        ]

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        thread = self.selected_thread()
        for frame in () if thread is None else self.thread_frames(thread, _SELECTED):
            found += frame.maps()
        return found

    # --- the rest ---

    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        return one_line(self.native, type, address, data)

    def element_limit(self) -> int:
        values = self.debugger.GetInternalVariableValue(
            "target.max-children-count", self.debugger.GetInstanceName()
        )
        try:
            return int(values.GetStringAtIndex(0))
        except (TypeError, ValueError):
            return 256

    def warn(self, line: str) -> None:
        """A line on the debugger's error channel."""
        print(line, file=sys.stderr, flush=True)

    def _raise_interrupt(self) -> None:
        """A Ctrl-C, once: LLDB says until the command ends that there was one, and what a command
        does with what it has found so far reads memory, too."""
        if not self._interrupted and self.debugger.InterruptRequested():
            self._interrupted = True
            raise KeyboardInterrupt

    def progress(self, done: int, total: int) -> None:
        """On a terminal, after the first second: a line that is overwritten."""
        self._raise_interrupt()
        if time.monotonic() - self._started < 1 or not os.isatty(2):
            return
        self._shown = True
        os.write(2, f"\r{100 * done // max(total, 1)}%\r".encode())

    def finish(self) -> None:
        """Give back what the command used, and remove what progress has left on the terminal."""
        if self._direct is not None:
            self._direct.close()
            self._direct = None
            self._tried_direct = False  # a value that is shown later opens it again
        if self._shown:
            os.write(2, b"\r    \r")


def _cpp_function(frame: lldb.SBFrame, name: str) -> str:
    """A frame's function in C++. Of a template that is inlined and made for a type of an unnamed
    namespace GCC tells the last part of the name alone."""
    if "::(anonymous)(" in name and not frame.IsInlined():
        # of a function that the optimiser has copied LLDB has no name, but its symbol has
        name = str(frame.GetSymbol().GetName() or name)
    name = function_name(name)
    if name.startswith("mapscope::") or not frame.IsInlined():
        return name
    folder = str(frame.GetLineEntry().GetFileSpec().GetDirectory() or "")
    return f"mapscope::{name}" if folder.endswith("/mapscope") else name


#: blocks of a function that are looked at
_INLINED = 1 << 14


class LldbFrame(Frame):
    """One frame of one thread.

    :param go: the Go module whose code runs; None: it is not Go's
    :param scope: of the functions inlined there, from the innermost
    """

    def __init__(
        self,
        target: LldbTarget,
        frame: lldb.SBFrame,
        go: Optional[GoModule] = None,
        scope: Optional[int] = None,
    ) -> None:
        self.target = target
        self.native = frame
        self.go = go
        self._scope = scope
        self.thread = int(frame.GetThread().GetIndexID())
        if go is not None and scope is not None:
            self.function = go.scopes(frame)[scope].function
        else:
            name = str(frame.GetFunctionName() or "")
            self.function = name if go is not None else _cpp_function(frame, name)
        known = frame.GetFunction().IsValid() if go is None else scope is not None
        self.has_variables = bool(known)

    def sp(self) -> int:
        return int(self.native.GetSP())

    def pc(self) -> int:
        return int(self.native.GetPC())

    def place(self) -> str:
        line = self.native.GetLineEntry()
        return f"{line.GetFileSpec()}:{line.GetLine()}" if line.IsValid() else ""

    def inlined(self) -> Iterator[str]:
        blocks = [self.native.GetFunction().GetBlock().GetFirstChild()]
        for _ in range(_INLINED):
            if not blocks:
                return
            block = blocks.pop()
            if block.IsValid():
                blocks += [block.GetSibling(), block.GetFirstChild()]
                if block.IsInlined():
                    name = function_name(str(block.GetInlinedName() or ""))
                    # see _cpp_function: a part of the name may be all there is
                    yield name if "::" in name else f"mapscope::{name}"

    def variable(self, name: str) -> Optional[Variable]:
        try:
            if self.go is not None:
                if self._scope is None:
                    return None
                return self.go.variable(self.native, self._scope, name, self.target.read_memory)
            value = self.native.FindVariable(name)
            return variable_of(value) if value.IsValid() else None
        except MapscopeError:
            return None

    def local(self, name: str) -> Optional[Variable]:
        """What a programmer means by a name in a Go frame.

        :raises MapscopeError: if it has no value here
        """
        if self.go is None or self._scope is None:
            return None
        return self.go.local(self.native, self._scope, name, self.target.read_memory)

    def locals(self) -> List[str]:
        """Names of a Go frame's variables."""
        if self.go is None or self._scope is None:
            return []
        return [name.lstrip("&") for name in self.go.names(self.native, self._scope)]

    def cpp_locals(self, every: bool = False) -> List[CppVariable]:
        return [] if self.go is not None else cpp_variables.locals_of(self.native, every)

    def maps(self) -> List[Tuple[str, Variable]]:
        """Its parameters and locals that are Go maps."""
        if self.go is None or self._scope is None:
            return []
        return self.go.maps(self.native, self._scope, self.target.read_memory)

    def spilled(self, index: int) -> Optional[int]:
        # the canonical frame address is rsp before the call: just above the return address
        cfa = self.native.GetCFA()
        return None if cfa == lldb.LLDB_INVALID_ADDRESS else int(cfa) + 8 * index


#: what is shown of a thread, by LLDB's name
_REGISTERS = {
    name: {"eflags": "rflags"}.get(name, name)
    for name in (
        "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base"
    ).split()
}


class LldbThread(Thread):
    """One stopped thread."""

    def __init__(self, target: LldbTarget, thread: lldb.SBThread) -> None:
        self._target = target
        self._thread = thread
        self.number = int(thread.GetIndexID())
        self.kernel_id = int(thread.GetThreadID())

    def frames(self) -> Iterator[Frame]:
        return self._target.thread_frames(self._thread, _SELECTED)

    def registers(self) -> Dict[str, int]:
        frame = self._thread.GetFrameAtIndex(0)
        found: Dict[str, int] = {}
        for name, native in _REGISTERS.items():
            value = register_of(frame, native)
            if value is not None:
                found[name] = value
        return found

# SPDX-License-Identifier: MIT
"""core's Target without a debugger: files, memory and registers are all that there is."""

import os
import struct
import sys
import time
from itertools import islice
from typing import Dict, Iterator, List, Optional, Protocol, Set, Tuple

from mapscope.errors import MapscopeError, UsageError
from mapscope.flavours.cpp import cpp_expressions
from mapscope.go import debug_info
from mapscope.go.frame_variables import ScopedFrame, scoped
from mapscope.program.call_frames import Unwinder
from mapscope.program.cpp_debug_info import CppDebugInfo, GlobalVariable
from mapscope.program.cpp_names import function_name
from mapscope.program.cpp_types import CppType, CppVariable
from mapscope.program.demangling import demangled
from mapscope.program.elf_symbols import Symbol
from mapscope.program.loaded_files import Found, LoadedFile, kernels_code
from mapscope.program.memory import Buffer
from mapscope.program.target import CodeFile, Frame, Names, Section, Target, Thread, Variable
from mapscope.program.types import VOID, Kind, Type
from mapscope.program.values import escape
from mapscope.session import Session
from .cpp import FileScope
from .names import FileNames
from .threads import Described, FileFrame, FileThread

#: of files that have Go code
_GO_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo")
#: what a file that has C++ maps has in names of functions or variables
_OURS, _ABI = "mapscope", "mapscope_abi"
#: elements of a container that are shown in text, as debuggers do
_ELEMENTS = 200
#: frames of the chosen thread that are looked at
_SELECTED = 64
_WORD = Type(Kind.UINT, "uintptr", 8)
_POINTER = Type(Kind.POINTER, "void *", 8, element=lambda: VOID)


class Process(Protocol):
    """What is read: a core file, or a live process.

    :ivar threads: the kernel's ids and registers, where those are known
    :ivar shared: where the kernel has put its own code for the process; 0: not known
    """

    threads: List[Tuple[int, Dict[str, int]]]
    shared: int

    def read(self, address: int, size: int) -> Buffer:
        """Exactly so many bytes.

        :raises MemoryUnreadable: if they cannot be read
        """


class FileTarget(Target):
    """A core file or a live process.

    :param found: the files that it consists of
    :param selected: the number of the thread that is looked at where none is named
    :param wrong: what is known to be wrong about program and memory together
    :param runs_on: whether the process was not stopped
    """

    def __init__(
        self, process: Process, found: Found, selected: int, wrong: str, runs_on: bool = False
    ) -> None:
        self._process = process
        self._found = found
        self._wrong = wrong
        self._runs_on = runs_on
        self._selected = selected
        self._started = time.monotonic()
        self._shown = False
        self._scoped: Optional[List[ScopedFrame]] = None
        self._said: Set[str] = set()
        self._unwinder = Unwinder(process.read, self._unwind_table)
        self._cpp: Dict[str, CppDebugInfo] = {}
        self._kernels: Optional[Tuple[int, int, int]] = None

    # --- memory and files ---

    def read_memory(self, address: int, size: int) -> Buffer:
        return self._process.read(address, size)

    def has_memory(self) -> bool:
        return True

    def misfit(self) -> str:
        return self._wrong

    def runs_on(self) -> bool:
        return self._runs_on

    def warn(self, line: str) -> None:
        sys.stderr.write(line + "\n")

    def architecture(self) -> str:
        return "x86-64"  # of no other one are files and registers read

    def sections(self) -> List[Section]:
        found: List[Section] = []
        for file in self._found.files:
            found += file.sections("" if file is self._found.program else file.name)
        return found

    def _file_at(self, address: int) -> Optional[LoadedFile]:
        return next((file for file in self._found.files if file.holds(address)), None)

    def code_file(self, address: int) -> Optional[CodeFile]:
        return self._file_at(address)

    # --- symbols ---

    def symbols(self, name: str) -> List[int]:
        return [address for address, _ in self.found_symbols(name)]

    def found_symbols(self, name: str) -> List[Tuple[int, Symbol]]:
        """Addresses in memory and symbols of a name, one for each file that has it."""
        found: List[Tuple[int, Symbol]] = []
        for file in self._found.files:
            for symbol in file.symbols.named(name)[:1]:
                found.append((symbol.address + file.bias, symbol))
        return found

    def symbol_at(self, address: int) -> Optional[str]:
        file = self._file_at(address)
        found = None if file is None else file.symbols.at(address - file.bias)
        return None if found is None else demangled(found.name)

    def _function_name(self, address: int) -> str:
        file = self._file_at(address)
        found = None if file is None else file.function_at(address)
        name = "" if found is None else demangled(found.name)
        return function_name(name) if found is not None and name != found.name else name

    # --- Go ---

    def go_info(self) -> Iterator[Tuple[LoadedFile, debug_info.GoDebugInfo]]:
        """Debug information of the files that have Go code."""
        for file in self._found.files:
            if self._is_go(file):
                yield file, debug_info.of_file(file.identity, file.section)

    @staticmethod
    def _is_go(file: Optional[LoadedFile]) -> bool:
        return file is not None and any(file.linked(name) is not None for name in _GO_SECTIONS)

    def names(self) -> Optional[Names]:
        return FileNames(self.go_info, self.found_symbols, self.scoped())

    def scoped(self) -> List[ScopedFrame]:
        """The chosen thread's frames of Go code, with their variables."""
        if self._scoped is None:
            self._scoped = []
            session = Session(self)
            table = session.functions
            for thread in self.threads():
                if thread.number == self._selected and table is not None:
                    frames = session.unwound(thread, _SELECTED)
                    self._scoped = list(scoped(session.memory, table, frames, self.code_file))
        return self._scoped

    def find_type(self, name: str) -> Optional[Type]:
        found = FileNames(self.go_info, self.found_symbols, []).type(name)
        if found is None:
            type = self.cpp_type(name)
            found = None if type is None else type.described()
        return found

    def global_maps(self) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        for file, info in self.go_info():
            try:
                for label, address, type in info.global_maps():
                    found.append((label, Variable(type, address + file.bias)))
            except MapscopeError:
                continue
        return found

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        for frame in self.scoped():
            for name in frame.locals():
                value = frame.variable(name)
                if value is not None and value.type.kind is Kind.GO_MAP:
                    found.append((name, value))
        return found

    # --- threads ---

    def threads(self) -> Iterator[Thread]:
        for number, (kernel_id, registers) in enumerate(self._process.threads, 1):
            yield FileThread(
                number,
                kernel_id,
                registers,
                self._unwinder,
                self._function_name,
                self._scopes_at,
                lambda pc: self._is_go(self._file_at(pc)),
            )

    def _scopes_at(self, pc: int) -> List[Described]:
        """The C++ function at an instruction and those inlined there, by debug information."""
        for file, info in self._cpp_infos():
            if file.holds(pc):
                try:
                    scopes = info.scopes(pc - file.bias)
                except (MapscopeError, IndexError, struct.error):
                    return []
                return [Described(info, scope, file.bias, self.read_memory) for scope in scopes]
        return []

    def _unwind_table(self, pc: int) -> Optional[int]:
        """Where the table is that tells of frames at an instruction."""
        file = self._file_at(pc)
        if file is not None:
            return file.unwind_table
        if self._kernels is None:
            self._kernels = kernels_code(self._process.read, self._process.shared)
        start, end, table = self._kernels
        return table if start <= pc < end else None

    def selected_frames(self) -> Iterator[Frame]:
        for thread in self.threads():
            if thread.number == self._selected:
                yield from thread.frames()

    def runtime_frames(self) -> Iterator[Frame]:
        for thread in self.threads():
            yield from thread.frames()

    def unseen_writes(self) -> str:
        # operations of maps are inlined where they are used
        if not self.symbols(_ABI) or any(info.has_functions for _, info in self._cpp_infos()):
            return ""
        return "C++ code may be inlined into another function, and no debug information tells"

    # --- C++, and what only a debugger can ---

    def evaluate(self, expression: str) -> Variable:
        if expression.startswith("-"):
            raise UsageError(f"unknown option {escape(expression)}")
        try:
            value = int(expression, 0)
        except ValueError:
            pass
        else:
            return Variable(_WORD, None, (value & (1 << 64) - 1).to_bytes(8, "little"))
        if expression.startswith("$"):
            return self._register(expression[1:])
        scope = FileScope(self.read_memory, self._cpp_globals, self._cpp_frames, self._say)
        try:
            return cpp_expressions.evaluate(Session(self), scope, expression)
        except MapscopeError:
            # without debug information at least its address may be known
            found = self.found_symbols(expression)
            if len(found) == 1 and not found[0][1].is_function and scope.find(expression) is None:
                return Variable(_POINTER, None, found[0][0].to_bytes(8, "little"))
            raise

    def _register(self, name: str) -> Variable:
        for thread in self.threads():
            if thread.number == self._selected:
                value = thread.registers().get({"pc": "rip", "sp": "rsp"}.get(name, name))
                if value is not None:
                    return Variable(_WORD, None, value.to_bytes(8, "little"))
                raise MapscopeError(f"${escape(name)}: not a register that is known here")
        raise MapscopeError(f"${escape(name)}: there is no thread {self._selected}")

    def _cpp_infos(self) -> Iterator[Tuple[LoadedFile, CppDebugInfo]]:
        """Debug information of the program, and of the libraries that have to do with maps."""
        for file in self._found.files:
            if file.path in self._cpp:
                yield file, self._cpp[file.path]
            elif not self._is_go(file) and (
                file is self._found.program or any(_OURS in name for name in file.symbols.names())
            ):
                self._cpp[file.path] = CppDebugInfo(file.section)
                yield file, self._cpp[file.path]

    def _cpp_frames(self) -> Iterator[FileFrame]:
        """The chosen thread's frames."""
        for frame in islice(self.selected_frames(), _SELECTED):
            if isinstance(frame, FileFrame):
                yield frame

    def _say(self, text: str) -> None:
        """Tell something once."""
        if text not in self._said:
            self._said.add(text)
            self.warn(f"mapscope: {text}")

    def _cpp_globals(self) -> Iterator[GlobalVariable]:
        """C++ variables of all files, with their addresses in memory."""
        for file, info in self._cpp_infos():
            for one in info.variables():
                place = None if one.address is None else one.address + file.bias
                yield GlobalVariable(one.name, one.type, place, one.file)

    def cpp_variables(self, unread: List[str], every: bool = False) -> Iterator[CppVariable]:
        lost = 0
        if every:
            unread.append("libraries that have nothing to do with maps (a debugger knows them)")
        for one in self._cpp_globals():
            if one.address is None:
                lost += not one.name.startswith("mapscope::")
            elif one.type.is_reference:
                try:
                    where = bytes(self.read_memory(one.address, 8))
                except MapscopeError as error:
                    unread.append(f"{one.name}: {error}")
                    continue
                yield CppVariable(one.name, one.type, None, where)
            else:
                yield CppVariable(one.name, one.type, one.address)
        if lost:
            unread.append(f"{lost} thread_local variables (a debugger knows where they are)")
        unread.append("locals and static variables of C++ functions (a debugger knows them)")

    def file_variables(self, name: str) -> List[Tuple[str, Variable]]:
        return [
            (one.file, Variable(one.type.described(), one.address))
            for one in self._cpp_globals()
            if one.name == name and one.address is not None and not one.type.is_reference
        ]

    def cpp_type(self, name: str) -> Optional[CppType]:
        found = (info.type_named(name) for _, info in self._cpp_infos())
        return next((type for type in found if type is not None), None)

    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        return f"<{len(data)} bytes of {escape(type.name)}: only a debugger prints them>"

    # --- the user ---

    def element_limit(self) -> int:
        return _ELEMENTS

    def progress(self, done: int, total: int) -> None:
        """On a terminal, after the first second: a line that is overwritten."""
        if time.monotonic() - self._started < 1 or not os.isatty(2):
            return
        self._shown = True
        os.write(2, f"\r{100 * done // max(total, 1)}%\r".encode())

    def finish(self) -> None:
        """Remove what progress has left on the terminal."""
        if self._shown:
            os.write(2, b"\r    \r")
            self._shown = False

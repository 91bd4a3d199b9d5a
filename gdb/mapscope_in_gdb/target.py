# SPDX-License-Identifier: MIT
"""core's Target, by gdb's Python API (gdb manual, "Python API")."""

import os
import re
import time
from typing import Any, Iterator, List, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError, MemoryUnreadable, UsageError
from mapscope.go import debug_info
from mapscope.program.core_file import Range
from mapscope.program.cpp_names import with_plain_values
from mapscope.program.cpp_types import CppType, CppVariable
from mapscope.program.target import CodeFile, Frame, Names, Section, Target, Thread, Variable
from mapscope.program.types import Type
from mapscope.program.values import escape
from mapscope.session import Session
from . import core_dump, cpp_types, cpp_variables
from .cpp import GdbScope, speaks_cpp
from .expressions import Language, parse, value_at, variable_of
from .frames import SELECTED, GdbFrame, GdbThread, Selected, maps_of_frame, newest_frame, older
from .go_names import GdbNames
from .types import describe


#: sections of files that have Go code
_GO_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo", ".note.go.buildid")
#: frames of each thread that are looked at for runtime functions
_INNERMOST = 8
#: characters of a value that gdb itself prints
_TEXT_LIMIT = 4096

_SECTION = re.compile(r"^\s*(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\S+)(?: in (.*))?$")


class GdbTarget(Target):
    """gdb's selected inferior."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = False
        self._core = core_dump.current()
        self._writable: Optional[List[Range]] = None
        self._sections: Optional[List[Section]] = None

    def read_memory(self, address: int, size: int) -> memoryview:
        if self._core is not None:
            reason = self._core.lacks(address, size, self._writable_sections)
            if reason:
                raise MemoryUnreadable(address, size, reason)
        try:
            memory = gdb.selected_inferior().read_memory(address, size)
            return memory if isinstance(memory, memoryview) else memoryview(memory)
        except (gdb.error, OverflowError):
            raise MemoryUnreadable(address, size) from None

    def _writable_sections(self) -> List[Range]:
        if self._writable is None:
            self._writable = core_dump.writable_sections()
        return self._writable

    def has_memory(self) -> bool:
        return bool(gdb.selected_inferior().pid) or core_dump.is_core()

    def lacks_program(self) -> str:
        if core_dump.program() or any(
            objfile.filename and os.path.isabs(str(objfile.filename)) for objfile in gdb.objfiles()
        ):
            return ""
        return "file PROGRAM"

    def misfit(self) -> str:
        return core_dump.fits()

    def warn(self, line: str) -> None:
        gdb.write(line + "\n", gdb.STDERR)

    def architecture(self) -> str:
        try:
            return str(gdb.selected_frame().architecture().name())
        except gdb.error:
            return str(gdb.selected_inferior().architecture().name())

    def evaluate(self, expression: str) -> Variable:
        if speaks_cpp():
            if expression.startswith("-"):
                raise UsageError(f"unknown option {escape(expression)}")
            from mapscope.flavours.cpp.cpp_expressions import evaluate

            return evaluate(Session(self), GdbScope(), expression)
        return variable_of(parse(expression))

    def vector(self, expression: str) -> Variable:
        if not speaks_cpp() or expression.startswith("-"):
            return self.evaluate(expression)
        from mapscope.flavours.cpp.cpp_expressions import vector

        return vector(Session(self), GdbScope(), expression)

    def names(self) -> Optional[Names]:
        return GdbNames(self.symbols)

    def file_variables(self, name: str) -> List[Tuple[str, Variable]]:
        return cpp_variables.file_variables(name)

    def symbols(self, name: str) -> List[int]:
        # In the C language, whatever the frame's: Go's parser knows no quotes.
        try:
            with Language("c"):
                return [int(gdb.parse_and_eval(f"&'{name}'"))]
        except gdb.error:
            return []

    def symbol_at(self, address: int) -> Optional[str]:
        try:
            # gdb takes Go's names for another language's: main.T becomes main[T]
            plain = f"with print demangle off -- info symbol {address:#x}"
            text = gdb.execute(plain, to_string=True)
            if text.startswith("_Z"):
                text = gdb.execute(f"info symbol {address:#x}", to_string=True)
        except gdb.error:
            return None
        # "NAME in section .data of /path", "NAME + 8 in section .data"
        match = re.match(r"(.+) in section \S+", text)
        return None if match is None or re.search(r" \+ \d+$", match[1]) else match[1]

    def sections(self) -> List[Section]:
        # The API does not offer where sections are loaded; "info files" does, also for
        # stripped libraries, core dumps and remote targets.
        found: List[Section] = []
        for line in gdb.execute("info files", to_string=True).splitlines():
            match = _SECTION.match(line)
            if match:
                start, end = int(match[1], 16), int(match[2], 16)
                found.append(Section(match[3], start, end, match[4] or ""))
        return found

    def code_file(self, address: int) -> Optional[CodeFile]:
        from .code_file import code_file

        if self._sections is None:
            self._sections = self.sections()
        return code_file(address, self._sections)

    def find_type(self, name: str) -> Optional[Type]:
        for spelled in dict.fromkeys((name, with_plain_values(name))):
            try:
                return describe(gdb.lookup_type(spelled))
            except (gdb.error, RuntimeError):
                pass
        return None

    def cpp_variables(self, unread: List[str], every: bool = False) -> Iterator[CppVariable]:
        program = core_dump.program()
        return cpp_variables.Variables(self.sections(), program, unread, every).all()

    def cpp_type(self, name: str) -> Optional[CppType]:
        return cpp_types.type_of_name(name)

    def selected_frames(self) -> Iterator[Frame]:
        thread = gdb.selected_thread()
        if thread is None or not thread.is_valid():
            return
        frame = newest_frame()
        for _ in range(SELECTED):
            if frame is None:
                return
            yield GdbFrame(thread, frame)
            frame = older(frame)

    def runtime_frames(self) -> Iterator[Frame]:
        selected = gdb.selected_thread()
        for thread in gdb.selected_inferior().threads():
            # While gdb tests a condition, all threads count as running; the one that
            # it tests for can be read all the same.
            if thread.is_running() and (selected is None or thread.num != selected.num):
                continue
            found: List[GdbFrame] = []
            with Selected(thread):
                frame = newest_frame()
                for _ in range(_INNERMOST):
                    if frame is None:
                        break
                    found.append(GdbFrame(thread, frame))
                    frame = older(frame)
            yield from found

    def threads(self) -> Iterator[Thread]:
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: int(t.num)):
            if not thread.is_running():
                yield GdbThread(thread)

    def global_maps(self) -> List[Tuple[str, Variable]]:
        # by core's reader: gdb's list of variables, "info variables", reads all debug information
        # of all files, libc's too
        found: List[Tuple[str, Variable]] = []
        sections = self.sections()
        for name in {section.file for section in sections if section.name in _GO_SECTIONS}:
            text = next((s for s in sections if s.file == name and s.name == ".text"), None)
            file = None if text is None else self.code_file(text.start)
            if file is None:
                continue
            info = debug_info.of_file(file.identity, file.section)
            try:
                for label, address, type in info.global_maps():
                    found.append((label, Variable(type, address + file.bias)))
            except MapscopeError:
                continue
        return found

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        frame = newest_frame() if gdb.selected_thread() else None
        for _ in range(SELECTED):
            if frame is None:
                break
            found += maps_of_frame(frame)
            frame = older(frame)
        return found

    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        native: Any = type.native
        try:
            if address is not None:
                value = value_at(native, address)
            else:
                value = gdb.Value(data, native)
            text = value.format_string(styling=False, max_elements=200)
        except (gdb.error, ValueError, RuntimeError, TypeError) as error:
            return f"<error: {escape(str(error))}>"
        shown = str(text)
        return shown if len(shown) <= _TEXT_LIMIT else shown[:_TEXT_LIMIT] + "..."

    def element_limit(self) -> int:
        limit = gdb.parameter("print elements")
        return int(limit) if limit and int(limit) > 0 else 0

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

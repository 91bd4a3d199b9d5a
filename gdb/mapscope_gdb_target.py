# SPDX-License-Identifier: MIT
"""core's Target, by gdb's Python API (gdb manual, "Python API")."""

import os
import re
import struct
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError, MemoryUnreadable, UsageError
from mapscope.program.target import Frame, Section, Target, Thread, Variable
from mapscope.program.types import Kind, Type
from mapscope.program.values import escape
from mapscope_gdb_types import describe, go_map_of_header, is_go_map


#: frames of each thread that are looked at for runtime functions
_INNERMOST = 8
#: frames of the selected thread that are looked at
_SELECTED = 64
#: characters of a value that gdb itself prints
_TEXT_LIMIT = 4096

_SECTION = re.compile(r"^\s*(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\S+)(?: in .*)?$")
#: "runtime.hashGrow" as gdb shows it where there is no debug information: demangled, though
#: Go's names are not mangled
_DEMANGLED = re.compile(r"((?:.*/)?[^./\[\]]+)\[(\w+)\]")
_GO_PATH = re.compile(r"^(&?)([\w./\-]+\.\w+)$")


class GdbTarget(Target):
    """gdb's selected inferior."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = False

    def read_memory(self, address: int, size: int) -> memoryview:
        try:
            memory = gdb.selected_inferior().read_memory(address, size)
            return memory if isinstance(memory, memoryview) else memoryview(memory)
        except (gdb.error, OverflowError):
            raise MemoryUnreadable(address, size) from None

    def has_memory(self) -> bool:
        return bool(gdb.selected_inferior().pid)

    def architecture(self) -> str:
        try:
            return str(gdb.selected_frame().architecture().name())
        except gdb.error:
            return str(gdb.selected_inferior().architecture().name())

    def evaluate(self, expression: str) -> Variable:
        found = variable_of(parse(expression))
        match = _ELEMENT.fullmatch(expression)
        if match is not None and found.type.kind is not Kind.GO_MAP:
            # a Go map is a pointer to gdb, which counts on from it
            base = variable_of(parse(match[1])).type
            if base.kind is Kind.GO_MAP:
                raise MapscopeError(f"a {escape(base.name)} has no elements that can be named so")
        return found

    def symbols(self, name: str) -> List[int]:
        # In the C language, whatever the frame's: Go's parser knows no quotes.
        try:
            with Language("c"):
                return [int(gdb.parse_and_eval(f"&'{name}'"))]
        except gdb.error:
            return []

    def symbol_at(self, address: int) -> Optional[str]:
        try:
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
                found.append(Section(match[3], int(match[1], 16), int(match[2], 16)))
        return found

    def find_type(self, name: str) -> Optional[Type]:
        try:
            return describe(gdb.lookup_type(name))
        except (gdb.error, RuntimeError):
            return None

    def selected_frames(self) -> Iterator[Frame]:
        thread = gdb.selected_thread()
        if thread is None or not thread.is_valid():
            return
        frame = _newest_frame()
        for _ in range(_SELECTED):
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
            with _Thread(thread):
                frame = _newest_frame()
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
        found: List[Tuple[str, Variable]] = []
        for line in gdb.execute("info variables -q -n", to_string=True).splitlines():
            # "12:	map[string]int main.G;", "	static int fmt.eof;"
            if not line.endswith(";") or "." not in line:
                continue
            name = line[:-1].rsplit(" ", 1)[-1]
            symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
            if symbol is None or symbol.type is None or not is_go_map(symbol.type):
                continue
            try:
                found.append((name, variable_of(symbol.value())))
            except (gdb.error, MapscopeError):
                continue
        return found

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        found: List[Tuple[str, Variable]] = []
        frame = _newest_frame() if gdb.selected_thread() else None
        for _ in range(_SELECTED):
            if frame is None:
                break
            found += _maps_of_frame(frame)
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


def function_of(frame: gdb.Frame) -> str:
    """The name of a frame's function; "" if it has none."""
    name = str(frame.name() or "")
    match = _DEMANGLED.fullmatch(name)
    return f"{match[1]}.{match[2]}" if match else name


#: what may be an element of a Go map
_ELEMENT = re.compile(r"(.+)\[[^\[\]]*\]", re.DOTALL)
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
        with _Thread(self._thread):
            try:
                return int(self._frame.read_register("rsp")) & ((1 << 64) - 1)
            except (gdb.error, ValueError):
                return 0

    def pc(self) -> int:
        with _Thread(self._thread):
            try:
                return int(self._frame.pc())
            except gdb.error:
                return 0

    def place(self) -> str:
        with _Thread(self._thread):
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
        with _Thread(self._thread):
            try:
                value = self._frame.read_var(name)
                if value.is_optimized_out:
                    return None
                return variable_of(value)
            except (gdb.error, ValueError, MapscopeError):
                return None

    def spilled(self, index: int) -> Optional[int]:
        with _Thread(self._thread):
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
        with _Thread(self._thread):
            found: List[Frame] = []
            frame = _newest_frame()
            for _ in range(_SELECTED):
                if frame is None:
                    break
                found.append(GdbFrame(self._thread, frame))
                frame = older(frame)
        return iter(found)

    def registers(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        with _Thread(self._thread):
            frame = _newest_frame()
            for name in _REGISTERS:
                if frame is None:
                    break
                try:
                    found[name] = int(frame.read_register(name)) & ((1 << 64) - 1)
                except (gdb.error, ValueError):
                    continue
        return found


class _Thread:
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


class Language:
    """Parses expressions in one language, whatever the selected frame's is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = ""

    def __enter__(self) -> None:
        self._before = str(gdb.parameter("language"))
        gdb.execute(f"set language {self._name}", to_string=True)

    def __exit__(self, *_: object) -> None:
        gdb.execute(f"set language {self._before}", to_string=True)


def parse(expression: str) -> gdb.Value:
    """gdb's value of an expression.

    :raises MapscopeError: with gdb's own words
    """
    if expression.startswith("-"):
        raise UsageError(f"unknown option {escape(expression)}")
    _require_symbol(expression)
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        # A Go variable that escapes is named so in its debug information.
        if expression.isidentifier():
            try:
                with Language("c"):
                    return gdb.parse_and_eval(f"'&{expression}'").dereference()
            except gdb.error:
                pass
        # Import paths (example.com/pkg.Table) and, in C frames, main.G need quotes.
        match = _GO_PATH.match(expression)
        if match:
            try:
                with Language("c"):
                    return gdb.parse_and_eval(f"{match[1]}'{match[2]}'")
            except gdb.error:
                pass
        raise MapscopeError(escape(str(error).strip().rstrip("."))) from None


def _require_symbol(expression: str) -> None:
    """Refuse main.Nope where there is none.

    gdb's Go parser (13.1) takes an unknown name of that form for the last one it knew.

    :raises MapscopeError: if a Go name has no symbol
    """
    match = _GO_PATH.match(expression)
    if match is None or str(gdb.parameter("language")) not in ("auto", "go"):
        return
    first = match[2].split(".", 1)[0]
    try:
        frame: Optional[gdb.Frame] = gdb.selected_frame()
    except gdb.error:
        frame = None
    if frame is not None:
        if "go" not in str(gdb.execute("show language", to_string=True)).lower():
            return
        try:
            frame.read_var(first)
            return  # a field of a variable
        except (ValueError, gdb.error):
            pass
    # path/package.Variable, or a field of such a variable
    folder, slash, rest = match[2].rpartition("/")
    words = rest.split(".")
    names = [folder + slash + ".".join(words[:end]) for end in range(2, len(words) + 1)]
    if not any(_is_symbol(name) for name in names):
        if frame is not None or _is_symbol("runtime.buildVersion"):
            raise MapscopeError(f'no symbol "{escape(match[2])}" in this program')


def _is_symbol(name: str) -> bool:
    return any(
        lookup(name) is not None for lookup in (gdb.lookup_global_symbol, gdb.lookup_static_symbol)
    )


def variable_of(value: gdb.Value) -> Variable:
    """core's Variable of a gdb value, references followed."""
    try:
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            value = value.referenced_value()
        if value.is_optimized_out:
            raise MapscopeError("the value is optimized out here")
        header = go_map_of_header(value.type)
        if header is not None and value.address is not None:  # *m
            return Variable(header, None, int(value.address).to_bytes(8, "little"))
        type = describe(value.type)
        address = None if value.address is None else int(value.address)
        data = bytes_of(value) if address is None else None
    except gdb.error as error:
        raise MapscopeError(escape(str(error).strip())) from None
    return Variable(type, address, data)


def bytes_of(value: gdb.Value) -> bytes:
    """The bytes of a value that lies in no memory (registers, literals)."""
    type = value.type.strip_typedefs()
    size = int(type.sizeof)
    if type.code == gdb.TYPE_CODE_STRUCT:
        raw = bytearray(size)
        for field in type.fields():
            if hasattr(field, "bitpos") and not field.bitsize:
                part = bytes_of(value[field])
                at = int(field.bitpos) // 8
                raw[at : at + len(part)] = part
        return bytes(raw)
    if type.code == gdb.TYPE_CODE_ARRAY:
        low, high = type.range()
        return b"".join(bytes_of(value[i]) for i in range(int(low), int(high) + 1))
    if type.code == gdb.TYPE_CODE_FLT:
        return struct.pack("<f" if size == 4 else "<d", float(value))
    if type.code == gdb.TYPE_CODE_VOID:
        raise MapscopeError("the expression has no value")
    number = int(value)
    return number.to_bytes(max(size, 1), "little", signed=number < 0)


def value_at(native: gdb.Type, address: int) -> gdb.Value:
    """A gdb value of memory, read when it is used."""
    return gdb.Value(address).cast(native.pointer()).dereference()


def _newest_frame() -> Optional[gdb.Frame]:
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


def _maps_of_frame(frame: gdb.Frame) -> List[Tuple[str, Variable]]:
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

# SPDX-License-Identifier: MIT
"""Go's own table of functions, .gopclntab, as it lies in memory: names and frames of programs
without symbols and debug information.

Go needs it to grow stacks and to collect garbage, so no linker option removes it. Layout:
runtime/symtab.go (pcHeader, functab, _func, pcvalue) of Go 1.18 to 1.27; moduledata says where
its parts are.
"""

import struct
from typing import Callable, Dict, List, Optional, Protocol, Sequence, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..program.memory import Buffer
from ..records import dataclass
from . import layouts

Read = Callable[[int, int], Buffer]

_ENTRY = struct.Struct("<II")  # functab: entryoff, funcoff
#: _func: entryOff, nameOff, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset
_FUNC = struct.Struct("<IiiIIIIII")
_SLICE = struct.Struct("<QQQ")
#: functions and bytes of a table that are taken for one, at most
_MOST_FUNCTIONS, _MOST_BYTES = 1 << 22, 1 << 28
#: bytes of it that are read at once
_PIECE = 1 << 24
#: bytes of a pcvalue table that are looked at, at most
_MOST_STEPS = 1 << 16
#: longest name, in bytes
_NAME = 4096


@dataclass(frozen=True)
class Function:
    """A function of the program.

    :ivar name: as "runtime.mapassign_fast64"
    :ivar start: its first instruction
    :ivar pcsp: offset of its table of stack depths; pcfile, pcln: of files and lines
    """

    name: str
    start: int
    pcsp: int
    pcfile: int
    pcln: int
    files: int


class Functions(Protocol):
    """The functions of a program: of one module, or of all."""

    def at(self, pc: int) -> Optional[Function]:
        """The function that has an instruction at `pc`; None: none of Go's."""

    def depth(self, pc: int) -> Optional[int]:
        """Bytes from the stack pointer to the return address, before the instruction at `pc`."""

    def place(self, pc: int) -> str:
        """Source file and line; "" if unknown."""

    def address_of(self, name: str) -> Optional[int]:
        """The first instruction of a function; None: the program has none of that name."""

    def addresses_of(self, name: str) -> List[int]:
        """The same of all functions of that name: a plugin has copies of its program's."""


class FunctionTables:
    """The functions of several modules: of a program and its plugins, or of all of a process.

    :param tables: of each; of functions of one name the first one's counts
    """

    def __init__(self, tables: Sequence[Functions]) -> None:
        self._tables = tuple(tables)

    def at(self, pc: int) -> Optional[Function]:
        """The function that has an instruction at `pc`; None: none of Go's."""
        return next((found for found in (t.at(pc) for t in self._tables) if found), None)

    def depth(self, pc: int) -> Optional[int]:
        """Bytes from the stack pointer to the return address, before the instruction at `pc`."""
        table = self._table(pc)
        return None if table is None else table.depth(pc)

    def place(self, pc: int) -> str:
        """Source file and line; "" if unknown."""
        table = self._table(pc)
        return "" if table is None else table.place(pc)

    def address_of(self, name: str) -> Optional[int]:
        """The first instruction of a function; None: no module has one of that name."""
        found = (table.address_of(name) for table in self._tables)
        return next((address for address in found if address is not None), None)

    def addresses_of(self, name: str) -> List[int]:
        """The same of all functions of that name: a plugin has copies of its program's."""
        return [address for table in self._tables for address in table.addresses_of(name)]

    def _table(self, pc: int) -> Optional[Functions]:
        return next((table for table in self._tables if table.at(pc) is not None), None)


class FunctionTable:
    """The functions of one module of a Go program.

    Everything is read when it is asked for, and what was read is kept: code does not change.

    :param read: reads the process's memory
    :param module: address of its moduledata
    :param minor: the N of go1.N
    :raises MapscopeError: if it is none that is known
    """

    def __init__(self, read: Read, module: int, minor: int) -> None:
        self._read = read
        places = layouts.moduledata(minor)

        def table(field: str) -> Tuple[int, int]:
            start, length, capacity = _SLICE.unpack(self._bytes(module + places.at(field), 24))
            if not 0 < length <= capacity <= _MOST_BYTES:
                raise MapscopeError(f"no table of functions: {length} entries of {field}")
            return start, length

        header = self._word(module + places.at("pcHeader"))
        magic = struct.unpack("<I", self._bytes(header, 4))[0]
        if magic not in layouts.PCLNTAB_MAGICS:
            raise MapscopeError(f"no table of functions that is known: it begins with {magic:#x}")
        self._names, self._names_size = table("funcnametab")
        self._files = table("filetab")[0]
        self._units = table("cutab")[0]
        self._values = table("pctab")[0]
        self._functions = table("pclntable")
        self._entries, count = table("ftab")
        self._count = count - 1  # the last is an end mark
        if self._count > _MOST_FUNCTIONS:
            raise MapscopeError(f"no table of functions: {self._count} of them")
        self._text = self._word(module + places.at("text"))
        end = struct.unpack("<I", self._bytes(self._entries + 8 * self._count, 4))[0]
        self._end = self._text + end
        self._at: Dict[int, Optional[Function]] = {}
        self._depths: Dict[int, Optional[int]] = {}
        self._by_name: Optional[Dict[bytes, int]] = None

    def at(self, pc: int) -> Optional[Function]:
        """The function that has an instruction at `pc`; None: none of Go's."""
        if not self._text <= pc < self._end:
            return None
        if pc not in self._at:
            try:
                self._at[pc] = self._find(pc)
            except MemoryUnreadable:
                self._at[pc] = None
        return self._at[pc]

    def depth(self, pc: int) -> Optional[int]:
        """Bytes from the stack pointer to the return address, before the instruction at `pc`."""
        if pc not in self._depths:
            function = self.at(pc)
            self._depths[pc] = (
                None if function is None else self._value(function.pcsp, function.start, pc)
            )
        return self._depths[pc]

    def place(self, pc: int) -> str:
        """Source file and line; "" if unknown."""
        function = self.at(pc)
        if function is None:
            return ""
        file = self._value(function.pcfile, function.start, pc)
        line = self._value(function.pcln, function.start, pc)
        if file is None or line is None or file < 0:
            return ""
        try:
            raw = self._bytes(self._units + 4 * (function.files + file), 4)
            offset = struct.unpack("<I", raw)[0]
            return f"{self._text_at(self._files + offset)}:{line}"
        except MemoryUnreadable:
            return ""

    def address_of(self, name: str) -> Optional[int]:
        """The first instruction of a function; None: the program has none of that name."""
        if self._by_name is None:
            entries = self._bytes(self._entries, 8 * self._count)
            functions = self._bytes(*self._functions)
            names = self._bytes(self._names, self._names_size)
            self._by_name = {}
            for offset, where in _ENTRY.iter_unpack(entries):
                if where + _FUNC.size > len(functions):
                    continue  # damaged
                start = struct.unpack_from("<i", functions, where + 4)[0]
                text = names[start : names.find(b"\0", start)] if start >= 0 else b""
                self._by_name[text] = self._text + offset
        return self._by_name.get(name.encode())

    def addresses_of(self, name: str) -> List[int]:
        """The same, in a list."""
        address = self.address_of(name)
        return [] if address is None else [address]

    # --- the tables ---

    def _find(self, pc: int) -> Optional[Function]:
        """By halving; a program has some thousands of functions, and few are asked for."""
        offset, low, high = pc - self._text, 0, self._count
        while high - low > 1:
            middle = (low + high) // 2
            if _ENTRY.unpack(self._bytes(self._entries + 8 * middle, 8))[0] <= offset:
                low = middle
            else:
                high = middle
        start, where = _ENTRY.unpack(self._bytes(self._entries + 8 * low, 8))
        if start > offset or not 0 <= where < self._functions[1]:
            return None
        raw = self._bytes(self._functions[0] + where, _FUNC.size)
        _, name, _, _, pcsp, pcfile, pcln, _, files = _FUNC.unpack(raw)
        text = self._text_at(self._names + name) if 0 <= name < self._names_size else ""
        return Function(text, self._text + start, pcsp, pcfile, pcln, files)

    def _value(self, table: int, start: int, pc: int) -> Optional[int]:
        """What a table of values by instruction says (pcvalue in runtime/symtab.go)."""
        if not table:
            return None
        at, value, here = self._values + table, -1, start
        raw, used = b"", 0

        def varint() -> int:
            nonlocal raw, used, at
            number = shift = 0
            while True:
                if used == len(raw):
                    raw, used = self._bytes(at, 64), 0
                    at += 64
                byte = raw[used]
                used += 1
                number |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 or shift > 63:
                    return number

        try:
            for step in range(_MOST_STEPS):
                delta = varint()
                if delta == 0 and step:
                    return None
                value += ~(delta >> 1) if delta & 1 else delta >> 1
                here += varint()
                if pc < here:
                    return value
        except MemoryUnreadable:
            pass
        return None

    # --- memory ---

    def _bytes(self, address: int, size: int) -> bytes:
        if size <= _PIECE:
            return bytes(self._read(address, size))
        pieces = (
            bytes(self._read(at, min(_PIECE, address + size - at)))
            for at in range(address, address + size, _PIECE)
        )
        return b"".join(pieces)

    def _word(self, address: int) -> int:
        return int.from_bytes(self._bytes(address, 8), "little")

    def _text_at(self, address: int) -> str:
        """A text that ends with a zero byte."""
        raw = b""
        while b"\0" not in raw and len(raw) < _NAME:
            try:
                raw += self._bytes(address + len(raw), 64)
            except MemoryUnreadable:
                raw += self._bytes(address + len(raw), 1)
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")

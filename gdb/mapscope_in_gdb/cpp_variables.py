# SPDX-License-Identifier: MIT
"""C++ variables of gdb as core's: what flavours/cpp/cpp_heap.py asks for.

gdb has no list of variables but the text of `info variables`, for which it reads all debug
information there is, the C library's too. Here the files of the program are gone through by
their code: an address leads to its function, and that to all that its source file defines.
"""

import re
from typing import Dict, Iterator, List, Optional, Set, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.program.cpp_types import CppVariable, is_system_file
from mapscope.program.elf_sections import data_symbols
from mapscope.program.target import Section, Variable
from .cpp_types import has_maps, variable_with_value
from .expressions import variable_of
from .frames import Selected

#: bytes from one place that is looked at to the next: where no function is, and inside of one
_STEP, _INSIDE = 16, 8
#: places inside of functions that are looked at, for static variables of inner blocks
_MOST_INSIDE = 1 << 18
_ABI_TAG = re.compile(r"\[abi:\w+\]")
#: failures, one behind the other, after which threads' own variables are given up
_MOST_FAILED = 8
#: names that are told
_SOME = 4
_WRITABLE = (".data", ".bss")
#: variables that are looked for by their symbols
_MOST_SYMBOLS = 1 << 16
#: blocks around a place
_DEEPEST = 64


class Variables:
    """Variables of the files that have to do with maps, or of all but the system's.

    :param sections: of all files
    :param program: the program's own file
    :param every: of all but the system's
    """

    def __init__(
        self, sections: List[Section], program: str, unread: List[str], every: bool
    ) -> None:
        self._sections = sections
        self._program = program
        self._unread = unread
        self._every = every
        self._inside = 0
        self._blocks: Set[Tuple[int, int]] = set()
        self._units: Set[Tuple[int, int, str]] = set()
        self._told: Set[Tuple[str, int]] = set()
        #: names of threads' own variables that gdb does not find
        self._lost: Dict[str, None] = {}
        self._failed = 0

    def all(self) -> Iterator[CppVariable]:
        """Each once."""
        files: Dict[str, bool] = {}
        for section in self._sections:
            if section.name != ".text":
                continue
            file = section.file or self._program
            if file not in files:
                files[file] = not is_system_file(file) if self._every else has_maps(file)
            if files[file]:
                yield from self._of_code(section.start, section.end)
                yield from self._of_symbols(file, section.start)
        if self._lost:
            some = ", ".join(list(self._lost)[:_SOME]) + (
                ", ..." if len(self._lost) > _SOME else ""
            )
            self._unread.append(f"thread_local variables that gdb cannot find: {some}")
        if self._inside > _MOST_INSIDE:
            self._unread.append(
                "the program has so much code that inner blocks of some functions were not looked "
                "into for static variables"
            )

    def _of_code(self, start: int, end: int) -> Iterator[CppVariable]:
        at = start
        while at < end:
            block = gdb.block_for_pc(at)
            function = _function_of(block)
            if function is None or function.end <= at:
                at += _STEP
                continue
            yield from self._of_unit(function)
            for place in range(at, function.end, _INSIDE):
                if place > at:
                    self._inside += 1
                    if self._inside > _MOST_INSIDE:
                        break
                    block = gdb.block_for_pc(place)
                yield from self._of_blocks(block)
            at = max(function.end, at + 1)

    def _of_symbols(self, path: str, text: int) -> Iterator[CppVariable]:
        """Variables of source files that have no code, by the linker's symbols.

        :param text: where the file's code is
        """
        try:
            found = list(data_symbols(path, text))
        except OSError:
            return
        known = {place for _, place in self._told}
        ranges = [(s.start, s.end) for s in self._sections if s.name in _WRITABLE]
        for name, address in found[:_MOST_SYMBOLS]:
            if address in known or not any(start <= address < end for start, end in ranges):
                continue
            symbol = _symbol_of(name)
            symtab = None if symbol is None else symbol.symtab
            if symtab is not None:
                yield from self._of_blocks_of(
                    symtab.static_block(), symtab.global_block(), str(symtab.filename)
                )
            if symbol is not None:
                # what the file says that uses the variable may be all that gdb finds
                one = variable_with_value(_ABI_TAG.sub("", str(symbol.name)), symbol, None)
                if one is not None and one.address in (None, address):
                    yield from self._new(one)

    def _of_unit(self, function: gdb.Block) -> Iterator[CppVariable]:
        """Variables of the source file that a function is in."""
        static, every = function.static_block, function.global_block
        if static is None or every is None:
            return
        symtab = None if function.function is None else function.function.symtab
        name = str(symtab.filename) if symtab is not None else ""
        yield from self._of_blocks_of(static, every, name)

    def _of_blocks_of(
        self, static: gdb.Block, every: gdb.Block, name: str
    ) -> Iterator[CppVariable]:
        """Variables of a source file.

        :param every: has those that other files know
        """
        unit = (every.start, every.end, name)
        if unit in self._units:
            return
        self._units.add(unit)
        for block in (every, static):
            for symbol in block:
                if symbol.is_variable:
                    yield from self._told_once(str(symbol.name), symbol)

    def _of_blocks(self, block: Optional[gdb.Block]) -> Iterator[CppVariable]:
        """Static variables of the blocks around a place."""
        for _ in range(_DEEPEST):
            if block is None or block.is_static or block.is_global:
                return
            key = (block.start, block.end)
            if key not in self._blocks:
                self._blocks.add(key)
                for symbol in block:
                    if symbol.is_variable and not symbol.needs_frame:
                        yield from self._told_once(f"{_scope(block)}{symbol.name}", symbol)
            block = block.superblock

    def _told_once(self, name: str, symbol: gdb.Symbol) -> Iterator[CppVariable]:
        name = _ABI_TAG.sub("", name)
        if symbol.addr_class == gdb.SYMBOL_LOC_STATIC:
            one = variable_with_value(name, symbol, None)
            yield from self._new(one)
        elif symbol.addr_class == gdb.SYMBOL_LOC_COMPUTED and not symbol.needs_frame:
            yield from self._of_threads(name, symbol)

    def _of_threads(self, name: str, symbol: gdb.Symbol) -> Iterator[CppVariable]:
        """A variable that each thread has."""
        if name.startswith("mapscope::"):
            return
        found = False
        for thread in gdb.selected_inferior().threads():
            if self._failed > _MOST_FAILED:
                break
            with Selected(thread):
                one = variable_with_value(name, symbol, None, int(thread.num))
            found = found or one is not None
            # where gdb can find none it says so in many lines, of a cut-off core for one
            self._failed = 0 if found else self._failed + 1
            yield from self._new(one)
        if not found:
            self._lost.setdefault(name)

    def _new(self, one: Optional[CppVariable]) -> Iterator[CppVariable]:
        if one is None:
            return
        place = (
            one.address if one.address is not None else int.from_bytes(one.data or b"", "little")
        )
        if (one.name, place) not in self._told:
            self._told.add((one.name, place))
            yield one


def file_variables(name: str) -> List[Tuple[str, Variable]]:
    """(source file, variable) of all variables of a name that are of no function."""
    found: List[Tuple[str, Variable]] = []
    try:
        symbols = [gdb.lookup_global_symbol(name), *gdb.lookup_static_symbols(name)]
    except (gdb.error, RuntimeError, ValueError):
        return found
    for symbol in symbols:
        if symbol is None or not symbol.is_variable or symbol.needs_frame:
            continue
        try:
            one = variable_of(symbol.value())
        except (gdb.error, ValueError, RuntimeError, MapscopeError):
            continue
        found.append((str(symbol.symtab.filename) if symbol.symtab is not None else "", one))
    return found


def _symbol_of(mangled: str) -> Optional[gdb.Symbol]:
    """The variable that the linker calls so; None: debug information has none."""
    try:
        name = mangled
        if mangled.startswith("_Z"):
            name = gdb.execute(f"demangle -l c++ -- {mangled}", to_string=True).strip()
        return gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    except (gdb.error, RuntimeError, ValueError):
        return None


def _function_of(block: Optional[gdb.Block]) -> Optional[gdb.Block]:
    """The outermost function around a block."""
    found = None
    for _ in range(_DEEPEST):
        if block is None or block.is_static or block.is_global:
            break
        if block.function is not None:
            found = block
        block = block.superblock
    return found


def _scope(block: gdb.Block) -> str:
    """ "f()::" of a block in f."""
    inner: Optional[gdb.Block] = block
    for _ in range(_DEEPEST):
        if inner is None or inner.is_static or inner.is_global:
            break
        if inner.function is not None:
            return f"{inner.function.name}::"
        inner = inner.superblock
    return ""

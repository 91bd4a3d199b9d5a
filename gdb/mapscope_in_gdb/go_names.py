# SPDX-License-Identifier: MIT
"""What names mean in a Go program, by gdb's symbols: gdb's own parser of Go takes no part."""

import re
from typing import Callable, Iterator, List, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.go.debug_info import declared_at
from mapscope.program.target import Names, Variable
from mapscope.program.types import VOID, Kind, Type
from mapscope.program.values import escape
from .expressions import variable_of
from .frames import GdbFrame
from .types import describe

_FUNCTION = Type(Kind.FUNC, "func", 8)
_POINTER = Type(Kind.POINTER, "unsafe.Pointer", 8, element=lambda: VOID)
#: blocks around an instruction that are looked at
_MOST_BLOCKS = 256


class GdbNames(Names):
    """Names in gdb's selected frame.

    :param symbols: addresses of a linker symbol
    """

    def __init__(self, symbols: Callable[[str], List[int]]) -> None:
        self._symbols = symbols
        self._frame: Optional[gdb.Frame] = None
        thread = gdb.selected_thread()
        if thread is not None and thread.is_valid():
            try:
                self._frame = gdb.selected_frame()
            except gdb.error:
                return
            self.frame = GdbFrame(thread, self._frame)

    def _visible(self) -> Iterator[Tuple[gdb.Symbol, gdb.Block]]:
        """Parameters and locals, those of the innermost block first."""
        try:
            block = None if self._frame is None else self._frame.block()
        except RuntimeError:
            return
        for _ in range(_MOST_BLOCKS):
            if block is None or block.is_global or block.is_static:
                return
            for symbol in block:
                if symbol.is_variable or symbol.is_argument:
                    yield symbol, block
            if block.function is not None:
                return  # what is around an inlined function is another's
            block = block.superblock

    def local(self, name: str) -> Optional[Variable]:
        # a variable that escapes is named so in debug information
        same = [found for found in self._visible() if found[0].name in (name, f"&{name}")]
        frame = self._frame
        if frame is None or not same:
            return None
        line = int(frame.find_sal().line)
        lines = [0 if symbol.is_argument else int(symbol.line) for symbol, _ in same]
        symbol, block = same[declared_at(name, line, lines) or 0]
        try:
            value = frame.read_var(symbol, block)
            if value.is_optimized_out:
                raise MapscopeError(f"{escape(name)} is optimized out here")
            if symbol.name == name:
                return variable_of(value)
            return Variable(describe(value.type.strip_typedefs().target()), int(value))
        except (gdb.error, ValueError) as error:
            raise MapscopeError(f"{escape(name)}: {escape(str(error))}") from None

    def locals(self) -> List[str]:
        return [str(symbol.name).lstrip("&") for symbol, _ in self._visible()]

    def package_variable(self, name: str) -> Optional[Variable]:
        for look_up in (gdb.lookup_global_symbol, gdb.lookup_static_symbol):
            symbol = look_up(name)
            if symbol is None or not (symbol.is_function or symbol.is_variable):
                continue  # runtime.m is a type
            if symbol.is_function:
                return Variable(_FUNCTION, int(symbol.value().address))
            try:
                return variable_of(symbol.value())
            except gdb.error as error:
                raise MapscopeError(f"{escape(name)}: {escape(str(error))}") from None
        for address in self._symbols(name):
            # no debug information: at least its address is known
            return Variable(_POINTER, address)
        return None

    def package_variables(self, pattern: str) -> List[str]:
        try:
            text = gdb.execute(f"info variables -q -n {pattern}", to_string=True)
        except gdb.error:
            return []
        lines = (line for line in str(text).splitlines() if line.endswith(";"))
        # "12:	static main.Registry *main.Reg;"
        names = [line[:-1].rsplit(" ", 1)[-1].lstrip("*") for line in lines]
        return [name for name in names if re.search(pattern, name)]

    def type(self, name: str) -> Optional[Type]:
        try:
            return describe(gdb.lookup_type(name))
        except (gdb.error, RuntimeError):
            return None

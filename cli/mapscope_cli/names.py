# SPDX-License-Identifier: MIT
"""What names mean in a Go program, by its files alone."""

from typing import Callable, Iterator, List, Optional, Tuple

from mapscope.errors import MapscopeError
from mapscope.go.debug_info import GoDebugInfo
from mapscope.go.frame_variables import ScopedFrame
from mapscope.program.elf_symbols import Symbol
from mapscope.program.loaded_files import LoadedFile
from mapscope.program.target import Names, Variable
from mapscope.program.types import VOID, Kind, Type

_POINTER = Type(Kind.POINTER, "unsafe.Pointer", 8, element=lambda: VOID)
_FUNCTION = Type(Kind.FUNC, "func", 8)


class FileNames(Names):
    """Names in the innermost of a thread's frames.

    :param infos: gives the files that have Go code, and their debug information
    :param symbols: addresses and symbols of a name of the linker
    :param frames: the thread's, innermost first; none: they are not known
    """

    def __init__(
        self,
        infos: Callable[[], Iterator[Tuple[LoadedFile, GoDebugInfo]]],
        symbols: Callable[[str], List[Tuple[int, Symbol]]],
        frames: List[ScopedFrame],
    ) -> None:
        self._infos = infos
        self._symbols = symbols
        self._frame = frames[0] if frames else None
        self.frame = self._frame

    def local(self, name: str) -> Optional[Variable]:
        return None if self._frame is None else self._frame.local(name)

    def locals(self) -> List[str]:
        return [] if self._frame is None else self._frame.locals()

    def package_variable(self, name: str) -> Optional[Variable]:
        for file, info in self._infos():
            found = info.global_variable(name)
            if found is not None:
                return Variable(found[1], found[0] + file.bias)
        for address, symbol in self._symbols(name):
            # no debug information: at least its address is known
            return Variable(_FUNCTION if symbol.is_function else _POINTER, address)
        return None

    def package_variables(self, pattern: str) -> List[str]:
        return [name for _, info in self._infos() for name in info.global_names(pattern)]

    def type(self, name: str) -> Optional[Type]:
        for _, info in self._infos():
            try:
                found = info.type_named(name)
            except MapscopeError:
                continue
            if found is not None:
                return found
        return None

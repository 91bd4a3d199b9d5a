# SPDX-License-Identifier: MIT
"""What names mean in a Go program, by its debug information, which LLDB does not read."""

from typing import Callable, Iterable, Iterator, List, Optional

import lldb

from mapscope.program.target import Names, Variable
from mapscope.program.types import VOID, Kind, Type
from .go_modules import go_modules

_POINTER = Type(Kind.POINTER, "unsafe.Pointer", 8, element=lambda: VOID)
_FUNCTION = Type(Kind.FUNC, "func", 8)


class LldbNames(Names):
    """Names in LLDB's selected frame.

    :param places: where a linker symbol is
    :param symbols: its addresses
    :param local: a parameter or local of the frame
    :param locals: names of all
    """

    def __init__(
        self,
        target: lldb.SBTarget,
        places: Callable[[str], Iterator[lldb.SBAddress]],
        symbols: Callable[[str], List[int]],
        local: Callable[[str], Optional[Variable]] = lambda name: None,
        locals: Iterable[str] = (),
    ) -> None:
        self._target = target
        self._places = places
        self._symbols = symbols
        self._local = local
        self._locals = list(locals)

    def local(self, name: str) -> Optional[Variable]:
        return self._local(name)

    def locals(self) -> List[str]:
        return self._locals

    def package_variable(self, name: str) -> Optional[Variable]:
        for module in go_modules(self._target):
            found = module.global_variable(self._target, name)
            if found is not None:
                return found
        kinds = [place.GetSymbol().GetType() for place in self._places(name)]
        for address in self._symbols(name):
            # no debug information: at least its address is known
            return Variable(_FUNCTION if lldb.eSymbolTypeCode in kinds else _POINTER, address)
        return None

    def package_variables(self, pattern: str) -> List[str]:
        return [
            name for module in go_modules(self._target) for name in module.global_names(pattern)
        ]

    def type(self, name: str) -> Optional[Type]:
        found = (module.type(name) for module in go_modules(self._target))
        return next((type for type in found if type is not None), None)

# SPDX-License-Identifier: MIT
"""What tables of C++ and Rust libraries have in common: debug information alone tells them, they
are in no list, and the functions that work on one have it as their object."""

from abc import abstractmethod
from typing import Mapping, Optional, Pattern

from ..errors import NotAMap
from ..maps.view import MapView
from ..program.cpp_names import as_written
from ..program.target import Frame, Variable
from ..program.types import CppClass, Kind
from ..program.values import escape

from ..session import Session
from .flavour import Flavour


class LibraryTables(Flavour):
    """Hash tables of a library.

    :ivar named: what the names of their types begin with
    :ivar functions: names of functions that work on one, of which the first group is their own
    :ivar operations: what these do, by that name
    :ivar this: what a function calls its object
    """

    named: Pattern[str]
    functions: Pattern[str]
    operations: Mapping[str, str]
    this = "this"

    @abstractmethod
    def open(self, session: Session, address: int, own: CppClass) -> Optional[MapView]:
        """The table at an address; None: it is another library's after all.

        :param own: its type
        """

    def present(self, session: Session) -> bool:
        """They are in no list, so whether there are any is not asked."""
        return False

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        if variable.type.as_class is None:
            return None
        own = variable.type.as_class()
        if not self.named.match(own.tag):
            return None
        if variable.address is None:
            raise NotAMap(f"{escape(as_written(own.tag))} is in no memory here")
        return self.open(session, variable.address, own)

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        if self.operation(frame.function) is None:
            return None
        this = frame.variable(self.this)
        if this is None or this.type.kind is not Kind.POINTER:
            return None
        raw = this.data if this.data is not None else session.memory.read(this.address or 0, 8)
        address = int.from_bytes(raw[:8], "little")
        return self.from_variable(session, Variable(this.type.target(), address))

    def operation(self, function: str) -> Optional[str]:
        match = self.functions.match(function)
        return None if match is None else self.operations.get(match[1])

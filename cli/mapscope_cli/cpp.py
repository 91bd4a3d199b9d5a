# SPDX-License-Identifier: MIT
"""C++ values and names by debug information and memory alone: what flavours/cpp/cpp_expressions.py
asks for. Names are those of global variables: locals are a debugger's."""

from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from mapscope.errors import MapscopeError
from mapscope.program.cpp_debug_info import DwarfType, GlobalVariable
from mapscope.program.cpp_types import Form
from mapscope.program.cpp_values import CppScope, CppValue
from mapscope.program.memory import ADDRESS_LIMIT, Buffer
from mapscope.program.target import Variable
from mapscope.program.values import escape

Read = Callable[[int, int], Buffer]

_ANONYMOUS = "(anonymous namespace)::"
#: bytes of a number
_LARGEST = 8


class MemoryValue(CppValue):
    """A value that lies in memory; a reference is what it refers to."""

    def __init__(self, read: Read, type: DwarfType, address: int) -> None:
        if type.is_reference:
            referred = type.target()
            if isinstance(referred, DwarfType):
                address = int.from_bytes(bytes(read(address, 8)), "little")
                type = referred
        if not 0 <= address < ADDRESS_LIMIT:
            raise MapscopeError(f"nothing can be at {address:#x}")
        self._read = read
        self._type = type
        self._address = address
        self.form = type.form
        self.tag = type.tag
        self.complete = type.complete

    def address(self) -> Optional[int]:
        return self._address

    def variable(self) -> Variable:
        return Variable(self._type.described(), self._address)

    def _parts(self, bases: bool) -> Iterator[Tuple[str, CppValue]]:
        for part in self._type.parts():
            if part.is_base == bases and isinstance(part.type, DwarfType):
                place = self._address + part.offset
                yield part.name, MemoryValue(self._read, part.type, place)

    def bases(self) -> Iterator[CppValue]:
        for _, value in self._parts(True):
            yield value

    def members(self) -> Iterator[Tuple[str, CppValue]]:
        return self._parts(False)

    def static_member(self, name: str) -> Optional[CppValue]:
        if name in self._type.static_members():
            raise MapscopeError(
                f"{escape(name)} is a static member: name it as {escape(self.tag)}::{escape(name)}"
            )
        return None

    def number(self) -> int:
        size = self.size()
        if self.form not in (Form.POINTER, Form.OTHER) or not 0 < size <= _LARGEST:
            raise MapscopeError(f"a {escape(self.type_name)} is no number")
        return int.from_bytes(bytes(self._read(self._address, size)), "little")

    def pointee(self) -> CppValue:
        return self._of(self.number())

    def first(self) -> CppValue:
        return self._of(self._address)

    def _of(self, address: int) -> CppValue:
        target = self._type.target()
        if not isinstance(target, DwarfType):
            raise MapscopeError(f"nothing is known of what a {escape(self.type_name)} leads to")
        return MemoryValue(self._read, target, address)

    def length(self) -> Optional[int]:
        return self._type.length or None

    def beside(self, number: int) -> CppValue:
        return MemoryValue(self._read, self._type, self._address + number * self.size())

    def size(self) -> int:
        return self._type.size

    def argument(self, index: int, address: int) -> Optional[CppValue]:
        found = self._type.argument(index)
        return MemoryValue(self._read, found, address) if isinstance(found, DwarfType) else None


class FileScope(CppScope):
    """The program's global variables, wherever it is stopped.

    :param variables: all of them, with addresses in memory
    """

    def __init__(self, read: Read, variables: Callable[[], Iterator[GlobalVariable]]) -> None:
        self._read = read
        self._variables = variables

    def find(self, name: str) -> Optional[CppValue]:
        wanted = name[2:] if name.startswith("::") else name
        same: List[GlobalVariable] = []
        unnamed: List[GlobalVariable] = []
        for variable in self._variables():
            if variable.name == wanted:
                same.append(variable)
            elif variable.name.replace(_ANONYMOUS, "") == wanted:
                unnamed.append(variable)
        found = same or unnamed
        if not found:
            return None
        places = {variable.address for variable in found}
        if len(places) > 1:
            several = ", ".join(sorted(f"{place:#x}" for place in places if place)[:4])
            raise MapscopeError(
                f"several variables are called {escape(name)}: name one's address, of {several}"
            )
        if found[0].address is None:
            raise MapscopeError(
                f"{escape(name)} is thread_local: where each thread has its own, a debugger knows"
            )
        return MemoryValue(self._read, found[0].type, found[0].address)

    def evaluate(self, text: str) -> CppValue:
        raise MapscopeError(
            f"{escape(text)}: without a debugger, expressions of C++ are names of global "
            "variables, members, elements, * and &"
        )

    def names(self) -> Iterable[str]:
        return [variable.name for variable in self._variables()]

    def at(self, native: object, address: int) -> CppValue:
        if not isinstance(native, DwarfType):
            raise MapscopeError(f"nothing is known of what is at {address:#x}")
        return MemoryValue(self._read, native, address)

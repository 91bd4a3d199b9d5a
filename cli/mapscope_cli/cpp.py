# SPDX-License-Identifier: MIT
"""C++ values and names by debug information and memory alone: what flavours/cpp/cpp_expressions.py
asks for. Names are those of the chosen thread's frames, and of global variables."""

from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from mapscope.errors import MapscopeError
from mapscope.program.cpp_debug_info import DwarfType, GlobalVariable
from mapscope.program.cpp_types import Form
from mapscope.program.cpp_values import CppScope, CppValue, find_member
from mapscope.program.memory import ADDRESS_LIMIT, Buffer
from mapscope.program.target import Variable
from mapscope.program.values import escape
from .threads import FileFrame

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


class RegisterValue(MemoryValue):
    """A number or a pointer that lies in no memory."""

    def __init__(self, read: Read, type: DwarfType, value: int) -> None:
        super().__init__(read, type, 0)
        self._value = value

    def address(self) -> Optional[int]:
        return None

    def variable(self) -> Variable:
        return Variable(self._type.described(), None, self._value.to_bytes(8, "little"))

    def number(self) -> int:
        size = self.size()
        if self.form not in (Form.POINTER, Form.OTHER) or not 0 < size <= _LARGEST:
            raise MapscopeError(f"a {escape(self.type_name)} is no number")
        return self._value & ((1 << 8 * size) - 1)

    def _parts(self, bases: bool) -> Iterator[Tuple[str, CppValue]]:
        raise MapscopeError(f"a {escape(self.type_name)} in a register: it has no parts in memory")

    def _of(self, address: int) -> CppValue:
        if self.form is not Form.POINTER:
            raise MapscopeError(f"a {escape(self.type_name)} is in a register")
        return super()._of(address)


#: the frames of a thread, innermost first
Frames = Callable[[], Iterator[FileFrame]]


class FileScope(CppScope):
    """What can be named at the instruction that a thread is at: locals of its innermost function,
    members of the object that this works on, and global variables; then locals of the functions
    around it.

    :param variables: all global ones, with addresses in memory
    :param frames: of the thread
    :param tell: says of which frame a variable of another function is
    """

    def __init__(
        self,
        read: Read,
        variables: Callable[[], Iterator[GlobalVariable]],
        frames: Frames,
        tell: Callable[[str], None],
    ) -> None:
        self._read = read
        self._variables = variables
        self._frames = frames
        self._tell = tell

    def find(self, name: str) -> Optional[CppValue]:
        if "::" in name:
            return self._global(name)
        frames = self._frames()
        innermost = next(frames, None)
        found = None
        if innermost is not None:
            found = self._local(innermost, name) or self._member(innermost, name)
        if found is None:
            found = self._global(name)
        if found is not None:
            return found
        for number, frame in enumerate(frames, 1):
            found = self._local(frame, name) or self._member(frame, name)
            if found is not None:
                where = f"{escape(name)} is of frame {number}, {escape(frame.function)}"
                self._tell(where)
                return found
        return None

    def _local(self, frame: FileFrame, name: str) -> Optional[CppValue]:
        found = frame.local(name)
        if found is None:
            return None
        type, place, value = found
        if place is not None:
            return MemoryValue(self._read, type, place)
        return None if value is None else RegisterValue(self._read, type, value)

    def _member(self, frame: FileFrame, name: str) -> Optional[CppValue]:
        """A member of *this."""
        if name == "this" or "this" not in frame.locals():
            return None
        try:
            this = self._local(frame, "this")
            if this is not None and this.form is Form.POINTER and this.number():
                return find_member(this.pointee(), name)
            why = f"this is nil in {escape(frame.function)}"
        except MapscopeError as error:
            why = str(error)
        if self._may_be_member(frame, name):  # then another variable of that name is not meant
            raise MapscopeError(f"{escape(name)} is a member of *this: {why}")
        return None

    def _may_be_member(self, frame: FileFrame, name: str) -> bool:
        """Whether the class that a frame's function is of has such a member, wherever it may be."""
        pointer = frame.type_of("this")
        target = None if pointer is None else pointer.target()
        if not isinstance(target, DwarfType):
            return True
        try:
            return find_member(MemoryValue(self._read, target, 0), name) is not None
        except MapscopeError:
            return True

    def _global(self, name: str) -> Optional[CppValue]:
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
            f"{escape(text)}: without a debugger, expressions of C++ are names of "
            "variables, members, elements, * and &"
        )

    def names(self) -> Iterable[str]:
        innermost = next(self._frames(), None)
        own = [] if innermost is None else innermost.locals()
        return [*own, *(variable.name for variable in self._variables())]

    def at(self, native: object, address: int) -> CppValue:
        if not isinstance(native, DwarfType):
            raise MapscopeError(f"nothing is known of what is at {address:#x}")
        return MemoryValue(self._read, native, address)

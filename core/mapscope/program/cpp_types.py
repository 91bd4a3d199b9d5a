# SPDX-License-Identifier: MIT
"""Types of a C++ program as a debugger has them: what lies where in a value, without a value.

A debugger offers CppType; what classes of the standard library hold is known by who asks.
"""

from abc import ABC, abstractmethod
from enum import Enum
from typing import Dict, List, NamedTuple, Optional

from .cpp_names import STRING
from .types import Type


class Form(Enum):
    """What can be done with a value."""

    CLASS = "class"
    POINTER = "pointer"
    ARRAY = "array"
    OTHER = "other"


class Part(NamedTuple):
    """A base class or a member of a class.

    :ivar name: of a member; "": a base class, or an unnamed union or struct
    :ivar offset: bytes
    """

    name: str
    offset: int
    type: "CppType"
    is_base: bool


class CppType(ABC):
    """One type, without aliases and qualifiers; a reference is a pointer.

    :ivar tag: its name in full, as debug information has it
    :ivar size: bytes
    :ivar complete: whether debug information has more of it than the name
    :ivar is_reference: whether it is a reference
    :ivar length: elements of an array; 0: not known
    """

    form: Form
    tag: str
    size: int
    complete: bool = True
    is_reference: bool = False
    length: int = 0

    @property
    @abstractmethod
    def is_polymorphic(self) -> bool:
        """Whether its objects say at run time of which class they are."""

    @abstractmethod
    def target(self) -> Optional["CppType"]:
        """What a pointer points at, or an array has; None: of no type."""

    @abstractmethod
    def parts(self) -> List[Part]:
        """Bases and members of a class that have a place of their own: no bit-fields, and no
        virtual bases, whose place only an object knows."""

    @abstractmethod
    def argument(self, index: int) -> Optional["CppType"]:
        """A type that is an argument of the class template; None: there is none."""

    @abstractmethod
    def described(self) -> Type:
        """The same for who takes values apart."""


class CppVariable(NamedTuple):
    """A variable, or a parameter, that has a value.

    :ivar name: in full
    :ivar address: where it lies; None: in a register
    :ivar data: its bytes, where it lies in no memory
    :ivar thread: the debugger's number of the thread whose own it is; 0: of no thread alone
    """

    name: str
    type: CppType
    address: Optional[int]
    data: Optional[bytes] = None
    thread: int = 0


#: where a system keeps its own libraries
_SYSTEM = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "[")


def is_system_file(path: str) -> bool:
    """Whether a file is one of the system's libraries, whose variables are no user's."""
    return path.startswith(_SYSTEM)


def alignment(type: CppType, known: Dict[str, int], depth: int = 0) -> int:
    """A type's alignment, where nothing but its parts asks for one.

    :param known: those that were found out before, by name
    """
    if type.form is Form.POINTER:
        return 8
    if type.form is Form.OTHER:
        return type.size if type.size in (1, 2, 4, 8, 16) else 1
    if STRING.match(type.tag):
        return 8
    found = known.get(type.tag)
    if found is not None:
        return found
    if depth > 24:
        return 8
    if type.form is Form.ARRAY:
        element = type.target()
        return 1 if element is None else alignment(element, known, depth + 1)
    found = 8 if type.is_polymorphic else 1
    for part in type.parts():
        found = max(found, alignment(part.type, known, depth + 1))
    known[type.tag] = found
    return found

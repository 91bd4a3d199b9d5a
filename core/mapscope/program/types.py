# SPDX-License-Identifier: MIT
"""A small model of types: just enough to take bytes apart.

Built from a debugger's types, from the runtime's `maptype`, or from Go's type
descriptors in memory; which of them made a Type cannot be seen from outside.
"""

import enum
from dataclasses import field
from typing import Callable, Dict, Optional, Tuple

from ..records import dataclass


class Kind(enum.Enum):
    """What the bytes of a value are."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    COMPLEX = "complex"
    ENUM = "enum"
    POINTER = "pointer"
    STRING = "string"  # a data pointer and a length, at offsets of the type
    ARRAY = "array"
    SLICE = "slice"  # Go: pointer, length, capacity
    STRUCT = "struct"
    INTERFACE = "interface"  # Go, with methods: itab, data
    EMPTY_INTERFACE = "empty interface"  # Go: type, data
    FUNC = "func"
    CHAN = "chan"
    GO_MAP = "go map"  # a pointer to a Go map header
    RUNTIME_MAP = "runtime map"  # mapscope::map: begins with its hmap pointer
    GO_HMAP = "go hmap"  # a Go map header itself
    RUNTIME_HMAP = "runtime hmap"  # a mapscope::hmap itself
    VOID = "void"
    OPAQUE = "opaque"  # only the debugger, or nobody, can print it


@dataclass(frozen=True)
class Field:
    """One field of a struct; the offset is in bytes.

    :ivar embedded: in Go, whether its own fields are the struct's too; None: not known
    """

    name: str
    offset: int
    type: "Type"
    embedded: Optional[bool] = None


@dataclass(frozen=True)
class Type:
    """One type.

    :ivar name: as the program's language writes it
    :ivar size: bytes
    :ivar fields: of a STRUCT
    :ivar element: gives the element of an ARRAY or SLICE, what a POINTER points
        at, the element of a map; a function, because types may be recursive
    :ivar key: gives the key type of a map
    :ivar length: elements of an ARRAY
    :ivar data_offset: of a STRING, where its pointer is
    :ivar len_offset: of a STRING, where its length is
    :ivar names: of an ENUM, its values' names
    :ivar swiss: a GO_MAP of Go 1.24's Swiss layout
    :ivar go_type: address of the Go type descriptor, where it is known
    :ivar descriptor: gives that address, or 0, where the type comes from debug information
    :ivar direct: whether a Go interface holds such a value in its data word itself; None: not
        known
    :ivar native: the debugger's own type, for what only it can print
    :ivar as_class: gives what debug information says of a C++ class, whatever its values are
        shown as
    """

    kind: Kind
    name: str
    size: int
    fields: Tuple[Field, ...] = ()
    element: Optional[Callable[[], "Type"]] = None
    key: Optional[Callable[[], "Type"]] = None
    length: int = 0
    data_offset: int = 0
    len_offset: int = 0
    names: Dict[int, str] = field(default_factory=dict, hash=False, compare=False)
    swiss: bool = False
    go_type: int = 0
    descriptor: Optional[Callable[[], int]] = field(default=None, hash=False, compare=False)
    direct: Optional[bool] = None
    native: object = field(default=None, hash=False, compare=False)
    as_class: Optional[Callable[[], "CppClass"]] = field(default=None, hash=False, compare=False)

    @property
    def scalar_format(self) -> Optional[str]:
        """The struct-module character that reads this type in bulk, or None."""
        return _FORMATS.get((self.kind, self.size))

    def target(self) -> "Type":
        """The element or pointed-at type; VOID where there is none."""
        return self.element() if self.element is not None else VOID

    def key_type(self) -> "Type":
        """The key type of a map type; VOID where there is none."""
        return self.key() if self.key is not None else VOID


@dataclass(frozen=True)
class Part:
    """A data member of a C++ class, or a base class in it; the offset is in bytes.

    :ivar name: of a member; "": a base class, or a member without a name
    """

    name: str
    offset: int
    type: Type


@dataclass(frozen=True)
class CppClass:
    """A C++ class as debug information has it.

    :ivar tag: its name in full
    :ivar parts: its bases, but for virtual ones, and its members, but for static ones
    :ivar argument: gives a type that the class template was given, by its place; None: what
        stands there is no type, or nothing does
    :ivar nested: gives a class that is declared in this one, by its name there; None: none is
        known
    """

    tag: str
    parts: Tuple[Part, ...]
    argument: Callable[[int], Optional[Type]]
    nested: Callable[[str], Optional[Type]] = lambda name: None

    def find(self, name: str) -> Optional[Part]:
        """The member of that name, of the class or of one of its bases, from its beginning."""
        return _find(self, name, 0)

    def base(self, start: str) -> Optional["CppClass"]:
        """The base class, also an indirect one, whose full name starts so."""
        return _base(self, start, 0)


#: bases of bases that are looked into
_DEEPEST = 8


def _find(owner: CppClass, name: str, depth: int) -> Optional[Part]:
    for part in owner.parts:
        if part.name == name:
            return part
    for part in owner.parts:
        if not part.name and part.type.as_class is not None and depth < _DEEPEST:
            found = _find(part.type.as_class(), name, depth + 1)
            if found is not None:
                return Part(name, part.offset + found.offset, found.type)
    return None


def _base(owner: CppClass, start: str, depth: int) -> Optional[CppClass]:
    for part in owner.parts:
        if part.name or part.type.as_class is None or depth > _DEEPEST:
            continue
        own = part.type.as_class()
        found = own if own.tag.startswith(start) else _base(own, start, depth + 1)
        if found is not None:
            return found
    return None


_FORMATS: Dict[Tuple[Kind, int], str] = {
    (Kind.BOOL, 1): "B",
    (Kind.INT, 1): "b",
    (Kind.INT, 2): "h",
    (Kind.INT, 4): "i",
    (Kind.INT, 8): "q",
    (Kind.UINT, 1): "B",
    (Kind.UINT, 2): "H",
    (Kind.UINT, 4): "I",
    (Kind.UINT, 8): "Q",
    (Kind.FLOAT, 4): "f",
    (Kind.FLOAT, 8): "d",
    (Kind.POINTER, 8): "Q",
    (Kind.FUNC, 8): "Q",
    (Kind.CHAN, 8): "Q",
}

VOID = Type(Kind.VOID, "void", 0)

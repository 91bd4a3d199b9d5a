# SPDX-License-Identifier: MIT
"""Types of debug information as text: what has no name of its own there is written as C++ does,
`void (*)(int, const char *)`, `int (*)[3]`, `const char *const *`."""

from abc import ABC, abstractmethod
from typing import Optional

from . import dwarf
from .dwarf import DebugInfo, Entry

CONST, VOLATILE, RESTRICT, ATOMIC = 0x26, 0x35, 0x37, 0x47
TRANSPARENT = (CONST, VOLATILE, RESTRICT, ATOMIC)
REFERENCE, RVALUE_REFERENCE, UNSPECIFIED, MEMBER_POINTER = 0x10, 0x42, 0x3B, 0x1F
_CONTAINING_TYPE, _ARTIFICIAL, _UNSPECIFIED_PARAMETERS = 0x1D, 0x34, 0x18
_SIGNS = {dwarf.POINTER: "*", REFERENCE: "&", RVALUE_REFERENCE: "&&"}
_QUALIFIERS = {CONST: "const", VOLATILE: "volatile"}
#: types in types, and types that one name is made of
_DEEPEST, _MOST = 64, 1 << 10


class NamedTypes(ABC):
    """What is asked of debug information here."""

    dwarf: DebugInfo

    @abstractmethod
    def named(self, entry: Entry) -> str:
        """The name of a type that has one, in full."""

    @abstractmethod
    def length(self, entry: Entry) -> int:
        """Elements of an array."""


class Declarators:
    """The text of types.

    :param aliases: whether they stay as they are
    """

    def __init__(self, types: NamedTypes, aliases: bool) -> None:
        self._types = types
        self._aliases = aliases
        self._left = 0

    def text(self, entry: Optional[Entry], qualified: bool = False) -> str:
        """Of one type.

        :param qualified: with qualifiers of its own
        """
        self._left = _MOST
        while not qualified and entry is not None and entry.tag in TRANSPARENT and self._left:
            self._left -= 1
            entry = self._target(entry)
        return self._text(entry, "", 0)

    def _target(self, entry: Entry) -> Optional[Entry]:
        offset = entry.number(dwarf.TYPE)
        return None if offset is None else self._types.dwarf.entry(offset)

    def _is_wrapped(self, entry: Entry) -> bool:
        """Whether a pointer to what this points at needs parentheses."""
        for _ in range(_DEEPEST):
            target = self._target(entry)
            if target is None:
                return False
            if target.tag in (dwarf.ARRAY, dwarf.SUBROUTINE):
                return True
            if target.tag not in TRANSPARENT and (self._aliases or target.tag != dwarf.TYPEDEF):
                return False
            entry = target
        return False

    def _text(self, entry: Optional[Entry], inner: str, depth: int) -> str:
        """A type, with what stands behind it."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return "..."
        if entry is None:
            return _joined("void", inner)
        if entry.tag in TRANSPARENT:
            return self._qualified(entry, inner, depth)
        if entry.tag == dwarf.TYPEDEF and not self._aliases:
            return self._text(self._target(entry), inner, depth + 1)
        if entry.tag in _SIGNS or entry.tag == MEMBER_POINTER:
            sign = _SIGNS.get(entry.tag) or self._member_of(entry)
            inner = sign + inner
            if self._is_wrapped(entry):
                inner = f"({inner})"
            return self._text(self._target(entry), inner, depth + 1)
        if entry.tag == dwarf.ARRAY:
            inner += f"[{self._types.length(entry)}]"
            return self._text(self._target(entry), inner, depth + 1)
        if entry.tag == dwarf.SUBROUTINE:
            inner += f"({self._parameters(entry, depth)})"
            return self._text(self._target(entry), inner, depth + 1)
        return _joined(self._types.named(entry), inner)

    def _qualified(self, entry: Entry, inner: str, depth: int) -> str:
        word = _QUALIFIERS.get(entry.tag, "")
        target = self._target(entry)
        if not word:
            return self._text(target, inner, depth + 1)
        of = target
        for _ in range(_DEEPEST):
            is_alias = of is not None and of.tag == dwarf.TYPEDEF and not self._aliases
            if of is None or not is_alias and of.tag not in TRANSPARENT:
                break
            of = self._target(of)
        if of is not None and (of.tag in _SIGNS or of.tag == MEMBER_POINTER):
            between = " " if inner[:1] and inner[0] not in ")[(" else ""
            return self._text(target, word + between + inner, depth + 1)
        return f"{word} {self._text(target, inner, depth + 1)}"

    def _member_of(self, entry: Entry) -> str:
        offset = entry.number(_CONTAINING_TYPE)
        owner = None if offset is None else self._types.dwarf.entry(offset)
        return ("?" if owner is None else self._types.named(owner)) + "::*"

    def _parameters(self, function: Entry, depth: int) -> str:
        found = []
        for child in self._types.dwarf.children(function):
            if child.tag == dwarf.FORMAL_PARAMETER and _ARTIFICIAL not in child.values:
                found.append(self._text(self._target(child), "", depth + 1))
            elif child.tag == _UNSPECIFIED_PARAMETERS:
                found.append("...")
            if self._left < 0:
                break
        return ", ".join(found) or "void"


def _joined(name: str, inner: str) -> str:
    return name + ("" if not inner or inner[0] == "[" else " ") + inner

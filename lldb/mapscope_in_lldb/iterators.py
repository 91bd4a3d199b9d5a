# SPDX-License-Identifier: MIT
"""Iterators of maps as LLDB values: the entry that each is at, or that it is at the end."""

from typing import Any, Optional

import lldb

from mapscope.errors import MapscopeError
from mapscope.flavours.cpp.iterators import SUFFIXES, Pointed, entry_at
from mapscope.program.values import escape, text_form
from mapscope.session import Session, describe
from .entry_values import path_of, placed, text_value
from .target import LldbTarget

_LIMIT = 200
_NAMES = ("first", "second")


def is_iterator(value: lldb.SBValue) -> bool:
    """Whether a value is an iterator of a map, or refers to one."""
    type = value.GetType().GetCanonicalType()
    if type.IsReferenceType():
        type = type.GetDereferencedType()
    elif type.IsPointerType():
        type = type.GetPointeeType()
    return str(type.GetUnqualifiedType().GetName() or "").endswith(SUFFIXES)


def pointed(value: lldb.SBValue, target: LldbTarget) -> Optional[Pointed]:
    """The entry that an iterator is at; None: it is at the end.

    :raises MapscopeError: if there is no such entry
    """
    inner = value.GetNonSyntheticValue().GetChildMemberWithName("it_").GetNonSyntheticValue()
    cell = inner.GetChildMemberWithName("at").GetNonSyntheticValue()

    def number(of: lldb.SBValue, name: str) -> int:
        error = lldb.SBError()
        found = of.GetChildMemberWithName(name).GetValueAsUnsigned(error, 0)
        if error.Fail():
            raise MapscopeError(f"its member {name} cannot be read")
        return int(found)

    header, bucket = number(inner, "h"), number(cell, "b")
    chain, index, level = number(cell, "chain"), number(cell, "i"), number(cell, "level")
    return entry_at(Session(target), header, bucket, chain, index, level)


def line(value: lldb.SBValue, target: LldbTarget) -> str:
    """An iterator on a line."""
    found = pointed(value, target)
    if found is None:
        return "end"
    return ": ".join(text_form(part, _LIMIT) for part in found.values())


class IteratorChildren:
    """The key and the element of the entry that an iterator is at."""

    def __init__(self, value: lldb.SBValue, target: LldbTarget) -> None:
        self._value = value
        self._error = ""
        self._found: Optional[Pointed] = None
        try:
            self._found = pointed(value, target)
        except MapscopeError as error:
            self._error = str(error)
        except Exception as error:  # LLDB shows locals before they exist
            self._error = describe(error)
        finally:
            target.finish()

    def count(self) -> int:
        """How many children."""
        return 0 if self._found is None else 2

    def index(self, name: str) -> int:
        """The index of a child; -1: there is none."""
        return _NAMES.index(name) if self._found is not None and name in _NAMES else -1

    def at(self, index: int) -> Any:
        """The key or the element."""
        found = self._found
        if found is None or index not in (0, 1):
            return None
        type = found.elem if index else found.key
        address = found.elem_address if index else found.key_address
        native: Any = type.native
        if native is None:
            text = escape(text_form(found.values()[index], _LIMIT))
            return text_value(self._value, _NAMES[index], text)
        return placed(self._value, path_of(self._value), _NAMES[index], address, native)

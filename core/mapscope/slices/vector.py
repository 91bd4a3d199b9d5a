# SPDX-License-Identifier: MIT
"""std::vector of libstdc++ and of libc++: three pointers, by the names of their members.

libstdc++ (bits/stl_vector.h, GCC 8 on): _M_impl has _M_start, _M_finish, _M_end_of_storage.
libc++ (include/vector): __begin_, __end_, and __end_cap_ (a pair whose first is the pointer) or,
since LLVM 20, __cap_.
"""

import re
from typing import NamedTuple, Optional, Tuple

from ..errors import Corrupt, LayoutUnknown, MapscopeError
from ..program.cpp_names import as_written
from ..program.memory import Memory
from ..program.target import Variable
from ..program.types import CppClass, Kind, Part, Type
from ..program.values import escape
from .slice_view import LIBCXX, LIBSTDCXX, SliceView, check

VECTOR = re.compile(r"^std::(?:__\w+::)*vector<")
#: the members, for each library: first element, behind the last, end of the array
_MEMBERS: Tuple[Tuple[str, Tuple[str, ...], Tuple[str, ...], Tuple[str, ...]], ...] = (
    (LIBSTDCXX, ("_M_start",), ("_M_finish",), ("_M_end_of_storage",)),
    (LIBCXX, ("__begin_",), ("__end_",), ("__end_cap_", "__cap_")),
)


class Words(NamedTuple):
    """Where a vector has its pointers: offsets of the first element's, of that behind the last,
    of the array's end."""

    flavor: str
    start: int
    finish: int
    end: int
    element: Type


def is_vector(type: Type) -> bool:
    """Whether a type is a std::vector."""
    return type.as_class is not None and VECTOR.match(type.as_class().tag) is not None


def words_of(type: Type) -> Words:
    """Where a vector of a type has its pointers.

    :raises LayoutUnknown: if it has none that are known
    """
    own = type.as_class() if type.as_class is not None else None
    name = escape(as_written(type.name if own is None else own.tag))
    for flavor, *members in _MEMBERS if own is not None else ():
        found = [_member(own, names) for names in members] if own is not None else []
        start, finish, end = found
        if start is None or finish is None or end is None:
            continue
        if start.type.kind is not Kind.POINTER:
            raise MapscopeError(f"{name}: its elements are bits, which have no places of their own")
        return Words(flavor, start.offset, finish.offset, end.offset, start.type.target())
    raise LayoutUnknown(
        f"{name} has not the members that mapscope knows: those of libstdc++ (_M_start, ...) or "
        "libc++ (__begin_, ...)"
    )


def _member(own: CppClass, names: Tuple[str, ...]) -> Optional[Part]:
    inside = own.find("_M_impl")
    offset = 0
    if inside is not None and inside.type.as_class is not None:
        own, offset = inside.type.as_class(), inside.offset
    for name in names:
        found = own.find(name)
        if found is not None:
            return Part(found.name, found.offset + offset, found.type)
    return None


def open_vector(memory: Memory, variable: Variable, what: str) -> SliceView:
    """The vector that a value is.

    :param what: the expression, for messages
    :raises Corrupt: if there can be none
    """
    words = words_of(variable.type)
    size = max(words.start, words.finish, words.end) + 8
    if variable.address is not None:
        raw = memory.read(variable.address, size)
    elif variable.data is not None and len(variable.data) >= size:
        raw = variable.data
    else:
        raise MapscopeError(f"{escape(what)} has no value here")
    start, finish, end = (
        int.from_bytes(raw[at : at + 8], "little") for at in (words.start, words.finish, words.end)
    )
    each = max(words.element.size, 1)
    if not start <= finish <= end or (finish - start) % each or (end - start) % each:
        raise Corrupt(
            f"{escape(what)} is damaged, destroyed or not constructed yet: its elements would be "
            f"from {start:#x} to {finish:#x} in an array that ends at {end:#x}"
        )
    own = variable.type.as_class
    view = SliceView(
        words.flavor,
        as_written(variable.type.name if own is None else own().tag),
        words.element,
        start,
        (finish - start) // each,
        (end - start) // each,
        variable.address,
    )
    return check(view, what)

# SPDX-License-Identifier: MIT
"""Which capacity an append gives a slice or a vector that is full.

Facts: growslice and nextslicecap (runtime/slice.go) and roundupsize (runtime/msize.go) of Go 1.17
to 1.27; vector::_M_check_len of libstdc++ (bits/vector.tcc, stl_vector.h), vector::__recommend of
libc++.
"""

from typing import Optional

from ..go.size_classes import allocated
from ..program.types import Kind, Type

#: what a process can address
MOST_BYTES = 1 << 47
#: below so many elements Go doubles: until 1.17, and since 1.18
_THRESHOLD_17, _THRESHOLD_18 = 1024, 256
#: since 1.22 an object with pointers of more bytes has a header in front; the largest that is
#: no span of its own
_NO_HEADER, _HEADER, _MOST_SMALL = 512, 8, 32768

_POINTERS = (
    *(Kind.POINTER, Kind.STRING, Kind.SLICE, Kind.INTERFACE, Kind.EMPTY_INTERFACE),
    *(Kind.FUNC, Kind.CHAN, Kind.GO_MAP),
)


def has_pointers(type: Type) -> Optional[bool]:
    """Whether Go's collector sees pointers in values of a type; None: not known."""
    if type.kind in _POINTERS:
        return True
    if type.kind is Kind.ARRAY:
        return has_pointers(type.target()) if type.length else False
    if type.kind is Kind.STRUCT:
        found = [has_pointers(field.type) for field in type.fields]
        return True if True in found else None if None in found else False
    return None if type.kind in (Kind.OPAQUE, Kind.VOID) else False


def go_capacity(minor: int, capacity: int, wanted: int, size: int, noscan: bool) -> Optional[int]:
    """The capacity of the array that append allocates in Go 1.`minor`; None: it panics.

    :param capacity: of the full array
    :param wanted: the length that the slice is to have
    :param size: bytes of an element
    :param noscan: whether elements have no pointers
    """
    if size == 0:
        return wanted
    found = _wanted_capacity(minor, capacity, wanted)
    if found * size > MOST_BYTES * 2:
        return None
    return _rounded(minor, found * size, noscan) // size


def _wanted_capacity(minor: int, capacity: int, wanted: int) -> int:
    if wanted > 2 * capacity:
        return wanted
    if capacity < (_THRESHOLD_18 if minor >= 18 else _THRESHOLD_17):
        return 2 * capacity
    found = capacity
    while found < wanted or found == capacity:
        found += (found + 3 * _THRESHOLD_18) // 4 if minor >= 18 else found // 4
        if found > 1 << 63:
            return wanted
    return found


def _rounded(minor: int, size: int, noscan: bool) -> int:
    """roundupsize: bytes of such an object that can be used."""
    if minor >= 22 and not noscan and _NO_HEADER < size <= _MOST_SMALL - _HEADER:
        return allocated(size + _HEADER) - _HEADER
    return allocated(size)


def vector_capacity(library: str, length: int, capacity: int) -> int:
    """The capacity that push_back gives a full vector."""
    return max(2 * (capacity if library == "libc++" else length), 1)

# SPDX-License-Identifier: MIT
"""One slice, string or vector as it was found, its header taken apart and checked."""

from dataclasses import field
from typing import List, Optional

from ..errors import Corrupt
from ..program.memory import Memory
from ..program.types import Type
from ..program.values import escape
from ..records import dataclass
from .growth_rules import MOST_BYTES, go_capacity, has_pointers, vector_capacity

#: bytes of a slice's or a vector's three words
_HEADER = 24
#: bytes of the buffer on the stack
_STACK_BUFFER = 32
GO, GO_STRING, LIBSTDCXX, LIBCXX = "go-slice", "go-string", "libstdc++-vector", "libc++-vector"


@dataclass
class Next:
    """What an append of one element to a full array does.

    :ivar capacity: of the new array; None: not known, and `why`
    """

    capacity: Optional[int]
    size: Optional[int]
    why: str = ""


@dataclass
class SliceView:
    """A slice.

    :ivar flavor: GO, GO_STRING, LIBSTDCXX or LIBCXX
    :ivar array: where its first element is; 0: it has none
    :ivar capacity: None: a string, which has none
    :ivar holder: where its header lies; None: in no memory
    :ivar minor: of Go's version, go1.N
    :ivar version: as in "go1.19.8"
    :ivar problems: what could not be read
    """

    flavor: str
    type_name: str
    element: Type
    array: int
    length: int
    capacity: Optional[int]
    holder: Optional[int]
    minor: int = 0
    version: Optional[str] = None
    problems: List[str] = field(default_factory=list)

    @property
    def is_go(self) -> bool:
        """Whether it is of Go."""
        return self.flavor in (GO, GO_STRING)

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return self.element.size

    @property
    def room(self) -> int:
        """Elements that its array has room for, from its first one on."""
        return self.length if self.capacity is None else self.capacity

    @property
    def end(self) -> int:
        """Where the array ends, as far as the slice reaches."""
        return self.array + self.room * self.size

    def is_own(self, address: Optional[int]) -> bool:
        """Whether what lies at an address is a part of its header."""
        holder = self.holder
        return holder is not None and address is not None and holder <= address < holder + _HEADER

    def may_use_stack(self, is_global: bool) -> bool:
        """Whether an append may use a buffer on the stack first, as Go since 1.26 does for a slice
        that does not escape from its function."""
        return (
            self.flavor == GO
            and self.minor >= 26
            and not is_global
            and self.room * self.size < _STACK_BUFFER
        )

    def next(self) -> Optional[Next]:
        """What append does when the array is full; None: nothing is ever appended to it."""
        if self.capacity is None:
            return None
        if not self.is_go:
            library = "libc++" if self.flavor == LIBCXX else "libstdc++"
            # one that is full
            found = vector_capacity(library, self.capacity, self.capacity)
            return Next(found, found * self.size)
        pointers = has_pointers(self.element)
        capacities = {
            go_capacity(self.minor, self.capacity, self.capacity + 1, self.size, noscan)
            for noscan in ((True, False) if pointers is None else (not pointers,))
        }
        if len(capacities) > 1:
            return Next(None, None, "whether its elements have pointers is not known")
        capacity = capacities.pop()
        if capacity is None:
            return Next(None, None, "append would panic: there is no so large array")
        return Next(capacity, capacity * self.size)

    def require_readable(self, memory: Memory, what: str) -> None:
        """:raises Corrupt: if its elements are not in memory that can be read"""
        found = self.unreadable(memory)
        if found:
            raise Corrupt(f"{escape(what)}: {found}")

    def unreadable(self, memory: Memory) -> str:
        """Why its array cannot be; "": it can."""
        size = self.room * self.size
        if not size:
            return ""
        for place in (self.array, self.array + size - 1):
            if not memory.readable(place, 1):
                return (
                    f"its array, {size} bytes at {self.array:#x}, cannot be read: the header is "
                    "damaged or not set yet, or that memory is not there"
                )
        return ""


def check(view: SliceView, what: str) -> SliceView:
    """A slice whose header is possible.

    :param what: the expression, for messages
    :raises Corrupt: if it is not
    """
    at = "" if view.holder is None else f" at {view.holder:#x}"
    head = f"{escape(what)} is damaged, or not set yet: its header{at} has "
    if view.length < 0 or view.length >= 1 << 63:
        raise Corrupt(f"{head}length {view.length - (1 << 64 if view.length > 0 else 0)}")
    if view.capacity is not None and view.length > view.capacity:
        raise Corrupt(f"{head}length {view.length} and capacity {view.capacity}")
    if view.room * view.size > MOST_BYTES or view.end > 1 << 64:
        raise Corrupt(f"{head}{view.room} elements of {view.size} bytes, more than memory has")
    if not view.array and view.room:
        kind = "length" if view.capacity is None else "capacity"
        raise Corrupt(f"{head}no array, and {kind} {view.room}")
    return view

# SPDX-License-Identifier: MIT
"""Which variables refer to an array: pointers into it, slices and strings of it, in what they hold
themselves and, a few steps deep, in what they point at."""

import re
import struct
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..go.expressions import type_name
from ..program.cpp_types import CppType, Form
from ..program.memory import Memory
from ..program.types import Kind, Type
from ..program.values import is_pointer_shaped
from ..records import dataclass
from ..session import Session
from .growth_rules import MOST_BYTES
from .variables import Place

#: values that are looked at, bytes of one variable, elements of one array or slice, references
_MOST_VALUES, _MOST_BYTES, _MOST_ELEMENTS, _MOST_FOUND = 400_000, 1 << 20, 256, 1000
#: pointers that are followed one behind the other, and how deep types are nested
STEPS = 3
#: what is not looked into where no pointer is followed
BEHIND_POINTERS = "what pointers point at"
_DEEPEST = 24
_INTERFACES = (Kind.INTERFACE, Kind.EMPTY_INTERFACE)
#: C++: classes that are a pointer, for whoever uses them
_ITERATOR = re.compile(r"^(?:__gnu_cxx::__normal_iterator|std::__\w+::__(?:wrap|bounded)_iter)<")
_INSIDE = re.compile(r"^(?:_M_|__)")


@dataclass(frozen=True)
class Reference:
    """One reference to an array.

    :ivar name: the variable, and the path to what refers
    :ivar scope: where the variable is, as "main.main, goroutine 1"; "": global
    :ivar kind: "pointer", "slice", "string", "iterator", "reference"
    :ivar address: of the reference itself; None: in a register
    :ivar target: what it refers to
    :ivar length: of a slice or string; None: of another
    """

    name: str
    scope: str
    kind: str
    type: str
    address: Optional[int]
    target: int
    length: Optional[int] = None
    capacity: Optional[int] = None


class Arrays:
    """Arrays that are looked for: ranges of memory."""

    def __init__(self, ranges: Sequence[Tuple[int, int]]) -> None:
        self._ranges = sorted((start, end) for start, end in ranges if start < end)
        self.first = self._ranges[0][0] if self._ranges else 0
        self.last = max((end for _, end in self._ranges), default=0)

    def has(self, address: int) -> bool:
        """Whether an address is in one of them."""
        return self.overlap(address, 1)

    def overlap(self, address: int, size: int) -> bool:
        """Whether one of so many bytes is in one of them."""
        end = address + size
        if end <= self.first or address >= self.last:
            return False
        return any(start < end and address < other for start, other in self._ranges)


class Finder:
    """Looks at one variable after the other.

    :param steps: pointers that are followed
    :ivar found: references, in the order of the variables
    :ivar lacking: what was met and not looked into
    """

    def __init__(self, session: Session, arrays: Arrays, steps: int) -> None:
        self._session = session
        self._memory: Memory = session.memory
        self._arrays = arrays
        self._steps = steps
        self.found: List[Reference] = []
        self.lacking: Set[str] = set()
        self.unread: List[str] = []
        self._behind_pointers = BEHIND_POINTERS
        if steps:
            self._behind_pointers = f"what lies more than {steps} pointers deep"
        self._values = 0
        self._seen: Set[Tuple[int, str]] = set()
        self._leads: Dict[int, Tuple[Type, bool]] = {}

    def look(self, place: Place) -> None:
        """At a variable."""
        try:
            if place.cpp is not None:
                data = self._data(place.address, place.data, place.cpp.size)
                self._cpp(place, place.name, place.cpp, data, place.address, 0, 0)
            elif place.type is not None and self._may_lead(place.type):
                data = self._data(place.address, place.data, place.type.size)
                self._go(place, place.name, place.type, data, place.address, 0, 0)
        except MapscopeError as error:
            self.unread.append(f"{place.name}: {error}")

    def _data(self, address: Optional[int], data: Optional[bytes], size: int) -> bytes:
        if data is not None:
            return data
        if address is None:
            raise MapscopeError("it has no value here")
        if size > _MOST_BYTES:
            self.lacking.add(f"bytes of a variable beyond its first {_MOST_BYTES}")
        return self._memory.read(address, min(size, _MOST_BYTES))

    def _add(self, reference: Reference) -> None:
        if len(self.found) < _MOST_FOUND:
            self.found.append(reference)
        else:
            self.lacking.add(f"references beyond the first {_MOST_FOUND}")

    def _spend(self) -> bool:
        self._values += 1
        if self._values > _MOST_VALUES:
            self.lacking.add(f"values beyond the first {_MOST_VALUES}")
            return False
        return True

    def _is_new(self, address: int, type: str) -> bool:
        key = (address, type)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    # --- Go ---

    def _may_lead(self, type: Type, depth: int = 0) -> bool:
        """Whether values of a type can refer to anything."""
        known = self._leads.get(id(type))
        if known is not None and known[0] is type:
            return known[1]
        if type.kind is Kind.STRUCT:
            found = depth < _DEEPEST and any(
                self._may_lead(field.type, depth + 1) for field in type.fields
            )
        elif type.kind is Kind.ARRAY:
            found = depth < _DEEPEST and self._may_lead(type.target(), depth + 1)
        else:
            found = type.kind in (
                *(Kind.POINTER, Kind.SLICE, Kind.STRING, Kind.FUNC, Kind.CHAN, Kind.GO_MAP),
                *_INTERFACES,
            )
        self._leads[id(type)] = type, found
        return found

    def _go(
        self,
        place: Place,
        path: str,
        type: Type,
        data: bytes,
        address: Optional[int],
        steps: int,
        depth: int,
    ) -> None:
        kind = type.kind
        if depth > _DEEPEST or not self._spend() or len(data) < min(type.size, 8):
            return
        if kind is Kind.STRUCT:
            for field in type.fields:
                if self._may_lead(field.type):
                    part = data[field.offset : field.offset + field.type.size]
                    at = None if address is None else address + field.offset
                    inner = f"{path}.{field.name}"
                    self._go(place, inner, field.type, part, at, steps, depth + 1)
        elif kind is Kind.ARRAY:
            self._elements(place, path, type.target(), type.length, data, address, steps, depth)
        elif kind is Kind.POINTER:
            word = int.from_bytes(data[:8], "little")
            if self._arrays.has(word):
                self._refers(place, path, "pointer", type, address, word)
            else:
                self._follow(place, path, type.target(), word, steps, depth)
        elif kind is Kind.STRING and len(data) >= 16:
            word, length = struct.unpack_from("<QQ", data)
            # what is longer than memory is damaged, and refers to nothing
            if 0 < length < MOST_BYTES and self._arrays.overlap(word, length):
                self._refers(place, path, "string", type, address, word, length)
        elif kind is Kind.SLICE and len(data) >= 24:
            word, length, capacity = struct.unpack_from("<QQQ", data)
            size = type.target().size
            if not length <= capacity <= MOST_BYTES or capacity * size > MOST_BYTES:
                return
            if capacity and self._arrays.overlap(word, capacity * size):
                self._refers(place, path, "slice", type, address, word, length, capacity)
            elif length and steps < self._steps and self._may_lead(type.target()):
                self._behind(place, path, type.target(), length, word, steps, depth)
        elif kind in _INTERFACES and len(data) >= 16:
            self._held(place, path, kind, data, address, steps, depth)
        elif kind in (Kind.GO_MAP, Kind.CHAN, Kind.FUNC) and any(data[:8]):
            names = {Kind.GO_MAP: "maps", Kind.CHAN: "channels", Kind.FUNC: "closures"}
            self.lacking.add(names[kind])

    def _refers(
        self,
        place: Place,
        path: str,
        kind: str,
        type: Type,
        address: Optional[int],
        target: int,
        length: Optional[int] = None,
        capacity: Optional[int] = None,
    ) -> None:
        self._add(
            Reference(path, place.scope, kind, type_name(type), address, target, length, capacity)
        )

    def _elements(
        self,
        place: Place,
        path: str,
        element: Type,
        count: int,
        data: bytes,
        address: Optional[int],
        steps: int,
        depth: int,
    ) -> None:
        size = element.size
        if count > _MOST_ELEMENTS:
            self.lacking.add(f"elements of arrays beyond the first {_MOST_ELEMENTS}")
        for index in range(min(count, _MOST_ELEMENTS) if size else 0):
            at = index * size
            where = None if address is None else address + at
            inner = f"{path}[{index}]"
            self._go(place, inner, element, data[at : at + size], where, steps, depth + 1)

    def _follow(
        self, place: Place, path: str, target: Type, word: int, steps: int, depth: int
    ) -> None:
        """What a pointer points at."""
        if not word or target.kind is Kind.VOID or not self._may_lead(target):
            return
        if steps >= self._steps:
            self.lacking.add(self._behind_pointers)
            return
        if target.size > _MOST_BYTES or not self._is_new(word, target.name):
            return
        try:
            data = self._memory.read(word, target.size)
        except MemoryUnreadable:
            return  # a pointer to nowhere is not one to the array
        self._go(place, path, target, data, word, steps + 1, depth + 1)

    def _behind(
        self, place: Place, path: str, element: Type, length: int, word: int, steps: int, depth: int
    ) -> None:
        """The elements of another slice."""
        if not self._is_new(word, f"[]{element.name}"):
            return
        size = min(length, _MOST_ELEMENTS) * element.size
        if size > _MOST_BYTES:
            return
        try:
            data = self._memory.read(word, size)
        except MemoryUnreadable:
            return
        self._elements(place, path, element, length, data, word, steps + 1, depth)

    def _held(
        self,
        place: Place,
        path: str,
        kind: Kind,
        data: bytes,
        address: Optional[int],
        steps: int,
        depth: int,
    ) -> None:
        """What an interface holds."""
        table, word = struct.unpack_from("<QQ", data)
        if not table or not word:
            return
        try:
            if kind is Kind.INTERFACE:
                table = self._memory.read_word(table + 8)
            type = self._session.go.type_at(table)
        except MapscopeError:
            self.lacking.add("interfaces whose type cannot be read")
            return
        inner = f"{path}.({type_name(type)})"
        if is_pointer_shaped(type):
            at = None if address is None else address + 8
            self._go(place, inner, type, data[8:16], at, steps, depth + 1)
        elif self._arrays.has(word):
            self._refers(place, inner, "pointer", type, address, word)
        else:
            self._follow(place, inner, type, word, steps, depth)

    # --- C++ ---

    def _cpp(
        self,
        place: Place,
        path: str,
        type: CppType,
        data: bytes,
        address: Optional[int],
        steps: int,
        depth: int,
    ) -> None:
        if depth > _DEEPEST or not self._spend():
            return
        if type.form is Form.POINTER and len(data) >= 8:
            self._cpp_pointer(place, path, type, data, address, steps, depth)
        elif type.form is Form.ARRAY:
            element = type.target()
            if element is None or not element.size:
                return
            if type.length > _MOST_ELEMENTS:
                self.lacking.add(f"elements of arrays beyond the first {_MOST_ELEMENTS}")
            for index in range(min(type.length, _MOST_ELEMENTS)):
                at = index * element.size
                where = None if address is None else address + at
                part = data[at : at + element.size]
                self._cpp(place, f"{path}[{index}]", element, part, where, steps, depth + 1)
        elif type.form is Form.CLASS:
            for member in type.parts():
                part = data[member.offset : member.offset + member.type.size]
                where = None if address is None else address + member.offset
                inner = f"{path}.{member.name}" if member.name else path
                if member.name and _ITERATOR.match(type.tag):
                    inner = path + "\0"
                self._cpp(place, inner, member.type, part, where, steps, depth + 1)

    def _cpp_pointer(
        self,
        place: Place,
        path: str,
        type: CppType,
        data: bytes,
        address: Optional[int],
        steps: int,
        depth: int,
    ) -> None:
        word = int.from_bytes(data[:8], "little")
        if self._arrays.has(word):
            kind = "reference" if type.is_reference else "pointer"
            if path.endswith("\0"):
                path, kind = path[:-1], "iterator"
            self._add(Reference(path, place.scope, kind, type.described().name, address, word))
            return
        target = type.target()
        if target is None or not word or target.form is Form.OTHER or not target.complete:
            return
        if _INSIDE.match(path.rpartition(".")[2]) or path.endswith("\0"):
            return  # what a container holds is not looked into
        if steps >= self._steps:
            self.lacking.add(self._behind_pointers)
            return
        if not target.size or target.size > _MOST_BYTES or not self._is_new(word, target.tag):
            return
        try:
            inner = self._memory.read(word, target.size)
        except MemoryUnreadable:
            return
        self.lacking.add("elements of containers")
        self._cpp(place, path, target, inner, word, steps + 1, depth + 1)

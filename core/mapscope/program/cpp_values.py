# SPDX-License-Identifier: MIT
"""Values of a C++ program as a debugger has them, and what classes of libstdc++ hold.

A debugger offers CppValue and CppScope; all that is known of base classes, smart pointers,
optionals, variants, tuples and containers stands here, by the names of their members (libstdc++,
from GCC 8 on). What this must not know: what a map is.
"""

import re
from abc import ABC, abstractmethod
from difflib import get_close_matches
from typing import Iterable, Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from .cpp_names import as_written
from .cpp_types import Form as Form
from .target import Variable
from .values import escape

#: base classes, and unnamed members, are looked into so deep, and so many of them
_DEEPEST = 16
_MOST = 512
#: names among which similar ones are looked for
_NAMES = 20_000


class CppValue(ABC):
    """One value; references are what they refer to.

    :ivar form: what can be done with it
    :ivar tag: its type's name in full, without qualifiers of its own: a class's as debug
        information has it
    :ivar complete: whether debug information has more of its type than the name
    """

    form: Form
    tag: str
    complete: bool = True

    @property
    def type_name(self) -> str:
        """Its type's name as people write it."""
        return as_written(self.tag)

    @abstractmethod
    def address(self) -> Optional[int]:
        """Where it lies; None: in no memory."""

    @abstractmethod
    def variable(self) -> Variable:
        """Core's Variable of it.

        :raises MapscopeError: if it is not available
        """

    @abstractmethod
    def bases(self) -> Iterator["CppValue"]:
        """Direct base classes of a class, virtual ones where they are in this very object."""

    @abstractmethod
    def members(self) -> Iterator[Tuple[str, "CppValue"]]:
        """Data members of a class itself, without those of its bases; "": an unnamed union."""

    @abstractmethod
    def static_member(self, name: str) -> Optional["CppValue"]:
        """A static data member of a class itself; None: it has none of that name."""

    @abstractmethod
    def number(self) -> int:
        """The value of a pointer, an integer, an enumerator or a bool.

        :raises MapscopeError: if it is none
        """

    @abstractmethod
    def pointee(self) -> "CppValue":
        """What a pointer points at, unless it is 0."""

    @abstractmethod
    def first(self) -> "CppValue":
        """The first element of an array."""

    @abstractmethod
    def length(self) -> Optional[int]:
        """Elements of an array; None: not known."""

    @abstractmethod
    def beside(self, number: int) -> "CppValue":
        """The value so many of its own sizes further on in memory."""

    @abstractmethod
    def size(self) -> int:
        """Bytes."""

    @abstractmethod
    def argument(self, index: int, address: int) -> Optional["CppValue"]:
        """What lies at an address, of the type that is an argument of the class template."""


class CppScope(ABC):
    """Where expressions are evaluated: the selected frame of a program."""

    @abstractmethod
    def find(self, name: str) -> Optional[CppValue]:
        """The variable of a name, as C++ would find it from here; None: there is none.

        :raises MapscopeError: if it has no value here, or several have that name
        """

    @abstractmethod
    def evaluate(self, text: str) -> CppValue:
        """What the debugger makes of an expression, without running or writing anything.

        :raises MapscopeError: with the debugger's own words
        """

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Names of variables that can be named from here."""

    @abstractmethod
    def at(self, native: object, address: int) -> CppValue:
        """What lies at an address, of one of the debugger's own types."""


class AddressOf(CppValue):
    """A pointer that only the expression has made: &m."""

    form = Form.POINTER

    def __init__(self, value: CppValue, what: str) -> None:
        where = value.address()
        if where is None:
            raise MapscopeError(f"{escape(what)} is in no memory, so it has no address")
        self._value = value
        self._address: int = where
        self.tag = f"{value.tag} *"

    def address(self) -> Optional[int]:
        return None

    def variable(self) -> Variable:
        return self._value.variable()  # names the same map

    def bases(self) -> Iterator[CppValue]:
        return iter(())

    def members(self) -> Iterator[Tuple[str, CppValue]]:
        return iter(())

    def static_member(self, name: str) -> Optional[CppValue]:
        return None

    def number(self) -> int:
        return self._address

    def pointee(self) -> CppValue:
        return self._value

    def first(self) -> CppValue:
        return self._value

    def length(self) -> Optional[int]:
        return None

    def beside(self, number: int) -> CppValue:
        raise MapscopeError("a pointer that is in no memory has nothing beside it")

    def size(self) -> int:
        return 8

    def argument(self, index: int, address: int) -> Optional[CppValue]:
        return None


# --- members ---


def near(name: str, names: Iterable[str]) -> str:
    """What follows an error about a name that does not exist: similar ones."""
    known = [known for _, known in zip(range(_NAMES), names) if known]
    found = get_close_matches(name, list(dict.fromkeys(known)), 3, 0.6)
    return f"; did you mean {' or '.join(escape(one) for one in found)}?" if found else ""


def all_bases(value: CppValue) -> Iterator[CppValue]:
    """A class's bases, nearest first; a virtual base that is reached twice is told once."""
    level, seen = [value], {(value.address(), value.tag)}
    for _ in range(_DEEPEST):
        following: List[CppValue] = []
        for one in level:
            for base in one.bases() if one.form is Form.CLASS else ():
                key, own = (base.address(), base.tag), (one.address(), one.tag)
                # LLDB may leave out what tells a base class from the class in its name
                if (key in seen and key != own) or len(seen) > _MOST:
                    continue
                seen.add(key)
                following.append(base)
        yield from following
        if not following:
            return
        level = following


def own_members(value: CppValue, depth: int = 0) -> Iterator[Tuple[str, CppValue]]:
    """A class's members, those of unnamed unions and structs among them."""
    for name, member in value.members():
        if name:
            yield name, member
        elif depth < _DEEPEST and member.form is Form.CLASS:
            yield from own_members(member, depth + 1)


def find_member(value: CppValue, name: str) -> Optional[CppValue]:
    """The member of a class or of one of its bases; None: it has none of that name.

    :param name: perhaps behind the class that it is a member of
    :raises MapscopeError: if bases have different ones of that name
    """
    scope, _, last = name.rpartition("::")
    classes = [value, *all_bases(value)]
    if scope:
        classes = [one for one in classes if _is_named(one.tag, scope)]
    for one in classes:
        found = _direct(one, last)
        if found is None:
            continue
        # hidden by it: what its own bases have; in doubt: what others have
        hidden = {(base.address(), base.tag) for base in all_bases(one)}
        for other in classes:
            if other is one or one is value or (other.address(), other.tag) in hidden:
                continue
            second = _direct(other, last)
            if second is not None and second.address() != found.address():
                raise MapscopeError(
                    f"{escape(last)} is ambiguous: {escape(one.type_name)} and "
                    f"{escape(other.type_name)} have one each; write CLASS::{escape(last)}"
                )
        return found
    return None


def _direct(value: CppValue, name: str) -> Optional[CppValue]:
    for known, member in own_members(value):
        if known == name:
            return member
    return value.static_member(name)


def _is_named(tag: str, name: str) -> bool:
    """Whether a class is meant by a name, with or without its namespaces and arguments."""
    written = as_written(tag)
    plain = written[: written.find("<")] if "<" in written else written
    return any(known == name or known.endswith("::" + name) for known in (tag, written, plain))


def member_names(value: CppValue) -> Iterator[str]:
    """Names of a class's members, those of its bases among them."""
    for one in [value, *all_bases(value)]:
        for name, _ in own_members(one):
            yield name


def inner(value: CppValue, *names: str) -> CppValue:
    """The member of the member ... of a class of the standard library.

    :raises MapscopeError: if this library's class has no such member
    """
    for name in names:
        found = find_member(value, name)
        if found is None:
            raise MapscopeError(
                f"{escape(value.type_name)} has no member {escape(name)}: mapscope knows the "
                "classes of libstdc++"
            )
        value = found
    return value


# --- the standard library ---

_CLASS = re.compile(r"^std::(?:__\w+::)*(\w+)<")
#: of classes that are pointers, the members that lead to the pointer itself
_POINTERS = {"shared_ptr": "_M_ptr", "weak_ptr": "_M_ptr", "reference_wrapper": "_M_data"}
_ITERATOR = re.compile(r"^__gnu_cxx::__normal_iterator<")
_DEQUE_BYTES = 512
_NO_ALTERNATIVE = (0xFF, 0xFFFF)
_HEAD = re.compile(r"^std::_Head_base<(\d+)[uUlL]*,")


def library_class(value: CppValue) -> str:
    """ "vector" of a std::vector; "" of what is no class template of the standard library."""
    match = _CLASS.match(value.tag) if value.form is Form.CLASS else None
    return "" if match is None else match[1]


def held(value: CppValue, what: str) -> Optional[CppValue]:
    """What a pointer, a smart pointer, an optional, a variant or a reference_wrapper leads to;
    None: the value is nothing like that.

    :param what: the expression, for messages
    :raises MapscopeError: if it is empty
    """
    if value.form is Form.POINTER:
        if not value.number():
            raise MapscopeError(f"{escape(what)} is a nil {escape(value.type_name)}, not a map")
        return value.pointee()
    kind = library_class(value)
    if kind == "optional":
        payload = inner(value, "_M_payload")
        if not inner(payload, "_M_engaged").number():
            raise _empty(what, value, "holds no value")
        return inner(payload, "_M_payload", "_M_value")
    if kind == "variant":
        return _alternative(value, what)
    if kind == "unique_ptr":
        pointer = _head(inner(value, "_M_t"), 0)
    elif kind in _POINTERS:
        pointer = inner(value, _POINTERS[kind])
        if kind == "weak_ptr" and pointer.number():
            counts = inner(value, "_M_refcount", "_M_pi")
            if not counts.number() or inner(counts.pointee(), "_M_use_count").number() <= 0:
                raise _empty(what, value, "has expired: what it pointed at is gone")
    elif _ITERATOR.match(value.tag):
        pointer = inner(value, "_M_current")
    else:
        return None
    if pointer.form is not Form.POINTER:
        return None
    if not pointer.number():
        raise _empty(what, value, "points at nothing")
    return pointer.pointee()


def _empty(what: str, value: CppValue, how: str) -> MapscopeError:
    return MapscopeError(f"{escape(what)} is an empty {escape(value.type_name)}: it {how}")


def _alternative(value: CppValue, what: str) -> CppValue:
    """What a variant holds at this moment."""
    index = inner(value, "_M_index").number()
    if index < 0 or index in _NO_ALTERNATIVE:
        raise _empty(what, value, "is valueless")
    part = inner(value, "_M_u")
    for _ in range(index):
        part = inner(part, "_M_rest")
    part = inner(part, "_M_first")
    where = part.address()
    found = None if where is None else part.argument(0, where)
    if found is None:
        raise MapscopeError(f"cannot tell what {escape(what)}, a {escape(value.type_name)}, holds")
    return found


def _head(tuple_: CppValue, index: int) -> CppValue:
    """An element of a std::tuple.

    :raises MapscopeError: if it has none of that index
    """
    for base in [tuple_, *all_bases(tuple_)]:
        if base.tag.startswith(("std::__uniq_ptr_impl<", "std::__uniq_ptr_data<")):
            return _head(inner(base, "_M_t"), index)
        match = _HEAD.match(base.tag)
        if match is not None and int(match[1]) == index:
            found = find_member(base, "_M_head_impl")
            if found is None:  # an empty class is a base
                found = next(base.bases(), None)
            if found is not None:
                return found
    raise MapscopeError(f"there is no element {index} in a {escape(tuple_.type_name)}")


def elements(tuple_: CppValue) -> Iterator[CppValue]:
    """The elements of a std::tuple."""
    count = sum(_HEAD.match(base.tag) is not None for base in all_bases(tuple_))
    for index in range(count):
        yield _head(tuple_, index)


def got(value: CppValue, index: int, what: str) -> CppValue:
    """std::get<index>(value)

    :raises MapscopeError: if there is none
    """
    kind = library_class(value)
    if kind == "tuple":
        return _head(value, index)
    if kind == "pair" and index < 2:
        return inner(value, ("first", "second")[index])
    if kind == "array":
        return element(value, index, what)
    if kind == "variant":
        present = inner(value, "_M_index").number()
        if present != index:
            shown = "no value" if present < 0 or present in _NO_ALTERNATIVE else f"its {present}"
            raise MapscopeError(f"{escape(what)} does not hold its alternative {index}: {shown}")
        return _alternative(value, what)
    raise MapscopeError(f"there is no std::get<{index}> of a {escape(value.type_name)}")


def extent(value: CppValue) -> Optional[int]:
    """How many elements an array or a container has; None: it is none, or that is not known."""
    if value.form is Form.ARRAY:
        return value.length()
    kind = library_class(value)
    if kind == "array":
        if find_member(value, "__elems_") is not None:
            inner(value, "_M_elems")  # of libc++: says which library is known
        array = find_member(value, "_M_elems")
        return array.length() if array is not None and array.form is Form.ARRAY else 0
    if kind == "vector":
        start, finish = (inner(value, "_M_impl", name) for name in ("_M_start", "_M_finish"))
        return _distance(start, finish)
    if kind == "deque":
        return _deque(value)[0]
    return None


def _distance(start: CppValue, finish: CppValue) -> int:
    """Elements between two pointers."""
    if start.form is not Form.POINTER or not start.number():
        return 0
    size = max(start.pointee().size(), 1)
    count = (finish.number() - start.number()) // size
    if count < 0 or count > 1 << 48:
        raise MapscopeError("the container is damaged, or not constructed yet")
    return count


def _deque(value: CppValue) -> Tuple[int, int, int, CppValue]:
    """(elements, first one's place in its block, elements in a block, the pointer to its block)"""
    start, finish = (inner(value, "_M_impl", name) for name in ("_M_start", "_M_finish"))
    node, first = inner(start, "_M_node"), inner(start, "_M_first")
    if not node.number() or not first.number():
        return 0, 0, 1, node
    size = max(first.pointee().size(), 1)
    each = max(_DEQUE_BYTES // size, 1)
    blocks = (inner(finish, "_M_node").number() - node.number()) // 8
    offset = (inner(start, "_M_cur").number() - first.number()) // size
    last = (inner(finish, "_M_cur").number() - inner(finish, "_M_first").number()) // size
    count = blocks * each + last - offset
    if count < 0 or count > 1 << 48 or not 0 <= offset < each:
        raise MapscopeError("the container is damaged, or not constructed yet")
    return count, offset, each, node


def element(value: CppValue, index: int, what: str) -> CppValue:
    """value[index] of an array, a pointer, a container with a place for each index.

    :param what: the expression of the value
    :raises MapscopeError: if there is none
    """
    if value.form is Form.POINTER:
        if not value.number():
            raise MapscopeError(f"{escape(what)} is a nil {escape(value.type_name)}")
        return value.pointee().beside(index) if index else value.pointee()
    kind = library_class(value)
    if kind in ("unique_ptr", "shared_ptr") and "[" in value.tag:
        first = held(value, what)
        if first is None:
            raise MapscopeError(f"a {escape(value.type_name)} has no elements")
        if first.form is Form.ARRAY:
            first = first.first()
        return first.beside(index) if index else first
    count = extent(value)
    known = value.form is Form.ARRAY or kind in ("array", "vector", "deque")
    if not known:
        raise MapscopeError(
            f"{escape(what)} is a {escape(value.type_name)}, whose elements cannot be named so"
        )
    if index < 0 or (count is not None and index >= count):
        raise MapscopeError(f"there is no element {index} in {escape(what)}: it has {count}")
    if value.form is Form.ARRAY or kind == "array":
        array = value if value.form is Form.ARRAY else inner(value, "_M_elems")
        return array.first().beside(index) if index else array.first()
    if kind == "vector":
        start = inner(value, "_M_impl", "_M_start")
        if start.form is not Form.POINTER:
            raise MapscopeError(f"elements of a {escape(value.type_name)} are bits")
        return start.pointee().beside(index) if index else start.pointee()
    _, offset, each, node = _deque(value)
    block, place = divmod(offset + index, each)
    pointer = node.pointee().beside(block) if block else node.pointee()
    found = pointer.pointee()
    return found.beside(place) if place else found

# SPDX-License-Identifier: MIT
"""Where in a C++ value, by its type alone, a map or the way to one can be.

Each class is taken apart once; its members and those of its bases become places, at offsets, and
classes of libstdc++ the places that they stand for. Which types can lead to a map is decided
over all of them, so that following values looks at nothing else.
"""

import re
from typing import Callable, Deque, Dict, List, NamedTuple, Optional, Set, Tuple
from collections import deque

from ...program.cpp_types import CppType, Form, alignment

_MAP = "mapscope::map<"
#: of the runtime's own, and of the libraries' insides: nothing of theirs owns a map
_INSIDES = ("mapscope::", "__gnu_cxx::", "__cxxabiv1::")
_LIBRARY = re.compile(r"^std::(?:__\w+::)*(\w+)<")
_HEAD = re.compile(r"^std::_Head_base<(\d+)[uUlL]*,")
_TREES = ("map", "multimap", "set", "multiset")
_TABLES = ("unordered_map", "unordered_multimap", "unordered_set", "unordered_multiset")
_ADAPTORS = ("stack", "queue", "priority_queue")
_POINTERS = {"shared_ptr": "_M_ptr", "reference_wrapper": "_M_data"}
_DEQUE_BYTES = 512

#: classes in classes, places in one class, parts of a class of the library that are looked at
_DEEPEST, _MOST_PLACES, _MOST_PARTS = 24, 4096, 512
#: types that are taken apart
_MOST_TYPES = 50_000
#: alternatives of a variant
_MOST_ALTERNATIVES = 256
#: names that several types of a program may have
_AMBIGUOUS = re.compile(r"anonymous|unnamed|<lambda|\{lambda|'lambda|^std::tuple<>")


class Place(NamedTuple):
    """A part of a value that is a map, or that leads on.

    :ivar how: "map", "pointer", "array", "vector", "deque", "list", "tree", "chain", "optional"
        or "variant"
    :ivar label: how it is written behind the value, indices and keys left out
    :ivar targets: what it leads to; of a map its key and element; of a variant all alternatives
    :ivar numbers: offsets and sizes that `how` needs
    :ivar key: of a container with keys
    """

    how: str
    offset: int
    label: str
    targets: Tuple["Shape", ...]
    numbers: Tuple[int, ...] = ()
    key: Optional[CppType] = None


class Shape:
    """A type, as far as maps are concerned.

    :ivar places: all that may matter; None: not taken apart yet
    :ivar live: those of them that can lead to a map
    :ivar seen: addresses of values of this type that were looked at
    """

    __slots__ = ("type", "places", "live", "reaches", "seen", "tag")

    def __init__(self, type: CppType) -> None:
        self.type = type
        self.tag = type.tag
        self.places: Optional[List[Place]] = None
        self.live: List[Place] = []
        self.reaches = False
        self.seen: Set[int] = set()

    @property
    def is_dynamic(self) -> bool:
        """Whether what an object of it leads to is known at run time alone."""
        return self.type.is_polymorphic and not self.tag.startswith(("std::", *_INSIDES))


class Shapes:
    """All types that were seen.

    :param resolve: finds the whole of a class that is only declared where it is met
    """

    def __init__(self, resolve: Callable[[str], Optional[CppType]]) -> None:
        self._resolve = resolve
        self._shapes: Dict[Tuple[object, ...], Shape] = {}
        self._pending: Deque[Shape] = deque()
        self._alignments: Dict[str, int] = {}
        #: classes of which there is nothing but the name
        self.declared: Set[str] = set()
        #: whether there are more types than are taken apart
        self.cut = False

    def of(self, type: CppType) -> Shape:
        """The shape of a type."""
        key: Tuple[object, ...] = (type.tag, type.size)
        if _AMBIGUOUS.search(type.tag):
            # several may have that name
            key += tuple((part.name, part.offset, part.type.tag) for part in type.parts())
        shape = self._shapes.get(key)
        if shape is None:
            if not type.complete:
                type = self._completed(type)
            shape = self._shapes[key] = Shape(type)
            self._pending.append(shape)
        return shape

    def _completed(self, type: CppType) -> CppType:
        if type.tag.startswith(("std::", "_", *_INSIDES)):
            return type
        found = self._resolve(type.tag)
        if found is not None and found.complete:
            return found
        self.declared.add(type.tag)
        return type

    def decide(self) -> None:
        """Take apart what was added, and find out which types can lead to a map."""
        if not self._pending:
            return
        while self._pending:
            shape = self._pending.popleft()
            shape.places = []
            if len(self._shapes) > _MOST_TYPES:
                self.cut = True
                continue
            self._add(shape.type, 0, "", 0, shape.places)
        above: Dict[int, List[Shape]] = {}
        reached: List[Shape] = []
        for shape in self._shapes.values():
            shape.reaches = False
            for place in shape.places or ():
                if _is_end(place) and not shape.reaches:
                    shape.reaches = True
                    reached.append(shape)
                for target in place.targets:
                    above.setdefault(id(target), []).append(shape)
        while reached:
            for shape in above.get(id(reached.pop()), ()):
                if not shape.reaches:
                    shape.reaches = True
                    reached.append(shape)
        for shape in self._shapes.values():
            shape.live = [
                place
                for place in shape.places or ()
                if _is_end(place) or any(target.reaches for target in place.targets)
            ]

    # --- what is in a type ---

    def _add(self, type: CppType, offset: int, label: str, depth: int, places: List[Place]) -> None:
        """The places of a value, at an offset of another."""
        if depth > _DEEPEST or len(places) > _MOST_PLACES:
            return
        if type.form is Form.POINTER:
            target = type.target()
            if target is not None:
                self._add_pointer(target, offset, label, places)
        elif type.form is Form.ARRAY:
            self._add_array(type, offset, label, places)
        elif type.form is Form.CLASS:
            tag = type.tag
            if tag.startswith(_MAP):
                arguments = (type.argument(0), type.argument(1))
                targets = tuple(self.of(one) for one in arguments if one is not None)
                places.append(Place("map", offset, label, targets if len(targets) == 2 else ()))
            elif tag.startswith("std::"):
                self._add_library(type, offset, label, depth, places)
            elif not tag.startswith(_INSIDES):
                for part in type.parts():
                    inner = f"{label}.{part.name}" if part.name else label
                    self._add(part.type, offset + part.offset, inner, depth + 1, places)

    def _add_pointer(self, target: CppType, offset: int, label: str, places: List[Place]) -> None:
        tag = target.tag
        if target.form is Form.OTHER:
            return
        if tag.startswith(_INSIDES) and not tag.startswith(_MAP):
            return
        places.append(Place("pointer", offset, label, (self.of(target),)))

    def _add_array(self, type: CppType, offset: int, label: str, places: List[Place]) -> None:
        element = type.target()
        if element is not None and element.form is not Form.OTHER and type.length:
            numbers = (type.length, element.size)
            places.append(Place("array", offset, label, (self.of(element),), numbers))

    def _add_library(
        self, type: CppType, offset: int, label: str, depth: int, places: List[Place]
    ) -> None:
        """A class of the standard library."""
        match = _LIBRARY.match(type.tag)
        kind = match[1] if match else ""
        argument = type.argument(0) if kind else None
        if kind in ("pair", "atomic"):
            for part in type.parts():
                named = part.name and kind == "pair"
                inner = f"{label}.{part.name}" if named else label
                if kind == "atomic" and part.type.tag.startswith("std::__atomic_base<"):
                    for own in part.type.parts():
                        at = offset + part.offset + own.offset
                        self._add(own.type, at, label, depth + 1, places)
                    continue
                self._add(part.type, offset + part.offset, inner, depth + 1, places)
        elif kind == "tuple":
            for index, (at, element) in sorted(_heads(type).items()):
                self._add(element, offset + at, f"{label}.get<{index}>()", depth + 1, places)
        elif kind == "array":
            found = _find(type, "_M_elems")
            if found is not None and found[1].form is Form.ARRAY:
                self._add_array(found[1], offset + found[0], label, places)
        elif kind in _ADAPTORS:
            found = _find(type, "c")
            if found is not None:
                self._add(found[1], offset + found[0], label, depth + 1, places)
        elif kind == "unique_ptr":
            self._add_unique(type, offset, label, places)
        elif kind in _POINTERS:
            found = _find(type, _POINTERS[kind])
            target = None if found is None else found[1].target()
            if found is not None and target is not None:
                self._add_pointer(target, offset + found[0], label, places)
        elif kind == "optional" and argument is not None:
            engaged, value = _find(type, "_M_engaged"), _find(type, "_M_value")
            if engaged is not None and value is not None:
                shape = self.of(argument)
                numbers = (engaged[0] - value[0],)
                places.append(Place("optional", offset + value[0], label, (shape,), numbers))
        elif kind == "variant":
            self._add_variant(type, offset, label, places)
        elif argument is not None:
            self._add_container(type, kind, argument, offset, label, places)

    def _add_unique(self, type: CppType, offset: int, label: str, places: List[Place]) -> None:
        heads = _heads(type)
        target = heads[0][1].target() if 0 in heads else None
        if target is not None:
            argument = type.argument(0)
            if argument is not None and argument.form is Form.ARRAY:
                # how many there are is not written down anywhere: the first one is sure
                label += "[]"
            self._add_pointer(target, offset + heads[0][0], label, places)

    def _add_variant(self, type: CppType, offset: int, label: str, places: List[Place]) -> None:
        index, union = _find(type, "_M_index"), _find(type, "_M_u")
        alternatives: List[Shape] = []
        for at in range(_MOST_ALTERNATIVES):
            found = type.argument(at)
            if found is None:
                break
            alternatives.append(self.of(found))
        if index is not None and union is not None:
            numbers = (index[0] - union[0], index[1].size)
            places.append(Place("variant", offset + union[0], label, tuple(alternatives), numbers))

    def _add_container(
        self,
        type: CppType,
        kind: str,
        argument: CppType,
        offset: int,
        label: str,
        places: List[Place],
    ) -> None:
        """A container whose elements lie elsewhere."""
        first, aligned = argument, self._aligned
        found: Optional[Tuple[int, CppType]]
        if kind == "vector":
            found, last = _find(type, "_M_start"), _find(type, "_M_finish")
            if found is not None and last is not None and found[1].form is Form.POINTER:
                numbers: Tuple[int, ...] = (last[0] - found[0], first.size)
                places.append(Place("vector", offset + found[0], label, (self.of(first),), numbers))
        elif kind == "deque":
            found, last = _find(type, "_M_start"), _find(type, "_M_finish")
            if found is not None and last is not None and first.size:
                numbers = (last[0] - found[0], first.size, max(_DEQUE_BYTES // first.size, 1))
                places.append(Place("deque", offset + found[0], label, (self.of(first),), numbers))
        elif kind == "list":
            found = _find(type, "_M_node")
            if found is not None:
                numbers = (aligned(16, first),)
                places.append(Place("list", offset + found[0], label, (self.of(first),), numbers))
        elif kind == "forward_list":
            found = _find(type, "_M_head")
            if found is not None:
                numbers = (aligned(8, first),)
                places.append(Place("chain", offset + found[0], label, (self.of(first),), numbers))
        elif kind in _TREES or kind in _TABLES:
            tree = kind in _TREES
            found = _find(type, "_M_header" if tree else "_M_before_begin")
            base = 32 if tree else 8
            how = "tree" if tree else "chain"
            value = type.argument(1) if "map" in kind else None
            if found is None:
                return
            if value is None:
                numbers, key, target = (aligned(base, first),), None, first
            else:
                # std::pair<const Key, Value>
                pair = max(alignment(one, self._alignments) for one in (first, value))
                start = -(-base // pair) * pair
                numbers = (start + aligned(first.size, value), start)
                key, target = first, value
            places.append(Place(how, offset + found[0], label, (self.of(target),), numbers, key))

    def _aligned(self, offset: int, type: CppType) -> int:
        """An offset, or the next one that a type may be at."""
        step = alignment(type, self._alignments)
        return -(-offset // step) * step


def _is_end(place: Place) -> bool:
    """Whether a place is followed, whatever else is known."""
    return place.how == "map" or (place.how == "pointer" and place.targets[0].is_dynamic)


def _find(type: CppType, name: str) -> Optional[Tuple[int, CppType]]:
    """(offset, type) of the outermost part of a class that has a name."""
    level: List[Tuple[int, CppType]] = [(0, type)]
    looked = 0
    for _ in range(_DEEPEST):
        following: List[Tuple[int, CppType]] = []
        for offset, one in level:
            for part in one.parts():
                looked += 1
                if part.name == name:
                    return offset + part.offset, part.type
                if part.type.form is Form.CLASS:
                    following.append((offset + part.offset, part.type))
        if not following or looked > _MOST_PARTS:
            return None
        level = following
    return None


def _heads(type: CppType) -> Dict[int, Tuple[int, CppType]]:
    """(offset, type) of the elements of the outermost tuple that a class of the library is or
    has, by index."""
    found: Dict[int, Tuple[int, CppType]] = {}
    level: List[Tuple[int, CppType]] = [(0, type)]
    looked = 0
    for _ in range(_DEEPEST + _MOST_ALTERNATIVES):
        following: List[Tuple[int, CppType]] = []
        for offset, one in level:
            match = _HEAD.match(one.tag)
            for part in one.parts():
                looked += 1
                at = offset + part.offset
                if match is not None:
                    # an empty class is a base
                    if part.name == "_M_head_impl" or part.is_base:
                        found.setdefault(int(match[1]), (at, part.type))
                elif part.type.form is Form.CLASS and part.type.tag.startswith("std::"):
                    following.append((at, part.type))
        if not following or looked > _MOST_PARTS:
            break
        level = following
    return found

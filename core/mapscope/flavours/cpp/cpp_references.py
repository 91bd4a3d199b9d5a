# SPDX-License-Identifier: MIT
"""References through a C++ program, from its variables to every map.

Values are followed breadth first and many at once: those of one type that the same path leads
to, indices and keys left out, are a batch. Whatever is read may be garbage: a variable that is
not constructed yet, a pointer that dangles. So a map is one that the registry knows, lengths and
links are bounded, and what impossible lengths say is not followed.
"""

from collections import deque
from typing import Callable, Deque, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ...errors import MapscopeError
from ...maps.progress import Progress
from ...maps.view import MapView
from ...program.cpp_types import CppVariable
from ...program.memory import ADDRESS_LIMIT
from ...session import Session
from .cpp_shapes import Place, Shape, Shapes

#: values that are looked at, and of one container or array
_MOST_VALUES, _MOST_ELEMENTS = 1 << 22, 1 << 20
#: values of a batch
_TOGETHER = 1 << 13
#: steps of a path
_DEEPEST = 64
#: pointers to the same values that are kept
_MOST_AGAIN = 1 << 18
#: what follows a step that is taken again and again
_AGAIN = "..."
_TYPE_INFO = "typeinfo for "

#: opens the map at an address
OpenMap = Callable[[int], MapView]


class Node:
    """Where a path has come to, indices and keys left out.

    :ivar shape: of the value there
    """

    __slots__ = ("parent", "label", "depth", "shape", "_children", "_path")

    def __init__(self, parent: Optional["Node"], label: str, shape: Shape) -> None:
        self.parent = parent
        self.label = label
        self.shape = shape
        self.depth: int = 0 if parent is None else parent.depth + 1
        self._children: Dict[str, Node] = {}
        self._path: Optional[str] = None

    def child(self, label: str, shape: Shape) -> "Node":
        """The node that a step leads to; of a step within a structure that contains itself, the
        first one that had the label."""
        found = self._children.get(label)
        if found is not None:
            return found
        above: Optional[Node] = self
        while above is not None and label:
            if above.shape is shape and above.parent is not None and above.label == label:
                again = above._children.get(_AGAIN)
                if again is None:
                    again = above._children[_AGAIN] = Node(above, _AGAIN, shape)
                return again
            if above.label == _AGAIN and above.shape is shape:
                return above
            above = above.parent
        made = self._children[label] = Node(self, label, shape)
        return made

    def labels(self) -> List[str]:
        """Steps from the root."""
        found: List[str] = []
        at: Optional[Node] = self
        while at is not None:
            found.append(at.label)
            at = at.parent
        return found[::-1]


class Batch(NamedTuple):
    """Values of one type that one path leads to.

    :ivar arrow: whether it is a pointer that the path has come to, so that -> follows
    :ivar data: of the only one, where it lies in no memory
    :ivar parent: that led to it, by its `place`
    :ivar above: which value of the parent's led to each; [] unless the way is kept
    :ivar indices: index or address of the key of each
    """

    node: Node
    shape: Shape
    starts: List[int]
    arrow: bool
    data: Optional[bytes] = None
    parent: Optional["Batch"] = None
    place: Optional[Place] = None
    above: Sequence[int] = ()
    indices: Sequence[int] = ()


class Hit(NamedTuple):
    """A reference to the map whose owners are wanted."""

    batch: Batch
    number: int
    place: Place


class Found:
    """What a place of a batch leads to, on the way."""

    __slots__ = ("starts", "above", "index")

    def __init__(self) -> None:
        self.starts: List[int] = []
        self.above: List[int] = []
        self.index: List[int] = []

    def add(self, start: int, above: int, index: int = 0) -> None:
        """One more value."""
        self.starts.append(start)
        self.above.append(above)
        self.index.append(index)


class References:
    """Follows references.

    :param maps: addresses of all maps
    :param wanted: the map whose every reference is kept; 0: none
    :ivar owners: the path that was found first, by map
    :ivar unread: values that could not be read
    :ivar damaged: containers whose lengths or links are impossible
    :ivar roots: variables to begin at
    :ivar cut: whether there was more than is looked at
    """

    def __init__(
        self,
        session: Session,
        maps: Set[int],
        open_map: OpenMap,
        progress: Progress,
        wanted: int = 0,
    ) -> None:
        self._session = session
        self._memory = session.memory
        self._maps = maps
        self._open = open_map
        self._progress = progress
        self._wanted = wanted
        self.shapes = Shapes(session.target.cpp_type)
        self._queue: Deque[Batch] = deque()
        self._opened: Set[int] = set()
        self._classes: Dict[int, Optional[Shape]] = {}
        self._values = 0
        #: pointers to what was looked at before, while the way is kept
        self._again: List[Tuple[Batch, Place, int, Shape, int]] = []
        self.owners: Dict[int, str] = {}
        self.steps: Dict[str, Sequence[str]] = {}
        self.hits: List[Hit] = []
        #: where the maps lie that are hits
        self._places: Set[int] = set()
        self.unread = 0
        self.damaged = 0
        self.roots = 0
        self.cut = False
        self._how: Dict[str, Callable[[Batch, Place, List[int]], None]] = {
            "map": self._maps_at,
            "pointer": self._pointers,
            "array": self._arrays,
            "vector": self._vectors,
            "deque": self._deques,
            "list": self._lists,
            "tree": self._trees,
            "chain": self._chains,
            "optional": self._optionals,
            "variant": self._variants,
        }

    def add(self, variable: CppVariable, name: str) -> None:
        """A variable to begin at."""
        self.roots += 1
        shape = self.shapes.of(variable.type)
        address = variable.address or 0
        node = Node(None, name, shape)
        self._queue.append(Batch(node, shape, [address], False, variable.data))

    def run(self) -> None:
        """Follow all that was added."""
        self.shapes.decide()
        while self._queue:
            batch = self._queue.popleft()
            if not batch.shape.live:
                continue
            self._values += len(batch.starts)
            if self._values > _MOST_VALUES:
                self.cut = True
                self._queue.clear()
                return
            self._progress(len(self.owners), len(self._maps))
            for place in batch.shape.live:
                self._how[place.how](batch, place, self._words(batch, place.offset))
            self.shapes.decide()

    def all_hits(self) -> List[Hit]:
        """Every reference to the map whose owners are wanted: also all pointers to a value that
        holds it."""
        holders: Dict[Tuple[int, int], List[Hit]] = {}
        for hit in self.hits:
            key = (id(hit.batch.shape), hit.batch.starts[hit.number])
            holders.setdefault(key, []).append(hit)
        found = list(self.hits)
        for batch, place, number, shape, start in self._again:
            for hit in holders.get((id(shape), start), ()):
                label = joined(batch.arrow, place.label)
                node = Node(batch.node, label, shape)
                same = Batch(node, shape, [start], True, None, batch, place, [number], [0])
                found.append(Hit(same, 0, hit.place))
        return found

    def _words(self, batch: Batch, offset: int) -> List[int]:
        """The word at an offset of each value; 0 of what cannot be read."""
        if batch.data is not None:
            return [int.from_bytes(batch.data[offset : offset + 8], "little")]
        raw = self._memory.gather([start + offset for start in batch.starts], 8)
        self.unread += raw.count(None)
        return [int.from_bytes(one or b"", "little") for one in raw]

    def _step(
        self, batch: Batch, place: Place, shape: Shape, found: Found, arrow: bool, rest: str = ""
    ) -> None:
        """Values that a place leads to, to be followed."""
        if not shape.live or not found.starts:
            return
        if batch.node.depth >= _DEEPEST:
            self.cut = True
            return
        node = batch.node.child(joined(batch.arrow, place.label + rest), shape)
        keep = bool(self._wanted)
        for first in range(0, len(found.starts), _TOGETHER):
            last = first + _TOGETHER
            self._queue.append(
                Batch(
                    node,
                    shape,
                    found.starts[first:last],
                    arrow,
                    None,
                    batch if keep else None,
                    place,
                    found.above[first:last] if keep else (),
                    found.index[first:last] if keep else (),
                )
            )

    # --- places ---

    def _maps_at(self, batch: Batch, place: Place, words: List[int]) -> None:
        path: Optional[str] = None
        for number, word in enumerate(words):
            if word not in self._maps:
                continue
            if word == self._wanted:
                where = batch.starts[number] + place.offset
                if batch.data is not None or where not in self._places:
                    self._places.add(where)
                    self.hits.append(Hit(batch, number, place))
            if word not in self.owners:
                if path is None:
                    label = joined(batch.arrow, place.label)
                    labels = [*batch.node.labels(), *([label] if label else [])]
                    path = path_of(labels)
                    self.steps.setdefault(path, labels)
                self.owners[word] = path
        if any(target.reaches for target in place.targets):
            self._entries(batch, place, words)

    def _entries(self, batch: Batch, place: Place, words: List[int]) -> None:
        """Keys and elements of maps."""
        key, elem = place.targets
        keys, elems = Found(), Found()
        for number, word in enumerate(words):
            if word not in self._maps or word in self._opened:
                continue
            self._opened.add(word)
            try:
                for entries in self._open(word).entries(self._progress):
                    for at in entries.order:
                        where = entries.keys.address(at)
                        keys.add(where, number, where)
                        elems.add(entries.elems.address(at), number, where)
            except MapscopeError:
                self.damaged += 1
        if elem.reaches:
            self._step(batch, place, elem, elems, False, "[]")
        if key.reaches:
            self._step(batch, place, key, keys, False, "[]")

    def _pointers(self, batch: Batch, place: Place, words: List[int]) -> None:
        shape = place.targets[0]
        groups: Dict[int, Found] = {}
        shapes: Dict[int, Shape] = {id(shape): shape}
        for number, word in enumerate(words):
            if not 4096 <= word < ADDRESS_LIMIT:
                continue
            values = [(shape, word)]
            if shape.is_dynamic:
                # a virtual base is known by the pointer to it alone
                values = [*self._class_of(shape, word), *values]
            for own, start in values:
                shapes[id(own)] = own
                if start in own.seen:
                    if self._wanted and own.live and len(self._again) < _MOST_AGAIN:
                        self._again.append((batch, place, number, own, start))
                    continue
                own.seen.add(start)
                groups.setdefault(id(own), Found()).add(start, number)
        for which, found in groups.items():
            self._step(batch, place, shapes[which], found, True)

    def _class_of(self, shape: Shape, start: int) -> List[Tuple[Shape, int]]:
        """(the class that an object says it is of, where the whole of it begins); nothing where
        that is the pointer's own class, or not known."""
        try:
            table = self._memory.read_word(start)
            top, info = self._memory.read_word(table - 16), self._memory.read_word(table - 8)
        except MapscopeError:
            return []
        if info not in self._classes:
            name = self._session.target.symbol_at(info) or ""
            found = None
            if name.startswith(_TYPE_INFO):
                found = self._session.target.cpp_type(name[len(_TYPE_INFO) :])
            self._classes[info] = None if found is None else self.shapes.of(found)
            self.shapes.decide()
        known = self._classes[info]
        whole = start + top & (1 << 64) - 1
        if known is None or (known is shape and whole == start) or whole >= ADDRESS_LIMIT:
            return []
        return [(known, whole)]

    def _arrays(self, batch: Batch, place: Place, words: List[int]) -> None:
        length, size = place.numbers
        found = Found()
        if batch.data is not None:
            return  # an array in registers: compilers have none
        if length * len(batch.starts) > _MOST_ELEMENTS:
            self.cut = True
            length = _MOST_ELEMENTS // len(batch.starts)
        for number, start in enumerate(batch.starts):
            for index in range(length):
                found.add(start + place.offset + index * size, number, index)
        self._step(batch, place, place.targets[0], found, False, "[]")

    def _vectors(self, batch: Batch, place: Place, words: List[int]) -> None:
        to_last, size = place.numbers
        found, shape = Found(), place.targets[0]
        for number, (first, last) in enumerate(
            zip(words, self._words(batch, place.offset + to_last))
        ):
            if not first or first == last:
                continue
            length = self._length(first, last - first, size)
            for index in range(length):
                start = first + index * size
                if start not in shape.seen:
                    shape.seen.add(start)
                    found.add(start, number, index)
        self._step(batch, place, shape, found, False, "[]")

    def _length(self, first: int, bytes: int, size: int) -> int:
        """How many elements there are in memory, if there can be so many."""
        if size <= 0 or bytes < 0 or bytes % size or not self._readable(first, bytes):
            self.damaged += 1
            return 0
        count = bytes // size
        if count > _MOST_ELEMENTS:
            self.cut = True
            count = _MOST_ELEMENTS
        return count

    def _readable(self, first: int, bytes: int) -> bool:
        """Whether memory can be read at both of its ends."""
        return (
            bytes >= 8
            and first + bytes <= ADDRESS_LIMIT
            and self._memory.readable(first, 8)
            and self._memory.readable(first + bytes - 8, 8)
        )

    def _deques(self, batch: Batch, place: Place, words: List[int]) -> None:
        to_last, size, each = place.numbers
        found = Found()
        ends = range(0, 32, 8)  # current, first, last, node
        begin = [self._words(batch, place.offset + at) for at in ends]
        end = [self._words(batch, place.offset + to_last + at) for at in ends]
        for number in range(len(words)):
            current, first, _, node = (column[number] for column in begin)
            last_current, last_first, _, last_node = (column[number] for column in end)
            if not node:
                continue
            blocks = (last_node - node) // 8
            offset = (current - first) // size
            count = blocks * each + (last_current - last_first) // size - offset
            if not 0 <= blocks <= _MOST_ELEMENTS or not 0 <= offset < each or count < 0:
                self.damaged += 1
                continue
            count = min(count, _MOST_ELEMENTS)
            index = 0
            for start in self._pieces(node, blocks + 1):
                for at in range(offset, each):
                    if index >= count or not start:
                        break
                    found.add(start + at * size, number, index)
                    index += 1
                offset = 0
        self._step(batch, place, place.targets[0], found, False, "[]")

    def _pieces(self, address: int, count: int) -> Iterator[int]:
        """Words one behind the other; ends where they cannot be read."""
        for at in range(count):
            try:
                yield self._memory.read_word(address + 8 * at)
            except MapscopeError:
                self.unread += 1
                return

    def _links(self, first: int, end: int) -> Iterator[int]:
        """Nodes of a list that begin with the address of the next one."""
        seen: Set[int] = set()
        while first and first != end:
            if first in seen or len(seen) >= _MOST_ELEMENTS:
                self.damaged += 1
                return
            seen.add(first)
            try:
                following = self._memory.read_word(first)
            except MapscopeError:
                self.unread += 1
                return
            yield first
            first = following

    def _lists(self, batch: Batch, place: Place, words: List[int]) -> None:
        found = Found()
        for number, (word, start) in enumerate(zip(words, batch.starts)):
            for index, node in enumerate(self._links(word, start + place.offset)):
                found.add(node + place.numbers[0], number, index)
        self._step(batch, place, place.targets[0], found, False, "[]")

    def _chains(self, batch: Batch, place: Place, words: List[int]) -> None:
        found = Found()
        for number, word in enumerate(words):
            for index, node in enumerate(self._links(word, 0)):
                where = node + place.numbers[1] if place.key is not None else index
                found.add(node + place.numbers[0], number, where)
        self._step(batch, place, place.targets[0], found, False, "[]")

    def _trees(self, batch: Batch, place: Place, words: List[int]) -> None:
        found = Found()
        for number, root in enumerate(self._words(batch, place.offset + 8)):
            seen: Set[int] = set()
            todo = [root]
            while todo:
                node = todo.pop()
                if not node:
                    continue
                if node in seen or len(seen) >= _MOST_ELEMENTS:
                    self.damaged += 1
                    break
                try:
                    links = self._memory.read(node + 16, 16)
                except MapscopeError:
                    self.unread += 1
                    break
                seen.add(node)
                where = node + place.numbers[1] if place.key is not None else 0
                found.add(node + place.numbers[0], number, where)
                todo += [int.from_bytes(links[8:], "little"), int.from_bytes(links[:8], "little")]
        self._step(batch, place, place.targets[0], found, False, "[]")

    def _optionals(self, batch: Batch, place: Place, words: List[int]) -> None:
        found = Found()
        for number, engaged in enumerate(self._words(batch, place.offset + place.numbers[0])):
            if engaged & 0xFF == 1:
                found.add(batch.starts[number] + place.offset, number)
        self._step(batch, place, place.targets[0], found, True)

    def _variants(self, batch: Batch, place: Place, words: List[int]) -> None:
        to_index, size = place.numbers
        groups: Dict[int, Found] = {}
        for number, word in enumerate(self._words(batch, place.offset + to_index)):
            index = word & ((1 << 8 * size) - 1)
            if index < len(place.targets):
                groups.setdefault(index, Found()).add(
                    batch.starts[number] + place.offset, number, index
                )
        for index, found in groups.items():
            rest = f".get<{index}>()"
            self._step(batch, place, place.targets[index], found, False, rest)


def joined(arrow: bool, label: str) -> str:
    """A step as it is written behind a pointer, or behind a value."""
    if not arrow or not label:
        return label
    return "->" + (label[1:] if label.startswith(".") else label)


def path_of(steps: Sequence[str]) -> str:
    """Steps as people write them."""
    path = ""
    for step in steps:
        path = f"(*{path}){step[2:]}" if step.startswith("->[") else path + step
    return path

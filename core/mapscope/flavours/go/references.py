# SPDX-License-Identifier: MIT
"""What refers to what in a Go heap: from roots, by type, to every map.

Objects are visited in batches, all that one path leads to at once. A path is a root and the steps
from it with indices and keys left out, as `main.server.shards[].items`: there are as many paths as
the program has kinds of places, however many objects. What has no type is searched word by word
where the collector sees pointers; an interface found there brings its type along.

Facts: runtime/mgcmark.go (what is a pointer), runtime/type.go and internal/abi, runtime/chan.go.
"""

import struct
from array import array
from collections import OrderedDict
from typing import (
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.descriptors import GoProgram
from ...go.heap_spans import GoHeap, Object, Span
from ...program.memory import Memory
from ...program.types import VOID, Kind, Type
from .heap_headers import Header, Headers
from .map_types import MapType, map_type

#: a map that is a value of its own, in what holds it
SYNC_MAP = "sync.Map"
#: edges of one array: a longer one is visited as what it has inside, or, where owners are looked
#: for, whose steps are told by edges, up to so many
_MOST_EDGES, _MOST_OWNED_EDGES = 4096, 1 << 18
#: elements of an array that are taken apart where it lies
_UNROLLED = 8
#: steps of a path; what lies deeper keeps the path it was found under
_DEEPEST_PATH = 48
#: bytes that are read at once, elements of one array, tables of one map
_TOGETHER, _MOST_ELEMENTS, _MOST_TABLES = 8 << 20, 1 << 32, 1 << 24
#: bytes of a map's header that its owners lead to
MAP_BYTES = 1
#: overflow buckets and nested structs that are followed
_DEEPEST_TYPE = 32
#: pointers of one kind that may each be a list's
_FEW = 8
#: words of an untyped object that are looked at
_MOST_WORDS = 1 << 24
#: bytes at the head of a type's descriptor
_RTYPE = 48
#: what stands for bits that cannot be read
_UNREAD = -1
#: bytes of an untyped object that is looked at together with others, how many of them at once, and
#: words of which it is kept whether they tell a type
_SMALL, _OBJECTS, _MOST_TOLD = 1 << 13, 1 << 14, 1 << 16


#: edges that lead to values of another type alone
_TO_OTHERS = (Kind.POINTER, Kind.SLICE, Kind.ARRAY)


class Node:
    """A path: a root, or a step from another path.

    :ivar label: how the step is written, as `.items` or `[]`; of a root its name
    :ivar shape: what lies there
    :ivar frozen: whether whatever is found behind it keeps this path
    """

    __slots__ = ("parent", "label", "shape", "frozen", "depth", "children")

    def __init__(self, parent: Optional["Node"], label: str, shape: object, frozen: bool) -> None:
        self.parent = parent
        self.label = label
        self.shape = shape
        self.frozen = frozen
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: Dict[Tuple[str, object], "Node"] = {}

    def path(self) -> str:
        """The whole path, as people read it."""
        labels: List[str] = []
        node: Optional[Node] = self
        while node is not None:
            labels.append(node.label)
            node = node.parent
        return "".join(reversed(labels))

    def root(self) -> "Node":
        """Where it begins."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node


class Edge(NamedTuple):
    """A place in a type from which the heap is reached.

    :ivar kind: of what is there: POINTER, SLICE, GO_MAP, INTERFACE, EMPTY_INTERFACE, CHAN, FUNC,
        ARRAY (a long one, inside), VOID (a pointer to anything), STRUCT (a sync.Map: what it leads
        to are edges of their own)
    :ivar target: of a POINTER, SLICE or ARRAY its element; of a GO_MAP or STRUCT itself
    """

    offset: int
    kind: Kind
    label: str
    frozen: bool
    target: Type
    length: int = 0


class Shape:
    """What of a type leads on."""

    __slots__ = ("name", "size", "edges", "seen", "longest", "type", "cells", "has_parts")

    def __init__(self, type: Type, edges: List[Edge], cells: Optional[MapType] = None) -> None:
        self.type = type
        self.cells = cells  # of a bucket or group: the map's type
        self.name = type.name
        self.size = type.size
        self.edges = edges if type.size > 0 and type.size % 8 == 0 else []
        self.seen: Set[int] = set()
        self.longest: Dict[int, int] = {}  # of arrays
        #: whether there are places in it that are visited themselves
        self.has_parts = any(edge.kind in (Kind.STRUCT, Kind.ARRAY) for edge in self.edges)


class Reached(NamedTuple):
    """Regions that were reached from places of one type, kept while owners are looked for.

    :ivar holders: address of the value that leads to each region; 0: a root
    :ivar shape: of these values; None: they have no type
    :ivar offset: of what leads there in such a value; -1: it is a map's header, and the region
        its cells
    """

    node: Node
    starts: "array[int]"
    sizes: "array[int]"
    holders: "array[int]"
    shape: Optional[Shape]
    offset: int


class Trail:
    """Who refers to whom, kept while the owners of one map are looked for.

    :ivar hits: (path, holder, its shape, offset) of everything that leads to the map
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.hits: List[Tuple[Node, int, Optional[Shape], int]] = []
        self.batches: List[Reached] = []

    def add(
        self,
        node: Node,
        starts: Sequence[int],
        sizes: Sequence[int],
        holders: Sequence[int],
        shape: Optional[Shape],
        offset: int,
    ) -> None:
        """Regions that were reached, and from where."""
        self.batches.append(
            Reached(node, array("Q", starts), array("Q", sizes), array("Q", holders), shape, offset)
        )

    def holding(self, address: int) -> Optional[Tuple[Reached, int]]:
        """The first region of values that an address is in, as a batch and a number in it."""
        for batch in self.batches:
            for number, (start, size) in enumerate(zip(batch.starts, batch.sizes)):
                if size != MAP_BYTES and start <= address < start + size:
                    return batch, number
        return None

    def holding_map(self, address: int) -> Optional[Tuple[Reached, int]]:
        """What first led to a map's header."""
        for batch in self.batches:
            if address in batch.starts:
                number = batch.starts.index(address)
                if batch.sizes[number] == MAP_BYTES:
                    return batch, number
        return None


class From(NamedTuple):
    """Where some words were found.

    :ivar shape: of the values that they are in; None: these have no type
    :ivar offset: of each word in its value
    :ivar holders: the values' addresses; none: nobody asks
    """

    shape: Optional[Shape]
    offset: int
    words: List[int]
    holders: List[int]

    def origins(self) -> Dict[int, int]:
        """By word, the first value that has it."""
        return dict(zip(reversed(self.words), reversed(self.holders)))

    def all(self, word: int) -> List[int]:
        """Every value that has a word."""
        return [holder for one, holder in zip(self.words, self.holders) if one == word]


NOWHERE = From(None, 0, [], [])


class References:
    """Follows references through a heap.

    :ivar heap: that is looked at
    :ivar nodes: of each map, by the number of its header, the path that led there; None: none did
    :ivar types: the same of its type; None: nothing told
    :ivar parts: sync.Maps by address: the path to each, and its type
    :ivar without_type: numbers of maps that a path leads to, but nothing told of the type
    :ivar unread: how many objects could not be read
    :ivar unread_types: names of types that could not be read, whose values were not followed
    :ivar objects: how many were visited
    """

    def __init__(
        self,
        program: GoProgram,
        heap: GoHeap,
        headers: Headers,
        typed: Callable[[Type], MapType],
    ) -> None:
        self._program = program
        self.heap = heap
        self._memory = heap.memory
        self._headers = headers
        self._typed = typed
        self._shapes: Dict[object, Shape] = {}
        self._leading: Dict[Shape, bool] = {}
        self._keep: List[Type] = []
        self._map_types: Dict[object, Optional[MapType]] = {}
        self._contents: Dict[int, Optional[Shape]] = {}  # by id of the MapType
        self._keep_map_types: List[MapType] = []
        self._tables: Dict[int, int] = {}
        #: gives what a closure with code at an address holds, where that is known
        self.closure_of: Callable[[int], Optional[Type]] = lambda code: None
        self._closures: Dict[int, Optional[Shape]] = {}
        self._pending: "OrderedDict[Tuple[Node, Shape], Tuple[List[int], List[int]]]" = (
            OrderedDict()
        )
        self._untyped: "OrderedDict[Node, List[int]]" = OrderedDict()
        self._seen_untyped: Set[int] = set()
        self._bits_of: Tuple[Optional[Span], Optional[int]] = None, None
        self._types_told: Dict[int, int] = {}
        self._seen_channels: Set[int] = set()
        self._ranges = program.type_ranges()
        self.trail: Optional[Trail] = None
        self._holder_of_word: Dict[int, Tuple[int, Optional[Shape], int]] = {}
        self.nodes: List[Optional[Node]] = [None] * len(headers)
        self.types: List[Optional[MapType]] = [None] * len(headers)
        self.without_type: Set[int] = set()
        self.parts: Dict[int, Tuple[Node, Type]] = {}
        self.unread = 0
        self.unread_types: Set[str] = set()
        self.objects = 0

    # --- roots ---

    def root(self, label: str) -> Node:
        """A path that begins here."""
        return Node(None, label, None, False)

    def add_variable(self, node: Node, type: Type, address: int) -> None:
        """A variable from which references are to be followed."""
        shape = self._shape(type)
        if self._leads(shape):
            self._push(node, shape, [address], [1])
            if self.trail is not None:
                self.trail.add(node, [address], [shape.size], [0], None, 0)

    def add_value(self, node: Node, type: Type, data: bytes) -> None:
        """A variable that is in registers, as its bytes."""
        shape = self._shape(type)
        if self._leads(shape) and len(data) >= shape.size:
            self._edges(node, shape, data[: shape.size], [0])

    def add_words(self, node: Node, words: Iterable[int]) -> None:
        """What may be pointers."""
        self._untyped.setdefault(node, []).extend(words)

    def add_map(self, node: Node, number: int, type: MapType) -> None:
        """A map whose type was found by other means."""
        self._reach_maps(node, [self._headers.addresses[number]], type, NOWHERE)

    def add_contents(self, node: Node, number: int) -> None:
        """A map whose type is not known: what its cells hold is searched word by word."""
        header = self._headers[number]
        where = self._child(node, "[]", None)
        words = [word for word in (header.data, header.old) if word]
        if self._program.has_swiss_maps and header.log:
            words = [data for data, _ in self.groups_of([header])]
        self.add_words(where, words)

    # --- the walk ---

    def run(self) -> None:
        """Follow all that was added."""
        while self._pending or self._untyped:
            while self._pending:
                (node, shape), (addresses, counts) = self._pending.popitem(last=False)
                self._visit(node, shape, addresses, counts)
            if self._untyped:
                node, words = self._untyped.popitem(last=False)
                self._visit_untyped(node, words)

    def _push(self, node: Node, shape: Shape, addresses: List[int], counts: List[int]) -> None:
        key = (node, shape)
        known = self._pending.get(key)
        if known is None:
            self._pending[key] = (addresses, counts)
        else:
            known[0].extend(addresses)
            known[1].extend(counts)

    def _child(self, node: Node, label: str, shape: object, frozen: bool = False) -> Node:
        """The path one step on; one that comes back to where it was is not made longer."""
        if node.frozen or node.depth >= _DEEPEST_PATH or not label:
            return node
        known = node.children.get((label, shape))
        if known is not None:
            return known
        above: Optional[Node] = node
        while above is not None:
            if above.label == label and above.shape is shape and shape is not None:
                node.children[label, shape] = above
                return above
            above = above.parent
        made = node.children[label, shape] = Node(node, label, shape, frozen)
        return made

    def _visit(self, node: Node, shape: Shape, addresses: List[int], counts: List[int]) -> None:
        """All objects of a type under a path."""
        size = shape.size
        addresses, counts = _in_order(addresses, counts)
        at = 0
        while at < len(addresses):
            total, first = 0, at
            while at < len(addresses) and (total == 0 or total + counts[at] * size <= _TOGETHER):
                total += counts[at] * size
                at += 1
            if at - first == 1 and total > _TOGETHER:
                self._visit_long(node, shape, addresses[first], counts[first])
                continue
            some = addresses[first:at]
            sizes = [count * size for count in counts[first:at]]
            pieces = self._memory.gather_ranges(some, sizes)
            if None in pieces:
                kept = [piece for piece in pieces if piece is not None]
                self.unread += sum(
                    self._is_memory(start) for start, piece in zip(some, pieces) if piece is None
                )
            else:
                kept = pieces  # type: ignore[assignment]
            self.objects += len(kept)
            holders: List[int] = []
            if self.trail is not None or shape.has_parts:
                for start, length, piece in zip(some, sizes, pieces):
                    if piece is not None:
                        holders += range(start, start + length, size)
            self._edges(node, shape, b"".join(filter(None, kept)), holders)

    def _visit_long(self, node: Node, shape: Shape, address: int, count: int) -> None:
        step = max(1, _TOGETHER // shape.size)
        for first in range(0, count, step):
            number = min(step, count - first)
            try:
                raw = self._memory.read_chunk(address + first * shape.size, number * shape.size)
            except MemoryUnreadable:
                self.unread += self._is_memory(address)
                return
            self.objects += number
            start = address + first * shape.size
            wanted = self.trail is not None or shape.has_parts
            holders = list(range(start, start + number * shape.size, shape.size))
            self._edges(node, shape, bytes(raw), holders if wanted else [])

    def _edges(self, node: Node, shape: Shape, raw: bytes, holders: List[int]) -> None:
        """Follow what leads on from objects that lie one behind the other."""
        if not raw:
            return
        words = memoryview(raw).cast("Q")
        each = shape.size // 8
        for edge in shape.edges:
            if edge.kind is Kind.STRUCT:
                self._note_parts(node, edge, shape, words, holders)
                continue
            if edge.kind is Kind.ARRAY:
                self._visit_inside(node, edge, holders)
                continue
            if not self._edge_leads(edge):
                continue
            column = words[edge.offset // 8 :: each].tolist()
            kind = edge.kind
            if kind is Kind.SLICE:
                lengths = words[edge.offset // 8 + 2 :: each].tolist()
                self._slices(node, edge, column, lengths, shape, holders)
            elif kind in (Kind.INTERFACE, Kind.EMPTY_INTERFACE):
                data = words[edge.offset // 8 + 1 :: each].tolist()
                where = self._child(node, edge.label, None, edge.frozen)
                at = From(shape, edge.offset + 8, data, holders)
                self._interfaces(where, column, data, kind is Kind.INTERFACE, at)
            else:
                at = From(shape, edge.offset, column, holders)
                self._reach(node, edge, column, at)

    def _visit_inside(self, node: Node, edge: Edge, holders: List[int]) -> None:
        """Visit long arrays that values have in them."""
        shape = self._shape(edge.target)
        starts = [holder + edge.offset for holder in holders if holder]
        if starts and self._leads(shape):
            child = self._child(node, edge.label, shape, edge.frozen)
            self._push(child, shape, starts, [edge.length] * len(starts))

    def _note_parts(
        self, node: Node, edge: Edge, shape: Shape, words: memoryview, holders: List[int]
    ) -> None:
        """Note sync.Maps that values have in them; one that was never written to is all zero, and
        holds as little as a nil map."""
        first, count, each = edge.offset // 8, edge.target.size // 8, shape.size // 8
        where = self._child(node, edge.label, None, edge.frozen)
        trail = self.trail
        for number, holder in enumerate(holders):
            at = number * each + first
            if holder and any(words[at : at + count]):
                self.parts.setdefault(holder + edge.offset, (where, edge.target))
            if trail is not None and holder and holder + edge.offset == trail.target:
                trail.hits.append((where, holder, shape, edge.offset))

    def _reach(self, node: Node, edge: Edge, column: List[int], at: "From") -> None:
        """Follow pointers of one kind."""
        kind, target = edge.kind, edge.target
        if kind is Kind.POINTER:
            shape = self._shape(target)
            if self._leads(shape):
                fresh = self._fresh(shape, column)
                if fresh:
                    child = self._child(node, edge.label, shape, edge.frozen)
                    self._push_objects(child, shape, fresh, at)
                    if shape is at.shape and len(fresh) <= _FEW:
                        self._chase(child, shape, edge.offset, fresh)
        elif kind is Kind.GO_MAP:
            fresh = [word for word in set(column) if word]
            if fresh:
                type = self._map_type(target)
                where = self._child(node, edge.label, None, edge.frozen)
                self._reach_maps(where, fresh, type, at)
        elif kind is Kind.FUNC:
            self._functions(self._child(node, edge.label, None, edge.frozen), column, at)
        elif kind is Kind.CHAN:
            self._channels(self._child(node, edge.label + "[]", None, edge.frozen), column, at)
        else:
            where = self._child(node, edge.label, None, edge.frozen)
            fresh = [word for word in set(column) if word]
            if fresh:
                self._hold_words(fresh, at)
                self.add_words(where, fresh)

    def _chase(self, node: Node, shape: Shape, offset: int, starts: List[int]) -> None:
        """Go along lists to their ends at once, so that each element is not a batch of its own.

        :param offset: of the pointer to the next one
        """
        for start in starts:
            chain: List[int] = []
            at = start
            while True:
                try:
                    following = self._memory.read_word(at + offset)
                except MemoryUnreadable:
                    break
                if not following or following in shape.seen:
                    break
                shape.seen.add(following)
                chain.append(following)
                at = following
            if chain:
                before = From(shape, offset, chain, [start, *chain[:-1]])
                self._push_objects(node, shape, chain, before)

    def _push_objects(self, node: Node, shape: Shape, fresh: List[int], at: "From") -> None:
        """Objects of one type, each on its own."""
        self._push(node, shape, fresh, [1] * len(fresh))
        self._track(node, fresh, [shape.size] * len(fresh), at)

    def _track(self, node: Node, starts: List[int], sizes: List[int], at: "From") -> None:
        if self.trail is not None:
            origins = at.origins()
            holders = [origins.get(start, 0) for start in starts]
            self.trail.add(node, starts, sizes, holders, at.shape, at.offset)

    def _hold_words(self, words: Iterable[int], at: "From") -> None:
        if self.trail is not None:
            origins = at.origins()
            for word in words:
                place = (origins.get(word, 0), at.shape, at.offset)
                self._holder_of_word.setdefault(word, place)

    @staticmethod
    def _fresh(shape: Shape, column: List[int]) -> List[int]:
        found = set(column)
        found.discard(0)
        found -= shape.seen
        shape.seen |= found
        return sorted(found)

    def _slices(
        self,
        node: Node,
        edge: Edge,
        column: List[int],
        capacities: List[int],
        holder: Shape,
        holders: List[int],
    ) -> None:
        shape = self._shape(edge.target)
        if not self._leads(shape):
            return
        addresses: List[int] = []
        counts: List[int] = []
        longest = shape.longest
        for address, count in zip(column, capacities):
            if address and longest.get(address, 0) < count < _MOST_ELEMENTS:
                found = self.heap.object_at(address)
                if found is not None:  # not beyond the object, whatever the slice says
                    count = min(count, (found.start + found.size - address) // shape.size)
                    if count <= longest.get(address, 0):
                        continue
                longest[address] = count
                addresses.append(address)
                counts.append(count)
        if addresses:
            child = self._child(node, edge.label, shape, edge.frozen)
            sizes = [count * shape.size for count in counts]
            self._track(child, addresses, sizes, From(holder, edge.offset, column, holders))
            self._push(child, shape, addresses, counts)

    def _interfaces(
        self,
        node: Node,
        types: List[int],
        data: List[int],
        with_methods: bool,
        at: "From",
    ) -> None:
        """Follow interfaces: a word that tells the type, and a word that is or leads to a value."""
        groups: Dict[int, List[int]] = {}
        for type, word in zip(types, data):
            if type and word:
                groups.setdefault(type, []).append(word)
        for address, values in groups.items():
            if with_methods:
                address = self._type_of_table(address)
            if not self._is_type(address):
                continue
            try:
                self._values(node, self._program.type_at(address), values, at)
            except MapscopeError:
                # where there is something, and it is no type, the interface is none
                self.unread += not self._memory.readable(address, _RTYPE)

    def _is_memory(self, address: int) -> bool:
        """Whether a program has something at an address that references are of: what was taken for
        a pointer may be none."""
        return self.heap.span_of(address) is not None or self._program.owns(address)

    def _fitting(self, type: Type, values: List[int]) -> List[int]:
        """Those data words behind a type's address that may be an interface's: there is room for a
        value. The others are words that only stand beside each other, as of a reflect.Value."""
        held = type
        if type.direct:
            held = self._target(type) if type.kind is Kind.POINTER else VOID
        size = held.size
        leads = size > 0 and self._leads(self._shape(held))
        found: List[int] = []
        for value, room in zip(values, self.heap.rooms_at(values)):
            if room is None:
                fits = self._is_memory(value) or self._memory.readable(value, max(size, 8))
            else:
                fits = room[0] >= size and not (leads and room[1])
            if fits:
                found.append(value)
        return found

    def _values(self, node: Node, type: Type, values: List[int], at: "From") -> None:
        """Follow data words of interfaces that hold a type."""
        if not type.direct:
            shape = self._shape(type)
            if self._leads(shape):
                fresh = self._fresh(shape, values)
                if fresh:
                    self._push_objects(node, shape, fresh, at)
            return
        edges = self._shape(type).edges
        for edge in edges[:1]:
            self._reach(node, edge, values, at)

    def _type_of_table(self, address: int) -> int:
        """The type that an itab is for."""
        known = self._tables.get(address)
        if known is None:
            try:
                known = self._memory.read_word(address + 8)
            except MemoryUnreadable:
                known = 0
            self._tables[address] = known
        return known

    def _is_type(self, address: int) -> bool:
        return address % 8 == 0 and any(low <= address < high for low, high in self._ranges)

    def _channels(self, node: Node, column: List[int], at: "From") -> None:
        layout = layouts.hchan(self._program.minor)
        fresh = [w for w in set(column) if w and w not in self._seen_channels]
        self._seen_channels.update(fresh)
        for word, raw in zip(fresh, self._memory.gather(fresh, 48)):
            if raw is None:
                self.unread += self._is_memory(word)
                continue
            count = struct.unpack_from("<Q", raw, layout.at("dataqsiz"))[0]
            buffer = struct.unpack_from("<Q", raw, layout.at("buf"))[0]
            address = struct.unpack_from("<Q", raw, layout.at("elemtype"))[0]
            if not count or not self._is_type(address) or count > _MOST_ELEMENTS:
                continue
            try:
                shape = self._shape(self._program.type_at(address))
            except MapscopeError:
                self.unread += 1
                continue
            found = self.heap.object_at(buffer)
            if found is not None and self._leads(shape):
                count = min(count, (found.start + found.size - buffer) // shape.size)
                self._push(node, shape, [buffer], [count])
                of_channel = From(at.shape, at.offset, [buffer], [at.origins().get(word, 0)])
                self._track(node, [buffer], [count * shape.size], of_channel)

    def _functions(self, node: Node, column: List[int], at: "From") -> None:
        """Follow functions: each leads to its code and to what it captured."""
        fresh = [word for word in set(column) if word and self.heap.span_of(word) is not None]
        rest: List[int] = []
        for word, raw in zip(fresh, self._memory.gather(fresh, 8)):
            code = int.from_bytes(raw or b"", "little")
            if code not in self._closures:
                found = self.closure_of(code)
                self._closures[code] = None if found is None else self._shape(found)
            shape = self._closures[code]
            if shape is None:
                rest.append(word)
            elif word not in shape.seen:
                shape.seen.add(word)
                self._push_objects(node, shape, [word], at)
        if rest:
            self._hold_words(rest, at)
            self.add_words(node, rest)

    # --- maps ---

    def _map_type(self, type: Type) -> Optional[MapType]:
        key: object = type.go_type or id(type)
        if key not in self._map_types:
            self._keep.append(type)
            described = self._described(type)
            if described is not None:
                return self._map_types.setdefault(key, self._map_type(described))
            try:
                found: Optional[MapType] = (
                    map_type(self._program, type.go_type) if type.go_type else self._typed(type)
                )
            except MapscopeError:
                found = None
            self._map_types[key] = found
        return self._map_types[key]

    def _reach_maps(
        self, node: Node, addresses: List[int], type: Optional[MapType], at: "From"
    ) -> None:
        numbers: List[int] = []
        trail = self.trail
        if trail is not None and at is not NOWHERE and trail.target in addresses:
            for holder in at.all(trail.target):
                trail.hits.append((node, holder, at.shape, at.offset))
        number_of = self._headers.number_of
        if trail is not None and at is not NOWHERE:
            fresh = [address for address in addresses if number_of(address) is not None]
            self._track(node, fresh, [MAP_BYTES] * len(fresh), at)
        nodes, types = self.nodes, self.types
        for number in self._headers.numbers_of(addresses):
            if nodes[number] is None:
                nodes[number] = node
                types[number] = type
            elif types[number] is None and type is not None:
                types[number] = type
            else:
                continue
            numbers.append(number)
        if type is None:
            self.without_type.update(numbers)
        else:
            self.without_type.difference_update(numbers)
        if numbers and type is not None:
            shape = self._contents_shape(type)
            if shape is not None:
                self._push_contents(self._child(node, "[]", shape), shape, numbers)

    def _contents_shape(self, type: MapType) -> Optional[Shape]:
        """A bucket or group of a type; None: nothing in it leads on."""
        key = id(type)
        if key not in self._contents:
            layout = type.layout
            edges: List[Edge] = []
            for part, kind, at, stride, indirect in (
                ("(key)", type.key, layout.keys, layout.keysize, layout.indirect_key),
                ("", type.elem, layout.elems, layout.elemsize, layout.indirect_elem),
            ):
                for cell in range(layouts.CELLS):
                    if indirect:
                        edges.append(Edge(at + cell * stride, Kind.POINTER, part, False, kind))
                    else:
                        self._collect(kind, at + cell * stride, part, False, edges, 0)
            # what is in a map's cells has no address for its methods
            edges = [edge for edge in edges if edge.kind is not Kind.STRUCT]
            if not any(map(self._edge_leads, edges)):
                edges = []
            if edges:
                bucket = Type(Kind.STRUCT, f"bucket of {type.name}", layout.size)
                shape = Shape(bucket, edges, type)
                if layout.overflow:
                    element = Type(Kind.STRUCT, "", 0, element=None)
                    edge = Edge(layout.overflow, Kind.POINTER, "", False, element)
                    self._shapes[id(element)] = shape
                    self._keep.append(element)
                    shape.edges.append(edge)
                self._contents[key] = shape
            else:
                self._contents[key] = None
            self._keep_map_types.append(type)
        return self._contents[key]

    def _push_contents(self, node: Node, shape: Shape, numbers: List[int]) -> None:
        addresses: List[int] = []
        counts: List[int] = []
        owners: List[int] = []
        directories: List[Header] = []
        headers = self._headers
        swiss = self._program.has_swiss_maps
        rest = numbers
        if self.trail is None and headers.are_plain():
            # nearly all have a single array, of one size
            rest = []
            for number, data, log in zip(
                numbers,
                map(headers.data.__getitem__, numbers),
                map(headers.log.__getitem__, numbers),
            ):
                if log:
                    rest.append(number)
                elif data:
                    addresses.append(data)
            counts += [1] * len(addresses)
        for number in rest:
            data, log = headers.data[number], headers.log[number]
            if not data:
                continue
            if swiss and log:
                directories.append(headers[number])
                continue
            addresses.append(data)
            counts.append(1 if swiss else 1 << log)
            owners.append(headers.addresses[number])
            if not swiss and headers.old(number):
                header = headers[number]
                addresses.append(header.old)
                counts.append(1 << (log if header.same_size else log - 1))
                owners.append(header.address)
        if self.trail is None:
            for data, count in self.groups_of(directories):
                addresses.append(data)
                counts.append(count)
        else:
            for header in directories:
                for data, count in self.groups_of([header]):
                    addresses.append(data)
                    counts.append(count)
                    owners.append(header.address)
        if addresses:
            if self.trail is not None:
                sizes = [count * shape.size for count in counts]
                self.trail.add(node, addresses, sizes, owners, None, -1)
            self._push(node, shape, addresses, counts)

    def groups_of(self, headers: Sequence[Header]) -> Iterator[Tuple[int, int]]:
        """(address, number of groups) of all tables of Swiss maps."""
        for pieces in tables_of(self._memory, headers):
            for raw in pieces:
                if raw is None:
                    self.unread += 1
                    continue
                groups, mask = layouts.TABLE_FIELDS.unpack(raw)[5:]
                if mask < layouts.MAX_TABLE_CAPACITY:
                    yield groups, mask + 1

    # --- what has no type ---

    def _visit_untyped(self, node: Node, words: List[int]) -> None:
        heap = self.heap
        maps: List[int] = []
        low, high = heap.bounds()
        together: List[Object] = []
        for word in words:
            if not low <= word < high:
                continue
            found = heap.object_at(word)
            if found is None or found.span.noscan or found.start in self._seen_untyped:
                continue
            self._seen_untyped.add(found.start)
            if self._headers.number_of(found.start) is not None:
                maps.append(found.start)
            elif self.trail is None and found.size <= _SMALL:
                together.append(found)
            else:
                self._search(node, found)
        for first in range(0, len(together), _OBJECTS):
            self._search_many(node, together[first : first + _OBJECTS])
        for address in maps:
            holder, shape, offset = self._holder_of_word.get(address, (0, None, 0))
            self._reach_maps(node, [address], None, From(shape, offset, [address], [holder]))

    def _search(self, node: Node, found: Object) -> None:
        """An object of which nothing but its bytes is known."""
        try:
            self._search_one(node, found)
        except MapscopeError:
            self.unread += 1

    def _search_many(self, node: Node, objects: List[Object]) -> None:
        """The same of small ones: what interfaces of one type in them hold is followed at once."""
        objects.sort(key=lambda found: found.start)
        typed = [found for found in objects if found.span.header]
        heads = self._memory.gather([found.start - 8 for found in typed], 8)
        rest = [found for found in objects if not found.span.header]
        for found, head in zip(typed, heads):
            if head is not None and self._is_type(int.from_bytes(head, "little")):
                self._search(node, found)
            else:
                rest.append(found)
        starts, sizes = [found.start for found in rest], [found.size & -8 for found in rest]
        words: List[int] = []
        held: Dict[int, List[int]] = {}
        for found, raw in zip(rest, self._memory.gather_ranges(starts, sizes) if rest else ()):
            bits = None if raw is None else self._pointer_bits(found)
            if raw is None or bits == _UNREAD:
                self.unread += 1
                continue
            self.objects += 1
            before = 0
            for at, word in enumerate(memoryview(raw).cast("Q").tolist()):
                if word and (bits is None or bits >> at & 1):
                    told = self._type_told(before) if before else 0
                    if told:
                        held.setdefault(told, []).append(word)
                    else:
                        words.append(word)
                before = word
        for address, values in held.items():
            try:
                type = self._program.type_at(address)
                fitting = self._fitting(type, values)
                self._values(node, type, fitting, NOWHERE)
            except MapscopeError:
                fitting = []
            if len(fitting) < len(values):
                words += set(values).difference(fitting)
        if words:
            self.add_words(node, words)

    def _pointer_bits(self, found: Object) -> Optional[int]:
        """A bit for each word of an object that the collector takes for a pointer; None: that is
        not written down, _UNREAD: it cannot be read."""
        span = found.span
        if span is not self._bits_of[0]:
            try:
                self._bits_of = span, self.heap.pointer_bits(span)
            except MapscopeError:
                self._bits_of = span, _UNREAD
        bits = self._bits_of[1]
        if not bits or bits == _UNREAD:
            return bits
        return bits >> (found.start - span.start) // 8 & (1 << found.size // 8) - 1

    def _type_told(self, word: int) -> int:
        """The same as _type_before, of which the answers are kept. What lies in the heap is no
        type."""
        low, high = self.heap.bounds()
        if word < 4096 or low <= word < high:
            return 0
        known = self._types_told.get(word)
        if known is None:
            if len(self._types_told) >= _MOST_TOLD:
                self._types_told.clear()
            known = self._types_told[word] = self._type_before(word)
        return known

    def _search_one(self, node: Node, found: Object) -> None:
        span = found.span
        address = span.large_type or (self._memory.read_word(found.start - 8) if span.header else 0)
        if address and self._is_type(address):
            shape = self._shape(self._program.type_at(address))
            if self._leads(shape):
                count = found.size // shape.size
                self._push(node, shape, [found.start], [count])
                self._track_word(node, found, count * shape.size)
            return
        self.objects += 1
        self._track_word(node, found, found.size)
        number = min(found.size // 8, _MOST_WORDS)
        raw = self._memory.read(found.start, 8 * number)
        bits = self.heap.pointer_bits(span)
        all_words = memoryview(raw).cast("Q").tolist()
        if bits is not None:
            bits >>= (found.start - span.start) // 8
        words = [
            (at, word)
            for at, word in enumerate(all_words)
            if word and (bits is None or bits >> at & 1)
        ]
        self.search_words(node, words, all_words, found.start)

    def _track_word(self, node: Node, found: Object, size: int) -> None:
        """An object that a word without a type leads to."""
        if self.trail is not None:
            known = self._holder_of_word.get(found.start, (0, None, 0))
            self.trail.add(node, [found.start], [size], [known[0]], known[1], known[2])

    def search_words(
        self,
        node: Node,
        words: Sequence[Tuple[int, int]],
        all_words: Sequence[int],
        start: int = 0,
    ) -> None:
        """Follow words that may be pointers; of an interface, the word before tells the type.

        :param words: (number, word) of those that are to be followed
        :param start: address of the object that they are in; 0: they are a root's
        """
        rest: List[int] = []
        for at, word in words:
            before = all_words[at - 1] if at else 0
            type = self._type_before(before) if before else 0
            if type:
                try:
                    place = From(None, 8 * at, [word], [start])
                    described = self._program.type_at(type)
                    if self._fitting(described, [word]):
                        self._values(node, described, [word], place)
                        continue
                except MapscopeError:
                    pass
            rest.append(word)
            if self.trail is not None:
                self._hold_words([word], From(None, 8 * at, [word], [start]))
        if rest:
            self.add_words(node, rest)

    def _type_before(self, word: int) -> int:
        """The type that the first word of an interface tells; 0: it is none's.

        Its collector takes it for no pointer: it leads to a descriptor or to a table of methods.
        """
        if word % 8:
            return 0
        if self._is_type(word):
            return word
        if not self._program.owns(word):
            return 0
        type = self._type_of_table(word)
        return type if self._is_type(type) else 0

    # --- types ---

    def _shape(self, type: Type) -> Shape:
        key: object = type.go_type or id(type)
        known = self._shapes.get(key)
        if known is None:
            self._keep.append(type)
            described = self._described(type)
            if described is not None:
                known = self._shapes[key] = self._shape(described)
                return known
            edges: List[Edge] = []
            try:
                self._collect(type, 0, "", False, edges, 0)
            except MapscopeError:  # a type that cannot be read leads nowhere
                self.unread_types.add(type.name)
                edges = []
            known = self._shapes[key] = Shape(type, edges)
        return known

    def _leads(self, shape: Shape) -> bool:
        """Whether a map can be reached from values of a type: most memory of most programs is
        texts and structs from which none can."""
        known = self._leading.get(shape)
        if known is not None:
            return known
        seen = {shape}
        todo = [shape]
        found = False
        while todo and not found:
            for edge in todo.pop().edges:
                if edge.kind not in _TO_OTHERS:
                    found = True
                    break
                target = self._shape(edge.target)
                if self._leading.get(target):
                    found = True
                    break
                if target not in seen and target not in self._leading:
                    seen.add(target)
                    todo.append(target)
        if found:
            self._leading[shape] = True
        else:
            self._leading.update(dict.fromkeys(seen, False))
        return found

    def _edge_leads(self, edge: Edge) -> bool:
        simple = edge.kind in _TO_OTHERS
        return not simple or self._leads(self._shape(edge.target))

    def _target(self, type: Type) -> Type:
        """What a pointer or slice leads to; VOID: that has no type, or none that can be read."""
        try:
            return type.target() if type.element is not None else VOID
        except MapscopeError:
            self.unread_types.add(type.name)
            return VOID

    def _described(self, type: Type) -> Optional[Type]:
        """What the program's own descriptor says of a type from debug information, so that one
        type is not taken for two; None: there is none."""
        if type.go_type or type.descriptor is None:
            return None
        try:
            address = type.descriptor()
            found = self._program.type_at(address) if self._is_type(address) else None
        except MapscopeError:
            return None
        return found if found is not None and found.size == type.size else None

    def _collect(
        self, type: Type, offset: int, label: str, frozen: bool, edges: List[Edge], depth: int
    ) -> None:
        """Add what leads on from a value at an offset."""
        kind = type.kind
        if depth > _DEEPEST_TYPE:
            return
        if kind is Kind.STRUCT:
            is_part = type.name == SYNC_MAP
            if not frozen and (is_part or type.name.startswith("sync.HashTrieMap[")):
                if is_part:
                    edges.append(Edge(offset, kind, label, frozen, type))
                label, frozen = label + "[]", True
            pointee = _atomic_pointee(type)
            for field in type.fields:
                if pointee is not None and field.name == "v":
                    kind_of = Kind.VOID if pointee is VOID else Kind.POINTER
                    edges.append(Edge(offset + field.offset, kind_of, label, frozen, pointee))
                elif field.name != "_" and field.type.size >= 8:
                    inner = label if frozen else f"{label}.{field.name}"
                    self._collect(
                        field.type, offset + field.offset, inner, frozen, edges, depth + 1
                    )
        elif kind is Kind.ARRAY:
            element = type.target()
            if type.length <= 0 or element.size < 8:
                return
            inner = label if frozen else label + "[]"
            if type.length <= _UNROLLED:
                for index in range(type.length):
                    self._collect(
                        element, offset + index * element.size, inner, frozen, edges, depth + 1
                    )
            elif element.size * type.length <= type.size:
                some: List[Edge] = []
                self._collect(element, 0, inner, frozen, some, depth + 1)
                most = _MOST_EDGES if self.trail is None else _MOST_OWNED_EDGES
                if len(some) * type.length > most:
                    if self.trail is None:
                        edge = Edge(offset, kind, inner, frozen, element, type.length)
                        edges += [edge] if some else []
                    elif any(map(self._edge_leads, some)):
                        self.unread_types.add(type.name)
                    return
                for index in range(type.length):
                    edges += [
                        edge._replace(offset=edge.offset + offset + index * element.size)
                        for edge in some
                    ]
        elif kind is Kind.POINTER:
            target = self._target(type)
            pointer = Kind.POINTER if target.kind is not Kind.VOID else Kind.VOID
            edges.append(Edge(offset, pointer, label, frozen, target))
        elif kind is Kind.SLICE:
            inner = label if frozen else label + "[]"
            edges.append(Edge(offset, kind, inner, frozen, self._target(type)))
        elif kind in (Kind.GO_MAP, Kind.INTERFACE, Kind.EMPTY_INTERFACE, Kind.CHAN):
            edges.append(Edge(offset, kind, label, frozen, type))
        elif kind is Kind.FUNC:
            edges.append(Edge(offset, kind, label, frozen, VOID))


def _in_order(addresses: List[int], counts: List[int]) -> Tuple[List[int], List[int]]:
    """The same regions by address: what is read together then lies together."""
    if not counts or counts.count(counts[0]) == len(counts):
        return sorted(addresses), counts
    order = sorted(range(len(addresses)), key=addresses.__getitem__)
    return [addresses[at] for at in order], [counts[at] for at in order]


def _atomic_pointee(type: Type) -> Optional[Type]:
    """T of an atomic.Pointer[T]: its pointer is an unsafe one, and a field of no size tells T."""
    if not type.name.startswith(("atomic.Pointer[", "sync/atomic.Pointer[")):
        return None
    for field in type.fields:
        if field.type.kind is Kind.ARRAY and field.type.element is not None:
            inner = field.type.target()
            if inner.kind is Kind.POINTER and inner.element is not None:
                # a node of a hash trie is one of two other types
                of_trie = inner.target().name.startswith(("sync.node[", "internal/sync.node["))
                return VOID if of_trie else inner.target()
    return None


def tables_of(memory: Memory, headers: Sequence[Header]) -> Iterator[List[Optional[bytes]]]:
    """The tables that directories of Swiss maps lead to, each once."""
    for first in range(0, len(headers), 4096):
        some = [h for h in headers[first : first + 4096] if h.log <= _MOST_TABLES]
        raws = memory.gather_ranges([h.data for h in some], [8 * h.log for h in some])
        pointers: List[int] = []
        for raw in raws:
            if raw is not None:
                # a table stands in the directory once for each of its slots, all together
                pointers += dict.fromkeys(memoryview(raw).cast("Q").tolist())
        yield memory.gather(pointers, layouts.TABLE.size)

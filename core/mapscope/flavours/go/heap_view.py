# SPDX-License-Identifier: MIT
"""Every map of a Go runtime's heap: found by structure, typed and named by what refers to it."""

from array import array
from itertools import compress, repeat
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ...errors import MemoryUnreadable
from ...go.heap_spans import GoHeap, find_heap
from ...go.layouts import BITS_IN_SPAN
from ...maps.on_heap import Alike, HeapMap, HeapView, Owner
from ...maps.progress import Progress, no_progress
from ...program.memory import CHUNK
from ...program.types import Type
from ...session import Session
from .heap_headers import Header, Headers, find_headers
from .heap_roots import Roots
from .heap_sizes import Size, Sizes
from .heap_types import MapTypeTable, Prover, with_descriptors
from .map_types import MapType
from .heap_owners import owners_of
from .references import Node, References, Trail

#: sections among whose variables the heap is, where no symbol tells
_DATA = (".noptrbss", ".bss", ".noptrdata", ".data")
#: maps that are tried one by one, whose type nothing refers to
_MOST_PROVED = 1 << 20
#: paths to one map that are told
_MOST_OWNERS = 256
#: candidates of one map that are told
_MOST_CANDIDATES = 16
#: maps that are measured together
_TOGETHER = 1 << 14


class GoHeapView(HeapView):
    """All maps of a Go runtime.

    :ivar session: for the runtime that they are of
    :ivar follow: whether owners are wanted
    :ivar has_variables: whether variables' types were known to follow them
    :param typed: gives the type of a map whose type comes from debug information
    :param trail: keeps who refers to whom
    """

    def __init__(
        self,
        session: Session,
        swiss: bool,
        follow: bool,
        progress: Progress,
        typed: Callable[[Session, Type], MapType],
        trail: Optional[Trail] = None,
    ) -> None:
        super().__init__()
        self._trail = trail
        self._typed = typed
        self.flavor = "go-swiss" if swiss else "go-classic"
        self.session = self._session = session
        self.follow = follow
        self.has_variables = False
        self._swiss = swiss
        self._progress = progress
        self.heap = heap_of(session)
        self._headers = Headers()
        self._types: List[Optional[MapType]] = []
        self._candidates: Dict[int, Sequence[MapType]] = {}
        self._nodes: List[Optional[Node]] = []
        self._held_elsewhere: Set[int] = set()
        self._parts: Dict[int, Tuple[Node, Type]] = {}
        self._left_out: Set[int] = set()
        self._paths: Dict[Node, str] = {}
        self._unproven = 0
        try:
            try:
                find_headers(self.heap, swiss, progress, self._headers)
            finally:
                self._told()
            if follow:
                self._follow()
            else:
                self._ask_arrays()
        except KeyboardInterrupt:
            self.complete = False
            self.interrupted = True
            self.notes.append("interrupted: maps, types and owners are those found so far")
        self._types += [None] * (len(self._headers) - len(self._types))
        self._nodes += [None] * (len(self._headers) - len(self._nodes))

    def _told(self) -> None:
        """Tell what of the headers could not be looked at."""
        found = self._headers
        if self.heap.unread:
            self.notes.append(f"{_number(self.heap.unread, 'span')} of the heap could not be read")
        if found.unread:
            self.notes.append(f"{_number(found.unread, 'span')} of map headers could not be read")
        if found.unproven:
            self.notes.append(
                f"{found.unproven} objects look like empty maps and may be something else: "
                "they are not counted"
            )
        self.complete = not (self.heap.unread or found.unread)

    def _ask_arrays(self) -> None:
        """Find the types that arrays tell themselves: since Go 1.22 those with pointers that are
        not small."""
        self._types = [None] * len(self._headers)
        if self._session.go.minor < 22:
            return
        kinds = self.heap.kinds_at(self._headers.data)
        asked = [
            number
            for number, (kind, log) in enumerate(zip(kinds, self._headers.log))
            if (kind and kind[0] > BITS_IN_SPAN and not kind[1]) or (self._swiss and log)
        ]
        if not asked:
            return
        table = MapTypeTable(self._session.go)
        prover = Prover(self._session, self.heap, table, self._headers)
        for number in asked:
            found = prover.told(self._headers[number])
            if len(found) == 1:
                self._types[number] = found[0]
            elif found:
                self._candidates[number] = found

    def _follow(self) -> None:
        session = self._session
        table = MapTypeTable(session.go)
        prover = Prover(session, self.heap, table, self._headers)
        types = with_descriptors(table, lambda type: self._typed(session, type))
        references = References(session.go, self.heap, self._headers, types)
        references.trail = self._trail
        roots = Roots(session, session.go, references)
        try:
            roots.add_variables()
            references.run()
            self._prove(references, prover)
            for add in (
                (roots.add_stacks, roots.add_data)
                if roots.typed
                else (roots.add_data, roots.add_stacks)
            ):
                add()
                references.run()
                self._prove(references, prover)
        finally:
            self._nodes, self._types = references.nodes, references.types
            self._parts = references.parts
        for number in range(min(len(self._headers), _MOST_PROVED)):
            if self._nodes[number] is None:
                self._guess(number, prover)
        self.notes += roots.notes
        self.has_variables = roots.typed
        if references.unread:
            self.notes.append(f"{_number(references.unread, 'object')} could not be read")
        if references.unread_types:
            self.notes.append(
                f"{_number(len(references.unread_types), 'type')} could not be read: what values "
                "of such refer to is not known"
            )
        # what could not be looked at may refer to a map, too
        self.followed = self.complete and not (
            references.unread or references.unread_types or roots.notes
        )
        if self.followed:
            self._held_elsewhere = self._find_held()

    def _find_held(self) -> Set[int]:
        """Maps that no path leads to, but that an object of the heap holds a pointer to: one whose
        owner is known by a pointer to another part of it alone, or is garbage itself."""
        lost = {a for a, node in zip(self._headers.addresses, self._nodes) if node is None}
        found: Set[int] = set()
        for span in self.heap.spans() if lost else ():
            if span.noscan:
                continue
            for offset in range(0, span.size, CHUNK):
                size = min(CHUNK, span.size - offset)
                try:
                    raw = self._session.memory.read_chunk(span.start + offset, size)
                except MemoryUnreadable:
                    self.followed = False
                    return found
                found |= lost.intersection(raw.cast("Q"))
        return found

    def _prove(self, references: References, prover: Prover) -> None:
        """Find the types of maps that only pointers without a type lead to, and follow these."""
        tried: Set[int] = set(self._candidates)
        while True:
            todo = sorted(references.without_type - tried)
            if not todo:
                return
            for number in todo:
                tried.add(number)
                found = prover.find(self._headers[number])
                node = references.nodes[number]
                assert node is not None
                if len(found) == 1:
                    references.add_map(node, number, found[0])
                else:
                    self._candidates[number] = found
                    references.add_contents(node, number)
            references.run()

    def _guess(self, number: int, prover: Prover) -> None:
        found = prover.find(self._headers[number])
        if len(found) == 1:
            self._types[number] = found[0]
        else:
            self._candidates[number] = found

    def __len__(self) -> int:
        return len(self._headers) - len(self._left_out)

    def parts(self) -> List[Tuple[int, Type, str]]:
        """(address, type, owner) of every map that is a value in something else: a sync.Map."""
        return [(address, type, self._path(node)) for address, (node, type) in self._parts.items()]

    def type_names_at(self, address: int) -> Sequence[str]:
        """The name of the type of the map at an address, or of all that it may be; none: there is
        none, or nothing is known of its type."""
        number = self._headers.number_of(address)
        if number is None:
            return ()
        type = self._types[number]
        return [each.name for each in ([type] if type else self._candidates.get(number, ()))]

    def rows_at(self, addresses: Iterable[int]) -> Dict[int, HeapMap]:
        """Those of its maps that are at some addresses."""
        numbers = self._headers.numbers_of(set(addresses))
        if not numbers:
            return {}
        headers = [self._headers[number] for number in numbers]
        types = [self._types[number] for number in numbers]
        measured = Sizes(self.heap, self._swiss).measure(headers, types)
        return {
            header.address: self._row(number, header, size)
            for number, header, size in zip(numbers, headers, measured)
        }

    def leave_out(self, addresses: Iterable[int]) -> None:
        """Maps that are parts of others are not shown by themselves."""
        self._left_out.update(self._headers.numbers_of(set(addresses)))

    def maps(self) -> Iterator[HeapMap]:
        for found in self._pieces():
            maps = [map for alike in found for map in alike.maps()]
            maps.sort()
            yield from maps

    def alike(self) -> Iterator[Alike]:
        for found in self._pieces():
            yield from found

    def _pieces(self) -> Iterator[List[Alike]]:
        """All maps, some that lie together at a time."""
        sizes = Sizes(self.heap, self._swiss)
        for first in range(0, len(self._headers), _TOGETHER):
            self._progress(first, len(self._headers))
            yield self._piece(sizes, first, min(first + _TOGETHER, len(self._headers)))

    def _piece(self, sizes: Sizes, first: int, last: int) -> List[Alike]:
        """Some maps: those of which everything but the address is the same are measured once."""
        headers = self._headers
        addresses, log = headers.addresses[first:last], headers.log[first:last]
        types, nodes = self._types[first:last], self._nodes[first:last]
        keys: Iterable[object] = zip(
            self.heap.kinds_at(headers.data[first:last]),
            log,
            headers.entries[first:last],
            map(id, types),
            map(id, nodes),
            self._garbage(first, last),
        )
        groups: Dict[object, "array[int]"] = {}
        if not headers.are_plain() or self._candidates or (self._swiss and any(log)):
            special = [
                headers.has_others(number)
                or number in self._candidates
                or (self._swiss and log[number - first] > 0)
                for number in range(first, last)
            ]
            # what else there is to them is their own
            keys = [at if own else key for at, (own, key) in enumerate(zip(special, keys))]
        pairs: Iterable[Tuple[int, object]] = zip(addresses, keys)
        if self._left_out:
            shown = [number not in self._left_out for number in range(first, last)]
            pairs = compress(pairs, shown)
        for address, key in pairs:
            known = groups.get(key)
            if known is None:
                known = groups[key] = array("Q")
            known.append(address)
        numbers = headers.numbers_of(group[0] for group in groups.values())
        of_each = [headers[number] for number in numbers]
        measured = sizes.measure(of_each, [self._types[number] for number in numbers])
        rows = {
            header.address: self._row(number, header, size)
            for number, header, size in zip(numbers, of_each, measured)
        }
        return [Alike(rows[group[0]], group) for group in groups.values()]

    def _row(self, number: int, header: Header, size: Size) -> HeapMap:
        type, node = self._types[number], self._nodes[number]
        growing = None
        if header.old:
            growing = "same-size" if header.same_size else "double"
        return HeapMap(
            header.address,
            None if type is None else type.name,
            self._candidate_names(number) if type is None else (),
            header.entries,
            size.total,
            size.wasted,
            size.retained,
            size.capacity,
            growing,
            "" if node is None else self._path(node),
            self._is_garbage(header.address, node),
            size.overflow,
            size.buckets,
            self._swiss,
        )

    def _garbage(self, first: int, last: int) -> Iterable[Optional[bool]]:
        """Of some maps, whether each is garbage."""
        nodes = self._nodes[first:last]
        if None not in nodes:
            return repeat(False)
        return map(self._is_garbage, self._headers.addresses[first:last], nodes)

    def _is_garbage(self, address: int, node: Optional[Node]) -> Optional[bool]:
        if node is not None:
            return False
        return True if self.followed and address not in self._held_elsewhere else None

    def _candidate_names(self, number: int) -> Tuple[str, ...]:
        found = self._candidates.get(number, ())
        return tuple(type.name for type in found[:_MOST_CANDIDATES])

    def _path(self, node: Node) -> str:
        known = self._paths.get(node)
        if known is None:
            self._name(node.root())
            known = self._paths[node] = node.path()
            labels: List[str] = []
            at: Optional[Node] = node
            while at is not None:
                labels.append(at.label)
                at = at.parent
            self.steps[known] = tuple(labels[::-1])
        return known

    def _name(self, root: Node) -> None:
        """Give a word of the data the name of the symbol that begins there, where there are symbols
        without debug information. A word further on keeps its address: how far a variable goes is
        not told, and its neighbour's name would be wrong."""
        if root.label.startswith("0x") and self._session.go.symbols("runtime.mheap_"):
            root.label = self._session.target.symbol_at(int(root.label, 16)) or root.label

    def has(self, address: int) -> bool:
        return self._headers.number_of(address) is not None

    def owners(self, address: int, all: bool) -> Sequence[Owner]:
        trail = Trail(address)
        view = GoHeapView(self._session, self._swiss, True, no_progress, self._typed, trail)
        self.notes += [note for note in view.notes if note not in self.notes]
        self.followed = view.followed and address not in view._held_elsewhere
        for node, *_ in trail.hits:
            self._name(node.root())
        return list(owners_of(self._session, trail, _MOST_OWNERS if all else 1))


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def heap_of(session: Session) -> GoHeap:
    """The heap of the runtime that a session looks at."""
    program = session.go
    sections = [
        section for image in program.images for section in image.sections if section.name in _DATA
    ]
    return find_heap(session.memory, program.minor, program.symbols("runtime.mheap_"), sections)

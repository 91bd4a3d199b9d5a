# SPDX-License-Identifier: MIT
"""The types of a Go heap's maps, where nothing that refers to them tells.

An array of buckets or groups that is larger than 512 bytes and has pointers names its own type
(since Go 1.22). Else a type is proved: among the program's map types those whose arrays have this
size and pointers at these places, and under whose key type every key's hash fits its place. If
several fit, they are candidates.

Facts: runtime/malloc.go (heap objects' headers), internal/abi and runtime/type.go (map types).
"""

import re
import struct
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.descriptors import GoProgram
from ...go.size_classes import allocated
from ...go.heap_spans import GoHeap, Object
from ...go.key_hash import GoKeyHash
from ...go.memhash import MemoryHash
from ...program.types import Kind, Type
from ...session import Session
from .hash_function import key_hash, memory_hash
from .heap_headers import Header, Headers
from .map_types import MapType, map_type
from .references import tables_of

#: a map type's descriptor: 8 bytes, all a pointer, hash, flags, alignments of 8, its kind with or
#: without the bit that interfaces hold it directly
_DESCRIPTOR = re.compile(rb"\x08\0{7}\x08\0{7}.{4}.\x08\x08[\x15\x35]", re.DOTALL)
#: bytes of type descriptors that are searched, and map types that are looked at
_MOST_BYTES, _MOST_TYPES = 256 << 20, 1 << 16
#: keys of one map whose hashes are tried
_KEYS = 8
#: of a float64
_EXPONENT = 0x7FF << 52
#: pieces of a path in front of a package's name
_FOLDERS = re.compile(r"[\w.~%-]+/")
_CELLS = layouts.CELLS


def short_name(name: str) -> str:
    """A type's name from debug information as the program's own type table writes it."""
    return re.sub(r"\s+", " ", _FOLDERS.sub("", name)).replace("interface{}", "interface {}")


class MapTypeTable:
    """All map types that a program has descriptors of."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self.all: List[MapType] = []
        self.of_array: Dict[int, List[MapType]] = {}  # by the descriptor of a bucket or group
        self._by_name: Dict[str, List[MapType]] = {}
        self._pointers: Dict[int, Tuple[int, int]] = {}
        swiss = program.has_swiss_maps
        layout = (layouts.swiss_map_type if swiss else layouts.classic_map_type)(program.minor)
        place = next(
            layout.at(name) for name in ("Group", "Bucket", "bucket") if name in layout.fields
        )
        for address in self._addresses():
            try:
                found = map_type(program, address)
                array = program.memory.read_word(address + place)
            except MapscopeError:
                continue
            self.all.append(found)
            self.of_array.setdefault(array, []).append(found)
            self._by_name.setdefault(short_name(found.name), []).append(found)

    def _addresses(self) -> Iterator[int]:
        left = _MOST_TYPES
        for low, high in self._program.type_ranges():
            try:
                raw = bytes(self._program.memory.read_chunk(low, min(high - low, _MOST_BYTES)))
            except MemoryUnreadable:
                continue
            for match in _DESCRIPTOR.finditer(raw):
                if (low + match.start()) % 8 == 0 and left:
                    left -= 1
                    yield low + match.start()

    def named(self, type: Type, size: int) -> Optional[MapType]:
        """The one that a map type from debug information is; None: none, or several are."""
        found = [t for t in self._by_name.get(short_name(type.name), ()) if t.layout.size == size]
        return found[0] if len(found) == 1 else None

    def pointer_words(self, type: MapType) -> Tuple[int, int]:
        """(a bit for each word of a bucket or group that the collector takes for a pointer, number
        of its words up to the last of them)"""
        known = self._pointers.get(id(type))
        if known is None:
            bits = 0
            layout = type.layout
            for kind, at, stride, indirect in (
                (type.key, layout.keys, layout.keysize, layout.indirect_key),
                (type.elem, layout.elems, layout.elemsize, layout.indirect_elem),
            ):
                one = 1 if indirect else pointer_bits(kind)
                for cell in range(_CELLS):
                    offset = at + cell * stride
                    if one:
                        bits |= one << offset // 8
            if bits and layout.overflow:
                bits |= 1 << layout.overflow // 8
            known = self._pointers[id(type)] = bits, bits.bit_length()
        return known


def pointer_bits(type: Type, depth: int = 0) -> int:
    """A bit for each word of a value that the collector takes for a pointer."""
    kind = type.kind
    if kind in (Kind.POINTER, Kind.GO_MAP, Kind.CHAN, Kind.FUNC, Kind.STRING, Kind.SLICE):
        return 1
    if kind in (Kind.INTERFACE, Kind.EMPTY_INTERFACE):
        return 2
    bits = 0
    if kind is Kind.STRUCT and depth < 32:
        for field in type.fields:
            bits |= pointer_bits(field.type, depth + 1) << field.offset // 8
    elif kind is Kind.ARRAY and type.length and depth < 32:
        element = type.target()
        one = pointer_bits(element, depth + 1)
        for index in range(type.length if one else 0):
            bits |= one << index * element.size // 8
    return bits


class Cells(NamedTuple):
    """Some live cells of a map, as one type sees them.

    :ivar keys: bytes of each
    :ivar values: the same
    :ivar tops: what stands for its hash in each cell's mark
    :ivar places: which bucket each is in; Swiss: 0
    """

    keys: List[bytes]
    values: List[bytes]
    tops: List[int]
    places: List[int]


class Prover:
    """Finds the types of maps by what they hold.

    :param headers: all of the heap's
    """

    def __init__(
        self, session: Session, heap: GoHeap, table: MapTypeTable, headers: Headers
    ) -> None:
        self._session = session
        self._headers = headers
        self._program = session.go
        self._memory = session.memory
        self._heap = heap
        self._table = table
        self._swiss = session.go.has_swiss_maps
        self._hashes: Dict[int, Optional[GoKeyHash]] = {}
        self._memory_hash: Optional[MemoryHash] = None
        self._bits: Dict[int, Optional[int]] = {}  # by a span's first byte
        self._sizes: Dict[Tuple[int, bool, int], List[MapType]] = {}

    def find(self, header: Header) -> Sequence[MapType]:
        """Types that a map may have: one where it is certain, none where nothing fits."""
        array, count = self._first_array(header)
        if array is None:
            return ()
        named = self._named(array)
        possible = self._table.of_array.get(named, ()) if named else ()
        if not possible:
            possible = self._of_size(array, header, count)
        if len(possible) > 1 or not named:
            known: Dict[object, bool] = {}  # of types that hash the same bytes in the same way
            bits = self._bits_of(array)
            possible = [t for t in possible if self._fits_pointers(t, array, bits)]
            possible = [type for type in possible if self._fits(type, header, known)]
        return _apart(possible)

    def told(self, header: Header) -> Sequence[MapType]:
        """Types of which an array says itself that it is of one's; none where it does not."""
        array, _ = self._first_array(header)
        named = 0 if array is None else self._named(array)
        return _apart(self._table.of_array.get(named, ())) if named else ()

    def _first_array(self, header: Header) -> Tuple[Optional[Object], int]:
        """The object with the first buckets or groups, and how many they are."""
        if not header.data:
            return None, 0
        if not self._swiss:
            return self._heap.object_at(header.data), 1 << header.log
        if not header.log:
            return self._heap.object_at(header.data), 1
        for pieces in tables_of(self._memory, [header]):
            for raw in pieces:
                if raw is not None:
                    groups, mask = layouts.TABLE_FIELDS.unpack(raw)[5:]
                    return self._heap.object_at(groups), mask + 1
        return None, 0

    def _named(self, array: Object) -> int:
        """The descriptor of the elements of an array that says so; 0: it does not."""
        if array.span.large:
            return array.span.large_type
        if array.span.header:
            try:
                return self._memory.read_word(array.start - 8)
            except MemoryUnreadable:
                pass
        return 0

    def _of_size(self, array: Object, header: Header, count: int) -> List[MapType]:
        """Map types whose array of so many buckets or groups is such an object."""
        span = array.span
        spare = 0 if self._swiss or header.log < 4 else count >> 4
        key = (span.elemsize, span.noscan, count)
        known = self._sizes.get(key)
        if known is None:
            known = []
            for type in self._table.all:
                noscan = not self._table.pointer_words(type)[0]
                size = type.layout.size * (count + spare)
                with_header = self._program.minor >= 22 and not noscan and 512 < size <= 32760
                if noscan == span.noscan and allocated(size + 8 * with_header) == span.elemsize:
                    known.append(type)
            self._sizes[key] = known
        return known

    def _fits(self, type: MapType, header: Header, known: Dict[object, bool]) -> bool:
        """Whether a map's cells can be of a type.

        :param known: of this map, whether its keys' hashes fit
        """
        try:
            cells = self._cells(type, header)
        except MemoryUnreadable:
            return True  # nothing speaks against it
        if not cells.keys:
            return True
        if not self._fits_values(type, cells.values):
            return False
        layout = type.layout
        key = (type.key.name, layout.keys, layout.keysize, layout.size)
        if key not in known:
            known[key] = self._fits_hashes(type, header, cells)
        return known[key]

    def _fits_hashes(self, type: MapType, header: Header, cells: Cells) -> bool:
        """Whether keys lie where a type's hashes of them say."""
        function = self._function(type)
        if function is None:
            return True
        keys = cells.keys
        if type.layout.indirect_key:
            pointers = [int.from_bytes(key[:8], "little") for key in keys]
            read = self._memory.gather(pointers, type.key.size)
            if None in read:
                return False
            keys = [key or b"" for key in read]
        mask = 0 if self._swiss else (1 << header.log) - 1
        for found, top, place in zip(
            function.many(keys, [header.seed] * len(keys)), cells.tops, cells.places
        ):
            if found is None:
                if type.key.kind in (Kind.FLOAT, Kind.COMPLEX):
                    continue  # a NaN
                return False
            if self._swiss:
                if found & 0x7F != top:
                    return False
            elif max_top(found) != top or (not header.old and found & mask != place):
                return False
        return True

    def _fits_values(self, type: MapType, values: Sequence[bytes]) -> bool:
        """Whether elements can be of a type: nothing that the type makes impossible."""
        elem = type.elem
        if type.layout.indirect_elem:
            return True
        if elem.kind is Kind.BOOL:
            return all(value[:1] <= b"\1" for value in values)
        words = [int.from_bytes(value[:8], "little") for value in values if len(value) >= 8]
        words = [word for word in words if word]
        if elem.kind is Kind.FLOAT and elem.size == 8 and words:
            return any(word & _EXPONENT for word in words)  # else all are subnormal: small integers
        if elem.kind is Kind.GO_MAP:
            return all(self._headers.number_of(word) is not None for word in words)
        if elem.kind is Kind.FUNC:
            codes = self._memory.gather(words, 8)
            table = self._session.functions
            return table is None or all(
                code is not None and table.at(int.from_bytes(code, "little")) is not None
                for code in codes
            )
        if elem.kind is Kind.POINTER and elem.element is not None:
            return all(self._fits_object(word, elem.target(), 1) for word in words)
        if elem.kind is Kind.EMPTY_INTERFACE:
            ranges = self._program.type_ranges()
            return all(any(low <= word < high for low, high in ranges) for word in words)
        if elem.kind is Kind.INTERFACE and elem.go_type:
            # a table of methods begins with the interface's own type
            tables = self._memory.gather(words, 8)
            return all(int.from_bytes(table or b"", "little") == elem.go_type for table in tables)
        if elem.kind is Kind.SLICE:
            for value in values:
                data, length, capacity = struct.unpack("<3Q", value[:24])
                if length > capacity or (length and not data):
                    return False
                if data and capacity and not self._fits_object(data, elem.target(), capacity):
                    return False
        return True

    def _fits_object(self, address: int, type: Type, count: int) -> bool:
        """Whether so many values of a type can begin at an address, as far as the heap tells."""
        if type.size and self._headers.number_of(address) is not None:
            return False
        found = self._heap.object_at(address)
        if found is None:
            return True  # a variable, or what is linked into the program
        if found.span.noscan and pointer_bits(type):
            return False
        return address + type.size * count <= found.start + found.size

    def _bits_of(self, array: Object) -> Optional[int]:
        """Where in an array the collector sees pointers; None: that is not told."""
        span = array.span
        if span.noscan or (self._program.minor >= 22 and span.elemsize > layouts.BITS_IN_SPAN):
            return None
        if span.start not in self._bits:
            while len(self._bits) >= 1 << 14:
                self._bits.pop(next(iter(self._bits)))
            try:
                self._bits[span.start] = self._heap.pointer_bits(span)
            except MemoryUnreadable:
                self._bits[span.start] = None
        bits = self._bits[span.start]
        return None if bits is None else bits >> (array.start - span.start) // 8

    def _fits_pointers(self, type: MapType, array: Object, bits: Optional[int]) -> bool:
        """Whether the collector sees pointers where a type has them."""
        wanted, last = self._table.pointer_words(type)
        if bool(wanted) == array.span.noscan:
            return False
        if bits is None:
            return True
        # a bitmap until Go 1.21 may say nothing of what lies behind an object's last pointer
        words = type.layout.size // 8 if self._program.minor >= 22 else last
        return bits & (1 << words) - 1 == wanted

    def _cells(self, type: MapType, header: Header) -> Cells:
        """Some live cells of a map."""
        layout = type.layout
        result = Cells([], [], [], [])
        starts: List[Tuple[int, int]] = []  # (address, buckets or groups)
        if self._swiss and header.log:
            for pieces in tables_of(self._memory, [header]):
                for raw in pieces[:4]:
                    if raw is not None:
                        groups, mask = layouts.TABLE_FIELDS.unpack(raw)[5:]
                        starts.append((groups, min(mask + 1, 4)))
        else:
            starts.append((header.data, 1 if self._swiss else min(1 << header.log, 16)))
            if header.old and not self._swiss:
                old_log = header.log if header.same_size else header.log - 1
                starts.append((header.old, min(1 << old_log, 16)))
        for start, count in starts:
            raw = self._memory.read(start, count * layout.size)
            for number in range(count):
                bucket = raw[number * layout.size : (number + 1) * layout.size]
                for cell in range(_CELLS):
                    mark = bucket[cell]
                    if (mark >= 0x80) if self._swiss else (mark < 5):
                        continue
                    at = layout.keys + cell * layout.keysize
                    size = 8 if layout.indirect_key else type.key.size
                    result.keys.append(bucket[at : at + size])
                    at = layout.elems + cell * layout.elemsize
                    size = 8 if layout.indirect_elem else type.elem.size
                    result.values.append(bucket[at : at + size])
                    result.tops.append(mark)
                    result.places.append(number)
                    if len(result.keys) >= _KEYS:
                        return result
        return result

    def _function(self, type: MapType) -> Optional[GoKeyHash]:
        if id(type) not in self._hashes:
            try:
                if self._memory_hash is None:
                    self._memory_hash = memory_hash(self._session)
            except MapscopeError:
                return None
            found = key_hash(self._session, type, 0, self._memory_hash)[0]
            self._hashes[id(type)] = found if isinstance(found, GoKeyHash) else None
        return self._hashes[id(type)]


def max_top(found: int) -> int:
    """A hash's top byte as a classic map marks a cell with it (tophash in runtime/map.go)."""
    top = found >> 56
    return top + 5 if top < 5 else top


def _apart(types: Sequence[MapType]) -> List[MapType]:
    """One of each name."""
    seen: Set[str] = set()
    result: List[MapType] = []
    for type in types:
        if type.name not in seen:
            seen.add(type.name)
            result.append(type)
    return result


#: makes the type of a map whose type comes from debug information
Typed = Callable[[Type], MapType]


def with_descriptors(table: MapTypeTable, typed: Typed) -> Typed:
    """The same, but the program's own descriptor where there is one."""

    def found(type: Type) -> MapType:
        made = typed(type)
        return table.named(type, made.layout.size) or made

    return found

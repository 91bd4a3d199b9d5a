# SPDX-License-Identifier: MIT
"""Go's heap: its spans, which objects in them are allocated, and where objects have pointers.

Facts: runtime/mheap.go (mheap, mspan), runtime/mbitmap.go (isFree, heapBitsInSpan, heapBits of
1.17 to 1.21), runtime/mgcsweep.go (sweepgen), runtime/mgcmark_greenteagc.go of Go 1.17 to 1.27.
"""

import struct
from array import array
from bisect import bisect_right
from collections import Counter
from itertools import compress
from operator import add, le
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..program.memory import Memory
from ..program.target import Section
from ..records import dataclass
from . import layouts
from .layouts import BITS_IN_SPAN, INLINE_MARKS, INLINE_MARKS_AT, PAGE_SIZE

#: spans, and elements of one, that are read at most
_MOST_SPANS, _MOST_ELEMENTS = 1 << 24, 1 << 16
#: spans that are read together
_TOGETHER = 1 << 14
#: spans that are kept as such
_MOST_MADE = 1 << 16
#: spans of a slice that are looked at to tell whether it is the list of all
_PROBED = 64
#: bytes of writable data in which the list is searched
_MOST_SEARCHED = 256 << 20
#: 256 words from bits of a byte
_BITS = [tuple(n for n in range(8) if byte >> n & 1) for byte in range(256)]
#: the low half of each byte
_LOW_HALF = bytes(byte & 15 for byte in range(256))
_PAGE_BITS = PAGE_SIZE.bit_length() - 1
#: no span: no address is in it
_NOWHERE = (0, 1, 0, 0)


class Span(NamedTuple):
    """A run of pages of objects of one size.

    :ivar start: address of the first object
    :ivar size: bytes of its pages
    :ivar elemsize: bytes of an object
    :ivar nelems: objects that there is room for
    :ivar noscan: whether its objects hold no pointers
    :ivar large: whether it is of one object of no size class
    :ivar header: bytes before each object's value, which hold its type
    :ivar free_index: objects from it on are allocated if their bit in alloc_bits is set; all
        before it are
    :ivar alloc_bits: address
    :ivar mark_bits: address of the collector's marks, if the span was not swept since they were
        made: what has none is no longer there; 0: it was swept
    :ivar large_type: address of the descriptor of a large object's elements; 0: not known
    """

    start: int
    size: int
    elemsize: int
    nelems: int
    noscan: bool
    large: bool
    header: int
    free_index: int
    alloc_bits: int
    mark_bits: int
    large_type: int


class Object(NamedTuple):
    """An allocated object.

    :ivar start: of its value, behind the header
    :ivar size: bytes of its value, to the end of its size class
    """

    start: int
    size: int
    span: Span


@dataclass(frozen=True)
class HeapPlace:
    """Where the list of all spans is, and in what state the collector.

    :ivar spans: addresses of mspans
    :ivar arenas: address of mheap.arenas
    """

    spans: Sequence[int]
    sweepgen: int
    arenas: int


class GoHeap:
    """All spans of a Go runtime's heap.

    :ivar unread: how many spans could not be read or make no sense
    """

    def __init__(self, memory: Memory, minor: int, place: HeapPlace) -> None:
        self.memory = memory
        self.minor = minor
        self._place = place
        self.unread = 0
        self._made: Dict[int, Span] = {}
        self._arenas: Dict[int, int] = {}
        self._last: Optional[Span] = None
        self._columns = _columns()
        # all together: nearly all spans of a process are of the heap
        for first in range(0, len(place.spans), _TOGETHER):
            self._read(place.spans[first : first + _TOGETHER])
        self._sort()
        self._starts = self._columns[0]
        self._inline = self._finds_inline_marks()

    def _sort(self) -> None:
        """Sort spans by address, and leave out those that cannot be beside others."""
        starts, sizes = self._columns[:2]
        order = sorted(range(len(starts)), key=starts.__getitem__)
        self._columns = [array("Q", map(column.__getitem__, order)) for column in self._columns]
        starts, sizes = self._columns[:2]
        if all(map(le, map(add, starts, sizes), starts[1:])):
            return
        kept = self._without_overlaps(sorted(map(self._span, range(len(starts)))))
        self._columns = _columns()
        for span in kept:
            for column, value in zip(self._columns, _fields_of(span)):
                column.append(value)
        self._made.clear()

    def _without_overlaps(self, spans: Sequence[Span]) -> List[Span]:
        """Spans, of which no page is two's: of two that claim one, at least one is damaged. The
        smaller one stays, for a wrong length reaches far."""
        kept: List[Span] = []
        for span in spans:
            while kept and kept[-1].start + kept[-1].size > span.start:
                self.unread += 1
                if kept[-1].size <= span.size:
                    break
                kept.pop()
            else:
                kept.append(span)
        return kept

    def _read(self, places: Sequence[int]) -> None:
        """Read some spans: a process has a hundred thousand for each gigabyte, and so they are
        taken apart field by field."""
        layout = layouts.mspan(self.minor)
        size = max(layout.fields.values()) + 8
        raws = [raw for raw in self.memory.gather(places, size) if raw is not None]
        self.unread += len(places) - len(raws)
        words = memoryview(b"".join(raws)).cast("Q")

        def field(name: str, bits: int) -> List[int]:
            word, shift = divmod(layout.at(name), 8)
            column = words[word :: size // 8].tolist()
            if bits == 64:
                return column
            mask = (1 << bits) - 1
            return [value >> 8 * shift & mask for value in column]

        width = 64 if self.minor <= 21 else 16
        in_use = [state == layouts.SPAN_IN_USE for state in field("state", 8)]
        starts, pages, nelems, free, elemsizes, classes, generations, allocated, marks = (
            list(compress(field(name, bits), in_use))
            for name, bits in (
                *(("startAddr", 64), ("npages", 64), ("nelems", width), ("freeindex", width)),
                *(("elemsize", 64), ("spanclass", 8), ("sweepgen", 32), ("allocBits", 64)),
                ("gcmarkBits", 64),
            )
        )
        large_types = [0] * len(starts)
        if self.minor >= 22:
            large_types = list(compress(field("largeType", 64), in_use))
        shapes = list(zip(pages, elemsizes, nelems, classes))
        possible = {shape: _is_possible(*shape) for shape in set(shapes)}
        right = [
            possible[shape] and 4096 <= start < 1 << 47 and not start % PAGE_SIZE
            for shape, start in zip(shapes, starts)
        ]
        self.unread += len(right) - sum(right)
        gen = self._place.sweepgen
        unswept = {
            value: (value - gen) & 0xFFFFFFFF in (0xFFFFFFFE, 1) for value in set(generations)
        }
        for column, values in zip(
            self._columns,
            (
                starts,
                [count * PAGE_SIZE for count in pages],
                *(elemsizes, nelems, classes, free, allocated),
                [mark if unswept[value] else 0 for mark, value in zip(marks, generations)],
                large_types,
            ),
        ):
            column.extend(compress(values, right))

    def __len__(self) -> int:
        return len(self._starts)

    def spans(self) -> Iterator[Span]:
        """All that hold objects, by address."""
        return map(self._span, range(len(self)))

    def spans_of(self, elemsize: int) -> List[Span]:
        """Those of objects of one size that may hold pointers."""
        sizes, classes = self._columns[2], self._columns[4]
        return [
            self._span(number)
            for number, (size, spanclass) in enumerate(zip(sizes, classes))
            if size == elemsize and not spanclass & 1
        ]

    def _span(self, number: int) -> Span:
        columns = self._columns
        start, size, elemsize, nelems, spanclass, free, allocated, marks, type = [
            column[number] for column in columns
        ]
        noscan, large = bool(spanclass & 1), spanclass < 2
        has_type = self.minor >= 22 and not noscan and elemsize > BITS_IN_SPAN
        header = 8 if has_type and not large else 0
        large_type = type if has_type and large else 0
        return Span(
            *(start, size, elemsize, nelems, noscan, large, header, free, allocated, marks),
            large_type,
        )

    def bounds(self) -> Tuple[int, int]:
        """Where the first span begins, and where the last one ends."""
        starts = self._starts
        return (starts[0], starts[-1] + self._columns[1][-1]) if starts else (0, 0)

    def span_of(self, address: int) -> Optional[Span]:
        """The span that an address is in."""
        last = self._last  # what is allocated together is asked for together
        if last is not None and last.start <= address < last.start + last.size:
            return last
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._starts[index] + self._columns[1][index]:
            return None
        span = self._made.get(index)
        if span is None:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            span = self._made[index] = self._span(index)
        self._last = span
        return span

    def value_at(self, address: int) -> int:
        """Bytes of the object whose value begins at an address; 0: none does."""
        span = self.span_of(address)
        if span is None:
            return 0
        number, rest = divmod(address - span.start - span.header, span.elemsize)
        return 0 if rest or not 0 <= number < span.nelems else span.elemsize - span.header

    def values_at(self, addresses: Sequence[int]) -> List[int]:
        """The same of many."""
        places = self._places(addresses)
        return [
            0 if (address - first) % each or not first <= address < end else size
            for address, (first, each, end, size) in zip(addresses, places)
        ]

    def rooms_at(self, addresses: Sequence[int]) -> List[Optional[Tuple[int, bool]]]:
        """(bytes from an address to the end of the object that it is in, whether that holds no
        pointers) of many; None: in none."""
        pages = [address >> _PAGE_BITS for address in addresses]
        known: Dict[int, Optional[Tuple[int, int, int, bool]]] = {}
        for page in set(pages):
            span = self.span_of(page << _PAGE_BITS)
            known[page] = span and (
                *(span.start, span.elemsize, span.start + span.elemsize * span.nelems),
                span.noscan,
            )
        found: List[Optional[Tuple[int, bool]]] = []
        for address, page in zip(addresses, pages):
            place = known[page]
            if place is None or address >= place[2]:
                found.append(None)
            else:
                found.append((place[1] - (address - place[0]) % place[1], place[3]))
        return found

    def kinds_at(self, addresses: Sequence[int]) -> List[Optional[Tuple[int, bool]]]:
        """(bytes of the object that an address is in, whether it holds no pointers) of many; None:
        in none."""
        pages = [address >> _PAGE_BITS for address in addresses]
        known: Dict[int, Optional[Tuple[int, bool]]] = {}
        for page in set(pages):
            span = self.span_of(page << _PAGE_BITS)
            known[page] = None if span is None else (span.elemsize, span.noscan)
        return [known[page] for page in pages]

    def _places(self, addresses: Sequence[int]) -> Iterator[Tuple[int, int, int, int]]:
        """(address of the first value, bytes from each to the next, end of the last, bytes of a
        value) of the spans that addresses are in: many of them share few pages."""
        pages = [address >> _PAGE_BITS for address in addresses]
        known: Dict[int, Tuple[int, int, int, int]] = {}
        for page in set(pages):
            span = self.span_of(page << _PAGE_BITS)
            if span is None:
                known[page] = _NOWHERE
            else:
                first, each = span.start + span.header, span.elemsize
                known[page] = first, each, first + each * span.nelems, each - span.header
        return map(known.__getitem__, pages)

    def object_at(self, address: int) -> Optional[Object]:
        """The object that an address is in, allocated or not."""
        span = self.span_of(address)
        if span is None:
            return None
        number = (address - span.start) // span.elemsize
        if number >= span.nelems:
            return None
        start = span.start + number * span.elemsize + span.header
        return Object(start, span.elemsize - span.header, span)

    def live(self, span: Span) -> List[int]:
        """Numbers of the objects in a span that are allocated, and not found dead by a collection
        that has ended."""
        return numbers_of(self.live_bits(span), span.nelems)

    def live_bits(self, span: Span) -> int:
        """A bit for each object of a span: whether it is one of these.

        :raises MemoryUnreadable: if that cannot be read
        """
        count = span.nelems
        bits = self._bits(span.alloc_bits, count) | (1 << min(span.free_index, count)) - 1
        marks = self._marks(span, count)
        return bits & ((1 << count) - 1 if marks is None else marks)

    def is_live(self, span: Span, number: int) -> bool:
        """Whether one object is."""
        marks = self._marks(span, span.nelems)
        if marks is not None and not marks >> number & 1:
            return False
        return number < span.free_index or bool(
            self._bits(span.alloc_bits, span.nelems) >> number & 1
        )

    def _marks(self, span: Span, count: int) -> Optional[int]:
        if not span.mark_bits:
            return None
        marks = self._bits(span.mark_bits, count)
        if self.has_inline_marks(span):
            end = span.start + span.size - INLINE_MARKS + INLINE_MARKS_AT
            marks |= self._bits(end, count)
        return marks

    def _bits(self, address: int, count: int) -> int:
        """:raises MemoryUnreadable: if they cannot be read"""
        return int.from_bytes(self.memory.read(address, (count + 7) // 8), "little")

    def has_inline_marks(self, span: Span) -> bool:
        """Whether the collector marks a span's objects at its end, which leaves room for fewer."""
        return self._inline and not span.large and 16 <= span.elemsize <= BITS_IN_SPAN

    def _finds_inline_marks(self) -> bool:
        """The same of the program: since Go 1.25 it may have been built so, and its spans tell."""
        votes = 0  # a damaged span may say anything
        some = self._columns[1:5] if self.minor >= 25 else []
        for (size, elemsize, nelems, spanclass), number in Counter(zip(*some)).items():
            if spanclass >= 2 and 16 <= elemsize <= BITS_IN_SPAN:
                room = size - (0 if spanclass & 1 else size // 64)
                with_marks = (room - INLINE_MARKS) // elemsize
                if with_marks != room // elemsize:
                    vote = (nelems == with_marks) - (nelems == room // elemsize)
                    votes += number * vote
        return votes > 0

    def pointer_bits(self, span: Span, raw: Optional[memoryview] = None) -> Optional[int]:
        """A bit for each word of a span of small objects: whether the collector takes it for a
        pointer. None: that is not written down there.

        :param raw: the span's memory, if it is at hand
        :raises MemoryUnreadable: if it cannot be read
        """
        words = span.size // 8
        if self.minor >= 22:
            if span.noscan or span.elemsize > BITS_IN_SPAN:
                return None
            end = span.start + span.size - (INLINE_MARKS if self.has_inline_marks(span) else 0)
            if raw is not None:
                at = end - span.start
                return int.from_bytes(raw[at - words // 8 : at], "little")
            return self._bits(end - words // 8, words)
        arena = self._arena(span.start)
        first = span.start % layouts.ARENA_SIZE // 8
        if self.minor >= 20:
            return self._bits(arena + first // 8, words)
        # four words to a byte: its low half, and in the high half whether there are more
        halves = self.memory.read(arena + first // 4, words // 4)
        low, high = halves[::2].translate(_LOW_HALF), halves[1::2].translate(_LOW_HALF)
        return int.from_bytes(low, "little") | int.from_bytes(high, "little") << 4

    def _arena(self, address: int) -> int:
        number = (address + layouts.ARENA_BASE) // layouts.ARENA_SIZE
        if number not in self._arenas:
            table = self.memory.read_word(self._place.arenas)
            self._arenas[number] = self.memory.read_word(table + 8 * number)
        return self._arenas[number]


def _columns() -> List["array[int]"]:
    """Empty ones: start, bytes, bytes of an object, objects, class, free index, where allocation
    bits and marks are, and the type of a large object."""
    return [array("Q") for _ in range(9)]


def _fields_of(span: Span) -> Tuple[int, ...]:
    """The same of a span."""
    return (
        *(span.start, span.size, span.elemsize, span.nelems),
        (0 if span.large else 2) | span.noscan,
        *(span.free_index, span.alloc_bits, span.mark_bits, span.large_type),
    )


def _is_possible(pages: int, elemsize: int, nelems: int, spanclass: int) -> bool:
    """Whether there can be a span of so many pages and objects."""
    size, large = pages * PAGE_SIZE, spanclass < 2
    return (
        0 < size < 1 << 46
        and 0 < nelems < _MOST_ELEMENTS
        and elemsize >= 8
        and elemsize * nelems <= size
        and (nelems == 1 if large else _fits(size, elemsize, nelems))
    )


def numbers_of(bits: int, count: int) -> List[int]:
    """Which of so many bits are set."""
    if bits == (1 << count) - 1:
        return list(range(count))
    data = bits.to_bytes((count + 7) // 8, "little")
    return [8 * at + n for at, byte in enumerate(data) for n in _BITS[byte]]


def _fits(size: int, elemsize: int, nelems: int) -> bool:
    """Whether a span's pages have room for so many small objects, and not for many more: a bit for
    each word, and marks, may take some."""
    return elemsize <= layouts.MAX_SMALL and (
        size - elemsize * nelems < elemsize + size // 64 + INLINE_MARKS
    )


# --- where it is ---


def find_heap(
    memory: Memory, minor: int, symbols: Sequence[int], data: Sequence[Section]
) -> GoHeap:
    """The heap of a Go runtime.

    :param symbols: where the linker's symbol runtime.mheap_ is
    :param data: without symbols: sections of the variables among which it is
    :raises MapscopeError: if it is not found, or cannot be read
    """
    layout = layouts.mheap(minor)
    unread: Optional[MemoryUnreadable] = None
    for address in symbols:
        try:
            place = _place_at(memory, minor, address + layout.at("allspans"), True)
        except MemoryUnreadable as error:
            unread = error
            continue
        if place is not None:
            return GoHeap(memory, minor, place)
    if unread is not None:
        raise MapscopeError(
            f"cannot tell: the list of the heap's spans (runtime.mheap_.allspans): {unread}"
        )
    left = _MOST_SEARCHED
    for section in data:
        size = section.end - section.start
        if size > left:
            continue
        left -= size
        try:
            places = _searched(memory, section)
        except MemoryUnreadable as error:
            unread = error
            continue
        for address in places:
            try:
                place = _place_at(memory, minor, address, False)
            except MemoryUnreadable as error:
                unread = error
                continue
            if place is not None:
                return GoHeap(memory, minor, place)
    if unread is not None:
        raise MapscopeError(
            "cannot tell: the heap of this Go program (runtime.mheap_) was not found in what can "
            f"be read: {unread}"
        )
    raise MapscopeError("the heap of this Go program (runtime.mheap_) was not found")


def _searched(memory: Memory, section: Section) -> Iterator[int]:
    """Places in a section that may have a slice of many pointers.

    :raises MemoryUnreadable: at once, if it cannot be read
    """
    raw = memory.read_chunk(section.start, (section.end - section.start) & ~7)
    return _slices_in(raw.cast("Q"), section.start)


def _slices_in(words: memoryview, start: int) -> Iterator[int]:
    for at in range(len(words) - 2):
        length = words[at + 1]
        if 8 <= length <= words[at + 2] <= _MOST_SPANS and words[at] > 4096 and not words[at] & 7:
            yield start + 8 * at


def _place_at(memory: Memory, minor: int, address: int, named: bool) -> Optional[HeapPlace]:
    """The list of all spans, mheap.allspans, if it is at an address.

    :param named: whether a symbol says so: then a span may be unreadable, as in a core that was cut
    :raises MemoryUnreadable: if the list cannot be read
    """
    layout = layouts.mheap(minor)
    start, length, capacity = struct.unpack("<QQQ", memory.read(address, 24))
    if not 0 < length <= capacity <= _MOST_SPANS or start % 8:
        return None
    sweepgen = struct.unpack(
        "<I", memory.read(address + layout.at("sweepgen") - layout.at("allspans"), 4)
    )[0]
    probe = memoryview(memory.read(start, 8 * min(length, _PROBED))).cast("Q")
    pages = layouts.mspan(minor).at("startAddr")
    used = 0
    for found in memory.gather(probe, pages + 16):
        if found is None:
            if not named:
                return None
            continue
        begin, count = struct.unpack_from("<QQ", found, pages)
        if begin % PAGE_SIZE or begin >= 1 << 47 or count >= 1 << 33:
            if not named:
                return None
            continue
        used += begin > 0 and count > 0  # the others are kept for later
    if sweepgen % 2 or not (used or named):
        return None
    spans = array("Q")
    for first in range(0, length, _TOGETHER):
        spans.frombytes(
            bytes(memory.read_chunk(start + 8 * first, 8 * min(_TOGETHER, length - first)))
        )
    return HeapPlace(spans, sweepgen, address + layout.at("arenas") - layout.at("allspans"))

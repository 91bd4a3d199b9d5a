# SPDX-License-Identifier: MIT
"""A Go heap in an Image: spans of objects of one size, what says which objects are allocated and
where they have pointers, and the runtime's list of all spans.

Layouts: runtime/mheap.go (mheap, mspan), runtime/mbitmap.go (two bits for a word until 1.19, one in
the arena until 1.21, one at the span's end since), the marks at a span's end since 1.25.
"""

import struct
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Set, Tuple

from image import HEAP, Image, words
from mapscope.go import layouts

PAGE = 8192
#: where the runtime's own memory is
MHEAP, MSPANS, LIST, BITS, ARENA = (0x7F0000000000 + n * 0x10000000 for n in range(5))
_SIZES: Tuple[int, ...] = (16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 208, 288, 320, 512)
_SIZES += (1024, 2048, 2688, 4096, 8192, 16384, 32768)
SWEEPGEN = 10


@dataclass
class MadeSpan:
    """A span as the test wants it; what is not told is as in a span that was swept.

    :ivar allocated: numbers of its objects that are
    :ivar marked: numbers of those that the collector has marked
    :ivar inline: numbers of those that it has marked at the span's end
    :ivar pointers: numbers of its words that are pointers
    :ivar lies: fields of its mspan that say something else
    """

    start: int
    size: int
    elemsize: int
    nelems: int
    noscan: bool = False
    sweepgen: int = SWEEPGEN
    state: int = 1
    free_index: Optional[int] = None
    allocated: Set[int] = field(default_factory=set)
    marked: Set[int] = field(default_factory=set)
    inline: Set[int] = field(default_factory=set)
    pointers: Set[int] = field(default_factory=set)
    lies: Dict[str, int] = field(default_factory=dict)

    def object(self, number: int) -> int:
        """Where one begins."""
        return self.start + number * self.elemsize


def _bitmap(numbers: Set[int], count: int) -> bytes:
    return sum(1 << n for n in numbers).to_bytes((count + 7) // 8, "little")


class HeapImage(Image):
    """Memory in which everything that is allocated is an object of a span.

    :ivar spans: all that were made, in their order
    :ivar extra: addresses that the list of spans has besides
    """

    def __init__(self, minor: int) -> None:
        self.minor = minor
        self.inline_marks = minor >= 26
        self.spans: List[MadeSpan] = []
        self.extra: List[int] = []
        self._open: Dict[int, MadeSpan] = {}
        super().__init__()
        self.map_region(MHEAP, bytes(1 << 17))
        self.map_region(MSPANS, bytes(1 << 16))
        self.map_region(LIST, bytes(1 << 14))
        self.map_region(BITS, bytes(1 << 16))
        self.map_region(ARENA, bytes(1 << 19))
        number = (HEAP + (1 << 47)) >> 26
        self._table = 0x7E0000000000
        self.map_region(self._table + 8 * number, words(ARENA))

    # --- objects ---

    def span(self, elemsize: int, noscan: bool = False) -> MadeSpan:
        """A new span without objects."""
        pages = 1
        while elemsize > 1024 and pages * PAGE % elemsize > pages * PAGE // 8:
            pages += 1
        size = pages * PAGE
        self._next = -(-self._next // PAGE) * PAGE
        start = super().allocate(size, PAGE)
        room = size
        if self.minor >= 22 and elemsize <= 512 and not noscan:
            room -= size // 64
        if self.inline_marks and 16 <= elemsize <= 512:
            room -= 128
        span = MadeSpan(start, size, elemsize, room // elemsize, noscan)
        self.spans.append(span)
        return span

    def put(
        self, span: MadeSpan, number: int, data: bytes = b"", pointers: Sequence[int] = ()
    ) -> int:
        """An object of a span, with pointers at these words of it; where it is."""
        address = span.object(number)
        span.allocated.add(number)
        span.pointers |= {(address - span.start) // 8 + word for word in pointers}
        self.write(address, data)
        return address

    def allocate(self, size: int, align: int = 16) -> int:
        """A zeroed object of its size class; one of 48 bytes has a header's pointers."""
        elemsize = next(one for one in _SIZES if one >= size + (8 if size > 512 else 0))
        # since 1.22 the type of an object that is not small stands before it
        header = 8 if self.minor >= 22 and size > 512 else 0
        span = self._open.get(elemsize)
        if span is None or len(span.allocated) == span.nelems:
            span = self._open[elemsize] = self.span(elemsize)
        of_words: Sequence[int] = range(elemsize // 8)
        if elemsize == 48:
            of_words = (2,) if self.minor >= 24 else (2, 3, 5)
        return self.put(span, len(span.allocated), pointers=of_words) + header

    # --- what the runtime knows of them ---

    def finish(self) -> int:
        """Write mspans, bits and the list; the address of mheap_."""
        layout, heap = layouts.mspan(self.minor), layouts.mheap(self.minor)
        bits = BITS
        addresses: List[int] = []
        for number, span in enumerate(self.spans):
            count = span.nelems
            self.write(bits, _bitmap(span.allocated, count))
            self.write(bits + 0x400, _bitmap(span.marked, count))
            free = min(span.allocated ^ set(range(count)), default=count)
            fields = {
                "startAddr": span.start,
                "npages": span.size // PAGE,
                "freeindex": free if span.free_index is None else span.free_index,
                "nelems": count,
                "allocBits": bits,
                "gcmarkBits": bits + 0x400,
                "sweepgen": span.sweepgen,
                "spanclass": 2 * 5 + span.noscan,
                "state": span.state,
                "elemsize": span.elemsize,
                **span.lies,
            }
            small = 8 if self.minor <= 21 else 2
            widths = {"sweepgen": 4, "spanclass": 1, "state": 1}
            widths.update(freeindex=small, nelems=small)
            address = MSPANS + 0x100 * number
            addresses.append(address)
            for name, value in fields.items():
                self.write_word(address + layout.at(name), value, widths.get(name, 8))
            bits += 0x800
            self._write_pointers(span)
        addresses += self.extra
        self.write(LIST, words(*addresses))
        self.write(MHEAP + heap.at("allspans"), words(LIST, len(addresses), len(addresses) + 7))
        self.write_word(MHEAP + heap.at("sweepgen"), SWEEPGEN, 4)
        self.write_word(MHEAP + heap.at("arenas"), self._table)
        return MHEAP

    def _write_pointers(self, span: MadeSpan) -> None:
        end = span.start + span.size
        if self.inline_marks and 16 <= span.elemsize <= 512:
            end -= 128
            self.write(end + 64, _bitmap(span.inline, span.nelems))
        if span.noscan:
            return
        count = span.size // 8
        if self.minor >= 22:
            if span.elemsize <= 512:
                self.write(end - count // 8, _bitmap(span.pointers, count))
            return
        first = (span.start - HEAP) // 8
        if self.minor >= 20:
            self.write(ARENA + first // 8, _bitmap(span.pointers, count))
            return
        raw = bytearray(count // 4)
        for word in span.pointers:
            raw[word // 4] |= 0x11 << word % 4
        self.write(ARENA + first // 4, bytes(raw))


def classic(
    data: int,
    entries: int = 1,
    log: int = 0,
    seed: int = 0x5EED5EED,
    flags: int = 0,
    noverflow: int = 0,
    old: int = 0,
    moved: int = 0,
    extra: int = 0,
) -> bytes:
    """An hmap."""
    return struct.pack("<QBBHIQQQQ", entries, flags, log, noverflow, seed, data, old, moved, extra)


def swiss(
    data: int,
    entries: int = 1,
    length: int = 0,
    depth: int = 0,
    shift: int = 64,
    writing: int = 0,
    seed: int = 0x5EED5EED5EED,
    more: int = 0,
) -> bytes:
    """An internal/runtime/maps.Map."""
    return struct.pack("<QQQQBBBxIQ", entries, seed, data, length, depth, shift, writing, more, 0)


def table(groups: int, used: int = 2, mask: int = 1, capacity: int = 16, depth: int = 1) -> bytes:
    """An internal/runtime/maps.table."""
    return struct.pack("<HHHBxqQQ", used, capacity, capacity - used, depth, 0, groups, mask)

# SPDX-License-Identifier: MIT
"""Every header of a Go map in the heap, recognised by its structure alone.

Headers are objects of one size: only spans of that size are read. What is taken for one has a
map's fields, pointers where the collector sees a map's, and an array that is an object of the heap.

Facts: runtime/map.go (hmap) of Go 1.17 to 1.23, runtime/map_noswiss.go of 1.24 and 1.25,
internal/runtime/maps/map.go (Map) of 1.24 to 1.27.
"""

import struct
from array import array
from bisect import bisect_left
from functools import lru_cache
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from ...errors import MemoryUnreadable
from ...go import layouts
from ...go.heap_spans import GoHeap, Span
from ...maps.progress import Progress

#: flags that a classic map can have
_FLAGS = 15
#: log2 of the buckets, or of the directory, that no map in memory exceeds
_MOST_LOG = 40
#: a seed is random: one below is taken for another number of an object that only looks like an
#: empty map
_LEAST_SEED = 1 << 40
_CELLS = layouts.CELLS
_SIX = struct.Struct("<6Q")


class Header(NamedTuple):
    """A map's header as it lies in memory.

    :ivar data: its buckets, only group or directory; 0: none
    :ivar old: its old buckets; Swiss: 0
    :ivar log: B, or the directory's entries
    :ivar noverflow: approximate number of overflow buckets
    :ivar extra: mapextra; Swiss: 0
    :ivar same_size: of a growth, that it only tidies up
    """

    address: int
    entries: int
    data: int
    old: int
    log: int
    noverflow: int
    extra: int
    same_size: bool
    seed: int


class Headers:
    """All of a heap, by address.

    :ivar unread: spans that could not be read
    :ivar unproven: objects that may be empty maps or something else
    :ivar addresses: of each
    :ivar data: of each, and so on, as Header has it
    """

    def __init__(self) -> None:
        self.unread = 0
        self.unproven = 0
        self.addresses = array("Q")
        self.entries = array("Q")
        self.data = array("Q")
        self.log = array("Q")
        self._seeds = array("Q")
        self._others: Dict[int, Tuple[int, int, int, bool]] = {}

    def add(
        self,
        address: int,
        entries: int,
        data: int,
        log: int,
        seed: int,
        others: Optional[Tuple[int, int, int, bool]] = None,
    ) -> None:
        """Append one.

        :param others: old, noverflow, extra and same_size, if not all of them are 0
        """
        if others is not None:
            self._others[len(self.addresses)] = others
        self.addresses.append(address)
        self.entries.append(entries)
        self.data.append(data)
        self.log.append(log)
        self._seeds.append(seed)

    def __len__(self) -> int:
        return len(self.addresses)

    def __getitem__(self, number: int) -> Header:
        old, noverflow, extra, same_size = self._others.get(number, _NO_OTHERS)
        return Header(
            self.addresses[number],
            self.entries[number],
            self.data[number],
            old,
            self.log[number],
            noverflow,
            extra,
            same_size,
            self._seeds[number],
        )

    def old(self, number: int) -> int:
        """One's old buckets; 0: none."""
        return self._others.get(number, _NO_OTHERS)[0]

    def number_of(self, address: int) -> Optional[int]:
        """Which one is at an address; None: none is."""
        number = bisect_left(self.addresses, address)
        if number < len(self.addresses) and self.addresses[number] == address:
            return number
        return None


_NO_OTHERS = (0, 0, 0, False)


def header_class(minor: int, swiss: bool) -> int:
    """Bytes of the objects that headers are."""
    size = layouts.swiss_map(minor).size if swiss else layouts.hmap(minor).size
    return 48 if size <= 48 else 64


def find_headers(heap: GoHeap, swiss: bool, progress: Progress, result: Headers) -> None:
    """Find every header in a heap.

    :param swiss: of which kind its maps are
    :param result: to be filled: an interrupt leaves what was found so far
    """
    size = header_class(heap.minor, swiss)
    spans = [span for span in heap.spans() if span.elemsize == size and not span.noscan]
    look = _swiss if swiss else _classic
    for number, span in enumerate(spans):
        progress(number, len(spans))
        try:
            raw = bytes(heap.memory.read_chunk(span.start, span.nelems * span.elemsize))
            bits = heap.pointer_bits(span)
            live = heap.live(span)
        except MemoryUnreadable:
            result.unread += 1
            continue
        look(heap, span, raw, bits or 0, live, result)


def _classic(
    heap: GoHeap, span: Span, raw: bytes, bits: int, live: Sequence[int], result: Headers
) -> None:
    words = span.elemsize // 8
    extra_at = layouts.hmap(heap.minor).at("extra") // 8
    wanted = 1 << 2 | 1 << 3 | 1 << extra_at
    whole = (1 << words) - 1
    begins = heap.value_at
    all_words = memoryview(raw).cast("Q")
    for number in live:
        at = number * words
        state = all_words[at + 1]
        log = state >> 8 & 0xFF
        if state & 0xFF > _FLAGS or log > _MOST_LOG or not state >> 32:
            continue
        if bits >> at & whole != wanted:
            continue
        count, data, old = all_words[at], all_words[at + 2], all_words[at + 3]
        extra = all_words[at + extra_at]
        if not data:
            if count or old or extra or log or state & 0xFF or all_words[at + 4]:
                continue
        else:
            if count > 16 * (1 << log) + 8 or begins(data) < 16 << log:
                continue
            old_log = log if state & layouts.SAME_SIZE_GROW else log - 1
            if old and (old_log < 0 or begins(old) < 16 << old_log):
                continue
            if extra and begins(extra) < 24:
                continue
        noverflow, same_size = state >> 16 & 0xFFFF, bool(state & layouts.SAME_SIZE_GROW)
        others = (old, noverflow, extra, same_size) if old or noverflow or extra else None
        address = span.start + number * span.elemsize
        result.add(address, count, data, log, state >> 32, others)


def _swiss(
    heap: GoHeap, span: Span, raw: bytes, bits: int, live: Sequence[int], result: Headers
) -> None:
    words = span.elemsize // 8
    whole = (1 << words) - 1
    rows = list(_SIX.iter_unpack(raw))
    # mostly all of a span are maps: then no object is looked at by itself
    only_maps = bits & (1 << words * span.nelems) - 1 == _repeated(words, span.nelems)
    begins = heap.value_at
    for number in live:
        if not only_maps and bits >> number * words & whole != 1 << 2:
            continue
        used, seed, data, length, state, _ = rows[number]
        depth, shift, writing = state & 0xFF, state >> 8 & 0xFF, state >> 16 & 0xFF
        if not seed or writing > 1 or state >> 32 or depth > _MOST_LOG:
            continue
        if not length:
            if used > _CELLS or depth or shift & ~64:
                continue
            if not data:
                if used:
                    continue
                if seed < _LEAST_SEED:
                    result.unproven += 1
                    continue
            elif begins(data) < 16:
                continue
        else:
            if not data or length != 1 << depth or shift & 63 != (64 - depth) & 63:
                # a directory that is being doubled has its depth before its length
                if not (data and writing and 2 * length == 1 << depth):
                    continue
            if used > length * layouts.MAX_TABLE_CAPACITY:
                continue
            if begins(data) < 8 * length or not _is_directory(heap, data):
                continue
        result.add(span.start + number * span.elemsize, used, data, length, seed)


@lru_cache(maxsize=16)
def _repeated(words: int, count: int) -> int:
    """A bit for the third word of each of so many objects."""
    return sum(1 << number * words + 2 for number in range(count))


def _is_directory(heap: GoHeap, address: int) -> bool:
    """Whether the first entry of a directory leads to a table."""
    try:
        table = heap.memory.read_word(address)
        if heap.value_at(table) < layouts.TABLE.size:
            return False
        _, capacity, _, depth, _, groups, mask = layouts.TABLE_FIELDS.unpack(
            heap.memory.read(table, layouts.TABLE.size)
        )
    except MemoryUnreadable:
        return False
    return bool(
        0 < capacity <= layouts.MAX_TABLE_CAPACITY
        and capacity == _CELLS * (mask + 1)
        and depth <= _MOST_LOG
        and heap.value_at(groups) >= 16 * (mask + 1)
    )

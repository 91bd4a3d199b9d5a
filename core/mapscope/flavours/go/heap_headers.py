# SPDX-License-Identifier: MIT
"""Every header of a Go map in the heap, recognised by its structure alone.

Headers are objects of one size: only spans of that size are read. What is taken for one has a
map's fields, pointers where the collector sees a map's, and an array that is an object of the heap.

Facts: runtime/map.go (hmap) of Go 1.17 to 1.23, runtime/map_noswiss.go of 1.24 and 1.25,
internal/runtime/maps/map.go (Map) of 1.24 to 1.27.
"""

from typing import List, NamedTuple, Optional, Sequence

from ...errors import MemoryUnreadable
from ...go import layouts
from ...go.heap_spans import GoHeap, Object, Span
from ...maps.progress import Progress

#: flags that a classic map can have
_FLAGS = 15
#: log2 of the buckets, or of the directory, that no map in memory exceeds
_MOST_LOG = 40
#: a seed is random: one below is taken for another number of an object that only looks like an
#: empty map
_LEAST_SEED = 1 << 40
_CELLS = layouts.CELLS


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
    """All of a heap.

    :ivar unread: spans that could not be read
    :ivar unproven: objects that may be empty maps or something else
    """

    def __init__(self) -> None:
        self.found: List[Header] = []
        self.unread = 0
        self.unproven = 0


def header_class(minor: int, swiss: bool) -> int:
    """Bytes of the objects that headers are."""
    size = layouts.swiss_map(minor).size if swiss else layouts.hmap(minor).size
    return 48 if size <= 48 else 64


def find_headers(heap: GoHeap, swiss: bool, progress: Progress) -> Headers:
    """Every header in a heap.

    :param swiss: of which kind its maps are
    """
    result = Headers()
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
    return result


def _classic(
    heap: GoHeap, span: Span, raw: bytes, bits: int, live: Sequence[int], result: Headers
) -> None:
    words = span.elemsize // 8
    extra_at = layouts.hmap(heap.minor).at("extra") // 8
    wanted = 1 << 2 | 1 << 3 | 1 << extra_at
    whole = (1 << words) - 1
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
            if count > 16 * (1 << log) + 8 or not _array(heap, data, 16 << log):
                continue
            old_log = log if state & layouts.SAME_SIZE_GROW else log - 1
            if old and (old_log < 0 or not _array(heap, old, 16 << old_log)):
                continue
            if extra and not _array(heap, extra, 24):
                continue
        result.found.append(
            Header(
                span.start + number * span.elemsize,
                count,
                data,
                old,
                log,
                state >> 16 & 0xFFFF,
                extra,
                bool(state & layouts.SAME_SIZE_GROW),
                state >> 32,
            )
        )


def _swiss(
    heap: GoHeap, span: Span, raw: bytes, bits: int, live: Sequence[int], result: Headers
) -> None:
    words = span.elemsize // 8
    whole = (1 << words) - 1
    all_words = memoryview(raw).cast("Q")
    for number in live:
        at = number * words
        if bits >> at & whole != 1 << 2:
            continue
        used, seed, data, length, state, _ = all_words[at : at + 6].tolist()
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
            elif not _array(heap, data, 16):
                continue
        elif not data or length != 1 << depth or shift & 63 != (64 - depth) & 63:
            # a directory that is being doubled has its depth before its length
            if not (data and writing and 2 * length == 1 << depth):
                continue
        if length and (not _array(heap, data, 8 * length) or not _is_directory(heap, data)):
            continue
        result.found.append(
            Header(span.start + number * span.elemsize, used, data, 0, length, 0, 0, False, seed)
        )


def _array(heap: GoHeap, address: int, least: int) -> Optional[Object]:
    """The object whose value begins at an address, if it has so many bytes."""
    found = heap.object_at(address)
    return found if found is not None and found.start == address and found.size >= least else None


def _is_directory(heap: GoHeap, address: int) -> bool:
    """Whether the first entry of a directory leads to a table."""
    try:
        table = heap.memory.read_word(address)
        if _array(heap, table, layouts.TABLE.size) is None:
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
        and _array(heap, groups, 16 * (mask + 1)) is not None
    )

# SPDX-License-Identifier: MIT
"""Every header of a Go map in the heap, recognised by its structure alone.

Headers are objects of one size: only spans of that size are read. What is taken for one has a
map's fields, pointers where the collector sees a map's, and an array that is an object of the heap.

Facts: runtime/map.go (hmap) of Go 1.17 to 1.23, runtime/map_noswiss.go of 1.24 and 1.25,
internal/runtime/maps/map.go (Map) of 1.24 to 1.27.
"""

from array import array
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import compress
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ...errors import MemoryUnreadable
from ...go import layouts
from ...go.heap_spans import GoHeap, Span, numbers_of
from ...maps.progress import Progress
from ...program.memory import CHUNK

#: flags that a classic map can have
_FLAGS = 15
#: log2 of the buckets, or of the directory, that no map in memory exceeds
_MOST_LOG = 40
#: a seed is random: one below is taken for another number of an object that only looks like an
#: empty map
_LEAST_SEED = 1 << 40
_CELLS = layouts.CELLS
#: objects that are looked at together; headers among which one is searched by itself
_TOGETHER, _SPARSE = 1 << 15, 16
#: of so many objects of a span one: then each is looked at by itself
_FEW = 8
#: digits as numbers
_DIGITS = bytes.maketrans(b"01", b"\0\1")
#: bits that a classic map without overflow buckets has not, beside its log and its seed, and those
#: that a Swiss map of a single group has not
_NOT_SIMPLE, _NOT_SMALL = 0xFFFF00F0, 0xFFFFFFFF00FEBFFF
#: what was found of an object: nothing yet, that it is none, that it is a header
_YES = 2


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
        addresses: Sequence[int],
        entries: Sequence[int],
        data: Sequence[int],
        log: Sequence[int],
        seeds: Sequence[int],
        others: Mapping[int, Tuple[int, int, int, bool]],
    ) -> None:
        """Append some.

        :param others: old, noverflow, extra and same_size by address, if not all of them are 0
        """
        if others:
            first = len(self.addresses)
            numbers = {address: number for number, address in enumerate(addresses, first)}
            self._others.update((numbers[address], some) for address, some in others.items())
        for column, more in (
            (self.addresses, addresses),
            (self.entries, entries),
            (self.data, data),
            (self.log, log),
            (self._seeds, seeds),
        ):
            column.extend(more)

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

    def are_plain(self) -> bool:
        """Whether no one has old buckets, overflow buckets or a mapextra."""
        return not self._others

    def has_others(self, number: int) -> bool:
        """Whether one has."""
        return number in self._others

    def numbers_of(self, addresses: Iterable[int]) -> List[int]:
        """Which ones are at these addresses, by address; none is at the others."""
        wanted = sorted(addresses)
        found: List[int] = []
        for first in range(0, len(wanted), _TOGETHER):
            some = wanted[first : first + _TOGETHER]
            low = bisect_left(self.addresses, some[0])
            high = bisect_right(self.addresses, some[-1])
            if high - low > _SPARSE * len(some):
                numbers = map(self.number_of, some)
            else:
                known = dict(zip(self.addresses[low:high], range(low, high)))
                numbers = map(known.get, some)
            found += [number for number in numbers if number is not None]
        return found

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
    spans = heap.spans_of(size)
    extra = layouts.hmap(heap.minor).at("extra") // 8
    wanted = 1 << 2 if swiss else 1 << 2 | 1 << 3 | 1 << extra
    places = (0, 1, 2, 3, 4) if swiss else (0, 1, 2, 3, 4, extra)
    look = _swiss if swiss else _classic
    objects = _Objects(size // 8, places)
    for number, (span, raw) in enumerate(_read(heap, spans)):
        progress(number, len(spans))
        try:
            if raw is None:
                raise MemoryUnreadable(span.start, span.size)
            bits = heap.live_bits(span)
            bits &= _fitting(heap.pointer_bits(span, raw) or 0, wanted, size // 8, span.nelems)
        except MemoryUnreadable:
            result.unread += 1
            continue
        if bits:
            objects.take(span, raw, bits)
            if len(objects.addresses) >= _TOGETHER:
                look(heap, objects, result)
                objects = _Objects(size // 8, places)
    look(heap, objects, result)


def _read(heap: GoHeap, spans: Sequence[Span]) -> Iterator[Tuple[Span, Optional[memoryview]]]:
    """Spans with their memory; None: it cannot be read. Those that lie together are read so."""
    first = 0
    while first < len(spans):
        start, last = spans[first].start, first + 1
        end = start + spans[first].size
        while last < len(spans) and spans[last].start == end < start + CHUNK:
            end += spans[last].size
            last += 1
        try:
            whole: Optional[memoryview] = heap.memory.read_chunk(start, end - start)
        except MemoryUnreadable:
            whole = None
        for span in spans[first:last]:
            raw = None
            if whole is not None:
                raw = whole[span.start - start : span.start - start + span.size]
            elif last - first > 1:
                try:
                    raw = heap.memory.read_chunk(span.start, span.size)
                except MemoryUnreadable:
                    pass
            yield span, raw
        first = last


def _fitting(bits: int, wanted: int, words: int, count: int) -> int:
    """A bit for each of so many objects: whether the collector sees pointers where it is wanted.

    :param bits: for each word of them all: whether it sees one there
    """
    first, expected = _repeated(1, words, count), _repeated(wanted, words, count)
    other = bits & (1 << words * count) - 1 ^ expected
    if not other:  # mostly all of a span are maps
        return (1 << count) - 1
    wrong = other
    for word in range(1, words):
        wrong |= other >> word
    right = ~wrong & first
    if not right:
        return 0
    return int(f"{right:0{words * count}b}"[::-1][::words][::-1], 2)


@lru_cache(maxsize=64)
def _repeated(bits: int, words: int, count: int) -> int:
    """The bits of each of so many objects."""
    return sum(bits << number * words for number in range(count))


class _Objects:
    """Objects that may be headers, as columns of words.

    :param words: of each
    :param places: of the words that are looked at
    """

    def __init__(self, words: int, places: Sequence[int]) -> None:
        self._words = words
        self._places = places
        self.addresses: List[int] = []
        self.columns: List[List[int]] = [[] for _ in places]

    def take(self, span: Span, raw: memoryview, bits: int) -> None:
        """Add those of a span whose bits are set."""
        words, size, count = self._words, span.elemsize, span.nelems
        all_words = raw.cast("Q")
        if bits == (1 << count) - 1:
            self.addresses += range(span.start, span.start + size * count, size)
            for place, column in zip(self._places, self.columns):
                column += all_words[place : words * count : words].tolist()
            return
        numbers = numbers_of(bits, count)
        self.addresses += [span.start + size * number for number in numbers]
        if len(numbers) < count // _FEW:
            for place, column in zip(self._places, self.columns):
                column += [all_words[words * number + place] for number in numbers]
            return
        chosen = f"{bits:0{count}b}"[::-1].encode().translate(_DIGITS)
        for place, column in zip(self._places, self.columns):
            column += compress(all_words[place : words * count : words].tolist(), chosen)


def _classic(heap: GoHeap, objects: _Objects, result: Headers) -> None:
    counts, states, data, old, moved, extras = objects.columns
    logs = [state >> 8 & 0xFF for state in states]
    # nearly all have neither old nor overflow buckets: then only the array is left to be looked at
    simple = [
        number
        for number, (count, state, log, place, before, extra) in enumerate(
            zip(counts, states, logs, data, old, extras)
        )
        if place
        and not before
        and not extra
        and not state & _NOT_SIMPLE
        and state >> 32
        and log <= _MOST_LOG
        and count <= (16 << log) + 8
    ]
    sizes = heap.values_at([data[number] for number in simple])
    keep = bytearray(len(states))
    for number, size in zip(simple, sizes):
        keep[number] = 1 + (size >= 16 << logs[number])
    others: Dict[int, Tuple[int, int, int, bool]] = {}
    for number in _not_looked_at(keep):
        header = tuple(column[number] for column in objects.columns)
        if _is_classic(heap, *header):
            keep[number] = _YES
            state, before, extra = states[number], old[number], extras[number]
            noverflow, same_size = state >> 16 & 0xFFFF, bool(state & layouts.SAME_SIZE_GROW)
            if before or noverflow or extra:
                others[objects.addresses[number]] = before, noverflow, extra, same_size
    seeds = [state >> 32 for state in states]
    _keep(result, keep, (objects.addresses, counts, data, logs, seeds), others)


def _not_looked_at(keep: bytearray) -> List[int]:
    """Numbers of what nothing was decided of."""
    return [number for number, one in enumerate(keep) if not one] if 0 in keep else []


def _keep(
    result: Headers,
    keep: bytearray,
    columns: Sequence[Sequence[int]],
    others: Mapping[int, Tuple[int, int, int, bool]],
) -> None:
    """Add what was found to be headers."""
    if keep.count(_YES) != len(keep):
        which = [one == _YES for one in keep]
        columns = [list(compress(column, which)) for column in columns]
    addresses, counts, data, logs, seeds = columns
    result.add(addresses, counts, data, logs, seeds, others)


def _is_classic(
    heap: GoHeap, count: int, state: int, data: int, old: int, moved: int, extra: int
) -> bool:
    begins, log = heap.value_at, state >> 8 & 0xFF
    if state & 0xFF > _FLAGS or log > _MOST_LOG or not state >> 32:
        return False
    if not data:
        return not (count or old or extra or log or state & 0xFF or moved)
    if count > 16 * (1 << log) + 8 or begins(data) < 16 << log:
        return False
    old_log = log if state & layouts.SAME_SIZE_GROW else log - 1
    if old and (old_log < 0 or begins(old) < 16 << old_log):
        return False
    return not extra or begins(extra) >= 24


def _swiss(heap: GoHeap, objects: _Objects, result: Headers) -> None:
    counts, seeds, data, lengths, states = objects.columns
    # nearly all have a single group: then only that is left to be looked at
    simple = [
        number
        for number, (used, seed, place, length, state) in enumerate(
            zip(counts, seeds, data, lengths, states)
        )
        if place and seed and not length and used <= _CELLS and not state & _NOT_SMALL
    ]
    sizes = heap.values_at([data[number] for number in simple])
    keep = bytearray(len(states))
    for number, size in zip(simple, sizes):
        keep[number] = 1 + (size >= 16)
    for number in _not_looked_at(keep):
        header = tuple(column[number] for column in objects.columns)
        if _is_swiss(heap, result, *header):
            keep[number] = _YES
    _keep(result, keep, (objects.addresses, counts, data, lengths, seeds), {})


def _is_swiss(
    heap: GoHeap, result: Headers, used: int, seed: int, data: int, length: int, state: int
) -> bool:
    begins = heap.value_at
    depth, shift, writing = state & 0xFF, state >> 8 & 0xFF, state >> 16 & 0xFF
    if not seed or writing > 1 or state >> 32 or depth > _MOST_LOG:
        return False
    if not length:
        if used > _CELLS or depth or shift & ~64:
            return False
        if data:
            return begins(data) >= 16
        if used:
            return False
        if seed < _LEAST_SEED:
            result.unproven += 1
            return False
        return True
    if not data or length != 1 << depth or shift & 63 != (64 - depth) & 63:
        # a directory that is being doubled has its depth before its length
        if not (data and writing and 2 * length == 1 << depth):
            return False
    if used > length * layouts.MAX_TABLE_CAPACITY:
        return False
    return begins(data) >= 8 * length and _is_directory(heap, data)


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

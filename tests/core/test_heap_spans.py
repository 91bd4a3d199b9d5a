# SPDX-License-Identifier: MIT
"""Which maps are found in a Go heap by structure alone: of spans in every state, among objects
that look like maps and are none, and in a heap that is damaged."""

import random
import time
from typing import Callable, Dict, List, Optional, Tuple

import goheap
import goprogram
import pytest
from codec import Int, Text
from goheap import LIST, MHEAP, MSPANS, SWEEPGEN, HeapImage, MadeSpan
from goprogram import MODULE, TYPES, GoProgram
from hypothesis import given, settings
from hypothesis import strategies as st
from image import HEAP, NOWHERE, FakeTarget, words
from looking import one
from mapscope import shell
from mapscope.errors import MapscopeError
from mapscope.flavours.go.heap_headers import Headers, _fitting, find_headers
from mapscope.flavours.go.heap_sizes import Sizes
from mapscope.go import layouts
from mapscope.go.heap_spans import GoHeap, find_heap, numbers_of
from mapscope.maps.progress import no_progress
from mapscope.program.memory import Memory
from mapscope.program.target import Section

CLASSIC, SWISS = (19, 21, 23), (24, 26)
MINORS = CLASSIC + SWISS


class Made:
    """A heap with maps of every kind, and the numbers of its span of headers.

    :ivar maps: entries by address, of all that are maps
    """

    def __init__(self, minor: int) -> None:
        self.minor = minor
        self.swiss = minor >= 24
        self.image = HeapImage(minor)
        self.headers = self.image.span(48)
        self.maps: Dict[int, int] = {}
        self._number = 0
        self.bucket = self.image.allocate(144)
        self.array = self.image.allocate(2448)  # of 16 buckets and a spare one
        self.small = self.image.allocate(24)
        self.groups = self.image.allocate(288)
        self.table = self.image.allocate(32)
        self.image.write(self.table, goheap.table(self.groups))
        self.directory = self.image.allocate(16)
        self.image.write(self.directory, words(self.table, self.table))
        for data in self._valid():
            self.add(data)

    def _valid(self) -> List[bytes]:
        if self.swiss:
            return [
                goheap.swiss(0, 0),
                goheap.swiss(self.bucket, 0),
                goheap.swiss(self.bucket, 8),
                goheap.swiss(self.bucket, 3, writing=1),
                goheap.swiss(self.directory, 20, 2, 1, 63),
            ]
        return [
            goheap.classic(0, 0),
            goheap.classic(self.bucket, 5),
            goheap.classic(self.bucket, 0),
            goheap.classic(self.array, 100, 4, noverflow=2, extra=self.small),
            goheap.classic(self.array, 60, 4, flags=8, old=self.array),
            goheap.classic(self.array, 9, 1, old=self.bucket, moved=1),
        ]

    def add(
        self, data: bytes, is_map: bool = True, pointers: Optional[Tuple[int, ...]] = None
    ) -> int:
        """One more object of a header's size."""
        if pointers is None:
            pointers = (2,) if self.swiss else (2, 3, 5)
        address = self.image.put(self.headers, self._number, data, pointers)
        self._number += 1
        if is_map:
            self.maps[address] = int.from_bytes(data[:8], "little")
        return address

    def look(self) -> Tuple[GoHeap, Headers]:
        """What is found."""
        self.image.finish()
        return find(self.image, self.minor)

    def found(self) -> Dict[int, int]:
        """Entries of what is found, by address."""
        _, headers = self.look()
        return dict(zip(headers.addresses, headers.entries))


def find(image: HeapImage, minor: int) -> Tuple[GoHeap, Headers]:
    heap = find_heap(Memory(image.read), minor, [MHEAP], [])
    headers = Headers()
    find_headers(heap, minor >= 24, no_progress, headers)
    assert list(headers.addresses) == sorted(set(headers.addresses))
    return heap, headers


@pytest.mark.parametrize("minor", MINORS)
def test_every_kind_of_map(minor: int) -> None:
    made = Made(minor)
    heap, headers = made.look()
    assert dict(zip(headers.addresses, headers.entries)) == made.maps
    assert (heap.unread, headers.unread, headers.unproven) == (0, 0, 0)
    last = headers[len(headers) - 1]
    if made.swiss:
        assert (last.data, last.log) == (made.directory, 2)
    else:
        assert (last.data, last.old, last.log, last.same_size) == (
            (made.array, made.bucket, 1, False)
        )
        grown = headers[len(headers) - 2]
        assert (grown.old, grown.same_size) == (made.array, True)
        assert (headers[3].noverflow, headers[3].extra) == (2, made.small)
    assert headers.number_of(last.address) == len(headers) - 1
    assert headers.number_of(last.address + 8) is None


Change = Callable[[Made], bytes]

#: what looks like a classic map, but for one thing
FALSE_CLASSIC: Dict[str, Change] = {
    "a flag that there is none of": lambda m: goheap.classic(m.bucket, flags=16),
    "more buckets than memory has": lambda m: goheap.classic(m.bucket, log=41),
    "a large array in a small object": lambda m: goheap.classic(m.bucket, log=4),
    "no seed": lambda m: goheap.classic(m.bucket, seed=0),
    "more entries than cells": lambda m: goheap.classic(m.bucket, entries=25),
    "many more entries": lambda m: goheap.classic(m.array, entries=16 * 16 + 9, log=4),
    "inside of an object": lambda m: goheap.classic(m.bucket + 8),
    "an array that is nowhere": lambda m: goheap.classic(NOWHERE),
    "an array that is no address": lambda m: goheap.classic(0xDEADBEEFDEADBEEF),
    "an old array that is none": lambda m: goheap.classic(m.array, log=2, old=m.bucket + 16),
    "a small old array": lambda m: goheap.classic(m.array, log=4, flags=8, old=m.bucket),
    "an old array of half a bucket": lambda m: goheap.classic(m.bucket, old=m.bucket),
    "an extra that is none": lambda m: goheap.classic(m.bucket, extra=m.bucket + 1),
    "an extra that is nowhere": lambda m: goheap.classic(m.bucket, extra=NOWHERE),
    "entries without an array": lambda m: goheap.classic(0, entries=1),
    "buckets without an array": lambda m: goheap.classic(0, entries=0, log=1),
    "an old array without an array": lambda m: goheap.classic(0, entries=0, old=m.bucket),
    "an extra without an array": lambda m: goheap.classic(0, entries=0, extra=m.small),
    "flags without an array": lambda m: goheap.classic(0, entries=0, flags=4),
    "moved without an array": lambda m: goheap.classic(0, entries=0, moved=1),
    "zeros": lambda m: bytes(48),
    "ones": lambda m: b"\xff" * 48,
}


def _directory(change: Callable[[Made], bytes]) -> Change:
    """A map of tables, the first of which is changed."""

    def made(m: Made) -> bytes:
        first = m.image.allocate(32)
        m.image.write(first, change(m))
        directory = m.image.allocate(16)
        m.image.write(directory, words(first, m.table))
        return goheap.swiss(directory, 20, 2, 1, 63)

    return made


#: the same of Swiss ones
FALSE_SWISS: Dict[str, Change] = {
    "no seed": lambda m: goheap.swiss(m.bucket, seed=0),
    "two writers": lambda m: goheap.swiss(m.bucket, writing=2),
    "bytes where none are": lambda m: goheap.swiss(m.bucket, more=1),
    "a depth without a directory": lambda m: goheap.swiss(m.bucket, depth=1),
    "a shift without a directory": lambda m: goheap.swiss(m.bucket, shift=63),
    "nine entries in a group": lambda m: goheap.swiss(m.bucket, entries=9),
    "entries without a group": lambda m: goheap.swiss(0, entries=1),
    "inside of an object": lambda m: goheap.swiss(m.bucket + 8),
    "a group that is nowhere": lambda m: goheap.swiss(NOWHERE),
    "a directory that is nowhere": lambda m: goheap.swiss(NOWHERE, 9, 2, 1, 63),
    "a directory of another depth": lambda m: goheap.swiss(m.directory, 9, 2, 2, 62),
    "a directory of another shift": lambda m: goheap.swiss(m.directory, 9, 2, 1, 62),
    "a directory in a smaller object": lambda m: goheap.swiss(m.directory, 9, 4, 2, 62),
    "more tables than memory has": lambda m: goheap.swiss(m.directory, 9, 1 << 41, 41, 23),
    "more entries than tables hold": lambda m: goheap.swiss(m.directory, 2049, 2, 1, 63),
    "a directory of other things": lambda m: goheap.swiss(m.groups, 9, 2, 1, 63),
    "a table of no capacity": _directory(lambda m: goheap.table(m.groups, 0, 1, 0)),
    "a table of another capacity": _directory(lambda m: goheap.table(m.groups, 2, 1, 8)),
    "a table that is too large": _directory(lambda m: goheap.table(m.groups, 2, 255, 2048)),
    "a table that is too deep": _directory(lambda m: goheap.table(m.groups, depth=41)),
    "a table without groups": _directory(lambda m: goheap.table(0)),
    "groups in a smaller object": _directory(lambda m: goheap.table(m.small, mask=7, capacity=64)),
    "groups that are nowhere": _directory(lambda m: goheap.table(NOWHERE)),
    "zeros": lambda m: bytes(48),
    "ones": lambda m: b"\xff" * 48,
}


@pytest.mark.parametrize("minor", CLASSIC)
@pytest.mark.parametrize("name", FALSE_CLASSIC)
def test_what_looks_like_a_classic_map(name: str, minor: int) -> None:
    made = Made(minor)
    made.add(FALSE_CLASSIC[name](made), is_map=False)
    made.add(goheap.classic(made.bucket, 7))
    assert made.found() == made.maps


@pytest.mark.parametrize("minor", SWISS)
@pytest.mark.parametrize("name", FALSE_SWISS)
def test_what_looks_like_a_swiss_map(name: str, minor: int) -> None:
    made = Made(minor)
    made.add(FALSE_SWISS[name](made), is_map=False)
    made.add(goheap.swiss(made.bucket, 7))
    assert made.found() == made.maps


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("pointers", [(), (2, 3), (1, 2), (0, 1, 2, 3, 4, 5), (3,), (5,)])
def test_pointers_where_a_map_has_none(pointers: Tuple[int, ...], minor: int) -> None:
    made = Made(minor)
    valid = goheap.swiss(made.bucket) if made.swiss else goheap.classic(made.bucket)
    made.add(valid, is_map=False, pointers=pointers)
    made.add(valid)
    assert made.found() == made.maps


@pytest.mark.parametrize("minor", SWISS)
def test_an_object_that_may_be_an_empty_map_is_counted_as_one_that_is_not_known(minor: int) -> None:
    made = Made(minor)
    made.add(goheap.swiss(0, 0, seed=7), is_map=False)
    _, headers = made.look()
    assert headers.unproven == 1 and dict(zip(headers.addresses, headers.entries)) == made.maps


@pytest.mark.parametrize("minor", MINORS)
def test_what_was_freed_is_no_map(minor: int) -> None:
    made = Made(minor)
    valid = goheap.swiss(made.bucket) if made.swiss else goheap.classic(made.bucket)
    freed = made.add(valid, is_map=False)
    made.add(valid)
    made.headers.allocated.remove((freed - made.headers.start) // 48)
    assert made.found() == made.maps
    # what was allocated since the last sweep lies before the index of the next free one
    made.headers.free_index = (freed - made.headers.start) // 48 + 1
    assert set(made.found()) == set(made.maps) | {freed}


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize(
    "sweepgen, is_swept",
    [
        (SWEEPGEN, True),
        (SWEEPGEN - 2, False),  # needs sweeping
        (SWEEPGEN + 1, False),  # was cached before the sweep began, and needs it
        (SWEEPGEN + 3, True),  # was swept, and is cached
    ],
)
def test_what_a_collection_found_dead_is_no_map(minor: int, sweepgen: int, is_swept: bool) -> None:
    made = Made(minor)
    span = made.headers
    span.sweepgen = sweepgen
    numbers = sorted(span.allocated)
    kept = set(numbers[::2])
    span.marked = set(kept)
    if made.image.inline_marks:  # some are marked here and some there
        span.marked, span.inline = set(numbers[::4]), set(numbers[2::4])
    expected = set(made.maps)
    if not is_swept:
        expected = {address for address in made.maps if (address - span.start) // 48 in kept}
    assert set(made.found()) == expected


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("state", [0, 2])
def test_spans_of_no_objects(minor: int, state: int) -> None:
    made = Made(minor)
    made.headers.state = state
    heap, headers = made.look()
    assert len(headers) == 0 and heap.unread == headers.unread == 0


@pytest.mark.parametrize("minor", MINORS)
def test_objects_of_the_heap(minor: int) -> None:
    made = Made(minor)
    heap, _ = made.look()
    header = 8 if minor >= 22 else 0
    assert heap.value_at(made.bucket) == 144 and heap.value_at(made.bucket + 8) == 0
    array = made.array - header
    found = heap.object_at(made.array + 100)
    assert found is not None and found.span.elemsize == 2688
    if not found.span.noscan:
        assert heap.value_at(made.array) == 2688 - header and found.start == array + header
    for address in (0, HEAP - 1, NOWHERE, 1 << 63, (1 << 64) - 1):
        assert heap.span_of(address) is None and heap.object_at(address) is None
    span = heap.span_of(made.headers.start + 5)
    assert span is not None and heap.live(span) == sorted(made.headers.allocated)
    for number in range(span.nelems):
        assert heap.is_live(span, number) == (number in made.headers.allocated)
    end = span.start + span.nelems * 48
    assert heap.object_at(end - 1) is not None
    assert end == span.start + span.size or heap.object_at(end) is None


# --- what cannot be read, or makes no sense ---


def _bytes_of(made: Made, address: int) -> Optional[int]:
    heap, headers = made.look()
    number = headers.number_of(address)
    assert number is not None
    (size,) = Sizes(heap, made.swiss).measure([headers[number]], [None])
    assert (size.total is None) == (size.wasted is None)
    return size.total


@pytest.mark.parametrize("minor", SWISS)
def test_bytes_of_tables_that_cannot_be_read(minor: int) -> None:
    made = Made(minor)
    whole = goheap.swiss(made.directory, 20, 2, 1, 63)
    # header, directory, and its one table, that two entries lead to, with groups
    assert _bytes_of(made, made.add(whole)) == 48 + 16 + 32 + 288
    other = made.image.allocate(16)
    made.image.write(other, words(made.table, NOWHERE))
    assert _bytes_of(made, made.add(goheap.swiss(other, 20, 2, 1, 63))) is None
    lost = made.image.allocate(32)
    made.image.write(lost, goheap.table(NOWHERE))
    made.image.write(other, words(made.table, lost))
    assert _bytes_of(made, made.add(goheap.swiss(other, 20, 2, 1, 63))) is None


@pytest.mark.parametrize("minor", CLASSIC)
def test_bytes_of_overflow_lists_that_cannot_be_read(minor: int) -> None:
    made = Made(minor)
    address = made.add(goheap.classic(made.bucket, 9, extra=made.small))
    assert _bytes_of(made, address) == 48 + 144 + 24
    slice, buckets = made.image.allocate(24), made.image.allocate(64)
    made.image.write(slice, words(buckets, 1, 8))
    made.image.write(made.small, words(slice, 0, 0))
    assert _bytes_of(made, address) == 48 + 144 + 24 + 24 + 64
    made.image.write(made.small, words(NOWHERE, 0, 0))
    assert _bytes_of(made, address) is None


@pytest.mark.parametrize("minor", MINORS)
def test_an_mspan_that_cannot_be_read(minor: int) -> None:
    made = Made(minor)
    made.image.extra = [NOWHERE, 0, 8, (1 << 64) - 8]
    heap, headers = made.look()
    assert heap.unread == 4 and set(headers.addresses) == set(made.maps)


LIES = [
    {"startAddr": 0},
    {"startAddr": HEAP + 4096},
    {"startAddr": 1 << 47},
    {"npages": 0},
    {"npages": 1 << 40},
    {"npages": (1 << 64) - 1},
    {"npages": 1 << 30},
    {"nelems": 0},
    {"nelems": 60000},
    {"nelems": 3},
    {"elemsize": 0},
    {"elemsize": 7},
    {"elemsize": 16},
    {"elemsize": 4096},
    {"elemsize": (1 << 64) - 1},
    {"spanclass": 0},
]


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("lies", LIES, ids=str)
def test_an_mspan_that_makes_no_sense(minor: int, lies: Dict[str, int]) -> None:
    made = Made(minor)
    damaged = made.image.span(48)
    valid = goheap.swiss(made.bucket) if made.swiss else goheap.classic(made.bucket)
    made.image.put(damaged, 0, valid)
    damaged.lies = dict(lies)
    heap, headers = made.look()
    assert heap.unread == 1 and set(headers.addresses) == set(made.maps)


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("pages", [1, 2, 100])
def test_spans_that_claim_the_same_pages(minor: int, pages: int) -> None:
    made = Made(minor)
    made.image.spans.append(
        MadeSpan(made.headers.start, pages * 8192, pages * 8192, 1, True, lies={"spanclass": 1})
    )
    heap, headers = made.look()
    assert heap.unread >= 1
    # of two of one size nothing tells which it is
    assert set(headers.addresses) == set(made.maps) or pages == 1 and len(headers) == 0


@pytest.mark.parametrize("nelems", [163, 164, 166, 168])
def test_one_span_does_not_tell_where_all_have_their_marks(nelems: int) -> None:
    made = Made(26)
    lowest = MadeSpan(HEAP - 8192, 8192, 48, 165, lies={"nelems": nelems})
    made.image.map_region(lowest.start, bytes(8192))
    made.image.spans.insert(0, lowest)
    assert set(made.found()) == set(made.maps)


@pytest.mark.parametrize("minor", MINORS)
def test_a_span_that_is_listed_twice(minor: int) -> None:
    made = Made(minor)
    made.image.extra = [MSPANS, MSPANS]
    heap, headers = made.look()
    assert heap.unread == 2 and set(headers.addresses) == set(made.maps)


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("what", ["pages", "allocBits", "gcmarkBits"])
def test_headers_that_cannot_be_read(minor: int, what: str) -> None:
    made = Made(minor)
    lost = made.image.span(48)
    lost.sweepgen = SWEEPGEN - 2
    lost.lies = {"startAddr": NOWHERE & ~8191} if what == "pages" else {what: NOWHERE}
    heap, headers = made.look()
    assert (heap.unread, headers.unread) == (0, 1)
    assert set(headers.addresses) == set(made.maps)


def test_the_arenas_bits_that_cannot_be_read() -> None:
    for minor in (19, 21):
        made = Made(minor)
        made.image.finish()
        made.image.write_word(MHEAP + layouts.mheap(minor).at("arenas"), NOWHERE)
        heap, headers = find(made.image, minor)
        assert (heap.unread, headers.unread, len(headers)) == (0, 1, 0)


@pytest.mark.parametrize("minor", MINORS)
def test_the_list_of_spans(minor: int) -> None:
    made = Made(minor)
    for _ in range(4):
        made.image.span(64)
    made.image.finish()
    memory = Memory(made.image.read)
    at = MHEAP + layouts.mheap(minor).at("allspans")
    # without a symbol it is searched among the variables
    data = [Section(".bss", MHEAP, MHEAP + (1 << 17))]
    assert len(find_heap(memory, minor, [], data)) == len(made.image.spans)
    with pytest.raises(MapscopeError, match=r"\(runtime.mheap_\) was not found"):
        find_heap(memory, minor, [], [])
    # what cannot be read is not said to be missing
    made.image.write_word(at, NOWHERE)
    with pytest.raises(MapscopeError, match="cannot tell: the list of the heap's spans .*cannot"):
        find_heap(Memory(made.image.read), minor, [MHEAP], data)
    with pytest.raises(MapscopeError, match="cannot tell: "):
        find_heap(Memory(made.image.read), minor, [NOWHERE], [])
    with pytest.raises(MapscopeError, match="cannot tell: .* was not found in what can be read: "):
        find_heap(Memory(made.image.read), minor, [], data)
    with pytest.raises(MapscopeError, match="cannot tell: .* was not found in what can be read: "):
        lost = [Section(".bss", NOWHERE, NOWHERE + 4096)]
        find_heap(Memory(made.image.read), minor, [], lost)
    for length, capacity in ((0, 0), (5, 4), (1 << 40, 1 << 40), ((1 << 64) - 1, 1)):
        made.image.write(at, words(LIST, length, capacity))
        with pytest.raises(MapscopeError):
            find_heap(Memory(made.image.read), minor, [MHEAP], data)


# --- damage ---

#: (which region, where in it, what is written there)
DAMAGES = st.lists(
    st.tuples(
        st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.sampled_from(["flip", "byte", "word"])
    ),
    min_size=1,
    max_size=12,
)
_WORDS: Tuple[int, ...] = (
    0,
    1,
    255,
    4096,
    8192,
    1 << 32,
    1 << 46,
    (1 << 47) - 8,
    1 << 63,
    (1 << 64) - 1,
)
_WORDS += (HEAP, HEAP + 8192, MSPANS, NOWHERE)


def _damage(
    image: HeapImage, regions: List[Tuple[int, int]], damages: List[Tuple[int, int, str]]
) -> None:
    for which, where, kind in damages:
        start, size = regions[which % len(regions)]
        chance = random.Random(which * 31 + where)
        if kind == "word":
            at = start + where % (size // 8) * 8
            image.write_word(at, chance.choice(_WORDS))
            continue
        at = start + where % size
        old = image.read(at, 1)[0]
        new = old ^ 1 << chance.randrange(8) if kind == "flip" else chance.randrange(256)
        image.write(at, bytes([new]))


class Counted:
    """Reads of an image.

    :ivar taken: bytes, and `reads` how often
    """

    def __init__(self, image: HeapImage) -> None:
        self.image = image
        self.taken = self.reads = 0

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        data = self.image.read(address, size)
        self.taken += size
        return data


class Damaged:
    """A heap that is as it was after each look.

    :ivar known: of this heap, in its headers' span, every object that has a header's bytes
    """

    def __init__(self, minor: int) -> None:
        made = self.made = Made(minor)
        valid = goheap.swiss(made.bucket) if made.swiss else goheap.classic(made.bucket)
        freed = made.add(valid, is_map=False)
        made.headers.allocated.remove((freed - made.headers.start) // 48)
        self.known = set(made.maps) | {freed}
        self.image = made.image
        made.image.finish()
        count = len(made.image.spans)
        heap = layouts.mheap(minor)
        self.about = [
            (MSPANS, 0x100 * count),
            (LIST, 8 * count),
            (goheap.BITS, 0x800 * count),
            (MHEAP + heap.at("sweepgen"), heap.at("arenas") + 8 - heap.at("sweepgen")),
        ]
        span = made.headers
        self.content = [(span.start, span.size), (made.table, 32), (made.directory, 16)]
        if minor <= 21:
            self.content.append((goheap.ARENA, 0x8000))
        self.saved = made.image.save()

    def look(self) -> Tuple[Optional[GoHeap], Headers]:
        """What is found of it; no heap where it ended with an error."""
        counted = Counted(self.image)
        started = time.process_time()
        heap, headers = None, Headers()
        try:
            heap = find_heap(Memory(counted.read), self.made.minor, [MHEAP], [])
            find_headers(heap, self.made.swiss, no_progress, headers)
        except MapscopeError as error:
            assert "\n" not in str(error)
        assert counted.taken < 64 << 20 and counted.reads < 4096
        assert time.process_time() - started < 5
        assert list(headers.addresses) == sorted(set(headers.addresses))
        return heap, headers


_DAMAGED = {minor: Damaged(minor) for minor in (19, 23, 26)}
EXAMPLES = settings(max_examples=120)


@pytest.mark.parametrize("minor", _DAMAGED)
@given(damages=DAMAGES)
@EXAMPLES
def test_damaged_lists_of_objects_invent_none(
    minor: int, damages: List[Tuple[int, int, str]]
) -> None:
    heap = _DAMAGED[minor]
    try:
        _damage(heap.image, heap.about, damages)
        _, headers = heap.look()
        # what lies in a header's place is a header, whether allocated or not
        assert set(headers.addresses) <= heap.known
    finally:
        heap.image.restore(heap.saved)


@pytest.mark.parametrize("minor", _DAMAGED)
@given(damages=DAMAGES)
@EXAMPLES
def test_damaged_headers_are_of_objects_that_can_be_theirs(
    minor: int, damages: List[Tuple[int, int, str]]
) -> None:
    heap = _DAMAGED[minor]
    try:
        _damage(heap.image, heap.content + heap.about, damages)
        found, headers = heap.look()
        for number in range(len(headers)):
            header = headers[number]
            assert found is not None
            size = found.value_at(header.data)
            if heap.made.swiss:
                assert size >= 8 * header.log if header.log else header.entries <= 8
                assert header.entries <= max(8, 1024 * header.log)
            else:
                assert size >= 16 << header.log if header.data else header.entries == 0
                assert header.entries <= (16 << header.log) + 8
    finally:
        heap.image.restore(heap.saved)


def test_an_undamaged_one() -> None:
    for heap in _DAMAGED.values():
        _, headers = heap.look()
        assert set(headers.addresses) == set(heap.made.maps)


# --- map heap of a whole program ---


class Whole:
    """A Go program with two maps, whose heap and types can be damaged.

    :ivar maps: entries by address
    """

    def __init__(self, version: str) -> None:
        minor = int(version.split(".")[1])
        self.image = image = HeapImage(minor)
        self.program = GoProgram(version, image=image)
        self.maps: Dict[str, int] = {}
        self.type_names = ["map[uint64]uint64", "map[string]uint64"]
        (self._make_swiss if minor >= 24 else self._make_classic)()
        self.target: FakeTarget = self.program.finish()
        self.target.symbol_table["runtime.mheap_"] = [MHEAP]
        image.finish()
        heap = layouts.mheap(minor)
        count = len(image.spans)
        self.regions = [
            (MSPANS, 0x100 * count),
            (LIST, 8 * count),
            (goheap.BITS, 0x800 * count),
            (MHEAP + heap.at("sweepgen"), heap.at("arenas") + 8 - heap.at("sweepgen")),
            (goheap.ARENA, 0x8000),
            (TYPES, self.program.used()),
            (MODULE, 4096),
            *((span.start, span.size) for span in image.spans),
        ]
        self.saved = image.save()

    def _make_classic(self) -> None:
        numbers = self.program.map("m", Int(8, name="uint64"), Int(8, name="uint64"))
        texts = self.program.map("t", Text(), Int(8, name="uint64"))
        numbers.fill({n: n for n in range(100)})
        texts.fill({f"key {n}": n for n in range(9)})
        self.maps = {hex(numbers.address): 100, hex(texts.address): 9}

    def _make_swiss(self) -> None:
        """A map of tables and a small one, whose keys are not where their hashes say."""
        image, program = self.image, self.program
        for key in (Int(8, name="uint64"), Text()):
            kinds = program.descriptor(key), program.descriptor(Int(8, name="uint64"))
            slot = key.size + 8
            group = 8 + 8 * slot
            more = words(kinds[0].address, kinds[1].address, 0, 0, group, slot, key.size, 0)
            program.rtype(goprogram.MAP, f"map[{kinds[0].name}]uint64", 8, more)
            cells = (bytes([1, 2, 3]) + b"\x80" * 5 + bytes(8 * slot)) * 2
            groups = image.place(cells)
            table = image.place(goheap.table(groups, used=6))
            directory = image.place(words(table, table))
            for data, entries in (
                (goheap.swiss(directory, 6, 2, 1, 63), 6),
                (goheap.swiss(image.place(cells[:group]), 3), 3),
            ):
                address = image.allocate(48)
                image.write(address, data)
                self.maps[hex(address)] = entries


_WHOLE = [Whole("go1.19.8"), Whole("go1.24.4")]


@pytest.mark.parametrize("whole", _WHOLE, ids=["classic", "swiss"])
def test_map_heap_of_a_whole_program(whole: Whole) -> None:
    form = one(whole.target, "heap")
    assert {row["address"]: row["count"] for row in form["maps"]} == whole.maps
    assert form["complete"] is True
    for row in form["maps"]:
        assert row["type"] in (None, *whole.type_names)
        assert set(row["candidates"]) <= set(whole.type_names)
    # no goroutine and no variable is known: what nothing refers to is not said to be garbage
    assert {row["garbage"] for row in form["maps"]} == {None} and form["notes"]


@pytest.mark.parametrize("whole", _WHOLE, ids=["classic", "swiss"])
@given(damages=DAMAGES, options=st.sampled_from(["", "--json", "--by owner", "--no-owners"]))
@settings(max_examples=120)
def test_map_heap_of_a_damaged_program(
    whole: Whole, damages: List[Tuple[int, int, str]], options: str
) -> None:
    pieces: List[str] = []
    target = whole.target
    started, before = time.process_time(), target.reads
    try:
        _damage(whole.image, whole.regions, damages)
        shell.run(target, target.stops, "heap", options, pieces.append)
    except MapscopeError as error:
        assert "\n" not in str(error) and "internal error" not in str(error), str(error)
    finally:
        whole.image.restore(whole.saved)
    assert time.process_time() - started < 5 and target.reads - before < 8192
    printed = "".join(pieces)
    assert all(part.isprintable() for part in printed.split("\n")) and len(printed) < 1 << 20


@pytest.mark.parametrize("minor", MINORS)
def test_many_addresses_are_looked_up_as_each_by_itself(minor: int) -> None:
    made = Made(minor)
    made.image.finish()
    heap, headers = find(made.image, minor)
    places = [0, 8, 4096, NOWHERE, (1 << 64) - 1]
    for span in heap.spans():
        first = span.start + span.header
        places += [span.start - 1, span.start, first, first + 8, first + span.elemsize]
        places += [first + span.elemsize * span.nelems, span.start + span.size - 8]
    assert heap.values_at(places) == [heap.value_at(place) for place in places]
    for place, kind in zip(places, heap.kinds_at(places)):
        found = heap.span_of(place)
        assert kind == (None if found is None else (found.elemsize, found.noscan))
    wanted = [*headers.addresses[::2], *(place + 8 for place in headers.addresses), 0]
    assert headers.numbers_of(wanted) == list(range(0, len(headers), 2))
    assert headers.numbers_of([]) == []


@given(st.integers(0, (1 << 90) - 1), st.integers(1, 63), st.sampled_from([1, 3, 15]))
def test_which_objects_have_pointers_where_they_are_wanted(
    bits: int, wanted: int, count: int
) -> None:
    for some in (bits, bits | wanted, wanted * sum(1 << 6 * number for number in range(count))):
        found = _fitting(some, wanted, 6, count)
        right = [number for number in range(count) if some >> 6 * number & 63 == wanted]
        assert numbers_of(found, count) == right

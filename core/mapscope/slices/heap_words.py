# SPDX-License-Identifier: MIT
"""Objects of a Go heap that refer to an array, found word by word where the collector sees
pointers."""

from typing import List, NamedTuple, Optional

from ..errors import MapscopeError, MemoryUnreadable
from ..flavours.go.heap_view import heap_of
from ..go.heap_spans import GoHeap, Span
from ..session import Session
from .array_references import Arrays

#: places that are told
_MOST = 1000
#: bytes that are read at once
_TOGETHER = 1 << 20


class InHeap(NamedTuple):
    """A word in an object.

    :ivar start: of the object
    :ivar offset: of the word in it
    """

    start: int
    size: int
    offset: int
    target: int


def search_heap(
    session: Session, arrays: Arrays, looked: List[str], missed: List[str]
) -> List[InHeap]:
    """Words of live objects that refer to an array.

    :param looked: what was looked at is added here; missed: what could not be
    """
    found: List[InHeap] = []
    try:
        heap = heap_of(session)
    except MapscopeError as error:
        missed.append(f"the heap: {error}")
        return found
    spans = objects = unread = 0
    for span in heap.spans():
        if span.noscan:
            continue
        try:
            objects += _search(session, heap, span, arrays, found)
            spans += 1
        except MemoryUnreadable:
            unread += 1
        if len(found) >= _MOST:
            missed.append(f"the heap beyond the first {_MOST} places")
            break
    looked.append(f"{objects} objects with pointers of the heap, in {spans} spans")
    if unread:
        missed.append(f"{unread} spans of the heap that cannot be read")
    return found


def _search(session: Session, heap: GoHeap, span: Span, arrays: Arrays, found: List[InHeap]) -> int:
    """One span's objects; returns how many there are."""
    live: Optional[List[int]] = None
    for first in range(0, span.size, _TOGETHER):
        raw = session.memory.read_chunk(span.start + first, min(_TOGETHER, span.size - first))
        words = memoryview(bytes(raw)).cast("Q")
        for number, word in enumerate(words):
            if not arrays.first <= word < arrays.last or not arrays.has(word):
                continue
            if live is None:
                live = heap.live(span)
            at = first + 8 * number
            index = at // span.elemsize
            start = span.start + index * span.elemsize + span.header
            offset = span.start + at - start
            if offset < 0 or index not in live or arrays.has(start):
                continue
            found.append(InHeap(start, span.elemsize - span.header, offset, word))
    return len(heap.live(span))

# SPDX-License-Identifier: MIT
"""Hashes of texts that lie all over memory, which is gone through once, in the order of
addresses."""

from array import array
from bisect import bisect_right
from typing import Optional

from ..errors import MemoryUnreadable
from ..kernels.hashes import HashFunction
from ..kernels.scanning import anchor, put, reach, sort, take
from .memory import ADDRESS_LIMIT, CHUNK, Memory

#: longest text that is hashed together with others
_SHORT = 4096
#: bytes that are read for a text, on average of all
_SPARSE = 8192


def hash_texts(
    memory: Memory,
    function: HashFunction,
    starts: "array[int]",
    lengths: "array[int]",
    seed: int,
) -> Optional["array[int]"]:
    """The hashes of all these texts; None: one of them cannot be read or is long, they lie too far
    from each other, or no kernel computes them.

    :param starts: addresses; those of empty texts do not matter
    :param seed: what all begin with
    """
    if not len(starts) or not function.available(8 * len(starts)):
        return None
    ordered = starts[:]
    order, longest = anchor(ordered, lengths)
    if longest > _SHORT:
        return None
    sort(ordered, order)
    sizes, seeds = take(lengths, order), array("Q", [seed]) * len(order)
    if longest and (ordered[0] < CHUNK or ordered[-1] >= ADDRESS_LIMIT - CHUNK):
        return None
    hashes, first, left = array("Q"), 0, _SPARSE * len(ordered) + 4 * CHUNK
    most = len(ordered)
    while first < len(ordered):
        low = ordered[first] & ~0xFFF
        last = bisect_right(ordered, low + CHUNK - longest, first)
        last = max(first + 1, min(last, first + most))
        theirs, their_sizes = ordered[first:last], sizes[first:last]
        end = reach(theirs, their_sizes)
        left -= end - low
        if left < 0:
            return None
        try:
            data = memory.read_chunk(low, end - low) if longest else memoryview(b"\0")
        except MemoryUnreadable:
            if last == first + 1:
                return None
            most = (last - first) // 2  # there may be a hole between two of them
            continue
        found = function.texts(data, low, theirs, their_sizes, seeds[first:last])
        if found is None:
            return None
        hashes.extend(found)
        first, most = last, len(ordered)
    return put(hashes, order)

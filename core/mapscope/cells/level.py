# SPDX-License-Identifier: MIT
"""Buckets of one array, taken apart in bulk.

Byte i of every bucket of a level is `data[i::size]`, which is how consumers count millions of
cells without a loop over them. What this must not know: headers, growth, what keys mean."""

from itertools import compress
from typing import List, Sequence, Tuple

from ..records import dataclass
from .layout import BucketLayout
from .marks import CELLS, EVACUATED, LIVE, NOT_LIVE

#: bytes of overflow pointers that are looked at together
_GROUP = 512


_NIL = bytes(_GROUP)


@dataclass(frozen=True)
class BucketArray:
    """`count` buckets at `address`; name is "new" or "old"."""

    name: str
    address: int
    count: int


@dataclass(frozen=True)
class Level:
    """Buckets at the same position of their chains.

    :ivar chain: 0 for the buckets themselves, n for n-th overflow buckets
    :ivar owners: for each bucket, the index of the chain's head in the array
    :ivar addresses: of each bucket
    :ivar data: the buckets, one behind the other
    """

    array: BucketArray
    chain: int
    owners: Sequence[int]
    addresses: Sequence[int]
    data: memoryview

    def tophashes(self, layout: BucketLayout) -> bytes:
        """The tophash bytes of all buckets, 8 for each, in order."""
        return _words(self.data, 0, layout.size)

    def live(self, layout: BucketLayout) -> int:
        """How many cells are live."""
        return len(self.tophashes(layout).translate(None, NOT_LIVE))

    def live_counts(self, layout: BucketLayout) -> bytes:
        """Live cells of each bucket, one byte each."""
        live = self.tophashes(layout).translate(LIVE)
        # eight vectors of 0/1 bytes, added as long integers: no byte exceeds 8
        total = sum(int.from_bytes(live[cell::CELLS], "little") for cell in range(CELLS))
        return total.to_bytes(len(self.owners), "little")

    def evacuated(self, layout: BucketLayout) -> bytes:
        """1 for each bucket whose tophash[0] is an evacuated mark, else 0."""
        return self.data[0 :: layout.size].tobytes().translate(EVACUATED)

    def overflows(self, layout: BucketLayout) -> Tuple[List[int], List[int]]:
        """(indices of buckets with an overflow bucket, its address)."""
        raw = _words(self.data, layout.overflow, layout.size)
        number = len(self.owners)
        indices: List[int] = []
        pointers: List[int] = []
        # Mostly nil: look into the groups of buckets that hold any pointer.
        filled = [at for at in range(0, len(raw), _GROUP) if raw[at : at + _GROUP] != _NIL]
        if 4 * len(filled) < len(raw) // _GROUP:
            words = memoryview(raw).cast("Q")
            for at in filled:
                first = at // 8
                for index, pointer in enumerate(words[first : first + _GROUP // 8], first):
                    if pointer:
                        indices.append(index)
                        pointers.append(pointer)
            return indices, pointers
        # Mostly not: one byte for each pointer that is 0 only if all its bytes are.
        marks = 0
        for byte in range(8):
            marks |= int.from_bytes(raw[byte::8], "little")
        flags = marks.to_bytes(number, "little")
        indices = list(compress(range(number), flags))
        pointers = list(compress(memoryview(raw).cast("Q").tolist(), flags))
        return indices, pointers


def _words(data: memoryview, offset: int, size: int) -> bytes:
    """The 64-bit word at `offset` of each `size` bytes of data."""
    return data.cast("Q")[offset // 8 :: size // 8].tobytes()

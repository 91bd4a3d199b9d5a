# SPDX-License-Identifier: MIT
"""Buckets of one array, taken apart in bulk.

Byte i of every bucket of a level is `data[i::size]`, which is how consumers count millions of
cells without a loop over them. What this must not know: headers, growth, what keys mean."""

from typing import List, Sequence, Tuple

from ..kernels.scanning import Records
from ..records import dataclass
from .layout import BucketLayout
from .marks import CELLS, EVACUATED_EMPTY, EVACUATED_X, MIN_TOP_HASH


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
        return self.records(layout).words(0)

    def records(self, layout: BucketLayout) -> Records:
        """The buckets as records of bytes."""
        return Records(self.data, layout.size)

    def live(self, layout: BucketLayout) -> int:
        """How many cells are live."""
        return self.records(layout).total(0, CELLS, MIN_TOP_HASH, 255)

    def live_counts(self, layout: BucketLayout) -> bytes:
        """Live cells of each bucket, one byte each."""
        return live_cells(self.records(layout))[0]

    def evacuated(self, layout: BucketLayout) -> bytes:
        """1 for each bucket whose tophash[0] is an evacuated mark, else 0."""
        return self.records(layout).count(0, 1, EVACUATED_X, EVACUATED_EMPTY)[0]

    def overflows(self, layout: BucketLayout) -> Tuple[List[int], List[int]]:
        """(indices of buckets with an overflow bucket, its address)."""
        links = self.records(layout).links(layout.overflow)
        return links.indices.tolist(), links.words.tolist()


def live_cells(records: Records) -> Tuple[bytes, List[int]]:
    """Live cells of each bucket, one byte each; and how many buckets have 0, 1, ... of them."""
    return records.count(0, CELLS, MIN_TOP_HASH, 255)

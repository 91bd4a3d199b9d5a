# SPDX-License-Identifier: MIT
"""Cells of the same tophash."""

from typing import Iterator, Optional, Tuple

from ..kernels.scanning import equal_bytes
from .marks import CELLS, MIN_TOP_HASH

#: tophashes of dead cells made one value, which no live cell has: for either side of a pair
_DEAD = (bytes(MIN_TOP_HASH), b"\1" * MIN_TOP_HASH)


_SIDES = tuple(dead + bytes(range(MIN_TOP_HASH, 256)) for dead in _DEAD)


#: two cells: (bucket, cell of the first, cell of the second)
Pair = Tuple[int, int, int]


def equal_tophashes(tops: bytes, others: Optional[bytes] = None) -> Iterator[Pair]:
    """Live cells of a bucket that have the same tophash, all buckets at once.

    :param tops: 8 bytes for each bucket
    :param others: of as many other buckets, to be compared with; None: each with itself
    """
    number = len(tops) // CELLS
    found = equal_bytes(tops, others, MIN_TOP_HASH)
    if found is not None:
        yield from found
        return
    first, second = (
        [int.from_bytes(cells[at::CELLS], "little") for at in range(CELLS)]
        for cells in (
            tops.translate(_SIDES[0]),
            (tops if others is None else others).translate(_SIDES[1]),
        )
    )
    for a in range(CELLS):
        for b in range(a + 1 if others is None else 0, CELLS):
            differ = (first[a] ^ second[b]).to_bytes(number, "little")
            at = differ.find(0)
            while at >= 0:
                yield at, a, b
                at = differ.find(0, at + 1)

# SPDX-License-Identifier: MIT
"""Rows of bytes: taken from all over a piece of memory, and texts in them hashed."""

from array import array
from typing import List, Optional, Sequence, Tuple

from .native import kernels_for


def take(
    data: bytes, base: int, gone: bytes, part_bits: int, places: Sequence[int], width: int
) -> Optional[Tuple[bytes, List[int]]]:
    """(`width` bytes at each place, one row behind the other; indices of those that are not to be
    had, which are zeros). None where the library is not there: Memory knows its own way.

    :param base: the address of the first byte of `data`
    :param gone: a byte for each part of 1 << part_bits bytes of it, other than 0 where the part is
        not to be used
    """
    kernels = kernels_for(len(places) * width)
    if kernels is None or min(places, default=0) < 0:
        return None
    try:
        where = array("Q", places)
    except OverflowError:  # they are what a program says
        return None
    rows, missing = bytearray(width * len(where)), array("I", bytes(4 * len(where)))
    marks = gone if any(gone) else None
    found = (data, len(data), base, marks, part_bits, where, len(where), width, rows, missing)
    without = kernels.call("rows", *found)
    return bytes(rows), missing[:without].tolist()


def siphash(
    rows: bytes, stride: int, start: int, lengths: bytes, seed: bytes, rounds: Tuple[int, int]
) -> Optional[List[int]]:
    """SipHash of a text in each row. None where the library is not there.

    :param start: where in its row each text begins; all of it lies in the row
    :param seed: 16 bytes
    :param rounds: for each word, and at the end
    """
    kernels = kernels_for(len(rows))
    if kernels is None:
        return None
    hashes = array("Q", bytes(8 * len(lengths)))
    keys = (int.from_bytes(seed[:8], "little"), int.from_bytes(seed[8:16], "little"))
    if kernels.call("siphash", rows, stride, start, lengths, len(lengths), *keys, *rounds, hashes):
        raise IndexError("a text outside of its row")
    return hashes.tolist()

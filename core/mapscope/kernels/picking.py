# SPDX-License-Identifier: MIT
"""Cells of records, such as those of buckets: numbers out of them, and the bytes that some of those
are the addresses of."""

from array import array
from itertools import accumulate, compress
from typing import Any, List, Optional, Sequence, Tuple, Union

from .native import kernels_for
from .scanning import inside, sort

#: cells of a record
_CELLS = 8

Buffer = Union[bytes, bytearray, memoryview]


def marked(marks: bytes) -> "array[int]":
    """The numbers, of 32 bits, of the marks that are not 0."""
    kernels = kernels_for(len(marks))
    if kernels is None:
        return array("I", compress(range(len(marks)), marks))
    found = array("I", bytes(4 * len(marks)))
    return found[: kernels.call("marked", marks, len(marks), found)]


def pick(
    data: memoryview, stride: int, offset: int, step: int, code: str, cells: "array[int]"
) -> "array[Any]":
    """The number of each of some cells of records that lie one behind the other.

    :param stride: bytes of a record, a multiple of the number's
    :param offset: of cell 0's in a record, as much
    :param step: from it to that of the next cell, as much
    :param code: its struct-module character
    :param cells: 8 * record + cell
    """
    kernels = kernels_for(len(data))
    width = array(code).itemsize
    if kernels is None:
        words, number = data.cast(code), _CELLS * (len(data) // stride)
        flat: List[Any] = [None] * number
        for cell in range(_CELLS):
            flat[cell::_CELLS] = words[(offset + cell * step) // width :: stride // width].tolist()
        return array(code, [flat[cell] for cell in cells])
    found = array(code, bytes(width * len(cells)))
    where = (data, len(data), stride, offset, step, width)
    inside(kernels.call("pick", *where, cells, len(cells), found))
    return found


def in_order(owners: Sequence[Sequence[int]], cells: Sequence["array[int]"]) -> Sequence[int]:
    """The cells of several pieces, numbered piece by piece: those of one owner together, in the
    order of their numbers, by their owners.

    :param owners: of the records of each piece
    :param cells: 8 * record + cell of each piece
    """
    total = sum(map(len, cells))
    kernels = kernels_for(_CELLS * total)
    if kernels is None:
        of_each: List[int] = []
        for of, some in zip(owners, cells):
            of_each.extend([of[cell >> 3] for cell in some])
        return sorted(range(total), key=of_each.__getitem__)
    words, numbers, at = array("Q", bytes(8 * total)), array("I", range(total)), 0
    view = memoryview(words)
    for of, some in zip(owners, cells):
        part = view[at : at + len(some)]
        is_range = isinstance(of, range) and of.step == 1
        given = None if is_range else array("Q", of)
        first = of[0] if is_range and len(of) else 0
        inside(kernels.call("owners", given, first, len(of), some, len(some), part))
        at += len(some)
    sort(words, numbers)
    return numbers


def sums_before(numbers: "array[int]") -> "array[int]":
    """The sums of the numbers in front of each, and of all; all of 64 bits."""
    kernels = kernels_for(8 * len(numbers))
    if kernels is None:
        return array("Q", accumulate(numbers, initial=0))
    found = array("Q", bytes(8 * len(numbers) + 8))
    kernels.call("offsets", numbers, len(numbers), found)
    return found


def cut(
    data: Optional[Buffer],
    base: int,
    pieces: Tuple["array[int]", "array[int]", int, int],
    offsets: "array[int]",
    copy: bytearray,
) -> int:
    """Copy pieces of memory to where each belongs; gives the first that is not in the data whole.

    :param data: memory from the address `base` on; None: there is none
    :param pieces: addresses, the numbers of the pieces that begin there, and from which on to
        which of these
    :param offsets: of each piece, by its number, in the copy, and the end of the last one
    """
    addresses, which, first, last = pieces
    if data is None:
        return first
    kernels = kernels_for(len(data))
    if kernels is not None:
        starts, numbers = memoryview(addresses)[first:last], memoryview(which)[first:last]
        where = (data, len(data), base, starts, numbers, last - first)
        return first + inside(
            kernels.call("cut", *where, offsets, len(offsets) - 1, copy, len(copy))
        )
    for at in range(first, last):
        piece, start = which[at], addresses[at] - base
        size = offsets[piece + 1] - offsets[piece]
        if not 0 <= start <= len(data) - size:
            return at
        copy[offsets[piece] : offsets[piece + 1]] = data[start : start + size]
    return last

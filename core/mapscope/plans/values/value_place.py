# SPDX-License-Identifier: MIT
"""Where the value of an entry lies, and which words change when it moves or is deleted."""

from typing import NamedTuple, Optional, Tuple

from ...classic.classic_map import ClassicMap
from ...errors import MapscopeError, NotAMap, UsageError
from ...maps.found import Found
from ...maps.view import MapView
from ...program.types import Type
from ...program.values import escape
from ...swiss.swiss_map import SwissMap

#: sizes that a debug register of x86-64 watches
SIZES = (1, 2, 4, 8)
#: Go 1.24 and later: of a map the pointer to its table, of a table its number, -1 when it was left
_DIR_PTR, _TABLE_INDEX = 16, 8


class ValuePlace(NamedTuple):
    """Where an entry lies.

    :ivar value: address of what is watched of the value, and `size` its bytes
    :ivar mark: address of the entry's tophash or control byte
    :ivar moves: address of a word that is stored when the entry has moved; None: the mark tells
    :ivar where: for a reader
    """

    value: int
    size: int
    mark: int
    moves: Optional[int]
    where: str


def part_of(text: str) -> Tuple[int, int]:
    """OFFSET or OFFSET:SIZE.

    :raises UsageError: if it is none
    """
    offset, _, size = text.partition(":")
    try:
        found = int(offset, 0), int(size or "8", 0)
    except ValueError:
        found = -1, 0
    if found[0] < 0 or found[1] not in SIZES:
        raise UsageError(
            f"--part {escape(text)}: expected OFFSET or OFFSET:SIZE, in bytes of the value; the "
            "processor watches 1, 2, 4 or 8"
        )
    return found


def extent(type: Type, part: Optional[Tuple[int, int]]) -> Tuple[int, int]:
    """Which bytes of a value are watched: offset and size.

    :raises UsageError: if they cannot be
    """
    name = escape(type.name)
    if not type.size:
        raise UsageError(f"a value of type {name} has no bytes: nothing of it can change")
    if part is not None:
        if part[0] + part[1] > type.size:
            raise UsageError(f"--part: a value of type {name} has {type.size} bytes")
        return part
    if type.size not in SIZES:
        raise UsageError(
            f"a value of type {name} has {type.size} bytes, and the processor watches 1, 2, 4 or "
            "8 of them: say which part, as in --part 0:8"
        )
    return 0, type.size


def place_of(view: MapView, found: Found, offset: int, size: int) -> Optional[ValuePlace]:
    """Where an entry that was looked up lies; None: it is in no place now, but being moved.

    :raises MapscopeError: if it is not there, or the processor cannot watch it
    """
    where = found.where
    if where is None or found.elem_address is None:
        if found.is_known(view.problems):
            raise NotAMap("the map has no such key")
        raise MapscopeError("the key was not found in what could be read of the map")
    if found.in_flight or where.cell is None:
        return None
    address = found.elem_address + offset
    if address % size:
        raise UsageError(
            f"{size} bytes at {address:#x} are not aligned: the processor cannot watch them; "
            "--part OFFSET:SIZE names others"
        )
    if isinstance(view, ClassicMap):
        chain = view.chain(where.bucket, where.array == "old")
        mark = chain.buckets[where.chain or 0].cells[where.cell].address
        return ValuePlace(address, size, mark, None, where.text())
    assert isinstance(view, SwissMap) and view.layout is not None and view.address is not None
    table = next(one for one in view.tables() if str(one.number) == where.array)
    mark = table.groups + where.bucket * view.layout.size + where.cell
    moves = table.address + _TABLE_INDEX if table.address else view.address + _DIR_PTR
    return ValuePlace(address, size, mark, moves, where.text())

# SPDX-License-Identifier: MIT
"""An iterator of the C++ runtime's maps -> the entry that it is at."""

from typing import Optional

from ...cells.marks import MIN_TOP_HASH, STATES
from ...classic.classic_map import ClassicMap
from ...errors import NotAMap
from ...maps.view import MapView
from ...program.types import Type
from ...program.values import Decoded, read_value
from ...records import dataclass
from ...session import Session
from .runtime_maps import open_at

#: what the names of iterators' classes end with
SUFFIXES = ("::basic_iterator<false>", "::basic_iterator<true>")


@dataclass(frozen=True)
class Pointed:
    """The entry that an iterator is at.

    :ivar key_address: of the key itself, wherever it lies
    """

    view: MapView
    key: Type
    elem: Type
    key_address: int
    elem_address: int

    def values(self) -> "tuple[Decoded, Decoded]":
        """The key and the element."""
        decoder = self.view.decoder
        return (
            read_value(decoder, self.key, self.key_address),
            read_value(decoder, self.elem, self.elem_address),
        )


def entry_at(
    session: Session, header: int, bucket: int, chain: int, cell: int, level: int
) -> Optional[Pointed]:
    """The entry that an iterator is at; None: it is at the end.

    :param header: its `h`; the others: what its `at` says
    :raises MapscopeError: if it is at none that its map has now
    """
    if not header or not bucket:
        return None
    view = open_at(session, header)
    layout = view.layout if isinstance(view, ClassicMap) else None
    if not isinstance(view, ClassicMap) or layout is None or cell > 7:
        raise NotAMap("this is no iterator of a map (not constructed yet?)")
    key, elem = view.types()
    for array in view.arrays():
        if array is None or array.count != 1 << min(level, 63) or chain >= array.count:
            continue
        for address, data in view.walker().chain(array, chain):
            if address != bucket:
                continue
            if data[cell] < MIN_TOP_HASH:
                raise NotAMap(f"its entry is gone: the cell is {STATES[data[cell]]} now")
            key_at, elem_at = address + layout.key_offset(cell), address + layout.elem_offset(cell)
            return Pointed(
                view,
                key,
                elem,
                session.memory.read_word(key_at) if layout.indirect_key else key_at,
                session.memory.read_word(elem_at) if layout.indirect_elem else elem_at,
            )
    raise NotAMap("its entry is gone: the map has no such bucket now")

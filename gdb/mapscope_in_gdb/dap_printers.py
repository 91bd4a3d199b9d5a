# SPDX-License-Identifier: MIT
"""Maps in an IDE whose adapter is gdb itself (`gdb -i=dap`, gdb 14 and later).

gdb would make all children of a map to know how many there are, and call them members, of which
an IDE asks for all at once. So a map is an array there, whose length is told and whose elements are
found as they are asked for.
"""

from typing import Any, Iterator, Optional, Tuple

import gdb

from mapscope.maps.listing import Listing
from mapscope.program.values import escape, text_form
from .printers import MapPrinter, child_of

#: characters of a key that are shown
_LIMIT = 200
_Base: Any = getattr(gdb, "ValuePrinter", object)


class MapPages(_Base):
    """A map whose entries are its elements, called by their keys."""

    def __init__(self, value: gdb.Value) -> None:
        self._printer = MapPrinter(value)
        self._entries: Optional[Listing] = None

    def _listing(self) -> Optional[Listing]:
        if self._entries is None:
            view = self._printer.view()
            if view is not None and view.key is not None:
                self._entries = Listing(view, lambda: None)
        return self._entries

    def to_string(self) -> str:
        """One line: type, entries, what growth is going on."""
        return self._printer.to_string()

    def num_children(self) -> int:
        """How many entries there are."""
        listing = self._listing()
        inferior = gdb.selected_inferior()
        return 0 if listing is None else listing.count(int(inferior.pid))

    def child(self, index: int) -> Tuple[str, Any]:
        """An entry: its key as text, and its element."""
        listing = self._listing()
        place = None if listing is None else listing.place(index)
        if listing is None or place is None:
            reason = "" if listing is None else listing.error or "; ".join(listing.view.problems)
            return "<error>", f"<{escape(reason) or 'gone'}>"
        batch, at = place
        key = text_form(batch.keys.value(at, listing.view.decoder), _LIMIT)
        return f"[{key}]", child_of(listing.view, batch, batch.elems, at)

    def children(self) -> Iterator[Tuple[str, Any]]:
        """All of them."""
        for index in range(self.num_children()):
            yield self.child(index)

    def display_hint(self) -> str:
        """gdb tells the IDE how many elements there are."""
        return "array"

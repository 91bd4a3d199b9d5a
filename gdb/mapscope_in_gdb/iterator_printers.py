# SPDX-License-Identifier: MIT
"""Iterators of maps print as the entry that they are at, or as the end."""

from typing import Any, Iterator, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.flavours.cpp.iterators import Pointed, entry_at
from mapscope.program.values import escape, text_form
from mapscope.session import Session, describe
from .expressions import value_at
from .target import GdbTarget

_LIMIT = 200
_MASK = (1 << 64) - 1


class IteratorPrinter:
    """A mapscope::map's iterator."""

    def __init__(self, value: gdb.Value) -> None:
        self._found: Optional[Pointed] = None
        self._error = ""
        try:
            inner = value["it_"]
            at = inner["at"]
            numbers = (inner["h"], at["b"], at["chain"], at["i"], at["level"])
            header, bucket, chain, cell, level = (int(number) & _MASK for number in numbers)
            self._found = entry_at(Session(GdbTarget()), header, bucket, chain, cell, level)
        except (MapscopeError, gdb.error) as error:
            self._error = str(error)
        except Exception as error:  # gdb prints locals before they exist
            self._error = describe(error)

    def to_string(self) -> Optional[str]:
        """What it is at, if that is no entry."""
        if self._error:
            return f"<{escape(self._error)}>"
        return "end" if self._found is None else None

    def children(self) -> Iterator[Tuple[str, Any]]:
        """The key and the element, as gdb names those of its own containers' iterators."""
        found = self._found
        if found is None:
            return
        places = ((found.key, found.key_address), (found.elem, found.elem_address))
        for index, (name, (type, address)) in enumerate(zip(("first", "second"), places)):
            native: Any = type.native
            if native is not None:
                yield name, value_at(native, address)
            else:
                yield name, text_form(found.values()[index], _LIMIT)

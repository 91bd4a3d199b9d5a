# SPDX-License-Identifier: MIT
"""Pretty-printers: maps print as maps, at any instruction of a migration.

Children are gdb values and are made as gdb asks for them, so a map of millions
prints its first 200 entries at once and nested values print as users expect.
"""

import time
from typing import Any, Iterator, Optional, Tuple

import gdb

from mapscope.cells.marks import CELLS, MIN_TOP_HASH, STATES
from mapscope.errors import MapscopeError
from mapscope.locate import map_of
from mapscope.maps.batches import Column, EntryBatch
from mapscope.maps.view import MapView
from mapscope.program.types import Kind
from mapscope.program.values import escape, text_form
from mapscope.session import Session, describe
from .expressions import value_at, variable_of
from .target import GdbTarget

#: seconds that printing one value may look for entries (garbage can look large)
_PATIENCE = 2.0

#: of Go, whose values tell their types
_INTERFACES = (Kind.INTERFACE, Kind.EMPTY_INTERFACE)

Child = Tuple[str, Any]


class _GaveUp(MapscopeError):
    """Printing took too long."""


class MapPrinter:
    """A mapscope::map, a Go map, or the hmap of one."""

    def __init__(self, value: gdb.Value) -> None:
        self._value = value
        self._view: Optional[MapView] = None
        self._error = ""

    def to_string(self) -> str:
        """One line: type, entries, what growth is going on."""
        view = self.view()
        if view is None:
            return f"<{escape(self._error)}>"
        return view.headline()

    def children(self) -> Iterator[Child]:
        """Key, value, key, value, ..."""
        view = self.view()
        if view is None or view.key is None:
            return
        number = 0
        error = ""
        deadline = time.monotonic() + _PATIENCE

        def patience(done: int, total: int) -> None:
            if time.monotonic() > deadline:
                raise _GaveUp(f"gave up after {_PATIENCE:g} s, {number // 2} entries found")

        try:
            for batch in view.entries(patience):
                for index in batch.order:
                    yield f"[{number}]", child_of(view, batch, batch.keys, index)
                    yield f"[{number + 1}]", child_of(view, batch, batch.elems, index)
                    number += 2
                    deadline = time.monotonic() + _PATIENCE
        except (MapscopeError, gdb.error) as problem:
            error = str(problem)
        except KeyboardInterrupt:
            error = "interrupted"
        for problem_text in view.problems + ([error] if error else []):
            yield f"[{number}]", "<error>"
            yield f"[{number + 1}]", f"<{escape(problem_text)}>"
            number += 2

    def display_hint(self) -> str:
        """gdb pairs the children."""
        return "map"

    def view(self) -> Optional[MapView]:
        """The map; None: it is none, or damaged."""
        if self._view is None and not self._error:
            try:
                session = Session(GdbTarget())
                session.require_architecture()
                self._view = map_of(session, variable_of(self._value), "this value")
            except MapscopeError as error:
                self._error = str(error)
            except Exception as error:  # gdb prints locals before they exist
                self._error = describe(error)
        return self._view


def child_of(view: MapView, batch: EntryBatch, column: Column, index: int) -> Any:
    """One key or element as a gdb value, or as text where gdb has no type for it."""
    native: Any = column.type.native
    try:
        if native is None:
            native = _lookup(column.type.name, column.type.size)
        if native is not None:
            if index in batch.in_flight:
                data = column.data(index)
                if data is not None:
                    return gdb.Value(data, native)
            value = value_at(native, column.address(index))
            # gdb itself shows two addresses of an interface; Go's own script, if it is loaded, more
            if column.type.kind not in _INTERFACES or gdb.default_visualizer(value) is not None:
                return value
    except (gdb.error, ValueError, TypeError) as error:
        return f"<{escape(str(error))}>"
    return text_form(column.value(index, view.decoder), 200)


def _lookup(name: str, size: int) -> Optional[gdb.Type]:
    """gdb's type for one that Go's type table or the runtime named."""
    try:
        found = gdb.lookup_type(name)
    except (gdb.error, RuntimeError):
        return None
    return found if int(found.sizeof) == size else None


class BucketPrinter:
    """A bmap, or Go's bucket<K,V>: its cells' states, and what live cells hold."""

    def __init__(self, value: gdb.Value) -> None:
        self._value = value

    def to_string(self) -> str:
        """The type and the state of each cell."""
        name = escape(str(self._value.type.strip_typedefs().name))
        try:
            states = [_state(top) for top in self._tops()]
        except (gdb.error, ValueError) as error:
            return f"{name} <{escape(str(error))}>"
        return f"{name} {{{', '.join(states)}}}"

    def children(self) -> Iterator[Child]:
        """Live keys and elements, where the bucket's type says what they are."""
        value = self._value
        names = [field.name for field in value.type.strip_typedefs().fields()]
        if "keys" not in names or "values" not in names:
            return
        number = 0
        for cell, top in enumerate(self._tops()):
            if top >= MIN_TOP_HASH:
                yield f"[{number}]", value["keys"][cell]
                yield f"[{number + 1}]", value["values"][cell]
                number += 2

    def display_hint(self) -> str:
        """gdb pairs the children."""
        return "map"

    def _tops(self) -> "list[int]":
        tops = self._value["tophash"]
        return [int(tops[cell]) for cell in range(CELLS)]


def _state(top: int) -> str:
    return f"live {top:#04x}" if top >= MIN_TOP_HASH else STATES[top]

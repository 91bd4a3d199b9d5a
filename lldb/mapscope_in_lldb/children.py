# SPDX-License-Identifier: MIT
"""Maps as LLDB values: their line, and their entries, found as they are asked for."""

import time
from typing import Dict, Iterator, List, Optional, Tuple

import lldb

from mapscope.cells.marks import CELLS, MIN_TOP_HASH, STATES
from mapscope.errors import MapscopeError
from mapscope.locate import map_of
from mapscope.maps.batches import EntryBatch
from mapscope.maps.view import MapView
from mapscope.program.types import Kind
from mapscope.program.values import escape, text_form
from mapscope.session import Session, describe
from .data import data_of_bytes
from .expressions import variable_of
from .target import LldbTarget

#: seconds that one child may be looked for (garbage can look large)
_PATIENCE = 2.0
#: characters of a key that are shown
_KEY_LIMIT = 200
_MAPS = (Kind.RUNTIME_MAP, Kind.RUNTIME_HMAP)

Place = Tuple[EntryBatch, int]


class _GaveUp(MapscopeError):
    """Finding a child took too long."""


def target_of(value: lldb.SBValue) -> LldbTarget:
    """The target that a value belongs to."""
    native = value.GetTarget()
    return LldbTarget(native.GetDebugger(), lldb.SBExecutionContext(native))


def open_map(target: LldbTarget, value: lldb.SBValue) -> Optional[MapView]:
    """The map that a value is; None: it is another class, such as an iterator.

    :raises MapscopeError: if it is a broken one
    """
    variable = variable_of(value)
    if variable.type.kind not in _MAPS:
        return None
    session = Session(target)
    session.require_architecture()
    return map_of(session, variable, "this value")


def summary(value: lldb.SBValue) -> str:
    """One line: type, entries, what growth is going on."""
    target = target_of(value)
    try:
        view = open_map(target, value)
        return "" if view is None else view.headline()
    except MapscopeError as error:
        return f"<{escape(str(error))}>"
    except Exception as error:  # LLDB shows locals before they exist
        return f"<{escape(describe(error))}>"
    finally:
        target.finish()


def states(value: lldb.SBValue) -> str:
    """The states of the cells of a bmap."""
    error = lldb.SBError()
    process = value.GetProcess()
    tops: Optional[bytes] = process.ReadMemory(value.GetLoadAddress(), CELLS, error)
    if not error.Success() or tops is None or len(tops) != CELLS:
        return "<cannot read the bucket>"
    return "{" + ", ".join(_state(top) for top in tops) + "}"


def _state(top: int) -> str:
    return f"live {top:#04x}" if top >= MIN_TOP_HASH else STATES[top]


class Children:
    """The entries of one map."""

    def __init__(self, value: lldb.SBValue) -> None:
        self._value = value
        self.update()

    def update(self) -> None:
        """Forget everything."""
        self._opened = False
        self._view: Optional[MapView] = None
        self._error = ""
        self._found: List[Place] = []
        self._indexes: Dict[str, int] = {}
        self._walk: Iterator[Place] = iter(())
        self._target: Optional[LldbTarget] = None
        self._deadline = 0.0

    def _open(self) -> Optional[MapView]:
        if not self._opened:
            self._opened = True
            target = self._target = target_of(self._value)
            try:
                self._view = open_map(target, self._value)
                self._walk = self._places()
            except MapscopeError as error:
                self._error = str(error)
            except Exception as error:
                self._error = describe(error)
        return self._view

    def count(self, most: int) -> int:
        """How many children there are, as the header says; of another class, its own."""
        view = self._open()
        if view is None:
            return 0 if self._error else int(self._raw().GetNumChildren())
        return 0 if view.key is None else min(view.count, most)

    def _raw(self) -> lldb.SBValue:
        return self._value.GetNonSyntheticValue()

    def at(self, index: int) -> Optional[lldb.SBValue]:
        """The child at an index; None: there is none."""
        view = self._open()
        if view is None:
            return None if self._error else self._raw().GetChildAtIndex(index)
        self._deadline = time.monotonic() + _PATIENCE
        try:
            while len(self._found) <= index:
                place = next(self._walk, None)
                if place is None:
                    return self._note(view)
                self._found.append(place)
        except (MapscopeError, KeyboardInterrupt) as error:
            self._error = str(error) or "interrupted"
            return self._note(view)
        finally:
            if self._target is not None:
                self._target.finish()
        return self._child(view, index)

    def index(self, name: str) -> int:
        """The index of a child that was shown."""
        view = self._open()
        if view is None:
            return int(self._raw().GetIndexOfChildWithName(name))
        return self._indexes.get(name, -1)

    def _places(self) -> Iterator[Place]:
        def patience(done: int, total: int) -> None:
            if time.monotonic() > self._deadline:
                raise _GaveUp(f"gave up after {_PATIENCE:g} s, {len(self._found)} entries found")

        view = self._view
        if view is not None and view.key is not None:
            for batch in view.entries(patience):
                for index in batch.order:
                    yield batch, index

    def _child(self, view: MapView, number: int) -> lldb.SBValue:
        batch, index = self._found[number]
        name = f"[{text_form(batch.keys.value(index, view.decoder), _KEY_LIMIT)}]"
        self._indexes.setdefault(name, number)
        column = batch.elems
        native = column.type.native
        if native is None:
            return self._text(name, text_form(column.value(index, view.decoder), _KEY_LIMIT))
        data = column.data(index) if index in batch.in_flight else None
        if data is not None:
            return self._made(name, data, native)
        return self._value.CreateValueFromAddress(name, column.address(index), native)

    def _note(self, view: MapView) -> Optional[lldb.SBValue]:
        """What stands at the end of entries that could not all be found."""
        text = self._error or "; ".join(view.problems)
        return self._text("<error>", text) if text else None

    def _text(self, name: str, text: str) -> lldb.SBValue:
        raw = text.encode("utf-8", "backslashreplace") + b"\0"
        char = self._value.GetTarget().GetBasicType(lldb.eBasicTypeChar)
        return self._made(name, raw, char.GetArrayType(len(raw)))

    def _made(self, name: str, raw: bytes, type: lldb.SBType) -> lldb.SBValue:
        data = data_of_bytes(self._value.GetTarget(), raw)
        return self._value.CreateValueFromData(name, data, type)

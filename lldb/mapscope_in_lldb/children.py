# SPDX-License-Identifier: MIT
"""Maps as LLDB values: their line, and their entries, found as they are asked for."""

import re
from typing import List, Optional

import lldb

from mapscope.cells.marks import CELLS, MIN_TOP_HASH, STATES
from mapscope.errors import MapscopeError
from mapscope.locate import map_of
from mapscope.maps.listing import Listing
from mapscope.maps.view import MapView
from mapscope.program.types import Kind
from mapscope.program.values import escape
from mapscope.session import Session, describe
from .entry_values import Entries, text_value
from .expressions import variable_of
from .iterators import IteratorChildren, is_iterator, line
from .target import LldbTarget

_MAPS = (Kind.RUNTIME_MAP, Kind.RUNTIME_HMAP)
_NUMBER = re.compile(r"\[(\d{1,18})\]")


def target_of(value: lldb.SBValue) -> LldbTarget:
    """The target that a value belongs to."""
    native = value.GetTarget()
    return LldbTarget(native.GetDebugger(), lldb.SBExecutionContext(native))


def open_map(target: LldbTarget, value: lldb.SBValue) -> Optional[MapView]:
    """The map that a value is, or points at; None: it is another class, or a nil pointer.

    :raises MapscopeError: if it is a broken one
    """
    variable = variable_of(value)
    kind = variable.type.kind
    if kind is Kind.POINTER:
        if not value.GetNonSyntheticValue().GetValueAsUnsigned(0):
            return None
        kind = variable.type.target().kind
    if kind not in _MAPS:
        return None
    session = Session(target)
    session.require_architecture()
    return map_of(session, variable, "this value")


def process_of(target: LldbTarget) -> int:
    """What tells a process from those before it."""
    return int(target.process.GetUniqueID())


def summary(value: lldb.SBValue) -> str:
    """One line: how many entries, as LLDB says of containers, and what growth is going on."""
    target = target_of(value)
    try:
        if is_iterator(value):
            return line(value, target)
        view = open_map(target, value)
        return "" if view is None else _line(Listing(view, target.finish), process_of(target))
    except MapscopeError as error:
        return f"<{escape(str(error))}>"
    except Exception as error:  # LLDB shows locals before they exist
        return f"<{escape(describe(error))}>"
    finally:
        target.finish()


def _line(listing: Listing, process: int) -> str:
    view = listing.view
    count, told = listing.count(process), view.count
    if view.key is None:
        count = told
    text = f"size={count}"
    if count != told:
        text += f" (its header says {told})"
    growth = view.growth()
    if growth is not None:
        buckets = view.facts().buckets
        text += f" (growing, {growth.kind} {growth.old_buckets} -> {buckets} buckets)"
    return text


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


def children_of(value: lldb.SBValue) -> "Children | IteratorsChildren":
    """What stands beneath a value of a class of the library's."""
    return IteratorsChildren(value) if is_iterator(value) else Children(value)


class IteratorsChildren:
    """What stands beneath an iterator."""

    def __init__(self, value: lldb.SBValue) -> None:
        self._value = value
        self._inner: Optional[IteratorChildren] = None

    def update(self) -> None:
        """Forget everything: the program may have run."""
        self._inner = None

    def may_have_any(self) -> bool:
        """Asked before anything is counted."""
        return self._found().count() > 0

    def _found(self) -> IteratorChildren:
        if self._inner is None:
            self._inner = IteratorChildren(self._value, target_of(self._value))
        return self._inner

    def count(self, most: int) -> int:
        """How many children there are."""
        return min(self._found().count(), most)

    def at(self, index: int) -> Optional[lldb.SBValue]:
        """The child at an index; None: there is none."""
        found: Optional[lldb.SBValue] = self._found().at(index)
        return found

    def index(self, name: str) -> int:
        """The index of the child of a name; -1: there is none."""
        return self._found().index(name)


class Children:
    """The entries of one map."""

    def __init__(self, value: lldb.SBValue) -> None:
        self._value = value
        self.update()

    def update(self) -> None:
        """Forget everything: the program may have run."""
        self._opened = False
        self._listing: Optional[Listing] = None
        self._entries: Optional[Entries] = None
        self._count: Optional[int] = None
        self._error = ""
        self._target: Optional[LldbTarget] = None

    def _open(self) -> Optional[Listing]:
        if not self._opened:
            self._opened = True
            target = self._target = target_of(self._value)
            try:
                view = open_map(target, self._value)
                if view is not None:
                    self._listing = Listing(view, target.finish)
                    self._entries = Entries(self._value, self._listing)
            except MapscopeError as error:
                self._error = str(error)
            except Exception as error:
                self._error = describe(error)
        return self._listing

    def may_have_any(self) -> bool:
        """Asked before anything is counted."""
        return True

    def count(self, most: int) -> int:
        """How many children there are; of another class, its own."""
        listing = self._open()
        if listing is None:
            return 0 if self._error or self._is_nil() else int(self._raw().GetNumChildren())
        return min(self._live(listing) + bool(self._notes(listing)), most)

    def _live(self, listing: Listing) -> int:
        """How many entries there are."""
        if self._count is None and self._target is not None:
            self._count = listing.count(process_of(self._target))
        return self._count or 0

    def _is_nil(self) -> bool:
        """Whether it is a pointer to no map."""
        return bool(self._value.GetType().GetCanonicalType().IsPointerType())

    def _raw(self) -> lldb.SBValue:
        return self._value.GetNonSyntheticValue()

    def at(self, index: int) -> Optional[lldb.SBValue]:
        """The child at an index; None: there is none."""
        listing = self._open()
        if listing is None or self._entries is None:
            return None if self._error or self._is_nil() else self._raw().GetChildAtIndex(index)
        if index < self._live(listing):
            return self._entries.value(index)  # what it holds is looked up if it is shown
        notes = self._notes(listing)
        return text_value(self._value, "<error>", escape("; ".join(notes))) if notes else None

    def index(self, name: str) -> int:
        """The index of the child of a name; -1: there is none."""
        listing = self._open()
        if listing is None:
            return int(self._raw().GetIndexOfChildWithName(name))
        match = _NUMBER.fullmatch(name)
        return int(match[1]) if match and int(match[1]) < self._live(listing) else -1

    def _notes(self, listing: Listing) -> List[str]:
        """What stands at the end of entries that could not all be found."""
        return [listing.error] if listing.error else list(listing.view.problems)

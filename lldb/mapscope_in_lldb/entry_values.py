# SPDX-License-Identifier: MIT
"""One entry of a map as an LLDB value: a line, and its key and element beneath.

LLDB shows entries as [0], [1], ..., as it does those of other containers: an IDE asks for such
children page by page, and `m[5]` is the child that stands there as [5], also as the beginning of
a longer path. A value of LLDB's needs a type. Programs seldom have one for an entry, but each has
the runtime's own `cell`, which says where an entry lies: ours says which one of a listing it is.
"""

import re
import secrets
import struct
from typing import Any, List, Optional
from weakref import WeakValueDictionary

import lldb

from mapscope.errors import MapscopeError
from mapscope.maps.batches import Column
from mapscope.maps.listing import Listing
from mapscope.maps.view import MapView
from mapscope.program.types import Kind
from mapscope.program.values import escape, text_form
from .data import bytes_of_data, data_of_bytes

#: LLDB's type of entries that fit on a line, and (as an array) of those that do not
CELL = "mapscope::cell"
_NAMES = ("first", "second")
_INSIDE = re.compile(r"(?:\._M_\w+)+\.(pointer|Value)\b")
#: characters of a key or an element that are shown
_LIMIT = 200

#: where the number of a bucket would stand in a cell of the program's own
_MAGIC = secrets.randbits(63) | 1 << 63
_DATA = struct.Struct("<QQ")
_NUMBER = (1 << 40) - 1

#: listings that entries are shown of, which their values keep alive
_listings: "WeakValueDictionary[int, Listing]" = WeakValueDictionary()
_made = 0


def path_of(value: lldb.SBValue) -> str:
    """How LLDB's user names a map, so that a number in brackets behind it means an entry."""
    stream = lldb.SBStream()
    value.GetExpressionPath(stream)
    path = str(stream.GetData() or value.GetName() or "")
    # LLDB's smart pointers and optionals are called by members that there are not
    path = _INSIDE.sub(r".\1", path)
    # of a pointer, [0] is what it points at
    return path + "[0]" if value.GetType().GetCanonicalType().IsPointerType() else path


class Entries:
    """Makes the values of a listing's entries.

    :param map: the map
    """

    def __init__(self, map: lldb.SBValue, listing: Listing) -> None:
        global _made
        _made += 1
        _listings[_made] = listing
        self._known_by = _made
        self._map = map
        self._listing = listing
        self._path = path_of(map)
        target = map.GetTarget()
        cell = target.FindFirstType(CELL)
        self._size = int(cell.GetByteSize()) if cell.IsValid() else 0
        self._shown = cell if _is_plain(listing.view) else cell.GetArrayType(1)
        self._row = self._shown.GetArrayType(1)

    def value(self, number: int) -> lldb.SBValue:
        """The value of an entry, which there is."""
        map = self._map
        if self._size < _DATA.size:
            return text_value(map, f"[{number}]", _line(map, self._listing, number))
        raw = _DATA.pack(_MAGIC, self._known_by << 40 | number).ljust(self._size, b"\0")
        # a child of an array of that name is called by both names
        row = map.CreateValueFromData(self._path, data_of_bytes(map.GetTarget(), raw), self._row)
        # without its synthetic children, which LLDB adds: a longer path would not find them
        return row.CreateChildAtOffset(f"[{number}]", 0, self._shown).GetNonSyntheticValue()


def text_value(map: lldb.SBValue, name: str, text: str) -> lldb.SBValue:
    """A value that is a text."""
    raw = text.encode("utf-8", "backslashreplace") + b"\0"
    char = map.GetTarget().GetBasicType(lldb.eBasicTypeChar)
    data = data_of_bytes(map.GetTarget(), raw)
    return map.CreateValueFromData(name, data, char.GetArrayType(len(raw)))


class Entry:
    """What stands beneath an entry: its key and its element.

    :ivar listing: None: it is a cell of the program's own, or what it was of is gone
    """

    def __init__(self, value: lldb.SBValue) -> None:
        self._value = value
        self.listing: Optional[Listing] = None
        self.number = 0
        raw = bytes_of_data(value.GetNonSyntheticValue().GetData())
        if raw is not None and len(raw) >= _DATA.size:
            magic, which = _DATA.unpack(raw[: _DATA.size])
            if magic == _MAGIC:
                self.listing = _listings.get(which >> 40)
                self.number = which & _NUMBER

    def count(self) -> int:
        """How many children there are."""
        if self.listing is None:
            return int(self._value.GetNonSyntheticValue().GetNumChildren())
        return 2 if self.listing.view.has_values else 1

    def index(self, name: str) -> int:
        """The index of a child; -1: there is none."""
        if self.listing is None:
            return int(self._value.GetNonSyntheticValue().GetIndexOfChildWithName(name))
        return _NAMES.index(name) if name in _NAMES else -1

    def at(self, index: int) -> Optional[lldb.SBValue]:
        """The key or the element."""
        if self.listing is None:
            return self._value.GetNonSyntheticValue().GetChildAtIndex(index)
        if not 0 <= index < self.count():
            return None
        return part(self._value, path_of(self._value), self.listing, self.number, index)

    def line(self) -> str:
        """The entry on a line; of a cell of the program's own, where it is."""
        if self.listing is not None:
            return _line(self._value, self.listing, self.number)
        raw = self._value.GetNonSyntheticValue()
        bucket = raw.GetChildMemberWithName("b").GetValueAsUnsigned(0)
        cell = raw.GetChildMemberWithName("i").GetValueAsUnsigned(0)
        return f"cell {cell} of the bucket at {bucket:#x}" if bucket else "no cell"


def part(value: lldb.SBValue, path: str, listing: Listing, number: int, index: int) -> Any:
    """The key (0) or element (1) of an entry as a value.

    :param value: of the same target
    :param path: of the entry
    """
    place = listing.place(number)
    if place is None:
        return text_value(value, _NAMES[index], f"<{escape(listing.error) or 'gone'}>")
    batch, at = place
    column = batch.elems if index else batch.keys
    native: Any = column.type.native
    if native is None:
        return text_value(value, _NAMES[index], _text(listing, column, at))
    raw = column.data(at) if at in batch.in_flight else None
    if raw is not None:
        return value.CreateValueFromData(_NAMES[index], data_of_bytes(_target(value), raw), native)
    return placed(value, path, _NAMES[index], column.address(at), native)


def placed(value: lldb.SBValue, path: str, name: str, address: int, native: lldb.SBType) -> Any:
    """What lies at an address, as member `name` of what `path` names."""
    raw = data_of_bytes(_target(value), address.to_bytes(8, "little"))
    whole = value.CreateValueFromData(path, raw, native.GetReferenceType())
    return whole.CreateChildAtOffset(name, 0, native).GetNonSyntheticValue()


def _target(value: lldb.SBValue) -> lldb.SBTarget:
    return value.GetTarget()


def _is_plain(view: MapView) -> bool:
    """Whether all of an entry stands on its line."""
    types = [view.key, view.elem if view.has_values else None]
    return all(type is None or type.kind in _PLAIN for type in types)


_PLAIN = (
    Kind.BOOL,
    Kind.INT,
    Kind.UINT,
    Kind.FLOAT,
    Kind.COMPLEX,
    Kind.STRING,
    Kind.ENUM,
    Kind.POINTER,
)


def _line(value: lldb.SBValue, listing: Listing, number: int) -> str:
    """An entry on a line."""
    place = listing.place(number)
    if place is None:
        return f"<{escape(listing.error) or 'gone'}>"
    batch, at = place
    columns = [batch.keys, batch.elems] if listing.view.has_values else [batch.keys]
    parts: List[str] = []
    for index, column in enumerate(columns):
        parts.append(_shown(value, listing, number, index, column, at))
    text = ": ".join(parts)
    return f"{text} (in flight)" if at in batch.in_flight else text


def _shown(
    value: lldb.SBValue, listing: Listing, number: int, index: int, column: Column, at: int
) -> str:
    """A key or an element on a line."""
    kind, native = column.type.kind, column.type.native
    is_char = kind in (Kind.INT, Kind.UINT) and column.type.size == 1
    if native is not None and (is_char or kind not in _PLAIN or kind is Kind.POINTER):
        # as LLDB itself shows it: a letter, a text that is pointed at, a container's size
        shown = part(value, "", listing, number, index)
        shown.SetPreferSyntheticValue(True)
        plain, summary = shown.GetValue(), shown.GetSummary()
        if summary or plain:
            text = str(summary or plain)
            return escape(text if len(text) <= _LIMIT else text[:_LIMIT] + "...")
    return _text(listing, column, at)


def _text(listing: Listing, column: Column, at: int) -> str:
    try:
        return text_form(column.value(at, listing.view.decoder), _LIMIT)
    except MapscopeError as error:
        return f"<{escape(str(error))}>"
    finally:
        listing.finish()

# SPDX-License-Identifier: MIT
"""mapscope_abi: what a program on the runtime says of its own structs.

It is a table of names (runtime/include/mapscope/abi.h). Every size, offset and width is looked up
there by name, so that a program whose fields lie elsewhere is read as it is, and one of another
version, or without a name that is needed, is refused by that, never misread."""

import re
import struct
from functools import lru_cache
from operator import itemgetter
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)
from weakref import WeakKeyDictionary

from ...errors import Corrupt, LayoutUnknown, MemoryUnreadable
from ...program.memory import Memory
from ...session import Session

MAGIC = b"\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"


VERSION = 5


_ABI_SYMBOL = "mapscope_abi"


_ABI_SECTION = ".mapscope"


#: sections searched for the magic where neither symbol nor section is found
_DATA_SECTIONS = (".data.rel.ro", ".rodata", ".data", ".data.rel.ro.local")


_SCAN_LIMIT = 64 << 20


# the form of the table (abi.h): its beginning, a place, a field
_HEAD = struct.Struct("<16sIIIHHIHH")
_PLACE = struct.Struct("<24sQII")
_FIELD = struct.Struct("<40sIHH")


#: bytes of the whole table and of a row, rows of each kind
_MOST_BYTES, _LARGEST_ROW, _MOST_ROWS = 1 << 20, 1024, 4096


#: largest struct of the runtime that is taken for one, in bytes
_LARGEST = 4096


#: bytes of what is read as one number
_WIDEST = 8


#: widths that Python unpacks
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


_NAME = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\0")


#: what leads from a map to its table, the same in every version
EXTRA, TYPE, TABLE = 40, 24, 0
_LEADS_HERE = {"hmap.extra": EXTRA, "mapextra.type": TYPE, "maptype.abi": TABLE}


#: bytes of every hmap; mapextra is behind it
HMAP = 48


class Field(NamedTuple):
    """A field of a struct; without a dot in its name: the struct itself.

    :ivar width: bytes; of an array those of one of its pieces
    :ivar pieces: 1, or how many an array has
    """

    name: str
    offset: int
    width: int
    pieces: int


class Place(NamedTuple):
    """Something that there is once in a copy of the runtime.

    :ivar address: 0: this copy has none
    :ivar width: bytes of one of its pieces
    :ivar pieces: how many lie behind each other
    """

    address: int
    width: int
    pieces: int


class Record:
    """Some fields of one struct, numbers all, taken out of its bytes together."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._spans = [(field.offset, field.offset + field.width) for field in fields]
        self._form, self._pick = _form(fields)

    def read(self, raw: bytes, at: int = 0) -> Sequence[int]:
        """The numbers, in the order that was asked for, of the struct that begins at `at`."""
        if self._form is not None:
            found: Sequence[int] = self._pick(self._form.unpack_from(raw, at))
            return found
        number = int.from_bytes
        return [number(raw[at + start : at + end], "little") for start, end in self._spans]


def _form(fields: Sequence[Field]) -> Tuple[Optional[struct.Struct], Callable[..., Any]]:
    """How fields are unpacked at once, and put in their order; None where one of them is of an
    odd width, or lies over another one."""
    order = sorted(range(len(fields)), key=lambda index: fields[index].offset)
    form, end = "<", 0
    for index in order:
        _, offset, width, _ = fields[index]
        if width not in _CODES or offset < end:
            return None, tuple
        form += f"{offset - end}x{_CODES[width]}"
        end = offset + width
    places = [order.index(index) for index in range(len(fields))]
    if len(places) == 1:  # of which itemgetter would make no sequence
        return struct.Struct(form), tuple
    return struct.Struct(form), itemgetter(*places)


class Abi:
    """A program's mapscope_abi.

    :ivar address: where it is
    """

    def __init__(
        self, address: int, fields: Mapping[str, Field], places: Mapping[str, Place]
    ) -> None:
        self.address = address
        self._fields = fields
        self._places = places
        self._records: Dict[Tuple[str, ...], Record] = {}

    def place(self, name: str) -> Place:
        """Where something is that there is once.

        :raises LayoutUnknown: if the table does not name it
        """
        found = self._places.get(name)
        if found is None:
            raise self._missing(name)
        return found

    def size(self, name: str) -> int:
        """Bytes of a struct.

        :raises LayoutUnknown: if the table does not name it
        """
        return self._find(name).width

    def field(self, name: str) -> Field:
        """A field that holds one number: "hmap.count", "history.ticks[2]".

        :raises LayoutUnknown: if the table does not name it, or says that it is no number
        """
        whole, bracket, index = name.partition("[")
        found = self._find(whole)
        at = int(index[:-1]) if bracket else 0
        if found.width > _WIDEST or (at >= found.pieces if bracket else found.pieces != 1):
            raise LayoutUnknown(
                f"mapscope_abi at {self.address:#x} has {found.pieces} x {found.width} bytes for "
                f"{whole}, from which these scripts cannot read {name}; {_USE}"
            )
        return Field(name, found.offset + at * found.width, found.width, 1)

    def offset(self, name: str) -> int:
        """Where a field lies that holds one number; see `field`."""
        return self.field(name).offset

    def record(self, struct_name: str, *names: str) -> Record:
        """Some fields of a struct; looked up once in a program.

        :raises LayoutUnknown: see `field`
        """
        key = (struct_name, *names)
        found = self._records.get(key)
        if found is None:
            found = Record([self.field(f"{struct_name}.{name}") for name in names])
            self._records[key] = found
        return found

    def part(self, name: str, struct_name: str) -> Field:
        """A field that is a struct, or an array of structs.

        :raises LayoutUnknown: if the table does not name both
        :raises Corrupt: if the one has no room for the other
        """
        found, size = self._find(name), self.size(struct_name)
        if found.width < size:
            raise Corrupt(
                f"mapscope_abi at {self.address:#x} is impossible: {name} has {found.width} "
                f"bytes, {struct_name} {size}"
            )
        return found

    def encode(self, name: str, value: int) -> bytes:
        """A number as a field holds it.

        :raises LayoutUnknown: if it does not fit
        """
        width = self.field(name).width
        if value >> 8 * width:
            raise LayoutUnknown(
                f"mapscope_abi at {self.address:#x} has {width} bytes for {name}: {value:#x} does "
                f"not fit; {_USE}"
            )
        return value.to_bytes(width, "little")

    def _find(self, name: str) -> Field:
        found = self._fields.get(name)
        if found is None:
            raise self._missing(name)
        return found

    def _missing(self, name: str) -> LayoutUnknown:
        return LayoutUnknown(
            f"mapscope_abi at {self.address:#x} does not name {name}, which these scripts need; "
            + _USE
        )


_USE = "use those that came with the program's library"


#: of each command's memory, the tables that were read from it
_known: "WeakKeyDictionary[Memory, Dict[int, Abi]]" = WeakKeyDictionary()


def read_abi(memory: Memory, address: int) -> Abi:
    """The mapscope_abi at `address`.

    :raises LayoutUnknown: if it is of another version
    :raises Corrupt: if it is none, or impossible
    """
    tables = _known.setdefault(memory, {})
    found = tables.get(address)
    if found is None:
        found = tables[address] = _read(memory, address)
    return found


def _read(memory: Memory, address: int) -> Abi:
    head = memory.read(address, 24)
    if not head.startswith(MAGIC):
        raise Corrupt(f"no mapscope_abi at {address:#x}")
    version, size = struct.unpack_from("<II", head, 16)
    if version != VERSION:
        raise LayoutUnknown(
            f"mapscope layout version {version} (mapscope_abi at {address:#x}) not recognised: "
            f"these scripts read version {VERSION}; {_USE}"
        )
    if not _HEAD.size <= size <= _MOST_BYTES:
        raise LayoutUnknown(
            f"mapscope_abi at {address:#x} has {size} bytes, "
            f"{_HEAD.size} to {_MOST_BYTES} expected for version {version}"
        )
    try:
        return _understood(address, memory.read(address, size))
    except _Impossible as error:
        raise Corrupt(f"mapscope_abi at {address:#x} is impossible: {error}") from None


class _Impossible(Exception):
    """What no table can say."""


@lru_cache(maxsize=8)
def _understood(address: int, raw: bytes) -> Abi:
    """The table that a program's bytes are.

    :raises _Impossible: if they are none
    """
    _, _, _, fields_at, field_size, field_count, *of_places = _HEAD.unpack_from(raw)
    fields: Dict[str, Field] = {}
    for name, *numbers in _rows(raw, "field", _FIELD, fields_at, field_size, field_count):
        if name in fields:
            raise _Impossible(f"{name} stands in it twice")
        fields[name] = Field(name, *numbers)
    for field in fields.values():
        _check(field, fields.get(field.name.partition(".")[0]))
    places: Dict[str, Place] = {}
    for name, *numbers in _rows(raw, "place", _PLACE, *of_places):
        if name in places:
            raise _Impossible(f"{name} stands in it twice")
        places[name] = Place(*numbers)
    return Abi(address, fields, places)


def _rows(
    raw: bytes, what: str, form: struct.Struct, at: int, size: int, count: int
) -> Iterator[Tuple[str, int, int, int]]:
    """The rows of a table: a name and three numbers each, perhaps more behind them."""
    if not form.size <= size <= _LARGEST_ROW:
        raise _Impossible(f"a {what} of {size} bytes, {form.size} to {_LARGEST_ROW} expected")
    if count > _MOST_ROWS or at < _HEAD.size or at + count * size > len(raw):
        raise _Impossible(f"{count} {what}s of {size} bytes at {at} of {len(raw)} bytes")
    for number in range(count):
        name, first, second, third = form.unpack_from(raw, at + number * size)
        match = _NAME.match(name)
        if match is None:
            raise _Impossible(f"{what} number {number} has no name")
        yield match[1].decode("ascii"), first, second, third


def _check(field: Field, whole: Optional[Field]) -> None:
    """Refuse a row that cannot be.

    :param whole: of the struct that it is a field of
    """
    name, offset, width, pieces = field
    if whole is None:
        raise _Impossible(f"{name} is in a struct that does not stand in it")
    if field is whole:
        if not 0 < width <= _LARGEST or offset or pieces != 1:
            raise _Impossible(
                f"{name} has {pieces} x {width} bytes at {offset}, "
                f"1 x 1 to {_LARGEST} at 0 expected"
            )
        if name == "hmap" and width != HMAP:
            raise _Impossible(f"hmap has {width} bytes, {HMAP} expected")
    elif not width or not pieces or offset + width * pieces > whole.width:
        raise _Impossible(
            f"{name} has {pieces} x {width} bytes at {offset}, within {whole.width} expected"
        )
    if offset != _LEADS_HERE.get(name, offset):
        raise _Impossible(f"{name} is at {offset}, {_LEADS_HERE[name]} expected")


def abi_of(session: Session, address: int) -> Abi:
    """The mapscope_abi of the copy of the runtime that the map at `address` belongs to."""
    word = session.memory.read_word
    maptype = word(word(address + EXTRA) + TYPE)
    return read_abi(session.memory, word(maptype + TABLE))


def all_abis(session: Session) -> List[Abi]:
    """Of every copy of the runtime in the program."""
    return [read_abi(session.memory, address) for address in abi_addresses(session)]


def abi_addresses(session: Session) -> Iterator[int]:
    """Addresses of every mapscope_abi: by symbol, else by section, else by a scan."""
    found: List[int] = list(session.target.symbols(_ABI_SYMBOL))
    sections = session.sections()
    found += [s.start for s in sections if s.name == _ABI_SECTION]
    if not found:
        left = _SCAN_LIMIT
        for section in sections:
            size = section.end - section.start
            if section.name not in _DATA_SECTIONS or size > left:
                continue
            left -= size
            try:
                raw = bytes(session.memory.read_chunk(section.start, size))
            except MemoryUnreadable:
                continue
            at = raw.find(MAGIC)
            while at >= 0:
                found.append(section.start + at)
                at = raw.find(MAGIC, at + 1)
    for address in sorted(set(found)):
        try:
            if session.memory.read(address, len(MAGIC)) == MAGIC:
                yield address
        except MemoryUnreadable:
            continue

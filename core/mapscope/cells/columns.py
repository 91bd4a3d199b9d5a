# SPDX-License-Identifier: MIT
"""The live cells of a chunk of buckets, as columns of keys and of elements.

Numbers and strings are taken out of the buckets in bulk; everything else waits
as the bytes of each slot until somebody asks for a value.
"""

import struct
from array import array
from bisect import bisect_right
from itertools import compress
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ..errors import MapscopeError
from ..kernels.picking import in_order, marked, pick
from ..kernels.writing import BOOLEAN, POINTER, SIGNED, STRING, Cells, ready
from ..maps.batches import Column, Where
from ..program.memory import MAX_BYTES, Memory
from ..program.types import Kind, Type
from ..program.values import (
    Decoded,
    Decoder,
    Unreadable,
    dumps,
    is_pointer_shaped,
    json_style,
    json_text,
)
from ..records import dataclass
from .layout import BucketLayout
from .level import Level
from .marks import CELLS, LIVE

#: bytes of a string that is read together with others
_SHORT = 4096
#: how the JSON of a value that cannot be read begins
_ERROR = '{"error": '
#: kinds whose values are an address
_WORDS = (Kind.POINTER, Kind.FUNC, Kind.CHAN)
_INTERFACES = (Kind.EMPTY_INTERFACE, Kind.INTERFACE)

#: a cell of the program: (address of its bucket, index in it)
Place = Tuple[int, int]


class LiveCells:
    """The live cells of a chunk, numbered level by level."""

    def __init__(
        self, levels: Sequence[Level], layout: BucketLayout, live_bytes: bytes = LIVE
    ) -> None:
        """:param live_bytes: for bytes.translate: 1 for the byte of a live cell, else 0"""
        self._layout = layout
        self._levels: List[Level] = []
        self._positions: List["array[int]"] = []  # 8 * bucket + cell, of each level
        self._starts = [0]  # the number of each level's first cell, and of all
        for level in levels:
            live = marked(level.tophashes(layout).translate(live_bytes))
            if live:
                self._levels.append(level)
                self._positions.append(live)
                self._starts.append(self._starts[-1] + len(live))

    def __len__(self) -> int:
        return self._starts[-1]

    def order(self) -> Sequence[int]:
        """The cells' numbers, chain by chain."""
        if len(self._levels) <= 1:
            return range(len(self))
        return in_order([level.owners for level in self._levels], self._positions)

    def where(self, number: int) -> Where:
        """The place of a cell, for a reader."""
        level, position = self._locate(number)
        return Where(level.array.name, level.owners[position >> 3], level.chain, position & 7)

    def mark(self, number: int) -> int:
        """The byte of a cell: its tophash, or its control byte."""
        level, position = self._locate(number)
        return level.data[(position >> 3) * self._layout.size + (position & 7)]

    def place(self, number: int) -> int:
        """8 * bucket + cell, in its level."""
        return self._locate(number)[1]

    def number_of(self, place: Place) -> Optional[int]:
        """The number of the live cell at `place`, if it is one of these."""
        address, cell = place
        for level, live, start in zip(self._levels, self._positions, self._starts):
            try:
                position = CELLS * level.addresses.index(address) + cell
            except ValueError:
                continue
            at = bisect_right(live, position) - 1
            if at >= 0 and live[at] == position:
                return start + at
        return None

    def column(
        self,
        memory: Memory,
        type: Type,
        offset: int,
        slot: int,
        indirect: bool,
        stride: Optional[int] = None,
    ) -> Column:
        """The keys or the elements.

        :param offset: of the slot of cell 0 in a bucket
        :param slot: bytes of a slot
        :param indirect: whether a slot holds a pointer to the value
        :param stride: bytes from a slot to the next one; None: they touch
        """
        size = self._layout.size
        step = slot if stride is None else stride
        width, code = type.size, type.scalar_format

        def address(number: int) -> int:
            level, position = self._locate(number)
            return level.addresses[position >> 3] + offset + (position & 7) * step

        if slot == width and not indirect:
            if code is not None and not (offset % width or size % width or step % width):
                return _ScalarColumn(type, self._numbers(code, offset, step), address)
            places = (offset, step, type.data_offset, type.len_offset)
            if type.kind is Kind.STRING and not any(place % 8 for place in places):
                starts = self._numbers("Q", offset + type.data_offset, step)
                lengths = self._numbers("Q", offset + type.len_offset, step)
                return _TextColumn(type, starts, lengths, address)
        raw: List[Optional[bytes]] = []
        for level, live in zip(self._levels, self._positions):
            data = bytes(level.data)
            at = [(p >> 3) * size + offset + (p & 7) * step for p in live]
            raw.extend([data[start : start + slot] for start in at])
        if not indirect:
            return column_from(type, raw, address)
        pointers = [int.from_bytes(word or b"", "little") for word in raw]
        if width > _SHORT:
            return _LargeColumn(type, memory, pointers)
        values = memory.gather(pointers, width)
        return column_from(type, values, pointers.__getitem__)

    def _locate(self, number: int) -> Tuple[Level, int]:
        at = bisect_right(self._starts, number) - 1
        return self._levels[at], self._positions[at][number - self._starts[at]]

    def _numbers(self, code: str, offset: int, step: int) -> "array[Any]":
        """One number of each cell.

        :param code: its struct-module character
        :param offset: of cell 0's in a bucket
        """
        found = array(code)
        for level, live in zip(self._levels, self._positions):
            found.extend(pick(level.data, self._layout.size, offset, step, code, live))
        return found


def column_of(
    type: Type,
    rows: Sequence[Optional[bytes]],
    size: int,
    offset: int,
    address: Callable[[int], int],
) -> Column:
    """What lies at an offset of rows that are read already, as nodes are.

    :param rows: None: could not be read
    :param size: of each row, a multiple of 8
    """
    width, code = type.size, type.scalar_format
    if None not in rows:
        blob = b"".join(rows)  # type: ignore[arg-type]
        if code is not None and not offset % width:
            numbers = memoryview(blob).cast(code)[offset // width :: size // width]
            return _ScalarColumn(type, array(code, numbers.tobytes()), address)
        places = (offset + type.data_offset, offset + type.len_offset)
        if type.kind is Kind.STRING and not any(place % 8 for place in places):
            words = memoryview(blob).cast("Q")
            starts, lengths = (
                array("Q", words[place // 8 :: size // 8].tobytes()) for place in places
            )
            return _TextColumn(type, starts, lengths, address)
    end = offset + width
    return column_from(type, [None if row is None else row[offset:end] for row in rows], address)


def column_from(
    type: Type, raw: Sequence[Optional[bytes]], address: Callable[[int], int]
) -> Column:
    """Values of which each is decoded when it is asked for."""
    kind = InterfaceColumn if type.kind in _INTERFACES and type.size == 16 else Column
    return kind(type, None, raw, address)


class _ScalarColumn(Column):
    """A column whose values were decoded in bulk."""

    def __init__(self, type: Type, scalars: "array[Any]", address: Callable[[int], int]) -> None:
        super().__init__(type, scalars, [], address)
        self._values = scalars
        self._layout = struct.Struct("<" + (type.scalar_format or "B"))

    def data(self, index: int) -> Optional[bytes]:
        return self._layout.pack(self._values[index])

    def packed(self, order: Sequence[int]) -> Optional[bytes]:
        code, values = self.type.scalar_format or "", self._values
        if code not in ("q", "Q"):
            return None
        return array(code, [values[index] for index in order]).tobytes()

    def put(self, index: int, data: Optional[bytes]) -> None:
        if data is not None:
            self._values[index] = self._layout.unpack(data)[0]

    def cells(
        self, decoder: Decoder, order: Sequence[int]
    ) -> Optional[Tuple[Cells, Optional[bytearray]]]:
        kind = _KINDS.get(self.type.kind)
        if kind is not None:
            width = self.type.size if kind <= SIGNED else 0
            return Cells(kind + width, self._values), None
        if self.type.kind is not Kind.FLOAT:
            return None
        texts = list(map(repr, self._values))
        hard = None
        if "n" in "".join(texts):  # those that are no numbers, or infinite
            hard = bytearray("n" in text for text in texts)
        return ready(texts), hard


#: how cells are written, without the size of a number
_KINDS = {Kind.UINT: 0, Kind.INT: SIGNED, Kind.BOOL: BOOLEAN, Kind.POINTER: POINTER}


class _LargeColumn(Column):
    """A column of large values outside of their slots, each read when it is asked for."""

    def __init__(self, type: Type, memory: Memory, pointers: List[int]) -> None:
        super().__init__(type, None, [], pointers.__getitem__)
        self._memory = memory
        self._pointers = pointers
        self._put: Dict[int, Optional[bytes]] = {}

    def value(self, index: int, decoder: Decoder) -> Decoded:
        try:
            decoder.spend(self.type.size, f"{self.type.size} bytes")
        except MapscopeError as error:
            return Unreadable(str(error))
        return super().value(index, decoder)

    def data(self, index: int) -> Optional[bytes]:
        if index in self._put:
            return self._put[index]
        return self._memory.read_many([(self._pointers[index], self.type.size)])[0]

    def packed(self, order: Sequence[int]) -> Optional[bytes]:
        return None

    def put(self, index: int, data: Optional[bytes]) -> None:
        self._put[index] = data

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        return [min(self.type.size, MAX_BYTES)] * len(order)


class _TextColumn(Column):
    """A column of strings: where each one's bytes are, and how many."""

    def __init__(
        self,
        type: Type,
        starts: "array[int]",
        lengths: "array[int]",
        address: Callable[[int], int],
    ) -> None:
        super().__init__(type, None, [], address)
        self._starts = starts
        self._lengths = lengths
        self._cells: Optional[Tuple[Cells, Optional[bytearray]]] = None

    def data(self, index: int) -> Optional[bytes]:
        slot = bytearray(self.type.size)
        struct.pack_into("<Q", slot, self.type.data_offset, self._starts[index])
        struct.pack_into("<Q", slot, self.type.len_offset, self._lengths[index])
        return bytes(slot)

    def packed(self, order: Sequence[int]) -> Optional[bytes]:
        words, starts, lengths = self.type.size // 8, self._starts, self._lengths
        if self.type.size % 8:
            return None
        slots = array("Q", bytes(8 * words * len(order)))
        slots[self.type.data_offset // 8 :: words] = array("Q", [starts[at] for at in order])
        slots[self.type.len_offset // 8 :: words] = array("Q", [lengths[at] for at in order])
        return slots.tobytes()

    def put(self, index: int, data: Optional[bytes]) -> None:
        if data is not None:
            self._starts[index] = struct.unpack_from("<Q", data, self.type.data_offset)[0]
            self._lengths[index] = struct.unpack_from("<Q", data, self.type.len_offset)[0]
            self._cells = None

    def lengths(self) -> Optional[Sequence[int]]:
        return self._lengths

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        if sum(self._lengths) <= MAX_BYTES:  # as nearly always
            return None
        lengths = [self._lengths[i] for i in order]
        return [min(n, MAX_BYTES) for n in lengths] if sum(lengths) > MAX_BYTES else None

    def cells(
        self, decoder: Decoder, order: Sequence[int]
    ) -> Optional[Tuple[Cells, Optional[bytearray]]]:
        if self._cells is not None:
            return self._cells
        sizes, hard = self._lengths, None
        some = 2 * len(order) < len(sizes) or sum(sizes) > MAX_BYTES
        if some:
            sizes = array("Q", bytes(8 * len(sizes)))
            for index in order:
                sizes[index] = self._lengths[index]
        if max(sizes, default=0) > _SHORT:  # long ones go the careful way
            hard = bytearray(size > _SHORT for size in sizes)
            sizes = array("Q", [0 if size > _SHORT else size for size in sizes])
        data, offsets, missing = decoder.memory.pack(self._starts, sizes)
        if missing:
            hard = hard or bytearray(len(sizes))
            for at in missing:
                hard[at] = 1
        found = Cells(STRING, data, offsets), hard
        if not some:
            self._cells = found
        return found


#: (the type of what is held, None: they are nil; places in the order; second words) of interfaces
_OfType = Tuple[Optional[Type], Sequence[int], List[int]]


class InterfaceColumn(Column):
    """A column of Go interfaces: what those of one type hold is read together."""

    #: those whose types were asked for last, by their types
    _parts: Tuple[Sequence[int], List[_OfType]] = (), []
    #: the strings among them, by the id() of their second words
    _held: Dict[int, "_Held"] = {}

    def put(self, index: int, data: Optional[bytes]) -> None:
        super().put(index, data)
        self._parts, self._held = ((), []), {}

    def all_data(self, count: int) -> List[Optional[bytes]]:
        return list(self._raw[:count])

    def weights(self, decoder: Decoder, order: Sequence[int]) -> Optional[List[int]]:
        whole = self.sizes(order) or []
        parts = list(self._by_type(decoder, order))
        self._parts, self._held = (order, parts), {}
        if all(type is None or type.scalar_format is not None for type, _, _ in parts):
            if sum(len(places) for _, places, _ in parts) == len(order):
                return None
        for type, places, words in parts:
            if type is None or type.scalar_format is not None:
                sizes = [0] * len(words)
            elif type.kind is Kind.STRING and not is_pointer_shaped(type):
                held = self._held[id(words)] = _held(decoder, type, words)
                lengths = held.column.lengths() or [0] * len(held.there)
                sizes = [0] * len(words)
                for place, length in zip(held.there, lengths):
                    sizes[place] = length if length <= MAX_BYTES else 0
            else:
                continue
            for place, size in zip(places, sizes):
                whole[place] = size
        return whole if sum(whole) > MAX_BYTES else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        texts: List[Optional[str]] = [None] * len(order)
        known, parts = self._parts
        for type, places, words in parts if known is order else self._by_type(decoder, order):
            if type is None:
                for at in places:
                    texts[at] = "null"
                continue
            prefix = f'{{"type": {dumps(type.name)}, "value": '
            held = self._held.pop(id(words), None)
            for at, text in zip(places, _held_texts(decoder, type, words, held)):
                # nothing is said of a value that cannot be read but that
                if text is not None and not text.startswith(_ERROR):
                    texts[at] = f"{prefix}{text}}}"
        # the others one by one: they are large, or cannot be read, or of no type
        return [
            json_text(self.value(index, decoder)) if text is None else text
            for text, index in zip(texts, order)
        ]

    def written_as(
        self, forms: Sequence[object], decoder: Decoder, order: Sequence[int]
    ) -> Sequence[int]:
        kept = bytearray(b"\1") * len(order)
        for type, places, words in self._by_type(decoder, order):
            numbers = type is not None and type.kind in (Kind.INT, Kind.UINT)
            if type is None or is_pointer_shaped(type) or not type.size:
                continue
            if not (numbers and type.scalar_format) and type.kind is not Kind.STRING:
                continue
            held = _held(decoder, type, words)
            lengths = {
                len(form.encode("utf-8", "surrogatepass"))
                for form in forms
                if isinstance(form, str)
            }
            known = held.column.scalars() if numbers else held.column.lengths()
            wanted = forms if numbers else lengths
            if known is None or (not numbers and any(isinstance(form, dict) for form in forms)):
                continue
            for at, value in zip(held.there, known):
                if value not in wanted:
                    kept[places[at]] = 0
        return list(compress(order, kept))

    def _by_type(self, decoder: Decoder, order: Sequence[int]) -> Iterator[_OfType]:
        """All whose type is known, by their types."""
        raws: Sequence[Optional[bytes]] = self._raw
        if not isinstance(order, range) or len(order) != len(raws):
            raws = [raws[index] for index in order]
        if not decoder.has_go_types or None in raws:
            return
        words = memoryview(b"".join(raws)).cast("Q").tolist()  # type: ignore[arg-type]
        types: Sequence[Optional[int]] = words[::2]
        held = words[1::2]
        if self.type.kind is Kind.INTERFACE:
            types = _types_of(decoder.memory, words[::2])
        members: Dict[Optional[int], Sequence[int]] = {}
        distinct = set(types)
        if len(distinct) == 1:
            members[distinct.pop()] = range(len(types))
        else:
            found: Dict[Optional[int], List[int]] = {address: [] for address in distinct}
            for at, address in enumerate(types):
                found[address].append(at)
            members.update(found)
        for address, places in members.items():
            type: Optional[Type] = None
            if address:
                try:
                    type = decoder.go_type(address)
                except MapscopeError:
                    continue
            if address is not None:
                whole = len(places) == len(held)
                yield type, places, held if whole else [held[at] for at in places]


def _types_of(memory: Memory, tables: List[int]) -> List[Optional[int]]:
    """The types of interfaces with methods; None where a table cannot be read."""
    places = sorted({table for table in tables if table})
    # runtime.itab: inter 0, _type 8
    words = memory.gather([place + 8 for place in places], 8)
    known: Dict[int, Optional[int]] = {0: 0}
    for place, word in zip(places, words):
        known[place] = int.from_bytes(word, "little") or None if word else None
    return [known[table] for table in tables]


@dataclass(frozen=True)
class _Held:
    """What interfaces of one type hold, which lies in memory by itself.

    :ivar there: indices of those that can be read; the column has them alone
    """

    there: Sequence[int]
    column: Column


def _held(decoder: Decoder, type: Type, words: List[int]) -> _Held:
    rows = decoder.memory.gather(words, type.size)
    there: Sequence[int] = range(len(rows))
    if None in rows:
        there = [at for at, row in enumerate(rows) if row is not None]
        words, rows = [words[at] for at in there], [rows[at] for at in there]
    return _Held(there, column_of(type, rows, type.size, 0, words.__getitem__))


def _held_texts(
    decoder: Decoder, type: Type, words: List[int], held: Optional[_Held]
) -> List[Optional[str]]:
    """The JSON of what interfaces of one type hold, by their second words; None: it is to be
    decoded by itself.

    :param held: what they hold, where it was read already
    """
    if type.kind in _INTERFACES or type.size > _SHORT:
        return [None] * len(words)
    if is_pointer_shaped(type):
        if type.kind in _WORDS:
            return [f'"{word:#x}"' if word else "null" for word in words]
        slots = [word.to_bytes(8, "little") for word in words]
        return [json_text(decoder.decode(type, slot)) for slot in slots]
    if not type.size:
        return [json_text(decoder.decode(type, b""))] * len(words)
    if held is None:
        held = _held(decoder, type, words)
    known = range(len(held.there))
    cells = held.column.cells(decoder, known)
    found: Iterable[str]
    if cells is None or cells[1] is not None:
        found = held.column.json_texts(decoder, known)
    else:
        found = map(str, cells[0].texts(known, json_style()))
    if len(held.there) == len(words):
        return [*found]
    texts: List[Optional[str]] = [None] * len(words)
    for at, text in zip(held.there, found):
        texts[at] = text
    return texts

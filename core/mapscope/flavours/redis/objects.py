# SPDX-License-Identifier: MIT
"""Values of the keyspace: robj, by type and encoding (src/server.h, object.c; 6.2 to 8.0)."""

from itertools import compress
from operator import sub
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ...errors import MapscopeError
from ...maps.batches import Column
from ...program.memory import Memory
from ...program.types import Kind, Type
from ...program.values import (
    LONG,
    Decoded,
    Decoder,
    NestedMap,
    StructValue,
    Unreadable,
    json_strings,
    json_text,
)
from .text_column import Texts, text_value

OBJECT = Type(Kind.OPAQUE, "robj", 16)

TYPES = ("string", "list", "set", "zset", "hash", "module", "stream")
#: by number; those that are no longer used have no name
_RAW, _INT, _TABLE, _INTSET, _SKIPLIST, _EMBSTR, _QUICKLIST = 0, 1, 2, 6, 7, 8, 9
_STREAM, _LISTPACK, _LISTPACK_EX = 10, 11, 12
ENCODINGS = {
    **{_RAW: "raw", _INT: "int", _TABLE: "hashtable", 5: "ziplist", _INTSET: "intset"},
    **{_SKIPLIST: "skiplist", _EMBSTR: "embstr", _QUICKLIST: "quicklist", _STREAM: "stream"},
    **{_LISTPACK: "listpack", _LISTPACK_EX: "listpackex"},
}
#: a listpack, or ziplist, that has so many elements counts them no longer
_UNCOUNTED = 0xFFFF

#: bytes that are read of an object, so that a short string's text is among them, which is behind
#: a header of 3 bytes behind the object, and as a first byte what a string has
_NEAR, _TEXT_AT = 64, 19
_IS_SHORT_STRING = bytes(first == _EMBSTR << 4 for first in range(256))
_IS_NUMBER = bytes(first == _INT << 4 for first in range(256))

#: (address of a table, kind of value) -> (address, entries)
Count = Callable[[int], int]


class Object(NamedTuple):
    """The head of one, and where its value is."""

    type: int
    encoding: int
    value: int


def head_of(raw: Optional[bytes]) -> Optional[Object]:
    """The head in 16 bytes; None: no object looks like that."""
    if raw is None or len(raw) < 16:
        return None
    type, encoding = raw[0] & 15, raw[0] >> 4
    references = int.from_bytes(raw[4:8], "little")
    if type >= len(TYPES) or encoding not in ENCODINGS or not references:
        return None
    if not _FITS[type] & (1 << encoding):
        return None
    return Object(type, encoding, int.from_bytes(raw[8:16], "little"))


def _bits(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


#: encodings that each type can have
_FITS = (
    _bits(_RAW, _INT, _EMBSTR),
    _bits(_QUICKLIST, _LISTPACK, 5),
    _bits(_TABLE, _INTSET, _LISTPACK),
    _bits(_SKIPLIST, _LISTPACK, 5),
    _bits(_TABLE, _LISTPACK, _LISTPACK_EX, 5),
    _bits(_RAW),
    _bits(_STREAM),
)


class ObjectColumn(Column):
    """Objects.

    :param pointers: to each
    :param count: entries of the table at an address
    """

    #: whether objects have nothing but their values in themselves
    plain = True
    #: where a stream{rax 0, length 8, ...} has its length
    stream_length = 8

    def __init__(self, memory: Memory, pointers: Sequence[int], count: Count) -> None:
        super().__init__(OBJECT, None, [], lambda index: pointers[index])
        self._memory = memory
        self._pointers = pointers
        self._count = count
        self._heads: Optional[List[Optional[Object]]] = None
        self._texts: Optional[Texts] = None
        self._quick: Optional[List[Optional[str]]] = None
        self._others: Optional[Tuple[List[int], Optional[ObjectColumn]]] = None
        self._places: Dict[int, int] = {}  # of strings that are not numbers, in _texts

    def heads(self) -> List[Optional[Object]]:
        """All heads; None: there is none that can be read."""
        return [head_of(raw) for raw in self._memory.gather(self._pointers, 16)]

    def data(self, index: int) -> Optional[bytes]:
        try:
            return self._memory.read(self._pointers[index], 16)
        except MapscopeError:
            return None

    def _load(self) -> List[Optional[Object]]:
        if self._heads is None:
            self._heads = self.heads()
            pointers: List[int] = []
            for at, head in enumerate(self._heads):
                if head is not None and head.encoding in (_RAW, _EMBSTR) and head.value:
                    self._places[at] = len(pointers)
                    pointers.append(head.value)
            self._texts = Texts(self._memory, pointers)
        return self._heads

    def _text_of(self, index: int) -> Optional[Tuple[int, int]]:
        """Where the text of a string is that is no number; None: there is none."""
        place = self._places.get(index)
        return None if place is None or self._texts is None else self._texts.text(place)

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        if self._is_whole(order):
            rest, others = self._rest()
            if others is None:
                return None
            held = others.sizes(range(len(rest)))
            if held is None:
                return None
            sizes = dict(zip(rest, held))
            return [sizes.get(at, 0) for at in order]
        self._load()
        assert self._texts is not None
        if max(self._texts.lengths, default=0) < LONG:
            return None
        return [text[1] if (text := self._text_of(at)) is not None else 0 for at in order]

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        if self._is_whole(order):
            quick = list(self._quick_json())
            rest, others = self._rest()
            if others is not None:
                for at, form in zip(rest, others.json_texts(decoder, range(len(rest)))):
                    quick[at] = form
            return quick  # type: ignore[return-value]
        self._load()
        assert self._texts is not None
        found: List[Optional[str]] = [None] * len(order)
        which = [place for place, at in enumerate(order) if at in self._places]
        texts = self._texts.json([self._places[order[place]] for place in which])
        for place, text in zip(which, texts):
            found[place] = text
        return [
            json_text(self.value(at, decoder)) if text is None else text
            for at, text in zip(order, found)
        ]

    def _is_whole(self, order: Sequence[int]) -> bool:
        """Whether all are meant, and can be taken apart at once."""
        return self.plain and isinstance(order, range) and len(order) == len(self._pointers)

    def _quick_json(self) -> List[Optional[str]]:
        """The JSON of short strings and of numbers, all taken apart at once; None of others."""
        if self._quick is None:
            self._quick = self._find_quick_json()
        return self._quick

    def _rest(self) -> Tuple[List[int], "Optional[ObjectColumn]"]:
        """(indices, column) of those that are neither short strings nor numbers."""
        if self._others is None:
            rest = [at for at, text in enumerate(self._quick_json()) if text is None]
            others = None
            if rest:
                others = type(self)(self._memory, [self._pointers[at] for at in rest], self._count)
                others.plain = False
            self._others = rest, others
        return self._others

    def _find_quick_json(self) -> List[Optional[str]]:
        rows, _ = self._memory.gather_rows(self._pointers, _NEAR)
        kinds, words = rows[::_NEAR], memoryview(rows).cast("Q")
        heads, values = words[:: _NEAR // 8].tolist(), words[1 :: _NEAR // 8].tolist()
        result: List[Optional[str]] = [None] * len(kinds)
        strings = self._in_use(kinds.translate(_IS_SHORT_STRING), heads)
        lengths, flags = rows[_TEXT_AT - 3 :: _NEAR], rows[_TEXT_AT - 1 :: _NEAR]
        away = map(sub, map(values.__getitem__, strings), map(self._pointers.__getitem__, strings))
        if (
            set(map(flags.__getitem__, strings)) - {1}
            or max(map(lengths.__getitem__, strings), default=0) > _NEAR - _TEXT_AT
            or set(away) - {_TEXT_AT}
        ):
            strings = [
                at
                for at in strings
                if values[at] - self._pointers[at] == _TEXT_AT
                and flags[at] == 1
                and lengths[at] <= _NEAR - _TEXT_AT
            ]
        pieces = [rows[(start := at * _NEAR + _TEXT_AT) : start + lengths[at]] for at in strings]
        for at, form in zip(strings, json_strings(pieces)):
            result[at] = form
        numbers = self._in_use(kinds.translate(_IS_NUMBER), heads)
        signed = memoryview(rows).cast("q")[1 :: _NEAR // 8].tolist()
        for at in numbers:
            result[at] = str(signed[at])
        return result

    @staticmethod
    def _in_use(selected: bytes, heads: Sequence[int]) -> List[int]:
        """Indices of objects that are selected, a byte for each, and are referred to."""
        if min(compress(heads, selected), default=0) >> 32:
            return list(compress(range(len(heads)), selected))
        return [at for at in compress(range(len(heads)), selected) if heads[at] >> 32]

    def value(self, index: int, decoder: Decoder) -> Decoded:
        head = self._load()[index]
        if head is None:
            return Unreadable(f"no object at {self._pointers[index]:#x}")
        if head.type == 0 and head.encoding == _INT:
            return head.value - (1 << 64) if head.value >> 63 else head.value
        if head.type == 0:
            text = self._text_of(index)
            if text is None:
                return Unreadable(f"no sds string at {head.value:#x}")
            return text_value(self._memory, text, decoder)
        try:
            return self._collection(head)
        except MapscopeError as error:
            return Unreadable(str(error))

    def _collection(self, head: Object) -> Decoded:
        name, at = TYPES[head.type], head.value
        if head.encoding == _TABLE:
            return NestedMap(name, at, self._count(at))
        if head.encoding == _SKIPLIST:  # zset{dict 0, zsl 8}
            table = self._memory.read_word(at)
            return NestedMap(name, table, self._count(table))
        length: Decoded = None
        if head.encoding == _QUICKLIST:  # quicklist{head 0, tail 8, count 16}
            length = self._memory.read_word(at + 16)
        elif head.encoding == _STREAM:
            length = self._memory.read_word(at + self.stream_length)
        elif head.encoding == _INTSET:  # intset{encoding 0, length 4}
            length = int.from_bytes(self._memory.read(at + 4, 4), "little")
        elif head.encoding in (_LISTPACK, 5):
            # listpack: total bytes 4, elements 2; ziplist: bytes 4, tail 4, elements 2
            offset = 4 if head.encoding == _LISTPACK else 8
            count = int.from_bytes(self._memory.read(at + offset, 2), "little")
            pairs = name in ("hash", "zset")
            length = None if count == _UNCOUNTED else count // 2 if pairs else count
        return StructValue(
            (("type", name), ("encoding", ENCODINGS[head.encoding]), ("length", length))
        )

# SPDX-License-Identifier: MIT
"""Values of the keyspace: robj, by type and encoding (src/server.h, object.c; 6.2 to 8.0)."""

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
    json_text,
)
from .text_column import Texts, many_json, text_value

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
_SHORT_STRING, _NUMBER = _EMBSTR << 4, _INT << 4

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
        raws = self._memory.gather(self._pointers, _NEAR)
        whole = raws if None not in raws else [raw or bytes(_NEAR) for raw in raws]
        near = b"".join(whole)  # type: ignore[arg-type]
        text = near.decode("latin-1")
        words = memoryview(near).cast("Q")
        heads, values = words[:: _NEAR // 8].tolist(), words[1 :: _NEAR // 8].tolist()
        lengths, flags = near[_TEXT_AT - 3 :: _NEAR], near[_TEXT_AT - 1 :: _NEAR]
        short = [
            text[at : at + length]
            if head & 0xFF == _SHORT_STRING
            and value - pointer == _TEXT_AT
            and flag == 1
            and length <= _NEAR - _TEXT_AT
            and head >> 32
            else None
            for at, head, value, pointer, length, flag in zip(
                range(_TEXT_AT, len(near) + _TEXT_AT, _NEAR),
                *(heads, values, self._pointers, lengths, flags),
            )
        ]
        result: List[Optional[str]] = list(many_json([each or "" for each in short]))
        if None in short:
            for at, each in enumerate(short):
                if each is None:
                    head, value = heads[at], values[at]
                    number = head & 0xFF == _NUMBER and head >> 32
                    result[at] = str(value - (value >> 63 << 64)) if number else None
        return result

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

# SPDX-License-Identifier: MIT
"""Values of the keyspace: robj, by type and encoding (src/server.h, object.c; 6.2 to 8.0)."""

from typing import Callable, List, NamedTuple, Optional, Sequence

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
    text_or_bytes,
)
from .sds import Text, many_json, texts_at

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

    #: where a stream{rax 0, length 8, ...} has its length
    stream_length = 8

    def __init__(self, memory: Memory, pointers: Sequence[int], count: Count) -> None:
        super().__init__(OBJECT, None, [], lambda index: pointers[index])
        self._memory = memory
        self._pointers = pointers
        self._count = count
        self._heads: Optional[List[Optional[Object]]] = None
        self._texts: List[Optional[Text]] = []

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
            pointers = [
                head.value if head is not None and head.encoding in (_RAW, _EMBSTR) else 0
                for head in self._heads
            ]
            which = [at for at, pointer in enumerate(pointers) if pointer]
            texts = texts_at(self._memory, [pointers[at] for at in which])
            self._texts = [None] * len(pointers)
            for at, text in zip(which, texts):
                self._texts[at] = text
        return self._heads

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        self._load()
        lengths = [0 if text is None else text[1] for text in self._texts]
        return [lengths[at] for at in order] if max(lengths, default=0) >= LONG else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        self._load()
        found = many_json(self._memory, [self._texts[at] for at in order])
        return [
            json_text(self.value(at, decoder)) if text is None else text
            for at, text in zip(order, found)
        ]

    def value(self, index: int, decoder: Decoder) -> Decoded:
        head = self._load()[index]
        if head is None:
            return Unreadable(f"no object at {self._pointers[index]:#x}")
        if head.type == 0 and head.encoding == _INT:
            return head.value - (1 << 64) if head.value >> 63 else head.value
        if head.type == 0:
            text = self._texts[index]
            if text is None:
                return Unreadable(f"no sds string at {head.value:#x}")
            return self._text(text, decoder)
        try:
            return self._collection(head)
        except MapscopeError as error:
            return Unreadable(str(error))

    def _text(self, text: Text, decoder: Decoder) -> Decoded:
        start, length = text
        try:
            decoder.spend(length, f"string of {length} bytes")
            return text_or_bytes(self._memory.read(start, length) if length else b"")
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

# SPDX-License-Identifier: MIT
"""Redis's strings: an sds pointer is at the text, its length stands in front of it (src/sds.h).

Since 8.0 the fields of hashes are mstr (src/mstr.h), whose headers are others.
"""

import struct
from typing import List, Optional, Sequence, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...maps.batches import Column
from ...program.memory import MAX_BYTES, Memory
from ...program.types import Kind, Type
from ...program.values import LONG, Decoded, Decoder, Unreadable, json_strings, json_text

#: (address of a text, its bytes)
Text = Tuple[int, int]

#: bytes in front of a text that have its length, but of one of 4 GiB
_FRONT = 9
_SLOT = struct.Struct("<QQ")

#: a text and its length, as a key's slot has them
TEXT = Type(Kind.STRING, "sds", 16, data_offset=0, len_offset=8)


def _sds_length(front: bytes, memory: Memory, pointer: int) -> Optional[int]:
    """The length that an sds header tells; None: no header looks like that.

    :param front: what lies in front of the text, 9 bytes
    """
    kind = front[8] & 7
    if kind == 0:
        return front[8] >> 3
    if kind == 1:  # len, alloc, flags
        return front[6] if front[6] <= front[7] else None
    if kind == 2:
        length, room = struct.unpack_from("<HH", front, 4)
    elif kind == 3:
        length, room = struct.unpack_from("<II", front, 0)
    elif kind == 4:
        length, room = struct.unpack("<QQ", memory.read(pointer - 17, 16))
    else:
        return None
    return int(length) if length <= room and length <= MAX_BYTES else None


def _mstr_length(front: bytes, memory: Memory, pointer: int) -> Optional[int]:
    """The length that an mstr header tells; the 8 bytes of a long one are in front."""
    kind = front[8] & 3
    if kind == 0:
        return front[8] >> 3
    if kind == 1:
        return front[7]
    length = int.from_bytes(front[6:8] if kind == 2 else front[:8], "little")
    return length if length <= MAX_BYTES else None


def texts_at(memory: Memory, pointers: Sequence[int], mstr: bool = False) -> List[Optional[Text]]:
    """Where the texts of strings are; None: there is no string."""
    length_of = _mstr_length if mstr else _sds_length
    fronts = memory.gather([pointer - _FRONT for pointer in pointers], _FRONT)
    result: List[Optional[Text]] = []
    for pointer, front in zip(pointers, fronts):
        if front is None:
            front = _short_front(memory, pointer)
        elif not front[8] & 7:  # short ones are many
            result.append((pointer, front[8] >> 3))
            continue
        try:
            length = None if front is None else length_of(front, memory, pointer)
        except MemoryUnreadable:
            length = None
        result.append(None if length is None else (pointer, length))
    return result


def _short_front(memory: Memory, pointer: int) -> Optional[bytes]:
    """What lies in front of a text at the beginning of what can be read."""
    for size in (5, 3, 1):
        try:
            return memory.read(pointer - size, size).rjust(_FRONT, b"\0")
        except MemoryUnreadable:
            continue
    return None


def is_text(memory: Memory, pointer: int, mstr: bool = False) -> bool:
    """Whether there is a string at an address: with its length in front and a NUL behind."""
    found = texts_at(memory, [pointer], mstr)[0]
    if found is None:
        return False
    try:
        return memory.read(found[0] + found[1], 1) == b"\0"
    except MapscopeError:
        return False


class TextColumn(Column):
    """Strings; each slot is a pointer and a length."""

    def __init__(self, texts: Sequence[Optional[Text]], pointers: Sequence[int]) -> None:
        super().__init__(TEXT, None, [], lambda index: pointers[index])
        self._texts = texts

    def data(self, index: int) -> Optional[bytes]:
        text = self._texts[index]
        return None if text is None else _SLOT.pack(*text)

    def value(self, index: int, decoder: Decoder) -> Decoded:
        raw = self.data(index)
        if raw is None:
            return Unreadable(f"no sds string at {self.address(index):#x}")
        return decoder.decode(TEXT, raw, self.address(index))

    def lengths(self) -> Optional[Sequence[int]]:
        return [-1 if text is None else text[1] for text in self._texts]

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        lengths = [0 if text is None else text[1] for text in self._texts]
        return [lengths[at] for at in order] if max(lengths, default=0) >= LONG else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        found = many_json(decoder.memory, [self._texts[at] for at in order])
        return [
            json_text(self.value(at, decoder)) if text is None else text
            for at, text in zip(order, found)
        ]


def many_json(memory: Memory, texts: Sequence[Optional[Text]]) -> List[Optional[str]]:
    """The JSON of many strings that are not long; None of the others, and of what cannot be
    read."""
    which = [at for at, text in enumerate(texts) if text is not None and 0 < text[1] < LONG]
    some = [text for text in texts if text is not None and 0 < text[1] < LONG]
    pieces = memory.gather_ranges([start for start, _ in some], [length for _, length in some])
    result: List[Optional[str]] = [None] * len(texts)
    forms = json_strings([piece or b"" for piece in pieces])
    for at, piece, form in zip(which, pieces, forms):
        if piece is not None:
            result[at] = form
    return result

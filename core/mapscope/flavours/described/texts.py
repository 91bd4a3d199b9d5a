# SPDX-License-Identifier: MIT
"""Keys and values that are texts: with a length, or with a NUL behind them."""

import struct
from typing import List, Optional, Sequence

from ...errors import MapscopeError
from ...maps.batches import Column
from ...program.memory import Memory
from ...program.types import Kind, Type
from ...program.values import LONG, Decoded, Decoder, Unreadable, json_strings, json_text
from ..redis.sds import Text

_SLOT = struct.Struct("<QQ")
#: a text and its length, as a key's slot has them
TEXT_TYPE = Type(Kind.STRING, "text", 16, data_offset=0, len_offset=8)
#: bytes of texts with a NUL that are read at once, and of the longest one
_STEP, _LONGEST = 64, 1 << 16


class Texts(Column):
    """Texts, some of which may not be known; each slot is a pointer and a length.

    :param why: of each that is not: the reason
    """

    def __init__(
        self, texts: Sequence[Optional[Text]], pointers: Sequence[int], why: Sequence[str]
    ) -> None:
        super().__init__(TEXT_TYPE, None, [], lambda index: pointers[index])
        self._texts = texts
        self._why = why

    def data(self, index: int) -> Optional[bytes]:
        text = self._texts[index]
        return None if text is None else _SLOT.pack(*text)

    def all_data(self, count: int) -> List[Optional[bytes]]:
        return [self.data(index) for index in range(count)]

    def value(self, index: int, decoder: Decoder) -> Decoded:
        raw = self.data(index)
        if raw is None:
            return Unreadable(self._why[index])
        return decoder.decode(TEXT_TYPE, raw, self.address(index))

    def lengths(self) -> Optional[Sequence[int]]:
        return [-1 if text is None else text[1] for text in self._texts]

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        lengths = [0 if text is None else text[1] for text in self._texts]
        return [lengths[at] for at in order] if max(lengths, default=0) >= LONG else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        some = [(self._texts[at] or (0, 0)) for at in order]
        short = [at for at, text in enumerate(some) if 0 < text[1] < LONG]
        pieces = decoder.memory.gather_ranges(
            [some[at][0] for at in short], [some[at][1] for at in short]
        )
        forms = dict(zip(short, zip(pieces, json_strings([piece or b"" for piece in pieces]))))
        found: List[str] = []
        for at, index in enumerate(order):
            piece, form = forms.get(at, (None, ""))
            found.append(form if piece is not None else json_text(self.value(index, decoder)))
        return found


class Values(Column):
    """Values that lie outside of their entries, or that may not be known.

    :param why: of each that is not: the reason
    """

    def __init__(
        self,
        type: Type,
        raw: Sequence[Optional[bytes]],
        places: Sequence[int],
        why: Sequence[str],
    ) -> None:
        super().__init__(type, None, raw, lambda index: places[index])
        self._why = why

    def value(self, index: int, decoder: Decoder) -> Decoded:
        if self._why[index]:
            return Unreadable(self._why[index])
        return super().value(index, decoder)


def c_strings(memory: Memory, starts: Sequence[int]) -> List[Optional[Text]]:
    """Texts that end at a NUL; None: none does."""
    result: List[Optional[Text]] = []
    for start, raw in zip(starts, memory.gather(starts, _STEP)):
        length = -1 if raw is None else raw.find(b"\0")
        if length < 0:
            length = _long(memory, start)
        result.append(None if length < 0 else (start, length))
    return result


def _long(memory: Memory, start: int) -> int:
    """The length of a text that is longer, or at the end of what can be read; -1: it has none."""
    at = start
    while at - start < _LONGEST:
        step = _STEP - at % _STEP
        try:
            raw = memory.read(at, step)
        except MapscopeError:
            return -1
        end = raw.find(b"\0")
        if end >= 0:
            return at + end - start
        at += step
    return -1

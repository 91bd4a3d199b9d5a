# SPDX-License-Identifier: MIT
"""Keys and values that are texts: with a length, or with a NUL behind them."""

from typing import List, Optional, Sequence

from ...errors import MapscopeError
from ...maps.batches import Column
from ...program.memory import Memory
from ...program.types import Kind, Type
from ...program.values import LONG, Decoded, Decoder, Unreadable, json_text
from ..redis.sds import Text, TextColumn, many_json

#: a text and its length, as a key's slot has them
TEXT_TYPE = Type(Kind.STRING, "text", 16, data_offset=0, len_offset=8)
#: bytes of texts with a NUL that are read at once, and of the longest one
_STEP, _LONGEST = 64, 1 << 16


class Texts(TextColumn):
    """Texts, some of which may not be known.

    :param why: of each that is not: the reason
    """

    def __init__(
        self, texts: Sequence[Optional[Text]], pointers: Sequence[int], why: Sequence[str]
    ) -> None:
        super().__init__(texts, pointers)
        self.type = TEXT_TYPE
        self._whole = texts
        self._why = why

    def value(self, index: int, decoder: Decoder) -> Decoded:
        if self._whole[index] is None:
            return Unreadable(self._why[index])
        return super().value(index, decoder)

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        lengths = [0 if text is None else text[1] for text in self._whole]
        return [lengths[at] for at in order] if max(lengths, default=0) >= LONG else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        found = many_json(decoder.memory, [self._whole[at] for at in order])
        return [
            json_text(self.value(at, decoder)) if text is None else text
            for at, text in zip(order, found)
        ]


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

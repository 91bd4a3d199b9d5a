# SPDX-License-Identifier: MIT
"""Many strings at once: each is read together with the header in front of it, so that of short
ones, which most are, all is there after one read; they are taken apart by slices."""

from array import array
from typing import Callable, List, Optional, Sequence

from ...errors import MapscopeError
from ...maps.batches import Column
from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.values import (
    LONG,
    Decoded,
    Decoder,
    Unreadable,
    json_strings,
    json_text,
    text_or_bytes,
)
from .sds import FRONT, SLOT, TEXT, Text, text_length, texts_at

#: bytes that are read of each string, and how many of them are its text
NEAR = 64
_NEAR_TEXT = NEAR - FRONT
#: a length that a string's first byte of flags does not tell alone
_ELSE = 0xFF
#: flags: the length of a short string
_SHORT_SDS = bytes(flags >> 3 if not flags & 7 else _ELSE for flags in range(256))
_SHORT_MSTR = bytes(flags >> 3 if not flags & 3 else _ELSE for flags in range(256))
#: flags of a string whose header is its length and its room, a byte each, and the flags
_SDS_8 = 1


class Texts:
    """Strings.

    :param pointers: to the text of each
    :ivar lengths: bytes of each; -1: there is no string
    """

    def __init__(self, memory: Memory, pointers: Sequence[int], mstr: bool = False) -> None:
        self._memory = memory
        self._pointers = pointers
        fronts = [pointer - FRONT for pointer in pointers]
        self._near, unread = memory.gather_rows(fronts, NEAR)
        flags = self._near[FRONT - 1 :: NEAR]
        known = flags.translate(_SHORT_MSTR if mstr else _SHORT_SDS)
        self.lengths: List[int] = list(known)
        if _ELSE in known:
            sizes, rooms = self._near[FRONT - 3 :: NEAR], self._near[FRONT - 2 :: NEAR]
            for at in [at for at, size in enumerate(known) if size == _ELSE]:
                if flags[at] == _SDS_8 and sizes[at] <= rooms[at] and not mstr:
                    self.lengths[at] = sizes[at]
                    continue
                front = self._near[at * NEAR : at * NEAR + FRONT]
                self.lengths[at] = text_length(memory, pointers[at], front, mstr)
        for at in unread:  # at the end of memory
            text = texts_at(memory, [pointers[at]], mstr)[0]
            self.lengths[at] = -1 if text is None else text[1]
        # bytes of each that are there already; none of the others, whose indices are in _far
        self._cut, self._far = self.lengths, unread
        if unread or (self.lengths and (max(self.lengths) > _NEAR_TEXT or min(self.lengths) < 0)):
            away = {at for at, size in enumerate(self.lengths) if not 0 <= size <= _NEAR_TEXT}
            self._far = sorted(away.union(unread))
            self._cut = self.lengths.copy()
            for at in self._far:
                self._cut[at] = 0

    def text(self, index: int) -> Optional[Text]:
        """Where one is; None: there is no string."""
        length = self.lengths[index]
        return None if length < 0 else (self._pointers[index], length)

    def unread(self) -> List[int]:
        """Indices of what is no string, or cannot be read."""
        return [at for at in self._far if self.lengths[at] < 0]

    def hashes(self, known: KeyHash) -> List[Optional[int]]:
        """Their hashes."""
        found = known.of_rows(self._near, NEAR, FRONT, self._cut)
        if found is None:
            return known.many([slot or b"" for slot in self.slots()])
        if not self._far:
            return list(found)
        result: List[Optional[int]] = list(found)
        slots = [text and SLOT.pack(*text) or b"" for text in map(self.text, self._far)]
        for at, number in zip(self._far, known.many(slots)):
            result[at] = number
        return result

    def remembered(self) -> Callable[[int], Optional[bytes]]:
        """What gives the pointer and the length of each later, in little memory."""
        pointers, lengths = array("Q", self._pointers), array("q", self.lengths)

        def slot(at: int) -> Optional[bytes]:
            return None if lengths[at] < 0 else SLOT.pack(pointers[at], lengths[at])

        return slot

    def slots(self) -> List[Optional[bytes]]:
        """A pointer and a length of each; None: there is no string."""
        pack = SLOT.pack
        if not self._far:
            return [pack(start, length) for start, length in zip(self._pointers, self.lengths)]
        return [
            None if length < 0 else pack(start, length)
            for start, length in zip(self._pointers, self.lengths)
        ]

    def pieces(self, order: Sequence[int]) -> List[Optional[bytes]]:
        """The texts of those with these indices; None of long ones, and of what cannot be
        read."""
        near, cut = self._near, self._cut
        whole = order == range(len(cut))
        if whole:
            starts = range(FRONT, len(near), NEAR)
            found: List[Optional[bytes]] = [near[at : at + size] for at, size in zip(starts, cut)]
        else:
            found = [near[(start := at * NEAR + FRONT) : start + cut[at]] for at in order]
        if not self._far:
            return found
        away = set(self._far)
        places = self._far if whole else [at for at, one in enumerate(order) if one in away]
        far: List[int] = []
        for place in places:
            found[place] = None
            if 0 <= self.lengths[order[place]] < LONG:
                far.append(place)
        begin = [self._pointers[order[place]] for place in far]
        texts = self._memory.gather_ranges(begin, [self.lengths[order[place]] for place in far])
        for place, text in zip(far, texts):
            found[place] = text
        return found

    def json(self, order: Sequence[int]) -> List[Optional[str]]:
        """The JSON of those with these indices that are not long; None of the others, and of
        what cannot be read."""
        pieces = self.pieces(order)
        if not self._far:
            return list(json_strings(pieces))  # type: ignore[arg-type]
        forms = json_strings([piece or b"" for piece in pieces])
        return [None if piece is None else form for piece, form in zip(pieces, forms)]


class TextColumn(Column):
    """Strings; each slot is a pointer and a length.

    :param pointers: to the text of each
    :param mstr: whether they are mstr, not sds
    """

    def __init__(self, memory: Memory, pointers: Sequence[int], mstr: bool = False) -> None:
        super().__init__(TEXT, None, [], lambda index: pointers[index])
        self._texts = Texts(memory, pointers, mstr)

    def data(self, index: int) -> Optional[bytes]:
        text = self._texts.text(index)
        return None if text is None else SLOT.pack(*text)

    def all_data(self, count: int) -> List[Optional[bytes]]:
        return self._texts.slots()

    def unread(self, count: int) -> List[int]:
        return self._texts.unread()

    def hashes(self, known: KeyHash, count: int) -> List[Optional[int]]:
        return self._texts.hashes(known)

    def remembered(self, count: int) -> Callable[[int], Optional[bytes]]:
        return self._texts.remembered()

    def value(self, index: int, decoder: Decoder) -> Decoded:
        raw = self.data(index)
        if raw is None:
            return Unreadable(f"no sds string at {self.address(index):#x}")
        return decoder.decode(TEXT, raw, self.address(index))

    def lengths(self) -> Optional[Sequence[int]]:
        return self._texts.lengths

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        lengths = self._texts.lengths
        return [lengths[at] for at in order] if max(lengths, default=0) >= LONG else None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        found = self._texts.json(order)
        if None not in found:
            return found  # type: ignore[return-value]
        return [
            json_text(self.value(at, decoder)) if text is None else text
            for at, text in zip(order, found)
        ]


def text_value(memory: Memory, text: Text, decoder: Decoder) -> Decoded:
    """One string, within what may be decoded."""
    start, length = text
    try:
        decoder.spend(length, f"string of {length} bytes")
        return text_or_bytes(memory.read(start, length) if length else b"")
    except MapscopeError as error:
        return Unreadable(str(error))

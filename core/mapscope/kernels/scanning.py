# SPDX-License-Identifier: MIT
"""Records of the same shape in a piece of memory: bytes counted in each, and words picked out."""

from array import array
from collections import Counter
from functools import reduce
from itertools import compress
from operator import or_
from typing import Dict, List, Optional, Tuple

from ..records import dataclass
from .native import kernels_for

#: bytes of words that are looked at together
_GROUP = 512
_ZERO = bytes(_GROUP)
#: what a kernel gives that was asked for what is not in its buffers
_OUTSIDE = (1 << 64) - 1
#: numbers that a histogram counts in an array
_SMALL = 4096


@dataclass(frozen=True)
class Records:
    """Records of `stride` bytes, a multiple of 8.

    :ivar places: their addresses, of which `data` begins at `base`; None: they lie one behind the
        other, and nothing else does
    """

    data: memoryview
    stride: int
    places: Optional["array[int]"] = None
    base: int = 0

    def __len__(self) -> int:
        return len(self.data) // self.stride if self.places is None else len(self.places)

    def count(self, offset: int, width: int, low: int, high: int) -> Tuple[bytes, List[int]]:
        """How many of the `width` (1 to 8) bytes at `offset` of each are in low..high: one byte
        for each record, and how many records have 0, 1, ... 8 such bytes.

        :param offset: a multiple of 8
        """
        number = len(self)
        kernels = kernels_for(len(self.data))
        if kernels is None:
            return _count(self._words(offset), width, low, high)
        counts, histogram = bytearray(number), array("Q", bytes(9 * 8))
        places, base = self.places, self.base
        where = (self.data, len(self.data), self.stride, places, base, number)
        _inside(kernels.call("count_bytes", *where, offset, width, low, high, counts, histogram))
        return bytes(counts), histogram.tolist()

    def total(self, offset: int, width: int, low: int, high: int) -> int:
        """How many such bytes all records have."""
        kernels = kernels_for(len(self.data))
        if kernels is None and width == 8:  # faster than to count those of each
            others = bytes(range(low)) + bytes(range(high + 1, 256))
            return len(self._words(offset).translate(None, others))
        return total_of(self.count(offset, width, low, high)[1])

    def links(self, offset: int, but: Optional[bytes] = None) -> "Links":
        """The words at `offset`, a multiple of 8, that are not 0.

        :param but: 1 for each record of which the word is left out, else 0
        """
        number = len(self)
        kernels = kernels_for(len(self.data))
        if kernels is None:
            return _links(self._words(offset), but)
        indices, words = array("I", bytes(4 * number)), array("Q", bytes(8 * number))
        together = array("Q", [0])
        places, base = self.places, self.base
        where = (self.data, len(self.data), self.stride, places, base, number)
        found = _inside(kernels.call("links", *where, offset, but, indices, words, together))
        return Links(indices[:found], words[:found], together[0])

    def _words(self, offset: int) -> bytes:
        """The word at `offset` of each."""
        if self.places is None:
            return self.data.cast("Q")[offset // 8 :: self.stride // 8].tobytes()
        if not self.places:
            return b""
        data, base = bytes(self.data), self.base
        if min(self.places) < base or max(self.places) + self.stride > base + len(data):
            _inside(_OUTSIDE)
        return b"".join([data[(at := place - base + offset) : at + 8] for place in self.places])


@dataclass(frozen=True)
class Links:
    """Words of records, in the order of the records.

    :ivar indices: the record that each is of
    :ivar together: the bits that any of them has
    """

    indices: "array[int]"
    words: "array[int]"
    together: int


def total_of(histogram: List[int]) -> int:
    """The sum of numbers of which it says how many there are of each."""
    return sum(number * times for number, times in enumerate(histogram))


def _inside(result: int) -> int:
    """A kernel's result, where it found what it was asked for in the buffers that it was given."""
    if result == _OUTSIDE:
        raise IndexError("a place outside of what was read")
    return result


def _count(words: bytes, width: int, low: int, high: int) -> Tuple[bytes, List[int]]:
    number = len(words) // 8
    hits = words.translate(_marks(low, high))
    # vectors of 0/1 bytes, added as long integers: no byte exceeds 8
    total = sum(int.from_bytes(hits[at::8], "little") for at in range(width))
    counts = total.to_bytes(number, "little")
    return counts, [counts.count(many) for many in range(9)]


def _marks(low: int, high: int) -> bytes:
    """For bytes.translate: 1 for a byte in low..high, else 0."""
    return bytes(low) + b"\1" * (high + 1 - low) + bytes(255 - high)


def _links(raw: bytes, but: Optional[bytes]) -> Links:
    number = len(raw) // 8
    # Mostly 0: look into the groups that hold any other word.
    filled = [at for at in range(0, len(raw), _GROUP) if raw[at : at + _GROUP] != _ZERO]
    if 4 * len(filled) < len(raw) // _GROUP:
        words = memoryview(raw).cast("Q")
        pairs = [
            (index, word)
            for at in filled
            for index, word in enumerate(words[at // 8 : (at + _GROUP) // 8], at // 8)
            if word
        ]
        indices, found = [index for index, _ in pairs], [word for _, word in pairs]
    else:  # one byte for each word that is 0 only if all its bytes are
        marks = 0
        for byte in range(8):
            marks |= int.from_bytes(raw[byte::8], "little")
        flags = marks.to_bytes(number, "little")
        indices = list(compress(range(number), flags))
        found = list(compress(memoryview(raw).cast("Q").tolist(), flags))
    if but is not None:
        kept = [not but[index] for index in indices]
        indices, found = list(compress(indices, kept)), list(compress(found, kept))
    return Links(array("I", indices), array("Q", found), reduce(or_, found, 0))


def sort(words: "array[int]", more: "array[int]") -> bool:
    """Sort words in place, with a number of its own beside each; whether two are equal.

    :param words: of 64 bits
    :param more: of 32 bits
    """
    kernels = kernels_for(12 * len(words))
    if kernels is not None:
        spare_words, spare_more = array("Q", bytes(8 * len(words))), array(
            "I", bytes(4 * len(more))
        )
        return bool(kernels.call("sort", words, more, len(words), spare_words, spare_more))
    order = sorted(range(len(words)), key=words.__getitem__)
    words[:] = array("Q", [words[at] for at in order])
    more[:] = array("I", [more[at] for at in order])
    return len(set(words)) < len(words)


def sums(before: Optional["array[int]"], counts: bytes, indices: "array[int]") -> "array[int]":
    """before[i] + counts[i] for each index i, of 32 bits.

    :param before: None: all 0
    """
    kernels = kernels_for(5 * len(counts))
    if kernels is None:
        if before is None:
            return array("I", [counts[at] for at in indices])
        return array("I", [before[at] + counts[at] for at in indices])
    found = array("I", bytes(4 * len(indices)))
    _inside(kernels.call("sums", before, counts, len(counts), indices, len(indices), found))
    return found


class Histogram:
    """How many there are of each number that is not negative."""

    def __init__(self) -> None:
        self._small = array("q", bytes(8 * _SMALL))
        self._large: Dict[int, int] = {}

    def add(self, counts: List[int]) -> None:
        """So many more of 0, 1, 2, ..."""
        for number, more in enumerate(counts):
            self._change(number, more)

    def move(self, before: "array[int]", more: bytes) -> None:
        """What was counted as each number of `before` is that much more."""
        kernels = kernels_for(5 * len(more))
        if kernels is not None:
            arguments = (before, more, len(more), self._small, _SMALL)
            if kernels.call("move", *arguments) != _OUTSIDE:
                return
        for (number, further), times in Counter(zip(before, more)).items():
            self._change(number, -times)
            self._change(number + further, times)

    def form(self) -> Dict[int, int]:
        """The numbers that there are, each with how often, in order."""
        small = {number: times for number, times in enumerate(self._small) if times}
        return {**small, **{number: self._large[number] for number in sorted(self._large)}}

    def _change(self, number: int, times: int) -> None:
        if number < _SMALL:
            self._small[number] += times
            return
        times += self._large.pop(number, 0)
        if times:
            self._large[number] = times

# SPDX-License-Identifier: MIT
"""Records of the same shape in a piece of memory: bytes counted in each, and words picked out."""

from array import array
from collections import Counter
from functools import reduce
from itertools import compress
from operator import add, or_
from typing import Dict, Iterable, List, Optional, Sequence, Tuple, Union

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
            return _count(self.words(offset), width, low, high)
        counts, histogram = bytearray(number), array("Q", bytes(9 * 8))
        places, base = self.places, self.base
        where = (self.data, len(self.data), self.stride, places, base, number)
        inside(kernels.call("count_bytes", *where, offset, width, low, high, counts, histogram))
        return bytes(counts), histogram.tolist()

    def total(self, offset: int, width: int, low: int, high: int) -> int:
        """How many such bytes all records have."""
        kernels = kernels_for(len(self.data))
        if kernels is None and width == 8:  # faster than to count those of each
            others = bytes(range(low)) + bytes(range(high + 1, 256))
            return len(self.words(offset).translate(None, others))
        return total_of(self.count(offset, width, low, high)[1])

    def links(self, offset: int, but: Optional[bytes] = None) -> "Links":
        """The words at `offset`, a multiple of 8, that are not 0.

        :param but: 1 for each record of which the word is left out, else 0
        """
        number = len(self)
        kernels = kernels_for(len(self.data))
        if kernels is None:
            return _links(self.words(offset), but)
        indices, words = array("I", bytes(4 * number)), array("Q", bytes(8 * number))
        together = array("Q", [0])
        places, base = self.places, self.base
        where = (self.data, len(self.data), self.stride, places, base, number)
        found = inside(kernels.call("links", *where, offset, but, indices, words, together))
        return Links(indices[:found], words[:found], together[0])

    def cells(self, low: int, high: int, slots: int, step: int, width: int) -> "Cells":
        """The bytes among the first 8 of each that are in low..high, with what belongs to each;
        of records that lie one behind the other.

        :param slots: offset of what belongs to the first of the 8
        :param step: from there to what belongs to the next
        :param width: its bytes
        """
        number = len(self)
        kernels = kernels_for(len(self.data))
        if kernels is None:
            return self._cells(low, high, slots, step, width)
        positions, marks = array("I", bytes(32 * number)), bytearray(8 * number)
        values = bytearray(8 * number * width)
        what = (low, high, slots, step, width, positions, marks, values)
        found = kernels.call("cells", self.data, self.stride, number, *what)
        del values[found * width :]
        return Cells(positions[:found], bytes(marks[:found]), values)

    def _cells(self, low: int, high: int, slots: int, step: int, width: int) -> "Cells":
        tops, stride, raw = self.words(0), self.stride, bytes(self.data)
        positions = array("I", compress(range(len(tops)), tops.translate(_marks(low, high))))
        others = bytes(range(low)) + bytes(range(high + 1, 256))
        starts = [(at >> 3) * stride + slots + (at & 7) * step for at in positions]
        values = b"".join([raw[start : start + width] for start in starts])
        return Cells(positions, tops.translate(None, others), values)

    def words(self, offset: int) -> bytes:
        """The word at `offset` of each."""
        if self.places is None:
            kernels = kernels_for(len(self.data))
            if kernels is None:
                return self.data.cast("Q")[offset // 8 :: self.stride // 8].tobytes()
            number = len(self)
            words = bytearray(8 * number)
            kernels.call("words", self.data, self.stride, number, offset, words)
            return bytes(words)
        if not self.places:
            return b""
        data, base = bytes(self.data), self.base
        if min(self.places) < base or max(self.places) + self.stride > base + len(data):
            inside(_OUTSIDE)
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


@dataclass
class Looked:
    """What to look for in records: in their first 8 bytes, and at a word.

    :ivar counted: bytes from..to that are counted in each
    :ivar mark: first bytes from..to that are a mark
    :ivar link: offset of the word
    :ivar but_marked: whether words of records with a mark are left out
    """

    counted: Tuple[int, int]
    mark: Tuple[int, int]
    link: int
    but_marked: bool


class Survey:
    """Records that were looked at once, in several pieces of memory."""

    def __init__(self, wanted: Looked) -> None:
        self._wanted = wanted
        self._totals = array("Q", bytes(12 * 8))
        self._found = 0
        # more than are filled
        self._words, self._counts = array("Q"), array("I")

    @property
    def histogram(self) -> List[int]:
        """How many records have 0, 1, ... 8 of the bytes that are counted."""
        return self._totals[:9].tolist()

    @property
    def marked(self) -> int:
        """Records with a mark."""
        return self._totals[9]

    @property
    def ahead(self) -> int:
        """Those of them that were ahead."""
        return self._totals[10]

    @property
    def together(self) -> int:
        """The bits that any of the words has."""
        return self._totals[11]

    def links(self) -> Tuple["array[int]", "array[int]"]:
        """The words that are not 0, and how many bytes were counted in the record of each."""
        return self._words[: self._found], self._counts[: self._found]

    def add(self, records: Records, ahead_from: int) -> None:
        """Look at more.

        :param records: one behind the other
        :param ahead_from: index of the first whose mark is ahead
        """
        number, wanted = len(records), self._wanted
        kernels = kernels_for(len(records.data))
        if kernels is None:
            self._add(records, ahead_from)
            return
        room = len(self._words) - self._found
        if room < number:
            more = max(number, len(self._words))
            self._words.frombytes(bytes(8 * more))
            self._counts.frombytes(bytes(4 * more))
        self._found += kernels.call(
            "survey",
            *(records.data, records.stride, number, *wanted.counted, *wanted.mark, ahead_from),
            *(wanted.link, int(wanted.but_marked), self._totals),
            *(_place(self._words, self._found), _place(self._counts, self._found)),
        )

    def _add(self, records: Records, ahead_from: int) -> None:
        wanted, totals = self._wanted, self._totals
        counts, histogram = records.count(0, 8, *wanted.counted)
        marks, _ = records.count(0, 1, *wanted.mark)
        links = records.links(wanted.link, marks if wanted.but_marked else None)
        more = (*histogram, marks.count(1), marks.count(1, max(0, ahead_from)))
        for at, number in enumerate(more):
            totals[at] += number
        totals[11] |= links.together
        del self._words[self._found :], self._counts[self._found :]
        self._words.extend(links.words)
        self._counts.extend(sums(None, counts, links.indices))
        self._found = len(self._words)


def _place(column: "array[int]", index: int) -> int:
    """The address of one of its numbers, as long as it has no more and no fewer."""
    return column.buffer_info()[0] + index * column.itemsize


@dataclass(frozen=True)
class Cells:
    """Some of the first 8 bytes of records.

    :ivar positions: 8 * record + index of each
    :ivar marks: the bytes
    :ivar values: what belongs to each, one behind the other
    """

    positions: "array[int]"
    marks: bytes
    values: Union[bytes, bytearray]

    def fit(self, numbers: "array[int]", table: bytes, mask: int, owners: Sequence[int]) -> bool:
        """Whether each one's number says where it is: the number's highest byte, by a table, is
        the mark, and its bits in `mask` are the owner of the record.

        :param owners: of the records
        """
        kernels = kernels_for(8 * len(numbers))
        if kernels is None:
            tops = numbers.tobytes()[7::8].translate(table)
            theirs = [owners[at >> 3] for at in self.positions]
            return tops == self.marks and [number & mask for number in numbers] == theirs
        is_range = isinstance(owners, range) and owners.step == 1
        of_each = None if is_range else array("Q", owners)
        first = owners[0] if owners else 0
        where = (self.positions, of_each, first, len(owners))
        many = len(numbers)
        return kernels.call("fits", numbers, many, table, self.marks, mask, *where) == many


def equal_bytes(
    data: bytes, others: Optional[bytes], least: int
) -> Optional[Iterable[Tuple[int, int, int]]]:
    """Equal bytes, of at least so much, in groups of 8: (group, index, index of the second), by
    indices first; None: no kernel finds them, or there are very many.

    :param others: as many groups, whose bytes are the second ones; None: the same groups
    """
    kernels = kernels_for(len(data))
    if kernels is None:
        return None
    number = len(data) // 8
    some, groups, pairs = (
        array("I", bytes(4 * number)),
        array("I", bytes(4 * number)),
        bytearray(number),
    )
    where = (data, others, number, least, some, groups, pairs, number)
    found = kernels.call("equal_bytes", *where)
    if found > number:
        return None
    return [(group, pair >> 3, pair & 7) for group, pair in zip(groups[:found], pairs)]


def take(words: "array[int]", indices: "array[int]") -> "array[int]":
    """The words at some indices."""
    kernels = kernels_for(8 * len(indices))
    if kernels is None:
        return array("Q", [words[at] for at in indices])
    taken = array("Q", bytes(8 * len(indices)))
    inside(kernels.call("take", words, len(words), indices, len(indices), taken))
    return taken


def put(words: "array[int]", indices: "array[int]") -> "array[int]":
    """As many words, of which the one with each of these indices is given."""
    kernels = kernels_for(8 * len(indices))
    found = array("Q", bytes(8 * len(indices)))
    if kernels is None:
        for at, word in zip(indices, words):
            found[at] = word
        return found
    inside(kernels.call("put", words, indices, len(indices), found, len(found)))
    return found


def anchor(starts: "array[int]", lengths: "array[int]") -> Tuple["array[int]", int]:
    """Get texts ready to be gone through in the order of their addresses: those that are empty,
    which may have any, get the lowest of the others.

    :return: 0, 1, 2, ..., and the longest one's length
    """
    kernels = kernels_for(8 * len(starts))
    if kernels is not None:
        order = array("I", bytes(4 * len(starts)))
        return order, kernels.call("anchor", starts, lengths, len(starts), order)
    if 0 in lengths:
        lowest = min(compress(starts, lengths), default=0)
        for at, length in enumerate(lengths):
            if not length:
                starts[at] = lowest
    return array("I", range(len(starts))), max(lengths, default=0)


def reach(starts: "array[int]", lengths: "array[int]") -> int:
    """Where the last of some texts ends."""
    kernels = kernels_for(8 * len(starts))
    if kernels is None:
        return max(map(add, starts, lengths), default=0)
    return kernels.call("reach", starts, lengths, len(starts))


def total_of(histogram: List[int]) -> int:
    """The sum of numbers of which it says how many there are of each."""
    return sum(number * times for number, times in enumerate(histogram))


def inside(result: int) -> int:
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
    inside(kernels.call("sums", before, counts, len(counts), indices, len(indices), found))
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

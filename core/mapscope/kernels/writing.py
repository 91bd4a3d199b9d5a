# SPDX-License-Identifier: MIT
"""Rows of text out of columns of numbers and strings."""

from array import array
from itertools import accumulate
from operator import sub
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..records import dataclass
from .native import Argument, kernels_for
from .picking import sums_before
from .scanning import inside

#: what a column holds; kernels/writing.cpp has the same. A number is of KIND bytes, one with a sign
#: of KIND - SIGNED
SIGNED, BOOLEAN, POINTER, STRING, READY = 16, 32, 33, 34, 35

#: bytes of text that are written at once
_BUFFER = 1 << 21
#: rows that are written in Python before the kernel is tried again, which has stopped
_MOST_PYTHON = 1 << 12

Bytes = Union[bytes, bytearray]


class Style(NamedTuple):
    """How cells are written.

    :ivar json: False: for readers
    :ivar limit: characters of a string that readers are shown; 0: all
    :ivar string: writes a string's bytes
    """

    json: bool
    limit: int
    string: Callable[[bytes], str]


@dataclass(frozen=True)
class Cells:
    """A column.

    :ivar data: the numbers, or the bytes of all strings or texts
    :ivar offsets: where each string begins, and where the last one ends; None: numbers
    """

    kind: int
    data: Union["array[Any]", Bytes]
    offsets: Optional["array[int]"] = None

    def __len__(self) -> int:
        return len(self.data) if self.offsets is None else len(self.offsets) - 1

    def passed(self) -> Tuple[Argument, ...]:
        """It as a kernel takes it."""
        size = len(self.data)
        if isinstance(self.data, array):
            size *= self.data.itemsize
        return self.kind, self.data, size, self.offsets

    def texts(self, rows: Sequence[int], style: Style) -> Iterable[object]:
        """What is written of some rows, as str() has it."""
        if self.offsets is not None:
            return self._strings(rows, style)
        numbers: Iterable[Any] = self.data
        if not _is_all(rows, len(self.data)):
            numbers = map(self.data.__getitem__, rows)
        if self.kind == BOOLEAN:
            return ["true" if number else "false" for number in numbers]
        if self.kind != POINTER:
            return numbers
        form = '"{:#x}"' if style.json else "{:#x}"
        nothing = "null" if style.json else "nil"
        return [form.format(number) if number else nothing for number in numbers]

    def may_hold(self, text: str) -> bool:
        """Whether what is written of a row may have a text in it."""
        return self.kind >= BOOLEAN or _DIGITS.issuperset(text)

    def _strings(self, rows: Sequence[int], style: Style) -> List[str]:
        assert self.offsets is not None
        starts: Sequence[int] = self.offsets
        ends = starts[1:]
        if not _is_all(rows, len(ends)):
            starts, ends = [starts[row] for row in rows], [ends[row] for row in rows]
        data = bytes(self.data)
        if self.kind == READY:
            text = data.decode("ascii")
            return [text[start:end] for start, end in zip(starts, ends)]
        short = not style.limit or max(map(sub, ends, starts), default=0) <= style.limit
        if short and not data.translate(None, _PLAIN):  # as nearly all are
            text = data.decode("ascii")
            return [f'"{text[start:end]}"' for start, end in zip(starts, ends)]
        return list(map(style.string, [data[start:end] for start, end in zip(starts, ends)]))


#: what numbers are written with
_DIGITS = frozenset("-0123456789")
#: bytes that stand in strings as they are
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))


def ready(texts: Sequence[str]) -> Cells:
    """A column of texts, all ASCII, that are written as they are."""
    return Cells(READY, "".join(texts).encode("ascii"), sums_before(array("Q", map(len, texts))))


class Rows:
    """What is written of some columns, row by row.

    :param words: what stands in front of each column's cell, and behind the last one, in ASCII
    :param rows: the rows, in the order in which they are written
    :param hard: marks of all rows, of which those with any are for somebody else to write; None:
        there are none
    """

    def __init__(
        self,
        columns: Sequence[Cells],
        words: Sequence[str],
        rows: Sequence[int],
        hard: Optional[Bytes],
        style: Style,
    ) -> None:
        self._columns, self._words = columns, words
        self._rows = rows
        self._hard = hard
        self._style = style
        self._python = 0  # rows for which the kernel is not tried
        self._kernels = kernels_for(16 * len(rows)) if rows else None
        if self._kernels is not None:
            self._buffer = bytearray(_BUFFER)
            if not isinstance(rows, (range, array)):
                self._rows = array("I", rows)
            elif isinstance(rows, range) and rows.step != 1:
                self._rows = array("I", rows)

    def write(self, first: int, most: int) -> Tuple[str, int]:
        """(the text of rows from the `first` to be written on, how many those are): up to `most`
        of them, fewer in front of one that is hard. 0: that is the next one."""
        size, done = self._by_kernel(first, most, None)
        if done:
            return str(memoryview(self._buffer)[:size], "ascii"), done
        rows = self._easy(first, most)
        first_words, *more = self._words
        cells = self._columns[0].texts(rows, self._style)
        if len(self._columns) == 1:
            last = more[0]
            return "".join([f"{first_words}{one}{last}" for one in cells]), len(rows)
        between, last = more
        seconds = self._columns[1].texts(rows, self._style)
        lines = [f"{first_words}{one}{between}{two}{last}" for one, two in zip(cells, seconds)]
        return "".join(lines), len(rows)

    def holding(self, first: int, most: int, wanted: str, marks: bytearray) -> int:
        """How many rows were looked at, of as many as write() would write: 1 is put for each that
        has a cell whose text holds another one.

        Cells have a line each, and text that is written in bulk has none that ends in it.

        :param marks: of all that are to be written, in their order
        """
        most = min(most, len(self._rows) - first)
        if not any(cells.may_hold(wanted) for cells in self._columns):
            return most
        ends = array("Q", bytes(8 * max(0, most)))
        size, done = self._by_kernel(first, most, ends)
        if not done:
            rows = self._easy(first, most)
            for cells in self._columns:
                for at, text in enumerate(cells.texts(rows, self._style), first):
                    if wanted in str(text):
                        marks[at] = 1
            return len(rows)
        if wanted.isascii() and "\n" not in wanted and self._kernels is not None:
            plain, found = wanted.encode("ascii"), memoryview(marks)[first : first + done]
            arguments = (self._buffer, size, ends, done, plain, len(plain), found)
            inside(self._kernels.call("holding", *arguments))
        return done

    def _easy(self, first: int, most: int) -> Sequence[int]:
        """Rows in front of the first one that is hard."""
        most = min(most, self._python or most)
        rows = self._rows[first : first + most]
        hard = self._hard
        if hard is None:
            return rows
        marks = bytes(map(hard.__getitem__, rows))
        return rows[: len(marks) - len(marks.lstrip(b"\0"))]

    def _by_kernel(self, first: int, most: int, ends: Optional["array[int]"]) -> Tuple[int, int]:
        """(how many bytes a kernel has written, how many rows); 0: it is not for one to do.

        :param ends: is given the end of each row
        """
        kernels, rows = self._kernels, self._rows
        most = min(most, len(rows) - first)
        if kernels is None or most <= 0:
            return 0, 0
        chosen = None if isinstance(rows, range) else memoryview(rows)[first:]  # type: ignore
        none: Tuple[Argument, ...] = (0, None, 0, None)
        more = self._columns[1].passed() if len(self._columns) > 1 else none
        words = [word.encode("ascii") for word in self._words]
        word_ends = array("Q", accumulate(map(len, words), initial=0))
        written = array("Q", [0])
        result = kernels.call(
            "write",
            *(*self._columns[0].passed(), *more, b"".join(words), word_ends),
            *(chosen, rows[first] if chosen is None else 0),
            *(most, len(self._columns[0]), self._hard, int(self._style.json), self._style.limit),
            *(self._buffer, len(self._buffer), ends, written),
        )
        done = inside(result)
        # what has stopped it is likely to be in other rows, too
        self._python = 0 if done else min(2 * self._python + 1, _MOST_PYTHON)
        return written[0], done


def _is_all(rows: Sequence[int], count: int) -> bool:
    return isinstance(rows, range) and rows == range(count)

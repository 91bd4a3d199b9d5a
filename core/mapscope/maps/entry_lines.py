# SPDX-License-Identifier: MIT
"""Lines of entries, as JSON and for readers: in bulk where keys and elements are numbers or
strings, else one by one."""

from itertools import compress
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from ..kernels.writing import Cells, Rows, Style
from ..program.values import Decoder, dumps, json_style, text_form, text_style
from .batches import Column, EntryBatch

#: lines that are made at once
_LINES = 1 << 15

_Cells = Optional[Tuple[Cells, Optional[bytearray]]]


class EntryLines:
    """How the entries of a map are written.

    :param has_values: whether they are more than their keys
    :param json: False: for readers
    :param where: whether each is written with its place
    :param elements: characters and elements of each value that readers are shown; 0: all
    """

    def __init__(
        self, decoder: Decoder, has_values: bool, json: bool, where: bool, elements: int
    ) -> None:
        self._decoder = decoder
        self._has_values = has_values
        self._json = json
        self._where = where
        self._shown = 0 if json else elements
        self._style = json_style() if json else text_style(elements)
        if json:
            self._words = ['{"key": ', ', "value": ', "}\n"]
        else:
            self._words = ["  [", "] = ", "\n"]
        if not has_values:
            self._words[1:] = ["}\n" if json else "]\n"]

    def of(self, batch: EntryBatch, order: Sequence[int]) -> Iterator[Tuple[str, int]]:
        """(lines, how many) of the entries with these indices, some at a time."""
        self._decoder.most_shown = self._shown
        try:
            yield from self._of(batch, order)
        finally:
            self._decoder.most_shown = 0

    def _of(self, batch: EntryBatch, order: Sequence[int]) -> Iterator[Tuple[str, int]]:
        columns = [batch.keys, batch.elems] if self._has_values else [batch.keys]
        cells = [column.cells(self._decoder, order) for column in columns]
        bulk = [found[0] for found in cells if found is not None]
        if self._where or len(bulk) < len(columns):
            for first in range(0, len(order), _LINES):
                some = order if len(order) <= _LINES else order[first : first + _LINES]
                yield self._one_by_one(batch, columns, cells, some)
            return
        hard = _any_of([found[1] for found in cells if found is not None])
        if batch.in_flight:
            hard = hard or bytearray(len(bulk[0]))
            for index in batch.in_flight:
                hard[index] = 1
        rows = Rows(bulk, self._words, order, hard, self._style)
        at = 0
        while at < len(order):
            lines, count = rows.write(at, _LINES)
            if not count:
                lines, count = self._one_by_one(batch, columns, cells, order[at : at + 1])
            yield lines, count
            at += count

    def _one_by_one(
        self,
        batch: EntryBatch,
        columns: Sequence[Column],
        cells: Sequence[_Cells],
        order: Sequence[int],
    ) -> Tuple[str, int]:
        both = zip(columns, cells)
        texts = [_written(*one, order, self._style, self._forms) for one in both]
        return "".join(map(self._line, [batch] * len(order), order, *texts)), len(order)

    def _forms(self, column: Column, order: Sequence[int]) -> Sequence[str]:
        decoder = self._decoder
        if self._json:
            return column.json_texts(decoder, order)
        return [text_form(column.value(index, decoder), self._shown) for index in order]

    def _line(self, batch: EntryBatch, index: int, key: object, value: object = "") -> str:
        first, *between, last = self._words
        line = f"{first}{key}"
        if between:
            line += f"{between[0]}{value}"
        more = last[:-1]
        if not self._json:
            more += f"  ({batch.where(index).text()})" if self._where else ""
            return f"{line}{more}{'  (in flight)' if index in batch.in_flight else ''}\n"
        if self._where:
            line += f', "where": {dumps(batch.where(index).json_form())}'
        if index in batch.in_flight and self._has_values:
            line += ', "in_flight": true'
        return line + last

    def holding(self, batch: EntryBatch, order: Sequence[int], text: str) -> List[int]:
        """Those of the entries with these indices whose key or element shows a text."""
        columns = [batch.keys, batch.elems] if self._has_values else [batch.keys]
        marks = bytearray(len(order))
        cells = [column.cells(self._decoder, order) for column in columns]
        if None in cells:
            for column, its in zip(columns, cells):
                self._mark([column], [its], order, text, marks)
        else:
            self._mark(columns, cells, order, text, marks)
        return list(compress(order, marks))

    def _mark(
        self,
        columns: Sequence[Column],
        cells: Sequence[_Cells],
        order: Sequence[int],
        text: str,
        marks: bytearray,
    ) -> None:
        """Mark those that show it in one of some columns."""
        bulk = [found[0] for found in cells if found is not None]
        rows = None
        if bulk:
            hard = _any_of([found[1] for found in cells if found is not None])
            words = ["", *["\n"] * len(bulk)]
            rows = Rows(bulk, words, order, hard, text_style(0))
        at = 0
        while at < len(order):
            count = 0 if rows is None else rows.holding(at, _LINES, text, marks)
            if not count:
                count, index = 1, order[at]
                forms = (text_form(column.value(index, self._decoder)) for column in columns)
                marks[at] = marks[at] or any(text in form for form in forms)
            at += count


def _written(
    column: Column,
    cells: _Cells,
    order: Sequence[int],
    style: Style,
    forms: Callable[[Column, Sequence[int]], Sequence[str]],
) -> Sequence[object]:
    """What is written of values, as str() has it."""
    if cells is None or cells[1] is not None:
        return forms(column, order)
    return list(cells[0].texts(order, style))


def _any_of(marks: Sequence[Optional[bytearray]]) -> Optional[bytearray]:
    """What has any of these marks."""
    some = [one for one in marks if one is not None]
    if len(some) < 2:
        return some[0] if some else None
    return bytearray(map(int.__or__, *some))

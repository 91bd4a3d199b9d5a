# SPDX-License-Identifier: MIT
"""The order of values, and the first entries in it, of which no more are held than are shown.

Numbers are compared as numbers and text by its bytes; structs, arrays and slices part by part.
Values of several kinds, as interfaces hold them, stand kind by kind: no value, numbers, text, and
so on; those that could not be read are last.
"""

import json
import math
import operator
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from ..program.types import Kind
from ..program.values import (
    Address,
    DebuggerText,
    Decoded,
    Decoder,
    EnumValue,
    InterfaceValue,
    NestedMap,
    StructValue,
)
from .batches import Column

#: bytes of values whose text is made at once, about
PART = 32 << 20

#: entries that are held at most, and bytes of them and of what they are compared by
MOST_HELD, MOST_HELD_BYTES = 1_000_000, 256 << 20

#: what a value is compared by. The number in front says which kind of value it is of, so that what
#: stands behind it is only compared with its like
Rank = Tuple[Any, ...]

#: kinds of values, in their order
_NONE, _NUMBER, _NAN, _COMPLEX, _TEXT, _PARTS, _DYNAMIC, _MAP, _UNREAD = range(9)

#: the rank of what could not be read
UNREAD: Rank = (_UNREAD,)


def rank(value: Decoded) -> Rank:
    """What a value is compared by."""
    if value is None:
        return (_NONE,)
    if isinstance(value, (int, float)):
        return (_NAN,) if isinstance(value, float) and math.isnan(value) else (_NUMBER, value)
    if isinstance(value, (EnumValue, Address)):
        return (_NUMBER, value.value)
    if isinstance(value, (str, DebuggerText)):
        text = value if isinstance(value, str) else value.text
        return (_TEXT, text.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return (_TEXT, value)
    if isinstance(value, complex):
        return (_COMPLEX, rank(value.real), rank(value.imag))
    if isinstance(value, list):
        return (_PARTS, *map(rank, value))
    if isinstance(value, StructValue):
        return (_PARTS, *(rank(part) for _, part in value.fields))
    if isinstance(value, InterfaceValue):
        # of one kind, whatever the types: numbers of two types are numbers
        inner = rank(value.value)
        return (inner[0], *inner[1:], value.type) if inner[0] == _NUMBER else inner
    if isinstance(value, NestedMap):
        return (_MAP, value.count, value.address)
    return UNREAD


def ranked(
    column: Column, decoder: Decoder, order: Sequence[int]
) -> Iterator[Tuple[Sequence[int], List[Rank]]]:
    """Those indices, part by part, and what the values with them are compared by."""
    scalars = column.scalars()
    if scalars is not None and column.type.kind in (Kind.INT, Kind.UINT):
        yield order, [(_NUMBER, scalars[at]) for at in order]
        return
    if column.type.kind is Kind.STRING:  # read together
        for part in parts([column.sizes(order)], order):
            yield part, [_rank_of_text(text) for text in column.json_texts(decoder, part)]
        return
    found: List[Rank] = []
    first = held = 0
    for at, index in enumerate(order):
        found.append(rank(column.value(index, decoder)))
        held += _weight(found[-1])
        if held > PART:
            yield order[first : at + 1], found
            found, first, held = [], at + 1, 0
    if found:
        yield order[first:], found


def parts(sizes: Sequence[Optional[List[int]]], order: Sequence[int]) -> Iterator[Sequence[int]]:
    """All of it at once or, where values are large, so many that their text is not.

    :param sizes: of each column, as Column.sizes() has them
    """
    known = [column for column in sizes if column]
    if not known:
        yield order
        return
    first = held = 0
    for at, size in enumerate(map(sum, zip(*known))):
        held += size
        if held > PART:
            yield order[first : at + 1]
            first, held = at + 1, 0
    if first < len(order):
        yield order[first:]


def _rank_of_text(text: str) -> Rank:
    """The rank of a string, by its JSON."""
    if text[:1] == '"' and "\\" not in text:
        return (_TEXT, text[1:-1].encode())
    form = json.loads(text)
    if isinstance(form, str):
        return (_TEXT, form.encode("utf-8", "surrogatepass"))
    data = form.get("bytes") if isinstance(form, dict) else None
    return UNREAD if data is None else (_TEXT, bytes.fromhex(data))


#: bytes of a tuple and of a number or an empty text, about
_TUPLE, _SMALL = 56, 32


def _weight(one: Rank) -> int:
    """Bytes of a rank, about."""
    if one[0] == _TEXT:
        return _TUPLE + _SMALL + len(one[1])
    if one[0] == _PARTS:
        return _TUPLE + sum(map(_weight, one[1:]))
    return _TUPLE + _SMALL


def _held(one: Rank, line: str) -> int:
    """Bytes of a rank and its line, about."""
    return _weight(one) + 2 * _TUPLE + len(line)


def _is_unread(one: Rank) -> bool:
    if one[0] == _PARTS:
        return any(_is_unread(part) for part in one[1:])
    return bool(one[0] == _UNREAD)


_rank_first = operator.itemgetter(0)


class FirstOnes:
    """The lines of the first entries in an order.

    :param wanted: how many are to be shown; None: all
    :ivar seen: entries that were offered
    :ivar unread: those of them of which what they are compared by could not be read
    :ivar full: whether entries were left out that are wanted, for too much would have been held
    """

    def __init__(self, wanted: Optional[int]) -> None:
        self.seen = self.unread = 0
        self.full = False
        self._bounded = wanted is None or wanted > MOST_HELD
        self._wanted = MOST_HELD if wanted is None else min(wanted, MOST_HELD)
        self._held: List[Tuple[Rank, str]] = []
        self._weight = 0
        # no entry from here on is wanted any more
        self._end: Optional[Rank] = None

    def offer(self, found: List[Rank], lines: Callable[[List[int]], List[str]]) -> None:
        """Some entries, in the order in which those of the same rank stay.

        :param lines: gives the lines of those at these places among them
        """
        self.seen += len(found)
        self.unread += sum(map(_is_unread, found))
        end = self._end
        places = [at for at, one in enumerate(found) if end is None or one < end]
        if len(places) > self._wanted:
            self.full |= self._bounded
            places.sort(key=found.__getitem__)
            self._end = found[places[self._wanted]]
            places = sorted(places[: self._wanted])
        for at, line in zip(places, lines(places)):
            self._held.append((found[at], line))
            self._weight += _held(found[at], line)
        # more than are wanted, so that they are rarely sorted
        if len(self._held) > 2 * self._wanted or self._weight > MOST_HELD_BYTES * 3 // 2:
            self._cut()

    def _cut(self) -> None:
        held = sorted(self._held, key=_rank_first)
        left = len(held)
        if left > self._wanted:
            left = self._wanted
            self.full |= self._bounded
        weight = sum([_held(one, line) for one, line in held[:left]])
        if weight > MOST_HELD_BYTES:
            self.full = True
            while left > 1 and weight > MOST_HELD_BYTES:
                left -= 1
                weight -= _held(*held[left])
        if left < len(held):
            self._end = held[left][0]
        self._held, self._weight = held[:left], weight

    def lines(self) -> List[str]:
        """The lines of the first ones, in order."""
        self._cut()
        return [line for _, line in self._held]

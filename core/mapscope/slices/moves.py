# SPDX-License-Identifier: MIT
"""Arrays that slices were seen to leave, in the order in which they did."""

from collections import deque
from typing import Deque, Iterator, List, NamedTuple

#: moves that are remembered, the last ones
_MOST = 1 << 16


class Move(NamedTuple):
    """One growth.

    :ivar old: the array that was left
    :ivar size: bytes of an element
    :ivar capacity: elements that the old array had room for
    :ivar new: the array that its elements went to
    :ivar what: the slice or the place, for a reader
    """

    old: int
    size: int
    capacity: int
    new: int
    what: str


class Moves:
    """What stops and traces of growth have seen in one process."""

    def __init__(self) -> None:
        self._moves: Deque[Move] = deque(maxlen=_MOST)

    def __len__(self) -> int:
        return len(self._moves)

    def __iter__(self) -> Iterator[Move]:
        return iter(self._moves)

    def add(self, move: Move) -> None:
        """A slice has left an array."""
        if move.old and move.new and (not self._moves or self._moves[-1][:4] != move[:4]):
            self._moves.append(move)

    def clear(self) -> None:
        """A new process has other arrays."""
        self._moves.clear()

    def leading_to(self, array: int) -> List[Move]:
        """The moves that have led to an array, the first one first.

        An address may be of one array after another; what was there before is passed over.
        """
        found: List[Move] = []
        for move in reversed(self._moves):
            if move.new == array:
                found.insert(0, move)
                array = move.old
        return found

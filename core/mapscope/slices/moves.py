# SPDX-License-Identifier: MIT
"""Arrays that slices were seen to leave, in the order in which they did."""

from collections import deque
from typing import Deque, Dict, List, NamedTuple, Optional

#: moves that are remembered, the last ones
_MOST = 1 << 16


class Move(NamedTuple):
    """One change of array: a growth, or another array that a slice was given.

    :ivar old: the array that was left
    :ivar size: bytes of an element
    :ivar capacity: elements that the old array had room for
    :ivar new: the array that its elements went to, and `room` how many it has room for
    :ivar holder: where the slice lies; None: not known
    """

    old: int
    size: int
    capacity: int
    new: int
    room: int
    holder: Optional[int]

    def is_to(self, array: int) -> bool:
        """Whether an address is in the array that its elements went to."""
        return self.new <= array < self.new + max(self.room * self.size, 1)

    def is_from(self, array: int) -> bool:
        """Whether an address is in the array that was left."""
        return self.old <= array < self.old + max(self.capacity * self.size, 1)


class Moves:
    """What stops and traces of growth have seen in one process."""

    def __init__(self) -> None:
        self._moves: Deque[Move] = deque(maxlen=_MOST)

    def __len__(self) -> int:
        return len(self._moves)

    def add(self, move: Move) -> None:
        """A slice has left an array."""
        if move.old and (not self._moves or self._moves[-1] != move):
            self._moves.append(move)

    def clear(self) -> None:
        """A new process has other arrays."""
        self._moves.clear()

    def left_by(self, holder: Optional[int], array: int) -> List[Move]:
        """The moves of a slice, each array that was left once, the first one first.

        They are those that were seen of its own place, and those that have led to its array. An
        address may be of one array after another: what it is now is passed over.

        :param array: that it has now; 0: none
        """
        found: Dict[int, Move] = {}
        place = array
        for move in reversed(self._moves):
            leads = bool(place) and move.is_to(place)
            own = holder is not None and move.holder == holder
            if not leads and not own:
                continue
            place = move.old if leads else place
            if not (array and move.is_from(array)):
                before = found.pop(move.old, move)
                found[move.old] = before if before.capacity > move.capacity else move
        return list(found.values())[::-1]

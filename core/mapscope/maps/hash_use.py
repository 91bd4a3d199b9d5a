# SPDX-License-Identifier: MIT
"""What a table does with a hash: which of its bits choose a place, which are kept beside the
entry."""

from typing import Callable, Optional

from ..records import dataclass
from .batches import Where


@dataclass(frozen=True)
class HashUse:
    """What one table does with the hash of a key.

    :ivar places: how many places a hash chooses from; 0: there is no choice
    :ivar place: the place of a hash, 0 to places - 1
    :ivar place_bits: which bits of a hash choose the place; None: all of them do, as the
        remainder of a division does
    :ivar mark_bits: which bits of a hash are kept beside the entry
    :ivar seen: the bits of a hash that an entry's place and mark show; None: not of this one
    :ivar seen_bits: which these are
    :ivar fits: whether an entry with this hash would lie there
    :ivar unit: what a place is called
    :ivar mark: what the kept bits are called
    """

    places: int
    place: Callable[[int], int]
    place_bits: Optional[int]
    mark_bits: int
    seen: Callable[[Where, Optional[int]], Optional[int]]
    seen_bits: int
    fits: Callable[[Where, Optional[int], int], bool]
    unit: str
    mark: str

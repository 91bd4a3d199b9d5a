# SPDX-License-Identifier: MIT
"""How many entries each bucket or group of a map has, one by one."""

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Sequence

from .batches import EntryBatch
from .facts import Distribution

#: places that are counted one by one, at most
MOST_PLACES = 1 << 27


@dataclass(frozen=True)
class Occupancy:
    """Entries in each place of one array.

    :ivar name: of the array: "new" or "old"
    :ivar unit: what a place is
    :ivar places: how many there are
    :ivar held: entries of each; shorter than that: the others were not looked at
    :ivar evacuated: 1 for each old place that is evacuated, else 0; None: it is not known of each
    """

    name: str
    unit: str
    places: int
    held: Sequence[int]
    evacuated: Optional[Sequence[int]] = None

    def counts(self) -> Dict[int, int]:
        """Entries in a place: number of such places, of those that were looked at."""
        return dict(sorted(Counter(self.held).items()))


def counted(
    batches: Iterable[EntryBatch], places: Dict[str, int], unit: str
) -> Optional[List[Occupancy]]:
    """Places by what is said of each entry; None: entries are in others than these.

    :param places: how many each array has
    """
    if sum(places.values()) > MOST_PLACES:
        return None
    held = {name: array("I", bytes(4 * number)) for name, number in places.items()}
    for batch in batches:
        for index in batch.order:
            where = batch.where(index)
            mine = held.get(where.array or "new")
            if mine is None or not 0 <= where.bucket < len(mine):
                return None
            mine[where.bucket] += 1
    return [Occupancy(name, unit, len(mine), mine) for name, mine in held.items()]


def agrees(found: Sequence[Occupancy], distribution: Distribution) -> bool:
    """Whether places that were counted one by one are those of a distribution.

    Empty places are compared only where there is one array: those that a migration has left, or
    not reached, are in no distribution.
    """
    one_by_one: Counter[int] = Counter()
    together: Counter[int] = Counter()
    for array_ in found:
        one_by_one.update(array_.counts())
    together.update(distribution.cells)
    together.update(distribution.old_cells)
    if len(found) > 1:
        one_by_one.pop(0, None)
        together.pop(0, None)
    return one_by_one == together

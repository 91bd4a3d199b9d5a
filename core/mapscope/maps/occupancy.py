# SPDX-License-Identifier: MIT
"""How many entries each bucket or group of a map has, one by one."""

from array import array
from collections import Counter
from typing import Dict, Iterable, List, Optional, Sequence

from ..records import dataclass
from .batches import EntryBatch
from .facts import Distribution


@dataclass(frozen=True)
class Occupancy:
    """Entries in each place of one array.

    :ivar name: of the array: "new" or "old"
    :ivar unit: what a place is
    :ivar places: how many there are
    :ivar looked_at: how many of them, the first ones, were looked at
    :ivar held: entries of each of those; where it is shorter, the others have none
    :ivar evacuated: 1 for each of those that is evacuated, else 0, and for those behind its end;
        None: it is not known of each
    """

    name: str
    unit: str
    places: int
    looked_at: int
    held: Sequence[int]
    evacuated: Optional[Sequence[int]] = None

    def counts(self) -> Dict[int, int]:
        """Entries in a place: number of such places, of those that were looked at."""
        found = Counter(self.held)
        found[0] += self.looked_at - len(self.held)
        return dict(sorted((+found).items()))


def counted(
    batches: Iterable[EntryBatch], places: Dict[str, int], unit: str
) -> Optional[List[Occupancy]]:
    """Places by what is said of each entry; None: entries are in others than these.

    :param places: how many each array has, as its header says: no memory is set aside for them
        before an entry is found there
    """
    held = {name: array("I") for name in places}
    for batch in batches:
        for index in batch.order:
            where = batch.where(index)
            name, place = where.array or "new", where.bucket
            mine = held.get(name)
            if mine is None or not 0 <= place < places[name]:
                return None
            if place >= len(mine):
                more = max(place + 1, min(2 * len(mine), places[name])) - len(mine)
                mine.frombytes(bytes(mine.itemsize * more))
            mine[place] += 1
    return [Occupancy(name, unit, places[name], places[name], held[name]) for name in places]


def agrees(found: Sequence[Occupancy], distribution: Distribution) -> bool:
    """Whether places that were counted one by one are those of a distribution.

    Empty places are compared only where there is one array: those that a migration has left, or
    not reached, are in no distribution.
    """
    one_by_one: Counter[int] = Counter()
    together: Counter[int] = Counter()
    for each in found:
        one_by_one.update(each.counts())
    together.update(distribution.cells)
    together.update(distribution.old_cells)
    if len(found) > 1:
        one_by_one.pop(0, None)
        together.pop(0, None)
    return one_by_one == together

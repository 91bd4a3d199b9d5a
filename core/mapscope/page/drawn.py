# SPDX-License-Identifier: MIT
"""What a page draws, made small enough for a browser: bins of histograms, squares of heat maps,
boxes of a treemap."""

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from ..heap.totals import Group
from ..maps.occupancy import Occupancy

#: bins of a histogram, squares of a heat map, boxes of a treemap, at most
MOST_BINS, MOST_SQUARES, MOST_BOXES = 64, 128 * 128, 300

#: (smallest value, largest value, how many there are)
Bin = Tuple[int, int, int]


def bins(values: Mapping[int, int]) -> List[Bin]:
    """A histogram in bins of one width.

    :param values: how often each number is there
    """
    if not values:
        return []
    low, high = min(values), max(values)
    width = -(-(high - low + 1) // MOST_BINS)
    counts = [0] * -(-(high - low + 1) // width)
    for value, number in values.items():
        counts[(value - low) // width] += number
    return [
        (low + at * width, min(low + (at + 1) * width - 1, high), number)
        for at, number in enumerate(counts)
    ]


def doubling_bins(values: Mapping[int, int]) -> List[Bin]:
    """A histogram whose bins double: 0, 1, 2 to 3, 4 to 7, ...

    :param values: by a number's bits, how many such numbers there are
    """
    if not values:
        return []
    # what has more bits than an address is together in the last one
    kept: Dict[int, int] = {}
    for bits, number in values.items():
        bits = min(bits, MOST_BINS - 1)
        kept[bits] = kept.get(bits, 0) + number
    return [
        ((1 << bits) >> 1, (1 << bits) - 1 if bits else 0, kept.get(bits, 0))
        for bits in range(min(kept), max(kept) + 1)
    ]


def squares(found: Occupancy) -> Dict[str, object]:
    """A heat map's squares: of each the entries in its places, which are neighbours.

    A square is null where not all of its places were looked at.
    """
    per = max(1, -(-found.places // MOST_SQUARES))
    starts = range(0, found.places, per)
    ends = [min(start + per, found.places) for start in starts]

    def sums(numbers: Sequence[int]) -> List[Optional[int]]:
        return [
            sum(numbers[start:end]) if end <= found.looked_at else None
            for start, end in zip(starts, ends)
        ]

    return {
        "array": found.name,
        "unit": found.unit,
        "places": found.places,
        "looked_at": found.looked_at,
        "places_per_square": per,
        "entries": sum(found.held),
        "most": max(found.held, default=0 if found.looked_at else None),
        "squares": sums(found.held),
        "evacuated": None if found.evacuated is None else sums(found.evacuated),
    }


def boxes(groups: Mapping[str, Group]) -> Dict[str, object]:
    """A treemap's boxes, the largest first, and what is too small for one of its own."""
    order = sorted(groups.items(), key=lambda item: (-item[1].bytes, item[0]))
    others = Group()
    for _, group in order[MOST_BOXES:]:
        for name, number in vars(group).items():
            setattr(others, name, getattr(others, name) + number)
    return {
        "boxes": [box(name, group) for name, group in order[:MOST_BOXES]],
        "others": dict(box("others", others), groups=len(order[MOST_BOXES:])),
    }


def box(name: str, group: Group) -> Dict[str, object]:
    """One box: its sums are of maps whose bytes are known, the others are counted."""
    return {
        "name": name,
        "maps": group.maps,
        "count": group.entries,
        "bytes": group.bytes,
        "wasted": group.wasted,
        "retained": group.retained,
        "without_bytes": group.unknown,
    }

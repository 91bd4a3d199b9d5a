# SPDX-License-Identifier: MIT
"""Arrays of buckets as strips of characters, for windows and terminals."""

from typing import Iterator

from .occupancy import Occupancy

#: what a character may be, for a reader
LEGEND = "0-9 + entries in a bucket, - evacuated, ? not looked at"


def strip(array: Occupancy, most: int) -> str:
    """One character for each place, or for as many neighbours as it takes to need no more than
    `most` of them: the mean of their entries, rounded up, of those that are not evacuated."""
    each = each_of(array, most)
    return "".join(_character(array, at, at + each) for at in range(0, array.places, each))


def each_of(array: Occupancy, most: int) -> int:
    """Places for a character."""
    return max(1, -(-array.places // max(most, 1)))


def _character(array: Occupancy, start: int, end: int) -> str:
    """What is seen of neighbouring places."""
    if start >= array.looked_at:
        return "?"
    end = min(end, array.looked_at)
    held, marks = array.held[start:end], array.evacuated
    if marks is None:
        places, entries = end - start, sum(held)
    else:
        moved = marks[start:end]
        places = end - start - sum(moved)
        if not places:
            return "-"
        entries = sum(number for number, mark in zip(held, moved) if not mark)
    mean = -(-entries // places)
    return str(mean) if mean < 10 else "+"


def rows(text: str, width: int) -> Iterator[str]:
    """A strip in lines of so many characters."""
    for start in range(0, len(text), max(width, 1)):
        yield text[start : start + width]

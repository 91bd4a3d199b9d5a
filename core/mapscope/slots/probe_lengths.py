# SPDX-License-Identifier: MIT
"""How far lookups that find nothing go in a table of slots: for each slot that one may begin at,
how many groups it looks at up to one with an empty slot.

What this knows: how to look at millions of slots without a loop over them, one byte of a long
number for each.
"""

from typing import Dict, Optional

#: groups that all lookups are followed for at once; and how many are looked at, one by one, for
#: the few that go on
_TOGETHER, _ALONE = 32, 1 << 20


def probe_lengths(empty: bytes, group: int) -> Optional[Dict[int, int]]:
    """Groups that are looked at: number of slots that a lookup may begin at; None: there are
    lookups that do not end, or go on for too long to be followed.

    :param empty: for each slot that a lookup may begin at, 1 if it is empty, else 0
    :param group: slots that are looked at together, from any slot on, cyclically; the n-th next
        group begins n groups behind the one before
    """
    count = len(empty)
    if count < group:  # there are empty ones behind them
        return {1: count} if count else {}
    ends = _with_empty(empty, group)
    found: Dict[int, int] = {}
    left = bytes(count).translate(_FLIPPED)
    offset = 0
    for length in range(1, _TOGETHER + 1):
        here = ends[offset:] + ends[:offset]
        waiting = int.from_bytes(left, "little")
        ended = waiting & int.from_bytes(here, "little")
        number = ended.to_bytes(count, "little").count(1)
        if number:
            found[length] = number
        left = (waiting ^ ended).to_bytes(count, "little")
        if 1 not in left:
            return found
        offset = (offset + group * length) % count
    steps = _ALONE
    at = left.find(1)
    while at >= 0:
        place, length = (at + offset) % count, _TOGETHER + 1
        while not ends[place]:
            place = (place + group * length) % count
            length += 1
            steps -= 1
            if not steps or length > 2 * count:
                return None
        found[length] = found.get(length, 0) + 1
        at = left.find(1, at + 1)
    return dict(sorted(found.items()))


def ways_on(last_bytes: bytes, ways: int) -> Dict[int, int]:
    """Groups that are looked at: number of groups and classes of hashes that a lookup may begin
    with, which are as likely as each other.

    :param last_bytes: of each group; a bit of it is set if lookups of that class go on
    :param ways: how many classes there are
    """
    found: Dict[int, int] = {}
    count = len(last_bytes)
    for way in range(ways):
        ends = last_bytes.translate(bytes(not byte >> way & 1 for byte in range(256)))
        # where no group ends them, they end when all have been looked at
        lengths = probe_lengths(ends, 1) if 1 in ends else {count: count}
        for length, number in (lengths or {}).items():
            found[length] = found.get(length, 0) + number
    return dict(sorted((length, number) for length, number in found.items() if number))


_FLIPPED = bytes((byte + 1) % 256 for byte in range(256))


def _with_empty(empty: bytes, group: int) -> bytes:
    """For each slot, 1 if one of the group that begins there is empty, else 0."""
    count = len(empty)
    flags = int.from_bytes(empty + empty[: group - 1], "little")
    width = 1
    while width < group:
        step = min(width, group - width)
        flags |= flags >> 8 * step
        width += step
    return (flags & (1 << 8 * count) - 1).to_bytes(count, "little")

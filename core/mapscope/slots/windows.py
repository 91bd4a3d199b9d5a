# SPDX-License-Identifier: MIT
"""The way of a lookup through a table of slots, and hash functions that the table proves."""

from typing import Iterable, Iterator, List, Optional, Tuple

from ..maps.batches import some_of
from ..maps.proved_hash import LOOKED, prove
from ..program.hashing import KeyHash
from .slot_reader import SlotReader


def windows(map: SlotReader, key_hash: int) -> Iterator[Tuple[int, List[int], bool]]:
    """(first slot, all slots, whether the lookup ends there) of what a lookup looks at together,
    one after the other; only of slots that are there, and whose control bytes were read."""
    control, marks, slots = map.control, map.marks(), map.header.slots
    group = control.group
    if not slots:
        return
    if control.ways:
        groups = -(-slots // group)
        at = home(map, key_hash) // group
        for step in range(1, groups + 1):
            if at >= len(map.last_bytes):
                return
            ends = not map.last_bytes[at] >> key_hash % control.ways & 1
            yield at * group, list(range(at * group, min((at + 1) * group, len(marks)))), ends
            if ends:
                return
            at = (at + step) % groups
        return
    empty = next(byte for byte, name in control.names.items() if name == "empty")
    count = slots + control.more
    place, step = home(map, key_hash), 0
    while step < count + group:
        window = [(place + at) % count for at in range(min(group, count))]
        window = [slot for slot in window if slot < len(marks)]
        ends = count < group or any(marks[slot] == empty for slot in window)
        yield place, window, ends
        if ends:
            return
        step += group
        place = (place + step) % count


def home(map: SlotReader, key_hash: int) -> int:
    """The slot that a lookup begins at."""
    count = map.header.slots + map.control.more
    own = map.control.home
    return key_hash % count if own is None else own(key_hash)


def reached(map: SlotReader, slot: int, key_hash: int) -> bool:
    """Whether a lookup of a hash comes to a slot."""
    count = map.header.slots + map.control.more
    if not map.control.ways and (slot - home(map, key_hash)) % count < map.control.group:
        return True
    return any(slot in window for _, window, _ in windows(map, key_hash))


def fits(map: SlotReader, slot: int, key_hash: int) -> bool:
    """Whether a slot has the control byte of a hash, and a lookup of it comes there."""
    mark = map.control.mark
    return mark is not None and map.marks()[slot] == mark(key_hash) and reached(map, slot, key_hash)


def proved(map: SlotReader, candidates: Iterable[KeyHash]) -> Optional[KeyHash]:
    """The one of some hash functions that a sample of the entries agrees with; None: none is
    proved."""
    live = map.live_slots()
    slots = [live[at] for at in some_of(len(live), LOOKED)]
    at, size = map.layout.key, map.types()[0].size
    _, rows = map.entries_at(slots)
    keys = [None if row is None else row[at : at + size] for row in rows]
    return prove(keys, list(candidates), lambda index, number: fits(map, slots[index], number))

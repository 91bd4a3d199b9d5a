# SPDX-License-Identifier: MIT
"""The runtime's in-process stop filter (runtime/include/mapscope/debug.h): slots
that are written, and events that are read."""

import struct
from dataclasses import dataclass
from typing import Dict, Optional

from ...errors import MapscopeError, UsageError
from ...flavours.cpp.abi import Abi
from ...stops.host import Host
from ...stops.request import Request

# MAPSCOPE_EVENT_...
GROW, EVACUATE, PROGRESS, DONE, ASSIGN, DELETE, CLEAR, RACE = (1 << bit for bit in range(8))
DESTROY, RESEED, EVACUATED, CREATE, REBUILD = 0x100, 0x200, 0x400, 0x800, 0x1000
EVENTS: Dict[str, int] = {
    "grow": GROW,
    "evacuate": EVACUATE,
    "progress": PROGRESS,
    "done": DONE,
    "assign": ASSIGN,
    "delete": DELETE,
    "clear": CLEAR,
    "race": RACE,
}
#: the other way round, for events that stop
NAMES: Dict[int, str] = {bit: name for name, bit in EVENTS.items()}

# MAPSCOPE_IF_... and what else stop_slot.conditions holds
IF_MAP, IF_BUCKET, IF_KEY_HASH, IF_MIGRATING = 1, 2, 4, 8
IF_KIND: Dict[str, int] = {"double": 0x10, "same-size": 0x20, "shrink": 0x40}
_IF_KINDS = 0x70
ONCE, MILLIONTHS, MAP_GONE = 0x80, 0x100, 0x200

# MAPSCOPE_GROWTH_... and MAPSCOPE_FLAG_...
KINDS: Dict[int, Optional[str]] = {0: None, 1: "double", 2: "same-size", 3: "shrink"}
FLAG_MIGRATING, FLAG_KEY_HASH, FLAG_BY_CLEAR, FLAG_BY_DESTROY, FLAG_NEW_KEY = 1, 2, 4, 8, 16

NO_BUCKET = (1 << 64) - 1
_WRITES = ASSIGN | DELETE


@dataclass(frozen=True)
class Event:
    """What mapscope_debug_stop was called with."""

    event: int
    slots: int
    map: int
    type: int
    bucket: int
    old_buckets: int
    buckets: int
    evacuated: int
    count: int
    key: int
    key_hash: int
    message: int
    kind: int
    flags: int
    moved_x: int
    moved_y: int
    hint: int
    thread: int


def read_event(host: Host, abi: Abi, address: int) -> Event:
    """The event that the hook's first argument points at."""
    raw = bytes(host.target().read_memory(address, abi.event_size))

    def u32(offset: int) -> int:
        value: int = struct.unpack_from("<I", raw, offset)[0]
        return value

    def u64(offset: int) -> int:
        value: int = struct.unpack_from("<Q", raw, offset)[0]
        return value

    return Event(
        u32(abi.event_event),
        u32(abi.event_slots),
        u64(abi.event_map),
        u64(abi.event_type),
        u64(abi.event_bucket),
        u64(abi.event_old_buckets),
        u64(abi.event_buckets),
        u64(abi.event_evacuated),
        u64(abi.event_count),
        u64(abi.event_key),
        u64(abi.event_key_hash),
        u64(abi.event_message),
        u32(abi.event_kind),
        u32(abi.event_flags),
        u64(abi.event_moved_x),
        u64(abi.event_moved_y),
        u64(abi.event_hint),
        u32(abi.event_thread),
    )


@dataclass
class Slot:
    """What a stop_slot is to hold."""

    events: int
    conditions: int = 0
    map: int = 0
    bucket: int = 0
    progress: int = 0
    key_hash: int = 0
    ignore: int = 0
    thread: int = 0

    def accepts(self, event: Event) -> bool:
        """Whether the filter calls the hook for such an event (matches() in stop_filter.cpp).

        A thread that had matched what a slot held before is still on its way to the hook when
        the slot is given to another stop. Key hashes are left to who compares keys.
        """
        if not event.event & self.events:
            return False
        if self.conditions & IF_MAP and event.map != self.map:
            return False
        if self.conditions & IF_BUCKET and event.bucket != self.bucket:
            return False
        if self.conditions & IF_MIGRATING and not event.flags & FLAG_MIGRATING:
            return False
        kinds = self.conditions & _IF_KINDS
        if kinds and not kinds & IF_KIND.get(KINDS.get(event.kind) or "", 0):
            return False
        if self.thread and event.thread != self.thread:
            return False
        return event.event != PROGRESS or self._reaches(event)

    def _reaches(self, event: Event) -> bool:
        wanted = self.progress
        if self.conditions & MILLIONTHS:
            wanted = (event.old_buckets * self.progress + 999_999) // 1_000_000
        wanted = max(1, wanted)
        if self.conditions & IF_MAP:
            return event.evacuated >= wanted
        return event.evacuated == wanted


def slot_for(request: Request, map: Optional[int]) -> Slot:
    """The slot that waits for what was asked for, but for key, thread and ignore count."""
    slot = Slot(EVENTS[request.event])
    if map is not None:
        slot.conditions |= IF_MAP
        slot.map = map
        slot.events |= DESTROY
    if request.bucket is not None:
        slot.conditions |= IF_BUCKET
        slot.bucket = request.bucket
    if request.migrating:
        slot.conditions |= IF_MIGRATING
    for kind in request.kinds:
        slot.conditions |= IF_KIND[kind]
    if request.progress is not None:
        slot.progress = request.progress.buckets
        if request.progress.millionths:
            slot.conditions |= MILLIONTHS
            slot.progress = request.progress.millionths
    return slot


class Filter:
    """The filter of one copy of the runtime.

    Debuggers write to it only while the process is stopped; the order of the
    writes is debug.h's.
    """

    def __init__(self, host: Host, abi: Abi) -> None:
        self._host = host
        self.abi = abi
        if not abi.stop_filter or not abi.stop_hook:
            raise MapscopeError(
                "this program's runtime was built without debug support (MAPSCOPE_NO_DEBUG): "
                "it cannot stop at events of its maps"
            )

    def allocate(self, first: int = 0) -> int:
        """The number of a free slot.

        :param first: where to begin: events for a slot that was freed may still be on their way
        :raises UsageError: if all are in use
        """
        count = self.abi.stop_slot_count
        for number in ((first + step) % count for step in range(count)):
            if not self._word(number, self.abi.stop_slot_events, 4):
                return number
        raise UsageError(
            f"all {self.abi.stop_slot_count} slots of the program's stop filter are in use: "
            "delete a stop (map break list)"
        )

    def arm(self, number: int, slot: Slot) -> None:
        """Fill a slot in, `events` last, and let the program see it."""
        abi, start = self.abi, self._start(number)
        self._write(start + abi.stop_slot_events, 0, 4)
        raw = bytearray(abi.stop_slot_size)
        for offset, layout, value in (
            (abi.stop_slot_conditions, "<I", slot.conditions),
            (abi.stop_slot_map, "<Q", slot.map),
            (abi.stop_slot_bucket, "<Q", slot.bucket),
            (abi.stop_slot_progress, "<Q", slot.progress),
            (abi.stop_slot_key_hash, "<Q", slot.key_hash),
            (abi.stop_slot_ignore, "<Q", slot.ignore),
            (abi.stop_slot_thread, "<I", slot.thread),
        ):
            struct.pack_into(layout, raw, offset, value)
        self._host.write_memory(start, bytes(raw))
        self._write(start + abi.stop_slot_events, slot.events, 4)
        if self._host.hides_from_program():
            self._write(abi.stop_filter + abi.stop_filter_assume_traced, 1, 4)
        self._summarise()

    def disarm(self, number: int) -> None:
        """Free a slot."""
        self._write(self._start(number) + self.abi.stop_slot_events, 0, 4)
        self._summarise()

    def set_events(self, number: int, events: int) -> None:
        """Switch a slot off (0) or on again; counts are kept."""
        self._write(self._start(number) + self.abi.stop_slot_events, events, 4)
        self._summarise()

    def set_key_hash(self, number: int, key_hash: int) -> None:
        """After the map's hash0 has changed."""
        self._write(self._start(number) + self.abi.stop_slot_key_hash, key_hash, 8)

    def hits(self, number: int) -> int:
        """Matches so far, those passed over included."""
        return self._word(number, self.abi.stop_slot_hits, 8)

    def is_gone(self, number: int) -> bool:
        """Whether the program has disarmed the slot because its map was destroyed."""
        conditions = self._word(number, self.abi.stop_slot_conditions, 4)
        return bool(conditions & MAP_GONE) and not self._word(number, self.abi.stop_slot_events, 4)

    def _summarise(self) -> None:
        """What sums up all slots: only_map, armed_slots, armed, in this order."""
        abi = self.abi
        armed = slots = 0
        maps = set()
        for number in range(abi.stop_slot_count):
            events = self._word(number, abi.stop_slot_events, 4)
            armed |= events
            slots |= (1 << number) if events else 0
            if events & _WRITES:
                conditions = self._word(number, abi.stop_slot_conditions, 4)
                maps.add(self._word(number, abi.stop_slot_map, 8) if conditions & IF_MAP else 0)
        only = maps.pop() if len(maps) == 1 else 0
        self._write(abi.stop_filter + abi.stop_filter_only_map, only, 8)
        self._write(abi.stop_filter + abi.stop_filter_armed_slots, slots, 4)
        self._write(abi.stop_filter + abi.stop_filter_armed, armed, 4)

    def _start(self, number: int) -> int:
        abi = self.abi
        return abi.stop_filter + abi.stop_filter_slots + number * abi.stop_slot_size

    def _word(self, number: int, offset: int, size: int) -> int:
        raw = self._host.target().read_memory(self._start(number) + offset, size)
        return int.from_bytes(bytes(raw), "little")

    def _write(self, address: int, value: int, size: int) -> None:
        self._host.write_memory(address, value.to_bytes(size, "little"))

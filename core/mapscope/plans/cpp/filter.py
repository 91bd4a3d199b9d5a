# SPDX-License-Identifier: MIT
"""The runtime's in-process stop filter (runtime/include/mapscope/debug.h): slots
that are written, and events that are read."""

from typing import Dict, Optional

from ...errors import LayoutUnknown, MapscopeError, UsageError
from ...flavours.cpp.abi import Abi
from ...records import dataclass, fields
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

#: slots that fit the runtime's masks
_MOST_SLOTS = 32


@dataclass(frozen=True)
class Event:
    """What mapscope_debug_stop was called with; its fields are those of the runtime's event."""

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


_EVENT_FIELDS = tuple(field.name for field in fields(Event))


def read_event(host: Host, abi: Abi, address: int) -> Event:
    """The event that the hook's first argument points at."""
    raw = bytes(host.target().read_memory(address, abi.size("event")))
    return Event(*abi.record("event", *_EVENT_FIELDS).read(raw))


@dataclass
class Slot:
    """What a stop_slot is to hold; the fields are those of the runtime's."""

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


#: fields of a stop_slot that are filled in at once; `events` makes it count, and comes last
_SLOT_FIELDS = tuple(field.name for field in fields(Slot) if field.name != "events")


class Filter:
    """The filter of one copy of the runtime.

    Debuggers write to it only while the process is stopped; the order of the
    writes is debug.h's.
    """

    def __init__(self, host: Host, abi: Abi) -> None:
        self._host = host
        self.abi = abi
        self._at, self.hook = abi.place("stop_filter").address, abi.place("stop_hook").address
        if not self._at or not self.hook:
            raise MapscopeError(
                "this program's runtime was built without debug support (MAPSCOPE_NO_DEBUG): "
                "it cannot stop at events of its maps"
            )
        self._slots = abi.part("stop_filter.slots", "stop_slot")
        if self._slots.pieces > _MOST_SLOTS:
            raise LayoutUnknown(
                f"the program's stop filter has {self._slots.pieces} slots, at most {_MOST_SLOTS} "
                "expected"
            )

    def allocate(self, first: int = 0) -> int:
        """The number of a free slot.

        :param first: where to begin: events for a slot that was freed may still be on their way
        :raises UsageError: if all are in use
        """
        count = self._slots.pieces
        for number in ((first + step) % count for step in range(count)):
            if not self._get(number, "events"):
                return number
        raise UsageError(
            f"all {count} slots of the program's stop filter are in use: "
            "delete a stop (map break list)"
        )

    def arm(self, number: int, slot: Slot) -> None:
        """Fill a slot in, `events` last, and let the program see it."""
        self._set(number, "events", 0)
        raw = bytearray(self.abi.size("stop_slot"))
        for field in _SLOT_FIELDS:
            name = f"stop_slot.{field}"
            at, value = self.abi.offset(name), self.abi.encode(name, getattr(slot, field))
            raw[at : at + len(value)] = value
        self._host.write_memory(self._start(number), bytes(raw))
        self._set(number, "events", slot.events)
        if self._host.hides_from_program():
            self._write(self._at, "stop_filter.assume_traced", 1)
        self._summarise()

    def disarm(self, number: int) -> None:
        """Free a slot."""
        self._set(number, "events", 0)
        self._summarise()

    def set_events(self, number: int, events: int) -> None:
        """Switch a slot off (0) or on again; counts are kept."""
        self._set(number, "events", events)
        self._summarise()

    def set_key_hash(self, number: int, key_hash: int) -> None:
        """After the map's hash0 has changed."""
        self._set(number, "key_hash", key_hash)

    def hits(self, number: int) -> int:
        """Matches so far, those passed over included."""
        return self._get(number, "hits")

    def is_gone(self, number: int) -> bool:
        """Whether the program has disarmed the slot because its map was destroyed."""
        conditions = self._get(number, "conditions")
        return bool(conditions & MAP_GONE) and not self._get(number, "events")

    def _summarise(self) -> None:
        """What sums up all slots: only_map, armed_slots, armed, in this order."""
        armed = slots = 0
        maps = set()
        for number in range(self._slots.pieces):
            events = self._get(number, "events")
            armed |= events
            slots |= (1 << number) if events else 0
            if events & _WRITES:
                conditions = self._get(number, "conditions")
                maps.add(self._get(number, "map") if conditions & IF_MAP else 0)
        only = maps.pop() if len(maps) == 1 else 0
        self._write(self._at, "stop_filter.only_map", only)
        self._write(self._at, "stop_filter.armed_slots", slots)
        self._write(self._at, "stop_filter.armed", armed)

    def _start(self, number: int) -> int:
        return self._at + self._slots.offset + number * self._slots.width

    def _get(self, number: int, name: str) -> int:
        """A field of a slot."""
        _, offset, width, _ = self.abi.field(f"stop_slot.{name}")
        raw = self._host.target().read_memory(self._start(number) + offset, width)
        return int.from_bytes(bytes(raw), "little")

    def _set(self, number: int, name: str, value: int) -> None:
        self._write(self._start(number), f"stop_slot.{name}", value)

    def _write(self, start: int, name: str, value: int) -> None:
        """Store a field of the struct that begins at `start`."""
        self._host.write_memory(start + self.abi.offset(name), self.abi.encode(name, value))

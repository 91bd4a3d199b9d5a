# SPDX-License-Identifier: MIT
"""The runtime's recorded events (runtime/include/mapscope/history.h).

What this knows: how the two kinds of rings lie in memory, which records are whole,
and how their clock is read. What it must not know: how events are shown.
"""

from dataclasses import field
from typing import Dict, Iterator, List, Optional, Set, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...program.values import escape
from ...records import dataclass
from ...session import Session
from .abi import Abi, all_abis
from .runtime_maps import type_at

# MAPSCOPE_EVENT_..., by bit number
_GROW, _EVACUATE, _DONE, _CLEAR, _RACE, _DESTROY, _CREATE, _REBUILD = 0, 1, 3, 6, 7, 8, 11, 12
_NAMES = {
    _EVACUATE: "evacuate",
    _DONE: "done",
    _CLEAR: "clear",
    _RACE: "race",
    _DESTROY: "destroyed",
    _CREATE: "created",
    _REBUILD: "rebuild",
}
#: of a growth's start, by its kind
_GROWTHS = {"double": "grow", "same-size": "same-size", "shrink": "shrink"}

# flags of a record
_BY_CLEAR, _BY_DESTROY, _EVACUATED, _SECOND, _SECOND_EVACUATED = 4, 8, 0x10, 0x20, 0x40
_BUSY = 1 << 63
_NO_OLD_B = 0xFF

_CLOCK_NONE, _CLOCK_NANOSECONDS, _CLOCK_TSC = 0, 1, 2

# names of fields, each as long as what they are read into
_HISTORY = (
    *("clock", "life", "rings", "wall", "pairs"),
    *("ticks[0]", "ticks[1]", "ticks[2]"),
    *("nanoseconds[0]", "nanoseconds[1]", "nanoseconds[2]"),
)
_RECORD = (
    *("sequence", "event", "flags", "B", "old_B", "clock", "thread", "map", "type", "count"),
    "what.detail",
)
_EVACUATION = (
    *("what.buckets.bucket", "what.buckets.second"),
    *("moved[0]", "moved[1]", "moved[2]", "moved[3]"),
)

#: rings of evacuations that are followed before the list is called endless
_MAX_RINGS = 1 << 16
#: records that are read of one ring: the newest; and of all
_MAX_RECORDS = _MAX_ALL = 1 << 20
#: problems that are told
_MAX_PROBLEMS = 20


@dataclass
class Event:
    """One event, as it was recorded.

    :ivar ring: "life" or "evacuations"
    :ivar sequence: its number in the ring, from 1
    :ivar clock: in the units of the process's clock; orders events of all threads
    :ivar time: seconds since the first event; None: the clock's rate is not known yet
    :ivar thread: the kernel's id
    :ivar type: of the map; None: no longer known
    :ivar count: entries, when it began
    :ivar kind: of the migration that it belongs to
    :ivar finished: of an evacuation: the old bucket is evacuated wholly
    :ivar detail: created, rebuild: the hint; a growth: overflow buckets in use
    :ivar bucket_bytes: of a bucket of the map; None: no longer known
    """

    event: str
    ring: str
    sequence: int
    clock: int
    time: Optional[float]
    thread: int
    map: int
    type: Optional[str]
    count: int
    buckets: int
    old_buckets: Optional[int] = None
    kind: Optional[str] = None
    bucket: Optional[int] = None
    moved_x: int = 0
    moved_y: int = 0
    finished: bool = True
    detail: int = 0
    note: str = ""
    bucket_bytes: Optional[int] = None


@dataclass
class History:
    """All that is recorded, oldest first.

    :ivar started: when the first event was recorded: nanoseconds since 1970; None: never
    :ivar lost: events that newer ones have overwritten
    :ivar problems: what could not be read
    """

    events: List[Event] = field(default_factory=list)
    started: Optional[int] = None
    lost: int = 0
    problems: List[str] = field(default_factory=list)


class NoHistory(MapscopeError):
    """The program keeps none."""


def read_history(session: Session) -> History:
    """The events of every copy of the runtime in the program.

    :raises NoHistory: where nothing is recorded, or could be
    """
    session.require_memory()
    session.require_architecture()
    abis = all_abis(session)
    if not abis:
        what, hint = "one without the mapscope runtime", ""
        if session.is_go():
            what, hint = "a Go program", "; map trace on logs it from now on"
        raise NoHistory(
            f"no history in this program: it is {what}, and only the runtime's maps record what "
            f"happens to them{hint}"
        )
    kept = [abi for abi in abis if abi.place("history").address]
    if not kept:
        raise NoHistory(
            "no history in this program: its runtime was built without debug support "
            "(MAPSCOPE_NO_DEBUG)"
        )
    result = History()
    for abi in kept:
        _Reader(session, abi, result).read()
    result.events.sort(key=lambda event: (event.clock, event.ring == "evacuations"))
    return result


class _Clock:
    """Ticks -> seconds since the first event (history.h, `pairs`)."""

    def __init__(self, kind: int, ticks: List[int], nanoseconds: List[int], pairs: int) -> None:
        self._start = ticks[0]
        self._rate: Optional[float] = None
        if kind == _CLOCK_NANOSECONDS:
            self._rate = 1e-9
        elif kind == _CLOCK_TSC and pairs >= 2:
            newest = 1 + (pairs - 1) % 2
            passed = ticks[newest] - ticks[0]
            if passed > 0:
                self._rate = (nanoseconds[newest] - nanoseconds[0]) / passed * 1e-9

    def seconds(self, ticks: int) -> Optional[float]:
        """Since the first event; None: the rate is not known yet."""
        return None if self._rate is None else (ticks - self._start) * self._rate


class _Reader:
    """Reads the history of one copy of the runtime."""

    def __init__(self, session: Session, abi: Abi, result: History) -> None:
        self._session = session
        self._memory = session.memory
        self._abi = abi
        self._result = result
        self._types: Dict[int, Tuple[Optional[str], Optional[int]]] = {}
        self._records = 0
        self._record = abi.record("history_record", *_RECORD)
        self._evacuation = abi.record("history_record", *_EVACUATION)
        self._record_size = abi.size("history_record")
        self._ring = abi.record("history_ring", "records", "capacity", "begun", "next")
        self._ring_size = abi.size("history_ring")

    def read(self) -> None:
        """Add all whole records to the result."""
        abi, memory = self._abi, self._memory
        raw = memory.read(abi.place("history").address, abi.size("history"))
        kind, life, ring, wall, pairs, *times = abi.record("history", *_HISTORY).read(raw)
        if kind == _CLOCK_NONE:
            return
        self._clock = _Clock(kind, times[:3], times[3:], pairs)
        started = self._result.started
        self._result.started = wall if started is None else min(started, wall)
        if life:
            self._read_ring(life, "life")
        seen: Set[int] = set()
        while ring:
            if ring in seen or len(seen) >= _MAX_RINGS:
                self._result.problems.append("the list of evacuation rings has no end")
                return
            seen.add(ring)
            try:
                ring = self._read_ring(ring, "evacuations")
            except MemoryUnreadable as error:
                self._result.problems.append(f"evacuations: {error}")
                return

    def _read_ring(self, ring: int, name: str) -> int:
        """Add the records of a ring; the address of the next one."""
        memory, size = self._memory, self._record_size
        raw = memory.read(ring, self._ring_size)
        records, capacity, begun, following = self._ring.read(raw)
        if not capacity or capacity & (capacity - 1) or capacity > 1 << 30 or begun >= _BUSY:
            self._problem(f"{name}: impossible ring at {ring:#x}")
            return following
        kept = min(begun, capacity, _MAX_RECORDS, max(0, _MAX_ALL - self._records))
        self._records += kept
        self._result.lost += begun - kept
        first = begun - kept
        for number, stop in _pieces(first, begun, capacity):
            try:
                raw = bytes(
                    memory.read_chunk(records + number % capacity * size, (stop - number) * size)
                )
            except MemoryUnreadable as error:
                self._problem(f"{name}: {error}")
                continue
            for at in range(0, len(raw), size):
                self._result.events.extend(self._events(raw, at, name))
        return following

    def _events(self, raw: bytes, at: int, ring: str) -> Iterator[Event]:
        """Of one record: none if it is not whole, two if it tells of two evacuations."""
        (
            sequence,
            number,
            flags,
            B,
            old_B,
            clock,
            thread,
            map,
            type,
            count,
            detail,
        ) = self._record.read(raw, at)
        if not sequence or sequence & _BUSY:
            return
        kind = _kind(B, old_B)
        name = _GROWTHS.get(kind or "") if number == _GROW else _NAMES.get(number)
        if name is None or B > 63:
            self._problem(f"{ring}: record {sequence} is impossible")
            return
        type_name, bucket_bytes = self._type(type)
        event = Event(
            name,
            ring,
            sequence,
            clock,
            self._clock.seconds(clock),
            thread,
            map,
            type_name,
            count,
            1 << B,
            None if kind is None else 1 << old_B,
            kind,
            bucket_bytes=bucket_bytes,
        )
        if number != _EVACUATE:
            event.detail = detail
            event.note = self._note(number, flags, event.detail)
            yield event
            return
        bucket, second, *moved = self._evacuation.read(raw, at)
        for which in (0, 1) if flags & _SECOND else (0,):
            bit = _SECOND_EVACUATED if which else _EVACUATED
            part = Event(**vars(event))
            part.bucket = second if which else bucket
            part.moved_x, part.moved_y = moved[2 * which : 2 * which + 2]
            part.finished = bool(flags & bit)
            yield part

    def _note(self, number: int, flags: int, detail: int) -> str:
        if number == _RACE:
            try:
                return escape(self._memory.read_cstring(detail))
            except MemoryUnreadable:
                return "concurrent access"
        if number == _DONE and flags & _BY_CLEAR:
            return "abandoned by clear"
        if number == _DONE and flags & _BY_DESTROY:
            return "abandoned by the end of the map"
        return ""

    def _type(self, maptype: int) -> Tuple[Optional[str], Optional[int]]:
        if maptype not in self._types:
            try:
                self._types[maptype] = type_at(self._session, self._abi, maptype)
            except MapscopeError:
                self._types[maptype] = None, None
        return self._types[maptype]

    def _problem(self, text: str) -> None:
        """Note what is wrong, within bounds."""
        if len(self._result.problems) < _MAX_PROBLEMS:
            self._result.problems.append(text)


def _kind(B: int, old_B: int) -> Optional[str]:
    if old_B == _NO_OLD_B or old_B > 63:
        return None
    return "double" if B > old_B else "same-size" if B == old_B else "shrink"


def _pieces(first: int, end: int, capacity: int) -> Iterator[Tuple[int, int]]:
    """Runs of record numbers that lie behind each other in memory, 1 MiB at most."""
    while first < end:
        stop = min(end, first + (1 << 14), (first // capacity + 1) * capacity)
        yield first, stop
        first = stop

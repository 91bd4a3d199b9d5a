# SPDX-License-Identifier: MIT
"""Stops in programs on the mapscope runtime: a slot of its filter, compared in
the process, and one breakpoint at the hook."""

from typing import Dict, List, Optional, Set, Tuple

from ...errors import MapscopeError, NeedsProcess
from ...flavours.cpp import runtime_maps
from ...flavours.cpp.abi import Abi, abi_addresses, abi_of, all_abis, read_abi
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program.cpp_names import same_type
from ...program.types import Type
from ...program.values import Decoded, escape, json_text
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint, Point
from ...stops.occurrence import Occurrence
from . import filter as stop_filter
from .filter import Event, Filter, Slot
from .type_filter import require_type

MECHANISM = "in-process filter"
HOOK = "mapscope_debug_stop"


class RuntimePlan(Plan):
    """One stop; a slot in each copy of the runtime that can have the map."""

    mechanism = MECHANISM

    def __init__(self, stop: Stop, host: Host, view: Optional[MapView]) -> None:
        super().__init__(stop, host)
        self._view = view
        self._slots: List[Tuple[Filter, int]] = []
        self._slot = Slot(0)  # what they hold
        self._hooks: List[Point] = []
        self._holder: Optional[Point] = None
        self._key: Optional[KeyTest] = None
        if view is not None and self.request.key is not None:
            self._key = parse_key(view.types()[0], self.request.key)
        self._events = 0
        self._hits = 0
        self._seen = 0  # matches that the debugger was told of
        self._stale = False
        self._teller = EventTeller()
        self._by_name = False
        # counted in the process, unless the debugger has a word in it
        request = self.request
        self._in_process = request.condition is None and request.key is None
        self._in_process = self._in_process and not self._compares()
        #: copies whose library is not relocated yet; None: it is
        self._waiting: Dict[int, Optional[Point]] = {}
        self._told: Set[int] = set()  # copies of the runtime that cannot be armed
        self._checked = False  # whether --type is known to be a type of the program

    def _compares(self) -> bool:
        """Whether maps are compared in the debugger, by type or size."""
        return self.request.only_type is not None or self.request.min_entries > 0

    # --- arming ---

    def arm(self) -> Plan:
        host, view = self.host, self._view
        if host.state() != "live":
            if host.function(HOOK) is not None:
                self._show_hook()
            else:
                self.notes.append("armed when the program starts, if it loads the runtime then")
        elif view is not None and view.address is None:
            self._wait_for_first_write(view)
        else:
            self._arm_slots(view)
        return self

    def _show_hook(self) -> None:
        """A breakpoint at the hook, also before the program runs."""
        point = self.host.function_breakpoint(HOOK, 0, self._on_hook, self.shows)
        if self.shows:
            self.visible = point
        else:
            self._hooks.append(point)
        self._by_name = True

    def started(self) -> None:
        if self._view is None:
            self._hits = self._seen = 0
            self._slots = []
            self._teller = EventTeller()
            self._told.clear()
            self._drop_waiting()
            self._arm_slots(None)

    def _wait_for_first_write(self, view: MapView) -> None:
        """A map that was never written to has no hmap yet: wait for it."""
        if view.holder is None:
            raise MapscopeError("the map was never written to, and is in no memory")
        holder = view.holder

        def on_hit(hit: Hit) -> bool:
            session = Session(self.host.target())
            hmap = session.memory.read_word(holder)
            if hmap and runtime_maps.looks_like_hmap(session.memory, hmap) and not self._slots:
                if self._holder is not None:
                    self._holder.remove()
                self._view = runtime_maps.open_at(session, hmap)
                self.stop.view = self._view
                self._arm_slots(self._view)
            return False

        try:
            self._holder = self.host.watchpoint(holder, 8, on_hit, False)
        except NoWatchpoint as error:
            raise MapscopeError(
                f"the map was never written to, so it has no hmap yet, and {error}: "
                "name a place where it has one with --at LOCATION"
            ) from None
        self._show_hook()
        self.notes.append("the map was never written to: armed with its first write")

    def _arm_slots(self, view: Optional[MapView]) -> None:
        session = Session(self.host.target())
        if view is not None and view.address is not None:
            abis = [abi_of(session, view.address)]
        else:
            abis = all_abis(session)
        if not abis:
            raise NeedsProcess("the program has neither Go maps nor the mapscope runtime (yet)")
        if self.request.only_type is not None and not self._checked:
            require_type(session, abis, self.request.only_type)
            self._checked = True
        slot = self.slot(view)
        self._events, self._slot = slot.events, slot
        for abi in abis:
            self._arm_slot(abi)

    def _arm_slot(self, abi: Abi) -> None:
        filter = Filter(self.host, abi)
        # a thread may have an event for a stop that is gone: its slot comes last
        number = filter.allocate(self.stop.number - 1)
        self._slots.append((filter, number))
        filter.arm(number, self._slot if self.stop.enabled else _off(self._slot))
        self._add_hook(filter)

    def loaded(self) -> None:
        # a stop on any map is at each copy of the runtime, also at those of libraries
        if self._view is not None or not self._slots or self.host.state() != "live":
            return
        known = {filter.abi.address for filter, _ in self._slots}
        session = Session(self.host.target())
        for address in abi_addresses(session):
            if address in known:
                continue
            try:
                abi = read_abi(session.memory, address)
                if abi.place("stop_filter").address or not self._waits_for(session, abi):
                    self._arm_slot(abi)
            except MapscopeError as error:
                self._say_once(address, str(error))

    def _waits_for(self, session: Session, abi: Abi) -> bool:
        """Wait until a library's addresses are in place.

        Debuggers may be told of it when the loader has only mapped it. Its maps are not written
        to before its initialisers run, and the first of them runs when all is relocated.
        """
        if abi.address in self._waiting:
            point = self._waiting[abi.address]
            return point is not None
        start = _initialiser(session, abi)
        if start is None:
            return False
        place = abi.address

        def arrived(hit: Hit) -> bool:
            point, self._waiting[place] = self._waiting.get(place), None
            if point is not None:
                point.remove()
                self.loaded()
            return False

        self._waiting[place] = self.host.breakpoint(start, arrived, False)
        return True

    def _say_once(self, address: int, error: str) -> None:
        if address not in self._told:
            self._told.add(address)
            self.host.say(f"{self.stop.name}: maps of a library are not covered: {escape(error)}")

    def _add_hook(self, filter: Filter) -> None:
        """A breakpoint at the filter's hook, unless one is there."""
        hook = filter.hook
        if self.host.function(HOOK) == hook:
            if not self._by_name:
                self._show_hook()
        elif self.visible is None and self.shows:
            self.visible = self.host.breakpoint(hook, self._on_hook, True)
        else:
            self._hooks.append(self.host.breakpoint(hook, self._on_hook, False))

    def slot(self, view: Optional[MapView]) -> Slot:
        """What the filter is to wait for."""
        request = self.request
        slot = stop_filter.slot_for(request, None if view is None else view.address)
        if self._key is not None and view is not None:
            known = view.hash_of(self._key)
            if known is not None:
                slot.conditions |= stop_filter.IF_KEY_HASH
                slot.key_hash = known
                slot.events |= stop_filter.RESEED
            else:
                self.notes.append(
                    "the hash of this key cannot be computed: keys are compared in the debugger, "
                    "at each such write of the map"
                )
        if request.thread is not None:
            slot.thread = self.host.kernel_thread(request.thread) or 0
            self._in_process = self._in_process and slot.thread != 0
        if self._in_process:
            slot.ignore = request.ignore
            slot.conditions |= stop_filter.ONCE if request.once else 0
        return slot

    # --- hits ---

    def _on_hook(self, hit: Hit) -> bool:
        """The hook was called, by one of the copies of the runtime."""
        hook = hit.register("rip")
        for filter, number in self._slots:
            if filter.hook == hook:
                event = stop_filter.read_event(self.host, filter.abi, hit.register("rdi"))
                if event.slots >> number & 1 and self._slot.accepts(event):
                    return self.on_event(hit, filter, number, event)
        return False

    def on_event(self, hit: Hit, filter: Filter, number: int, event: Event) -> bool:
        """The filter has stopped for this plan's slot."""
        session = Session(self.host.target())
        if event.event == stop_filter.DESTROY:
            self.stop.retire("its map was destroyed")
            return False
        if event.event == stop_filter.RESEED:
            self._rehash(session, filter, number, event)
            return False
        if not self._is_key(session, event) or not self.is_wanted(session, event):
            return False

        def tell() -> Occurrence:
            return self._teller.occurrence(session, event, hit.thread)

        def reopen(later: Session) -> MapView:
            return runtime_maps.open_at(later, event.map)

        if not self._in_process:
            return self.stop.occurred(hit, tell, reopen)
        self._seen += 1
        return self.stop.report(tell(), reopen)

    def _rehash(self, session: Session, filter: Filter, number: int, event: Event) -> None:
        """hash0 has changed: so has the key's hash."""
        if self._key is not None:
            known = runtime_maps.open_at(session, event.map).hash_of(self._key)
            if known is not None:
                filter.set_key_hash(number, known)

    def is_wanted(self, session: Session, event: Event) -> bool:
        """Whether --type and --min-entries let the event's map count."""
        if event.count < self.request.min_entries:
            return False
        wanted = self.request.only_type
        if wanted is None:
            return True
        return same_type(self._teller.type_name(session, event)) == same_type(wanted)

    def _is_key(self, session: Session, event: Event) -> bool:
        """Whether it is the key that was asked for; two keys can have one hash."""
        if self._key is None:
            return True
        key = self._teller.key(session, event)
        return key is None or self._key.matches(key[0])

    # --- the rest ---

    def hits(self) -> int:
        if not self._in_process:
            return self.stop.matches
        if not self._slots:
            return self._hits
        try:
            if self.host.state() == "live":  # else gdb reads the program's file
                self._hits = sum(filter.hits(number) for filter, number in self._slots)
        except MapscopeError:
            pass
        if self._seen:
            self._hits = max(self._hits, self.request.ignore + self._seen)
        return self._hits

    def enable(self, on: bool) -> None:
        self._stale = False
        for filter, number in self._slots:
            try:
                filter.set_events(number, self._events if on else 0)
            except MapscopeError:
                self._stale = True  # it is running: when it stops

    def stopped(self) -> None:
        if self._stale:
            self.enable(self.stop.enabled)
        try:
            if any(filter.is_gone(number) for filter, number in self._slots):
                self.stop.retire("its map was destroyed")
        except MapscopeError:
            pass

    def _drop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for point in waiting.values():
            if point is not None:
                point.remove()

    def disarm(self) -> None:
        self.hits()  # for who asks later
        slots, self._slots = self._slots, []
        if self.host.state() == "live":
            for filter, number in slots:
                try:
                    filter.disarm(number)
                except MapscopeError:
                    pass  # it is running, or gone: it disarms itself when nobody traces it
        self._drop_waiting()
        points, self._hooks = self._hooks, []
        points += [point for point in (self._holder, self.visible) if point is not None]
        self._holder = self.visible = None
        for point in points:
            point.remove()


def _initialiser(session: Session, abi: Abi) -> Optional[int]:
    """The first instruction that the loader runs in the library of a mapscope_abi."""
    starts = [s.start for s in session.sections() if s.name == ".init" and s.start < abi.address]
    if not starts:
        return None
    start = max(starts)
    # another copy in between: this library has no such section
    between = any(start < other < abi.address for other in abi_addresses(session))
    return None if between else start


def _off(slot: Slot) -> Slot:
    return Slot(**{**slot.__dict__, "events": 0})


class EventTeller:
    """Says what an event is; keeps what it has learnt of map types."""

    def __init__(self) -> None:
        self._types: Dict[int, Tuple[str, Optional[Type]]] = {}

    def occurrence(self, session: Session, event: Event, thread: int) -> Occurrence:
        """What the runtime says of an event."""
        name, key_type = self._type(session, event)
        kind = stop_filter.KINDS.get(event.kind)
        return Occurrence(
            stop_filter.NAMES.get(event.event, "event"),
            event.map,
            name,
            thread,
            MECHANISM,
            bucket=None if event.bucket == stop_filter.NO_BUCKET else event.bucket,
            kind=kind,
            old_buckets=event.old_buckets if kind is not None else 0,
            buckets=event.buckets,
            evacuated=event.evacuated if kind is not None else None,
            count=event.count,
            key=_key_text(session, event, key_type),
            how=_how(session, event),
        )

    def key(self, session: Session, event: Event) -> Optional[Tuple[Decoded]]:
        """The event's key; None where there is none, or it cannot be read."""
        return _key(session, event, self._type(session, event)[1])

    def type_name(self, session: Session, event: Event) -> str:
        """The type of the event's map."""
        return self._type(session, event)[0]

    def _type(self, session: Session, event: Event) -> Tuple[str, Optional[Type]]:
        """The map's type by name, and its key type."""
        if event.type not in self._types:
            try:
                view = runtime_maps.open_at(session, event.map)
                self._types[event.type] = view.type_name, view.key
            except MapscopeError:
                return "mapscope::map", None
        return self._types[event.type]


def _key(session: Session, event: Event, type: Optional[Type]) -> Optional[Tuple[Decoded]]:
    if not event.key or type is None:
        return None
    try:
        data = session.memory.read(event.key, type.size)
        return (session.decoder().decode(type, data, event.key),)
    except MapscopeError:
        return None


def _key_text(session: Session, event: Event, type: Optional[Type]) -> Optional[str]:
    key = _key(session, event, type)
    return None if key is None else json_text(key[0])


def _how(session: Session, event: Event) -> str:
    if event.event == stop_filter.RACE and event.message:
        try:
            return session.memory.read_cstring(event.message, 256)
        except MapscopeError:
            return ""
    if event.event == stop_filter.ASSIGN:
        return "new key" if event.flags & stop_filter.FLAG_NEW_KEY else "overwrite"
    if event.flags & stop_filter.FLAG_BY_CLEAR:
        return "abandoned by clear"
    if event.flags & stop_filter.FLAG_BY_DESTROY:
        return "abandoned by the end of the map"
    return ""

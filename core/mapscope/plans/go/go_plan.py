# SPDX-License-Identifier: MIT
"""What all plans for Go's maps share: points, the map, and what is said
of an event."""

from typing import Callable, Dict, Optional

from ...errors import MapscopeError, MemoryUnreadable, TypeNeeded, UnknownType, UsageError
from ...flavours.go import go_classic, go_swiss
from ...maps.view import MapView, Reopen
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.occurrence import Occurrence
from ..point_plan import PointPlan
from .go_runtime import GoHeader, GoRuntime

#: of a map whose type cannot be read
UNKNOWN_TYPE = "map[?]?"


class NeverUsed(UsageError):
    """The program has not the function that an event would be noticed at: it never occurs."""


class GoPlan(PointPlan):
    """What all of them share: the map, and what is said of an event."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host)
        self.go = GoRuntime(
            host,
            session.go.minor,
            session.go.has_swiss_maps,
            session.go.place if len(session.runtimes()) > 1 else 0,
        )
        self.view = view
        self.address = 0 if view is None else view.address or 0
        self.notes += session.go.doubts()
        self._type_names: Dict[int, str] = {}
        self.wanted_type: Optional[str] = None  # as the type table has it
        self._look_up_type(session)

    def _look_up_type(self, session: Session) -> None:
        """Find the type that any map is to have.

        :raises UnknownType: if the program has none of that name, with those nearest
        """
        wanted = self.request.only_type
        if wanted is None:
            return
        try:
            self.wanted_type = session.go.name_at(session.go.find(wanted))
        except UnknownType:
            raise
        except MapscopeError:
            # a position-independent program has its type table in place when it starts
            if self.host.state() != "none":
                raise

    def is_wanted(self, maptype: int, count: int) -> bool:
        """Whether --type and --min-entries let a map count.

        :param maptype: its type; 0: not known
        """
        if count < self.request.min_entries:
            return False
        if self.request.only_type is None:
            return True
        return bool(maptype) and self._type_name(maptype) == self.wanted_type

    # --- points ---

    def function(self, base: str, on_hit: OnHit) -> None:
        """Breakpoints on all variants of a function of the runtime.

        :param base: as "evacuate"; with its package if that is another one
        :raises UsageError: if the program has none
        """
        names = self.go.variants(base)
        if not names:
            name = base if "." in base else f"runtime.{base}"
            known = self.go.function("runtime.main") is not None or self.go.functions() is not None
            why = "it never uses it"
            if not known:
                why = "where its functions are is not known yet: run it to main"
            raise (NeverUsed if known else UsageError)(
                f"the program has no function {name} ({why}): nothing can be stopped at there"
            )
        for name in names:
            self.at(name, on_hit)

    def at(self, name: str, on_hit: OnHit) -> None:
        """A breakpoint on one function, and on its copies in plugins."""
        self.keep(self.go.breakpoint(name, self.guarded(on_hit), self.next_shows()))
        for address in self.go.copies(name):
            self._points.append(self.go.breakpoint_at(address, self.guarded(on_hit)))

    def at_offset(
        self, name: str, address: int, offset: int, is_named: bool, on_hit: OnHit
    ) -> None:
        """A breakpoint within a function, which the user does not see.

        :param address: of the function
        :param is_named: whether it is the one that the name stands for, and no copy of it
        """
        handler = self.guarded(on_hit)
        self._points.append(self.go.breakpoint_within(name, address, offset, is_named, handler))

    def lost(self, error: MapscopeError) -> str:
        return super().lost(error) if isinstance(error, MemoryUnreadable) else str(error)

    def started(self) -> None:
        self.go.started()
        if self.request.only_type is not None:
            self._look_up_type(Session(self.host.target()))

    # --- what is said ---

    def is_ours(self, address: int) -> bool:
        """Whether it is a map that this stop is for."""
        return not self.address or address == self.address

    def bucketsize(self, maptype: int = 0) -> int:
        """Of the map's buckets; `maptype` where any map is meant."""
        if self.view is None:
            return self.go.bucketsize(maptype)
        size = self.view.facts().bucket_bytes
        if size is None:
            raise TypeNeeded(f"map at {self.address:#x}")
        return size

    def occurrence(self, event: str, hit: Hit, header: GoHeader, maptype: int = 0) -> Occurrence:
        """An event of a map, as its header is now."""
        occurrence = Occurrence(
            event,
            header.address,
            self.view.type_name if self.view is not None else self._type_name(maptype),
            hit.thread,
            self.mechanism,
            count=header.count,
            goroutine=self.go.goroutine(hit),
            place=self.go.place(hit),
        )
        header.tell(occurrence)
        return occurrence

    def _type_name(self, maptype: int) -> str:
        if maptype not in self._type_names:
            try:
                name = Session(self.host.target()).for_type(maptype).go.name_at(maptype)
            except MapscopeError:
                name = UNKNOWN_TYPE
            self._type_names[maptype] = name
        return self._type_names[maptype]

    def reopen(self, address: int, maptype: int = 0) -> Optional[Reopen]:
        """How `map stop` finds the map again."""
        if self.view is not None:
            return self.view.reopen
        if not maptype:
            return None
        open_at = go_swiss.open_at if self.go.swiss else go_classic.open_at
        return lambda session: open_at(session, address, maptype)

    def occurred(
        self,
        event: str,
        hit: Hit,
        header: GoHeader,
        maptype: int = 0,
        add: Optional[Callable[[Occurrence], None]] = None,
    ) -> bool:
        """The event that was asked for.

        :param add: completes what is said of it
        """

        if not self.is_wanted(maptype, header.count):
            return False

        def tell() -> Occurrence:
            occurrence = self.occurrence(event, hit, header, maptype)
            if add is not None:
                add(occurrence)
            return occurrence

        return self.stop.occurred(hit, tell, self.reopen(header.address, maptype))

    def warn_of_stack(self) -> None:
        """A map that does not escape lies on its goroutine's stack, which may be moved."""
        if self.address and self.go.on_stack(self.host.here(), self.address):
            self.notes.append(
                "this map lies on a goroutine's stack and moves if that grows: the stop would "
                "lose it then"
            )


def waits_for_start(host: Host) -> bool:
    """Whether where the program's functions are is only known when it runs: without symbols,
    its own table of them tells, and a position-independent program has that in place then."""
    return host.state() == "none" and host.function("runtime.main") is None


#: makes a plan: of a stop, for a host, a session and a map
Make = Callable[[Stop, Host, Session, Optional[MapView]], Plan]


class AtStart(Plan):
    """Becomes another plan when the program starts."""

    def __init__(self, stop: Stop, host: Host, make: Make) -> None:
        super().__init__(stop, host)
        self._make = make

    def arm(self) -> Plan:
        return self

    def started(self) -> None:
        session = Session(self.host.target())
        self.stop.become(self._make(self.stop, self.host, session, None))

    def disarm(self) -> None:
        """Nothing is set."""

    def enable(self, on: bool) -> None:
        """Nothing is set."""

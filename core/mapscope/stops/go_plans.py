# SPDX-License-Identifier: MIT
"""Stops in Go programs with classic maps.

A map's header says when a migration starts and ends (a watchpoint on
hmap.oldbuckets), the first byte of an old bucket when it is evacuated, the
flags and the count when an entry is written or deleted: watching them costs
the program nothing in between, and other maps nothing at all. What cannot be
watched is seen at functions of the runtime that run rarely.
"""

import struct
from abc import abstractmethod
from typing import Callable, Dict, List, Optional, Tuple

from ..errors import MapscopeError, MemoryUnreadable, TypeNeeded, UsageError
from ..flavours import go_classic
from ..keys import parse_key
from ..session import Session
from ..types import Type
from ..values import Decoded, json_text
from ..view import KeyTest, MapView
from .go_runtime import COUNT, FLAGS, HASH_WRITING, OLDBUCKETS, GoRuntime, Hmap
from .host import Hit, Host, NoWatchpoint, OnHit, Point
from .occurrence import Occurrence
from .plan import Plan
from .stop import Reopen, Stop

WATCHPOINT, BREAKPOINT = "hardware watchpoint", "breakpoint"

#: so few evacuations before the end of a count, evacuate itself is watched
_LAST = 3
#: frames above a store in which the function that writes is looked for
_NEAR = 6
#: migrations whose evacuations are counted at the same time
_COUNTED = 64


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """The plan for a stop at a Go map, or at any."""
    request = stop.request
    if "shrink" in request.kinds:
        raise UsageError("--shrink: Go's maps never shrink; there are --doubling and --same-size")
    if view is not None and view.address is None:
        raise UsageError(
            f"{request.map} is a nil map: nothing can be written to it; name a place where it "
            "is made with --at LOCATION"
        )
    plans: Dict[str, Callable[..., Plan]] = {
        "clear": ClearPlan,
        "race": RacePlan,
        "grow": GrowthPlan if view else GrowFunctionPlan,
        "done": GrowthPlan if view else DoneFunctionPlan,
        "evacuate": EvacuateFunctionPlan,
        "progress": ProgressPlan if view else CountingPlan,
        "assign": WritePlan if view else WriteFunctionPlan,
        "delete": WritePlan if view else WriteFunctionPlan,
    }
    make_plan = plans[request.event]
    if request.event == "evacuate" and view is not None and request.bucket is not None:
        make_plan = BucketPlan
    return make_plan(stop, host, session, view)


class GoPlan(Plan):
    """What all of them share: points, the map, and what is said of an event."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host)
        self.go = GoRuntime(host, session.go.minor)
        self.view = view
        self.address = 0 if view is None else view.address or 0
        self._points: List[Point] = []
        self._type_names: Dict[int, str] = {}

    # --- points ---

    def watch(self, address: int, size: int, on_hit: OnHit) -> Point:
        """:raises NoWatchpoint: if there is none left"""
        return self._keep(
            self.host.watchpoint(address, size, self._guarded(on_hit), self._next_shows())
        )

    def function(self, base: str, on_hit: OnHit) -> None:
        """Breakpoints on all variants of a function of the runtime.

        :raises UsageError: if the program has none
        """
        names = self.go.variants(base)
        if not names:
            raise UsageError(
                f"the program has no function runtime.{base}: nothing can be stopped at there"
            )
        for name in names:
            self._keep(self.go.breakpoint(name, self._guarded(on_hit), self._next_shows()))

    def code(self, address: int, on_hit: OnHit) -> Point:
        """A breakpoint at an instruction, which the user does not see."""
        return self._keep(self.host.breakpoint(address, self._guarded(on_hit), False))

    def drop(self, point: Optional[Point]) -> None:
        """Take one out again."""
        if point is not None:
            self._points = [p for p in self._points if p is not point]
            point.remove()

    def _next_shows(self) -> bool:
        return self.shows and self.visible is None

    def _keep(self, point: Point) -> Point:
        if self._next_shows():
            self.visible = point
        else:
            self._points.append(point)
        return point

    def _guarded(self, on_hit: OnHit) -> OnHit:
        """A handler that ends its stop if memory is not what a map's can be."""

        def handler(hit: Hit) -> bool:
            if not self.stop.enabled:
                return False
            try:
                return on_hit(hit)
            except MemoryUnreadable as error:
                self.stop.retire(f"its map is gone: {error}")
            except MapscopeError as error:
                self.stop.retire(str(error))
            return False

        return handler

    def enable(self, on: bool) -> None:
        for point in self._points:
            point.enable(on)

    def disarm(self) -> None:
        points, self._points = self._points, []
        if self.visible is not None:
            points.append(self.visible)
            self.visible = None
        for point in points:
            point.remove()

    # --- what is said ---

    def is_ours(self, hmap: int) -> bool:
        """Whether it is a map that this stop is for."""
        return not self.address or hmap == self.address

    def bucketsize(self, maptype: int = 0) -> int:
        """Of the map's buckets; `maptype` where any map is meant."""
        if self.view is None:
            return self.go.bucketsize(maptype)
        size = self.view.header_form()["bucket_bytes"]
        if not isinstance(size, int):
            raise TypeNeeded(f"map at {self.address:#x}")
        return size

    def occurrence(self, event: str, hit: Hit, hmap: Hmap, maptype: int = 0) -> Occurrence:
        """An event of a map, as its header is now."""
        migrating = bool(hmap.oldbuckets)
        return Occurrence(
            event,
            hmap.address,
            self.view.type_name if self.view is not None else self._type_name(maptype),
            hit.thread,
            self.mechanism,
            kind=hmap.kind if migrating else None,
            old_buckets=hmap.old_buckets if migrating else 0,
            buckets=1 << hmap.B,
            count=hmap.count,
            goroutine=self.go.goroutine(hit),
        )

    def _type_name(self, maptype: int) -> str:
        if maptype not in self._type_names:
            try:
                name = Session(self.host.target()).go.name_at(maptype)
            except MapscopeError:
                name = "map[?]?"
            self._type_names[maptype] = name
        return self._type_names[maptype]

    def reopen(self, hmap: int, maptype: int = 0) -> Optional[Reopen]:
        """How `map stop` finds the map again."""
        if self.view is not None:
            return self.view.reopen
        if not maptype:
            return None
        return lambda session: go_classic.open_at(session, hmap, maptype)

    def occurred(
        self,
        event: str,
        hit: Hit,
        hmap: Hmap,
        maptype: int = 0,
        add: Optional[Callable[[Occurrence], None]] = None,
    ) -> bool:
        """The event that was asked for.

        :param add: completes what is said of it
        """

        def tell() -> Occurrence:
            occurrence = self.occurrence(event, hit, hmap, maptype)
            if add is not None:
                add(occurrence)
            return occurrence

        return self.stop.occurred(hit, tell, self.reopen(hmap.address, maptype))

    def warn_of_stack(self) -> None:
        """A map that does not escape lies on its goroutine's stack, which may be moved."""
        if self.address and self.go.on_stack(self.host.here(), self.address):
            self.notes.append(
                "this map lies on a goroutine's stack and moves if that grows: the stop would "
                "lose it then"
            )


# --- one map's migrations, watched ---


class MigrationPlan(GoPlan):
    """Watches hmap.oldbuckets: set when a migration starts, nil when it ends."""

    mechanism = WATCHPOINT

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._old = 0
        self._last: Optional[Hmap] = None

    @abstractmethod
    def began(self, hit: Hit, hmap: Hmap) -> bool:
        """A migration starts: hashGrow has just stored oldbuckets."""

    @abstractmethod
    def ended(self, hit: Hit, last: Hmap, cleared: bool) -> bool:
        """It has ended, or the map was cleared; `last`: the header when it started."""

    @abstractmethod
    def resume(self) -> None:
        """The map is (or is not) migrating already when the plan is armed."""

    @abstractmethod
    def by_functions(self) -> Plan:
        """The plan where there are no watchpoints."""

    def arm(self) -> Plan:
        try:
            self.watch(self.address + OLDBUCKETS, 8, self._changed)
        except NoWatchpoint as error:
            plan = self.by_functions()
            plan.notes.append(f"{error}: uses breakpoints on the runtime's functions instead")
            return plan.arm()
        self.warn_of_stack()
        self._look()
        self.resume()
        return self

    def migrating(self) -> Optional[Hmap]:
        """The header, if a migration is in progress."""
        return self._last if self._old else None

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._look()
            self.resume()

    def _look(self) -> None:
        hmap = Hmap(self.host, self.address)
        # with both the same, hashGrow has not installed the new array
        self._old = 0 if hmap.oldbuckets == hmap.buckets else hmap.oldbuckets
        self._last = hmap if self._old else None

    def _changed(self, hit: Hit) -> bool:
        writer = self.go.writer(hit)
        hmap = Hmap(self.host, self.address)
        if writer is None:
            frame = next(hit.frames(), None)
            by = f" by {frame.function}" if frame is not None and frame.function else ""
            self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused{by}")
            return False
        before, last = self._old, self._last
        self._old = hmap.oldbuckets
        stop = False
        if before and last is not None:
            stop = self.ended(hit, last, writer.startswith("runtime.mapclear"))
        self._last = hmap if self._old else None
        if self._old:
            stop = self.began(hit, hmap) or stop
        return stop


class GrowthPlan(MigrationPlan):
    """`grow` and `done` of one map."""

    def resume(self) -> None:
        return

    def by_functions(self) -> Plan:
        plan = GrowFunctionPlan if self.request.event == "grow" else DoneFunctionPlan
        return plan(self.stop, self.host, Session(self.host.target()), self.view)

    def began(self, hit: Hit, hmap: Hmap) -> bool:
        if self.request.event != "grow" or not self.request.wants(hmap.kind):
            return False
        return self.occurred("grow", hit, hmap)

    def ended(self, hit: Hit, last: Hmap, cleared: bool) -> bool:
        if self.request.event != "done" or not self.request.wants(last.kind):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.count = Hmap(self.host, self.address).count
            occurrence.how = "abandoned by clear" if cleared else ""

        return self.occurred("done", hit, last, 0, add)


class BucketPlan(MigrationPlan):
    """`evacuate --bucket N` of one map: the bucket's first byte, while there is a migration."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._byte: Optional[Point] = None
        self._bucketsize = self.bucketsize()

    def by_functions(self) -> Plan:
        return EvacuateFunctionPlan(self.stop, self.host, Session(self.host.target()), self.view)

    def resume(self) -> None:
        hmap = self.migrating()
        if hmap is not None and self._watch_bucket(hmap) is False:
            self.notes.append(
                f"old bucket {self.request.bucket} is evacuated already: stops in the next "
                "migration that has it"
            )

    def began(self, hit: Hit, hmap: Hmap) -> bool:
        self._watch_bucket(hmap)
        return False

    def ended(self, hit: Hit, last: Hmap, cleared: bool) -> bool:
        self._drop_byte()
        return False

    def _watch_bucket(self, hmap: Hmap) -> Optional[bool]:
        """Returns False if the bucket is evacuated already."""
        bucket = self.request.bucket or 0
        self._drop_byte()
        if bucket >= hmap.old_buckets or not self.request.wants(hmap.kind):
            return None
        at = hmap.oldbuckets + bucket * self._bucketsize
        if self.go.is_evacuated(at):
            return False

        def marked(hit: Hit) -> bool:
            return self._marked(hit, hmap, at)

        try:
            self._byte = self.watch(at, 1, marked)
        except NoWatchpoint as error:
            plan = self.by_functions()
            self.stop.replace(plan, f"{error}: uses breakpoints on the runtime's functions now")
        return True

    def _marked(self, hit: Hit, started: Hmap, at: int) -> bool:
        if not self.go.is_evacuated(at):
            return False  # cleared
        self._drop_byte()
        hmap = Hmap(self.host, self.address)

        def add(occurrence: Occurrence) -> None:
            occurrence.bucket = self.request.bucket
            marks = self.go.heads(started.oldbuckets, started.old_buckets, self._bucketsize)
            occurrence.evacuated = sum(marks) - 1

        return self.occurred("evacuate", hit, hmap, 0, add)

    def _drop_byte(self) -> None:
        point, self._byte = self._byte, None
        self.drop(point)


class ProgressPlan(MigrationPlan):
    """`progress P` of one map, in about log2 stops.

    R evacuations before the goal it watches an old bucket about R/2 beyond
    nevacuate. A write evacuates two at most: its own and nevacuate's. So when
    the sweep reaches that bucket, at most R are evacuated; a write to it may
    come sooner. Either way it counts again. The last few are counted at evacuate
    itself, so that the stop is exact.
    """

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._byte: Optional[Point] = None
        self._counting: Optional[CountingPlan] = None
        self._reached = 0  # oldbuckets of the migration whose goal is reached
        self._bucketsize = self.bucketsize()

    def by_functions(self) -> Plan:
        return CountingPlan(self.stop, self.host, Session(self.host.target()), self.view)

    def resume(self) -> None:
        self._forget()
        hmap = self.migrating()
        if hmap is not None:
            self._aim(hmap, 0)

    def began(self, hit: Hit, hmap: Hmap) -> bool:
        self._forget()
        self._reached = 0
        self._aim(hmap, 0)
        return False

    def ended(self, hit: Hit, last: Hmap, cleared: bool) -> bool:
        self._drop_byte()
        if self._counting is not None and (cleared or not self._counting.is_returning()):
            self._stop_counting()
        return False

    def _aim(self, started: Hmap, in_progress: int) -> None:
        """Watch the next bucket on the way.

        :param in_progress: 1 if the bucket that was hit is marked, but not yet moved
        """
        request = self.request
        assert request.progress is not None
        old = started.old_buckets
        goal = request.progress.of(old)
        if goal > old or not request.wants(started.kind):
            return
        if started.oldbuckets == self._reached:
            return
        marks = self.go.heads(started.oldbuckets, old, self._bucketsize)
        left = max(1, goal - (sum(marks) - in_progress))
        if left > _LAST:
            hmap = Hmap(self.host, self.address)
            # hashGrow sets nevacuate after oldbuckets
            first = hmap.nevacuate if any(marks) else 0
            index = marks.find(0, first + left // 2 - 1)
            if index < 0:
                index = marks.rfind(0, 0, first + left // 2 - 1)
            if index >= 0 and self._watch_byte(started, index):
                return
        self._count()

    def _watch_byte(self, started: Hmap, index: int) -> bool:
        at = started.oldbuckets + index * self._bucketsize

        def marked(hit: Hit) -> bool:
            self._drop_byte()
            if self.go.is_evacuated(at):
                self._aim(started, 1)
            return False

        self._drop_byte()
        try:
            self._byte = self.watch(at, 1, marked)
        except NoWatchpoint:
            return False
        return True

    def _count(self) -> None:
        """From here on, count at evacuate."""
        if self._counting is None:
            session = Session(self.host.target())
            counting = CountingPlan(self.stop, self.host, session, self.view)
            counting.shows = False  # this plan's own point is shown
            counting.mechanism = self.mechanism
            counting.on_end = self._reach
            counting.arm()
            self._counting = counting

    def _reach(self) -> None:
        """The goal of this migration is reached."""
        self._reached = self._old
        self._stop_counting()

    def _stop_counting(self) -> None:
        counting, self._counting = self._counting, None
        if counting is not None:
            counting.disarm()

    def _drop_byte(self) -> None:
        point, self._byte = self._byte, None
        self.drop(point)

    def _forget(self) -> None:
        self._drop_byte()
        self._stop_counting()

    def enable(self, on: bool) -> None:
        if not on:
            self._forget()
        super().enable(on)

    def disarm(self) -> None:
        self._forget()
        super().disarm()


# --- functions of the runtime ---


class GrowFunctionPlan(GoPlan):
    """`grow` at hashGrow(t, h), before anything is stored."""

    def arm(self) -> Plan:
        self.function("hashGrow", self._on_hash_grow)
        return self

    def _on_hash_grow(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        kind = growth_kind(hmap, self.go.minor)
        if not self.request.wants(kind):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.kind = kind
            occurrence.old_buckets = 1 << hmap.B
            occurrence.buckets = occurrence.old_buckets << (kind == "double")

        return self.occurred("grow", hit, hmap, maptype, add)


def growth_kind(hmap: Hmap, minor: int) -> str:
    """What hashGrow is about to do (overLoadFactor in runtime/map.go; 1.21's factor is 6)."""
    count = hmap.count + 1
    over = count > 8 and count > (12 if minor == 21 else 13) * ((1 << hmap.B) // 2)
    return "double" if over else "same-size"


class DoneFunctionPlan(GoPlan):
    """`done` at advanceEvacuationMark(h, t, newbit) when it is about to find the end, and at
    mapclear(t, h)."""

    def arm(self) -> Plan:
        self.function("advanceEvacuationMark", self._on_advance)
        if self.go.variants("mapclear"):
            self.function("mapclear", self._on_clear)
        return self

    def _on_advance(self, hit: Hit) -> bool:
        address, maptype = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        if not self.request.wants(hmap.kind) or not ends_now(
            self.go, hmap, self.bucketsize(maptype)
        ):
            return False
        return self.occurred("done", hit, hmap, maptype)

    def _on_clear(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not address or not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        if not hmap.oldbuckets or not hmap.count or not self.request.wants(hmap.kind):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.how = "abandoned by clear"

        return self.occurred("done", hit, hmap, maptype, add)


def ends_now(go: GoRuntime, hmap: Hmap, bucketsize: int) -> bool:
    """Whether advanceEvacuationMark will find the migration complete: it looks at 1,024
    buckets behind nevacuate at most."""
    old, following = hmap.old_buckets, hmap.nevacuate + 1
    if not hmap.oldbuckets or following + 1024 < old:
        return False
    rest = old - following
    return rest <= 0 or all(go.heads(hmap.oldbuckets + following * bucketsize, rest, bucketsize))


class EvacuateFunctionPlan(GoPlan):
    """`evacuate` at evacuate*(t, h, oldbucket), for buckets that are not evacuated yet."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._evacuated: Dict[Tuple[int, int, int], int] = {}

    def arm(self) -> Plan:
        self.function("evacuate", self._on_evacuate)
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        self._evacuated.clear()

    def _on_evacuate(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        bucket = hit.register("rcx")
        if not self.is_ours(address):
            return False
        hmap, evacuated = self.next(address, bucket, maptype)
        if evacuated is None or not self.request.wants(hmap.kind):
            return False
        if self.request.bucket not in (None, bucket):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.bucket = bucket
            occurrence.evacuated = evacuated

        return self.occurred("evacuate", hit, hmap, maptype, add)

    def next(self, address: int, bucket: int, maptype: int) -> Tuple[Hmap, Optional[int]]:
        """(header, how many are evacuated before this one); None: this one is already."""
        hmap = Hmap(self.host, address)
        size = self.bucketsize(maptype)
        if not hmap.oldbuckets or bucket >= hmap.old_buckets:
            return hmap, None
        if self.go.is_evacuated(hmap.oldbuckets + bucket * size):
            return hmap, None
        # counted once for each migration, then kept: all further ones come by here
        migration = (address, hmap.oldbuckets, hmap.B)
        evacuated = self._evacuated.pop(migration, None)
        if evacuated is None:
            evacuated = sum(self.go.heads(hmap.oldbuckets, hmap.old_buckets, size))
        while len(self._evacuated) >= _COUNTED:
            self._evacuated.pop(next(iter(self._evacuated)))
        if evacuated + 1 < hmap.old_buckets:
            self._evacuated[migration] = evacuated + 1
        return hmap, evacuated


class CountingPlan(EvacuateFunctionPlan):
    """`progress P`, counted at evacuate*; the stop is where evacuate returns."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._returns: Dict[Tuple[int, int, int], Point] = {}
        self._reported: Dict[Tuple[int, int, int], bool] = {}
        #: called when the goal was reached
        self.on_end: Callable[[], None] = lambda: None

    def _on_evacuate(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        bucket = hit.register("rcx")
        if not self.is_ours(address):
            return False
        hmap, evacuated = self.next(address, bucket, maptype)
        request = self.request
        if evacuated is None or request.progress is None or not request.wants(hmap.kind):
            return False
        migration = (address, hmap.oldbuckets, hmap.B)
        goal = request.progress.of(hmap.old_buckets)
        if evacuated + 1 < goal or goal > hmap.old_buckets or migration in self._reported:
            return False
        back = hit.caller()
        if back is None:
            return False
        while len(self._reported) >= _COUNTED:
            self._reported.pop(next(iter(self._reported)))
        self._reported[migration] = True

        def returned(after: Hit) -> bool:
            return self._on_return(after, migration, hmap, bucket, maptype)

        self._returns[migration] = self.code(back, returned)
        return False

    def is_returning(self) -> bool:
        """Whether the evacuation that reaches the goal is under way."""
        return bool(self._returns)

    def _on_return(
        self, hit: Hit, migration: Tuple[int, int, int], hmap: Hmap, bucket: int, maptype: int
    ) -> bool:
        head = hmap.oldbuckets + bucket * self.bucketsize(maptype)
        now = Hmap(self.host, hmap.address)
        if now.oldbuckets == hmap.oldbuckets and not self.go.is_evacuated(head):
            return False  # another goroutine has returned here
        self.drop(self._returns.pop(migration, None))
        evacuated = self._evacuated.get(migration, hmap.old_buckets)

        def add(occurrence: Occurrence) -> None:
            occurrence.bucket = bucket
            occurrence.evacuated = evacuated

        header = now if now.oldbuckets else hmap
        stop = self.occurred("progress", hit, header, maptype, add)
        self.on_end()
        return stop


class ClearPlan(GoPlan):
    """`clear` at mapclear(t, h)."""

    def arm(self) -> Plan:
        if not self.go.variants("mapclear"):
            raise UsageError(
                "the program has no function runtime.mapclear: it clears no map at once "
                "(`for k := range m { delete(m, k) }` and clear(m) do)"
            )
        self.function("mapclear", self._on_clear)
        return self

    def _on_clear(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not address or not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        return self.occurred("clear", hit, hmap, maptype)


class RacePlan(GoPlan):
    """`race` at fatal(s) and throw(s) with a map's message (runtime/panic.go)."""

    def arm(self) -> Plan:
        for name in ("fatal", "throw"):
            if self.go.variants(name):
                self.function(name, self._on_fatal)
        return self

    def _on_fatal(self, hit: Hit) -> bool:
        length = hit.register("rbx")
        if not 0 < length < 256:
            return False
        raw = self.host.target().read_memory(hit.register("rax"), length)
        message = bytes(raw).decode("utf-8", "replace")
        if not message.startswith("concurrent map"):
            return False
        session = Session(self.host.target())
        view = self._map_of(session, hit)
        if self.address and (view is None or view.address != self.address):
            return False
        if view is None:
            occurrence = Occurrence("race", None, "", hit.thread, self.mechanism)
            occurrence.goroutine = self.go.goroutine(hit)
        else:
            hmap = Hmap(self.host, view.address or 0)
            occurrence = self.occurrence("race", hit, hmap)
            occurrence.type_name = view.type_name
        occurrence.how = message
        return self.stop.occurred(hit, lambda: occurrence, None if view is None else view.reopen)

    @staticmethod
    def _map_of(session: Session, hit: Hit) -> Optional[MapView]:
        for _, frame in zip(range(8), hit.frames()):
            view = go_classic.from_frame(session, frame)
            if view is not None and view.address is not None:
                return view
        return None


# --- entries ---


#: a key's type and its bytes, where they are known
Key = Optional[Tuple[Type, Optional[bytes]]]


class KeyedPlan(GoPlan):
    """What `assign` and `delete` share: the key."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._test: Optional[KeyTest] = None
        if self.request.key is not None and view is not None:
            self._test = parse_key(view.types()[0], self.request.key)

    def written(self, hit: Hit, hmap: Hmap, maptype: int, read: Callable[[], Key]) -> bool:
        """An entry is written or deleted.

        :param read: its key
        """
        if self._test is not None:
            decoded = self._decoded(read())
            # a key that cannot be told is not the one that was asked for
            if decoded is None or not self._test.matches(decoded[0]):
                return False

        def add(occurrence: Occurrence) -> None:
            decoded = self._decoded(read())
            if decoded is not None:
                occurrence.key = json_text(decoded[0])

        return self.occurred(self.request.event, hit, hmap, maptype, add)

    def _decoded(self, key: Key) -> Optional[Tuple[Decoded]]:
        if key is None or key[1] is None:
            return None
        return (Session(self.host.target()).decoder().decode(key[0], key[1], None),)


class WritePlan(KeyedPlan):
    """`assign` and `delete` of one map.

    A write sets hashWriting in hmap.flags once it has hashed the key; a delete
    that finds its key decreases hmap.count. With --migrating they are watched
    only between the start and the end of a migration.
    """

    mechanism = WATCHPOINT

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._before = 0
        self._field: Optional[Point] = None
        self._assign = self.request.event == "assign"

    def arm(self) -> Plan:
        try:
            if self.request.migrating:
                self.watch(self.address + OLDBUCKETS, 8, self._migration_changed)
                self._follow_migration()
            else:
                self._watch_field()
        except NoWatchpoint as error:
            plan = WriteFunctionPlan(self.stop, self.host, Session(self.host.target()), self.view)
            plan.notes.append(f"{error}: uses breakpoints on the runtime's functions instead")
            self.disarm()
            return plan.arm()
        self.warn_of_stack()
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._before = self._read()
            if self.request.migrating:
                self._follow_migration()

    def _watch_field(self) -> None:
        self._before = self._read()
        if self._assign:
            self._field = self.watch(self.address + FLAGS, 1, self._changed)
        else:
            self._field = self.watch(self.address + COUNT, 8, self._changed)

    def _read(self) -> int:
        hmap = Hmap(self.host, self.address)
        return hmap.flags & HASH_WRITING if self._assign else hmap.count

    def _migration_changed(self, hit: Hit) -> bool:
        if self.go.writer(hit) is None:
            self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused")
            return False
        try:
            self._follow_migration()
        except NoWatchpoint as error:
            plan = WriteFunctionPlan(self.stop, self.host, Session(self.host.target()), self.view)
            self.stop.replace(plan, f"{error}: uses breakpoints on the runtime's functions now")
        return False

    def _follow_migration(self) -> None:
        """Watch the field if the map is migrating, else not."""
        migrating = bool(Hmap(self.host, self.address).oldbuckets)
        if migrating and self._field is None:
            self._watch_field()
        elif not migrating:
            point, self._field = self._field, None
            self.drop(point)

    def _changed(self, hit: Hit) -> bool:
        writer = self.go.writer(hit)
        if writer is None:
            if Hmap(self.host, self.address).flags & ~15 or not self._assign:
                self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused")
            return False  # iterating sets flags, too
        before, self._before = self._before, self._read()
        verb = "mapassign" if self._assign else "mapdelete"
        if self._assign:
            happened = not before and bool(self._before)
        else:
            happened = self._before < before
        if not happened or (writer and not writer.startswith("runtime." + verb)):
            return False
        return self.written(
            hit, Hmap(self.host, self.address), 0, lambda: self._key(hit, "runtime." + verb)
        )

    def _key(self, hit: Hit, function: str) -> Key:
        """The key, of the frame that writes."""
        if self.view is None or self.view.key is None:
            return None
        type, session = self.view.key, Session(self.host.target())
        for _, frame in zip(range(_NEAR), hit.frames()):
            if frame.function.startswith(function):
                return type, go_classic.written_key(session, frame, type.size)
        return None


class WriteFunctionPlan(KeyedPlan):
    """`assign` and `delete` of any map, at mapassign*(t, h, key) and mapdelete*(t, h, key)."""

    def arm(self) -> Plan:
        self.function(
            "mapassign" if self.request.event == "assign" else "mapdelete", self._on_write
        )
        return self

    def _on_write(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not address or not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        if self.request.migrating and not hmap.oldbuckets:
            return False
        if self.request.event == "delete" and not hmap.count:
            return False
        return self.written(hit, hmap, maptype, lambda: self._key(hit, maptype))

    def _key(self, hit: Hit, maptype: int) -> Key:
        """The key in the registers, or where they point."""
        session = Session(self.host.target())
        try:
            type = self.view.types()[0] if self.view else session.go.map_type(maptype).key
            value = hit.register("rcx")
            frame = next(hit.frames(), None)
            name = frame.function if frame is not None else ""
            if name.endswith("_faststr"):
                return type, struct.pack("<QQ", value, hit.register("rdi"))
            if "_fast" in name:
                return type, value.to_bytes(8, "little")[: type.size]
            return type, session.memory.read(value, type.size)
        except MapscopeError:
            return None

# SPDX-License-Identifier: MIT
"""Stops at functions of Go's runtime that run rarely, with the map compared from
registers: any map's events, and what no word in memory tells."""

from typing import Callable, Dict, List, Optional, Tuple, TypeVar

from ...flavours.go import go_classic, go_swiss
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, Point
from ...stops.occurrence import Occurrence
from .go_plan import GoPlan
from .go_runtime import Hmap
from .growth import Begun, Foresee, begins, ends_now, evacuation, growth_kind, work
from .growth_calls import GrowthCalls

#: migrations whose evacuations are counted at the same time
_COUNTED = 64

_Value = TypeVar("_Value")


class GrowFunctionPlan(GoPlan):
    """`grow` at hashGrow(t, h), before anything is stored; where hashGrow is inlined, at the
    growth's first evacuation, which the same write begins with."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._begun = Begun()

    def arm(self) -> Plan:
        calls = GrowthCalls(self.go)
        if calls.has_hash_grow or not calls.growing:
            self.function("hashGrow", self._on_hash_grow)
        for place in calls.growing:
            self.at(place.name, self._on_work)
        if calls.growing:
            self.notes.append(
                "this build has hashGrow inlined (by a profile): noticed at a growth's first "
                f"{', '.join(place.name for place in calls.growing)}"
            )
        return self

    def _on_work(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        if not begins(self.go, hmap) or not self._begun.is_new(address, hmap.oldbuckets):
            return False
        return self.request.wants(hmap.kind) and self.occurred("grow", hit, hmap, maptype)

    def _on_hash_grow(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        self._begun.is_new(address, hmap.buckets)
        kind = growth_kind(hmap, self.go.minor)
        if not self.request.wants(kind):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.kind = kind
            occurrence.old_buckets = 1 << hmap.B
            occurrence.buckets = occurrence.old_buckets << (kind == "double")

        return self.occurred("grow", hit, hmap, maptype, add)


class DoneFunctionPlan(GoPlan):
    """`done` at advanceEvacuationMark(h, t, newbit) when it is about to find the end, and at
    mapclear(t, h); where advanceEvacuationMark is inlined, at the return of what calls it."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._done = Begun()
        self._returns: Dict[Tuple[int, int], Point] = {}

    def arm(self) -> Plan:
        calls = GrowthCalls(self.go)
        inlined = [place for place in calls.places if not place.marks]
        if calls.has_advance or not inlined:
            self.function("advanceEvacuationMark", self._on_advance)
        for place in inlined:
            self.at(place.name, self._on_work if place.works else self._on_evacuate)
        if self.go.variants("mapclear"):
            self.function("mapclear", self._on_clear)
        if calls.unseen:
            self.notes += calls.note()
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
        self._done.is_new(address, hmap.oldbuckets)
        return self.occurred("done", hit, hmap, maptype)

    def _on_work(self, hit: Hit) -> bool:
        return self._entered(hit, work)

    def _on_evacuate(self, hit: Hit) -> bool:
        return self._entered(hit, evacuation)

    def _entered(self, hit: Hit, foresee: Foresee) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap = Hmap(self.host, address)
        if not self.request.wants(hmap.kind):
            return False
        ends = foresee(self.go, hmap, self.bucketsize(maptype), hit.register("rcx"))[1]
        back = hit.caller() if ends else None
        migration = (address, hmap.oldbuckets)
        if back is None or migration in self._returns:
            return False

        def returned(after: Hit) -> bool:
            return self._on_return(after, hmap, maptype)

        self._returns[migration] = self.code(back, returned)
        return False

    def _on_return(self, hit: Hit, hmap: Hmap, maptype: int) -> bool:
        if Hmap(self.host, hmap.address).oldbuckets == hmap.oldbuckets:
            return False  # another goroutine has returned here
        self.drop(self._returns.pop((hmap.address, hmap.oldbuckets), None))
        if not self._done.is_new(hmap.address, hmap.oldbuckets):
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


class EvacuateFunctionPlan(GoPlan):
    """`evacuate` at evacuate*(t, h, oldbucket), or where that is inlined at growWork*(t, h,
    bucket), for buckets that are not evacuated yet."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._evacuated: Dict[Tuple[int, int, int], int] = {}
        #: what growWork was last seen to be about to evacuate, by migration
        self._announced: Dict[Tuple[int, int, int], List[int]] = {}

    def arm(self) -> Plan:
        calls = GrowthCalls(self.go)
        if not calls.places:
            self.function("evacuate", self._on_evacuate)
        for place in calls.places:
            self.at(place.name, self._on_work if place.works else self._on_evacuate)
        self.notes += calls.note()
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        self._evacuated.clear()
        self._announced.clear()

    def _on_evacuate(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap, bucket = Hmap(self.host, address), hit.register("rcx")
        if bucket in self._announced.get(_migration(hmap), ()):
            return False
        buckets = evacuation(self.go, hmap, self.bucketsize(maptype), bucket)[0]
        return bool(buckets) and self.evacuates(hit, hmap, maptype, buckets)

    def _on_work(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        hmap, bucket = Hmap(self.host, address), hit.register("rcx")
        buckets = work(self.go, hmap, self.bucketsize(maptype), bucket)[0]
        _remember(self._announced, _migration(hmap), buckets)
        return bool(buckets) and self.evacuates(hit, hmap, maptype, buckets)

    def evacuates(self, hit: Hit, hmap: Hmap, maptype: int, buckets: List[int]) -> bool:
        """Old buckets are about to be evacuated, in this order. Returns whether to stop."""
        before = self.count(hmap, maptype, len(buckets))
        stop = False
        for number, bucket in enumerate(buckets):
            if not self.request.wants(hmap.kind) or self.request.bucket not in (None, bucket):
                continue
            add = _told(bucket, before + number)
            stop = self.occurred("evacuate", hit, hmap, maptype, add) or stop
            if self.request.once and (stop or self.visible is None):
                break
        return stop

    def count(self, hmap: Hmap, maptype: int, more: int) -> int:
        """How many old buckets are evacuated before the `more` that are about to be."""
        # counted once for each migration, then kept: all further ones come by here
        migration = _migration(hmap)
        evacuated = self._evacuated.pop(migration, None)
        if evacuated is None:
            size = self.bucketsize(maptype)
            evacuated = sum(self.go.heads(hmap.oldbuckets, hmap.old_buckets, size))
        if evacuated + more < hmap.old_buckets:
            _remember(self._evacuated, migration, evacuated + more)
        return evacuated


def _migration(hmap: Hmap) -> Tuple[int, int, int]:
    return hmap.address, hmap.oldbuckets, hmap.B


def _told(bucket: int, evacuated: int) -> Callable[[Occurrence], None]:
    """Completes what is said of an evacuation."""

    def add(occurrence: Occurrence) -> None:
        occurrence.bucket = bucket
        occurrence.evacuated = evacuated

    return add


def _remember(
    known: Dict[Tuple[int, int, int], _Value], migration: Tuple[int, int, int], value: _Value
) -> None:
    """Of the migrations that were seen last."""
    if migration in known:
        del known[migration]
    while len(known) >= _COUNTED:
        known.pop(next(iter(known)))
    known[migration] = value


class CountingPlan(EvacuateFunctionPlan):
    """`progress P`, counted at the same functions; the stop is where they return."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._returns: Dict[Tuple[int, int, int], Point] = {}
        self._reported: Dict[Tuple[int, int, int], bool] = {}
        #: called when the goal was reached
        self.on_end: Callable[[], None] = lambda: None

    def evacuates(self, hit: Hit, hmap: Hmap, maptype: int, buckets: List[int]) -> bool:
        request, migration = self.request, _migration(hmap)
        evacuated = self.count(hmap, maptype, len(buckets)) + len(buckets)
        if request.progress is None or not request.wants(hmap.kind):
            return False
        goal = request.progress.of(hmap.old_buckets)
        if evacuated < goal or goal > hmap.old_buckets or migration in self._reported:
            return False
        back = hit.caller()
        if back is None:
            return False
        _remember(self._reported, migration, True)

        def returned(after: Hit) -> bool:
            return self._on_return(after, hmap, buckets[-1], evacuated, maptype)

        self._returns[migration] = self.code(back, returned)
        return False

    def is_returning(self) -> bool:
        """Whether the evacuation that reaches the goal is under way."""
        return bool(self._returns)

    def _on_return(self, hit: Hit, hmap: Hmap, bucket: int, evacuated: int, maptype: int) -> bool:
        head = hmap.oldbuckets + bucket * self.bucketsize(maptype)
        now = Hmap(self.host, hmap.address)
        if now.oldbuckets == hmap.oldbuckets and not self.go.is_evacuated(head):
            return False  # another goroutine has returned here
        self.drop(self._returns.pop(_migration(hmap), None))

        header = now if now.oldbuckets else hmap
        stop = self.occurred("progress", hit, header, maptype, _told(bucket, evacuated))
        self.on_end()
        return stop


class ClearPlan(GoPlan):
    """`clear` at mapclear(t, h)."""

    def arm(self) -> Plan:
        self.function("mapclear", self._on_clear)
        return self

    def _on_clear(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not address or not self.is_ours(address):
            return False
        return self.occurred("clear", hit, self.go.header(address), maptype)


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
        # two evacuations at a time end in the other one
        if not message.startswith("concurrent map") and message != "bad map state":
            return False
        session = Session(self.host.target())
        view = self._map_of(session, hit)
        if self.address and (view is None or view.address != self.address):
            return False
        only = self.request.only_type is not None or self.request.min_entries > 0
        if only and (view is None or not self._is_view_wanted(view)):
            return False
        if view is None:
            occurrence = Occurrence("race", None, "", hit.thread, self.mechanism)
            occurrence.goroutine = self.go.goroutine(hit)
        else:
            occurrence = self.occurrence("race", hit, self.go.header(view.address or 0))
            occurrence.type_name = view.type_name
        occurrence.how = message
        return self.stop.occurred(hit, lambda: occurrence, None if view is None else view.reopen)

    def _is_view_wanted(self, view: MapView) -> bool:
        header = self.go.header(view.address or 0)
        if header.count < self.request.min_entries:
            return False
        return self.request.only_type is None or view.type_name == self.wanted_type

    def _map_of(self, session: Session, hit: Hit) -> Optional[MapView]:
        maps = go_swiss.GoSwissMaps() if self.go.swiss else go_classic.GoClassicMaps()
        from_frame = maps.from_frame
        for _, frame in zip(range(8), self.go.frames(hit)):
            view = from_frame(session, frame)
            if view is not None and view.address is not None:
                return view
        return None

# SPDX-License-Identifier: MIT
"""Stops at functions of Go's runtime that run rarely, with the map compared from
registers: any map's events, and what no word in memory tells."""

from typing import Callable, Dict, Optional, Tuple

from .. import go_layouts
from ..flavours import go_classic, go_swiss
from ..session import Session
from ..view import MapView
from .go_plan import GoPlan
from .go_runtime import GoRuntime, Hmap
from .host import Hit, Host, Point
from .occurrence import Occurrence
from .plan import Plan
from .stop import Stop

#: migrations whose evacuations are counted at the same time
_COUNTED = 64


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
    """What hashGrow is about to do (overLoadFactor in runtime/map.go)."""
    over = hmap.count + 1 > go_layouts.load_limit(minor, hmap.B)
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
        if view is None:
            occurrence = Occurrence("race", None, "", hit.thread, self.mechanism)
            occurrence.goroutine = self.go.goroutine(hit)
        else:
            occurrence = self.occurrence("race", hit, self.go.header(view.address or 0))
            occurrence.type_name = view.type_name
        occurrence.how = message
        return self.stop.occurred(hit, lambda: occurrence, None if view is None else view.reopen)

    def _map_of(self, session: Session, hit: Hit) -> Optional[MapView]:
        from_frame = go_swiss.from_frame if self.go.swiss else go_classic.from_frame
        for _, frame in zip(range(8), self.go.frames(hit)):
            view = from_frame(session, frame)
            if view is not None and view.address is not None:
                return view
        return None

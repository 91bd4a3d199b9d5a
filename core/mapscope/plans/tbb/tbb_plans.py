# SPDX-License-Identifier: MIT
"""Stops at a concurrent_hash_map: which plan does what, and `map break grow` and `evacuate`.

A segment of buckets is added by enable_segment, which stores the map's mask last. A bucket is
filled by rehash_bucket (rehash_calls); that all are, is noticed by what they have (tbb_ends). The
map does not count them, so `progress` is refused, as is what is inlined in all callers.
"""

from typing import Optional

from ...errors import MapscopeError, NeedsProcess, UsageError
from ...flavours.tbb import tbb_tables
from ...flavours.tbb.segments import WAITS
from ...flavours.tbb.tbb_map import TbbMap
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from ..flavour_plans import FlavourPlans
from ..libraries.library_plans import LibraryPlan
from .rehash_calls import RehashCalls, as_it_is, number_of
from .tbb_ends import TbbDonePlan, TbbTrace

#: buckets after the first growth
_FIRST = 256


class TbbPlans(FlavourPlans):
    """Stops at one concurrent_hash_map."""

    flavors = (tbb_tables.NAME,)

    def serves(self, session: Session, host: Host) -> bool:
        return False  # such maps are in no list: one is to be named

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request = stop.request
        if not isinstance(view, TbbMap) or view.grows is None:
            raise UsageError("there are no stops for this map: it can be looked at alone")
        if request.kinds:
            raise UsageError(
                "--doubling, --same-size, --shrink and --split: such a map only grows, by as many "
                "buckets as it has"
            )
        if request.event == "grow":
            return TbbGrowPlan(stop, host, view, view.grows)
        if request.event == "evacuate":
            return TbbRehashPlan(stop, host, view)
        if request.event == "done":
            return TbbDonePlan(stop, host, view)
        if request.event == "trace":
            return TbbTrace(stop, host, view)
        if request.event == "progress":
            raise UsageError(
                "map break progress: buckets are rehashed in the order in which somebody looks in "
                "them, and the map does not count them, so each would have to be noticed; there "
                "are map break grow, evacuate [--bucket N] and done, and map inspect tells how "
                "many wait"
            )
        raise UsageError(
            f"map break {request.event}: what does it is inlined in its callers; there are map "
            "break grow, evacuate and done, and breakpoints of the debugger"
        )


class TbbGrowPlan(LibraryPlan):
    """A segment is added."""

    def _on_call(self, hit: Hit) -> bool:
        frame = next(hit.frames(), None)
        if frame is not None and not frame.function.endswith("enable_segment"):
            return False  # a lambda in there, which a debugger takes for it
        this = number_of(self.host, hit, "this")
        if (hit.register("rdi") if this is None else this) != self._grows.owner:
            return False
        before = self._now().facts().buckets or 0
        self._buckets, self._told = before, True
        return self._occurred(hit, _FIRST if before < _FIRST else 2 * before, "")

    def _on_store(self, hit: Hit) -> bool:
        now = self._now().facts().buckets
        if now is not None and self._buckets is not None and now < self._buckets:
            self._buckets, self._told = now, False  # cleared, or moved from
            return False
        return super()._on_store(hit)


class TbbRehashPlan(Plan):
    """A bucket is filled from its parent."""

    mechanism = "breakpoint"

    def __init__(self, stop: Stop, host: Host, view: TbbMap) -> None:
        super().__init__(stop, host)
        self._view = view
        self._calls = RehashCalls(host, view)

    def arm(self) -> Plan:
        if self.host.state() != "live":
            raise NeedsProcess("no process: name the place where the map is by --at LOCATION")
        try:
            self.visible = self.host.breakpoint_at(self._calls.location, self._on_call)
        except UsageError:
            raise UsageError(
                "the program has no function rehash_bucket out of line: nothing can be stopped at"
            ) from None
        bucket = self.request.bucket
        if bucket is not None and self._view.segments.head(bucket) != WAITS:
            self.notes.append(f"bucket {bucket} is rehashed already: it is not done again")
        return self

    def _on_call(self, hit: Hit) -> bool:
        if not self.stop.enabled:
            return False
        try:
            return self._called(hit)
        except MapscopeError as error:
            self.stop.retire(f"its map is gone: {error}")
        return False

    def _called(self, hit: Hit) -> bool:
        bucket = self._calls.bucket(hit)
        if bucket is None or self.request.bucket not in (None, bucket):
            return False
        return self._occurred(hit, bucket)

    def _occurred(self, hit: Hit, bucket: int) -> bool:
        map = as_it_is(self.host, self._view)
        if map.count < self.request.min_entries:
            return False
        header, growth = map.header, map.growth()

        def tell() -> Occurrence:
            return Occurrence(
                "evacuate",
                map.address,
                map.type_name,
                hit.thread,
                self.mechanism,
                bucket=bucket,
                kind="lazy",
                old_buckets=header.old_buckets,
                buckets=header.buckets,
                count=map.count,
                how=f"{growth.waiting if growth is not None else 0} wait",
            )

        return self.stop.occurred(hit, tell, self._view.reopen)

    def enable(self, on: bool) -> None:
        pass  # there is the visible breakpoint alone

    def disarm(self) -> None:
        if self.visible is not None:
            self.visible.remove()
            self.visible = None

# SPDX-License-Identifier: MIT
"""`map break grow` and `evacuate` of a concurrent_hash_map.

A segment of buckets is added by enable_segment, which stores the map's mask last. A bucket is
filled by rehash_bucket, whose object is the map, and whose `hash` is the bucket's number. It calls
itself for parents that wait, so it is there out of line; where a copy of it is inlined, debug
information tells both, or the stop says that it cannot tell. Nothing marks the end of a migration,
and how far one is by then is not a call's own: `done` and `progress` are refused, as is what is
inlined in all callers.
"""

from typing import Optional, Tuple

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

#: buckets after the first growth; the most that are believed; bytes at the beginning of a function
#: in which its parameters are still in their registers
_FIRST, _MOST, _PROLOGUE = 256, 1 << 40, 24


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
        if request.event in ("done", "progress"):
            raise UsageError(
                f"map break {request.event}: buckets are rehashed when somebody looks in them, and "
                "nothing marks the last one; there are map break grow and map break evacuate, "
                "and map inspect tells how many wait"
            )
        raise UsageError(
            f"map break {request.event}: what does it is inlined in its callers; there are map "
            "break grow and map break evacuate, and breakpoints of the debugger"
        )


class TbbGrowPlan(LibraryPlan):
    """A segment is added."""

    def _on_call(self, hit: Hit) -> bool:
        frame = next(hit.frames(), None)
        if frame is not None and not frame.function.endswith("enable_segment"):
            return False  # a lambda in there, which a debugger takes for it
        this = _number(self.host, hit, "this")
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
        self._unknown = False

    def arm(self) -> Plan:
        if self.host.state() != "live":
            raise NeedsProcess("no process: name the place where the map is by --at LOCATION")
        grows = self._view.grows
        assert grows is not None, "the plans have looked"
        scope = grows.functions[0].rpartition("::")[0].rpartition("::")[0]
        try:
            name = f"{scope}::concurrent_hash_map::rehash_bucket"
            self.visible = self.host.breakpoint_at(name, self._on_call)
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
        this, bucket = _number(self.host, hit, "this"), _number(self.host, hit, "hash")
        if this is None or bucket is None:
            this, bucket = self._passed(hit)
        if this != self._view.address:
            return False
        if self.request.bucket not in (None, bucket):
            return False
        return self._occurred(hit, bucket)

    def _passed(self, hit: Hit) -> Tuple[int, int]:
        """(the map, the number of the bucket) by registers, where they are still the function's
        parameters; 0 of both: they are not of this map, or not known."""
        this, place, bucket = (hit.register(name) for name in ("rdi", "rsi", "rdx"))
        if this == self._view.address and bucket < _MOST:
            map = self._now()
            if bucket < map.header.buckets and map.segments.bucket_address(bucket) == place:
                return this, bucket
        pc = hit.register("rip")
        start = self.host.function_start(pc)
        if (start is None or pc - start > _PROLOGUE) and not self._unknown:
            self._unknown = True
            self.host.say(
                "a bucket is rehashed by a copy of rehash_bucket that is inlined, and debug "
                f"information does not tell of which map: at {pc:#x}"
            )
        return 0, 0

    def _now(self) -> TbbMap:
        reopen = self._view.reopen
        assert reopen is not None, "it was opened from a type"
        map = reopen(Session(self.host.target()))
        assert isinstance(map, TbbMap), "of the same type"
        return map

    def _occurred(self, hit: Hit, bucket: int) -> bool:
        map = self._now()
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


def _number(host: Host, hit: Hit, name: str) -> Optional[int]:
    """A parameter of the function that is hit; None: debug information does not tell."""
    frame = next(hit.frames(), None)
    variable = None if frame is None else frame.variable(name)
    if variable is None:
        return None
    data = variable.data
    if data is None and variable.address is not None:
        data = bytes(host.target().read_memory(variable.address, 8))
    return None if data is None else int.from_bytes(data[:8], "little")

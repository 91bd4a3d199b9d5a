# SPDX-License-Identifier: MIT
"""One Go map's migrations, watched.

The header says when a migration starts and ends (hmap.oldbuckets), the first
byte of an old bucket when it is evacuated. Watching them costs the program
nothing in between, and other maps nothing at all.
"""

from abc import abstractmethod
from typing import Optional

from ...errors import UsageError
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint, Point
from ...stops.occurrence import Occurrence
from .go_plan import GoPlan
from .go_runtime import OLDBUCKETS, Hmap
from .rare_functions import CountingPlan, DoneFunctionPlan, EvacuateFunctionPlan, GrowFunctionPlan

MECHANISM = "hardware watchpoint"

#: so few evacuations before the end of a count, evacuate itself is watched
_LAST = 3


class MigrationPlan(GoPlan):
    """Watches hmap.oldbuckets: set when a migration starts, nil when it ends."""

    mechanism = MECHANISM

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
            frame = next(self.go.frames(hit), None)
            by = f" by {frame.function}" if frame is not None and frame.function else ""
            self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused{by}")
            return False
        before, last = self._old, self._last
        self._old = hmap.oldbuckets
        stop = False
        if before and last is not None:
            stop = self.ended(hit, last, writer == "clear")
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
    itself, so that the stop is exact; in a program without functions' names at one
    bucket after another, so that it is two buckets late at most.
    """

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._byte: Optional[Point] = None
        self._counting: Optional[CountingPlan] = None
        self._nameless = False
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
        if cleared or not self._nameless:
            return False
        return self._passed(hit, last, last.old_buckets)

    def _passed(self, hit: Hit, started: Hmap, evacuated: int) -> bool:
        """So many are evacuated: the stop, if the goal was reached since the last look."""
        request = self.request
        assert request.progress is not None
        if not request.wants(started.kind) or started.oldbuckets == self._reached:
            return False
        if not request.progress.of(started.old_buckets) <= evacuated <= started.old_buckets:
            return False
        self._reached = started.oldbuckets

        def add(occurrence: Occurrence) -> None:
            occurrence.evacuated = evacuated

        return self.occurred("progress", hit, started, 0, add)

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
        if self._nameless:
            hmap = Hmap(self.host, self.address)
            index = marks.find(0, hmap.nevacuate if any(marks) else 0)
            if index >= 0:
                self._watch_byte(started, index)

    def _watch_byte(self, started: Hmap, index: int) -> bool:
        at = started.oldbuckets + index * self._bucketsize

        def marked(hit: Hit) -> bool:
            self._drop_byte()
            if not self.go.is_evacuated(at):
                return False
            stop = False
            if self._nameless:
                old = started.old_buckets
                marks = self.go.heads(started.oldbuckets, old, self._bucketsize)
                stop = self._passed(hit, started, sum(marks) - 1)
            self._aim(started, 1)
            return stop

        self._drop_byte()
        try:
            self._byte = self.watch(at, 1, marked)
        except NoWatchpoint:
            return False
        return True

    def _count(self) -> None:
        """From here on, count at evacuate."""
        if self._counting is None and not self._nameless:
            session = Session(self.host.target())
            counting = CountingPlan(self.stop, self.host, session, self.view)
            counting.shows = False  # this plan's own point is shown
            counting.mechanism = self.mechanism
            counting.on_end = self._reach
            try:
                counting.arm()
            except UsageError:
                self._nameless = True
                return
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

# SPDX-License-Identifier: MIT
"""`map break done` and `map trace` of a concurrent_hash_map.

A migration has ended when no bucket waits any more, whoever filled the last one, and where that was
inlined. No function and no word tells of it, so one bucket that waits is watched: as long as it
waits, there is no end. Once it is filled, another one is taken, the middle one of those that still
wait: so every look leaves about half of them in the usual orders, and a map of a million buckets
takes some twenty. The map's mask is watched besides, which tells of growth and of clear().

Who fills a bucket has its lock as a writer. When none waits, the buckets that are locked so are
watched in the same way, until each was let go: only then has everything been moved. rehash() for
the whole map takes no locks: that it is still at the last bucket is then said.
"""

from typing import List, Optional

from ...errors import Corrupt, MapscopeError, NeedsProcess, UsageError
from ...flavours.tbb.between_buckets import MOVES
from ...flavours.tbb.segments import WAITS, WRITER, Header, parent
from ...flavours.tbb.tbb_map import TbbMap
from ...maps.event_lines import begun_line, cleared_line, done_line, filled_line
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint, Point
from ...stops.occurrence import Occurrence
from ..point_plan import PointPlan
from .rehash_calls import RehashCalls, as_it_is

_CLEARED = "abandoned by clear"
#: frames of a thread in which rehash() is looked for
_FRAMES = 16


class TbbDonePlan(PointPlan):
    """No bucket waits any more."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, view: TbbMap) -> None:
        super().__init__(stop, host)
        self._view = view
        self.last: Header = view.header
        self._migrates = False
        self._watched: Optional[Point] = None
        self._locked: Optional[List[int]] = None  # buckets that may still be being filled

    @property
    def address(self) -> int:
        """Of the map."""
        address = self._view.address
        assert address is not None, "such a map is a variable"
        return address

    def arm(self) -> Plan:
        if self.host.state() != "live":
            raise NeedsProcess("no process: name the place where the map is by --at LOCATION")
        grows = self._view.grows
        assert grows is not None, "the plans have looked"
        self.watch(grows.word, 8, self._on_mask)
        self._look()
        if self._view.layout.bucket_lock is None:
            self.notes.append(
                "buckets' locks are of a kind that is not known: when the last bucket is taken, a "
                "thread may still be filling it"
            )
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._look()

    def lost(self, error: MapscopeError) -> str:
        return str(error) if isinstance(error, NoWatchpoint) else super().lost(error)

    def now(self) -> TbbMap:
        """The map as it is."""
        return as_it_is(self.host, self._view)

    def _look(self) -> None:
        """Begin with the map as it is."""
        map = self.now()
        self.last, self._locked = map.header, None
        self._migrates = self._still(map)

    def _on_mask(self, hit: Hit) -> bool:
        """Segments were added, or all are gone."""
        map, before = self.now(), self.last
        self.last, self._locked = map.header, None
        migrated, self._migrates = self._migrates, self._still(map)
        if map.header.mask > before.mask:
            self.grown(hit, before, map)
            if migrated or self._migrates:
                self._migrates = True
                return False
            self.ended(hit, map, "")  # as a table is made large from the beginning
            return False
        if map.header.mask < before.mask:
            self.emptied(hit)
            if migrated and not self._migrates:
                return self.ended(hit, map, _CLEARED, before)
        return False

    def _on_word(self, hit: Hit) -> bool:
        """A bucket that has waited is being filled, or one that was locked was let go."""
        map = self.now()
        if self._still(map):
            return False
        if map.is_being_cleared():
            return False  # the mask tells when that is done
        self._migrates = False
        return self.ended(hit, map, self._doubt(hit))

    def _doubt(self, hit: Hit) -> str:
        """Why the last bucket may be unfinished."""
        for _, frame in zip(range(_FRAMES), hit.frames()):
            if MOVES.match(frame.function) is not None:
                return "the last bucket is just being filled"
        return ""

    def _still(self, map: TbbMap) -> bool:
        """Whether a migration goes on; watches what tells of its end."""
        self.drop(self._watched)
        self._watched = None
        if map.is_being_cleared():
            return False
        segments = map.segments
        heads = segments.heads()
        if segments.unread_buckets():
            raise Corrupt(f"{segments.unread_buckets()} of its buckets cannot be read")
        waiting = [bucket for bucket, head in enumerate(heads) if head == WAITS]
        if waiting:
            self._locked = None
            bucket = waiting[len(waiting) // 2]
            self._watch(segments.bucket_address(bucket) + map.layout.head)
            return True
        locks = segments.locks()
        if self._locked is None:
            self._locked = list(locks) if self._migrates else []
        self._locked = [bucket for bucket in self._locked if locks.get(bucket, 0) & WRITER]
        if not self._locked:
            return False
        self._watch(segments.bucket_address(self._locked[0]) + (map.layout.bucket_lock or 0))
        return True

    def _watch(self, place: int) -> None:
        self._watched = self.watch(place, 8, self._on_word)

    # --- what occurs ---

    def grown(self, hit: Hit, before: Header, map: TbbMap) -> None:
        """A segment was added."""

    def emptied(self, hit: Hit) -> None:
        """The map was cleared, or moved from."""

    def ended(self, hit: Hit, map: TbbMap, how: str, before: Optional[Header] = None) -> bool:
        """No bucket waits.

        :param before: the map before it was cleared
        :return: whether the program is to stop
        """
        header = before or map.header
        if not how and header.buckets == 2:
            return False
        if map.count < self.request.min_entries:
            return False

        def tell() -> Occurrence:
            return Occurrence(
                "done",
                map.address,
                map.type_name,
                hit.thread,
                self.mechanism,
                kind="lazy",
                old_buckets=header.old_buckets,
                buckets=header.buckets,
                count=map.count,
                how=how,
            )

        return self.stop.occurred(hit, tell, self._view.reopen)


class TbbTrace(TbbDonePlan):
    """The lines of a map: growth, each bucket that is filled, the end."""

    shows = False

    def __init__(self, stop: Stop, host: Host, view: TbbMap) -> None:
        super().__init__(stop, host, view)
        self._calls = RehashCalls(host, view)

    def arm(self) -> Plan:
        super().arm()
        try:
            self.keep(self.host.breakpoint_at(self._calls.location, self.guarded(self._on_call)))
        except UsageError:
            self.notes.append(
                "buckets are not logged: the program has no function rehash_bucket out of line"
            )
        return self

    def _on_call(self, hit: Hit) -> bool:
        bucket = self._calls.bucket(hit)
        if bucket is not None:
            old, new = self.last.old_buckets, self.last.buckets
            self.stop.log(filled_line(self.address, bucket, parent(bucket), old, new), hit)
        return False

    def grown(self, hit: Hit, before: Header, map: TbbMap) -> None:
        line = begun_line(self.address, before.buckets, map.header.buckets, map.count)
        self.stop.log(line, hit)

    def emptied(self, hit: Hit) -> None:
        self.stop.log(cleared_line(self.address, None), hit)

    def ended(self, hit: Hit, map: TbbMap, how: str, before: Optional[Header] = None) -> bool:
        header = before or map.header
        said = how if how == _CLEARED else f"done ({how})" if how else ""
        self.stop.log(done_line(self.address, header.buckets, said), hit)
        return False

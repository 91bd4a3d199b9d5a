# SPDX-License-Identifier: MIT
"""`map trace` of Go's maps: by breakpoints on functions that run rarely."""

from typing import Callable, Dict, List, Optional, Set, Tuple

from ...cells.marks import CELLS, MIN_TOP_HASH
from ...errors import MapscopeError
from ...maps.event_lines import (
    cleared_line,
    created_line,
    done_line,
    grow_line,
    moved_line,
    swiss_created_line,
    table_line,
)
from ...maps.timeline import About
from ...maps.view import MapView
from ...program.memory import Memory
from ...records import dataclass
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, OnHit, Point
from .go_plan import UNKNOWN_TYPE, GoPlan
from .go_runtime import Hmap
from .growth import Begun, Foresee, begins, ends_now, evacuation, growth_kind, work
from .growth_calls import GrowthCalls, Place
from .tables import Growing, TablePlan, swiss_map


@dataclass
class _Moving:
    """Evacuations that are under way.

    :ivar buckets: that are not logged yet
    :ivar back: where the function returns to that does them
    :ivar ends: whether the migration ends there
    """

    hmap: Hmap
    buckets: List[int]
    size: int
    maptype: int
    back: Optional[int]
    ends: bool


class GoTrace(GoPlan):
    """What traces of Go's two kinds of map share: where maps are made."""

    shows = False

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._returns: Dict[int, Point] = {}
        #: (hint, type) of what a goroutine makes
        self._making: Dict[Optional[int], Tuple[int, int]] = {}

    def at_makes(self) -> None:
        """Log the maps that are made, if any map is meant."""
        if self.address:
            return
        if self.request.min_entries:
            return  # they are empty
        if self.request.only_type is not None and self.go.variants("makemap_small"):
            self.notes.append("not logged: maps made without a size, whose type is not told there")
        elif self.go.variants("makemap_small"):
            self.function("makemap_small", self._on_make_small)
        if self.go.function("runtime.makemap") is not None:
            self.at("runtime.makemap", self._on_make)

    def about(self, maptype: int) -> Optional[Callable[[], About]]:
        """What tells of a map where any is meant; None: it is the one of the trace.

        :param maptype: its type; 0: not known
        """
        if self.view is not None:
            return None
        return lambda: About(self._known_name(maptype), self.bucket_bytes(maptype))

    def _known_name(self, maptype: int) -> Optional[str]:
        name = self._type_name(maptype) if maptype else UNKNOWN_TYPE
        return self.request.only_type if name == UNKNOWN_TYPE else name

    def bucket_bytes(self, maptype: int) -> Optional[int]:
        """Of the maps of a type; None: not known, or they have no buckets."""
        return None

    def made(self, hit: Hit, address: int, hint: int, maptype: int) -> None:
        """A map was made.

        :param maptype: its type; 0: not known
        """

    def _on_make(self, hit: Hit) -> bool:
        hint = hit.register("rbx")
        if not self.is_wanted(hit.register("rax"), 0):
            return False
        return self._made(hit, hint if hint < 1 << 63 else 0, hit.register("rax"))

    def _on_make_small(self, hit: Hit) -> bool:
        return self._made(hit, 0, 0)

    def _made(self, hit: Hit, hint: int, maptype: int) -> bool:
        self._making[self.go.goroutine(hit)] = hint, maptype
        self._at_return(hit)
        return False

    def _at_return(self, hit: Hit) -> None:
        """Come back where the function that was just entered returns to."""
        back = hit.caller()
        if back is None or back in self._returns:
            return
        place = back
        self._returns[place] = self.code(place, lambda after: self._on_return(after, place))

    def _on_return(self, hit: Hit, back: int) -> bool:
        goroutine = self.go.goroutine(hit)
        making = self._making.pop(goroutine, None)
        if making is not None:
            self.made(hit, hit.register("rax"), *making)
        self.returned(hit, goroutine, back)
        return False

    def returned(self, hit: Hit, goroutine: Optional[int], back: int) -> None:
        """A goroutine is back from a function that was to be seen to its end.

        :param back: where it returned to
        """


class ClassicTrace(GoTrace):
    """Of classic maps: at the functions that migrate, and where they return."""

    def arm(self) -> Plan:
        self._moving: Dict[Optional[int], _Moving] = {}
        self._begun, self._done = Begun(), Begun()
        calls = GrowthCalls(self.go)
        if calls.has_hash_grow or not calls.growing:
            self.function("hashGrow", self._on_hash_grow)
        if not calls.places:
            self.function("evacuate", self._at_place(Place("", False, True)))
        self._growing = set(calls.growing)
        for place in calls.places:
            self.at(place.name, self._at_place(place))
        if calls.has_advance:
            self.function("advanceEvacuationMark", self._on_advance)
        if calls.unseen:
            self.notes += calls.note()
        if self.go.variants("mapclear"):
            self.function("mapclear", self._on_clear)
        self.at_makes()
        return self

    def returned(self, hit: Hit, goroutine: Optional[int], back: int) -> None:
        moving = self._moving.get(goroutine)
        if moving is not None and moving.back == back:
            self._moved(hit, goroutine, True)

    def bucket_bytes(self, maptype: int) -> Optional[int]:
        try:
            return self.bucketsize(maptype) if maptype else None
        except MapscopeError:
            return None

    def made(self, hit: Hit, address: int, hint: int, maptype: int) -> None:
        line = created_line(address, hint, 1 << Hmap(self.host, address).B)
        self.stop.log(line, hit, self.about(maptype))

    def _on_hash_grow(self, hit: Hit) -> bool:
        address = hit.register("rbx")
        hmap = Hmap(self.host, address)
        if self.is_ours(address) and self.is_wanted(hit.register("rax"), hmap.count):
            self._begun.is_new(address, hmap.buckets)
            kind, old = growth_kind(hmap, self.go.minor), 1 << hmap.B
            new = old << (kind == "double")
            line = grow_line(address, kind, old, new, hmap.count, hmap.noverflow)
            self.stop.log(line, hit, self.about(hit.register("rax")))
        return False

    def _at_place(self, place: Place) -> OnHit:
        foresee = work if place.works else evacuation

        def entered(hit: Hit) -> bool:
            if place in self._growing:
                self._look_for_growth(hit)
            self._evacuates(hit, foresee)
            return False

        return entered

    def _look_for_growth(self, hit: Hit) -> None:
        """The first evacuations of a growth tell of it, where hashGrow is inlined."""
        address = hit.register("rbx")
        if not self.is_ours(address):
            return
        hmap = Hmap(self.host, address)
        if not self.is_wanted(hit.register("rax"), hmap.count):
            return
        if begins(self.go, hmap) and self._begun.is_new(address, hmap.oldbuckets):
            # hashGrow has set noverflow to 0
            old, new = hmap.old_buckets, 1 << hmap.B
            line = grow_line(address, hmap.kind, old, new, hmap.count, None)
            self.stop.log(line, hit, self.about(hit.register("rax")))

    def _evacuates(self, hit: Hit, foresee: Foresee) -> None:
        maptype, address = hit.register("rax"), hit.register("rbx")
        bucket = hit.register("rcx")
        if not self.is_ours(address):
            return
        hmap, size = Hmap(self.host, address), self.bucketsize(maptype)
        if not self.is_wanted(maptype, hmap.count):
            return
        buckets, ends = foresee(self.go, hmap, size, bucket)
        goroutine = self.go.goroutine(hit)
        before = self._moving.get(goroutine)
        if before is not None and before.hmap.address == address and bucket in before.buckets:
            return  # within the growWork that has it
        if buckets or ends:
            self._moving[goroutine] = _Moving(hmap, buckets, size, maptype, hit.caller(), ends)
            self._at_return(hit)

    def _moved(self, hit: Hit, goroutine: Optional[int], returned: bool) -> None:
        """The new chains hold nothing yet but what was moved to them."""
        moving = self._moving.get(goroutine)
        if moving is None:
            return
        hmap, size = moving.hmap, moving.size
        for bucket in list(moving.buckets):
            if returned or self.go.is_evacuated(hmap.oldbuckets + bucket * size):
                moving.buckets.remove(bucket)
                self._log_moved(hit, hmap, bucket, size, moving.maptype)
        if not returned:
            return
        del self._moving[goroutine]
        if moving.ends and Hmap(self.host, hmap.address).oldbuckets != hmap.oldbuckets:
            self._ended(hit, hmap)

    def _log_moved(self, hit: Hit, hmap: Hmap, bucket: int, size: int, maptype: int) -> None:
        new = 1 << hmap.B
        x = self._live(hmap.buckets + bucket * size, size)
        y = 0
        if new > hmap.old_buckets:
            y = self._live(hmap.buckets + (bucket + hmap.old_buckets) * size, size)
        line = moved_line(hmap.address, bucket, hmap.old_buckets, new, x, y)
        self.stop.log(line, hit, self.about(maptype))

    def _ended(self, hit: Hit, hmap: Hmap) -> None:
        """Logged once, at advanceEvacuationMark or where that is inlined."""
        if self._done.is_new(hmap.address, hmap.oldbuckets):
            self.stop.log(done_line(hmap.address, 1 << hmap.B, ""), hit)

    def _live(self, bucket: int, size: int) -> int:
        """Live cells of a chain, to its end or to where it loops."""
        live = 0
        seen: Set[int] = set()
        memory = Memory(self.host.target().read_memory)
        while bucket and bucket not in seen and len(seen) < 1 << 16:
            seen.add(bucket)
            raw = memory.read(bucket, size)
            live += sum(top >= MIN_TOP_HASH for top in raw[:CELLS])
            bucket = int.from_bytes(raw[-8:], "little")
        return live

    def _on_advance(self, hit: Hit) -> bool:
        address, maptype = hit.register("rax"), hit.register("rbx")
        if not self.is_ours(address):
            return False
        self._moved(hit, self.go.goroutine(hit), False)  # it is called when a bucket is moved
        hmap = Hmap(self.host, address)
        if self.is_wanted(maptype, hmap.count) and ends_now(
            self.go, hmap, self.bucketsize(maptype)
        ):
            self._ended(hit, hmap)
        return False

    def _on_clear(self, hit: Hit) -> bool:
        address = hit.register("rbx")
        if address and self.is_ours(address):
            hmap = Hmap(self.host, address)
            if not self.is_wanted(hit.register("rax"), hmap.count):
                return False
            self.stop.log(cleared_line(address, hmap.count), hit, self.about(hit.register("rax")))
            if hmap.oldbuckets and hmap.count:
                self.stop.log(done_line(address, 1 << hmap.B, "abandoned by clear"), hit)
        return False


class SwissTrace(GoTrace, TablePlan):
    """Of Swiss maps: at the functions that replace tables."""

    def arm(self) -> Plan:
        self.at_growths(self._on_growth)
        if self.go.variants("mapclear"):
            self.function("mapclear", self._on_clear)
        self.at_makes()
        return self

    def made(self, hit: Hit, address: int, hint: int, maptype: int) -> None:
        tables = swiss_map(Memory(self.host.target().read_memory), address).tables()
        slots = sum(table.capacity for table in tables)
        self.stop.log(swiss_created_line(address, hint, slots), hit, self.about(maptype))

    def _on_growth(self, hit: Hit, growing: Growing) -> bool:
        grown, map = growing.growth, growing.map
        if not self.is_wanted(growing.maptype, map.count):
            return False
        self.stop.log(
            table_line(
                map.address, grown.number, grown.tables, grown.old_slots, grown.slots, map.count
            ),
            hit,
            self.about(growing.maptype),
        )
        return False

    def _on_clear(self, hit: Hit) -> bool:
        address = hit.register("rbx")
        if address and self.is_ours(address):
            count = self.go.header(address).count
            if self.is_wanted(hit.register("rax"), count):
                self.stop.log(cleared_line(address, count), hit, self.about(hit.register("rax")))
        return False

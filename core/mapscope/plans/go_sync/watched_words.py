# SPDX-License-Identifier: MIT
"""One sync.Map's dirty map that takes the read map's place, and one that is cleared: both replace
what one word of it leads to, by one store, so a watchpoint on that word misses none and costs
nothing in between."""

from ...errors import MapscopeError
from ...flavours.go_sync.read_dirty import ReadDirtyMap
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from .sync_plan import SyncPlan, SyncView


class PromotionPlan(SyncPlan):
    """`done` of a sync.Map of two maps, and `clear` of one: the read map is replaced."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, session: Session, map: ReadDirtyMap) -> None:
        super().__init__(stop, host, session, map)
        self._place = map.read_at

    def arm(self) -> Plan:
        self.watch(self._place, 8, self._replaced)
        self.warn_of_stack()
        return self

    def _replaced(self, hit: Hit) -> bool:
        map = self.map_now()
        if not isinstance(map, ReadDirtyMap):
            raise MapscopeError("it is no sync.Map of two maps any more")
        maps = map.maps
        # a new key's first store replaces what tells of the read map, too, with the same map
        if self.request.event == "done":
            if maps.amended is not False or not maps.same:
                return False
            return self.happened("done", hit, map, _promoted)
        if maps.amended is not False or maps.read is not None:
            return False
        return self.happened("clear", hit, map)


def _promoted(occurrence: Occurrence) -> None:
    occurrence.how = "the dirty map takes the read map's place"


class RootPlan(SyncPlan):
    """`clear` of a hash trie: its root is replaced."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, session: Session, map: SyncView) -> None:
        super().__init__(stop, host, session, map)
        self._root = 0

    def arm(self) -> Plan:
        if isinstance(self.map, ReadDirtyMap):
            raise MapscopeError("it is no hash trie")
        self._root = self.map.root
        self.watch(self.map.root_at, 8, self._replaced)
        self.warn_of_stack()
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._root = self._now()

    def _now(self) -> int:
        map = self.map_now()
        if isinstance(map, ReadDirtyMap):
            raise MapscopeError("it is no hash trie any more")
        return map.root

    def _replaced(self, hit: Hit) -> bool:
        before, self._root = self._root, self._now()
        if not before or not self._root:
            return False  # its first root, when it is first used
        return self.happened("clear", hit, self.map_now())

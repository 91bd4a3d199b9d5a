# SPDX-License-Identifier: MIT
"""What all plans for maps of two tables share: the map as it is now, and what is said."""

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...errors import UsageError
from ...flavours.redis import redis_dicts
from ...flavours.valkey import valkey_tables
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.occurrence import Occurrence
from ..point_plan import PointPlan


@dataclass(frozen=True)
class Kind:
    """What differs between the two kinds.

    :ivar open: the map at an address
    :ivar index_at: where its header has the index of the migration; of Redis 6.2 elsewhere
    :ivar functions: of the server that do what an event is
    """

    open: Callable[[Session, int], ChainedMap]
    index_at: int
    functions: Dict[str, Tuple[str, ...]]


KINDS: Dict[str, Kind] = {
    redis_dicts.NAME: Kind(
        redis_dicts.open_dict,
        40,
        {
            "assign": ("dictAddRaw",),
            "delete": ("dictDelete", "dictUnlink", "dictTwoPhaseUnlinkFind"),
            "clear": ("dictEmpty",),
        },
    ),
    valkey_tables.NAME: Kind(
        valkey_tables.open_table,
        8,
        {
            "assign": ("hashtableAdd", "hashtableAddOrFind", "hashtableInsertAtPosition"),
            "delete": ("hashtableDelete", "hashtablePop", "hashtableTwoPhasePopFindRef"),
            "clear": ("hashtableEmpty",),
        },
    ),
}
#: of a dict of Redis 6.2, whose header has this size
_OLD_INDEX, _OLD_SIZE = 80, 96


class TablePlan(PointPlan):
    """What all of them share."""

    def __init__(self, stop: Stop, host: Host, view: ChainedMap) -> None:
        super().__init__(stop, host)
        self.view = view
        self.kind = KINDS[view.flavor]
        self.address = view.address or 0
        held = view.held()
        old = held is not None and held.header == _OLD_SIZE
        self.index_at = _OLD_INDEX if old else self.kind.index_at

    def map_now(self) -> ChainedMap:
        """The map as it is now.

        :raises NotAMap: if there is none any more
        """
        return self.kind.open(Session(self.host.target()), self.address)

    def watch_index(self, on_hit: OnHit) -> None:
        """:raises NoWatchpoint: if there is none left"""
        self.watch(self.address + self.index_at, 8, on_hit)

    def at_functions(self, event: str, on_hit: OnHit) -> None:
        """Breakpoints on the functions that do what an event is.

        :raises UsageError: if the program exports none of them
        """
        found = 0
        for name in self.kind.functions[event]:
            address = self.host.function(name)
            if address is not None:
                found += 1
                self.code(address, on_hit, may_show=True)
        if not found:
            names = ", ".join(self.kind.functions[event])
            raise UsageError(
                f"the program exports none of {names}: nothing can be stopped at there"
            )

    def occurred(
        self,
        event: str,
        hit: Hit,
        map: ChainedMap,
        add: Optional[Callable[[Occurrence], None]] = None,
    ) -> bool:
        """The event that was asked for.

        :param add: completes what is said of it
        """
        if map.count < self.request.min_entries:
            return False

        def tell() -> Occurrence:
            tables = map.tables
            occurrence = Occurrence(
                event,
                self.address,
                map.type_name,
                hit.thread,
                self.mechanism,
                count=map.count,
                buckets=tables.sizes[tables.target],
            )
            if tables.migrating:
                occurrence.kind = tables.kind()
                occurrence.old_buckets = tables.sizes[0]
                occurrence.evacuated = tables.index
            if add is not None:
                add(occurrence)
            return occurrence

        return self.stop.occurred(hit, tell, self.view.reopen)


def as_chained(view: Optional[MapView]) -> ChainedMap:
    """The map that a stop is for.

    :raises UsageError: if it is for any map: none of the server's functions tells of all
    """
    if not isinstance(view, ChainedMap):
        raise UsageError(
            "name a MAP, as db0: a server's functions do not tell of the migrations of any map"
        )
    return view

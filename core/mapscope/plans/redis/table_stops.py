# SPDX-License-Identifier: MIT
"""What all plans for maps of two tables share: the map as it is now, and what is said."""

from typing import Callable, Dict, FrozenSet, Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...errors import NotAMap, UsageError
from ...flavours.redis import dict_types, redis_dicts
from ...flavours.valkey import valkey_entries, valkey_tables
from ...program.values import named
from ...records import dataclass
from ...session import Session
from ...stops.engine import Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.occurrence import Occurrence
from ..point_plan import PointPlan


@dataclass(frozen=True)
class Kind:
    """What differs between the two kinds.

    :ivar name: of the flavour
    :ivar open: the map at an address
    :ivar index_at: where its header has the index of the migration; of Redis 6.2 elsewhere
    :ivar functions: of the server that do what an event is
    :ivar types: of maps that hold what clients have stored
    """

    name: str
    open: Callable[[Session, int], ChainedMap]
    index_at: int
    functions: Dict[str, Tuple[str, ...]]
    types: FrozenSet[str]


KINDS: Dict[str, Kind] = {
    redis_dicts.NAME: Kind(
        redis_dicts.NAME,
        redis_dicts.open_dict,
        40,
        {
            "assign": ("dictAddRaw",),
            "delete": ("dictDelete", "dictUnlink", "dictTwoPhaseUnlinkFind"),
            "clear": ("dictEmpty",),
        },
        frozenset(f"dict<{name}>" for name in dict_types.KEYSPACE),
    ),
    valkey_tables.NAME: Kind(
        valkey_tables.NAME,
        valkey_tables.open_table,
        8,
        {
            "assign": ("hashtableAdd", "hashtableAddOrFind", "hashtableInsertAtPosition"),
            "delete": ("hashtableDelete", "hashtablePop", "hashtableTwoPhasePopFindRef"),
            "clear": ("hashtableEmpty",),
        },
        frozenset(f"hashtable<{name}>" for name in valkey_entries.TYPES),
    ),
}
#: of a dict of Redis 6.2, whose header has this size
_OLD_INDEX, _OLD_SIZE = 80, 96


class TablePlan(PointPlan):
    """What all of them share.

    :ivar address: of the map; 0: any map is meant that holds what clients have stored
    """

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: Optional[ChainedMap]) -> None:
        super().__init__(stop, host)
        self.kind = kind
        self.address = 0 if view is None else view.address or 0
        held = None if view is None else view.held()
        old = held is not None and held.header == _OLD_SIZE
        self.index_at = _OLD_INDEX if old else kind.index_at
        only = self.request.only_type
        if view is None and only is not None and only not in kind.types:
            raise UsageError(f"--type {named(only)}: there are {', '.join(sorted(kind.types))}")

    def map_now(self) -> ChainedMap:
        """The map as it is now.

        :raises NotAMap: if there is none any more
        """
        return self.kind.open(Session(self.host.target()), self.address)

    def map_of(self, address: int) -> Optional[ChainedMap]:
        """The map that a function was called for, as it is now; None: it is not one that is
        meant, as dicts of the server's own are not.

        :raises NotAMap: if one map is meant, and it is none any more
        """
        if self.address:
            return self.map_now() if address == self.address else None
        try:
            map = self.kind.open(Session(self.host.target()), address)
        except NotAMap:
            return None
        only = self.request.only_type
        is_meant = map.type_name in self.kind.types if only is None else map.type_name == only
        return map if is_meant and map.count >= self.request.min_entries else None

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
                map.address,
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

        return self.stop.occurred(hit, tell, map.reopen)

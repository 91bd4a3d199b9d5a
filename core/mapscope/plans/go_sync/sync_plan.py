# SPDX-License-Identifier: MIT
"""What all plans for sync.Maps share: the map as it is now, and what is said of an event."""

from typing import Callable, Optional, Union

from ...errors import MapscopeError
from ...flavours.go_sync.read_dirty import ReadDirtyMap
from ...flavours.go_sync.trie_map import TrieMap
from ...session import Session
from ...stops.engine import Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from ..go.go_plan import GoPlan

#: a sync.Map of either kind
SyncView = Union[ReadDirtyMap, TrieMap]


class SyncPlan(GoPlan):
    """What all of them share.

    :ivar map: as it was when the stop was asked for
    """

    def __init__(self, stop: Stop, host: Host, session: Session, map: SyncView) -> None:
        super().__init__(stop, host, session, map)
        self.map = map

    def map_now(self) -> SyncView:
        """The map as it is now.

        :raises MapscopeError: if it cannot be read
        """
        reopen = self.map.reopen
        found = None if reopen is None else reopen(Session(self.host.target()))
        if not isinstance(found, (ReadDirtyMap, TrieMap)):
            raise MapscopeError("it cannot be opened again")
        return found

    def happened(
        self,
        event: str,
        hit: Hit,
        map: SyncView,
        add: Optional[Callable[[Occurrence], None]] = None,
    ) -> bool:
        """The event that was asked for.

        :param add: completes what is said of it
        """
        if self.request.min_entries and map.count < self.request.min_entries:
            return False

        def tell() -> Occurrence:
            occurrence = Occurrence(
                event,
                self.address,
                map.type_name,
                hit.thread,
                self.mechanism,
                count=map.count,
                goroutine=self.go.goroutine(hit),
                place=self.go.place(hit),
            )
            if add is not None:
                add(occurrence)
            return occurrence

        return self.stop.occurred(hit, tell, self.map.reopen)

# SPDX-License-Identifier: MIT
"""Stops at Go's sync.Map: which plan does what."""

from typing import Optional

from ...errors import UsageError
from ...flavours.go_sync import read_dirty, trie_map
from ...flavours.go_sync.read_dirty import ReadDirtyMap
from ...flavours.go_sync.trie_map import TrieMap
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Host
from ..flavour_plans import FlavourPlans
from .method_calls import CallPlan
from .watched_words import PromotionPlan, RootPlan

#: since Go 1.23
_CLEAR_SINCE = 23


class SyncPlans(FlavourPlans):
    """Of both kinds."""

    flavors = (read_dirty.NAME, trie_map.NAME)

    def serves(self, session: Session, host: Host) -> bool:
        return False  # without a MAP, a Go program's stops are those of its ordinary maps

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        if not isinstance(view, (ReadDirtyMap, TrieMap)):
            raise UsageError("name a sync.Map: no function tells of what any of them does")
        if view.runtime:
            session = session.for_runtime(session.runtime_at(view.runtime))
        event, is_trie = stop.request.event, isinstance(view, TrieMap)
        if stop.request.kinds or stop.request.migrating:
            raise UsageError(
                "--doubling, --same-size, --split, --shrink and --migrating: a sync.Map does not "
                "grow itself"
            )
        if isinstance(view, ReadDirtyMap) and event in ("done", "clear"):
            if event == "clear" and session.go.minor < _CLEAR_SINCE:
                raise UsageError(
                    f"clear: a sync.Map has no Clear before Go 1.{_CLEAR_SINCE}, and this is "
                    f"go1.{session.go.minor}"
                )
            return PromotionPlan(stop, host, session, view)
        if event == "clear":
            return RootPlan(stop, host, session, view)
        if event in ("assign", "delete"):
            return CallPlan(stop, host, session, view)
        if is_trie:
            raise UsageError(
                f"{event}: a hash trie has nothing to migrate, and makes no races; there are "
                "assign, delete and clear"
            )
        raise UsageError(
            f"{event}: a sync.Map's two maps grow by themselves, and it makes no races; there are "
            "assign, delete, done (the dirty map takes the read map's place) and, since Go "
            f"1.{_CLEAR_SINCE}, clear"
        )

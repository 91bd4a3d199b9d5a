# SPDX-License-Identifier: MIT
"""Stops at Redis's dicts and Valkey's hashtables: which plan does what."""

from typing import Optional

from ...chained.chained_map import ChainedMap
from ...errors import NeedsProcess, UsageError
from ...flavours.redis import redis_dicts
from ...flavours.redis.redis_dicts import RedisDicts
from ...flavours.valkey import valkey_tables
from ...flavours.valkey.valkey_tables import ValkeyTables
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Host
from ..flavour_plans import FlavourPlans
from .called_steps import CalledStepPlan, CalledTrace, sees_steps
from .called_writes import CallPlan
from .hashtable_steps import HashtablePlan
from .table_stops import KINDS
from .watched_steps import StepPlan
from .watched_trace import WatchedTrace


class TablePlans(FlavourPlans):
    """Of both kinds."""

    flavors = tuple(KINDS)

    def serves(self, session: Session, host: Host) -> bool:
        return RedisDicts().present(session) or ValkeyTables().present(session)

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request = stop.request
        for kind in ("same-size", "split"):
            if kind in request.kinds:
                raise UsageError(
                    f"--{kind}: such maps grow or shrink; there are --doubling, --shrink"
                )
        if host.state() != "live":
            raise NeedsProcess("no process: attach to a server that runs")
        map = view if isinstance(view, ChainedMap) else None
        of = KINDS[_keyspace(session) if map is None else map.flavor]
        if request.event == "race":
            raise UsageError(
                f"race: there is none for {of.name} maps; there are grow, evacuate, progress, "
                "done, assign, delete and clear"
            )
        if request.event in ("assign", "delete", "clear"):
            return CallPlan(stop, host, of, map)
        if request.event == "trace":
            if sees_steps(host) and of.name == redis_dicts.NAME:
                return CalledTrace(stop, host, of, map)
            if map is None:
                raise UsageError(
                    "trace: this server's steps are in functions without names: name a MAP, as "
                    "db0, whose index is watched"
                )
            return WatchedTrace(stop, host, of, map)
        if map is not None:
            return StepPlan(stop, host, of, map)
        if request.event == "progress":
            raise UsageError("progress: name a MAP, as db0, of which that is the part")
        if of.name == valkey_tables.NAME:
            return HashtablePlan(stop, host, of, None)
        return CalledStepPlan(stop, host, of, None)


def _keyspace(session: Session) -> str:
    """The kind of map that the program has its databases in."""
    return valkey_tables.NAME if ValkeyTables().present(session) else redis_dicts.NAME

# SPDX-License-Identifier: MIT
"""Stops at Redis's dicts and Valkey's hashtables: which plan does what."""

from typing import Optional

from ...errors import UsageError
from ...flavours.redis.redis_dicts import RedisDicts
from ...flavours.valkey.valkey_tables import ValkeyTables
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Host
from ..flavour_plans import FlavourPlans
from .called_writes import CallPlan
from .table_stops import KINDS, as_chained
from .watched_steps import StepPlan


class TablePlans(FlavourPlans):
    """Of both kinds."""

    flavors = tuple(KINDS)

    def serves(self, session: Session, host: Host) -> bool:
        return RedisDicts().present(session) or ValkeyTables().present(session)

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request, map = stop.request, as_chained(view)
        for kind in ("same-size", "split"):
            if kind in request.kinds:
                raise UsageError(
                    f"--{kind}: such maps grow or shrink; there are --doubling, --shrink"
                )
        if request.event in ("race", "trace"):
            raise UsageError(
                f"{request.event}: there is none for {map.flavor} maps; there are grow, evacuate, "
                "progress, done, assign, delete and clear"
            )
        plan = StepPlan if request.event in ("grow", "evacuate", "progress", "done") else CallPlan
        return plan(stop, host, map)

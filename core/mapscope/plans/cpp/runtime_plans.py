# SPDX-License-Identifier: MIT
"""Stops and traces of the runtime's maps."""

from typing import Optional

from ...errors import UsageError
from ...flavours.cpp.runtime_maps import NAME, RuntimeMaps
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Host
from ..flavour_plans import FlavourPlans
from .filter_plan import HOOK, RuntimePlan
from .filter_trace import RuntimeTrace


class RuntimePlans(FlavourPlans):
    """By the in-process filter."""

    flavors = (NAME,)

    def serves(self, session: Session, host: Host) -> bool:
        if host.function(HOOK) is not None:
            return True
        if host.state() == "live":
            return RuntimeMaps().present(session)
        # it may come with a shared library
        return host.state() == "none" and host.has_program()

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        if "split" in stop.request.kinds:
            raise UsageError("--split: only Go's Swiss maps, those since 1.24, split tables")
        tracing = stop.request.event == "trace"
        return (RuntimeTrace if tracing else RuntimePlan)(stop, host, view)

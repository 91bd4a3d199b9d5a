# SPDX-License-Identifier: MIT
"""Stops in Go programs: which plan does what."""

from typing import Callable, Dict, Optional

from ...errors import UsageError
from ...flavours.go import go_classic, go_swiss
from ...maps.view import MapView
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Host
from ...stops.request import Request
from ..flavour_plans import FlavourPlans
from .every_runtime import EveryRuntime
from .go_plan import AtStart, waits_for_start
from .go_trace import ClassicTrace, SwissTrace
from .rare_functions import (
    ClearPlan,
    CountingPlan,
    DoneFunctionPlan,
    EvacuateFunctionPlan,
    GrowFunctionPlan,
    RacePlan,
)
from .tables import SwissDonePlan, SwissGrowPlan
from .watched import BucketPlan, GrowthPlan, ProgressPlan
from .writes import WriteFunctionPlan, WritePlan

ONLY_SWISS_SPLIT = "only Go's Swiss maps, those since 1.24, split tables"


class GoPlans(FlavourPlans):
    """Of both kinds of Go's maps."""

    flavors = (go_classic.NAME, go_swiss.NAME)

    def serves(self, session: Session, host: Host) -> bool:
        return session.is_go()

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        if view is not None and view.runtime:
            session = session.for_runtime(session.runtime_at(view.runtime))
        if stop.request.event == "trace" and waits_for_start(host):
            return AtStart(stop, host, self.make)
        if view is None and host.state() == "live":
            return EveryRuntime(stop, host, lambda stop, host, at: _make(stop, host, at, None))
        return _make(stop, host, session, view)


def _make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """The plan at one runtime."""
    if stop.request.event != "trace":
        return make(stop, host, session, view)
    trace = SwissTrace if session.go.has_swiss_maps else ClassicTrace
    return trace(stop, host, session, view)


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """The plan for a stop at a Go map, or at any."""
    request = stop.request
    swiss = session.go.has_swiss_maps
    _check_against_kind(request, swiss)
    if view is not None and view.address is None:
        raise UsageError(
            f"{request.map} is a nil map: nothing can be written to it; name a place where it "
            "is made with --at LOCATION"
        )
    plans: Dict[str, Callable[..., Plan]] = {
        "clear": ClearPlan,
        "race": RacePlan,
        "grow": GrowthPlan if view else GrowFunctionPlan,
        "done": GrowthPlan if view else DoneFunctionPlan,
        "evacuate": EvacuateFunctionPlan,
        "progress": ProgressPlan if view else CountingPlan,
        "assign": WritePlan if view else WriteFunctionPlan,
        "delete": WritePlan if view else WriteFunctionPlan,
    }
    if swiss:
        plans["grow"], plans["done"] = SwissGrowPlan, SwissDonePlan
    if waits_for_start(host):
        return AtStart(stop, host, make)
    make_plan = plans[request.event]
    if request.event == "evacuate" and view is not None and request.bucket is not None:
        make_plan = BucketPlan
    return make_plan(stop, host, session, view)


def _check_against_kind(request: Request, swiss: bool) -> None:
    """Refuse what such maps never do, and name what is nearest to it.

    :raises UsageError: if they don't
    """
    have = "--doubling and --split" if swiss else "--doubling and --same-size"
    if "shrink" in request.kinds:
        raise UsageError(f"--shrink: Go's maps never shrink; there are {have}")
    if swiss and "same-size" in request.kinds:
        raise UsageError(f"--same-size: Go's Swiss maps never grow so; there are {have}")
    if not swiss and "split" in request.kinds:
        raise UsageError(f"--split: {ONLY_SWISS_SPLIT}; here there are {have}")
    if swiss and (request.event in ("evacuate", "progress") or request.migrating):
        what = "--migrating" if request.migrating else request.event
        nearest = "map break grow and map break done stop before and after"
        raise UsageError(
            f"{what}: Go's Swiss maps never migrate: a table is replaced whole within one write; "
            f"{nearest} (--doubling, --split)"
        )

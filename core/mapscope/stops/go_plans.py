# SPDX-License-Identifier: MIT
"""Stops in Go programs with classic maps: which plan does what."""

from typing import Callable, Dict, Optional

from ..errors import UsageError
from ..session import Session
from ..view import MapView
from .go_entries import WriteFunctionPlan, WritePlan
from .go_functions import (
    ClearPlan,
    CountingPlan,
    DoneFunctionPlan,
    EvacuateFunctionPlan,
    GrowFunctionPlan,
    RacePlan,
)
from .go_migration import BucketPlan, GrowthPlan, ProgressPlan
from .host import Host
from .plan import Plan
from .stop import Stop


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """The plan for a stop at a Go map, or at any."""
    request = stop.request
    if "shrink" in request.kinds:
        raise UsageError("--shrink: Go's maps never shrink; there are --doubling and --same-size")
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
    make_plan = plans[request.event]
    if request.event == "evacuate" and view is not None and request.bucket is not None:
        make_plan = BucketPlan
    return make_plan(stop, host, session, view)

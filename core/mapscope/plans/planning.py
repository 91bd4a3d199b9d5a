# SPDX-License-Identifier: MIT
"""The plan for a stop, by the kind of map or of program that it is for: the one place that names
the plans of all flavours."""

from typing import Optional, Tuple

from ..errors import MapscopeError, NeedsProcess, UsageError
from ..maps.view import MapView
from ..session import Session
from ..stops.engine import Plan, Stop
from ..stops.host import Host
from .cpp.runtime_plans import RuntimePlans
from .described.described_plans import DescribedPlans
from .flavour_plans import FlavourPlans
from .go.choice import GoPlans
from .go_sync.sync_plans import SyncPlans
from .libraries.library_plans import LibraryPlans
from .redis.table_plans import TablePlans
from .tbb.tbb_plans import TbbPlans

_DESCRIBED = DescribedPlans()
#: in the order in which they are asked for a program
PLANS: Tuple[FlavourPlans, ...] = (
    GoPlans(),
    SyncPlans(),
    TablePlans(),
    RuntimePlans(),
    TbbPlans(),
    LibraryPlans(),
    _DESCRIBED,
)


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """A plan that is not armed yet.

    :param view: the map; None: any map of the program
    :raises MapscopeError: if what was asked for makes no sense for it
    """
    _check_against_growth(stop, view)
    if view is None and _DESCRIBED.meant(stop.request, host):
        return _DESCRIBED.make(stop, host, session, None)
    if view is not None:
        known = (plans for plans in PLANS if view.flavor in plans.flavors)
    else:
        known = (plans for plans in PLANS if plans.serves(session, host))
    found = next(known, None)
    if found is not None:
        return found.make(stop, host, session, view)
    if view is not None:
        raise UsageError(f"there are no stops for {view.flavor} maps: they can be looked at alone")
    if host.state() == "none":
        raise NeedsProcess("no process, and no program to start: name one (file PROGRAM)")
    raise MapscopeError("this program has neither Go maps nor the mapscope runtime")


def _check_against_growth(stop: Stop, view: Optional[MapView]) -> None:
    """Refuse a bucket or a number of buckets that this migration cannot have.

    :raises UsageError: if it is beyond the old array
    """
    growth = None if view is None else view.growth()
    if growth is None:
        return
    request, old = stop.request, growth.places
    if request.bucket is not None and request.bucket >= old:
        raise UsageError(
            f"there is no old bucket {request.bucket}: the map is migrating from {old} buckets, "
            f"0 to {old - 1}"
        )
    if request.progress is not None and request.progress.buckets > old:
        raise UsageError(
            f"progress {request.progress.text()}: the map is migrating from {old} buckets; "
            "name at most so many, or a part, as 50%"
        )

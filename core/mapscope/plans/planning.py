# SPDX-License-Identifier: MIT
"""The plan for a stop, by the kind of map or of program that it is for."""

from typing import Optional

from ..errors import MapscopeError, NeedsProcess, UsageError
from ..flavours.cpp import runtime_maps
from ..flavours.go import go_classic
from ..maps.view import MapView
from ..session import Session
from ..stops.engine import Plan, Stop
from ..stops.host import Host
from .cpp.filter_plan import HOOK, RuntimePlan
from .cpp.filter_trace import RuntimeTrace
from .go import choice
from .go.go_plan import AtStart, waits_for_start
from .go.go_trace import ClassicTrace, SwissTrace


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """A plan that is not armed yet.

    :param view: the map; None: any map of the program
    :raises MapscopeError: if what was asked for makes no sense for it
    """
    _check_against_growth(stop, view)
    if view is not None:
        flavor = view.flavor
    elif session.is_go():
        flavor = go_classic.NAME
    elif host.function(HOOK) is not None or (
        host.state() == "live" and runtime_maps.present(session)
    ):
        flavor = runtime_maps.NAME
    elif host.state() == "none" and host.has_program():
        flavor = runtime_maps.NAME  # it may come with a shared library
    elif host.state() == "none":
        raise NeedsProcess("no process, and no program to start: name one (file PROGRAM)")
    else:
        raise MapscopeError("this program has neither Go maps nor the mapscope runtime")
    tracing = stop.request.event == "trace"
    if view is not None and view.runtime:
        session = session.for_runtime(session.runtime_at(view.runtime))
    if flavor == runtime_maps.NAME:
        if "split" in stop.request.kinds:
            raise UsageError(f"--split: {choice.ONLY_SWISS_SPLIT}")
        return (RuntimeTrace if tracing else RuntimePlan)(stop, host, view)
    if tracing and waits_for_start(host):
        return AtStart(stop, host, make)
    if tracing:
        trace = SwissTrace if session.go.has_swiss_maps else ClassicTrace
        return trace(stop, host, session, view)
    return choice.make(stop, host, session, view)


def _check_against_growth(stop: Stop, view: Optional[MapView]) -> None:
    """Refuse a bucket or a number of buckets that this migration cannot have.

    :raises UsageError: if it is beyond the old array
    """
    growth = None if view is None else view.growth()
    if growth is None:
        return
    request, old = stop.request, growth.old_buckets
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

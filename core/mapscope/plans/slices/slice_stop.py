# SPDX-License-Identifier: MIT
"""A stop, or a trace, that is for a slice: what it is for, and which plan does it."""

from typing import Dict, Optional

from ...errors import MapscopeError, UsageError
from ...locate import evaluate
from ...maps.view import MapView
from ...program.values import escape
from ...session import Session
from ...slices.open_slice import find_slice
from ...slices.slice_view import GO_STRING, SliceView
from ...slices.vector import words_of
from ...stops.engine import Plan, Stop, Trace
from ..go.every_runtime import EveryRuntime
from ..go.go_plan import AtStart, waits_for_start
from ..go.go_runtime import GoRuntime
from .go_slices import AnySlice, CalledSlice, WatchedSlice
from .vectors import VectorPlan


class SliceStop(Stop):
    """A stop at the growth of a slice.

    :ivar slice: as it was found when it was armed; None: any
    """

    noun = "slice"
    works = "slice inspect, slice entries and slice stale"
    slice: Optional[SliceView] = None

    def look_up(self, session: Session, reached: bool) -> Optional[MapView]:
        assert self.request.map is not None
        self.slice = find_slice(session, self.request.map)
        return None

    def make_plan(self, session: Session, view: Optional[MapView]) -> Plan:
        return plan_of(self, session, self.slice)

    def map_text(self) -> str:
        return slice_text(self, self.slice)

    def form(self) -> Dict[str, object]:
        return slice_form(super().form(), self.slice)


class SliceTrace(Trace):
    """A stop that never stops: a line for each growth."""

    noun = "slice"
    works = SliceStop.works
    slice: Optional[SliceView] = None

    def look_up(self, session: Session, reached: bool) -> Optional[MapView]:
        assert self.request.map is not None
        self.slice = find_slice(session, self.request.map)
        return None

    def make_plan(self, session: Session, view: Optional[MapView]) -> Plan:
        return plan_of(self, session, self.slice)

    def map_text(self) -> str:
        return slice_text(self, self.slice)


def plan_of(stop: Stop, session: Session, slice: Optional[SliceView]) -> Plan:
    """The plan of a stop at a slice, or of a trace of any.

    :raises MapscopeError: if there is none for it
    """
    host = stop.stops.host
    if slice is None:
        if not session.is_go():
            raise UsageError(
                "in C++ growths are noticed of one vector: name it, and its place, as in "
                "slice trace on v --at LOCATION"
            )
        if waits_for_start(host):
            return AtStart(stop, host, lambda stop, host, at, view: plan_of(stop, at, None))
        if host.state() == "live":
            return EveryRuntime(stop, host, AnySlice)
        return AnySlice(stop, host, session)
    name = escape(stop.request.map or "")
    if slice.flavor == GO_STRING:
        raise UsageError(f"{name} is a string: a string never grows, another one is made")
    if not slice.size:
        raise UsageError(f"{name}: elements of no bytes need no array, so it never moves")
    if not slice.is_go:
        variable = evaluate(session, stop.request.map or "", session.target.vector)
        return VectorPlan(stop, host, slice, words_of(variable.type))
    if slice.holder is None or _is_on_stack(stop, session, slice.holder):
        return CalledSlice(stop, host, session, slice)
    return WatchedSlice(stop, host, session, slice)


def _is_on_stack(stop: Stop, session: Session, address: int) -> bool:
    """Whether an address is on a goroutine's stack, that of any."""
    host = stop.stops.host
    runtime = GoRuntime(host, session.go.minor, session.go.has_swiss_maps)
    if runtime.on_stack(host.here(), address):
        return True
    try:
        for goroutine in session.go.goroutines():
            low, high = (session.memory.read_word(goroutine.address + at) for at in (0, 8))
            if low <= address < high:
                return True
    except MapscopeError:
        pass  # where a stack cannot be read, the watchpoint tells of other values, and ends itself
    return False


def slice_text(stop: Stop, slice: Optional[SliceView]) -> str:
    """What a stop is for."""
    if slice is not None:
        where = "nil" if not slice.array else hex(slice.array)
        return f"{escape(slice.type_name)} {escape(stop.request.map or '')} {where}"
    return "any slice" if stop.request.map is None else escape(stop.request.map)


def slice_form(form: Dict[str, object], slice: Optional[SliceView]) -> Dict[str, object]:
    """A stop's JSON object with what it is for."""
    holder = None if slice is None or slice.holder is None else hex(slice.holder)
    return {**form, "type": None if slice is None else slice.type_name, "slice": holder}

# SPDX-License-Identifier: MIT
"""Stops at described tables: which plan does what, and those of a migration.

What a description names as `watch`, or its `when` and `done`, changes with every step of a
migration, so it is watched; functions that a description names are in described_calls.
"""

from typing import Optional

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...errors import UsageError
from ...flavours.described.described_map import NAME, DescribedMap
from ...flavours.described.described_tables import is_named
from ...flavours.described.formulas import Env
from ...flavours.described.loaded import LOADED
from ...maps.event_lines import begun_line, done_line, left_line
from ...maps.view import MapView
from ...program.memory import Memory
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.request import Request
from ..cpp.filter_plan import HOOK
from ..flavour_plans import FlavourPlans
from ..redis.watched_steps import StepPlan
from .described_calls import (
    STEPS,
    Called,
    DescribedCalls,
    check_event,
    described_call,
    kind_of,
    now,
)


class DescribedPlans(FlavourPlans):
    """Of one described table, or of any of a description."""

    flavors = (NAME,)

    def serves(self, session: Session, host: Host) -> bool:
        return bool(LOADED)

    def meant(self, request: Request, host: Host) -> bool:
        """Whether tables of a description are meant, whatever else the program may have: --type
        names it; or nothing runs yet, and the program has the function that is named."""
        if any(is_named(one, request.only_type) for one in LOADED.values()):
            return True
        if request.only_type is not None or host.state() != "none":
            return False
        if host.function(HOOK) is not None:
            return False
        calls = (one.call(request.event) for one in LOADED.values())
        return any(call is not None and host.function(call.function) is not None for call in calls)

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request = stop.request
        for kind in ("same-size", "split"):
            if kind in request.kinds:
                raise UsageError(f"--{kind}: such tables grow or shrink: --doubling, --shrink")
        if not isinstance(view, DescribedMap):
            found = described_call(stop.request, session)
            if found.description.type_name:
                return DescribedCalls(stop, host, None, found)
            view = found.table(session)
        description = view.shape.description
        name, call = description.name, description.call(request.event)
        if request.event in (*STEPS, "trace") and (view.shape.done is not None or call is None):
            if view.shape.done is None:
                raise UsageError(
                    f"{request.event}: the description of {name} has no [old]: no migrations"
                    f"{_or_function(request.event)}"
                )
            plan = DescribedTrace if request.event == "trace" else DescribedSteps
            return plan(stop, host, view)
        check_event(request.event)
        if call is None:
            raise UsageError(
                f"{request.event}: the description of {name} names no function for it "
                f"([stops] {request.event})"
            )
        return DescribedCalls(stop, host, view, Called(description, call))


def _or_function(event: str) -> str:
    """The end of a line about a stop that a function may be named for."""
    return f", and names no function for it ([stops] {event})" if event in STEPS else ""


class DescribedSteps(StepPlan):
    """`grow`, `evacuate`, `progress` and `done` of one table."""

    def __init__(self, stop: Stop, host: Host, view: DescribedMap) -> None:
        super().__init__(stop, host, kind_of(view), view)
        self._table = view

    def _env(self) -> Env:
        return Env(Memory(self.host.target().read_memory), self._table.entries_of.owner)

    def map_now(self) -> ChainedMap:
        return now(self.host, self._table)

    def watch_index(self, on_hit: OnHit) -> None:
        env, watched = self._env(), self._table.shape.watched
        if not watched:
            raise UsageError("[stops] watch is to name variables that change with a step")
        for place in watched:
            self.watch(place.at(env), place.type.size, on_hit)

    def index_now(self) -> int:
        env, shape = self._env(), self._table.shape
        if shape.when is None or shape.done is None or not shape.when.truth(env):
            return -1
        return shape.done.value(env)

    def starts(self, tables: Tables) -> bool:
        return tables.index == 0  # else it is the last migration's, not reset yet


class DescribedTrace(DescribedSteps):
    """`map trace` of one table: its migrations, a line for each bucket."""

    shows = False

    def changed(self, hit: Hit) -> bool:
        map = self.map_now()
        before, now = self.last, map.tables
        if now.migrating and not before.migrating and not self.starts(now):
            return False
        self.last = now
        if map.count < self.request.min_entries:
            return False
        at, sizes = self.address, before.sizes if before.migrating else now.sizes
        old, new = sizes
        if now.migrating and not before.migrating:
            self.stop.log(begun_line(at, old, new, map.count), hit)
        first = max(before.index, 0) if before.migrating else 0
        end = now.index if now.migrating else old if before.migrating else 0
        for bucket in range(first, end):
            self.stop.log(left_line(at, bucket, old, new), hit)
        if before.migrating and not now.migrating:
            self.stop.log(done_line(at, new, ""), hit)
        return False

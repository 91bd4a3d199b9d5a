# SPDX-License-Identifier: MIT
"""Stops at described tables: which plan does what, and the two that there are.

What a description names as `watch`, or its `when` and `done`, changes with every step of a
migration, so it is watched; functions that add or remove an entry are named in [stops].
"""

from typing import Optional

from ...errors import MapscopeError, UsageError
from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...flavours.described.described_map import NAME, DescribedMap
from ...flavours.described.description import C_STRING, TEXT, VALUE, Call
from ...flavours.described.formulas import Env
from ...flavours.described.texts import Texts, c_strings
from ...maps.event_lines import begun_line, done_line, left_line
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.target import Frame, Variable
from ...program.values import Decoded, Unreadable, json_text
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.occurrence import Occurrence
from ..flavour_plans import FlavourPlans
from ..redis.table_stops import Kind, TablePlan
from ..redis.watched_steps import StepPlan

_STEPS = ("grow", "evacuate", "progress", "done")
_CALLS = ("assign", "delete", "clear")


class DescribedPlans(FlavourPlans):
    """Of one described table."""

    flavors = (NAME,)

    def serves(self, session: Session, host: Host) -> bool:
        return False  # a table is to be named

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request = stop.request
        if not isinstance(view, DescribedMap):
            raise UsageError("name a table: stops at any table of a kind are not to be had")
        for kind in ("same-size", "split"):
            if kind in request.kinds:
                raise UsageError(f"--{kind}: such tables grow or shrink: --doubling, --shrink")
        name = view.shape.description.name
        if request.event in (*_STEPS, "trace"):
            if view.shape.done is None:
                raise UsageError(
                    f"{request.event}: the description of {name} has no [old]: no migrations"
                )
            plan = DescribedTrace if request.event == "trace" else DescribedSteps
            return plan(stop, host, view)
        if request.event not in _CALLS:
            raise UsageError(
                f"{request.event}: there is none for described tables; there are "
                f"{', '.join(_STEPS + _CALLS)}"
            )
        call = view.shape.description.call(request.event)
        if call is None:
            raise UsageError(
                f"{request.event}: the description of {name} names no function for it "
                f"([stops] {request.event})"
            )
        return DescribedCalls(stop, host, view, call)


class DescribedSteps(StepPlan):
    """`grow`, `evacuate`, `progress` and `done` of one table."""

    def __init__(self, stop: Stop, host: Host, view: DescribedMap) -> None:
        super().__init__(stop, host, _kind(view), view)
        self._table = view

    def _env(self) -> Env:
        return Env(Memory(self.host.target().read_memory), self._table.entries_of.owner)

    def map_now(self) -> ChainedMap:
        return _now(self.host, self._table)

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


class DescribedCalls(TablePlan):
    """`assign`, `delete` and `clear` of one table: at the function that a description names."""

    def __init__(self, stop: Stop, host: Host, view: DescribedMap, call: Call) -> None:
        super().__init__(stop, host, _kind(view), view)
        self._table, self._call = view, call
        self._test: Optional[KeyTest] = None
        if self.request.key is not None:
            self._test = parse_key(view.types()[0], self.request.key)
        known, _ = view.hashing()
        self._looks = known is not None and "node" not in call.parameters
        if not self._looks and "node" not in call.parameters and self.request.event != "clear":
            self.notes.append(
                "keys have no hash that can be computed, so it is not looked up whether one is "
                "there: the program stops at every call"
            )

    def arm(self) -> Plan:
        name = self._call.function
        try:
            self.keep(self.host.breakpoint_at(name, self.guarded(self._called)))
        except UsageError:
            raise UsageError(
                f"the program has no function {name} that can be stopped at, which [stops] names"
            ) from None
        return self

    def map_now(self) -> ChainedMap:
        return _now(self.host, self._table)

    def _called(self, hit: Hit) -> bool:
        frame, parameters = next(hit.frames(), None), self._call.parameters
        if frame is None:
            return False
        if self._table.shape.own is not None:
            owner = self._word(frame.variable(parameters["table"]))
            if owner != self.address:
                return False
        map = self.map_now()
        if self.request.migrating and not map.tables.migrating:
            return False
        if self.request.event == "clear":
            return self.occurred("clear", hit, map)
        key = self._key(map, frame)
        if self._test is not None and not self._test.matches(key):
            return False
        if self._looks and self._holds(map, key) != (self.request.event == "delete"):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.key = None if isinstance(key, Unreadable) else json_text(key)

        return self.occurred(self.request.event, hit, map, add)

    def _word(self, variable: Optional[Variable]) -> Optional[int]:
        if variable is None:
            return None
        data = variable.data
        if data is None and variable.address is not None:
            data = bytes(self.host.target().read_memory(variable.address, variable.type.size))
        return None if data is None else int.from_bytes(data[: variable.type.size or 8], "little")

    def _key(self, map: ChainedMap, frame: Frame) -> Decoded:
        """The key that the function was called with."""
        parameters, form = self._call.parameters, self._table.shape.key
        node = self._word(frame.variable(parameters["node"])) if "node" in parameters else None
        if node is not None:
            return map.nodes.sought(node).value(0, map.decoder)
        if "key" not in parameters:
            return Unreadable("its key is not available here")
        variable = frame.variable(parameters["key"])
        if form.kind == VALUE and variable is not None:
            data = variable.data
            if data is None and variable.address is not None:
                data = bytes(self.host.target().read_memory(variable.address, form.type.size))
            return map.decoder.decode(form.type, data or b"", variable.address)
        start = self._word(variable)
        if start is None:
            return Unreadable("its key is not available here")
        if form.kind == C_STRING:
            return Texts(c_strings(map.memory, [start]), [start], ["no text"]).value(0, map.decoder)
        length = None
        if form.kind == TEXT:
            length = self._word(frame.variable(parameters.get("length", "")))
        if length is None:
            return Unreadable("the length of its key is not available here")
        return Texts([(start, length)], [start], [""]).value(0, map.decoder)

    def _holds(self, map: ChainedMap, key: Decoded) -> bool:
        if isinstance(key, Unreadable):
            return self.request.event == "delete"
        text: Optional[bytes] = None
        if isinstance(key, (str, bytes)):
            text = key if isinstance(key, bytes) else key.encode()
        test = KeyTest(lambda other: bool(other == key), text=text)
        if text is None:
            test = parse_key(map.types()[0], json_text(key))
        try:
            return map.find(test).where is not None
        except MapscopeError:
            return self.request.event == "delete"


def _kind(view: DescribedMap) -> Kind:
    """What plans of tables are told of a kind: each description is one of its own."""

    def reopened(session: Session, address: int) -> ChainedMap:
        return view if view.reopen is None else _chained(view.reopen(session))

    return Kind(NAME, reopened, 0, {}, frozenset())


def _chained(view: MapView) -> ChainedMap:
    assert isinstance(view, ChainedMap)
    return view


def _now(host: Host, table: DescribedMap) -> ChainedMap:
    """The table as it is now.

    :raises MapscopeError: if there is none any more
    """
    if table.reopen is None:
        raise MapscopeError("it cannot be opened again")
    return _chained(table.reopen(Session(host.target())))

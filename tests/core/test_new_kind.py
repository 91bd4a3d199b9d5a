# SPDX-License-Identifier: MIT
"""A new kind of map brings how it is shown and what ends its stops; nothing shared knows it."""

import json
from typing import Dict as Mapping
from typing import Iterator, List

import pytest

from host import FakeHost
from looking import one, text
from mapscope.chained.chained_map import ChainedMap
from mapscope.errors import MapscopeError
from mapscope.maps.facts import Facts, Summary
from mapscope.plans.point_plan import PointPlan
from mapscope.records import dataclass
from mapscope.stops.engine import Plan, Stop
from mapscope.stops.host import Hit
from mapscope.stops.request import Request
from redisprogram import CODE, Dict, Program


@dataclass(frozen=True)
class DrawerFacts(Facts):
    """Of a kind that there is not."""

    drawers: int

    place = "drawers"

    def walked_form(self, summary: Summary) -> Mapping[str, object]:
        return {"dust": summary.tombstones}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        yield f"  drawers    {self.drawers}, in {unit}s\n"

    def closing_lines(self) -> Iterator[str]:
        yield "  and that is all\n"


def test_inspect_shows_what_the_facts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    map = Dict(Program("7.0"), "hashDictType", 8)
    map.add(b"a", b"b")
    facts = DrawerFacts((), 0, 8, None, 0.5, None, 7)
    monkeypatch.setattr(ChainedMap, "facts", lambda view: facts)
    shown = text(map.program.target, "inspect", hex(map.address)).splitlines()
    assert [line for line in shown if "drawers" in line] == ["  drawers    7, in chains"]
    assert shown[-1] == "  and that is all" and not any("tables" in line for line in shown)
    form = one(map.program.target, "inspect", hex(map.address))
    assert form["drawers"] == 7 and form["dust"] is None and "sizes" not in form


class DrawerPlan(PointPlan):
    """Stops at a function, until it meets an error."""

    error: List[MapscopeError] = []
    calls = 0

    def arm(self) -> Plan:
        self.code(CODE, self._called)
        self.code(CODE, self._called, may_show=True)
        self.watch(CODE + 64, 8, self._called)
        return self

    def _called(self, hit: Hit) -> bool:
        self.calls += 1
        if self.error:
            raise self.error[0]
        return False

    def lost(self, error: MapscopeError) -> str:
        return f"its drawer is gone: {error}"


def test_points_come_go_and_are_switched_together() -> None:
    program = Program("7.0")
    host = FakeHost(program.target, {"f"})
    stop = Stop(host.stops, 1, Request("grow"))
    plan = DrawerPlan(stop, host)
    stop.plan = plan.arm()
    assert len(host.points) == 3 and plan.visible is not None
    assert [point.number is not None for point in host.points] == [False, True, False]
    hit = host.here()
    assert hit is not None
    handler = plan.guarded(plan._called)
    assert handler(hit) is False and plan.calls == 1
    stop.enable(False)
    assert handler(hit) is False and plan.calls == 1, "a stop that is off looks at nothing"
    stop.enable(True)
    plan.error = [MapscopeError("nothing there")]
    assert handler(hit) is False and plan.calls == 2
    assert host.said == ["mapscope stop 1 (grow) retired: its drawer is gone: nothing there"]
    assert not host.points and stop.point() is None
    assert json.dumps(stop.form())

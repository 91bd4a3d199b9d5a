# SPDX-License-Identifier: MIT
"""A followed map: what came since the last stop, and when it cannot be told any more."""

from array import array
from typing import List, Tuple

import pytest
from codec import Int
from cppprogram import CppProgram, map_type
from goprogram import number_map
from image import FakeFrame
from looking import one, text
from mapscope.errors import MapscopeError, UsageError
from mapscope.maps.event_lines import moved_line
from mapscope.maps.occupancy import Occupancy
from mapscope.maps.strips import each_of, rows, strip
from mapscope.program.target import Variable
from mapscope.stops.engine import Trace
from mapscope.stops.request import Request
from test_history import CREATE, DESTROY
from test_history import program as with_history


class Stacked(FakeFrame):
    """A frame on a stack."""

    stack_pointer = 0

    def sp(self) -> int:
        return self.stack_pointer


def stack(*frames: Tuple[str, int]) -> List[FakeFrame]:
    """Frames of thread 1 with their stack pointers, innermost first."""
    made: List[FakeFrame] = []
    for function, pointer in frames:
        made.append(Stacked(1, function))
        made[-1].stack_pointer = pointer  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    "held, marks, most, shown",
    [
        ([0, 1, 8, 9, 10], None, 5, "0189+"),
        ([3, 4, 0], [0, 1, 1], 3, "3--"),
        ([3, 4, 1, 1, 9], None, 3, "419"),  # means, rounded up: an entry is never shown as none
        ([9, 3, 0, 0], [1, 0, 1, 1], 2, "3-"),
        ([2], None, 9, "200??"),  # the others have none, or were not looked at
    ],
)
def test_a_strip(held: List[int], marks: "List[int] | None", most: int, shown: str) -> None:
    places, looked_at = (5, 3) if len(held) == 1 else (len(held), len(held))
    found = Occupancy("new", "bucket", places, looked_at, array("I", held), marks)
    assert strip(found, most) == shown
    assert len(shown) <= most and each_of(found, most) * most >= places
    assert "".join(rows(shown, 2)) == shown


def test_what_came_since_the_last_stop() -> None:
    target, model = number_map()
    model.fill({number: 1 for number in range(40)})
    assert text(target, "follow", "m").startswith("following m: map[uint64]uint64 with 40 entries")
    stops = target.stops()
    stops.halted()
    while not model.growing():
        model.assign(1000 + model.get("count"), 1)
    shown = text(target, "follow")
    assert f"entries {model.get('count')} (+{model.get('count') - 40})" in shown
    assert "growing, double 8 -> 16 buckets: " in shown and "[" in shown
    before = one(target, "follow")["growth"]["evacuated"]
    stops.halted()
    model.assign(1, 2)
    form = one(target, "follow")
    assert form["evacuated_before"] == before < form["growth"]["evacuated"]
    assert one(target, "follow") == form, "looking twice at one stop"
    arrays = {each["name"]: each for each in form["arrays"]}
    assert arrays["old"]["evacuated"] == form["growth"]["evacuated"]
    entries = sum(
        int(size) * number for each in arrays.values() for size, number in each["counts"].items()
    )
    assert entries == form["count"] == model.get("count")


def test_events_that_stops_and_traces_noticed() -> None:
    target, model = number_map()
    model.fill({1: 1})
    text(target, "follow", "m")
    stops = target.stops()
    trace = Trace(stops, Request("trace", None), None)
    trace.log(moved_line(model.address, 3, 8, 16, 2, 1))
    trace.log(moved_line(model.address + 64, 4, 8, 16, 2, 1))
    shown = text(target, "follow")
    assert "last: bucket migration: bkt#3 -> bkt#3, bkt#11 (2 + 1 keys moved)" in shown
    assert "bkt#4" not in shown and "only events that map break and map trace notice" in shown


def test_no_other_map_is_shown() -> None:
    """Destroyed, another seed in its place, another process."""
    made, model, rings = with_history()
    rings.add(rings.life, DESTROY, model, 50)  # an earlier map's
    rings.add(rings.life, CREATE, model, 100)
    text(made.target, "follow", "m")
    assert "cannot tell" not in text(made.target, "follow")
    model.set("hash0", 4711)  # as clear does
    assert "cannot tell" not in text(made.target, "follow")
    rings.add(rings.life, DESTROY, model, 200)
    rings.add(rings.life, CREATE, model, 300)
    shown = text(made.target, "follow")
    assert (
        "cannot tell: it was destroyed" in shown and "entries" not in shown.split("last events")[0]
    )
    assert one(made.target, "follow")["count"] is None

    made, model, rings = with_history()
    rings.add(rings.life, CREATE, model, 100)
    text(made.target, "follow", "m")
    for clock in range(200, 200 + rings.capacity):
        rings.add(rings.life, CREATE, model, clock)
    assert "cannot tell whether it is still the same map: what happened since was recorded" in text(
        made.target, "follow"
    )

    target, go = number_map()
    go.fill({number: 1 for number in range(20)})
    text(target, "follow", "m")
    go.set("hash0", 12345)
    for _ in range(2):
        assert "cannot tell whether it is still the same map: its hash seed" in text(
            target, "follow"
        )
    text(target, "follow", "m")
    assert "cannot tell" not in text(target, "follow")
    target.stops().process_ended()
    assert "cannot tell: it was followed in a process that has ended" in text(target, "follow")


def test_a_map_that_is_not_there_yet() -> None:
    """Its variable is looked at while the function that has it is among the calls."""
    made = CppProgram()
    model = made.map("other", Int(8), Int(8))
    model.fill({1: 1, 2: 2})
    place = made.image.allocate(64, 16) + 32
    made.target.variables["m"] = Variable(map_type(Int(8), Int(8)), place)
    inner, outer = place - 16, place + 16
    made.target.frames = stack(("fill", inner), ("main", outer))
    assert "with 0 entries" in text(made.target, "follow", "m")
    assert "nothing was written to it yet" in text(made.target, "follow")
    made.image.write_word(place, model.address)
    made.target.frames = stack(("another", inner), ("main", outer))
    assert "fill, whose variable it is, is not in the selected thread's calls" in text(
        made.target, "follow"
    )
    made.target.frames = stack(("deeper", inner - 64), ("fill", inner), ("main", outer))
    assert "entries 2" in text(made.target, "follow")
    made.target.frames = []
    assert "entries 2" in text(made.target, "follow"), "the map is known by now"


def test_large_maps_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    target, model = number_map()
    model.fill({number: 1 for number in range(200)})
    while not model.growing():
        model.assign(1000 + model.get("count"), 1)
    monkeypatch.setattr("mapscope.commands.follow.MOST_ENTRIES", 100)
    text(target, "follow", "m")
    shown = text(target, "follow")
    assert "buckets not drawn: it has more than 100 entries" in shown
    assert "evacuated" in shown and "at least" in shown and "%" not in shown
    assert one(target, "follow")["walked"] is False


def test_words() -> None:
    target, _ = number_map()
    for line, said in (("--off", "no map is followed"), ("", "which map"), ("nothing", "nothing")):
        with pytest.raises(MapscopeError, match=said):
            text(target, "follow", line)
    text(target, "follow", "m")
    with pytest.raises(UsageError, match="--off stands alone"):
        text(target, "follow", "m --off")
    assert text(target, "follow", "--off") == "no map is followed any more\n"

# SPDX-License-Identifier: MIT
"""Stops as plans: each event stops at its place and only there, by whatever
mechanism, at few stops of the program, and with the map shown right."""

import json
import math
import os
import random
import struct
from collections import Counter
from contextlib import contextmanager
from typing import Dict, FrozenSet, Iterator, List, Set, Tuple

import pytest
from codec import Int, Value
from cppprogram import CppProgram
from goprogram import number_map, text_map
from host import FakeHit, FakeHost
from image import FakeFrame, FakeTarget, words
from looking import one, text
from mapscope.commands import FIRST_WORDS
from mapscope.errors import MapscopeError, NeedsProcess, UsageError
from mapscope.plans.cpp import filter as stop_filter
from mapscope.plans.go.go_runtime import GoRuntime
from mapscope.stops.host import Hit
from mapscope.stops.occurrence import Occurrence
from mapscope.stops.request import EVENTS, parse_progress
from model import GoMap, Hash, mixed

BASES = (
    "hashGrow mapclear advanceEvacuationMark fatal throw growWork makemap makemap_small"
).split()
VARIANTS = ("", "_fast32", "_fast64", "_faststr")


def functions() -> Set[str]:
    """The map functions of a Go program."""
    found = {f"runtime.{base}" for base in BASES}
    for base in ("evacuate", "mapassign", "mapdelete"):
        found |= {f"runtime.{base}{variant}" for variant in VARIANTS}
    return found


class Record:
    """What the map really does, told by the model itself.

    :ivar events: (event, bucket or number), in order
    """

    def __init__(
        self, model: GoMap, host: FakeHost, inlined: FrozenSet[Tuple[str, str]] = frozenset()
    ) -> None:
        self.events: List[Tuple[str, int]] = []
        self._model = model
        self._host = host
        self._inlined = inlined
        self._within = [""]
        model.at_entry = self._entry

    @contextmanager
    def _entry(self, frame: FakeFrame, registers: Dict[str, int]) -> Iterator[None]:
        model, name = self._model, frame.function[len("runtime.") :]
        bucket = registers.get("rcx", 0)
        moves = name.startswith("evacuate") and not model.evacuated(bucket)
        migrates = model.growing()
        if name == "hashGrow":
            self.events.append(("grow", 1 << model.get("B")))
        if moves:
            self.events.append(("evacuate", bucket))
        if name == "mapclear":
            self.events.append(("clear", model.get("count")))
        old = model.get("oldbuckets")
        total = model.old_count() if migrates else 0
        with self._called(name, frame, registers):
            yield
        if moves:
            size = model.shape.size
            heads = (model.image.read(old + n * size, 1)[0] for n in range(total))
            self.events.append(("moved", sum(2 <= head < 5 for head in heads)))
        if migrates and not model.growing() and name in ("advanceEvacuationMark", "mapclear"):
            self.events.append(("done", total))

    @contextmanager
    def _called(self, name: str, frame: FakeFrame, registers: Dict[str, int]) -> Iterator[None]:
        """A call is seen by the host; not one that is inlined in what calls it."""
        if (self._within[-1], name) in self._inlined:
            yield
            return
        self._within.append(name)
        with self._host.entered(frame, registers):
            yield
        self._within.pop()

    def of(self, event: str) -> List[int]:
        """What there is of one event."""
        return [number for name, number in self.events if name == event]


def started(
    variant: str = "_fast64", slots: int = 4, hasher: Hash = mixed
) -> Tuple[FakeTarget, GoMap, FakeHost, Record]:
    """A running Go program with one map m."""
    target, model = text_map() if variant == "_faststr" else number_map(variant, hasher)
    host = FakeHost(target, functions(), slots)
    model.set("buckets", model._make_array(0))
    return target, model, host, Record(model, host)


def churn(model: GoMap, writes: int, seed: int = 7, clears: bool = False) -> None:
    """Assigns, overwrites and deletes; doublings and growths of the same size."""
    rng = random.Random(seed)
    for number in range(writes):
        key = rng.randrange(writes)
        if rng.random() < 0.25 and number > writes // 3:
            model.delete(key)
        else:
            model.assign(key, number)
        if clears and number % (writes // 4) == writes // 8:
            model.clear()


def numbers(lines: List[str], event: str, before: str) -> List[int]:
    """The number behind `before` in each line of the event."""
    found = []
    for line in lines:
        if f": {event}" in line and before in line:
            found.append(int(line.split(before, 1)[1].split()[0].rstrip(",")))
    return found


# --- each event, by each mechanism ---


@pytest.mark.parametrize("slots", [4, 1, 0])
@pytest.mark.parametrize("where", ["m", ""])
@pytest.mark.parametrize("variant", ["_fast64", ""])
def test_growth_events(variant: str, where: str, slots: int) -> None:
    target, model, host, record = started(variant, slots)
    for event in ("grow", "evacuate", "done", "clear"):
        text(target, "break", f"{event} {where} --log")
    churn(model, 900, clears=True)
    lines = host.said
    assert len(numbers(lines, "grow", "thread ")) == len(record.of("grow")) > 4
    assert numbers(lines, "evacuate", "old bucket ") == record.of("evacuate")
    assert len(numbers(lines, "done", "thread ")) == len(record.of("done"))
    assert sum("abandoned by clear" in line for line in lines) > 0
    assert len(numbers(lines, "clear", "thread ")) == len(record.of("clear"))
    assert host.stopped == []


@pytest.mark.parametrize("slots", [4, 2, 1, 0])
@pytest.mark.parametrize("bucket", [0, 3, 17])
def test_one_bucket(bucket: int, slots: int) -> None:
    target, model, host, record = started(slots=slots)
    text(target, "break", f"evacuate m --bucket {bucket}")
    churn(model, 1500, clears=True)
    assert numbers(host.stopped, "evacuate", "old bucket ") == [
        b for b in record.of("evacuate") if b == bucket
    ]
    if slots >= 2:
        # a start, the bucket, an end; not each evacuation
        assert host.hits <= 3 * len(record.of("grow")) + 3


@pytest.mark.parametrize("slots", [4, 0])
@pytest.mark.parametrize("goal", ["50%", "1", "3", "100%", "0.01%", "7", "33.3%"])
def test_progress(goal: str, slots: int) -> None:
    target, model, host, record = started(slots=slots)
    text(target, "break", f"progress {goal} m")
    churn(model, 2500)
    wanted, old = [], 0
    for event, number in record.events:
        if event == "grow":
            old = number
        if event == "moved" and number == parse_progress(goal).of(old):
            wanted.append(number)
    assert numbers(host.stopped, "progress", "progress: ") == wanted
    assert wanted


@pytest.mark.parametrize("goal", ["50%", "1", "7", "100%"])
def test_progress_in_a_stripped_program(goal: str) -> None:
    target, model = number_map()
    host = FakeHost(target, set())
    model.set("buckets", model._make_array(0))
    record = Record(model, host)
    text(target, "break", f"progress {goal} m")
    churn(model, 900)
    old = [number for number in record.of("grow") if parse_progress(goal).of(number) <= number]
    if model.growing():
        old.pop()
    found = numbers(host.stopped, "progress", "progress: ")
    assert len(found) >= len(old) > 2 and host.said == []
    assert all(0 <= n - parse_progress(goal).of(o) <= 2 for n, o in zip(found, old))


def test_progress_takes_few_stops() -> None:
    target, model, host, record = started()
    rng = random.Random(3)
    bits = 11 if os.environ.get("MAPSCOPE_LONG") else 9
    while model.get("B") < bits or model.growing():
        model.assign(rng.getrandbits(40), 0)
    text(target, "break", "progress 90% m")
    host.hits = 0
    while not host.stopped:
        model.assign(rng.getrandbits(40), 0)
    assert numbers(host.stopped, "progress", "progress: ") == [math.ceil(0.9 * (1 << bits))]
    # two for the start, then about log2 of the goal; some of the buckets that are watched are
    # written to before the sweep reaches them
    assert host.hits < 4 * bits
    assert len(record.of("evacuate")) > 3 << bits - 1


@pytest.mark.parametrize("slots", [4, 0])
def test_progress_armed_late_stops_once_in_a_migration(slots: int) -> None:
    target, model, host, record = started(slots=slots)
    rng = random.Random(5)
    while not (model.growing() and model.get("B") == 7 and model.get("nevacuate") > 40):
        model.assign(rng.getrandbits(40), 0)
    evacuated = record.of("moved")[-1]
    text(target, "break", "progress 20 m")
    while model.growing():
        model.assign(rng.getrandbits(40), 0)
    assert numbers(host.stopped, "progress", "progress: ") == [evacuated + 1]
    host.stopped = []
    while not (model.get("B") == 8 and not model.growing()):
        model.assign(rng.getrandbits(40), 0)
    assert numbers(host.stopped, "progress", "progress: ") == [20]


@pytest.mark.parametrize("slots", [4, 1, 0])
@pytest.mark.parametrize("event", ["assign", "delete"])
@pytest.mark.parametrize("variant", ["_fast64", "_faststr", ""])
def test_writes(variant: str, event: str, slots: int) -> None:
    target, model, host, _ = started(variant, slots)
    keys: List[Value] = [f"k{n}" if variant == "_faststr" else n for n in range(60)]
    for key in keys:
        model.assign(key, 1)
    text(target, "break", f"{event} m --log")
    text(target, "break", f"{event} m --key {keys[7]} --log")
    host.said = []
    for key in keys[5:10]:
        model.assign(key, 2)
    model.delete(keys[7])
    model.delete("none" if variant == "_faststr" else 7777)
    named = [line for line in host.said if "stop 2" in line]
    assert len(named) == 1
    shown = [line.split("of key ")[1].split(", ")[0] for line in host.said if "stop 1" in line]
    quoted = [f'"{key}"' if variant == "_faststr" else str(key) for key in keys]
    if event == "assign":
        assert shown == quoted[5:10]
    elif slots:
        assert shown == [quoted[7]]
    else:
        assert shown[0] == quoted[7]  # at the function's start it is not known whether it is there


def test_writes_while_migrating() -> None:
    target, model, host, record = started()
    text(target, "break", "assign m --migrating --log")
    wanted = 0
    for key in range(500):
        before = len(record.of("done"))
        wanted += model.growing()
        model.assign(key, key)
        assert len(record.of("done")) - before in (0, 1)
    assert len(host.said) == wanted
    # one watchpoint outside of migrations
    while model.growing():
        model.assign(1, 1)
    assert len(host.points) == 1


def test_kinds_of_growth() -> None:
    # fifty keys at a time in one bucket, then in the next: overflow buckets pile up
    target, model, host, record = started(
        hasher=lambda key, seed: int(str(key)) // 50 & 7 | (int(str(key)) % 200 + 5) << 56
    )
    text(target, "break", "grow m --same-size --log")
    text(target, "break", "grow --doubling --log")
    text(target, "break", "done m --same-size --log")
    for number in range(600):
        model.assign(number, number)
        if number >= 50:
            model.delete(number - 50)
    kinds = Counter(line.split(":")[0] for line in host.said)
    assert kinds["mapscope stop 1"] > 0 and kinds["mapscope stop 2"] > 0
    assert kinds["mapscope stop 1"] + kinds["mapscope stop 2"] == len(record.of("grow"))
    assert abs(kinds["mapscope stop 1"] - kinds["mapscope stop 3"]) <= 1


def test_race() -> None:
    target, model, host, _ = started()
    message = model.image.place(b"concurrent map writes")
    other = model.image.place(b"all goroutines are asleep")
    text(target, "break", "race m")
    with model._in("mapassign_fast64"):
        frame = FakeFrame(1, "runtime.fatal")
        for start, length in ((other, 25), (message, 21)):
            with host.entered(frame, {"rax": start, "rbx": length}):
                pass
    (line,) = host.stopped
    assert "race (concurrent map writes), map[uint64]uint64" in line


def test_two_evacuations_at_a_time_are_a_race() -> None:
    target, model, host, _ = started()
    message = model.image.place(b"bad map state")
    text(target, "break", "race")
    with model._in("mapassign_fast64"):
        with host.entered(FakeFrame(1, "runtime.throw"), {"rax": message, "rbx": 13}):
            pass
    (line,) = host.stopped
    assert "race (bad map state), map[uint64]uint64" in line


# --- builds with a profile ---

ASSIGN, DELETE, WORK = "mapassign_fast64", "mapdelete_fast64", "growWork_fast64"
EVACUATE, ADVANCE = "evacuate_fast64", "advanceEvacuationMark"
SOURCE = {
    ASSIGN: [WORK, "hashGrow"],
    DELETE: [WORK],
    WORK: [EVACUATE, EVACUATE],
    EVACUATE: [ADVANCE],
}
#: calls that are inlined, as (in the code of, called there)
BUILDS: Dict[str, List[Tuple[str, str]]] = {
    "none": [],
    "Go 1.22": [(WORK, EVACUATE)],
    "Go 1.24": [(ASSIGN, WORK), (WORK, EVACUATE), (EVACUATE, ADVANCE)],
    "Go 1.21": [(EVACUATE, ADVANCE)],
    "Go 1.21, reflect": [(ASSIGN, "hashGrow"), (WORK, EVACUATE)],
    "all of one": [(WORK, EVACUATE), (WORK, ADVANCE), (ASSIGN, "hashGrow")],
}


def profiled(build: str, slots: int = 4) -> Tuple[FakeTarget, GoMap, FakeHost, Record]:
    """A running program with one map m, some of whose runtime's calls are inlined."""
    inlined = frozenset(BUILDS[build])

    def calls(holder: str, function: str) -> Iterator[str]:
        for callee in SOURCE.get(function, ()):
            if (holder, callee) in inlined:
                yield from calls(holder, callee)
            else:
                yield callee

    code = {name: list(calls(name, name)) for name in (ASSIGN, DELETE)}
    todo = [*code[ASSIGN], *code[DELETE]]
    while todo:
        name = todo.pop()
        if name not in code:
            code[name] = list(calls(name, name))
            todo += code[name]
    target, model = number_map()
    host = FakeHost(target, {f"runtime.{name}" for name in {*code, "mapclear"}}, slots)
    host.compile({f"runtime.{f}": [f"runtime.{c}" for c in called] for f, called in code.items()})
    model.set("buckets", model._make_array(0))
    return target, model, host, Record(model, host, inlined)


@pytest.mark.parametrize("where, slots", [("m", 4), ("m", 0), ("", 0)])
@pytest.mark.parametrize("build", BUILDS)
def test_growth_events_where_functions_are_inlined(build: str, where: str, slots: int) -> None:
    target, model, host, record = profiled(build, slots)
    for event in ("grow", "evacuate", "done", "clear"):
        text(target, "break", f"{event} {where} --log")
    churn(model, 500, clears=True)
    lines = host.said
    assert len(numbers(lines, "grow", "thread ")) == len(record.of("grow")) > 3
    assert numbers(lines, "evacuate", "old bucket ") == record.of("evacuate")
    assert len(numbers(lines, "done", "thread ")) == len(record.of("done"))


@pytest.mark.parametrize("build", BUILDS)
def test_trace_where_functions_are_inlined(build: str) -> None:
    target, model, host, record = profiled(build)
    text(target, "trace", "on")
    churn(model, 400, clears=True)
    count = Counter(line.split()[1] for line in host.said)
    assert count["grows"] == len(record.of("grow"))
    assert count["growth"] == len(record.of("done"))
    moved = [line.split("bkt#", 1)[1] for line in host.said if "migration" in line]
    assert [int(line.split()[0]) for line in moved] == record.of("evacuate")
    # the same as where nothing is inlined
    plain_target, plain, plain_host, _ = profiled("none")
    text(plain_target, "trace", "on")
    churn(plain, 400, clears=True)
    assert moved == [line.split("bkt#", 1)[1] for line in plain_host.said if "migration" in line]


@pytest.mark.parametrize("slots", [4, 0])
@pytest.mark.parametrize("goal", ["50%", "7"])
@pytest.mark.parametrize("build", BUILDS)
def test_progress_where_functions_are_inlined(build: str, goal: str, slots: int) -> None:
    target, model, host, record = profiled(build, slots)
    text(target, "break", f"progress {goal} m")
    churn(model, 900)
    wanted, old = [], 0
    for event, number in record.events:
        if event == "grow":
            old = number
        if event == "moved" and number == parse_progress(goal).of(old):
            wanted.append(number)
    found = numbers(host.stopped, "progress", "progress: ")
    assert len(found) == len(wanted) > 2
    # growWork evacuates up to two, and is seen as a whole
    assert all(0 <= number - goal <= 1 for number, goal in zip(found, wanted))


@pytest.mark.parametrize("slots", [4, 0])
@pytest.mark.parametrize("build", BUILDS)
def test_one_bucket_where_functions_are_inlined(build: str, slots: int) -> None:
    target, model, host, record = profiled(build, slots)
    text(target, "break", "evacuate m --bucket 3 --ignore 1")
    text(target, "break", "evacuate --once")
    churn(model, 700)
    stopped = [line for line in host.stopped if "stop 1:" in line]
    assert len(stopped) == record.of("evacuate").count(3) - 1 > 1
    assert all("old bucket 3 " in line for line in stopped)
    assert sum("stop 2:" in line for line in host.stopped) == 1


def test_what_is_inlined_is_said() -> None:
    said = {}
    for build in BUILDS:
        target, _, _, _ = profiled(build)
        said[build] = text(target, "break", "evacuate"), text(target, "break", "grow")
    assert "inlined" not in said["none"][0] + said["Go 1.21"][0]
    assert f"evacuate inlined (by a profile) in runtime.{WORK}: noticed" in said["Go 1.22"][0]
    assert "this build has hashGrow inlined (by a profile)" in said["Go 1.21, reflect"][1]
    assert "inlined" not in said["Go 1.22"][1]


def test_what_is_not_noticed_is_said() -> None:
    target, model = number_map()
    host = FakeHost(target, {f"runtime.{name}" for name in (ASSIGN, DELETE, WORK, ADVANCE)})
    calls = {ASSIGN: [ADVANCE, ADVANCE], DELETE: [WORK], WORK: [ADVANCE, ADVANCE]}
    host.compile({f"runtime.{f}": [f"runtime.{c}" for c in called] for f, called in calls.items()})
    said = text(target, "break", "evacuate")
    assert f"not noticed: migrations by runtime.{ASSIGN}, where growWork and evacuate" in said
    assert f"inlined (by a profile) in runtime.{WORK}: noticed" in said


# --- what is seen at stops ---


@pytest.mark.parametrize("event", ["grow", "evacuate", "progress 3", "done", "delete", "clear"])
def test_the_map_is_right_at_every_stop(event: str) -> None:
    target, model, host, _ = started()
    seen: List[str] = []

    def look() -> None:
        rows = text(target, "entries", "--json").splitlines()[1:-1]
        truth = dict(model.truth)
        shown = {}
        for row in rows:
            entry = json.loads(row)
            assert entry["key"] not in shown
            shown[entry["key"]] = entry["value"]
        # what is being written may be there or not
        if model.touched is not None:
            truth.pop(model.touched, None)
            shown.pop(model.touched, None)
        if event != "clear":
            assert shown == truth
        form = one(target, "stop")
        assert form["event"] == event.split()[0]
        assert form["map"]["address"] == hex(model.address)
        seen.append(form["event"])

    text(target, "break", f"{event} m")
    host.at_stop = look
    churn(model, 700, clears=True)
    assert len(seen) > 2
    with pytest.raises(MapscopeError, match="not at a map stop"):
        text(target, "stop")


# --- options ---


def test_ignore_once_log_thread_if() -> None:
    target, model, host, record = started()
    text(target, "break", "grow m --ignore 3")
    text(target, "break", "grow m --once")
    text(target, "break", "grow m --thread 1 --if true")
    text(target, "break", "grow m --if false")
    text(target, "break", "grow m --log --once")
    churn(model, 600)
    stops = Counter(line.split(":")[0] for line in host.stopped)
    grown = len(record.of("grow"))
    assert stops == {
        "mapscope stop 1": grown - 3,
        "mapscope stop 2": 1,
        "mapscope stop 3": grown,
    }
    assert len(host.said) == 1
    rows = {row["id"]: row for row in one(target, "break", "list")["stops"]}
    assert sorted(rows) == [1, 3, 4]
    assert rows[1]["hits"] == grown and rows[4]["hits"] == 0


def test_a_condition_that_cannot_be_evaluated_stops_and_says_so() -> None:
    target, model, host, _ = started()
    text(target, "break", "grow m --if broken")
    for key in range(9):
        model.assign(key, key)
    assert "--if: No symbol" in host.said[0]
    assert host.stopped


def test_at() -> None:
    target, model, host, record = started()
    host.functions["main.begin"] = 0x500000
    known = target.variables.pop("m")
    text(target, "break", "grow m --at main.begin")
    assert "waits for main.begin" in text(target, "break", "list")
    for key in range(30):
        model.assign(key, key)
    assert not host.stopped
    target.variables["m"] = known
    host.arrive("main.begin")
    assert "armed: grow, map[uint64]uint64" in host.said[-1]
    before = len(record.of("grow"))
    for key in range(30, 300):
        model.assign(key, key)
    assert len(host.stopped) == len(record.of("grow")) - before > 0


def test_delete_disable_and_share() -> None:
    target, model, host, record = started()
    # all four watch the same word: one hardware watchpoint
    for number in range(4):
        text(target, "break", "grow m --log")
    text(target, "break", "delete 1 2")
    host.stops.point_deleted(host.visible(3))
    host.stops.point_enabled(host.visible(4), False)
    churn(model, 100)
    assert host.said == []
    host.stops.point_enabled(host.visible(4), True)
    before = len(record.of("grow"))
    churn(model, 400)
    assert len(host.said) == len(record.of("grow")) - before > 0
    text(target, "break", "delete all")
    assert host.points == [] and text(target, "break", "list") == "no map stops\n"


def test_a_stop_enabled_in_the_middle_of_a_migration_finds_its_way() -> None:
    target, model, host, record = started()
    text(target, "break", "progress 50% m")
    text(target, "break", "evacuate m --bucket 60")
    host.stops.point_enabled(host.visible(1), False)
    host.stops.point_enabled(host.visible(2), False)
    while not (model.get("B") == 7 and model.get("nevacuate") > 3):
        model.assign(len(model.truth), 0)
    assert not model.evacuated(60) and not host.stopped
    host.stops.point_enabled(host.visible(1), True)
    host.stops.point_enabled(host.visible(2), True)
    while model.growing():
        model.assign(len(model.truth), 0)
    assert numbers(host.stopped, "progress", "progress: ") == [32]
    assert numbers(host.stopped, "evacuate", "old bucket ") == [60]


def test_a_map_that_is_gone_retires_its_stop() -> None:
    target, model, host, _ = started()
    text(target, "break", "grow m")
    text(target, "break", "delete m")
    model.fill({n: n for n in range(20)})
    host.stopped = []
    with model._in("memclrNoHeapPointers"):
        model.frames[0].function = "runtime.memclrNoHeapPointers"
        for offset in (0, 24):
            model.image.store(model.address + offset, b"\x55" * 8)
    assert host.stopped == [] and text(target, "break", "list") == "no map stops\n"
    assert len(host.said) == 2
    assert all("retired: its map" in line and "is gone" in line for line in host.said)


def test_the_end_of_the_process() -> None:
    target, model, host, _ = started()
    host.functions["main.begin"] = 0x500000
    text(target, "break", "grow m")
    text(target, "break", "done m --at main.begin")
    text(target, "break", "evacuate --log")
    host.arrive("main.begin")
    host.stops.process_ended()
    assert "stop 1 (grow) retired: its process has ended or was left" in host.said[-1]
    rows = {row["id"]: row for row in one(target, "break", "list")["stops"]}
    assert sorted(rows) == [2, 3] and rows[2]["waits_for"] == "main.begin"


# --- trace ---


def test_a_thread_at_the_breakpoint_already_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes there again when a signal is handled before the instruction."""
    target, _, host, _ = started()
    place = host.functions["runtime.hashGrow"]
    registers = {"rip": place, "r14": 0xC000006000, "rbx": 1}
    monkeypatch.setattr(host, "here", lambda: FakeHit(target, registers, 0))
    hits: List[int] = []

    def on_hit(hit: Hit) -> bool:
        hits.append(hit.register("rbx"))
        return False

    GoRuntime(host, 19, False).breakpoint("runtime.hashGrow", on_hit, False)
    point = host.points[-1]
    for map in (1, 1, 2, 2, 1):
        point.on_hit(FakeHit(target, {**registers, "rbx": map}, 0))
    assert hits == [2, 1]


def test_trace() -> None:
    target, model, host, record = started()
    text(target, "trace", "on m")
    churn(model, 400, clears=True)
    map = f"map[{model.address:#x}]"
    assert all(line.startswith(map + " ") for line in host.said)
    count = Counter(line.split()[1] for line in host.said)
    assert count["grows"] == len(record.of("grow"))
    assert count["bucket"] == len(record.of("evacuate"))
    assert count["growth"] == len(record.of("done"))
    assert count["cleared"] == len(record.of("clear"))
    moved = [int(line.split("bkt#")[1].split()[0]) for line in host.said if "migration" in line]
    assert moved == record.of("evacuate")
    assert "ended" in text(target, "trace", "off")
    assert host.points == []


def test_trace_counts_what_was_moved() -> None:
    target, model, host, _ = started()
    text(target, "trace", "on")
    for key in range(9):
        model.assign(key, key)
    model.assign(100, 0)
    lines = [line.split("] ")[1] for line in host.said]
    up = sum(model.hash(key) & 1 for key in range(8))
    assert lines == [
        "grows from 1 to 2 buckets (entries: 9 with the new one, load factor: 9.00 -> 4.50)",
        f"bucket migration: bkt#0 -> bkt#0, bkt#1 ({8 - up} + {up} keys moved)",
        "growth done: 2 buckets",
    ]


# --- wrong words ---


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "the following arguments are required: EVENT; see"),
        ("explode m", "no event explode; there are grow, evacuate"),
        ("grow m n", "one MAP is expected, not m n"),
        ("progress", "how far? as in map break progress 50% m"),
        ("progress 150% m", "more than 0% and at most 100%"),
        ("progress 0% m", "more than 0%"),
        ("progress 0 m", "expected a part of the old buckets, as 50%"),
        ("progress m 50%", "it stands before MAP"),
        ("progress -5 m", "expected a part"),
        ("grow m --bucket 3", "--bucket makes no sense here; it goes with evacuate"),
        ("clear m --key 3", "--key makes no sense here; it goes with assign and delete"),
        ("done m --migrating", "--migrating makes no sense here"),
        ("assign --same-size m", "makes no sense here"),
        ("assign --key 1", "--key needs a MAP"),
        ("grow --at main.begin", "--at needs a MAP"),
        ("grow m --shrink", "Go's maps never shrink"),
        ("assign m --key x", "x is no key of type uint64"),
        ("assign m --key ''", "'' is no key of type uint64"),
        ("evacuate m --bucket -1", "a number from 0 on is expected"),
        (f"evacuate m --bucket {1 << 64}", "no map has so many buckets"),
        (f"grow m --ignore {1 << 64}", "nothing happens so often"),
        ("grow m --at ''", "--at: where?"),
        ("grow nothere", "if it does not exist yet, say where it does: --at LOCATION"),
        ("grow m --at nowhere", "no function nowhere"),
        ("grow m --thread 9", "there is no thread 9"),
        ("delete", "which? map break delete 1, or all, deletes stops"),
        ("delete 4", "there is no mapscope stop 4; there are: none"),
        ("list m", "takes no further words"),
    ],
)
def test_wrong_words(line: str, message: str) -> None:
    target, _, host, _ = started()
    with pytest.raises(MapscopeError) as found:
        text(target, "break", line)
    assert message in str(found.value) and "\n" not in str(found.value)
    assert host.points == []


def test_beyond_the_old_array() -> None:
    target, model, host, _ = started()
    while not (model.growing() and model.get("B") == 5):
        model.assign(len(model.truth), 0)
    for line in ("evacuate m --bucket 16", "progress 17 m"):
        with pytest.raises(UsageError, match="migrating from 16 buckets"):
            text(target, "break", line)
    text(target, "break", "evacuate m --bucket 15")
    host.process = "core"
    with pytest.raises(MapscopeError, match="a core dump cannot run"):
        text(target, "break", "grow m")
    with pytest.raises(MapscopeError, match="a core dump cannot run"):
        text(target, "trace", "on")


def test_completion_knows_all_events() -> None:
    assert set(FIRST_WORDS["break"]) == {*EVENTS, "list"}


@pytest.mark.parametrize("name, line", [("trace", "on"), ("break", "grow"), ("break", "grow m")])
def test_nothing_is_set_while_the_process_runs(name: str, line: str) -> None:
    target, _, host, _ = started()

    def running() -> bool:
        raise NeedsProcess("the process is running: interrupt it first")

    setattr(target, "has_memory", running)
    with pytest.raises(NeedsProcess, match="running"):
        text(target, name, line)
    assert host.points == []


def test_trace_words() -> None:
    target, _, _, _ = started()
    with pytest.raises(UsageError, match="on or off is expected, not maybe"):
        text(target, "trace", "maybe")
    with pytest.raises(UsageError, match="no such trace"):
        text(target, "trace", "off")
    with pytest.raises(UsageError, match="cannot write /nowhere/x"):
        text(target, "trace", "on -o /nowhere/x")


# --- the runtime's filter ---


class Runtime:
    """A C++ program with one map m, and what its filter and its hook's events look like."""

    def __init__(self, debug: bool = True) -> None:
        self.program = CppProgram(debug=debug)
        self.model = self.program.map("m", Int(8), Int(8))
        self.target = self.program.target
        self.image = self.program.image
        self.host = FakeHost(self.target, set())
        if debug:
            self.host.functions["mapscope_debug_stop"] = self.program.hook
        self.writes: List[int] = []
        self.host.on_write = lambda at: self.writes.append(at - self.program.filter)

    def slot(self, number: int) -> Tuple[int, ...]:
        """events, conditions, map, bucket, progress, key_hash, ignore, hits, thread, reported"""
        raw = self.image.read(self.program.filter + 64 + 64 * number, 64)
        return struct.unpack("<II6QII", raw)

    def summary(self) -> Tuple[int, ...]:
        """armed, armed_slots, only_map"""
        raw = self.image.read(self.program.filter, 24)
        return struct.unpack("<II8xQ", raw)

    def event(self, event: int, slots: int, **fields: int) -> None:
        """The runtime stops."""
        values = dict(bucket=stop_filter.NO_BUCKET, old_buckets=0, buckets=8, evacuated=0, count=5)
        values.update(dict(key=0, key_hash=0, message=0, kind=0, flags=0, x=0, y=0, hint=0))
        values.update(fields)
        maptype = self.image.word(self.model.address + 48 + 24)
        raw = struct.pack("<4I2Q", event, 0, slots, 1000, self.model.address, maptype)
        names = "bucket old_buckets buckets evacuated count key key_hash message".split()
        raw += words(*(values[name] for name in names))
        raw += struct.pack("<II", values["kind"], values["flags"])
        raw += words(values["x"], values["y"], values["hint"])
        self.host.hook(self.program.hook, self.image.place(raw))


def test_slots() -> None:
    run = Runtime()
    address = run.model.address
    gone = stop_filter.DESTROY
    text(run.target, "break", "evacuate m --bucket 5 --ignore 2 --doubling")
    assert run.slot(0) == (2 | gone, 1 | 2 | 0x10, address, 5, 0, 0, 2, 0, 0, 0)
    # events last, then only_map, armed_slots, armed (debug.h)
    assert run.writes == [64, 64, 64, 16, 4, 0]
    text(run.target, "break", "progress 12.5% --once")
    assert run.slot(1)[:5] == (4, stop_filter.MILLIONTHS | stop_filter.ONCE, 0, 0, 125_000)
    assert run.summary() == (2 | 4 | gone, 3, 0)
    text(run.target, "break", "assign m --migrating --thread 1")
    assert run.slot(2) == (16 | gone, 1 | 8, address, 0, 0, 0, 0, 0, 1000, 0)
    assert run.summary() == (2 | 4 | 16 | gone, 7, address)
    text(run.target, "break", "delete --log")
    assert run.summary() == (2 | 4 | 16 | 32 | gone, 15, 0)
    run.host.stops.point_enabled(run.host.visible(4), False)
    assert run.slot(3)[0] == 0 and run.summary() == (2 | 4 | 16 | gone, 7, address)
    run.host.stops.point_enabled(run.host.visible(4), True)
    assert run.slot(3)[0] == 32
    text(run.target, "break", "delete all")
    assert run.summary() == (0, 0, 0)


def test_sixteen_slots() -> None:
    run = Runtime()
    for _ in range(16):
        text(run.target, "break", "grow")
    with pytest.raises(UsageError, match="all 16 slots .* are in use"):
        text(run.target, "break", "grow")
    assert len(run.host.points) == 16
    text(run.target, "break", "delete 3")
    text(run.target, "break", "grow")


def test_hook_events() -> None:
    run = Runtime()
    text(run.target, "break", "evacuate m --log")
    text(run.target, "break", "done")
    run.event(stop_filter.EVACUATE, 1, bucket=3, old_buckets=4, kind=1, evacuated=1)
    run.event(stop_filter.DONE, 2, old_buckets=4, kind=1, flags=stop_filter.FLAG_BY_CLEAR)
    run.event(stop_filter.DONE, 4)  # another debugger's slot
    map = run.host.said[0].split(", ", 1)[1].split(", doubling")[0]
    assert map.endswith(hex(run.model.address)) and map.startswith("mapscope::map<")
    assert run.host.said == [
        f"mapscope stop 1: evacuate old bucket 3 of 4, {map}, doubling 4 -> 8 buckets, "
        "25.0% done, thread 1"
    ]
    assert run.host.stopped == [
        f"mapscope stop 2: done (abandoned by clear), {map}, doubling 4 -> 8 buckets, "
        "5 entries, thread 1"
    ]
    run.event(stop_filter.DESTROY, 1)
    assert "retired: its map was destroyed" in run.host.said[-1]
    assert [row["id"] for row in one(run.target, "break", "list")["stops"]] == [2]


def test_key_hash_follows_the_seed() -> None:
    run = Runtime()
    text(run.target, "break", "assign m --key 77")
    wanted = run.model.hash(77)
    assert run.slot(0)[0] == 16 | stop_filter.RESEED | stop_filter.DESTROY
    assert run.slot(0)[1] == 1 | 4 and run.slot(0)[5] == wanted
    run.model.set("hash0", 1234)
    run.event(stop_filter.RESEED, 1)
    assert run.slot(0)[5] == run.model.hash(77) != wanted
    # another key of the same hash
    other = run.image.place(words(78))
    run.event(stop_filter.ASSIGN, 1, key=other)
    assert run.host.stopped == []
    run.event(stop_filter.ASSIGN, 1, key=run.image.place(words(77)), flags=16)
    assert "assign of key 77 (new key)" in run.host.stopped[0]


def test_a_runtime_without_debug_support_says_so() -> None:
    run = Runtime(debug=False)
    with pytest.raises(MapscopeError, match="built without debug support"):
        text(run.target, "break", "grow m")


def test_an_event_for_a_stop_that_is_gone() -> None:
    run = Runtime()
    text(run.target, "break", "grow")
    text(run.target, "break", "delete all")
    text(run.target, "break", "assign --migrating")
    # a slot that was freed is taken last: events for it may still be on their way
    assert run.slot(0)[0] == 0 and run.slot(1)[0] == stop_filter.ASSIGN
    run.event(stop_filter.GROW, 1, kind=1)
    run.event(stop_filter.GROW, 2, kind=1)
    run.event(stop_filter.ASSIGN, 2)
    assert run.host.stopped == []
    run.event(stop_filter.ASSIGN, 2, flags=stop_filter.FLAG_MIGRATING)
    assert len(run.host.stopped) == 1 and "stop 2: assign" in run.host.stopped[0]
    assert one(run.target, "break", "list")["stops"][0]["hits"] == 1


def test_what_a_slot_accepts() -> None:
    run = Runtime()
    slot = stop_filter.Slot(
        stop_filter.PROGRESS, stop_filter.IF_MAP | stop_filter.MILLIONTHS | 0x10, run.model.address
    )
    slot.progress = 500_000
    base = {"old_buckets": 8, "evacuated": 4, "kind": 1}
    changes: Tuple[Tuple[Dict[str, int], bool], ...] = (
        ({}, True),
        ({"evacuated": 3}, False),
        ({"evacuated": 5}, True),
        ({"kind": 3}, False),
        ({"kind": 0}, False),
    )
    for change, wanted in changes:
        event = stop_filter.Event(
            **{
                **dict.fromkeys(stop_filter.Event.__dataclass_fields__, 0),
                **base,
                "event": stop_filter.PROGRESS,
                "map": run.model.address,
                **change,
            }
        )
        assert slot.accepts(event) == wanted, change


def test_a_hit_is_not_forgotten_when_threads_go_on_before_its_stop() -> None:
    run = Runtime()
    text(run.target, "break", "grow")
    stops, lines = run.host.stops, run.host.stopped
    run.event(stop_filter.GROW, 1, kind=1)
    assert len(lines) == 1
    # gdb tells that a thread goes on also between a hit and the stop for it
    hit = FakeHit(run.target, {}, 0)
    stop = next(iter(stops))
    assert stop.occurred(hit, lambda: Occurrence("grow", 1, "m", 1, "breakpoint"), None)
    stops.running()
    assert [line.split(",")[0] for line in stops.halted(1)] == ["mapscope stop 1: grow"]
    # a stop of another thread is not for it
    assert stop.occurred(hit, lambda: Occurrence("grow", 1, "m", 1, "breakpoint"), None)
    assert stops.halted(2) == [] and stops.halted(1) == []


def test_type_and_size_of_any_map() -> None:
    run = Runtime()
    with pytest.raises(MapscopeError, match="no type mapscope::map<bool, bool> in this program"):
        text(run.target, "break", "grow --type 'mapscope::map<bool, bool>'")
    name = one(run.target, "inspect", "m")["type"]
    text(run.target, "break", f"grow --type '{name.replace(' ', '')}' --min-entries 5 --ignore 1")
    for count in (4, 5, 6):
        run.event(stop_filter.GROW, 1, kind=1, count=count)
    assert len(run.host.stopped) == 1 and "6 entries" in run.host.stopped[0]

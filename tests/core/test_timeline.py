# SPDX-License-Identifier: MIT
"""Timelines for Perfetto: what is drawn of which events, and what becomes of their files."""

import io
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

import pytest
from codec import Int
from cppprogram import CppProgram
from looking import text
from mapscope.errors import UsageError
from mapscope.maps import timeline as timelines
from mapscope.maps.event_lines import (
    cleared_line,
    created_line,
    destroyed_line,
    done_line,
    grow_line,
    moved_line,
)
from mapscope.maps.timeline import About, Timeline
from mapscope.program.protobuf import number_field, varint
from test_history import CREATE, DONE, GROW, TSC, Rings
from test_stops import churn, started

Value = Union[int, bytes]
BEGIN, END, INSTANT, COUNT = 1, 2, 3, 4
MAP = 0xC000


def fields(raw: bytes) -> Iterator[Tuple[int, Value]]:
    """(number, value) of each field of a message."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        tag = number()
        value = number()
        if tag & 7 == 2:
            yield tag >> 3, raw[at : at + value]
            at += value
        else:
            yield tag >> 3, value


def message(raw: Value) -> Dict[int, Value]:
    """A message's fields."""
    assert isinstance(raw, bytes)
    return dict(fields(raw))


class Drawn:
    """What is in a timeline.

    :ivar tracks: the names of tracks, by number
    :ivar events: (time, type, name of the track, name or value)
    """

    def __init__(self, raw: bytes) -> None:
        self.tracks: Dict[Value, str] = {}
        self.events: List[Tuple[Value, Value, str, Union[str, Value]]] = []
        for _, packet in fields(raw):
            found = message(packet)
            if 60 in found:
                track = message(found[60])
                name = track[2]
                assert isinstance(name, bytes)
                self.tracks[track[1]] = name.decode()
            if 11 in found:
                event = message(found[11])
                name = event.get(23, b"")
                assert isinstance(name, bytes)
                said = event[30] if 30 in event else name.decode()
                self.events.append((found[8], event[9], self.tracks[event[11]], said))

    def of(self, type: int, track: str) -> List[Union[str, Value]]:
        """Names or values of a track's events."""
        return [event[3] for event in self.events if event[1] == type and event[2] == track]


def about() -> About:
    """Of a map with buckets of 100 bytes."""
    return About("map[int]int", 100)


def drawn(lines: Sequence[str], thread: Optional[str] = "thread 1") -> Drawn:
    """A timeline of lines, a nanosecond apart."""
    file = io.BytesIO()
    line = Timeline(file, 5)
    for time, one in enumerate(lines):
        line.add(one, time + 10, thread, about)
    return Drawn(file.getvalue())


def test_numbers() -> None:
    assert varint(0) == b"\0" and varint(300) == b"\xac\x02"
    assert varint(-1) == b"\xff" * 9 + b"\x01"
    assert number_field(8, 150) == b"\x40\x96\x01"


def test_a_life() -> None:
    found = drawn(
        [
            created_line(MAP, 5, 1),
            grow_line(MAP, "double", 1, 2, 8, 0),
            moved_line(MAP, 0, 1, 2, 3, 5),
            done_line(MAP, 2, ""),
            cleared_line(MAP, 9),
            destroyed_line(MAP, 0),
        ]
    )
    name = "map[int]int 0xc000"
    assert list(found.tracks.values())[:3] == ["maps", "threads", name]
    assert found.of(BEGIN, name) == ["grows from 1 to 2 buckets"]
    assert [event[:2] for event in found.events if event[2] == name] == [
        (10, INSTANT),
        (11, BEGIN),
        (12, INSTANT),
        (13, INSTANT),
        (13, END),
        (14, INSTANT),
        (15, INSTANT),
    ]
    assert found.of(COUNT, "entries") == [0, 8, 0]
    assert found.of(COUNT, "bytes of bucket arrays") == [100, 300, 200, 0]
    assert len(found.of(INSTANT, "thread 1")) == 6


def test_what_is_lost_is_not_made_up() -> None:
    """A beginning, an end, a type, a thread that are not known."""
    found = drawn([moved_line(MAP, 3, 8, 16, 1, 1), done_line(MAP, 16, "")], None)
    name = "map[int]int 0xc000"
    assert found.of(BEGIN, name) == ["migration of 8 buckets, begun before"]
    assert len(found.of(END, name)) == 1
    assert found.of(COUNT, "entries") == [] and len(found.tracks) == 4
    found = drawn([done_line(MAP, 16, "")])
    assert not found.of(BEGIN, name) and not found.of(END, name)
    twice = [grow_line(MAP, "double", 1, 2, 8, 0), grow_line(MAP, "double", 2, 4, 16, 0)]
    found = drawn(twice)
    assert [event[1] for event in found.events if event[2] == name] == [BEGIN, END, BEGIN]
    file = io.BytesIO()
    Timeline(file, 0).add(created_line(MAP, 0, 1), 1)
    assert "bytes of bucket arrays" not in Drawn(file.getvalue()).tracks.values()
    assert "map 0xc000" in Drawn(file.getvalue()).tracks.values()


def test_what_a_later_event_tells() -> None:
    file = io.BytesIO()
    timeline = Timeline(file, 0)
    timeline.add(created_line(MAP, 0, 1), 1)
    timeline.add(done_line(MAP, 4, ""), 2, None, about)
    timeline.add(done_line(MAP, 8, ""), 3, None, lambda: pytest.fail("asked twice"))
    assert Drawn(file.getvalue()).of(COUNT, "bytes of bucket arrays") == [400, 800]


def test_another_map_at_the_address() -> None:
    grow = grow_line(MAP, "double", 1, 2, 8, 0)
    found = drawn([created_line(MAP, 0, 1), grow, created_line(MAP, 9, 2), grow])
    names = [name for name in found.tracks.values() if name.endswith("0xc000")]
    assert len(names) == 2
    assert [event[1] for event in found.events if event[1] in (BEGIN, END)] == [BEGIN, END, BEGIN]


def test_time_never_goes_back() -> None:
    file = io.BytesIO()
    timeline = Timeline(file, 0)
    for time in (100, 50, 1 << 70, -1):
        timeline.add(cleared_line(MAP, 1), time)
    times = [event[0] for event in Drawn(file.getvalue()).events]
    assert times == sorted(times, key=int) and times[-1] == (1 << 63) - 1


def test_hostile_text() -> None:
    file = io.BytesIO()
    timeline = Timeline(file, 0)
    timeline.add(cleared_line(MAP, 1), 1, None, lambda: About("map[\x1b[31m\ud800]" + "x" * 5000))
    [name] = [name for name in Drawn(file.getvalue()).tracks.values() if name.startswith("map[")]
    assert "\x1b" not in name and len(name) <= 1000


def test_few_maps_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "_MOST", 3)
    file = io.BytesIO()
    timeline = Timeline(file, 0)
    for number in range(10):
        timeline.add(grow_line(number, "double", 1, 2, 8, 0), number, f"thread {number}")
    assert len(timeline._lives) == len(timeline._threads) == 3


def test_a_process_ends_and_another_starts() -> None:
    file = io.BytesIO()
    timeline = Timeline(file, 0)
    grow = grow_line(MAP, "double", 1, 2, 8, 0)
    timeline.add(grow, 1, "thread 1 (7)")
    timeline.process_ended(2)
    timeline.process_ended(3)
    timeline.add(grow, 4, "thread 1 (8)")
    found = Drawn(file.getvalue())
    assert found.of(INSTANT, "maps") == ["the process has ended"]
    assert [event[1] for event in found.events if event[1] in (BEGIN, END)] == [BEGIN, END, BEGIN]


# --- the commands ---


def test_trace_draws_what_it_would_say(tmp_path: Path) -> None:
    target, model, host, record = started()
    path, said = tmp_path / "trace", tmp_path / "lines"
    text(target, "trace", f"on m --perfetto {path} -o {said}")
    text(target, "break", "clear m --once")
    churn(model, 400, clears=True)
    found = Drawn(path.read_bytes())  # whole at any time
    name = f"map[uint64]uint64 {model.address:#x}"
    assert len(found.of(BEGIN, name)) == len(record.of("grow"))
    assert len(said.read_text().splitlines()) == sum(
        len(record.of(event)) for event in ("grow", "evacuate", "done", "clear")
    )
    stops = [event for event in found.of(INSTANT, name) if str(event).startswith("mapscope stop")]
    assert len(stops) == len(host.stopped) == 1
    assert not [line for line in host.said if line.startswith("map[")]
    assert "ended after" in text(target, "trace", "off")
    host.stops.process_ended()


def test_a_trace_of_a_map_ends_with_its_process(tmp_path: Path) -> None:
    target, model, host, _ = started()
    text(target, "trace", f"on m --perfetto {tmp_path / 'trace'}")
    model.assign(1, 1)
    [trace] = host.stops._traces
    host.stops.process_ended()
    assert trace._timeline is None


def test_a_full_disk_ends_the_timeline_and_not_the_trace(tmp_path: Path) -> None:
    target, model, host, _ = started()
    text(target, "trace", f"on m --perfetto {tmp_path / 'trace'}")
    [trace] = host.stops._traces

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    file: Full = Full()
    trace._timeline._file._file = file  # type: ignore[union-attr]
    churn(model, 50)
    assert [line for line in host.said if "timeline ends here: No space left" in line]
    assert sum("timeline ends here" in line for line in host.said) == 1
    assert file.closed
    assert "ended after" in text(target, "trace", "off")


def test_wrong_words(tmp_path: Path) -> None:
    target, _, host, _ = started()
    for line, message in (
        ("on --perfetto /nowhere/x", "cannot write /nowhere/x: No such file"),
        ("on --perfetto /dev/full", "cannot write /dev/full: No space left"),
        (f"off --perfetto {tmp_path}/x", "--perfetto goes with map trace on"),
        ("on --perfetto", "expected one argument"),
    ):
        with pytest.raises(UsageError, match=message):
            text(target, "trace", line)
    assert not host.points and not list(tmp_path.iterdir())


def test_history(tmp_path: Path) -> None:
    made = CppProgram()
    model = made.map("m", Int(8), Int(8))
    model.fill({number: number for number in range(9)})
    rings = Rings(made)
    path = tmp_path / "drawn"
    assert "wrote 0 events" in text(made.target, "history", f"--perfetto {path}")
    rings.add(rings.life, CREATE, model, 10, detail=5)
    rings.add(rings.life, GROW, model, 2_000_000_000, B=2, old_B=1, detail=1)
    rings.add(rings.life, DONE, model, 4_000_000_000, B=2, old_B=1)
    said = text(made.target, "history", f"--perfetto {path}")
    assert f"wrote 3 events to {path}: https://ui.perfetto.dev opens it\n" in said
    found = Drawn(path.read_bytes())
    start = 1_000_000_000 * 10**9
    name = f"mapscope::map<uint64, uint64> {model.address:#x}"
    assert [event[:2] for event in found.events if event[2] == name] == [
        (start + 10, INSTANT),
        (start + 2_000_000_000, BEGIN),
        (start + 4_000_000_000, INSTANT),
        (start + 4_000_000_000, END),
    ]
    assert len(found.of(INSTANT, "ended thread (4711)")) == 3
    assert len(found.of(COUNT, "bytes of bucket arrays")) == 3
    assert "wrote 1 event to" in text(made.target, "history", f"--last 1 --perfetto {path}")


def test_history_whose_time_is_not_known(tmp_path: Path) -> None:
    made = CppProgram()
    model = made.map("m", Int(8), Int(8))
    model.fill({1: 1})
    rings = Rings(made, clock=TSC)
    rings.add(rings.life, CREATE, model, 1000)
    said = text(made.target, "history", f"--perfetto {tmp_path / 'drawn'}")
    assert "wrote 0 events" in said and "1 left out, whose time is not known yet" in said

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Look through a timeline that was written for Perfetto.

    perfetto_trace.py TRACE [--history HISTORY] [--schema SOURCE]

Reads it field by field, and by the schema of Perfetto's own source where scripts/toolchains of
SOURCE, the project's folder, can have that ("schema left out: ..." else). HISTORY is the JSON of
map history: a timeline of it must have each of its events. Prints what is in it, and a line WRONG
for each thing that cannot be.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple, Union

Value = Union[int, bytes]

# TracePacket, TrackDescriptor and TrackEvent (protos/perfetto/trace/ in Perfetto's source)
TIMESTAMP, SEQUENCE, EVENT, CLOCK, TRACK = 8, 10, 11, 58, 60
UUID, NAME, PARENT, COUNTER = 1, 2, 5, 8
TYPE, TRACK_UUID, EVENT_NAME, VALUE = 9, 11, 23, 30
BEGIN, END, INSTANT, COUNT = 1, 2, 3, 4
KINDS = {BEGIN: "begins", END: "ends", INSTANT: "instants", COUNT: "values"}


def varint(raw: bytes, at: int) -> Tuple[int, int]:
    """(number, where it ends)"""
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(raw: bytes) -> Iterator[Tuple[int, Value]]:
    """(number, value) of a message's fields; fails where it is cut off."""
    at = 0
    while at < len(raw):
        tag, at = varint(raw, at)
        if tag & 7 == 0:
            number, at = varint(raw, at)
            yield tag >> 3, number
            continue
        assert tag & 7 == 2, f"wire type {tag & 7}"
        size, at = varint(raw, at)
        assert at + size <= len(raw), "cut off"
        yield tag >> 3, raw[at : at + size]
        at += size


def message(raw: Value) -> Dict[int, Value]:
    """A message in which no field comes twice."""
    assert isinstance(raw, bytes)
    found = list(fields(raw))
    assert len({number for number, _ in found}) == len(found), "a field comes twice"
    return dict(found)


class Trace:
    """What is in a trace.

    :ivar wrong: what cannot be
    :ivar names: of tracks, by their numbers
    :ivar counts: how many events of each type a track has
    """

    def __init__(self, raw: bytes) -> None:
        self.wrong: List[str] = []
        self.names: Dict[int, str] = {}
        self.parents: Dict[int, int] = {}
        self.counters: Set[int] = set()
        self.counts: Dict[int, Counter[int]] = {}
        self.events: Dict[int, List[str]] = {}
        self.last: Dict[int, int] = {}
        self._newest = 0
        for number, packet in fields(raw):
            if number != 1:
                self.wrong.append(f"field {number} is no packet")
            self._packet(message(packet))

    def _packet(self, packet: Dict[int, Value]) -> None:
        if packet.get(SEQUENCE) != 1:
            self.wrong.append("a packet without its sequence")
        if TRACK in packet:
            track = message(packet[TRACK])
            uuid, name = track[UUID], track[NAME]
            assert isinstance(uuid, int) and isinstance(name, bytes)
            parent = track.get(PARENT, 0)
            assert isinstance(parent, int)
            if uuid in self.names or (parent and parent not in self.names):
                self.wrong.append(f"track {uuid} of {parent}")
            self.names[uuid], self.parents[uuid] = name.decode(), parent
            self.counts[uuid], self.events[uuid] = Counter(), []
            if COUNTER in track:
                self.counters.add(uuid)
        if EVENT in packet:
            time = packet[TIMESTAMP]
            assert isinstance(time, int)
            if time < self._newest or packet.get(CLOCK) != 1:
                self.wrong.append(f"time {time} behind {self._newest}")
            self._newest = time
            self._event(message(packet[EVENT]))

    def _event(self, event: Dict[int, Value]) -> None:
        type, track = event[TYPE], event[TRACK_UUID]
        assert isinstance(type, int) and isinstance(track, int)
        if track not in self.names:
            self.wrong.append(f"an event of track {track}, which is none")
            return
        counts = self.counts[track]
        counts[type] += 1
        if counts[END] > counts[BEGIN]:
            self.wrong.append(f"{self.names[track]}: a slice ends that has not begun")
        if (type == COUNT) != (track in self.counters) or (type == COUNT) != (VALUE in event):
            self.wrong.append(f"{self.names[track]}: an event of type {type}")
        if type == COUNT:
            value = event[VALUE]
            assert isinstance(value, int)
            self.last[track] = value
        elif type != END:
            name = event[EVENT_NAME]
            assert isinstance(name, bytes)
            self.events[track].append(name.decode())

    def beneath(self, name: str) -> List[int]:
        """Tracks beneath the one of that name."""
        return [one for one, above in self.parents.items() if self.names.get(above) == name]


def compare(trace: Trace, path: Path) -> None:
    """A timeline of a history has each event, once for its map and once for its thread."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][1:-1]
    growths = ("grow", "same-size", "shrink")
    lives = Counter(row["map"] for row in rows if row["event"] == "created")
    for address in {row["map"] for row in rows}:
        mine = [row for row in rows if row["map"] == address]
        tracks = [one for one in trace.beneath("maps") if trace.names[one].endswith(f" {address}")]
        begun = sum(trace.counts[one][BEGIN] for one in tracks)
        marks = sum(trace.counts[one][INSTANT] for one in tracks)
        starts = sum(row["event"] in growths for row in mine)
        late = sum(name.endswith("begun before") for one in tracks for name in trace.events[one])
        if begun - late != starts or marks != len(mine) - starts:
            trace.wrong.append(f"{address}: {begun}, {marks} of {starts}, {len(mine) - starts}")
        if len(tracks) not in (lives[address], lives[address] + 1):
            trace.wrong.append(f"{address}: {len(tracks)} tracks of {lives[address]} maps")
        for one in tracks:
            if not trace.names[one].startswith(str(mine[0]["type"])):
                trace.wrong.append(f"{trace.names[one]}: not its type")
    threads = sum(trace.counts[one][INSTANT] for one in trace.beneath("threads"))
    if threads != len(rows):
        trace.wrong.append(f"{threads} events of threads, not {len(rows)}")


def listed(events: List[str]) -> str:
    """Different ones, in their order, without the buckets that were moved."""
    return ", ".join(dict.fromkeys(re.sub("(migration): .*", r"\1", event) for event in events))


def by_schema(source: str, path: Path, raw: bytes) -> str:
    """What Perfetto's own schema says of it."""
    asked = [f"{source}/scripts/toolchains", "perfetto"]
    done = subprocess.run(asked, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    schema = done.stdout.strip().partition(" ")[2]
    if not schema.startswith("/"):
        return f"schema left out: {schema or 'scripts/toolchains says nothing'}"
    top = Path(schema).parents[3]
    protoc = top.parent / "protoc"
    with path.open("rb") as trace:
        done = subprocess.run(
            [f"{protoc}/bin/protoc", "--decode=perfetto.protos.Trace", f"-I{top}", schema],
            stdin=trace,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"LD_LIBRARY_PATH": f"{protoc}/lib/x86_64-linux-gnu"},
            encoding="utf-8",
            check=False,
        )
    text = done.stdout
    # what the schema has not is shown by its number alone
    unknown = re.findall(r"^ *\d+[ :].*", text, re.MULTILINE)
    packets = len(re.findall(r"^packet \{", text, re.MULTILINE))
    if done.returncode or unknown or packets != sum(1 for _ in fields(raw)):
        return f"WRONG schema: {done.returncode}, {unknown[:3]}, {packets} packets"
    return "schema: all packets are of it"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", type=Path)
    parser.add_argument("--history", type=Path)
    parser.add_argument("--schema")
    args = parser.parse_args()
    raw = args.trace.read_bytes()
    trace = Trace(raw)
    if args.history is not None:
        compare(trace, args.history)
    maps = trace.beneath("maps")
    total: Counter[int] = sum(trace.counts.values(), Counter())
    print(f"{len(maps)} maps, {len(trace.beneath('threads'))} threads")
    print(", ".join(f"{total[type]} {name}" for type, name in KINDS.items()))
    for one in maps:
        print(f"map: {trace.names[one]}: {listed(trace.events[one])}")
        for counter in sorted(trace.counters):
            if trace.parents[counter] == one:
                print(f"  {trace.names[counter]}: {trace.last[counter]} in the end")
    for one in trace.beneath("threads"):
        print(f"thread: {trace.names[one]}: {listed(trace.events[one])}")
    for wrong in trace.wrong[:20]:
        print("WRONG", wrong)
    if args.schema is not None:
        print(by_schema(args.schema, args.trace, raw))
    sys.exit(bool(trace.wrong))


main()

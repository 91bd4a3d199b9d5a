# SPDX-License-Identifier: MIT
"""`map history`: what the runtime recorded, newest last."""

import argparse
from datetime import datetime, timedelta, timezone
from typing import Dict, Iterator, List, Optional

from ..errors import MapscopeError, UsageError
from ..flavours.cpp.rings import Event, History, NoHistory, read_history
from ..locate import evaluate
from ..maps.event_lines import (
    EventLine,
    cleared_line,
    created_line,
    destroyed_line,
    done_line,
    grow_line,
    moved_line,
    race_line,
    rebuild_line,
    unfinished_line,
)
from ..maps.timeline import About, Timeline, thread_name
from ..program.types import Kind
from ..program.values import dumps, escape
from ..records import dataclass
from .base import Command, Context, Result, natural, problem_lines
from .perfetto_output import VIEWER, add_perfetto, cannot_write, open_timeline


@dataclass
class HistoryResult(Result):
    """Recorded events.

    :ivar map: the address that they are of; None: of all maps
    :ivar earlier: events left out, for --last
    :ivar threads: the debugger's numbers of threads that still live, by the kernel's ids
    :ivar written: a line for what was written beside it; "": nothing was
    """

    map: Optional[int]
    history: History
    events: List[Event]
    earlier: int
    threads: Dict[int, int]
    written: str = ""

    def json(self) -> Iterator[str]:
        history = self.history
        yield dumps(
            {
                "schema": "mapscope.history/1",
                "map": None if self.map is None else hex(self.map),
                "started": _wall(history.started),
            }
        ) + "\n"
        for event in self.events:
            yield dumps(self._form(event)) + "\n"
        yield dumps(
            {
                "events": len(self.events),
                "earlier": self.earlier,
                "overwritten": history.lost,
                "problems": history.problems,
            }
        ) + "\n"

    def _form(self, event: Event) -> Dict[str, object]:
        evacuation = event.event == "evacuate"
        hint = event.detail if event.event in ("created", "rebuild") else None
        grows = event.event in ("grow", "same-size", "shrink")
        return {
            "event": event.event,
            "ring": event.ring,
            "sequence": event.sequence,
            "time": None if event.time is None else round(event.time, 9),
            "thread": self.threads.get(event.thread),
            "kernel_thread": event.thread,
            "map": hex(event.map),
            "type": event.type,
            "count": event.count,
            "kind": event.kind,
            "old_buckets": event.old_buckets,
            "buckets": event.buckets,
            "bucket": event.bucket,
            "moved": [event.moved_x, event.moved_y] if evacuation and event.finished else None,
            "finished": event.finished if evacuation else None,
            "hint": hint,
            "overflow": event.detail if grows else None,
            "note": event.note or None,
        }

    def text(self) -> Iterator[str]:
        history = self.history
        started = _wall(history.started)
        if started is None:
            yield "nothing recorded yet: no map was written to\n"
            yield self.written
            return
        yield f"seconds since {started}, thread, event\n"
        if self.earlier:
            yield f"({self.earlier} earlier events: --last N shows more, --last 0 all)\n"
        elif history.lost:
            yield f"({history.lost} older events were overwritten: MAPDEBUG=history=N keeps more)\n"
        for event in self.events:
            thread = self.threads.get(event.thread)
            who = f"{event.thread}" if thread is None else f"{event.thread} (thread {thread})"
            when = "?" if event.time is None else f"{event.time:.6f}"
            yield f"{when:>12}  {who}  {recorded_line(event)}\n"
        if not self.events:
            yield "no events\n"
        yield from problem_lines(history.problems)
        yield self.written


def recorded_line(event: Event) -> EventLine:
    """The line that tells of a recorded event."""
    address, old = event.map, event.old_buckets or 0
    if event.event == "created":
        return created_line(address, event.detail, event.buckets)
    if event.event in ("grow", "same-size", "shrink"):
        return grow_line(address, event.kind, old, event.buckets, event.count, event.detail)
    if event.event == "evacuate":
        bucket = event.bucket or 0
        if event.finished:
            return moved_line(address, bucket, old, event.buckets, event.moved_x, event.moved_y)
        return unfinished_line(address, bucket, old, event.buckets)
    if event.event == "done":
        return done_line(address, event.buckets, event.note)
    if event.event == "clear":
        return cleared_line(address, event.count)
    if event.event == "rebuild":
        return rebuild_line(address, event.detail, event.count, old)
    if event.event == "race":
        return race_line(address, event.note)
    return destroyed_line(address, event.count)


def _wall(nanoseconds: Optional[int]) -> Optional[str]:
    """The time of day, of nanoseconds since 1970."""
    if nanoseconds is None:
        return None
    try:
        at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
    return at.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def _address(context: Context, expression: str, history: History) -> int:
    """The hmap that the user means: of a live map, or of one that is in the records."""
    recorded = {event.map for event in history.events}
    try:
        view = context.find_map(expression)
    except MapscopeError as error:
        value = evaluate(context.session, expression)
        if value.type.kind in (Kind.INT, Kind.UINT, Kind.POINTER) and value.data is not None:
            address = int.from_bytes(value.data[:8], "little")
            if address in recorded:
                return address
        raise error
    if view.address is None:
        raise UsageError(
            f"{escape(expression)} is a nil map: it was never written to, or it was moved from; "
            "map history without MAP shows all maps"
        )
    if view.life is None:
        raise NoHistory(
            f"no history of {escape(expression)}: only the runtime's maps record what happens "
            "to them; map trace on logs it from now on"
        )
    return view.address


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "map",
        metavar="MAP",
        nargs="?",
        help="an expression, an address (also of a map that is gone) or a register; "
        "without it: all maps",
    )
    parser.add_argument(
        "--last",
        metavar="N",
        type=natural,
        help="only the last N events, 0 for all (text: the debugger's element limit; JSON: all)",
    )
    parser.add_argument("--life", action="store_true", help="leave evacuations out")
    add_perfetto(parser)


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    history = read_history(session)
    events, map = history.events, None
    if args.map is not None:
        map = _address(context, args.map, history)
        events = [event for event in events if event.map == map]
    if args.life:
        events = [event for event in events if event.ring == "life"]
    last = args.last
    if last is None and not args.json:
        last = session.target.element_limit()
    earlier = max(0, len(events) - last) if last else 0
    threads = {thread.kernel_id: thread.number for thread in session.target.threads()}
    threads.pop(0, None)
    result = HistoryResult(map, history, events[earlier:], earlier, threads)
    if args.perfetto is not None:
        drawn = events if args.last is None else result.events
        result.written = _draw(args.perfetto, drawn, history, threads)
    return result


def _draw(path: str, events: List[Event], history: History, threads: Dict[int, int]) -> str:
    """Write the events as a timeline; the line that says so."""
    timeline = open_timeline(path)
    try:
        drawn = _draw_events(timeline, events, history, threads)
        timeline.close()
    except OSError as error:
        raise cannot_write(path, error) from None
    text = f"wrote {drawn} event{'' if drawn == 1 else 's'} to {escape(path)}: {VIEWER} opens it"
    if drawn < len(events):
        text += f"; {len(events) - drawn} left out, whose time is not known yet"
    return text + "\n"


def _draw_events(
    timeline: Timeline, events: List[Event], history: History, threads: Dict[int, int]
) -> int:
    """How many are in it."""
    timed = [event for event in events if event.time is not None and history.started is not None]
    for number, event in enumerate(timed):
        at = (history.started or 0) + round((event.time or 0) * 1e9)
        if not number and history.lost:
            timeline.add(f"{history.lost} older events were overwritten", at)
        thread = threads.get(event.thread)
        who = f"ended thread ({event.thread})"
        if thread is not None:
            who = thread_name(thread, event.thread)
        about = About(event.type, event.bucket_bytes)
        timeline.add(recorded_line(event), at, who, lambda: about, event.count)
    return len(timed)


COMMAND = Command(
    "history",
    "Show what the C++ runtime recorded of its maps, newest last: created, growths, evacuated\n"
    "buckets, clear, rebuild, destroyed, races; also of maps that are gone, and in a core dump.\n\n"
    "example: map history m --last 20\n"
    "example: map history --life\n"
    "example: map history --perfetto /tmp/maps.perfetto",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map writers`: who is inside a map write."""

import argparse
import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from ..go.layouts import operation_of
from ..locate import FLAVOURS
from ..maps.view import MapView
from ..program.target import Frame, Thread
from ..program.values import dumps, escape
from ..session import Session
from .base import Command, Result

#: frames of a thread that are looked at, and that are shown
_DEPTH, _SHOWN = 64, 16

#: reports a race, and keeps the map at hand
_FATAL = "mapscope::fatal"
#: mapscope::evacuate, mapscope::map<K, V, ...>::mapassign<...>
_CPP = re.compile(
    r"^mapscope::(?:.*::)?(evacuate|growWork|hashGrow|mapassign|mapdelete|mapclear)(?:[<(].*)?$",
    re.DOTALL,
)
#: members of mapscope::map that write; optimised code does so in instructions of theirs
_MEMBERS = tuple(
    (operation, re.compile(rf"^mapscope::map<.*>::(?:{names})(?:[<(].*)?$", re.DOTALL))
    for operation, names in (
        ("assign", r"assign_\w+|insert\w*|try_emplace|emplace\w*|operator\[\]"),
        ("delete", r"erase\w*"),
        ("clear", "clear"),
        ("grow", "reserve|rebuild"),
    )
)


@dataclass
class Writer:
    """One thread inside a write, or one goroutine that waits in the middle of it.

    :ivar thread: None: no thread runs the goroutine
    :ivar status: of that goroutine, as "_Gwaiting"
    """

    thread: Optional[Thread]
    goroutine: Optional[int]
    operation: str
    bucket: Optional[int]
    view: Optional[MapView]
    frames: List[Frame]
    registers: Dict[str, int]
    races: bool = False
    problem: str = ""
    status: str = ""


@dataclass
class WritersResult(Result):
    """All of them, and maps that have more than one."""

    writers: List[Writer] = field(default_factory=list)
    races: List[Tuple[MapView, List[Writer]]] = field(default_factory=list)

    def json(self) -> Iterator[str]:
        yield dumps(
            {
                "schema": "mapscope.writers/1",
                "writers": [_form(writer) for writer in self.writers],
                "races": [
                    {
                        "address": hex(view.address or 0),
                        "type": view.type_name,
                        "threads": [_number(writer) for writer in writers],
                        **_goroutines(writers),
                    }
                    for view, writers in self.races
                ],
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        if not self.writers:
            yield "no thread is inside a map write\n"
            return
        for writer in self.writers:
            yield from _lines(writer)
        for view, writers in self.races:
            threads = " and ".join(_thread(writer) for writer in writers)
            kind = "threads" if all(writer.thread for writer in writers) else "goroutines"
            yield (
                f"RACE: {len(writers)} {kind} are inside writes of "
                f"{escape(view.type_name)} {view.address or 0:#x}: {threads}\n"
            )


def _form(writer: Writer) -> Dict[str, object]:
    view = writer.view
    return {
        "thread": _number(writer),
        "kernel_thread": None if writer.thread is None else writer.thread.kernel_id or None,
        "goroutine": writer.goroutine,
        **({"status": writer.status} if writer.status else {}),
        "operation": writer.operation,
        "bucket": writer.bucket,
        "map": None if view is None else hex(view.address or 0),
        "type": None if view is None else view.type_name,
        "race": writer.races,
        "frames": [
            {"function": frame.function, "pc": hex(frame.pc()), "place": frame.place() or None}
            for frame in writer.frames
        ],
        "registers": {name: hex(value) for name, value in writer.registers.items()},
    }


def _goroutines(writers: List[Writer]) -> Dict[str, object]:
    """Of Go programs alone."""
    numbers = [writer.goroutine for writer in writers]
    return {"goroutines": numbers} if any(numbers) else {}


def _number(writer: Writer) -> Optional[int]:
    return None if writer.thread is None else writer.thread.number


def _thread(writer: Writer) -> str:
    if writer.thread is None:
        return f"goroutine {writer.goroutine} (on no thread, {writer.status})"
    goroutine = "" if writer.goroutine is None else f" (goroutine {writer.goroutine})"
    return f"thread {writer.thread.number}{goroutine}"


def _lines(writer: Writer) -> Iterator[str]:
    what = writer.operation
    if writer.bucket is not None:
        what += f" of old bucket {writer.bucket}"
    view = writer.view
    if view is not None:
        map = f"{escape(view.type_name)} {view.address or 0:#x}"
    else:
        map = f"a map that cannot be told ({escape(writer.problem)})"
    yield f"{_thread(writer)}: {what}, {map}\n"
    for number, frame in enumerate(writer.frames):
        source = frame.place()
        place = f" at {escape(source)}" if source else ""
        yield f"  #{number:<2} {frame.pc():#018x} in {_short(frame.function)}{place}\n"
    names = list(writer.registers)
    for first in range(0, len(names), 4):
        row = names[first : first + 4]
        yield "  " + "  ".join(f"{name:<7} {writer.registers[name]:#018x}" for name in row) + "\n"


def _short(function: str) -> str:
    """A function's name; in C++ without parameters and without what a template was made for."""
    if ".(" in function:  # a method in Go
        return escape(function)
    depth, text = 0, ""
    for letter in function:
        depth += letter == "<"
        if depth == 0:
            text += letter
        depth -= letter == ">" and depth > 0
    match = re.match(r"(?:\(anonymous namespace\)|operator\(\)|[^(])*", text)
    return escape(match[0] if match is not None else text) or "?"


def find_writers(session: Session) -> WritersResult:
    """Every thread that is inside a map write, and every goroutine that waits in one."""
    result = WritersResult()
    for thread in session.target.threads():
        named = session.named(thread.frames(), thread.registers().get)
        frames = [frame for _, frame in zip(range(_DEPTH), named) if frame.pc()]
        if not any(operation(frame.function) for frame in frames):
            # debuggers end at the border from the system's stack to the goroutine's
            frames = session.own_frames(thread) or frames
        writer = _writer(session, thread, frames)
        if writer is not None:
            result.writers.append(writer)
    running = {writer.goroutine for writer in result.writers}
    for goroutine, frames in session.parked_writers():
        if goroutine.id in running:
            continue  # its thread is just parking it, or taking it up again
        writer = _writer(session, None, frames)
        if writer is not None:
            writer.goroutine, writer.status = goroutine.id, goroutine.status
            result.writers.append(writer)
    maps: Dict[int, List[Writer]] = {}
    for writer in result.writers:
        if writer.view is not None and writer.view.address is not None:
            maps.setdefault(writer.view.address, []).append(writer)
    for writers in maps.values():
        view = writers[0].view
        if len(writers) > 1 and view is not None:
            for writer in writers:
                writer.races = True
            result.races.append((view, writers))
    return result


def operation(function: str) -> Optional[str]:
    """What a function of a runtime, Go's or ours, does to a map; None: it writes to none."""
    match = _CPP.match(function)
    # named as the functions of Go's runtime
    found = operation_of(function if match is None else f"runtime.{match[1]}")
    if found is None and function.startswith("mapscope::map<"):
        return next((name for name, pattern in _MEMBERS if pattern.match(function)), None)
    return found


def _writer(session: Session, thread: Optional[Thread], frames: List[Frame]) -> Optional[Writer]:
    inside: Optional[str] = None
    bucket: Optional[int] = None
    view: Optional[MapView] = None
    problem = "its registers are lost here"
    for frame in frames:
        found = operation(frame.function)
        if found is None and frame.function != _FATAL:
            continue
        inside = inside or found
        for flavour in FLAVOURS:
            try:
                if view is None or view.key is None:
                    view = flavour.from_frame(session, frame) or view
                if found == "evacuate" and bucket is None and view is not None:
                    bucket = flavour.evacuated_bucket(session, frame, view)
            except MapscopeError as error:
                problem = str(error)
    if inside is None:
        return None
    current = session.target.stops().current
    number = None if thread is None else thread.number
    if view is None and current is not None and current.occurrence.thread == number:
        # the event that it is stopped at names the map
        view = None if current.reopen is None else current.reopen(session)
    registers = {"rip": frames[0].pc(), "rsp": frames[0].sp()}
    goroutine = None
    if thread is not None:
        registers = thread.registers()
        goroutine = session.go.goroutine(registers) if session.is_go() else None
    return Writer(
        thread,
        goroutine,
        inside,
        bucket,
        view,
        frames[:_SHOWN],
        registers,
        problem=problem,
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def _run(session: Session, args: argparse.Namespace) -> Result:
    session.require_memory()
    session.require_architecture()
    return find_writers(session)


COMMAND = Command(
    "writers",
    "Show every thread that is inside a map write (assign, delete, clear, grow, evacuate), on\n"
    "which map and old bucket, with its backtrace and registers; and in Go programs every\n"
    "goroutine that waits in the middle of one. Two on one map are a race.\n\n"
    "example: map writers",
    _arguments,
    _run,
)

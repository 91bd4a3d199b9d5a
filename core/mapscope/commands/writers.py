# SPDX-License-Identifier: MIT
"""`map writers`: who is inside a map write."""

import argparse
import re
from typing import Dict, Iterator, List, Optional, Tuple

from ..activity import READ, Writer, find_writers
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from .base import Command, Context, Result


#: of those of whom it cannot be told, this many are shown in text
_UNKNOWN_SHOWN = 20


@dataclass
class WritersResult(Result):
    """All of them, and maps that have more than one.

    :ivar unknown: of whom it cannot be told
    :ivar readers: who has noticed a race while reading
    """

    writers: List[Writer]
    races: List[Tuple[MapView, List[Writer]]]
    unknown: List[str]
    readers: List[Writer]

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
                "readers": [_form(reader) for reader in self.readers],
                "unknown": self.unknown,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        if not self.writers:
            if not self.unknown:
                yield "no thread is inside a map write\n"
            else:
                yield "none of the threads that can be told is inside a map write\n"
        for writer in self.writers + self.readers:
            yield from _lines(writer)
        for view, writers in self.races:
            threads = " and ".join(_thread(writer) for writer in writers)
            kind = "threads" if all(writer.thread for writer in writers) else "goroutines"
            yield (
                f"RACE: {len(writers)} {kind} are inside {_what(writers)} of "
                f"{escape(view.type_name)} {view.address or 0:#x}: {threads}\n"
            )
        for who in self.unknown[:_UNKNOWN_SHOWN]:
            yield f"cannot tell: {escape(who)}\n"
        more = len(self.unknown) - _UNKNOWN_SHOWN
        if more > 0:
            yield f"cannot tell: {more} more (--json lists them)\n"


def _what(writers: List[Writer]) -> str:
    reads = any(writer.operation == READ for writer in writers)
    return "writes and reads" if reads else "writes"


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
        "noticed": writer.noticed,
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
    noticed = ", noticed the race" if writer.operation == READ else ""
    yield f"{_thread(writer)}: {what}, {map}{noticed}\n"
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


def _arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    session.require_memory()
    session.require_architecture()
    found = find_writers(session, context.at_stop())
    return WritersResult(found.writers, found.races, found.unknown, found.readers)


COMMAND = Command(
    "writers",
    "Show every thread that is inside a map write (assign, delete, clear, grow, evacuate), on\n"
    "which map and old bucket, with its backtrace and registers; and in Go programs every\n"
    "goroutine that waits in the middle of one. Two on one map are a race.\n\n"
    "example: map writers",
    _arguments,
    _run,
)

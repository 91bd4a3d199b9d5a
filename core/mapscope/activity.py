# SPDX-License-Identifier: MIT
"""Who is inside a write to a map: threads, and goroutines that wait in the middle of one."""

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from .errors import MapscopeError
from .flavours.registry import FLAVOURS, operation
from .locate import AtStop
from .maps.view import MapView
from .program.target import Frame, Thread
from .session import Session

#: frames of a thread that are looked at, and that are shown
_DEPTH, _SHOWN = 64, 16


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
class Writers:
    """All of them, and maps that have more than one."""

    writers: List[Writer] = field(default_factory=list)
    races: List[Tuple[MapView, List[Writer]]] = field(default_factory=list)


def find_writers(session: Session, at_stop: Optional[AtStop] = None) -> Writers:
    """Every thread that is inside a map write, and every goroutine that waits in one.

    :param at_stop: the map stop that the program is at
    """
    result = Writers()
    for thread in session.target.threads():
        named = session.named(thread.frames(), thread.registers().get)
        frames = [frame for _, frame in zip(range(_DEPTH), named) if frame.pc()]
        if not any(operation(frame.function) for frame in frames):
            # debuggers end at the border from the system's stack to the goroutine's
            frames = session.own_frames(thread) or frames
        writer = _writer(session, thread, frames, at_stop)
        if writer is not None:
            result.writers.append(writer)
    running = {writer.goroutine for writer in result.writers}
    for goroutine, frames in session.parked_writers():
        if goroutine.id in running:
            continue  # its thread is just parking it, or taking it up again
        writer = _writer(session, None, frames, None)
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


def _writer(
    session: Session, thread: Optional[Thread], frames: List[Frame], at_stop: Optional[AtStop]
) -> Optional[Writer]:
    inside: Optional[str] = None
    bucket: Optional[int] = None
    view: Optional[MapView] = None
    problem = "its registers are lost here"
    for frame in frames:
        found = operation(frame.function)
        if found is None and not any(f.notices(frame.function) for f in FLAVOURS):
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
    number = None if thread is None else thread.number
    if view is None and at_stop is not None and at_stop.thread == number:
        # the event that it is stopped at names the map
        view = None if at_stop.reopen is None else at_stop.reopen(session)
    registers = {"rip": frames[0].pc(), "rsp": frames[0].sp()}
    goroutine = None
    if thread is not None:
        registers = thread.registers()
        goroutine = None
        if session.is_go():
            runtime = session.runtime_at(frames[0].pc()) or session.go
            goroutine = runtime.goroutine(registers)
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

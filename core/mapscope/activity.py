# SPDX-License-Identifier: MIT
"""Who is inside a write to a map: threads, and goroutines that wait in the middle of one."""

from dataclasses import field
from typing import Dict, List, Optional, Tuple

from .errors import MapscopeError
from .flavours.registry import FLAVOURS, operation
from .locate import AtStop
from .maps.view import MapView
from .program.target import Frame, Thread
from .records import dataclass
from .session import Session

#: frames of a thread that are looked at, and that are shown
_DEPTH, _SHOWN = 64, 16


#: the operation of a thread that reads, and has noticed that somebody writes
READ = "read"


@dataclass
class Writer:
    """One thread inside a write, or one goroutine that waits in the middle of it.

    :ivar thread: None: no thread runs the goroutine
    :ivar status: of that goroutine, as "_Gwaiting"
    :ivar noticed: whether it has noticed a race, of which the program dies
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
    noticed: bool = False


@dataclass
class Writers:
    """All of them, and maps that have more than one.

    :ivar readers: threads that read a map and have noticed that somebody writes to it
    :ivar unknown: of which threads and goroutines it cannot be told, and why
    """

    writers: List[Writer] = field(default_factory=list)
    readers: List[Writer] = field(default_factory=list)
    unknown: List[str] = field(default_factory=list)
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
            (result.readers if writer.operation == READ else result.writers).append(writer)
        else:
            why = _unreadable(session, frames)
            if why:
                result.unknown.append(f"thread {thread.number}: {why}")
    running = {writer.goroutine for writer in result.writers}
    for goroutine, frames in session.parked_writers():
        if goroutine.id in running:
            continue  # its thread is just parking it, or taking it up again
        writer = _writer(session, None, frames, None)
        if writer is not None:
            writer.goroutine, writer.status = goroutine.id, goroutine.status
            result.writers.append(writer)
    result.unknown += session.parked_unknown
    unseen = session.target.unseen_writes()
    if unseen:
        result.unknown.append(f"any: {unseen}")
    if session.target.misfit():
        result.unknown.append("any: the core is of another build of the program")
    maps: Dict[int, List[Writer]] = {}
    for writer in result.writers + result.readers:
        if writer.view is not None and writer.view.address is not None:
            maps.setdefault(writer.view.address, []).append(writer)
        if writer.noticed and (writer.view is None or len(result.writers + result.readers) == 1):
            number = 0 if writer.thread is None else writer.thread.number
            result.unknown.append(f"who raced with thread {number}: that write may have ended")
    for writers in maps.values():
        view = writers[0].view
        if len(writers) > 1 and view is not None and view.may_lock:
            result.unknown.append(
                f"whether the {len(writers)} writers of {view.type_name} {view.address or 0:#x} "
                "race: the program may lock parts of it"
            )
        elif len(writers) > 1 and view is not None and not view.concurrent:
            for writer in writers:
                writer.races = True
            result.races.append((view, writers))
    return result


def _unreadable(session: Session, frames: List[Frame]) -> str:
    """Why a thread's frames do not tell what it is inside; "": they do, as far as is known."""
    if not frames:
        return "it has no frames that could be found"
    sp = frames[0].sp()
    if sp and not session.memory.readable(sp & ~7, 8):
        return f"its stack cannot be read at {sp:#x}"
    return ""


def _writer(
    session: Session, thread: Optional[Thread], frames: List[Frame], at_stop: Optional[AtStop]
) -> Optional[Writer]:
    inside: Optional[str] = None
    bucket: Optional[int] = None
    view: Optional[MapView] = None
    problem = "its registers are lost here"
    noticed = reported = False
    for frame in frames:
        found = operation(frame.function)
        notices = any(flavour.notices(frame.function) for flavour in FLAVOURS)
        noticed |= notices
        reported |= any(flavour.reports_race(frame.function) for flavour in FLAVOURS)
        reads = noticed and any(flavour.reads(frame.function) for flavour in FLAVOURS)
        if found is None and reads and inside is None:
            found = READ
        if found is None and not notices:
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
    if inside is None and reported:
        inside = READ
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
        noticed=noticed,
    )

# SPDX-License-Identifier: MIT
"""What one command works with: the target, its memory, and what was learnt of
the program on the way.

A session lives as long as one command (or one printed value) while the
process is stopped.
"""

import copy
from itertools import groupby, islice
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from .errors import MapscopeError, NeedsProcess, NoProgram
from .go import descriptors
from .go.frames import SWITCHES, GoFrame, Register, unwind, waiting_at, with_names
from .go.functions import FunctionTables, Functions
from .go.goroutines import Goroutine, find_g, running_for
from .go.images import Image, find_images
from .go.layouts import operation_of
from .program.memory import Memory
from .program.target import Frame, Section, Target, Thread
from .program.types import Type
from .program.values import Decoder

#: frames of a thread in which functions of a runtime are looked for
_INNERMOST = 16
#: frames of a thread or goroutine that are looked at for a write
_DEEPEST = 64
#: of goroutines that no thread runs (go/layouts.STATUSES)
PARKED = ("_Grunnable", "_Gwaiting", "_Gpreempted", "_Gleaked")


class Session:
    """One command's view of the program.

    :ivar unread: (name, why) of maps, and of what leads to maps, that could not be read while
        all maps were listed
    :ivar parked_unknown: why it is not known of all goroutines whether they are inside a write
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.memory = Memory(target.read_memory)
        self._go: Optional[descriptors.GoProgram] = None
        self._images: Optional[List[Image]] = None
        self._runtimes: Optional[List[descriptors.GoProgram]] = None
        self._sections: Optional[List[Section]] = None
        self._is_go: Optional[bool] = None
        self._frames: Optional[List[Frame]] = None
        self.unread: List[Tuple[str, str]] = []
        self.parked_unknown: List[str] = []
        self._parked: Optional[List[Tuple[Goroutine, List[Frame]]]] = None

    def require_memory(self) -> None:
        """The memory of a program that is known.

        :raises NeedsProcess: if there is no process and no core dump
        :raises NoProgram: if no program is loaded
        """
        if not self.target.has_memory():
            raise NeedsProcess("no process: run the program, attach to it or load a core dump")
        how = self.target.lacks_program()
        if how:
            raise NoProgram(
                "no executable is loaded, so nothing is known of what is in memory: "
                f"load the program by {how}"
            )

    def require_architecture(self) -> None:
        """:raises NeedsProcess: on anything but x86-64"""
        name = self.target.architecture()
        if "x86-64" not in name and "x86_64" not in name:
            raise NeedsProcess(f"mapscope reads x86-64 programs, and this one is for {name}")

    def is_go(self) -> bool:
        """Whether the program has a Go runtime."""
        if self._is_go is None:
            self._is_go = descriptors.is_go(self.target, self.memory, self._go_images())
        return self._is_go

    @property
    def go(self) -> descriptors.GoProgram:
        """The Go runtime that is looked at: its version and types. Of several that of the
        selected thread's innermost frame that is Go code, else the first."""
        if self._go is None:
            found = self.runtimes()
            if len(found) > 1:
                self._go = self.selected_runtime() or found[0]
            else:
                self._go = (
                    found[0] if found else descriptors.GoProgram(self.target, self.memory, ())
                )
        return self._go

    def runtimes(self) -> List[descriptors.GoProgram]:
        """Every Go runtime of the process."""
        if self._runtimes is None:
            self._runtimes = descriptors.runtimes(self.target, self.memory, self._go_images())
        return self._runtimes

    def _go_images(self) -> List[Image]:
        """Files of the process that seem to hold Go code, looked for once."""
        if self._images is None:
            self._images = find_images(self.target, self.memory)
        return self._images

    def selected_runtime(self) -> Optional[descriptors.GoProgram]:
        """The one whose code the selected thread is in, or was called by."""
        for frame in _bounded(self.target.selected_frames(), _DEEPEST):
            found = self.runtime_at(frame.pc())
            if found is not None:
                return found
        return None

    def runtime_at(self, address: int) -> Optional[descriptors.GoProgram]:
        """The Go runtime whose code, types or variables an address is in; None: none's."""
        return next((found for found in self.runtimes() if found.owns(address)), None)

    def for_runtime(self, program: Optional[descriptors.GoProgram]) -> "Session":
        """This session, looking at a Go runtime; None: at the same one."""
        if program is None or len(self.runtimes()) < 2 or program is self._go:
            return self
        other = copy.copy(self)  # what it finds unread is this one's, too
        other._go = program
        return other

    def for_type(self, address: int) -> "Session":
        """The same, at the runtime that has the type descriptor at an address."""
        return self.for_runtime(self.runtime_at(address) if len(self.runtimes()) > 1 else None)

    def sections(self) -> List[Section]:
        """Loaded sections."""
        if self._sections is None:
            self._sections = self.target.sections()
        return self._sections

    def runtime_frames(self) -> List[Frame]:
        """The innermost frames of every thread."""
        if self._frames is None:
            self._frames = []
            of_threads = groupby(
                _bounded(self.target.runtime_frames(), 4096), lambda frame: frame.thread
            )
            for number, frames in of_threads:
                named = self.named(frames, self._register_of(number))
                self._frames += self._with_own(number, list(_bounded(named, _INNERMOST)))
        return self._frames

    def _with_own(self, number: int, frames: List[Frame]) -> List[Frame]:
        """A thread's frames; where it is on the system's stack for a goroutine, which debuggers do
        not look beyond, by Go's own table of functions on to that of the goroutine."""
        switches = any(frame.function in SWITCHES for frame in frames)
        if not switches or any(operation_of(frame.function) for frame in frames):
            return frames
        for thread in self.target.threads() if self.is_go() else ():
            if thread.number == number:
                own = self.own_frames(thread)
                return own if any(operation_of(frame.function) for frame in own) else frames
        return frames

    def _register_of(self, number: int) -> Register:
        """A thread's registers, which are read when one is asked for."""
        known: List[Dict[str, int]] = []

        def register(name: str) -> Optional[int]:
            if not known:
                found = (t for t in self.target.threads() if t.number == number)
                known.append(next((thread.registers() for thread in found), {}))
            return known[0].get(name)

        return register

    def named(
        self, frames: Iterable[Frame], registers: Optional[Register] = None
    ) -> Iterator[Frame]:
        """A thread's frames, those of Go programs without debug information by Go's own table
        of functions.

        :param registers: the thread's, where they are known
        """
        return with_names(self.memory, lambda: self.functions, frames, registers)

    @property
    def functions(self) -> Optional[Functions]:
        """The tables of functions of all Go code, that of the runtime that is looked at first;
        None: there is none that is known."""
        if not self.is_go():
            return None
        if len(self.runtimes()) < 2:
            return self.go.functions
        others = (one for one in self.runtimes() if one is not self.go)
        found = [one.functions for one in (self.go, *others)]
        tables = [table for table in found if table is not None]
        return FunctionTables(tables) if tables else None

    def own_frames(self, thread: Thread) -> List[Frame]:
        """A thread's frames by Go's own table of functions, on from the system's stack to that
        of the goroutine for which the thread is on it."""
        return list(self.unwound(thread, _DEEPEST))

    def unwound(self, thread: Thread, most: int) -> List[GoFrame]:
        """The same, so many at most, with what that table tells of them."""
        table = self.functions
        if table is None:
            return []
        registers = thread.registers()
        minor = (self.runtime_at(registers.get("rip", 0)) or self.go).minor

        def own() -> Optional[Tuple[int, int]]:
            g = find_g(self.go.word, registers.get)
            current = None if g is None else running_for(self.go.word, g, minor)
            return waiting_at(self.memory, current, minor) if current else None

        pc, sp = registers.get("rip", 0), registers.get("rsp", 0)
        found = unwind(self.memory, table, thread.number, pc, sp, own, registers.get)
        return list(islice(found, most))

    def parked_writers(self) -> List[Tuple[Goroutine, List[Frame]]]:
        """Goroutines that no thread runs, inside a write to a map, and their frames: one waits
        there for memory, or was taken off its thread."""
        if self._parked is None:
            self._parked = list(self._find_parked())
        return self._parked

    def _find_parked(self) -> Iterator[Tuple[Goroutine, List[Frame]]]:
        table = self.functions
        if table is None:
            return
        unread: List[int] = []
        for program in self.runtimes() or [self.go]:
            try:
                for goroutine in program.goroutines():
                    if goroutine.status not in PARKED:
                        continue
                    place = waiting_at(self.memory, goroutine.address, program.minor)
                    if place is None or not self.memory.readable(place[1] & ~7, 8):
                        unread.append(goroutine.id)
                        continue
                    found = unwind(self.memory, table, -goroutine.id, *place)
                    frames: List[Frame] = list(_bounded(found, _DEEPEST))
                    if any(operation_of(frame.function) for frame in frames):
                        yield goroutine, frames
            except MapscopeError as error:  # the threads are what is known
                self.parked_unknown.append(f"goroutines that no thread runs: {error}")
        if unread:
            some = ", ".join(map(str, unread[:8])) + (", ..." if len(unread) > 8 else "")
            self.parked_unknown.append(
                f"{len(unread)} goroutine{'' if len(unread) == 1 else 's'} that no thread runs "
                f"({some}): where they wait cannot be read"
            )

    def decoder(self) -> Decoder:
        """Takes values of this program apart."""
        return Decoder(
            self.memory,
            self._go_type if self.is_go() else None,
            self.target.format_value,
        )

    def _go_type(self, address: int) -> Type:
        owner = self.runtime_at(address) if len(self.runtimes()) > 1 else None
        return (owner or self.go).type_at(address)


def _bounded(frames: Iterator[Frame], most: int) -> Iterator[Frame]:
    for _, frame in zip(range(most), frames):
        yield frame


def describe(error: BaseException) -> str:
    """One line for an error that reached the top."""
    if isinstance(error, MapscopeError):
        return str(error)
    what = " ".join(str(error).split())
    return f"internal error ({type(error).__name__}): {what}"

# SPDX-License-Identifier: MIT
"""Variables in frames, and of packages or namespaces, wherever debug information tells of them."""

from itertools import islice
from typing import Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from ..go.descriptors import GoProgram
from ..go.frame_variables import Described, ScopedFrame, described_at, scoped
from ..go.frames import GoFrame, unwind, waiting_at
from ..go.goroutines import find_g, goid, running_for
from ..program.cpp_types import CppType, CppVariable
from ..program.target import CodeFile, Thread
from ..program.types import Type
from ..program.values import escape
from ..records import dataclass
from ..session import Session

#: frames of one thread or goroutine, and of all together
_DEEPEST, _MOST_FRAMES = 256, 4096
#: a symbol of Go programs with parts in C
_CGO = "x_cgo_init"
#: names of what could not be looked at that are told
_TOLD = 3


@dataclass(frozen=True)
class Place:
    """A variable that has a value.

    :ivar scope: the frame that it is of; "": of none
    :ivar type: of one of Go; cpp: of one of C++
    """

    name: str
    scope: str
    address: Optional[int]
    data: Optional[bytes]
    type: Optional[Type] = None
    cpp: Optional[CppType] = None


class Variables:
    """All variables of the program, or those that the selected thread's frames can see.

    :param everywhere: of all threads and goroutines
    :ivar looked: what was looked at, for a reader
    :ivar missed: what could not be
    """

    def __init__(self, session: Session, everywhere: bool) -> None:
        self._session = session
        self._everywhere = everywhere
        self.looked: List[str] = []
        self.missed: List[str] = []
        self._lost: List[str] = []
        self._frames = 0
        self._goroutines = 0
        self._known: List[Tuple[CodeFile, Described]] = []

    def all(self) -> Iterator[Place]:
        """Every one; when it ends, looked and missed are complete."""
        session = self._session
        if session.is_go():
            for program in session.runtimes() or [session.go]:
                yield from self._of_packages(program)
            yield from self._of_goroutines()
            self.looked.append(
                f"{self._frames} frame{'' if self._frames == 1 else 's'} of "
                f"{self._goroutines} goroutine{'' if self._goroutines == 1 else 's'}"
            )
        if not session.is_go() or session.target.symbols(_CGO):
            yield from self._of_cpp()
        if self._lost:
            names = ", ".join(list(dict.fromkeys(self._lost))[:_TOLD])
            more = ", ..." if len(set(self._lost)) > _TOLD else ""
            count = len(self._lost)
            self.missed.append(
                f"{count} variable{'' if count == 1 else 's'} without a value where the frames "
                f"are ({names}{more})"
            )

    # --- Go ---

    def _of_packages(self, program: GoProgram) -> Iterator[Place]:
        count = 0
        if not program.images:
            self.missed.append("variables of packages: the program's file is not known")
        for image in program.images:
            text = next((s.start for s in image.sections if s.name == ".text"), 0)
            file_of = self._session.target.code_file
            described = (
                described_at(self._session.memory, text, file_of, self._known) if text else None
            )
            file = escape(image.file or "the program").rpartition("/")[2]
            if described is None or described.lacks:
                why = "its file cannot be read" if described is None else described.lacks
                self.missed.append(f"variables of packages in {file}: {why}")
                continue
            described.info.bias = described.bias
            try:
                for name, address, type in described.info.variables():
                    if not name.startswith(("runtime.", "internal/runtime/")):
                        count += 1
                        yield Place(name, "", address + described.bias, None, type)
            except MapscopeError as error:
                self.missed.append(f"variables of packages in {file}: {error}")
        if count:
            self.looked.append(f"{count} variables of packages")

    def _of_goroutines(self) -> Iterator[Place]:
        session = self._session
        running = set()
        selected = next((frame.thread for frame in session.target.selected_frames()), None)
        for thread in session.target.threads():
            if not self._everywhere and thread.number != selected:
                continue
            number, g = self._goroutine_of(thread)
            if g is not None and number:  # others are the scheduler's, or no Go's
                running.add(g)
                frames = list(session.unwound(thread, _DEEPEST))
                yield from self._of_frames(frames, number)
        if not self._everywhere:
            return
        table = session.functions
        for program in session.runtimes() or [session.go]:
            unread: List[int] = []
            try:
                parked = [one for one in program.goroutines(unread) if one.address not in running]
            except MapscopeError as error:
                self.missed.append(f"goroutines: {error}")
                continue
            for goroutine in parked:
                place = waiting_at(session.memory, goroutine.address, program.minor)
                if goroutine.status in ("_Gidle", "_Gdead") or table is None:
                    continue
                if place is None or not session.memory.readable(place[1] & ~7, 8):
                    unread.append(goroutine.id)
                    continue
                found = unwind(session.memory, table, -goroutine.id, *place)
                yield from self._of_frames(list(islice(found, _DEEPEST)), goroutine.id)
            if unread:
                self.missed.append(f"{len(unread)} goroutines that cannot be read")

    def _goroutine_of(self, thread: Thread) -> Tuple[int, Optional[int]]:
        """(id of the goroutine that a thread runs, its g)"""
        session, registers = self._session, thread.registers()
        program = session.runtime_at(registers.get("rip", 0)) or session.go
        g = find_g(program.word, registers.get)
        g = g and running_for(program.word, g, program.minor) or g
        return goid(program.word, registers.get, program.minor) or 0, g

    def _of_frames(self, frames: List[GoFrame], goroutine: int) -> Iterator[Place]:
        session, table = self._session, self._session.functions
        if table is None or not frames:
            return
        self._goroutines += 1
        for frame in scoped(session.memory, table, frames, session.target.code_file):
            if not frame.is_own():
                continue
            if self._frames >= _MOST_FRAMES:
                self._note(f"frames beyond the first {_MOST_FRAMES}")
                return
            self._frames += 1
            if not frame.has_variables:
                self._note(f"{escape(frame.function)}: {frame.lacks or 'no debug information'}")
                continue
            yield from self._locals(frame, f"{frame.function}, goroutine {goroutine}")

    def _note(self, what: str) -> None:
        if what not in self.missed and len(self.missed) < 32:
            self.missed.append(what)

    def _locals(self, frame: ScopedFrame, scope: str) -> Iterator[Place]:
        for name in dict.fromkeys(frame.locals()):
            if name.startswith((".", "~")) or not name:
                continue
            try:
                found = frame.local(name)
            except MapscopeError:
                found = None
            if found is None:
                self._lost.append(f"{name} of {frame.function}")
            else:
                yield Place(name, scope, found.address, found.data, found.type)

    # --- C++ ---

    def _of_cpp(self) -> Iterator[Place]:
        session = self._session
        count, unread = 0, []  # type: Tuple[int, List[str]]
        for variable in session.target.cpp_variables(unread, True):
            if "." in variable.name and session.is_go():
                continue  # a package's
            count += 1
            yield self._cpp_place(variable, "")
        if count:
            self.looked.append(f"{count} variables of namespaces, classes and files")
        if unread:
            self.missed.append(f"{len(unread)} files or variables ({escape(unread[0])})")
        threads = frames = 0
        table = session.functions
        selected = next((frame.thread for frame in session.target.selected_frames()), None)
        for thread in session.target.threads():
            if not self._everywhere and thread.number != selected:
                continue
            threads += 1
            for frame in islice(thread.frames(), _DEEPEST):
                if table is not None and table.at(frame.pc()) is not None:
                    continue  # Go's
                own = frame.cpp_locals(True)
                if not own:
                    continue
                frames += 1
                for variable in own:
                    scope = f"{frame.function}, thread {thread.number}"
                    yield self._cpp_place(variable, scope)
        if frames or not session.is_go():
            self.looked.append(
                f"{frames} frame{'' if frames == 1 else 's'} of "
                f"{threads} thread{'' if threads == 1 else 's'} of C++"
            )

    @staticmethod
    def _cpp_place(variable: CppVariable, scope: str) -> Place:
        return Place(variable.name, scope, variable.address, variable.data, cpp=variable.type)

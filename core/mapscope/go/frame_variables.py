# SPDX-License-Identifier: MIT
"""Parameters and locals in the frames of any goroutine, by Go's debug information.

A goroutine that no thread runs has frames for nobody but Go itself: what the table of functions
tells of them (frames.py) is enough for where debug information says that variables are, in memory
from the frame's own address on. What was in a register then is lost.
"""

from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..program.dwarf import Machine
from ..program.memory import Memory
from ..program.target import CodeFile, Frame, Names, Variable
from ..program.types import Type
from ..program.values import escape
from ..records import dataclass
from . import debug_info
from .debug_info import GoDebugInfo, Scope
from .frames import GoFrame
from .functions import Functions

#: why there is none, mostly
STRIPPED = "has no debug information (built with -ldflags=-w or -s, or stripped)"
#: notes that tell one build from another: Go's, and the linker's
_BUILD_IDS = (".note.go.buildid", ".note.gnu.build-id")
_LONGEST_NOTE = 1 << 12
#: what goroutines wait in, which is no code of whoever has started them
_WAITING = ("runtime", "sync", "syscall", "time", "internal", "iter")


@dataclass(frozen=True)
class Described:
    """A file's debug information, or why there is none.

    :ivar lacks: "": there is one
    """

    info: GoDebugInfo
    bias: int
    lacks: str


class ScopedFrame(Frame):
    """A function's frame, or the part of it that is a function which was inlined there.

    :ivar number: from the innermost, 0, on, each inlined function counted
    :ivar lacks: why its variables are not known; "": they are, as far as it has any
    """

    def __init__(
        self,
        number: int,
        frame: GoFrame,
        line: int,
        memory: Memory,
        described: Optional[Described],
        scope: Optional[Scope],
        lacks: str,
    ) -> None:
        self.number = number
        self.thread = frame.thread
        self.function = frame.function if scope is None else scope.function
        self.has_variables = scope is not None
        self.lacks = lacks
        self._frame = frame
        self._line = line
        self._memory = memory
        self._described = described
        self._scope = scope

    def pc(self) -> int:
        return self._frame.pc()

    def sp(self) -> int:
        return self._frame.sp()

    def place(self) -> str:
        return self._frame.place()

    def words(self) -> List[int]:
        return self._frame.words()

    def spilled(self, index: int) -> Optional[int]:
        return self._frame.spilled(index)

    def passed(self, index: int) -> Optional[int]:
        return self._frame.passed(index)

    def is_own(self) -> bool:
        """Whether its function is none of those that goroutines wait in: of Go's runtime and what
        stands before it."""
        return self.function.split("/", 1)[0].split(".", 1)[0] not in _WAITING

    def variable(self, name: str) -> Optional[Variable]:
        try:
            return self.local(name)
        except MapscopeError:
            return None

    def locals(self) -> List[str]:
        """Names of its parameters and locals."""
        if self._described is None or self._scope is None:
            return []
        return [name.lstrip("&") for name in self._described.info.names(self._scope)]

    def package_variable(self, name: str) -> Optional[Variable]:
        """The variable with a full name of the file that the function is in."""
        described = self._described
        found = None if described is None else described.info.global_variable(name)
        if described is None or found is None:
            return None
        return Variable(found[1], found[0] + described.bias)

    def local(self, name: str) -> Optional[Variable]:
        """What a programmer means by a name there; None: it is no parameter or local.

        :raises MapscopeError: if it has no value, or one that is lost
        """
        described, scope = self._described, self._scope
        if described is None or scope is None:
            return None
        lost: List[str] = []

        def register(which: str) -> Optional[int]:
            found = self._frame.register(which)
            if found is None:
                lost.append(which)
            return found

        def word(address: int) -> Optional[int]:
            try:
                return self._memory.read_word(address)
            except MemoryUnreadable:
                return None

        machine = Machine(register, lambda: self._frame.cfa or None, word, described.bias)

        def at(pc: int, known: Described, scope: Scope) -> Optional[Variable]:
            place = pc - known.bias
            return known.info.local(scope, name, place, self._line, machine, self._memory.read)

        try:
            return at(self._frame.at, described, scope)
        except MemoryUnreadable:
            raise
        except MapscopeError as error:
            if not lost:
                where = f"frame {self.number}, {escape(self.function)}"
                raise type(error)(f"{error} ({where})") from None
        # What is needed behind a call is on the stack meanwhile: Go's functions save no register.
        which = lost[0]
        try:
            return at(self._frame.pc(), described, scope)
        except MemoryUnreadable:
            raise
        except MapscopeError:
            raise MapscopeError(
                f"cannot tell: {escape(name)} was in register {which} in frame "
                f"{self.number}, {escape(self.function)}, and what calls since then have left "
                "of that is not known"
            ) from None


class OuterFrame(Names):
    """Names in a debugger's frame that has called others. What was in a register there, a debugger
    looks for where the last of those has it, for no rule says that it was not kept; but Go's
    functions save no register for who calls them (abi-internal.md).

    :param scoped: the frame with its variables by Go's own debug information; None: not known
    """

    def __init__(self, outer: Names, scoped: Callable[[], Optional[ScopedFrame]]) -> None:
        self.frame = outer.frame
        self._outer = outer
        self._scoped = scoped

    def local(self, name: str) -> Optional[Variable]:
        problem: Optional[MapscopeError] = None
        found: Optional[Variable] = None
        try:
            found = self._outer.local(name)
            if found is None or found.address is not None:
                return found
        except MapscopeError as error:
            problem = error
        scoped = self._scoped()
        if scoped is not None and not scoped.lacks:
            own = scoped.local(name)
            if own is not None:
                return own
            lost = f"cannot tell: {escape(name)} was in a register, and calls since then may have"
            problem = problem or MapscopeError(f"{lost} used it")
        if problem is not None:
            raise problem
        return found

    def locals(self) -> List[str]:
        return self._outer.locals()

    def package_variable(self, name: str) -> Optional[Variable]:
        return self._outer.package_variable(name)

    def package_variables(self, pattern: str) -> List[str]:
        return self._outer.package_variables(pattern)

    def type(self, name: str) -> Optional[Type]:
        return self._outer.type(name)


class FrameNames(Names):
    """Names in one frame of a goroutine.

    :param frames: all of them, whose names are hints
    :param outer: knows what packages have
    :param several: of files that have packages of one name, as those of several Go runtimes, the
        frame's own counts
    """

    def __init__(
        self, frame: ScopedFrame, frames: List[ScopedFrame], outer: Names, several: bool
    ) -> None:
        self.frame: ScopedFrame = frame
        self._frames = frames
        self._outer = outer
        self._several = several

    def local(self, name: str) -> Optional[Variable]:
        return self.frame.local(name)

    def locals(self) -> List[str]:
        return [name for frame in self._frames if frame.is_own() for name in frame.locals()]

    def package_variable(self, name: str) -> Optional[Variable]:
        found = self.frame.package_variable(name) if self._several else None
        return found or self._outer.package_variable(name)

    def package_variables(self, pattern: str) -> List[str]:
        return self._outer.package_variables(pattern)

    def type(self, name: str) -> Optional[Type]:
        return self._outer.type(name)


class OwnPackages(Names):
    """Names of a debugger's frame where several files have packages of one name, as those of
    several Go runtimes: the file's own in which the frame is counts.

    :param file: that one
    """

    def __init__(self, outer: Names, file: CodeFile) -> None:
        self.frame = outer.frame
        self._outer = outer
        self._file = file

    def local(self, name: str) -> Optional[Variable]:
        return self._outer.local(name)

    def locals(self) -> List[str]:
        return self._outer.locals()

    def package_variable(self, name: str) -> Optional[Variable]:
        info = debug_info.of_file(self._file.identity, self._file.section)
        found = info.global_variable(name)
        if found is not None:
            return Variable(found[1], found[0] + self._file.bias)
        return self._outer.package_variable(name)

    def package_variables(self, pattern: str) -> List[str]:
        return self._outer.package_variables(pattern)

    def type(self, name: str) -> Optional[Type]:
        return self._outer.type(name)


def scoped(
    memory: Memory,
    table: Functions,
    frames: Iterable[GoFrame],
    file_of: Callable[[int], Optional[CodeFile]],
) -> Iterator[ScopedFrame]:
    """Frames with their variables, and those that are inlined in them; innermost first.

    :param file_of: the file that has the code at an address
    """
    known: List[Tuple[CodeFile, Described]] = []
    number = 0
    for frame in frames:
        described, lacks = described_at(memory, frame.at, file_of, known), ""
        scopes: List[Optional[Scope]] = []
        if described is None:
            lacks = "the file of its code cannot be read"
        elif described.lacks:
            lacks = described.lacks
        else:
            start, pc = frame.start - described.bias, frame.at - described.bias
            try:
                scopes += described.info.scopes(frame.function, start, pc)
            except MapscopeError as error:
                lacks = str(error)
        line = _line_of(table, frame.at)
        for index, scope in enumerate(scopes or [None]):
            # the line is that of the innermost of the functions that are inlined there
            yield ScopedFrame(number, frame, 0 if index else line, memory, described, scope, lacks)
            number += 1


def _line_of(table: Functions, at: int) -> int:
    """The line of an instruction; 0: not known."""
    line = table.place(at).rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def described_at(
    memory: Memory,
    at: int,
    file_of: Callable[[int], Optional[CodeFile]],
    known: List[Tuple[CodeFile, Described]],
) -> Optional[Described]:
    """The debug information for an instruction; None: its file is not known.

    :param known: what was found for others
    """
    file = file_of(at)
    if file is None:
        return None
    for other, described in known:
        if other.identity == file.identity and other.bias == file.bias:
            return described
    name = escape(file.name.rpartition("/")[2])
    if _is_another(memory, file):
        lacks = f"{name} is another build than the one that is in memory"
        described = Described(GoDebugInfo(lambda section: b""), file.bias, lacks)
    else:
        info = debug_info.of_file(file.identity, file.section)
        lacks = ""
        if not info.present():
            lacks = f"{name} {STRIPPED}"
        described = Described(info, file.bias, lacks)
    known.append((file, described))
    return described


def _is_another(memory: Memory, file: CodeFile) -> bool:
    """Whether a file is not what the process was started from: it was built anew since."""
    for name in _BUILD_IDS:
        place, note = file.linked(name), file.section(name)[:_LONGEST_NOTE]
        if place and note:
            try:
                if memory.read(place + file.bias, len(note)) != note:
                    return True
            except MemoryUnreadable:
                continue  # a core may be without it
    return False

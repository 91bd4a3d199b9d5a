# SPDX-License-Identifier: MIT
"""A goroutine that the user named, whether a thread runs it or none: its frames, and in which of
them a name stands for what."""

from itertools import islice
from typing import List, Optional, Tuple

from .errors import MapscopeError, NotAMap, UsageError
from .go import syntax
from .go.descriptors import GoProgram
from .go.expressions import package_of
from .go.frame_variables import FrameNames, ScopedFrame, scoped
from .go.frames import GoFrame, unwind, waiting_at
from .go.functions import Functions
from .go.goroutines import Goroutine, kernel_thread
from .program.target import Names, Thread
from .program.types import Kind
from .program.values import escape
from .session import PARKED, Session

#: frames of a goroutine that are looked at, and that a refusal lists
_DEEPEST, _SHOWN = 256, 12
#: ids that a refusal names
_NEAR = 3
#: where every goroutine's stack begins
_OUTERMOST = "runtime.goexit"
#: one that a thread is in a system call, or in C, for: it has said where before
_IN_CALL = "_Gsyscall"


class InGoroutine:
    """A goroutine and its frames.

    :ivar session: the command's, looking at the goroutine's own runtime
    :ivar thread: that runs it; None: none does
    :ivar frame: of which MAP's first name was a local; None: of none, or it is not asked yet
    """

    def __init__(self, session: Session, number: int, frame: Optional[int] = None) -> None:
        """:raises MapscopeError: if there is no such goroutine, or it cannot be told where it is"""
        if not session.is_go():
            raise UsageError("--goroutine: this program has no Go runtime, so no goroutines")
        self.number = number
        self._chosen = frame
        self.frame: Optional[ScopedFrame] = None
        self._of_package = ""
        program, self._goroutine = _find(session, number)
        self.session = session.for_runtime(program)
        table = self.session.functions
        if table is None:
            raise MapscopeError(
                f"cannot tell where goroutine {number} is: this program's table of functions "
                "is not known"
            )
        self._table: Functions = table
        self.thread = self._find_thread(program)
        self.frames = self._find_frames(program)
        self._scoped: Optional[List[ScopedFrame]] = None

    def _find_thread(self, program: GoProgram) -> Optional[Thread]:
        if self._goroutine.status in PARKED:
            return None
        kernel_id = kernel_thread(program.word, self._goroutine.address, program.minor)
        if not kernel_id:
            return None
        threads = self.session.target.threads()
        return next((thread for thread in threads if thread.kernel_id == kernel_id), None)

    def _find_frames(self, program: GoProgram) -> List[GoFrame]:
        """:raises MapscopeError: if there are none"""
        session, goroutine = self.session, self._goroutine
        what = f"cannot tell where goroutine {self.number} ({goroutine.status}) is"
        if self.thread is not None:
            found = session.unwound(self.thread, _DEEPEST)
            if found:
                return found
            what += f": thread {self.thread.number}, which runs it, is in code that is not Go's"
        if goroutine.status not in (*PARKED, _IN_CALL):
            raise MapscopeError(what if self.thread else f"{what}: no thread is known to run it")
        place = waiting_at(session.memory, goroutine.address, program.minor)
        if place is None or not session.memory.readable(place[1] & ~7, 8):
            raise MapscopeError(f"{what}: its stack cannot be read")
        number = -self.number if self.thread is None else self.thread.number
        found = list(islice(unwind(session.memory, self._table, number, *place), _DEEPEST))
        if not found:
            raise MapscopeError(f"{what}: at {place[0]:#x} there is no code of Go's")
        return found

    def scoped(self) -> List[ScopedFrame]:
        """Its frames with their variables, those of inlined functions as well."""
        if self._scoped is None:
            self._scoped = list(
                scoped(self.session.memory, self._table, self.frames, self.session.target.code_file)
            )
        return self._scoped

    # --- names ---

    def names(self, expression: str) -> Names:
        """What names mean in the frame that an expression is of: the chosen one, else the
        innermost in which the first name is a local.

        :raises MapscopeError: if that cannot be told
        """
        root = _root(syntax.parse(expression), expression)
        outer = self.session.target.names()
        if outer is None:
            raise MapscopeError("cannot tell: nothing is known of this program's names")
        if self._chosen is not None:
            frame = self._numbered(self._chosen)
            if root and frame.lacks:
                raise MapscopeError(self._unknown(root, frame))
            self.frame = frame if root in frame.locals() else None
            self._note_package(root, frame, outer)
            return self._names_of(frame, outer)
        own = [frame for frame in self.scoped() if frame.is_own()]
        innermost = own[0] if own else self.scoped()[0]
        for frame in own if root else []:
            if frame.lacks:
                raise MapscopeError(self._unknown(root, frame))
            if root in frame.locals():
                if frame is not innermost:
                    self._require_one_meaning(root, frame, innermost, outer)
                self.frame = frame
                return self._names_of(frame, outer)
        self._note_package(root, innermost, outer)
        return self._names_of(innermost, outer)

    def _names_of(self, frame: ScopedFrame, outer: Names) -> Names:
        return FrameNames(frame, self.scoped(), outer, len(self.session.runtimes()) > 1)

    def _numbered(self, number: int) -> ScopedFrame:
        frames = self.scoped()
        if number >= len(frames):
            raise UsageError(
                f"goroutine {self.number} has no frame {number}; it has {self.list_frames()}"
            )
        return frames[number]

    def _unknown(self, root: str, frame: ScopedFrame) -> str:
        return (
            f"cannot tell what {escape(root)} is in frame {frame.number} of goroutine "
            f"{self.number}, {escape(frame.function)}: {frame.lacks}; variables of packages are "
            "the same without --goroutine"
        )

    def _require_one_meaning(
        self, root: str, frame: ScopedFrame, innermost: ScopedFrame, outer: Names
    ) -> None:
        """:raises UsageError: if a name is a caller's local and, where the goroutine is, a variable
        of the package"""
        full = f"{package_of(innermost.function)}.{root}"
        if outer.package_variable(full) is not None:
            raise UsageError(
                f"{escape(root)} is {escape(full)} in frame {innermost.number}, "
                f"{escape(innermost.function)}, and a local of frame {frame.number}, "
                f"{escape(frame.function)}: say which with --frame"
            )

    def _note_package(self, root: str, frame: ScopedFrame, outer: Names) -> None:
        """Note that a name will be taken for a package's variable, which it may not be in the
        source: of an optimised function debug information may lack a variable."""
        full = f"{package_of(frame.function)}.{root}"
        found = None if self.frame is not None or not root else outer.package_variable(full)
        if found is not None and found.type.kind is not Kind.FUNC:
            has = "none of its frames has a local"
            if self._chosen is not None:
                has = f"frame {frame.number} has no local"
            self._of_package = f"{root} is {full}: {has} of that name"

    # --- text ---

    def understood(self, expression: Optional[str]) -> str:
        """How MAP was understood, a line; "": as it stands there.

        :param expression: None: it was the map that the goroutine works on
        """
        if self._of_package:
            return f"{self.title()}: {escape(self._of_package)}"
        return self.place(self.frame) if self.frame is not None or expression is None else ""

    def doubt(self) -> str:
        """Why a name may be one of a frame that was not looked at; "": all were."""
        last = self.frames[-1].function
        if len(self.frames) == _DEEPEST:
            return f"only its {_DEEPEST} innermost frames were looked at"
        return "" if last == _OUTERMOST else f"its frames before {escape(last)} are not known"

    def list_frames(self) -> str:
        """Its frames, the innermost first; not all of many."""
        frames = self.scoped()
        shown = [f"{frame.number} {escape(frame.function)}" for frame in frames[:_SHOWN]]
        more = len(frames) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    def title(self) -> str:
        """Who it is, and who runs it."""
        status = escape(self._goroutine.status)
        if self.thread is None:
            return f"goroutine {self.number} (on no thread, {status})"
        return f"goroutine {self.number} (thread {self.thread.number})"

    def place(self, frame: Optional[ScopedFrame] = None) -> str:
        """The same, with a frame; None: the innermost of its own code."""
        if frame is None:
            own = [one for one in self.scoped() if one.is_own()]
            frame = own[0] if own else self.scoped()[0]
        at = f" at {escape(frame.place())}" if frame.place() else ""
        return f"{self.title()}, frame {frame.number}: {escape(frame.function)}{at}"


def _find(session: Session, number: int) -> Tuple[GoProgram, Goroutine]:
    """The goroutine of an id, and its runtime.

    :raises MapscopeError: if there is none, or more than one
    """
    found: List[Tuple[GoProgram, Goroutine]] = []
    ids: List[int] = []
    unread: List[int] = []
    for program in session.runtimes() or [session.go]:
        for goroutine in program.goroutines(unread):
            ids.append(goroutine.id)
            if goroutine.id == number:
                found.append((program, goroutine))
    if len(found) > 1:
        selected = session.selected_runtime()
        same = [one for one in found if one[0] is selected]
        if not same:
            raise UsageError(
                f"{len(found)} Go runtimes have a goroutine {number}: select a thread or frame "
                "of the one that is meant"
            )
        found = same
    if found:
        return found[0]
    if unread:
        raise MapscopeError(
            f"cannot tell whether there is a goroutine {number}: {len(unread)} of "
            f"{len(unread) + len(ids)} goroutines cannot be read"
        )
    if not ids:
        raise UsageError(f"no goroutine {number}: this program has none")
    near = sorted(sorted(set(ids), key=lambda id: abs(id - number))[:_NEAR])
    plural = "" if len(ids) == 1 else "s"
    raise UsageError(
        f"no goroutine {number}: this program has {len(ids)} goroutine{plural}; "
        f"near are {', '.join(map(str, near))}"
        if len(ids) > 1
        else f"no goroutine {number}: this program has goroutine {ids[0]} alone"
    )


def _root(node: syntax.Node, expression: str) -> str:
    """The name that an expression begins with.

    :raises UsageError: if it begins with none
    """
    while not isinstance(node, (syntax.Name, syntax.Number, syntax.Foreign)):
        node = node.base
    if isinstance(node, syntax.Name):
        return node.text
    kind = "an address is" if isinstance(node, syntax.Number) else "registers are"
    what = "the same in every goroutine" if isinstance(node, syntax.Number) else "a thread's"
    raise UsageError(f"{escape(expression)}: {kind} {what}: leave out --goroutine")


def in_no_operation(goroutine: InGoroutine) -> NotAMap:
    """The error where a goroutine is in no operation of a map."""
    return NotAMap(
        f"which map? {goroutine.title()} is in no map operation: name a MAP; "
        f"its frames: {goroutine.list_frames()}"
    )

# SPDX-License-Identifier: MIT
"""Breakpoints and watchpoints of gdb with handlers of core's, and what hits them.

gdb's manual ("Breakpoints In Python") asks stop() methods not to delete the
breakpoint they belong to; so what is to be removed during a hit is switched
off at once and deleted at the next stop or prompt. Making breakpoints and
watchpoints there works, also for programs with several threads (gdb 13.1)."""

import re
from typing import Any, Callable, Iterator, List, Optional

import gdb

from mapscope.errors import MapscopeError
from mapscope.program.target import Frame
from mapscope.program.values import escape
from mapscope.session import describe as describe_error
from mapscope.stops.host import Hit, OnHit, Point
from .expressions import Language, parse
from .frames import GdbFrame, function_of, older

#: functions that are not the user's
_OURS = re.compile(
    r"^(mapscope::|mapscope_debug_stop$|runtime\.|internal/runtime/"
    r"|(?:internal/)?sync\.\(\*(?:Map|HashTrieMap\[.*)\)\.|(?:internal/runtime|sync)/atomic\."
    r"|std::(?:_Hashtable<|__detail::_|unordered_|__\d::(?:__hash_table<|unordered_))"
    r"|std::(?:__\w+::)*(?:vector|_Vector_base)<"
    r"|absl::\w+::container_internal::)"
)


#: frames in which the user's is looked for
_DEPTH = 64


#: debug registers of x86, each watching up to 8 aligned bytes
DEBUG_REGISTERS = 4


_MASK = (1 << 64) - 1


_STATE = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()


class GdbHit(Hit):
    """The thread that gdb has selected: the one that hit something."""

    def __init__(self) -> None:
        thread = gdb.selected_thread()
        if thread is None:
            raise MapscopeError("no thread is selected")
        self._thread = thread
        self.thread = int(thread.num)

    def register(self, name: str) -> int:
        try:
            return int(gdb.newest_frame().read_register(name)) & _MASK
        except (gdb.error, ValueError) as error:
            raise MapscopeError(f"cannot read register {name}: {error}") from None

    def frames(self) -> Iterator[Frame]:
        frame: Optional[gdb.Frame] = gdb.newest_frame()
        while frame is not None:
            yield GdbFrame(self._thread, frame)
            frame = older(frame)

    def caller(self) -> Optional[int]:
        try:
            raw = gdb.selected_inferior().read_memory(self.register("rsp"), 8)
        except gdb.error:
            return None
        return int.from_bytes(bytes(raw), "little")

    def state(self) -> bytes:
        frame = gdb.newest_frame()
        registers = [int(frame.read_register(name)) & _MASK for name in _STATE]
        return repr(registers).encode() + self._stack_top()

    def _stack_top(self) -> bytes:
        start = self.register("rsp")
        try:
            end = (start | 0xFFF) + 1
            return bytes(gdb.selected_inferior().read_memory(start, min(1024, end - start)))
        except gdb.error:
            return b""

    def condition(self, expression: str) -> bool:
        newest = gdb.newest_frame()
        frame = user_frame()
        try:
            frame.select()
            return bool(parse(expression))
        except gdb.error as error:
            raise MapscopeError(str(error)) from None
        finally:
            newest.select()


def user_frame() -> gdb.Frame:
    """The innermost frame that is not of the runtime; else the innermost."""
    newest = gdb.newest_frame()
    frame: Optional[gdb.Frame] = newest
    for _ in range(_DEPTH):
        if frame is None:
            return newest
        if not _OURS.match(function_of(frame)):
            return frame
        frame = older(frame)
    return newest


class Breakpoint(gdb.Breakpoint, Point):
    """A gdb breakpoint or watchpoint with a handler of core's."""

    def __init__(self, on_hit: OnHit, visible: bool, watched: int, **arguments: Any) -> None:
        super().__init__(internal=not visible, **arguments)
        self.on_hit = on_hit
        self.shown = visible
        self.watched = watched  # address, or 0
        # gdb may place it in others, too; `inferior` is an attribute of its own from gdb 14 on
        self.of_inferior = gdb.selected_inferior()
        self.removed = False
        self.was_enabled = True
        # a stop there is shown by our own line, not as "Breakpoint -11"
        self.silent = not visible
        POINTS.append(self)

    def stop(self) -> bool:
        """gdb asks whether to stop here."""
        global _hits
        if self.removed or gdb.selected_inferior().num != self.of_inferior.num:
            return False
        _hits += 1
        try:
            return self.on_hit(GdbHit())
        except KeyboardInterrupt:
            return True
        except Exception as error:  # never a traceback, and never a program stopped by it
            gdb.write(f"mapscope: {describe_error(error)}\n", gdb.STDERR)
            return False
        finally:
            _hits -= 1

    def remove(self) -> None:
        if self.removed:
            return
        self.removed = True
        POINTS[:] = [point for point in POINTS if point is not self]
        if not self.is_valid():
            return
        if _hits:
            self.enabled = False
            _leftover.append(self)
        else:
            self.delete()

    def enable(self, on: bool) -> None:
        if not self.removed and self.is_valid():
            self.was_enabled = on
            self.enabled = on


#: all that are set; those to be deleted when no hit is being handled; hits being handled
POINTS: List[Breakpoint] = []


_leftover: List[Breakpoint] = []


_hits = 0


#: what make_point is to do; gdb.execute takes text
_making: List[Callable[[], Breakpoint]] = []


_made: List[Breakpoint] = []


def make_point(create: Callable[[], Breakpoint], language: str = "c") -> Breakpoint:
    """A breakpoint, without the line that gdb shows for it: core has a better one.

    :param language: that its place is written in; Go's parser has no casts
    :raises MapscopeError: with gdb's own words
    """
    _making.append(create)
    try:
        with Language(language):
            gdb.execute(
                "python from mapscope_in_gdb import points as _m; _m.make_now()", to_string=True
            )
        return _made.pop()
    except gdb.error as error:
        _making.clear()
        raise MapscopeError(escape(str(error).strip().rstrip("."))) from None
    finally:
        _made.clear()


def make_now() -> None:
    """Called by make_point, through gdb."""
    _made.append(_making.pop()())


def has_room(address: int) -> bool:
    """Whether a debug register is left to watch up to 8 bytes at an address.

    gdb lets equal watchpoints share one (x86-dregs.c, x86_insert_aligned_watchpoint).
    """
    used = {point.watched for point in POINTS if point.watched and point.enabled}
    if address in used:
        return True
    theirs = 0
    for other in gdb.breakpoints():
        if isinstance(other, Breakpoint) or not other.enabled:
            continue
        if other.type in (
            gdb.BP_HARDWARE_WATCHPOINT,
            gdb.BP_READ_WATCHPOINT,
            gdb.BP_ACCESS_WATCHPOINT,
        ):
            theirs += _words(other.expression or "")
        elif other.type == getattr(gdb, "BP_HARDWARE_BREAKPOINT", object()):
            theirs += 1
    return len(used) + theirs < DEBUG_REGISTERS


def _words(expression: str) -> int:
    """Debug registers that a watchpoint of the user's takes."""
    match = re.match(r"-location (.*)", expression)
    try:
        size = int(gdb.parse_and_eval(match[1] if match else expression).type.sizeof)
    except gdb.error:
        size = 8
    return max(1, (size + 7) // 8)


def find_again() -> None:
    """Enable what gdb has disabled of itself.

    When a program is loaded or started, gdb looks the places of all breakpoints up again, in that
    inferior, and disables those that it has not, without an event (location_to_sals in
    breakpoint.c). In their own inferior they are still where they were.
    """
    for point in POINTS:
        if point.was_enabled and point.is_valid() and not point.enabled:
            point.enabled = True


def in_hit() -> bool:
    """Whether a hit is being handled."""
    return _hits > 0


def tidy() -> None:
    """Delete what was to be removed while it was hit."""
    while _leftover:
        point = _leftover.pop()
        if point.is_valid():
            point.delete()

# SPDX-License-Identifier: MIT
"""Stops in gdb: core's Host by gdb's breakpoints, watchpoints and events.

gdb's manual ("Breakpoints In Python") asks stop() methods not to delete the
breakpoint they belong to; so what is to be removed during a hit is switched
off at once and deleted at the next stop or prompt. Making breakpoints and
watchpoints there works, also for programs with several threads (gdb 13.1).
"""

import os
import re
from typing import Any, Callable, Iterator, List, Optional

import gdb

from mapscope.plans.planning import make
from mapscope.errors import MapscopeError, UsageError
from mapscope.session import describe as describe_error
from mapscope.stops.host import Hit, Host, NoWatchpoint, OnHit, Point
from mapscope.stops.all_stops import Stops
from mapscope.program.target import Frame
from mapscope.program.values import escape
from mapscope_gdb_commands import write
from mapscope_gdb_target import GdbFrame, GdbTarget, Language, function_of, older, parse

#: functions that are not the user's
_OURS = re.compile(r"^(mapscope::|mapscope_debug_stop$|runtime\.|internal/runtime/)")
#: frames in which the user's is looked for
_DEPTH = 64
#: debug registers of x86, each watching up to 8 aligned bytes
_DEBUG_REGISTERS = 4

_TYPES = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long"}
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


class _Breakpoint(gdb.Breakpoint, Point):
    """A gdb breakpoint or watchpoint with a handler of core's."""

    def __init__(self, on_hit: OnHit, visible: bool, watched: int, **arguments: Any) -> None:
        super().__init__(internal=not visible, **arguments)
        self.on_hit = on_hit
        self.shown = visible
        self.watched = watched  # address, or 0
        self.removed = False
        self.was_enabled = True
        # a stop there is shown by our own line, not as "Breakpoint -11"
        self.silent = not visible
        _points.append(self)

    def stop(self) -> bool:
        """gdb asks whether to stop here."""
        global _hits
        if self.removed:
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
        _points[:] = [point for point in _points if point is not self]
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
_points: List[_Breakpoint] = []
_leftover: List[_Breakpoint] = []
_hits = 0
#: what _make is to do; gdb.execute takes text
_making: List[Callable[[], _Breakpoint]] = []
_made: List[_Breakpoint] = []


def _make(create: Callable[[], _Breakpoint], language: str = "c") -> _Breakpoint:
    """A breakpoint, without the line that gdb shows for it: core has a better one.

    :param language: that its place is written in; Go's parser has no casts
    :raises MapscopeError: with gdb's own words
    """
    _making.append(create)
    try:
        with Language(language):
            gdb.execute("python import mapscope_gdb_stops as _m; _m.make_now()", to_string=True)
        return _made.pop()
    except gdb.error as error:
        _making.clear()
        raise MapscopeError(escape(str(error).strip().rstrip("."))) from None
    finally:
        _made.clear()


def make_now() -> None:
    """Called by _make, through gdb."""
    _made.append(_making.pop()())


class GdbHost(Host):
    """gdb."""

    def target(self) -> GdbTarget:
        return GdbTarget()

    def state(self) -> str:
        inferior = gdb.selected_inferior()
        if not inferior.pid:
            return "none"
        connection = getattr(inferior, "connection", None)
        return "core" if connection is not None and connection.type == "core" else "live"

    def has_program(self) -> bool:
        return bool(gdb.current_progspace().filename)

    def here(self) -> Optional[Hit]:
        return GdbHit() if gdb.selected_thread() is not None else None

    def function(self, name: str) -> Optional[int]:
        found = GdbTarget().symbols(name)
        return found[0] if found else None

    def function_start(self, address: int) -> Optional[int]:
        try:
            text = gdb.execute(f"info symbol {address:#x}", to_string=True)
        except gdb.error:
            return None
        # "NAME + 8 in section .text"; the name may be demangled
        match = re.search(r"(?: \+ (\d+))? in section ", text)
        return None if match is None else address - int(match[1] or 0)

    def breakpoint(self, address: int, on_hit: OnHit, visible: bool) -> Point:
        return _make(lambda: _Breakpoint(on_hit, visible, 0, spec=f"*{address:#x}"))

    def breakpoint_at(self, location: str, on_hit: OnHit) -> Point:
        try:
            gdb.decode_line(location)
        except gdb.error as error:
            raise UsageError(f"--at: {escape(str(error).strip().rstrip('.'))}") from None
        try:
            return _make(lambda: _Breakpoint(on_hit, True, 0, spec=location), "auto")
        except MapscopeError as error:
            raise UsageError(f"--at: {error}") from None

    def function_breakpoint(self, name: str, offset: int, on_hit: OnHit, visible: bool) -> Point:
        if self.function(name) is None:
            raise MapscopeError(f"the program has no function {name}")
        spec = f"*(unsigned long) &'{name}' + {offset}"
        return _make(lambda: _Breakpoint(on_hit, visible, 0, spec=spec))

    def watchpoint(self, address: int, size: int, on_hit: OnHit, visible: bool) -> Point:
        if not _has_room(address):
            raise NoWatchpoint(f"all {_DEBUG_REGISTERS} hardware watchpoints are in use")
        spec = f"*({_TYPES[size]} *) {address:#x}"
        point = _make(
            lambda: _Breakpoint(
                on_hit,
                visible,
                address,
                spec=spec,
                type=gdb.BP_WATCHPOINT,
                wp_class=gdb.WP_WRITE,
            )
        )
        if point.type != gdb.BP_HARDWARE_WATCHPOINT:
            point.remove()
            raise NoWatchpoint("gdb has no hardware watchpoints here")
        return point

    def write_memory(self, address: int, data: bytes) -> None:
        try:
            gdb.selected_inferior().write_memory(address, data)
        except gdb.error as error:
            raise MapscopeError(f"cannot write to the stop filter: {error}") from None

    def kernel_thread(self, number: int) -> Optional[int]:
        for thread in gdb.selected_inferior().threads():
            if thread.num == number:
                return int(thread.ptid[1] or thread.ptid[2])
        return None

    def hides_from_program(self) -> bool:
        if not _is_native():
            return False
        pid = gdb.selected_inferior().pid
        try:
            return os.readlink("/proc/self/ns/pid") != os.readlink(f"/proc/{pid}/ns/pid")
        except OSError:
            return False

    def can_evaluate(self) -> Optional[str]:
        return None

    def say(self, line: str) -> None:
        write(line + "\n")


def _is_native() -> bool:
    """Whether the process runs on this machine, under this gdb."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    return connection is not None and str(connection.type) == "native"


def _has_room(address: int) -> bool:
    """Whether a debug register is left to watch up to 8 bytes at an address.

    gdb lets equal watchpoints share one (x86-dregs.c, x86_insert_aligned_watchpoint).
    """
    used = {point.watched for point in _points if point.watched and point.enabled}
    if address in used:
        return True
    theirs = 0
    for other in gdb.breakpoints():
        if isinstance(other, _Breakpoint) or not other.enabled:
            continue
        if other.type in (
            gdb.BP_HARDWARE_WATCHPOINT,
            gdb.BP_READ_WATCHPOINT,
            gdb.BP_ACCESS_WATCHPOINT,
        ):
            theirs += _words(other.expression or "")
        elif other.type == getattr(gdb, "BP_HARDWARE_BREAKPOINT", object()):
            theirs += 1
    return len(used) + theirs < _DEBUG_REGISTERS


def _words(expression: str) -> int:
    """Debug registers that a watchpoint of the user's takes."""
    match = re.match(r"-location (.*)", expression)
    try:
        size = int(gdb.parse_and_eval(match[1] if match else expression).type.sizeof)
    except gdb.error:
        size = 8
    return max(1, (size + 7) // 8)


STOPS = Stops(GdbHost(), make)


class _Process:
    """Notices that a process starts and ends, as gdb has no event for all of it."""

    def __init__(self) -> None:
        self._pid = int(gdb.selected_inferior().pid)
        self._started = self._pid
        self.quitting = False
        self._entry: Optional[_Breakpoint] = None

    def look(self, starting: bool = False) -> None:
        """Compare with what was.

        :param starting: the process may not have run any of its own instructions
        """
        pid = int(gdb.selected_inferior().pid)
        if self._pid and pid != self._pid:
            self.ended()
        self._pid = pid
        if not pid or pid == self._started or not STOPS.any():
            return
        if starting:
            self._wait_for_entry()
        else:
            self._start()

    def ended(self) -> None:
        """The process is gone."""
        if self.quitting:
            return
        self._pid = self._started = 0
        self._drop_entry()
        STOPS.process_ended()

    def _wait_for_entry(self) -> None:
        """At the program's entry point its own data are relocated, and nothing has run."""
        match = re.search(r"Entry point: (0x[0-9a-f]+)", gdb.execute("info files", to_string=True))
        if match is None or not self._is_mapped(int(match[1], 16)):
            return  # not where it will be
        self._drop_entry()

        def arrived(hit: Hit) -> bool:
            self._start()
            return False

        spec = f"*{match[1]}"
        self._entry = _make(lambda: _Breakpoint(arrived, False, 0, spec=spec))

    @staticmethod
    def _is_mapped(address: int) -> bool:
        try:
            gdb.selected_inferior().read_memory(address, 1)
        except gdb.error:
            return False
        return True

    def _start(self) -> None:
        self._started = self._pid
        self._drop_entry()
        STOPS.process_started()

    def _drop_entry(self) -> None:
        if self._entry is not None:
            self._entry.remove()
            self._entry = None


_process = _Process()


def _on_stop(event: gdb.StopEvent) -> None:
    _tidy()
    _process.look()
    lines = STOPS.halted()
    if not lines:
        return
    for line in lines:
        write(line + "\n")
    try:
        user_frame().select()
        gdb.execute("frame")
    except gdb.error as error:
        gdb.write(f"mapscope: {error}\n", gdb.STDERR)


def _on_cont(event: gdb.ContinueEvent) -> None:
    if not _hits:
        STOPS.running()


def _on_exit(event: gdb.ExitedEvent) -> None:
    _process.ended()
    _tidy()


def _on_quit(event: object) -> None:
    """gdb ends, and takes the process with it or leaves it: there is nothing more to say."""
    _process.quitting = True


def _on_objfile(event: gdb.NewObjFileEvent) -> None:
    _process.look(starting=True)


def _on_prompt() -> None:
    _tidy()
    _process.look()


def _on_deleted(point: gdb.Breakpoint) -> None:
    if isinstance(point, _Breakpoint) and not point.removed and point.shown:
        point.removed = True
        _points[:] = [other for other in _points if other is not point]
        STOPS.point_deleted(point)


def _on_modified(point: gdb.Breakpoint) -> None:
    if isinstance(point, _Breakpoint) and point.shown and not point.removed:
        if point.enabled != point.was_enabled:
            point.was_enabled = point.enabled
            STOPS.point_enabled(point, point.enabled)


def _tidy() -> None:
    """Delete what was to be removed while it was hit."""
    while _leftover:
        point = _leftover.pop()
        if point.is_valid():
            point.delete()


def _quiet(handler: Any) -> Any:
    """A handler whose errors are a line each; gdb would show "Python Exception ..."."""

    def call(*events: object) -> None:
        try:
            handler(*events)
        except Exception as error:
            gdb.write(f"mapscope: {describe_error(error)}\n", gdb.STDERR)

    return call


def _connect() -> None:
    for registry, handler in (
        (gdb.events.stop, _on_stop),
        (gdb.events.cont, _on_cont),
        (gdb.events.exited, _on_exit),
        (gdb.events.new_objfile, _on_objfile),
        (gdb.events.before_prompt, _on_prompt),
        (gdb.events.breakpoint_deleted, _on_deleted),
        (gdb.events.breakpoint_modified, _on_modified),
    ):
        registry.connect(_quiet(handler))
    if hasattr(gdb.events, "gdb_exiting"):  # gdb 12.1
        gdb.events.gdb_exiting.connect(_on_quit)


_connect()

# SPDX-License-Identifier: MIT
"""Stops in LLDB: core's Host by LLDB's breakpoints, watchpoints and script callbacks.

A hit is handled in the callback of its breakpoint or watchpoint, which decides whether
the program stops; what is then shown is told by the stop hook. Handling hits in the hook
alone would work too, but LLDB writes old and new value of a watchpoint for every stop that
is considered, also where the hook lets the program go on.

LLDB 19 has no events for breakpoints that its user deletes and for processes that start and
end, so both are looked for whenever mapscope is called.
"""

import os
import re
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

import lldb

from mapscope.errors import MapscopeError, MemoryUnreadable, UsageError
from mapscope.plans.later import make
from mapscope.program.cpp_names import function_name
from mapscope.program.target import Frame
from mapscope.program.values import escape
from mapscope.session import describe as describe_error
from mapscope.stops.all_stops import Stops
from mapscope.stops.host import Hit, Host, NoWatchpoint, OnHit, Point
from .data import bytes_of_data
from .expressions import condition
from .go_modules import go_modules
from .hooking import ensure
from .hosts import HOSTS, host_of
from .process import is_core, is_there, register_of
from .target import LldbTarget

#: functions that are not the user's
_OURS = re.compile(
    r"^(mapscope::|mapscope_debug_stop\b|runtime\.|internal/runtime/"
    r"|(?:internal/)?sync\.\(\*(?:Map|HashTrieMap\[.*)\)\.|(?:internal/runtime|sync)/atomic\."
    r"|std::(?:_Hashtable<|__detail::_|unordered_|__\d::(?:__hash_table<|unordered_))"
    r"|std::(?:__\w+::)*(?:vector|_Vector_base)<"
    r"|absl::\w+::container_internal::)"
)
#: where the headers of C++ libraries are
_LIBRARY = re.compile(r"/c\+\+/(?:v?\d+/)")
#: frames in which the user's is looked for
_DEPTH = 64
#: debug registers of x86, each watching up to 8 aligned bytes
_DEBUG_REGISTERS = 4
#: LLDB's name for breakpoints that its list does not show
_HIDDEN = "mapscope_internal"

_MASK = (1 << 64) - 1
#: of Go's functions no register outlives a call, so what tells two arrivals apart is in the
#: arguments or on the stack; each register that is asked for costs 60 us (lldb-server)
_STATE = "rsp rax rbx rcx rdi rsi".split()
_LOCATION = re.compile(r"^(?P<file>.+):(?P<line>\d+)$")


class LldbHit(Hit):
    """A thread at an instruction."""

    def __init__(self, host: "LldbHost", thread: lldb.SBThread) -> None:
        self._host = host
        self._native = thread
        self._frame = thread.GetFrameAtIndex(0)
        self.thread = int(thread.GetIndexID())

    def register(self, name: str) -> int:
        value = register_of(self._frame, name)
        if value is None:
            raise MapscopeError(f"cannot read register {name}")
        return value

    def frames(self) -> Iterator[Frame]:
        return self._host.target().thread_frames(self._native, _DEPTH)

    def caller(self) -> Optional[int]:
        try:
            raw = self._host.target().read_memory(self.register("rsp"), 8)
        except MapscopeError:
            return None
        return int.from_bytes(bytes(raw), "little")

    def state(self) -> bytes:
        registers = [register_of(self._frame, name) for name in _STATE]
        return repr(registers).encode() + self._stack_top()

    def _stack_top(self) -> bytes:
        start = self.register("rsp")
        end = (start | 0xFFF) + 1
        try:
            return bytes(self._host.target().read_memory(start, min(1024, end - start)))
        except MemoryUnreadable:
            return b""

    def condition(self, expression: str) -> bool:
        return condition(user_frame(self._native), expression)


def user_frame(thread: lldb.SBThread) -> lldb.SBFrame:
    """The innermost frame that is not of the runtime; else the innermost."""
    newest = thread.GetFrameAtIndex(0)
    for index in range(_DEPTH):
        frame = thread.GetFrameAtIndex(index)
        if not frame.IsValid():
            break
        if not is_ours(frame):
            return frame
    return newest


def is_ours(frame: lldb.SBFrame) -> bool:
    """Whether a frame is of mapscope's library or of Go's runtime."""
    if _is_name_of_ours(str(frame.GetFunctionName() or "")):
        return True
    if not frame.IsInlined():
        return False
    # GCC gives no full names to functions of unnamed namespaces
    folder = str(frame.GetLineEntry().GetFileSpec().GetDirectory() or "")
    around = str(frame.GetSymbol().GetName() or "")
    if _LIBRARY.search(folder + "/"):
        return True  # inlined into the user's own
    return folder.endswith("/mapscope") or _is_name_of_ours(around)


def _is_name_of_ours(name: str) -> bool:
    """Whether a function's name is one of theirs: as C++ has it, or as Go has it, where what stands
    in parentheses is a method's receiver."""
    return bool(_OURS.match(function_name(name)) or _OURS.match(name))


class LldbPoint(Point):
    """A breakpoint or watchpoint of LLDB with a handler of core's.

    :ivar native: LLDB's object; several points share a watchpoint of one address
    :ivar on: whether it is to be enabled
    :ivar reason: of threads that stop for it
    """

    reason = lldb.eStopReasonBreakpoint
    _find = staticmethod(lldb.SBTarget.FindBreakpointByID)
    _delete = staticmethod(lldb.SBTarget.BreakpointDelete)

    def __init__(
        self, host: "LldbHost", native: Any, target: lldb.SBTarget, on_hit: OnHit, visible: bool
    ) -> None:
        self.host = host
        self.native = native
        self.target = target
        self.on_hit = on_hit
        self.visible = visible
        self.number: Optional[int] = int(native.GetID()) if visible else None
        self.removed = False
        self.left_at = 0  # LLDB's number of the stop at which it was left over
        self.on = True

    def remove(self) -> None:
        if not self.removed:
            self.removed = True
            self.host.drop(self)

    def enable(self, on: bool) -> None:
        if not self.removed and self.is_there():
            self.on = on
            self.native.SetEnabled(any(point.on for point in self.host.sharing(self)))

    def delete(self) -> None:
        """Take it out of LLDB."""
        if self.is_there():
            self._delete(self.target, self.native.GetID())

    def retire(self) -> None:
        """It is to be deleted later, and is of no use any more."""

    def is_there(self) -> bool:
        """Whether LLDB still has it."""
        if not self.native.IsValid():
            return False
        return bool(self._find(self.target, self.native.GetID()).IsValid())


class Watchpoint(LldbPoint):
    """A hardware watchpoint."""

    reason = lldb.eStopReasonWatchpoint
    _find = staticmethod(lldb.SBTarget.FindWatchpointByID)
    _delete = staticmethod(lldb.SBTarget.DeleteWatchpoint)

    def retire(self) -> None:
        # its debug register is free for another one
        if self.is_there():
            self.native.SetEnabled(False)

    @property
    def label(self) -> str:
        return f"watchpoint {self.number}"


class LldbHost(Host):
    """One target of LLDB.

    :ivar stops: what is set in it
    :ivar in_hit: how many hits are being handled
    :ivar leftover: points to be deleted when that is possible
    """

    def __init__(self, debugger: lldb.SBDebugger, target: lldb.SBTarget) -> None:
        # the object that a command is given ends with the command
        self.debugger: lldb.SBDebugger = lldb.SBDebugger.FindDebuggerWithID(debugger.GetID())
        self.stops = Stops(self, make)
        self._target = target
        self.in_hit = 0
        self.leftover: List[LldbPoint] = []
        #: by LLDB's number: breakpoints as they are, watchpoints with their process
        self._points: Dict[Tuple[int, int], List[LldbPoint]] = {}
        self._context: Optional[lldb.SBExecutionContext] = None
        self._hit_thread: Optional[lldb.SBThread] = None
        self._process = 0  # the process that is known, by LLDB's unique id
        self._started = 0  # the one whose stops are set
        self._entry: Optional[LldbPoint] = None
        self._stop_id = 0
        self._modules = 0  # how many were known
        self._loader: Optional[LldbPoint] = None

    # --- Host ---

    def target(self) -> LldbTarget:
        context = self._context or lldb.SBExecutionContext(self._target)
        return LldbTarget(self.debugger, context)

    def native(self) -> lldb.SBTarget:
        """LLDB's target."""
        return self._target

    def state(self) -> str:
        process = self.native().GetProcess()
        if not is_there(process):
            return "none"
        return "core" if is_core(process) else "live"

    def has_program(self) -> bool:
        return bool(self.native().GetExecutable().IsValid())

    def here(self) -> Optional[Hit]:
        thread = self.target().selected_thread()
        return None if thread is None else LldbHit(self, thread)

    def function(self, name: str) -> Optional[int]:
        return next(iter(self.target().symbols(name)), None)

    def function_start(self, address: int) -> Optional[int]:
        target = self.native()
        place = target.ResolveLoadAddress(address)
        if not place.GetSection().IsValid():
            place = target.ResolveFileAddress(address)
        symbol = place.GetSymbol()
        if not symbol.IsValid():
            return None
        start = symbol.GetStartAddress()
        loaded = start.GetLoadAddress(target)
        return int(start.GetFileAddress() if loaded == lldb.LLDB_INVALID_ADDRESS else loaded)

    def breakpoint(self, address: int, on_hit: OnHit, visible: bool) -> Point:
        return self._add(self._at_address(address), on_hit, visible)

    def _at_address(self, address: int) -> lldb.SBBreakpoint:
        """LLDB's breakpoint there, in this process and the next: one at a bare number is never
        set if there is no process yet."""
        target = self.native()
        if self.state() == "none":
            place = target.ResolveFileAddress(address)
        else:
            place = target.ResolveLoadAddress(address)
        if place.GetSection().IsValid():
            return target.BreakpointCreateBySBAddress(place)
        return target.BreakpointCreateByAddress(address)

    def breakpoint_at(self, location: str, on_hit: OnHit) -> Point:
        target = self.native()
        match = _LOCATION.match(location)
        address = re.match(r"^\*?(0x0*[0-9a-fA-F]{1,16})$", location)
        if address is not None:
            made = self._at_address(int(address[1], 16))
        elif match is not None:
            made = target.BreakpointCreateByLocation(match["file"], int(match["line"]))
        else:
            made = target.BreakpointCreateByName(location)
            if not made.GetNumLocations() and re.fullmatch(r"\w+(::\w+)+", location):
                # as gdb does: of a class template whatever its arguments are
                target.BreakpointDelete(made.GetID())
                parts = r"(<.*>)?::".join(location.split("::"))
                made = target.BreakpointCreateByRegex(rf"(^|[ ]){parts}(<.*>)?\(")
        if not made.GetNumLocations():
            target.BreakpointDelete(made.GetID())
            raise UsageError(f"--at: there is no {escape(location)} in this program")
        return self._add(made, on_hit, True)

    def function_breakpoint(self, name: str, offset: int, on_hit: OnHit, visible: bool) -> Point:
        # an address in a section, which LLDB follows to wherever the next process has it
        place = next(self.target().symbol_places(name), None)
        if place is None:
            raise MapscopeError(f"the program has no function {name}")
        place.OffsetAddress(offset)
        return self._add(self.native().BreakpointCreateBySBAddress(place), on_hit, visible)

    def _add(self, made: lldb.SBBreakpoint, on_hit: OnHit, visible: bool) -> LldbPoint:
        if not made.IsValid():
            raise MapscopeError("LLDB cannot set a breakpoint there")
        error = made.SetScriptCallbackFunction(
            "mapscope_lldb.mapscope_in_lldb.hook.on_breakpoint", lldb.SBStructuredData()
        )
        if error.Fail():
            made.GetTarget().BreakpointDelete(made.GetID())
            raise MapscopeError(f"LLDB cannot call mapscope: {error.GetCString()}")
        if not visible:
            self._hide(made)
        point = LldbPoint(self, made, self.native(), on_hit, visible)
        self._points[0, int(made.GetID())] = [point]
        return point

    def _hide(self, made: lldb.SBBreakpoint) -> None:
        name = lldb.SBBreakpointName(self.native(), _HIDDEN)
        name.SetAllowList(False)
        made.AddName(_HIDDEN)

    def watchpoint(self, address: int, size: int, on_hit: OnHit, visible: bool) -> Point:
        target = self.native()
        if not self._has_room(target, address, size):
            raise NoWatchpoint(f"all {_DEBUG_REGISTERS} hardware watchpoints are in use")
        options, error = lldb.SBWatchpointOptions(), lldb.SBError()
        options.SetWatchpointTypeRead(False)
        options.SetWatchpointTypeWrite(lldb.eWatchpointWriteTypeOnModify)
        made = target.WatchpointCreateByAddress(address, size, options, error)
        if error.Fail() or not made.IsValid():
            reason = error.GetCString() or "it gives no reason"
            raise NoWatchpoint(f"LLDB has no hardware watchpoint here: {escape(str(reason))}")
        # The API has no callbacks for watchpoints; this command has.
        result = lldb.SBCommandReturnObject()
        self.debugger.GetCommandInterpreter().HandleCommand(
            "watchpoint command add -F mapscope_lldb.mapscope_in_lldb.hook.on_watchpoint "
            f"{made.GetID()}",
            lldb.SBExecutionContext(target),
            result,
        )
        if not result.Succeeded():
            target.DeleteWatchpoint(made.GetID())
            raise NoWatchpoint(f"LLDB cannot call mapscope: {escape(str(result.GetError()))}")
        # LLDB has one watchpoint for an address and a size, however often it is asked for
        point = Watchpoint(self, made, target, on_hit, visible)
        self._points.setdefault((self._unique_id(), int(made.GetID())), []).append(point)
        return point

    def _has_room(self, target: lldb.SBTarget, address: int, size: int) -> bool:
        """Whether a debug register is left, or one watches just that already.

        One that is being hit is disabled, and will need its register again.
        """
        used = 0
        process = self._unique_id()
        for index in range(target.GetNumWatchpoints()):
            other = target.GetWatchpointAtIndex(index)
            if other.GetWatchAddress() == address and other.GetWatchSize() == size:
                return True
            ours = self._points.get((process, int(other.GetID())), ())
            if other.IsEnabled() or any(point.on for point in ours):
                first = other.GetWatchAddress() // 8
                last = (other.GetWatchAddress() + max(other.GetWatchSize(), 1) - 1) // 8
                used += last - first + 1
        return used < _DEBUG_REGISTERS

    def write_memory(self, address: int, data: bytes) -> None:
        error = lldb.SBError()
        written = self.native().GetProcess().WriteMemory(address, data, error)
        if error.Fail() or written != len(data):
            raise MapscopeError(f"cannot write to the stop filter: {error.GetCString()}")

    def kernel_thread(self, number: int) -> Optional[int]:
        if number >> 32:
            return None
        thread = self.native().GetProcess().GetThreadByIndexID(number)
        return int(thread.GetThreadID()) if thread.IsValid() else None

    def hides_from_program(self) -> bool:
        target = self.target()
        if not target.is_local():
            return False
        pid = int(target.process.GetProcessID())
        try:
            return os.readlink("/proc/self/ns/pid") != os.readlink(f"/proc/{pid}/ns/pid")
        except OSError:
            return False

    def can_evaluate(self) -> Optional[str]:
        if next(go_modules(self.native()), None) is not None:
            return "LLDB cannot evaluate expressions in Go programs"
        return None

    def say(self, line: str) -> None:
        output = self.debugger.GetOutputFile()
        output.Write((line + "\n").encode("utf-8", "backslashreplace"))
        output.Flush()

    # --- hits ---

    def sharing(self, point: LldbPoint) -> List[LldbPoint]:
        """The points that have LLDB's object in common."""
        return next((row for row in self._points.values() if point in row), [point])

    def drop(self, point: LldbPoint) -> None:
        """It is removed; LLDB's object goes with the last that has it."""
        for key, row in list(self._points.items()):
            if point not in row:
                continue
            row.remove(point)
            if row:
                return
            del self._points[key]
            if self._is_pending(point):
                point.retire()
                point.left_at = int(point.target.GetProcess().GetStopID())
                self.leftover.append(point)
            else:
                point.delete()

    def _is_pending(self, point: LldbPoint) -> bool:
        """Whether a thread is stopped for it, so that LLDB may still have to ask about it: one
        that is gone, or disabled, stops the program."""
        process = point.target.GetProcess()
        if not process.IsValid() or process.GetState() != lldb.eStateStopped:
            return False
        reason, number = point.reason, int(point.native.GetID())
        for thread in process:
            if thread.GetStopReason() == reason:
                # of a breakpoint: pairs of breakpoint and location
                step = 2 if reason == lldb.eStopReasonBreakpoint else 1
                for at in range(0, thread.GetStopReasonDataCount(), step):
                    if int(thread.GetStopReasonDataAtIndex(at)) == number:
                        return True
        return False

    def hit_breakpoint(self, frame: lldb.SBFrame, number: int) -> bool:
        """A breakpoint's callback. Returns whether to stop."""
        return self._hit(frame, (0, number))

    def hit_watchpoint(self, frame: lldb.SBFrame, number: int) -> bool:
        """A watchpoint's callback. Returns whether to stop."""
        process = frame.GetThread().GetProcess().GetUniqueID()
        return self._hit(frame, (int(process), number))

    def _hit(self, frame: lldb.SBFrame, key: Tuple[int, int]) -> bool:
        before, self._context = self._context, lldb.SBExecutionContext(frame)
        self.in_hit += 1
        stops = False
        try:
            self._tidy()
            row = list(self._points.get(key, ()))
            if self._entry not in row:
                self.look(key)
            for point in row:
                if point.on and not point.removed:
                    stops = point.on_hit(LldbHit(self, frame.GetThread())) or stops
        except Exception as error:  # never a traceback, and never a program stopped by it
            print(f"mapscope: {describe_error(error)}", file=sys.stderr)
        finally:
            self.in_hit -= 1
            self._context = before
        if stops:
            self._hit_thread = frame.GetThread()
        return stops

    def _tidy(self, now: int = 0) -> None:
        """Delete what was removed while it was hit, and is no longer.

        :param now: LLDB's number of a stop that all threads have been asked about: what was
            removed before it goes, also if one is stopped there again
        """
        gone, self.leftover = self.leftover, []
        for point in gone:
            again = (self._unique_id(), int(point.native.GetID())) in self._points
            if isinstance(point, Watchpoint) and again:
                continue  # LLDB has given the same one again for its address
            if point.left_at >= now and self._is_pending(point):
                self.leftover.append(point)
            else:
                point.delete()

    def stopped(self, context: lldb.SBExecutionContext) -> None:
        """The program has stopped, for whatever reason: the stop hook tells.

        Shows the line of a map stop, and selects the user's frame.
        """
        self._context = context
        try:
            self.look()
            self._stop_id = int(context.GetProcess().GetStopID())
            self._tidy(self._stop_id)
            lines = self.stops.halted()
            for line in lines:
                self.say(line)
            thread, self._hit_thread = self._hit_thread, None
            if lines and thread is not None and thread.IsValid():
                context.GetProcess().SetSelectedThread(thread)
                thread.SetSelectedFrame(user_frame(thread).GetFrameID())
        finally:
            self._context = None

    # --- what LLDB has no events for ---

    def _unique_id(self) -> int:
        process = self.native().GetProcess()
        if not is_there(process):
            return 0
        return int(process.GetUniqueID())

    def look(self, hit: Tuple[int, int] = (0, 0)) -> None:
        """Notice what has happened since mapscope was called last.

        :param hit: what is being hit; LLDB disables a watchpoint meanwhile
        """
        stops = self.stops
        process = self._unique_id()
        if self._process and process != self._process:
            self._started = 0
            stops.process_ended()
        if process and process != self._process and self._entry is None:
            self._started = process
        self._process = process
        if process and stops.current is not None:
            if int(self.native().GetProcess().GetStopID()) != self._stop_id and not self.in_hit:
                stops.current = None  # the program has gone on since
        self._look_for_libraries()
        for key, row in list(self._points.items()):
            if not row or key == hit:
                continue  # retired meanwhile; or not to be judged now
            there, enabled = row[0].is_there(), bool(row[0].native.IsEnabled())
            if not there:
                del self._points[key]
            for point in [point for point in row if point.visible and not point.removed]:
                if not there:
                    point.removed = True
                    stops.point_deleted(point)
                elif enabled != any(other.on for other in row):
                    stops.point_enabled(point, enabled)

    def _look_for_libraries(self) -> None:
        modules = int(self.native().GetNumModules())
        if modules != self._modules and self._process and self._process == self._started:
            self._modules = modules
            self.stops.library_loaded()

    def _wait_for_libraries(self) -> None:
        """The loader calls a function for debuggers when it has mapped libraries."""
        if self._loader is None or not self._loader.is_there():
            made = self.native().BreakpointCreateByName("_dl_debug_state")
            self._loader = self._add(made, self._mapped, False)

    def _mapped(self, hit: Hit) -> bool:
        self._look_for_libraries()
        return False

    def wait_for_start(self) -> None:
        """See to it that stops are set in processes that start from now on.

        At the program's entry point its own data are relocated, and nothing has run.
        """
        self._wait_for_libraries()
        if self._entry is not None and self._entry.is_there():
            return
        target = self.native()
        program = target.FindModule(target.GetExecutable())
        place = _behind_first(target, program.GetObjectFileEntryPointAddress())
        if place is not None:
            made = target.BreakpointCreateBySBAddress(place)
            self._entry = self._add(made, self._arrived, False)

    def _arrived(self, hit: Hit) -> bool:
        process = self._unique_id()
        if process != self._started:
            stops = self.stops
            if self._process and self._process != process:
                stops.process_ended()
            self._process = self._started = process
            stops.process_started()
        return False


def _behind_first(target: lldb.SBTarget, place: lldb.SBAddress) -> Optional[lldb.SBAddress]:
    """The second instruction that is executed from a place on.

    A program without a loader is stopped at its entry point when LLDB has started it, and a
    breakpoint where a thread is already is not hit.
    """
    for _ in range(4):
        if not place.IsValid():
            return None
        first = target.ReadInstructions(place, 1).GetInstructionAtIndex(0)
        if not first.IsValid():
            return place
        raw = bytes_of_data(first.GetData(target)) or b""
        place.OffsetAddress(len(raw))
        if raw[:1] not in (b"\xe9", b"\xeb"):  # a jump, as in Go's _rt0_amd64_linux
            return place
        place.OffsetAddress(int.from_bytes(raw[1:], "little", signed=True) & _MASK)
    return place


def stops_of(debugger: lldb.SBDebugger, target: lldb.SBTarget) -> Stops:
    """The stops of a target, as they are now; where there is none, none."""
    known = host_of(target)
    host = known if isinstance(known, LldbHost) else None
    if host is None:
        host = LldbHost(debugger, target)
        if target.IsValid():
            HOSTS.append(host)
    if not host.in_hit:
        host.look()
    if host.state() != "core" and host.has_program():
        ensure(target)
        host.wait_for_start()
    return host.stops

# SPDX-License-Identifier: MIT
"""Growths of Go's slices: one slice by a watchpoint on its pointer, or by the array at
runtime.growslice; any slice there.

The compiler stores the capacity of a slice that has grown before the pointer and, where a slice is
appended to itself, its length after that (cmd/compile, ssagen, append); of one that was computed
elsewhere both lengths before the pointer. So when the pointer changes, the length is the old one if
the old array had room for it.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ...errors import MapscopeError, MemoryUnreadable, UsageError
from ...go.expressions import package_of
from ...program.values import escape
from ...session import Session
from ...slices.moves import Move
from ...slices.slice_view import SliceView
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint
from ..go.go_plan import GoPlan
from .growslice import (
    GROWSLICE,
    GROWSLICE_BUF,
    Call,
    call_of,
    ends_of,
    fits_buffer,
    given_by,
    is_possible,
)
from .growth_event import GrowthEvent
from .slice_request import SliceRequest

#: bytes of both arrays that are compared, at their beginning
_COMPARED = 1 << 16
#: arrays of one slice that are looked for
_MOST_ARRAYS = 64
#: bytes of growslice that are looked at: it has about 1,700
_LONGEST = 4096
#: frames in which the user's function is looked for
_DEEPEST = 32
_RUNTIME = ("runtime.", "internal/runtime/")
#: of the runtime, but called for whoever appends
_FOR_OTHERS = ("runtime.growslice", "runtime.reflect_growslice", "reflect.")


class _Header(NamedTuple):
    array: int
    length: int
    capacity: int


class GoGrowthPlan(GoPlan):
    """What the plans share: what is said of a growth."""

    def __init__(
        self, stop: Stop, host: Host, session: Session, slice: Optional[SliceView]
    ) -> None:
        super().__init__(stop, host, session, None)
        self.slice = slice

    def lost(self, error: MapscopeError) -> str:
        return f"its slice is gone: {error}" if isinstance(error, MemoryUnreadable) else str(error)

    def event(
        self,
        hit: Hit,
        before: _Header,
        after: _Header,
        lengths: Tuple[Optional[int], Optional[int]],
        element: int,
    ) -> GrowthEvent:
        """:param lengths: before and after the append; None: not known
        :param element: descriptor of the elements' type, where the slice is not known
        """
        slice = self.slice
        name = f"[]{self._type_name(element)}" if slice is None else slice.type_name
        size = self._size_of(element) if slice is None else slice.size
        event = GrowthEvent(
            "grow",
            None if slice is None else slice.holder,
            name,
            hit.thread,
            self.mechanism,
            goroutine=self.go.goroutine(hit),
            place=self.where(hit),
            named=self.request.map or "",
            old_array=before.array,
            new_array=after.array,
            old_length=lengths[0],
            length=lengths[1],
            old_capacity=before.capacity,
            capacity=after.capacity,
        )
        holder = None if slice is None else slice.holder
        self.note_move(before, after, size, holder)
        return event

    def note_move(self, before: _Header, after: _Header, size: int, holder: Optional[int]) -> None:
        """Remember that an array was left."""
        move = Move(before.array, size, before.capacity, after.array, after.capacity, holder)
        self.stop.stops.moves.add(move)

    def _size_of(self, element: int) -> int:
        """Bytes of a type, by its descriptor (runtime/type.go: size comes first)."""
        try:
            return int.from_bytes(self.go.read(element, 8), "little")
        except MemoryUnreadable:
            return 0

    def where(self, hit: Hit) -> str:
        """The innermost function that is not the runtime's, and its line."""
        for _, frame in zip(range(_DEEPEST), self.go.frames(hit)):
            if frame.function and not frame.function.startswith((*_RUNTIME, "reflect.")):
                line = frame.place().rpartition("/")[2]
                return f"{frame.function} at {line}" if line else frame.function
        return ""

    def grown(self, hit: Hit, event: GrowthEvent) -> bool:
        """It has grown: a line of the trace, or what the program stops for."""
        if self.request.event == "trace":
            self.stop.log(event.trace_line())
            return False
        return self.stop.occurred(hit, lambda: event, None)


class WatchedSlice(GoGrowthPlan):
    """One slice in memory that does not move: its pointer is watched."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, session: Session, slice: SliceView) -> None:
        super().__init__(stop, host, session, slice)
        self._size = slice.size
        self._holder = slice.holder or 0
        self._before = _Header(slice.array, slice.length, slice.capacity or 0)

    def arm(self) -> Plan:
        try:
            self.watch(self._holder, 8, self._changed)
        except NoWatchpoint as error:
            assert self.slice is not None
            session = Session(self.host.target())
            plan = CalledSlice(self.stop, self.host, session, self.slice)
            plan.notes.append(f"{error}")
            self.disarm()
            return plan.arm()
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._before = self._header()

    def _header(self) -> _Header:
        raw = self.go.read(self._holder, 24)
        return _Header(*(int.from_bytes(raw[at : at + 8], "little") for at in (0, 8, 16)))

    def _changed(self, hit: Hit) -> bool:
        after, before = self._header(), self._before
        if after.array == before.array:
            return False
        if after.capacity >= 1 << 47 or after.length >= 1 << 47:
            self.stop.retire("its memory holds something else now")
            return False
        self._before = after
        if not self._has_grown(before, after):
            end = before.array + before.capacity * self._size
            if not before.array <= after.array < end:
                self.note_move(before, after, self._size, self._holder)
            return False
        lengths: Tuple[Optional[int], Optional[int]] = (after.length, None)
        if after.length > before.capacity:
            lengths = (None, after.length)
        return self.grown(hit, self.event(hit, before, after, lengths, 0))

    def _has_grown(self, before: _Header, after: _Header) -> bool:
        """Whether what it held has moved to the new array; else it was given another slice's, a
        part of its own, or none."""
        if not after.array or not after.capacity:
            return False
        end = before.array + before.capacity * self._size
        if before.array < after.array < end or (after.array == end and not self._size):
            return False
        common = min(after.length, before.capacity)
        if not common:
            return after.capacity > before.capacity or not before.array
        if after.length > before.capacity:
            common = 1  # the old length is not known, but that it was used
        size = min(common * self._size, _COMPARED)
        try:
            return bytes(self.go.read(before.array, size)) == bytes(self.go.read(after.array, size))
        except MemoryUnreadable:
            return after.capacity > before.capacity


class _Pending(NamedTuple):
    call: Call
    buffer: bool


class AtGrowslice(GoGrowthPlan):
    """What happens at growslice: its arguments, and the instructions by which it returns.

    Not where it returns to: gdb 13 loses a register of a thread that gets a signal while it steps
    from a breakpoint at an instruction with an operand relative to its own place, and appends to
    package variables go on with one.
    """

    def __init__(
        self, stop: Stop, host: Host, session: Session, slice: Optional[SliceView]
    ) -> None:
        super().__init__(stop, host, session, slice)
        self._pending: Dict[int, _Pending] = {}

    def arm(self) -> Plan:
        self.function(GROWSLICE, self._on_call)
        self._at_ends(GROWSLICE)
        if self.go.variants(GROWSLICE_BUF):
            self.function(GROWSLICE_BUF, self._on_buffer)
            self._at_ends(GROWSLICE_BUF)
        self.notes.append(
            "noticed at runtime.growslice: each append of the program that has to allocate costs "
            "about 1 ms in gdb, 15 in LLDB"
        )
        return self

    def _at_ends(self, base: str) -> None:
        """Breakpoints where a function of the runtime returns.

        :raises UsageError: if that is not known
        """
        name = f"runtime.{base}"
        first, table = self.go.function(name), self.go.functions()
        found = 0
        for address in [*([] if first is None else [first]), *self.go.copies(name)]:
            for offset in ends_of(bytes(self.go.read(address, _LONGEST))):
                function = None if table is None else table.at(address + offset)
                if table is None or function is None or function.start != address:
                    break
                if table.depth(address + offset) != 0:
                    continue  # some other bytes
                self.at_offset(name, address, offset, address == first, self._on_return)
                found += 1
        if not found:
            raise UsageError(
                f"where {name} returns is not known (it is not as Go compiles it), so what it "
                "gives cannot be told"
            )

    def disarm(self) -> None:
        super().disarm()
        self._pending.clear()

    def wants(self, hit: Hit, call: Call, back: int) -> bool:
        """Whether a growth counts.

        :param back: where it returns to
        """
        raise NotImplementedError

    def _on_call(self, hit: Hit) -> bool:
        return self._enter(hit, False)

    def _on_buffer(self, hit: Hit) -> bool:
        return self._enter(hit, True) if fits_buffer(hit) else False

    def _enter(self, hit: Hit, buffer: bool) -> bool:
        call = call_of(hit, self.go.minor)
        back = hit.caller()
        if back is None or not is_possible(call) or not self.wants(hit, call, back):
            return False
        self._pending[hit.register("r14")] = _Pending(call, buffer)
        return False

    def _on_return(self, hit: Hit) -> bool:
        pending = self._pending.pop(hit.register("r14"), None)
        if pending is None:
            return False
        call, given = pending.call, given_by(hit)
        before = _Header(call.array, call.length, call.capacity)
        after = _Header(given.array, call.wanted, given.capacity)
        if pending.buffer and before.array == after.array:
            return False  # more of the same buffer
        return self.returned(hit, before, after, call.element)

    def returned(self, hit: Hit, before: _Header, after: _Header, element: int) -> bool:
        """A growth that counts is done."""
        event = self.event(hit, before, after, (before.length, after.length), element)
        return self.grown(hit, event)


class CalledSlice(AtGrowslice):
    """One slice, by its array: where it lies on a goroutine's stack, or in registers."""

    def __init__(self, stop: Stop, host: Host, session: Session, slice: SliceView) -> None:
        super().__init__(stop, host, session, slice)
        if not slice.capacity:
            raise UsageError(
                f"{escape(self.request.map or '')} has no array yet by which its growth could be "
                "told from another's, and lies where no watchpoint can be: set the stop behind its "
                "first append (--at LOCATION)"
            )
        self._arrays: List[int] = [slice.array]
        self.notes.append(
            "it lies on a goroutine's stack or in registers, so it is known by its array: an "
            "append to another slice of the same array counts as well"
        )

    def wants(self, hit: Hit, call: Call, back: int) -> bool:
        return call.array in self._arrays

    def returned(self, hit: Hit, before: _Header, after: _Header, element: int) -> bool:
        if after.array not in self._arrays:
            self._arrays = [*self._arrays[1 - _MOST_ARRAYS :], after.array]
        return super().returned(hit, before, after, element)


class AnySlice(AtGrowslice):
    """Any slice of the program's own code."""

    def __init__(self, stop: Stop, host: Host, session: Session) -> None:
        super().__init__(stop, host, session, None)
        request = self.request
        assert isinstance(request, SliceRequest)
        self._inside, self._element = request.inside, None
        if request.element is not None:
            self._element = session.go.name_at(session.go.find(request.element))
        self._callers: Dict[int, bool] = {}

    def wants(self, hit: Hit, call: Call, back: int) -> bool:
        if back not in self._callers:
            self._callers[back] = self._is_meant(hit, back)
        if not self._callers[back]:
            return False
        return self._element is None or self._type_name(call.element) == self._element

    def _is_meant(self, hit: Hit, back: int) -> bool:
        """Whether appends at a place count: of its function, or of one that is inlined there.

        :param back: where they return to
        """
        table = self.go.functions()
        function = None if table is None else table.at(back)
        name = "" if function is None else function.name
        if self._inside is None:
            return not name.startswith(_RUNTIME) or name.startswith(_FOR_OTHERS)
        names = [name]
        for _, frame in zip(range(_DEEPEST), self.go.frames(hit) if function else ()):
            other = None if table is None else table.at(frame.pc())
            if other is not None and other == function:
                names.append(frame.function)
            elif len(names) > 1:
                break
        inside = self._inside
        return any(
            name == inside or package_of(name) == inside or name.startswith(inside + ".")
            for name in names
        )

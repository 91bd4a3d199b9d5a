# SPDX-License-Identifier: MIT
"""Growths of a std::vector, by watchpoints on its pointers to the array's beginning and end.

Both libraries store the first of them when everything has moved, and the last one after that. A
compiler may store them in another order; when both have changed the growth is done.
"""

import re
from typing import NamedTuple, Optional

from ...errors import MapscopeError, MemoryUnreadable, NeedsProcess, UsageError
from ...program.target import Frame
from ...program.values import escape
from ...slices.growth_rules import MOST_BYTES
from ...slices.moves import Move
from ...slices.slice_view import SliceView
from ...slices.vector import Words
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint
from ..point_plan import PointPlan
from .growth_event import GrowthEvent

#: frames in which the user's function is looked for
_DEEPEST = 32
#: frames of a stack that are looked at
_STACK = 128
#: functions of the library that give a vector another one's array, and frames in which they are
#: looked for
_GIVES = re.compile(r"\b(?:_M_swap_data|_M_move_assign|__move_assign)\b|^swap$|vector<.*>::swap$")
#: those of libc++ that grow it swap their own array with its
_GROWS = re.compile(r"\b(?:__swap_out_circular_buffer|_M_realloc_\w+)\b")
_GIVING = 6
_LIBRARY = ("std::", "__gnu_cxx::", "void std::", "auto std::")


#: where the library's headers are: debuggers do not know all names of inlined functions in full
_HEADERS = re.compile(r"/c\+\+/v?\d+/")


def _is_library(frame: Frame) -> bool:
    """Whether a frame is of the C++ library."""
    return frame.function.startswith(_LIBRARY) or _HEADERS.search(frame.place()) is not None


def _owner_of(here: Hit, address: int) -> str:
    """The function on whose part of the selected thread's stack an address is; "": on none's."""
    below: Optional[Frame] = None
    for _, frame in zip(range(_STACK), here.frames()):
        if frame.sp() > address:
            return "" if below is None else below.function
        below = frame
    return ""


def _is_running(hit: Hit, function: str, address: int) -> bool:
    """Whether a function has not returned whose part of the stack an address is on."""
    for _, frame in zip(range(_STACK), hit.frames()):
        if frame.sp() > address:
            return False
        if frame.function == function:
            return True
    return False


class _Pointers(NamedTuple):
    start: int
    finish: int
    end: int


class VectorPlan(PointPlan):
    """One vector in memory."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, slice: SliceView, words: Words) -> None:
        super().__init__(stop, host)
        self._slice = slice
        self._words = words
        self._size = max(slice.size, 1)
        self._before = _Pointers(0, 0, 0)
        self._length: Optional[int] = None  # before a growth that is half stored
        self._thread = 0
        self._owner = ""  # the function on whose part of the stack it is
        if slice.holder is None:
            raise UsageError(
                f"{escape(self.request.map or '')} is in no memory, so it cannot be watched"
            )
        self._holder: int = slice.holder

    def arm(self) -> Plan:
        if self.host.state() != "live":
            raise NeedsProcess("no process: name the place where the vector is by --at LOCATION")
        self._before = self._now()
        here = self.host.here()
        if here is not None:
            self._thread, self._owner = here.thread, _owner_of(here, self._holder)
        for offset in dict.fromkeys((self._words.end, self._words.start)):
            try:
                self.watch(self._holder + offset, 8, self._changed)
            except NoWatchpoint as error:
                if self.visible is None:
                    raise
                self.notes.append(
                    f"{error}: a growth of which the end of the array is not stored last would be "
                    "missed"
                )
        self.notes.append("the program stops when its elements have moved")
        return self

    def _now(self) -> _Pointers:
        memory = self.host.target()
        places = (self._words.start, self._words.finish, self._words.end)
        return _Pointers(
            *(int.from_bytes(memory.read_memory(self._holder + at, 8), "little") for at in places)
        )

    def lost(self, error: MapscopeError) -> str:
        return f"its vector is gone: {error}"

    def _changed(self, hit: Hit) -> bool:
        if self._owner and hit.thread == self._thread:
            if not _is_running(hit, self._owner, self._holder):
                raise MapscopeError(f"{escape(self._owner)}, whose it was, has returned")
        before, after = self._before, self._now()
        if before.start <= after.finish <= before.end:
            self._length = (after.finish - before.start) // self._size
        if after.start == before.start or after.end == before.end:
            return False  # half stored
        self._require_vector(after)
        self._before = after
        length, self._length = self._length, None
        old, new = self._room(before), self._room(after)
        move = Move(before.start, self._size, old, after.start, new, self._holder)
        self.stop.stops.moves.add(move)
        if not new:
            return False  # it has been emptied
        if new <= old or self._is_given(hit):
            return False  # given another one's array, or shrunk
        whole = after.start <= after.finish <= after.end
        now = (after.finish - after.start) // self._size if whole else None
        event = GrowthEvent(
            "grow",
            self._holder,
            self._slice.type_name,
            hit.thread,
            self.mechanism,
            place=self._where(hit),
            named=self.request.map or "",
            old_array=before.start,
            new_array=after.start,
            old_length=length,
            length=now,
            old_capacity=old,
            capacity=new,
        )
        if self.request.event == "trace":
            self.stop.log(event.trace_line())
            return False
        return self.stop.occurred(hit, lambda: event, None)

    def _room(self, pointers: _Pointers) -> int:
        return (pointers.end - pointers.start) // self._size

    def _require_vector(self, after: _Pointers) -> None:
        """:raises MapscopeError: if these words are no vector's any more"""
        room = after.end - after.start
        sound = 0 <= room <= MOST_BYTES and not room % self._size and after.end <= MOST_BYTES
        try:
            for place in (after.start, after.end - 1) if room and sound else ():
                self.host.target().read_memory(place, 1)
        except MemoryUnreadable:
            sound = False
        if not sound:
            raise MapscopeError(f"its memory at {self._holder:#x} holds something else now")

    @staticmethod
    def _is_given(hit: Hit) -> bool:
        """Whether the library is about to give it another vector's array."""
        gives = False
        for _, frame in zip(range(_GIVING), hit.frames()):
            if not _is_library(frame) or _GROWS.search(frame.function):
                return gives and not _GROWS.search(frame.function)
            gives = gives or _GIVES.search(frame.function) is not None
        return gives

    def _where(self, hit: Hit) -> str:
        for _, frame in zip(range(_DEEPEST), hit.frames()):
            if frame.function and not _is_library(frame):
                line = frame.place().rpartition("/")[2]
                return f"{frame.function} at {line}" if line else frame.function
        return ""

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._before = self._now()

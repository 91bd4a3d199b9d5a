# SPDX-License-Identifier: MIT
"""Stops in gdb: core's Host by gdb's breakpoints, watchpoints and events.

gdb's manual ("Breakpoints In Python") asks stop() methods not to delete the
breakpoint they belong to; so what is to be removed during a hit is switched
off at once and deleted at the next stop or prompt. Making breakpoints and
watchpoints there works, also for programs with several threads (gdb 13.1).
"""

import os
import re
from typing import Dict, Optional

import gdb

from mapscope.errors import MapscopeError, UsageError
from mapscope.plans.later import make
from mapscope.program.values import escape
from mapscope.stops.all_stops import Stops
from mapscope.stops.host import Hit, Host, NoWatchpoint, OnHit, Point
from .output import write
from .points import DEBUG_REGISTERS, Breakpoint, GdbHit, has_room, make_point
from .target import GdbTarget


_TYPES = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long"}


class GdbHost(Host):
    """One inferior of gdb, which is selected whenever its stops are worked on."""

    def __init__(self, inferior: gdb.Inferior) -> None:
        self.inferior = inferior

    def place(self) -> str:
        return f"inferior {self.inferior.num}" if len(gdb.inferiors()) > 1 else ""

    def target(self) -> GdbTarget:
        return GdbTarget()

    def state(self) -> str:
        inferior = self.inferior
        if not inferior.is_valid() or not inferior.pid:
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
        return make_point(lambda: Breakpoint(on_hit, visible, 0, spec=f"*{address:#x}"))

    def breakpoint_at(self, location: str, on_hit: OnHit) -> Point:
        try:
            gdb.decode_line(location)
        except gdb.error as error:
            raise UsageError(f"--at: {escape(str(error).strip().rstrip('.'))}") from None
        try:
            return make_point(lambda: Breakpoint(on_hit, True, 0, spec=location), "auto")
        except MapscopeError as error:
            raise UsageError(f"--at: {error}") from None

    def function_breakpoint(self, name: str, offset: int, on_hit: OnHit, visible: bool) -> Point:
        if self.function(name) is None:
            raise MapscopeError(f"the program has no function {name}")
        spec = f"*(unsigned long) &'{name}' + {offset}"
        return make_point(lambda: Breakpoint(on_hit, visible, 0, spec=spec))

    def watchpoint(self, address: int, size: int, on_hit: OnHit, visible: bool) -> Point:
        if not has_room(address):
            raise NoWatchpoint(f"all {DEBUG_REGISTERS} hardware watchpoints are in use")
        spec = f"*({_TYPES[size]} *) {address:#x}"
        point = make_point(
            lambda: Breakpoint(
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
        gdb.flush()  # in front of what the program itself writes when it goes on


def _is_native() -> bool:
    """Whether the process runs on this machine, under this gdb."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    return connection is not None and str(connection.type) == "native"


#: the stops of each inferior, by gdb's number of it
_STOPS: Dict[int, Stops] = {}


def stops_of(inferior: gdb.Inferior) -> Stops:
    """The stops of one inferior."""
    number = int(inferior.num)
    if number not in _STOPS:
        _STOPS[number] = Stops(GdbHost(inferior), make)
    return _STOPS[number]

# SPDX-License-Identifier: MIT
"""What gdb tells of its processes, stops and breakpoints."""

import re
from typing import Any, Optional

import gdb

from mapscope.session import describe as describe_error
from mapscope.stops.all_stops import Stops
from mapscope.stops.host import Hit
from .host import STOPS
from .output import write
from .points import POINTS, Breakpoint, in_hit, make_point, tidy, user_frame


class _Process:
    """Notices that a process starts and ends, as gdb has no event for all of it."""

    def __init__(self) -> None:
        self._pid = int(gdb.selected_inferior().pid)
        self._started = self._pid
        self.quitting = False
        self._entry: Optional[Breakpoint] = None

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

    def loaded(self) -> None:
        """A library has come; gdb tells it when the loader has relocated it."""
        if self._pid and self._started == self._pid and STOPS.any():
            STOPS.library_loaded()

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
        self._entry = make_point(lambda: Breakpoint(arrived, False, 0, spec=spec))

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
    tidy()
    _process.look()
    thread = gdb.selected_thread()
    lines = STOPS.halted(int(thread.num) if thread is not None else None)
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
    if not in_hit():
        STOPS.running()


def _on_exit(event: gdb.ExitedEvent) -> None:
    _process.ended()
    tidy()


def _on_quit(event: object) -> None:
    """gdb ends, and takes the process with it or leaves it: there is nothing more to say."""
    _process.quitting = True


def _on_objfile(event: gdb.NewObjFileEvent) -> None:
    _process.look(starting=True)
    _process.loaded()


def _on_prompt() -> None:
    tidy()
    _process.look()


def _on_deleted(point: gdb.Breakpoint) -> None:
    if isinstance(point, Breakpoint) and not point.removed and point.shown:
        point.removed = True
        POINTS[:] = [other for other in POINTS if other is not point]
        STOPS.point_deleted(point)


def _on_modified(point: gdb.Breakpoint) -> None:
    if isinstance(point, Breakpoint) and point.shown and not point.removed:
        if point.enabled != point.was_enabled:
            point.was_enabled = point.enabled
            STOPS.point_enabled(point, point.enabled)


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


def stops() -> Stops:
    """gdb's stops; what gdb tells of its processes reaches them from the first time on."""
    return STOPS


_connect()

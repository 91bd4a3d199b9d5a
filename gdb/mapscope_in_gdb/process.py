# SPDX-License-Identifier: MIT
"""What gdb tells of its processes, stops and breakpoints."""

import re
from typing import Any, Callable, Dict, Optional

import gdb

from mapscope.session import describe as describe_error
from mapscope.stops.all_stops import Stops
from mapscope.stops.host import Hit
from .host import stops_of
from .output import write
from .points import POINTS, Breakpoint, find_again, in_hit, make_point, tidy, user_frame


class _Process:
    """Notices that an inferior's process starts and ends, as gdb has no event for all of it."""

    #: gdb is ending
    quitting = False

    def __init__(self, inferior: gdb.Inferior) -> None:
        self.inferior = inferior
        self._pid = int(inferior.pid)
        self._started = self._pid
        self._entry: Optional[Breakpoint] = None

    @property
    def stops(self) -> Stops:
        """What is set in the inferior."""
        return stops_of(self.inferior)

    def look(self, starting: bool = False) -> None:
        """Compare with what was.

        :param starting: the process may not have run any of its own instructions
        """
        pid = int(self.inferior.pid) if self.inferior.is_valid() else 0
        if self._pid and pid != self._pid:
            self.ended()
        self._pid = pid
        if not pid or pid == self._started:
            return
        if not self.stops.any():
            if not starting:
                self._started = pid  # stops that are set from now on find it running
            return
        if gdb.selected_inferior().num != self.inferior.num:
            return  # when it is looked at again
        if starting:
            self._wait_for_entry()
        else:
            self._start()

    def loaded(self) -> None:
        """A library has come; gdb tells it when the loader has relocated it."""
        if self._pid and self._started == self._pid and self.stops.any():
            self.stops.library_loaded()

    def ended(self) -> None:
        """The process is gone."""
        if self.quitting:
            return
        self._pid = self._started = 0
        self._drop_entry()
        self.stops.process_ended()

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
        self.stops.process_started()

    def _drop_entry(self) -> None:
        if self._entry is not None:
            self._entry.remove()
            self._entry = None


_processes: Dict[int, _Process] = {}


def _process_of(inferior: gdb.Inferior) -> _Process:
    number = int(inferior.num)
    if number not in _processes:
        _processes[number] = _Process(inferior)
    return _processes[number]


def _look() -> None:
    """At all inferiors: what becomes of one is no other's matter."""
    _process_of(gdb.selected_inferior())
    for process in list(_processes.values()):
        process.look()


def _in_inferior(inferior: gdb.Inferior, action: Callable[[], None]) -> None:
    """Do something with another inferior selected, and select what was."""
    before, thread = gdb.selected_inferior(), gdb.selected_thread()
    if before.num == inferior.num or not inferior.is_valid():
        action()
        return
    frame = gdb.selected_frame() if thread is not None else None
    gdb.execute(f"inferior {inferior.num}", to_string=True)
    try:
        action()
    finally:
        gdb.execute(f"inferior {before.num}", to_string=True)
        if thread is not None and thread.is_valid():
            thread.switch()
        if frame is not None and frame.is_valid():
            frame.select()


def _on_stop(event: gdb.StopEvent) -> None:
    tidy()
    find_again()
    _look()
    thread = gdb.selected_thread()
    lines = stops().halted(int(thread.num) if thread is not None else None)
    if not lines:
        return
    for line in lines:
        write(line + "\n")
    try:
        # selected by its object and shown by a second command, gdb 16.3 ends itself ("Recursive
        # internal problem") where functions were inlined between it and the innermost frame
        gdb.execute(f"frame level {user_frame().level()}")
    except gdb.error as error:
        gdb.write(f"mapscope: {error}\n", gdb.STDERR)


def _on_cont(event: gdb.ContinueEvent) -> None:
    if not in_hit():
        stops().running()


def _on_exit(event: gdb.ExitedEvent) -> None:
    _process_of(event.inferior).ended()
    tidy()


def _on_quit(event: object) -> None:
    """gdb ends, and takes the process with it or leaves it: there is nothing more to say."""
    _Process.quitting = True


def _on_objfile(event: gdb.NewObjFileEvent) -> None:
    process = _process_of(gdb.selected_inferior())
    process.look(starting=True)
    process.loaded()


def _on_prompt() -> None:
    tidy()
    find_again()
    _look()


def _on_deleted(point: gdb.Breakpoint) -> None:
    if isinstance(point, Breakpoint) and not point.removed and point.shown:
        point.removed = True
        POINTS[:] = [other for other in POINTS if other is not point]
        _in_inferior(point.of_inferior, lambda: stops_of(point.of_inferior).point_deleted(point))


def _on_modified(point: gdb.Breakpoint) -> None:
    if isinstance(point, Breakpoint) and point.shown and not point.removed:
        if point.enabled != point.was_enabled:
            point.was_enabled = point.enabled
            on = point.enabled
            _in_inferior(
                point.of_inferior, lambda: stops_of(point.of_inferior).point_enabled(point, on)
            )


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
    """The stops of the selected inferior; what gdb tells of its processes reaches them."""
    return stops_of(gdb.selected_inferior())


_process_of(gdb.selected_inferior())
_connect()

# SPDX-License-Identifier: MIT
"""All stops and traces of a debugger."""

from typing import IO, Dict, Iterator, List, Optional, Type

from ..errors import MapscopeError, NeedsProcess, UsageError
from ..maps.timeline import Timeline
from ..maps.view import MapView
from ..session import Session, describe
from ..slices.moves import Moves
from .engine import Current, Plan, Planner, Stop, Trace
from .following import Following
from .host import Host, Point
from .request import Request


class Stops:
    """All stops of one debugger.

    :ivar reached: what the program is stopping for, filled by hits
    :ivar current: the map stop that the program is at; None: at none
    :ivar moves: arrays that slices were seen to leave in this process
    :ivar following: the map that is followed from stop to stop
    """

    def __init__(self, host: Host, planner: Planner) -> None:
        """:param planner: makes the plan of a stop"""
        self.host = host
        self._planner = planner
        self.reached: List[Current] = []
        self.current: Optional[Current] = None
        self.moves = Moves()
        self.following = Following()
        self._stops: Dict[int, Stop] = {}
        self._traces: List[Trace] = []
        self._last = 0

    def plan_for(self, stop: Stop, session: Session, view: Optional[MapView]) -> Plan:
        """A plan that is not armed yet; without a map: of any map.

        :raises MapscopeError: if what was asked for makes no sense for it
        """
        return self._planner(stop, self.host, session, view)

    def __iter__(self) -> Iterator[Stop]:
        return iter(list(self._stops.values()))

    def any(self) -> bool:
        """Whether there is a stop or a trace at all."""
        return bool(self._stops or self._traces)

    def _all(self) -> List[Stop]:
        return [*self._stops.values(), *self._traces]

    def add(self, request: Request, kind: Type[Stop] = Stop) -> Stop:
        """Set a stop.

        :param kind: of stop, by what it is for
        :raises MapscopeError: if it cannot be; then nothing is left of it
        """
        self._require_program(kind)
        stop = kind(self, self._last + 1, request)
        try:
            stop.arm()
        except BaseException:
            stop.disarm()
            raise
        self._last += 1
        self._stops[stop.number] = stop
        return stop

    def _require_program(self, kind: Type[Stop]) -> None:
        if self.host.state() == "core":
            raise NeedsProcess(
                "a core dump cannot run, so nothing can be waited for in it: "
                f"{kind.works} work on it"
            )

    def trace(
        self,
        request: Request,
        output: Optional[IO[str]],
        kind: Type[Trace] = Trace,
        timeline: Optional[Timeline] = None,
    ) -> Trace:
        """Begin a trace; one of the same MAP is ended first.

        :param kind: of trace, by what it is for
        :raises MapscopeError: if it cannot be
        """
        self._require_program(kind)
        self.untrace(request.map, kind.noun)
        trace = kind(self, request, output, timeline)
        try:
            trace.arm()
        except BaseException:
            trace.disarm()
            raise
        self._traces.append(trace)
        return trace

    def untrace(self, map: Optional[str], noun: str = "map") -> List[Trace]:
        """End the trace of MAP; None: all of its kind. Returns those that there were."""
        same = [t for t in self._traces if t.noun == noun]
        ended = [t for t in same if map is None or t.request.map == map]
        for trace in ended:
            self.drop(trace)
        return ended

    def get(self, number: int) -> Stop:
        """:raises UsageError: if there is no such stop"""
        if number not in self._stops:
            have = ", ".join(map(str, self._stops)) or "none"
            raise UsageError(f"there is no mapscope stop {number}; there are: {have}")
        return self._stops[number]

    def delete(self, number: int) -> None:
        """Take a stop out.

        :raises UsageError: if there is none of that number
        """
        self.drop(self.get(number))

    def drop(self, stop: Stop) -> None:
        """Take a stop out, however far it is."""
        self._stops.pop(stop.number, None)
        self._traces = [trace for trace in self._traces if trace is not stop]
        stop.disarm()

    # --- what the adapter tells ---

    def point_deleted(self, point: Point) -> None:
        """The user has deleted a breakpoint of the debugger."""
        for stop in self:
            if stop.point() is point:
                self.drop(stop)

    def point_enabled(self, point: Point, on: bool) -> None:
        """The user has enabled or disabled a breakpoint of the debugger."""
        for stop in self:
            if stop.point() is point:
                stop.enable(on)

    def running(self) -> None:
        """The program goes on."""
        # what was reached stays: a debugger tells of threads that it lets go also between a hit
        # and the stop for it
        self.current = None

    def halted(self, thread: Optional[int] = None) -> List[str]:
        """The program has stopped. Returns the lines to show, if it is at a map stop.

        :param thread: which stopped it, by the debugger's own number; None: any that was hit
        """
        self.following.halted()
        reached, self.reached = self.reached, []
        lines = []
        for current in reached:
            if thread is not None and current.occurrence.thread != thread:
                continue  # the debugger has not stopped for it
            self.current = current
            line = f"mapscope stop {current.stop.number}: {current.occurrence.line()}"
            lines.append(line)
            for trace in self._traces:
                trace.stop_told(line, current.occurrence)
            if current.stop.request.once:
                self.drop(current.stop)
        for stop in self._all():
            if stop.plan is not None:
                stop.plan.stopped()
        return lines

    def process_started(self) -> None:
        """A new process is about to run the program's first instruction."""
        self.moves.clear()
        for stop in self._all():
            stop.restart()
            try:
                stop.process_started()
            except Exception as error:
                stop.retire(describe(error))

    def library_loaded(self) -> None:
        """The program has loaded a library, which may have maps of its own."""
        for stop in self._all():
            if stop.plan is not None:
                stop.plan.loaded()

    def process_ended(self) -> None:
        """The process is gone, and its maps with it."""
        self.running()
        self.moves.clear()
        self.following.process_ended()
        self.reached = []
        for trace in list(self._traces):
            trace.process_ended()
        waiting = []
        for stop in self._all():
            if stop.plan is None or stop.request.map is None:
                continue
            if stop.request.location is None:
                stop.retire("its process has ended or was left")
                continue
            stop.plan.disarm()
            stop.plan = stop.view = None
            waiting.append(stop)
        for stop in waiting:
            stop.restart()
            try:
                stop.arm()
            except MapscopeError:
                pass  # looked for again when the next process starts

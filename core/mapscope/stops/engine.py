# SPDX-License-Identifier: MIT
"""One stop and the plan behind it: numbers, counts, and what becomes of them.

A plan turns one Request into breakpoints and watchpoints: it sets them (arm), moves them when one
is hit, and tells its stop what has occurred. It knows nothing of the debugger but Host.
"""

import time
from abc import ABC, abstractmethod
from typing import IO, Callable, Dict, List, Optional, Protocol

from ..errors import MapscopeError, NeedsProcess, UsageError
from ..locate import find_map, named_map
from ..maps.event_lines import EventLine
from ..maps.timeline import About, Timeline, thread_name
from ..maps.view import MapView, Reopen
from ..program.values import escape
from ..records import dataclass
from ..session import Session, describe
from ..slices.moves import Moves
from .following import Following
from .host import Hit, Host, Point
from .occurrence import Occurrence
from .request import Request

_USE_AT = "if it does not exist yet, say where it does: --at LOCATION"


@dataclass
class Current:
    """The map stop that the program is at."""

    stop: "Stop"
    occurrence: Occurrence
    reopen: Optional[Reopen]


class Keeper(Protocol):
    """What a stop needs of all of them.

    :ivar reached: what the program is stopping for, filled by hits
    :ivar moves: arrays that slices were seen to leave
    :ivar following: is told what occurs
    """

    host: Host
    reached: "List[Current]"
    moves: Moves
    following: Following

    def plan_for(self, stop: "Stop", session: Session, view: Optional[MapView]) -> "Plan":
        """A plan that is not armed yet; without a map: of any map."""

    def drop(self, stop: "Stop") -> None:
        """Take a stop out, however far it is."""


class Plan(ABC):
    """The state machine behind one stop.

    :ivar mechanism: "in-process filter", "hardware watchpoint" or "breakpoint"
    :ivar notes: what the user should know of how it is done, a line each
    :ivar visible: the one point that the user sees in the debugger's own list
    """

    mechanism = "breakpoint"
    #: whether there is to be a visible point
    shows = True

    def __init__(self, stop: "Stop", host: Host) -> None:
        self.stop = stop
        self.host = host
        self.request = stop.request
        self.notes: List[str] = []
        self.visible: Optional[Point] = None

    @abstractmethod
    def arm(self) -> "Plan":
        """Set what the plan begins with.

        :return: itself, or the plan that does it where this one cannot
        :raises MapscopeError: if it cannot be done; what is set by then disarm() takes out
        """

    @abstractmethod
    def disarm(self) -> None:
        """Take everything out; more than once does no harm."""

    @abstractmethod
    def enable(self, on: bool) -> None:
        """The user has switched the visible point on or off: so is the rest."""

    def started(self) -> None:
        """A new process is about to run the program's first instruction."""

    def loaded(self) -> None:
        """A library may have been loaded since this was called last."""

    def stopped(self) -> None:
        """The program has stopped, for whatever reason."""

    def hits(self) -> int:
        """How often the event occurred, those passed over by --ignore included."""
        return self.stop.matches


#: makes the plan of a stop that is not armed yet; without a map: of any map
Planner = Callable[["Stop", Host, Session, Optional[MapView]], Plan]


class Stop:
    """One stop.

    :ivar number: mapscope's own, from 1
    :ivar noun: what kind of thing it is for
    :ivar works: commands that look at such a thing also where nothing runs
    :ivar view: the map as it was found when it was armed; None: any map
    :ivar matches: events that were this stop's, those passed over included
    """

    noun = "map"
    works = "map inspect, map find and map writers"

    def __init__(self, stops: Keeper, number: int, request: Request) -> None:
        self.stops = stops
        self.number = number
        self.request = request
        self.plan: Optional[Plan] = None
        self.view: Optional[MapView] = None
        self.matches = 0
        self.enabled = True
        self._ignore = request.ignore
        self._location: Optional[Point] = None

    # --- arming ---

    def arm(self) -> None:
        """Set it, or wait for its --at.

        :raises MapscopeError: if it makes no sense, or cannot be set
        """
        host, request = self.stops.host, self.request
        if request.condition is not None:
            reason = host.can_evaluate()
            if reason is not None:
                raise UsageError(f"--if: {reason}")
        if request.thread is not None and host.state() == "live":
            if host.kernel_thread(request.thread) is None:
                raise UsageError(f"--thread: there is no thread {request.thread}")
        if request.location is not None:
            self._location = self._place(request.location)
            return
        view: Optional[MapView] = None
        session = Session(host.target())
        if request.map is not None:
            if host.state() == "none":
                raise NeedsProcess(f"no process, so no {self.noun} {request.map} yet; {_USE_AT}")
            try:
                view = self.look_up(session, False)
            except MapscopeError as error:
                if request.map.isidentifier():
                    raise type_of(error)(f"{error}; {_USE_AT}") from None
                raise
        self._arm(session, view)

    def look_up(self, session: Session, reached: bool) -> Optional[MapView]:
        """Find what it is for, as the program is now; None: it is for no map.

        :param reached: whether the program is at --at
        :raises MapscopeError: if there is no such thing
        """
        assert self.request.map is not None
        if reached:
            return named_map(session, self.request.map, self.request.type)
        return find_map(session, self.request.map, self.request.type)

    def make_plan(self, session: Session, view: Optional[MapView]) -> Plan:
        """Its plan, which is not armed yet.

        :raises MapscopeError: if what was asked for makes no sense
        """
        return self.stops.plan_for(self, session, view)

    def _place(self, location: str) -> Optional[Point]:
        """Where MAP is looked up; a function of a Go program that has no symbols, too.

        :return: None if that is known when the program starts
        :raises MapscopeError: if there is no such place
        """
        host = self.stops.host
        try:
            return host.breakpoint_at(location, self._reached)
        except UsageError:
            session = Session(host.target())
            if not session.is_go():
                raise
            functions = session.functions
            moves = any(section.name == ".interp" for section in session.sections())
            if host.state() == "none" and (moves or functions is None):
                return None  # position-independent: its table of functions is not in place yet
            if functions is None:
                raise
            address = functions.address_of(location)
            if address is None:
                raise UsageError(
                    f"--at: this program has no function {escape(location)}, and no symbols"
                ) from None
            return host.breakpoint(address, self._reached, True)

    def process_started(self) -> None:
        """A new process is about to run the program's first instruction."""
        if self._location is None and self.plan is None and self.request.location is not None:
            self._location = self._place(self.request.location)
        if self.plan is not None:
            self.plan.started()

    def _arm(self, session: Session, view: Optional[MapView]) -> None:
        self.view = view
        self.become(self.make_plan(session, view))

    def become(self, plan: Plan) -> None:
        """Arm a plan, and go on with it.

        :raises MapscopeError: if it cannot be armed; then nothing is left of it
        """
        try:
            self.plan = plan.arm()
        except BaseException:
            plan.disarm()
            raise

    def replace(self, plan: Plan, why: str) -> None:
        """Go on with another plan, since the one so far cannot."""
        self.stops.host.say(f"mapscope stop {self.number}: {escape(why)}")
        if self.plan is not None:
            self.plan.disarm()
        self.plan = plan.arm()

    def _reached(self, hit: Hit) -> bool:
        """--at: MAP is evaluated where the program is."""
        if not self.enabled:
            return False
        host = self.stops.host
        session = Session(host.target())
        try:
            self._arm(session, self.look_up(session, True))
        except Exception as error:
            self.retire(f"{describe(error)}")
            return False
        if self._location is not None:
            self._location.remove()
            self._location = None
        host.say(f"mapscope stop {self.number} armed: {self.describe()}")
        return False

    def restart(self) -> None:
        """Count anew: each process for itself, as the runtime's filter does."""
        self.matches = 0
        self._ignore = self.request.ignore

    def disarm(self) -> None:
        """Take out everything that was set."""
        if self._location is not None:
            self._location.remove()
            self._location = None
        if self.plan is not None:
            self.plan.disarm()

    def enable(self, on: bool) -> None:
        """Switch it on or off, as the user has switched its visible point."""
        if on == self.enabled:
            return
        self.enabled = on
        if self.plan is not None:
            self.plan.enable(on)

    # --- hits ---

    def occurred(self, hit: Hit, tell: Callable[[], Occurrence], reopen: Optional[Reopen]) -> bool:
        """A plan has seen its event. Returns whether the program is to stop.

        :param tell: looks up what there is to say, if it comes to that
        """
        if not self.passes(hit):
            return False
        self.matches += 1
        if self._ignore:
            self._ignore -= 1
            return False
        return self.report(tell(), reopen)

    def passes(self, hit: Hit) -> bool:
        """Whether --thread and --if let this hit count."""
        request = self.request
        if request.thread is not None and hit.thread != request.thread:
            return False
        if request.condition is None:
            return True
        try:
            return hit.condition(request.condition)
        except MapscopeError as error:
            # as gdb does for its own conditions: say so and stop
            self.stops.host.say(f"mapscope stop {self.number}: --if: {error}")
            return True

    def log(
        self, line: str, hit: Optional[Hit] = None, about: Optional[Callable[[], About]] = None
    ) -> None:
        """A line of a trace.

        :param hit: by which it was noticed
        :param about: tells of the map that it is of
        """
        self.stops.host.say(line)

    def report(self, occurrence: Occurrence, reopen: Optional[Reopen]) -> bool:
        """Log it, or make it what the program stops for. Returns whether it stops."""
        self.stops.following.tell(occurrence.address, occurrence.line())
        if self.request.log:
            self.stops.host.say(f"mapscope stop {self.number}: {occurrence.line()}")
            if self.request.once:
                self.stops.drop(self)
            return False
        self.stops.reached.append(Current(self, occurrence, reopen))
        return True

    def retire(self, reason: str) -> None:
        """It can never stop again: say why, and take it out."""
        self.stops.host.say(f"{self.name} ({self.request.event}) retired: {escape(reason)}")
        self.stops.drop(self)

    @property
    def name(self) -> str:
        """What lines that tell of it begin with."""
        return f"mapscope stop {self.number}"

    # --- for readers ---

    def point(self) -> Optional[Point]:
        """What the user sees in the debugger's own list."""
        if self._location is not None:
            return self._location
        return self.plan.visible if self.plan is not None else None

    def map_text(self) -> str:
        """The map that it is for."""
        if self.view is not None and self.view.address is None:
            name = escape(self.view.type_name)
            return f"{name} {escape(self.request.map or '')}, not written to yet"
        if self.view is not None:
            return f"{escape(self.view.type_name)} {self.view.address:#x}"
        if self.request.map is not None:
            return escape(self.request.map)
        only = self.request.only_type
        return "any map" if only is None else f"any {escape(only)}"

    def describe(self) -> str:
        """All about it in one line, without its number."""
        text = f"{self.request.text()}, {self.map_text()}"
        point = self.point()
        location = escape(self.request.location or "")
        label = f" ({point.label})" if point is not None and point.number is not None else ""
        if point is None and self.plan is not None:
            return f"{text}, waits for the program to start"
        if self.plan is None and point is None:
            return f"{text}, waits for the program to start, then for {location}"
        if self.plan is None:
            return f"{text}, waits for {location}{label}"
        return f"{text}, by {self.plan.mechanism}{label}"

    def form(self) -> Dict[str, object]:
        """A row of mapscope.breaks/1."""
        point, request, view = self.point(), self.request, self.view
        return {
            "id": self.number,
            "event": request.event,
            "map": None if view is None or view.address is None else hex(view.address),
            "type": None if view is None else view.type_name,
            "expression": request.map,
            "request": request.text(),
            "waits_for": request.location if self.plan is None else None,
            "mechanism": None if self.plan is None else self.plan.mechanism,
            "breakpoint": None if point is None else point.number,
            "enabled": self.enabled,
            "hits": self.hits(),
        }

    def hits(self) -> int:
        """Events that were this stop's, those passed over included."""
        return self.plan.hits() if self.plan is not None else self.matches


class Trace(Stop):
    """A stop that never stops: it writes a line for each event.

    :param output: file that gets the lines; None: the debugger's output
    :param timeline: gets the events, and then the debugger's output does not
    """

    def __init__(
        self,
        stops: Keeper,
        request: Request,
        output: Optional[IO[str]],
        timeline: Optional[Timeline] = None,
    ) -> None:
        super().__init__(stops, 0, request)
        self._output = output
        self._timeline = timeline
        self._draws = timeline is not None
        self.lines = 0

    @property
    def name(self) -> str:
        return "mapscope trace"

    def log(
        self, line: str, hit: Optional[Hit] = None, about: Optional[Callable[[], About]] = None
    ) -> None:
        self.lines += 1
        if isinstance(line, EventLine):
            self.stops.following.tell(line.address, line.said)
        self._draw(
            lambda timeline: timeline.add(
                line,
                time.time_ns(),
                None if hit is None else self._thread(hit.thread),
                about or self._about,
            )
        )
        if self._output is not None:
            self._output.write(line + "\n")
            self._output.flush()
        elif not self._draws:
            self.stops.host.say(line)

    def _draw(self, write: Callable[[Timeline], None]) -> None:
        """Add to the timeline, if there is one; it ends where its file cannot be written."""
        if self._timeline is None:
            return
        try:
            write(self._timeline)
        except OSError as error:
            self._end_timeline()
            reason = escape(error.strerror or str(error))
            self.stops.host.say(f"{self.name}: the timeline ends here: {reason}")

    def _end_timeline(self) -> None:
        timeline, self._timeline = self._timeline, None
        if timeline is not None:
            try:
                timeline.close()
            except OSError:
                pass  # what could be written is there

    def _thread(self, number: int) -> str:
        return thread_name(number, self.stops.host.kernel_thread(number))

    def _about(self) -> About:
        """What is known of the one map that it is for."""
        if self.view is None:
            return About(self.request.only_type)
        try:
            return About(self.view.type_name, self.view.facts().bucket_bytes)
        except MapscopeError:
            return About(self.view.type_name)

    def stop_told(self, line: str, occurrence: Occurrence) -> None:
        """A map stop was told of, as a line."""
        thread = self._thread(occurrence.thread)
        self._draw(
            lambda timeline: timeline.stopped(line, time.time_ns(), thread, occurrence.address)
        )

    def process_ended(self) -> None:
        """The process is gone."""
        self._draw(lambda timeline: timeline.process_ended(time.time_ns()))

    def disarm(self) -> None:
        super().disarm()
        self._end_timeline()
        if self._output is not None:
            self._output.close()
            self._output = None


def type_of(error: MapscopeError) -> Callable[[str], MapscopeError]:
    """An error's class, where it is made of a message alone."""
    return UsageError if isinstance(error, UsageError) else MapscopeError

# SPDX-License-Identifier: MIT
"""Stops at any map of a process in which several Go runtimes can be: each library that was built
for use by programs of other languages brings its own, of whichever version. A plugin has copies of
its program's functions, and runs them.
"""

from typing import Callable, Dict, List, Optional, Set, Tuple

from ...errors import MapscopeError
from ...go.descriptors import GoProgram
from ...go.images import Image
from ...program.values import escape
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, Point
from .go_plan import NeverUsed

#: makes the plan for the runtime that a session looks at
MakeOne = Callable[[Stop, Host, Session], Plan]

#: what the loader runs of a library first, when all its addresses are in place
_FIRST = ".init"


class EveryRuntime(Plan):
    """A plan of one runtime for each of them, also for those that come with a library later."""

    def __init__(self, stop: Stop, host: Host, make_one: MakeOne) -> None:
        super().__init__(stop, host)
        self._make_one = make_one
        self._plans: Dict[int, Plan] = {}  # by the runtime's place
        #: runtimes whose library is not relocated yet; None: it is
        self._waiting: Dict[int, Optional[Point]] = {}
        self._told: Set[int] = set()

    def arm(self) -> Plan:
        session = Session(self.host.target())
        failed: List[Tuple[GoProgram, MapscopeError]] = []
        for program in session.runtimes() or [session.go]:
            try:
                self._cover(session, program)
            except MapscopeError as error:
                failed.append((program, error))
        if not self._plans:
            raise next((why for _, why in failed if not isinstance(why, NeverUsed)), failed[0][1])
        for program, why in failed:
            self._told.add(program.place)
            if isinstance(why, NeverUsed):
                continue  # there is nothing that could occur
            self.notes.append(f"not covered: maps of {_name(program)}: {why}")
        return self

    def _cover(self, session: Session, program: GoProgram) -> None:
        """:raises MapscopeError: if nothing can be stopped at in a runtime"""
        made = self._make_one(self.stop, self.host, session.for_runtime(program))
        made.shows = made.shows and self.visible is None
        try:
            plan = made.arm()
        except BaseException:
            made.disarm()
            raise
        self._plans[program.place] = plan
        self.visible = self.visible or plan.visible
        self.mechanism = plan.mechanism
        self.notes += [note for note in plan.notes if note not in self.notes]
        if not self.stop.enabled:
            plan.enable(False)

    def loaded(self) -> None:
        if not self._plans or self.host.state() != "live":
            return
        session = Session(self.host.target())
        found = session.runtimes()
        for program in found if len(found) > 1 else ():
            if program.place in self._plans or program.place in self._told:
                continue
            try:
                if program.functions is not None:  # it is relocated
                    self._cover(session, program)
                else:
                    self._wait_for(program)
            except MapscopeError as error:
                self._told.add(program.place)
                if isinstance(error, NeverUsed):
                    continue
                why = escape(str(error))
                self.host.say(f"{self.stop.name}: maps of {_name(program)} are not covered: {why}")

    def _wait_for(self, program: GoProgram) -> None:
        """Wait until a library's addresses are in place: debuggers may be told of it when the
        loader has only mapped it."""
        place, start = program.place, _initialiser(program.images)
        if place in self._waiting or start is None:
            return

        def arrived(hit: Hit) -> bool:
            point, self._waiting[place] = self._waiting.get(place), None
            if point is not None:
                point.remove()
                self.loaded()
            return False

        self._waiting[place] = self.host.breakpoint(start, arrived, False)

    def _stop_waiting(self) -> None:
        points = [point for point in self._waiting.values() if point is not None]
        self._waiting.clear()
        for point in points:
            point.remove()

    def disarm(self) -> None:
        self._stop_waiting()
        for plan in self._plans.values():
            plan.disarm()
        self._plans.clear()
        self.visible = None

    def enable(self, on: bool) -> None:
        for plan in self._plans.values():
            plan.enable(on)

    def started(self) -> None:
        # libraries come anew, wherever the loader puts them
        for place in list(self._plans)[1:]:
            self._plans.pop(place).disarm()
        self._told.clear()
        self._stop_waiting()
        for plan in self._plans.values():
            plan.started()

    def stopped(self) -> None:
        for plan in self._plans.values():
            plan.stopped()


def _name(program: GoProgram) -> str:
    where = escape(program.file) or "the program"
    return f"the Go runtime in {where} (go1.{program.minor})" if program.minor else where


def _initialiser(images: Tuple[Image, ...]) -> Optional[int]:
    """The first instruction that the loader runs in the file of a runtime."""
    sections = (section for image in images for section in image.sections)
    return next((section.start for section in sections if section.name == _FIRST), None)

# SPDX-License-Identifier: MIT
"""A plan's breakpoints and watchpoints: the one that its user sees and the others, which come, go
and are switched with it."""

from typing import List, Optional

from ..errors import MapscopeError
from ..stops.engine import Plan, Stop
from ..stops.host import Hit, Host, OnHit, Point


class PointPlan(Plan):
    """A plan that notices its event at points of the debugger.

    The first point that may be seen becomes `visible`; the others are its own. A handler given to
    one of its methods is not called while the stop is off, and ends the stop by an error.
    """

    def __init__(self, stop: Stop, host: Host) -> None:
        super().__init__(stop, host)
        self._points: List[Point] = []

    # --- setting them ---

    def watch(self, address: int, size: int, on_hit: OnHit) -> Point:
        """A hardware watchpoint.

        :raises NoWatchpoint: if there is none left
        """
        guarded, shows = self.guarded(on_hit), self.next_shows()
        return self.keep(self.host.watchpoint(address, size, guarded, shows))

    def code(self, address: int, on_hit: OnHit, may_show: bool = False) -> Point:
        """A breakpoint at an instruction.

        :param may_show: the user sees it, if it is the first that can be seen
        """
        shows = may_show and self.next_shows()
        point = self.host.breakpoint(address, self.guarded(on_hit), shows)
        if may_show:
            return self.keep(point)
        self._points.append(point)
        return point

    def keep(self, point: Point) -> Point:
        """Take a point over that was made with next_shows() as it is now."""
        if self.next_shows():
            self.visible = point
        else:
            self._points.append(point)
        return point

    def drop(self, point: Optional[Point]) -> None:
        """Take one out again."""
        if point is not None:
            self._points = [other for other in self._points if other is not point]
            point.remove()

    def next_shows(self) -> bool:
        """Whether the next point is to be the one that the user sees."""
        return self.shows and self.visible is None

    # --- their hits ---

    def guarded(self, on_hit: OnHit) -> OnHit:
        """A handler that ends its stop where memory is not what it has to be any more."""

        def handler(hit: Hit) -> bool:
            if not self.stop.enabled:
                return False
            try:
                return on_hit(hit)
            except MapscopeError as error:
                self.stop.retire(self.lost(error))
            return False

        return handler

    def lost(self, error: MapscopeError) -> str:
        """Why a stop ends whose handler has met an error."""
        return f"its map is gone: {error}"

    # --- all of them ---

    def enable(self, on: bool) -> None:
        for point in self._points:
            point.enable(on)

    def disarm(self) -> None:
        points, self._points = self._points, []
        if self.visible is not None:
            points.append(self.visible)
            self.visible = None
        for point in points:
            point.remove()

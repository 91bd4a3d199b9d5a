# SPDX-License-Identifier: MIT
"""What every kind of plan has in common.

A plan turns one Request into breakpoints and watchpoints: it sets them (arm),
moves them when one is hit, and tells its stop what has occurred. It knows
nothing of the debugger but Host.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, List, Optional

from .host import Host, Point

if TYPE_CHECKING:
    from .stop import Stop


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

    def stopped(self) -> None:
        """The program has stopped, for whatever reason."""

    def hits(self) -> int:
        """How often the event occurred, those passed over by --ignore included."""
        return self.stop.matches

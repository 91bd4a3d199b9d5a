# SPDX-License-Identifier: MIT
"""The map that a debugger's user follows from stop to stop, and what was told of maps meanwhile.

A map is followed, not a variable: it is found again where it lies. A variable that holds none
yet is looked at for as long as it is known to be the same variable.
"""

from collections import deque
from typing import Deque, List, Optional, Tuple

from ..errors import MapscopeError
from ..locate import map_of
from ..maps.view import MapView
from ..program.target import Variable
from ..program.values import escape
from ..records import dataclass
from ..session import Session

#: lines of events that are kept, and frames in which a variable's own is looked for
_KEPT, _FRAMES = 200, 256


@dataclass(frozen=True)
class Counts:
    """What was counted at one moment, to be compared with the next one.

    :ivar entries: None: not known
    :ivar evacuated: old buckets; None: not known, or nothing migrates
    :ivar old_buckets: of that migration; 0: none
    """

    entries: Optional[int]
    evacuated: Optional[int]
    old_buckets: int


@dataclass(frozen=True)
class _Owner:
    """The frame on whose part of the stack a variable lies.

    :ivar caller: stack pointer of the frame that called it, which stays while it lives
    """

    function: str
    caller: int


class Followed:
    """One map.

    :ivar name: as the user named it
    :ivar type_name: of the map
    :ivar address: None: there was no map yet
    :ivar clock: of the newest recorded event when it was chosen; None: nothing is recorded
    :ivar ended: whether its process is gone
    :ivar doubt: why it may be another map that lies there now; "": there is no sign of that
    """

    def __init__(self, session: Session, name: str, view: MapView, variable: Optional[Variable]):
        """:param variable: which holds the map; None: it has no name"""
        self.name = name
        self.clock: Optional[int] = None
        self.doubt = ""
        self._variable = variable if view.address is None else None
        self._owner = self._owner_in(session)
        self.ended = False
        self._moment = -1
        self._now: Optional[Counts] = None
        self._before: Optional[Counts] = None
        self._seed: Optional[int] = None
        self._take(view)

    def _take(self, view: MapView) -> None:
        self.type_name, self.address, self._reopen = view.type_name, view.address, view.reopen
        self._seed = None if view.address is None else view.facts().hash0

    def find(self, session: Session) -> MapView:
        """The map as it is now.

        :raises MapscopeError: if it is not there any more, or that cannot be told
        """
        if self.ended:
            raise MapscopeError("it was followed in a process that has ended or was left")
        session.require_memory()
        if self._reopen is not None:
            view = self._reopen(session)
            seed = view.facts().hash0
            if self._seed is not None and seed != self._seed:
                self._seed = seed
                self.doubt = (
                    "its hash seed has changed since it was chosen: it was cleared, or another "
                    "map lies there now"
                )
            return view
        if self._variable is None or self._variable.address is None:
            raise MapscopeError("it was nil, and no variable of it is in memory")
        if self._owner is not None and self._owner not in _owners(session):
            raise MapscopeError(
                f"no map was written when it was chosen, and {escape(self._owner.function)}, whose "
                "variable it is, is not in the selected thread's calls any more"
            )
        view = map_of(session, self._variable, self.name)
        if view.address is not None:
            self._take(view)
        return view

    def _owner_in(self, session: Session) -> Optional[_Owner]:
        """The frame that has the variable; None: it lies elsewhere."""
        place = None if self._variable is None else self._variable.address
        if place is None:
            return None
        below: Optional[Tuple[str, int]] = None
        for _, frame in zip(range(_FRAMES), session.target.selected_frames()):
            if place < frame.sp():
                return _Owner(below[0], frame.sp()) if below and below[1] <= place else None
            below = frame.function, frame.sp()
        return None

    def count(self, counts: Counts, moment: int) -> Optional[Counts]:
        """Note what was counted; what it was when the program had stopped before.

        :param moment: which stop of the program this is
        """
        if moment != self._moment:
            self._before, self._moment = self._now, moment
        self._now = counts
        return self._before

    def process_ended(self) -> None:
        """The process is gone, and the map with it."""
        self.ended = True


def _owners(session: Session) -> List[_Owner]:
    """All frames of the selected thread."""
    found: List[_Owner] = []
    name = ""
    for _, frame in zip(range(_FRAMES), session.target.selected_frames()):
        if name:
            found.append(_Owner(name, frame.sp()))
        name = frame.function
    return found


class Following:
    """What one debugger's user follows in one program.

    :ivar chosen: the map; None: none was chosen
    :ivar moment: counts how often the program has stopped
    """

    def __init__(self) -> None:
        self.chosen: Optional[Followed] = None
        self.moment = 0
        self._told: Deque[Tuple[Optional[int], str]] = deque(maxlen=_KEPT)

    def tell(self, address: Optional[int], line: str) -> None:
        """A stop or a trace has noticed an event of the map at an address."""
        self._told.append((address, line))

    def told_of(self, address: int) -> List[str]:
        """Lines of events of the map at an address, newest last."""
        return [line for place, line in self._told if place == address]

    def halted(self) -> None:
        """The program has stopped."""
        self.moment += 1

    def process_ended(self) -> None:
        """The process is gone."""
        self._told.clear()
        if self.chosen is not None:
            self.chosen.process_ended()

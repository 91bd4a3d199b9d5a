# SPDX-License-Identifier: MIT
"""The value of one entry, watched where it lies, and followed when the entry moves.

An entry moves when its bucket is evacuated, or its table grows. The mark beside it says that it
is moved (classic maps and the runtime's), or a word of its table (Swiss maps), which are watched,
too. From then on until the function that moves it has returned nobody else writes to the map, so
no write is missed when the value is then looked up again and watched in its new place.
"""

from typing import Optional, Tuple

from ...cells.marks import EVACUATED_X, EVACUATED_Y, MIN_TOP_HASH
from ...classic.classic_map import ClassicMap
from ...errors import MapscopeError
from ...flavours.registry import operation
from ...maps.found import Found, KeyTest
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.values import Decoded, escape, text_form
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint, Point
from ...stops.occurrence import Occurrence
from ..go.go_runtime import GoRuntime
from ..point_plan import PointPlan
from .value_place import ValuePlace, place_of

#: frames in which the function of a map's runtime is looked for
_NEAR = 8
#: functions that may be left until an entry that moves is in its place
_RETURNS = 16
#: characters of a value that are shown
_LIMIT = 60
#: what may be stored to the old place of an entry without being a write of its value
_NO_WRITES = ("delete", "clear", "evacuate", "grow")
_ENDS = {"delete": "entry deleted", "clear": "map cleared"}


class ValuePlan(PointPlan):
    """Watches one entry's value.

    :param extent: which bytes of the value: offset and size
    """

    mechanism = "hardware watchpoint"

    def __init__(
        self,
        stop: Stop,
        host: Host,
        session: Session,
        view: MapView,
        test: KeyTest,
        extent: Tuple[int, int],
    ) -> None:
        super().__init__(stop, host)
        self._view = view
        self._test = test
        self._offset, self._size = extent
        self._place: Optional[ValuePlace] = None
        self._text = ""
        self._back: Optional[Point] = None  # where what moves it returns to
        self._left = 0
        self._ended = False
        self._go: Optional[GoRuntime] = None
        if view.flavor.startswith("go"):
            self._go = GoRuntime(host, session.go.minor, session.go.has_swiss_maps)

    def arm(self) -> Plan:
        view = self._view
        found = view.find(self._test)
        place = place_of(view, found, self._offset, self._size)
        if place is None:
            raise MapscopeError("the entry is just being moved or written: go on a little first")
        self._watch(place, found.value)
        here = self.host.here()
        if self._go is not None and self._go.on_stack(here, view.address or 0):
            self.notes.append(
                "this map lies on a goroutine's stack and moves if that grows: the stop would "
                "lose it then"
            )
        return self

    def _watch(self, place: ValuePlace, value: Decoded) -> None:
        self._place = place
        self._text = text_form(value, _LIMIT)
        try:
            self.watch(place.value, place.size, self._written)
            self.watch(place.mark, 1, self._marked)
            if place.moves is not None:
                self.watch(place.moves, 8, self._moves)
        except NoWatchpoint as error:
            needed = 2 if place.moves is None else 3
            raise NoWatchpoint(f"{error}: an entry takes {needed} of them") from None

    def _look(self) -> Tuple[MapView, Found]:
        """The map as it is now, and the entry.

        :raises MapscopeError: if it cannot be read
        """
        reopen = self._view.reopen
        if reopen is None:
            raise MapscopeError("it cannot be opened again")
        view = reopen(Session(self.host.target()))
        return view, view.find(self._test)

    # --- hits ---

    def _written(self, hit: Hit) -> bool:
        """The value was stored to."""
        if self._back is not None or self._ended or self._operation(hit) in _NO_WRITES:
            return False
        view, found = self._look()
        place = None if found.where is None else place_of(view, found, self._offset, self._size)
        if self._place is None or place is None or place.value != self._place.value:
            self.stop.retire("its entry does not lie there any more")
            return False
        before, self._text = self._text, text_form(found.value, _LIMIT)
        how = f"{before} -> {self._text}"
        if before == self._text:
            how = f"{before}, in bytes that are not shown"
        return self._happened(hit, view, how)

    def _marked(self, hit: Hit) -> bool:
        """The entry's mark was stored to: it moves, or is gone."""
        if self._back is not None or self._ended or self._place is None:
            return False
        mark = Memory(self.host.target().read_memory).read(self._place.mark, 1)[0]
        classic = isinstance(self._view, ClassicMap)
        if classic and mark in (EVACUATED_X, EVACUATED_Y):
            return self._moves(hit)
        if mark >= MIN_TOP_HASH if classic else mark < 0x80:
            return False
        self._ended = True
        reopen = self._view.reopen
        view = self._view if reopen is None else reopen(Session(self.host.target()))
        how = _ENDS.get(self._operation(hit) or "", "entry deleted, or the map destroyed")
        stops = self._happened(hit, view, f"{self._text}: {how}, the stop ends")
        if not stops:
            self.stop.retire("its entry was deleted")
        return stops

    def _moves(self, hit: Hit) -> bool:
        """The entry is being moved: it is looked for when that is done."""
        if self._back is None and not self._ended:
            self._left = _RETURNS
            self._wait(hit)
        return False

    def _wait(self, hit: Hit) -> None:
        """Look again where the function that has been hit returns to."""
        frames = hit.frames()
        inner = next(frames, None)
        outer = next((one for one in frames if inner is None or one.sp() != inner.sp()), None)
        back = 0 if outer is None else outer.pc()
        self._left -= 1
        if not back or self._left < 0:
            raise MapscopeError("its entry has moved, and where to cannot be told")
        self.drop(self._back)
        self._back = self.code(back, self._returned)

    def _returned(self, hit: Hit) -> bool:
        view, found = self._look()
        try:
            place = place_of(view, found, self._offset, self._size)
        except MapscopeError:
            if self._left <= 0:
                raise
            place = None
        if place is None:
            self._wait(hit)
            return False
        self.disarm()
        self._back = None
        if self._place is not None and place[:4] == self._place[:4]:
            self._watch(place, found.value)
            return False
        self._watch(place, found.value)
        key = escape(self.request.key or "")
        self.host.say(
            f"{self.stop.name}: key {key} has moved to {place.where}: its value is watched at "
            f"{place.value:#x} now"
        )
        return False

    def _operation(self, hit: Hit) -> Optional[str]:
        """What the runtime does to a map that has just stored; None: the program itself has."""
        for _, frame in zip(range(_NEAR), hit.frames()):
            found = operation(frame.function)
            if found is not None:
                return found
        return None

    def _happened(self, hit: Hit, view: MapView, how: str) -> bool:
        def tell() -> Occurrence:
            occurrence = Occurrence(
                self.request.event,
                view.address,
                view.type_name,
                hit.thread,
                self.mechanism,
                count=view.count,
                key=self.request.key,
                how=how,
            )
            if self._go is not None:
                occurrence.goroutine = self._go.goroutine(hit)
                occurrence.place = self._go.place(hit)
            return occurrence

        return self.stop.occurred(hit, tell, self._view.reopen)

    # --- the rest ---

    def lost(self, error: MapscopeError) -> str:
        return str(error)

    def stopped(self) -> None:
        if self._ended:
            self.stop.stops.drop(self.stop)

    def enable(self, on: bool) -> None:
        super().enable(on)
        if not on or self._place is None:
            return
        try:
            view, found = self._look()
            place = place_of(view, found, self._offset, self._size)
        except MapscopeError as error:
            self.stop.retire(str(error))
            return
        if place is None or place[:4] != self._place[:4]:
            self.stop.retire("its entry has moved while the stop was off")
            return
        self._text = text_form(found.value, _LIMIT)

    def disarm(self) -> None:
        super().disarm()
        self._back = None

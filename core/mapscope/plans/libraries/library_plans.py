# SPDX-License-Identifier: MIT
"""`map break grow` of a library's table.

Such a table grows within one call. Where the function that does it is out of line, a breakpoint
there stops before anything is changed; its object must be the table. Compilers inline it here and
there, so the word of the table that leads to its array is watched besides: a growth that the
breakpoint has not seen is told when it has been done.
"""

from typing import Optional, Tuple

from ...errors import MapscopeError, NeedsProcess, UsageError
from ...flavours.registry import LIBRARIES
from ...maps.view import GrowthPlace, MapView, Reopen
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint
from ...stops.occurrence import Occurrence
from ..flavour_plans import FlavourPlans
from ..point_plan import PointPlan


class LibraryPlans(FlavourPlans):
    """Stops at the growth of one table."""

    flavors = LIBRARIES

    def serves(self, session: Session, host: Host) -> bool:
        return False  # tables are in no list: one is to be named

    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        request = stop.request
        if view is None or view.grows is None:
            raise UsageError("there are no stops for this table: it can be looked at alone")
        if request.event != "grow":
            raise UsageError(
                f"map break {request.event}: a {view.flavor} table grows within one call; there "
                "is map break grow, and watchpoints of the debugger"
            )
        if request.kinds - {"shrink"}:
            raise UsageError(
                "--doubling, --same-size and --split: a library's table grows to a number of "
                "buckets of its own; --shrink alone can be told apart"
            )
        return LibraryPlan(stop, host, view, view.grows)


class LibraryPlan(PointPlan):
    """One stop at one table."""

    def __init__(self, stop: Stop, host: Host, view: MapView, grows: GrowthPlace) -> None:
        super().__init__(stop, host)
        self._view = view
        self._grows = grows
        self._buckets = view.facts().places()
        self._told = False  # of the growth that the watchpoint sees next
        self.mechanism = "breakpoint"

    def arm(self) -> Plan:
        if self.host.state() != "live":
            raise NeedsProcess("no process: name the place where the table is by --at LOCATION")
        for name in self._grows.functions:
            try:
                self.keep(self.host.breakpoint_at(name, self.guarded(self._on_call)))
                break
            except UsageError:
                continue
        try:
            point = self.watch(self._grows.word, 8, self._on_store)
        except NoWatchpoint as error:
            if self.visible is None:
                raise
            self.notes.append(f"a growth where it is inlined would not be noticed: {error}")
            return self
        if self.visible is point:
            self.mechanism = "hardware watchpoint"
            self.notes.append(
                "no function that grows it alone was found: the program stops when a growth "
                "has been done"
            )
        return self

    def lost(self, error: MapscopeError) -> str:
        return f"its table is gone: {error}"

    def _on_call(self, hit: Hit) -> bool:
        """At the beginning of the function: of this table's?"""
        if _argument(self.host, hit, ("this",), "rdi") != self._grows.owner:
            return False
        self._told = True
        wanted: Optional[int] = None
        if self._grows.arguments:
            wanted = _argument(self.host, hit, self._grows.arguments, "rsi")
        if wanted == self._buckets:
            return False
        return self._occurred(hit, wanted, "")

    def _on_store(self, hit: Hit) -> bool:
        """Another array: a growth, unless the table was given another one's."""
        before, told = self._buckets, self._told
        view = self._now()
        self._told = False
        self._buckets = view.facts().places()
        if told or self._buckets == before:
            return False
        return self._occurred(hit, self._buckets, "done already", before)

    def _now(self) -> MapView:
        reopen = self._view.reopen
        if reopen is None:
            raise MapscopeError("it cannot be opened again")
        return reopen(Session(self.host.target()))

    def _occurred(
        self, hit: Hit, buckets: Optional[int], how: str, before: Optional[int] = None
    ) -> bool:
        old = before or self._buckets
        shrinks = buckets is not None and old is not None and buckets < old
        if "shrink" in self.request.kinds and not shrinks:
            return False
        count = self._now().count
        if count < self.request.min_entries:
            return False

        def tell() -> Occurrence:
            return Occurrence(
                "grow",
                self._view.address,
                self._view.type_name,
                hit.thread,
                self.mechanism,
                kind="shrink" if shrinks else "growth" if buckets is not None else None,
                old_buckets=old or 0,
                buckets=buckets or 0,
                count=count,
                how=how,
                unit=self._view.facts().place,
            )

        reopen: Optional[Reopen] = self._view.reopen
        return self.stop.occurred(hit, tell, reopen)


def _argument(host: Host, hit: Hit, names: Tuple[str, ...], register: str) -> int:
    """A parameter of the function that is hit; by its register where debug information does not
    say."""
    frame = next(hit.frames(), None)
    found = (frame.variable(name) for name in names) if frame is not None else ()
    variable = next((one for one in found if one is not None), None)
    if variable is None:
        return hit.register(register)
    data = variable.data
    if data is None:
        data = bytes(host.target().read_memory(variable.address or 0, 8))
    return int.from_bytes(data[:8], "little")

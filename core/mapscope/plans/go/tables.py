# SPDX-License-Identifier: MIT
"""Stops at the growth of Swiss maps, Go's since 1.24.

A map of at most 8 entries is one group. The ninth makes a table of it (growToTable). A full
table doubles (grow) or, from 1,024 slots on, is replaced by two (split). Each is done whole
within one write, by functions of internal/runtime/maps (map.go, table.go of Go 1.24 to 1.27)
that run rarely, so stops wait there and compare the map in a register.
"""

from functools import partial
from typing import Callable, Dict, Optional, Tuple

from ...cells.marks import CELLS
from ...go.size_classes import allocated
from ...program.memory import Memory
from ...records import dataclass
from ...stops.host import Hit, Point
from ...stops.occurrence import Occurrence, TableGrowth
from ...swiss.swiss_map import SwissMap
from ...swiss.swiss_reader import SwissHeader
from .go_plan import GoPlan
from .go_runtime import SwissNow

_MAP, _TABLE = "internal/runtime/maps.(*Map).", "internal/runtime/maps.(*table)."
GROW_TO_TABLE, GROW, SPLIT = _MAP + "growToTable", _TABLE + "grow", _TABLE + "split"


@dataclass(frozen=True)
class Growing:
    """A growth that is about to happen."""

    kind: str  # "double" or "split"
    map: SwissNow
    maptype: int
    growth: TableGrowth


def swiss_map(host_memory: Memory, address: int) -> SwissMap:
    """A map's directory and tables, without its entries."""
    header = SwissHeader.read(host_memory, address)
    return SwissMap(host_memory, address, "", None, None, header, None, allocated)


class TablePlan(GoPlan):
    """What grow, done and traces share: the functions at which a growth starts."""

    def at_growths(self, on_growth: Callable[[Hit, Growing], bool]) -> None:
        """Call this at the start of every growth of a map that the stop is for."""

        def to_table(hit: Hit) -> bool:
            return self._starts(hit, "double", ("rax", "rbx"), CELLS, on_growth)

        def grow(hit: Hit) -> bool:
            return self._starts(hit, "double", ("rcx", "rbx"), None, on_growth)

        def split(hit: Hit) -> bool:
            return self._starts(hit, "split", ("rcx", "rbx"), None, on_growth)

        for name, handler in ((GROW_TO_TABLE, to_table), (GROW, grow), (SPLIT, split)):
            self.function(name, handler)

    def _starts(
        self,
        hit: Hit,
        kind: str,
        registers: Tuple[str, str],
        slots: Optional[int],
        on_growth: Callable[[Hit, Growing], bool],
    ) -> bool:
        """A function that grows is entered.

        :param registers: those of the map and of its type
        :param slots: of the map, if it has no table yet; else the table is in rax
        """
        address = hit.register(registers[0])
        if not self.is_ours(address) or not self.request.wants(kind):
            return False
        found = SwissNow(self.host, address)
        number, count = None, 0
        if slots is None:
            table = hit.register("rax")
            tables = swiss_map(Memory(self.host.target().read_memory), address).tables()
            count = len(tables)
            for other in tables:
                if other.address == table:
                    number, slots = other.number, other.capacity
        growth = TableGrowth(number, count, slots or 0, (slots or 0) * (1 + (kind == "double")))
        return on_growth(hit, Growing(kind, found, hit.register(registers[1]), growth))

    def tell(self, event: str, hit: Hit, growing: Growing, entries: Optional[int] = None) -> bool:
        """The event that was asked for.

        :param entries: now; None: as when the growth started
        """

        def add(occurrence: Occurrence) -> None:
            occurrence.kind, occurrence.table = growing.kind, growing.growth
            if entries is not None:
                occurrence.count = entries

        return self.occurred(event, hit, growing.map, growing.maptype, add)


class SwissGrowPlan(TablePlan):
    """`grow`, before anything is stored."""

    def arm(self) -> "SwissGrowPlan":
        self.at_growths(lambda hit, growing: self.tell("grow", hit, growing))
        return self


class SwissDonePlan(TablePlan):
    """`done` where the function that grows returns."""

    def arm(self) -> "SwissDonePlan":
        self._returns: Dict[int, Point] = {}
        self._growing: Dict[Tuple[int, int], Growing] = {}
        self.at_growths(self._started)
        return self

    def _started(self, hit: Hit, growing: Growing) -> bool:
        back = hit.caller()
        if back is None:
            return False
        # Go keeps the goroutine in this register, over calls too
        self._growing[back, hit.register("r14")] = growing
        if back not in self._returns:
            self._returns[back] = self.code(back, partial(self._returned, back))
        return False

    def _returned(self, back: int, hit: Hit) -> bool:
        growing = self._growing.pop((back, hit.register("r14")), None)
        if growing is None:
            return False
        now = SwissNow(self.host, growing.map.address)
        return self.tell("done", hit, growing, now.count)

    def enable(self, on: bool) -> None:
        super().enable(on)
        self._growing.clear()

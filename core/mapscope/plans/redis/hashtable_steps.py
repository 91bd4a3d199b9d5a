# SPDX-License-Identifier: MIT
"""Migrations of any table of a database of Valkey 8.1 and later, at the functions that its
hashtableType names: kvstoreHashtableRehashingStarted, right after a migration has started, and
kvstoreHashtableRehashingCompleted, right before the new table is put in the place of the old
(src/hashtable.c, kvstore.c). Other hashtables have no such functions, and steps have no names.
"""

from ...errors import UsageError
from ...stops.engine import Plan
from ...stops.host import Hit
from ...stops.occurrence import Occurrence
from .table_stops import TablePlan

_FUNCTIONS = {
    "grow": "kvstoreHashtableRehashingStarted",
    "done": "kvstoreHashtableRehashingCompleted",
}


class HashtablePlan(TablePlan):
    """`grow` and `done` of any of them."""

    def arm(self) -> Plan:
        event = self.request.event
        name = _FUNCTIONS.get(event)
        address = None if name is None else self.host.function(name)
        if address is None:
            raise UsageError(
                f"{event}: the functions that do it have no names in this server; name a MAP, as "
                "db0, whose index is watched"
            )
        self.code(address, self._called, may_show=True)
        self.notes.append(
            "tables of databases alone: no function tells of hashes, sets and sorted sets; name a "
            "MAP for those"
        )
        return self

    def _called(self, hit: Hit) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is None or not map.tables.migrating:
            return False
        tables, event = map.tables, self.request.event
        # a table that is empty is put in the place of another at once, through the same functions
        if not self.request.wants(tables.kind()) or not (
            tables.count if event == "done" else tables.used[0]
        ):
            return False

        def add(occurrence: Occurrence) -> None:
            if event == "done":
                occurrence.evacuated = tables.sizes[0]

        return self.occurred(event, hit, map, add)

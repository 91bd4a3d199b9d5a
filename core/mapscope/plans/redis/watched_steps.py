# SPDX-License-Identifier: MIT
"""One map's migrations: the index in its header, watched.

It is -1 while there is none, 0 when one starts, and the number of buckets that are done; so one
watchpoint tells of all four events, and costs other maps nothing.
"""

from dataclasses import replace

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...flavours.redis.dict_header import Busy
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from .table_stops import Kind, TablePlan


class StepPlan(TablePlan):
    """`grow`, `evacuate`, `progress` and `done` of one map.

    :ivar last: its tables, as they were looked at last
    """

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: ChainedMap) -> None:
        super().__init__(stop, host, kind, view)
        self.view = view
        self.last: Tables = view.tables
        self._reached = False

    def arm(self) -> Plan:
        self.watch_index(self.changed)
        self._look()
        bucket, tables = self.request.bucket, self.last
        if bucket is not None and tables.migrating and bucket < tables.index:
            self.notes.append(
                f"old bucket {bucket} is migrated already: stops in the next migration that has it"
            )
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._look()

    def _look(self) -> None:
        self.last = self.map_now().tables
        self._reached = False

    def index_now(self) -> int:
        """The index of the migration; below 0: there is none."""
        raw = bytes(self.host.target().read_memory(self.address + self.index_at, 8))
        return int.from_bytes(raw, "little", signed=True)

    def starts(self, tables: Tables) -> bool:
        """Whether a migration that is seen for the first time has all of its header."""
        return True

    def _is_on_the_way(self) -> bool:
        """Whether a step was done that nobody waits for. Most are, and one is soon looked at."""
        index, last, request = self.index_now(), self.last, self.request
        if not last.migrating or not last.index < index < last.sizes[0]:
            return False
        if request.event == "progress" and request.progress is not None:
            return self._reached or index < request.progress.of(last.sizes[0])
        if request.event == "evacuate":
            return request.bucket is not None and index <= request.bucket
        return True

    def changed(self, hit: Hit) -> bool:
        """What is watched was written."""
        if self._is_on_the_way():
            return False
        try:
            map = self.map_now()
        except Busy:
            map = self.view  # all but its tables is as it was
            self.last, before = replace(self.last, index=-1), self.last
            return self._ended(hit, map, before) if before.migrating else False
        before, now = self.last, map.tables
        if now.migrating and not before.migrating and not self.starts(now):
            return False
        self.last = now
        event = self.request.event
        if now.migrating and not before.migrating:
            self._reached = False
            if event == "grow" and self.request.wants(now.kind()):
                return self.occurred("grow", hit, map)
        if before.migrating and not now.migrating:
            return self._ended(hit, map, before)
        if now.migrating and self.request.wants(now.kind()):
            return self._stepped(hit, map, before.index if before.migrating else 0)
        return False

    def _ended(self, hit: Hit, map: ChainedMap, before: Tables) -> bool:
        """A migration has ended; its last buckets were moved on the way."""

        def add(occurrence: Occurrence) -> None:
            occurrence.kind = before.kind()
            occurrence.old_buckets, occurrence.buckets = before.sizes
            occurrence.evacuated = before.sizes[0]

        event, request = self.request.event, self.request
        if not request.wants(before.kind()):
            return False
        if event == "done":
            return self.occurred("done", hit, map, add)
        if event == "progress" and not self._reached and request.progress is not None:
            if request.progress.of(before.sizes[0]) <= before.sizes[0]:
                return self.occurred("progress", hit, map, add)
        return False

    def _stepped(self, hit: Hit, map: ChainedMap, first: int) -> bool:
        """Buckets from `first` up to the index are done."""
        tables, request = map.tables, self.request
        if request.event == "progress" and request.progress is not None and not self._reached:
            if tables.index >= request.progress.of(tables.sizes[0]):
                self._reached = True
                return self.occurred("progress", hit, map)
        if request.event != "evacuate" or tables.index <= first:
            return False
        bucket = tables.index - 1 if request.bucket is None else request.bucket
        if not first <= bucket < tables.index:
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.bucket = bucket

        return self.occurred("evacuate", hit, map, add)

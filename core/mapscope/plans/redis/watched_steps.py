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
    """`grow`, `evacuate`, `progress` and `done` of one map."""

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: ChainedMap) -> None:
        super().__init__(stop, host, kind, view)
        self.view = view
        self._last: Tables = view.tables
        self._reached = False

    def arm(self) -> Plan:
        self.watch_index(self._changed)
        self._look()
        bucket, tables = self.request.bucket, self._last
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
        self._last = self.map_now().tables
        self._reached = False

    def _is_on_the_way(self) -> bool:
        """Whether a step was done that nobody waits for. Most are, and one is soon looked at."""
        raw = bytes(self.host.target().read_memory(self.address + self.index_at, 8))
        index, last, request = int.from_bytes(raw, "little", signed=True), self._last, self.request
        if not last.migrating or not last.index < index < last.sizes[0]:
            return False
        if request.event == "progress" and request.progress is not None:
            return self._reached or index < request.progress.of(last.sizes[0])
        if request.event == "evacuate":
            return request.bucket is not None and index <= request.bucket
        return True

    def _changed(self, hit: Hit) -> bool:
        if self._is_on_the_way():
            return False
        try:
            map = self.map_now()
        except Busy:
            map = self.view  # all but its tables is as it was
            self._last, before = replace(self._last, index=-1), self._last
            return self._ended(hit, map, before) if before.migrating else False
        before, now = self._last, map.tables
        self._last = now
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

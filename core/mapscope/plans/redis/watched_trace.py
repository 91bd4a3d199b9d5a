# SPDX-License-Identifier: MIT
"""`map trace` of one map whose steps are in functions without names: by the index in its header,
watched. What a bucket had is gone by then, so its entries are not counted."""

from dataclasses import replace

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...flavours.redis.dict_header import Busy
from ...maps.event_lines import cleared_line, done_line, passed_line, resize_line
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from .table_stops import Kind, TablePlan


class WatchedTrace(TablePlan):
    """A trace of one map."""

    mechanism = "hardware watchpoint"
    shows = False

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: ChainedMap) -> None:
        super().__init__(stop, host, kind, view)
        self._last: Tables = view.tables
        self._count = view.count

    def arm(self) -> Plan:
        self.watch_index(self._changed)
        for name in self.kind.functions["clear"]:
            address = self.host.function(name)
            if address is not None:
                self.code(address, self._on_clear)
        self.notes.append("how many keys were moved is not logged: steps have no function here")
        return self

    def _changed(self, hit: Hit) -> bool:
        before = self._last
        try:
            map = self.map_now()
            now, self._count = map.tables, map.count
        except Busy:
            now = replace(before, index=-1)  # all but the tables is as it was
        self._last = now
        if now.migrating and not before.migrating:
            old, new = now.sizes
            self.stop.log(resize_line(self.address, old, new, self._count), hit)
            self._passed(hit, now, 0, now.index)
        elif now.migrating:
            self._passed(hit, now, before.index, now.index)
        elif before.migrating:
            self._passed(hit, before, before.index, before.sizes[0])
            self.stop.log(done_line(self.address, before.sizes[1], ""), hit)
        return False

    def _passed(self, hit: Hit, tables: Tables, first: int, end: int) -> None:
        for bucket in range(first, end):
            self.stop.log(passed_line(self.address, bucket, *tables.sizes), hit)

    def _on_clear(self, hit: Hit) -> bool:
        if hit.register("rdi") == self.address:
            self.stop.log(cleared_line(self.address, self.map_now().count), hit)
        return False

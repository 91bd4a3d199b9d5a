# SPDX-License-Identifier: MIT
"""Entries that are written and deleted, and maps that are cleared: at functions of the server.

A function is called also where nothing comes of it: what the map holds tells whether the key is a
new one, or one that is there to be deleted.
"""

from typing import Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Piece
from ...errors import MapscopeError
from ...flavours.redis.sds import TEXT
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...program.values import Decoded, Unreadable, json_text
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from .table_stops import Kind, TablePlan


class CallPlan(TablePlan):
    """`assign`, `delete` and `clear`, of one map or of any."""

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: Optional[ChainedMap]) -> None:
        super().__init__(stop, host, kind, view)
        self._test: Optional[KeyTest] = None
        self._last: Tuple[int, ...] = ()
        if self.request.key is not None:
            self._test = parse_key(TEXT if view is None else view.types()[0], self.request.key)
        if self.request.event == "assign":
            self.notes.append(
                "stops before a new key is added; a value put in place of another is "
                "written without a function of its own"
            )

    def arm(self) -> Plan:
        self.at_functions(self.request.event, self._called)
        return self

    def _called(self, hit: Hit) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is None:
            return False
        if self.request.migrating and not map.tables.migrating:
            return False
        if self.request.event == "clear":
            return self.occurred("clear", hit, map)
        argument = hit.register("rsi")
        if self._is_of_last(hit, argument, map.count):
            return False
        key = self._key(map, argument)
        if isinstance(key, Unreadable) or (self._test is not None and not self._test.matches(key)):
            return False
        if self._holds(map, key) != (self.request.event == "delete"):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.key = json_text(key)

        return self.occurred(self.request.event, hit, map, add)

    def _is_of_last(self, hit: Hit, argument: int, count: int) -> bool:
        """Whether one of these functions has called another."""
        place, sp = hit.register("rip"), hit.register("rsp")
        call = (hit.thread, argument, count)
        before, self._last = self._last, (*call, place, sp)
        return before[:3] == call and before[3] != place and sp < before[4]

    def _key(self, map: ChainedMap, argument: int) -> Decoded:
        """The key that a function was called with, as a key or as part of an entry."""
        piece = Piece(0, [0], [0], [0], [argument], [argument], [argument], [0], [0])
        if self.request.event == "assign":
            return map.nodes.keys(piece).value(0, map.decoder)
        return map.nodes.sought(argument).value(0, map.decoder)

    def _holds(self, map: ChainedMap, key: Decoded) -> bool:
        text = key if isinstance(key, bytes) else str(key).encode()
        if not isinstance(key, (str, bytes)):
            return self.request.event == "delete"
        try:
            found = map.find(KeyTest(lambda other: bool(other == key), text=text))
        except MapscopeError:
            return self.request.event == "delete"
        return found.where is not None

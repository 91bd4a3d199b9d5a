# SPDX-License-Identifier: MIT
"""Stops where entries of Go maps are written and deleted."""

import struct
from typing import Callable, Optional, Tuple

from ...errors import MapscopeError
from ...flavours.go import go_classic
from ...flavours.go.map_types import map_type
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program.types import Type
from ...program.values import Decoded, json_text
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, NoWatchpoint, Point
from ...stops.occurrence import Occurrence
from .go_plan import GoPlan
from .go_runtime import OLDBUCKETS, GoHeader, Hmap

#: frames above a store in which the function that writes is looked for
_NEAR = 6
#: a key's type and its bytes, where they are known
Key = Optional[Tuple[Type, Optional[bytes]]]


class KeyedPlan(GoPlan):
    """What `assign` and `delete` share: the key."""

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._test: Optional[KeyTest] = None
        if self.request.key is not None and view is not None:
            self._test = parse_key(view.types()[0], self.request.key)

    def written(self, hit: Hit, header: GoHeader, maptype: int, read: Callable[[], Key]) -> bool:
        """An entry is written or deleted.

        :param read: its key
        """
        if self._test is not None:
            decoded = self._decoded(read())
            # a key that cannot be told is not the one that was asked for
            if decoded is None or not self._test.matches(decoded[0]):
                return False

        def add(occurrence: Occurrence) -> None:
            decoded = self._decoded(read())
            if decoded is not None:
                occurrence.key = json_text(decoded[0])

        return self.occurred(self.request.event, hit, header, maptype, add)

    def _decoded(self, key: Key) -> Optional[Tuple[Decoded]]:
        if key is None or key[1] is None:
            return None
        return (Session(self.host.target()).decoder().decode(key[0], key[1], None),)


class WritePlan(KeyedPlan):
    """`assign` and `delete` of one map.

    A write says so in the header once it has hashed the key (hmap.flags, in Swiss maps
    Map.writing); a delete that finds its key decreases hmap.count, Map.used. With --migrating
    they are watched only between the start and the end of a migration.
    """

    mechanism = "hardware watchpoint"

    def __init__(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> None:
        super().__init__(stop, host, session, view)
        self._before = 0
        self._field: Optional[Point] = None
        self._assign = self.request.event == "assign"

    def arm(self) -> Plan:
        try:
            if self.request.migrating:
                self.watch(self.address + OLDBUCKETS, 8, self._migration_changed)
                self._follow_migration()
            else:
                self._watch_field()
        except NoWatchpoint as error:
            plan = WriteFunctionPlan(self.stop, self.host, Session(self.host.target()), self.view)
            plan.notes.append(f"{error}: uses breakpoints on the runtime's functions instead")
            self.disarm()
            return plan.arm()
        self.warn_of_stack()
        return self

    def enable(self, on: bool) -> None:
        super().enable(on)
        if on:
            self._before = self._read()
            if self.request.migrating:
                self._follow_migration()

    def _watch_field(self) -> None:
        self._before = self._read()
        if self._assign:
            mark = self.address + self.go.write_mark
            self._field = self.watch(mark, 1, self._changed)
        else:
            self._field = self.watch(self.address, 8, self._changed)

    def _read(self) -> int:
        header = self.go.header(self.address)
        return int(header.writing) if self._assign else header.count

    def _migration_changed(self, hit: Hit) -> bool:
        if self.go.writer(hit) is None:
            self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused")
            return False
        try:
            self._follow_migration()
        except NoWatchpoint as error:
            plan = WriteFunctionPlan(self.stop, self.host, Session(self.host.target()), self.view)
            self.stop.replace(plan, f"{error}: uses breakpoints on the runtime's functions now")
        return False

    def _follow_migration(self) -> None:
        """Watch the field if the map is migrating, else not."""
        migrating = bool(Hmap(self.host, self.address).oldbuckets)
        if migrating and self._field is None:
            self._watch_field()
        elif not migrating:
            point, self._field = self._field, None
            self.drop(point)

    def _changed(self, hit: Hit) -> bool:
        writer = self.go.writer(hit)
        if writer is None:
            self.go.header(self.address)  # raises if there is no map any more
            if not self._assign:
                self.stop.retire(f"its map at {self.address:#x} is gone, its memory is reused")
            return False  # iterating a classic map sets flags, too
        before, self._before = self._before, self._read()
        happened = self._before > before if self._assign else self._before < before
        if not happened or writer not in ("", self.request.event):
            return False
        return self.written(hit, self.go.header(self.address), 0, lambda: self._key(hit))

    def _key(self, hit: Hit) -> Key:
        """The key, of the frame that writes."""
        if self.view is None or self.view.key is None:
            return None
        type, session = self.view.key, Session(self.host.target())
        function = f"runtime.map{self.request.event}"
        for _, frame in zip(range(_NEAR), self.go.frames(hit)):
            if frame.function.startswith(function):
                return type, go_classic.written_key(session, frame, type.size)
        return None


class WriteFunctionPlan(KeyedPlan):
    """`assign` and `delete` of any map, at mapassign*(t, h, key) and mapdelete*(t, h, key)."""

    def arm(self) -> Plan:
        self.function(
            "mapassign" if self.request.event == "assign" else "mapdelete", self._on_write
        )
        return self

    def _on_write(self, hit: Hit) -> bool:
        maptype, address = hit.register("rax"), hit.register("rbx")
        if not address or not self.is_ours(address):
            return False
        header = self.go.header(address)
        if self.request.migrating and not (isinstance(header, Hmap) and header.oldbuckets):
            return False
        if self.request.event == "delete" and not header.count:
            return False
        return self.written(hit, header, maptype, lambda: self._key(hit, maptype))

    def _key(self, hit: Hit, maptype: int) -> Key:
        """The key in the registers, or where they point."""
        session = Session(self.host.target())
        try:
            type = self.view.types()[0] if self.view else map_type(session.go, maptype).key
            value = hit.register("rcx")
            frame = next(self.go.frames(hit), None)
            name = frame.function if frame is not None else ""
            if name.endswith("_faststr"):
                return type, struct.pack("<QQ", value, hit.register("rdi"))
            if "_fast" in name:
                return type, value.to_bytes(8, "little")[: type.size]
            return type, session.memory.read(value, type.size)
        except MapscopeError:
            return None

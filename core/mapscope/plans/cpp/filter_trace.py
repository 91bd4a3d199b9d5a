# SPDX-License-Identifier: MIT
"""`map trace` of the runtime's maps: by its in-process filter."""

from typing import Callable, Optional

from ...errors import MapscopeError
from ...flavours.cpp import runtime_maps
from ...maps.event_lines import (
    cleared_line,
    created_line,
    destroyed_line,
    done_line,
    grow_line,
    moved_line,
    rebuild_line,
)
from ...maps.timeline import About
from ...maps.view import MapView
from ...session import Session
from ...stops.host import Hit
from . import filter as stop_filter
from .filter import Event, Filter, Slot
from .filter_plan import RuntimePlan


class RuntimeTrace(RuntimePlan):
    """Of maps of the mapscope runtime."""

    shows = False
    _EVENTS = (
        stop_filter.GROW
        | stop_filter.EVACUATED
        | stop_filter.DONE
        | stop_filter.CLEAR
        | stop_filter.DESTROY
        | stop_filter.REBUILD
    )

    def slot(self, view: Optional[MapView]) -> Slot:
        if view is None:
            return Slot(self._EVENTS | stop_filter.CREATE)
        return Slot(self._EVENTS, stop_filter.IF_MAP, view.address or 0)

    def on_event(self, hit: Hit, filter: Filter, number: int, event: Event) -> bool:
        if self.is_wanted(Session(self.host.target()), event):
            self.stop.log(self._line(filter, event), hit, self._about(filter, event))
        if event.event == stop_filter.DESTROY and self.request.map is not None:
            self.stop.retire("its map was destroyed")
        return False

    def _about(self, filter: Filter, event: Event) -> Callable[[], About]:
        def about() -> About:
            session = Session(self.host.target())
            try:
                return About(*runtime_maps.type_at(session, filter.abi, event.type))
            except MapscopeError:
                return About()  # what happens to it is told all the same

        return about

    def _line(self, filter: Filter, event: Event) -> str:
        map, kind = event.map, stop_filter.KINDS.get(event.kind)
        if event.event == stop_filter.CREATE:
            return created_line(map, event.hint, event.buckets)
        if event.event == stop_filter.GROW:
            _, at, width, _ = filter.abi.field("hmap.noverflow")
            raw = self.host.target().read_memory(map + at, width)
            over = int.from_bytes(bytes(raw), "little")
            return grow_line(map, kind, event.old_buckets, event.buckets, event.count, over)
        if event.event == stop_filter.EVACUATED:
            moved = event.moved_x, event.moved_y
            return moved_line(
                map, event.bucket, event.old_buckets, event.buckets, *moved, event.count
            )
        if event.event == stop_filter.DONE:
            how = ""
            if event.flags & stop_filter.FLAG_BY_CLEAR:
                how = "abandoned by clear"
            elif event.flags & stop_filter.FLAG_BY_DESTROY:
                how = "abandoned by the end of the map"
            return done_line(map, event.buckets, how, event.count)
        if event.event == stop_filter.REBUILD:
            return rebuild_line(map, event.hint, event.count, event.buckets)
        line = cleared_line if event.event == stop_filter.CLEAR else destroyed_line
        return line(map, event.count)

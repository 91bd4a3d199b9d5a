# SPDX-License-Identifier: MIT
"""What `map watch` sets: a stop at the value of one entry."""

from typing import Optional, Tuple

from ...errors import UsageError
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program.values import escape
from ...records import dataclass
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.request import Request
from .value_place import extent
from .value_plan import ValuePlan

_FOLLOWED = ("runtime", "go-classic", "go-swiss")


@dataclass(frozen=True)
class ValueRequest(Request):
    """The value of one entry.

    :ivar part: which bytes of it, offset and size; None: all
    """

    part: Optional[Tuple[int, int]] = None

    def text(self) -> str:
        text = super().text()
        return text if self.part is None else f"{text}, {self.part[1]} bytes at {self.part[0]}"


class ValueStop(Stop):
    """A stop at the value of one entry."""

    works = "map find and map entries"

    def make_plan(self, session: Session, view: Optional[MapView]) -> Plan:
        request = self.request
        assert isinstance(request, ValueRequest) and view is not None
        key_type, value_type = view.types()
        test = parse_key(key_type, request.key or "")
        name, key = escape(request.map or ""), escape(request.key or "")
        if view.flavor not in _FOLLOWED or not view.has_values:
            raise UsageError(
                f"{name} is a {view.flavor} map, whose entries are not followed: map find tells "
                "where a value lies, for a watchpoint of the debugger's own"
            )
        bytes_of = extent(value_type, request.part)
        found = None if view.address is None else view.find(test)
        if found is None or (found.where is None and found.is_known(view.problems)):
            why = "the map is nil" if found is None else "the map has no such key"
            raise UsageError(
                f"{name}, key {key}: {why}; map break assign {name} --key {key} waits for it"
            )
        return ValuePlan(self, self.stops.host, session, view, test, bytes_of)

# SPDX-License-Identifier: MIT
"""Plans are loaded when the first stop is set: a debugger that only looks needs none."""

from typing import Optional

from ..maps.view import MapView
from ..session import Session
from ..stops.engine import Plan, Stop
from ..stops.host import Host


def make(stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
    """planning.make."""
    from .planning import make as planned

    return planned(stop, host, session, view)

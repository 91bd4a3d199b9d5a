# SPDX-License-Identifier: MIT
"""What a flavour offers for stops: its plans."""

from abc import ABC, abstractmethod
from typing import Optional, Tuple

from ..maps.view import MapView
from ..session import Session
from ..stops.engine import Plan, Stop
from ..stops.host import Host


class FlavourPlans(ABC):
    """The plans for the maps of one program: of one flavour, or of several that its program can
    have.

    :ivar flavors: names of flavours
    """

    flavors: Tuple[str, ...]

    @abstractmethod
    def serves(self, session: Session, host: Host) -> bool:
        """Whether the program has such maps, or will have when it runs."""

    @abstractmethod
    def make(self, stop: Stop, host: Host, session: Session, view: Optional[MapView]) -> Plan:
        """A plan that is not armed yet; for a stop that is a trace, too.

        :param view: the map; None: any map of the program
        :raises MapscopeError: if what was asked for makes no sense for it
        """

# SPDX-License-Identifier: MIT
"""What a kind of map offers to the rest: how it is recognised, and opened."""

from abc import ABC, abstractmethod
from typing import Dict, Iterator, List, Optional, Tuple

from ..maps.facts import Life
from ..maps.on_heap import HeapView
from ..maps.progress import Progress
from ..maps.view import MapView
from ..program.target import Frame, Variable
from ..program.types import Type
from ..session import Session


class Flavour(ABC):
    """One kind of map. None means "not one of mine": the next flavour is asked. A MapscopeError
    means "mine, and it cannot be read", and is shown.

    :ivar name: as JSON has it
    :ivar not_listed: which of the maps there may be enumerate_maps does not give; "": all are given
    """

    name: str
    not_listed: str = ""

    @abstractmethod
    def present(self, session: Session) -> bool:
        """Whether the program has such maps; cheap."""

    def is_map(self, type: Type) -> bool:
        """Whether values of a type are such maps, where neither the type's kind nor its class
        says so: a struct of Go."""
        return False

    @abstractmethod
    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """The map that a value is."""

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        """The map at an address; `type` is what --type said."""
        return None

    def from_name(self, session: Session, name: str) -> Optional[MapView]:
        """The map that users of the program know by a name which is no expression; asked if the
        debugger knows no such expression."""
        return None

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        """The map that a frame works on."""
        return None

    def evacuated_bucket(self, session: Session, frame: Frame, view: MapView) -> Optional[int]:
        """The old bucket that a frame is moving; None: not known, or not its frame."""
        return None

    def operation(self, function: str) -> Optional[str]:
        """What a function does to a map: "assign", "delete", "clear", "grow" or "evacuate"; None:
        it writes to none.

        :param function: its name, as frames have it
        """
        return None

    def notices(self, function: str) -> bool:
        """Whether a function is called where a race was just noticed."""
        return False

    def reports_race(self, function: str) -> bool:
        """Whether a function is called for nothing but races: what called it reads, if it is none
        that is known to write."""
        return False

    def reads(self, function: str) -> bool:
        """Whether a function reads a map: looks a key up, or iterates."""
        return False

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        """(name, map) of all maps that can be listed; the name is a variable's, or ""."""
        return iter(())

    def names(self, session: Session, progress: Progress) -> Dict[int, str]:
        """What people call maps that enumerate_maps has no name of, by address, where that is
        found out at once: a variable, or the way from one to the map."""
        return {}

    def heap(self, session: Session, follow: bool, progress: Progress) -> List[HeapView]:
        """Every map of the process; none: they cannot be found.

        :param follow: whether references are followed, for owners and types
        :raises MapscopeError: if it cannot be looked at
        """
        return []

    def composed(
        self, session: Session, views: List[HeapView], progress: Progress
    ) -> List[HeapView]:
        """All maps of the process where some of these are parts of this kind's: those by
        themselves, and the others without them.

        :param views: what `heap` of all kinds gave
        """
        return views

    def departed(self, session: Session) -> Optional[Tuple[int, Life]]:
        """(maps destroyed so far, what they had been through); None: nobody counts."""
        return None

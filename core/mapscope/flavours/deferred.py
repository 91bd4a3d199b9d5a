# SPDX-License-Identifier: MIT
"""Flavours whose code is loaded when a program shows a sign of their maps: hardly any program has
more than two kinds, and a debugger's first answer shall not wait for the others."""

from importlib import import_module
from typing import Callable, Dict, Iterator, List, Optional, Tuple
from weakref import WeakKeyDictionary

from ..maps.facts import Life
from ..maps.on_heap import HeapView
from ..maps.progress import Progress
from ..maps.view import MapView
from ..program.target import Frame, Variable
from ..program.types import Kind, Type
from ..session import Session
from .flavour import Flavour


class Deferred(Flavour):
    """Stands for a flavour until it is needed. Its signs may mislead: the flavour itself is asked
    once there is one, and has the last word."""

    def __init__(
        self,
        name: str,
        code: str,
        names: Callable[[str], object],
        kinds: Tuple[Kind, ...] = (),
        present: Callable[[Session], bool] = lambda session: False,
        library: bool = False,
    ) -> None:
        """
        :param name: the flavour's
        :param code: its module and class, below this package
        :param names: whether the name of a type, or of a function that works on a map, can be one
            of its own: something true or not
        :param kinds: of types that are its own whatever they are called
        :param present: whether a program can have such maps that are listed, found by their
            address or known by names that are no expressions; cheap
        :param library: whether it is of the tables of a library
        """
        self.name = name
        self.code = code
        self.library = library
        self._names = names
        self._kinds = kinds
        self._has = present
        self._seen: "WeakKeyDictionary[Session, bool]" = WeakKeyDictionary()
        self._loaded: Optional[Flavour] = None

    @property
    def flavour(self) -> Flavour:
        """The flavour itself."""
        if self._loaded is None:
            module, _, own = self.code.rpartition(".")
            loaded = getattr(import_module(f".{module}", __package__), own)()
            assert isinstance(loaded, Flavour)
            self._loaded = loaded
        return self._loaded

    @property
    def not_listed(self) -> str:  # type: ignore[override]
        """Which of the maps there may be enumerate_maps does not give."""
        return self.flavour.not_listed

    def _present(self, session: Session) -> bool:
        if session not in self._seen:
            self._seen[session] = self._has(session)
        return self._seen[session]

    def _is_named(self, name: str) -> bool:
        return bool(self._names(name))

    def _has_type(self, type: Type) -> bool:
        if type.kind in self._kinds or self._is_named(type.name):
            return True
        return type.as_class is not None and self._is_named(type.as_class().tag)

    def present(self, session: Session) -> bool:
        return self._present(session) and self.flavour.present(session)

    def is_map(self, type: Type) -> bool:
        return self._is_named(type.name) and self.flavour.is_map(type)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        if not self._has_type(variable.type):
            return None
        return self.flavour.from_variable(session, variable)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        if not self._present(session):
            return None
        return self.flavour.from_address(session, address, type)

    def from_name(self, session: Session, name: str) -> Optional[MapView]:
        return self.flavour.from_name(session, name) if self._present(session) else None

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        if not self._is_named(frame.function):
            return None
        return self.flavour.from_frame(session, frame)

    def evacuated_bucket(self, session: Session, frame: Frame, view: MapView) -> Optional[int]:
        if not self._is_named(frame.function):
            return None
        return self.flavour.evacuated_bucket(session, frame, view)

    def operation(self, function: str) -> Optional[str]:
        return self.flavour.operation(function) if self._is_named(function) else None

    def notices(self, function: str) -> bool:
        return self._is_named(function) and self.flavour.notices(function)

    def reports_race(self, function: str) -> bool:
        return self._is_named(function) and self.flavour.reports_race(function)

    def reads(self, function: str) -> bool:
        return self._is_named(function) and self.flavour.reads(function)

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        return self.flavour.enumerate_maps(session) if self._present(session) else iter(())

    def names(self, session: Session, progress: Progress) -> Dict[int, str]:
        return self.flavour.names(session, progress) if self._present(session) else {}

    def heap(self, session: Session, follow: bool, progress: Progress) -> List[HeapView]:
        return self.flavour.heap(session, follow, progress) if self._present(session) else []

    def composed(
        self, session: Session, views: List[HeapView], progress: Progress
    ) -> List[HeapView]:
        if not self._present(session):
            return views
        return self.flavour.composed(session, views, progress)

    def departed(self, session: Session) -> Optional[Tuple[int, Life]]:
        return self.flavour.departed(session) if self._present(session) else None

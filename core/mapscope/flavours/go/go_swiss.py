# SPDX-License-Identifier: MIT
"""Go's Swiss map: Go 1.24 and later, unless built with GOEXPERIMENT=noswissmap.

Facts: internal/abi/map_swiss.go (1.24), internal/abi/map.go (1.25 to 1.27). A Map does not say
what it holds; the type comes from debug information, from the type table by name, or from the
runtime function that is working on the map.
"""

from typing import Iterator, List, Optional, Tuple

from ...errors import NotAMap
from ...go import layouts
from ...go.layouts import operation_of
from ...maps.view import MapView
from ...program.target import Frame, Variable
from ...program.types import Kind
from ...session import Session
from ...swiss.swiss_map import SwissMap
from ...swiss.swiss_reader import SwissHeader
from ..flavour import Flavour
from .go_classic import allocated
from .go_maps import NOT_LISTED, fast_variant, global_maps, map_at_frame, map_of_variable, type_of
from .hash_function import key_hash
from .map_types import MapType, map_type
from .nameless import words_of
from .which_runtime import of_address, of_frame, of_variable

NAME = "go-swiss"


class GoSwissMaps(Flavour):
    """Maps of Go 1.24 and later."""

    name = NAME
    not_listed = NOT_LISTED

    def present(self, session: Session) -> bool:
        """Whether the program is a Go program with such maps."""
        return session.is_go() and any(one.has_swiss_maps for one in session.runtimes())

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """A map[K]V."""
        if variable.type.kind is not Kind.GO_MAP or not variable.type.swiss:
            return None
        return map_of_variable(of_variable(session, variable), variable, _open)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        """A Map at `address`, typed by name or by what else is known of it."""
        if not self.present(session):
            return None
        session = of_address(session, address, type)
        if not session.go.has_swiss_maps:
            return None
        typed = type_of(session, address, type)
        if address % 8:
            raise NotAMap(f"no Go map at {address:#x}: no multiple of 8")
        SwissHeader.read(session.memory, address)
        return _open(session, address, typed)

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        """The map that a function of the Go runtime works on."""
        if not self.present(session):
            return None
        session = of_frame(session, frame)
        return None if not session.go.has_swiss_maps else map_at_frame(session, frame, _open)

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        """Global variables that are maps."""
        return global_maps(session, self.from_variable)

    def operation(self, function: str) -> Optional[str]:
        return operation_of(function)

    def notices(self, function: str) -> bool:
        return function in layouts.NOTICES

    def reads(self, function: str) -> bool:
        return layouts.reads(function)


def open_at(session: Session, address: int, maptype: int) -> MapView:
    """The map at an address, of the type that a runtime function was given.

    :raises MapscopeError: if there is none
    """
    session = session.for_type(maptype)
    return _open(session, address, map_type(session.go, maptype))


def _open(session: Session, address: int, typed: Optional[MapType]) -> MapView:
    header = SwissHeader.read(session.memory, address) if address else None
    view = SwissMap(
        session.memory,
        address or None,
        typed.name if typed else "map[?]?",
        typed.key if typed else None,
        typed.elem if typed else None,
        header,
        typed.layout if typed else None,
        allocated,
        hashing=lambda: key_hash(session, typed, header.seed if header else 0),
        words=lambda: _words_of_deletes(session),
    )
    view.flavor = NAME
    view.fast = fast_variant(typed) if typed else ""
    view.go_version = session.go.version or None
    view.runtime = session.go.place
    view.decoder = session.decoder()
    view.problems += session.go.doubts()
    if address:
        view.reopen = lambda later: _open(later, address, typed)
    return view


def _words_of_deletes(session: Session) -> List[int]:
    """Registers and stack words of all threads and goroutines that are inside a delete."""
    stacks = [session.own_frames(thread) for thread in session.target.threads()]
    found: List[int] = []
    for stack in [*stacks, *(frames for _, frames in session.parked_writers())]:
        deletes = [
            at for at, frame in enumerate(stack) if layouts.operation_of(frame.function) == "delete"
        ]
        if deletes:
            found += words_of(stack[: deletes[-1] + 1])
    return found

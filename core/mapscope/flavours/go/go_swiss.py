# SPDX-License-Identifier: MIT
"""Go's Swiss map: Go 1.24 and later, unless built with GOEXPERIMENT=noswissmap.

Facts: internal/abi/map_swiss.go (1.24), internal/abi/map.go (1.25 to 1.27). A Map does not say
what it holds; the type comes from debug information, from the type table by name, or from the
runtime function that is working on the map.
"""

from typing import List, Optional

from ...errors import NotAMap
from ...go import layouts
from ...maps.view import MapView
from ...session import Session
from ...swiss.swiss_map import SwissMap
from ...swiss.swiss_reader import SwissHeader
from ...go.size_classes import allocated
from .go_maps import GoMaps, fast_variant
from .hash_function import key_hash
from .map_types import MapType, map_type
from .nameless import words_of

NAME = "go-swiss"


class GoSwissMaps(GoMaps):
    """Maps of Go 1.24 and later."""

    name = NAME
    swiss = True

    def open(self, session: Session, address: int, typed: Optional[MapType]) -> MapView:
        return _open(session, address, typed)

    def require(self, session: Session, address: int) -> None:
        if address % 8:
            raise NotAMap(f"no Go map at {address:#x}: no multiple of 8")
        SwissHeader.read(session.memory, address)


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

# SPDX-License-Identifier: MIT
"""What entries of a sync.Map point at that are marked as deleted from its dirty map: the variable
sync.expunged holds it.

A program without symbols tells by the machine code of Load, which compares with it and with
nothing else that lies in memory.
"""

import re
from typing import List, Optional, Sequence
from weakref import WeakKeyDictionary

from ...errors import MemoryUnreadable
from ...session import Session

_NAME = "sync.expunged"
_FUNCTIONS = ("sync.(*Map).Load", "sync.(*Map).LoadAndDelete")
#: cmpq of a register and a word at an offset from the next instruction
_COMPARED = re.compile(rb"[\x48\x4c][\x39\x3b][\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....)", re.DOTALL)
#: bytes of a function that are looked at
_CODE = 1024
#: where it may be, of sessions that asked
_PLACES: "WeakKeyDictionary[Session, Sequence[int]]" = WeakKeyDictionary()


def find_expunged(session: Session) -> Optional[int]:
    """The address that expunged entries point at, 0 before the program has made it; None: it was
    not found."""
    # a heap may have many sync.Maps, and a debugger takes a while to look a symbol up
    places = _PLACES.get(session)
    if places is None:
        places = _PLACES[session] = session.go.symbols(_NAME) or _by_code(session)
    for place in places:
        try:
            return session.memory.read_word(place)
        except MemoryUnreadable:
            continue
    return None


def _by_code(session: Session) -> List[int]:
    """Where the variable is, by the functions that use it."""
    table = session.functions
    found: List[int] = []
    for name in _FUNCTIONS if table is not None else ():
        start = table.address_of(name) if table is not None else None
        if not start:
            continue
        try:
            code = bytes(session.memory.read(start, _CODE))
        except MemoryUnreadable:
            continue
        for match in _COMPARED.finditer(code):
            inside = None if table is None else table.at(start + match.start())
            if inside is None or inside.start != start:
                break
            place = start + match.end() + int.from_bytes(match[1], "little", signed=True)
            if place % 8 == 0 and session.go.owns(place):
                found.append(place)
    return found[:1] if len(set(found)) == 1 else []

# SPDX-License-Identifier: MIT
"""The type that any map of a stop is to have, in programs on the mapscope runtime.

Its filter compares no names, so this is done in the debugger, once for each map type.
"""

import difflib
from typing import Dict, List

from ...errors import MapscopeError, UnknownType
from ...flavours.cpp import runtime_maps
from ...flavours.cpp.abi import Abi
from ...program.cpp_names import same_type
from ...program.values import escape, named
from ...session import Session

#: where the compiler puts map types, which hold an address
_SECTIONS = (".data.rel.ro", ".data.rel.ro.local", ".data", ".rodata")
#: bytes of all of them that are looked through, and candidates that are looked at
_MOST_BYTES, _MOST_TYPES = 64 << 20, 1 << 16


def require_type(session: Session, abis: List[Abi], wanted: str) -> None:
    """Refuse the name of a map type that no copy of the runtime has.

    :raises UnknownType: with the nearest names
    """
    names = _type_names(session, abis)
    if same_type(wanted) not in map(same_type, names):
        near = difflib.get_close_matches(wanted, list(names), 3, 0.6)
        raise UnknownType(named(wanted), [escape(name) for name in near])


def _type_names(session: Session, abis: List[Abi]) -> Dict[str, int]:
    """The map types of the program: each begins with the address of its mapscope_abi."""
    found: Dict[str, int] = {}
    left, looked = _MOST_BYTES, 0
    for section in session.sections():
        size = section.end - section.start
        if section.name not in _SECTIONS or size > left:
            continue
        left -= size
        try:
            raw = bytes(session.memory.read_chunk(section.start, size))
        except MapscopeError:
            continue
        for abi in abis:
            word = abi.address.to_bytes(8, "little")
            at = raw.find(word)
            while at >= 0 and looked < _MOST_TYPES:
                looked += 1
                address = section.start + at
                try:
                    found.setdefault(runtime_maps.type_name_at(session, abi, address), address)
                except MapscopeError:
                    pass
                at = raw.find(word, at + 1)
    for _, view in runtime_maps.RuntimeMaps().enumerate_maps(session):
        found.setdefault(view.type_name, 0)
        looked += 1
        if looked >= _MOST_TYPES:
            break
    return found

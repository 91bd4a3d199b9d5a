# SPDX-License-Identifier: MIT
"""Boost's flat and node tables (boost/unordered/detail/foa, Boost 1.81 and later).

All of them are a foa::table, in the member table_: `arrays` has the number of groups less one, the
groups and the elements; then come the number of entries that it grows above and that of entries
(in size_ctrl since 1.83, members of the table before). A group is 16 bytes: one for each of 15
slots, 0 of an empty one, else of the hash, and one that says which lookups must go on behind it.
The very last slot does not exist: its byte is 1. A slot is the entry, of a node table the pointer
to it. Hashes that are not good enough as they are get mixed; their upper bits choose a group, their
lowest byte is a slot's, and its lower three bits are the class of lookups that a group knows to go
on. (With SSE2, which all x86-64 processors have.)
"""

import re
from dataclasses import replace
from functools import partial
from typing import Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Part, Type
from ...program.values import escape
from ...session import Session
from ...slots.slot_layout import Control, SlotHeader, SlotLayout
from ...slots.slot_map import SlotMap
from ...slots.windows import proved
from ..library_hashes import golden, same
from ..library_tables import LibraryTables
from .boost_hashing import boost_hashing

NAME = "boost-flat"

_NAMED = re.compile(r"^boost::unordered::unordered_(flat|node)_(map|set)<")
_CORE = "boost::unordered::detail::foa::table_core<"
_OPERATION = re.compile(
    r"^boost::unordered::detail::foa::table(?:_core)?<.*>::(\w+)(?:<.*>)?$", re.DOTALL
)
_OPERATIONS = {
    **dict.fromkeys(
        (
            *("unchecked_rehash", "rehash", "reserve", "unchecked_emplace_with_rehash"),
            *("new_arrays_for_growth", "noshrink_reserve"),
        ),
        "grow",
    ),
    **dict.fromkeys(
        ("emplace_impl", "unchecked_emplace_at", "nosize_unchecked_emplace_at"), "assign"
    ),
    **dict.fromkeys(("erase", "recover_slot"), "delete"),
    **dict.fromkeys(("clear",), "clear"),
}
_GROUP, _GROUP_BYTES, _SENTINEL = 15, 16, 1
_CONTROL = Control(
    live=bytes(byte > _SENTINEL for byte in range(256)),
    names={0: "empty", _SENTINEL: "sentinel"},
    group=_GROUP,
    group_bytes=_GROUP_BYTES,
    ways=8,  # by the low three bits of a hash
)
_MOST = 1 << 40
#: the control byte of the lowest byte of a hash: two values mean something else
_REDUCED = bytes([8, 9, *range(2, 256)])


class BoostFlatTables(LibraryTables):
    """Hash tables of Boost that are arrays of slots."""

    name = NAME
    named, functions, operations = _NAMED, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        return open_table(session, address, own)


def _member(owner: Optional[CppClass], *path: str) -> Optional[Part]:
    """A member of a member, from the beginning of the first class."""
    place, part = 0, None
    for name in path:
        part = None if owner is None else owner.find(name)
        if part is None:
            return None
        place += part.offset
        owner = part.type.as_class() if part.type.as_class is not None else None
    return None if part is None else Part(part.name, place, part.type)


def open_table(session: Session, address: int, own: CppClass) -> MapView:
    """The table at an address.

    :param own: what it is a variable of
    """
    name = as_written(own.tag)
    parts = {
        "mask": _member(own, "table_", "arrays", "groups_size_mask"),
        "groups": _member(own, "table_", "arrays", "groups"),
        "elements": _member(own, "table_", "arrays", "elements"),
        "size": _member(own, "table_", "size_ctrl", "size") or _member(own, "table_", "size_"),
        "ml": _member(own, "table_", "size_ctrl", "ml") or _member(own, "table_", "ml"),
    }
    lacking = [one for one, part in parts.items() if part is None]
    if lacking:
        raise LayoutUnknown(
            f"{escape(name)}: its table has no {', '.join(lacking)}; mapscope knows those of "
            "Boost 1.81 and later"
        )
    at = {one: part.offset for one, part in parts.items() if part is not None}
    elements = parts["elements"]
    assert elements is not None, "it is not lacking"
    layout, key, elem = _layout(own, elements.type.target(), name)
    raw = session.memory.read(address, max(at.values()) + 8)

    def word(one: str) -> int:
        return int.from_bytes(raw[at[one] : at[one] + 8], "little")

    groups, count = word("mask") + 1, word("size")
    allocated = bool(word("elements"))
    slots = groups * _GROUP - 1 if allocated and groups < _MOST else 0
    sizes = groups * _GROUP_BYTES + slots * layout.stride
    header = SlotHeader(
        size=len(raw),
        count=count,
        slots=slots,
        control=word("groups"),
        first=word("elements"),
        growth_left=max(word("ml") - count, 0) if allocated else 0,
        array_bytes=sizes if allocated else 0,
    )
    doubt = header.doubt()
    if not doubt and (groups & (groups - 1) or not 0 < groups < _MOST):
        doubt = f"{groups} groups"
    if not doubt and slots and not session.memory.readable(header.control, _GROUP_BYTES):
        doubt = f"groups at {header.control:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    hash_type = own.argument(2 if elem is not VOID else 1)
    hash_name = "" if hash_type is None else as_written(hash_type.name)

    def hashing() -> Tuple[Optional[KeyHash], str]:
        return boost_hashing(view, hash_name, (golden, same), partial(proved, view))

    below = 65 - groups.bit_length() if groups > 1 else 63  # the upper bits choose a group
    seen = replace(
        _CONTROL,
        mark=lambda number: _REDUCED[number & 0xFF],
        home=lambda number: (number >> below & groups - 1) * _GROUP,
    )
    view = SlotMap(
        session.memory, address, name, key, elem, header, layout, seen, hash_name, hashing
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    view.grows = GrowthPlace(
        ("boost::unordered::detail::foa::table_core::unchecked_rehash",),
        address,
        (),
        address + at["elements"],
    )
    view.reopen = lambda later: open_table(later, address, own)
    return view


def _layout(own: CppClass, slot: Type, name: str) -> Tuple[SlotLayout, Type, Type]:
    """Where the parts of an entry are; the key and the element type, VOID of a set.

    :param slot: the type of a slot
    """
    match = _NAMED.match(own.tag)
    assert match is not None, "so it was found"
    indirect, is_map = match[1] == "node", match[2] == "map"
    held: Optional[Type] = slot
    if indirect:
        pointer = None if slot.as_class is None else slot.as_class().find("p")
        held = None if pointer is None else pointer.type.target()
    key, elem = own.argument(0), own.argument(1) if is_map else VOID
    if held is None or key is None or elem is None:
        raise LayoutUnknown(f"{escape(name)}: debug information has no slot of it")
    first = second = 0
    if is_map:
        pair = held.as_class() if held.as_class is not None else None
        one = None if pair is None else pair.find("first")
        other = None if pair is None else pair.find("second")
        if one is None or other is None:
            raise LayoutUnknown(f"{escape(name)}: its slots are no std::pair")
        first, second = one.offset, other.offset
    layout = SlotLayout(held.size, slot.size, first, second, indirect)
    layout.validate(key.size, elem.size)
    return layout, key, elem

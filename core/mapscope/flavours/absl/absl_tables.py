# SPDX-License-Identifier: MIT
"""Abseil's hash tables (absl/container/internal/raw_hash_set.h).

All of them are a raw_hash_set<Policy, Hash, Eq, Alloc>. There is a control byte for each slot,
then a sentinel: below 0x80 seven bits of the hash, 0x80 empty, 0xfe deleted. The policy says what
slots are: FlatHashMapPolicy, FlatHashSetPolicy, NodeHashMapPolicy, NodeHashSetPolicy. In the
releases of 2019 to 2022 (tested: 20220623) ctrl_, slots_, size_ and capacity_ are members of the
table, and the first part of settings_ is the number of entries until it grows. Hashes begin with an
address of the process, and differ between releases: a table's entries have to prove what is
computed.

In those of 2024 (tested: 20240722) the first part of settings_ is CommonFields: capacity_, size_
(twice the number of entries, and one more if the table is sampled) and heap_or_soo_. That is the
addresses of control bytes and slots; the word before the control bytes is the number of entries
until it grows, with a bit of its own on top. Where a slot is of 16 bytes at most, a table of
capacity 1 has its only slot in heap_or_soo_ itself, and no control bytes.
"""

import re
from dataclasses import replace
from typing import Dict, Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.proved_hash import ENOUGH
from ...maps.view import GrowthPlace, MapView
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Kind, Part, Type
from ...program.values import escape
from ...session import Session
from ...slots.slot_layout import Control, SlotHeader, SlotLayout
from ...slots.slot_map import SlotMap
from ...slots.windows import proved
from ..library_hashes import absl_hashes, absl_seeds
from ..library_tables import LibraryTables

NAME = "absl-swiss"

_TABLE = re.compile(
    r"^absl::(?:\w+::)*(?:(?:flat|node)_hash_(?:map|set)|container_internal::raw_hash_set)<"
)
_RAW = re.compile(r"^absl::(?:\w+::)*container_internal::raw_hash_set<")
_POLICY = re.compile(r"^absl::(?:\w+::)*(Flat|Node)Hash(Map|Set)Policy<")
_OPERATION = re.compile(
    r"^absl::(?:\w+::)*container_internal::raw_hash_(?:set|map)<.*>::(~?\w+)(?:<.*>)?$", re.DOTALL
)
_OPERATIONS = {
    **dict.fromkeys(
        ("resize", "initialize_slots", "rehash_and_grow_if_necessary", "reserve", "rehash"), "grow"
    ),
    **dict.fromkeys(("drop_deletes_without_resize",), "grow"),
    **dict.fromkeys(
        (
            *("prepare_insert", "find_or_prepare_insert", "emplace_at", "insert", "emplace"),
            *("try_emplace_impl", "try_emplace", "insert_or_assign_impl", "set_ctrl"),
        ),
        "assign",
    ),
    **dict.fromkeys(("erase", "erase_meta_only", "erase_at"), "delete"),
    **dict.fromkeys(("clear", "destroy_slots"), "clear"),
}
_CONTROL = Control(
    live=bytes(byte < 0x80 for byte in range(256)),
    names={0x80: "empty", 0xFE: "deleted"},
    group=16,
    group_bytes=16,
)
_MEMBERS = ("ctrl_", "slots_", "size_", "capacity_")
_COMMON = ("capacity_", "size_", "heap_or_soo_")
#: bytes of the largest slot that is in the table itself, an empty slot's control byte, and the
#: bits of the number of entries until a table grows
_SOO, _EMPTY, _LEFT = 16, 0x80, (1 << 63) - 1


class AbslTables(LibraryTables):
    """Hash tables of Abseil."""

    name = NAME
    named, functions, operations = _TABLE, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        found = _raw(own, 0)
        if found is None:
            raise LayoutUnknown(f"{escape(as_written(own.tag))}: it has no raw_hash_set")
        table, offset = found
        return open_table(session, address + offset, table, as_written(own.tag))


def _is_default(hash: str) -> bool:
    """Whether a hash function is Abseil's own."""
    return re.match(r"^absl::(?:hash_internal::Hash<|container_internal::)", hash) is not None


def _hashing(
    session: Session, view: SlotMap, table: str, hash: str, later: bool
) -> Tuple[Optional[KeyHash], str]:
    """The hash function of a table, or why it is not known."""
    if not _is_default(hash):
        return None, f"{escape(hash) or 'its hash'} is a function of the program's own"
    if view.header.marks is not None:
        return None, "its only entry lies in the table itself, without a control byte"
    if not absl_seeds(session, table):
        return None, (
            "Abseil's hashes depend on the address of MixingHashState::kSeed, and no symbol says "
            "where that is"
        )
    candidates = list(absl_hashes(session, view.types()[0], table, later))
    if not candidates:
        return None, "Abseil's hash of such keys is not computed here"
    if view.count < ENOUGH:
        return (
            None,
            f"Abseil's hash differs between releases, and fewer than {ENOUGH} entries prove none",
        )
    found = proved(view, candidates)
    if found is None:
        return None, "the hash of Abseil that is computed here is not that of the table's entries"
    return found, ""


def _raw(own: CppClass, depth: int) -> Optional[Tuple[CppClass, int]]:
    """The raw_hash_set that a table is derived from, and where in it that is."""
    if _RAW.match(own.tag):
        return own, 0
    for part in own.parts:
        if not part.name and part.type.as_class is not None and depth < 4:
            found = _raw(part.type.as_class(), depth + 1)
            if found is not None:
                return found[0], found[1] + part.offset
    return None


def open_table(session: Session, address: int, table: CppClass, name: str) -> MapView:
    """The table at an address.

    :param table: its raw_hash_set
    :param name: of its type
    """
    places, slot = _places(table, name)
    layout, key, elem = _layout(table, slot, name)
    size = max(place for place in places.values() if place is not None) + 8
    raw = session.memory.read(address, size)

    def word(place: int) -> int:
        return int.from_bytes(raw[place : place + 8], "little")

    capacity, stride = word(places["capacity_"]), layout.stride
    count = word(places["size_"])
    control = word(places["ctrl_"])
    held = 16
    left_at = places.get("left")
    left = None if left_at is None else word(left_at)
    marks: Optional[bytes] = None
    first = word(places["slots_"])
    if "soo" in places:
        count, held = count >> 1, 24
        if capacity == 1 and stride <= _SOO:
            first, left = address + places["soo"], 1 - count
            control, marks = first, bytes([_EMPTY if not count else 0])
        elif capacity and session.memory.readable(control - 8, 8):
            left = session.memory.read_word(control - 8) & _LEFT
        elif not capacity:
            left = 0
    header = SlotHeader(
        size=len(raw),
        count=count,
        slots=capacity,
        control=control,
        first=first,
        growth_left=left,
        array_bytes=capacity * (stride + 1) + held if capacity and marks is None else 0,
        marks=marks,
    )
    doubt = header.doubt()
    if not doubt and capacity & (capacity + 1):
        doubt = f"{capacity} slots, which is no power of two less one"
    if not doubt and capacity and not session.memory.readable(header.control, 1):
        doubt = f"control bytes at {header.control:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    hash_type = table.argument(1)
    hash_name = ""
    if hash_type is not None and hash_type.as_class is not None:
        hash_name = as_written(hash_type.as_class().tag)

    def hashing() -> Tuple[Optional[KeyHash], str]:
        return _hashing(session, view, table.tag, hash_name, "soo" in places)

    salt = control >> 12  # of where lookups begin, PerTableSalt()
    seen = replace(
        _CONTROL,
        mark=lambda number: number & 0x7F,
        home=lambda number: (number >> 7 ^ salt) & capacity,
        more=1,  # for the sentinel
    )
    view = SlotMap(
        session.memory, address, name, key, elem, header, layout, seen, hash_name, hashing
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    scope = table.tag[: table.tag.index("<")]
    watched = places["slots_" if "soo" in places else "ctrl_"]
    view.grows = GrowthPlace(
        (f"{scope}::{'resize_impl' if 'soo' in places else 'resize'}",),
        address,
        ("new_capacity",),
        address + watched,
    )
    view.reopen = lambda later: open_table(later, address, table, name)
    return view


def _places(table: CppClass, name: str) -> Tuple[Dict[str, int], Type]:
    """Where the words of a table are, and the type of a slot.

    :raises LayoutUnknown: if it has other members than those known
    """
    parts = {member: table.find(member) for member in _MEMBERS}
    lacking = [member for member, part in parts.items() if part is None]
    settings = table.find("settings_")
    if not lacking:
        at = {member: part.offset for member, part in parts.items() if part is not None}
        left = None if settings is None else _growth_left(settings.type, settings.offset)
        if left is not None:
            at["left"] = left
        slots = next(part.type for part in parts.values() if part and part.name == "slots_")
        return at, slots.target()
    common = None
    if settings is not None and settings.type.as_class is not None:
        common = settings.type.as_class().find("value")
    own = None if common is None or common.type.as_class is None else common.type.as_class()
    words = {} if own is None else {one: own.find(one) for one in _COMMON}
    slot = table.nested("slot_type")
    heap = words.get("heap_or_soo_")
    paths = {"ctrl_": ("heap", "control"), "slots_": ("heap", "slot_array"), "soo": ("soo_data",)}
    if settings is not None and common is not None and slot is not None and heap is not None:
        start = settings.offset + common.offset
        found = {one: _inside(heap, path) for one, path in paths.items()}
        for one, part in words.items():
            plain = part is not None and part.type.kind is Kind.UINT and part.type.size == 8
            if one != heap.name:
                found[one] = part.offset if part is not None and plain else None
        if None not in found.values():
            at = {one: start + place for one, place in found.items() if place is not None}
            return at, slot
    raise LayoutUnknown(
        f"{escape(name)}: its raw_hash_set has no {', '.join(lacking)}; mapscope knows the "
        "tables of Abseil's releases of 2019 to 2022, and of 20240722"
    )


def _inside(part: Part, path: Tuple[str, ...]) -> Optional[int]:
    """Where a member of a member is; None: there is none of that name."""
    place, type = part.offset, part.type
    for name in path:
        found = None if type.as_class is None else type.as_class().find(name)
        if found is None:
            return None
        place, type = place + found.offset, found.type
    return place


def _layout(table: CppClass, slot: Type, name: str) -> Tuple[SlotLayout, Type, Type]:
    """Where the parts of an entry are; the key and the element type, VOID of a set.

    :param slot: the type of a slot
    """
    policy = table.argument(0)
    own = policy.as_class() if policy is not None and policy.as_class is not None else None
    match = None if own is None else _POLICY.match(own.tag)
    if own is None or match is None:
        told = "not told" if own is None else escape(as_written(own.tag))
        raise LayoutUnknown(f"{escape(name)}: its policy is {told}")
    indirect, is_map = match[1] == "Node", match[2] == "Map"
    held = slot.target() if indirect else slot
    key = own.argument(0)
    elem: Optional[Type] = VOID
    second = 0
    if is_map:
        elem = own.argument(1)
        pair = held.as_class() if held.as_class is not None else None
        if pair is not None and pair.find("second") is None:
            value = pair.find("value")  # of a union with what std::pair cannot move
            pair = value.type.as_class() if value is not None and value.type.as_class else None
        part = None if pair is None else pair.find("second")
        if part is None:
            raise LayoutUnknown(f"{escape(name)}: its slots are no std::pair")
        second = part.offset
    if key is None or elem is None:
        raise LayoutUnknown(f"{escape(name)}: debug information has no key and value type of it")
    layout = SlotLayout(held.size, 8 if indirect else slot.size, 0, second, indirect)
    layout.validate(key.size, elem.size)
    return layout, key, elem


def _growth_left(settings: Type, offset: int) -> Optional[int]:
    """Where the first part of a CompressedTuple is, which is a number."""
    if settings.as_class is None:
        return None
    value = settings.as_class().find("value")
    return None if value is None or value.type.size != 8 else offset + value.offset

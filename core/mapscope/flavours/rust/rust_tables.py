# SPDX-License-Identifier: MIT
"""Rust's hash tables (hashbrown, src/raw/mod.rs; as in Rust's library since 1.36).

std's HashMap holds hashbrown's in the member `base`, a HashSet a map of () in `map`; at the end of
members `table` is the RawTable<T> and in that, since hashbrown 0.9, a RawTableInner: bucket_mask,
the control bytes, growth_left, items. Slots lie in front of the control bytes, the first one last;
below 0x80 a control byte is seven bits of the hash, 0xff is empty, 0x80 deleted. A table that has
allocated nothing has a bucket_mask of 0, and control bytes that are the library's own.
"""

import re
from typing import List, Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Type
from ...program.values import escape
from ...session import Session
from ...slots.slot_layout import Control, SlotHeader, SlotLayout
from ...slots.slot_map import SlotMap
from ..library_tables import LibraryTables
from .sip_hash import SipKeyHash, has_sip_hash

NAME = "rust-hashbrown"

_TABLE = re.compile(
    r"^(?:std::collections::hash::|hashbrown::)(?:map::HashMap|set::HashSet|raw::RawTable)<"
)
_RAW = "hashbrown::raw::RawTable<"
_RANDOM = re.compile(r"^std::(?:hash::random|collections::hash::map)::RandomState$")
_LEADS = ("base", "map", "table")
_DEEPEST = 5
_OPERATION = re.compile(
    r"^(?:std::collections::hash::|hashbrown::)(?:map|set|raw)::.*::(\w+)(?:<.*>)?$", re.DOTALL
)
_OPERATIONS = {
    **dict.fromkeys(("reserve_rehash", "reserve_rehash_inner", "resize_inner", "resize"), "grow"),
    **dict.fromkeys(("insert", "insert_in_slot", "insert_no_grow", "entry"), "assign"),
    **dict.fromkeys(("remove", "erase", "remove_entry"), "delete"),
    **dict.fromkeys(("clear", "clear_no_drop"), "clear"),
}
_CONTROL = Control(
    live=bytes(byte < 0x80 for byte in range(256)),
    names={0xFF: "empty", 0x80: "deleted"},
    group=16,
    group_bytes=16,
    mark=lambda number: number >> 57,
    hash_bits=0x7F << 57,
    place_shift=0,
)
_MEMBERS = ("bucket_mask", "ctrl", "growth_left", "items")


class RustTables(LibraryTables):
    """Hash tables of Rust."""

    name = NAME
    named, functions, operations, this = _TABLE, _OPERATION, _OPERATIONS, "self"

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        return open_table(session, address, own)


def open_table(session: Session, address: int, own: CppClass) -> MapView:
    """The table at an address.

    :param own: what it is a variable of
    """
    name = own.tag
    table, offset, hasher, seeds = _raw(own)
    if table is None:
        raise LayoutUnknown(f"{escape(name)}: it has no {_RAW}T>")
    inner, at_inner = table, offset
    held = table.find("table")
    if held is not None and held.type.as_class is not None:
        inner, at_inner = held.type.as_class(), offset + held.offset
    parts = {member: inner.find(member) for member in _MEMBERS}
    lacking = [member for member, part in parts.items() if part is None]
    entry = table.argument(0)
    if lacking or entry is None or entry.as_class is None:
        found = f"no member {', '.join(lacking)}" if lacking else "no type of its entries"
        raise LayoutUnknown(f"{escape(name)}: {found}; mapscope knows hashbrown from 0.5 on")
    layout, key, elem = _layout(entry, name)
    at = {member: at_inner + part.offset for member, part in parts.items() if part is not None}
    raw = session.memory.read(address, max(at.values()) + 8)

    def word(member: str) -> int:
        return int.from_bytes(raw[at[member] : at[member] + 8], "little")

    mask, control, size = word("bucket_mask"), word("ctrl"), layout.size
    slots = mask + 1 if mask else 0
    header = SlotHeader(
        size=len(raw),
        count=word("items"),
        slots=slots,
        control=control,
        first=control - size if control > size else 0,
        growth_left=word("growth_left"),
        array_bytes=-(-slots * size // 16) * 16 + slots + 16 if slots else 0,
    )
    doubt = header.doubt()
    if not doubt and slots & mask:
        doubt = f"{slots} slots, which is no power of two"
    if not doubt and not session.memory.readable(control, 1):
        doubt = f"control bytes at {control:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, moved, or overwritten)"
        )

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if len(seeds) != 2 or not has_sip_hash(key):
            return None, f"{escape(hasher) or 'its hash function'} is not computed here"
        k0, k1 = (session.memory.read_word(address + seed) for seed in seeds)
        return SipKeyHash(session.memory, key, k0, k1), ""

    view = SlotMap(
        session.memory, address, name, key, elem, header, layout, _CONTROL, hasher, hashing
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    view.grows = GrowthPlace(
        ("hashbrown::raw::RawTable::reserve_rehash",),
        address + offset,
        (),
        address + at["bucket_mask"],
    )
    view.reopen = lambda later: open_table(later, address, own)
    return view


def _raw(own: CppClass) -> Tuple[Optional[CppClass], int, str, List[int]]:
    """A table's RawTable, where in it that is, the type that makes its hash functions, and where
    the seeds of that are."""
    offset, hasher = 0, ""
    seeds: List[int] = []
    for _ in range(_DEEPEST):
        if own.tag.startswith(_RAW):
            return own, offset, hasher, seeds
        builder = own.find("hash_builder")
        if builder is not None and builder.type.as_class is not None:
            made = builder.type.as_class()
            hasher, place = made.tag, offset + builder.offset
            if _RANDOM.match(hasher):
                found = map(made.find, ("k0", "k1"))
                seeds = [place + part.offset for part in found if part is not None]
        part = next((found for found in map(own.find, _LEADS) if found is not None), None)
        if part is None or part.type.as_class is None:
            break
        own, offset = part.type.as_class(), offset + part.offset
    return None, 0, hasher, seeds


def _layout(entry: Type, name: str) -> Tuple[SlotLayout, Type, Type]:
    """Where the parts of an entry are; the key and the element type, VOID of one of no bytes,
    as a set's () is.

    :param entry: (K, V)
    """
    own = entry.as_class() if entry.as_class is not None else None
    first = None if own is None else own.find("__0")
    second = None if own is None else own.find("__1")
    if first is None or second is None:
        raise LayoutUnknown(f"{escape(name)}: its entries are no (K, V)")
    elem = second.type if second.type.size else VOID
    layout = SlotLayout(entry.size, -entry.size, first.offset, second.offset, False)
    layout.validate(first.type.size, elem.size)
    return layout, first.type, elem

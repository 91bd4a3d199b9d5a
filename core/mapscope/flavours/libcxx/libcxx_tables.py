# SPDX-License-Identifier: MIT
"""libc++'s hash tables (include/__hash_table; LLVM 14, and all that have the same members).

All of them are a std::__1::__hash_table, in the member __table_: __bucket_list_ is the pointer to
the buckets and, in its deleter, how many they are; __p1_ begins with the pointer to the first node,
__p2_ with the number of entries, __p3_ with the highest load factor. A __hash_node is the pointer
to the next one, its hash, its value. Where there is a power of two of buckets, a hash's low bits
choose one, else the remainder.

A std::string of libc++ says in its first bit whether its text is in itself: such keys and elements
are handed on as pointer and length.
"""

import re
import struct
from dataclasses import replace
from typing import Callable, List, Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...nodes.node_layout import NodeHeader, NodeLayout
from ...nodes.node_map import NodeMap
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Kind, Part, Type
from ...program.values import escape
from ...session import Session
from ..library_tables import LibraryTables
from ..std_unordered.std_hash import StdKeyHash

NAME = "libc++-unordered"

_NAMED = re.compile(r"^std::__\w+::(?:unordered_(?:multi)?(?:map|set)|__hash_table)<")
_TABLE = re.compile(r"^std::__\w+::__hash_table<")
_NODE = re.compile(r"^std::__\w+::__hash_node<")
_WRAPPER = re.compile(r"^std::__\w+::__unordered_map_hasher<")
_STRING = re.compile(r"^std::__\w+::basic_string<char,")
_STRING_VIEW = re.compile(r"^std::__\w+::basic_string_view<char,")
_OPERATION = re.compile(r"^std::__\w+::__hash_table<.*>::(\w+)(?:<.*>)?$", re.DOTALL)
_OPERATIONS = {
    **dict.fromkeys(("rehash", "__rehash", "__do_rehash", "__rehash_unique", "reserve"), "grow"),
    **dict.fromkeys(("erase", "remove", "__erase_unique", "__erase_multi"), "delete"),
    **dict.fromkeys(
        (
            *("__emplace_unique_key_args", "__node_insert_unique", "__node_insert_multi"),
            *("__emplace_multi", "__node_insert_unique_perform", "__assign_unique"),
        ),
        "assign",
    ),
    **dict.fromkeys(("clear", "__deallocate_node"), "clear"),
}
_INTEGERS = (Kind.INT, Kind.UINT, Kind.BOOL, Kind.ENUM)
#: bytes of a string, and where the pointer of one is whose text is elsewhere
_STRING_SIZE, _LONG_DATA = 24, 16
_TWO_WORDS = struct.Struct("<QQ")


class LibcxxTables(LibraryTables):
    """Hash tables of libc++."""

    name = NAME
    named, functions, operations = _NAMED, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        name, table, offset = as_written(own.tag), own, 0
        if not _TABLE.match(own.tag):
            member = own.find("__table_")
            if member is None or member.type.as_class is None:
                raise LayoutUnknown(f"{escape(name)}: it has no __table_")
            table, offset = member.type.as_class(), member.offset
        return open_table(session, address + offset, table, name)


def open_table(session: Session, address: int, table: CppClass, name: str) -> MapView:
    """The table at an address.

    :param table: its __hash_table
    :param name: of its type
    """
    parts = [table.find(member) for member in ("__bucket_list_", "__p1_", "__p2_", "__p3_")]
    list_, first, counted, load = parts
    if list_ is None or first is None or counted is None or load is None:
        raise LayoutUnknown(
            f"{escape(name)}: its __hash_table has no __bucket_list_, __p1_, __p2_ and __p3_; "
            "mapscope knows the tables of libc++ 14 and those like them"
        )
    node = _node_type(first)
    if node is None:
        raise LayoutUnknown(f"{escape(name)}: debug information has no __hash_node of it")
    layout, key, elem, texts = _layout(node, name)
    raw = session.memory.read(address, load.offset + 4)

    def word(place: int) -> int:
        return int.from_bytes(raw[place : place + 8], "little")

    buckets = word(list_.offset + 8)
    highest = struct.unpack_from("<f", raw, load.offset)[0]
    known = 0 < highest < 1e12
    two = buckets & (buckets - 1) == 0
    header = NodeHeader(
        size=len(raw) + -len(raw) % 8,
        count=word(counted.offset),
        buckets=max(buckets, 1),
        array=word(list_.offset) if buckets else address + first.offset,
        inside=not buckets,
        head=address + first.offset,
        first=word(first.offset),
        grows_above=int(buckets * highest) if known and buckets < 1 << 48 else None,
        max_load_factor=highest if known else None,
        place=lambda number: number & (buckets - 1) if two else number % buckets,
    )
    doubt = header.doubt()
    if not doubt and not session.memory.readable(header.array, 8):
        doubt = f"an array of buckets at {header.array:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    hash_name = _hash_name(table)

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if not hash_name.startswith("std::hash<"):
            return None, f"{escape(hash_name) or 'its hash'} is a function of the program's own"
        if key.kind not in _INTEGERS or key.size > 8 or not buckets:
            return None, f"{escape(hash_name)} of libc++ is not computed here"
        return StdKeyHash(session.memory, key), ""

    view = NodeMap(
        session.memory,
        address,
        name,
        key,
        elem,
        header,
        layout,
        hash_name,
        hashing,
        "unordered_multi" not in name,
        _normalised(texts) if texts else None,
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    scope = table.tag[: table.tag.index("<")]
    view.grows = GrowthPlace(
        tuple(f"{scope}::{name}" for name in ("__rehash", "__do_rehash")),
        address,
        ("__nbc",),
        address + list_.offset,
    )
    view.reopen = lambda later: open_table(later, address, table, name)
    return view


def _hash_name(table: CppClass) -> str:
    """The hash function's name."""
    found = table.argument(1)
    if found is None or found.as_class is None:
        return ""
    own = found.as_class()
    if _WRAPPER.match(own.tag):
        inner = own.argument(2)
        if inner is None or inner.as_class is None:
            return ""
        own = inner.as_class()
    return as_written(own.tag)


def _node_type(first: Part) -> Optional[Type]:
    """The type of a node: what the first one's pointer leads to in the end."""
    pair = first.type.as_class() if first.type.as_class is not None else None
    base = None if pair is None else pair.find("__value_")
    if base is None or base.type.as_class is None:
        return None
    pointer = base.type.as_class().argument(0)
    node = None if pointer is None else pointer.target()
    if node is None or node.as_class is None or not _NODE.match(node.as_class().tag):
        return None
    return node


def _layout(node: Type, name: str) -> Tuple[NodeLayout, Type, Type, List[int]]:
    """Where the parts of a node are; the key and the element type, VOID of a set; where strings
    are in a node."""
    own = node.as_class() if node.as_class is not None else None
    parts = [None if own is None else own.find(one) for one in ("__next_", "__hash_", "__value_")]
    following, stored, value = parts
    if following is None or stored is None or value is None:
        raise LayoutUnknown(f"{escape(name)}: its nodes have no __next_, __hash_ and __value_")
    held = value.type.as_class() if value.type.as_class is not None else None
    pair = None
    for member in ("__cc", "__cc_"):
        found = None if held is None else held.find(member)
        pair = pair or found
    first, second, key, elem = value.offset, value.offset, value.type, VOID
    if pair is not None and pair.type.as_class is not None:
        own = pair.type.as_class()
        one, other = own.find("first"), own.find("second")
        if one is None or other is None:
            raise LayoutUnknown(f"{escape(name)}: its values are no std::pair")
        first += pair.offset + one.offset
        second += pair.offset + other.offset
        key, elem = one.type, other.type
    elif "map<" in name.partition("<")[0] + "<":
        raise LayoutUnknown(f"{escape(name)}: its values are no __hash_value_type")
    layout = NodeLayout(node.size, following.offset, first, second, stored.offset)
    layout.validate(key.size, elem.size)
    texts: List[int] = []
    if _is_text(key):
        key = _text(key)
        texts.append(first)
    if _is_text(elem):
        elem = _text(elem)
        texts.append(second)
    return layout, _view(key), _view(elem), texts


def _is_text(type: Type) -> bool:
    """Whether a type is a std::string whose parts are where this file takes them."""
    if type.as_class is None or type.size != _STRING_SIZE:
        return False
    own = type.as_class()
    if not _STRING.match(own.tag):
        return False
    rep = own.find("__r_")
    pair = None if rep is None or rep.type.as_class is None else rep.type.as_class()
    value = None if pair is None else pair.find("__value_")
    inner = None if value is None or value.type.as_class is None else value.type.as_class()
    long = None if inner is None else inner.find("__l")
    data = (
        None if long is None or long.type.as_class is None else long.type.as_class().find("__data_")
    )
    return data is not None and data.offset == _LONG_DATA


def _text(type: Type) -> Type:
    """The type of a string as it is handed on."""
    return replace(type, kind=Kind.STRING, name="std::string", data_offset=0, len_offset=8)


def _view(type: Type) -> Type:
    """A std::string_view as a string; any other type as it is."""
    own = type.as_class() if type.as_class is not None else None
    if own is None or not _STRING_VIEW.match(own.tag):
        return type
    data = own.find("__data_") or own.find("__data")
    size = own.find("__size_") or own.find("__size")
    if data is None or size is None:
        return type
    places = {"data_offset": data.offset, "len_offset": size.offset}
    return replace(type, kind=Kind.STRING, name="std::string_view", **places)


def _normalised(texts: List[int]) -> Callable[[int, bytes], bytes]:
    """Makes the bytes of a node into those whose strings are pointer and length.

    :param texts: where strings are in a node
    """

    def change(node: int, row: bytes) -> bytes:
        for at in texts:
            if row[at] & 1:
                start = at + _LONG_DATA
                row = row[:at] + row[start : start + 8] + row[at + 8 :]
            else:
                row = row[:at] + _TWO_WORDS.pack(node + at + 1, row[at] >> 1) + row[at + 16 :]
        return row

    return change

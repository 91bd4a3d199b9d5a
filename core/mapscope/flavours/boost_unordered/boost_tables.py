# SPDX-License-Identifier: MIT
"""Boost's hash tables of linked nodes (boost/unordered/detail/implementation.hpp, Boost 1.67 to
1.79).

All of them are a boost::unordered::detail::table, in the member table_: the number of buckets,
that of entries, the highest load factor, the number of entries that it grows above, and the
buckets. Each bucket is the pointer to the node before its first one; one more bucket, behind the
others, begins the list. A node is the pointer to the next one, its bucket's number, and the value.
Hashes are not stored. There is a prime number of buckets, of which the hash's remainder chooses
one, or a power of two; then hashes are mixed first.
"""

import re
import struct
from functools import partial
from typing import Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...nodes.node_layout import NodeHeader, NodeLayout
from ...nodes.node_map import NodeMap
from ...nodes.node_proof import proved_by_nodes
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.target import Frame
from ...program.types import VOID, CppClass, Type
from ...program.values import escape
from ...session import Session
from ..library_tables import LibraryTables
from ..library_hashes import mix64, same
from .boost_hashing import boost_hashing
from .list_tables import is_list_table, open_list_table

NAME = "boost-unordered"

_NAMED = re.compile(r"^boost::unordered::unordered_(multi)?(map|set)<")
_MEMBERS = ("bucket_count_", "size_", "mlf_", "max_load_", "buckets_")
_NODE = "boost::unordered::detail::ptr_node<"
_OPERATION = re.compile(
    r"^boost::unordered::detail::table<.*>::(\w+)(?:<.*>)?$",
    re.DOTALL,
)
_OPERATIONS = {
    **dict.fromkeys(("rehash", "rehash_impl", "reserve_for_insert", "create_buckets"), "grow"),
    **dict.fromkeys(("erase_key_unique", "erase_nodes_unique", "delete_node"), "delete"),
    **dict.fromkeys(("add_node_unique", "add_node_equiv", "resize_and_add_node_unique"), "assign"),
    **dict.fromkeys(("clear_impl", "delete_buckets"), "clear"),
}


class BoostTables(LibraryTables):
    """Hash tables of Boost that are lists of nodes."""

    name = NAME
    named, functions, operations = _NAMED, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        return open_table(session, address, own)

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        return None  # the object there is not what says what the table holds


def open_table(session: Session, address: int, own: CppClass) -> MapView:
    """The table at an address.

    :param own: what it is a variable of
    """
    name = as_written(own.tag)
    member = own.find("table_")
    table = member.type.as_class() if member is not None and member.type.as_class else None
    if member is not None and table is not None and is_list_table(table):
        listed = open_list_table(session, address, own, member, table, name)
        listed.flavor = NAME
        listed.reopen = lambda later: open_table(later, address, own)
        return listed
    parts = {one: None if table is None else table.find(one) for one in _MEMBERS}
    lacking = [one for one, part in parts.items() if part is None]
    if member is None or lacking:
        raise LayoutUnknown(
            f"{escape(name)}: its table has no {', '.join(lacking)}; mapscope knows those of "
            "Boost 1.67 to 1.79, and of 1.83"
        )
    at = {one: member.offset + part.offset for one, part in parts.items() if part is not None}
    layout, key, elem = _layout(own, table, name)
    raw = session.memory.read(address, max(at.values()) + 8)

    def word(one: str) -> int:
        return int.from_bytes(raw[at[one] : at[one] + 8], "little")

    buckets, array, count = word("bucket_count_"), word("buckets_"), word("size_")
    load = struct.unpack_from("<f", raw, at["mlf_"])[0]
    limit = 1 << 44
    start = array + 8 * buckets if array and buckets < limit else address
    doubt = ""
    first = 0
    if array and buckets < limit:
        if session.memory.readable(start, 8):
            first = session.memory.read_word(start)
        else:
            doubt = f"{buckets} buckets at {array:#x}, which cannot be read"
    header = NodeHeader(
        size=len(raw),
        count=count,
        buckets=buckets,
        array=array or address,
        inside=not array,
        head=start,
        first=first,
        grows_above=word("max_load_") if array else 0,
        max_load_factor=load if 0 < load < 1e12 else None,
        place=lambda number: number % buckets,
    )
    doubt = doubt or header.doubt()
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    if not array:
        # nothing is allocated yet: there are no buckets to look at
        header = NodeHeader(
            len(raw), 0, 1, address + at["buckets_"], True, address, 0, 0, load, lambda number: 0
        )
    hash_type = own.argument(2 if _is_map(own) else 1)
    hash_name = "" if hash_type is None else as_written(hash_type.name)

    def hashing() -> Tuple[Optional[KeyHash], str]:
        two = not header.buckets & (header.buckets - 1)
        ways = (mix64 if two else same,)
        return boost_hashing(view, hash_name, ways, partial(proved_by_nodes, view))

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
        "_multi" not in own.tag.partition("<")[0],
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    view.grows = GrowthPlace(
        ("boost::unordered::detail::table::rehash_impl",),
        address + member.offset,
        ("num_buckets",),
        address + at["buckets_"],
    )
    view.reopen = lambda later: open_table(later, address, own)
    return view


def _is_map(own: CppClass) -> bool:
    match = _NAMED.match(own.tag)
    return match is not None and match[2] == "map"


def _node_type(own: CppClass, depth: int) -> Optional[Type]:
    """The type of a node: what one of the table's allocators is of."""
    for index in range(4):
        found = own.argument(index)
        if found is not None and found.as_class is not None:
            if found.as_class().tag.startswith(_NODE):
                return found
    for part in own.parts:
        if not part.name and part.type.as_class is not None and depth < 8:
            node = _node_type(part.type.as_class(), depth + 1)
            if node is not None:
                return node
    return None


def _layout(own: CppClass, table: Optional[CppClass], name: str) -> Tuple[NodeLayout, Type, Type]:
    """Where the parts of a node are; the key and the element type, VOID of a set."""
    is_map = _is_map(own)
    part = None if table is None else table.find("allocators_")
    allocators = None if part is None or part.type.as_class is None else part.type.as_class()
    node = None if allocators is None else _node_type(allocators, 0)
    key, elem = own.argument(0), own.argument(1) if is_map else VOID
    if node is None or node.as_class is None or key is None or elem is None:
        raise LayoutUnknown(
            f"{escape(name)}: debug information has no boost::unordered::detail::ptr_node of it"
        )
    made = node.as_class()
    following, value = made.find("next_"), made.find("value_base_")
    second = None
    if is_map and value is not None and value.type.as_class is not None:
        # an aligned buffer, whose class has the value's type as its argument
        pair = value.type.as_class().argument(0)
        if pair is not None and pair.as_class is not None:
            second = pair.as_class().find("second")
    if following is None or value is None or (is_map and second is None):
        raise LayoutUnknown(f"{escape(name)}: its nodes have no next_ and value_base_")
    start = value.offset
    elem_at = start + (second.offset if second is not None else 0)
    layout = NodeLayout(node.size, following.offset, start, elem_at, None)
    layout.validate(key.size, elem.size)
    return layout, key, elem

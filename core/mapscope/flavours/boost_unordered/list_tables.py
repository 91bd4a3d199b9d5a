# SPDX-License-Identifier: MIT
"""Boost's hash tables of linked nodes since Boost 1.80 (boost/unordered/detail/fca.hpp).

The table has a grouped_bucket_array buckets_: how many buckets there are, and their address. Each
has a list of its own, which a null pointer ends; groups of buckets, which iteration needs alone,
are not looked at. A node is the pointer to the next one and the value. There is a prime number of
buckets, which divides both halves of the hash, added up; what is left chooses one.
"""

import struct
from functools import partial
from typing import Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...nodes.node_layout import NodeHeader, NodeLayout
from ...nodes.node_proof import proved_by_nodes
from ...nodes.own_lists import OwnListMap
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Part, Type
from ...program.values import escape
from ...session import Session
from ..library_hashes import same
from .boost_hashing import boost_hashing

_MEMBERS = ("size_", "mlf_", "max_load_", "buckets_")
_HALF = (1 << 32) - 1


def is_list_table(table: Optional[CppClass]) -> bool:
    """Whether a table has the members of these."""
    part = None if table is None else table.find("buckets_")
    return part is not None and part.type.as_class is not None


def open_list_table(
    session: Session, address: int, own: CppClass, member: Part, table: CppClass, name: str
) -> MapView:
    """The table at an address.

    :param own: what it is a variable of, and `member` its table_
    :param name: of its type
    """
    parts = {one: table.find(one) for one in _MEMBERS}
    array = parts["buckets_"]
    grouped = None if array is None or array.type.as_class is None else array.type.as_class()
    counted = None if grouped is None else grouped.find("size_")
    start = None if grouped is None else grouped.find("buckets")
    lacking = [one for one, part in parts.items() if part is None]
    if lacking or array is None or counted is None or start is None:
        raise LayoutUnknown(
            f"{escape(name)}: its table has no {', '.join(lacking) or 'buckets and size_'}; "
            "mapscope knows those of Boost 1.67 to 1.79, and of 1.83"
        )
    at = {one: member.offset + part.offset for one, part in parts.items() if part is not None}
    first = at["buckets_"]
    layout, key, elem = _layout(own, start.type.target(), name)
    raw = session.memory.read(address, max(*at.values(), first + start.offset) + 8)

    def word(place: int) -> int:
        return int.from_bytes(raw[place : place + 8], "little")

    buckets, place, count = word(first + counted.offset), word(first + start.offset), 0
    count = word(at["size_"])
    load = struct.unpack_from("<f", raw, at["mlf_"])[0]
    known = 0 < load < 1e12
    if buckets:
        header = NodeHeader(
            size=len(raw),
            count=count,
            buckets=buckets,
            array=place,
            inside=False,
            head=address,
            first=1 if count else 0,  # there is no first one of all
            grows_above=word(at["max_load_"]),
            max_load_factor=load if known else None,
            place=lambda number: ((number & _HALF) + (number >> 32) & _HALF) % buckets,
        )
    else:
        # nothing is allocated yet: the pointer to the buckets, which is null, stands for one
        header = NodeHeader(
            size=len(raw),
            count=count,
            buckets=1,
            array=address + first + start.offset,
            inside=True,
            head=address,
            first=0,
            grows_above=0,
            max_load_factor=load if known else None,
            place=lambda number: 0,
        )
    doubt = header.doubt()
    if not doubt and not session.memory.readable(header.array, 8):
        doubt = f"{buckets} buckets at {place:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    hash_type = own.argument(1 if elem is VOID else 2)
    hash_name = "" if hash_type is None else as_written(hash_type.name)

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if buckets > _HALF:
            return None, f"{escape(hash_name) or 'its hash'} is not computed here"
        return boost_hashing(view, hash_name, (same,), partial(proved_by_nodes, view))

    view = OwnListMap(
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
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    view.grows = GrowthPlace(
        ("boost::unordered::detail::table::rehash_impl",),
        address + member.offset,
        ("num_buckets",),
        address + first + start.offset,
    )
    return view


def _layout(own: CppClass, bucket: Type, name: str) -> Tuple[NodeLayout, Type, Type]:
    """Where the parts of a node are; the key and the element type, VOID of a set."""
    is_map = "map<" in own.tag.partition("<")[0] + "<"
    pointer = None if bucket.as_class is None else bucket.as_class().find("next")
    node = None if pointer is None else pointer.type.target()
    made = None if node is None or node.as_class is None else node.as_class()
    key, elem = own.argument(0), own.argument(1) if is_map else VOID
    if node is None or made is None or key is None or elem is None or bucket.size != 8:
        raise LayoutUnknown(f"{escape(name)}: debug information has no node of it")
    following, value = made.find("next"), made.find("buf")
    held = made.argument(0)
    pair = None if held is None or held.as_class is None else held.as_class()
    first = pair.find("first") if pair is not None and is_map else None
    second = pair.find("second") if pair is not None and is_map else None
    if following is None or value is None or (is_map and (first is None or second is None)):
        raise LayoutUnknown(f"{escape(name)}: its nodes have no next and buf")
    start = value.offset
    layout = NodeLayout(
        node.size,
        following.offset,
        start + (first.offset if first is not None else 0),
        start + (second.offset if second is not None else 0),
        None,
    )
    layout.validate(key.size, elem.size)
    return layout, key, elem

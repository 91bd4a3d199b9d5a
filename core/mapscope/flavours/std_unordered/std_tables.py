# SPDX-License-Identifier: MIT
"""libstdc++'s hash tables (bits/hashtable.h, hashtable_policy.h; GCC 5 to 14).

All of them are a std::_Hashtable, in the member _M_h: the pointers of buckets, how many they are,
the list of nodes, how many those are, and the policy. A node is a std::__detail::_Hash_node: the
pointer to the next one, the value and, where the second argument is true, the hash. Offsets are
those of debug information.
"""

import re
import struct
from typing import Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...nodes.node_layout import NodeHeader, NodeLayout
from ...nodes.node_map import NodeMap
from ...program.cpp_names import as_written, template_arguments
from ...program.hashing import KeyHash
from ...program.types import VOID, CppClass, Type
from ...program.values import escape
from ...session import Session
from ..library_tables import LibraryTables
from .std_hash import StdKeyHash, has_std_hash

NAME = "std-unordered"

_TABLE = "std::_Hashtable<"
_NAMED = re.compile(r"^std::(?:__\w+::)*(?:unordered_(?:multi)?(?:map|set)|_Hashtable)<")
_NODE = re.compile(r"^std::__detail::_Hash_node<")
_MOD = "std::__detail::_Mod_range_hashing"
_OPERATION = re.compile(r"^std::_Hashtable<.*>::(_M_\w+|\w+)(?:<.*>)?$", re.DOTALL)
_OPERATIONS = {
    **dict.fromkeys(("_M_rehash", "_M_rehash_aux", "rehash", "reserve"), "grow"),
    **dict.fromkeys(("_M_erase", "erase", "extract", "_M_extract_node"), "delete"),
    **dict.fromkeys(
        (
            *("_M_insert_unique_node", "_M_insert_multi_node", "_M_insert_unique", "_M_emplace"),
            *("_M_insert", "_M_insert_bucket_begin", "_M_insert_range", "insert", "emplace"),
            *("try_emplace", "_M_assign", "_M_assign_elements", "_M_reinsert_node"),
        ),
        "assign",
    ),
    **dict.fromkeys(("clear", "_M_deallocate_nodes"), "clear"),
}
#: names of the parameter of _M_rehash
_NEW_BUCKETS = ("__n", "__bkt_count")
#: members of _Hashtable that make its layout
_MEMBERS = "_M_buckets _M_bucket_count _M_before_begin _M_element_count _M_rehash_policy".split()
#: allocators' arguments among which the node is looked for
_ARGUMENTS = 8


class StdTables(LibraryTables):
    """Hash tables of libstdc++."""

    name = NAME
    named, functions, operations = _NAMED, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> Optional[MapView]:
        found = _table_in(own)
        if found is None:
            return None
        table, offset = found
        return open_table(session, address + offset, table, as_written(own.tag))


def _table_in(own: CppClass) -> Optional[Tuple[CppClass, int]]:
    """A table's std::_Hashtable, and where in it that is; None: it is another library's.

    :raises LayoutUnknown: if it is none that is known
    """
    if own.tag.startswith(_TABLE):
        return own, 0
    member = own.find("_M_h")
    if member is None:
        return None
    table = None if member.type.as_class is None else member.type.as_class()
    if table is None or not table.tag.startswith(_TABLE):
        raise LayoutUnknown(f"{escape(as_written(own.tag))}: its _M_h is no std::_Hashtable")
    return table, member.offset


def open_table(session: Session, address: int, table: CppClass, name: str) -> MapView:
    """The table at an address.

    :param table: its std::_Hashtable
    :param name: of its type
    """
    key, value = table.argument(0), table.argument(1)
    if key is None or value is None:
        raise LayoutUnknown(f"{escape(name)}: debug information has no key and value type of it")
    header = _header(session, address, table, name)
    layout, elem = _layout(session, table, key, value, name)
    hash_type, unique = _hash_type(table), not re.search(r"unordered_multi|, false>", _kind(table))
    hash_name = as_written(hash_type.tag) if hash_type is not None else ""

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if not hash_name.startswith("std::hash<"):
            return None, f"{escape(hash_name) or 'its hash'} is a function of the program's own"
        if key is None or not has_std_hash(key):
            return None, f"{escape(hash_name)} cannot be computed here"
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
        unique,
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.has_values = elem is not VOID
    buckets = table.find("_M_buckets")
    view.grows = GrowthPlace(
        ("std::_Hashtable::_M_rehash",),
        address,
        _NEW_BUCKETS,
        address + (buckets.offset if buckets is not None else 0),
    )
    view.reopen = lambda later: open_table(later, address, table, name)
    return view


def _kind(table: CppClass) -> str:
    """The last template argument of a table: its traits."""
    arguments, _ = template_arguments(table.tag, table.tag.index("<"))
    return arguments[-1] if arguments else ""


def _hash_type(table: CppClass) -> Optional[CppClass]:
    found = table.argument(5)
    return None if found is None or found.as_class is None else found.as_class()


def _header(session: Session, address: int, table: CppClass, name: str) -> NodeHeader:
    """What the table says of itself.

    :raises LayoutUnknown: if it has other members than those known
    :raises Corrupt: if no table can say that
    """
    places = {member: table.find(member) for member in _MEMBERS}
    lacking = [member for member, part in places.items() if part is None]
    arguments, _ = template_arguments(table.tag, table.tag.index("<"))
    ranged = arguments[6] if len(arguments) > 6 else ""
    if lacking or ranged != _MOD:
        found = f"no member {', '.join(lacking)}" if lacking else f"buckets by {escape(ranged)}"
        raise LayoutUnknown(
            f"{escape(name)}: {found}; mapscope knows the tables of libstdc++ from GCC 5 on"
        )
    at = {member: part.offset for member, part in places.items() if part is not None}
    inline = table.find("_M_single_bucket")
    size = max(at.values()) + 16 + (8 if inline is not None else 0)
    raw = session.memory.read(address, size)

    def word(member: str) -> int:
        return int.from_bytes(raw[at[member] : at[member] + 8], "little")

    policy = at["_M_rehash_policy"]
    load, resize = struct.unpack_from("<f4xQ", raw, policy)
    buckets, array = word("_M_bucket_count"), word("_M_buckets")
    known = 0 < load < 1e12
    grows = resize or (int(buckets * load) if known and buckets > 1 and buckets < 1 << 48 else 0)
    header = NodeHeader(
        size=size,
        count=word("_M_element_count"),
        buckets=buckets,
        array=array,
        inside=inline is not None and array == address + inline.offset,
        head=address + at["_M_before_begin"],
        first=word("_M_before_begin"),
        grows_above=grows if known else None,
        max_load_factor=load if known else None,
        place=lambda number: number % buckets,
    )
    doubt = header.doubt()
    if not doubt and not session.memory.readable(array, 8):
        doubt = f"an array of buckets at {array:#x}, which cannot be read"
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    return header


def _layout(
    session: Session, table: CppClass, key: Type, value: Type, name: str
) -> Tuple[NodeLayout, Type]:
    """Where the parts of a node are, and the element type: VOID of a set.

    :raises LayoutUnknown: if debug information does not say
    """
    type = _node_type(session, table)
    if type is None or type.as_class is None:
        raise LayoutUnknown(
            f"{escape(name)}: debug information has no std::__detail::_Hash_node of it"
        )
    node = type.as_class()
    following, storage = node.find("_M_nxt"), node.find("_M_storage")
    stored = node.find("_M_hash_code")
    if following is None or storage is None:
        raise LayoutUnknown(f"{escape(name)}: its nodes have no _M_nxt and _M_storage")
    parts = {field.name: field for field in value.fields}
    first, second, elem = storage.offset, storage.offset, VOID
    if _is_map(table):
        if "first" not in parts or "second" not in parts:
            raise LayoutUnknown(f"{escape(name)}: its values are no std::pair")
        first += parts["first"].offset
        second += parts["second"].offset
        elem = parts["second"].type
    layout = NodeLayout(
        size=type.size,
        following=following.offset,
        key=first,
        elem=second,
        hash=None if stored is None else stored.offset,
    )
    layout.validate(key.size, elem.size)
    return layout, elem


def _is_map(table: CppClass) -> bool:
    """Whether keys are the first of pairs."""
    arguments, _ = template_arguments(table.tag, table.tag.index("<"))
    return len(arguments) > 3 and arguments[3].startswith("std::__detail::_Select1st")


def _node_type(session: Session, table: CppClass) -> Optional[Type]:
    """The type of a node: what the table's allocator is one of."""
    base = table.base("std::__detail::_Hashtable_alloc<")
    allocator = None if base is None else base.argument(0)
    if allocator is not None and allocator.as_class is not None:
        # GCC tells the arguments of std::allocator with its base class alone
        own = allocator.as_class()
        bases = (part.type.as_class for part in own.parts if not part.name)
        for owner in [own, *(base() for base in bases if base is not None)]:
            for index in range(_ARGUMENTS):
                found = owner.argument(index)
                if found is not None and _is_node(found):
                    return found
    arguments, _ = template_arguments(table.tag, table.tag.index("<"))
    traits, _ = template_arguments(arguments[-1], arguments[-1].find("<"))
    if not traits:
        return None
    name = f"std::__detail::_Hash_node<{arguments[1]}, {traits[0]}>"
    for spelled in (name, name.replace(">>", "> >")):
        found = session.target.find_type(spelled)
        if found is not None:
            return found
    return None


def _is_node(type: Type) -> bool:
    return type.as_class is not None and bool(_NODE.match(type.as_class().tag))

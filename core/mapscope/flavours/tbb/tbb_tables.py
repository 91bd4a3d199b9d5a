# SPDX-License-Identifier: MIT
"""How a concurrent_hash_map of oneTBB is recognised, and its layout by debug information.

A map is derived from hash_map_base<Allocator, Mutex>: my_mask, my_size, my_embedded_segment,
my_table. Its node is hash_map_node_base<Mutex>, next and mutex, with the pair my_value behind it.
Locks of spin_rw_mutex and rw_mutex are one word m_state: a writer's bit, one for a writer that
waits, then the number of readers. tbb_hash_compare<Key> is std::hash<Key>.
"""

import re
from typing import Optional, Tuple

from ...errors import Corrupt, LayoutUnknown
from ...maps.view import GrowthPlace, MapView
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.target import Frame
from ...program.types import CppClass, Part, Type
from ...program.values import escape
from ...session import Session
from ..library_tables import LibraryTables
from ..std_unordered.std_hash import StdKeyHash, has_std_hash
from .segments import Header, Layout
from .tbb_map import TbbMap

NAME = "tbb-concurrent"

_NAMED = re.compile(r"^tbb::(?:\w+::)*concurrent_hash_map<")
_BASE = re.compile(r"^tbb::(?:\w+::)*hash_map_base<")
_LOCK = re.compile(r"^tbb::(?:\w+::)*(?:spin_rw_mutex|rw_mutex)$")
_COMPARE = re.compile(r"^tbb::(?:\w+::)*tbb_hash_compare<")
_OPERATION = re.compile(
    r"^tbb::(?:\w+::)*(?:concurrent_hash_map|hash_map_base)<.*>::(\w+(?:<true)?)(?:[<,].*)?$",
    re.DOTALL,
)
_OPERATIONS = {
    **dict.fromkeys(("enable_segment", "reserve"), "grow"),
    **dict.fromkeys(("rehash_bucket", "rehash", "mark_rehashed_levels"), "evacuate"),
    **dict.fromkeys(
        (
            *("insert_new_node", "insert", "emplace", "generic_emplace", "generic_move_insert"),
            *("lookup<true", "internal_copy", "internal_move", "internal_swap_content"),
        ),
        "assign",
    ),
    **dict.fromkeys(("erase", "internal_erase", "exclude"), "delete"),
    **dict.fromkeys(("clear", "delete_segment"), "clear"),
}
_SEGMENTS = 64
#: members of a map's base class
_MEMBERS = ("my_mask", "my_size", "my_embedded_segment", "my_table")
#: bases of bases that are looked into
_DEEPEST = 4


class TbbTables(LibraryTables):
    """Concurrent hash maps of oneTBB."""

    name = NAME
    named, functions, operations = _NAMED, _OPERATION, _OPERATIONS

    def open(self, session: Session, address: int, own: CppClass) -> MapView:
        return open_map(session, address, own)

    def evacuated_bucket(self, session: Session, frame: Frame, view: MapView) -> Optional[int]:
        if not isinstance(view, TbbMap) or self.operation(frame.function) != "evacuate":
            return None
        # what rehash_bucket fills
        found = frame.variable("hash")
        if found is None or found.type.size != 8:
            return None
        raw = found.data
        if raw is None:
            raw = session.memory.read(found.address or 0, 8)
        bucket = int.from_bytes(raw[:8], "little")
        return bucket if bucket < view.header.buckets else None


def _base(own: CppClass, depth: int) -> Optional[Tuple[CppClass, int]]:
    """The hash_map_base that a map is derived from, and where in it that is."""
    if _BASE.match(own.tag):
        return own, 0
    for part in own.parts:
        if not part.name and part.type.as_class is not None and depth < _DEEPEST:
            found = _base(part.type.as_class(), depth + 1)
            if found is not None:
                return found[0], found[1] + part.offset
    return None


def open_map(session: Session, address: int, own: CppClass) -> MapView:
    """The map at an address.

    :param own: its class
    """
    name = as_written(own.tag)
    found = _base(own, 0)
    if found is None:
        raise LayoutUnknown(
            f"{escape(name)}: it has no hash_map_base; mapscope knows the maps of oneTBB 2021 "
            "and later"
        )
    base, offset = found
    parts = {member: base.find(member) for member in _MEMBERS}
    lacking = [member for member, part in parts.items() if part is None]
    if lacking:
        raise LayoutUnknown(
            f"{escape(name)}: its hash_map_base has no {', '.join(lacking)}; mapscope knows the "
            "maps of oneTBB 2021 and later"
        )
    at = {member: offset + part.offset for member, part in parts.items() if part is not None}
    key, elem = own.argument(0), own.argument(1)
    if key is None or elem is None:
        raise LayoutUnknown(f"{escape(name)}: debug information has no key and value type of it")
    embedded = parts["my_embedded_segment"]
    assert embedded is not None, "it is not lacking"
    layout = _layout(own, embedded.type.target(), key, elem, name)
    header = _header(session, address, at, name)
    compare = own.argument(2)
    compare_name = "" if compare is None else compare.name
    hash_name = as_written(compare_name)
    std = compare is not None and _std_hash(compare)
    if std:
        hash_name = f"std::hash<{key.name}>"

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if not std:
            return None, f"{escape(hash_name) or 'its hash'} is a function of the program's own"
        if key is None or not has_std_hash(key):
            return None, f"{escape(hash_name)} cannot be computed here"
        return StdKeyHash(session.memory, key), ""

    view = TbbMap(session, address, name, key, elem, header, layout, hash_name, hashing)
    view.flavor = NAME
    view.decoder = session.decoder()
    scope = base.tag[: base.tag.index("<")]
    view.grows = GrowthPlace(
        (f"{scope}::enable_segment",), address + offset, (), address + at["my_mask"]
    )
    view.reopen = lambda later: open_map(later, address, own)
    return view


def _std_hash(compare: Type) -> bool:
    """Whether keys are hashed by libstdc++'s std::hash."""
    own = compare.as_class() if compare.as_class is not None else None
    if own is None or not _COMPARE.match(own.tag):
        return False
    part = own.find("my_hash_func")
    inner = None if part is None or part.type.as_class is None else part.type.as_class()
    return inner is not None and inner.tag.startswith("std::hash<")


def _header(session: Session, address: int, at: "dict[str, int]", name: str) -> Header:
    """What a map says of itself.

    :param at: offsets of members
    :raises Corrupt: if no map can say that
    """
    size = at["my_table"] + 8 * _SEGMENTS
    raw = session.memory.read(address, size)

    def word(place: int) -> int:
        return int.from_bytes(raw[place : place + 8], "little")

    header = Header(
        size=size,
        count=word(at["my_size"]),
        mask=word(at["my_mask"]),
        segments=tuple(word(at["my_table"] + 8 * number) for number in range(_SEGMENTS)),
    )
    doubt = header.doubt(address + at["my_embedded_segment"])
    if doubt:
        raise Corrupt(
            f"no {escape(name)} at {address:#x}: it would have {doubt} "
            "(not constructed yet, destroyed, or overwritten)"
        )
    return header


def _lock(owner: CppClass) -> Optional[int]:
    """Where the word of a lock is in a bucket or a node; None: it is of another kind."""
    mutex = owner.find("mutex")
    own = None if mutex is None or mutex.type.as_class is None else mutex.type.as_class()
    if mutex is None or own is None or not _LOCK.match(own.tag):
        return None
    state: Optional[Part] = own.find("m_state")
    if state is None or state.type.size != 8 or (mutex.offset + state.offset) % 8:
        return None
    return mutex.offset + state.offset


def _layout(own: CppClass, bucket: Type, key: Type, elem: Type, name: str) -> Layout:
    """Where the parts of buckets and nodes are.

    :raises LayoutUnknown: if debug information does not say
    """
    bucket_class = bucket.as_class() if bucket.as_class is not None else None
    head = None if bucket_class is None else bucket_class.find("node_list")
    type = _node_type(own)
    node = None if type is None or type.as_class is None else type.as_class()
    if bucket_class is None or head is None or type is None or node is None:
        lacking = "bucket with a node_list" if head is None else "node"
        raise LayoutUnknown(f"{escape(name)}: debug information has no {lacking} of it")
    following, value = node.find("next"), node.find("my_value")
    pair = None if value is None or value.type.as_class is None else value.type.as_class()
    first = None if pair is None else pair.find("first")
    second = None if pair is None else pair.find("second")
    if following is None or value is None or first is None or second is None:
        raise LayoutUnknown(f"{escape(name)}: its nodes have no next and no pair my_value")
    layout = Layout(
        bucket.size,
        head.offset,
        _lock(bucket_class),
        type.size,
        following.offset,
        _lock(node),
        value.offset + first.offset,
        value.offset + second.offset,
    )
    ends = (layout.key + key.size, layout.elem + elem.size, layout.following + 8)
    odd = layout.bucket % 8 or layout.head % 8 or layout.node % 8
    if odd or layout.head + 8 > layout.bucket or max(ends) > layout.node:
        raise Corrupt(f"impossible layout of a node ({layout.node} bytes) of {escape(name)}")
    return layout


def _node_type(own: CppClass) -> Optional[Type]:
    """The type of a map's nodes, which is one of its own."""
    owner: Optional[CppClass] = own
    for _ in range(_DEEPEST):
        if owner is None or _NAMED.match(owner.tag):
            break
        bases = [p.type.as_class for p in owner.parts if not p.name and p.type.as_class]
        owner = bases[0]() if bases and bases[0] is not None else None
    return None if owner is None else owner.nested("node")

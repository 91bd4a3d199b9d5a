# SPDX-License-Identifier: MIT
"""Which types are a sync.Map, and where the parts of one lie.

Facts: sync/map.go of Go 1.17 to 1.24, where GOEXPERIMENT=nosynchashtriemap still chooses it,
sync/hashtriemap.go of 1.24, sync/map.go of 1.26 and 1.27, internal/sync/hashtriemap.go.

Types come from debug information or from type descriptors, and have the parts by name. Where
there is neither, as for an address in a stripped program, go/layouts.py tells.
"""

import re
from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Tuple

from ...errors import LayoutUnknown, MapscopeError
from ...go import layouts
from ...program.types import Field, Kind, Type
from ...program.values import escape
from ...records import dataclass
from ...session import Session

SYNC_MAP = "sync.Map"
#: of debug information, and of type descriptors, which have no whole paths
_TRIE = re.compile(r"(?:internal/)?sync\.HashTrieMap\[(.*)\]\Z", re.DOTALL)
#: what names an instance that the compiler shares between types of one shape
_SHAPE = "go.shape."
#: the element type of a sync.Map's two maps, and their own, as the type table has them
ENTRY_MAP = "map[interface {}]*sync.entry"

#: an interface without methods, whatever tells of the map
ANY = Type(Kind.EMPTY_INTERFACE, "interface {}", 16)


@dataclass(frozen=True)
class ReadDirtyLayout:
    """Where the parts of a sync.Map of two maps are.

    :ivar value: whether its read map is kept in an atomic.Value, until Go 1.19
    :ivar maps: the type of both maps; None: it is to be looked up
    """

    mu: int
    read: int
    dirty: int
    misses: int
    size: int
    value: bool
    maps: Optional[Type] = None


@dataclass(frozen=True)
class TrieLayout:
    """Where the parts of a HashTrieMap are, and of its entries.

    :ivar name: of its type
    :ivar header: the HashTrieMap's own offsets
    :ivar key_at: in an entry, and the element
    """

    name: str
    header: Dict[str, int]
    key: Type
    elem: Type
    key_at: int
    elem_at: int
    entry_size: int


def is_sync_map(type: Type) -> bool:
    """Whether a type is a sync.Map, or the trie that one is made of."""
    return is_read_dirty(type) or is_trie(type)


def is_read_dirty(type: Type) -> bool:
    """Whether a type is a sync.Map of two maps."""
    return type.kind is Kind.STRUCT and type.name == SYNC_MAP and _has(type, "read", "dirty")


def is_trie(type: Type) -> bool:
    """Whether a type is a HashTrieMap, or a sync.Map that is one."""
    if type.kind is not Kind.STRUCT:
        return False
    if type.name == SYNC_MAP:
        inner = _field(type, "m")
        return inner is not None and is_trie(inner.type)
    return _TRIE.match(type.name) is not None and _has(type, "root", "seed")


def _has(type: Type, *names: str) -> bool:
    return all(_field(type, name) is not None for name in names)


def _field(type: Type, name: str) -> Optional[Field]:
    return next((field for field in type.fields if field.name == name), None)


# --- of two maps ---


def read_dirty_layout(session: Session, type: Optional[Type]) -> ReadDirtyLayout:
    """Of a type; None: there is none that tells."""
    known = layouts.sync_map(session.go.minor)
    if type is None:
        return _layout_of(known.fields, known.size, session.go.minor <= 19, None)
    places = {name: _offset(type, name) for name in known.fields}
    read, dirty = _field(type, "read"), _field(type, "dirty")
    assert read is not None and dirty is not None
    maps = dirty.type if dirty.type.kind is Kind.GO_MAP else None
    return _layout_of(places, type.size, read.type.size == 16, maps)


def _layout_of(
    places: Mapping[str, int], size: int, value: bool, maps: Optional[Type]
) -> ReadDirtyLayout:
    mu, read, dirty, misses = (places[name] for name in ("mu", "read", "dirty", "misses"))
    return ReadDirtyLayout(mu, read, dirty, misses, size, value, maps)


def _offset(type: Type, name: str) -> int:
    field = _field(type, name)
    if field is None:
        raise LayoutUnknown(
            f"{escape(type.name)} has no {name}: it is none that mapscope knows (Go 1.17 to "
            f"1.{layouts.NEWEST})"
        )
    return field.offset


# --- of a trie ---


def trie_layout(session: Session, type: Optional[Type]) -> Tuple[TrieLayout, int]:
    """(of a type, where in it the trie begins); None: a sync.Map, and nothing else tells.

    :raises LayoutUnknown: if nothing tells what its entries are like
    """
    fields = dict(layouts.HASH_TRIE_MAP.fields)
    entry = layouts.TRIE_ENTRY
    place = {"key_at": entry.at("key"), "elem_at": entry.at("value"), "entry_size": entry.size}
    if type is None:
        return TrieLayout(SYNC_MAP, fields, ANY, ANY, **place), 0
    inner, start = type, 0
    if type.name == SYNC_MAP:
        held = _field(type, "m")
        assert held is not None
        inner, start = held.type, held.offset
    fields = {name: _offset(inner, name) for name in fields}
    name = type.name.replace(_SHAPE, "")
    found = _TRIE.match(inner.name)
    arguments = "" if found is None else found[1]
    if arguments.replace(_SHAPE, "").replace(" ", "") == "interface{},interface{}":
        return TrieLayout(name, fields, ANY, ANY, **place), start
    declared = _entry_type(session, arguments)
    if declared is None:
        raise LayoutUnknown(
            f"{escape(name)}: debug information has no internal/sync.entry[{escape(arguments)}], "
            "which would tell what its entries are like"
        )
    key, value = _field(declared, "key"), _field(declared, "value")
    assert key is not None and value is not None
    size = declared.size + -declared.size % 8
    types = _named(key.type), _named(value.type)
    return TrieLayout(name, fields, *types, key.offset, value.offset, size), start


def _entry_type(session: Session, arguments: str) -> Optional[Type]:
    """The type of entries of a HashTrieMap of other types than any."""
    shapes = ",".join(
        part if part.startswith(_SHAPE) else _SHAPE + part for part in _split(arguments)
    )
    # what is compiled once for all types of a shape may be the only one that has entries
    for names in dict.fromkeys((arguments, shapes)):
        try:
            found = session.target.find_type(f"internal/sync.entry[{names}]")
        except MapscopeError:
            continue
        if found is not None and found.kind is Kind.STRUCT and _has(found, "key", "value"):
            return found
    return None


def _split(arguments: str) -> List[str]:
    """Type arguments, one by one."""
    found, depth = [""], 0
    for char in arguments:
        depth += (char in "[({") - (char in "])}")
        if char == "," and not depth:
            found.append("")
        else:
            found[-1] += char
    return found


def _named(type: Type) -> Type:
    """A type by the name that the program's source has for it."""
    return replace(type, name=type.name.replace(_SHAPE, ""))


# --- where no variable tells ---


def sync_map_type(session: Session, name: str) -> Optional[Type]:
    """The type that --type names: from debug information, else from the type table; None: neither
    has it."""
    found = session.target.find_type(name)
    if found is not None:
        return found
    for link in (name, f"*{name}"):
        try:
            type = session.go.type_at(session.go.find(link))
        except MapscopeError:
            continue
        return type.target() if type.kind is Kind.POINTER else type
    return None


def is_of_tries(session: Session) -> bool:
    """Whether this program's sync.Maps are tries, where no type tells."""
    if session.go.minor < 24:
        return False
    try:
        session.go.find(ENTRY_MAP)
    except MapscopeError:
        return True
    return False

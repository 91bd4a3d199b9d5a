# SPDX-License-Identifier: MIT
"""Maps of the mapscope C++ runtime.

Every size, offset and width is taken from the program's own `mapscope_abi`
(runtime/include/mapscope/abi.h), so that a program built against another
version is refused by name, never misread. An hmap leads to its maptype and so
to everything else, without debug information.
"""

import re
from dataclasses import replace
from functools import lru_cache
from struct import Struct
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple
from weakref import WeakKeyDictionary

from ...cells.layout import BucketLayout
from ...classic.classic_map import ClassicMap
from ...classic.header import FLAG_NAMES, Header, Writing
from ...errors import Corrupt, MapscopeError, MemoryUnreadable, NotAMap
from ...go import layouts
from ...maps.facts import Held, Life
from ...maps.on_heap import HeapView
from ...maps.progress import Progress
from ...maps.view import MapView
from ...program.cpp_names import as_written
from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.target import Frame, Variable
from ...program.types import Kind, Type
from ...program.values import escape
from ...records import dataclass
from ...session import Session
from ..flavour import Flavour
from .abi import EXTRA, HMAP, MAGIC, TABLE, TYPE, Abi, Record, abi_addresses, read_abi
from .cpp_hash import FLOAT, INTEGER, STRING, CppKeyHash

NAME = "runtime"

#: shards of a registry that is taken for one; the library has far fewer
_MAX_SHARDS = 1024
#: bytes of a program's code up to which its variables are looked at for names alone
_MOST_CODE = 8 << 20
#: maps of a registry that are listed before it is called corrupt
_MAX_LISTED = 1 << 22

#: hmap.nevacuate has this bit while a growth is not installed (layout.h, hashGrow)
_NOT_INSTALLED = 1 << 63

_SAME_SIZE_GROW, _SHRINKING = layouts.SAME_SIZE_GROW, 16
#: `retired` says no more than bytes.retired, and is not shown
_FLAGS = FLAG_NAMES + ((_SHRINKING, "shrinking"), (32, ""))

_WORD = Struct("<Q")
#: hmap.extra, and mapextra.type where that is right behind the hmap
_LEADS = Struct(f"<{EXTRA}xQ{TYPE}xQ")

# maptype.flags
_INDIRECT_KEY, _INDIRECT_ELEM = 1, 2

#: of a typeinfo, and the bytes of a value; 0: as many as it says
_KINDS: Dict[int, Tuple[Kind, int]] = {
    1: (Kind.BOOL, 1),
    3: (Kind.INT, 1),
    4: (Kind.INT, 2),
    5: (Kind.INT, 4),
    6: (Kind.INT, 8),
    8: (Kind.UINT, 1),
    9: (Kind.UINT, 2),
    10: (Kind.UINT, 4),
    11: (Kind.UINT, 8),
    13: (Kind.FLOAT, 4),
    14: (Kind.FLOAT, 8),
    22: (Kind.POINTER, 8),
    24: (Kind.STRING, 0),
}


@dataclass(frozen=True)
class RuntimeMapType:
    """A maptype in memory."""

    name: str
    flags: int
    hash_kind: int
    layout: BucketLayout
    key: Type
    elem: Type


#: reports a race, and keeps the map at hand
_FATAL = "mapscope::fatal"
#: mapscope::evacuate, mapscope::map<K, V, ...>::mapassign<...>
_CPP = re.compile(
    r"^mapscope::(?:.*::)?(evacuate|growWork|hashGrow|mapassign|mapdelete|mapclear)(?:[<(].*)?$",
    re.DOTALL,
)


_OPERATIONS = {
    **{"evacuate": "evacuate", "growWork": "evacuate", "hashGrow": "grow"},
    **{"mapassign": "assign", "mapdelete": "delete", "mapclear": "clear"},
}
#: members of mapscope::map that write; optimised code does so in instructions of theirs
_MEMBERS = tuple(
    (operation, re.compile(rf"^mapscope::map<.*>::(?:{names})(?:[<(].*)?$", re.DOTALL))
    for operation, names in (
        ("assign", r"assign_\w+|insert\w*|try_emplace|emplace\w*|operator\[\]"),
        ("delete", r"erase\w*"),
        ("clear", "clear"),
        ("grow", "reserve|rebuild"),
    )
)


class RuntimeMaps(Flavour):
    """Maps of the mapscope runtime."""

    name = NAME

    def present(self, session: Session) -> bool:
        """Whether the program has the runtime."""
        return next(abi_addresses(session), None) is not None

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """A mapscope::map or mapscope::hmap."""
        type = variable.type
        if type.kind is Kind.RUNTIME_MAP:
            if variable.data is not None:
                hmap = int.from_bytes(variable.data[:8], "little")
            elif variable.address is not None:
                hmap = session.memory.read_word(variable.address)
            else:
                return None
            if hmap == 0:
                view = _nil(session, type)
                view.holder = variable.address
                return view
            return _open(session, hmap, type)
        if type.kind is Kind.RUNTIME_HMAP and variable.address is not None:
            return _open(session, variable.address, None)
        return None

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        """A map object or an hmap at `address`; neither may be, then None."""
        memory = session.memory
        for hmap in (address, _word_or_zero(memory, address)):
            if hmap and looks_like_hmap(memory, hmap):
                return _open(session, hmap, None)
        return None

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        """The map that a function of the runtime, or a member of mapscope::map, works on."""
        if not frame.function.startswith("mapscope::"):
            return None
        for name in ("h", "this", "map"):
            variable = frame.variable(name)
            if variable is None:
                continue
            type = variable.type
            address = variable.address
            if type.kind is Kind.POINTER:
                address = _variable_word(session, variable)
                type = type.target()
            if type.kind in (Kind.RUNTIME_MAP, Kind.RUNTIME_HMAP) and address:
                return self.from_variable(session, Variable(type, address))
        return None

    def evacuated_bucket(self, session: Session, frame: Frame, view: MapView) -> Optional[int]:
        """The old bucket that a frame of evacuate is moving."""
        growth = view.growth()
        if not frame.function.startswith("mapscope::evacuate") or growth is None:
            return None
        variable = frame.variable("oldbucket")
        if variable is not None:
            bucket = _variable_word(session, variable)
            if bucket < growth.old_buckets:
                return bucket
        # optimised code has lost it; mapextra.evacuating names one bucket, the last one begun
        if isinstance(view, ClassicMap) and view.writing.evacuating:
            return view.writing.evacuating[0]
        return None

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        """Every live map of the registry, of all copies of the runtime in the program."""
        found: List[int] = []
        for hmap, raw in self._registered(session):
            found.append(hmap)
            try:
                yield "", _open(session, hmap, None, raw)
            except MapscopeError as problem:
                session.unread.append((f"the map at {hmap:#x}", str(problem)))
        _known(session).registered = found

    def heap(self, session: Session, follow: bool, progress: Progress) -> List[HeapView]:
        if not self.present(session):
            return []
        from .cpp_heap import CppHeapView

        addresses = (hmap for hmap, _ in self._registered(session))
        return [CppHeapView(session, NAME, addresses, open_at, follow, progress)]

    def names(self, session: Session, progress: Progress) -> Dict[int, str]:
        code = sum(
            section.end - section.start
            for section in session.sections()
            if section.name == ".text" and not section.file
        )
        if code > _MOST_CODE:
            return {}
        from .cpp_heap import CppHeapView

        addresses: Iterable[int] = (hmap for hmap, _ in self._registered(session))
        addresses = _known(session).registered or addresses
        return CppHeapView(session, NAME, addresses, open_at, True, progress, False).names()

    def _registered(self, session: Session) -> Iterator[Tuple[int, Optional[bytes]]]:
        """(address, bytes) of the maps of the registries, the bytes where all could be read; what
        could not be is told in `unread`."""
        read, word = session.memory.read, _WORD.unpack_from
        for address in abi_addresses(session):
            abi = read_abi(session.memory, address)
            # what it lacks is said once, not for each map
            size = HMAP + _places(abi).extra_size
            seen: Set[int] = set()
            head, following_at = abi.offset("registry_shard.head"), abi.offset("mapextra.next")
            for shard, start in enumerate(_shards(abi)):
                try:
                    hmap = session.memory.read_word(start + head)
                except MemoryUnreadable as error:
                    session.unread.append((f"maps of shard {shard} of the registry", str(error)))
                    continue
                while hmap and hmap not in seen and len(seen) < _MAX_LISTED:
                    seen.add(hmap)
                    raw: Optional[bytes] = None
                    try:
                        raw = read(hmap, size)
                        following = word(raw, HMAP + following_at)[0]
                    except MemoryUnreadable:  # perhaps another part of it
                        try:
                            following = session.memory.read_word(hmap + HMAP + following_at)
                        except MemoryUnreadable as error:
                            what = f"the map at {hmap:#x}, and those behind it in the registry"
                            session.unread.append((what, str(error)))
                            break
                    yield hmap, raw
                    hmap = following

    def departed(self, session: Session) -> Optional[Tuple[int, Life]]:
        """(maps destroyed so far, what they had been through)"""
        addresses = list(abi_addresses(session))
        if not addresses:
            return None
        gone, sums = 0, [0] * 5
        for address in addresses:
            abi = read_abi(session.memory, address)
            at = abi.part("registry_shard.departed", "departed").offset
            record, size = abi.record("departed", *_DEPARTED), abi.size("departed")
            for start in _shards(abi):
                maps, *counts = record.read(session.memory.read(start + at, size))
                gone += maps
                sums = [total + count for total, count in zip(sums, counts)]
        return gone, Life(*sums)

    def operation(self, function: str) -> Optional[str]:
        match = _CPP.match(function)
        if match is not None:
            return _OPERATIONS[match[1]]
        if not function.startswith("mapscope::map<"):
            return None
        return next((name for name, pattern in _MEMBERS if pattern.match(function)), None)

    def notices(self, function: str) -> bool:
        return function == _FATAL

    def reports_race(self, function: str) -> bool:
        return function == _FATAL


def _shards(abi: Abi) -> Iterator[int]:
    """Addresses of the shards of a registry.

    :raises Corrupt: if it is none
    """
    registry, size = abi.place("registry"), abi.size("registry_shard")
    if not 0 < registry.pieces <= _MAX_SHARDS or registry.width < size:
        raise Corrupt(
            f"mapscope_abi at {abi.address:#x} is impossible: a registry of {registry.pieces} "
            f"shards of {registry.width} bytes, 1 to {_MAX_SHARDS} of at least {size} expected"
        )
    for shard in range(registry.pieces):
        yield registry.address + shard * registry.width


def looks_like_hmap(memory: Memory, address: int) -> bool:
    """hmap.extra points right behind the hmap, and leads to a mapscope_abi."""
    try:
        if address % 8 or memory.read_word(address + EXTRA) != address + HMAP:
            return False
        maptype = memory.read_word(address + HMAP + TYPE)
        abi = memory.read_word(maptype + TABLE)
        return memory.read(abi, len(MAGIC)) == MAGIC
    except MemoryUnreadable:
        return False


def _open(
    session: Session, address: int, declared: Optional[Type], raw: Optional[bytes] = None
) -> MapView:
    """The map whose hmap is at `address`.

    :param declared: the mapscope::map type, if debug information gave it
    :param raw: its bytes from there on, if they were read
    """
    memory = session.memory
    known = _known(session)
    # The offsets below are what leads to the abi; all others come from it.
    try:
        if raw is not None and len(raw) >= _LEADS.size:
            extra, maptype = _LEADS.unpack_from(raw)
        else:
            extra, raw = memory.read_word(address + EXTRA), None
        if extra != address + HMAP:
            raise NotAMap(
                f"no mapscope map at {address:#x}: extra is {extra:#x}, not right behind it "
                "(not constructed yet, destroyed, or no map)"
            )
        if raw is None:
            maptype = memory.read_word(extra + TYPE)
        abi = known.table(session, maptype)
        places = _places(abi)
        size = HMAP + places.extra_size
        if raw is None or len(raw) != size:
            raw = memory.read(address, size)
    except MemoryUnreadable as error:
        raise Corrupt(f"no mapscope map at {address:#x}: {error}") from None
    except Corrupt as error:
        raise Corrupt(f"no mapscope map at {address:#x}: {error}") from None
    types = known.types(session, abi, maptype, declared)
    state = _State(session, address, declared, places, raw, types.type)
    header, evacuating = state.header, state.evacuating
    view = ClassicMap(
        memory,
        address,
        types.name,
        types.key,
        types.elem,
        header,
        types.type.layout,
        load_limit,
        Writing(
            evacuating=[evacuating - 1] if evacuating else [],
            base=state.evacuating_base if header.kind == "shrink" else 0,
        ),
        state.spare,
        state.hashing,
        state.held,
        state.overflow,
    )
    view.flavor = NAME
    view.life = state.life()
    view.decoding = session.decoder
    view.reopen = state.reopen
    return view


class _Types(NamedTuple):
    """What a maptype says, and the types and the name that a map of it is shown with."""

    type: RuntimeMapType
    key: Type
    elem: Type
    name: str


class _Known:
    """What one session has read: the maptypes by their addresses, for many maps have the same
    one."""

    def __init__(self) -> None:
        self._tables: Dict[int, Abi] = {}
        self._types: Dict[int, _Types] = {}
        #: addresses of all maps of the registries, once they were gone through
        self.registered: Optional[List[int]] = None

    def table(self, session: Session, maptype: int) -> Abi:
        """The mapscope_abi that a maptype names."""
        found = self._tables.get(maptype)
        if found is None:
            found = read_abi(session.memory, session.memory.read_word(maptype + TABLE))
            self._tables[maptype] = found
        return found

    def types(self, session: Session, abi: Abi, maptype: int, declared: Optional[Type]) -> _Types:
        """A maptype, and the key and element types.

        :param declared: the mapscope::map type, if debug information gave it
        """
        found = self._types.get(maptype) if declared is None else None
        if found is None:
            type = _read_maptype(session, abi, maptype)
            type.layout.validate()
            key, elem = _preferred(session, maptype, type, declared)
            found = _Types(type, key, elem, map_type_name(key, elem))
            if declared is None:
                self._types[maptype] = found
        return found


_KNOWN: "WeakKeyDictionary[Session, _Known]" = WeakKeyDictionary()


def _known(session: Session) -> _Known:
    found = _KNOWN.get(session)
    if found is None:
        found = _KNOWN[session] = _Known()
    return found


# names of fields, each as long as what they are read into
_MAPEXTRA = (
    *("nextOverflow", "evacuating", "evacuating_base", "overflow_buckets"),
    *("array_bytes", "overflow_bytes", "old_bytes", "retired_bytes"),
    *("growths", "same_size_growths", "shrinks", "rebuilds"),
    *("evacuated", "evacuated_before"),
)
_DEPARTED = ("maps", "growths", "same_size_growths", "shrinks", "rebuilds", "evacuated")
_HMAP = ("count", "flags", "B", "noverflow", "hash0", "buckets", "oldbuckets", "nevacuate")
_MAPTYPE = ("name", "flags", "hash_kind")
_LAYOUT = ("bucketsize", "keys_offset", "elems_offset", "overflow_offset", "keysize", "elemsize")
_TYPEINFO = ("kind", "size", "name", "data_offset", "len_offset")


class _Places(NamedTuple):
    """What is read of each map, by the program's table."""

    hmap: Record
    mapextra: Record
    extra_size: int
    header_size: int  # of the allocation
    maptype: Record
    maptype_size: int
    layout: Record
    typeinfo: Record
    types: Tuple[int, ...]  # where the key's and the element's typeinfo are in a maptype


@lru_cache(maxsize=8)
def _places(abi: Abi) -> _Places:
    """The places in maps of one copy of the runtime.

    :raises LayoutUnknown: if its table lacks a name
    :raises Corrupt: if it is impossible
    """
    return _Places(
        abi.record("hmap", *_HMAP),
        abi.record("mapextra", *_MAPEXTRA),
        abi.size("mapextra"),
        HMAP + abi.size("mapstate"),
        abi.record("maptype", *_MAPTYPE),
        abi.size("maptype"),
        abi.record("maptype", *_LAYOUT),
        abi.record("typeinfo", *_TYPEINFO),
        tuple(abi.part(name, "typeinfo").offset for name in ("maptype.key", "maptype.elem")),
    )


class _State:
    """What was read of a map, and what is made of it when it is asked for: of thousands of maps
    that are listed, nothing but a few fields is."""

    __slots__ = (
        *("_session", "_address", "_declared", "_type", "_allocated", "header"),
        *("_next_overflow", "evacuating", "evacuating_base", "_overflow_buckets"),
        *("_array", "_overflow_bytes", "_old", "_retired", "_lived"),
    )

    def __init__(
        self,
        session: Session,
        address: int,
        declared: Optional[Type],
        places: _Places,
        raw: bytes,
        type: RuntimeMapType,
    ) -> None:
        self._session = session
        self._address = address
        self._declared = declared
        self._type = type
        self._allocated = places.header_size
        self.header = _header(places, raw)
        fields = places.mapextra.read(raw, HMAP)
        self._next_overflow, self.evacuating, self.evacuating_base = fields[:3]
        self._overflow_buckets, self._array, self._overflow_bytes = fields[3:6]
        self._old, self._retired, *self._lived = fields[6:]

    def held(self, overflow: Optional[int], old_overflow: Optional[int]) -> Held:
        """Memory, by the program's own count."""
        return Held(self._array, self._old, self._overflow_bytes, self._allocated, self._retired)

    def life(self) -> Life:
        """What the map has been through."""
        growths, same_size, shrinks, rebuilds, evacuated, before = self._lived
        return Life(growths, same_size, shrinks, rebuilds, evacuated + before)

    def overflow(self) -> int:
        """Overflow buckets of the new array in use."""
        return self._overflow_buckets

    def spare(self) -> int:
        """Overflow buckets behind the new array that are not in use yet."""
        header, size = self.header, self._type.layout.size
        end = header.buckets + size * ((1 << header.B) + ((1 << header.B) >> 4))
        if header.buckets and header.B >= 4 and header.buckets < self._next_overflow < end:
            return (end - self._next_overflow) // size
        return 0

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        """The map's hash function, if it is a built-in one."""
        type = self._type
        if type.hash_kind not in (INTEGER, FLOAT, STRING):
            return None, "the map's hash function is the program's own"
        return CppKeyHash(self._session.memory, type.hash_kind, type.key, self.header.hash0), ""

    def reopen(self, later: Session) -> MapView:
        """The same map, as it is then."""
        return _open(later, self._address, self._declared)


def open_at(session: Session, address: int) -> MapView:
    """The map whose hmap is at `address`.

    :raises MapscopeError: if there is none
    """
    return _open(session, address, None)


def type_name_at(session: Session, abi: Abi, maptype: int) -> str:
    """The name of the map type whose maptype is at an address.

    :raises MapscopeError: if there is none
    """
    return type_at(session, abi, maptype)[0]


def type_at(session: Session, abi: Abi, maptype: int) -> Tuple[str, int]:
    """The name of the map type whose maptype is at an address, and the bytes of its buckets.

    :raises MapscopeError: if there is none
    """
    if read_abi(session.memory, session.memory.read_word(maptype)).address != abi.address:
        raise NotAMap(f"no map type at {maptype:#x}")
    type = _read_maptype(session, abi, maptype)
    key, elem = _preferred(session, maptype, type, None)
    return map_type_name(key, elem), type.layout.size


def _preferred(
    session: Session, maptype: int, type: RuntimeMapType, declared: Optional[Type]
) -> Tuple[Type, Type]:
    """The key and element types, from debug information where that has them."""
    key, elem = type.key, type.elem
    if declared is None:
        declared = _declared(session, maptype)
    if declared is not None:
        return _prefer(declared.key_type(), key), _prefer(declared.target(), elem)
    find = session.target.find_type
    return _prefer(find(key.name), key), _prefer(find(elem.name), elem)


def _declared(session: Session, maptype: int) -> Optional[Type]:
    """The mapscope::map<K, V> that a maptype belongs to.

    A maptype is the member `type` of a template with the map's own arguments
    (map.hpp), so its symbol spells the map's type out.
    """
    name = session.target.symbol_at(maptype)
    if name is None or not name.startswith("mapscope::") or not name.endswith(">::type"):
        return None
    arguments = name[name.index("<") : -len("::type")]
    found = session.target.find_type("mapscope::map" + arguments)
    return found if found is not None and found.kind is Kind.RUNTIME_MAP else None


def _nil(session: Session, type: Type) -> MapView:
    """A map that was never written to."""
    key, elem = type.key_type(), type.target()
    view = ClassicMap(
        session.memory, None, map_type_name(key, elem), key, elem, None, None, load_limit
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    return view


def load_limit(B: int) -> int:
    """Entries above which a map of 2^B buckets grows (layout.h, as in Go 1.19)."""
    return 8 if B == 0 else 13 * ((1 << B) // 2)


def map_type_name(key: Type, elem: Type) -> str:
    """As users write it."""
    return f"mapscope::map<{key.name}, {elem.name}>"


def _header(places: _Places, raw: bytes) -> Header:
    count, flags, B, noverflow, hash0, buckets, old, nevacuate = places.hmap.read(raw)
    header = Header(
        count=count,
        flags=flags,
        B=B,
        noverflow=noverflow,
        hash0=hash0,
        buckets=buckets,
        flag_names=_FLAGS,
    )
    if not old:
        return header
    if nevacuate & _NOT_INSTALLED:
        # hashGrow has not committed: all is still in the old array, whose B is ~nevacuate
        return replace(header, buckets=old, B=~nevacuate & 0xFF, noverflow=0, installing=True)
    kind, old_B = "double", header.B - 1
    if header.flags & _SAME_SIZE_GROW:
        kind, old_B = "same-size", header.B
    elif header.flags & _SHRINKING:
        kind, old_B = "shrink", header.B + 1
    if old_B < 0:
        raise Corrupt("B is 0 in the middle of a doubling")
    return replace(header, oldbuckets=old, nevacuate=nevacuate, kind=kind, old_B=old_B)


def _read_maptype(session: Session, abi: Abi, address: int) -> RuntimeMapType:
    memory = session.memory
    places = _places(abi)
    raw = memory.read(address, places.maptype_size)
    pointer, flags, hash_kind = places.maptype.read(raw)
    size, keys, elems, overflow, keysize, elemsize = places.layout.read(raw)
    layout = BucketLayout(
        size=size,
        keys=keys,
        elems=elems,
        overflow=overflow,
        keysize=keysize,
        elemsize=elemsize,
        indirect_key=bool(flags & _INDIRECT_KEY),
        indirect_elem=bool(flags & _INDIRECT_ELEM),
    )

    def typeinfo(at: int) -> Type:
        kind, size, pointer, data_at, len_at = places.typeinfo.read(raw, at)
        try:
            name = escape(memory.read_cstring(pointer))
        except MemoryUnreadable:
            name = f"{size} bytes"
        core, expected = _KINDS.get(kind, (Kind.OPAQUE, 0))
        if (expected and size != expected) or (
            core is Kind.STRING and max(data_at, len_at) + 8 > size
        ):
            raise Corrupt(f"impossible type {name}: {core.value} of {size} bytes")
        return Type(core, name, size, data_offset=data_at, len_offset=len_at)

    try:
        name = escape(memory.read_cstring(pointer))
    except MemoryUnreadable:
        name = "mapscope::map"
    key, elem = map(typeinfo, places.types)
    return RuntimeMapType(name, flags, hash_kind, layout, key, elem)


def _prefer(found: Optional[Type], told: Type) -> Type:
    """Debug information's type where it fits what the program says of its size."""
    if found is not None and found.size == told.size and found.kind is not Kind.VOID:
        return found
    # told as the program's compiler has it
    return replace(told, name=as_written(told.name))


def _word_or_zero(memory: Memory, address: int) -> int:
    try:
        return memory.read_word(address)
    except MemoryUnreadable:
        return 0


def _variable_word(session: Session, variable: Variable) -> int:
    if variable.data is not None:
        return int.from_bytes(variable.data[:8], "little")
    if variable.address is not None:
        return _word_or_zero(session.memory, variable.address)
    return 0

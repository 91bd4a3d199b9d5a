# SPDX-License-Identifier: MIT
"""A C++ program with the mapscope runtime in an Image: mapscope_abi, maptypes,
the registry, as runtime/include/mapscope/layout.h and abi.h have them."""

import struct
from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from codec import Block, Codec, Double, Int, StdString, Value
from image import FakeTarget, Image, words
from mapscope.flavours.cpp.cpp_hash import hash_bytes, hash_integer
from mapscope.program.target import Section, Variable
from mapscope.program.types import Kind, Type
from model import HMAP, Hash, RuntimeMap, shape

ABI = 0x600000
PLACE, FIELD = struct.Struct("<24sQII"), struct.Struct("<40sIHH")
FILTER_SIZE = 1088
#: where mapscope_debug_stop lies
HOOK = 0x7000
MAGIC = b"\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"
DEPARTED = ("maps", "growths", "same_size_growths", "shrinks", "rebuilds", "evacuated")
HASH_CUSTOM, HASH_INTEGER, HASH_FLOAT, HASH_STRING = range(4)


@dataclass
class Offsets:
    """Where the fields of a program's structs lie; the values are those of layout.h."""

    hmap: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 48,
            "count": 0,
            "flags": 8,
            "B": 9,
            "noverflow": 10,
            "hash0": 12,
            "buckets": 16,
            "oldbuckets": 24,
            "nevacuate": 32,
            "extra": 40,
        }
    )
    mapextra: Dict[str, int] = field(
        default_factory=lambda: {
            "overflow": 0,
            "oldoverflow": 8,
            "nextOverflow": 16,
            "type": 24,
            "next": 32,
            "evacuating": 56,
            "evacuating_base": 64,
            "array_bytes": 72,
            "overflow_bytes": 80,
            "old_bytes": 88,
            "retired_bytes": 96,
            "overflow_buckets": 104,
            "evacuated": 112,
            "evacuated_before": 120,
            "growths": 128,
            "same_size_growths": 132,
            "shrinks": 136,
            "rebuilds": 140,
            "size": 144,
        }
    )
    maptype: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 104,
            "abi": 0,
            "name": 8,
            "flags": 16,
            "hash_kind": 20,
            "bucketsize": 24,
            "keysize": 32,
            "elemsize": 36,
            "keys_offset": 40,
            "elems_offset": 44,
            "overflow_offset": 48,
            "key": 56,
            "elem": 80,
        }
    )
    typeinfo: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 24,
            "kind": 0,
            "bytes": 4,  # typeinfo.size
            "data_offset": 12,
            "len_offset": 14,
            "name": 16,
        }
    )
    departed: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 48,
            **{name: 8 * at for at, name in enumerate(DEPARTED)},
        }
    )
    registry_shard: Dict[str, int] = field(
        default_factory=lambda: {"size": 64, "head": 0, "departed": 16}
    )
    mapstate: Dict[str, int] = field(default_factory=lambda: {"size": 168})
    stop_filter: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 1088,
            "armed": 0,
            "armed_slots": 4,
            "assume_traced": 8,
            "only_map": 16,
            "slots": 64,
        }
    )
    stop_slot: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 64,
            "events": 0,
            "conditions": 4,
            "map": 8,
            "bucket": 16,
            "progress": 24,
            "key_hash": 32,
            "ignore": 40,
            "hits": 48,
            "thread": 56,
            "reported": 60,
        }
    )
    event: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 128,
            "event": 0,
            "slot": 4,
            "slots": 8,
            "thread": 12,
            "map": 16,
            "type": 24,
            "bucket": 32,
            "old_buckets": 40,
            "buckets": 48,
            "evacuated": 56,
            "count": 64,
            "key": 72,
            "key_hash": 80,
            "message": 88,
            "kind": 96,
            "flags": 100,
            "moved_x": 104,
            "moved_y": 112,
            "hint": 120,
        }
    )
    history: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 80,
            "clock": 76,
            "life": 0,
            "rings": 8,
            "ticks": 16,
            "nanoseconds": 40,
            "pairs": 72,
            "wall": 64,
        }
    )
    history_ring: Dict[str, int] = field(
        default_factory=lambda: {"size": 32, "next": 0, "records": 8, "capacity": 16, "begun": 24}
    )
    history_record: Dict[str, int] = field(
        default_factory=lambda: {
            "size": 64,
            "sequence": 0,
            "clock": 8,
            "map": 16,
            "type": 24,
            "count": 32,
            "detail": 40,
            "bucket": 40,
            "second": 44,
            "moved": 48,
            "event": 56,
            "flags": 57,
            "B": 58,
            "old_B": 59,
            "thread": 60,
        }
    )
    #: bytes of fields that are not as wide as in layout.h
    widths: Dict[str, int] = field(default_factory=dict)

    def rows(self) -> Dict[str, Tuple[int, int, int]]:
        """The fields of mapscope_abi: (offset, width, count) by name."""
        found: Dict[str, Tuple[int, int, int]] = {}
        structs = {name: places for name, places in vars(self).items() if name != "widths"}
        for struct_name, places in structs.items():
            for key, value in places.items():
                if key == "size":
                    found[struct_name] = 0, value, 1
                    continue
                name = f"{struct_name}.{key}"
                name = NAMES.get(name, name)
                found[name] = value, self._width(name), COUNTS.get(name, 1)
        return found

    def _width(self, name: str) -> int:
        whole = {
            "maptype.key": self.typeinfo,
            "maptype.elem": self.typeinfo,
            "registry_shard.departed": self.departed,
            "stop_filter.slots": self.stop_slot,
        }
        if name in whole:
            return whole[name]["size"]
        if name in self.widths:
            return self.widths[name]
        return next((width for width, names in WIDTHS.items() if name in names.split()), 8)


#: of fields that are called otherwise here
NAMES = {
    "typeinfo.bytes": "typeinfo.size",
    "history_record.detail": "history_record.what.detail",
    "history_record.bucket": "history_record.what.buckets.bucket",
    "history_record.second": "history_record.what.buckets.second",
}
#: how many there are of what is an array
COUNTS = {
    "stop_filter.slots": 16,
    "history.ticks": 3,
    "history.nanoseconds": 3,
    "history_record.moved": 4,
}
#: bytes of what is not a word
WIDTHS = {
    1: "hmap.flags hmap.B history_record.event history_record.flags history_record.B "
    "history_record.old_B",
    2: "hmap.noverflow typeinfo.data_offset typeinfo.len_offset history_record.moved",
    4: "hmap.hash0 mapextra.growths mapextra.same_size_growths mapextra.shrinks mapextra.rebuilds "
    "maptype.flags maptype.hash_kind maptype.bucketsize maptype.keysize maptype.elemsize "
    "maptype.keys_offset maptype.elems_offset maptype.overflow_offset typeinfo.kind typeinfo.size "
    "stop_filter.armed stop_filter.armed_slots stop_filter.assume_traced stop_slot.events "
    "stop_slot.conditions stop_slot.thread stop_slot.reported event.event event.slot event.slots "
    "event.thread event.kind event.flags history_record.what.buckets.bucket "
    "history_record.what.buckets.second history_record.thread history.pairs history.clock",
}


def table(
    rows: Dict[str, Tuple[int, int, int]],
    places: Dict[str, Tuple[int, int, int]],
    version: int = 5,
    longer: int = 0,
) -> bytes:
    """A mapscope_abi with these fields and places.

    :param longer: bytes that its beginning and each of its rows have behind what is known of them
    """
    behind = bytes(longer)
    place_rows = [PLACE.pack(name.encode(), *row) + behind for name, row in places.items()]
    field_rows = [FIELD.pack(name.encode(), *row) + behind for name, row in rows.items()]
    places_at = 40 + longer
    fields_at = places_at + (PLACE.size + longer) * len(place_rows)
    size = fields_at + (FIELD.size + longer) * len(field_rows)
    raw = struct.pack("<16sII", MAGIC, version, size)
    raw += struct.pack("<IHH", fields_at, FIELD.size + longer, len(field_rows))
    raw += struct.pack("<IHH", places_at, PLACE.size + longer, len(place_rows))
    return raw + behind + b"".join(place_rows + field_rows)


def shuffled() -> Offsets:
    """Another layout that version 5 could have: only what leads to the abi stays."""
    offsets = Offsets()
    offsets.hmap.update(count=32, flags=36, B=37, noverflow=4, hash0=0)
    offsets.widths["hmap.count"] = 4
    offsets.hmap.update(buckets=24, oldbuckets=8, nevacuate=16)
    offsets.mapextra.update(nextOverflow=40, next=8, evacuating=64)
    offsets.mapextra.update(evacuating_base=96, array_bytes=104, retired_bytes=72)
    offsets.registry_shard.update(size=24, head=16, departed=0)
    offsets.departed.update(size=12, **{name: 2 * at for at, name in enumerate(DEPARTED)})
    offsets.widths.update({f"departed.{name}": 2 for name in DEPARTED})
    offsets.history_record.update(
        clock=32, map=40, type=8, count=16, detail=24, bucket=28, second=24
    )
    offsets.maptype.update(size=128, name=120, flags=108, hash_kind=104, bucketsize=100)
    offsets.maptype.update(keysize=96, elemsize=92, keys_offset=88, elems_offset=84)
    offsets.maptype.update(overflow_offset=80, key=40, elem=8)
    offsets.typeinfo.update(size=32, kind=24, bytes=28, data_offset=10, len_offset=8, name=0)
    return offsets


class CppProgram:
    """A program with the runtime and no maps so far.

    :param found_by: what leads to mapscope_abi: "symbol", "section" or "scan"
    :param debug: whether it has a stop filter
    :param rows: fields of its mapscope_abi; None: all
    :param longer: see `table`
    """

    def __init__(
        self,
        found_by: str = "symbol",
        offsets: Optional[Offsets] = None,
        version: int = 5,
        shards: int = 4,
        stride: int = 64,
        debug: bool = True,
        rows: Optional[Dict[str, Tuple[int, int, int]]] = None,
        longer: int = 0,
    ) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.offsets = offsets or Offsets()
        self.shards, self.stride = shards, stride
        self.registry = self.image.allocate(shards * stride, 64)
        self._maps = 0
        self.filter = self.image.allocate(FILTER_SIZE, 64) if debug else 0
        self.hook = HOOK if debug else 0
        self.history = self.image.allocate(80, 8) if debug else 0
        places = {
            "registry": (self.registry, stride, shards),
            "stop_filter": (self.filter, FILTER_SIZE, 1),
            "stop_hook": (self.hook, 0, 1),
            "history": (self.history, 80, 1),
        }
        self.rows = self.offsets.rows() if rows is None else rows
        abi = table(self.rows, places, version, longer)
        self.abi_size = len(abi)
        data = bytes(32768 - 48)
        self.abi = ABI + 48
        self.image.map_region(ABI, bytes(48) + abi + data[len(abi) :])
        if found_by == "symbol":
            self.target.symbol_table["mapscope_abi"] = [self.abi]
        elif found_by == "section":
            self.target.section_list = [Section(".mapscope", self.abi, self.abi + len(abi))]
        else:
            self.target.section_list = [Section(".data.rel.ro", ABI, ABI + 32768)]

    def field_at(self, name: str) -> int:
        """Where the row of a field stands in mapscope_abi."""
        at = self.image.word(self.abi + 24, 4)
        return self.abi + at + FIELD.size * list(self.rows).index(name)

    def maptype(self, key: Codec, elem: Codec, hash_kind: int) -> int:
        """A maptype; its address."""
        places, at = shape(key, elem), self.offsets.maptype
        flags = int(places.indirect_key) | int(places.indirect_elem) << 1
        raw = bytearray(at["size"])
        struct.pack_into("<Q", raw, at["abi"], self.abi)
        name = f"mapscope::map<{key.type.name}, {elem.type.name}>"
        struct.pack_into("<Q", raw, at["name"], self.image.place(name.encode() + b"\0", 1))
        for where, value in (
            ("flags", flags),
            ("hash_kind", hash_kind),
            ("bucketsize", places.size),
            ("keysize", places.keysize),
            ("elemsize", places.elemsize),
            ("keys_offset", places.keys),
            ("elems_offset", places.elems),
            ("overflow_offset", places.overflow),
        ):
            struct.pack_into("<I", raw, at[where], value)
        for where, codec in (("key", key), ("elem", elem)):
            info = self._typeinfo(codec.type)
            raw[at[where] : at[where] + len(info)] = info
        return self.image.place(bytes(raw))

    def _typeinfo(self, type: Type) -> bytes:
        at = self.offsets.typeinfo
        raw = bytearray(at["size"])
        kind = kind_number(type)
        struct.pack_into("<I", raw, at["kind"], kind)
        struct.pack_into("<I", raw, at["bytes"], type.size)
        struct.pack_into("<H", raw, at["data_offset"], type.data_offset)
        struct.pack_into("<H", raw, at["len_offset"], type.len_offset)
        name = self.image.place(type.name.encode() + b"\0", 1)
        struct.pack_into("<Q", raw, at["name"], name)
        return bytes(raw)

    def map(
        self,
        name: str,
        key: Codec,
        elem: Codec,
        hasher: Optional[Hash] = None,
        hash0: int = 0xC0FFEE,
        typed: bool = False,
    ) -> RuntimeMap:
        """An empty map in the registry; the variable `name` holds its hmap's address.

        :param hasher: a hash of the program's own; None: the built-in one of the key
        :param typed: the variable is a mapscope::map, as debug information has it
        """
        kind = HASH_CUSTOM if hasher else built_in_kind(key)
        extra = self.offsets.mapextra
        rows = self.offsets.rows()
        fields = {name: rows[f"hmap.{name}"][:2] for name in HMAP}
        model = RuntimeMap(
            self.image,
            key,
            elem,
            hasher or built_in_hash(key),
            hash0,
            fields,
            self.offsets.mapstate["size"],
            extra,
        )
        behind = model.address + 48
        self.image.write_word(behind + extra["type"], self.maptype(key, elem, kind))
        shard = self._maps % self.shards
        self._maps += 1
        head = self.registry + shard * self.stride + self.offsets.registry_shard["head"]
        self.image.write_word(behind + extra["next"], self.image.word(head))
        self.image.write_word(head, model.address)
        type = Type(Kind.UINT, "unsigned long", 8)
        if typed:
            type = map_type(key, elem)
        self.target.variables[name] = Variable(type, None, words(model.address))
        return model


def map_type(key: Codec, elem: Codec) -> Type:
    """mapscope::map<K, V> as an adapter describes it."""
    name = f"mapscope::map<{key.type.name}, {elem.type.name}>"
    return Type(Kind.RUNTIME_MAP, name, 8, key=lambda: key.type, element=lambda: elem.type)


def kind_number(type: Type) -> int:
    """typeinfo.kind: MAPSCOPE_KIND_..."""
    numbers = {
        (Kind.BOOL, 1): 1,
        (Kind.INT, 1): 3,
        (Kind.INT, 2): 4,
        (Kind.INT, 4): 5,
        (Kind.INT, 8): 6,
        (Kind.UINT, 1): 8,
        (Kind.UINT, 2): 9,
        (Kind.UINT, 4): 10,
        (Kind.UINT, 8): 11,
        (Kind.FLOAT, 4): 13,
        (Kind.FLOAT, 8): 14,
        (Kind.POINTER, 8): 22,
        (Kind.STRING, 32): 24,
        (Kind.STRING, 16): 24,
    }
    return numbers.get((type.kind, type.size), 0)


def built_in_kind(key: Codec) -> int:
    """maptype.hash_kind of a key type."""
    if isinstance(key, Int):
        return HASH_INTEGER
    if isinstance(key, StdString):
        return HASH_STRING
    return HASH_FLOAT if isinstance(key, Double) else HASH_CUSTOM


def built_in_hash(key: Codec) -> Hash:
    """The runtime's hash; test_hash.py holds core's against the C++ ones."""

    def compute(value: Value, seed: int) -> int:
        if isinstance(value, str):
            return hash_bytes(value.encode(), seed)
        if isinstance(value, float):
            return hash_integer(struct.unpack("<Q", struct.pack("<d", value + 0.0))[0], seed)
        return hash_integer(value, seed)

    return compute


def number_map(found_by: str = "symbol", hasher: Optional[Hash] = None) -> "Found":
    """A program with one mapscope::map<uint64, uint64> called m."""
    program = CppProgram(found_by)
    return program.target, program.map("m", Int(8), Int(8), hasher)


def text_map(hasher: Optional[Hash] = None) -> "Found":
    """A program with one mapscope::map<std::string, std::string> called m."""
    program = CppProgram()
    return program.target, program.map("m", StdString(), StdString(), hasher)


def block_map() -> "Found":
    """A program with one map whose keys and elements are stored indirectly."""
    program = CppProgram()
    return program.target, program.map("m", Block(136), Block(200), hasher=lambda k, s: s ^ int(k))


Found = Tuple[FakeTarget, RuntimeMap]

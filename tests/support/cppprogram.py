# SPDX-License-Identifier: MIT
"""A C++ program with the mapscope runtime in an Image: mapscope_abi, maptypes,
the registry, as runtime/include/mapscope/layout.h has them."""

import struct
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from codec import Block, Codec, Double, Int, StdString, Value
from image import FakeTarget, Image, words
from mapscope.flavours.cpp.cpp_hash import hash_bytes, hash_integer
from mapscope.program.target import Section, Variable
from mapscope.program.types import Kind, Type
from model import HMAP, Hash, RuntimeMap, shape

ABI = 0x600000
ABI_SIZE = 296
FILTER_SIZE = 1088
#: where mapscope_debug_stop lies
HOOK = 0x7000
MAGIC = b"\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"
HASH_CUSTOM, HASH_INTEGER, HASH_FLOAT, HASH_STRING = range(4)


@dataclass
class Offsets:
    """What mapscope_abi says, in its order; the values are those of layout.h."""

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
            "bytes": 4,
            "data_offset": 12,
            "len_offset": 14,
            "name": 16,
        }
    )
    registry_head: int = 0
    stop_filter: Dict[str, int] = field(
        default_factory=lambda: {
            "armed": 0,
            "armed_slots": 4,
            "slots": 64,
            "slot_count": 16,
            "slot_size": 64,
        }
    )
    stop_slot: Dict[str, int] = field(
        default_factory=lambda: {
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
        }
    )

    assume_traced: int = 8
    only_map: int = 16
    moved_x: int = 104
    moved_y: int = 112
    hint: int = 120
    more_extra: Dict[str, int] = field(
        default_factory=lambda: {
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
        }
    )
    header_size: int = 216
    departed: int = 16
    history: Dict[str, int] = field(
        default_factory=lambda: {
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
        default_factory=lambda: {"next": 0, "records": 8, "capacity": 16, "begun": 24}
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

    def table(self) -> List[int]:
        """The 16-bit numbers of mapscope_abi that stand before the registry's."""
        groups = (self.hmap, self.mapextra, self.maptype, self.typeinfo)
        return [value for group in groups for value in group.values()] + [self.registry_head]

    def stops(self) -> List[int]:
        """Those of the stop filter, at its end."""
        groups = (self.stop_filter, self.stop_slot, self.event)
        numbers = [value for group in groups for value in group.values()]
        numbers += [self.assume_traced, self.only_map]
        numbers += [self.moved_x, self.moved_y, self.hint, *self.more_extra.values()]
        numbers += [self.header_size, self.departed]
        for group in (self.history, self.history_ring, self.history_record):
            numbers += group.values()
        return numbers + [0, 0, 0]


def shuffled() -> Offsets:
    """Another layout that version 4 could have: only what leads to the abi stays."""
    offsets = Offsets()
    offsets.hmap.update(count=32, flags=7, B=6, noverflow=4, hash0=0)
    offsets.hmap.update(buckets=24, oldbuckets=8, nevacuate=16)
    offsets.mapextra.update(nextOverflow=40, next=8, evacuating=64)
    offsets.more_extra.update(evacuating_base=96, array_bytes=104, retired_bytes=72)
    offsets.departed = 8
    offsets.history_record.update(
        clock=32, map=40, type=8, count=16, detail=24, bucket=28, second=24
    )
    offsets.maptype.update(size=128, name=120, flags=108, hash_kind=104, bucketsize=100)
    offsets.maptype.update(keysize=96, elemsize=92, keys_offset=88, elems_offset=84)
    offsets.maptype.update(overflow_offset=80, key=40, elem=8)
    offsets.typeinfo.update(size=32, kind=24, bytes=28, data_offset=10, len_offset=8, name=0)
    offsets.registry_head = 16
    return offsets


class CppProgram:
    """A program with the runtime and no maps so far.

    :param found_by: what leads to mapscope_abi: "symbol", "section" or "scan"
    :param debug: whether it has a stop filter
    """

    def __init__(
        self,
        found_by: str = "symbol",
        offsets: Optional[Offsets] = None,
        version: int = 4,
        shards: int = 4,
        stride: int = 64,
        debug: bool = True,
    ) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.offsets = offsets or Offsets()
        self.shards, self.stride = shards, stride
        self.registry = self.image.allocate(shards * stride, 64)
        self._maps = 0
        table = self.offsets.table()
        abi = struct.pack("<16sII", MAGIC, version, ABI_SIZE)
        abi += struct.pack(f"<{len(table)}H", *table)
        self.filter = self.image.allocate(FILTER_SIZE, 64) if debug else 0
        self.hook = HOOK if debug else 0
        self.history = self.image.allocate(80, 8) if debug else 0
        places = words(self.registry, self.filter, self.hook, self.history)
        abi += struct.pack("<II", shards, stride) + places
        stops = self.offsets.stops()
        abi += struct.pack(f"<{len(stops)}H", *stops)
        assert len(abi) == ABI_SIZE
        data = bytes(4096 - 48)
        self.abi = ABI + 48
        self.image.map_region(ABI, bytes(48) + abi + data[len(abi) :])
        if found_by == "symbol":
            self.target.symbol_table["mapscope_abi"] = [self.abi]
        elif found_by == "section":
            self.target.section_list = [Section(".mapscope", self.abi, self.abi + ABI_SIZE)]
        else:
            self.target.section_list = [Section(".data.rel.ro", ABI, ABI + 4096)]

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
        sizes = {field: size for field, (_, size) in HMAP.items()}
        fields = {f: (self.offsets.hmap[f], size) for f, size in sizes.items()}
        model = RuntimeMap(
            self.image,
            key,
            elem,
            hasher or built_in_hash(key),
            hash0,
            fields,
            self.offsets.header_size - 48,
            {**extra, **self.offsets.more_extra},
        )
        behind = model.address + 48
        self.image.write_word(behind + extra["type"], self.maptype(key, elem, kind))
        shard = self._maps % self.shards
        self._maps += 1
        head = self.registry + shard * self.stride + self.offsets.registry_head
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

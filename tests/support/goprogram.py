# SPDX-License-Identifier: MIT
"""A Go program's type table in an Image: moduledata, type descriptors, version.

Layouts: runtime/symtab.go (moduledata) and runtime/type.go of Go 1.17 to 1.23.
"""

import struct
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from codec import Block, Codec, Double, Int, Text
from image import FakeTarget, Image, words
from mapscope.go.memhash import AesHash, FallbackHash, MemoryHash
from mapscope.program.target import Section, Variable
from mapscope.program.types import Field, Kind, Type
from model import GoMap, Hash, mixed, shape

#: where the linker puts the type table and moduledata
TYPES = 0x480000
TYPES_SIZE = 1 << 16
MODULE = 0x540000
PCLNTAB = 0x500000

EXTRA_STAR, NAMED = 2, 4
#: of a kind, until Go 1.25
DIRECT_IFACE = 32
BOOL, INT, INT8, INT16, INT32, INT64 = range(1, 7)
UINT, UINT8, UINT16, UINT32, UINT64, UINTPTR = range(7, 13)
FLOAT32, FLOAT64, COMPLEX64, COMPLEX128 = range(13, 17)
ARRAY, CHAN, FUNC, INTERFACE, MAP, POINTER, SLICE, STRING, STRUCT, UNSAFE_POINTER = range(17, 27)


@dataclass(frozen=True)
class Rtype:
    """A type descriptor that was written."""

    address: int
    name: str
    size: int
    kind: int


class Described(Codec):
    """A type that writes its own descriptor."""

    @abstractmethod
    def describe(self, program: "GoProgram") -> Rtype:
        """Put it into the program's type table."""


class GoProgram:
    """A Go program without maps so far.

    :param version: what runtime.buildVersion holds; "": there is no such symbol
    :param types_offset: of moduledata.types; None: where this version has it
    :param symbols: whether the program has its symbol table
    """

    def __init__(
        self,
        version: str = "go1.19.8",
        types_offset: Optional[int] = None,
        symbols: bool = True,
        image: Optional[Image] = None,
    ) -> None:
        self.image = image or Image()
        self.target = FakeTarget(self.image)
        self.version = version
        minor = int(version.split(".")[1]) if version else 19
        self._minor = minor
        self._types_offset = types_offset or (280 if minor <= 19 else 296)
        self._next = TYPES + 64
        self._links: List[int] = []
        self.image.map_region(TYPES, bytes(TYPES_SIZE))
        self.image.map_region(MODULE, bytes(4096))
        self.image.map_region(PCLNTAB, bytes(4096))
        self.target.section_list = [
            Section(".gopclntab", PCLNTAB, PCLNTAB + 4096),
            Section(".noptrdata", MODULE, MODULE + 4096),
        ]
        if symbols:
            self.target.symbol_table["runtime.firstmoduledata"] = [MODULE]
            if version:
                text = self.image.place(version.encode())
                place = self.image.place(words(text, len(version)))
                self.target.symbol_table["runtime.buildVersion"] = [place]

    # --- hashing ---

    def hash_with(self, aes: bool = True) -> MemoryHash:
        """Give the program the variables that its hashes depend on; the same hashes."""
        schedule = bytes(3 * i + 1 & 0xFF for i in range(128))
        keys = (0x1234567, 0x89ABCDEF01, 0x23456789AB, 0xCDEF012345)
        for name, data in (
            ("runtime.useAeshash", bytes([aes])),
            ("runtime.aeskeysched", schedule),
            ("runtime.hashkey", words(*keys)),
        ):
            self.target.symbol_table[name] = [self.image.place(data)]
        return AesHash(schedule) if aes else FallbackHash(keys, self._minor)

    def set_hasher(self, model: GoMap, name: str, *closed_over: int) -> None:
        """Let a map's type name its hash function."""
        code = self.image.allocate(16)
        self.target.symbols_at[code] = name
        self.image.write_word(model.maptype + 72, self.image.place(words(code, *closed_over)))

    # --- the type table ---

    def finish(self) -> FakeTarget:
        """Write moduledata; no more types after this."""
        links = self.image.place(struct.pack(f"<{len(self._links)}i", *self._links))
        # textsectmap stands before typelinks and is a slice too
        sections = self.image.place(words(0, 0x1000, 0))
        itabs = self.image.place(words(0, 0))
        module = bytearray(4096)
        struct.pack_into("<Q", module, 0, PCLNTAB)
        count = len(self._links)
        tail = words(TYPES, TYPES + TYPES_SIZE, TYPES, TYPES + TYPES_SIZE - 4096)
        tail += words(sections, 1, 1, links, count, count, itabs, 2, 2)
        module[self._types_offset : self._types_offset + len(tail)] = tail
        self.image.write(MODULE, bytes(module))
        return self.target

    def name(self, text: str) -> int:
        """A name: flags, varint length, bytes. Returns its offset from types."""
        raw = text.encode()
        head = bytes([0, len(raw)]) if len(raw) < 128 else None
        if head is None:
            head = bytes([0, len(raw) & 0x7F | 0x80, len(raw) >> 7])
        return self._write(head + raw, 1) - TYPES

    def rtype(
        self, kind: int, name: str, size: int, more: bytes = b"", star: bool = False
    ) -> Rtype:
        """A descriptor: 48 bytes, then what its kind adds.

        :param star: the name is kept with a star in front, as for many types
        """
        name_offset = self.name("*" + name if star else name)
        flags = EXTRA_STAR if star else 0
        if kind in (POINTER, MAP, CHAN, FUNC, UNSAFE_POINTER):
            kind |= DIRECT_IFACE
        head = struct.pack("<QQIBBBBQQii", size, 0, 0x1234, flags, 8, 8, kind, 0, 0, name_offset, 0)
        address = self._write(head + more, 8)
        self._links.append(address - TYPES)
        return Rtype(address, name, size, kind & ~DIRECT_IFACE)

    def basic(self, name: str) -> Rtype:
        """One of Go's predeclared types."""
        kind, size = BASIC[name]
        return self.rtype(kind, name, size)

    def struct_type(self, name: str, fields: Sequence[Tuple[str, int, Rtype]], size: int) -> Rtype:
        """A struct; until Go 1.18 a field's offset is kept shifted by one."""
        shift = 1 if 0 < self._minor <= 18 else 0
        table = b"".join(
            words(TYPES + self.name(field), type.address, offset << shift)
            for field, offset, type in fields
        )
        start = self._write(table, 8)
        return self.rtype(STRUCT, name, size, words(0, start, len(fields), len(fields)))

    def map_type(self, name: str, key: Rtype, elem: Rtype) -> Rtype:
        """A classic maptype (runtime/type.go)."""
        keysize = 8 if key.size > 128 else key.size
        elemsize = 8 if elem.size > 128 else elem.size
        flags = (1 if key.size > 128 else 0) | (2 if elem.size > 128 else 0)
        more = words(key.address, elem.address, 0, 0)
        more += struct.pack("<BBHI", keysize, elemsize, 16 + 8 * (keysize + elemsize), flags)
        return self.rtype(MAP, name, 8, more)

    def used(self) -> int:
        """Bytes of the type table so far."""
        return self._next - TYPES - 64

    def _write(self, data: bytes, align: int) -> int:
        address = -(-self._next // align) * align
        self.image.write(address, data)
        self._next = address + len(data)
        return address

    # --- maps ---

    def descriptor(self, codec: Codec) -> Rtype:
        """The type descriptor of what a codec codes."""
        if isinstance(codec, Described):
            return codec.describe(self)
        if isinstance(codec, Text):
            return self.basic("string")
        if isinstance(codec, Double):
            return self.basic("float64")
        if isinstance(codec, Block):
            number = self.basic("uint64")
            return self.struct_type(f"main.{codec.type.name}", [("N", 0, number)], codec.size)
        return self.basic(codec.type.name)

    def map(
        self,
        name: str,
        key: Codec,
        elem: Codec,
        variant: str = "",
        hasher: Hash = mixed,
        described_by: str = "descriptor",
    ) -> GoMap:
        """An empty map, in the variable `name` of the program.

        :param variant: of the runtime's functions that its operations go through
        :param described_by: "descriptor" or "debug information"
        """
        described = self.descriptor(key), self.descriptor(elem)
        type_name = f"map[{described[0].name}]{described[1].name}"
        maptype = self.map_type(type_name, *described)
        load_num = 12 if self.version.startswith("go1.21") else 13
        model = GoMap(
            self.image,
            key,
            elem,
            hasher,
            load_num=load_num,
            frames=self.target.frames,
            maptype=maptype.address,
            variant=variant,
        )
        by_descriptor = described_by == "descriptor"
        type = debug_type(type_name, key, elem, maptype.address if by_descriptor else 0)
        self.target.variables[name] = Variable(type, None, words(model.address))
        return model


BASIC: Dict[str, Tuple[int, int]] = {
    "bool": (BOOL, 1),
    "int": (INT, 8),
    "int8": (INT8, 1),
    "int16": (INT16, 2),
    "int32": (INT32, 4),
    "int64": (INT64, 8),
    "uint": (UINT, 8),
    "uint8": (UINT8, 1),
    "uint16": (UINT16, 2),
    "uint32": (UINT32, 4),
    "uint64": (UINT64, 8),
    "uintptr": (UINTPTR, 8),
    "float32": (FLOAT32, 4),
    "float64": (FLOAT64, 8),
    "complex64": (COMPLEX64, 8),
    "complex128": (COMPLEX128, 16),
    "string": (STRING, 16),
    "unsafe.Pointer": (UNSAFE_POINTER, 8),
}


def debug_type(name: str, key: Codec, elem: Codec, descriptor: int = 0) -> Type:
    """map[K]V as an adapter describes it: by its descriptor, or by its bucket's fields."""
    fields: Tuple[Field, ...] = ()
    if not descriptor:
        places = shape(key, elem)
        word = Type(Kind.UINT, "uintptr", 8)
        offsets: List[Tuple[str, Any]] = [
            ("keys", places.keys),
            ("values", places.elems),
            ("overflow", places.overflow),
        ]
        fields = tuple(Field(field, offset, word) for field, offset in offsets)
    return Type(
        Kind.GO_MAP,
        name,
        8,
        fields,
        key=lambda: key.type,
        element=lambda: elem.type,
        go_type=descriptor,
    )


def number_map(
    variant: str = "_fast64", hasher: Hash = mixed, version: str = "go1.19.8", **how: str
) -> Tuple[FakeTarget, GoMap]:
    """A program with one map[uint64]uint64 called m."""
    program = GoProgram(version)
    model = program.map("m", Int(8, name="uint64"), Int(8, name="uint64"), variant, hasher, **how)
    return program.finish(), model


def text_map(
    variant: str = "_faststr", hasher: Hash = mixed, version: str = "go1.19.8"
) -> Tuple[FakeTarget, GoMap]:
    """A program with one map[string]uint64 called m."""
    program = GoProgram(version)
    model = program.map("m", Text(), Int(8, name="uint64"), variant, hasher)
    return program.finish(), model

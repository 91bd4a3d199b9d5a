# SPDX-License-Identifier: MIT
"""Go's type descriptors in memory: types without debug information.

Layouts: runtime/type.go and reflect/type.go of Go 1.17 to 1.20,
internal/abi/type.go of 1.21 to 1.26; runtime/symtab.go for moduledata. They
are recognised by what memory holds, not by version, wherever the two differ.
"""

import difflib
import re
import struct
from dataclasses import replace
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import LayoutUnknown, MapscopeError, MemoryUnreadable, UnknownType
from ..program.memory import Memory
from ..program.target import Section, Target
from ..program.types import Field, Kind, Type
from ..program.values import escape, named
from ..records import dataclass
from . import layouts
from .functions import FunctionTable, FunctionTables, Functions
from .goroutines import Goroutine, all_goroutines, goid
from .images import Image, estimated, find_images, range_of, signs, swiss_by, told_minor

_WORD = struct.Struct("<Q")
#: bytes of abi.Type, followed by what its kind adds
RTYPE_SIZE = 48

# abi.Kind
_BOOL, _INT, _UINT, _UINTPTR, _FLOAT32, _FLOAT64 = 1, 2, 7, 12, 13, 14
_COMPLEX64, _COMPLEX128, _ARRAY, _CHAN, _FUNC, _INTERFACE = 15, 16, 17, 18, 19, 20
KIND_MAP, _POINTER, _SLICE, _STRING, _STRUCT, _UNSAFE_POINTER = 21, 22, 23, 24, 25, 26
KIND_MASK = 0x1F
_TFLAG_UNCOMMON = 1
_TFLAG_EXTRA_STAR = 2
#: first byte of a field's name, since Go 1.19
_NAME_EMBEDDED = 8
#: bytes of a descriptor by its kind, without what its own numbers add
_DESCRIPTOR_SIZES = {
    **dict.fromkeys((*range(_BOOL, _ARRAY), _STRING, _UNSAFE_POINTER), RTYPE_SIZE),
    _ARRAY: 72,
    _CHAN: 64,
    _FUNC: 56,
    _INTERFACE: 80,
    KIND_MAP: 136,
    _POINTER: 56,
    _SLICE: 56,
    _STRUCT: 80,
}
#: bytes of a value by its kind, where all have the same; int, uint and uintptr as on amd64
_VALUE_SIZES = {
    **dict(zip(range(_BOOL, _FLOAT32), (1, 8, 1, 2, 4, 8, 8, 1, 2, 4, 8, 8))),
    **{_FLOAT32: 4, _FLOAT64: 8, _COMPLEX64: 8, _COMPLEX128: 16, _INTERFACE: 16, _SLICE: 24},
    **{_STRING: 16, **dict.fromkeys((_CHAN, _FUNC, KIND_MAP, _POINTER, _UNSAFE_POINTER), 8)},
}

#: offsets of moduledata.types (etypes follows): Go 1.17 to 1.19, 1.20 to 1.27
_TYPES_OFFSETS = (280, 296)
#: bytes of a name, and of all names; no program has longer ones
_LONGEST_NAME, _ALL_NAMES = 1 << 16, 256 << 20
#: types within types, types that a command needs, and fields of a struct, at most
_DEEPEST, _MOST_TYPES, _MOST_FIELDS = 100, 1 << 16, 1 << 16
#: words between etypes and typelinks, at most
_TYPELINKS_SEARCH = 16
#: bytes of a moduledata, of which one word is the address of the next one
_MODULE_SIZE = 1024
#: map types that are asked which kind they are of, and types among which they are looked for
_MAP_TYPES, _TYPES_SEARCHED = 16, 1 << 16


@dataclass(frozen=True)
class TypeTable:
    """moduledata's types, etypes and typelinks.

    :ivar module: address of the moduledata
    """

    module: int
    types: int
    etypes: int
    links: Tuple[int, ...]


class GoProgram:
    """What is known of a Go runtime and of the files whose code runs on it, a program and its
    plugins, or a library: version and type tables.

    :param images: its files; None: all that hold Go code
    :param alone: whether there is no other runtime in the process
    """

    def __init__(
        self,
        target: Target,
        memory: Memory,
        images: Optional[Sequence[Image]] = None,
        alone: bool = True,
    ) -> None:
        self._target = target
        self.memory = memory
        self._alone = alone
        self._images = list(find_images(target, memory) if images is None else images)
        self._types: Dict[int, Type] = {}
        self._reading: List[int] = []
        self._table: Optional[List[TypeTable]] = None
        self._functions: Optional[Functions] = None
        self._tried_functions = False
        self._minor: Optional[int] = None
        self._swiss: Optional[bool] = None
        self.version = self._told_version()

    def _told_version(self) -> str:
        """As in "go1.19.8"; empty where it cannot be found. It need not be true."""
        for address in self.symbols("runtime.buildVersion"):
            try:
                start, length = struct.unpack("<QQ", self.memory.read(address, 16))
                if 0 < length < 256:
                    return self.memory.read(start, length).decode("utf-8", "replace")
            except MemoryUnreadable:
                continue
        sections = (section for image in self._images for section in image.sections)
        for section in self._target.sections() if self._alone else sections:
            if section.name == ".go.buildinfo":
                return _version_from_buildinfo(self.memory, section)
        return ""

    def symbols(self, name: str) -> List[int]:
        """Addresses of the linker symbol `name` in this runtime's own files."""
        found = self._target.symbols(name)
        return found if self._alone else [address for address in found if self.owns(address)]

    def owns(self, address: int) -> bool:
        """Whether an address is in one of this runtime's files: code, types, variables."""
        return any(image.holds(address) for image in self._images)

    @property
    def place(self) -> int:
        """An address in its files, by which another session finds it; 0: not known."""
        return self._images[0].header if self._images else 0

    @property
    def images(self) -> Tuple[Image, ...]:
        """Its files."""
        return tuple(self._images)

    @property
    def file(self) -> str:
        """The file that the runtime is in; "": the program, or not told."""
        return self._images[0].file if self._images else ""

    @property
    def minor(self) -> int:
        """The N of go1.N, as told unless its functions are others'; 0 where it is not known."""
        if self._minor is None:
            told = told_minor(self.version)
            oldest, newest, by_functions = 0, 1 << 16, 0
            if self._images:
                image = self._images[0]
                found = signs(image, self.memory)
                oldest, newest = range_of(image, found)
                by_functions = estimated(oldest, newest, found)
            unknown = newest == layouts.NEWEST and told > newest  # newer than what is known
            fits = told and (oldest <= told <= newest or unknown)
            self._minor = told if fits or not by_functions else by_functions
        return self._minor

    def doubts(self) -> List[str]:
        """What is to be said of a version that is not known yet, or not told; mostly nothing."""
        told = told_minor(self.version)
        if told == self.minor <= layouts.NEWEST and told:
            return []
        if told > layouts.NEWEST and told == self.minor:
            return [
                f"{escape(self.version)} is newer than what mapscope knows (1.{layouts.NEWEST}): "
                "its maps are taken for that one's"
            ]
        says = f"it says {named(self.version)}" if self.version else "it does not say"
        if not self.minor:
            return [f"which version of Go this is is not known ({says}, and its functions neither)"]
        return [f"which version of Go this is: {says}; by its functions it is go1.{self.minor}"]

    @property
    def has_swiss_maps(self) -> bool:
        """Whether the runtime's maps are Swiss ones (Go 1.24, unless built without).

        :raises LayoutUnknown: if nothing tells
        """
        if self._swiss is None:
            self._swiss = self._kind_of_maps()
        return self._swiss

    def _kind_of_maps(self) -> bool:
        for image in self._images:
            found = swiss_by(signs(image, self.memory))
            if found is not None:
                return found
        found = self._kind_by_types()
        if found is not None:
            return found
        if told_minor(self.version):
            # neither functions nor types can be read: not started, or a core without them
            return told_minor(self.version) >= 24 and "noswissmap" not in self.version
        raise LayoutUnknown(
            "cannot tell whether this Go program's maps are classic or Swiss ones: its version is "
            "not known, nor are its functions and map types"
        )

    def _kind_by_types(self) -> Optional[bool]:
        """The same by the map types of the type table: the size of a group, or of a bucket."""
        votes: List[bool] = []
        try:
            links = [table.types + link for table in self._tables() for link in table.links]
        except MapscopeError:
            return None
        for address in links[:_TYPES_SEARCHED]:
            try:
                if self.memory.read(address + 23, 1)[0] & KIND_MASK != KIND_MAP:
                    continue
                raw = self.memory.read(address + RTYPE_SIZE, 40)
            except MemoryUnreadable:
                continue
            votes += [vote for vote in (_is_swiss_type(raw),) if vote is not None]
            if len(votes) >= _MAP_TYPES:
                break
        return votes[0] if votes and len(set(votes)) == 1 else None

    def goroutine(self, registers: Dict[str, int]) -> Optional[int]:
        """The id of the goroutine that a thread with these registers runs."""
        return goid(self.word, registers.get, self.minor)

    def word(self, address: int) -> Optional[int]:
        """8 bytes of memory; None: they cannot be read."""
        try:
            return self.memory.read_word(address)
        except MemoryUnreadable:
            return None

    @property
    def functions(self) -> Optional[Functions]:
        """Its tables of functions; None: it has none that is known (before Go 1.18)."""
        if not self._tried_functions:
            self._tried_functions = True
            found: List[Functions] = []
            for module in self.modules():
                try:
                    found.append(FunctionTable(self.memory.read, module, self.minor))
                except MapscopeError:
                    continue
            if found:
                self._functions = found[0] if len(found) == 1 else FunctionTables(found)
        return self._functions

    def modules(self) -> List[int]:
        """Addresses of the moduledata of all its files; none where none was found."""
        try:
            return [table.module for table in self._tables()]
        except MapscopeError:
            return []

    def type_ranges(self) -> List[Tuple[int, int]]:
        """From where to where type descriptors lie, in each of its files; none where none was
        found."""
        try:
            return [(table.types, table.etypes) for table in self._tables()]
        except MapscopeError:
            return []

    @property
    def module(self) -> int:
        """Address of the program's moduledata.

        :raises LayoutUnknown: if it was not found
        """
        return self._tables()[0].module

    def goroutines(self, unread: Optional[List[int]] = None) -> Iterator[Goroutine]:
        """Every goroutine that lives.

        :param unread: addresses of those that cannot be read are added here
        :raises MapscopeError: if they cannot be found
        """
        symbols = self.symbols("runtime.allgs")
        functions = None if symbols else self.functions
        return all_goroutines(self.memory, self.minor, symbols, functions, unread)

    def type_at(self, address: int) -> Type:
        """The Type of the descriptor at `address`.

        :raises MapscopeError: if no type can be there
        """
        known = self._types.get(address)
        if known is None:
            if address in self._reading or len(self._reading) > _DEEPEST:
                raise LayoutUnknown(f"the Go type at {address:#x} contains itself")
            if len(self._types) > _MOST_TYPES:
                raise LayoutUnknown(f"the Go type at {address:#x} is one of too many")
            self._reading.append(address)
            try:
                found = self._read_type(address)
                known = replace(found, direct=found.size == 8 and self._is_direct(address))
            finally:
                self._reading.pop()
            self._types[address] = known
        return known

    def find(self, name: str) -> int:
        """The descriptor of the type `name` of the program's type table.

        :raises UnknownType: if there is none, with the nearest names
        """
        for table in self._tables():
            for spelled in dict.fromkeys((name, _with_interface(name))):
                ordered = self._in_order(table, spelled)
                if ordered is not None:
                    return ordered
        names: Dict[str, int] = {}
        wanted = _normalised(name)
        for address, found in self._named():
            if _normalised(found) == wanted:
                return address
            names.setdefault(found, address)
        maps = [n for n in names if n.startswith("map[")] or list(names)
        near = difflib.get_close_matches(name, maps, 3, 0.6)
        raise UnknownType(named(name), [escape(n) for n in near])

    def names_from(self, start: str, most: int) -> List[str]:
        """Names of map types in the program's type table that begin so; so many at most."""
        found: List[str] = []
        try:
            for _, name in self._named():
                if name.startswith("map[") and name.startswith(start):
                    found.append(name)
                if len(found) >= most:
                    break
        except LayoutUnknown:
            pass  # those in front of what is impossible
        return found

    def _named(self) -> Iterator[Tuple[int, str]]:
        """Addresses and names of the types in the type tables whose names can be read.

        :raises LayoutUnknown: if they are impossible
        """
        length = 0
        for address in (table.types + link for table in self._tables() for link in table.links):
            try:
                name = self.name_at(address)
            except MapscopeError:
                continue
            yield address, name
            length += len(name)
            if length > _ALL_NAMES:
                raise LayoutUnknown("this Go program's type table has impossible names")

    def _in_order(self, table: TypeTable, name: str) -> Optional[int]:
        """The first descriptor of the type `name` of a type table by bisection: the linker sorts
        them by name (cmd/link/internal/ld/typelink.go; reflect's typesByString relies on it).
        None: it is not where it would be."""
        wanted = name.encode("utf-8", "replace")
        low, high = 0, len(table.links)
        try:
            while low < high:
                middle = (low + high) // 2
                found = self.name_at(table.types + table.links[middle])
                if found.encode("utf-8", "replace") < wanted:
                    low = middle + 1
                else:
                    high = middle
            address = table.types + table.links[low] if low < len(table.links) else 0
            return address if address and self.name_at(address) == name else None
        except MapscopeError:
            return None

    def name_at(self, address: int) -> str:
        """The name of the type descriptor at `address`, as Go prints it."""
        rtype = self.memory.read(address, RTYPE_SIZE)
        for table in self._tables():
            if table.types <= address < table.etypes:
                break
        else:
            raise LayoutUnknown(f"{address:#x} is outside this Go program's types")
        offset = struct.unpack_from("<i", rtype, 40)[0]
        name = self._name(table.types + offset)
        return name[1:] if rtype[20] & _TFLAG_EXTRA_STAR else name

    # --- type descriptors ---

    def _read_type(self, address: int) -> Type:
        rtype = self.memory.read(address, RTYPE_SIZE)
        size = _WORD.unpack_from(rtype, 0)[0]
        kind = rtype[23] & KIND_MASK
        name = self.name_at(address)
        known = _VALUE_SIZES.get(kind, size)
        # programs cast memory to arrays that are as large as can be
        most = 1 << 48 if kind == _ARRAY else 1 << 40
        if size > most or not _BOOL <= kind <= _UNSAFE_POINTER or size != known:
            raise LayoutUnknown(f"no Go type at {address:#x} (kind {kind}, size {size})")

        def simple(core: Kind) -> Type:
            return Type(core, name, size, go_type=address)

        def word(offset: int) -> int:
            return self.memory.read_word(address + offset)

        if kind == _BOOL:
            return simple(Kind.BOOL)
        if _INT <= kind < _UINT:
            return simple(Kind.INT)
        if _UINT <= kind <= _UINTPTR:
            return simple(Kind.UINT)
        if kind in (_FLOAT32, _FLOAT64):
            return simple(Kind.FLOAT)
        if kind in (_COMPLEX64, _COMPLEX128):
            return simple(Kind.COMPLEX)
        if kind == _STRING:
            return Type(Kind.STRING, name, size, data_offset=0, len_offset=8, go_type=address)
        if kind == _CHAN:
            return simple(Kind.CHAN)
        if kind == _FUNC:
            return simple(Kind.FUNC)
        if kind == _UNSAFE_POINTER:
            return simple(Kind.POINTER)
        if kind in (_POINTER, _SLICE):
            element = word(48)
            core = Kind.POINTER if kind == _POINTER else Kind.SLICE
            return Type(core, name, size, element=lambda: self.type_at(element), go_type=address)
        if kind == _ARRAY:
            element, length = word(48), word(64)
            if self.type_at(element).size * length != size:
                raise LayoutUnknown(
                    f"no Go type at {address:#x}: {length} elements in {size} bytes"
                )
            return Type(
                Kind.ARRAY,
                name,
                size,
                element=lambda: self.type_at(element),
                length=length,
                go_type=address,
            )
        if kind == KIND_MAP:
            key, elem = word(48), word(56)
            return Type(
                Kind.GO_MAP,
                name,
                size,
                key=lambda: self.type_at(key),
                element=lambda: self.type_at(elem),
                swiss=self.has_swiss_maps,
                go_type=address,
            )
        if kind == _INTERFACE:
            # InterfaceType: pkgPath 48, methods (slice) 56
            return simple(Kind.INTERFACE if word(64) else Kind.EMPTY_INTERFACE)
        return Type(Kind.STRUCT, name, size, self._fields(address, size), go_type=address)

    def _is_direct(self, address: int) -> bool:
        """Whether an interface holds a value of the type at `address` in its data word."""
        if self.minor >= 26:
            place, bit = 20, layouts.TFLAG_DIRECT_IFACE
        else:
            place, bit = 23, layouts.KIND_DIRECT_IFACE
        return bool(self.memory.read(address + place, 1)[0] & bit)

    def _fields(self, address: int, size: int) -> Tuple[Field, ...]:
        """Fields of the struct type at `address`."""
        # StructType: pkgPath 48, fields (slice) 56; structField: name 0, typ 8, offset 16
        start, count = struct.unpack("<QQ", self.memory.read(address + 56, 16))
        if count > _MOST_FIELDS:
            raise LayoutUnknown(f"struct type at {address:#x} with {count} fields")
        raw = self.memory.read(start, 24 * count) if count else b""
        entries = list(struct.iter_unpack("<QQQ", raw))
        # Until Go 1.18 the last word is offset << 1 | embedded (reflect, offsetEmbed).
        shift = 1 if 0 < self.minor <= 18 else 0
        fields: List[Field] = []
        for name, type_address, offset in entries:
            flags = self.memory.read(name, 1)[0]
            embedded = bool(offset & 1 if shift else flags & _NAME_EMBEDDED)
            field = Field(self._name(name), offset >> shift, self.type_at(type_address), embedded)
            if field.offset + field.type.size > size:
                raise LayoutUnknown(f"struct type at {address:#x}: field beyond its end")
            fields.append(field)
        return tuple(fields)

    def _name(self, address: int) -> str:
        """A name of the type table: flags, varint length, bytes (abi.Name)."""
        head = self.memory.read(address, 4)
        length, used = head[1] & 0x7F, 2
        if head[1] & 0x80:
            length |= (head[2] & 0x7F) << 7
            used = 3
            if head[2] & 0x80:
                length |= (head[3] & 0x7F) << 14
                used = 4
        if length > _LONGEST_NAME:
            raise LayoutUnknown(f"no name at {address:#x}: it would have {length} bytes")
        return self.memory.read(address + used, length).decode("utf-8", "replace")

    # --- the type table ---

    def _tables(self) -> List[TypeTable]:
        """Where the type descriptors of all its files are, its own first.

        :raises LayoutUnknown: if there are none
        """
        if self._table is None:
            found = [table for image in self._images for table in self._tables_of(image)]
            if not found:
                raise LayoutUnknown("this Go program's type table was not found")
            self._table = list({table.module: table for table in found}.values())
        return self._table

    def _tables_of(self, image: Image) -> List[TypeTable]:
        """Of one file."""
        # The newer layout's offset holds other pointers in the older one and the
        # reverse, so the version decides which is tried first.
        minor = self.minor or image.versions[0]
        offsets = _TYPES_OFFSETS if 0 < minor <= 19 else _TYPES_OFFSETS[::-1]
        for module in self._module_candidates(image):
            for offset in offsets:
                table = self._table_at(module, module + offset)
                if table is not None:
                    return [table]
        return []

    def _table_at(self, module: int, place: int) -> "Optional[TypeTable]":
        """The type table whose moduledata.types is at `place`, if one is."""
        size = 8 * (2 + _TYPELINKS_SEARCH)
        try:
            words = struct.unpack(f"<{2 + _TYPELINKS_SEARCH}Q", self.memory.read(place, size))
        except MemoryUnreadable:
            return None
        types, etypes = words[:2]
        if 4096 < types < words[2] < types + (1 << 32) and 48 < etypes <= words[2] - types:
            # since Go 1.27: types, typedesclen, etypes
            links = self._descriptors(types, types + etypes)
            return None if links is None else TypeTable(module, types, words[2], links)
        if not 4096 < types < etypes < types + (1 << 32):
            return None
        for index in range(2, _TYPELINKS_SEARCH):
            start, count, capacity = words[index : index + 3]
            if not 0 < count == capacity < 1 << 24:
                continue
            try:
                links = struct.unpack(f"<{count}i", self.memory.read(start, 4 * count))
            except MemoryUnreadable:
                continue
            if all(0 < link < etypes - types for link in links):
                return TypeTable(module, types, etypes, links)
        return None

    def _descriptors(self, types: int, end: int) -> Optional[Tuple[int, ...]]:
        """Offsets of all type descriptors, which lie one behind the other (moduleTypelinks in
        runtime/type.go of Go 1.27); None: there are none."""
        try:
            raw = self.memory.read(types, end - types)
        except MemoryUnreadable:
            return None
        found: List[int] = []
        at = 8
        while at + RTYPE_SIZE <= len(raw):
            base = _DESCRIPTOR_SIZES.get(raw[at + 23] & KIND_MASK)
            if base is None:
                return None
            found.append(at)
            try:
                size = base + self._descriptor_tail(raw, at, base)
            except struct.error:
                return None
            at += (size + 7) & ~7
        return tuple(found)

    @staticmethod
    def _descriptor_tail(raw: bytes, at: int, base: int) -> int:
        """Bytes of what follows a descriptor of fixed size (DescriptorSize in
        internal/abi/type.go): parameters, methods, fields."""
        kind, tail = raw[at + 23] & KIND_MASK, 0
        if kind == _FUNC:
            inputs, outputs = struct.unpack_from("<HH", raw, at + 48)
            tail += 8 * (inputs + (outputs & 0x7FFF))
        elif kind in (_INTERFACE, _STRUCT):
            tail += (8 if kind == _INTERFACE else 24) * int(
                struct.unpack_from("<Q", raw, at + 64)[0]
            )
        if raw[at + 20] & _TFLAG_UNCOMMON:
            # UncommonType: PkgPath i32, Mcount u16, Xcount u16, Moff u32, unused u32
            tail += 16 + 16 * int(struct.unpack_from("<H", raw, at + base + 4)[0])
        return tail

    def _module_candidates(self, image: Image) -> Iterator[int]:
        several = len(self._images) > 1 or not self._alone
        for address in self._target.symbols("runtime.firstmoduledata"):
            if not several or image.holds(address):
                yield address
        for section in image.sections if image.header else ():
            if section.name not in (
                ".noptrdata",
                ".data",
                ".go.module",
                ".data.rel.ro",
                ".data.rel.ro.gopclntab",
            ):
                continue
            try:
                raw = bytes(self.memory.read_chunk(section.start, section.end - section.start))
            except MemoryUnreadable:
                continue
            # moduledata begins with a pointer to the pclntab's header
            place = raw.find(_WORD.pack(image.header))
            while place >= 0:
                if (section.start + place) % 8 == 0:
                    yield section.start + place
                place = raw.find(_WORD.pack(image.header), place + 1)


def _is_swiss_type(raw: bytes) -> Optional[bool]:
    """Whether a map type is a Swiss map's; None: it is of no known kind.

    :param raw: what follows its rtype
    """
    keysize, elemsize, bucketsize = struct.unpack_from("<BBH", raw, 32)
    group = _WORD.unpack_from(raw, 32)[0]
    if 8 < group <= 1 << 16 and group % 8 == 0:
        return True
    if group > 1 << 16 and bucketsize == 16 + 8 * (keysize + elemsize):
        return False
    return None


def is_go(target: Target, memory: Memory, images: Sequence[Image]) -> bool:
    """Whether a Go runtime is in the program.

    :param images: files that seem to hold Go code (find_images)
    """
    if any(image.raw or not image.header for image in images):
        return True
    return any(GoProgram(target, memory, [image]).modules() for image in images)


def runtimes(target: Target, memory: Memory, images: Sequence[Image]) -> List[GoProgram]:
    """Every Go runtime of the process: one for a program and its plugins, one for each library
    that was built for use by programs of other languages (c-shared).

    :param images: files that seem to hold Go code (find_images)
    """
    if len(images) < 2:
        return [GoProgram(target, memory, images)] if images else []
    found = [GoProgram(target, memory, [image], alone=False) for image in images]
    group = list(range(len(found)))  # by number, which runtime a file belongs to
    places = {module: at for at, one in enumerate(found) for module in one.modules()}
    for module, at in places.items():
        try:
            raw = memory.read(module + 8, _MODULE_SIZE - 8)
        except MemoryUnreadable:
            continue
        # moduledata.next: that of the plugin that was loaded after it
        for word in memoryview(raw).cast("Q"):
            other = places.get(word)
            if other is not None and group[other] != group[at]:
                group = [group[at] if number == group[other] else number for number in group]
    parts = [[images[at] for at, one in enumerate(group) if one == n] for n in range(len(found))]
    parts = [part for part in parts if part]
    return [GoProgram(target, memory, part, alone=len(parts) == 1) for part in parts]


def _with_interface(name: str) -> str:
    """A type name in which `any` is written as Go's tables write it."""
    return re.sub(r"\bany\b", "interface {}", name)


def _normalised(name: str) -> str:
    """A type name as users and as different Go versions write it."""
    return re.sub(r"\s+", "", _with_interface(name))


def _version_from_buildinfo(memory: Memory, section: Section) -> str:
    """The version in .go.buildinfo (debug/buildinfo: magic 14, ptrSize 14, flags 15)."""
    try:
        head = memory.read(section.start, 48)
        if not head.startswith(b"\xff Go buildinf:"):
            return ""
        if head[15] & 2:  # since Go 1.18: a varint length and the string, at 32
            length = head[32] & 0x7F
            return memory.read(section.start + 33, length).decode("utf-8", "replace")
        start, length = struct.unpack("<QQ", memory.read(_WORD.unpack_from(head, 16)[0], 16))
        return memory.read(start, min(length, 256)).decode("utf-8", "replace")
    except MemoryUnreadable:
        return ""

# SPDX-License-Identifier: MIT
"""What a Go program's debug information says of its variables and types.

For debuggers that do not read it themselves: LLDB has "no plugin for the language go".
Addresses in and out are those that the program was linked with. Facts: cmd/internal/dwarf
(abbreviations, DW_AT_go_*) and cmd/link/internal/ld/dwarf.go of Go 1.17 to 1.26.

Reading all entries of a program takes seconds in Python, so what is looked for by name is
searched for as bytes: Go's linker writes names in place (DW_FORM_string), and what looks
like an entry around one is read as one.
"""

import contextlib
import re
import struct
from dataclasses import replace
from typing import Callable, Dict, Hashable, Iterator, List, Optional, Sequence, Tuple

from ..errors import LayoutUnknown, MapscopeError
from ..program import dwarf
from ..program.dwarf import DebugInfo, Entry, Machine
from ..program.target import Variable
from ..program.types import VOID, Field, Kind, Type
from ..program.values import escape
from ..records import dataclass

_GO_KIND, _GO_KEY, _GO_ELEM, _GO_EMBEDDED, _GO_TYPE = 0x2900, 0x2901, 0x2902, 0x2903, 0x2904
_GO_CLOSURE_OFFSET = 0x2907
#: DW_ATE_* of base types
_ENCODINGS = {
    2: Kind.BOOL,
    3: Kind.COMPLEX,
    4: Kind.FLOAT,
    5: Kind.INT,
    6: Kind.INT,
    7: Kind.UINT,
    8: Kind.UINT,
}
# abi.Kind
_CHAN, _MAP, _SLICE, _STRING = 18, 21, 23, 24
#: what names of structs begin with that are maps
_STRUCT_MAPS = ("sync.Map", "internal/sync.HashTrieMap[")
_NUL = b"\0"
#: in a function's name: whichever types it was made for
_ANY = "[...]"
#: files whose debug information is kept
_MOST_FILES = 8
_DECL_LINE = 0x3B
#: entries that are types
_TYPES = (dwarf.STRUCTURE, dwarf.TYPEDEF, dwarf.POINTER, dwarf.ARRAY, dwarf.BASE_TYPE)
#: deepest nesting of types and blocks looked into
_MAX_DEPTH = 24


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Whatever is wrong with the debug information is a LayoutUnknown."""
    try:
        yield
    except (IndexError, KeyError, ValueError, struct.error, RecursionError):
        raise LayoutUnknown("this program's debug information cannot be read") from None


def declared_at(name: str, line: int, lines: Sequence[int]) -> Optional[int]:
    """Which of the variables of one name, the innermost first, is meant on a line; None: none.

    A block's variables are the block's from its beginning for debug information, for Go only
    behind the line that declares them.

    :param line: 0: not known
    :param lines: on which they are declared, 0 for what that says nothing of
    :raises MapscopeError: if that cannot be told
    """
    for index, declared in enumerate(lines):
        if index == len(lines) - 1 or not line or declared < line:
            return index
        if declared == line:
            raise MapscopeError(
                f"{escape(name)} is declared on this very line, and one of the same name before: "
                "step to the next line"
            )
    return None


@dataclass(frozen=True)
class Scope:
    """A function, or one that was inlined, at an instruction.

    :ivar function: its name
    :ivar entries: parameters and locals, those of the innermost block first
    """

    function: str
    entries: Tuple[Entry, ...]
    frame_base: bytes


_kept: Dict[Hashable, "GoDebugInfo"] = {}


def of_file(identity: Hashable, section: Callable[[str], bytes]) -> "GoDebugInfo":
    """The debug information of a file, which is kept as long as it is among the last used.

    :param identity: what no other file has, nor this one when it has changed
    """
    found = _kept.pop(identity, None)
    if found is None:
        found = GoDebugInfo(section)
    while len(_kept) >= _MOST_FILES:
        _kept.pop(next(iter(_kept)))
    _kept[identity] = found
    return found


class GoDebugInfo:
    """The debug information of one Go module.

    :ivar bias: what is to be added to addresses of type descriptors; others are as linked
    """

    bias = 0

    def __init__(self, section: Callable[[str], bytes]) -> None:
        self.dwarf = DebugInfo(section)
        self._types: Dict[int, Type] = {}
        self._functions: Dict[Tuple[str, int], Optional[Entry]] = {}
        self._globals: Dict[str, Optional[Entry]] = {}
        self._names: Optional[List[str]] = None
        self._maps: Optional[List[Tuple[str, int, Type]]] = None
        self._unread: Optional[LayoutUnknown] = None

    def present(self) -> bool:
        """Whether there is any."""
        return bool(self.dwarf.units)

    # --- variables ---

    def global_variable(self, name: str) -> Optional[Tuple[int, Type]]:
        """The address and type of a package's variable, as "main.Table"; None: there is none."""
        with _reading():
            if name not in self._globals:
                codes = self._variables()
                found = (e for e in self._named(name.encode(), codes) if e.tag == dwarf.VARIABLE)
                self._globals[name] = next(found, None)
            entry = self._globals[name]
            return None if entry is None else self._placed(entry)

    def global_maps(self) -> Iterator[Tuple[str, int, Type]]:
        """Name, address and type of every package's variable that is a map, a struct that is one
        (sync.Map), or a pointer to such.

        :raises LayoutUnknown: behind those in front of what cannot be read
        """
        if self._maps is None:
            found: List[Tuple[str, int, Type]] = []
            try:
                with _reading():
                    found += self._find_maps()
            except LayoutUnknown as error:
                self._unread = error
            self._maps = found  # not of a search that Ctrl-C has ended: that is no list of all
        yield from self._maps
        if self._unread is not None:
            raise self._unread

    def _find_maps(self) -> Iterator[Tuple[str, int, Type]]:
        are_maps: Dict[Optional[int], Tuple[bool, bool]] = {}  # few types have many variables
        for entry in self._variable_entries():
            type = entry.number(dwarf.TYPE)
            if type not in are_maps:
                are_maps[type] = (self._is_struct_map(type), self._go_kind(type) == _MAP)
            is_struct, is_map = are_maps[type]
            placed = self._placed(entry) if is_struct or is_map else None
            if placed is not None and (is_struct or placed[1].kind is Kind.GO_MAP):
                yield entry.name, placed[0], placed[1]

    def _is_struct_map(self, type: Optional[int]) -> bool:
        """Whether a type is a struct that is a map, or a pointer to one."""
        for _ in range(2):
            try:
                entry = None if type is None else self.dwarf.entry(type)
            except LayoutUnknown:
                return False
            if entry is None or entry.tag != dwarf.POINTER:
                break
            type = entry.number(dwarf.TYPE)
        return entry is not None and entry.name.startswith(_STRUCT_MAPS)

    def variables(self) -> Iterator[Tuple[str, int, Type]]:
        """Name, address and type of every package's variable that can be read."""
        with _reading():
            for entry in self._variable_entries():
                placed = self._placed(entry)
                if placed is not None:
                    yield entry.name, placed[0], placed[1]

    def global_names(self, pattern: str) -> List[str]:
        """Names of all packages' variables in which a regular expression is found."""
        with _reading():
            if self._names is None:
                self._names = [entry.name for entry in self._variable_entries()]
            return [name for name in self._names if re.search(pattern, name)]

    def _variable_entries(self) -> Iterator[Entry]:
        """Entries of all packages' variables."""
        codes = self._variables()
        head = b"[" + b"".join(re.escape(bytes([code])) for code in codes) + b"]"
        pattern = head + rb"(?=[^\0\s]{1,400}\.[^\0\s]{1,200}\0)"
        for match in re.finditer(pattern, self.dwarf.info) if codes else ():
            entry = self._entry(match.start(), codes)
            if entry is not None and entry.tag == dwarf.VARIABLE and dwarf.TYPE in entry.values:
                yield entry

    def _variables(self) -> List[int]:
        return self.dwarf.starting_with_name(dwarf.VARIABLE, (dwarf.LOCATION, dwarf.TYPE))

    def _placed(self, entry: Entry) -> Optional[Tuple[int, Type]]:
        """Where a variable of a package is."""
        location = entry.values.get(dwarf.LOCATION)
        type = entry.number(dwarf.TYPE)
        if not isinstance(location, bytes) or type is None:
            return None
        machine = Machine(lambda name: None, lambda: None, lambda address: None, 0)
        try:
            address = machine.locate(location, b"", self._indexed(entry))[0].address
            return None if address is None else (address, self.type(type))
        except MapscopeError:
            return None

    def _indexed(self, entry: Entry) -> Callable[[int], int]:
        unit = self.dwarf.unit_of(entry.offset)
        return lambda index: self.dwarf.indexed_address(unit, index)

    def _go_kind(self, type: Optional[int]) -> Optional[int]:
        for _ in range(_MAX_DEPTH):
            try:
                entry = None if type is None else self.dwarf.entry(type)
            except LayoutUnknown:
                return None
            kind = None if entry is None else entry.number(_GO_KIND)
            if entry is None or kind is not None or entry.tag != dwarf.TYPEDEF:
                return kind
            type = entry.number(dwarf.TYPE)  # a type parameter's, .param0
        return None

    def _named(self, name: bytes, codes: List[int]) -> Iterator[Entry]:
        """Entries that begin with a name."""
        info, wanted = self.dwarf.info, name + _NUL
        at = info.find(wanted)
        while at >= 0:
            entry = self._entry(at - 1, codes)
            if entry is not None:
                yield entry
            at = info.find(wanted, at + 1)

    def _instances(self, name: bytes, codes: List[int]) -> Iterator[Entry]:
        """Entries of a function of type parameters, as the table of functions calls all of its
        instances, main.F[...]: the name begins them, with the types."""
        parts = [re.escape(part) for part in name.split(_ANY.encode())]
        pattern = rb"\[[^\0]{1,4000}\]".join(parts) + _NUL
        for match in re.finditer(pattern, self.dwarf.info):
            entry = self._entry(match.start() - 1, codes)
            if entry is not None:
                yield entry

    def _entry(self, offset: int, codes: List[int]) -> Optional[Entry]:
        """What may be an entry with one of these abbreviations."""
        if offset < 0 or self.dwarf.info[offset] not in codes:
            return None
        try:
            return self.dwarf.entry(offset)
        except LayoutUnknown:
            return None

    # --- functions ---

    def scopes(self, function: str, start: int, pc: int) -> List[Scope]:
        """The function at an instruction and those inlined there, innermost first.

        :param function: name of its symbol
        :param start: its first instruction
        """
        found: List[Scope] = []
        with _reading():
            entry = self._function(function, start)
            if entry is not None:
                base = entry.values.get(dwarf.FRAME_BASE, b"")
                frame_base = base if isinstance(base, bytes) else b""
                self._collect(entry, pc, self._origin(entry), frame_base, found)
        return found[::-1]

    def captured(self, function: str, start: int) -> Optional[Type]:
        """What a closure holds, as a structure: the variables that its function captured
        (DW_AT_go_closure_offset, since Go 1.23); None: none, or that is not told.

        :param function: name of its symbol
        :param start: its first instruction
        """
        with _reading():
            entry = self._function(function, start)
            fields: List[Field] = []
            for child in self.dwarf.children(entry) if entry is not None else ():
                offset = child.number(_GO_CLOSURE_OFFSET)
                origin = self._origin(child)
                if offset is None:
                    offset = origin.number(_GO_CLOSURE_OFFSET)
                type = origin.number(dwarf.TYPE)
                if offset is not None and type is not None:
                    # one that is captured by reference is named so
                    fields.append(Field(origin.name.lstrip("&"), offset, self.type(type)))
        if not fields:
            return None
        size = max(field.offset + field.type.size for field in fields)
        return Type(Kind.STRUCT, f"closure of {function}", (size + 7) & ~7, tuple(fields))

    def _function(self, name: str, start: int) -> Optional[Entry]:
        if (name, start) not in self._functions:
            self._functions[name, start] = self._find_function(name, start)
        return self._functions[name, start]

    def _find_function(self, name: str, start: int) -> Optional[Entry]:
        name = re.sub(r"\.abi(0|internal)$", "", name)
        codes = self.dwarf.starting_with_name(dwarf.SUBPROGRAM, ())
        found = self._instances if _ANY in name else self._named
        for entry in found(name.encode(), codes):
            if self.dwarf.address(entry, dwarf.LOW_PC) == start:
                return entry
            if dwarf.LOW_PC in entry.values:
                continue
            # an inlined function's own copy begins with a reference to what all copies share
            info, reference = self.dwarf.info, struct.pack("<I", entry.offset)
            at = info.find(reference)
            while at >= 0:
                try:
                    copy = self.dwarf.entry(at - 1)
                except LayoutUnknown:
                    copy = None
                if copy is not None and copy.tag == dwarf.SUBPROGRAM:
                    if copy.number(dwarf.ORIGIN) == entry.offset:
                        if self.dwarf.address(copy, dwarf.LOW_PC) == start:
                            return copy
                at = info.find(reference, at + 1)
        return None

    def _origin(self, entry: Entry) -> Entry:
        """What has the name and type of an entry that may leave them to another."""
        origin = entry.number(dwarf.ORIGIN)
        found = None if origin is None else self.dwarf.entry(origin)
        return found or entry

    def _collect(
        self,
        block: Entry,
        pc: int,
        function: Entry,
        base: bytes,
        found: List[Scope],
        depth: int = 0,
    ) -> Tuple[Entry, ...]:
        """Add the scopes of a block at `pc`, outermost first."""
        here: List[Entry] = []
        inner: Tuple[Entry, ...] = ()
        place = len(found)
        inlined: Optional[Entry] = None
        for child in self.dwarf.children(block) if depth < _MAX_DEPTH else ():
            if child.tag in (dwarf.VARIABLE, dwarf.FORMAL_PARAMETER):
                here.append(child)
            elif child.tag == dwarf.LEXICAL_BLOCK and self.dwarf.covers(child, pc):
                inner = self._collect(child, pc, function, base, found, depth + 1)
            elif child.tag == dwarf.INLINED_SUBROUTINE and self.dwarf.covers(child, pc):
                inlined = child
        entries = inner + tuple(reversed(here))
        if block.tag != dwarf.LEXICAL_BLOCK:
            found.insert(place, Scope(function.name, entries, base))
        if inlined is not None:
            self._collect(inlined, pc, self._origin(inlined), base, found, depth + 1)
        return entries

    def names(self, scope: Scope) -> Iterator[str]:
        """Names of a scope's variables, those of the innermost block first."""
        for entry in scope.entries:
            yield self._origin(entry).name

    def map_names(self, scope: Scope) -> Iterator[str]:
        """Names of a scope's variables that are maps."""
        for entry in scope.entries:
            origin = self._origin(entry)
            if self._go_kind(origin.number(dwarf.TYPE)) == _MAP:
                yield origin.name

    def variable(
        self,
        scope: Scope,
        name: str,
        pc: int,
        machine: Machine,
        read: Callable[[int, int], bytes],
    ) -> Optional[Variable]:
        """A parameter or local; None where it has no value at this instruction.

        :param machine: the frame
        :param read: reads memory
        :raises MapscopeError: if it is not where it should be
        """
        with _reading():
            for entry in scope.entries:
                origin = self._origin(entry)
                type = origin.number(dwarf.TYPE)
                if origin.name != name or type is None:
                    continue
                return self._read(scope, entry, self.type(type), pc, machine, read)
        return None

    def local(
        self,
        scope: Scope,
        name: str,
        pc: int,
        line: int,
        machine: Machine,
        read: Callable[[int, int], bytes],
    ) -> Optional[Variable]:
        """The parameter or local that a programmer means by a name; None: there is none.

        :param line: of the instruction; 0: not known
        :raises MapscopeError: if it has no value here
        """
        with _reading():
            same = [
                (entry, origin)
                for entry, origin in ((e, self._origin(e)) for e in scope.entries)
                # one that escapes is named so
                if origin.name in (name, f"&{name}") and dwarf.TYPE in origin.values
            ]
            lines = [
                0 if e.tag == dwarf.FORMAL_PARAMETER else origin.number(_DECL_LINE) or 0
                for e, origin in same
            ]
            chosen = declared_at(name, line, lines)
            if chosen is None:
                return None
            entry, origin = same[chosen]
            type = self.type(origin.number(dwarf.TYPE) or 0)
            found = self._read(scope, entry, type, pc, machine, read)
            if found is None:
                raise MapscopeError(f"{escape(name)} is optimized out here")
            if origin.name == name:
                return found
            data = read(found.address or 0, 8) if found.data is None else found.data
            return Variable(type.target(), int.from_bytes(data[:8], "little"))

    def _read(
        self,
        scope: Scope,
        entry: Entry,
        type: Type,
        pc: int,
        machine: Machine,
        read: Callable[[int, int], bytes],
    ) -> Optional[Variable]:
        location = self.dwarf.location(entry, pc)
        if location is None:
            return None
        pieces = machine.locate(location, scope.frame_base, self._indexed(entry))
        return self._value(type, pieces, read)

    @staticmethod
    def _value(
        type: Type, pieces: List[dwarf.Piece], read: Callable[[int, int], bytes]
    ) -> Optional[Variable]:
        if len(pieces) == 1 and pieces[0].size is None and pieces[0].address is not None:
            return Variable(type, pieces[0].address)
        data = b""
        for piece in pieces:
            size = type.size if piece.size is None else piece.size
            if piece.address is not None:
                data += read(piece.address, size)
            elif piece.value is not None:
                data += piece.value.to_bytes(8, "little")[:size]
            else:
                return None
        return Variable(type, None, data) if len(data) >= type.size else None

    # --- types ---

    def type_named(self, name: str) -> Optional[Type]:
        """The type with a full name; None: there is none."""
        with _reading():
            codes = [code for tag in _TYPES for code in self.dwarf.starting_with_name(tag, ())]
            found = (e for e in self._named(name.encode(), codes) if e.tag in _TYPES)
            entry = next(found, None)
            return None if entry is None else self.type(entry.offset)

    def type(self, offset: int) -> Type:
        """The type whose entry is at an offset."""
        known = self._types.get(offset)
        if known is None:
            known = replace(self._type(offset, 0), descriptor=lambda: self._descriptor(offset))
            self._types[offset] = known
        return known

    def _descriptor(self, offset: int) -> int:
        """Address of the descriptor of the type whose entry is at an offset
        (DW_AT_go_runtime_type); 0: the program has none, or that is not told."""
        with _reading():
            entry = self.dwarf.entry(offset)
            linked = 0 if entry is None else self.dwarf.address(entry, _GO_TYPE) or 0
            return linked + self.bias if linked else 0

    def _lazy(self, offset: Optional[int]) -> Callable[[], Type]:
        return lambda: VOID if offset is None else self.type(offset)

    def _type(self, offset: int, depth: int) -> Type:
        entry = self.dwarf.entry(offset)
        if entry is None or depth > _MAX_DEPTH:
            raise LayoutUnknown(f"debug information: no type at {offset:#x}")
        name, size = entry.name, entry.number(dwarf.BYTE_SIZE) or 0
        target, kind = entry.number(dwarf.TYPE), entry.number(_GO_KIND)
        if entry.tag == dwarf.BASE_TYPE:
            plain = _ENCODINGS.get(entry.number(dwarf.ENCODING) or 0, Kind.OPAQUE)
            return Type(plain, name, size)
        if entry.tag == dwarf.TYPEDEF and kind == _MAP:
            return self._map(entry, name)
        if entry.tag == dwarf.TYPEDEF and kind == _CHAN:
            return Type(Kind.CHAN, name, 8)
        if entry.tag == dwarf.TYPEDEF and target is not None:
            inner = self._type(target, depth + 1)
            # also a parameter's type in a function of type parameters, .param0
            return replace(inner, name=name or inner.name)
        if entry.tag == dwarf.POINTER:
            return Type(Kind.POINTER, name, 8, element=self._lazy(target))
        if entry.tag == dwarf.SUBROUTINE:
            return Type(Kind.FUNC, name, 8)
        if entry.tag == dwarf.ARRAY:
            return self._array(entry, name, size, target)
        if entry.tag == dwarf.STRUCTURE:
            return self._struct(entry, name, size, kind)
        return Type(Kind.OPAQUE, name, size)

    def _array(self, entry: Entry, name: str, size: int, target: Optional[int]) -> Type:
        length = 0
        for child in self.dwarf.children(entry):
            if child.tag == dwarf.SUBRANGE:
                length = child.number(dwarf.COUNT) or 0
        return Type(Kind.ARRAY, name, size, element=self._lazy(target), length=length)

    def _members(self, entry: Entry) -> Dict[str, Tuple[int, Optional[int]]]:
        """name -> (offset, type) of a structure's members."""
        return {
            child.name: (child.number(dwarf.MEMBER_LOCATION) or 0, child.number(dwarf.TYPE))
            for child in self.dwarf.children(entry)
            if child.tag == dwarf.MEMBER
        }

    def _struct(self, entry: Entry, name: str, size: int, kind: Optional[int]) -> Type:
        known = {
            "runtime.hmap": Kind.GO_HMAP,
            "runtime.eface": Kind.EMPTY_INTERFACE,
            "runtime.iface": Kind.INTERFACE,
        }.get(name)
        if known is not None:
            return Type(known, name, size)
        if kind == _STRING:
            return Type(Kind.STRING, name, size, data_offset=0, len_offset=8)
        if kind == _SLICE:
            return Type(Kind.SLICE, name, size, element=self._lazy(entry.number(_GO_ELEM)))
        fields: List[Field] = []
        for child in self.dwarf.children(entry):
            type = child.number(dwarf.TYPE)
            if child.tag == dwarf.MEMBER and type is not None:
                offset = child.number(dwarf.MEMBER_LOCATION) or 0
                label = child.name.rsplit(".", 1)[-1]
                embedded = bool(child.number(_GO_EMBEDDED))
                fields.append(Field(label, offset, self.type(type), embedded))
        return Type(Kind.STRUCT, name, size, tuple(fields))

    def _map(self, entry: Entry, name: str) -> Type:
        """A map type; its fields are those of its bucket, as in a debugger that reads DWARF."""
        header = self._pointee(entry.number(dwarf.TYPE))
        buckets = self._members(header).get("buckets") if header is not None else None
        if header is not None and buckets is None:
            return self._swiss_map(entry, header, name)
        if buckets is None:
            return Type(Kind.GO_MAP, name, 8, swiss=True)
        bucket = self._pointee(buckets[1])
        places = self._members(bucket) if bucket is not None else {}
        if not {"keys", "values", "overflow"} <= set(places):
            raise LayoutUnknown(f"debug information of {name} describes no bucket")
        return Type(
            Kind.GO_MAP,
            name,
            8,
            fields=tuple(
                Field(field, places[field][0], Type(Kind.OPAQUE, field, 0))
                for field in ("keys", "values", "overflow")
            ),
            key=self._lazy(entry.number(_GO_KEY)),
            element=self._lazy(entry.number(_GO_ELEM)),
        )

    def _swiss_map(self, entry: Entry, header: Entry, name: str) -> Type:
        """A Swiss map type; its fields are the group, and where its keys and elements begin,
        each with a type as large as from one to the next.

        The header's own pointer is typed for large maps: **table, whose groups have the
        group's type.
        """

        def within(structure: Optional[Entry], member: str) -> Optional[Entry]:
            members = self._members(structure) if structure is not None else {}
            return self._pointee(members[member][1]) if member in members else None

        group = within(within(within(header, "dirPtr"), "groups"), "data")
        places = self._members(group) if group is not None else {}
        if group is None or not places:
            return Type(Kind.GO_MAP, name, 8, swiss=True)
        if "slots" in places:
            start = places["slots"][0]
            slot = self._pointee(places["slots"][1])
            parts = self._members(slot) if slot is not None else {}
            if slot is None or not {"key", "elem"} <= set(parts):
                return Type(Kind.GO_MAP, name, 8, swiss=True)
            stride = slot.number(dwarf.BYTE_SIZE) or 0
            keys, elems = start + parts["key"][0], start + parts["elem"][0]
            strides = (stride, stride)
        else:
            keys, elems = places["keys"][0], places["elems"][0]
            sizes = [self.type(places[part][1] or 0).size // 8 for part in ("keys", "elems")]
            strides = (sizes[0], sizes[1])

        def field(label: str, offset: int, size: int) -> Field:
            return Field(label, offset, Type(Kind.OPAQUE, label, size))

        return Type(
            Kind.GO_MAP,
            name,
            8,
            fields=(
                field("group", 0, group.number(dwarf.BYTE_SIZE) or 0),
                field("keys", keys, strides[0]),
                field("values", elems, strides[1]),
            ),
            key=self._lazy(entry.number(_GO_KEY)),
            element=self._lazy(entry.number(_GO_ELEM)),
            swiss=True,
        )

    def _pointee(self, offset: Optional[int]) -> Optional[Entry]:
        """The structure that a pointer, perhaps behind names, or an array is of."""
        for _ in range(_MAX_DEPTH):
            entry = None if offset is None else self.dwarf.entry(offset)
            if entry is None:
                return None
            if entry.tag == dwarf.STRUCTURE:
                return entry
            offset = entry.number(dwarf.TYPE)
        return None

# SPDX-License-Identifier: MIT
"""What a C++ program's debug information says of its types and of its global variables.

For who has no debugger to ask. Only what stands in namespaces is gone through, by the references
from sibling to sibling: functions are passed over. Addresses are as linked. Facts: DWARF 5,
sections 4 and 5; what GCC and clang make of C++ (DW_AT_specification, DW_TAG_GNU_template_*).
What is read may be damaged: it is bounded, and ends in a LayoutUnknown.
"""

import struct
from bisect import bisect_right
from dataclasses import replace
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..errors import LayoutUnknown
from ..records import dataclass
from . import dwarf
from .cpp_declarators import (
    MEMBER_POINTER,
    REFERENCE,
    RVALUE_REFERENCE,
    TRANSPARENT,
    UNSPECIFIED,
    Declarators,
    NamedTypes,
)
from .cpp_names import STRING, STRING_VIEW, as_written, same_template, with_enumerators
from .cpp_spelling import UNNAMED
from .cpp_tables import TABLE
from .cpp_types import CppType, Form
from .cpp_types import Part as CppPart
from .dwarf import DebugInfo, Entry, Machine, Piece
from .types import CppClass, Field, Kind, Part, Type

_CLASS, _UNION, _ENUM, _ENUMERATOR, _ENUM_CLASS = 0x02, 0x17, 0x04, 0x28, 0x6D
_NAMESPACE, _INHERITANCE, _TYPE_PARAMETER, _VALUE_PARAMETER, _PACK = 0x39, 0x1C, 0x2F, 0x30, 0x4107
_SIBLING, _SPECIFICATION, _DECLARATION, _EXTERNAL, _CONST_VALUE = 0x01, 0x47, 0x3C, 0x3F, 0x1C
_VIRTUALITY, _ARTIFICIAL, _BIT_SIZE, _UPPER_BOUND = 0x4C, 0x34, 0x0D, 0x2F
_STR_OFFSETS_BASE, _STRX = 0x72, (0x1A, 0x25, 0x26, 0x27, 0x28)
_CALL, _CALL_PARAMETER, _CALL_VALUE, _RETURN_PC = 0x48, 0x49, 0x7E, 0x7D

_CLASSES = (dwarf.STRUCTURE, _CLASS, _UNION)
_TYPES = (*_CLASSES, _ENUM, dwarf.TYPEDEF, dwarf.BASE_TYPE)
_ENCODINGS = {
    2: Kind.BOOL,
    3: Kind.COMPLEX,
    4: Kind.FLOAT,
    5: Kind.INT,
    6: Kind.INT,
    7: Kind.UINT,
    8: Kind.UINT,
    0x10: Kind.UINT,  # char16_t and the like
}
_ANONYMOUS = "(anonymous namespace)"
#: aliases behind each other, types in types, members of one class, entries of one file
_MOST_ALIASES, _DEEPEST, _MOST_MEMBERS, _MOST_ENTRIES = 64, 12, 1 << 14, 1 << 23


@dataclass(frozen=True)
class CppScope:
    """A function, or one that was inlined, at an instruction.

    :ivar function: its name in full, without parameters
    :ivar entries: parameters and locals, those of the innermost block first
    :ivar frame_base: of the function whose code it is
    """

    function: str
    entries: Tuple[Entry, ...]
    frame_base: bytes


@dataclass(frozen=True)
class GlobalVariable:
    """A variable of a namespace, or a static one of a class.

    :ivar name: in full
    :ivar address: None: each thread has its own
    :ivar file: the source file that was compiled
    """

    name: str
    type: "DwarfType"
    address: Optional[int]
    file: str = ""


class CppDebugInfo(NamedTypes):
    """The debug information of one file.

    :param section: gives the bytes of a section, as b"" where there is none
    """

    def __init__(self, section: Callable[[str], bytes]) -> None:
        self.dwarf = DebugInfo(section)
        self._section = section
        self._offsets: Optional[bytes] = None
        self._strings: Optional[bytes] = None
        #: full name -> the entry of a type that is more than a declaration
        self._types: Dict[str, int] = {}
        self._templates: Dict[str, List[str]] = {}
        #: what is around entries that stand in namespaces, and in classes that were looked into
        self._scopes: Dict[int, str] = {}
        self._classes: List[Tuple[int, int, str]] = []
        self._variables: List[Entry] = []
        #: functions that have code, and (start, end, which of them) of it, by address
        self._functions: List[Entry] = []
        self._code: Optional[List[Tuple[int, int, int]]] = None
        self._bases: Dict[int, int] = {}
        self._left = _MOST_ENTRIES
        self._read()

    # --- the index ---

    def _read(self) -> None:
        for unit in self.dwarf.units:
            try:
                head = self.dwarf.head(unit)
                self._bases[unit.start] = head.number(_STR_OFFSETS_BASE) or 8
                self._scope(head, "", 0)
            except (LayoutUnknown, IndexError, struct.error):
                continue  # of another language, or damaged
        self._classes.sort()
        for name in self._types:
            if "<" in name:
                self._templates.setdefault(name.partition("<")[0], []).append(name)

    def _scope(self, parent: Entry, prefix: str, depth: int) -> None:
        """Note what stands in a namespace, or in a unit."""
        for entry in self._children(parent):
            self._left -= 1
            if self._left < 0 or depth > _DEEPEST:
                return
            if entry.tag == _NAMESPACE:
                name = self.name(entry) or _ANONYMOUS
                # what an inline one holds is its own in full names, too
                self._scope(entry, f"{prefix}{name}::", depth + 1)
            elif entry.tag in _TYPES:
                self._note_type(entry, prefix)
            elif entry.tag == dwarf.SUBPROGRAM:
                if dwarf.LOW_PC in entry.values or dwarf.RANGES in entry.values:
                    self._functions.append(entry)
                self._scopes[entry.offset] = prefix
            elif entry.tag == dwarf.VARIABLE:
                self._scopes[entry.offset] = prefix
                if dwarf.LOCATION in entry.values:
                    self._variables.append(entry)

    def _note_type(self, entry: Entry, prefix: str) -> None:
        name = self.name(entry)
        self._scopes[entry.offset] = prefix
        if entry.tag in _CLASSES and entry.has_children:
            end = entry.number(_SIBLING) or self.dwarf.after(entry)
            self._classes.append((entry.offset, end, f"{prefix}{name}::"))
        if name and _DECLARATION not in entry.values:
            self._types.setdefault(prefix + name, entry.offset)

    def _children(self, parent: Entry) -> Iterator[Entry]:
        """Direct children, past what is in them by their own references where there are such."""
        at = parent.end if parent.has_children else 0
        while at:
            child = self.dwarf.entry(at)
            if child is None:
                return
            yield child
            following = child.number(_SIBLING) if child.has_children else child.end
            at = self.dwarf.after(child) if following is None or following <= at else following

    def name(self, entry: Entry) -> str:
        """An entry's own name; "" where it has none."""
        value = entry.values.get(dwarf.NAME)
        if not isinstance(value, int):
            return entry.name
        if entry.forms.get(dwarf.NAME) not in _STRX:
            return ""
        if self._offsets is None:
            self._offsets = self._section(".debug_str_offsets")
            self._strings = self._section(".debug_str")
        base = self._bases.get(self.dwarf.unit_of(entry.offset).start, 8)
        raw, strings = self._offsets, self._strings or b""
        at = int.from_bytes(raw[base + 4 * value : base + 4 * value + 4], "little")
        return strings[at : strings.find(b"\0", at)].decode("utf-8", "replace")

    def full_name(self, entry: Entry) -> str:
        """A type's or a variable's name with what is around it."""
        return self._around(entry.offset) + self.name(entry)

    def _around(self, offset: int) -> str:
        """ "a::b::" of an entry in the namespaces or classes a and b; "" if not known."""
        known = self._scopes.get(offset)
        if known is not None:
            return known
        at = bisect_right(self._classes, (offset, 1 << 64, "")) - 1
        if at < 0 or not self._classes[at][0] < offset < self._classes[at][1]:
            return ""
        self._inside(self._classes[at][0], self._classes[at][2], 0)
        return self._scopes.get(offset, "")

    def _inside(self, offset: int, prefix: str, depth: int) -> None:
        """Note what stands in a class."""
        owner = self.dwarf.entry(offset)
        for child in self._children(owner) if owner is not None and depth < _DEEPEST else ():
            if child.offset in self._scopes:
                continue
            if child.tag in _TYPES or child.tag in (
                *(dwarf.VARIABLE, dwarf.MEMBER, dwarf.SUBPROGRAM),
            ):
                self._scopes[child.offset] = prefix
            if child.tag in _CLASSES:
                self._inside(child.offset, f"{prefix}{self.name(child)}::", depth + 1)

    # --- lookups ---

    @property
    def has_types(self) -> bool:
        """Whether there is any."""
        return bool(self._types)

    def type_named(self, name: str) -> Optional["DwarfType"]:
        """The type of a full name, as debug information, a demangler or a person writes it; None:
        there is none."""
        offset = self._types.get(name)
        if offset is None and "<" in name:
            spelled = same_template(self._templates.get(name.partition("<")[0], ()), name)
            offset = None if spelled is None else self._types[spelled]
        return None if offset is None else DwarfType(self, offset)

    def variables(self) -> Iterator[GlobalVariable]:
        """Variables of namespaces and classes that have a place."""
        for entry in self._variables:
            try:
                found = self._variable(entry)
            except (LayoutUnknown, IndexError, struct.error):
                continue
            if found is not None:
                yield found

    def _variable(self, entry: Entry) -> Optional[GlobalVariable]:
        declared: Optional[Entry] = entry
        specification = entry.number(_SPECIFICATION)
        if specification is not None:
            declared = self.dwarf.entry(specification)
        if declared is None:
            return None
        # an array may be completed where it is defined
        type = entry.number(dwarf.TYPE) or declared.number(dwarf.TYPE)
        code = entry.values.get(dwarf.LOCATION)
        if type is None or not isinstance(code, bytes):
            return None
        name = self.full_name(declared)
        unit = self.dwarf.unit_of(entry.offset)
        if code[-1:] in (b"\x9b", b"\xe0"):  # form_tls_address
            return GlobalVariable(name, DwarfType(self, type), None)
        machine = Machine(lambda register: None, lambda: None, lambda address: None, 0)
        pieces = machine.locate(code, b"", lambda i: self.dwarf.indexed_address(unit, i))
        if len(pieces) != 1 or not pieces[0].address:
            return None
        file = self.name(self.dwarf.head(unit))
        return GlobalVariable(name, DwarfType(self, type), pieces[0].address, file)

    # --- functions ---

    @property
    def has_functions(self) -> bool:
        """Whether it tells of any function's code."""
        return bool(self._functions)

    def _function_at(self, pc: int) -> Optional[Entry]:
        if self._code is None:
            self._code = []
            for index, entry in enumerate(self._functions):
                low, high = self.dwarf.address(entry, dwarf.LOW_PC), entry.number(dwarf.HIGH_PC)
                if low is not None and high is not None:
                    high += low if entry.forms[dwarf.HIGH_PC] != 0x01 else 0
                    self._code.append((low, high, index))
            self._code.sort()
        at = bisect_right(self._code, (pc, 1 << 64, 0)) - 1
        if at >= 0 and pc < self._code[at][1]:
            return self._functions[self._code[at][2]]
        # in several pieces
        several = (entry for entry in self._functions if dwarf.RANGES in entry.values)
        return next((entry for entry in several if self.dwarf.covers(entry, pc)), None)

    def scopes(self, pc: int) -> List[CppScope]:
        """The function at an instruction and those that are inlined there, innermost first.

        :raises LayoutUnknown: if that cannot be told
        """
        found: List[CppScope] = []
        entry = self._function_at(pc)
        if entry is not None:
            base = entry.values.get(dwarf.FRAME_BASE, b"")
            self._collect(entry, pc, base if isinstance(base, bytes) else b"", found, 0)
        return found[::-1]

    def _collect(
        self, block: Entry, pc: int, base: bytes, found: List[CppScope], depth: int
    ) -> Tuple[Entry, ...]:
        """Add the scopes of a block at `pc`, outermost first."""
        here: List[Entry] = []
        inner: Tuple[Entry, ...] = ()
        place = len(found)
        for child in self._children(block) if depth < _MOST_ALIASES else ():
            if child.tag in (dwarf.VARIABLE, dwarf.FORMAL_PARAMETER):
                here.append(child)
            elif child.tag == dwarf.LEXICAL_BLOCK and self.dwarf.covers(child, pc):
                inner = self._collect(child, pc, base, found, depth + 1)
            elif child.tag == dwarf.INLINED_SUBROUTINE and self.dwarf.covers(child, pc):
                self._collect(child, pc, base, found, depth + 1)
        entries = inner + tuple(reversed(here))
        if block.tag != dwarf.LEXICAL_BLOCK:
            found.insert(place, CppScope(self._function_name(block), entries, base))
        return entries

    def passed(self, pc: int, wanted: bytes, machine: Machine) -> Optional[int]:
        """What a call has passed in a register; None: not known.

        :param pc: behind the call, of the caller
        :param wanted: the register, as an expression
        :param machine: the caller's frame
        """
        entry = self._function_at(pc - 1)
        waiting, seen = [entry] if entry is not None else [], 0
        while waiting and seen < _MOST_MEMBERS:
            for child in self._children(waiting.pop()):
                seen += 1
                if child.tag in (dwarf.INLINED_SUBROUTINE, dwarf.LEXICAL_BLOCK):
                    if self.dwarf.covers(child, pc - 1):
                        waiting.append(child)
                elif child.tag == _CALL and self.dwarf.address(child, _RETURN_PC) == pc:
                    return self._parameter(child, wanted, machine)
        return None

    def _parameter(self, call: Entry, wanted: bytes, machine: Machine) -> Optional[int]:
        for child in self._children(call):
            code = child.values.get(_CALL_VALUE)
            if child.tag == _CALL_PARAMETER and child.values.get(dwarf.LOCATION) == wanted:
                if isinstance(code, bytes) and code:
                    unit = self.dwarf.unit_of(child.offset)
                    found = machine.locate(
                        code, b"", lambda i: self.dwarf.indexed_address(unit, i)
                    )[0]
                    return found.value if found.address is None else found.address
        return None

    def inlined(self, pc: int) -> Iterator[str]:
        """Names of all functions that are inlined in the one at an instruction."""
        entry = self._function_at(pc)
        waiting, seen = [entry] if entry is not None else [], 0
        while waiting and seen < _MOST_MEMBERS:
            for child in self._children(waiting.pop()):
                seen += 1
                if child.tag == dwarf.INLINED_SUBROUTINE:
                    yield self._function_name(child)
                if child.tag in (dwarf.INLINED_SUBROUTINE, dwarf.LEXICAL_BLOCK):
                    waiting.append(child)

    def _declared(self, entry: Entry) -> Entry:
        """What has the name of an entry that leaves it to another."""
        for _ in range(_DEEPEST):
            other = entry.number(dwarf.ORIGIN)
            if other is None:
                other = entry.number(_SPECIFICATION)
            found = None if other is None else self.dwarf.entry(other)
            if found is None:
                break
            entry = found
        return entry

    def _function_name(self, entry: Entry) -> str:
        return self.full_name(self._declared(entry))

    def locals(self, scope: CppScope) -> List[str]:
        """Names of a scope's parameters and locals, those of the innermost block first."""
        return [name for name in (self.name(self._declared(one)) for one in scope.entries) if name]

    def local_type(self, scope: CppScope, name: str) -> Optional["DwarfType"]:
        """The type of a parameter or local; None: there is none, or its type is not told."""
        for entry in scope.entries:
            declared = self._declared(entry)
            if self.name(declared) == name:
                type = declared.number(dwarf.TYPE)
                return None if type is None else DwarfType(self, type)
        return None

    def local(
        self, scope: CppScope, name: str, pc: int, machine: Machine
    ) -> Optional[Tuple["DwarfType", Piece]]:
        """The type of a parameter or local and where it is; None: it is nowhere, or none.

        :raises LayoutUnknown: if that needs what the frame has not
        """
        for entry in scope.entries:
            declared = self._declared(entry)
            if self.name(declared) != name:
                continue
            type, code = declared.number(dwarf.TYPE), self.dwarf.location(entry, pc)
            if type is None or code is None:
                return None
            unit = self.dwarf.unit_of(entry.offset)
            pieces = machine.locate(
                code, scope.frame_base, lambda i: self.dwarf.indexed_address(unit, i)
            )
            return (DwarfType(self, type), pieces[0]) if len(pieces) == 1 else None
        return None

    # --- types ---

    def plain(self, offset: Optional[int]) -> Optional[Entry]:
        """The entry of a type without aliases and qualifiers, the definition of what is only
        declared there; None: void."""
        for _ in range(_MOST_ALIASES):
            entry = None if offset is None else self.dwarf.entry(offset)
            if entry is None:
                return None
            if entry.tag != dwarf.TYPEDEF and entry.tag not in TRANSPARENT:
                if _DECLARATION in entry.values:
                    defined = self._types.get(self.full_name(entry))
                    found = None if defined is None else self.dwarf.entry(defined)
                    return found or entry
                return entry
            offset = entry.number(dwarf.TYPE)
        raise LayoutUnknown("debug information: a type is an alias of itself")

    def spelled(self, offset: Optional[int]) -> str:
        """A type's name; without qualifiers of its own, and aliases as they are."""
        return Declarators(self, True).text(None if offset is None else self.dwarf.entry(offset))

    def tag_of(self, entry: Optional[Entry]) -> str:
        """The name of a type without aliases."""
        return Declarators(self, False).text(entry)

    def named(self, entry: Entry) -> str:
        if entry.tag == dwarf.BASE_TYPE:
            return as_written(self.name(entry))
        if not self.name(entry):
            return UNNAMED
        return with_enumerators(self.full_name(entry), self._enumerators)

    def _enumerators(self, name: str) -> Dict[int, str]:
        offset = self._types.get(name)
        entry = None if offset is None else self.plain(offset)
        return {} if entry is None or entry.tag != _ENUM else self.enumerators(entry)

    def enumerators(self, entry: Entry) -> Dict[int, str]:
        """The names of an enumeration's values, in full."""
        scope = self._around(entry.offset)
        if _ENUM_CLASS in entry.values:
            scope += self.name(entry) + "::"
        names: Dict[int, str] = {}
        for child in self.dwarf.children(entry):
            value = child.number(_CONST_VALUE)
            if child.tag == _ENUMERATOR and value is not None:
                names[value] = scope + self.name(child)
        return names

    def length(self, entry: Entry) -> int:
        """Elements of an array, those of all its dimensions; 0: not known."""
        found = 1
        for child in self.dwarf.children(entry):
            if child.tag == dwarf.SUBRANGE:
                upper = child.number(_UPPER_BOUND)
                count = child.number(dwarf.COUNT)
                found *= upper + 1 if upper is not None and upper < 1 << 48 else count or 0
        return found

    def members(self, entry: Entry) -> List[Entry]:
        """Bases, members and static members of a class."""
        wanted = (dwarf.MEMBER, _INHERITANCE, dwarf.VARIABLE)
        found = [child for child in self._children(entry) if child.tag in wanted]
        if len(found) > _MOST_MEMBERS:
            raise LayoutUnknown("debug information: a class has too many members")
        return found

    def arguments(self, entry: Entry) -> List[Optional[int]]:
        """Types that a class template was given; None: in that place stands a value."""
        found: List[Optional[int]] = []
        for child in self._children(entry):
            for one in self._children(child) if child.tag == _PACK else (child,):
                if one.tag == _TYPE_PARAMETER:
                    found.append(one.number(dwarf.TYPE))
                elif one.tag == _VALUE_PARAMETER:
                    found.append(None)
        return found


def _has_place(member: Entry) -> bool:
    """Whether it is in bytes of its own in every object."""
    if member.tag == dwarf.VARIABLE or _EXTERNAL in member.values or _BIT_SIZE in member.values:
        return False
    if _DECLARATION in member.values or _CONST_VALUE in member.values:
        return False
    return not member.number(_VIRTUALITY)


class DwarfType(CppType):
    """A type of debug information.

    :ivar info: that it is of
    :ivar offset: of its entry, with aliases; None: void
    """

    def __init__(self, info: CppDebugInfo, offset: Optional[int]) -> None:
        self.info = info
        self.offset = offset
        entry = info.plain(offset)
        self.is_reference = entry is not None and entry.tag in (REFERENCE, RVALUE_REFERENCE)
        self.entry = entry
        self.form = Form.OTHER
        self.size = 0 if entry is None else entry.number(dwarf.BYTE_SIZE) or 0
        if entry is None:
            pass
        elif self.is_reference or entry.tag == dwarf.POINTER:
            self.form, self.size = Form.POINTER, 8
        elif entry.tag == dwarf.ARRAY:
            self.form = Form.ARRAY
            self.length = info.length(entry)
            self.size = self.size or self.length * DwarfType(info, entry.number(dwarf.TYPE)).size
        elif entry.tag in _CLASSES:
            self.form = Form.CLASS
            self.complete = _DECLARATION not in entry.values
        elif entry.tag == MEMBER_POINTER:
            self.size = 8
        self.tag = info.tag_of(entry)

    @property
    def is_polymorphic(self) -> bool:
        return self._is_polymorphic(0)

    def _is_polymorphic(self, depth: int) -> bool:
        if self.form is not Form.CLASS or self.entry is None or depth > _DEEPEST:
            return False
        for member in self.info.members(self.entry):
            if self.info.name(member).startswith("_vptr"):
                return True
            if member.tag == _INHERITANCE:
                base = DwarfType(self.info, member.number(dwarf.TYPE))
                if base._is_polymorphic(depth + 1):
                    return True
        return False

    def target(self) -> Optional[CppType]:
        if self.form not in (Form.POINTER, Form.ARRAY) or self.entry is None:
            return None
        offset = self.entry.number(dwarf.TYPE)
        found = self.info.plain(offset)
        if found is None or found.tag in (dwarf.SUBROUTINE, UNSPECIFIED):
            return None
        return DwarfType(self.info, offset)

    def parts(self) -> List[CppPart]:
        found: List[CppPart] = []
        for member in self._members():
            if not _has_place(member) or member.number(_ARTIFICIAL):
                continue
            is_base = member.tag == _INHERITANCE
            name = "" if is_base else self.info.name(member)
            type = DwarfType(self.info, member.number(dwarf.TYPE))
            found.append(CppPart(name, _offset_of(member), type, is_base))
        return found

    def _members(self) -> List[Entry]:
        if self.form is not Form.CLASS or self.entry is None:
            return []
        return self.info.members(self.entry)

    def static_members(self) -> List[str]:
        """Names of its static members."""
        return [
            self.info.name(one)
            for one in self._members()
            if one.tag != _INHERITANCE and (one.tag == dwarf.VARIABLE or _EXTERNAL in one.values)
        ]

    def argument(self, index: int) -> Optional[CppType]:
        found = [] if self.entry is None else self.info.arguments(self.entry)
        if not 0 <= index < len(found) or found[index] is None:
            return None
        return DwarfType(self.info, found[index])

    def described(self) -> Type:
        return self._described(0)

    # --- for who takes values apart ---

    @property
    def name(self) -> str:
        """As people write it."""
        return as_written(self.info.spelled(self.offset))

    def _inner(self, offset: Optional[int], depth: int) -> Type:
        return DwarfType(self.info, offset)._described(depth)

    def _lazy(self, offset: Optional[int], depth: int) -> Callable[[], Type]:
        return lambda: self._inner(offset, depth)

    def _described(self, depth: int) -> Type:
        entry, name, size = self.entry, self.name, self.size
        if entry is None or entry.tag == UNSPECIFIED:
            return Type(Kind.VOID, name, 0, native=self)
        target = entry.number(dwarf.TYPE)
        if self.is_reference:
            return self._inner(target, depth)
        if depth > _DEEPEST:
            return Type(Kind.OPAQUE, name, size, native=self)
        if entry.tag == dwarf.POINTER:
            return Type(Kind.POINTER, name, 8, element=self._lazy(target, depth + 1), native=self)
        if entry.tag == dwarf.BASE_TYPE:
            kind = _ENCODINGS.get(entry.number(dwarf.ENCODING) or 0, Kind.OPAQUE)
            if kind is Kind.FLOAT and size not in (4, 8):
                kind = Kind.OPAQUE
            return Type(kind, name, size, native=self)
        if entry.tag == _ENUM:
            names = self.info.enumerators(entry)
            return Type(Kind.ENUM, name, size, names=names, native=self)
        if self.form is Form.ARRAY:
            element = self._lazy(target, depth + 1)
            return Type(Kind.ARRAY, name, size, element=element, length=self.length, native=self)
        if self.form is not Form.CLASS:
            return Type(Kind.OPAQUE, name, size, native=self)
        opaque = Type(Kind.OPAQUE, name, size, as_class=self._as_class, native=self)
        return self._class_described(opaque, depth)

    def _class_described(self, opaque: Type, depth: int) -> Type:
        """A class, as far as its values can be taken apart; else as it is."""
        tag = self.tag
        if self.entry is None or self.entry.tag == _UNION:
            return opaque
        if tag.startswith("mapscope::map<"):
            key, elem = self.argument(0), self.argument(1)
            if not isinstance(key, DwarfType) or not isinstance(elem, DwarfType):
                return opaque
            return replace(
                opaque,
                kind=Kind.RUNTIME_MAP,
                name=f"mapscope::map<{key.name}, {elem.name}>",
                key=self._lazy(key.offset, depth + 1),
                element=self._lazy(elem.offset, depth + 1),
            )
        if tag == "mapscope::hmap":
            return replace(opaque, kind=Kind.RUNTIME_HMAP)
        for pattern, data, length in (
            (STRING, ("_M_dataplus", "_M_p"), ("_M_string_length",)),
            (STRING_VIEW, ("_M_str",), ("_M_len",)),
        ):
            if "::" in tag and pattern.match(tag):
                pointer, count = self._path(data), self._path(length)
                if pointer is None or count is None:
                    return opaque  # another standard library
                return replace(opaque, kind=Kind.STRING, data_offset=pointer, len_offset=count)
        if tag.startswith("std::array<"):
            elements = next((one.type for one in self.parts() if one.name == "_M_elems"), None)
            if isinstance(elements, DwarfType) and elements.form is Form.ARRAY:
                within = elements.entry.number(dwarf.TYPE) if elements.entry else None
                inner = self._lazy(within, depth + 1)
                return replace(opaque, kind=Kind.ARRAY, element=inner, length=elements.length)
        is_pair = tag.startswith("std::pair<")
        if TABLE.match(tag) or not self.complete or (tag.startswith("std::") and not is_pair):
            return opaque
        fields = self._fields(is_pair, depth)
        return opaque if fields is None else replace(opaque, kind=Kind.STRUCT, fields=fields)

    def _fields(self, is_pair: bool, depth: int) -> Optional[Tuple[Field, ...]]:
        """Members and bases; None: some are in no bytes of their own."""
        fields: List[Field] = []
        for member in self._members():
            if member.tag == dwarf.VARIABLE or _EXTERNAL in member.values:
                continue  # static
            if is_pair and member.tag == _INHERITANCE:
                continue
            if not _has_place(member) or member.number(_ARTIFICIAL):
                return None
            type = DwarfType(self.info, member.number(dwarf.TYPE))
            label = type.tag if member.tag == _INHERITANCE else self.info.name(member)
            fields.append(Field(label, _offset_of(member), type._described(depth + 1)))
        return tuple(fields)

    def _path(self, names: Tuple[str, ...]) -> Optional[int]:
        """Bytes from its beginning to a member of members."""
        type: CppType = self
        place = 0
        for name in names:
            part = next((part for part in type.parts() if part.name == name), None)
            if part is None:
                return None
            place, type = place + part.offset, part.type
        return place

    def _as_class(self) -> CppClass:
        parts = tuple(Part(part.name, part.offset, part.type.described()) for part in self.parts())

        def argument(index: int) -> Optional[Type]:
            found = self.argument(index)
            return None if found is None else found.described()

        return CppClass(self.tag, parts, argument)


def _offset_of(member: Entry) -> int:
    return member.number(dwarf.MEMBER_LOCATION) or 0

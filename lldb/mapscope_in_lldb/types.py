# SPDX-License-Identifier: MIT
"""lldb.SBType -> core's Type.

What this knows: how LLDB presents the debug information of C++ programs. Go's it does not
present at all; core's go_dwarf reads it.
"""

import re
from dataclasses import replace
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import lldb

from mapscope.program.cpp_names import (
    STRING,
    STRING_VIEW,
    as_written,
    template_arguments,
    with_enumerators,
)
from mapscope.program.cpp_tables import RUST_TEXTS, TABLE
from mapscope.program.types import CppClass, Field, Kind, Part, Type

#: deepest nesting of types looked into
_MAX_DEPTH = 12
_CLASSES = lldb.eTypeClassStruct | lldb.eTypeClassClass
_FLOATS = (lldb.eBasicTypeFloat, lldb.eBasicTypeDouble)
_COMPLEX = (lldb.eBasicTypeFloatComplex, lldb.eBasicTypeDoubleComplex)
#: bytes of libstdc++'s std::string with the ABI of GCC 5 and later, which __cxx11 names
_STRING_SIZE = 32
_STRING_VIEW_SIZE = 16

_NO_TUPLE = "std::tuple<>"
_FIRST_QUALIFIERS = re.compile(r"^((const|volatile) )+")
_LAST_QUALIFIERS = re.compile(r"(?<=\*) ?((const|volatile)\b ?)+$")


def describe(native: lldb.SBType) -> Type:
    """Core's Type of an SBType; references become what they refer to."""
    return _describe(native, 0)


def spelled(native: lldb.SBType) -> str:
    """The type's name as people write it, without qualifiers of its own.

    GetUnqualifiedType takes those of what a pointer points at as well.
    """
    name = full_name(native, with_tuples(native, str(native.GetName() or "?")))
    if native.IsPointerType():
        name = _LAST_QUALIFIERS.sub("", name)
    else:
        name = _FIRST_QUALIFIERS.sub("", name)
    return as_written(name)


def full_name(native: lldb.SBType, name: str) -> str:
    """The name of a type with the names of enumerators, which GCC's debug information has not."""

    def values(enumeration: str) -> Dict[int, str]:
        type = native.GetModule().FindFirstType(enumeration)
        return _enumerators(type.GetCanonicalType()) if type.IsValid() else {}

    return with_enumerators(name, values)


def _enumerators(type: lldb.SBType) -> Dict[int, str]:
    """The names of an enumeration's values, in full."""
    scope = str(type.GetName())
    if not type.IsScopedEnumerationType():
        scope = scope.rpartition("::")[0]
    prefix = f"{scope}::" if scope else ""
    signed = _is_signed(type)
    return {
        int(m.GetValueAsSigned() if signed else m.GetValueAsUnsigned()): prefix + str(m.GetName())
        for m in type.GetEnumMembers()
    }


def with_tuples(native: lldb.SBType, name: str, depth: int = 0) -> str:
    """The name of a type with what LLDB 19 leaves out of it: the elements of a std::tuple."""
    if _NO_TUPLE not in name or depth > _MAX_DEPTH:
        return name
    type = native.GetCanonicalType()
    if type.IsPointerType() or type.IsReferenceType():
        target = type.GetPointeeType() if type.IsPointerType() else type.GetDereferencedType()
        inner = str(target.GetName() or "?")
        return name.replace(inner, with_tuples(target, inner, depth + 1), 1)
    type, start = type.GetUnqualifiedType(), name.find("<")
    parts, end = template_arguments(name, start)
    if name[:start].endswith("std::tuple") and not parts:
        # the base class has the elements behind its own number
        type = type.GetDirectBaseClassAtIndex(0).GetType()
        base = str(type.GetName() or "")
        parts, last = template_arguments(base, base.find("<")) if "<" in base else ([], -1)
        if last < 0:
            return name
        made = [_argument(type, at, parts[at], depth) for at in range(1, len(parts))]
    else:
        made = [_argument(type, at, part, depth) for at, part in enumerate(parts)]
    return f"{name[:start]}<{', '.join(made)}>{name[end + 1 :]}" if end >= 0 else name


def _argument(type: lldb.SBType, index: int, name: str, depth: int) -> str:
    """An argument of a class template, by its name."""
    found = type.GetTemplateArgumentType(index)
    return with_tuples(found, name, depth + 1) if found.IsValid() else name


def _lazy(native: lldb.SBType, depth: int) -> Callable[[], Type]:
    return lambda: _describe(native, depth)


def _describe(native: lldb.SBType, depth: int) -> Type:
    type = native.GetCanonicalType().GetUnqualifiedType()
    if type.IsReferenceType():
        return _describe(type.GetDereferencedType(), depth)
    name, size = spelled(native), int(type.GetByteSize())
    if depth > _MAX_DEPTH:
        return Type(Kind.OPAQUE, name, size, native=native)
    which = type.GetTypeClass()
    if which == lldb.eTypeClassPointer:
        target = type.GetPointeeType()
        return Type(Kind.POINTER, name, size, element=_lazy(target, depth + 1), native=native)
    if which == lldb.eTypeClassEnumeration:
        return Type(Kind.ENUM, name, size, names=_enumerators(type), native=native)
    if which == lldb.eTypeClassArray:
        element = type.GetArrayElementType()
        each = int(element.GetByteSize())
        length = size // each if each else 0
        return Type(
            Kind.ARRAY, name, size, element=_lazy(element, depth + 1), length=length, native=native
        )
    if which & _CLASSES:
        made = _struct(native, type, name, size, depth)
        return replace(made, as_class=lambda: _class(type))
    if which == lldb.eTypeClassUnion:
        return Type(Kind.OPAQUE, name, size, native=native, as_class=lambda: _class(type))
    if which == lldb.eTypeClassFunction:
        return Type(Kind.FUNC, name, 8, native=native)
    return Type(_scalar(type, size), name, size, native=native)


def _scalar(type: lldb.SBType, size: int) -> Kind:
    """The kind of a builtin type."""
    basic, flags = type.GetBasicType(), type.GetTypeFlags()
    if basic == lldb.eBasicTypeVoid:
        return Kind.VOID
    if basic == lldb.eBasicTypeBool:
        return Kind.BOOL
    if basic in _FLOATS and size in (4, 8):
        return Kind.FLOAT
    if basic in _COMPLEX:
        return Kind.COMPLEX
    if flags & lldb.eTypeIsInteger and type.GetTypeClass() == lldb.eTypeClassBuiltin:
        return Kind.INT if flags & lldb.eTypeIsSigned else Kind.UINT
    return Kind.OPAQUE


def _is_signed(enumeration: lldb.SBType) -> bool:
    return bool(enumeration.GetEnumerationIntegerType().GetTypeFlags() & lldb.eTypeIsSigned)


def _struct(native: lldb.SBType, type: lldb.SBType, name: str, size: int, depth: int) -> Type:
    tag = str(type.GetName() or "")
    if tag.startswith("mapscope::map<"):
        key, elem = type.GetTemplateArgumentType(0), type.GetTemplateArgumentType(1)
        if not key.IsValid() or not elem.IsValid():
            return Type(Kind.OPAQUE, name, size, native=native)
        return Type(
            Kind.RUNTIME_MAP,
            f"mapscope::map<{spelled(key)}, {spelled(elem)}>",
            size,
            key=_lazy(key, depth + 1),
            element=_lazy(elem, depth + 1),
            native=native,
        )
    if tag == "mapscope::hmap":
        return Type(Kind.RUNTIME_HMAP, name, size, native=native)
    if "::" in tag:
        known = _standard(native, type, tag, name, size, depth)
        if known is not None:
            return known
    if tag in RUST_TEXTS:
        places = [_place(type, path) for path in RUST_TEXTS[tag]]
        if None not in places:
            return Type(
                Kind.STRING,
                name,
                size,
                data_offset=places[0] or 0,
                len_offset=places[1] or 0,
                native=native,
            )
    fields = None if TABLE.match(tag) else _fields(type, depth)
    if fields is None:
        return Type(Kind.OPAQUE, name, size, native=native)
    return Type(Kind.STRUCT, name, size, tuple(fields), native=native)


def _fields(type: lldb.SBType, depth: int) -> Optional[List[Field]]:
    """Bases and members; None where core cannot take the class apart."""
    if type.IsPolymorphicClass() or type.GetNumberOfVirtualBaseClasses():
        return None
    fields: List[Field] = []
    for member in _members(type):
        if member.IsBitfield():
            return None
        inner = member.GetType()
        fields.append(
            Field(
                str(member.GetName() or ""),
                int(member.GetOffsetInBytes()),
                _describe(inner, depth + 1),
            )
        )
    return fields


def _place(type: lldb.SBType, path: Tuple[str, ...]) -> Optional[int]:
    """Where a member of a member ... is; None: there is none of that name."""
    offset = 0
    for name in path:
        found = next((member for member in _members(type) if member.GetName() == name), None)
        if found is None:
            return None
        offset += int(found.GetOffsetInBytes())
        type = found.GetType().GetCanonicalType()
    return offset


def _class(type: lldb.SBType) -> CppClass:
    """What debug information says of a class."""
    bases = int(type.GetNumberOfDirectBaseClasses())
    parts: List[Part] = []
    for at, member in enumerate(_members(type)):
        if member.IsBitfield():
            continue
        label = "" if at < bases else str(member.GetName() or "")
        inner = _describe(member.GetType(), 1)
        parts.append(Part(label, int(member.GetOffsetInBytes()), inner))

    def argument(index: int) -> Optional[Type]:
        found = type.GetTemplateArgumentType(index)
        return _describe(found, 1) if found.IsValid() else None

    def nested(name: str) -> Optional[Type]:
        found = type.GetCanonicalType().FindDirectNestedType(name)
        return _describe(found, 1) if found.IsValid() and found.GetByteSize() else None

    return CppClass(full_name(type, str(type.GetName() or "")), tuple(parts), argument, nested)


def _members(type: lldb.SBType) -> Iterator[lldb.SBTypeMember]:
    for index in range(type.GetNumberOfDirectBaseClasses()):
        yield type.GetDirectBaseClassAtIndex(index)
    for index in range(type.GetNumberOfFields()):
        yield type.GetFieldAtIndex(index)


def _standard(
    native: lldb.SBType, type: lldb.SBType, tag: str, name: str, size: int, depth: int
) -> Optional[Type]:
    """Classes of the C++ library that core can read, or leaves to LLDB.

    The members of std::string are not asked for: LLDB 19 prints an error of its own when it
    looks at what GCC 12 says of them.
    """
    if STRING.match(tag):
        if tag.startswith("std::__cxx11::") and size == _STRING_SIZE:
            return Type(Kind.STRING, name, size, data_offset=0, len_offset=8, native=native)
        return Type(Kind.OPAQUE, name, size, native=native)
    if STRING_VIEW.match(tag):
        places = {str(m.GetName()): int(m.GetOffsetInBytes()) for m in _members(type)}
        if {"_M_len", "_M_str"} <= set(places) and size == _STRING_VIEW_SIZE:
            return Type(
                Kind.STRING,
                name,
                size,
                data_offset=places["_M_str"],
                len_offset=places["_M_len"],
                native=native,
            )
        return Type(Kind.OPAQUE, name, size, native=native)
    if not tag.startswith("std::"):
        return None
    if tag.startswith("std::pair<"):
        parts: List[Tuple[str, lldb.SBTypeMember]] = [
            (str(f.GetName()), f)
            for f in (type.GetFieldAtIndex(i) for i in range(type.GetNumberOfFields()))
        ]
        fields = tuple(
            Field(label, int(f.GetOffsetInBytes()), _describe(f.GetType(), depth + 1))
            for label, f in parts
        )
        return Type(Kind.STRUCT, name, size, fields, native=native)
    if tag.startswith("std::array<"):
        for member in _members(type):
            inner = member.GetType()
            array = inner.GetCanonicalType()
            if member.GetName() == "_M_elems" and array.GetTypeClass() == lldb.eTypeClassArray:
                described = _describe(array, depth)
                return Type(
                    Kind.ARRAY,
                    name,
                    size,
                    element=described.element,
                    length=described.length,
                    native=native,
                )
    return Type(Kind.OPAQUE, name, size, native=native)

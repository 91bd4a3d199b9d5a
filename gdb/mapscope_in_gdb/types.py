# SPDX-License-Identifier: MIT
"""gdb.Type -> core's Type.

What this knows: how gdb presents the DWARF of C++ and Go programs. Shapes are
recognised by the names that the compilers and libstdc++ give them: cmd/link
(dwarf.go) for Go's strings, slices, interfaces, channels and maps.
"""

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple

import gdb

from mapscope.program.cpp_names import STRING, STRING_VIEW, as_written, with_enumerators
from mapscope.program.cpp_spelling import UNNAMED
from mapscope.program.cpp_tables import RUST_TEXTS, TABLE
from mapscope.program.types import CppClass, Field, Kind, Part, Type
from .names import is_go_header

_INTEGERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR)
#: deepest nesting of types looked into
_MAX_DEPTH = 12


def describe(native: gdb.Type) -> Type:
    """Core's Type of a gdb.Type; references become what they refer to."""
    return _describe(native, 0)


def is_go_map(native: gdb.Type) -> bool:
    """Whether it is a Go map[K]V: a typedef of a pointer to hash<K,V> or map<K,V>."""
    type = native.strip_typedefs()
    if type.code != gdb.TYPE_CODE_PTR or native.code != gdb.TYPE_CODE_TYPEDEF:
        return False
    return is_go_header(type.target())


def go_map_of_header(native: gdb.Type) -> Optional[Type]:
    """The map type whose header hash<K,V> is, or None."""
    header = native.strip_typedefs()
    if header.code != gdb.TYPE_CODE_STRUCT or not is_go_header(header):
        return None
    key, elem = _split_arguments(header.name)
    return _go_map(native, header, f"map[{key}]{elem}")


def _lazy(native: gdb.Type, depth: int) -> Callable[[], Type]:
    return lambda: _describe(native, depth)


def _describe(native: gdb.Type, depth: int) -> Type:
    type = native.strip_typedefs()
    if type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return _describe(type.target(), depth)
    name = _name(native)
    code, size = type.code, int(type.sizeof)
    if depth > _MAX_DEPTH:
        return Type(Kind.OPAQUE, name, size, native=native)
    if code == gdb.TYPE_CODE_PTR:
        return _pointer(native, type, name, depth)
    if code == gdb.TYPE_CODE_BOOL:
        return Type(Kind.BOOL, name, size, native=native)
    if code in _INTEGERS:
        return Type(Kind.INT if _is_signed(type) else Kind.UINT, name, size, native=native)
    if code == gdb.TYPE_CODE_FLT:
        kind = Kind.FLOAT if size in (4, 8) else Kind.OPAQUE
        return Type(kind, name, size, native=native)
    if code == gdb.TYPE_CODE_COMPLEX:
        return Type(Kind.COMPLEX, name, size, native=native)
    if code == gdb.TYPE_CODE_ENUM:
        names = {int(f.enumval): str(f.name) for f in type.fields()}
        return Type(Kind.ENUM, name, size, names=names, native=native)
    if code == gdb.TYPE_CODE_ARRAY:
        return _array(native, type, name, depth)
    if code == gdb.TYPE_CODE_STRUCT:
        return replace(_struct(native, type, name, depth), as_class=lambda: _class(type))
    if code == gdb.TYPE_CODE_FUNC:
        # a Go func value is a pointer that cmd/link describes as the function itself
        return Type(Kind.FUNC, name, 8, native=native)
    if code == gdb.TYPE_CODE_VOID:
        return Type(Kind.VOID, name, 0, native=native)
    if code == gdb.TYPE_CODE_UNION:
        return Type(Kind.OPAQUE, name, size, native=native, as_class=lambda: _class(type))
    return Type(Kind.OPAQUE, name, size, native=native)


def _name(native: gdb.Type) -> str:
    """The type's name as users write it."""
    native = native.unqualified()
    if native.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) and not native.name:
        return UNNAMED
    return as_written(with_enumerators(str(native.name or native), enumerators))


def enumerators(name: str) -> Dict[int, str]:
    """The names of an enumeration's values, in full; {}: there is no such."""
    try:
        type = gdb.lookup_type(name).strip_typedefs()
        if type.code != gdb.TYPE_CODE_ENUM:
            return {}
        return {int(field.enumval): str(field.name) for field in type.fields()}
    except (gdb.error, RuntimeError):
        return {}


def _is_signed(type: gdb.Type) -> bool:
    try:
        return bool(type.is_signed)
    except (AttributeError, ValueError):  # before gdb 12
        return bool(gdb.Value(b"\xff" * int(type.sizeof), type) < 0)


def _pointer(native: gdb.Type, type: gdb.Type, name: str, depth: int) -> Type:
    target = type.target()
    if native.code == gdb.TYPE_CODE_TYPEDEF:
        if is_go_header(target):
            return _go_map(native, target.strip_typedefs(), name)
        if (target.strip_typedefs().name or "").startswith("hchan<"):
            return Type(Kind.CHAN, name, 8, native=native)
    return Type(Kind.POINTER, name, 8, element=_lazy(target, depth + 1), native=native)


def _go_map(native: gdb.Type, header: gdb.Type, name: str) -> Type:
    """A map type of a Go program; its fields are those of its bucket."""
    fields = {f.name: f for f in header.fields()}
    buckets = fields.get("buckets")
    if buckets is None:
        return _swiss_map(native, header, name)
    bucket = buckets.type.strip_typedefs().target().strip_typedefs()
    parts = {f.name: f for f in bucket.fields()}
    key_name, elem_name = _split_arguments(header.name or "")
    key = _slot_type(parts["keys"].type, key_name)
    elem = _slot_type(parts["values"].type, elem_name)
    return Type(
        Kind.GO_MAP,
        name,
        8,
        fields=tuple(
            Field(n, int(parts[n].bitpos) // 8, Type(Kind.OPAQUE, n, 0))
            for n in ("keys", "values", "overflow")
        ),
        key=_go_named(key, key_name),
        element=_go_named(elem, elem_name),
        native=native,
    )


def _swiss_map(native: gdb.Type, header: gdb.Type, name: str) -> Type:
    """A Swiss map type; its fields are the group and where its keys and elements begin, each
    with a type as large as from one to the next.

    The header's own pointer is typed for large maps: **table, whose groups have the group's type.
    """
    key_name, elem_name = _split_arguments(header.name or "")
    try:
        table = header["dirPtr"].type.target().target().strip_typedefs()
        group = table["groups"].type.strip_typedefs()["data"].type.target().strip_typedefs()
        names = {field.name: field for field in group.fields()}
        if "slots" in names:
            slots = names["slots"]
            slot = slots.type.strip_typedefs().target().strip_typedefs()
            stride, start = int(slot.sizeof), int(slots.bitpos) // 8
            key, elem = slot["key"], slot["elem"]
            places = (start + int(key.bitpos) // 8, start + int(elem.bitpos) // 8)
            strides, types = (stride, stride), (key.type, elem.type)
        else:
            keys, elems = names["keys"], names["elems"]
            places = (int(keys.bitpos) // 8, int(elems.bitpos) // 8)
            types = (keys.type.strip_typedefs().target(), elems.type.strip_typedefs().target())
            strides = (_stride(types[0]), _stride(types[1]))
    except (KeyError, gdb.error, RuntimeError, AttributeError):
        return Type(Kind.GO_MAP, name, 8, swiss=True, native=native)

    def part(label: str, offset: int, size: int) -> Field:
        return Field(label, offset, Type(Kind.OPAQUE, label, size))

    return Type(
        Kind.GO_MAP,
        name,
        8,
        fields=(
            part("group", 0, int(group.sizeof)),
            part("keys", places[0], strides[0]),
            part("values", places[1], strides[1]),
        ),
        key=_go_named(_whole(types[0], key_name), key_name),
        element=_go_named(_whole(types[1], elem_name), elem_name),
        swiss=True,
        native=native,
    )


def _stride(type: gdb.Type) -> int:
    """Bytes of a value in an array: a Go func value is a pointer, which gdb takes for code."""
    is_code = type.strip_typedefs().code == gdb.TYPE_CODE_FUNC
    return 8 if is_code else int(type.sizeof)


def _go_named(native: gdb.Type, name: str) -> Callable[[], Type]:
    """Pointers have no name for gdb, which would write them as C does."""

    def make() -> Type:
        type = _describe(native, 1)
        return replace(type, name=name) if type.kind is Kind.POINTER else type

    return make


def _slot_type(array: gdb.Type, name: str) -> gdb.Type:
    """The type K of a bucket's [8]K."""
    return _whole(array.strip_typedefs().target(), name)


def _whole(slot: gdb.Type, name: str) -> gdb.Type:
    """The type of what a slot holds.

    A key or element over 128 bytes stands in the bucket as a pointer to it
    (cmd/link, dwarf.go, synthesizemaptypes); the header's name tells it from a
    map whose keys are pointers.
    """
    if slot.code == gdb.TYPE_CODE_PTR and not name.startswith("*"):
        target = slot.target()
        if int(target.sizeof) > 128 and target.code != gdb.TYPE_CODE_FUNC:
            return target
    return slot


def _split_arguments(name: str) -> Tuple[str, str]:
    """("K", "V") of "hash<K,V>"."""
    inner = name[name.index("<") + 1 : -1]
    depth = 0
    quote = ""
    at = 0
    while at < len(inner):
        char = inner[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif inner.startswith("<-", at) or inner.startswith("->", at):
            at += 1
        elif char in '"`':
            quote = char
        elif char in "<[({":
            depth += 1
        elif char in ">])}":
            depth -= 1
        elif char == "," and depth == 0:
            return inner[:at], inner[at + 1 :]
        at += 1
    return inner, ""


def _array(native: gdb.Type, type: gdb.Type, name: str, depth: int) -> Type:
    low, high = type.range()
    element = type.target()
    length = max(0, int(high) - int(low) + 1)
    size = int(type.sizeof)
    if element.strip_typedefs().code == gdb.TYPE_CODE_FUNC:
        size = 8 * length
    return Type(
        Kind.ARRAY, name, size, element=_lazy(element, depth + 1), length=length, native=native
    )


def _struct(native: gdb.Type, type: gdb.Type, name: str, depth: int) -> Type:
    tag = type.name or ""
    size = int(type.sizeof)
    if tag.startswith("mapscope::map<"):
        try:
            key, elem = type.template_argument(0), type.template_argument(1)
        except RuntimeError:
            return Type(Kind.OPAQUE, name, size, native=native)
        return Type(
            Kind.RUNTIME_MAP,
            f"mapscope::map<{_name(key)}, {_name(elem)}>",
            size,
            key=_lazy(key, depth + 1),
            element=_lazy(elem, depth + 1),
            native=native,
        )
    if tag == "mapscope::hmap":
        return Type(Kind.RUNTIME_HMAP, name, size, native=native)
    if tag == "runtime.hmap":
        return Type(Kind.GO_HMAP, name, size, native=native)
    if tag == "runtime.eface":
        return Type(Kind.EMPTY_INTERFACE, name, size, native=native)
    if tag == "runtime.iface":
        return Type(Kind.INTERFACE, name, size, native=native)
    if tag in RUST_TEXTS:
        return _text(native, type, name, *RUST_TEXTS[tag])
    known = _standard(native, type, tag, name, depth)
    if known is not None:
        return known
    if TABLE.match(tag):
        return Type(Kind.OPAQUE, name, size, native=native)
    fields: List[Field] = []
    places: Dict[str, Any] = {}
    for field in type.fields():
        if not hasattr(field, "bitpos"):
            continue  # static
        if field.bitsize or field.artificial or field.bitpos is None:  # a virtual base
            return Type(Kind.OPAQUE, name, size, native=native)
        label = str(field.name).rsplit(".", 1)[-1] if field.name else ""
        places[label] = field
        fields.append(Field(label, int(field.bitpos) // 8, _describe(field.type, depth + 1)))
    if set(places) == {"str", "len"} and size == 16 and _is_go_name(tag):
        return Type(Kind.STRING, name, size, data_offset=0, len_offset=8, native=native)
    if list(places) == ["array", "len", "cap"] and size == 24 and _is_go_name(tag):
        element = places["array"].type.strip_typedefs().target()
        return Type(Kind.SLICE, name, size, element=_lazy(element, depth + 1), native=native)
    return Type(Kind.STRUCT, name, size, tuple(fields), native=native)


def _class(type: gdb.Type) -> CppClass:
    """What debug information says of a class."""
    type = type.unqualified().strip_typedefs()
    parts: List[Part] = []
    for field in type.fields():
        if not hasattr(field, "bitpos") or field.bitpos is None or field.bitsize:
            continue  # static, a virtual base, some bits
        label = "" if field.is_base_class else str(field.name or "")
        parts.append(Part(label, int(field.bitpos) // 8, _describe(field.type, 1)))

    def argument(index: int) -> Optional[Type]:
        try:
            found = type.template_argument(index)
        except (gdb.error, RuntimeError):
            return None
        return _describe(found, 1) if isinstance(found, gdb.Type) else None

    def nested(name: str) -> Optional[Type]:
        try:
            return _describe(gdb.lookup_type(f"{type.name}::{name}"), 1)
        except (gdb.error, RuntimeError):
            return None

    tag = with_enumerators(str(type.name or ""), enumerators)
    return CppClass(tag, tuple(parts), argument, nested)


def _is_go_name(name: str) -> bool:
    """Whether no C++ type can have this name, or it is Go's own string."""
    return name == "string" or name.startswith("[]") or ("." in name and "::" not in name)


def _standard(native: gdb.Type, type: gdb.Type, tag: str, name: str, depth: int) -> Optional[Type]:
    """Classes of the C++ library that core can read, or leaves to gdb."""
    if "::" not in tag:
        return None
    if STRING.match(tag):
        return _text(native, type, name, ("_M_dataplus", "_M_p"), ("_M_string_length",))
    if STRING_VIEW.match(tag):
        return _text(native, type, name, ("_M_str",), ("_M_len",))
    if not tag.startswith("std::"):
        return None
    if tag.startswith("std::pair<"):
        parts = [f for f in type.fields() if not f.is_base_class and hasattr(f, "bitpos")]
        return Type(
            Kind.STRUCT,
            name,
            int(type.sizeof),
            tuple(
                Field(str(f.name), int(f.bitpos) // 8, _describe(f.type, depth + 1)) for f in parts
            ),
            native=native,
        )
    if tag.startswith("std::array<"):
        for field in type.fields():
            if field.name == "_M_elems" and field.type.strip_typedefs().code == (
                gdb.TYPE_CODE_ARRAY
            ):
                return _array(native, field.type.strip_typedefs(), name, depth)
    return Type(Kind.OPAQUE, name, int(type.sizeof), native=native)


def _text(
    native: gdb.Type,
    type: gdb.Type,
    name: str,
    data: Tuple[str, ...],
    length: Tuple[str, ...],
) -> Type:
    """std::string or std::string_view of libstdc++, or a string of Rust's."""
    try:
        data_offset = _offset(type, data)
        len_offset = _offset(type, length)
    except KeyError:  # another standard library
        return Type(Kind.OPAQUE, name, int(type.sizeof), native=native)
    return Type(
        Kind.STRING,
        name,
        int(type.sizeof),
        data_offset=data_offset,
        len_offset=len_offset,
        native=native,
    )


def _offset(type: gdb.Type, path: Tuple[str, ...]) -> int:
    offset = 0
    for name in path:
        field = type[name]
        offset += int(field.bitpos) // 8
        type = field.type.strip_typedefs()
    return offset

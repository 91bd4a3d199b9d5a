# SPDX-License-Identifier: MIT
"""The value of an expression of Go, read from memory: the same in every debugger.

What is named is found or refused: no value is ever that of another variable, of another element,
or of memory beside a map. What stands behind a map's key is found by whoever knows maps
(Reading.index_map).
"""

import difflib
import re
from dataclasses import replace
from typing import Callable, Dict, List, Optional, Tuple

from ..errors import MapscopeError, UnknownType, UsageError
from ..program.memory import Memory
from ..program.target import Names, Variable
from ..program.types import VOID, Field, Kind, Type
from ..program.values import Decoder, dumps, escape, is_pointer_shaped, json_form
from ..records import dataclass
from . import literals, syntax
from .descriptors import GoProgram
from .syntax import NotGo

_MASK = (1 << 64) - 1
#: pointers that are followed for one field
_MAX_HOPS = 3
#: embedded structs looked into for one field, and how deep they lie
_MAX_EMBEDDED, _MAX_DEPTH = 256, 8
#: names that a hint is looked for among, and characters of one
_MOST_NAMES, _LONGEST_NAME = 20000, 200
#: the type that debug information gives to variables of functions with type parameters
_PARAMETER = re.compile(r"\.param(\d{1,4})\b")
_WORD = Type(Kind.UINT, "uintptr", 8)
_BYTE = Type(Kind.UINT, "uint8", 1)
_BASIC = {
    **{f"int{8 * size}": Type(Kind.INT, f"int{8 * size}", size) for size in (1, 2, 4, 8)},
    **{f"uint{8 * size}": Type(Kind.UINT, f"uint{8 * size}", size) for size in (1, 2, 4, 8)},
    "int": Type(Kind.INT, "int", 8),
    "uint": Type(Kind.UINT, "uint", 8),
    "uintptr": _WORD,
    "byte": _BYTE,
    "rune": Type(Kind.INT, "int32", 4),
    "string": Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8),
    "bool": Type(Kind.BOOL, "bool", 1),
    "float64": Type(Kind.FLOAT, "float64", 8),
    "float32": Type(Kind.FLOAT, "float32", 4),
    "unsafe.Pointer": Type(Kind.POINTER, "unsafe.Pointer", 8, element=lambda: VOID),
}
_INTERFACES = (Kind.INTERFACE, Kind.EMPTY_INTERFACE)
_NUMBERS = (Kind.INT, Kind.UINT)
#: kinds of which a value is one word, an address
_ADDRESSES = (Kind.POINTER, Kind.GO_MAP, Kind.CHAN, Kind.FUNC)


class UnknownName(MapscopeError):
    """A name that stands for nothing in the program."""


@dataclass(frozen=True)
class Reading:
    """What expressions are read with.

    :ivar index_map: the value behind a map's key; its third argument gives the key's text, as it
        is looked for, by the map's key type; its last is what the map is called
    :ivar foreign: a register, or a variable of the debugger's own
    :ivar dictionaries: which ones the frame's function may have been called with
        (Dictionaries.possible)
    """

    names: Names
    memory: Memory
    go: GoProgram
    decoder: Decoder
    index_map: Callable[[Variable, Callable[[Type], str], str], Variable]
    foreign: Callable[[str], Variable]
    dictionaries: Callable[[], List[int]] = list


def evaluate(reading: Reading, text: str) -> Variable:
    """The value of an expression.

    :raises NotGo: if it is none that Go has and mapscope takes
    :raises UnknownName: if it begins with a name that stands for nothing
    :raises MapscopeError: if it has no value
    """
    return _Evaluator(reading).value(syntax.parse(text))


def package_of(function: str) -> str:
    """The package of a function, as "example.com/shop/store" of that of its (*Table).Get."""
    head = re.split(r"[\[(]", function, maxsplit=1)[0]
    folder, slash, last = head.rpartition("/")
    package, dot, _ = last.partition(".")
    return folder + slash + package if dot else ""


class _Evaluator:
    """Finds the values of one expression's parts."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._names = reading.names
        self._memory = reading.memory

    def value(self, node: syntax.Node) -> Variable:
        """The value of a part."""
        if isinstance(node, syntax.Number):
            return Variable(_WORD, None, node.value.to_bytes(8, "little"))
        if isinstance(node, syntax.Foreign):
            return self._reading.foreign(node.text)
        if isinstance(node, syntax.Name):
            return self._named(node.text, [])[0]
        if isinstance(node, syntax.Select):
            return self._selected(node)
        if isinstance(node, syntax.Deref):
            return self._pointee(self.value(node.base), node.base.text)
        if isinstance(node, syntax.AddressOf):
            return self._address_of(self.value(node.base), node.base.text)
        if isinstance(node, syntax.Index):
            return self._element(node)
        if isinstance(node, syntax.Slice):
            return self._slice(node)
        if isinstance(node, syntax.Assert):
            return self._asserted(node)
        return self._converted(node)

    # --- names ---

    def _selected(self, node: syntax.Select) -> Variable:
        fields: List[Tuple[str, str]] = []
        base: syntax.Node = node
        while isinstance(base, syntax.Select):
            fields.insert(0, (base.field, base.base.text))
            base = base.base
        if isinstance(base, syntax.Name):
            found, used = self._named(base.text, [field for field, _ in fields])
            fields = fields[used:]
        else:
            found = self.value(base)
        for field, owner in fields:
            found = self._field(found, field, owner)
        return found

    def _named(self, name: str, fields: List[str]) -> Tuple[Variable, int]:
        """(the variable that a name stands for, how many of the fields behind it are part of
        its name)."""
        if "/" not in name:
            found = self._names.local(name)
            if found is not None:
                return self._really_typed(found), 0
            if self._package():
                found = self._names.package_variable(f"{self._package()}.{name}")
            # a package may have a function of its own name: main.main
            if found is not None and not (fields and found.type.kind is Kind.FUNC):
                return found, 0
        # a dot in the last part of an import path is written so
        for used in range(1, len(fields) + 1):
            full = "%2e".join([name, *fields[: used - 1]]) + f".{fields[used - 1]}"
            found = self._names.package_variable(full) or self._of_short_package(full)
            if found is not None:
                return found, used
        raise self._unknown(name, fields)

    def _really_typed(self, value: Variable) -> Variable:
        """A variable of a function with type parameters, with its type as the function's
        dictionary has it; as it is where that cannot be told.

        Debug information has the shape alone, and which word of the dictionary is the type's
        descriptor (putparamtypes in cmd/internal/dwarf/dwarf.go).
        """
        match = _PARAMETER.match(value.type.name)
        if match is None:
            return value
        plain = replace(value, type=_shape_named(value.type))
        types: Dict[int, Type] = {}
        try:
            for dictionary in self._reading.dictionaries():
                place = dictionary + 8 * int(match[1])
                type = self._reading.go.type_at(self._memory.read_word(place))
                if (type.kind, type.size) == (value.type.kind, value.type.size):
                    types[type.go_type] = type
        except MapscopeError:
            return plain
        return replace(value, type=next(iter(types.values()))) if len(types) == 1 else plain

    def _package(self) -> str:
        frame = self._names.frame
        return "" if frame is None else package_of(frame.function)

    def _of_short_package(self, name: str) -> Optional[Variable]:
        """store.Table of example.com/shop/store, as sources write it."""
        if "/" in name:
            return None
        full = self._names.package_variables(rf"/{re.escape(name)}$")
        if len(full) > 1:
            raise UnknownName(f"{escape(name)} may be {escape(' or '.join(sorted(full)[:5]))}")
        return self._names.package_variable(full[0]) if full else None

    def _unknown(self, name: str, fields: List[str]) -> UnknownName:
        """The line for a name that stands for nothing, with names that are near it."""
        known = [name for name in self._names.locals() if name]
        if fields:
            shown = f"{name}.{fields[0]}"
            known += self._names.package_variables(rf"^{re.escape(name)}\.")
            known += self._names.package_variables(rf"\.{re.escape(fields[0])}$")
        else:
            shown = name
            package = self._package()
            if package:
                head = f"{package}."
                own = self._names.package_variables("^" + re.escape(head))
                known += [name[len(head) :] for name in own]
            known += self._names.package_variables(rf"\.{re.escape(name)}$")
        # by its last part: what stands before it would make all of a package's names near
        last = shown.rsplit(".", 1)[-1]
        ends: Dict[str, List[str]] = {}
        for full in known[:_MOST_NAMES]:
            end = full.rsplit(".", 1)[-1]
            if len(end) < _LONGEST_NAME:
                ends.setdefault(end, []).append(full)
        close = difflib.get_close_matches(last, ends, 3, 0.6)
        near = list(dict.fromkeys(full for end in close for full in ends[end]))[:3]
        hint = f"; did you mean {escape(' or '.join(near))}?" if near else ""
        return UnknownName(f'no symbol "{escape(shown)}" in this program{hint}')

    # --- fields ---

    def _field(self, value: Variable, name: str, owner: str) -> Variable:
        value = self._opened(value, owner)
        for _ in range(_MAX_HOPS):
            if value.type.kind is not Kind.POINTER:
                break
            value = self._pointee(value, owner)
        type = value.type
        if type.kind is Kind.SLICE and name == "array":
            return value  # debug information's name for what a slice is made of
        if type.kind is not Kind.STRUCT:
            raise MapscopeError(
                f"{escape(owner)} is a {escape(type_name(type))}, which has no field {escape(name)}"
            )
        path = self._path(type, name, owner)
        for at, field in enumerate(path):
            if value.type.kind is Kind.POINTER:
                value = self._pointee(value, ".".join([owner, *(f.name for f in path[:at])]))
            value = _part(value, field)
        return value

    def _path(self, type: Type, name: str, owner: str) -> List[Field]:
        """The fields that lead to a field, more than one if it is that of an embedded struct."""
        level: List[Tuple[Type, List[Field]]] = [(type, [])]
        seen = 0
        for _ in range(_MAX_DEPTH):
            found = [
                [*path, field]
                for struct, path in level
                for field in struct.fields
                if field.name == name
            ]
            if len(found) > 1:
                raise MapscopeError(
                    f"{escape(owner)}.{escape(name)} may be "
                    + escape(" or ".join(".".join(f.name for f in path) for path in found[:5]))
                )
            if found:
                return found[0]
            deeper: List[Tuple[Type, List[Field]]] = []
            for struct, path in level:
                for field in struct.fields:
                    inner = field.type
                    if not _is_embedded(field):
                        continue
                    if inner.kind is Kind.POINTER:
                        inner = inner.target()
                    seen += 1
                    if inner.kind is Kind.STRUCT and seen < _MAX_EMBEDDED:
                        deeper.append((inner, [*path, field]))
            level = deeper
        names = [field.name for field in type.fields]
        near = difflib.get_close_matches(name, names, 3, 0.6) or names[:8]
        has = f"; it has {escape(', '.join(near))}" if near else ""
        kind = escape(type_name(type))
        raise MapscopeError(f"{escape(owner)} is a {kind}, which has no field {escape(name)}{has}")

    # --- pointers ---

    def _pointee(self, value: Variable, name: str) -> Variable:
        value = self._opened(value, name)
        if value.type.kind is Kind.GO_MAP:
            return value  # *m, the header, names the map as well
        if value.type.kind is not Kind.POINTER:
            raise MapscopeError(f"{escape(name)} is a {escape(type_name(value.type))}, no pointer")
        target = value.type.target()
        if target.kind is Kind.VOID:
            raise MapscopeError(
                f"what {escape(name)} points at has no type that is known: "
                f"convert it, as in (*T)({escape(name)})"
            )
        address = self._word(value)
        if not address:
            raise MapscopeError(f"nil pointer: {escape(name)}")
        return Variable(target, address)

    def _address_of(self, value: Variable, name: str) -> Variable:
        if value.address is None:
            raise MapscopeError(f"{escape(name)} is in no memory, so it has no address")
        type = value.type
        pointer = Type(Kind.POINTER, f"*{type_name(type)}", 8, element=lambda: type)
        return Variable(pointer, None, value.address.to_bytes(8, "little"))

    # --- elements ---

    def _element(self, node: syntax.Index) -> Variable:
        owner = node.base.text
        value = self._indexable(self.value(node.base), owner)
        if value.type.kind is Kind.GO_MAP:
            return self._reading.index_map(value, lambda type: self._key(node.key, type), owner)
        index = self._index(node.key, node.text)
        start, length, element = self._elements(value, owner)
        if not 0 <= index < length:
            raise MapscopeError(f"index {index} of {length}: {escape(node.text)}")
        offset = index * element.size
        if start is None:
            data = (value.data or b"")[offset : offset + element.size]
            return Variable(element, None, data)
        return Variable(element, (start + offset) & _MASK)

    def _slice(self, node: syntax.Slice) -> Variable:
        owner = node.base.text
        value = self._indexable(self.value(node.base), owner)
        if value.type.kind is Kind.GO_MAP:
            raise MapscopeError(f"{escape(owner)} is a map, of which Go takes no slice")
        start, length, element = self._elements(value, owner)
        if start is None:
            raise MapscopeError(f"{escape(owner)} is in no memory, so there is no slice of it")
        most = length
        if value.type.kind is Kind.SLICE:
            most = max(length, int.from_bytes(self._data(value, 24)[16:24], "little"))
        low = self._index(node.low, node.text) if node.low else 0
        high = self._index(node.high, node.text) if node.high else length
        if not 0 <= low <= high <= most:
            raise MapscopeError(f"[{low}:{high}] of {length}: {escape(node.text)}")
        words = [(start + low * element.size) & _MASK, high - low, most - low]
        data = b"".join(word.to_bytes(8, "little") for word in words)
        if value.type.kind is Kind.STRING:
            return Variable(value.type, None, data[:16])
        type = Type(Kind.SLICE, f"[]{type_name(element)}", 24, element=lambda: element)
        return Variable(value.type if value.type.kind is Kind.SLICE else type, None, data)

    def _indexable(self, value: Variable, owner: str) -> Variable:
        """A value, or what it points at or holds if that is what has elements."""
        value = self._opened(value, owner)
        if value.type.kind is Kind.POINTER:
            inner = value.type.target()
            if inner.kind in (Kind.ARRAY, Kind.GO_MAP):
                return self._pointee(value, owner)
        return value

    def _elements(self, value: Variable, owner: str) -> Tuple[Optional[int], int, Type]:
        """(address of the first element, how many, their type); no address: a value in no
        memory."""
        type = value.type
        if type.kind is Kind.ARRAY:
            return value.address, type.length, type.target()
        if type.kind is Kind.SLICE:
            data = self._data(value, 24)
            start, length = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
            return start, length, type.target()
        if type.kind is Kind.STRING:
            data = self._data(value, type.size)
            start, length = (
                int.from_bytes(data[at : at + 8], "little")
                for at in (type.data_offset, type.len_offset)
            )
            return start, length, _BYTE
        raise MapscopeError(
            f"{escape(owner)} is a {escape(type_name(type))}, which has no elements"
        )

    def _index(self, text: str, whole: str) -> int:
        """A whole number, written or in a variable."""
        literal = literals.key_text(text, _WORD) if text else None
        if literal is not None:
            try:
                return int(literal)
            except ValueError:
                raise MapscopeError(f"{escape(text)} is no index: {escape(whole)}") from None
        value = self.value(syntax.parse(text))
        if value.type.kind not in _NUMBERS:
            raise MapscopeError(
                f"{escape(text)} is a {escape(type_name(value.type))}, no index: {escape(whole)}"
            )
        signed = value.type.kind is Kind.INT
        return int.from_bytes(self._data(value, value.type.size), "little", signed=signed)

    def _key(self, text: str, type: Type) -> str:
        """A key in brackets as KEY would be typed."""
        if not text:
            raise UsageError("no key in []")
        literal = literals.key_text(text, type)
        if literal is not None:
            if type.kind is Kind.STRING and text[0] not in '"`{':
                raise UsageError(
                    f"{escape(text)} is no key of type {escape(type_name(type))}: "
                    f'expected something like "{escape(text)}" in its quotes'
                )
            return literal
        try:
            value = self.value(syntax.parse(text))
        except (UnknownName, NotGo) as error:
            if type.kind is not Kind.STRING:
                raise
            hint = f'a text is written with its quotes, as in ["{text}"]'
            raise _hinted(error, hint) from None
        decoded = self._reading.decoder.decode(
            value.type, self._data(value, value.type.size), value.address
        )
        return dumps(json_form(decoded))

    # --- interfaces and types ---

    def _opened(self, value: Variable, name: str) -> Variable:
        """What an interface holds; every other value as it is."""
        if value.type.kind not in _INTERFACES:
            return value
        data = self._data(value, 16)
        first, word = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
        if not first:
            raise MapscopeError(f"{escape(name)} is a nil {escape(type_name(value.type))}")
        if value.type.kind is Kind.INTERFACE:
            first = self._memory.read_word(first + 8)
        type = self._reading.go.type_at(first)
        if is_pointer_shaped(type):
            return Variable(type, None, data[8:16])
        return Variable(type, word)

    def _asserted(self, node: syntax.Assert) -> Variable:
        owner = node.base.text
        value = self.value(node.base)
        if value.type.kind not in _INTERFACES:
            raise MapscopeError(
                f"{escape(owner)} is a {escape(type_name(value.type))}, no interface"
            )
        found = self._opened(value, owner)
        if not _same_name(found.type.name, node.type):
            held = found.type.name
            if node.type in ("type", "_") or not _same_name(held.rsplit("/", 1)[-1], node.type):
                raise MapscopeError(
                    f"{escape(owner)} holds a {escape(held)}, not a {escape(node.type)}"
                )
        return found

    def _converted(self, node: syntax.Convert) -> Variable:
        type = self._type(node.type, node.text)
        value = self.value(node.base)
        inner, name = value.type, node.base.text
        if type.kind in _ADDRESSES and (inner.kind in _ADDRESSES or inner.kind in _NUMBERS):
            if inner.kind is Kind.GO_MAP and type.kind is Kind.GO_MAP and not _alike(inner, type):
                raise MapscopeError(
                    f"{escape(name)} is a {escape(type_name(inner))}, no {escape(node.type)}"
                )
            return Variable(type, None, self._word(value).to_bytes(8, "little"))
        if type.kind in _NUMBERS and inner.kind in (*_NUMBERS, *_ADDRESSES):
            number = self._word(value) & ((1 << 8 * type.size) - 1)
            return Variable(type, None, number.to_bytes(type.size, "little"))
        if type.kind is inner.kind and type.size == inner.size:
            return Variable(type, value.address, value.data)
        raise MapscopeError(
            f"{escape(name)} is a {escape(type_name(inner))}, which is no {escape(node.type)}"
        )

    def _type(self, name: str, whole: str) -> Type:
        """A type by its name.

        :raises MapscopeError: if there is none
        """
        name = name.strip()
        while name.startswith("(") and name.endswith(")"):
            name = name[1:-1].strip()
        if name in _BASIC:
            return _BASIC[name]
        if name.startswith("*"):
            inner = self._type(name[1:], whole)
            return Type(Kind.POINTER, f"*{type_name(inner)}", 8, element=lambda: inner)
        found = self._names.type(name)
        if found is not None and found.kind not in (Kind.OPAQUE, Kind.VOID):
            return found
        go = self._reading.go
        try:
            return go.type_at(go.find(name))
        except UnknownType as error:
            unknown = error
        try:
            return go.type_at(go.find("*" + name)).target()  # the table lists few structs
        except UnknownType:
            pass
        if name.startswith("[]"):
            element = self._type(name[2:], whole)
            return Type(Kind.SLICE, f"[]{type_name(element)}", 24, element=lambda: element)
        package = self._package()
        if package and syntax.type_end(name, 0) == len(name) and name.isidentifier():
            return self._type(f"{package}.{name}", whole)
        if re.fullmatch(r"[\w./()*%-]+", name) and self._is_function(name):
            raise NotGo(f"{escape(whole)} is a call, and nothing is called in the program")
        raise unknown

    def _is_function(self, name: str) -> bool:
        try:
            return self.value(syntax.parse(name)).type.kind is Kind.FUNC
        except MapscopeError:
            return False

    # --- bytes ---

    def _data(self, value: Variable, size: int) -> bytes:
        if value.data is not None:
            return value.data[:size]
        return self._memory.read(value.address or 0, size)

    def _word(self, value: Variable) -> int:
        signed = value.type.kind is Kind.INT
        size = min(value.type.size, 8) or 8
        return int.from_bytes(self._data(value, size), "little", signed=signed) & _MASK


def _hinted(error: MapscopeError, hint: str) -> UnknownName:
    """An error with a further hint."""
    return UnknownName(f"{error}; {escape(hint)}")


def type_name(type: Type) -> str:
    """A type's name as Go writes it; pointers have none of their own, and debuggers may write
    them as C does."""
    if type.kind is Kind.POINTER and type.name.endswith("*"):
        return f"*{type_name(type.target())}"
    return type.name


def _shape_named(type: Type) -> Type:
    """A type that is called .paramN, by the name that its shape has: that of what it is made of."""
    if type.kind is Kind.GO_MAP:
        return replace(type, name=f"map[{type_name(type.key_type())}]{type_name(type.target())}")
    if type.kind is Kind.POINTER:
        return replace(type, name=f"*{type_name(type.target())}")
    if type.kind is Kind.SLICE:
        return replace(type, name=f"[]{type_name(type.target())}")
    return type


def _part(value: Variable, field: Field) -> Variable:
    """A field of a struct."""
    end = field.offset + field.type.size
    data = None if value.data is None else value.data[field.offset : end]
    address = None if value.address is None else value.address + field.offset
    return Variable(field.type, address, data)


def _is_embedded(field: Field) -> bool:
    """Whether a struct has all fields of this one as its own.

    Where nothing says so: an embedded field is called as its type is.
    """
    if field.embedded is not None:
        return field.embedded
    name = re.split(r"[\[<]", type_name(field.type), maxsplit=1)[0]
    return field.name == re.split(r"[./*]", name)[-1]


def _same_name(a: str, b: str) -> bool:
    """Whether two type names are the same but for blanks and any."""
    first, second = (re.sub(r"\bany\b", "interface{}", text) for text in (a, b))
    return re.sub(r"\s", "", first) == re.sub(r"\s", "", second)


def _alike(a: Type, b: Type) -> bool:
    """Whether two map types may be of the same map."""
    return all(
        first.kind is second.kind and first.size == second.size
        for first, second in ((a.key_type(), b.key_type()), (a.target(), b.target()))
    )

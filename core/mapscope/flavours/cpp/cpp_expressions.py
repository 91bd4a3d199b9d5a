# SPDX-License-Identifier: MIT
"""C++ expressions that name a map: evaluated here, the same in every debugger.

The debugger finds variables and evaluates what is no path (program/cpp_paths.py); members,
elements, smart pointers and keys of maps are found here. Nothing is called in the program:
m["k"] is looked up as `map find` does, so it inserts nothing.
"""

import json
import re
from dataclasses import replace
from typing import Iterator, List, Optional, Union

from ...errors import MapscopeError, MemoryUnreadable, NotAMap, UsageError
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program import cpp_paths
from ...program.cpp_names import as_written, template_arguments
from ...program.cpp_paths import AddressOf, Element, Member, Name, Native, Path, Pointee
from ...program.cpp_tables import is_table
from ...program.cpp_values import (
    AddressOf as AddressValue,
    CppScope,
    CppValue,
    Form,
    all_bases,
    element,
    elements,
    extent,
    find_member,
    got,
    held,
    library_class,
    member_names,
    near,
    own_members,
)
from ...program.target import Variable
from ...program.types import Kind, Type
from ...program.values import EnumValue, StructValue, dumps, escape, json_form
from ...session import Session
from .runtime_maps import RuntimeMaps

#: pointers, smart pointers and optionals followed from an expression to its map
_MAX_HOPS = 6
#: maps in a class that is none which are told
_MAX_TOLD = 5
#: members of a class that are looked at for maps, and how deep
_MAX_MEMBERS, _MAX_DEPTH = 256, 3
#: bytes of a C string that is a key
_MAX_TEXT = 1 << 16

_MAP = "mapscope::map<"
_HMAP = "mapscope::hmap"
_HOLDER = re.compile(
    r"^std::(?:__\w+::)*(?:unique_ptr|shared_ptr|weak_ptr|optional|reference_wrapper)"
    r"<(?:const )?mapscope::map<"
)
_ROW = re.compile(r"^std::(?:__\w+::)*(?:vector|deque|array)<(?:const )?mapscope::map<")
_WRAPPED = re.compile(r"^(?:std::)?(?:string|string_view)\s*(?:\((.*)\)|\{(.*)\})$", re.DOTALL)
_BRACED = re.compile(r"^[\w:]*(?:<.*>)?\s*\{(.*)\}$", re.DOTALL)


def evaluate(session: Session, scope: CppScope, text: str) -> Variable:
    """The map that an expression leads to, or the number or address that it is.

    :raises MapscopeError: if it is neither
    """
    value = _Evaluator(session, scope).value(cpp_paths.parse(text))
    return map_inside(session, value, text)


def vector(session: Session, scope: CppScope, text: str) -> Variable:
    """The std::vector that an expression is, is derived from, or leads to; a value that is no
    class as it is.

    :raises MapscopeError: if it is another class, or nothing
    """
    value = _Evaluator(session, scope).value(cpp_paths.parse(text))
    first = value
    for _ in range(_MAX_HOPS):
        if value.form is Form.CLASS:
            for one in (value, *all_bases(value)):
                if library_class(one) == "vector":
                    return one.variable()
        elif value.form is not Form.POINTER:
            break
        elif not value.number():
            raise NotAMap(f"{escape(text)} is a nil {escape(value.type_name)}, not a vector")
        following = held(value, text)
        if following is None:
            break
        value = following
    if first.form is Form.OTHER:
        return first.variable()
    raise NotAMap(f"{escape(text)} is no std::vector: its type is {escape(first.type_name)}")


def map_inside(session: Session, value: CppValue, what: str) -> Variable:
    """The map that a value is, is derived from, or leads to; itself if it is a number, or an
    address of nobody knows what.

    :param what: the expression, for messages
    :raises NotAMap: if it is a class or an array without a map
    """
    first = value
    for _ in range(_MAX_HOPS):
        if value.form is Form.CLASS:
            found = _as_map(session, value, what)
            if found is not None:
                return found
        elif value.form is Form.POINTER:
            if value.number() and value.pointee().form is Form.OTHER:
                if value is first:
                    return value.variable()
                break
        elif value.form is Form.OTHER:
            # a variable that can hold no address is not meant as one
            if value is first and (value.address() is None or value.size() == 8):
                return value.variable()
            break
        following = held(value, what) if value.form is not Form.ARRAY else None
        if following is None:
            break
        value = following
    raise NotAMap(_no_map(first, value, what))


def _as_map(session: Session, value: CppValue, what: str) -> Optional[Variable]:
    """The map that a class is, or is derived from."""
    if value.tag == _HMAP or is_table(value.tag):
        return value.variable()
    if not value.tag.startswith(_MAP):
        maps = [
            base for base in all_bases(value) if base.tag.startswith(_MAP) or is_table(base.tag)
        ]
        if not maps:
            return None
        if len(maps) > 1:
            names = " and ".join(escape(base.type_name) for base in maps[:_MAX_TOLD])
            raise NotAMap(
                f"{escape(what)} is derived from {len(maps)} maps, {names}: "
                "cast its address to a pointer to one of them"
            )
        value = maps[0]
        if is_table(value.tag):
            return value.variable()
    found = value.variable() if value.complete else None
    if found is not None and found.type.kind is Kind.RUNTIME_MAP:
        return found
    # declared here and defined elsewhere: the map itself says what it holds
    where = value.address()
    if where is None:
        raise NotAMap(f"{escape(what)}'s type is incomplete here: name its address")
    hmap = session.memory.read_word(where)
    if hmap:
        return Variable(Type(Kind.RUNTIME_HMAP, _HMAP, 0), hmap)
    arguments, _ = template_arguments(value.tag, len(_MAP) - 1)
    names_of = [Type(Kind.OPAQUE, as_written(name), 0) for name in arguments[:2]]
    if len(names_of) < 2:
        raise NotAMap(f"{escape(what)}'s type is incomplete here, and it holds nothing")
    key, elem = names_of
    name = f"{_MAP}{key.name}, {elem.name}>"
    return Variable(Type(Kind.RUNTIME_MAP, name, 8, key=lambda: key, element=lambda: elem), where)


def _split(text: str, opening: str, closing: str) -> List[str]:
    """What stands between the commas that are in no brackets and no literals."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            end = at + 1
            while end < len(text) and text[end] != char:
                end += 2 if text[end] == "\\" else 1
            at = end
        elif char in opening:
            depth += 1
        elif char in closing:
            depth -= 1
        elif char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*parts, text[start:].strip()] if text.strip() else []


# --- what to say of a value that is no map ---


def _no_map(first: CppValue, value: CppValue, what: str) -> str:
    text = f"{escape(what)} is not a map: its type is {escape(first.type_name)}"
    if not value.complete:
        return f"{text}, which is incomplete here: name the map's address"
    joint = "."
    if first is not value:
        joint = "->"
        if what.startswith("&"):
            what, joint = what[1:], "."
    try:
        row = _row(value, what) if joint == "." else ""
        found = [row] if row else list(_maps_in(value, what, joint))
    except MapscopeError:
        return text
    if not found:
        return text
    more = f" and {len(found) - _MAX_TOLD} more" if len(found) > _MAX_TOLD else ""
    told = ", ".join(escape(name) for name in found[:_MAX_TOLD])
    return f"{text}; maps in it: {told}{more}"


def _row(value: CppValue, what: str) -> str:
    """How an array's maps are named; "": it is no array of maps."""
    if value.form is Form.ARRAY:
        if not value.first().tag.startswith(_MAP):
            return ""
    elif not _ROW.match(value.tag):
        return ""
    count = extent(value)
    if not count:
        return ""
    return f"{what}[0]" if count == 1 else f"{what}[0] to {what}[{count - 1}]"


def _maps_in(value: CppValue, what: str, joint: str = ".", depth: int = 0) -> Iterator[str]:
    """How the maps in a class are named.

    :param joint: what stands between the class's own expression and a member
    """
    if value.form is not Form.CLASS or depth > _MAX_DEPTH:
        return
    if library_class(value) == "tuple":
        for at, part in enumerate(elements(value)):
            if _tells_of_map(part):
                yield f"std::get<{at}>({what})"
    if library_class(value) not in ("", "pair"):
        return
    looked = 0
    for one in [value, *all_bases(value)]:
        for name, member in own_members(one):
            looked += 1
            if looked > _MAX_MEMBERS:
                return
            path = f"{what}{joint}{name}"
            if _tells_of_map(member):
                yield path
            elif _ROW.match(member.tag):
                yield f"{path}[...]"
            else:
                yield from _maps_in(member, path, ".", depth + 1)


def _tells_of_map(value: CppValue) -> bool:
    """Whether a type's name alone is that of a map, or of what leads to one."""
    tag = value.tag
    if value.form is Form.POINTER:
        return tag.removeprefix("const ").startswith(_MAP) and tag.rstrip().endswith("*")
    if tag.startswith(_MAP) or _HOLDER.match(tag) or is_table(tag):
        return True
    if value.form is not Form.CLASS or library_class(value):
        return False
    return any(base.tag.startswith(_MAP) for base in all_bases(value))


# --- evaluating ---


class _Evaluator:
    """Evaluates the paths of one expression."""

    def __init__(self, session: Session, scope: CppScope) -> None:
        self._session = session
        self._scope = scope

    def value(self, path: Path) -> CppValue:
        """The value of a path.

        :raises MapscopeError: if it has none
        """
        if isinstance(path, Name):
            found = self._scope.find(path.text)
            if found is None:
                raise MapscopeError(
                    f'No symbol "{escape(path.text)}" in current context'
                    + near(path.text, self._scope.names())
                )
            return found
        if isinstance(path, Native):
            return self._scope.evaluate(path.text)
        if isinstance(path, Member):
            return self._member(path)
        base = self.value(path.base)
        if isinstance(path, AddressOf):
            return AddressValue(base, text_of(path.base))
        if isinstance(path, Pointee):
            return _pointee(base, text_of(path.base))
        return self._element(path, base)

    def _member(self, path: Member) -> CppValue:
        base, what = self.value(path.base), text_of(path.base)
        if path.arrow or base.form is Form.POINTER:
            base = _pointee(base, what)
        found = find_member(base, path.name) if base.form is Form.CLASS else None
        if found is not None:
            return found
        name = escape(base.type_name)
        if not base.complete:
            raise MapscopeError(f"{escape(what)}'s type {name} is incomplete here")
        hint = near(path.name, member_names(base)) if base.form is Form.CLASS else ""
        if not path.arrow and not hint:
            target = _silently_held(base, what)
            if target is not None and target.form is Form.CLASS:
                if find_member(target, path.name) is not None:
                    hint = f": what it points at has; write {escape(what)}->{escape(path.name)}"
        raise MapscopeError(f"there is no member {escape(path.name)} in a {name}{hint}")

    def _element(self, path: Element, base: CppValue) -> CppValue:
        what = text_of(path.base)
        if path.how == "get":
            return got(base, int(path.index), what)
        if path.how in ("get()", "value"):
            allowed = ("optional",) if path.how == "value" else _POINTING
            target = held(base, what) if library_class(base) in allowed else None
            if target is None:
                raise MapscopeError(f"{escape(path.text)} would have to call a function")
            return target
        map_ = self._map(base, what)
        if map_ is not None:
            return self._entry(map_, path.index, what)
        return element(base, self._number(path.index), what)

    def _number(self, text: str) -> int:
        number = cpp_paths.integer(text)
        if number is None:
            number = self.value(cpp_paths.parse(text)).number()
        return number

    def _map(self, value: CppValue, what: str) -> Optional[MapView]:
        """The map that a class is or is derived from; None: it is none."""
        if value.form is not Form.CLASS:
            return None
        found = _as_map(self._session, value, what)
        return None if found is None else RuntimeMaps().from_variable(self._session, found)

    def _entry(self, view: MapView, text: str, what: str) -> CppValue:
        """The element of a key."""
        if view.address is None:
            raise MapscopeError(f"{escape(what)} has no key {escape(text)}: it is empty")
        key, elem = view.types()
        test = self._test(view, key, text)
        found = view.find(test)
        if found.elem_address is None:
            count = view.count
            raise MapscopeError(
                f"{escape(what)}, a {escape(view.type_name)} with {count} "
                f"{'entry' if count == 1 else 'entries'}, has no key {escape(text)}"
            )
        if elem.native is None:
            raise MapscopeError(
                f"there is no debug information of {escape(elem.name)}: name the address "
                f"{found.elem_address:#x}"
            )
        return self._scope.at(elem.native, found.elem_address)

    # --- keys ---

    def _test(self, view: MapView, key: Type, text: str) -> KeyTest:
        """The test for the key that a C++ expression is."""
        wrapped = _WRAPPED.match(text) if key.kind is Kind.STRING else None
        if wrapped is not None:
            text = (wrapped[1] or wrapped[2] or "").strip() or '""'
        literal = cpp_paths.string(re.sub(r'"sv?$', '"', text))
        if literal is not None:
            if key.kind is Kind.STRING:
                return _of_bytes(key, literal)
            if key.kind is Kind.POINTER and key.target().size == 1:
                return self._c_string(view, literal, text)
            raise UsageError(f"{escape(text)} is no key of type {escape(key.name)}")
        form = self._literal(key, text)
        if form is not None:
            return parse_key(key, form)
        made = self._of_value(key, self.value(cpp_paths.parse(text)), text)
        return parse_key(key, made) if isinstance(made, str) else _of_bytes(key, made)

    def _literal(self, key: Type, text: str) -> Optional[str]:
        """KEY of a literal of C++, an enumerator, or a list in braces; None: it is none."""
        number = cpp_paths.integer(text)
        if number is not None and key.kind in _NUMBERS:
            wraps = key.kind is Kind.INT and key.size == 1 and text.endswith("'")
            return str(number - 256 if wraps and number > 127 else number)
        if key.kind is Kind.FLOAT and cpp_paths.is_float(text):
            return text.replace("'", "").rstrip("fFlL")
        if text in ("true", "false", "nullptr", "NULL"):
            return text
        if key.kind is Kind.ENUM:
            found = {
                value
                for value, name in key.names.items()
                if name == text or name.endswith("::" + text) or text.endswith("::" + name)
            }
            return str(found.pop()) if len(found) == 1 else None
        if key.kind in (Kind.STRUCT, Kind.ARRAY):
            return self._braced(key, text)
        return None

    def _braced(self, key: Type, text: str) -> Optional[str]:
        """JSON of {1, "two"}, or of what is JSON already."""
        if text.startswith(("{", "[")):
            try:
                json.loads(text)
                return text
            except ValueError:
                pass
        match = _BRACED.match(text)
        if match is None:
            return None
        parts = _split(match[1], "([{", ")]}")
        fields = (
            [(field.name, field.type) for field in key.fields]
            if key.kind is Kind.STRUCT
            else [("", key.target())] * key.length
        )
        if len(parts) != len(fields):
            raise UsageError(f"{escape(text)} is no key of type {escape(key.name)}")
        forms = [self._part(type, part) for (_, type), part in zip(fields, parts)]
        if key.kind is Kind.ARRAY:
            return "[" + ", ".join(forms) + "]"
        named = [f"{dumps(name)}: {form}" for (name, _), form in zip(fields, forms)]
        return "{" + ", ".join(named) + "}"

    def _part(self, type: Type, text: str) -> str:
        """JSON of one part of a key."""
        literal = cpp_paths.string(text)
        if literal is not None and type.kind is Kind.STRING:
            return dumps(json_form(literal.decode("utf-8", "surrogateescape")))
        form = self._literal(type, text)
        if form is None:
            made = self._of_value(type, self.value(cpp_paths.parse(text)), text)
            form = made if isinstance(made, str) else dumps(made.decode("utf-8", "replace"))
        if type.kind is Kind.ENUM and not form.lstrip("-").isdigit():
            raise UsageError(f"{escape(text)} is no {escape(type.name)}")
        return form

    def _of_value(self, key: Type, value: CppValue, text: str) -> Union[str, bytes]:
        """KEY of a variable; the bytes of a text."""
        variable = value.variable()
        type, data = variable.type, variable.data
        if key.kind is Kind.STRING and type.kind in (Kind.ARRAY, Kind.POINTER):
            if type.target().size == 1:
                start = value.address() if type.kind is Kind.ARRAY else value.number()
                most = type.length if type.kind is Kind.ARRAY else _MAX_TEXT
                return self._text_at(start or 0, most)
        if key.kind is Kind.POINTER and value.form is Form.POINTER:
            return hex(value.number())
        if data is None:
            data = bytes(self._session.memory.read(variable.address or 0, type.size))
        decoded = self._session.decoder().decode(type, data, variable.address)
        if isinstance(decoded, bytes):
            return decoded
        if isinstance(decoded, str):
            return decoded.encode("utf-8", "surrogateescape")
        if isinstance(decoded, EnumValue):
            return str(decoded.value)
        if isinstance(decoded, (StructValue, list, int, float, bool)):
            form = json_form(decoded)
            return form if isinstance(form, str) else dumps(form)
        raise UsageError(f"{escape(text)} is no key of type {escape(key.name)}")

    def _text_at(self, start: int, most: int) -> bytes:
        """A C string, without its end."""
        found, step = b"", 256
        while len(found) < most:
            at = start + len(found)
            # no further than the page, and in a core dump than the section
            size = min(most - len(found), step, 4096 - at % 4096)
            try:
                piece = bytes(self._session.memory.read(at, size))
            except MemoryUnreadable:
                if size == 1:
                    raise
                step = size // 2
                continue
            end = piece.find(b"\0")
            if end >= 0:
                return found + piece[:end]
            found += piece
        return found

    def _c_string(self, view: MapView, literal: bytes, text: str) -> KeyTest:
        """The key that points at a text: the map itself knows pointers alone."""
        found = set()
        for batch in view.entries():
            for index in batch.order:
                data = batch.keys.data(index)
                start = int.from_bytes((data or b"")[:8], "little")
                try:
                    if start and self._text_at(start, len(literal) + 1) == literal:
                        found.add(start)
                except MapscopeError:
                    continue
        if len(found) > 1:
            raise MapscopeError(
                f"{len(found)} keys point at {escape(text)}: name one by its address"
            )
        if not found:
            return KeyTest(lambda key: False)
        key, _ = view.types()
        return parse_key(key, hex(found.pop()))


_POINTING = ("unique_ptr", "shared_ptr", "reference_wrapper")
_NUMBERS = (Kind.INT, Kind.UINT, Kind.ENUM, Kind.BOOL, Kind.FLOAT, Kind.POINTER)
_DEREFERENCED = ("unique_ptr", "shared_ptr", "optional")


def text_of(path: Path) -> str:
    """The expression that a path was."""
    return path.text


def _pointee(value: CppValue, what: str) -> CppValue:
    """*value

    :raises MapscopeError: if it is no pointer, or points nowhere
    """
    if value.form is Form.ARRAY:
        return value.first()
    if value.form is Form.POINTER and not value.number():
        raise MapscopeError(f"{escape(what)} is a nil {escape(value.type_name)}")
    kind = library_class(value)
    if value.form is Form.POINTER or kind in _DEREFERENCED or not kind:
        found = held(value, what)
        if found is not None:
            return found
    raise MapscopeError(f"{escape(what)} is no pointer: its type is {escape(value.type_name)}")


def _silently_held(value: CppValue, what: str) -> Optional[CppValue]:
    try:
        return held(value, what)
    except MapscopeError:
        return None


def _of_bytes(key: Type, raw: bytes) -> KeyTest:
    """The test for a text."""
    if key.kind is not Kind.STRING:
        raise UsageError(f"a text is no key of type {escape(key.name)}")
    return parse_key(replace(key), dumps({"bytes": raw.hex()}))

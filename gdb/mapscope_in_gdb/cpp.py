# SPDX-License-Identifier: MIT
"""C++ values and names of gdb as core's: what flavours/cpp/cpp_expressions.py asks for."""

import re
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.program.cpp_names import with_enumerators
from mapscope.program.cpp_spelling import UNNAMED
from mapscope.program.cpp_values import CppScope, CppValue, Form
from mapscope.program.target import Variable
from mapscope.program.values import escape
from .expressions import Language, value_at, variable_of
from .types import enumerators

_REFERENCES = (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF)
_FORMS = {
    gdb.TYPE_CODE_STRUCT: Form.CLASS,
    gdb.TYPE_CODE_UNION: Form.CLASS,
    gdb.TYPE_CODE_PTR: Form.POINTER,
    gdb.TYPE_CODE_ARRAY: Form.ARRAY,
}
_FUNCTIONS = (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_METHOD)
_UNKNOWN = re.compile(r"^(No symbol|No type|There is no (member|field)|Attempt to extract)")
#: what gdb may do to the program while it evaluates. (Setting may-write-memory inside of a hit
#: makes gdb 13.1 take the program for one that runs in the background; assignments are refused
#: before gdb sees them, and what else would be written needs memory that a call would set aside.)
_PERMISSIONS = ("may-call-functions",)
_DEEPEST = 16
_OURS = "mapscope does not"


def speaks_cpp() -> bool:
    """Whether expressions are C++: in the selected frame, as the user has set it, or where the
    frame is in a library of C and the program has C++ maps and is none of Go."""
    language = str(gdb.execute("show language", to_string=True))
    if "c++" in language:
        return True
    names = ("mapscope_abi", "runtime.buildVersion")
    return "go" not in language and [_is_there(name) for name in names] == [True, False]


def _is_there(name: str) -> bool:
    try:
        with Language("c"):
            gdb.parse_and_eval(f"&'{name}'")
        return True
    except gdb.error:
        return False


class _Harmless:
    """gdb calls and writes nothing meanwhile."""

    def __enter__(self) -> None:
        self._before: Dict[str, bool] = {}
        for name in _PERMISSIONS:
            try:
                before = bool(gdb.parameter(name))
                if before:
                    gdb.execute(f"set {name} off", to_string=True)
                    self._before[name] = before
            except (gdb.error, RuntimeError):
                continue  # another gdb, or a setting that is fixed now

    def __exit__(self, *_: object) -> None:
        for name in self._before:
            gdb.execute(f"set {name} on", to_string=True)


def full_name(type: gdb.Type, depth: int = 0) -> str:
    """A type's name without aliases, as LLDB has it."""
    type = type.strip_typedefs()
    if type.code == gdb.TYPE_CODE_PTR and depth < _DEEPEST:
        target = full_name(type.target(), depth + 1)
        return target + ("*" if target.endswith("*") else " *")
    if type.code == gdb.TYPE_CODE_ARRAY and depth < _DEEPEST:
        low, high = type.range()
        return f"{full_name(type.target(), depth + 1)}[{int(high) - int(low) + 1}]"
    if depth == 0:
        type = type.unqualified()
    unnamed = type.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) and not type.name
    if unnamed:
        return UNNAMED
    return with_enumerators(str(type if depth else type.name or type), enumerators)


def _evaluated(text: str) -> gdb.Value:
    with Language("c++"), _Harmless():
        value = gdb.parse_and_eval(text)
        if value.type.strip_typedefs().code in _REFERENCES:
            value = value.referenced_value()
        return value


class GdbValue(CppValue):
    """One value of gdb's."""

    def __init__(self, value: gdb.Value) -> None:
        try:
            if value.type.strip_typedefs().code in _REFERENCES:
                value = value.referenced_value()
            type = value.type.strip_typedefs().unqualified().strip_typedefs()
            self.value = value
            self._type = type
            self.form = _FORMS.get(type.code, Form.OTHER)
            self.tag = full_name(type)
            self.complete = self.form is not Form.CLASS or bool(
                int(type.sizeof) and (type.fields() or not self.tag.startswith("mapscope::"))
            )
        except gdb.error as error:
            raise MapscopeError(escape(str(error).strip())) from None

    def address(self) -> Optional[int]:
        try:
            where = self.value.address
            return None if where is None else int(where) & ((1 << 64) - 1)
        except gdb.error:
            return None

    def variable(self) -> Variable:
        return variable_of(self.value)

    def bases(self) -> Iterator[CppValue]:
        if self.form is Form.CLASS:
            for field in self._type.fields():
                if field.is_base_class:
                    yield self._part(field)

    def members(self) -> Iterator[Tuple[str, CppValue]]:
        for field in self._type.fields():
            if field.is_base_class or field.artificial or not hasattr(field, "bitpos"):
                continue
            yield str(field.name or ""), self._part(field)

    def static_member(self, name: str) -> Optional[CppValue]:
        for field in self._type.fields() if self.form is Form.CLASS else ():
            if field.name == name and not field.is_base_class and not hasattr(field, "bitpos"):
                return self._part(field)
        return None

    def _part(self, field: Any) -> CppValue:
        try:
            return GdbValue(self.value[field])
        except (gdb.error, RuntimeError) as error:
            raise MapscopeError(escape(str(error).strip())) from None

    def number(self) -> int:
        try:
            return int(self.value)
        except (gdb.error, RuntimeError, OverflowError) as error:
            raise MapscopeError(escape(str(error).strip())) from None

    def pointee(self) -> CppValue:
        value = self.value
        try:
            if self._type.target().strip_typedefs().code == gdb.TYPE_CODE_VOID:
                # gdb has no values of no type: what is there is bytes
                value = value.cast(gdb.lookup_type("unsigned char").pointer())
            return GdbValue(value.dereference())
        except gdb.error as error:
            raise MapscopeError(escape(str(error).strip())) from None

    def first(self) -> CppValue:
        where = self.address()
        try:
            if where is not None:
                return GdbValue(value_at(self._type.target(), where))
            return GdbValue(self.value[self._type.range()[0]])
        except (gdb.error, RuntimeError) as error:
            raise MapscopeError(escape(str(error).strip())) from None

    def length(self) -> Optional[int]:
        if self.form is not Form.ARRAY:
            return None
        try:
            low, high = self._type.range()
        except (gdb.error, RuntimeError):
            return None
        return int(high) - int(low) + 1 if high >= low else None

    def beside(self, number: int) -> CppValue:
        where = self.address()
        if where is None:
            raise MapscopeError("the value is in no memory, so there is nothing beside it")
        place = (where + number * self.size()) & ((1 << 64) - 1)
        return GdbValue(value_at(self.value.type, place))

    def size(self) -> int:
        return int(self._type.sizeof)

    def argument(self, index: int, address: int) -> Optional[CppValue]:
        try:
            found = self._type.template_argument(index)
        except (gdb.error, RuntimeError):
            return None
        return GdbValue(value_at(found, address)) if isinstance(found, gdb.Type) else None


class GdbScope(CppScope):
    """The selected frame."""

    def find(self, name: str) -> Optional[CppValue]:
        try:
            value = _evaluated(name)
            if value.type.code in _FUNCTIONS:
                raise MapscopeError(f"{escape(name)} is a function")
            if value.is_optimized_out:
                raise MapscopeError(f"{escape(name)} is optimized out here")
            return GdbValue(value)
        except (gdb.error, RuntimeError) as error:
            text = str(error).strip().rstrip(".")
        if "has unknown type" in text:
            # no debug information: at least its address is known
            return GdbValue(self._native(f"(void *)&'{name}'"))
        if _UNKNOWN.match(text):
            return self._by_symbol(name)
        raise MapscopeError(escape(text))

    def _by_symbol(self, name: str) -> Optional[CppValue]:
        """A variable by its full name: in a frame without debug information gdb's parser knows
        no classes, whose static members have names all the same."""
        full = name[2:] if name.startswith("::") else name
        symbol = gdb.lookup_global_symbol(full)
        if symbol is None or not symbol.is_variable:
            return None
        try:
            if symbol.needs_frame:
                return GdbValue(symbol.value(gdb.selected_frame()))
            return GdbValue(symbol.value())
        except (gdb.error, RuntimeError, TypeError) as error:
            raise MapscopeError(escape(str(error).strip().rstrip("."))) from None

    def _native(self, text: str) -> gdb.Value:
        try:
            return _evaluated(text)
        except (gdb.error, RuntimeError) as error:
            why = str(error).strip().rstrip(".")
        if "may-call-functions" in why:
            why = f"{text} would have to run code in the program, which {_OURS}"
        elif "Writing to" in why:
            why = f"{text} would write to the program, which {_OURS}"
        raise MapscopeError(escape(why))

    def evaluate(self, text: str) -> CppValue:
        value = self._native(text)
        if value.is_optimized_out:
            raise MapscopeError("the value is optimized out here")
        return GdbValue(value)

    def names(self) -> Iterable[str]:
        try:
            frame = gdb.selected_frame()
            block: Optional[gdb.Block] = frame.block()
        except (gdb.error, RuntimeError):
            return
        while block is not None:
            for symbol in block:
                if symbol.is_variable or symbol.is_argument:
                    yield str(symbol.name)
                if symbol.name == "this":
                    yield from self._members(frame, symbol)
            if block.is_global:
                return
            block = block.superblock

    def _members(self, frame: gdb.Frame, this: gdb.Symbol) -> Iterator[str]:
        for field in this.type.strip_typedefs().target().strip_typedefs().fields():
            if field.name and not field.is_base_class and not field.artificial:
                yield str(field.name)

    def at(self, native: object, address: int) -> CppValue:
        type: Any = native
        return GdbValue(value_at(type, address))

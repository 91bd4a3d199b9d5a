# SPDX-License-Identifier: MIT
"""C++ values and names of LLDB as core's: what flavours/cpp/cpp_expressions.py asks for.

Values are kept as a type and an address wherever they have one: LLDB makes nothing of a value
whose type is declared here and defined elsewhere.
"""

import re
from typing import Any, Callable, Iterable, Iterator, List, Optional, Protocol, Tuple

import lldb

from mapscope.errors import MapscopeError
from mapscope.program.cpp_spelling import UNNAMED
from mapscope.program.cpp_values import CppScope, CppValue, Form, find_member, member_names
from mapscope.program.memory import Buffer
from mapscope.program.target import Variable
from mapscope.program.values import escape
from .data import bytes_of_data, global_variables, variable_name
from .types import describe, full_name, spelled

_CLASSES = lldb.eTypeClassStruct | lldb.eTypeClassClass | lldb.eTypeClassUnion
_MASK = (1 << 64) - 1
_LOCALS = (lldb.eValueTypeVariableLocal, lldb.eValueTypeVariableArgument)
_KINDS = ("struct", "class", "union")
_ANONYMOUS = "(anonymous namespace)::"
_UNNAMED = tuple(f"({how} {what})" for how in ("unnamed", "anonymous") for what in _KINDS)
#: frames in which a thread's own variable is looked for
_CALLERS = 64
#: variables of one name, in all modules
_MANY = 256

#: what evaluates an expression of LLDB's without running code, and what makes a Variable
Evaluate = Callable[[str], lldb.SBValue]
VariableOf = Callable[[lldb.SBValue], Variable]


class Program(Protocol):
    """What is asked of the program that is looked at."""

    native: lldb.SBTarget

    def read_memory(self, address: int, size: int) -> Buffer:
        """Exactly `size` bytes."""

    def symbol_places(self, name: str) -> Iterator[lldb.SBAddress]:
        """Where a linker symbol is, in the sections of each module that has it."""


class LldbValue(CppValue):
    """One value of LLDB's."""

    def __init__(
        self,
        scope: "LldbScope",
        type: lldb.SBType,
        address: Optional[int],
        value: Optional[lldb.SBValue] = None,
    ) -> None:
        canonical = type.GetCanonicalType().GetUnqualifiedType()
        self._scope = scope
        self._declared = type
        self._type = canonical
        self._address = address
        self._value = value
        which = canonical.GetTypeClass()
        self.form = Form.OTHER
        if which == lldb.eTypeClassPointer:
            self.form = Form.POINTER
        elif which == lldb.eTypeClassArray:
            self.form = Form.ARRAY
        elif which & _CLASSES:
            self.form = Form.CLASS
        self.tag = full_name(canonical, str(canonical.GetName() or "?"))
        if self.tag.endswith(_UNNAMED):
            self.tag = UNNAMED
        self.complete = self.form is not Form.CLASS or bool(
            canonical.IsTypeComplete() and canonical.GetByteSize()
        )

    @property
    def type_name(self) -> str:
        if self.tag == UNNAMED:
            return self.tag
        return spelled(self._declared.GetCanonicalType())

    def address(self) -> Optional[int]:
        return self._address

    def variable(self) -> Variable:
        if self._address is not None:
            return Variable(describe(self._declared), self._address)
        return self._scope.variable_of(self._native())

    def _native(self) -> lldb.SBValue:
        """LLDB's own value."""
        if self._value is None and self._address is not None:
            target = self._scope.target.native
            place = lldb.SBAddress(self._address, target)
            made = target.CreateValueFromAddress("value", place, self._type)
            self._value = made.GetNonSyntheticValue()
        if self._value is None or not self._value.IsValid():
            raise MapscopeError("the value is not available here")
        return self._value

    def _children(self) -> Tuple[List[lldb.SBValue], int]:
        """Bases that are not empty and members; how many of them are bases."""
        value = self._native()
        count = int(value.GetNumChildren())
        found = [value.GetChildAtIndex(index).GetNonSyntheticValue() for index in range(count)]
        return found, max(count - int(self._type.GetNumberOfFields()), 0)

    def bases(self) -> Iterator[CppValue]:
        if self.form is Form.CLASS and self._type.GetNumberOfDirectBaseClasses():
            found, bases = self._children()
            for child in found[:bases]:
                yield self._scope.value(child)

    def members(self) -> Iterator[Tuple[str, CppValue]]:
        if self._type.GetNumberOfFields():
            found, bases = self._children()
            for child in found[bases:]:
                if child.IsValid():
                    yield str(child.GetName() or ""), self._scope.value(child)

    def static_member(self, name: str) -> Optional[CppValue]:
        if self.form is not Form.CLASS:
            return None
        return self._scope.exactly(f"{self.tag}::{name}")

    def number(self) -> int:
        size = int(self._type.GetByteSize())
        if self._address is not None:
            raw: bytes = bytes(self._scope.target.read_memory(self._address, size))
        else:
            raw = bytes_of_data(self._native().GetData()) or b""
        kind = self._type.GetTypeClass()
        if not raw or len(raw) > 8 or self.form in (Form.CLASS, Form.ARRAY):
            raise MapscopeError(f"a {escape(self.type_name)} is no number")
        integers = self._type
        if kind == lldb.eTypeClassEnumeration:
            integers = self._type.GetEnumerationIntegerType()
        flags = integers.GetTypeFlags()
        if self.form is not Form.POINTER and not flags & lldb.eTypeIsInteger:
            raise MapscopeError(f"a {escape(self.type_name)} is no number")
        signed = self.form is not Form.POINTER and bool(flags & lldb.eTypeIsSigned)
        return int.from_bytes(raw, "little", signed=signed)

    def pointee(self) -> CppValue:
        return LldbValue(self._scope, self._type.GetPointeeType(), self.number() & _MASK)

    def first(self) -> CppValue:
        if self._address is not None:
            return LldbValue(self._scope, self._type.GetArrayElementType(), self._address)
        return self._scope.value(self._native().GetChildAtIndex(0))

    def length(self) -> Optional[int]:
        if self.form is not Form.ARRAY:
            return None
        each = int(self._type.GetArrayElementType().GetByteSize())
        return int(self._type.GetByteSize()) // each or None if each else None

    def beside(self, number: int) -> CppValue:
        if self._address is None:
            raise MapscopeError("the value is in no memory, so there is nothing beside it")
        place = (self._address + number * self.size()) & _MASK
        return LldbValue(self._scope, self._declared, place)

    def size(self) -> int:
        return int(self._type.GetByteSize())

    def argument(self, index: int, address: int) -> Optional[CppValue]:
        found = self._type.GetTemplateArgumentType(index)
        return LldbValue(self._scope, found, address) if found.IsValid() else None


class LldbScope(CppScope):
    """The selected frame, or the program's globals where there is none.

    :param function: of the frame
    :param evaluate: LLDB's value of an expression, refused where it would run code
    :param variable_of: core's Variable of a value of LLDB's
    """

    def __init__(
        self,
        target: Program,
        frame: Optional[lldb.SBFrame],
        function: str,
        evaluate: Evaluate,
        variable_of: VariableOf,
    ) -> None:
        self.target = target
        self._evaluate = evaluate
        self.variable_of = variable_of
        self._frame = frame
        self._function = function

    def value(self, value: lldb.SBValue) -> LldbValue:
        """A value of LLDB's as core's; of a reference, what it refers to.

        :raises MapscopeError: if it is not available
        """
        value = value.GetNonSyntheticValue()
        type = value.GetType()
        if type.IsReferenceType():
            place = self._place(value)
            if place is not None:
                raw: Optional[bytes] = bytes(self.target.read_memory(place, 8))
            else:
                raw = bytes_of_data(value.GetData())
            if not raw or len(raw) < 8:
                raise MapscopeError(_why(value, str(value.GetName() or "it")))
            where = int.from_bytes(raw[:8], "little")
            return LldbValue(self, type.GetCanonicalType().GetDereferencedType(), where)
        place = self._place(value)
        if place is None and value.GetError().Fail():
            raise MapscopeError(_why(value, str(value.GetName() or "it")))
        return LldbValue(self, type, place, value)

    def _place(self, value: lldb.SBValue) -> Optional[int]:
        """Where a value lies; None: in a register, or it was computed."""
        address = value.GetLoadAddress()
        in_memory = str(value.GetLocation() or "").startswith("0x")
        known = in_memory and address != lldb.LLDB_INVALID_ADDRESS
        return int(address) if known else None

    def find(self, name: str) -> Optional[CppValue]:
        if "::" not in name:
            local = self._local(name)
            if local is not None:
                return local
        found = self._member(name)
        if found is None:
            found = self._global(name)
        return found

    def _local(self, name: str) -> Optional[CppValue]:
        """A parameter or a variable of the function's own, also a static one."""
        if self._frame is None:
            return None
        value = self._frame.FindVariable(name)
        if not value.IsValid():
            return None
        return self.value(value)

    def _member(self, name: str) -> Optional[CppValue]:
        """A member of *this."""
        this = None if self._frame is None else self._frame.FindVariable("this")
        if this is None or not this.IsValid() or name == "this":
            return None
        try:
            pointer = self.value(this)
            if pointer.form is not Form.POINTER or not pointer.number():
                return None
            return find_member(pointer.pointee(), name)
        except MapscopeError:
            if this.GetError().Fail() and _has_member(this.GetType(), name):
                raise MapscopeError(f"{escape(name)} is optimized out here") from None
            if this.GetError().Success():
                raise
            return None

    def _global(self, name: str) -> Optional[CppValue]:
        """A variable of a namespace, a file or a class, as seen from the function."""
        wanted = name[2:] if name.startswith("::") else name
        scopes = [""] if name.startswith("::") else _scopes(self._function)
        known = self._known(wanted)
        for scope in scopes:
            for plain in (False, True):  # as it is, then past unnamed namespaces
                found = [
                    value
                    for full, value in known
                    if (full.replace(_ANONYMOUS, "") if plain else full) == scope + wanted
                ]
                if found:
                    return self._one(name, found)
        # namespaces that are inline, or that the function uses: only the compiler knows
        try:
            pointer = self._evaluate(f"&{name}")
        except MapscopeError:
            return self._symbol(name)
        if not pointer.GetType().IsPointerType():
            return None
        value = self.value(pointer)
        return value.pointee() if value.number() else None

    def _known(self, name: str) -> List[Tuple[str, lldb.SBValue]]:
        """(full name, variable) of all that have the last part of a name."""
        last = name.rpartition("::")[2]
        found = global_variables(self.target.native, last, _MANY)
        named = ((variable_name(value), value) for value in found)
        return [(full, value) for full, value in named if full.rpartition("::")[2] == last]

    def exactly(self, full: str) -> Optional[CppValue]:
        """The variable of a full name; None: there is none."""
        found = [value for known, value in self._known(full) if known == full]
        return self._one(full, found) if found else None

    def _one(self, name: str, found: List[lldb.SBValue]) -> CppValue:
        """The variable that a name means of those that have it."""
        values: List[LldbValue] = []
        for value in found:
            one = self._of_thread(value)
            if all(one.address() != other.address() for other in values):
                values.append(one)
        if len(values) > 1 and self._frame is not None:
            # static ones of several files: that of the function's own
            here = self._frame.GetValueForVariablePath(name, lldb.eNoDynamicValues)
            if here.IsValid() and here.GetError().Success():
                own = self.value(here)
                values = [one for one in values if one.address() == own.address()] or values
        if len(values) > 1:
            places = ", ".join(hex(one.address() or 0) for one in values[:4])
            raise MapscopeError(
                f"{escape(name)} is the name of {len(values)} variables: name one by its "
                f"address: {places}"
            )
        return values[0]

    def _of_thread(self, value: lldb.SBValue) -> LldbValue:
        """A global variable; one that each thread has is the selected thread's."""
        name = str(value.GetName())
        for frame in self._frames() if value.GetError().Fail() else ():
            for own in (
                frame.FindValue(name, lldb.eValueTypeVariableGlobal),
                frame.GetValueForVariablePath(name, lldb.eNoDynamicValues),
            ):
                if own.IsValid() and own.GetError().Success() and own.GetName() == name:
                    return self.value(own)
        return self.value(value)

    def _frames(self) -> Iterator[lldb.SBFrame]:
        """The selected frame, and its callers: only where the file of a variable is at work
        LLDB finds that thread's."""
        if self._frame is not None:
            thread, first = self._frame.GetThread(), int(self._frame.GetFrameID())
            for index in range(first, first + _CALLERS):
                frame = thread.GetFrameAtIndex(index)
                if not frame.IsValid():
                    return
                yield frame

    def _symbol(self, name: str) -> Optional[CppValue]:
        """Without debug information, a variable's address."""
        native = self.target.native
        for place in self.target.symbol_places(name):
            if place.GetSymbol().GetType() != lldb.eSymbolTypeData:
                continue
            where = place.GetLoadAddress(native)
            if where != lldb.LLDB_INVALID_ADDRESS:
                void = native.GetBasicType(lldb.eBasicTypeVoid).GetPointerType()
                raw = lldb.SBData.CreateDataFromUInt64Array(native.GetByteOrder(), 8, [where])
                return self.value(native.CreateValueFromData(name, raw, void))
        return None

    def evaluate(self, text: str) -> CppValue:
        return self.value(self._evaluate(text))

    def names(self) -> Iterable[str]:
        if self._frame is None:
            return
        for value in self._frame.GetVariables(True, True, True, True, lldb.eNoDynamicValues):
            name = str(value.GetName() or "")
            yield name
            if name == "this":
                try:
                    yield from member_names(self.value(value).pointee())
                except MapscopeError:
                    continue

    def at(self, native: object, address: int) -> CppValue:
        type: Any = native
        return LldbValue(self, type, address)


def _scopes(function: str) -> List[str]:
    """The namespaces and classes around a function's variables, innermost first."""
    plain = re.sub(r"<[^<>]*>", "", function.replace(_ANONYMOUS, ""))
    parts = plain.split("::")[:-1]
    return ["".join(part + "::" for part in parts[:end]) for end in range(len(parts), -1, -1)]


def _has_member(pointer: lldb.SBType, name: str) -> bool:
    type = pointer.GetPointeeType()
    return any(type.GetFieldAtIndex(i).GetName() == name for i in range(type.GetNumberOfFields()))


def _why(value: lldb.SBValue, name: str) -> str:
    """Why a value is not available."""
    text = str(value.GetError().GetCString() or "")
    if "not available" in text or "optimized out" in text:
        return f"{escape(name)} is optimized out here"
    line = text.strip().splitlines()[0] if text.strip() else "the value is not available here"
    return escape(re.sub(r"^(error: )+", "", line).rstrip("."))

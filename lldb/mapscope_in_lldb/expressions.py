# SPDX-License-Identifier: MIT
"""What the user typed -> a value, and values that only LLDB can print -> text.

Nothing is called in the program: LLDB's expressions are interpreted, never compiled to code
that would run there. In Go frames LLDB evaluates nothing, so numbers, registers, variables,
fields, & and * are read here.
"""

import re
from typing import TYPE_CHECKING, Any, List, Optional

import lldb

from mapscope.errors import MapscopeError, UsageError
from mapscope.flavours.cpp import expressions
from mapscope.program.target import Variable
from mapscope.program.types import VOID, Kind, Type
from mapscope.program.values import escape
from mapscope.session import Session
from .cpp import LldbScope
from .data import bytes_of_data, data_of_bytes
from .go_modules import go_modules
from .types import describe

if TYPE_CHECKING:
    from .target import LldbTarget

_WORD = Type(Kind.UINT, "unsigned long", 8)
_POINTER = Type(Kind.POINTER, "void *", 8, element=lambda: VOID)
_FUNCTION = Type(Kind.FUNC, "func", 8)
_MASK = (1 << 64) - 1
_UNDECLARED = re.compile(r"use of undeclared identifier '([^']*)'")
#: signs, a name with its import path, then fields and indexes
_GO_PATH = re.compile(
    r"^([&*]*)((?:[^\s./&*()\[\]]+(?:/|\.(?=[^/\s]*/)))*[^\s./&*()\[\]]+)"
    r"((?:\.[^\s./()\[\]]+|\[\d+\])*)$"
)
_GO_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
#: characters of a value that LLDB itself prints, parts of it, and how deep they are nested
_TEXT_LIMIT = 4096
_PARTS_LIMIT = 200
_DEPTH_LIMIT = 8


def evaluate(target: "LldbTarget", expression: str) -> Variable:
    """The value of what the user typed.

    :raises MapscopeError: if it has none
    """
    if expression.startswith("-"):
        raise UsageError(f"unknown option {escape(expression)}")
    number = _number(expression)
    if number is not None:
        return Variable(_WORD, None, number.to_bytes(8, "little"))
    frame = target.selected_frame()
    if expression.startswith("$") and frame is not None:
        from .process import register_of

        value = register_of(frame.native, expression[1:])
        if value is not None:
            return Variable(_WORD, None, value.to_bytes(8, "little"))
    if _speaks_go(target):
        found = _go(target, expression)
        if found is not None:
            return found
        if frame is not None and frame.go is not None:
            raise MapscopeError(_no_symbol(expression))
    return _by_lldb(target, expression)


def _number(text: str) -> Optional[int]:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    if value > _MASK:
        raise MapscopeError("Numeric constant too large")
    return value if value >= 0 else None


def _speaks_go(target: "LldbTarget") -> bool:
    return next(go_modules(target.native), None) is not None


def _no_symbol(expression: str) -> str:
    return f'No symbol "{escape(expression)}" in current context'


# --- Go ---


def _go(target: "LldbTarget", expression: str) -> Optional[Variable]:
    """A path as Go writes it: main.Table, t.index.ids, *p, &m."""
    match = _GO_PATH.match(expression)
    if match is None:
        return None
    found: Optional[Variable] = None
    steps = _GO_STEP.findall(match[3])
    frame = target.selected_frame()
    if frame is not None and frame.go is not None:
        found = _local(frame, match[2])
    if found is None and steps and steps[0][0]:
        found = _global(target, f"{match[2]}.{steps.pop(0)[0]}")
    if found is None:
        return None
    for field, index in steps:
        found = _field(target, found, field) if field else _element(target, found, int(index))
    for sign in reversed(match[1]):
        found = _address_of(found, "*{}") if sign == "&" else _pointee(target, found)
    return found


def _local(frame: Any, name: str) -> Optional[Variable]:
    """A parameter or local; one that escapes is named "&name" in debug information."""
    found: Optional[Variable] = frame.variable(name)
    if found is None:
        pointer = frame.variable("&" + name)
        if pointer is not None:
            return _pointee(frame.target, pointer)
        if name in frame.names() or "&" + name in frame.names():
            raise MapscopeError(f"{escape(name)} is optimized out here")
    return found


def _global(target: "LldbTarget", name: str) -> Optional[Variable]:
    for module in go_modules(target.native):
        found = module.global_variable(target.native, name)
        if found is not None:
            return found
    kinds = [place.GetSymbol().GetType() for place in target.symbol_places(name)]
    for address in target.symbols(name):
        # no debug information: at least its address is known
        return Variable(_FUNCTION if lldb.eSymbolTypeCode in kinds else _POINTER, address)
    return None


def _field(target: "LldbTarget", value: Variable, name: str) -> Variable:
    if value.type.kind is Kind.POINTER:
        value = _pointee(target, value)
    if value.type.kind is Kind.SLICE and name == "array":
        return value  # gdb's name for what a slice is made of
    for field in value.type.fields if value.type.kind is Kind.STRUCT else ():
        if field.name == name:
            end = field.offset + field.type.size
            data = None if value.data is None else value.data[field.offset : end]
            address = None if value.address is None else value.address + field.offset
            return Variable(field.type, address, data)
    raise MapscopeError(f"there is no field {escape(name)} in a {escape(value.type.name)}")


def _element(target: "LldbTarget", value: Variable, index: int) -> Variable:
    """An element of an array or a slice."""
    type, start, length = value.type, value.address, value.type.length
    if type.kind is Kind.SLICE:
        data = value.data or bytes(target.read_memory(start or 0, 16))
        start, length = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
    elif type.kind is not Kind.ARRAY:
        raise MapscopeError(f"a {escape(type.name)} has no elements that can be named so")
    if index >= length:
        raise MapscopeError(f"there is no element {index}: it has {length}")
    element = type.target()
    offset = index * element.size
    if start is not None:
        return Variable(element, start + offset)
    return Variable(element, None, (value.data or b"")[offset : offset + element.size])


def _address_of(value: Variable, name: str) -> Variable:
    """A pointer to a value.

    :param name: of its type, {} for that of the value
    """
    if value.address is None:
        raise MapscopeError("the value is in no memory, so it has no address")
    type = value.type
    pointer = Type(Kind.POINTER, name.format(type.name), 8, element=lambda: type)
    return Variable(pointer, None, value.address.to_bytes(8, "little"))


def _pointee(target: "LldbTarget", value: Variable) -> Variable:
    if value.type.kind is Kind.GO_MAP:
        return value  # *m, the header, names the map as well
    if value.type.kind is not Kind.POINTER:
        raise MapscopeError(f"a {escape(value.type.name)} is no pointer")
    data = value.data
    if data is None:
        data = bytes(target.read_memory(value.address or 0, 8))
    return Variable(value.type.target(), int.from_bytes(data[:8], "little"))


# --- everything else ---


def no_code() -> lldb.SBExpressionOptions:
    """Expressions that run no code in the program, leave nothing behind and do not wait."""
    made = lldb.SBExpressionOptions()
    made.SetAllowJIT(False)
    made.SetTryAllThreads(False)
    made.SetSuppressPersistentResult(True)
    made.SetAutoApplyFixIts(False)
    made.SetTimeoutInMicroSeconds(1_000_000)
    return made


def _by_lldb(target: "LldbTarget", expression: str) -> Variable:
    """A C++ expression, of which LLDB finds the variables and evaluates what is no path.

    :raises MapscopeError: with LLDB's own words, or gdb's where both say the same
    """
    frame = target.selected_frame()
    evaluator = target.native if frame is None else frame.native

    def evaluate(text: str) -> lldb.SBValue:
        return _checked(evaluator.EvaluateExpression(text, no_code()), text)

    native, function = (None, "") if frame is None else (frame.native, frame.function)
    scope = LldbScope(target, native, function, evaluate, variable_of)
    return expressions.evaluate(Session(target), scope, expression)


def _checked(value: lldb.SBValue, expression: str) -> lldb.SBValue:
    """:raises MapscopeError: if LLDB has evaluated an expression to an error"""
    error = value.GetError()
    if error.Fail():
        raise MapscopeError(_first_line(str(error.GetCString() or "no value"), expression))
    return value


def condition(frame: lldb.SBFrame, expression: str) -> bool:
    """Whether an expression is true in a frame.

    :raises MapscopeError: with LLDB's own words
    """
    value = _checked(frame.EvaluateExpression(expression, no_code()), expression)
    error = lldb.SBError()
    number = value.GetValueAsUnsigned(error, 0)
    if error.Fail():
        raise MapscopeError(f"{escape(expression)} is no number")
    return bool(number)


def _first_line(text: str, expression: str) -> str:
    undeclared = _UNDECLARED.search(text)
    if undeclared is not None:
        return _no_symbol(undeclared[1])
    if "Interpreter doesn't handle" in text:
        return (
            f"{escape(expression)} would have to run code in the program, which mapscope does not"
        )
    line = text.strip().splitlines()[0] if text.strip() else "no value"
    line = re.sub(r"^(error: )+", "", line)
    return escape(re.sub(r"^<user expression \d+>:\d+:\d+: ", "", line).rstrip("."))


def variable_of(value: lldb.SBValue) -> Variable:
    """core's Variable of an SBValue, references followed.

    :raises MapscopeError: if it is not available
    """
    value = value.GetNonSyntheticValue()
    if value.GetType().IsReferenceType():
        value = value.Dereference().GetNonSyntheticValue()
    if value.GetError().Fail():
        text = str(value.GetError().GetCString() or "")
        if "not available" in text or "optimized out" in text:
            raise MapscopeError("the value is optimized out here")
        raise MapscopeError(_first_line(text, "it"))
    type = describe(value.GetType())
    address = value.GetLoadAddress()
    # GetLoadAddress takes a pointer in a register, or one that was computed, for an address;
    # the location of the one is the register's name, of the other "scalar"
    in_memory = str(value.GetLocation() or "").startswith("0x")
    if in_memory and address != lldb.LLDB_INVALID_ADDRESS:
        return Variable(type, int(address))
    return Variable(type, None, bytes_of(value))


def bytes_of(value: lldb.SBValue) -> bytes:
    """The bytes of a value that lies in no memory (registers, literals).

    :raises MapscopeError: if it has none
    """
    raw = bytes_of_data(value.GetData())
    if raw is None:
        raise MapscopeError("the expression has no value")
    return raw


def one_line(target: lldb.SBTarget, type: Type, address: Optional[int], data: bytes) -> str:
    """A value as LLDB prints it, on one line."""
    native: Any = type.native
    if address is not None:
        value = target.CreateValueFromAddress("value", lldb.SBAddress(address, target), native)
    else:
        value = target.CreateValueFromData("value", data_of_bytes(target, data), native)
    if not value.IsValid():
        return "<error: LLDB cannot show it>"
    text = _shown(value, 0, [_PARTS_LIMIT])
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "..."


def _shown(value: lldb.SBValue, depth: int, left: List[int]) -> str:
    if value.GetError().Fail():
        return f"<error: {escape(str(value.GetError().GetCString()))}>"
    count = value.GetNumChildren(_PARTS_LIMIT + 1) if value.MightHaveChildren() else 0
    summary, plain = str(value.GetSummary() or "").strip(), value.GetValue()
    if plain is not None or not count or depth > _DEPTH_LIMIT or summary.startswith('"'):
        return summary if summary and plain is None else str(plain or "{}")
    parts: List[str] = []
    for index in range(count):
        left[0] -= 1
        if left[0] < 0:
            parts.append("...")
            break
        child = value.GetChildAtIndex(index)
        parts.append(f"{child.GetName()} = {_shown(child, depth + 1, left)}")
    body = "{" + ", ".join(parts) + "}"
    return f"{summary} {body}" if summary else body

# SPDX-License-Identifier: MIT
"""What the user typed -> a value, and values that only LLDB can print -> text.

Nothing is called in the program: LLDB's expressions are interpreted, never compiled to code
that would run there. Go's expressions are core's, which LLDB has no part in.
"""

import re
from typing import Any, List, Optional

import lldb

from mapscope.errors import MapscopeError, UsageError
from mapscope.program.target import Variable
from mapscope.program.types import Kind, Type
from mapscope.program.values import escape
from mapscope.session import Session
from .cpp import LldbScope, Program
from .data import bytes_of_data, data_of_bytes
from .process import register_of
from .types import describe

_WORD = Type(Kind.UINT, "unsigned long", 8)
_MASK = (1 << 64) - 1
_UNDECLARED = re.compile(r"use of undeclared identifier '([^']*)'")
#: what LLDB says of how it tried (since 20)
_NOTE = re.compile(r"^(note: )?(Ran expression as|Falling back to default language)")
#: characters of a value that LLDB itself prints, parts of it, and how deep they are nested
_TEXT_LIMIT = 4096
_PARTS_LIMIT = 200
_DEPTH_LIMIT = 8


def evaluate(
    session: Session,
    program: Program,
    frame: Optional[lldb.SBFrame],
    function: str,
    expression: str,
    vector: bool = False,
) -> Variable:
    """The value of what the user typed.

    :param frame: the selected one; None: there is none
    :param function: its function
    :param vector: whether a std::vector is looked for in C++
    :raises MapscopeError: if it has none
    """
    if expression.startswith("-"):
        raise UsageError(f"unknown option {escape(expression)}")
    number = _number(expression)
    if number is not None:
        return Variable(_WORD, None, number.to_bytes(8, "little"))
    if expression.startswith("$") and frame is not None:
        value = register_of(frame, expression[1:])
        if value is not None:
            return Variable(_WORD, None, value.to_bytes(8, "little"))
    return _by_lldb(session, program, frame, function, expression, vector)


def _number(text: str) -> Optional[int]:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    if value > _MASK:
        raise MapscopeError("Numeric constant too large")
    return value if value >= 0 else None


def _no_symbol(expression: str) -> str:
    return f'No symbol "{escape(expression)}" in current context'


def no_code() -> lldb.SBExpressionOptions:
    """Expressions that run no code in the program, leave nothing behind and do not wait."""
    made = lldb.SBExpressionOptions()
    made.SetAllowJIT(False)
    made.SetTryAllThreads(False)
    made.SetSuppressPersistentResult(True)
    made.SetAutoApplyFixIts(False)
    made.SetTimeoutInMicroSeconds(1_000_000)
    return made


def _by_lldb(
    session: Session,
    program: Program,
    frame: Optional[lldb.SBFrame],
    function: str,
    text: str,
    vector: bool,
) -> Variable:
    """A C++ expression, of which LLDB finds the variables and evaluates what is no path.

    :raises MapscopeError: with LLDB's own words, or gdb's where both say the same
    """
    evaluator = program.native if frame is None else frame

    def evaluate(text: str) -> lldb.SBValue:
        return _checked(evaluator.EvaluateExpression(text, no_code()), text)

    scope = LldbScope(program, frame, function, evaluate, variable_of)
    from mapscope.flavours.cpp import cpp_expressions

    find = cpp_expressions.vector if vector else cpp_expressions.evaluate
    return find(session, scope, text)


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
    lines = [line for line in text.strip().splitlines() if not _NOTE.match(line)]
    line = lines[0] if lines else "no value"
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

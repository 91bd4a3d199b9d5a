# SPDX-License-Identifier: MIT
"""Expressions of a description: parts of structs, variables, and a little arithmetic on them.

Nothing is called, and the debugger is not asked: an expression is read once, tied to what debug
information says of the names in it, and computed from memory. An array or a struct stands for its
address, as an array does in C; addresses are numbers of bytes, so `+ 8` is eight bytes further.
"""

import difflib
import re
from dataclasses import field
from typing import Callable, Dict, List, Optional, Tuple

from ...errors import Corrupt, MapscopeError
from ...program.memory import Memory
from ...program.types import Kind, Part, Type
from ...records import dataclass

MASK = (1 << 64) - 1
#: the address of the node or slot whose parts are named
OWN = "$node"
#: the struct that the table is, where parts of a node or slot are named
TABLE = "$table"
#: characters of an expression, and how deep it may be nested
_LONGEST, _DEEPEST = 400, 24
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)|(?P<name>\$?[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*)"
    r"|(?P<sign><<|>>|->|==|!=|<=|>=|[-+*%&|^~!()\[\].<>?:]))"
)
#: binary operators, from those that bind least on, as C has them
_LEVELS: Tuple[Tuple[str, ...], ...] = (
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "%"),
)
_NUMBERS = (Kind.INT, Kind.UINT, Kind.BOOL, Kind.ENUM, Kind.POINTER, Kind.FUNC)


class FormulaError(MapscopeError):
    """An expression that means nothing."""


@dataclass
class Env:
    """What an expression is computed with.

    :ivar base: address of the struct whose parts are named
    :ivar row: its first bytes, where they were read already
    :ivar values: of names that begin with $
    """

    memory: Memory
    base: int = 0
    row: bytes = b""
    values: Dict[str, int] = field(default_factory=dict)


Compute = Callable[[Env], int]


@dataclass(frozen=True)
class Place:
    """Something in memory.

    :ivar at: gives its address
    :ivar offset: from the beginning of the struct whose parts are named; None: it is elsewhere
    """

    type: Type
    at: Compute
    offset: Optional[int] = None


@dataclass(frozen=True)
class Formula:
    """An expression that is tied to a program.

    :ivar value: computes it
    :ivar place: where it lies, if it is a part of a struct or a variable, and no sum
    """

    text: str
    value: Compute
    place: Optional[Place]

    def truth(self, env: Env) -> bool:
        """Whether it is not 0."""
        return self.value(env) != 0


#: what a name at the beginning of a path means; None: nothing
Lookup = Callable[[str], Optional[Place]]
#: names that could have been meant
Similar = Callable[[str], str]


@dataclass(frozen=True)
class Scope:
    """What names mean.

    :ivar find: a part or a variable
    :ivar similar: the end of a line about one that means nothing
    :ivar given: names with a $ that have a value
    :ivar complete: a type, where it was only declared
    :ivar table: the type of what $table is
    """

    find: Lookup
    similar: Similar
    given: Tuple[str, ...] = ()
    complete: Callable[[Type], Type] = lambda type: type
    table: Optional[Type] = None


def parts_of(type: Type) -> List[Part]:
    """The members of a struct or union that can be named; of anything else none."""
    return list(type.as_class().parts) if type.as_class is not None else []


def part_of(type: Type, name: str) -> Optional[Part]:
    """The member of a name, also one of a base class or of a union without a name."""
    return None if type.as_class is None else type.as_class().find(name)


def compile_formula(text: str, scope: Scope) -> Formula:
    """An expression, tied to what its names mean.

    :raises FormulaError: if it means nothing
    """
    reader = _Reader(text, scope)
    return reader.whole()


def check_syntax(text: str) -> None:
    """:raises FormulaError: if no program could give it a meaning"""
    _Reader(text, None).whole()


def number_in(type: Type, raw: bytes) -> int:
    """A number of a type, as it lies in memory."""
    return int.from_bytes(raw[: type.size], "little", signed=type.kind is Kind.INT)


def at_offset(type: Type, offset: int) -> Place:
    """A part of the struct whose parts are named."""
    return Place(type, lambda env: env.base + offset, offset)


class _Reader:
    """Reads one expression.

    :param scope: None: names are not looked at
    """

    def __init__(self, text: str, scope: Optional[Scope]) -> None:
        self._text = text
        self._scope = scope
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Formula:
        """All of it."""
        found = self._conditional()
        if self._peek():
            raise FormulaError(f"{self._text!r}: {self._peek()!r} is one too many")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            there = f"{token!r}" if token else "its end"
            what = f"{wanted!r}" if wanted else "a name or a number"
            raise FormulaError(f"{self._text!r}: {what} is expected at {there}")
        self._at += 1
        return token

    def _conditional(self) -> Formula:
        """`A ? B : C`, or what stands in place of A."""
        found = self._binary(0)
        if self._peek() != "?":
            return found
        self._deeper()
        self._take()
        chosen = self._conditional()
        self._take(":")
        other = self._conditional()
        self._depth -= 1
        test, yes, no = found.value, chosen.value, other.value
        return Formula(self._text, lambda env: yes(env) if test(env) else no(env), None)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError(f"{self._text!r} is nested too deep")

    def _binary(self, level: int) -> Formula:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            sign = self._take()
            right = self._binary(level + 1)
            left = Formula(self._text, _joined(sign, left.value, right.value), None)
        return left

    def _unary(self) -> Formula:
        self._deeper()
        try:
            sign = self._peek()
            if sign in ("-", "~", "!"):
                self._take()
                value = self._unary().value
                if sign == "-":
                    return Formula(self._text, lambda env: -value(env), None)
                if sign == "~":
                    return Formula(self._text, lambda env: ~value(env) & MASK, None)
                return Formula(self._text, lambda env: int(not value(env)), None)
            return self._path()
        finally:
            self._depth -= 1

    def _path(self) -> Formula:
        if self._peek() == "(":
            self._take()
            found = self._conditional()
            self._take(")")
        else:
            found = self._first(self._take())
        while self._peek() in (".", "->", "["):
            if self._take() == "[":
                index = self._conditional()
                self._take("]")
                found = self._element(found, index)
            else:
                found = self._part(found, self._name())
        return found

    def _name(self) -> str:
        name = self._take()
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise FormulaError(f"{self._text!r}: {name!r} is no name of a part")
        return name

    def _first(self, token: str) -> Formula:
        if token[0].isdigit():
            try:
                number = int(token, 0)
            except ValueError:
                raise FormulaError(f"{self._text!r}: {token!r} is no number") from None
            if number > MASK:
                raise FormulaError(f"{self._text!r}: {token} has more than 64 bits")
            return Formula(self._text, lambda env: number, None)
        if token[0] == "$":
            if self._scope is not None and token not in self._scope.given:
                known = ", ".join(self._scope.given) or "no such names"
                raise FormulaError(f"{self._text!r}: {token} has no value here; there are {known}")
            if token == OWN:
                return Formula(self._text, lambda env: env.base, None)
            table = None if self._scope is None else self._scope.table
            if token == TABLE and table is not None:
                return self._at_place(Place(table, lambda env: env.values[TABLE]))
            return Formula(self._text, lambda env: env.values[token], None)
        if not re.match(r"[A-Za-z_]", token):
            raise FormulaError(f"{self._text!r}: a name or a number is expected at {token!r}")
        if self._scope is None:
            return Formula(self._text, lambda env: 0, None)
        place = self._scope.find(token)
        if place is None:
            raise FormulaError(f"{self._text!r}: there is no {token}{self._scope.similar(token)}")
        return self._at_place(place)

    def _at_place(self, place: Place) -> Formula:
        return Formula(self._text, _reading(place, self._text), place)

    def _part(self, owner: Formula, name: str) -> Formula:
        if self._scope is None:
            return owner
        if owner.place is None:
            raise FormulaError(f"{self._text!r}: what .{name} stands behind has no parts")
        type, at, offset = owner.place.type, owner.place.at, owner.place.offset
        if type.kind is Kind.POINTER:
            type, at, offset = type.target(), owner.value, None
        type = self._scope.complete(type)
        part = part_of(type, name)
        if part is None:
            raise FormulaError(f"{self._text!r}: {_lacks(type, name)}")
        step, start = part.offset, at
        return self._at_place(
            Place(
                part.type,
                lambda env: start(env) + step,
                None if offset is None else offset + step,
            )
        )

    def _element(self, owner: Formula, index: Formula) -> Formula:
        if self._scope is None:
            return owner
        place = owner.place
        if place is None or place.type.kind not in (Kind.ARRAY, Kind.POINTER):
            raise FormulaError(f"{self._text!r}: what [ stands behind is no array and no pointer")
        element = self._scope.complete(place.type.target())
        if not element.size:
            raise FormulaError(f"{self._text!r}: the size of {element.name} is not known")
        number, size, start = index.value, element.size, owner.value
        length = place.type.length if place.type.kind is Kind.ARRAY else 0
        text = self._text

        def at(env: Env) -> int:
            which = number(env)
            if length and not 0 <= which < length:
                raise Corrupt(f"{text!r}: element {which} of an array of {length}")
            return start(env) + which * size

        return self._at_place(Place(element, at))


def _tokens(text: str) -> List[str]:
    if len(text) > _LONGEST:
        raise FormulaError(f"an expression of {len(text)} characters: {_LONGEST} are allowed")
    found: List[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FormulaError(f"{text!r}: {text[at:].strip()[:1]!r} means nothing here")
        found.append(match[match.lastgroup or 0])
        at = match.end()
    if not found:
        raise FormulaError("there is no expression")
    return found


def _lacks(type: Type, name: str) -> str:
    names = [part.name for part in parts_of(type) if part.name]
    if not names:
        return f"{type.name} has no parts that are known, so no {name}"
    return f"{type.name} has no {name}{similar(name, names)}"


def similar(name: str, names: List[str]) -> str:
    """The end of a line about a name that is not there."""
    near = difflib.get_close_matches(name, names, 3, 0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"; there are {some}" if some else ""


def _reading(place: Place, text: str) -> Compute:
    """What a place holds: a number, or of an array or struct its address."""
    type, at, offset = place.type, place.at, place.offset
    if type.kind in (Kind.ARRAY, Kind.STRUCT, Kind.OPAQUE, Kind.VOID, Kind.STRING):
        return at
    if type.kind not in _NUMBERS or not 0 < type.size <= 8:

        def refuse(env: Env) -> int:
            raise FormulaError(f"{text!r}: a {type.name} is no whole number")

        return refuse
    size, signed = type.size, type.kind is Kind.INT
    if offset is None:
        return lambda env: int.from_bytes(env.memory.read(at(env), size), "little", signed=signed)
    start, end = offset, offset + size

    def of_row(env: Env) -> int:
        raw = env.row[start:end]
        if len(raw) < size:
            raw = env.memory.read(env.base + start, size)
        return int.from_bytes(raw, "little", signed=signed)

    return of_row


def _joined(sign: str, left: Compute, right: Compute) -> Compute:
    if sign == "+":
        return lambda env: left(env) + right(env)
    if sign == "-":
        return lambda env: left(env) - right(env)
    if sign == "&":
        return lambda env: left(env) & right(env)
    if sign == "|":
        return lambda env: left(env) | right(env)
    if sign == "^":
        return lambda env: left(env) ^ right(env)
    if sign == "*":
        return lambda env: _bounded(left(env)) * _bounded(right(env))
    if sign == "%":
        return lambda env: _remainder(left(env), right(env))
    if sign == "<<":
        return lambda env: _bounded(left(env)) << _shift(right(env))
    if sign == ">>":
        return lambda env: (left(env) & MASK) >> _shift(right(env))
    return _compared(sign, left, right)


def _compared(sign: str, left: Compute, right: Compute) -> Compute:
    if sign == "==":
        return lambda env: int(left(env) == right(env))
    if sign == "!=":
        return lambda env: int(left(env) != right(env))
    if sign == "<":
        return lambda env: int(left(env) < right(env))
    if sign == ">":
        return lambda env: int(left(env) > right(env))
    if sign == "<=":
        return lambda env: int(left(env) <= right(env))
    return lambda env: int(left(env) >= right(env))


def _bounded(value: int) -> int:
    """A number whose product with another one stays small."""
    return value if -MASK <= value <= MASK else value & MASK


def _shift(count: int) -> int:
    if not 0 <= count < 64:
        raise Corrupt(f"a number is shifted by {count} bits")
    return count


def _remainder(value: int, by: int) -> int:
    if by <= 0:
        raise Corrupt(f"the remainder of a division by {by}")
    return value % by

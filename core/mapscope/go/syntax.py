# SPDX-License-Identifier: MIT
"""The part of Go's expressions that names a value: text -> a tree.

Names, fields, *, &, parentheses, indexes, slices, type assertions and conversions; nothing that
computes. Facts: The Go Programming Language Specification, "Primary expressions" and "Types".
"""

import re
from typing import List, Optional, Tuple, Union

from ..errors import MapscopeError
from ..program.values import escape
from ..records import dataclass

#: nested parentheses, fields and indexes of one expression
_MOST_STEPS = 256
_LONGEST = 4096
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
#: folders of an import path, and the last part of it
_IMPORT_PATH = re.compile(r"(?:[\w.~%@+-]+/)+[\w~%+-]+")
_NUMBER = re.compile(r"\d[\w.]*")
_FOREIGN = re.compile(r"\$\w*")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class NotGo(MapscopeError):
    """An expression that is no path to a value in Go."""


@dataclass(frozen=True)
class Name:
    """A variable, or a package in front of one."""

    text: str


@dataclass(frozen=True)
class Number:
    """An address, or an index."""

    text: str
    value: int


@dataclass(frozen=True)
class Foreign:
    """What the debugger knows: a register, or a variable of its own."""

    text: str


@dataclass(frozen=True)
class Select:
    """base.field"""

    text: str
    base: "Node"
    field: str


@dataclass(frozen=True)
class Index:
    """base[key]; the key is read when it is known what base is."""

    text: str
    base: "Node"
    key: str


@dataclass(frozen=True)
class Slice:
    """base[low:high]; an empty bound is left out."""

    text: str
    base: "Node"
    low: str
    high: str


@dataclass(frozen=True)
class Assert:
    """base.(type)"""

    text: str
    base: "Node"
    type: str


@dataclass(frozen=True)
class Deref:
    """*base"""

    text: str
    base: "Node"


@dataclass(frozen=True)
class AddressOf:
    """&base"""

    text: str
    base: "Node"


@dataclass(frozen=True)
class Convert:
    """type(base); that it is no call is only known when the type is looked up."""

    text: str
    type: str
    base: "Node"


Node = Union[Name, Number, Foreign, Select, Index, Slice, Assert, Deref, AddressOf, Convert]


def parse(text: str) -> Node:
    """The tree of an expression.

    :raises NotGo: if it is none that names a value
    """
    if len(text) > _LONGEST:
        raise NotGo(f"an expression of more than {_LONGEST} characters")
    parser = _Parser(text)
    node = parser.unary()
    parser.blanks()
    if parser.at < len(text):
        rest = text[parser.at :]
        if rest.startswith("->"):
            raise NotGo(f"{escape(text)}: Go writes a field behind a pointer as p.x, not p->x")
        raise parser.error(f"cannot read {escape(rest)}")
    return node


def split_list(text: str) -> List[str]:
    """The parts between commas outside of brackets and quotes; a last comma ends the list."""
    parts: List[str] = []
    start = at = 0
    while at < len(text):
        if text[at] == ",":
            parts.append(text[start:at])
            start = at + 1
        at = _past(text, at)
    if text[start:].strip():
        parts.append(text[start:])
    return [part.strip() for part in parts]


def split_pair(text: str) -> Optional[Tuple[str, str]]:
    """What is before and behind a colon outside of brackets and quotes; None: there is none."""
    at = 0
    while at < len(text):
        if text[at] == ":":
            return text[:at].strip(), text[at + 1 :].strip()
        at = _past(text, at)
    return None


def _past(text: str, at: int) -> int:
    """Behind one character, or behind what is quoted or in brackets.

    :raises NotGo: if that does not end
    """
    char = text[at]
    if char in "\"'`":
        end = at + 1
        while end < len(text) and text[end] != char:
            end += 2 if text[end] == "\\" and char != "`" else 1
        if end >= len(text):
            raise NotGo(f"no closing {char} in {escape(text)}")
        return end + 1
    if char not in _CLOSING:
        return at + 1
    waiting: List[str] = []
    while at < len(text):
        char = text[at]
        if char in _CLOSING:
            waiting.append(_CLOSING[char])
        elif waiting and char == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at + 1
        elif char in ")]}":
            break
        elif char in "\"'`":
            at = _past(text, at)
            continue
        at += 1
    raise NotGo(f"no closing {waiting[-1]} in {escape(text)}")


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._steps = 0

    def error(self, what: str) -> NotGo:
        """A line about what is refused."""
        return NotGo(
            f"{escape(self.text)}: {what}; of Go's expressions mapscope takes names, fields, "
            "[i], [i:j], [key], *, &, .(T) and conversions, and computes nothing"
        )

    def blanks(self) -> None:
        """Skip them."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise NotGo(f"an expression of more than {_MOST_STEPS} steps")

    def _next(self) -> str:
        self.blanks()
        return self.text[self.at : self.at + 1]

    def _group(self) -> str:
        """What is between the bracket here and the one that closes it."""
        end = _past(self.text, self.at)
        inner = self.text[self.at + 1 : end - 1]
        self.at = end
        return inner

    def unary(self) -> Node:
        """*x, &x or what is reached by steps from a name."""
        self._step()
        char = self._next()
        start = self.at
        if char in ("*", "&"):
            self.at += 1
            inner = self.unary()
            text = self.text[start : self.at]
            return Deref(text, inner) if char == "*" else AddressOf(text, inner)
        return self._steps_from(self._primary(), start)

    def _primary(self) -> Node:
        char = self._next()
        text, at = self.text, self.at
        if not char:
            raise self.error("a name is missing")
        if char == "(":
            inner = self._group()
            if self._next() == "(" and _is_type(inner):
                return self._convert(inner.strip(), at)
            return parse(inner)
        if char == "[" or text.startswith("map[", at):
            self.at = type_end(text, at) or at
            if self.at == at or self._next() != "(":
                raise self.error(f"{escape(text[at:])} is no conversion")
            return self._convert(text[at : self.at].strip(), at)
        if char == "'" and "'" in text[at + 1 :]:  # as debuggers quote a name
            self.at = _past(text, at)
            return parse(text[at + 1 : self.at - 1])
        match = _FOREIGN.match(text, at)
        if match is not None:
            self.at = match.end()
            return Foreign(match[0])
        match = _IMPORT_PATH.match(text, at) or _IDENTIFIER.match(text, at)
        if match is not None:
            self.at = match.end()
            return Name(match[0])
        match = _NUMBER.match(text, at)
        if match is not None:
            self.at = match.end()
            return Number(match[0], self._number(match[0]))
        raise self.error(f"cannot read {escape(text[at:])}")

    def _number(self, text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            raise self.error(f"{escape(text)} is no whole number") from None
        if value >= 1 << 64:
            raise self.error(f"{escape(text)} is too large")
        return value

    def _convert(self, type: str, start: int) -> Node:
        inner = parse(self._group())
        return Convert(self.text[start : self.at], type, inner)

    def _steps_from(self, node: Node, start: int) -> Node:
        while True:
            char = self._next()
            if char == ".":
                self._step()
                self.at += 1
                if self._next() == "(":
                    type = self._group().strip()
                    node = Assert(self.text[start : self.at], node, type)
                    continue
                match = _IDENTIFIER.match(self.text, self.at)
                if match is None:
                    raise self.error("a field's name is missing behind a dot")
                self.at = match.end()
                node = Select(self.text[start : self.at], node, match[0])
            elif char == "[":
                self._step()
                inner = self._group()
                text = self.text[start : self.at]
                pair = split_pair(inner)
                if pair is None:
                    node = Index(text, node, inner.strip())
                elif ":" in pair[1] and split_pair(pair[1]) is not None:
                    raise self.error("[i:j:k] is not taken")
                else:
                    node = Slice(text, node, *pair)
            elif char == "(" and isinstance(node, (Name, Select, Index)):
                self._step()
                node = self._call(node, start)
            else:
                return node

    def _call(self, node: Node, start: int) -> Node:
        """T(x), which looks as a call does."""
        inner = self.text[self.at + 1 : _past(self.text, self.at) - 1]
        name = self.text[start : self.at].strip()
        if len(split_list(inner)) != 1:
            raise self.error(f"{escape(name)}(...) is a call, and nothing is called")
        return self._convert(name, start)


def _is_type(text: str) -> bool:
    """Whether what is in parentheses may be a type."""
    text = text.strip()
    return type_end(text, 0) == len(text)


def type_end(text: str, at: int) -> Optional[int]:
    """Behind the type that begins here; None: none does."""
    for _ in range(_MOST_STEPS):
        if text.startswith("*", at):
            at += 1
        elif text.startswith("map[", at) or text.startswith("[", at):
            opened = text.index("[", at)
            try:
                at = _past(text, opened)
            except NotGo:
                return None
        elif text.startswith("chan ", at):
            at += 5
        elif text.startswith(("struct", "interface", "func"), at) and re.match(
            r"(?:struct|interface)\s*\{|func\(", text[at:]
        ):
            opened = text.index("(" if text.startswith("func", at) else "{", at)
            try:
                return _past(text, opened)
            except NotGo:
                return None
        else:
            match = _IMPORT_PATH.match(text, at) or _IDENTIFIER.match(text, at)
            if match is None:
                return None
            at = match.end()
            further = re.compile(r"\.[^\W\d]\w*").match(text, at)
            if further is not None:
                at = further.end()
            if text.startswith("[", at):  # type arguments
                try:
                    at = _past(text, at)
                except NotGo:
                    return None
            return at
    return None

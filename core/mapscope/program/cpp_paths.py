# SPDX-License-Identifier: MIT
"""C++ expressions that only look at things, taken apart: names, members, elements, `*` and `&`.

What has another form (a cast, arithmetic) is left to the debugger as a whole, or as what stands
in a pair of parentheses. What this must not know: what any of the names mean.
"""

import re
from typing import List, Optional, Tuple, Union

from ..errors import MapscopeError
from ..records import dataclass
from .values import escape

#: signs, members and indexes of one expression
_MOST = 128
#: parentheses in parentheses
_DEEPEST = 32


@dataclass(frozen=True)
class Name:
    """A variable, perhaps with its namespaces and classes: a, ns::a, holder::one."""

    text: str


@dataclass(frozen=True)
class Native:
    """A part that only the debugger evaluates."""

    text: str


@dataclass(frozen=True)
class Member:
    """base.name, base->name"""

    base: "Path"
    name: str
    arrow: bool
    text: str


@dataclass(frozen=True)
class Element:
    """base[index], also base.at(index) and std::get<index>(base)

    :ivar how: "[", or the function: "at", "front", "get" of a tuple, "get()" and "value" of what
        holds one thing
    """

    base: "Path"
    index: str
    how: str
    text: str


@dataclass(frozen=True)
class Pointee:
    """*base, also base.get() of a smart pointer and base.value() of an optional, dereferenced"""

    base: "Path"
    text: str


@dataclass(frozen=True)
class AddressOf:
    """&base"""

    base: "Path"
    text: str


Path = Union[Name, Native, Member, Element, Pointee, AddressOf]

_NAME = re.compile(
    r"(?:::)?(?:\(anonymous namespace\)::|[A-Za-z_]\w*(?:<[\w:,<> *&]*>)?::)*[A-Za-z_]\w*"
)
_GET = re.compile(r"(?:::)?std::get<\s*(\d+)[uUlL]*\s*>\(")
#: words that begin something else than a path
_WORDS = frozenset(
    "sizeof alignof decltype typeid static_cast dynamic_cast reinterpret_cast const_cast new "
    "delete throw true false nullptr unsigned signed int long short char bool float double void "
    "const volatile struct class union enum typename auto operator".split()
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
_WRITES = re.compile(r"\+\+|--|<<=|>>=|(?<![=!<>])=(?!=)|\b(new|delete|throw)\b")


def parse(text: str) -> Path:
    """The path that an expression is; Native: it is none.

    :raises MapscopeError: if it would write to the program
    """
    parser = _Parser(text)
    found = parser.whole()
    if found is not None:
        return found
    refuse_writes(text)
    return Native(text)


def refuse_writes(text: str) -> None:
    """:raises MapscopeError: if an expression would write to the program"""
    match = _WRITES.search(_STRING.sub('""', text))
    if match is not None:
        raise MapscopeError(
            f"{escape(text)} would write to the program ({match[0]}), which mapscope does not"
        )


class _Parser:
    """Takes one expression apart."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self._text = text
        self._depth = depth
        self._at = 0
        self._steps = 0

    def whole(self) -> Optional[Path]:
        """The expression; None: it is no path."""
        found = self._signed()
        self._blanks()
        return found if self._at == len(self._text) else None

    def _blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _starts(self, what: str) -> bool:
        if self._text.startswith(what, self._at):
            self._at += len(what)
            return True
        return False

    def _signed(self) -> Optional[Path]:
        """Signs in front, and what follows them."""
        signs: List[Tuple[str, int]] = []
        while True:
            self._blanks()
            start = self._at
            if self._text.startswith("&&", start) or len(signs) > _MOST:
                return None
            if not (self._starts("*") or self._starts("&")):
                break
            signs.append((self._text[start], start))
        begin = self._at
        found = self._steps_of(self._primary(), begin)
        if found is None:
            return None
        for sign, start in reversed(signs):
            text = self._text[start : self._at]
            found = Pointee(found, text) if sign == "*" else AddressOf(found, text)
        return found

    def _primary(self) -> Optional[Path]:
        match = _GET.match(self._text, self._at)
        if match is not None:
            start, self._at = self._at, match.end()
            self._depth += 1
            inner = self._signed() if self._depth < _DEEPEST else None
            self._depth -= 1
            self._blanks()
            if inner is None or not self._starts(")"):
                return None
            return Element(inner, match[1], "get", self._text[start : self._at])
        match = _NAME.match(self._text, self._at)
        if match is not None:
            if match[0] in _WORDS:
                return None
            self._at = match.end()
            return Name(match[0])
        if not self._text.startswith("(", self._at):
            return None
        end = closing(self._text, self._at)
        if end is None:
            return None
        inside = self._text[self._at + 1 : end]
        depth = self._depth + 1
        found = _Parser(inside, depth).whole() if depth < _DEEPEST else None
        if found is None:
            refuse_writes(inside)
            found = Native(self._text[self._at : end + 1])
        self._at = end + 1
        following = self._text[self._at : self._at + 1]
        if isinstance(found, (Name, Native)) and re.match(r"[\w(*&~!+\-]", following):
            if not self._text.startswith("->", self._at):
                return None  # a cast
        return found

    def _steps_of(self, found: Optional[Path], start: int) -> Optional[Path]:
        """Members and elements behind what was found.

        :param start: where that begins
        """
        while found is not None:
            self._steps += 1
            if self._steps > _MOST:
                return None
            self._blanks()
            arrow = self._text.startswith("->", self._at)
            if arrow or self._text.startswith(".", self._at):
                self._at += 2 if arrow else 1
                self._blanks()
                match = _NAME.match(self._text, self._at)
                if match is None:
                    return None
                self._at = match.end()
                found = self._member(found, match[0], arrow, start)
            elif self._text.startswith("[", self._at):
                end = closing(self._text, self._at)
                if end is None:
                    return None
                index = self._text[self._at + 1 : end].strip()
                self._at = end + 1
                found = Element(found, index, "[", self._text[start : self._at])
            else:
                return found
        return None

    def _member(self, base: Path, name: str, arrow: bool, start: int) -> Optional[Path]:
        if not self._text.startswith("(", self._at):
            return Member(base, name, arrow, self._text[start : self._at])
        # functions of the standard library that only look
        end = closing(self._text, self._at)
        if end is None:
            return None
        argument = self._text[self._at + 1 : end].strip()
        self._at = end + 1
        whole = self._text[start : self._at]
        if arrow:
            base = Pointee(base, whole)
        if name == "at" and argument:
            return Element(base, argument, "at", whole)
        if name == "front" and not argument:
            return Element(base, "0", "front", whole)
        if name == "value" and not argument:
            return Element(base, "", "value", whole)
        if name == "get" and not argument:
            return AddressOf(Element(base, "", "get()", whole), whole)
        return None


def closing(text: str, start: int) -> Optional[int]:
    """Where the bracket that opens at `start` is closed; None: nowhere."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    open_: List[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if char in "\"'":
            # 1'000 has no literal in it
            if not (
                char == "'" and text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isdigit()
            ):
                match = _STRING.match(text, at)
                if match is None:
                    return None
                at = match.end()
                continue
        elif char in pairs:
            open_.append(pairs[char])
        elif char in ")]}":
            if not open_ or open_.pop() != char:
                return None
            if not open_:
                return at
        at += 1
    return None


# --- literals ---

_NUMBER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F']+|0[bB][01']+|[0-9][0-9']*)([uUlLzZ]*)$")
_FLOAT = re.compile(r"[+-]?(\d[\d']*\.?\d*|\.\d+)([eE][+-]?\d+)?[fFlL]?$")
_TEXT = re.compile(r'(?:u8)?"((?:[^"\\]|\\.)*)"', re.DOTALL)
_CHAR = re.compile(r"(?:u8|[uUL])?'((?:[^'\\]|\\.)+)'$", re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_PLAIN = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
    b"e": b"\x1b",
}


def integer(text: str) -> Optional[int]:
    """The number that a literal of C++ is, also a character; None: it is none."""
    match = _NUMBER.match(text)
    if match is not None:
        digits = match[2].replace("'", "")
        octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
        try:
            value = int(digits, 8) if octal else int(digits, 0)
        except ValueError:
            return None
        return -value if match[1] == "-" else value
    match = _CHAR.match(text)
    if match is None:
        return None
    raw = _unescaped(match[1])
    if len(raw) == 1:
        return raw[0]
    try:
        return ord(raw.decode("utf-8"))
    except (UnicodeDecodeError, TypeError):
        return None


def is_float(text: str) -> bool:
    """Whether it is a literal of a floating-point number."""
    return _FLOAT.match(text) is not None


def string(text: str) -> Optional[bytes]:
    """The bytes that a string literal of C++ is, or several of them in a row; None: it is none."""
    at, found = 0, b""
    while at < len(text):
        match = _TEXT.match(text, at)
        if match is None:
            return None
        found += _unescaped(match[1])
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1
    return found if text else None


def _unescaped(text: str) -> bytes:
    def one(match: "re.Match[bytes]") -> bytes:
        if match[1]:
            return bytes([int(match[1], 16) & 0xFF])
        if match[2]:
            return bytes([int(match[2], 8) & 0xFF])
        point = match[3] or match[4]
        if point:
            code = int(point, 16)
            return chr(code).encode("utf-8", "surrogatepass") if code < 0x110000 else b"?"
        return _PLAIN.get(match[5], match[5])

    return _ESCAPE.sub(one, text.encode("utf-8", "surrogateescape"))

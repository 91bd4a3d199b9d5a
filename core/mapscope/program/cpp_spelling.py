# SPDX-License-Identifier: MIT
"""The one spelling of a C++ type's name, whatever compiler, demangler or person wrote it.

`char const*`, `const char*` and `char const *` are `const char *`; `long unsigned int` is `unsigned
long`; template arguments that are there unless told are left out by who asks. What is no such name
is not spelled: then the text is shown as it is.
"""

import re
from typing import Callable, List, Optional

_TOKEN = re.compile(
    r"\s*(\(anonymous namespace\)|\{anonymous\}"
    r"|\((?:unnamed|anonymous) (?:class|struct|union|enum)[^()]*\)|\(lambda at [^()]*\)"
    r"|\{(?:lambda\([^{}]*\)|unnamed type)#\d+\}"
    r"|<lambda\([^<>()]*\)>|<unnamed (?:class|struct|union)>"
    r"|\[abi:\w+\]|[uUL]?'(?:\\.[^']*|[^'\\])'"
    r"|[A-Za-z_$~][\w$]*|-?\d[\w.]*(?:[eEpP][+-]\d+)?|::|&&|->|\S)"
)
_WORD = re.compile(r"[A-Za-z_$~]")
_NUMBER = re.compile(r"-?\d")
_SUFFIX = re.compile(r"^(-?\d+)[uUlL]+$")
_QUOTED = re.compile(r"[uUL]?'")
_ANONYMOUS = "(anonymous namespace)"
#: as which every type without a name is shown
UNNAMED = "(unnamed class)"
_UNNAMED = re.compile(r"\((?:unnamed|anonymous) (?!namespace)|\(lambda|\{(?:lambda|unnamed)|<[lu]")
_QUALIFIERS = ("const", "volatile")
_KINDS = ("struct", "class", "union", "enum")
#: words that numbers' types are called by, in any order
_NUMBERS = frozenset(
    ("unsigned", "signed", "long", "short", "int", "char", "double", "__int128", "_Complex")
)
#: of other languages, or not types alone
_OTHERS = frozenset(("func", "fn", "decltype", "sizeof", "operator", "noexcept", "dyn", "impl"))
#: templates in templates
_DEEPEST = 24
_CHARACTERS = {"'": "\\'", "\\": "\\\\"}
_ESCAPED = re.compile(r"'(?:\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3}))'$")

#: gives a template's name and its arguments, as they are shown
Template = Callable[[str, List[str]], str]


class _NotAName(Exception):
    """It is not understood."""


def spelling(name: str, template: Template) -> Optional[str]:
    """The one spelling of a type's name; None: it is not understood.

    :param template: joins a template's name with its arguments
    """
    tokens = _TOKEN.findall(name)
    try:
        speller = _Speller(tokens, template)
        found = speller.piece(0)
        return found if speller.at == len(tokens) else None
    except _NotAName:
        return None


class _Speller:
    def __init__(self, tokens: List[str], template: Template) -> None:
        self._tokens = tokens
        self._template = template
        self.at = 0

    def _peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        found = self._peek()
        if not found or wanted and found != wanted:
            raise _NotAName
        self.at += 1
        return found

    def piece(self, depth: int) -> str:
        """A type, or a value that a template was given."""
        if depth > _DEEPEST:
            raise _NotAName
        first = self._peek()
        if _NUMBER.match(first) or _QUOTED.match(first):
            return _literal(self._take())
        if first == "&":
            self._take()
            return "&" + self._name(depth)
        if first == "(":
            return self._in_parentheses(depth)
        return self._type(depth)

    def _in_parentheses(self, depth: int) -> str:
        """A value behind a cast, or an address."""
        self._take("(")
        if self._peek() == "&":
            self._take()
            found = "&" + self._name(depth)
            self._take(")")
            return found
        type = self.piece(depth + 1)
        self._take(")")
        value = self._peek()
        if not (_NUMBER.match(value) or _QUOTED.match(value)):
            raise _NotAName
        return _cast(type, _literal(self._take()))

    def _type(self, depth: int) -> str:
        qualifiers: List[str] = []
        words: List[str] = []
        name = ""
        while True:
            token = self._peek()
            if token in _QUALIFIERS:
                qualifiers.append(self._take())
            elif token in _NUMBERS and not name:
                words.append(self._take())
            elif token in _KINDS and not name and not words and _begins(self._peek(1)):
                self._take()
            elif _begins(token) and not name and not words:
                name = self._name(depth)
            else:
                break
        base = name or _number_type(words)
        for one in reversed(_QUALIFIERS):
            if one in qualifiers:
                base = f"{one} {base}"
        return self._declarator(base, depth)

    def _name(self, depth: int) -> str:
        """A name with its scopes and template arguments."""
        found = ""
        if self._peek() == "::":
            found = self._take()
        while True:
            token = self._take()
            if token == "{anonymous}":
                token = _ANONYMOUS
            elif _UNNAMED.match(token):
                token = UNNAMED
            elif token in _OTHERS or not _begins(token) or token == "::":
                raise _NotAName
            found += token
            while self._peek().startswith("[abi:"):
                self._take()
            if self._peek() == "<":
                found = self._template(found, self._arguments("<", ">", depth))
            if self._peek() == "(" and self._of_function():
                # what is of a function stands without it, as debug information has it
                self._arguments("(", ")", depth)
                while self._peek() in _QUALIFIERS:
                    self._take()
                self._take("::")
                found = ""
                continue
            if self._peek() != "::" or self._peek(1) == "*":
                return found
            found += self._take()

    def _of_function(self) -> bool:
        """Whether the parentheses that open here are those of a function that has what follows."""
        open_ones = 0
        for at in range(self.at, len(self._tokens)):
            token = self._tokens[at]
            open_ones += (token == "(") - (token == ")")
            if not open_ones:
                at += 1 - self.at
                while self._peek(at) in _QUALIFIERS:
                    at += 1
                return self._peek(at) == "::"
        return False

    def _arguments(self, first: str, last: str, depth: int) -> List[str]:
        self._take(first)
        found: List[str] = []
        while self._peek() != last:
            if found:
                self._take(",")
            if [self._peek(at) for at in range(3)] == ["."] * 3:
                self.at += 3
                found.append("...")
            else:
                found.append(self.piece(depth + 1))
        self._take(last)
        return found

    def _declarator(self, base: str, depth: int) -> str:
        """What stands behind a type: of pointers, references, arrays, functions."""
        text, grouped = base, False
        while True:
            token = self._peek()
            if token in ("*", "&", "&&"):
                text += ("" if not text or text[-1] in "*&" else " ") + self._take()
                while self._peek() in _QUALIFIERS:
                    text += (" " if text[-1].isalpha() else "") + self._take()
            elif token == "(" and not grouped and self._groups():
                self._take()
                if depth >= _DEEPEST:
                    raise _NotAName
                inner = self._declarator("", depth + 1)
                self._take(")")
                text += (" " if text else "") + f"({inner})"
                grouped = True
            elif token == "(":
                parameters = self._arguments("(", ")", depth)
                if parameters == ["void"]:
                    parameters = []
                text += ("" if grouped else " ") + f"({', '.join(parameters)})"
                while self._peek() in (*_QUALIFIERS, "noexcept"):
                    text += " " + self._take()
                return text
            elif token == "[" and (self._peek(1) == "]" or _NUMBER.match(self._peek(1))):
                self._take()
                count = "" if self._peek() == "]" else _literal(self._take())
                self._take("]")
                text += f"[{count}]"
            elif _begins(token) and token not in _QUALIFIERS:
                holder = self._name(depth)
                self._take("::")
                self._take("*")
                text += ("" if not text else " ") + f"{holder}::*"
            else:
                return text

    def _groups(self) -> bool:
        """Whether the parentheses that open here hold what a pointer points at."""
        if self._peek(1) in ("*", "&", "&&"):
            return True
        at = 1
        while _begins(self._peek(at)):
            at += 1
        return at > 1 and self._peek(at) == "*" and self._peek(at - 1) == "::"


def _begins(token: str) -> bool:
    """Whether a name can begin so, or go on."""
    if not token or token in ("::", _ANONYMOUS, "{anonymous}"):
        return bool(token)
    return bool(_WORD.match(token) or _UNNAMED.match(token))


def _number_type(words: List[str]) -> str:
    """The name of a type that is made of several words."""
    if not words:
        raise _NotAName
    rest = [word for word in words if word not in ("int", "signed", "unsigned")]
    if "char" in rest or "double" in rest or "__int128" in rest or "_Complex" in rest:
        front = [word for word in ("signed", "unsigned") if word in words]
        if "__int128" in rest:
            front = [word for word in front if word == "unsigned"]
        complex_ones = ["_Complex"] if "_Complex" in rest else []
        rest = sorted((word for word in rest if word != "_Complex"), key=lambda one: one != "long")
        return " ".join([*complex_ones, *front, *rest])
    if not rest:
        return "unsigned int" if "unsigned" in words else "int"
    return ("unsigned " if "unsigned" in words else "") + " ".join(rest)


def _literal(text: str) -> str:
    suffix = _SUFFIX.match(text)
    return suffix[1] if suffix is not None else text


def _cast(type: str, value: str) -> str:
    """A value that was told with its type, where that is not plain."""
    if type == "bool" and value in ("0", "1"):
        return ("false", "true")[value == "1"]
    if type not in ("char", "signed char", "unsigned char"):
        return f"({type}){value}"
    code = _character(value)
    if code is None:
        return f"({type}){value}"
    if type == "char" and 32 <= code < 127:
        return f"'{_CHARACTERS.get(chr(code), chr(code))}'"
    return str(code if type == "unsigned char" or code < 128 else code - 256)


def _character(value: str) -> Optional[int]:
    """The byte that a number or a character in quotes is."""
    if _NUMBER.match(value):
        try:
            return int(value) & 0xFF
        except ValueError:
            return None
    escaped = _ESCAPED.match(value)
    if escaped is not None:
        return (int(escaped[1], 16) if escaped[1] else int(escaped[2], 8)) & 0xFF
    plain = value[1:-1]
    if len(plain) == 2 and plain[0] == "\\":
        plain = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}.get(
            plain[1], plain[1]
        )
    return ord(plain) if len(plain) == 1 and ord(plain) < 256 else None

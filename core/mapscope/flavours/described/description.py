# SPDX-License-Identifier: MIT
"""A description of a table: the file, read and checked as far as that goes without a program."""

import difflib
import re
from typing import Dict, List, Optional, Tuple

from ...errors import MapscopeError
from ...program.values import named
from ...records import dataclass
from .formulas import FormulaError, check_syntax
from .named_hashes import HASHES

#: bytes of a file, and of one line of it
_LARGEST, _LINE = 1 << 16, 2000
_NAME = re.compile(r"[A-Za-z_][\w-]{0,63}")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_SECTION = re.compile(r"\[\s*(\w+)\s*\]")
_FUNCTION = re.compile(r"[A-Za-z_~][\w:<>~, ]*")

#: events that a function of [stops] can stand for; of those behind them no entry is told
WRITES, MOVES = ("assign", "delete"), ("clear", "grow", "evacuate", "done")
_CALLED = WRITES + MOVES
#: what a file may say: by section, which of it are expressions, and which are not
_FORMULAS: Dict[str, Tuple[str, ...]] = {
    "table": ("array", "segment", "size", "count", "bucket", "paused", "grows_above"),
    "old": ("when", "array", "size", "done", "bucket"),
    "node": ("next", "head", "hash"),
    "slot": ("live", "deleted", "hash"),
    "key": ("at", "length"),
    "value": ("at", "length", "unless"),
    "lookup": ("seed",),
    "moving": (),
    "stops": (),
}
_WORDS: Dict[str, Tuple[str, ...]] = {
    "table": ("name", "type", "file", "splits"),
    "old": ("busy",),
    "node": ("type",),
    "slot": ("type",),
    "key": ("as", "type"),
    "value": ("as", "type"),
    "lookup": ("hash", "order"),
    "moving": ("function", "locals", "waits", "waits_for"),
    "stops": ("watch", *_CALLED, "adding", "removing"),
}
#: without which nothing can be shown
_NEEDED = ("table.name", "table.array", "table.size", "key.at")
_NEEDED_OLD = ("old.array", "old.size", "old.done")
#: what `as` can be
VALUE, TEXT, C_STRING = "value", "text", "c-string"
FORMS = (VALUE, TEXT, C_STRING)
#: where lookups look: in the old bucket if it is not migrated, else in the new one; or in both
EITHER, OLD_NEW, NEW_OLD = "either", "old new", "new old"
ORDERS = (EITHER, OLD_NEW, NEW_OLD)
#: what stands in an entry itself
STORED = "stored"
#: what a function of [stops] is told by
_ROLES = ("table", "node", "key", "length")


class DescriptionError(MapscopeError):
    """A description that says something wrong: file, line and what."""


@dataclass(frozen=True)
class Line:
    """One of its values, and where it stands."""

    text: str
    number: int


@dataclass(frozen=True)
class Call:
    """A function of the program that does something to a table.

    :ivar parameters: what the function calls its parameters, by what they are
    """

    function: str
    parameters: Dict[str, str]


@dataclass(frozen=True)
class Description:
    """What a file says.

    :ivar file: as the user named it
    :ivar lines: by "section.name"
    """

    name: str
    file: str
    lines: Dict[str, Line]

    def get(self, key: str, otherwise: str = "") -> str:
        """A value; `otherwise` where there is none."""
        line = self.lines.get(key)
        return otherwise if line is None else line.text

    def has(self, section: str) -> bool:
        """Whether there is such a section."""
        return any(key.startswith(section + ".") for key in self.lines)

    def words(self, key: str) -> List[str]:
        """A value's words."""
        return self.get(key).split()

    def error(self, key: str, text: str) -> DescriptionError:
        """What is wrong with a value."""
        line = self.lines.get(key) or self.lines["table.name"]
        return _error(self.file, line.number, f"{key.partition('.')[2]}: {text}")

    @property
    def type_name(self) -> str:
        """The struct that such a table is; "": variables are the table."""
        return self.get("table.type")

    def call(self, event: str) -> Optional[Call]:
        """The function of an event of [stops]."""
        words = self.words(f"stops.{event}")
        if not words:
            return None
        pairs = (word.partition("=") for word in words[1:])
        return Call(words[0], {role: parameter for role, _, parameter in pairs})

    def operation(self, function: str) -> Optional[str]:
        """What a function of the program does to such a table; None: nothing that is said. What
        moves entries may be a thread that mostly waits, so it counts as none."""
        for event in ("assign", "delete", "clear"):
            call = self.call(event)
            if call is not None and call.function == function:
                return event
        if function in self.words("stops.adding"):
            return "assign"
        return "delete" if function in self.words("stops.removing") else None

    def writers(self) -> List[str]:
        """Functions in which an entry is added or removed."""
        calls = (self.call(event) for event in ("assign", "delete", "clear"))
        found = [call.function for call in calls if call is not None]
        return found + self.words("stops.adding") + self.words("stops.removing")


def read_description(text: str, file: str) -> Description:
    """A description.

    :param file: what it is called in messages
    :raises DescriptionError: if it says something wrong
    """
    if len(text) > _LARGEST:
        raise DescriptionError(
            f"{named(file)} has {len(text)} characters: no description is so long"
        )
    lines: Dict[str, Line] = {}
    section = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        if len(raw) > _LINE:
            raise _error(file, number, f"a line of {len(raw)} characters: {_LINE} are allowed")
        if not line:
            continue
        match = _SECTION.fullmatch(line)
        if match is not None:
            section = match[1]
            if section not in _WORDS:
                raise _error(file, number, f"no section [{section}]{_near(section, _WORDS)}")
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise _error(file, number, f"{line!r}: neither [section] nor NAME = VALUE")
        if not section:
            raise _error(file, number, "a value before the first [section]")
        known = _FORMULAS[section] + _WORDS[section]
        if key not in known:
            raise _error(file, number, f"[{section}] has no {key!r}{_near(key, known)}")
        full = f"{section}.{key}"
        if full in lines:
            raise _error(file, number, f"{key} stands in line {lines[full].number} already")
        if not value:
            raise _error(file, number, f"{key} has no value")
        if key in _FORMULAS[section]:
            try:
                check_syntax(value)
            except FormulaError as error:
                raise _error(file, number, f"{key}: {error}") from None
        lines[full] = Line(value, number)
    return _checked(file, lines, len(text.splitlines()))


def _checked(file: str, lines: Dict[str, Line], last: int) -> Description:
    """A description whose lines are right one by one."""
    needed = list(_NEEDED)
    found = Description(lines["table.name"].text if "table.name" in lines else "", file, lines)
    chains, slots = found.has("node"), found.has("slot")
    if chains == slots:
        which = "both are there" if chains else "neither is there"
        raise _error(file, last, f"either [node], of chains, or [slot] is to be there: {which}")
    needed += ["node.next"] if chains else ["slot.live"]
    if found.has("old"):
        needed += _NEEDED_OLD
    for key in needed:
        if key not in lines:
            section, _, name = key.partition(".")
            raise _error(file, last, f"[{section}] lacks {name}")
    if not _NAME.fullmatch(found.name):
        text = "a name has letters, digits, _ and -, and begins with a letter"
        raise found.error("table.name", f"{found.name!r}: {text}")
    if "table.type" in lines and "table.file" in lines:
        raise found.error("table.file", "it is of a table of variables, and `type` is there")
    if "table.segment" in lines and (slots or found.has("old")):
        what = "[slot]" if slots else "[old]"
        raise found.error("table.segment", f"segments are of one table of chains; there is {what}")
    _check_choices(found)
    return found


def _check_choices(found: Description) -> None:
    for section in ("key", "value"):
        form = found.get(f"{section}.as", VALUE)
        if form not in FORMS:
            raise found.error(f"{section}.as", f"no form {form!r}{_near(form, FORMS)}")
        if (form == TEXT) != (f"{section}.length" in found.lines):
            where = f"{section}.as" if form == TEXT else f"{section}.length"
            raise found.error(where, "`as = text` and `length` go together")
        if found.has(section) and f"{section}.at" not in found.lines:
            other = next(key for key in found.lines if key.startswith(section + "."))
            raise found.error(other, f"[{section}] lacks at")
    order = " ".join(found.get("lookup.order", EITHER).split())
    if order not in ORDERS:
        raise found.error("lookup.order", f"no order {order!r}{_near(order, ORDERS)}")
    name = found.get("lookup.hash")
    if name and name != STORED and name not in HASHES:
        names = (STORED, *HASHES)
        raise found.error("lookup.hash", f"no hash function {name!r}{_near(name, names)}")
    if name == STORED and not (found.get("node.hash") or found.get("slot.hash")):
        where = "node" if found.has("node") else "slot"
        raise found.error("lookup.hash", f"[{where}] lacks hash, where it is stored")
    if found.has("moving") and not found.has("old"):
        raise found.error("moving.function", "there is no [old] table that entries move from")
    for event in _CALLED:
        _check_call(found, event)


def _check_call(found: Description, event: str) -> None:
    """`assign = FUNCTION table=PARAMETER key=PARAMETER length=PARAMETER`."""
    key = f"stops.{event}"
    words = found.words(key)
    if not words:
        return
    if not _FUNCTION.fullmatch(words[0]):
        raise found.error(key, f"{words[0]!r} is no name of a function")
    roles = []
    for word in words[1:]:
        role, _, parameter = word.partition("=")
        if role not in _ROLES or not re.fullmatch(r"[A-Za-z_]\w*", parameter):
            roles_text = ", ".join(f"{one}=PARAMETER" for one in _ROLES)
            raise found.error(key, f"{word!r} is none of {roles_text}")
        roles.append(role)
    if found.type_name and "table" not in roles:
        raise found.error(key, "table=PARAMETER is to say which table the function works on")
    if event in WRITES and not {"node", "key"} & set(roles):
        raise found.error(key, "key=PARAMETER or node=PARAMETER is to say which entry it is")
    if found.get("key.as") == TEXT and "key" in roles and "length" not in roles:
        raise found.error(key, "length=PARAMETER is to say how long the key is")


def _near(name: str, known: "Tuple[str, ...] | Dict[str, Tuple[str, ...]]") -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, 2, 0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(names)}"


def _error(file: str, number: int, text: str) -> DescriptionError:
    return DescriptionError(f"{named(file)}:{number}: {text}")

# SPDX-License-Identifier: MIT
"""What a half typed command line can go on with.

Names are offered where a word is begun, and those of Go's own packages where it begins as they do:
there are thousands of them.
"""

import argparse
import re
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .commands import load
from .commands.base import Command
from .errors import MapscopeError
from .locate import evaluate, list_maps
from .program.target import Names, Target
from .program.types import Kind
from .session import Session
from .stops.all_stops import Stops

#: names that are offered at most, and maps whose types are
_MOST, _MOST_MAPS = 200, 10_000
#: where the names of variables of Go's own begin with
_OF_GO = re.compile(r"^(?:runtime|internal|syscall|vendor|type:|go:|go\.)\b")
#: options whose value is a name of the debugger's or the kernel's own
_FILES, _PLACES = ("-o", "--save", "--since", "--pprof", "--perfetto"), ("--at",)

#: commands whose own word is a file's name
_TAKE_FILES = ("describe", "probes")

#: values that may be maps, or lead to some
_MAY_LEAD = (
    Kind.GO_MAP,
    Kind.STRUCT,
    Kind.POINTER,
    Kind.SLICE,
    Kind.ARRAY,
    Kind.INTERFACE,
    Kind.EMPTY_INTERFACE,
)

#: what is to be completed by the debugger itself
EXPRESSION, FILE, LOCATION = "expression", "file", "location"


def complete(
    name: str,
    first_words: Sequence[str],
    line: str,
    target: Callable[[], Target],
    stops: Optional[Callable[[], Stops]] = None,
) -> Tuple[str, List[str], str]:
    """What the last word of a line may become.

    :param name: of the command, as commands.load takes it
    :param first_words: what its first word can be, where there is a choice
    :param line: up to the cursor
    :return: the last word as it is, what it may become, and what the debugger is to complete ("":
        nothing)
    """
    words = line.split()
    last = words.pop() if words and not line[-1:].isspace() else ""
    try:
        found, own = _complete(name, first_words, words, last, target, stops)
    except (MapscopeError, argparse.ArgumentError):
        return last, [], ""
    return last, sorted(dict.fromkeys(found))[:_MOST], own


def _complete(
    name: str,
    first_words: Sequence[str],
    words: List[str],
    last: str,
    target: Callable[[], Target],
    stops: Optional[Callable[[], Stops]],
) -> Tuple[List[str], str]:
    command = load(name)
    options = _options(command)
    given = words[-1] if words else ""
    if "--" not in words:
        if options.get(given):
            return _value(given, last, target)
        if last.startswith("-") and last not in ("-", "--") or last == "--":
            return [option for option in command.options() if option.startswith(last)], ""
    if name in _TAKE_FILES:
        return [], FILE
    plain = list(_plain(words, options))
    if first_words and not plain:
        return [word for word in first_words if word.startswith(last)], ""
    if name.split()[-1] == "break" and plain[:1] == ["delete"]:
        numbers = [str(stop.number) for stop in stops()] if stops is not None else []
        return [word for word in [*numbers, "all"] if word.startswith(last) or not last], ""
    if plain[:1] == ["progress"] and len(plain) == 1 and first_words:
        return [part for part in ("25%", "50%", "75%", "100%") if part.startswith(last)], ""
    at = len(plain) - bool(first_words) - (plain[:1] == ["progress"] and bool(first_words))
    if at or not last or plain[:1] == ["list"] and first_words:
        return [], ""
    return _variables(last, target())


def _options(command: Command) -> Dict[str, bool]:
    """Each option, and whether a word follows it."""
    found: Dict[str, bool] = {}
    for action in command.parser()._actions:
        for option in action.option_strings:
            found[option] = action.nargs != 0
    return found


def _plain(words: List[str], options: Dict[str, bool]) -> Iterator[str]:
    """The words that are neither options nor what belongs to one."""
    skip = rest = False
    for word in words:
        if skip:
            skip = False
        elif rest or word not in options and word != "--":
            yield word
        else:
            skip, rest = options.get(word, False), word == "--"


def _value(option: str, last: str, target: Callable[[], Target]) -> Tuple[List[str], str]:
    """What may stand behind an option."""
    if option in _FILES:
        return [], FILE
    if option in _PLACES:
        return [], LOCATION
    if option == "--type" and last:
        return list(_types(last, Session(target()))), ""
    return [], ""


def _types(last: str, session: Session) -> Iterator[str]:
    """Map types that begin so: those in Go's table of types, and of the maps that there are."""
    if not session.target.has_memory():
        return
    found = session.go.names_from(last, _MOST) if session.is_go() else []
    for (_, view), _ in zip(list_maps(session), range(_MOST_MAPS)):
        found.append(view.type_name)
    for name in found:
        # one with blanks would have to be quoted from its beginning; commas need none behind them
        name = name.replace(", ", ",")
        if name.startswith(last) and " " not in name:
            if "runtime." in last or "runtime." not in name:
                yield name


def _variables(last: str, target: Target) -> Tuple[List[str], str]:
    """Names of variables that begin so. Debuggers offer functions of Go's runtime there."""
    session = Session(target)
    names = target.names() if target.has_memory() else None
    if names is None or not session.is_go() or last[:1] in "$0123456789":
        return [], EXPRESSION
    start, dot, part = last.rpartition(".")
    if dot:
        try:
            type = evaluate(session, start).type
        except MapscopeError:
            type = None
        for _ in range(2):
            type = type.target() if type is not None and type.kind is Kind.POINTER else type
        if type is not None and type.fields:
            return [f"{start}.{one.name}" for one in type.fields if one.name.startswith(part)], ""
    found = [name for name in names.locals() if name.startswith(last)]
    known = names.package_variables("^" + re.escape(last))
    if not dot:
        package = names.frame.function.rpartition(".")[0] if names.frame is not None else ""
        known = [name for name in known if not name.startswith(package + ".") or last in package]
    known = [name for name in known if not _OF_GO.match(name) or _OF_GO.match(last)]
    found += [name for name in known[:_MOST] if _leads_to_maps(names, name)]
    return [name for name in found if re.fullmatch(r"[\w./]+", name)], ""


def _leads_to_maps(names: Names, name: str) -> bool:
    """Whether a package's name is that of a variable that may be a map, or hold one."""
    try:
        variable = names.package_variable(name)
    except MapscopeError:
        return False
    return variable is not None and variable.address is not None and variable.type.kind in _MAY_LEAD

# SPDX-License-Identifier: MIT
"""Described tables as a flavour: those whose descriptions were loaded."""

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from ...errors import MapscopeError, NotAMap, UsageError
from ...maps.view import MapView
from ...program.cpp_tables import DESCRIBED
from ...program.target import Frame, Target, Variable
from ...program.types import Kind, Type
from ...program.values import escape, named
from ...session import Session
from ..flavour import Flavour
from .described_map import NAME, open_table
from .description import Description, read_description
from .formulas import similar
from .loaded import LOADED
from .described_moves import plain_name
from .shape import Shape, shape_of

#: descriptions that come with mapscope
BUNDLED = Path(__file__).resolve().parents[2] / "descriptions"
SUFFIX = ".table"
_LARGEST = 1 << 16
#: behind the name of a template: any class that it makes
_ANY = "<*>"
_STRUCT = ("struct ", "class ", "union ")


def loaded() -> List[Description]:
    """Descriptions that were loaded, in that order."""
    return list(LOADED.values())


def bundled() -> List[str]:
    """Names of descriptions that come with mapscope."""
    return sorted(path.stem for path in BUNDLED.glob("*" + SUFFIX))


def forget(name: str) -> None:
    """Unload a description.

    :raises UsageError: if none of that name is loaded
    """
    if name not in LOADED:
        raise UsageError(f"no description {named(name)} is loaded{similar(name, list(LOADED))}")
    del LOADED[name]
    _tell_names()


def _tell_names() -> None:
    """Which classes are tables, for who reads expressions."""
    names = [one.type_name for one in LOADED.values() if one.type_name]
    DESCRIBED.clear()
    DESCRIBED.update(_plain(name) for name in names)


def _plain(name: str) -> str:
    start = next((start for start in _STRUCT if name.startswith(start)), "")
    return name[len(start) :]


def load(target: Target, word: str) -> Tuple[Description, Optional[Shape]]:
    """Load a description: a file, or the name of one that comes with mapscope.

    :return: it, and how it fits the program; None: that is seen when a table is named
    :raises MapscopeError: if it says something wrong; nothing is loaded then
    """
    path, shown = Path(word).expanduser(), word
    names = bundled()
    if word in names and not path.is_file():
        path, shown = BUNDLED / (word + SUFFIX), word + SUFFIX
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        known = f" ({', '.join(names)} come with mapscope)" if "/" not in word else ""
        raise UsageError(f"cannot read {named(word)}: {error.strerror or error}{known}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{named(word)} is no text in UTF-8") from None
    except ValueError:
        raise UsageError(f"{named(word)} can be the name of no file") from None
    description = read_description(text, shown)
    # what a template makes has a name of its own, which a variable tells
    later = description.type_name.endswith(_ANY) or target.lacks_program()
    shape = None if later else shape_of(target, description)
    LOADED[description.name] = description
    _tell_names()
    return description, shape


class DescribedTables(Flavour):
    """Tables whose descriptions were loaded."""

    name = NAME

    @property
    def not_listed(self) -> str:  # type: ignore[override]
        """Which are in no list."""
        types = [one.type_name for one in LOADED.values() if one.type_name]
        if not types:
            return ""
        return f"described tables that are a {' or a '.join(types)} are not listed: name a variable"

    def present(self, session: Session) -> bool:
        return bool(LOADED)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        type = variable.type
        if type.kind not in (Kind.STRUCT, Kind.OPAQUE):
            return None
        found = next((one for one in LOADED.values() if _is_of(type, one.type_name)), None)
        if found is None:
            return None
        if variable.address is None:
            raise NotAMap(f"{escape(type.name)} is in no memory here")
        return open_table(session, shape_of(session.target, found, type), variable.address)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        """What --type names, if that is a description, or the struct of one."""
        for one in LOADED.values() if type is not None else ():
            if is_named(one, type):
                if not one.type_name:
                    raise NotAMap(f"{one.name} is no struct but variables: map inspect {one.name}")
                return open_table(session, shape_of(session.target, one), address)
        return None

    def from_name(self, session: Session, name: str) -> Optional[MapView]:
        found = LOADED.get(name)
        if found is None:
            return None
        if found.type_name:
            raise NotAMap(
                f"{found.name} describes every {found.type_name}: name a variable, or an address "
                f"and --type {found.name}"
            )
        return open_table(session, shape_of(session.target, found), 0)

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        for one in LOADED.values():
            name = plain_name(frame.function)
            event = one.operation(name)
            if event is None and (one.type_name or name not in one.words("moving.function")):
                continue
            if event is None or not one.type_name:
                return self.from_name(session, one.name)
            call = one.call(event)
            parameter = None if call is None else call.parameters.get("table")
            owner = frame.variable(parameter) if parameter else None
            if owner is not None and owner.type.kind is Kind.POINTER:
                at = owner.address
                raw = owner.data or (session.memory.read(at, 8) if at is not None else b"")
                address = int.from_bytes(raw[:8], "little")
                return self.from_variable(session, Variable(owner.type.target(), address))
        return None

    def operation(self, function: str) -> Optional[str]:
        name = plain_name(function)
        found = (one.operation(name) for one in LOADED.values())
        return next((event for event in found if event), None)

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        for one in loaded():
            if one.type_name:
                continue
            try:
                view = open_table(session, shape_of(session.target, one), 0)
                view.count  # may be counted by a walk
            except MapscopeError as error:
                session.unread.append((one.name, str(error)))
                continue
            yield one.name, view


def is_named(description: Description, type: Optional[str]) -> bool:
    """Whether --type names a description, or the struct of one."""
    return type is not None and (type == description.name or type == description.type_name != "")


def _is_of(type: Type, wanted: str) -> bool:
    """Whether a type is the one that a description names; `name<*>`: any that a template makes."""
    if not wanted:
        return False
    tag = type.as_class().tag if type.as_class is not None else ""
    names, wanted = {_plain(type.name), _plain(tag)}, _plain(wanted)
    if wanted.endswith(_ANY):
        return any(name.startswith(wanted[:-2]) for name in names)
    return wanted in names

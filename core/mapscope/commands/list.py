# SPDX-License-Identifier: MIT
"""`map list`: every live map that can be enumerated."""

import argparse
import difflib
from typing import Callable, Dict, Iterator, List, Tuple

from ..errors import UnknownType
from ..flavours.registry import FLAVOURS
from ..locate import list_maps
from ..maps.figures import size_text
from ..maps.view import MapView
from ..program.cpp_names import same_type
from ..program.values import dumps, escape, named
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, natural, unread_form, unread_lines


@dataclass
class Row:
    """One map.

    :ivar name: of the variable that it is
    :ivar owner: the way to it from a variable, indices and keys left out
    """

    name: str
    view: MapView
    progress: object
    owner: str = ""


@dataclass
class ListResult(Result):
    """Maps, biggest first.

    :ivar where: which maps were looked for, if not all
    :ivar left_out: how many more there are, behind the last one
    :ivar read: how many could be read, also those that were not asked for
    :ivar unread: (name, why) of those that could not be read
    :ivar not_listed: which maps were not looked for
    """

    rows: List[Row]
    where: str
    unread: List[Tuple[str, str]]
    not_listed: List[str]
    left_out: int = 0
    read: int = 0

    def json(self) -> Iterator[str]:
        maps = []
        for row in self.rows:
            view = row.view
            growth, held = view.growth(), view.held()
            maps.append(
                {
                    "address": hex(view.address or 0),
                    "type": view.type_name,
                    "name": row.name or None,
                    "owner": row.owner or None,
                    "flavor": view.flavor,
                    "count": view.known_count,
                    "buckets": view.facts().buckets,
                    "overflow": view.overflow_in_use(),
                    "bytes": None if held is None else held.total,
                    "retained": None if held is None else held.retained,
                    "growing": growth.kind if growth else None,
                    "progress": row.progress,
                }
            )
        form: Dict[str, object] = {"schema": "mapscope.list/1", "maps": maps}
        if self.left_out:
            form["left_out"] = self.left_out
        form.update(unread=unread_form(self.unread), not_listed=self.not_listed)
        yield dumps(form) + "\n"

    def text(self) -> Iterator[str]:
        if not self.rows:
            if not self.unread:
                yield f"no maps found{self.where}\n"
            elif not self.read:
                yield "no map could be read\n"
            else:
                yield f"no such map among those that could be read ({self.read})\n"
            yield from unread_lines(self.unread)
            yield from (f"note: {text}\n" for text in self.not_listed)
            return
        yield (
            f"{'address':<18}  {'entries':>10}  {'buckets':>9}  {'bytes':>9}  {'retained':>9}  "
            f"{'growing':<16}  type\n"
        )
        for row in self.rows:
            view = row.view
            growth, held = view.growth(), view.held()
            state = ""
            if growth is not None:
                state = growth.kind
                if isinstance(row.progress, float):
                    state += f" {row.progress * 100:.1f}%"
            name = row.name or row.owner
            name = f"  {escape(name)}" if name else ""
            buckets = view.facts().buckets
            count = f"{view.count}{'+' if view.known_count is None else ''}"
            size = size_text(held.total if held else None)
            retained = size_text(held.retained) if held and held.retained else "" if held else "?"
            yield (
                f"{view.address or 0:<#18x}  {count:>10}  "
                f"{'?' if buckets is None else buckets:>9}  {size:>9}  {retained:>9}  "
                f"{state:<16}  {escape(view.type_name)}{name}\n"
            )
        if self.left_out:
            yield f"... {self.left_out} more (--limit 0 shows all)\n"
        yield from unread_lines(self.unread)
        yield from (f"note: {text}\n" for text in self.not_listed)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--migrating", action="store_true", help="only maps of which a migration is in progress"
    )
    parser.add_argument("--type", metavar="TYPE", help="only maps of this type")
    parser.add_argument(
        "--sort",
        metavar="BY",
        choices=tuple(_ORDERS),
        default="entries",
        help=f"{', '.join(_ORDERS)}: what stands first; entries unless told",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=natural,
        help="show at most N maps, 0 for all (text: the debugger's element limit; JSON: all)",
    )


def _bytes(view: MapView) -> int:
    held = view.held()
    return -1 if held is None else held.total


def _retained(view: MapView) -> int:
    held = view.held()
    return -1 if held is None else held.retained


#: the order in which the ways to all maps have to be known first
_NAME = "name"

#: what stands first, by the word that asks for it; then the address decides
_ORDERS: Dict[str, Callable[[str, MapView], Tuple[object, ...]]] = {
    "entries": lambda name, view: (-view.count,),
    "bytes": lambda name, view: (-_bytes(view), -view.count),
    "retained": lambda name, view: (-_retained(view), -view.count),
    "buckets": lambda name, view: (-(view.facts().buckets or 0), -view.count),
    "type": lambda name, view: (view.type_name, -view.count),
    _NAME: lambda name, view: (not name, name, -view.count),
}


def _of_type(
    found: List[Tuple[str, MapView]], wanted: str, all_read: bool
) -> List[Tuple[str, MapView]]:
    """Those of a type.

    :raises UnknownType: if there is none, with the nearest types that there are
    """
    plain = same_type(wanted)
    chosen = [one for one in found if same_type(one[1].type_name) == plain]
    if not chosen and found and all_read:
        types = list(dict.fromkeys(view.type_name for _, view in found))
        near = difflib.get_close_matches(wanted, types, 3, 0.6)
        raise UnknownType(named(wanted), [escape(name) for name in near])
    return chosen


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    found = list(list_maps(session))
    read = len(found)
    if args.type is not None:
        found = _of_type(found, args.type, not session.unread)
    if args.migrating:
        found = [one for one in found if one[1].growth() is not None]
    order = _ORDERS[args.sort]
    ways = _ways(session) if args.sort == _NAME and found else None

    def place(one: Tuple[str, MapView]) -> Tuple[object, ...]:
        name, view = one
        way = name or (ways or {}).get(view.address or 0, "")
        return (*order(way, view), view.address or 0)

    found.sort(key=place)
    limit = args.limit
    if limit is None and not args.json:
        limit = session.target.element_limit()
    left_out = max(0, len(found) - limit) if limit else 0
    rows = [Row(name, view, view.progress()) for name, view in found[: len(found) - left_out]]
    if rows and ways is None:
        ways = _ways(session)
    for row in rows:
        row.owner = row.name or (ways or {}).get(row.view.address or 0, "")
    where = ": no runtime of mapscope's or of Go's was recognised in this program; tables of "
    where += "libraries are in no list, and are looked at by their names"
    present = [flavour for flavour in FLAVOURS if flavour.present(session)]
    if present:
        where = ""
    if args.migrating:
        where = " that migrate"
    elif session.is_go():
        where = "; a Go program's are found among its global variables, by debug information"
    not_listed = dict.fromkeys(flavour.not_listed for flavour in present if flavour.not_listed)
    return ListResult(rows, where, session.unread, list(not_listed), left_out, read)


def _ways(session: Session) -> Dict[int, str]:
    """What maps are called, by their addresses."""
    unread = len(session.unread)
    names: Dict[int, str] = {}
    for flavour in FLAVOURS:
        if flavour.present(session):
            names.update(flavour.names(session, session.target.progress))
    del session.unread[unread:]  # the list tells what it could not read
    return names


COMMAND = Command(
    "list",
    "List the live maps: all maps of the C++ runtime (from its registry) and a Go program's\n"
    "global variables that are maps; biggest first, growing ones marked; with the variable that\n"
    "leads to each, where one was found. `retained` is memory that a map keeps for a migration:\n"
    "its old array, and arrays not yet given back. map heap lists all maps of a Go program.\n\n"
    "example: map list\n"
    "example: map list --migrating\n"
    "example: map list --sort bytes --limit 10\n"
    "example: map list --type 'map[string]int'",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map list`: every live map that can be enumerated."""

import argparse
from typing import Dict, Iterator, List, Tuple

from ..flavours.registry import FLAVOURS
from ..locate import list_maps
from ..maps.figures import size_text
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from ..session import Session
from .base import Command, Context, Result, unread_form, unread_lines


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
    :ivar unread: (name, why) of those that could not be read
    :ivar not_listed: which maps were not looked for
    """

    rows: List[Row]
    where: str
    unread: List[Tuple[str, str]]
    not_listed: List[str]

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
        form.update(unread=unread_form(self.unread), not_listed=self.not_listed)
        yield dumps(form) + "\n"

    def text(self) -> Iterator[str]:
        if not self.rows:
            yield "no map could be read\n" if self.unread else f"no maps found{self.where}\n"
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
        yield from unread_lines(self.unread)
        yield from (f"note: {text}\n" for text in self.not_listed)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--migrating", action="store_true", help="only maps of which a migration is in progress"
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    rows = [Row(name, view, view.progress()) for name, view in list_maps(session)]
    rows.sort(key=lambda row: (-row.view.count, row.view.address or 0))
    if args.migrating:
        rows = [row for row in rows if row.view.growth() is not None]
    if rows:
        _add_owners(session, rows)
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
    return ListResult(rows, where, session.unread, list(not_listed))


def _add_owners(session: Session, rows: List[Row]) -> None:
    """What maps are called."""
    unread = len(session.unread)
    names: Dict[int, str] = {}
    for flavour in FLAVOURS:
        if flavour.present(session):
            names.update(flavour.names(session, session.target.progress))
    del session.unread[unread:]  # the list tells what it could not read
    for row in rows:
        row.owner = row.name or names.get(row.view.address or 0, "")


COMMAND = Command(
    "list",
    "List the live maps: all maps of the C++ runtime (from its registry) and a Go program's\n"
    "global variables that are maps; biggest first, growing ones marked; with the variable that\n"
    "leads to each, where one was found. `retained` is memory that a map keeps for a migration:\n"
    "its old array, and arrays not yet given back. map heap lists all maps of a Go program.\n\n"
    "example: map list\n"
    "example: map list --migrating",
    _arguments,
    _run,
)

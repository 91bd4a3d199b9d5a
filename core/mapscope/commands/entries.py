# SPDX-License-Identifier: MIT
"""`map entries`: each live entry exactly once, at any point of a migration."""

import argparse
from typing import Iterator, List, Optional, Sequence, Tuple

from ..errors import MapscopeError
from ..maps.batches import EntryBatch
from ..maps.entry_lines import EntryLines
from ..maps.in_order import MOST_HELD, MOST_HELD_BYTES, FirstOnes, parts, ranked
from ..maps.view import MapView
from ..program.values import MOST_LONG_PRINTED, dumps, escape
from ..session import Session
from .base import Command, Context, Result, add_map, natural, problem_lines

#: lines that are printed at once
_TOGETHER = 4096

#: what entries may be put in the order of
_SORTS = ("key", "value")


class EntriesResult(Result):
    """A map's entries; read from the program as they are printed.

    :param limit: entries to show; None: all
    :param sort: one of _SORTS; None: they stay in the order of memory
    :param elements: elements and characters of each value shown in text; 0: all
    """

    def __init__(
        self,
        view: MapView,
        session: Session,
        limit: Optional[int],
        offset: int,
        match: Optional[str],
        where: bool,
        elements: int,
        sort: Optional[str] = None,
    ) -> None:
        self._view = view
        self._session = session
        self._limit = limit
        self._offset = offset
        self._match = match
        self._where = where
        self._elements = elements
        self._sort = sort
        self._held_back = ""  # why not all that was asked for is shown
        self._shown = 0
        self._more = False
        self._error: Optional[str] = None

    def json(self) -> Iterator[str]:
        view = self._view
        yield dumps(
            {
                "schema": "mapscope.entries/1",
                "address": None if view.address is None else hex(view.address),
                "type": view.type_name,
                "count": view.known_count,
            }
        ) + "\n"
        view.decoder.most_long = MOST_LONG_PRINTED
        yield from self._all(json=True)
        error = self._error or "; ".join(self._told()) or None
        yield dumps(
            {
                "entries": self._shown,
                "complete": error is None and not self._more,
                "error": error,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        view = self._view
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where}, {view.count_text()} entries\n"
        yield from self._all(json=False)
        yield from problem_lines(self._told())
        if self._error is not None:
            yield f"warning: {escape(self._error)}\n"
        if self._held_back:
            yield f"{self._shown} entries shown\n"
        elif self._more:
            yield f"{self._shown} entries shown; --limit 0 shows all, --offset N goes on from N\n"
        elif self._match is not None or self._offset:
            yield f"{self._shown} entries shown\n"

    def _all(self, json: bool) -> Iterator[str]:
        """All that is selected; Ctrl-C ends it."""
        view = self._view
        lines = EntryLines(view.decoder, view.has_values, json, self._where, self._elements)
        try:
            if self._sort is not None:
                yield from self._in_order(lines)
                return
            for batch, whole in self._selected(lines):
                for order in self._parts(batch, whole):
                    for text, count in lines.of(batch, order):
                        self._shown += count
                        yield text
                        if self.interrupted:
                            raise KeyboardInterrupt
                    del order
                del batch, whole  # before the next ones are read
        except KeyboardInterrupt:
            self.interrupted = True
            self._error = "interrupted"

    def _parts(self, batch: EntryBatch, order: Sequence[int]) -> Iterator[Sequence[int]]:
        decoder = self._view.decoder
        sizes = [column.weights(decoder, order) for column in (batch.keys, batch.elems)]
        return parts(sizes, order)

    def _told(self) -> List[str]:
        """What keeps this from being the whole answer."""
        return self._view.problems + ([self._held_back] if self._held_back else [])

    def _in_order(self, written: EntryLines) -> Iterator[str]:
        """The first entries by key or value; of what Ctrl-C has ended, those of what was seen."""
        wanted = None if self._limit is None else self._offset + self._limit
        first = FirstOnes(wanted)
        try:
            self._offer(first, written)
        except KeyboardInterrupt:
            self._error = f"interrupted: the first of the {first.seen} entries looked at are shown"
        lines = first.lines()[self._offset :]
        if first.full:
            self._held_back = (
                f"the first {len(lines) + self._offset} of {first.seen} entries in this order: no "
                f"more than {MOST_HELD} and {MOST_HELD_BYTES >> 20} MiB are held to be sorted"
            )
        if first.unread:
            self._view.problems.append(
                f"the {self._sort} of {first.unread} entries could not be read; they stand last"
            )
        self._more = first.seen > self._offset + len(lines)
        for start in range(0, len(lines), _TOGETHER):
            some = lines[start : start + _TOGETHER]
            self._shown += len(some)
            yield "".join(some)
            if self.interrupted:
                raise KeyboardInterrupt
        if self._error is not None:
            self.interrupted = True

    def _offer(self, first: FirstOnes, written: EntryLines) -> None:
        """Every entry that --match leaves."""
        decoder = self._view.decoder
        decoder.most_long = MOST_LONG_PRINTED
        for batch in self._view.entries(self._session.target.progress):
            column = batch.keys if self._sort == "key" else batch.elems
            order: Sequence[int] = batch.order
            if self._match is not None:
                order = self._holding(written, batch, order)
            for part, ranks in ranked(column, decoder, order):

                def lines(
                    places: List[int], batch: EntryBatch = batch, part: Sequence[int] = part
                ) -> List[str]:
                    chosen = [part[at] for at in places]
                    return [
                        line
                        for some in self._parts(batch, chosen)
                        for text, _ in written.of(batch, some)
                        for line in text.splitlines(keepends=True)
                    ]

                first.offer(ranks, lines)

    def _holding(self, lines: EntryLines, batch: EntryBatch, order: Sequence[int]) -> List[int]:
        """Those that --match leaves."""
        match = self._match or ""
        return [i for part in self._parts(batch, order) for i in lines.holding(batch, part, match)]

    def _selected(self, lines: EntryLines) -> Iterator[Tuple[EntryBatch, Sequence[int]]]:
        """Batches with the indices to show, after --offset, --match and --limit."""
        skip, left = self._offset, self._limit
        for batch in self._view.entries(self._session.target.progress):
            order: Sequence[int] = batch.order
            if self._match is not None:
                order = self._holding(lines, batch, order)
            if skip:
                dropped = min(skip, len(order))
                skip -= dropped
                order = order[dropped:]
            if left is not None and len(order) > left:
                order = order[:left]
                self._more = True
            if order:
                yield batch, order
            if left is not None:
                left -= len(order)
            if self._more:
                return
            del batch, order


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser)
    parser.add_argument(
        "--limit",
        metavar="N",
        type=natural,
        help="show at most N entries, 0 for all (text: the debugger's element limit; JSON: all)",
    )
    parser.add_argument("--offset", metavar="N", type=natural, default=0, help="skip N entries")
    parser.add_argument(
        "--sort",
        metavar="BY",
        choices=_SORTS,
        help=f"{' or '.join(_SORTS)}: the first ones in that order, not in that of memory",
    )
    parser.add_argument(
        "--match", metavar="TEXT", help="only entries whose key or value shows TEXT"
    )
    parser.add_argument("--where", action="store_true", help="add each entry's place")


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    elements = session.target.element_limit()
    limit = args.limit
    if limit is None and not args.json:
        limit = elements
    view = context.map_of(args)
    view.types()
    if args.sort == "value" and not view.has_values:
        raise MapscopeError(f"{escape(view.type_name)} has no values: --sort key sorts its keys")
    return EntriesResult(
        view, session, limit or None, args.offset, args.match, args.where, elements, args.sort
    )


COMMAND = Command(
    "entries",
    "Print each live entry of a map exactly once, at any point of a migration.\n\n"
    "example: map entries m --match user --where\n"
    "example: map entries m --sort value --limit 10\n"
    "example: map entries m --limit 0 --json -o entries.jsonl",
    _arguments,
    _run,
)

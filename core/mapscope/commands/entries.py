# SPDX-License-Identifier: MIT
"""`map entries`: each live entry exactly once, at any point of a migration."""

import argparse
from typing import Iterator, Optional, Sequence, Tuple

from ..maps.batches import EntryBatch
from ..maps.entry_lines import EntryLines
from ..maps.view import MapView
from ..program.values import MOST_LONG_PRINTED, dumps, escape
from ..session import Session
from .base import Command, Context, Result, add_map, natural, problem_lines


#: bytes of values whose text is made at once, about
_PART = 32 << 20


class EntriesResult(Result):
    """A map's entries; read from the program as they are printed.

    :param limit: entries to show; None: all
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
    ) -> None:
        self._view = view
        self._session = session
        self._limit = limit
        self._offset = offset
        self._match = match
        self._where = where
        self._elements = elements
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
        error = self._error or "; ".join(view.problems) or None
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
        yield from problem_lines(view.problems)
        if self._error is not None:
            yield f"warning: {escape(self._error)}\n"
        if self._more:
            yield f"{self._shown} entries shown; --limit 0 shows all, --offset N goes on from N\n"
        elif self._match is not None or self._offset:
            yield f"{self._shown} entries shown\n"

    def _all(self, json: bool) -> Iterator[str]:
        """All that is selected; Ctrl-C ends it."""
        view = self._view
        lines = EntryLines(view.decoder, view.has_values, json, self._where, self._elements)
        try:
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

    @staticmethod
    def _parts(batch: EntryBatch, order: Sequence[int]) -> Iterator[Sequence[int]]:
        """All of it at once or, where values are large, so many that their text is not."""
        sizes = [batch.keys.sizes(order), batch.elems.sizes(order)]
        if not any(sizes):
            yield order
            return
        first = held = 0
        for at, size in enumerate(map(sum, zip(*filter(None, sizes)))):
            held += size
            if held > _PART:
                yield order[first : at + 1]
                first, held = at + 1, 0
        if first < len(order):
            yield order[first:]

    def _selected(self, lines: EntryLines) -> Iterator[Tuple[EntryBatch, Sequence[int]]]:
        """Batches with the indices to show, after --offset, --match and --limit."""
        skip, left = self._offset, self._limit
        for batch in self._view.entries(self._session.target.progress):
            order: Sequence[int] = batch.order
            if self._match is not None:
                parts = self._parts(batch, order)
                order = [i for part in parts for i in lines.holding(batch, part, self._match)]
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
    return EntriesResult(
        view, session, limit or None, args.offset, args.match, args.where, elements
    )


COMMAND = Command(
    "entries",
    "Print each live entry of a map exactly once, at any point of a migration.\n\n"
    "example: map entries m --match user --where\n"
    "example: map entries m --limit 0 --json -o entries.jsonl",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`slice entries`: each element of a slice."""

import argparse
from typing import Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from ..program.values import Decoded, Unreadable, dumps, escape, json_form, text_form
from ..session import Session
from ..slices.slice_view import SliceView
from .base import Command, Context, Result, natural
from .slice_words import add_slice, head_form, lengths, slice_of, title

#: bytes of elements that are read at once
_TOGETHER = 1 << 20


class SliceEntriesResult(Result):
    """A slice's elements; read from the program as they are printed.

    :param limit: elements to show; None: all
    :param shown: elements and characters of each value shown in text; 0: all
    """

    def __init__(
        self,
        view: SliceView,
        session: Session,
        limit: Optional[int],
        offset: int,
        match: Optional[str],
        shown: int,
    ) -> None:
        self._view = view
        self._memory = session.memory
        self._decoder = session.decoder()
        self._limit = limit
        self._offset = offset
        self._match = match
        self._elements = shown
        self._shown = 0
        self._more = False
        self._error: Optional[str] = None

    def json(self) -> Iterator[str]:
        yield dumps(head_form(self._view, "slice_entries")) + "\n"
        for index, value in self._all():
            yield dumps({"index": index, "value": json_form(value)}) + "\n"
        error = self._error
        complete = error is None and not self._more
        yield dumps({"entries": self._shown, "complete": complete, "error": error}) + "\n"

    def text(self) -> Iterator[str]:
        yield f"{title(self._view)}, {lengths(self._view)}\n"
        for index, value in self._all():
            yield f"  [{index}] = {text_form(value, self._elements)}\n"
        if self._error is not None:
            yield f"warning: {escape(self._error)}\n"
        if self._more:
            yield f"{self._shown} elements shown; --limit 0 shows all, --offset N goes on from N\n"
        elif self._match is not None or self._offset:
            yield f"{self._shown} elements shown\n"

    def _all(self) -> Iterator[Tuple[int, Decoded]]:
        """All that is selected; Ctrl-C ends it."""
        try:
            for index, value in self._values():
                if self._match is not None and self._match not in text_form(value):
                    continue
                if self._limit is not None and self._shown >= self._limit:
                    self._more = True
                    return
                self._shown += 1
                yield index, value
                if self.interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.interrupted = True
            self._error = "interrupted"
        except MapscopeError as error:
            self._error = str(error)

    def _values(self) -> Iterator[Tuple[int, Decoded]]:
        view, size = self._view, self._view.size
        together = max(1, _TOGETHER // max(size, 1))
        if self._limit is not None and self._match is None:
            together = min(together, self._limit + 1)
        for first in range(self._offset, view.length, together):
            count = min(together, view.length - first)
            start = view.array + first * size
            raw: List[bytes] = [self._memory.read(start, count * size)] if size else [b""]
            for number in range(count):
                at = number * size
                data = raw[0][at : at + size]
                yield first + number, self._decoded(data, start + at)

    def _decoded(self, data: bytes, address: int) -> Decoded:
        try:
            return self._decoder.decode(self._view.element, data, address)
        except MapscopeError as error:
            return Unreadable(str(error))


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_slice(parser)
    parser.add_argument(
        "--limit",
        metavar="N",
        type=natural,
        help="show at most N elements, 0 for all (text: the debugger's element limit; JSON: all)",
    )
    parser.add_argument("--offset", metavar="N", type=natural, default=0, help="skip N elements")
    parser.add_argument("--match", metavar="TEXT", help="only elements that show TEXT")


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    elements = session.target.element_limit()
    limit = args.limit
    if limit is None and not args.json:
        limit = elements
    view = slice_of(context, args)
    view.require_readable(session.memory, args.slice)
    return SliceEntriesResult(view, session, limit or None, args.offset, args.match, elements)


COMMAND = Command(
    "entries",
    "Print the elements of a slice, of a string its bytes.\n\n"
    "example: slice entries s --match user\n"
    "example: slice entries s --limit 0 --json -o elements.jsonl",
    _arguments,
    _run,
    "slice",
)

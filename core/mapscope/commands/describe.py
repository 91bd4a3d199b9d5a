# SPDX-License-Identifier: MIT
"""`map describe`: how a table of the program's own lies in memory, from a file."""

import argparse
from typing import Dict, Iterator, List, Optional

from ..errors import UsageError
from ..flavours.described.described_tables import bundled, forget, load, loaded
from ..flavours.described.description import Description
from ..flavours.described.shape import Shape
from ..program.values import dumps, escape
from ..records import dataclass
from .base import Command, Context, Result


@dataclass
class DescribeResult(Result):
    """Descriptions.

    :ivar shown: those that are told of
    :ivar shape: of one that was just loaded: how it fits the program
    :ivar known: names of those that come with mapscope; None: one was just loaded
    """

    shown: List[Description]
    shape: Optional[Shape]
    known: Optional[List[str]]

    def json(self) -> Iterator[str]:
        forms: List[Dict[str, object]] = []
        for one in self.shown:
            form: Dict[str, object] = {"name": one.name, "file": one.file}
            form.update(type=one.type_name or None, entries=_entries(one))
            if self.known is None:
                form.update(checked=self.shape is not None)
                form.update(entry_type=None if self.shape is None else self.shape.entry.name)
            forms.append(form)
        result: Dict[str, object] = {"schema": "mapscope.describe/1", "descriptions": forms}
        if self.known is not None:
            result["bundled"] = self.known
        yield dumps(result) + "\n"

    def text(self) -> Iterator[str]:
        if self.known is None:
            yield from (f"loaded {self._line(one)}\n" for one in self.shown)
            if self.shape is None:
                yield "  its names are looked up in the program when a table is named\n"
            return
        if not self.shown:
            yield "no description is loaded: map describe FILE\n"
        for one in self.shown:
            yield f"{self._line(one)}\n"
        yield f"with mapscope come: {', '.join(self.known) or 'none'}\n"

    def _line(self, one: Description) -> str:
        what = f"every {one.type_name}" if one.type_name else "a table of variables"
        entries = "nodes in chains" if _entries(one) == "chains" else "slots of an array"
        if self.shape is not None:
            entries += f", each a {self.shape.entry.name}"
        how = f"map inspect {'VARIABLE' if one.type_name else one.name}"
        return f"{one.name} ({escape(one.file)}): {escape(what)}; {escape(entries)}; {how}"


def _entries(one: Description) -> str:
    return "chains" if one.has("node") else "slots"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a description, or the name of one that comes with mapscope; without it: which are "
        "loaded",
    )
    parser.add_argument("--forget", metavar="NAME", help="unload a description")


def _run(context: Context, args: argparse.Namespace) -> Result:
    if args.forget is not None:
        if args.file is not None:
            raise UsageError("map describe: FILE or --forget NAME, not both")
        forget(args.forget)
    if args.file is None:
        return DescribeResult(loaded(), None, bundled())
    description, shape = load(context.session.target, args.file)
    return DescribeResult([description], shape, None)


COMMAND = Command(
    "describe",
    "Load a description of a hash table of the program's own: a short file that says by names of\n"
    "debug information where its array, its entries and their keys are, and how it migrates. Then\n"
    "every command takes such a table. docs/describe.md has the format; memcached, dynahash (of\n"
    "PostgreSQL) and isc_ht (of BIND) come with mapscope. A file with a mistake loads nothing.\n\n"
    "example: map describe mytable.table\n"
    "example: map describe memcached",
    _arguments,
    _run,
)

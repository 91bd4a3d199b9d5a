# SPDX-License-Identifier: MIT
"""`map owners`: who refers to a map."""

import argparse
from typing import Iterator, List

from ..errors import MapscopeError, NotAMap
from ..flavours.registry import FLAVOURS
from ..maps.on_heap import Owner
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from .base import Command, Context, Result, add_map


@dataclass
class OwnersResult(Result):
    """Paths to a map.

    :ivar followed: whether all references were followed
    """

    view: MapView
    owners: List[Owner]
    followed: bool
    notes: List[str]

    def json(self) -> Iterator[str]:
        yield dumps(
            {
                "schema": "mapscope.owners/1",
                "address": hex(self.view.address or 0),
                "type": self.view.type_name,
                "owners": [
                    {
                        "path": owner.path(),
                        "steps": [
                            {
                                "step": step.text,
                                "type": step.type or None,
                                "address": hex(step.address) if step.address else None,
                            }
                            for step in owner.steps
                        ],
                    }
                    for owner in self.owners
                ],
                "garbage": (not self.owners) if self.followed else (False if self.owners else None),
                "notes": self.notes,
            }
        ) + "\n"

    def text(self) -> Iterator[str]:
        yield f"{escape(self.view.type_name)} {self.view.address or 0:#x}\n"
        for owner in self.owners:
            yield f"  {escape(owner.path())}\n"
            for step in owner.steps:
                where = f"{step.address:#x}" if step.address else ""
                yield f"      {where:<14}  {escape(step.text)}"
                yield f"  {escape(step.type)}\n" if step.type else "\n"
        if not self.owners:
            yield (
                "  nothing refers to it: it is garbage\n"
                if self.followed
                else "  cannot tell: no reference to it was found, and not all could be followed\n"
            )
        yield from (f"note: {escape(note)}\n" for note in self.notes)


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser)
    parser.add_argument("--all", action="store_true", help="every reference, not only the first")


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    view = context.find_map(args.map, args.type)
    address = view.address
    if not address:
        raise NotAMap("a nil map: it is nowhere, and nothing refers to it")
    for flavour in FLAVOURS:
        if not flavour.present(session):
            continue
        for heap in flavour.heap(session, False, session.target.progress):
            try:
                if not heap.has(address) and not view.is_part:
                    continue
                owners = list(heap.owners(address, args.all))
            except KeyboardInterrupt:
                raise MapscopeError("interrupted: no owner was found yet") from None
            if view.is_part and not owners:
                continue  # nothing is known of what holds it: that is no garbage
            return OwnersResult(view, owners, heap.followed, heap.notes)
    parts = [f"{part.address or 0:#x} --type '{part.type_name}'" for part in view.made_of]
    hint = f"; it is made of {' and '.join(parts)}" if parts else ""
    raise NotAMap(
        f"no reference to what holds the {escape(view.type_name)} at {address:#x} was found"
        if view.is_part
        else f"the map at {address:#x} is not one of the heap's: one on a goroutine's stack is its "
        f"function's own{hint}"
    )


COMMAND = Command(
    "owners",
    "Show who refers to a map: a path from a variable or a goroutine's frame, step by step, with\n"
    "types, fields, indices and keys.\n\n"
    "example: map owners 0xc000134000 --all",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map find`: the path of a lookup."""

import argparse
from typing import Dict, Iterator, Optional

from ..errors import NoStopMap, UsageError
from ..maps.found import Found
from ..maps.key_text import parse_key
from ..maps.view import MapView
from ..program.values import Decoded, dumps, escape, json_form, text_form
from ..records import dataclass
from .base import Command, Context, Result, add_map, problem_lines


@dataclass
class FindResult(Result):
    """Where a key is, or would be."""

    view: MapView
    key: str
    found: Found
    elements: int

    def json(self) -> Iterator[str]:
        view, found = self.view, self.found
        entry: object = None
        if found.where is not None:
            form: Dict[str, object] = {"key": json_form(found.key)}
            if view.has_values:
                form["value"] = json_form(found.value)
                # while the entry is moved, its value is not what lies there
                known = found.elem_address is not None and not found.in_flight
                form["value_address"] = hex(found.elem_address or 0) if known else None
            form["where"] = found.where.json_form()
            if found.in_flight:
                form["in_flight"] = True
            entry = form
        result: Dict[str, object] = {
            "schema": "mapscope.find/1",
            "address": None if view.address is None else hex(view.address),
            "type": view.type_name,
            "found": True
            if found.where is not None
            else False
            if found.is_known(view.problems)
            else None,
            "method": found.method,
            "note": found.note or None,
            "hash": None if found.hash is None else hex(found.hash),
            "tophash": found.tophash,
            "candidates": [
                {**c.place(), "authoritative": c.authoritative, "reason": c.reason}
                for c in found.candidates
            ],
            "cells_compared": found.cells_compared,
            "chain_hops": found.chain_hops,
            "entry": entry,
            "problems": view.problems,
        }
        if found.unseen is not None:
            result["unseen"] = {
                "key": json_form(found.unseen.key),
                "value": json_form(found.unseen.value),
                "where": found.unseen.where.json_form(),
                "reason": found.unseen.reason,
            }
        yield dumps(result) + "\n"

    def text(self) -> Iterator[str]:
        view, found = self.view, self.found
        where = "nil" if view.address is None else hex(view.address)
        yield f"{escape(view.type_name)} {where}, key {escape(self.key)}\n"
        if found.hash is not None:
            mark = "" if found.tophash is None else f", {view.mark} {found.tophash:#04x}"
            yield f"  hash       {found.hash:#018x}{mark}\n"
        if found.note:
            yield f"  note       {found.note}\n"
        for candidate in found.candidates:
            verdict = "looked in" if candidate.authoritative else "passed over"
            yield f"  {candidate.text()} {verdict}: {candidate.reason}\n"
        follows = view.unit == "bucket" and view.has_overflow
        hops = f", {found.chain_hops} overflow buckets followed" if follows else ""
        cells = "cells" if view.has_overflow else view.cells
        yield f"  compared   {found.cells_compared} {cells}{hops}\n"
        if found.where is None:
            yield "  absent\n" if found.is_known(
                view.problems
            ) else "  not found in what could be read\n"
            if found.unseen is not None:
                entry = self._entry(found.unseen.key, found.unseen.value)
                yield (
                    f"  unseen     {entry}  found by a scan in "
                    f"{found.unseen.where.text()}: lookups do not see it there, because "
                    f"{found.unseen.reason}\n"
                )
        else:
            flight = "  (in flight)" if found.in_flight else ""
            entry = self._entry(found.key, found.value)
            yield f"  found      {entry}  ({found.where.text()}){flight}\n"
        yield from problem_lines(view.problems)

    def _entry(self, key: Optional[Decoded], value: Optional[Decoded]) -> str:
        """An entry for a reader."""
        text = f"[{text_form(key, self.elements)}]"
        return f"{text} = {text_form(value, self.elements)}" if self.view.has_values else text


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser)
    parser.add_argument(
        "key",
        metavar="KEY",
        help='text for string keys, else the key as JSON: 42, {"X":1,"Y":2}, [1,2], true',
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    try:
        view = context.map_of(args)
    except NoStopMap:
        raise UsageError("map find needs a MAP and a KEY here; see map find --help") from None
    key, _ = view.types()
    found = view.find(parse_key(key, args.key))
    return FindResult(view, args.key, found, session.target.element_limit())


COMMAND = Command(
    "find",
    "Show the path of a lookup: the hash, the buckets where the key could be, old and new, which\n"
    "of them counts now and why, the cells compared, and the entry or that it is absent. Where\n"
    "the hash cannot be computed outside the program, all entries are searched instead. A key\n"
    "that a damaged map holds where no lookup sees it is shown with the reason.\n\n"
    "example: map find m user17\n"
    'example: map find points {"X":1,"Y":2}',
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""What the subcommands of `slice` share: the SLICE argument, and what is said of a slice."""

import argparse
from typing import Dict

from ..errors import UsageError
from ..in_goroutine import InGoroutine
from ..maps.figures import size_text
from ..program.values import escape
from ..slices.open_slice import find_slice
from ..slices.slice_view import SliceView
from .base import Context, natural


def add_slice(parser: argparse.ArgumentParser) -> None:
    """The SLICE argument, and whose it is."""
    parser.add_argument(
        "slice",
        metavar="SLICE",
        help="an expression: a slice, a string or a vector, a part of one as s[2:5], a pointer",
    )
    parser.add_argument(
        "--goroutine",
        metavar="N",
        type=natural,
        help="SLICE is of goroutine N, also of one that no thread runs: of its innermost frame "
        "that has a local of that name",
    )
    parser.add_argument(
        "--frame",
        metavar="K",
        type=natural,
        help="of --goroutine: its frame K, from the innermost, 0, on, each inlined one counted",
    )


def slice_of(context: Context, args: argparse.Namespace) -> SliceView:
    """The slice that the arguments of add_slice name.

    :raises MapscopeError: if it is none, or a damaged one
    """
    session, number, frame = context.session, args.goroutine, args.frame
    if number is None:
        if frame is not None:
            raise UsageError(
                "--frame is one of --goroutine N; of the selected thread, select a frame "
                "with the debugger's own command"
            )
        return find_slice(session, args.slice)
    session.require_memory()
    session.require_architecture()
    goroutine = InGoroutine(session, number, frame)
    view = find_slice(session, args.slice, goroutine)
    understood = goroutine.understood(args.slice)
    if understood:
        context.said.append(understood)
    return view


def bytes_text(size: int) -> str:
    """Bytes, for a reader."""
    return "1 byte" if size == 1 else size_text(size)


def about(view: SliceView) -> str:
    """What kind of slice it is, for a reader."""
    return view.flavor + (f", {escape(view.version)}" if view.version else "")


def plural(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def head_form(view: SliceView, schema: str) -> Dict[str, object]:
    """What every JSON object of a slice begins with."""
    return {
        "schema": f"mapscope.{schema}/1",
        "flavor": view.flavor,
        "go_version": view.version,
        "address": None if view.holder is None else hex(view.holder),
        "type": view.type_name,
        "element_type": view.element.name,
        "element_bytes": view.size,
        "array": hex(view.array) if view.array else None,
        "length": view.length,
        "capacity": view.capacity,
    }


def title(view: SliceView) -> str:
    """The first line of what is said of a slice."""
    where = hex(view.array) if view.array else "nil"
    return f"{escape(view.type_name)} {where}"


def lengths(view: SliceView) -> str:
    """Its length, and its capacity if it has one."""
    if view.capacity is None:
        return f"length {view.length}"
    return f"length {view.length}, capacity {view.capacity}"

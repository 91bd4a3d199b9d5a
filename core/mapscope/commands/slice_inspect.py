# SPDX-License-Identifier: MIT
"""`slice inspect`: a slice's header, and what its next growth will be."""

import argparse
from dataclasses import dataclass
from typing import Dict, Iterator

from ..program.values import dumps, escape
from ..slices.slice_view import SliceView
from .base import Command, Context, Result, problem_lines
from .inspect import size_text
from .slice_words import about, add_slice, head_form, plural, slice_of, title


@dataclass
class SliceResult(Result):
    """A slice's header, and what follows from it."""

    view: SliceView

    def form(self) -> Dict[str, object]:
        """The object of mapscope.slice/1."""
        view, following = self.view, self.view.next()
        form = head_form(view, "slice")
        form["bytes"] = {
            "used": view.length * view.size,
            "unused": (view.room - view.length) * view.size,
        }
        form["grows"] = None
        if following is not None:
            form["grows"] = {
                "at": (view.capacity or 0) + 1,
                "capacity": following.capacity,
                "bytes": following.size,
                "note": following.why or None,
            }
        form["problems"] = view.problems
        return form

    def json(self) -> Iterator[str]:
        yield dumps(self.form()) + "\n"

    def text(self) -> Iterator[str]:
        view = self.view
        yield f"{title(view)} ({about(view)})\n"
        unused = view.room - view.length
        yield f"  length     {view.length}"
        if view.capacity is not None:
            yield f" of capacity {view.capacity}, "
            yield f"{size_text(unused * view.size)} unused" if unused else "none unused"
        yield f"\n  array      {plural(view.room, 'element')} of {size_text(view.size)}, "
        yield f"{size_text(view.room * view.size)} in all, {escape(view.element.name)}\n"
        yield from self._growth()
        yield from problem_lines(view.problems)

    def _growth(self) -> Iterator[str]:
        view, following = self.view, self.view.next()
        if following is None or view.capacity is None:
            return
        if following.capacity is None:
            yield f"  grows      cannot tell: {escape(following.why)}\n"
            return
        how = "append" if view.is_go else "push_back"
        yield (
            f"  grows      at element {view.capacity + 1}: {how} then allocates "
            f"{plural(following.capacity, 'element')}, {size_text(following.size)}\n"
        )


def _run(context: Context, args: argparse.Namespace) -> Result:
    view = slice_of(context, args)
    unreadable = view.unreadable(context.session.memory)
    if unreadable:
        view.problems.append(unreadable)
    return SliceResult(view)


COMMAND = Command(
    "inspect",
    "Show a slice's length and capacity, its array, how many bytes of it are not used, and what\n"
    "append allocates when it is full, by the rules of the program's version of Go; of a\n"
    "std::vector, what push_back does.\n\n"
    "example: slice inspect s\n"
    "example: slice inspect x.items[3].list[2:5]",
    add_slice,
    _run,
    "slice",
)

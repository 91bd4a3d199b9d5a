# SPDX-License-Identifier: MIT
"""`slice inspect`: a slice's header, and what its next growth will be."""

import argparse
from typing import Dict, Iterator, List, Optional

from ..program.values import dumps, escape
from ..records import dataclass
from ..slices.array_references import BEHIND_POINTERS, Arrays, Finder, Reference
from ..slices.slice_view import SliceView
from ..slices.variables import Variables
from .base import Command, Context, Result, problem_lines
from .slice_words import about, add_slice, bytes_text, head_form, plural, slice_of, title

#: references that are shown in text
_SHOWN = 20


@dataclass
class SliceResult(Result):
    """A slice's header, and what follows from it.

    :ivar shared: what else refers to its array; None: it was not looked for
    :ivar stack: whether an append may use a buffer on the stack first
    :ivar looked: where that was looked for, and missed: where it could not be
    """

    view: SliceView
    shared: Optional[List[Reference]]
    looked: List[str]
    missed: List[str]
    stack: bool

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
                "stack_first": self.stack,
            }
        form["shared"] = (
            None if self.shared is None else [self._reference(one) for one in self.shared]
        )
        form["looked_in"], form["not_looked_in"] = self.looked, self.missed
        form["problems"] = view.problems
        return form

    def _first(self, one: Reference) -> int:
        """The element of the slice's own that a reference begins with; it may be before them."""
        return (one.target - self.view.array) // max(self.view.size, 1)

    def _reference(self, one: Reference) -> Dict[str, object]:
        return {
            "name": one.name,
            "scope": one.scope or None,
            "kind": one.kind,
            "type": one.type,
            "element": self._first(one),
            "length": one.length,
            "capacity": one.capacity,
        }

    def json(self) -> Iterator[str]:
        yield dumps(self.form()) + "\n"

    def text(self) -> Iterator[str]:
        view = self.view
        yield f"{title(view)} ({about(view)})\n"
        unused = view.room - view.length
        yield f"  length     {view.length}"
        if view.capacity is not None:
            yield f" of capacity {view.capacity}, "
            yield f"{bytes_text(unused * view.size)} unused" if unused else "none unused"
        yield f"\n  array      {plural(view.room, 'element')} of {bytes_text(view.size)}, "
        yield f"{bytes_text(view.room * view.size)} in all, {escape(view.element.name)}\n"
        yield from self._growth()
        if self.shared is not None:
            yield from self._sharing(self.shared)
        yield from problem_lines(view.problems)

    def _sharing(self, shared: List[Reference]) -> Iterator[str]:
        label = "shared"
        for one in shared[:_SHOWN]:
            scope = f" ({escape(one.scope)})" if one.scope else ""
            first = self._first(one)
            which = f"to element {first}"
            if one.kind == "string" and first < 0:
                which = "of which a part is here"
            elif one.length is not None and one.kind != "string":
                which = f"elements {first} to {first + one.length - 1}"
                if first < 0:
                    which = f"of which element {-first} is the first here"
                elif not one.length:
                    which = f"no elements, from {first} on"
            yield f"  {label:<10} {escape(one.name)}{scope}: {one.kind}, {which}\n"
            label = ""
        more = len(shared) - _SHOWN
        if more > 0:
            yield f"             {plural(more, 'more')} (--json lists them)\n"
        if not shared:
            yield f"  {label:<10} with nothing found in {escape('; '.join(self.looked))}\n"
        if self.missed:
            yield f"             not looked in: {escape('; '.join(self.missed))}\n"

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
            f"{plural(following.capacity, 'element')}, {bytes_text(following.size or 0)}\n"
        )
        if self.stack:
            yield (
                "             (if the slice does not escape from its function: it may use a buffer "
                "on the stack first)\n"
            )


def _run(context: Context, args: argparse.Namespace) -> Result:
    view = slice_of(context, args)
    unreadable = view.unreadable(context.session.memory)
    if unreadable:
        view.problems.append(unreadable)
    holder, sections = view.holder, context.session.sections()
    is_global = holder is not None and any(one.start <= holder < one.end for one in sections)
    stack = view.may_use_stack(is_global)
    if not view.array or not view.room or unreadable:
        return SliceResult(view, None, [], [], stack)
    variables = Variables(context.session, False)
    finder = Finder(context.session, Arrays([(view.array, view.end)]), 0)
    for place in variables.all():
        finder.look(place)
    shared = [one for one in finder.found if not view.is_own(one.address)]
    if view.holder is None:
        shared = [one for one in shared if not _is_itself(one, view, args.slice)]
    missed = [*variables.missed, *sorted(finder.lacking - {BEHIND_POINTERS})]
    return SliceResult(view, shared, variables.looked, missed, stack)


def _is_itself(one: Reference, view: SliceView, name: str) -> bool:
    """Whether a reference is the slice that was named, which is in no memory."""
    same = one.target == view.array and one.length == view.length
    return same and one.name == name and one.address is None


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

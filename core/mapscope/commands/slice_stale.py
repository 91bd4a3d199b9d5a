# SPDX-License-Identifier: MIT
"""`slice stale`: what still refers to an array that a slice has left."""

import argparse
from dataclasses import field
from typing import Dict, Iterator, List, Optional, Tuple

from ..errors import MapscopeError, UsageError
from ..flavours.go.heap_view import heap_of
from ..program.values import dumps, escape
from ..records import dataclass
from ..session import Session
from ..slices.array_references import STEPS, Arrays, Finder, Reference
from ..slices.heap_words import InHeap, search_heap
from ..slices.slice_view import SliceView
from ..slices.variables import Variables
from .base import Command, Context, Result, natural
from .slice_words import add_slice, head_form, lengths, plural, slice_of, title

#: references that are shown in text
_SHOWN = 200


@dataclass(frozen=True)
class OldArray:
    """An array that was left.

    :ivar capacity: elements that it had room for
    :ivar how: by what it is known
    """

    address: int
    capacity: int
    size: int
    how: str

    @property
    def end(self) -> int:
        """Behind its last byte."""
        return self.address + self.capacity * self.size

    def index_of(self, address: int) -> int:
        """The element that an address is in."""
        return (address - self.address) // max(self.size, 1)


@dataclass
class StaleResult(Result):
    """References to the arrays that a slice has left.

    :ivar heap: places in the heap; None: it was not looked at
    """

    view: SliceView
    arrays: List[OldArray]
    references: List[Reference]
    heap: Optional[List[InHeap]]
    looked: List[str]
    missed: List[str]
    notes: List[str] = field(default_factory=list)

    def json(self) -> Iterator[str]:
        form = head_form(self.view, "slice_stale")
        form["old_arrays"] = [
            {"address": hex(one.address), "capacity": one.capacity, "known_by": one.how}
            for one in self.arrays
        ]
        form["references"] = [
            {
                "name": one.name,
                "scope": one.scope or None,
                "kind": one.kind,
                "type": one.type,
                "address": None if one.address is None else hex(one.address),
                "target": hex(one.target),
                "element": self._element(one.target),
                "length": one.length,
                "capacity": one.capacity,
            }
            for one in self.references
        ]
        form["heap"] = (
            None
            if self.heap is None
            else [
                {
                    "object": hex(one.start),
                    "bytes": one.size,
                    "offset": one.offset,
                    "target": hex(one.target),
                    "element": self._element(one.target),
                }
                for one in self.heap
            ]
        )
        form["looked_in"] = self.looked
        form["not_looked_in"] = self.missed
        form["notes"] = self.notes
        yield dumps(form) + "\n"

    def _array(self, address: int) -> Optional[OldArray]:
        return next((one for one in self.arrays if one.address <= address < one.end), None)

    def _element(self, address: int) -> Optional[int]:
        array = self._array(address)
        return None if array is None else array.index_of(address)

    def text(self) -> Iterator[str]:
        yield f"{title(self.view)}, {lengths(self.view)}\n"
        for one in self.arrays:
            room = plural(one.capacity, "element")
            yield f"  left       {one.address:#x}, {room} ({escape(one.how)})\n"
        for reference in self.references[:_SHOWN]:
            yield f"  stale      {self._text(reference)}\n"
        if len(self.references) > _SHOWN:
            more = len(self.references) - _SHOWN
            yield f"  {plural(more, 'more reference')} (--json lists them)\n"
        for place in (self.heap or [])[:_SHOWN]:
            yield (
                f"  stale      heap object {place.start:#x} of {plural(place.size, 'byte')}, at "
                f"+{place.offset}: refers to element {self._element(place.target)} of "
                f"{self._where(place.target)}\n"
            )
        if self.heap is not None and len(self.heap) > _SHOWN:
            yield f"  {plural(len(self.heap) - _SHOWN, 'more object')} (--json lists them)\n"
        if not self.references and not self.heap:
            yield "  none found in what was looked at\n"
        yield f"  looked in: {escape('; '.join(self.looked))}\n"
        if self.missed:
            yield f"  not looked in: {escape('; '.join(self.missed))}\n"
        yield from (f"note: {escape(note)}\n" for note in self.notes)

    def _where(self, address: int) -> str:
        array = self._array(address)
        return "?" if array is None else hex(array.address)

    def _text(self, one: Reference) -> str:
        scope = f" ({escape(one.scope)})" if one.scope else ""
        text = f"{escape(one.name)}{scope}: {one.kind}, {escape(one.type)}, "
        first = self._element(one.target)
        if one.length is not None and first is None:
            return f"{text}{plural(one.length, 'element')} from {one.target:#x} on"
        if one.length is None or first is None:
            return text + f"to element {first} of {self._where(one.target)}"
        if one.kind == "string":
            return (
                text
                + f"{plural(one.length, 'byte')} from element {first} of "
                + self._where(one.target)
            )
        which = f"[{first}:{first + one.length}]"
        return text + f"{which} of {self._where(one.target)}"


def _old_arrays(
    context: Context, view: SliceView, old: Optional[int], capacity: Optional[int]
) -> Tuple[List[OldArray], List[str]]:
    """The arrays that a slice has left, and notes.

    :raises UsageError: if none is known
    """
    if old is not None:
        return [_named_array(context.session, view, old, capacity)], []
    moves = context.stops().moves
    found = [
        OldArray(move.old, move.capacity, move.size, "seen when it was left")
        for move in moves.left_by(view.holder, view.array)
    ]
    if not found:
        seen = f"of {plural(len(moves), 'move')} seen"
        raise UsageError(
            f"cannot tell which arrays it has left: {seen if len(moves) else 'no growth was seen'} "
            "in this session"
            + (", none was its" if len(moves) else "")
            + "; slice break grow or slice trace on sees them, or name the array: --old ADDRESS"
        )
    return found, []


def _named_array(session: Session, view: SliceView, old: int, capacity: Optional[int]) -> OldArray:
    """The array that --old names.

    :raises MapscopeError: if it cannot be one
    """
    if view.array and view.array <= old < view.end:
        raise UsageError(f"--old {old:#x}: the slice is in that array now")
    if capacity is not None:
        if not 0 < capacity * max(view.size, 1) < 1 << 47:
            raise UsageError(f"--elements {capacity}: no array has so many")
        return OldArray(old, capacity, view.size, "--old and --elements")
    why = ""
    try:
        found = heap_of(session).object_at(old) if view.is_go else None
    except MapscopeError as error:
        found, why = None, f" ({error})"
    if found is not None:
        room = (found.start + found.size - old) // max(view.size, 1)
        if room > 0:
            return OldArray(old, room, view.size, "--old, to the end of its heap object")
    raise UsageError(
        f"--old {old:#x}: how large it is is not known{why}; say it with --elements N "
        "(its capacity)"
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_slice(parser)
    parser.add_argument(
        "--old",
        metavar="ADDRESS",
        type=natural,
        help="the array that it has left; without it: those that a stop or a trace has seen it "
        "leave",
    )
    parser.add_argument(
        "--elements", metavar="N", type=natural, help="of --old: elements that it has room for"
    )
    parser.add_argument(
        "--heap", action="store_true", help="Go: look at every object of the heap as well"
    )


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    view = slice_of(context, args)
    if args.elements is not None and args.old is None:
        raise UsageError("--elements is one of --old ADDRESS")
    if args.heap and not view.is_go:
        raise UsageError("--heap: C++ keeps no list of its objects; variables are looked at")
    if view.capacity is None:
        raise UsageError("a string never grows, so it leaves no array")
    arrays, notes = _old_arrays(context, view, args.old, args.elements)
    wanted = Arrays([(one.address, one.end) for one in arrays])
    variables = Variables(session, True)
    finder = Finder(session, wanted, STEPS)
    heap: Optional[List[InHeap]] = None
    try:
        for place in variables.all():
            finder.look(place)
        if args.heap:
            heap = search_heap(session, wanted, variables.looked, variables.missed)
    except KeyboardInterrupt:
        raise MapscopeError("interrupted: not everything was looked at") from None
    missed = [*variables.missed, *sorted(finder.lacking)]
    if finder.unread:
        missed.append(f"{plural(len(finder.unread), 'variable')} ({finder.unread[0]})")
    if not view.is_go:
        notes.append(
            "a vector gives its old array back: what refers to it may mean what has been "
            "allocated there since"
        )
    references = _others(finder.found, view)
    return StaleResult(view, arrays, references, heap, variables.looked, missed, notes)


def _others(found: List[Reference], view: SliceView) -> List[Reference]:
    """References but those that are the slice's own."""
    rest: Dict[Tuple[str, str, Optional[int]], Reference] = {}
    for one in found:
        now = view.array <= one.target < view.end  # the same memory again
        if not now and not view.is_own(one.address):
            rest.setdefault((one.name, one.scope, one.address), one)
    return list(rest.values())


COMMAND = Command(
    "stale",
    "Show which pointers, slices and strings (in C++ pointers, references and iterators) still\n"
    "refer to an array that a slice has left by growing: they see old values. Looked at are the\n"
    "variables of packages and of all goroutines' frames, and what they point at a few steps\n"
    "deep; with --heap, in Go, all objects of the heap.\n\n"
    "example: slice stale s\n"
    "example: slice stale s --old 0xc000014080 --heap",
    _arguments,
    _run,
    "slice",
)

# SPDX-License-Identifier: MIT
"""`map follow`: one map, looked at again at every stop; what gdb's window of maps shows."""

import argparse
from dataclasses import field
from typing import Dict, Iterator, List, Optional

from ..errors import MapscopeError, UsageError
from ..flavours.cpp.rings import Event, History, NoHistory, read_history
from ..locate import evaluate
from ..maps.facts import Growth, Summary
from ..maps.figures import bar, optional, ratio_text
from ..maps.occupancy import Occupancy
from ..maps.strips import LEGEND, each_of, rows, strip
from ..maps.view import MapView
from ..program.values import dumps, escape
from ..records import dataclass
from ..session import Session, describe
from ..stops.following import Counts, Followed, Following
from .base import Command, Context, Result, add_map, problem_lines
from .history import recorded_line

#: larger maps are not walked at every stop
MOST_ENTRIES, MOST_BUCKETS = 500_000, 1 << 17
#: events that are shown, and lines of a strip; of a strip in a window of less than so many lines
_EVENTS, _ROWS, _LOW_ROWS, _LOW = 12, 4, 1, 20
#: columns of the command's text
_WIDTH = 78


@dataclass
class Picture:
    """A followed map at one moment.

    :ivar error: why there is nothing to see; "": there is
    :ivar walked: whether all of it was looked at
    :ivar arrays: entries of each bucket; None: not known of each
    :ivar before: what was counted at the stop before
    :ivar events: lines, newest last
    :ivar unrecorded: why there may be others; "": there are none
    """

    name: str
    chosen: bool
    type_name: str
    address: Optional[int]
    error: str = ""
    doubt: str = ""
    view: Optional[MapView] = None
    summary: Summary = field(default_factory=Summary)
    walked: bool = False
    arrays: Optional[List[Occupancy]] = None
    before: Optional[Counts] = None
    events: List[str] = field(default_factory=list)
    unrecorded: str = ""

    def lines(self, width: int, height: int = _LOW) -> Iterator[str]:
        """What is to be seen, the most important first; each without its newline.

        :param width: columns of the strips and the bar
        :param height: lines that are seen at once
        """
        where = "nil" if self.address is None else hex(self.address)
        how = "" if self.chosen else " (the last one inspected; map follow MAP chooses another)"
        yield f"{escape(self.name)}: {escape(self.type_name)} {where}{how}"
        if self.error:
            yield f"cannot tell: {escape(self.error)}"
            yield "map follow MAP chooses another, or the same anew"
        elif self.view is not None:
            yield from self._alive(self.view, width, _LOW_ROWS if height < _LOW else _ROWS)
        if self.doubt and not self.error:
            yield f"cannot tell whether it is still the same map: {escape(self.doubt)}"
        yield from self._event_lines()
        if self.view is not None and self.view.address is not None and not self.error:
            yield from self._details(self.view)

    def _alive(self, view: MapView, width: int, most: int) -> Iterator[str]:
        before = self.before
        facts = view.facts()
        own = facts.entries_text()
        if own is not None:
            yield f"entries {own}"
        else:
            more = "" if before is None else _difference(view.known_count, before.entries)
            yield (
                f"entries {optional(view.known_count)}{more}, "
                f"load {ratio_text(view.load_factor())}, "
                f"grows above {optional(facts.grows_above)}"
            )
        if view.address is None:
            yield "nothing was written to it yet"
            return
        growth, buckets = self.summary.growth, optional(facts.buckets)
        if growth is None and own is None:
            yield f"not growing: {buckets} {view.unit}s"
        elif growth is not None:
            yield from self._growth(growth, buckets, width)
        if self.events:
            yield f"last: {escape(self.events[-1])}"
        if own is None or self.arrays:
            yield from self._strips(width, most, f"{view.unit}s")

    def _growth(self, growth: Growth, buckets: str, width: int) -> Iterator[str]:
        before = self.before
        more = ""
        if before is not None and before.old_buckets == growth.old_buckets:
            more = _difference(growth.evacuated, before.evacuated)
        progress, old = growth.progress, growth.old_buckets
        some = (
            f"{growth.evacuated}{more}" if progress is not None else f"at least {growth.nevacuate}"
        )
        yield f"growing, {growth.kind} {old} -> {buckets} buckets: {some} of {old} evacuated"
        if progress is not None:
            yield f"{bar(progress, max(width - 8, 10))} {progress * 100:.1f}%"

    def _strips(self, width: int, most: int, unit: str) -> Iterator[str]:
        if self.arrays is None:
            yield (
                f"{unit} not drawn: "
                + ("which entries each has is not known" if self.walked else _too_large())
            )
            return
        drawn = [array for array in self.arrays if array.places]
        for array in drawn:
            each = each_of(array, width * most)
            scale = "" if each == 1 else f", {each} to a character"
            which = f"{array.name} " if len(self.arrays) > 1 else ""
            yield f"{which}{array.unit}s 0 to {array.places - 1}{scale}:"
            yield from rows(strip(array, width * most), width)
        if drawn:
            yield f"({LEGEND})"

    def _event_lines(self) -> Iterator[str]:
        if self.events:
            yield "last events:"
            yield from (f"  {escape(line)}" for line in self.events[-_EVENTS:])
        elif not self.error:
            yield "no events of it are known"
        if self.unrecorded:
            yield f"  ({escape(self.unrecorded)})"

    def _details(self, view: MapView) -> Iterator[str]:
        """What `map inspect` shows, too."""
        for line in view.facts().lines(self.summary, view.unit):
            yield " ".join(line.split())
        for line in problem_lines(view.problems):
            yield line.rstrip("\n")

    def form(self) -> Dict[str, object]:
        """The object of mapscope.follow/1."""
        view, growth = self.view, self.summary.growth
        alive = view is not None and not self.error
        form: Dict[str, object] = {
            "schema": "mapscope.follow/1",
            "name": self.name,
            "address": None if self.address is None else hex(self.address),
            "type": self.type_name,
            "error": self.error or None,
            "doubt": self.doubt or None,
            "count": view.known_count if view is not None and alive else None,
            "count_before": None if self.before is None else self.before.entries,
            "evacuated_before": None if self.before is None else self.before.evacuated,
            "walked": self.walked,
            "growth": growth.json_form() if growth is not None else None,
            "arrays": None if self.arrays is None else [_array_form(a) for a in self.arrays],
            "events": self.events,
            "events_unrecorded": self.unrecorded or None,
            "problems": view.problems if view is not None else [],
        }
        return form


def _too_large() -> str:
    return (
        f"it has more than {MOST_ENTRIES} entries or {MOST_BUCKETS} buckets, too many to be "
        "looked at at every stop (map stats, map report)"
    )


def _array_form(array: Occupancy) -> Dict[str, object]:
    marks = array.evacuated
    return {
        "name": array.name,
        "unit": array.unit,
        "places": array.places,
        "looked_at": array.looked_at,
        "counts": {str(entries): number for entries, number in array.counts().items()},
        "evacuated": None if marks is None else sum(marks),
    }


def _difference(now: Optional[int], before: Optional[int]) -> str:
    """How much more it is than at the stop before."""
    if now is None or before is None or now == before:
        return ""
    return f" ({now - before:+})"


def draw(session: Session, followed: Followed, following: Following, chosen: bool) -> Picture:
    """The map as it is now; what is wrong with it is told in the picture.

    :param following: knows the events and the moment
    :param chosen: whether the user has chosen it
    """
    picture = Picture(followed.name, chosen, followed.type_name, followed.address)
    try:
        session.require_memory()
        session.require_architecture()
        view: Optional[MapView] = None
        try:
            view = followed.find(session)
            picture.type_name, picture.address = view.type_name, view.address
        except MapscopeError as error:
            picture.error = str(error)
        if not followed.ended:
            _events(session, followed, following, picture)
        if view is not None and not picture.error:
            _walk(view, followed, following.moment, picture)
    except MapscopeError as error:
        picture.error = str(error)
    except Exception as error:  # a window has nobody else to tell it to
        picture.error = describe(error)
    picture.doubt = picture.doubt or followed.doubt
    return picture


def _walk(view: MapView, followed: Followed, moment: int, picture: Picture) -> None:
    """Look at the map, at all of it if it is not too large."""
    picture.view = view
    if view.address is None:
        followed.count(Counts(0, None, 0), moment)
        return
    buckets = view.facts().buckets
    small = view.count <= MOST_ENTRIES and (buckets is None or buckets <= MOST_BUCKETS)
    if small:
        picture.summary = view.summary()
        picture.arrays = view.occupancy()
    else:
        picture.summary = Summary(
            overflow_in_use=view.overflow_in_use(), held=view.held(), growth=view.growth()
        )
    picture.walked = small
    growth = picture.summary.growth
    counts = Counts(
        view.known_count,
        None if growth is None else growth.evacuated,
        0 if growth is None else growth.old_buckets,
    )
    picture.before = followed.count(counts, moment)


def _events(session: Session, followed: Followed, following: Following, picture: Picture) -> None:
    """What is known to have happened to it, and whether it is gone."""
    if picture.address is None:
        return
    try:
        history = read_history(session)
    except NoHistory:
        picture.events = following.told_of(picture.address)
        picture.unrecorded = "only events that map break and map trace notice are known"
        return
    mine = [event for event in history.events if event.map == picture.address]
    if followed.clock is None:  # it was nil when it was chosen
        followed.clock = mine[-1].clock if mine else None
    gone = next((event for event in mine if _is_end(event, followed.clock)), None)
    if gone is not None:
        picture.error = "it was destroyed, and what lies there now is another map or none"
    elif history.started is None or history.problems:
        picture.doubt = "; ".join(history.problems[:1]) or "the runtime records no history"
    elif _has_forgotten(history, followed.clock):
        picture.doubt = "what happened since was recorded, but is overwritten by newer events"
    else:
        followed.doubt = ""  # it was cleared, and is the same
    picture.events = [recorded_line(event).said for event in mine[-_EVENTS:]]


def _is_end(event: Event, since: Optional[int]) -> bool:
    """Whether a map ended with an event, after a time."""
    return event.event == "destroyed" and since is not None and event.clock > since


def _has_forgotten(history: History, since: Optional[int]) -> bool:
    """Whether events in the lives of maps are overwritten that came after a time."""
    oldest = next((event for event in history.events if event.ring == "life"), None)
    return oldest is not None and oldest.sequence > 1 and oldest.clock > (since or 0)


def begin(session: Session, name: str, view: MapView, named: bool) -> Followed:
    """Follow a map from now on.

    :param named: whether its name is an expression
    """
    variable = None
    if named and view.address is None:
        variable = evaluate(session, name)
    followed = Followed(session, name, view, variable)
    if view.address is not None:
        try:
            followed.clock = max((event.clock for event in read_history(session).events), default=0)
        except MapscopeError:
            pass  # it is no map of the runtime, or records nothing
    return followed


@dataclass
class FollowResult(Result):
    """What there is to see of the followed map; None: it is followed no longer.

    :ivar begun: it is followed from now on
    """

    picture: Optional[Picture]
    begun: bool = False

    def text(self) -> Iterator[str]:
        if self.picture is None:
            yield "no map is followed any more\n"
            return
        view = self.picture.view
        if self.begun and view is not None:
            yield f"following {escape(self.picture.name)}: {view.headline()}\n"
            return
        for line in self.picture.lines(_WIDTH):
            yield line + "\n"

    def json(self) -> Iterator[str]:
        form = {"schema": "mapscope.follow/1", "name": None}
        yield dumps(form if self.picture is None else self.picture.form()) + "\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_map(parser, "the one that is followed; if none is, the map of the current stop")
    parser.add_argument("--off", action="store_true", help="follow it no longer")


def _run(context: Context, args: argparse.Namespace) -> Result:
    following, session = context.stops().following, context.session
    if args.off:
        if args.map is not None:
            raise UsageError("map follow: --off stands alone: one map is followed at a time")
        if following.chosen is None:
            raise UsageError("no map is followed: map follow MAP begins it")
        following.chosen = None
        return FollowResult(None)
    again = args.map is None and args.goroutine is None and following.chosen is not None
    if not again:
        view = context.map_of(args)
        name = args.map or "the map of the stop"
        if args.goroutine is not None:
            name = f"{args.map or 'the map'} of goroutine {args.goroutine}"
        named = args.map is not None and args.goroutine is None
        following.chosen = begin(session, name, view, named)
    assert following.chosen is not None
    return FollowResult(draw(session, following.chosen, following, True), not again)


COMMAND = Command(
    "follow",
    "Choose the map that gdb's `layout map` shows at every stop. Without MAP, show it as it is\n"
    "now: entries, the migration and how far it came since the last stop, its buckets, its last\n"
    "events. A map is followed, not a variable: it is found again where it lies, whatever frame\n"
    "is selected.\n\n"
    "example: map follow m\n"
    "example: map follow\n"
    "example: map follow --off",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""`map stop`: the map stop that the program is at."""

import argparse
from typing import Dict, Iterator, Optional

from ..errors import MapscopeError, NoStopMap
from ..program.values import dumps, escape
from ..records import dataclass
from ..stops.engine import Current
from .base import Command, Context, Result
from .inspect import InspectResult, inspect


@dataclass
class StopResult(Result):
    """The event, and the map as it is now."""

    current: Current
    map: Optional[InspectResult]

    def json(self) -> Iterator[str]:
        stop = self.current.stop
        form: Dict[str, object] = {"schema": "mapscope.stop/1", "id": stop.number}
        form.update(self.current.occurrence.form())
        form["map"] = None if self.map is None else self.map.form()
        form["hits"] = stop.hits()
        yield dumps(form) + "\n"

    def text(self) -> Iterator[str]:
        stop = self.current.stop
        hits = stop.hits()
        yield f"mapscope stop {stop.number}: {self.current.occurrence.line()}\n"
        yield f"  asked for  {escape(stop.request.text())}, {escape(stop.map_text())}\n"
        yield (
            f"  noticed by {self.current.occurrence.mechanism}, "
            f"hit {hits} time{'' if hits == 1 else 's'}\n"
        )
        if self.map is not None:
            yield from self.map.text()


def _run(context: Context, args: argparse.Namespace) -> Result:
    session = context.session
    current = context.stops().current
    if current is None:
        raise NoStopMap("the program is not at a map stop (map break sets one)")
    found: Optional[InspectResult] = None
    if current.reopen is not None:
        try:
            found = inspect(current.reopen(session), session)
        except MapscopeError:
            pass  # the event says what is known
    return StopResult(current, found)


def _arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


COMMAND = Command(
    "stop",
    "Show the map stop that the program is at: event, map, bucket, thread, goroutine, and by\n"
    "what mechanism it stopped.\n\n"
    "example: map stop",
    _arguments,
    _run,
)

# SPDX-License-Identifier: MIT
"""The map that was inspected last, which the window of maps shows until one is followed."""

import os
from typing import TYPE_CHECKING, Dict, Optional, Tuple

import gdb

if TYPE_CHECKING:
    from mapscope.commands.base import Result
    from mapscope.stops.following import Followed

#: in each inferior: its process, and the map
_LAST: "Dict[int, Tuple[int, Followed]]" = {}


def note(name: str, line: str, result: "Optional[Result]") -> None:
    """A command has ended. Only on a terminal: elsewhere there are no windows."""
    if name != "inspect" or result is None or not os.isatty(0):
        return
    from mapscope.commands import load
    from mapscope.commands.base import split_words
    from mapscope.commands.follow import begin
    from mapscope.commands.inspect import InspectResult
    from mapscope.session import Session
    from .target import GdbTarget

    if not isinstance(result, InspectResult) or result.view.address is None:
        return
    words = load(name).parser().read(split_words(line))
    what = words.map or "the map of the stop"
    followed = begin(Session(GdbTarget()), what, result.view, False)
    inferior = gdb.selected_inferior()
    _LAST[int(inferior.num)] = (int(inferior.pid), followed)


def last() -> "Optional[Followed]":
    """That of the selected inferior."""
    inferior = gdb.selected_inferior()
    pid, followed = _LAST.get(int(inferior.num), (0, None))
    if followed is not None and pid != inferior.pid:
        followed.process_ended()
    return followed

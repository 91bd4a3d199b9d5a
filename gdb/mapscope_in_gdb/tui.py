# SPDX-License-Identifier: MIT
"""The layout `map` of gdb's TUI: a window that shows one map, and the source.

What the window needs is imported when it is first shown.
"""

import os
from typing import TYPE_CHECKING, Dict, Optional, Tuple

import gdb

if TYPE_CHECKING:
    from mapscope.commands.base import Result
    from mapscope.stops.following import Followed
    from .window import MapWindow

#: the window's name for layouts, and the layout: what is in it, from the top, with its weight
WINDOW, LAYOUT = "mapscope", "map src 1 mapscope 1 status 0 cmd 1"

#: the map that was inspected last in each inferior, and that one's process
_inspected: "Dict[int, Tuple[int, Followed]]" = {}


def register() -> None:
    """Define the window and the layout, where gdb has a TUI."""
    try:
        gdb.register_window_type(WINDOW, _open)
        gdb.execute(f"tui new-layout {LAYOUT}", to_string=True)
    except (AttributeError, RuntimeError):  # gdb.error is one: this gdb has no TUI
        pass


def _open(window: "gdb.TuiWindow") -> "MapWindow":
    from .window import MapWindow

    return MapWindow(window)


def note(name: str, line: str, result: "Optional[Result]") -> None:
    """A command has ended: what `map inspect` has shown, the window can show, too."""
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
    _inspected[int(inferior.num)] = (int(inferior.pid), followed)


def inspected() -> "Optional[Followed]":
    """The map that was inspected last in the selected inferior."""
    inferior = gdb.selected_inferior()
    pid, followed = _inspected.get(int(inferior.num), (0, None))
    if followed is not None and pid != inferior.pid:
        followed.process_ended()
    return followed

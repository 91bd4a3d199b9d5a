# SPDX-License-Identifier: MIT
"""The layout `map` of gdb's TUI: the source, and a window that shows one map.

What the window needs is imported when it is first shown.
"""

from typing import TYPE_CHECKING

import gdb

if TYPE_CHECKING:
    from .window import MapWindow

#: the window's name for layouts, and the layout: what is in it, from the top, with its weight
WINDOW, LAYOUT = "mapscope", "map src 1 mapscope 1 status 0 cmd 1"


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

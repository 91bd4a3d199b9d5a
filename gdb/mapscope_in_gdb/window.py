# SPDX-License-Identifier: MIT
"""The window of gdb's TUI that shows one map at every stop."""

import locale
import unicodedata
from typing import Any, List, Optional, Tuple

import gdb

from mapscope.commands.follow import Picture, draw
from mapscope.session import Session, describe
from mapscope.stops.following import Followed
from . import inspected
from .process import stops
from .target import GdbTarget

_NONE = [
    "no map is followed",
    "map follow MAP chooses one; until then this window shows the one that map inspect showed last",
]


class MapWindow:
    """What gdb asks to draw, by the methods that its manual names ("TUI Windows In Python")."""

    def __init__(self, window: "gdb.TuiWindow") -> None:
        self._window = window
        window.title = "map"
        self._top = self._left = 0
        self._picture: Optional[Picture] = None
        self._shown: Optional[Tuple[int, Optional[Followed], bool]] = None
        self._stale = True
        self._handlers: List[Tuple[Any, Any]] = [
            (gdb.events.stop, self._on_change),
            (gdb.events.exited, self._on_change),
            (gdb.events.memory_changed, self._on_change),
            (gdb.events.before_prompt, self._on_prompt),
        ]
        for registry, handler in self._handlers:
            registry.connect(handler)

    # --- what gdb calls ---

    def close(self) -> None:
        """The window goes."""
        for registry, handler in self._handlers:
            registry.disconnect(handler)
        self._handlers = []

    def render(self) -> None:
        """The window came, or has another size."""
        self._look()
        self._show()

    def vscroll(self, lines: int) -> None:
        """The user scrolls, down if it is positive."""
        self._top += lines
        self._show()

    def hscroll(self, columns: int) -> None:
        """The user scrolls, to the right if it is positive."""
        self._left = max(self._left + columns, 0)
        self._show()

    # --- when there is something new ---

    def _on_change(self, event: object) -> None:
        self._stale = True

    def _on_prompt(self) -> None:
        """All that a command has changed is shown at once, in front of the next one."""
        if self._window.is_valid() and self._look():
            self._show()

    def _look(self) -> bool:
        """Look at the map again, if there is a reason to. Returns whether there was."""
        chosen = stops().following.chosen
        followed = chosen or inspected.last()
        shown = (int(gdb.selected_inferior().num), followed, chosen is not None)
        if not self._stale and shown == self._shown:
            return False
        if shown != self._shown:
            self._top = self._left = 0
        self._stale, self._shown, self._picture = False, shown, None
        if followed is not None:
            following = stops().following
            try:
                self._picture = draw(Session(GdbTarget()), followed, following, chosen is not None)
            except KeyboardInterrupt:
                self._picture = _failed(followed, "interrupted")
        return True

    # --- what is in it ---

    def _show(self) -> None:
        if not self._window.is_valid():
            return
        width, height = int(self._window.width), int(self._window.height)
        try:
            lines = self._lines(width, height)
        except Exception as error:
            lines = [f"mapscope: {describe(error)}"]
        self._top = max(min(self._top, len(lines) - height), 0)
        part = lines[self._top : self._top + height]
        where = ""
        if len(part) < len(lines):
            where = f" {self._top + 1}-{self._top + len(part)} of {len(lines)}"
        if locale.nl_langinfo(locale.CODESET).upper() != "UTF-8":
            # curses would take each byte for a character
            part = [line.encode("ascii", "backslashreplace").decode() for line in part]
        self._write(part, where, width)

    def _lines(self, width: int, height: int) -> List[str]:
        if self._shown is None or self._shown[1] is None:
            return _NONE
        return [] if self._picture is None else list(self._picture.lines(max(width, 1), height))

    def _write(self, lines: List[str], where: str, width: int) -> None:
        """Show lines.

        :param where: stands at the end of the first one
        """
        shown = [clip(line, self._left, width) for line in lines]
        if where and len(where) <= width:
            first = clip(lines[0], self._left, width - len(where))
            shown[0] = first + " " * (width - len(where) - columns(first)) + where
        # a line that fills the window has ended already
        text = "".join(line if columns(line) == width else line + "\n" for line in shown)
        self._window.erase()
        self._window.write(text.rstrip("\n"))


def _failed(followed: Followed, why: str) -> Picture:
    return Picture(followed.name, True, followed.type_name, followed.address, why)


def clip(line: str, left: int, width: int) -> str:
    """The part of a line that a window of so many columns shows."""
    kept, at = "", 0
    for character in line:
        size = columns(character)
        if at + size > left + width:
            break
        if at >= left:
            kept += character
        at += size
    return kept


def columns(text: str) -> int:
    """Columns that a terminal gives a text."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )

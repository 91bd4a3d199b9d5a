# SPDX-License-Identifier: MIT
"""`map`, `slice` and their subcommands in gdb, made from core's table.

What a command needs is imported when it runs: sourcing stays quick.
"""

from typing import TYPE_CHECKING, List, Optional

import gdb

from mapscope.commands import PREFIXES, Prefix
from mapscope.errors import MapscopeError, near
from . import inspected
from .output import write

if TYPE_CHECKING:
    from mapscope.stops.all_stops import Stops


class PrefixCommand(gdb.Command):
    """A prefix command itself."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        self.__doc__ = prefix.overview
        super().__init__(prefix.word, gdb.COMMAND_DATA, gdb.COMPLETE_NONE, prefix=True)

    def invoke(self, line: str, from_tty: bool) -> None:
        word = line.split(None, 1)[0] if line.strip() else ""
        if word in ("", "-h", "--help"):
            write(self._prefix.overview + "\n")
            return
        raise gdb.GdbError(
            f"{self._prefix.word} has no subcommand {ascii(word)[1:-1]}"
            f"{near(word, self._prefix.summaries)}; "
            f"it has: {', '.join(self._prefix.summaries)}"
        )


def _stops() -> "Stops":
    """gdb's, made when a command first asks for them."""
    from .process import stops

    return stops()


class Subcommand(gdb.Command):
    """One subcommand."""

    def __init__(self, prefix: Prefix, name: str) -> None:
        self._name = prefix.full(name)
        self._first_words = prefix.first_words.get(name, ())
        typed = f"{prefix.word} {name}"
        self.__doc__ = (
            f"{typed}: {prefix.summaries[name]}.\n\n"
            f"{typed} --help explains every option, with an example."
        )
        super().__init__(typed, gdb.COMMAND_DATA)

    def invoke(self, line: str, from_tty: bool) -> None:
        from mapscope import shell
        from .target import GdbTarget

        target = GdbTarget()
        try:
            result = shell.run(target, _stops, self._name, line, write)
            inspected.note(self._name, line, result)
        except MapscopeError as error:
            raise gdb.GdbError(f"mapscope: {error}") from None
        finally:
            target.finish()

    def complete(self, text: str, word: Optional[str]) -> "List[str] | int":
        from mapscope import completion
        from .target import GdbTarget

        target = GdbTarget()
        try:
            last, found, own = completion.complete(
                self._name, self._first_words, text, lambda: target, _stops
            )
        except Exception:  # gdb has no place for it on a line that is being typed
            return []
        finally:
            target.finish()
        if own:
            return int(_BY_GDB[own])
        # gdb completes behind the last word break, which "-" and "." are no part of
        start = len(last) - len(word or "")
        return [one[start:] for one in found]


#: what gdb completes itself
_BY_GDB = {
    "expression": gdb.COMPLETE_EXPRESSION,
    "file": gdb.COMPLETE_FILENAME,
    "location": gdb.COMPLETE_LOCATION,
}


def register() -> None:
    """Define (or, when sourced again, redefine) the commands."""
    for prefix in PREFIXES:
        PrefixCommand(prefix)
        for name in prefix.summaries:
            Subcommand(prefix, name)

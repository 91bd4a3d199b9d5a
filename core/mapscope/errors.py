# SPDX-License-Identifier: MIT
"""What can go wrong, one class for each thing a user can do something about.

Every message is one line: what was found, what was expected, what to do.
"""

from typing import Iterable, Sequence

#: characters of a message; what is longer has names in it that nobody would read to their end
LONGEST = 1000


class MapscopeError(Exception):
    """Base of all errors that are shown to the user as one line."""

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST:
            message = message[: LONGEST - 3] + "..."
        if not message.isprintable():
            message = "".join(
                c if c.isprintable() else c.encode("unicode_escape").decode() for c in message
            )
        super().__init__(message)


class UsageError(MapscopeError):
    """The command's words are off."""


class NoStopMap(UsageError):
    """No MAP was named, and the program is not stopped in an operation of one."""


class NotAMap(MapscopeError):
    """The expression or address is no map."""


class NotASlice(MapscopeError):
    """The expression is no slice and no vector."""


class TypeNeeded(MapscopeError):
    """The map's type cannot be known from what was given."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: its type is not known; name it with --type 'map[K]V'")


class UnknownType(MapscopeError):
    """The program has no type of that name."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"no type {name} in this program{hint}")


class MemoryUnreadable(MapscopeError):
    """Memory of the process that could not be read.

    :ivar reason: why, where that is known
    """

    def __init__(self, address: int, size: int, reason: str = "") -> None:
        self.address = address
        self.size = size
        self.reason = reason
        why = f": {reason}" if reason else ""
        super().__init__(f"cannot read {size} bytes at {address:#x}{why}")


class NoProgram(MapscopeError):
    """There is a process or a core dump, and no program loaded that says what is in it."""


class LayoutUnknown(MapscopeError):
    """A map of a layout that this version does not know."""


class Corrupt(MapscopeError):
    """Memory that no map can look like."""


class NeedsProcess(MapscopeError):
    """The command needs a program that is running or a core dump."""


def near(name: str, names: Iterable[str]) -> str:
    """What follows an error about a word that mapscope does not know: similar ones of its own."""
    from difflib import get_close_matches  # seldom needed, and slow to load

    found = get_close_matches(name, list(names), 3, 0.6)
    return f"; did you mean {' or '.join(found)}?" if found else ""

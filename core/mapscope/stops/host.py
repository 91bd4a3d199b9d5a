# SPDX-License-Identifier: MIT
"""What a debugger must offer for stops, beyond Target.

An adapter implements Host and Point; tests implement both without a debugger.
"""

from abc import ABC, abstractmethod
from typing import Callable, Iterator, Optional

from ..errors import MapscopeError
from ..program.target import Frame, Target

#: called when a point is hit: True stops the program, False lets it go on
OnHit = Callable[["Hit"], bool]


class NoWatchpoint(MapscopeError):
    """The target offers no (further) hardware watchpoint."""


class Point(ABC):
    """One breakpoint or watchpoint of the debugger.

    :ivar number: the debugger's own; None where its user does not see it
    """

    number: Optional[int]

    @property
    def label(self) -> str:
        """What the debugger's user calls it."""
        return f"breakpoint {self.number}"

    @abstractmethod
    def remove(self) -> None:
        """Take it out; also when it is being hit, and when it is gone already."""

    @abstractmethod
    def enable(self, on: bool) -> None:
        """Switch it on or off."""


class Hit(ABC):
    """The thread that has hit a point, at that instruction.

    :ivar thread: the debugger's own number
    """

    thread: int

    @abstractmethod
    def register(self, name: str) -> int:
        """A register of the innermost frame, as "rbx"; 0 to 2^64-1.

        :raises MapscopeError: if it cannot be read
        """

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Frames of the thread, innermost first."""

    @abstractmethod
    def caller(self) -> Optional[int]:
        """Where the function returns to at whose first instructions the thread is."""

    @abstractmethod
    def state(self) -> bytes:
        """What tells this moment of the thread from another one at the same instruction:
        its general registers and the top of its stack."""

    @abstractmethod
    def condition(self, expression: str) -> bool:
        """An expression of the debugger, in the user's frame.

        :raises MapscopeError: with the debugger's own words
        """


class Host(ABC):
    """The debugger, as far as stops need it."""

    @abstractmethod
    def target(self) -> Target:
        """To look into the program as it is now."""

    @abstractmethod
    def state(self) -> str:
        """ "none": no process yet; "live": one that can run; "core": a core dump."""

    def place(self) -> str:
        """Which of several programs this is, as "inferior 2"; "": there is only one."""
        return ""

    @abstractmethod
    def has_program(self) -> bool:
        """Whether there is a program that could be started."""

    @abstractmethod
    def here(self) -> Optional[Hit]:
        """The selected thread, as if it had hit something; None: there is none."""

    @abstractmethod
    def function(self, name: str) -> Optional[int]:
        """The first instruction of the function with this linker symbol, as loaded now."""

    @abstractmethod
    def function_start(self, address: int) -> Optional[int]:
        """The first instruction of the function that an instruction belongs to, by linker
        symbols: whatever is inlined there."""

    @abstractmethod
    def breakpoint(self, address: int, on_hit: OnHit, visible: bool) -> Point:
        """A breakpoint at an instruction.

        :param visible: its user sees it in the debugger's own list
        """

    @abstractmethod
    def breakpoint_at(self, location: str, on_hit: OnHit) -> Point:
        """A visible breakpoint at a location as the debugger's user writes it.

        :raises MapscopeError: if there is no such location
        """

    @abstractmethod
    def function_breakpoint(self, name: str, offset: int, on_hit: OnHit, visible: bool) -> Point:
        """A breakpoint `offset` bytes into a function, wherever the next process has it.

        :param name: its linker symbol
        :raises MapscopeError: if there is no such symbol
        """

    @abstractmethod
    def watchpoint(self, address: int, size: int, on_hit: OnHit, visible: bool) -> Point:
        """A hardware watchpoint for writes that change the value; size 1, 2, 4 or 8.

        :raises NoWatchpoint: if there is none left, or none at all
        """

    @abstractmethod
    def write_memory(self, address: int, data: bytes) -> None:
        """Used for the stop filter alone.

        :raises MapscopeError: if it cannot be written, or not now
        """

    @abstractmethod
    def kernel_thread(self, number: int) -> Optional[int]:
        """The kernel's id of the debugger's thread `number`; None: no such thread."""

    @abstractmethod
    def hides_from_program(self) -> bool:
        """Whether the program cannot see that it is traced (it is in another pid namespace)."""

    @abstractmethod
    def can_evaluate(self) -> Optional[str]:
        """None if the debugger can evaluate conditions in this program's language, else why
        not."""

    @abstractmethod
    def say(self, line: str) -> None:
        """Show a line, at once."""

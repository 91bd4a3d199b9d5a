# SPDX-License-Identifier: MIT
"""What a user asks to stop at or to log: the growth of a slice."""

from typing import Optional

from ...program.values import escape
from ...records import dataclass
from ...stops.request import Request


@dataclass(frozen=True)
class SliceRequest(Request):
    """A stop or a trace; `map` is SLICE as typed.

    :ivar element: name of the elements' type; None: any
    :ivar inside: package or function that appends; None: any
    """

    element: Optional[str] = None
    inside: Optional[str] = None

    def text(self) -> str:
        parts = [super().text()]
        if self.element is not None:
            parts.append(f"of []{escape(self.element)}")
        if self.inside is not None:
            parts.append(f"in {escape(self.inside)}")
        return " ".join(parts)

# SPDX-License-Identifier: MIT
"""The growth of a slice, for the one line that says so and for `map stop`."""

from typing import Dict, Optional

from ...program.values import escape
from ...records import dataclass
from ...stops.occurrence import Occurrence


@dataclass
class GrowthEvent(Occurrence):
    """A slice has another array.

    :ivar named: as the user named it; "": any
    :ivar old_array: that it had; 0: none
    :ivar old_length: before the append; None: not known
    :ivar length: after it; None: not stored yet
    """

    named: str = ""
    old_array: int = 0
    new_array: int = 0
    old_length: Optional[int] = None
    length: Optional[int] = None
    old_capacity: int = 0
    capacity: int = 0

    def line(self) -> str:
        parts = [
            " ".join(
                ["grow", escape(self.type_name), *([escape(self.named)] if self.named else [])]
            ),
            f"array {_address(self.old_array)} -> {_address(self.new_array)}",
            f"capacity {self.old_capacity} -> {self.capacity}",
        ]
        if self.old_length is not None:
            parts.append(f"length {self.old_length}")
            if self.length is not None:
                parts[-1] += f" -> {self.length}"
        elif self.length is not None:
            parts.append(f"length {self.length} now")
        parts.append(f"thread {self.thread}")
        if self.goroutine is not None:
            parts.append(f"goroutine {self.goroutine}")
        if self.place:
            parts.append(f"in {escape(self.place)}")
        return ", ".join(parts)

    def trace_line(self) -> str:
        """The line of a trace."""
        text = f"slice[{_address(self.old_array)}] grows from {self.old_capacity} to "
        text += f"{self.capacity} elements ({escape(self.type_name)}"
        if self.old_length is not None and self.length is not None:
            text += f", length {self.old_length} -> {self.length}"
        elif self.old_length is not None or self.length is not None:
            shown = self.old_length if self.old_length is not None else self.length
            text += f", length {shown}{' now' if self.old_length is None else ''}"
        text += f", array {_address(self.new_array)} now)"
        if self.place:
            text += f" in {escape(self.place)}"
        return text + (f", goroutine {self.goroutine}" if self.goroutine is not None else "")

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = {
            "event": self.event,
            "slice": self.named or None,
            "type": self.type_name,
            "old_array": hex(self.old_array) if self.old_array else None,
            "new_array": hex(self.new_array) if self.new_array else None,
            "old_length": self.old_length,
            "length": self.length,
            "old_capacity": self.old_capacity,
            "capacity": self.capacity,
            "thread": self.thread,
            "goroutine": self.goroutine,
            "mechanism": self.mechanism,
        }
        if self.place:
            form["place"] = self.place
        return form


def _address(address: int) -> str:
    return hex(address) if address else "nil"

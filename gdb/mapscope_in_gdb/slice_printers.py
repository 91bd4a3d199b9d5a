# SPDX-License-Identifier: MIT
"""Pretty-printers of Go's slices and strings, where Go's own runtime-gdb.py is not loaded.

That script's users see what they are used to. Without it gdb shows a slice as its three words, and
a damaged one is read as far as its length says.
"""

from typing import Any, Iterator, Optional, Tuple

import gdb

from mapscope.program.values import escape
from .expressions import value_at

#: what a process can address
_MOST = 1 << 47
_SCRIPT = "runtime-gdb.py"

Child = Tuple[str, Any]


def printer_of(value: gdb.Value) -> Any:
    """The printer of a structure that has a name of Go's; None: it is neither, or Go's own script
    prints it."""
    fields = [str(field.name) for field in value.type.strip_typedefs().fields()]
    if fields == ["str", "len"]:
        return None if _has_script() else StringPrinter(value)
    if fields == ["array", "len", "cap"]:
        return None if _has_script() else SlicePrinter(value)
    return None


def _has_script() -> bool:
    """Whether Go's own script is loaded for any file."""
    for objfile in gdb.current_progspace().objfiles():
        for printer in objfile.pretty_printers:
            code = getattr(printer, "__code__", None)
            if str(getattr(code, "co_filename", "")).endswith(_SCRIPT):
                return True
    return False


def _is_readable(start: int, size: int) -> bool:
    """Whether the first and the last of so many bytes can be read."""
    try:
        for place in (start, start + size - 1):
            gdb.selected_inferior().read_memory(place, 1)
    except (gdb.error, OverflowError):
        return False
    return True


class SlicePrinter:
    """A slice: its length and capacity, and its elements as gdb asks for them."""

    def __init__(self, value: gdb.Value) -> None:
        self._value = value
        self._length = 0

    def to_string(self) -> str:
        """One line, also for a damaged one."""
        name = escape(str(self._value.type.name or self._value.type))
        try:
            array, length, capacity = (int(self._value[at]) for at in ("array", "len", "cap"))
            size = int(self._value["array"].type.target().sizeof)
        except gdb.error as error:
            return f"<{name}: {escape(str(error))}>"
        if not array and not length and not capacity:
            return f"{name} nil"
        shown = f"{name} (len: {length}, cap: {capacity})"
        if not 0 <= length <= capacity or capacity * size > _MOST or (not array and capacity):
            return f"<{shown}: damaged, or not set yet>"
        if capacity * size and not _is_readable(array, capacity * size):
            return f"<{shown}: its array at {array:#x} cannot be read>"
        self._length = length
        return shown

    def children(self) -> Iterator[Child]:
        """Element by element."""
        self.to_string()
        if not self._length:
            return
        element = self._value["array"].type.target()
        start, size = int(self._value["array"]), int(element.sizeof)
        for index in range(self._length):
            yield f"[{index}]", value_at(element, start + index * size)

    def display_hint(self) -> str:
        """gdb shows the children alone."""
        return "array"


class StringPrinter:
    """A string: its text, as far as gdb shows such."""

    def __init__(self, value: gdb.Value) -> None:
        self._value = value
        self._bad: Optional[str] = None
        self._length = 0
        try:
            start, length = int(value["str"]), int(value["len"])
            shown = f"<string of {length} bytes at {start:#x}"
            if not 0 <= length < _MOST:
                self._bad = f"{shown}: damaged, or not set yet>"
            elif length and not _is_readable(start, length):
                self._bad = f"{shown}, which cannot be read>"
            self._length = length
        except gdb.error as error:
            self._bad = f"<string: {escape(str(error))}>"

    def to_string(self) -> Any:
        """The text, of which gdb reads what it shows."""
        if self._bad is not None:
            return self._bad
        if not self._length:
            return ""
        return self._value["str"].lazy_string("utf-8", self._length)

    def display_hint(self) -> Optional[str]:
        """gdb puts it in quotes."""
        return "string" if self._bad is None else None

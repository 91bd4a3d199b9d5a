# SPDX-License-Identifier: MIT
"""A gdb command for tests: what does the pretty-printer of a map show?

    printed EXPRESSION FILE

writes one JSON object {"key": ..., "value": ...} a line, for each pair of
children that the pretty-printer of EXPRESSION yields. Keys and values are taken
as gdb prints them, so they must print as JSON does: integers, and strings
without escapes.
"""
import json
from typing import Any

import gdb


def printed(child: Any) -> Any:
    """Returns a child as Python: pretty-printers may yield values or plain Python ones."""
    if isinstance(child, gdb.Value):
        return json.loads(child.format_string(max_elements=0, address=False))
    return child


class Printed(gdb.Command):
    """printed EXPRESSION FILE: write the pretty-printer's children as JSON lines."""

    def __init__(self) -> None:
        super().__init__("printed", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        expression, path = gdb.string_to_argv(argument)
        printer = gdb.default_visualizer(gdb.parse_and_eval(expression))
        if printer is None:
            raise gdb.GdbError(f"{expression} has no pretty-printer")
        if printer.display_hint() != "map":
            raise gdb.GdbError(f"display hint {printer.display_hint()!r} instead of 'map'")
        children = iter(printer.children())
        with open(path, "w", encoding="utf-8") as out:
            for (_, key), (_, value) in zip(children, children):
                out.write(json.dumps({"key": printed(key), "value": printed(value)}) + "\n")


Printed()

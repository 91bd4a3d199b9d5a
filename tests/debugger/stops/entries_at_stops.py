# SPDX-License-Identifier: MIT
"""For gdb to source: entries-at-stops FILE N continues N times, and after each
writes the map's entries to FILE.1, FILE.2, ..."""

import gdb


class EntriesAtStops(gdb.Command):
    """entries-at-stops FILE N"""

    def __init__(self) -> None:
        super().__init__("entries-at-stops", gdb.COMMAND_DATA)

    def invoke(self, line: str, from_tty: bool) -> None:
        """Continue and write."""
        file, number = gdb.string_to_argv(line)
        for n in range(1, int(number) + 1):
            gdb.execute("continue")
            gdb.execute(f"map entries --json -o '{file}.{n}'")


EntriesAtStops()

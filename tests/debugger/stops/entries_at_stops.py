# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: entries-at-stops FILE N continues N times, and
after each writes the map's entries to FILE.1, FILE.2, ..."""

import shlex

from in_debugger import define, execute


def entries_at_stops(line: str) -> None:
    """Continue and write."""
    file, number = shlex.split(line)
    for n in range(1, int(number) + 1):
        print(execute("continue"))
        execute(f"map entries --json -o '{file}.{n}'")


define("entries-at-stops", entries_at_stops)

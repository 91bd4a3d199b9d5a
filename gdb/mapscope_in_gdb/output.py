# SPDX-License-Identifier: MIT
"""Text for the user of gdb."""

import gdb


def write(text: str) -> None:
    """To gdb's output; where its character set is too small, escaped."""
    try:
        gdb.write(text)
    except UnicodeError:
        gdb.write(text.encode("ascii", "backslashreplace").decode("ascii"))

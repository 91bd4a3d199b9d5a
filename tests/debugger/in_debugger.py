# SPDX-License-Identifier: MIT
"""What the tests' own commands need of the debugger that they run in, gdb or LLDB.

A file that defines such a command is loaded by `-x FILE.py`, in both (lit.cfg.py).
"""

import sys
from typing import Callable


class Failed(Exception):
    """A debugger's command ended with an error: its text."""


if "gdb" in sys.modules:
    import gdb

    NAME = "gdb"

    def execute(command: str) -> str:
        """Run a command; its output.

        :raises Failed: if it ended with an error
        """
        try:
            return str(gdb.execute(command, to_string=True))
        except gdb.error as error:
            raise Failed(str(error)) from None

    def define(name: str, function: Callable[[str], None]) -> None:
        """Make a command that calls a function with the rest of its line."""

        class Defined(gdb.Command):
            def __init__(self) -> None:
                super().__init__(name, gdb.COMMAND_DATA)

            def invoke(self, argument: str, from_tty: bool) -> None:
                try:
                    function(argument)
                except Failed as error:
                    raise gdb.GdbError(str(error)) from None

        Defined()

else:
    from lldb_steps import define, execute  # noqa: F401

    NAME = "lldb"

# SPDX-License-Identifier: MIT
"""For gdb to source: python-stop LOCATION REGISTER sets a breakpoint with a stop()
method as people write them, which goes on unless a register holds a map's address."""

import gdb


class Stop(gdb.Breakpoint):
    """Compares one register."""

    register = ""

    def stop(self) -> bool:
        """Whether to stop."""
        return int(gdb.newest_frame().read_register(self.register)) == 1


class PythonStop(gdb.Command):
    """python-stop LOCATION REGISTER"""

    def __init__(self) -> None:
        super().__init__("python-stop", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, line: str, from_tty: bool) -> None:
        """Set it."""
        location, register = gdb.string_to_argv(line)
        Stop(location).register = register


PythonStop()

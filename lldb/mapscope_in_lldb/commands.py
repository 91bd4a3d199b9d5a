# SPDX-License-Identifier: MIT
"""`map` and its subcommands in LLDB, made from core's table.

What a command needs is imported when it runs: importing stays quick.
"""

from typing import TYPE_CHECKING, Any, Dict

import lldb

from mapscope.commands import OVERVIEW, SUMMARIES
from mapscope.errors import MapscopeError

if TYPE_CHECKING:
    from mapscope.stops.all_stops import Stops
    from .target import LldbTarget


def _stops(target: "LldbTarget") -> "Stops":
    from .host import stops_of

    return stops_of(target.debugger, target.native)


class Subcommand:
    """One subcommand; LLDB makes one object for each of them."""

    name = ""

    def __init__(self, debugger: lldb.SBDebugger, internal_dict: Dict[str, Any]) -> None:
        pass

    def __call__(
        self,
        debugger: lldb.SBDebugger,
        command: str,
        context: lldb.SBExecutionContext,
        result: lldb.SBCommandReturnObject,
    ) -> None:
        from mapscope import shell
        from .target import LldbTarget

        target = LldbTarget(debugger, context)
        try:
            shell.run(target, lambda: _stops(target), self.name, command, result.write)
            result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
        except MapscopeError as error:
            result.SetError(f"mapscope: {error}")
        finally:
            target.finish()

    def get_short_help(self) -> str:
        """The line in `help map`."""
        return f"{SUMMARIES[self.name]}."

    def get_long_help(self) -> str:
        """`help map NAME`."""
        return (
            f"map {self.name}: {SUMMARIES[self.name]}.\n\n"
            f"map {self.name} --help explains every option, with an example."
        )


def register(debugger: lldb.SBDebugger) -> None:
    """Define (or, when imported again, redefine) the commands."""
    interpreter = debugger.GetCommandInterpreter()
    result = lldb.SBCommandReturnObject()
    if interpreter.UserCommandExists("map"):
        interpreter.HandleCommand("command container delete map", result)
    summary = OVERVIEW.splitlines()[0]
    interpreter.HandleCommand(f'command container add -h "{summary}" map', result)
    for name in SUMMARIES:
        kind = f"Map{name.title()}"
        globals()[kind] = type(kind, (Subcommand,), {"name": name, "__doc__": SUMMARIES[name]})
        interpreter.HandleCommand(
            f"command script add -o -C variable-path "
            f"-c mapscope_lldb.{__name__}.{kind} map {name}",
            result,
        )
        if not result.Succeeded():
            print(f"mapscope: {result.GetError()}")

# SPDX-License-Identifier: MIT
"""`map`, `slice` and their subcommands in LLDB, made from core's table.

What a command needs is imported when it runs: importing stays quick.
"""

from typing import TYPE_CHECKING, Any, Dict

import lldb

from mapscope.commands import PREFIXES, Prefix
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
    prefix: Prefix

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
            name = self.prefix.full(self.name)
            shell.run(target, lambda: _stops(target), name, command, result.write)
            result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
        except MapscopeError as error:
            result.SetError(f"mapscope: {error}")
        finally:
            target.finish()

    def get_short_help(self) -> str:
        """The line in the prefix command's help."""
        return f"{self.prefix.summaries[self.name]}."

    def get_long_help(self) -> str:
        """What `help` says of the subcommand."""
        typed = f"{self.prefix.word} {self.name}"
        return (
            f"{typed}: {self.prefix.summaries[self.name]}.\n\n"
            f"{typed} --help explains every option, with an example."
        )


def register(debugger: lldb.SBDebugger) -> None:
    """Define (or, when imported again, redefine) the commands.

    `map` itself is an alias: the console of an IDE takes a line for a command if it begins with a
    command of LLDB's own, one that a script defines, or an alias, and for an expression if it
    begins with a prefix command that a script defines (lldb-dap 19, its mode `auto`).
    """
    interpreter, result = debugger.GetCommandInterpreter(), lldb.SBCommandReturnObject()
    interpreter.HandleCommand(f"command container add -o -h {_ABOUT!r} {_OWN}", result)
    for prefix in PREFIXES:
        _register(interpreter, prefix)


#: the prefix command that holds the others, and what LLDB says of it
_OWN = "mapscope"
_ABOUT = "Commands of mapscope."


def _register(interpreter: lldb.SBCommandInterpreter, prefix: Prefix) -> None:
    """One prefix command with all that can stand behind it."""
    result = lldb.SBCommandReturnObject()
    word = f"{_OWN} {prefix.word}"
    interpreter.HandleCommand(f'command container add -o -h "{prefix.about}" {word}', result)
    for name, summary in prefix.summaries.items():
        kind = f"{prefix.word.title()}{name.title()}"
        own = {"name": name, "prefix": prefix, "__doc__": summary}
        globals()[kind] = type(kind, (Subcommand,), own)
        interpreter.HandleCommand(
            f"command script add -o -C variable-path "
            f"-c mapscope_lldb.{__name__}.{kind} {word} {name}",
            result,
        )
        if not result.Succeeded():
            print(f"mapscope: {result.GetError()}")
    interpreter.HandleCommand(
        f'command alias -h "{prefix.about}" -H "{prefix.overview}" -- {prefix.word} {word}', result
    )
    if not result.Succeeded():
        print(f"mapscope: {result.GetError()}")

# SPDX-License-Identifier: MIT
"""The subcommands of `map`: one table, from which the debuggers' commands,
help and completion are made.

A command's module is imported when it is first used, so that loading mapscope
into a debugger costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Dict, Tuple

if TYPE_CHECKING:
    from .base import Command

#: name: one line about it, in the order of the manual; each is a module here, of the same name
#: but where Python has another use for that
SUMMARIES: Dict[str, str] = {
    "inspect": "a map's size, load, buckets and, if it is growing, its migration",
    "entries": "each live entry exactly once, at any point of a migration",
    "bucket": "one bucket chain, cell by cell",
    "find": "the path of a lookup, step by step",
    "stats": "distributions of a map, or totals of the process",
    "check": "what is wrong with a map, the usual cause and what to look at next",
    "list": "every live map that can be enumerated, biggest first",
    "heap": "every map of the process: who holds the memory, and what stands out",
    "describe": "teach mapscope a hash table of the program's own, by a short file",
    "owners": "who refers to a map, from a variable or a frame on",
    "break": "stop when a map grows, migrates, is written to or raced on",
    "stop": "the map stop that the program is at",
    "trace": "the life of maps, a line for each event, without stopping",
    "writers": "every thread that is inside a map write, and races among them",
    "history": "what happened to a map before, as the C++ runtime recorded it",
}

#: what the first word of a command can be, where there is a choice, for completion
FIRST_WORDS: Dict[str, Tuple[str, ...]] = {
    "break": tuple("grow evacuate progress done assign delete clear race list".split()),
    "trace": ("on", "off"),
}

_MODULES = {"break": "breaks"}

OVERVIEW = "\n".join(
    [
        "Show what a hash map is really doing, above all while it is growing.",
        "",
        *(f"map {name:<9} {summary}" for name, summary in SUMMARIES.items()),
        "",
        "map SUBCOMMAND --help explains every option, with an example.",
    ]
)


def load(name: str) -> "Command":
    """The subcommand `name` of the table."""
    command: "Command" = importlib.import_module(f".{_MODULES.get(name, name)}", __name__).COMMAND
    return command

# SPDX-License-Identifier: MIT
"""The subcommands of `map`, and those of `slice`: one table each, from which the debuggers'
commands, help and completion are made.

A command's module is imported when it is first used, so that loading mapscope
into a debugger costs next to nothing.
"""

import importlib
from dataclasses import field
from typing import TYPE_CHECKING, Dict, Mapping, Tuple

from ..records import dataclass

if TYPE_CHECKING:
    from .base import Command

#: name: one line about it, in the order of the manual; each is a module here, of the same name
#: but where Python, or another module, has another use for that
SUMMARIES: Dict[str, str] = {
    "inspect": "a map's size, load, buckets and, if it is growing, its migration",
    "entries": "each live entry exactly once, at any point of a migration",
    "bucket": "one bucket chain, cell by cell",
    "find": "the path of a lookup, step by step",
    "stats": "distributions of a map, or totals of the process",
    "check": "what is wrong with a map, the usual cause and what to look at next",
    "list": "every live map that can be enumerated, biggest first",
    "heap": "every map of the process: who holds the memory, and what stands out",
    "report": "a page for a browser: a map with its buckets, or the process with all maps",
    "describe": "teach mapscope a hash table of the program's own, by a short file",
    "owners": "who refers to a map, from a variable or a frame on",
    "break": "stop when a map grows, migrates, is written to or raced on",
    "watch": "stop when the value of one entry is written, wherever the entry moves to",
    "stop": "the map stop that the program is at",
    "trace": "the life of maps, a line for each event, without stopping",
    "writers": "every thread that is inside a map write, and races among them",
    "history": "what happened to a map before, as the C++ runtime recorded it",
    "probes": "a script for bpftrace: growths by type and caller, and how long they take",
    "follow": "one map, drawn again at every stop; gdb's layout map shows it",
}

#: what the first word of a command can be, where there is a choice, for completion
FIRST_WORDS: Dict[str, Tuple[str, ...]] = {
    "break": tuple("grow evacuate progress done assign delete clear race list".split()),
    "trace": ("on", "off"),
}

_MODULES = {"break": "breaks", "report": "report_page"}

OVERVIEW = "\n".join(
    [
        "Show what a hash map is really doing, above all while it is growing.",
        "",
        *(f"map {name:<9} {summary}" for name, summary in SUMMARIES.items()),
        "",
        "map SUBCOMMAND --help explains every option, with an example.",
    ]
)


@dataclass(frozen=True)
class Prefix:
    """A prefix command: its word, and the table of what can stand behind it.

    :ivar about: what it is for, a line
    :ivar first_words: what the first word of a subcommand can be, where there is a choice
    """

    word: str
    about: str
    summaries: Mapping[str, str]
    first_words: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)

    @property
    def overview(self) -> str:
        """What its help says."""
        rows = (f"{self.word} {name:<9} {summary}" for name, summary in self.summaries.items())
        end = f"{self.word} SUBCOMMAND --help explains every option, with an example."
        return "\n".join([self.about, "", *rows, "", end])

    def full(self, name: str) -> str:
        """What a subcommand is loaded and run by."""
        return name if self.word == "map" else f"{self.word} {name}"


#: every prefix command
PREFIXES: Tuple[Prefix, ...] = (
    Prefix("map", OVERVIEW.splitlines()[0], SUMMARIES, FIRST_WORDS),
    Prefix(
        "slice",
        "Show what a slice of Go or a vector of C++ is really doing, above all when it grows.",
        {
            "inspect": "length, capacity and array, what append allocates next, who shares it",
            "entries": "each element",
            "break": "stop when an append moves a slice to another array",
            "trace": "a line for each growth, without stopping",
            "stale": "pointers and slices that still refer to an array that was left",
        },
        {"break": ("grow", "list", "delete"), "trace": ("on", "off")},
    ),
)


def load(name: str) -> "Command":
    """The subcommand `name` of a table: "inspect" of `map`, "slice inspect" of `slice`."""
    name = name.replace(" ", "_")
    command: "Command" = importlib.import_module(f".{_MODULES.get(name, name)}", __name__).COMMAND
    return command

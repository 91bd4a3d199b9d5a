# SPDX-License-Identifier: MIT
"""A script for bpftrace, as it is put together."""

import os
import re
from dataclasses import field
from typing import Dict, List, Optional, Sequence

from ..errors import UsageError
from ..program.values import escape, named
from ..records import dataclass

#: characters of a path that no word of bpftrace begins or ends with
_PATH = re.compile(r"[\w./+@%=~^-]+", re.ASCII)
#: bytes of a text in a script, its end included (BPFTRACE_STRLEN)
_LONGEST = 64


@dataclass(frozen=True)
class Place:
    """Where a probe is put.

    :ivar function: its name; of an instruction in it with "+OFFSET"
    :ivar address: as linked; None: the program's own probe
    """

    function: str
    address: Optional[int]
    what: str


@dataclass
class Script:
    """What was written.

    :ivar program: path of the program
    :ivar kind: "go-classic", "go-swiss" or "runtime"
    :ivar go_version: None: it is no Go program
    :ivar places: where its probes are put
    :ivar missing: functions that the program has not, so that what they do is not seen
    :ivar notes: what a reader should know, a line each
    :ivar types: names of map types that it knows, by address
    :ivar types_left_out: map types that are shown by their addresses
    :ivar unsafe: whether bpftrace must be told --unsafe, since it cannot check the places
    """

    program: str
    kind: str
    go_version: Optional[str] = None
    places: List[Place] = field(default_factory=list)
    missing: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    types: Dict[int, str] = field(default_factory=dict)
    types_left_out: int = 0
    unsafe: bool = False
    body: List[str] = field(default_factory=list)

    def text(self) -> str:
        """The whole script."""
        version = "" if self.go_version is None else f", {escape(self.go_version)}"
        about = [
            f"What the maps of {escape(self.program)} do ({self.kind}{version}).",
            "",
            f"  bpftrace {'--unsafe ' if self.unsafe else ''}FILE     until Ctrl-C; needs root",
            "",
            *(f"{escape(note)}" for note in self.notes),
        ]
        if self.missing:
            about.append("not seen, since the program has no such function (inlined, or not used):")
            about += [f"  {escape(name)}" for name in self.missing]
        if self.types_left_out:
            about.append(f"{self.types_left_out} more map types are shown by their address alone")
        head = ["#!/usr/bin/env bpftrace", *(f"// {line}".rstrip() for line in about), ""]
        return "\n".join([*head, *self.body]) + "\n"


def path_of(program: str) -> str:
    """A path as a script has it, from wherever that is run.

    :raises UsageError: if bpftrace would take a part of it for something else
    """
    program = os.path.abspath(program)
    if _PATH.fullmatch(program) is None:
        raise UsageError(
            f"{named(program)}: bpftrace takes characters of this path for its own; make a link "
            "to the program whose path has letters, digits and ./_-+ alone"
        )
    return program


def text_of(text: str) -> str:
    """A text as a script has it, with its quotes; as much of it as bpftrace keeps."""
    plain = escape(text).encode("ascii", "backslashreplace").decode()
    if len(plain) >= _LONGEST:
        plain = plain[: _LONGEST - 4] + "..."
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def probe(places: Sequence[str], body: Sequence[str], condition: str = "") -> List[str]:
    """The lines of a probe at some places.

    :param condition: only where it holds; "": always
    """
    head = ",\n".join(places)
    return [
        head + (f"\n/{condition}/" if condition else ""),
        "{",
        *(f"  {b}" for b in body),
        "}",
        "",
    ]

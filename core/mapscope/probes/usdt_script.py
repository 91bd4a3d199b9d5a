# SPDX-License-Identifier: MIT
"""A script for a program with the C++ runtime, by the runtime's own probes (docs/probes.md).

The notes that tell of them: "Owner stapsdt" in the section .note.stapsdt, of SystemTap's
UserSpaceProbeImplementation.
"""

from typing import List, Set

from ..errors import UsageError
from ..program.elf_file import notes
from ..program.values import named
from .program_file import ProgramFile
from .script import Place, Script, path_of, probe

_PROVIDER = b"mapscope"
#: probes that the script uses
_USED = ("create", "grow", "shrink", "evacuate", "evacuated", "done", "clear", "destroy")


def own_probes(file: ProgramFile) -> Set[str]:
    """Names of the runtime's probes in a file, of those that are known."""
    found: Set[str] = set()
    raw = b"" if file.file is None else file.file.section(".note.stapsdt")
    for owner, kind, contents in notes(raw):
        if owner != b"stapsdt" or kind != 3:
            continue
        provider, _, rest = contents[24:].partition(b"\0")
        if provider == _PROVIDER:
            found.add(rest.partition(b"\0")[0].decode("ascii", "replace"))
    return found & set(_USED)


def usdt_script(file: ProgramFile) -> Script:
    """The script.

    :raises UsageError: if the file has no such probes
    """
    there = own_probes(file)
    if not there:
        hint = (
            "its runtime was built without sys/sdt.h, with MAPSCOPE_PROBES=OFF or MAPSCOPE_NO_DEBUG"
            if file.symbols("mapscope_abi")
            else "where the C++ runtime is a shared library, name that one"
        )
        raise UsageError(
            f"{named(file.path)} is no Go program, and has no probes of mapscope's runtime ({hint})"
        )
    path = path_of(file.path)
    script = Script(file.path, "runtime")
    script.places = [Place(name, None, "the runtime's own") for name in _USED if name in there]
    script.missing = [name for name in _USED if name not in there]
    script.notes.append(
        "by type of map and by who called; times are nanoseconds, microseconds (_us)"
    )

    def at(*names: str) -> List[str]:
        return [f"usdt:{path}:mapscope:{name}" for name in names if name in there]

    body = ["BEGIN", "{", '  printf("maps are watched; Ctrl-C ends it\\n");', "}", ""]
    parts = [
        (at("create"), ["@created[str(arg1)] = count();"], ""),
        (
            at("grow", "shrink"),
            [
                "@began[arg0] = nsecs;",
                "@type[arg0] = str(arg1);",
                "@growths[probe, str(arg1), ustack(8)] = count();",
                "@new_buckets[str(arg1)] = hist(arg4);",
            ],
            "",
        ),
        (at("evacuate"), ["@entered[tid] = nsecs;", "@evacuations[@type[arg0]] = count();"], ""),
        (
            at("evacuated"),
            ["@evacuation[@type[arg0]] = hist(nsecs - @entered[tid]);", "delete(@entered[tid]);"],
            "@entered[tid]",
        ),
        (
            at("done"),
            ["@migration_us[str(arg1)] = hist((nsecs - @began[arg0]) / 1000);"]
            + ["delete(@began[arg0]);", "delete(@type[arg0]);"],
            "@began[arg0]",
        ),
        (at("clear"), ["@cleared[str(arg1)] = count();"], ""),
        (
            at("destroy"),
            ["@destroyed[str(arg1)] = count();", "delete(@began[arg0]);", "delete(@type[arg0]);"],
            "",
        ),
    ]
    for places, lines, condition in parts:
        if places:
            body += probe(places, lines, condition)
    body += ["END", "{", "  clear(@began);", "  clear(@type);", "  clear(@entered);", "}"]
    script.body = body
    return script

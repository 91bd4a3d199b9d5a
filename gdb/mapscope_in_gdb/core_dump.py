# SPDX-License-Identifier: MIT
"""The core dump that gdb's selected inferior is, if it is one.

gdb reads what a core lacks from the program's file and does not tell; so the core file is looked
at here, too. What was read of it is kept as long as gdb has the same core.
"""

import re
from typing import Dict, List, Optional

import gdb

from mapscope.program.core_file import CoreFile, Range

#: "`/path/core', file type elf64-x86-64." in "info files"
_PATH = re.compile(r"^Local core dump file:\s*\n\s*[`'‘](.*)['’], file type", re.MULTILINE)
#: "[7]  0x00513120->0x00523760 at 0x00113120: .noptrdata ALLOC LOAD DATA HAS_CONTENTS"
_SECTION = re.compile(r"^\s*\[\d+\]\s+(0x[0-9a-f]+)->(0x[0-9a-f]+) at \S+: \S+ (.*)$")

#: by the number of gdb's connection; None: a file that cannot be taken apart
_cores: Dict[int, Optional[CoreFile]] = {}


def is_core() -> bool:
    """Whether the selected inferior is a core dump."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    return connection is not None and connection.type == "core"


def current() -> Optional[CoreFile]:
    """The selected inferior's core file; None: it is none, or none that can be read."""
    if not is_core():
        return None
    number = int(gdb.selected_inferior().connection.num)
    if number not in _cores:
        _cores.clear()
        match = _PATH.search(gdb.execute("info files", to_string=True))
        try:
            _cores[number] = None if match is None else CoreFile(match[1])
        except (OSError, ValueError):
            _cores[number] = None
    return _cores[number]


def program() -> str:
    """The path of the program that is loaded; "": none is."""
    return str(gdb.current_progspace().filename or "")


def fits() -> str:
    """What is wrong about the core and the program together; "": nothing that is known."""
    core, path = current(), program()
    return "" if core is None or not path else core.misfit(path)


def writable_sections() -> List[Range]:
    """Address ranges of the sections that programs and libraries write to."""
    found: List[Range] = []
    of_core = False
    for line in gdb.execute("maintenance info sections -all-objects", to_string=True).splitlines():
        if not line.startswith(" "):
            of_core = line.startswith("Core file")
        match = _SECTION.match(line)
        if match and not of_core:
            flags = match[3].split()
            if "ALLOC" in flags and "READONLY" not in flags:
                found.append((int(match[1], 16), int(match[2], 16)))
    return found

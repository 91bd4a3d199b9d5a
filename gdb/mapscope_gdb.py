# SPDX-License-Identifier: MIT
"""mapscope for gdb: `source` this file, with or without a program, any number of times.

Needs gdb 12 or newer with Python 3.9 or newer. Defines the command `map`,
pretty-printers, convenience functions and xmethods; docs/commands.md.
"""

import os
import sys
from typing import List

import gdb

_HERE = os.path.dirname(os.path.realpath(__file__))
for _path in (_HERE, os.path.join(os.path.dirname(_HERE), "core")):
    if _path not in sys.path:
        sys.path.append(_path)

from mapscope_in_gdb import commands, functions, lookup, tui  # noqa: E402


def _trust_own_script() -> None:
    """Has gdb take the script that programs name which use the library of this installation.

    Who has loaded mapscope from here would else be warned of it at each such program.
    """
    share = os.path.dirname(os.path.dirname(_HERE))
    script = os.path.join(share, "gdb", "auto-load", "mapscope.py")
    odd = any(char in script for char in ":*?[$\n")  # it is a list of patterns
    if os.path.isfile(script) and not odd:
        if script not in str(gdb.parameter("auto-load safe-path")).split(":"):
            gdb.execute(f"add-auto-load-safe-path {script}", to_string=True)


def _register() -> None:
    commands.register()
    functions.register()
    tui.register()
    printer = lookup.Lookup()
    lookup.register(printer)

    # gdb announces an object file before it loads the script that the file
    # names, and Go's runtime-gdb.py begins by emptying the file's list. So the
    # file is claimed now and whenever the user may look next: when the program
    # stops, before a prompt, and when the next object file comes (which the
    # start of any program brings). gdb.post_event would do, but gdb 13 crashes
    # at its end if an event is still pending, as it is in batch mode.
    announced: List[gdb.Objfile] = []

    def claim_announced(event: object = None) -> None:
        for objfile in announced:
            if objfile.is_valid():
                lookup.claim(objfile, printer)

    def announce(event: gdb.NewObjFileEvent) -> None:
        claim_announced()
        announced[:] = [event.new_objfile]
        claim_announced()

    # Sourced again, the handlers of the last time make room for these.
    for registry, handler in getattr(lookup, "connected", []):
        registry.disconnect(handler)
    handlers = [
        (gdb.events.new_objfile, announce),
        (gdb.events.stop, claim_announced),
        (gdb.events.before_prompt, claim_announced),
    ]
    for registry, handler in handlers:
        registry.connect(handler)
    lookup.connected = handlers  # type: ignore[attr-defined]


_trust_own_script()
_register()

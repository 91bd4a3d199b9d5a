# SPDX-License-Identifier: MIT
"""mapscope for gdb: `source` this file, with or without a program, any number of times.

Needs gdb 12 or newer with Python 3.9 or newer. Defines the command `map`,
pretty-printers, convenience functions and xmethods; docs/commands.md.
"""

import os
import sys

import gdb

_HERE = os.path.dirname(os.path.realpath(__file__))
for _path in (_HERE, os.path.join(os.path.dirname(_HERE), "core")):
    if _path not in sys.path:
        sys.path.append(_path)

import mapscope_gdb_commands  # noqa: E402
import mapscope_gdb_functions  # noqa: E402
import mapscope_gdb_lookup  # noqa: E402


def _register() -> None:
    mapscope_gdb_commands.register()
    mapscope_gdb_functions.register()
    lookup = mapscope_gdb_lookup.Lookup()
    mapscope_gdb_lookup.register(lookup)

    def claim(event: gdb.NewObjFileEvent) -> None:
        mapscope_gdb_lookup.claim(event.new_objfile, lookup)

    # Sourced again, the handler of the last time makes room for this one.
    before = getattr(mapscope_gdb_lookup, "connected", None)
    if before is not None:
        gdb.events.new_objfile.disconnect(before)
    mapscope_gdb_lookup.connected = claim  # type: ignore[attr-defined]
    gdb.events.new_objfile.connect(claim)


_register()

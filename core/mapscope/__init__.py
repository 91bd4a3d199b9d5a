# SPDX-License-Identifier: MIT
"""mapscope: the half that knows maps and no debugger.

Packages, each using only those before it (tests/core/test_imports.py holds it):

    errors, program     what a debugger offers, in plain terms; bytes -> values
    go                  Go without maps
    session             one command's view of the program
    maps, cells         what every map offers; groups of cells in bulk
    classic, swiss      the two shapes of map
    flavours            how each kind of map is recognised and opened
    locate, activity    MAP as typed -> a map; who is inside a write
    stops, plans        stops; how each kind of stop is done
    commands, shell     one module for each subcommand of `map`; runs one

Python's standard library alone, 3.9 or newer: this is loaded into gdb and LLDB.
"""

# SPDX-License-Identifier: MIT
"""mapscope: the half that knows maps and no debugger.

Layers, each using only those above it:

    errors, types, memory, target   what a debugger offers, in plain terms
    values                          bytes -> values -> text and JSON
    classic, gotypes                layouts shared by flavours
    flavours                        one module for each kind of map
    locate                          what the user typed -> a map
    commands                        one module for each subcommand of `map`

Python's standard library alone, 3.9 or newer: this is loaded into gdb and LLDB.
"""

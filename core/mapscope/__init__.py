# SPDX-License-Identifier: MIT
"""mapscope: the half that knows maps and no debugger.

Layers, each using only those above it:

    errors, types, memory, target   what a debugger offers, in plain terms
    values, view                    bytes -> values -> text and JSON; what a map offers
    buckets, columns, tally         an array of buckets, read, decoded, counted in bulk
    header, moving, lookup          a classic map's header, half-done writes, lookups
    classic, gotypes                the classic map as a whole; Go's type descriptors
    flavours                        one module for each kind of map
    session, locate, keys           one command's view of the program; MAP and KEY as typed
    commands, shell                 one module for each subcommand of `map`; runs one

Python's standard library alone, 3.9 or newer: this is loaded into gdb and LLDB.
"""

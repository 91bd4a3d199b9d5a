# SPDX-License-Identifier: MIT
"""Tables of a program's own, by a short file that says how they lie in memory.

description       what such a file says
formulas          its expressions: parts of structs, variables, a little arithmetic
scopes            what names in them mean, by debug information
shape             a description, as the program at hand has it
texts             keys and values that are texts
named_hashes      hash functions that a description can name
entry_columns     keys, values and stored hashes of entries
node_chains, slot_array   entries in chains of nodes, and in an array
described_moves   entries that a step of the migration holds alone
described_map     what commands ask of such a table
described_tables  the flavour: those that were loaded
"""

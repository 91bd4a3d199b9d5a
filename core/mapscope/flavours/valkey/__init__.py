# SPDX-License-Identifier: MIT
"""Valkey's hashtable, of 8.1 and 9.1: Debian's own binaries, by the names that they export.

table_header    a hashtable, recognised by what is there
valkey_entries  keys and values, which each kind of entry has elsewhere
table_nodes     its buckets of seven; child_buckets: those that a step holds in registers
valkey_server   where the process has its databases and its seed
valkey_tables   the flavour
"""

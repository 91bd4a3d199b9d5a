# SPDX-License-Identifier: MIT
"""Maps of two tables of chains, of which one is emptied into the other a bucket at a time.

two_tables      what the header of such a map tells
chained_map     what commands ask of it: facts, entries, one bucket
node_lookup     the path of a lookup
node_check      what is wrong with it

How chains lie in memory is a flavour's: it gives a Nodes.
"""

# SPDX-License-Identifier: MIT
"""The map of 8-cell buckets that grows incrementally, Go's until 1.23 and ours: header, walker,
tally, moving (the entry on its way), reader, lookup, check; classic_map is its view.
"""

# SPDX-License-Identifier: MIT
"""oneTBB's concurrent_hash_map, whose buckets are rehashed when they are looked in.

segments          the header, the buckets' words, the one walk
between_buckets   entries that a thread holds between two buckets
lock_holders      which threads have a lock
tbb_lookup, tbb_check, tbb_map   what commands ask of a map
tbb_tables     how it is recognised, and its layout
"""

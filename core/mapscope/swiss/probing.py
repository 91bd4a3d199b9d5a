# SPDX-License-Identifier: MIT
"""Groups of a Swiss map: which control bytes are full slots, and the order of a search.

What this knows: one table's groups (internal/runtime/maps: group.go, table.go of Go 1.24 to 1.27).
What it must not know: directories, headers, what keys mean.
"""

from typing import Iterator

#: for bytes.translate: 1 for the control byte of a full slot, else 0
FULL = b"\1" * 128 + bytes(128)
#: slots of a group that may be full before a table grows (maxAvgGroupLoad)
FULL_GROUP = 7


def probes(first: int, count: int) -> Iterator[int]:
    """The groups that a search looks at, in its order: in steps of 1, 2, 3, ... (probeSeq).

    :param first: the one that it begins with
    :param count: groups of the table; as many are given
    """
    group = first
    for step in range(1, count + 1):
        yield group
        group = (group + step) % count

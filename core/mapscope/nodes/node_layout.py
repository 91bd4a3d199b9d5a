# SPDX-License-Identifier: MIT
"""What a table of linked nodes looks like, as its flavour has found out.

All nodes are in one list. A bucket's pointer leads to the node before its first one, so that that
can be unlinked; the first bucket's to the table's own pointer to the first node. The nodes of a
bucket stand one behind the other. (libstdc++, hashtable.h, "class _Hashtable"; libc++,
__hash_table.)
"""

from typing import Callable, Optional, Sequence

from ..errors import Corrupt
from ..program.memory import ADDRESS_LIMIT
from ..records import dataclass

#: largest node, in bytes
_LARGEST = 1 << 30


@dataclass(frozen=True)
class NodeLayout:
    """Where the parts of a node are, in bytes.

    :ivar size: of the node, a multiple of 8
    :ivar hash: where its hash is stored; None: it is not
    """

    size: int
    following: int
    key: int
    elem: int
    hash: Optional[int]

    def validate(self, key: int, elem: int) -> None:
        """:raises Corrupt: if no node can look like that

        :param key: bytes of a key
        :param elem: bytes of an element
        """
        ends = [self.following + 8, self.key + key, self.elem + elem]
        if self.hash is not None:
            ends.append(self.hash + 8)
        if self.size % 8 or not 0 < self.size <= _LARGEST or max(ends) > self.size:
            raise Corrupt(f"impossible layout of a node ({self.size} bytes)")


@dataclass(frozen=True)
class NodeHeader:
    """What a table's header says.

    :ivar size: bytes of the table itself
    :ivar buckets: how many there are
    :ivar array: address of their pointers
    :ivar inside: whether that is in the table itself, as that of a table with one bucket
    :ivar head: address that a bucket's pointer holds whose first node is the first of all
    :ivar first: the first node; 0: there is none
    :ivar grows_above: entries; None: not known
    :ivar max_load_factor: as the program has set it
    :ivar place: the bucket of a hash
    """

    size: int
    count: int
    buckets: int
    array: int
    inside: bool
    head: int
    first: int
    grows_above: Optional[int]
    max_load_factor: Optional[float]
    place: Callable[[int], int]

    def doubt(self) -> str:
        """Why no table can look like that; "": one can."""
        if not 0 < self.buckets <= ADDRESS_LIMIT // 8:
            return f"{self.buckets} buckets"
        if self.count >= ADDRESS_LIMIT // 8:
            return f"{self.count} entries"
        if not self.array or self.array % 8:
            return f"an array of buckets at {self.array:#x}"
        if bool(self.count) != bool(self.first):
            return f"{self.count} entries, and the first one at {self.first:#x}"
        return ""


def histogram(values: Sequence[int], empty: int) -> "dict[int, int]":
    """How often each number is there, in order.

    :param empty: how often 0 is there besides
    """
    found = {0: empty} if empty else {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return dict(sorted(found.items()))

# SPDX-License-Identifier: MIT
"""Hash functions that a table of linked nodes proves."""

from itertools import islice
from typing import Iterable, List, Optional

from ..maps.proved_hash import LOOKED, prove
from ..program.hashing import KeyHash
from .node_reader import NodeReader

#: buckets that a table needs to have: of fewer, too many entries are in the right one by chance
_BUCKETS = 8


def proved_by_nodes(view: NodeReader, candidates: Iterable[KeyHash]) -> Optional[KeyHash]:
    """The one of some hash functions that puts the first entries in the buckets that they are in;
    None: none is proved."""
    if view.header.buckets < _BUCKETS:
        return None
    nodes = list(islice(view.nodes(), LOOKED))
    at, size = view.layout.key, view.types()[0].size
    keys: List[Optional[bytes]] = [
        None if row is None else row[at : at + size] for row in view.rows(nodes)
    ]
    place = view.header.place
    return prove(
        keys, list(candidates), lambda index, number: place(number) == view.where(index).bucket
    )

# SPDX-License-Identifier: MIT
"""The entry that a stopped evacuation is moving, between its mark and its copy.

An old cell is marked before its entry is copied, so for a moment an entry is in
neither array, or only half in the new one (evacuate in runtime/map.go; the
runtime's layout.h).
"""

from typing import List, Optional, Tuple

from ..cells.columns import Place
from ..cells.layout import BucketLayout
from ..cells.level import BucketArray
from ..cells.marks import CELLS, EVACUATED_X, EVACUATED_Y, MIN_TOP_HASH
from ..maps.batches import Where
from ..records import dataclass
from .header import Writing
from .walker import Walker


@dataclass
class Moving:
    """The entry that is between its mark and the end of its copy."""

    where: Where
    place: Place
    target: Optional[Place]  # its new cell, if that is live already
    key: bytes
    elem: bytes


def find_moving(
    walker: Walker, new: BucketArray, old: BucketArray, writing: Writing
) -> List[Moving]:
    """Entries on their way, of the old buckets that may be half moved."""
    certain = set(writing.evacuating)
    found = (
        _moving_in(walker, new, old, bucket, writing, bucket in certain)
        for bucket in sorted(certain.union(writing.perhaps))
        if bucket < old.count
    )
    return [move for move in found if move is not None]


def target_bucket(new: BucketArray, old: BucketArray, bucket: int, mark: int) -> int:
    """The new bucket that a mark in an old one stands for."""
    if mark == EVACUATED_Y:
        bucket += old.count
    return bucket & (new.count - 1)


def slots(layout: BucketLayout, data: bytes, cell: int) -> Tuple[bytes, bytes]:
    """A cell's key slot and element slot, of its bucket's bytes."""
    key, elem = layout.key_offset(cell), layout.elem_offset(cell)
    return data[key : key + layout.keysize], data[elem : elem + layout.elemsize]


def _moving_in(
    walker: Walker,
    new: BucketArray,
    old: BucketArray,
    bucket: int,
    writing: Writing,
    certain: bool,
) -> Optional[Moving]:
    """The last marked cell of an old chain, if its copy is not complete.

    The new cell of the n-th X mark is the n-th cell of the X chain, since
    evacuation alone fills that chain while it runs; so for Y. In a shrink, where
    the chain may hold entries of another old bucket, it is counted from a base.
    """
    ranks = {EVACUATED_X: writing.base, EVACUATED_Y: 0}
    last: Optional[Tuple[int, int, bytes, int, int, int]] = None
    for chain, (address, data) in enumerate(walker.chain(old, bucket)):
        for cell in range(CELLS):
            mark = data[cell]
            if mark in ranks:
                last = (address, cell, data, chain, mark, ranks[mark])
                ranks[mark] += 1
    if last is None:
        return None
    address, cell, data, chain, mark, rank = last
    key, elem = slots(walker.layout, data, cell)
    index = target_bucket(new, old, bucket, mark)
    chain_of_target = walker.chain(new, index)
    target = _target_cell(chain_of_target, rank)
    where = Where("old", bucket, chain, cell)
    if target is None:
        return Moving(where, (address, cell), None, key, elem) if certain else None
    if not writing.copies_late:
        return None
    new_key, new_elem = slots(walker.layout, target[1], target[2])
    if not certain:
        live = sum(top >= MIN_TOP_HASH for _, part in chain_of_target for top in part[:CELLS])
        if live != rank + 1 or not _is_torn(key + elem, new_key + new_elem):
            return None
    # New cells are zero before they are written and old ones are zero when they
    # were cleared: where the two differ, the byte that is not zero is right.
    place = (target[0], target[2])
    return Moving(where, (address, cell), place, _or(key, new_key), _or(elem, new_elem))


def _is_torn(old: bytes, new: bytes) -> bool:
    """Whether `new` can be a copy of `old` that has not ended."""
    return all(b in (0, a) for a, b in zip(old, new))


def _target_cell(chain: List[Tuple[int, bytes]], rank: int) -> Optional[Tuple[int, bytes, int]]:
    """(bucket address, its bytes, cell) of a moved cell in its chain, if it is live yet."""
    at, cell = divmod(rank, CELLS)
    if at >= len(chain) or chain[at][1][cell] < MIN_TOP_HASH:
        return None
    return chain[at][0], chain[at][1], cell


def _or(first: bytes, second: bytes) -> bytes:
    return bytes(a | b for a, b in zip(first, second))

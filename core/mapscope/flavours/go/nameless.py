# SPDX-License-Identifier: MIT
"""Writes to Go's classic maps that are stopped half-way, in frames without variables.

Without debug information nothing says what a register or a word of the stack is. But a write
holds addresses of what it works on: the bucket, the cell, and, in evacuate*, the two places that
it copies to next (evacDst in runtime/map.go). They are recognised by what they point at, and are
checked against the map before they count. Facts: runtime/map.go and map_fast*.go of Go 1.17 to
1.23.
"""

from typing import Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ...cells.columns import Place
from ...cells.layout import BucketLayout
from ...cells.level import BucketArray
from ...cells.marks import CELLS, EVACUATED_X, EVACUATED_Y, MIN_TOP_HASH
from ...classic.moving import target_bucket
from ...classic.walker import Walker
from ...program.target import Frame

#: a cell, with its key slot and its element slot
_Cell = Tuple[Place, bytes, bytes]


def words_of(frames: Iterable[Frame]) -> List[int]:
    """What the frames hold: registers and words of the stack, in the stack's order."""
    return [word for frame in frames for word in frame.words()]


def moved_buckets(
    walker: Walker, new: BucketArray, old: BucketArray, words: Sequence[int], named: Iterable[int]
) -> List[int]:
    """Old buckets that evacuate* is copying from, by the places that it copies to.

    :param words: of its frame
    :param named: old buckets that it may have been called for
    """
    size = walker.layout.size
    candidates = {bucket for bucket in named if bucket < old.count}
    wanted = set(words)
    for array in (old, new):
        end = array.address + array.count * size
        candidates.update(
            (word - array.address) // size & (old.count - 1)
            for word in words
            if array.address <= word < end
        )
    found = [b for b in sorted(candidates) if _is_copying(walker, new, old, b, words)]
    if not found:
        # at a chain's overflow buckets
        owners = {
            level.owners[at] & (old.count - 1)
            for array in (old, new)
            for levels in walker.walk(array)
            for level in levels[1:]
            for at, address in enumerate(level.addresses)
            if address in wanted
        }
        more = sorted(owners - candidates)
        found = [b for b in more if _is_copying(walker, new, old, b, words)]
    return found


def _is_copying(
    walker: Walker, new: BucketArray, old: BucketArray, bucket: int, words: Sequence[int]
) -> bool:
    """Whether the copy of the last marked cell of an old chain has not ended.

    The place to copy to next has moved on as soon as it has.
    """
    ranks = {EVACUATED_X: 0, EVACUATED_Y: 0}
    last = 0
    for _, data in walker.chain(old, bucket):
        for mark in data[:CELLS]:
            if mark in ranks:
                ranks[mark] += 1
                last = mark
    if not last:
        return False
    chain = walker.chain(new, target_bucket(new, old, bucket, last))
    layout = walker.layout
    found = False
    for position, (address, _) in enumerate(chain):
        for at, word in enumerate(words[:-3]):
            if word != address or words[at + 1] > CELLS:
                continue
            cell, key, elem = words[at + 1 : at + 4]
            next_to_copy = (address + layout.key_offset(cell), address + layout.elem_offset(cell))
            if (key, elem) == next_to_copy and CELLS * position + cell >= ranks[last]:
                return False
            # else its parts are being changed, one after the other
            found = found or _is_near(layout, address, key, elem)
    return found


def _is_near(layout: BucketLayout, address: int, key: int, elem: int) -> bool:
    """Whether these can be addresses in a bucket, or still, or one of them, in that before it."""
    return any(0 <= part <= layout.size for part in (key - address, elem - address, elem - key))


def assigned_cell(
    walker: Walker, new: BucketArray, words: Sequence[int], key: Optional[bytes]
) -> Optional[Place]:
    """The new cell that mapassign_fast* has marked as live, and whose key it has not stored yet.

    For its caller to know: there is one (a live cell more than count says).

    :param words: registers, and those of its frame
    :param key: what it is to hold, if that is known
    """
    layout = walker.layout
    buckets = _buckets(walker, new, words)
    cells = list(_live_cells(walker, buckets))
    if any(slot == key for _, slot, _ in cells):
        return None
    cells = [c for c in cells if not any(c[2])]
    held = set(words)
    by_address = [c for c in cells if c[0][0] + layout.key_offset(c[0][1]) in held]
    by_index = [c for c in cells if c[0][0] in held and c[0][1] in held]
    for group in (by_address, by_index, cells):
        if len(group) > 1:
            group = [c for c in group if not any(c[1])] or group
        if len(group) == 1:
            return group[0][0]
    return None


def deleted_cell(
    walker: Walker, new: BucketArray, words: Sequence[int], key: Optional[bytes]
) -> Optional[Place]:
    """The cell that mapdelete* is clearing: key and element go before the tophash.

    :param words: registers, and those of its frame
    :param key: what it held, if that is known; of a string its address and length
    """
    layout = walker.layout
    cells = list(_live_cells(walker, _buckets(walker, new, words)))
    held = set(words)
    same = [c for c in cells if c[1] == key]
    if not same:
        same = [c for c in cells if key is not None and is_partly(c[1], key)]
    if not same:
        # an equal key that lies elsewhere, or an indirect one
        same = [c for c in cells if c[0][0] + layout.key_offset(c[0][1]) in held]
    if len(same) > 1:
        same = [c for c in same if c[0][1] in held] or same
    return same[0][0] if len(same) == 1 else None


def is_partly(slot: bytes, key: bytes) -> bool:
    """Whether every word of a slot is the key's or cleared."""
    words = range(0, len(slot), 8)
    return all(slot[w : w + 8] == key[w : w + 8] or not any(slot[w : w + 8]) for w in words)


def _buckets(walker: Walker, new: BucketArray, words: Sequence[int]) -> Set[int]:
    """Addresses of the new array's buckets that are among the words, or that a cell's key
    among them is of."""
    layout = walker.layout
    size, end = layout.size, new.address + new.count * walker.layout.size
    found = {word - (word - new.address) % size for word in words if new.address <= word < end}
    keys = [layout.key_offset(cell) for cell in range(CELLS)]
    wanted = {word - offset for word in words for offset in (0, *keys)}
    for levels in walker.walk(new):
        for level in levels[1:]:
            found.update(wanted.intersection(level.addresses))
    return found


def _live_cells(walker: Walker, buckets: Iterable[int]) -> Iterator[_Cell]:
    layout = walker.layout
    for address in sorted(buckets):
        data = walker.memory.read(address, layout.size)
        for cell in range(CELLS):
            if data[cell] >= MIN_TOP_HASH:
                key, elem = layout.key_offset(cell), layout.elem_offset(cell)
                yield (
                    (address, cell),
                    data[key : key + layout.keysize],
                    data[elem : elem + layout.elemsize],
                )
